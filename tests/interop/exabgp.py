"""ExaBGP (Debian 12: 4.2.21). It keeps no table of what it is told: the API's JSON lines are read into one here."""
import json

from daemon import EXTENDED, LARGE, PLAIN, PLAIN6, STANDARD, Daemon


class ExaBgp(Daemon):
    name = "ExaBGP"
    programs = ("exabgp",)

    def configure(self):
        s = self.setup
        lab = self.lab
        # ExaBGP takes a helper whose standard output is closed for dead, so it is kept open as 3.
        lab.write("told.sh", f"#!/bin/sh\nexec cat 3>&1 >> {lab.folder}/told.json\n", 0o755)
        # Commands are taken from a file that grows.
        lab.write("commands", "")
        lab.write("say.sh", f"#!/bin/sh\nexec tail -n +1 -f {lab.folder}/commands\n", 0o755)
        (lab.folder / "told.json").touch()
        (lab.folder / "told.json").chmod(0o666)
        capability = ["route-refresh enable;"]
        capability += ["asn4 disable;"] if s.two_octet else []
        capability += [f"add-path {s.add_path};"] if s.add_path else []
        capability += ["extended-message enable;"] if s.extended_message else ["extended-message disable;"]
        capability += ["nexthop enable;"] if s.extended_next_hop else []
        capability += ["graceful-restart 30;"] if s.graceful_restart else []
        hop = s.local6 if s.extended_next_hop else s.own_next_hop()
        ident = " path-information 0.0.0.1" if s.add_path == "send" else ""
        more = "\n    ".join(f"route {prefix} next-hop {hop}{ident};" for prefix in s.more_prefixes())
        families = " ".join(f"{family} unicast;" for family in s.families)
        v6 = f"route {PLAIN6} next-hop {s.local6};" if "ipv6" in s.families else ""
        lab.write("exabgp.conf", f"""process told {{ run {lab.folder}/told.sh; encoder json; }}
process say {{ run {lab.folder}/say.sh; encoder text; }}
neighbor {s.neighbor} {{
  router-id 10.0.1.4; local-address {s.local}; local-as {s.asn}; peer-as {s.neighbor_asn}; hold-time 30;
  {f'md5-password "{s.key}";' if s.key else ''}
  {'outgoing-ttl 255; incoming-ttl 255;' if s.ttl_security else 'outgoing-ttl 8;'}
  {'passive;' if s.passive else ''}
  capability {{ {' '.join(capability)} }}
  family {{ {families} }}
  {'nexthop { ipv4 unicast ipv6; }' if s.extended_next_hop else ''}
  {'add-path { ipv4 unicast; }' if s.add_path else ''}
  api {{ processes [ told, say ]; neighbor-changes; receive {{ parsed; update; notification; }} }}
  static {{
    route {PLAIN} next-hop {hop}{ident};
    route {STANDARD} next-hop {hop}{ident} community [ 65001:100 65001:200 ];
    route {LARGE} next-hop {hop}{ident} large-community [ 65001:1:2 ];
    route {EXTENDED} next-hop {hop}{ident} extended-community [ target:65001:100 ];
    {more}
    {v6}
  }}
}}
""")

    def launch(self, again=False):
        self.lab.write("told.json", "", 0o666)
        self.process = self.lab.start(self.namespace, ["exabgp", "exabgp.conf"], "exabgp", {
            "exabgp.daemon.drop": "false", "exabgp.api.cli": "false", "exabgp.log.level": "WARNING",
            "exabgp.api.ack": "false", "exabgp.tcp.bind": self.setup.local if self.setup.passive else ""})

    def _told(self):
        for line in self.lab.read("told.json").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # a line that is still being written

    def describe(self):
        return self.lab.read("told.json")[-3000:]

    def established(self):
        up = False
        for document in self._told():
            if document.get("type") == "state":
                up = document["neighbor"]["state"] == "up"
        return up

    def _table(self):
        table = {}
        for document in self._told():
            if document.get("type") == "state" and document["neighbor"]["state"] != "up":
                table.clear()
            update = document.get("neighbor", {}).get("message", {}).get("update", {})
            for nlris in update.get("withdraw", {}).values():
                for nlri in nlris:
                    table.pop((nlri["nlri"], nlri.get("path-information")), None)
            for hops in update.get("announce", {}).values():
                for hop, nlris in hops.items():
                    for nlri in nlris if isinstance(nlris, list) else []:
                        if "nlri" in nlri:
                            table[nlri["nlri"], nlri.get("path-information")] = (hop, update.get("attribute", {}))
        return table

    def route(self, prefix, all_paths=False):
        paths = [self._parse(*about) for (p, _), about in self._table().items() if p == prefix]
        return paths if all_paths else paths[0] if paths else None

    @staticmethod
    def _parse(hop, attributes):
        def join(values):
            return [":".join(map(str, value)) for value in values]
        path = attributes.get("as-path", [])
        if isinstance(path, dict):
            path = [asn for segment in path.values() for asn in segment["value"]]
        extended = [value.get("string", "") for value in attributes.get("extended-community", [])]
        return {
            "as_path": path,
            "communities": join(attributes.get("community", [])),
            "large": join(attributes.get("large-community", [])),
            "extended": [text.replace("target:", "rt:") for text in extended],
            "next_hop": hop,
            "stale": False,
        }

    def prefixes(self):
        return sorted({prefix for prefix, _ in self._table()})

    def say(self, command):
        with open(self.lab.folder / "commands", "a") as file:
            file.write(command + "\n")

    def ask_refresh(self):
        self.say("announce route-refresh ipv4 unicast")

    def shut(self, text):
        self.say(f"neighbor {self.setup.neighbor} teardown 2")
        return "Administrative Shutdown"  # its own words: the API takes a code alone

"""GoBGP (Debian 12: 3.10.0)."""
import json

from daemon import EXTENDED, LARGE, PLAIN, PLAIN6, STANDARD, Daemon


class GoBgp(Daemon):
    name = "GoBGP"
    programs = ("gobgpd", "gobgp")

    def configure(self):
        s = self.setup
        hops = ("[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255" if s.ttl_security else
                "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 8")
        restart = (f"[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = {s.restart_time}\n"
                   + ("notification-enabled = true\n" if s.restart_notification else "")
                   + ("long-lived-enabled = true\n" if s.long_lived else "") if s.graceful_restart else "")
        text = f"""[global.config]
as = {s.asn}
router-id = "10.0.1.4"
port = {179 if s.passive else -1}
[[neighbors]]
[neighbors.config]
neighbor-address = "{s.scoped(s.neighbor)}"
peer-as = {s.neighbor_asn}
{f'auth-password = "{s.key}"' if s.key else ''}
{hops}
{restart}
[neighbors.timers.config]
hold-time = 30
keepalive-interval = 10
connect-retry = 1
idle-hold-time-after-reset = 1
[neighbors.transport.config]
local-address = "{s.scoped(s.local)}"
{'passive-mode = true' if s.passive else ''}
"""
        for family in s.families:
            text += f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}-unicast"\n'
            if s.graceful_restart:
                text += "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n"
            if s.long_lived:
                text += ("[neighbors.afi-safis.long-lived-graceful-restart.config]\nenabled = true\n"
                         f"restart-time = {s.long_lived}\n")
            if s.max_prefixes and family == "ipv4":
                text += f"[neighbors.afi-safis.prefix-limit.config]\nmax-prefixes = {s.max_prefixes}\n"
            if s.add_path and family == "ipv4":
                text += "[neighbors.afi-safis.add-paths.config]\n" + (
                    "receive = true\n" if s.add_path == "receive" else "send-max = 8\n")
        self.lab.write("gobgpd.toml", text)

    def launch(self, again=False):
        recover = ["-r"] if again and self.setup.graceful_restart else []
        self.process = self.lab.start(self.namespace, ["gobgpd", "-f", "gobgpd.toml", "-l", "info", *recover,
                                                       "--api-hosts", "127.0.0.1:50051", "--pprof-disable"], "gobgpd")
        s = self.setup
        from lab import wait_for
        wait_for(20, "gobgpd's API", lambda: "65001" in self.ask("global"))
        hop = ["nexthop", s.local6 if s.extended_next_hop else s.own_next_hop()]
        self._add(PLAIN, *hop)
        self._add(STANDARD, *hop, "community", "65001:100,65001:200")
        self._add(LARGE, *hop, "large-community", "65001:1:2")
        self._add(EXTENDED, *hop, "rt", "65001:100")
        for prefix in s.more_prefixes():
            self._add(prefix, *hop)
        if "ipv6" in s.families:
            self._add(PLAIN6, "nexthop", s.local6, "-a", "ipv6")

    def _add(self, prefix, *words):
        self.ask("global", "rib", "add", prefix, *words)

    def ask(self, *words):
        return self.lab.run(self.namespace, ["gobgp", *words], check=False)

    def ask_json(self, *words):
        try:
            return json.loads(self.ask("-j", *words) or "{}")
        except json.JSONDecodeError:
            return {}

    def neighbor(self):
        return self.ask_json("neighbor", self.setup.scoped(self.setup.neighbor))

    def describe(self):
        return json.dumps(self.neighbor(), indent=1)

    def established(self):
        return self.neighbor().get("state", {}).get("session_state") == 6

    def _table(self, *words):
        found = {}
        for family in self.setup.families:
            table = self.ask_json("neighbor", self.setup.scoped(self.setup.neighbor), "adj-in", *words, "-a", family)
            found.update(table if isinstance(table, dict) else {})
        return found

    def route(self, prefix, all_paths=False):
        paths = [self._parse(path) for path in self._table().get(prefix, [])]
        return paths if all_paths else paths[0] if paths else None

    @staticmethod
    def _parse(path):
        by_type = {attribute["type"]: attribute for attribute in path.get("attrs", [])}
        words = by_type.get(8, {}).get("communities", [])
        paths = by_type.get(2, {}).get("as_paths", [])
        return {
            "as_path": [asn for segment in paths for asn in segment["asns"]],
            "communities": [f"{word >> 16}:{word & 65535}" for word in words],
            "large": [f"{v['ASN']}:{v['LocalData1']}:{v['LocalData2']}" for v in by_type.get(32, {}).get("value", [])],
            "extended": [f"rt:{v['value']}" for v in by_type.get(16, {}).get("value", []) if v.get("subtype") == 2],
            "next_hop": by_type.get(3, by_type.get(14, {})).get("nexthop", ""),
            "stale": path.get("stale", False),
        }

    def prefixes(self):
        return sorted(self._table())

    def ask_refresh(self):
        self.ask("neighbor", self.setup.scoped(self.setup.neighbor), "softresetin")

    def reset(self, hard):
        self.ask("neighbor", self.setup.scoped(self.setup.neighbor), "reset")

    def shut(self, text):
        self.ask("neighbor", self.setup.scoped(self.setup.neighbor), "shutdown", "--reason", text)
        return text

"""OpenBGPD portable (Debian 12: 7.7)."""
import json
import os

from daemon import EXTENDED, LARGE, PLAIN, PLAIN6, STANDARD, Daemon


class OpenBgpd(Daemon):
    name = "OpenBGPD"
    programs = ("bgpctl", "/usr/sbin/bgpd")

    def configure(self):
        s = self.setup
        os.makedirs("/run/openbgpd", exist_ok=True)  # its chroot, which the package leaves to systemd
        lines = [f"remote-as {s.neighbor_asn}", f"local-address {s.scoped(s.local)}", "enforce neighbor-as no"]
        lines.append("ttl-security yes" if s.ttl_security else "multihop 8")
        lines += [f"tcp md5sig password {s.key}"] if s.key else []
        lines += ["announce as-4byte no"] if s.two_octet else []
        lines += ["announce enhanced refresh yes"] if s.enhanced_refresh else []
        lines += [f"announce policy {s.role}"] if s.role else []
        lines += [{"send": "announce add-path send all", "receive": "announce add-path recv yes"}[s.add_path]] \
            if s.add_path else []
        lines += [f"max-prefix {s.max_prefixes}"] if s.max_prefixes else []
        lines += ["passive"] if s.passive else []
        lines += [f"announce {'IPv4' if family == 'ipv4' else 'IPv6'} unicast" for family in s.families]
        more = "\n".join(f"network {prefix}" for prefix in s.more_prefixes())
        v6 = f"network {PLAIN6} set nexthop {s.local6}" if "ipv6" in s.families else ""
        self.lab.write("openbgpd.conf", f"""AS {s.asn}
router-id 10.0.1.4
fib-update no
listen on {s.scoped(s.local)}
socket "{self.lab.folder}/openbgpd.sock"
holdtime 30
connect-retry 1
network {PLAIN}
network {STANDARD} set {{ community 65001:100 community 65001:200 }}
network {LARGE} set {{ large-community 65001:1:2 }}
network {EXTENDED} set {{ ext-community rt 65001:100 }}
{more}
{v6}
neighbor {s.scoped(s.neighbor)} {{
{chr(10).join(chr(9) + line for line in lines)}
}}
allow from any
allow to any
""", 0o600)

    def launch(self, again=False):
        self.process = self.lab.start(self.namespace, ["/usr/sbin/bgpd", "-d", "-f", "openbgpd.conf"], "openbgpd")

    def ask(self, *words):
        return self.lab.run(self.namespace, ["bgpctl", "-s", f"{self.lab.folder}/openbgpd.sock", *words], check=False)

    def ask_json(self, *words):
        try:
            return json.loads(self.ask("-j", *words) or "{}")
        except json.JSONDecodeError:
            return {}

    def neighbor(self):
        return (self.ask_json("show", "neighbor", self.setup.scoped(self.setup.neighbor)).get("neighbors") or [{}])[0]

    def describe(self):
        return json.dumps(self.neighbor(), indent=1)

    def established(self):
        return self.neighbor().get("state") == "Established"

    def _rib(self, *words):
        return self.ask_json("show", "rib", "neighbor", self.setup.scoped(self.setup.neighbor), *words).get("rib", [])

    def route(self, prefix, all_paths=False):
        paths = [self._parse(path) for path in self._rib("detail", prefix) if path["prefix"] == prefix]
        return paths if all_paths else paths[0] if paths else None

    @staticmethod
    def _parse(path):
        return {
            "as_path": [int(n) for n in path.get("aspath", "").split()],
            "communities": path.get("communities", []),
            "large": path.get("large_communities", []),
            "extended": [text.replace("rt ", "rt:") for text in path.get("extended_communities", [])],
            "next_hop": path.get("exit_nexthop", ""),
            "stale": path.get("stale", False),
        }

    def prefixes(self):
        return sorted({path["prefix"] for path in self._rib()})

    def ask_refresh(self):
        self.ask("neighbor", self.setup.scoped(self.setup.neighbor), "refresh")

    def shut(self, text):
        self.ask("neighbor", self.setup.scoped(self.setup.neighbor), "down", text)
        return text

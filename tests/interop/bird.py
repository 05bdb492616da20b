"""BIRD 2 (Debian 12: 2.0.12)."""
import re

from daemon import EXTENDED, LARGE, PLAIN, PLAIN6, STANDARD, Daemon


class Bird(Daemon):
    name = "BIRD"
    programs = ("bird", "birdc")

    def _session(self):
        s = self.setup
        lines = [f"local {s.local} as {s.asn};", f"neighbor {s.scoped(s.neighbor)} as {s.neighbor_asn};",
                 "hold time 30; keepalive time 10; connect retry time 1; connect delay time 1; error wait time 1, 2;",
                 "allow local as 0;"]
        if not s.link_local:
            lines.append("multihop 1; ttl security on;" if s.ttl_security else "multihop;")
        lines += [f'password "{s.key}";'] if s.key else []
        lines += ["enable as4 off;"] if s.two_octet else []
        lines += ["enable extended messages on;"] if s.extended_message else []
        lines += [f"local role {s.role.replace('-', '_')};"] if s.role else []
        lines += [f"graceful restart on; graceful restart time {s.restart_time};"] if s.graceful_restart else []
        lines += [f"long lived graceful restart on; long lived stale time {s.long_lived};"] if s.long_lived else []
        lines += ["bfd on;"] if s.bfd else []
        lines += ["passive on;"] if s.passive else []
        if "ipv4" in s.families:
            hop = s.local6 if s.extended_next_hop else s.own_next_hop()
            lines.append("ipv4 { import all; import keep filtered on; export where source = RTS_STATIC; "
                         + f"next hop address {hop}; "
                         + ("extended next hop on; " if s.extended_next_hop else "")
                         + {"send": "add paths tx; ", "receive": "add paths rx; "}.get(s.add_path, "")
                         + (f"import limit {s.max_prefixes} action disable; " if s.max_prefixes else "") + "};")
        if "ipv6" in s.families:
            lines.append(f"ipv6 {{ import all; export where source = RTS_STATIC; next hop address {s.local6}; }};")
        return "\n  ".join(lines)

    def configure(self):
        s = self.setup
        more = "\n".join(f"  route {prefix} blackhole;" for prefix in s.more_prefixes())
        bfd = "protocol bfd { multihop { interval 50 ms; multiplier 3; }; interface \"*\" { interval 50 ms; "\
              "multiplier 3; }; }" if s.bfd else ""
        self.lab.write("bird.conf", f"""log "{self.lab.folder}/bird.log" all;
router id 10.0.1.4;
{'graceful restart wait 10;' if s.graceful_restart else ''}
protocol device {{}}
protocol direct {{ ipv4; ipv6; }}
{'protocol kernel { ipv4 { export where proto = "rs1"; }; }' if s.kernel else ''}
{bfd}
protocol static {{ ipv4;
  route {PLAIN} blackhole;
  route {STANDARD} blackhole {{ bgp_community.add((65001,100)); bgp_community.add((65001,200)); }};
  route {LARGE} blackhole {{ bgp_large_community.add((65001,1,2)); }};
  route {EXTENDED} blackhole {{ bgp_ext_community.add((rt,65001,100)); }};
{more}
}}
protocol static {{ ipv6; route {PLAIN6} blackhole; }}
protocol bgp rs1 {{
  {self._session()}
}}
""")

    def launch(self, again=False):
        # -R: recover by graceful restart (bird(8)); only where it was configured.
        recover = ["-R"] if again and self.setup.graceful_restart else []
        self.process = self.lab.start(self.namespace, ["bird", "-f", *recover, "-c", "bird.conf", "-s", "bird.ctl",
                                                       "-P", "bird.pid"], "bird")

    def ask(self, *words):
        return self.lab.run(self.namespace, ["birdc", "-s", "bird.ctl", *words], check=False)

    def established(self):
        return "Established" in self.ask("show", "protocols", "rs1")

    def describe(self):
        """Session in BIRD's own words: capabilities, last error."""
        return self.ask("show", "protocols", "all", "rs1")

    def route(self, prefix, all_paths=False):
        said = self.ask("show", "route", prefix, "protocol", "rs1", "all")
        paths = [self._parse(part) for part in re.split(r"(?m)^(?=\S.*\[rs1 )|^\s+(?=\S.*\[rs1 )", said) if "[rs1" in part]
        return paths if all_paths else paths[0] if paths else None

    @staticmethod
    def _parse(said):
        def field(key):
            found = re.search(rf"BGP\.{key}: (.*)", said)
            return found.group(1) if found else ""
        return {
            "as_path": [int(n) for n in field("as_path").split()],
            "communities": [f"{a}:{b}" for a, b in re.findall(r"\((\d+),\s?(\d+)\)", field("community"))],
            "large": [f"{a}:{b}:{c}" for a, b, c in re.findall(r"\((\d+),\s?(\d+),\s?(\d+)\)",
                                                              field("large_community"))],
            "extended": [f"rt:{a}:{b}" for a, b in re.findall(r"\(rt,\s?(\d+),\s?(\d+)\)", field("ext_community"))],
            "next_hop": field("next_hop").split(" ")[0],
            "stale": "stale" in said,
        }

    def prefixes(self):
        return sorted(set(re.findall(r"(?m)^(\S+/\d+)\s.*\[rs1 ", self.ask("show", "route", "protocol", "rs1"))))

    def ask_refresh(self):
        self.ask("reload", "in", "rs1")

    def shut(self, text):
        self.ask("disable", "rs1", f'"{text}"')
        return text

"""FRRouting (Debian 12: 8.4.4): zebra, bgpd, and bfdd where BFD is wanted. bgpd leaves the kernel's routes alone (-n) unless it is to have them."""
import json
import shutil
import subprocess

from daemon import EXTENDED, LARGE, PLAIN, PLAIN6, STANDARD, Daemon

FOLDER = "/usr/lib/frr"


class Frr(Daemon):
    name = "FRR"
    programs = ("vtysh", f"{FOLDER}/bgpd")

    def _neighbor(self):
        s, n = self.setup, f" neighbor {self.setup.neighbor}"
        lines = [f"{n} remote-as {s.neighbor_asn}", f"{n} timers 10 30", f"{n} timers connect 1",
                 f"{n} advertisement-interval 0"]
        if not s.link_local:
            lines.append(f"{n} ttl-security hops 1" if s.ttl_security else f"{n} ebgp-multihop 8")
        lines += [f"{n} interface eth0" if s.link_local else f"{n} update-source {s.local}"]
        lines += [f"{n} password {s.key}"] if s.key else []
        lines += [f"{n} dont-capability-negotiate"] if s.two_octet else []
        lines += [f"{n} capability extended-nexthop"] if s.extended_next_hop else []
        lines += [f"{n} local-role {s.role}"] if s.role else []
        lines += [f"{n} graceful-restart"] if s.graceful_restart else []
        lines += [f"{n} bfd 3 50 50"] if s.bfd else []
        lines += [f"{n} passive"] if s.passive else []
        return "\n".join(lines)

    def _family(self, family):
        s, n = self.setup, f"  neighbor {self.setup.neighbor}"
        lines = [f"{n} activate", f"{n} soft-reconfiguration inbound"]
        if family == "ipv4":
            lines += [f"  network {PLAIN}", f"  network {STANDARD} route-map standard",
                      f"  network {LARGE} route-map large", f"  network {EXTENDED} route-map extended"]
            lines += [f"  network {prefix}" for prefix in s.more_prefixes()]
            lines += [f"{n} addpath-tx-all-paths"] if s.add_path == "send" else []
            lines += [f"{n} maximum-prefix {s.max_prefixes}"] if s.max_prefixes else []
        else:
            lines += [f"  network {PLAIN6}"]
        lines += [f"{n} route-map hop{family[-1]} out"]
        return "\n".join([f" address-family {family} unicast", *lines, " exit-address-family"])

    def configure(self):
        s = self.setup
        self.folder = self.lab.folder / "frr"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "zebra.conf").write_text("")
        (self.folder / "bfdd.conf").write_text("")
        graceful = (" bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n"
                    f" bgp graceful-restart restart-time {s.restart_time}\n") if s.graceful_restart else ""
        graceful += " bgp graceful-restart notification\n" if s.restart_notification else ""
        graceful += f" bgp long-lived-graceful-restart stale-time {s.long_lived}\n" if s.long_lived else ""
        hop6 = f" set ipv6 next-hop global {s.local6}\n"
        hop4 = "" if s.extended_next_hop else f" set ip next-hop {s.own_next_hop()}\n"
        (self.folder / "bgpd.conf").write_text(f"""hostname nva
log file {self.folder}/bgpd.log
route-map standard permit 10
 set community 65001:100 65001:200
route-map large permit 10
 set large-community 65001:1:2
route-map extended permit 10
 set extcommunity rt 65001:100
route-map hop4 permit 10
{hop4}route-map hop6 permit 10
{hop6}router bgp {s.asn}
 bgp router-id 10.0.1.4
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
{graceful}{self._neighbor()}
{chr(10).join(self._family(family) for family in s.families)}
""")
        shutil.chown(self.folder, "frr", "frr")
        for path in self.folder.iterdir():
            shutil.chown(path, "frr", "frr")

    def _command(self, program, *more):
        f = self.folder
        return [f"{FOLDER}/{program}", "-f", f"{f}/{program}.conf", "-z", f"{f}/zserv", "-i", f"{f}/{program}.pid",
                "--vty_socket", str(f), "-P", "0", *more]

    def launch(self, again=False):
        if not again:
            self.zebra = self.lab.start(self.namespace, self._command("zebra"), "zebra")
            if self.setup.bfd:
                self.lab.start(self.namespace, [*self._command("bfdd")[:3], "-i", f"{self.folder}/bfdd.pid", "-z",
                                                f"{self.folder}/zserv", "--vty_socket", str(self.folder), "-P", "0",
                                                "--bfdctl", f"{self.folder}/bfdd.sock"], "bfdd")
        self.process = self.lab.start(self.namespace,
                                      self._command("bgpd", *([] if self.setup.kernel else ["-n"]), "-p", "179", "-l", "::" if self.setup.link_local else self.setup.local), "bgpd")

    def ask(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        return self.lab.run(self.namespace, ["vtysh", "--vty_socket", str(self.folder), *words], check=False)

    def ask_json(self, command):
        try:
            return json.loads(self.ask(command + " json") or "{}")
        except (json.JSONDecodeError, subprocess.TimeoutExpired):
            return {}

    def neighbor(self):
        return self.ask_json(f"show bgp neighbors {self.setup.neighbor}").get(self.setup.neighbor, {})

    def describe(self):
        return json.dumps(self.neighbor(), indent=1)

    def established(self):
        return self.neighbor().get("bgpState") == "Established"

    def route(self, prefix, all_paths=False):
        family = "ipv6" if ":" in prefix else "ipv4"
        found = self.ask_json(f"show bgp {family} unicast {prefix}").get("paths", [])
        found = [self._parse(path) for path in found if path.get("peer", {}).get("peerId") == self.setup.neighbor]
        return found if all_paths else found[0] if found else None

    @staticmethod
    def _parse(path):
        extended = path.get("extendedCommunity", {}).get("string", "")
        hops = path.get("nexthops", [])
        return {
            "as_path": [int(n) for n in path["aspath"]["string"].split() if n.isdigit()],
            "communities": path.get("community", {}).get("list", []),
            "large": path.get("largeCommunity", {}).get("list", []),
            "extended": [word.lower() for word in extended.split()],
            "next_hop": next((hop["ip"] for hop in hops if hop.get("scope") != "link-local"), ""),
            "stale": path.get("stale", False),
        }

    def prefixes(self):
        found = []
        for family in self.setup.families:
            table = self.ask_json(f"show bgp {family} unicast").get("routes", {})
            found += [prefix for prefix, paths in table.items()
                      if any(path.get("peerId") == self.setup.neighbor for path in paths)]
        return sorted(found)

    def ask_refresh(self):
        self.ask("configure terminal", f"router bgp {self.setup.asn}", "address-family ipv4 unicast",
                 f"no neighbor {self.setup.neighbor} soft-reconfiguration inbound")
        self.ask(f"clear bgp ipv4 unicast {self.setup.neighbor} soft in")

    def reset(self, hard):
        self.ask("configure terminal", f"router bgp {self.setup.asn}",
                 ("" if hard else "no ") + "bgp hard-administrative-reset")
        self.ask(f"clear bgp ipv4 unicast {self.setup.neighbor}")

    def shut(self, text):
        self.ask("configure terminal", f"router bgp {self.setup.asn}",
                 f"neighbor {self.setup.neighbor} shutdown message {text}")
        return text

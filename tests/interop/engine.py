"""The engine under test: a fabric file for the case, `fingerpost run` on it, and what it says about itself."""
import json
import os
import signal
import time

from lab import RS4, Failed, wait_for

DAEMON, WITNESS, SECOND = 4, 5, 6  # hosts on the link: 10.0.1.4 …
DAEMON_ASN, WITNESS_ASN, SECOND_ASN = 65001, 65002, 65003

HEAD = """fabric: interop
mode: native
{policies}vnets:
  - name: hub
    region: uksouth
    address_space: [10.0.0.0/22, "fd00:10::/48"]
    subnets:
      - {{name: RouteServerSubnet, prefixes: [10.0.0.0/26, "fd00:10::/64"]}}
      - {{name: nva, prefixes: [10.0.1.0/24, "fd00:10:0:1::/64"]}}
      - {{name: vms, prefixes: [10.0.2.0/24]}}
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [10.0.1.4, "fd00:10:0:1::4"], ip_forwarding: true{nva1_port}}}
  - {{name: nva2, subnet: hub/nva, addresses: [10.0.1.5, "fd00:10:0:1::5"], ip_forwarding: true}}
  - {{name: nva3, subnet: hub/nva, addresses: [10.0.1.6, "fd00:10:0:1::6"], ip_forwarding: true}}
  - {{name: vm1, subnet: hub/vms, addresses: [10.0.2.4]{vm1_port}}}
{ports}route_servers:
  - name: rs1
    vnet: hub
    asn: 65515
    addresses: [{address}]
{server}    peers:
"""
PORTS = """ports:
  - {name: p-nva1, device: net_tap, options: {iface: fp-nva1}}
  - {name: p-vm1, device: net_tap, options: {iface: fp-vm1}}
"""


class Engine:
    """peers: [(name, address, asn, "further keys")]."""

    def __init__(self, lab, program, peers, policies="", server="", ports=False):
        self.lab, self.program = lab, os.path.abspath(program)
        text = HEAD.format(policies=policies, address=RS4, server=server,
                           nva1_port=', mac: "02:00:00:00:00:14", port: p-nva1' if ports else "",
                           vm1_port=', mac: "02:00:00:00:02:04", port: p-vm1' if ports else "",
                           ports=PORTS if ports else "")
        for name, address, asn, keys in peers:
            text += f'      - {{name: {name}, address: "{address}", asn: {asn}, hold_time_s: 30, keepalive_s: 10{keys}}}\n'
        self.fabric = lab.write("fabric.yaml", text)
        self.process = None

    def start(self, again=False):
        """again: after it was killed; what it said before is no answer."""
        if again:
            (self.lab.folder / "engine.err").write_text("")
        restarted = ["--restarted"] if again else []
        self.process = self.lab.start("rs", [self.program, "run", self.fabric, "--json", *restarted], "engine")
        wait_for(30, self._not_running, self._runs)
        return self

    def _not_running(self):
        return "the engine's start: " + self.lab.read("engine.err")[-600:]

    def _runs(self):
        if self.process.poll() is not None:
            raise Failed(self._not_running())
        return " running: " in self.lab.read("engine.err")

    def log(self):
        return self.lab.read("engine.err")

    def says(self, text, seconds=15):
        wait_for(seconds, f"the engine's log to say '{text}'", lambda: text in self.log())

    def status(self):
        """The document of SIGUSR2."""
        before = self.log().count('\n{"fabric"')
        self.process.send_signal(signal.SIGUSR2)

        def fresh():
            found = [line for line in self.log().split("\n")[:-1] if line.startswith('{"fabric"')]
            return found[-1] if len(found) > before else None
        return json.loads(wait_for(10, "the engine's status", fresh))

    def session(self, peer):
        return next(row for row in self.status()["sessions"] if row["peer"] == peer)

    def capabilities(self, peer):
        """What was agreed on, in the engine's words."""
        return self.session(peer).get("capabilities", [])

    def wait_state(self, peer, state="Established", seconds=30):
        last = {}

        def reached():
            last.update(self.session(peer))
            time.sleep(0.1)
            return last["state"] == state
        wait_for(seconds, lambda: f"session with {peer} {state}: it is {last.get('state')}: {last.get('reason')}",
                 reached)
        return last

    def wait_learned(self, peer, count, seconds=20):
        last = {}

        def reached():
            last.update(self.session(peer))
            return last["learned"] == count
        wait_for(seconds, lambda: f"{count} prefixes of {peer}: {last.get('learned')}, {last.get('state')}: "
                                  f"{last.get('reason')}", reached)

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """A clean stop; its exit status must be 0."""
        status = self.lab.end(self.process, seconds=10)
        if status != 0:
            raise Failed(f"the engine ended with {status}: {self.log()[-600:]}")
        return json.loads(self.lab.read("engine.out"))

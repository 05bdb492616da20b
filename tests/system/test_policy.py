#!/usr/bin/env python3
"""Policies of a running engine: SIGHUP takes them from the file again, sessions stay, peers hear what changed.

test_policy.py FINGERPOST

    nva1 10.0.1.4 --BGP--> route server 10.0.0.4 --BGP--> nva2 10.0.1.5      all in a network namespace of its own
"""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30
FABRIC = """
vnets:
  - {name: hub, address_space: [10.0.0.0/22], subnets: [{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}, {name: nva, prefixes: [10.0.1.0/24]}]}
nics:
  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}
  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}
route_servers:
  - name: rs1
    vnet: hub
    addresses: [10.0.0.4]
    peers:
      - {name: nva1, address: 10.0.1.4, asn: 65001, import: in}
      - {name: nva2, address: 10.0.1.5, asn: 65002, export: out}
policies:
"""


class Peer:
    """As much of a BGP speaker as it takes to announce and to listen. `has`: what it was told and keeps."""

    def __init__(self, address, asn):
        self.asn, self.has, self.log, self.held = asn, {}, [], b""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.socket = socket.create_connection(("10.0.0.4", 179), timeout=5, source_address=(address, 0))
                break
            except OSError:
                assert time.monotonic() < deadline, "the engine does not listen"
                time.sleep(0.1)
        capability = struct.pack(">BBHBB", 1, 4, 1, 0, 1) + struct.pack(">BBI", 65, 4, asn)
        parameter = struct.pack(">BB", 2, len(capability)) + capability
        identifier = socket.inet_aton(address)
        self.send(1, struct.pack(">BHH", 4, asn, 180) + identifier + bytes([len(parameter)]) + parameter)
        self.send(4, b"")

    def send(self, kind, body):
        self.socket.sendall(b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body)

    def announce(self, address, *prefixes):
        attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x06\x02\x01" + struct.pack(">I", self.asn)
        attributes += b"\x40\x03\x04" + socket.inet_aton(address)
        routes = b"".join(bytes([24]) + socket.inet_aton(prefix)[:3] for prefix in prefixes)
        self.send(2, struct.pack(">HH", 0, len(attributes)) + attributes + routes)

    @staticmethod
    def prefixes(data):
        while data:
            size = (data[0] + 7) // 8
            yield socket.inet_ntoa(data[1 : 1 + size] + bytes(4 - size)) + f"/{data[0]}"
            data = data[1 + size :]

    def take(self, kind, body):
        assert kind != 3, f"the session ended: {body.hex()}"
        if kind != 2:
            return
        gone = struct.unpack(">H", body[:2])[0]
        size = struct.unpack(">H", body[2 + gone : 4 + gone])[0]
        for prefix in self.prefixes(body[2 : 2 + gone]):
            self.has.pop(prefix, None)
            self.log.append(f"-{prefix}")
        for prefix in self.prefixes(body[4 + gone + size :]):
            self.has[prefix] = body[4 + gone : 4 + gone + size]
            self.log.append(f"+{prefix}")

    def listen(self, done):
        """Reads until done() holds."""
        deadline = time.monotonic() + PATIENCE_S
        self.socket.settimeout(0.2)
        while not done():
            assert time.monotonic() < deadline, (self.has, self.log)
            try:
                data = self.socket.recv(65536)
                assert data, "the engine closed the session"
                self.held += data
            except TimeoutError:
                continue
            while len(self.held) >= 19 and len(self.held) >= (length := struct.unpack(">H", self.held[16:18])[0]):
                self.take(self.held[18], self.held[19:length])
                self.held = self.held[length:]


class Engine:
    def __init__(self, program, folder):
        self.file, self.log_file = pathlib.Path(folder, "fabric.yaml"), pathlib.Path(folder, "log")
        self.program = program

    def write(self, policies):
        self.file.write_text(FABRIC + policies)

    def start(self):
        with open(self.log_file, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.program, "run", str(self.file)], stdout=log, stderr=log)

    def log(self):
        return self.log_file.read_text()

    def reload(self, policies, says):
        self.write(policies)
        before = self.log().count(says)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_S
        while self.log().count(says) == before:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.05)


def reject(name, *prefixes):
    rules = "".join(f"{{match: {{prefixes: [{prefix}]}}, then: reject}}, " for prefix in prefixes)
    return f"  - {{name: {name}, rules: [{rules}]}}\n"


def scenario(engine):
    engine.write(reject("in", "20.0.1.0/24") + reject("out"))
    engine.start()
    nva1, nva2 = Peer("10.0.1.4", 65001), Peer("10.0.1.5", 65002)
    nva1.announce("10.0.1.4", "20.0.0.0", "20.0.1.0", "20.0.2.0")
    nva2.listen(lambda: set(nva2.has) == {"10.0.0.0/22", "20.0.0.0/24", "20.0.2.0/24"})
    print("# import keeps one of three routes out")

    nva2.log.clear()
    engine.reload(reject("in") + reject("out", "20.0.0.0/33"), "every policy stays as it was")
    assert f"{engine.file}:{FABRIC.count(chr(10)) + 2}: policies[out].rules[0].match.prefixes" in engine.log(), engine.log()
    print("# a bad file is named with its line and changes nothing")

    engine.reload(reject("in", "20.0.0.0/24") + reject("out"), "policies taken")
    nva2.listen(lambda: set(nva2.has) == {"10.0.0.0/22", "20.0.1.0/24", "20.0.2.0/24"})
    assert sorted(nva2.log) == ["+20.0.1.0/24", "-20.0.0.0/24"], nva2.log
    print("# a new import policy is applied to what is held, and only the difference is told")

    nva2.log.clear()
    engine.reload(reject("in", "20.0.0.0/24") + reject("out", "20.0.2.0/24"), "policies taken")
    nva2.listen(lambda: set(nva2.has) == {"10.0.0.0/22", "20.0.1.0/24"})
    assert nva2.log == ["-20.0.2.0/24"], nva2.log
    print("# a new export policy too")

    nva2.log.clear()
    engine.reload("  - {name: in}\n  - {name: out, rules: [{set: {prepend: [7, 8]}}]}\n", "policies taken")
    nva2.listen(lambda: len(nva2.has) == 4)
    path = struct.pack(">5I", 65515, 7, 8, 65001, 0)[:16]
    nva2.listen(lambda: all(path in nva2.has[f"20.0.{i}.0/24"] for i in range(3)))
    assert not [entry for entry in nva2.log if entry[0] == "-"], nva2.log
    nva2.log.clear()
    engine.reload("  - {name: in, rules: [{set: {summarise: 20.0.0.0/22}}]}\n  - {name: out}\n", "policies taken")
    nva2.listen(lambda: set(nva2.has) == {"10.0.0.0/22", "20.0.0.0/22"})
    assert b"\xc0\x07\x08" + struct.pack(">I", 65515) in nva2.has["20.0.0.0/22"], "AGGREGATOR names the engine"
    assert struct.pack(">I", 65001) not in nva2.has["20.0.0.0/22"], "the path is the engine's alone"
    engine.reload("  - {name: in}\n  - {name: out, rules: [{match: {sources: [NVA]}, set: {summarise: 20.0.0.0/16}}]}\n",
                  "policies taken")
    nva2.listen(lambda: set(nva2.has) == {"10.0.0.0/22", "20.0.0.0/16"})
    engine.reload("  - {name: in}\n  - {name: out}\n", "policies taken")
    nva2.listen(lambda: len(nva2.has) == 4 and "20.0.0.0/16" not in nva2.has)
    assert nva2.log.count("-10.0.0.0/22") == 0, nva2.log
    print("# summaries come and go with the policies that make them, in and out")
    nva1.listen(lambda: "10.0.0.0/22" in nva1.has)  # its session has lived through all of it
    print("# changes of attributes reach the peer; no session was reset")
    assert engine.log().count("Established") == 2, engine.log()


def main():
    if os.geteuid() != 0:
        print("not root: no network namespace, nothing is tried")
        return 77
    if "--inside" not in sys.argv:
        inside = ["unshare", "--net", sys.executable, *sys.argv, "--inside"]
        return subprocess.run(inside, check=False).returncode
    for command in ("link set lo up", "address add 10.0.0.4/32 dev lo", "address add 10.0.1.4/32 dev lo",
                    "address add 10.0.1.5/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(sys.argv[1], folder)
        try:
            scenario(engine)
        finally:
            engine.process.terminate()
            code = engine.process.wait(timeout=PATIENCE_S)
    assert code == 0, code
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A running engine probes load balancers' backends by ICMP and TCP. Prints TAP.

test_probes.py FINGERPOST

Runs in a network namespace of its own, which has the backends' addresses on its loopback; skips itself without root.
"""
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

FINGERPOST = sys.argv[1]

FABRIC = """
fabric: probes
engine: {{events: {{file: {events}}}}}
vnets:
  - name: hub
    address_space: [10.78.0.0/16, "fd00:78::/48"]
    subnets:
      - {{name: nva, prefixes: [10.78.1.0/24, "fd00:78:0:1::/64"]}}
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [10.78.1.4, "fd00:78:0:1::4"], ip_forwarding: true}}
  - {{name: nva2, subnet: hub/nva, addresses: [10.78.1.5, "fd00:78:0:1::5"], ip_forwarding: true}}
load_balancers:
  - {{name: echo4, subnet: hub/nva, frontend: 10.78.1.100, backends: [nva1, nva2], probe: {probe}}}
  - {{name: echo6, subnet: hub/nva, frontend: "fd00:78:0:1::100", backends: [nva1, nva2], probe: {probe}}}
  - {{name: web, subnet: hub/nva, frontend: 10.78.1.101, backends: [nva1, nva2],
     probe: {{protocol: Tcp, port: 8080, interval_s: 1, timeout_ms: 400}}}}
"""
PROBE = "{interval_s: 1, timeout_ms: 400}"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def address(action, host):
    ip("address", action, f"10.78.1.{host}/32", "dev", "lo")
    ip("-6", "address", action, f"fd00:78:0:1::{host}/128", "dev", "lo", *(["nodad"] if action == "add" else []))


def enter_namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        return False
    ip("link", "set", "lo", "up")
    address("add", 4)
    address("add", 5)
    return True


def listen():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", 8080))
    server.listen(64)
    return server


class Engine:
    def __init__(self, folder):
        self.file = pathlib.Path(folder, "events")
        fabric = pathlib.Path(folder, "fabric.yaml")
        fabric.write_text(FABRIC.format(events=self.file, probe=PROBE))
        self.process = subprocess.Popen([FINGERPOST, "run", str(fabric), "--json"], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        while "running" not in (line := self.process.stderr.readline()):
            assert line, "the engine did not start"

    def states(self):
        """{(load balancer, NIC): last event}"""
        rows = [json.loads(line) for line in self.file.read_text().splitlines()]
        return {(row["load_balancer"], row["nic"]): row["event"] for row in rows if row["event"].startswith("backend-")}

    def wait(self, **wanted):
        """Until the backends' last events are these: echo4_nva1="down"."""
        wanted = {tuple(name.split("_")): "backend-" + state for name, state in wanted.items()}
        deadline = time.monotonic() + 30
        while (states := self.states()) != wanted:
            assert time.monotonic() < deadline, (states, wanted)
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        report = json.loads(self.process.communicate(timeout=30)[0])
        return {row["name"]: {backend["nic"]: backend["state"] for backend in row["backends"]}
                for row in report["load_balancers"]}


def backends_come_and_go():
    with tempfile.TemporaryDirectory() as folder:
        server = listen()
        engine = Engine(folder)
        try:
            time.sleep(3)
            assert engine.states() == {}, engine.states()
            address("del", 5)
            engine.wait(echo4_nva2="down", echo6_nva2="down", web_nva2="down")
            address("add", 5)
            engine.wait(echo4_nva2="up", echo6_nva2="up", web_nva2="up")
            server.close()
            engine.wait(echo4_nva2="up", echo6_nva2="up", web_nva2="down", web_nva1="down")
            both = {"nva1": "up", "nva2": "up"}
            states = engine.stop()
            assert states == {"echo4": both, "echo6": both, "web": {"nva1": "down", "nva2": "down"}}, states
        finally:
            server.close()
            engine.process.kill()
            engine.process.wait()


def main():
    print("1..1")
    if os.geteuid() != 0 or not enter_namespace():
        print("ok 1 - backends come and go # SKIP a network namespace needs root")
        return
    try:
        backends_come_and_go()
        print("ok 1 - backends come and go")
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print("not ok 1 - backends come and go")
        sys.exit(1)


main()

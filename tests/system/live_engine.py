"""A running engine on loopback, in a network namespace of the test's own, and a BGP peer made by hand."""
import ctypes
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time
import traceback

FABRIC = """
fabric: live-test
engine: {{{engine}}}
vnets:
  - name: hub
    region: uksouth
    address_space: [10.77.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, prefixes: [10.77.0.0/26]}}
      - {{name: nva, prefixes: [10.77.1.0/24]}}
      - {{name: GatewaySubnet, prefixes: [10.77.3.0/26]}}
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [10.77.1.4], ip_forwarding: true{port}}}
  - {{name: nva2, subnet: hub/nva, addresses: [10.77.1.5], ip_forwarding: true}}
{nics}route_servers:
  - name: rs1
    vnet: hub
    addresses: [10.77.0.4, 10.77.0.5]
    peers:
      - {{name: nva1, address: 10.77.1.4, asn: 65001{keys}}}
      - {{name: nva2, address: 10.77.1.5, asn: 65002}}
{more}"""


class Skip(Exception):
    """This machine does not let the case run."""


def enter_namespace():
    """A network of this process's own, with the engine's addresses and the peers': once."""
    if os.environ.get("LIVE_TEST_NAMESPACE") == str(os.getpid()):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise Skip("a network namespace needs root")
    os.environ["LIVE_TEST_NAMESPACE"] = str(os.getpid())
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ("10.77.0.4", "10.77.0.5", "10.77.1.4", "10.77.1.5"):
        subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True)


def wait_for(what, condition, seconds=30):
    """What condition gives once that is something; generous, as a sanitized engine is slow."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "waited in vain for " + (what() if callable(what) else what)
        time.sleep(0.02)


def nlri(number):
    """20.x.y.0/24."""
    return bytes([24, 20, number >> 8 & 255, number & 255])


class Peer:
    """A BGP speaker that says what it is told, on one connection; it reads nothing unless asked to."""

    def __init__(self, number=4, instance=4, hold_s=0):
        self.asn = 65001 + number - 4
        self.socket = socket.create_connection((f"10.77.0.{instance}", 179), 10, (f"10.77.1.{number}", 0))
        families = b"\x01\x04\0\1\0\1" + b"\x02\0" + b"\x41\x04" + struct.pack(">I", self.asn)
        body = struct.pack(">BHH4sB", 4, self.asn, hold_s, bytes([10, 1, 1, number]), len(families) + 2)
        self.send(1, body + bytes([2, len(families)]) + families)
        self.send(4, b"")
        self.held = b""

    def send(self, kind, body):
        self.socket.sendall(b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body)

    def announce(self, *prefixes, med=None):
        attributes = bytes([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1]) + struct.pack(">I", self.asn)
        attributes += bytes([0x40, 3, 4]) + socket.inet_aton(self.socket.getsockname()[0])
        if med is not None:
            attributes += bytes([0x80, 4, 4]) + struct.pack(">I", med)
        for first in range(0, len(prefixes), 900):
            self.send(2, struct.pack(">HH", 0, len(attributes)) + attributes + b"".join(prefixes[first:first + 900]))

    def withdraw(self, *prefixes):
        gone = b"".join(prefixes)
        self.send(2, struct.pack(">H", len(gone)) + gone + b"\0\0")

    def messages(self, seconds=10):
        """(type, body) of what comes, until the engine closes or nothing has come for so long."""
        self.socket.settimeout(seconds)
        while True:
            while len(self.held) >= 19 and len(self.held) >= (size := struct.unpack(">H", self.held[16:18])[0]):
                message, self.held = self.held[:size], self.held[size:]
                yield message[18], message[19:]
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, ConnectionResetError):
                return
            if not data:
                return
            self.held += data


class Engine:
    def __init__(self, program, folder, engine="", keys="", more="", nics="", port="", arguments=(),
                 fabric=None):
        enter_namespace()
        self.program, self.folder = program, folder
        path = pathlib.Path(folder, "live.yaml")
        path.write_text(fabric or FABRIC.format(engine=engine, keys=keys, more=more, nics=nics, port=port))
        self.fabric = str(path)
        self.err = open(pathlib.Path(folder, "engine.err"), "w+")
        self.process = subprocess.Popen([program, "run", self.fabric, "--json", *arguments], stdout=subprocess.PIPE,
                                        stderr=self.err, text=True)
        wait_for(lambda: "the engine's start: " + self.log(), self._runs, 60)

    def _runs(self):
        assert self.process.poll() is None, "the engine ended: " + self.log()
        return " running: " in self.log()

    def log(self):
        return pathlib.Path(self.folder, "engine.err").read_text()

    def says(self, text, seconds=30):
        wait_for(lambda: f"'{text}' in the log:\n{self.log()}", lambda: text in self.log(), seconds)

    def status(self):
        """The document of SIGUSR2."""
        before = self.log().count('\n{"fabric"')
        self.process.send_signal(signal.SIGUSR2)

        def fresh():
            rows = [row for row in self.log().split("\n")[:-1] if row.startswith('{"fabric"')]
            return rows[-1] if len(rows) > before else None
        return json.loads(wait_for("the engine's status", fresh))

    def established(self, number=1):
        def count():
            return sum(row["state"] == "Established" for row in self.status()["sessions"]) == number
        wait_for(f"{number} sessions", count)

    def stop(self):
        """A clean stop; the document that it leaves."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, (self.process.returncode, self.log())
        self.err.close()
        return json.loads(out)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def in_folder(cases):
    """A decorator: the function is one of cases, called in the namespace with a folder of its own."""
    def case(function):
        def call():
            enter_namespace()
            with tempfile.TemporaryDirectory() as folder:
                function(folder)
        call.__name__ = function.__name__
        cases.append(call)
        return function
    return case


def run_cases(cases):
    """Prints TAP; what main() returns."""
    failed = 0
    print(f"1..{len(cases)}")
    for number, function in enumerate(cases, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # a case failed, whatever the way: said, and the others go on
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("#", line)
    return 1 if failed else 0

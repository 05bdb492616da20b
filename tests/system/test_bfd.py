#!/usr/bin/env python3
"""BFD between the engine and real daemons (BIRD, FRR's bfdd), in network namespaces of its own. Prints TAP.

    test_bfd.py FINGERPOST [--measure]

                    fp-bfd-N-engine: bridge br0, 10.0.0.4, 10.0.0.5, fd00:10::4
                       |                    |
      fp-bfd-N-bird: BIRD, 10.0.1.4    fp-bfd-N-frr: zebra, bgpd, bfdd, 10.0.1.5

What must hold: sessions come up with the negotiated intervals; a daemon that is halted, and a link that is cut, is
noticed by BFD (the hold time is minutes); a session that an operator takes out of service takes no BGP session with it,
at either end; all come back. Times are printed, and none is asserted. --measure: only the detection times, at several
intervals. Where it cannot run it skips itself, and says why.
"""
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

FINGERPOST = os.path.abspath(sys.argv[1])
MEASURE = "--measure" in sys.argv[2:]
PREFIX = f"fp-bfd-{os.getpid()}"
LIMIT_S = 40
FRR = "/usr/lib/frr"
count = 0
failed = 0


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def check(good, name):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    return good


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def inside(name):
    """nsenter changes the network alone: 'ip netns exec' remounts /sys as well, which a chroot does not allow."""
    return ["nsenter", f"--net=/run/netns/{PREFIX}-{name}"]


def wait_for(what, limit_s=LIMIT_S):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return False


class Network:
    """Three namespaces on one bridge."""

    def __init__(self):
        for name in ("engine", "bird", "frr"):
            run("ip", "netns", "add", f"{PREFIX}-{name}")
            run(*inside(name), "ip", "link", "set", "lo", "up")
        here = inside("engine")
        run(*here, "ip", "link", "add", "br0", "type", "bridge")
        run(*here, "ip", "link", "set", "br0", "up")
        for address in ("10.0.0.4/16", "10.0.0.5/16", "fd00:10::4/64"):
            run(*here, "ip", "address", "add", address, "dev", "br0", *(["nodad"] if ":" in address else []))
        for name, number in (("bird", 4), ("frr", 5)):
            run(*here, "ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns",
                f"{PREFIX}-{name}")
            run(*here, "ip", "link", "set", f"to-{name}", "master", "br0", "up")
            run(*inside(name), "ip", "link", "set", "eth0", "up")
            run(*inside(name), "ip", "address", "add", f"10.0.1.{number}/16", "dev", "eth0")
            run(*inside(name), "ip", "address", "add", f"fd00:10::1:{number}/64", "dev", "eth0", "nodad")

    def cut(self, name, cut):
        """In the switch between the two: neither end's interface goes down with it."""
        run(*inside("engine"), "bridge", "link", "set", "dev", f"to-{name}", "state", "0" if cut else "3")

    @staticmethod
    def remove():
        for name in ("engine", "bird", "frr"):
            subprocess.run(["ip", "netns", "del", f"{PREFIX}-{name}"], capture_output=True, check=False)


class Engine:
    """fingerpost run, with peers that have BFD."""

    def __init__(self, directory, bfd, family=4):
        fabric = pathlib.Path(directory, "fabric.yaml")
        servers = "[10.0.0.4, 10.0.0.5]" if family == 4 else "['fd00:10::4']"
        address = "10.0.1.%d" if family == 4 else "'fd00:10::1:%d'"
        peers = "".join(f"      - {{name: {name}, address: {address % number}, asn: {65000 + number}, bfd: {bfd}}}\n"
                        for name, number in (("bird", 4), ("frr", 5)))
        fabric.write_text(
            "fabric: bfd\n"
            "vnets:\n"
            "  - name: hub\n"
            "    address_space: [10.0.0.0/22, 'fd00:10::/48']\n"
            "    subnets:\n"
            "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26, 'fd00:10::/112']}\n"
            "      - {name: nva, prefixes: [10.0.1.0/24, 'fd00:10::1:0/112']}\n"
            "nics:\n"
            "  - {name: bird, subnet: hub/nva, addresses: [10.0.1.4, 'fd00:10::1:4'], ip_forwarding: true}\n"
            "  - {name: frr, subnet: hub/nva, addresses: [10.0.1.5, 'fd00:10::1:5'], ip_forwarding: true}\n"
            "route_servers:\n"
            f"  - name: rs1\n    vnet: hub\n    addresses: {servers}\n    peers:\n{peers}")
        self.log_path = pathlib.Path(directory, "engine.log")
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen([*inside("engine"), FINGERPOST, "run", str(fabric), "--json"],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)

    def lines(self, pattern, since=0.0):
        """Times of the log's lines that match, not before since (seconds of the wall clock)."""
        found = []
        for line in self.log_path.read_text().splitlines():
            stamp, _, text = line.partition(" ")
            if re.search(pattern, text):
                at = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
                if at >= since - 0.001:
                    found.append(at)
        return found

    def says(self, pattern, since=0.0, n=1, limit_s=LIMIT_S):
        return wait_for(lambda: len(self.lines(pattern, since)) >= n, limit_s)

    def status(self):
        """The summary that SIGUSR1 prints."""
        before = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: "next-hop groups" in self.log_path.read_text()[before:])
        return self.log_path.read_text()[before:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        out, _ = self.process.communicate(timeout=LIMIT_S)
        self.log.close()
        return json.loads(out) if out else None


class Bird:
    def __init__(self, directory, interval_ms, multihop=False, family=4):
        self.directory = directory
        bfd = f"interval {interval_ms} ms; multiplier 3;"
        server = ("10.0.0.4", "10.0.0.5") if family == 4 else ("fd00:10::4",)
        local = "10.0.1.4" if family == 4 else "fd00:10::1:4"
        prefix, channel = ("10.50.0.0/16", "ipv4") if family == 4 else ("fd50::/32", "ipv6")
        sessions = "".join(
            f"protocol bgp rs{i} {{ local {local} as 65004; neighbor {address} as 65515; bfd on;\n"
            f" {'multihop;' if multihop else ''} hold time 180; connect delay time 1; connect retry time 2;\n"
            f" error wait time 1,1; {channel} {{ import all; export all; }}; }}\n"
            for i, address in enumerate(server))
        pathlib.Path(directory, "bird.conf").write_text(
            f'log "{directory}/bird.log" all;\nrouter id 10.0.1.4;\nprotocol device {{ scan time 10; }}\n'
            f"protocol bfd {{ debug {{ states, packets }}; interface \"*\" {{ {bfd} }}; multihop {{ {bfd} }}; }}\n"
            f"protocol static {{ {channel}; route {prefix} blackhole; }}\n{sessions}")
        self.process = subprocess.Popen(
            [*inside("bird"), "bird", "-f", "-c", f"{directory}/bird.conf", "-s", f"{directory}/bird.ctl"],
            stderr=subprocess.DEVNULL)

    def say(self, *words):
        """What birdc answers; nothing while the daemon is not there."""
        return subprocess.run(["birdc", "-s", f"{self.directory}/bird.ctl", *words], capture_output=True, text=True,
                              check=False, timeout=10).stdout

    def sessions(self, state):
        return len(re.findall(rf"\s{state}\s", self.say("show", "bfd", "sessions")))

    def log(self):
        return pathlib.Path(self.directory, "bird.log").read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


class Frr:
    """zebra, bgpd and bfdd, with a directory of sockets of their own."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory, "frr")
        self.directory.mkdir()
        neighbors = "".join(f" neighbor {server} remote-as 65515\n neighbor {server} bfd profile fast\n"
                            f" neighbor {server} timers 60 180\n neighbor {server} timers connect 2\n"
                            for server in ("10.0.0.4", "10.0.0.5"))
        configurations = {
            "zebra": "",
            "bfdd": "bfd\n profile fast\n  receive-interval 50\n  transmit-interval 50\n  detect-multiplier 3\n",
            "bgpd": "router bgp 65005\n bgp router-id 10.0.1.5\n no bgp ebgp-requires-policy\n"
                    f" no bgp network import-check\n{neighbors}"
                    " address-family ipv4 unicast\n  network 10.60.0.0/16\n",
        }
        # The daemons give up root for a user of their own, who has to get at all of this.
        os.chmod(directory, 0o755)
        shutil.chown(self.directory, "frr", "frr")
        self.processes = []
        for daemon, text in configurations.items():
            path = self.directory / f"{daemon}.conf"
            path.write_text(text)
            shutil.chown(path, "frr", "frr")
        for daemon in configurations:
            self.processes.append(self.start(daemon))
            wait_for(lambda d=daemon: (self.directory / f"{d}.vty").exists(), 10)

    def start(self, daemon):
        more = {"bgpd": ["-n", "-p", "179"], "bfdd": ["--bfdctl", str(self.directory / "bfdd.sock")]}
        return subprocess.Popen(
            [*inside("frr"), f"{FRR}/{daemon}", "-f", str(self.directory / f"{daemon}.conf"), "-z",
             str(self.directory / "zserv"), "-i", str(self.directory / f"{daemon}.pid"), "--vty_socket",
             str(self.directory), "-P", "0", *more.get(daemon, [])],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def say(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        return subprocess.run(["vtysh", "--vty_socket", str(self.directory), *words], capture_output=True, text=True,
                              check=False, timeout=10).stdout

    def sessions(self, state):
        try:
            return sum(peer.get("status") == state for peer in json.loads(self.say("show bfd peers json")))
        except ValueError:
            return 0

    def signal(self, number):
        for process in self.processes:
            process.send_signal(number)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def took(since, times):
    return f"{(times[0] - since) * 1000:.0f} ms" if times else "never"


def established(engine, peer, n, since=0.0):
    return engine.says(rf" {peer} \S+ Established", since, n) and engine.says(rf" {peer} \S+ BFD Up", since, n)


def halted_and_back(engine, peer, n, halt, resume):
    """Halts a peer, whose kernel keeps its TCP connections: only BFD can notice."""
    since = time.time()
    halt()
    noticed = engine.says(rf" {peer} \S+ BFD Down: Control Detection Time Expired", since, n)
    closed = engine.says(rf" {peer} \S+ Idle: .*BFD Down", since, n)
    print(f"# {peer}: noticed after {took(since, engine.lines(rf' {peer} .*BFD Down: Control', since))}")
    since = time.time()
    resume()
    return noticed and closed and established(engine, peer, n, since)


def try_bird(network, engine, bird):
    check(established(engine, "bird", 2), "BIRD: both instances have BGP and BFD up")
    status = engine.status()
    check(len(re.findall(r"BFD rs1/\d bird: Up, peer Up, every 50.0 ms, detection 150.0 ms", status)) == 2,
          "BIRD: 50 ms x 3 is negotiated")
    check(bird.sessions("Up") == 2 and bird.say("show", "bfd", "sessions").count("0.050") >= 2, "BIRD says the same")
    check(halted_and_back(engine, "bird", 2, lambda: bird.process.send_signal(signal.SIGSTOP),
                          lambda: bird.process.send_signal(signal.SIGCONT)),
          "BIRD halted: noticed by BFD, closed with BFD Down, and back")
    check(halted_and_back(engine, "bird", 2, lambda: network.cut("bird", True), lambda: network.cut("bird", False)),
          "link to BIRD cut: the same")
    since = time.time()
    bird.say("disable", "bfd1")
    check(engine.says(r" bird \S+ BFD Down: Control", since, 2) and engine.says(r" bird \S+ Established", since, 2),
          "BIRD's BFD disabled, which it does not tell: noticed as a failure, and BGP comes back without BFD")
    since = time.time()
    bird.say("enable", "bfd1")
    check(engine.says(r" bird \S+ BFD Up", since, 2), "BFD comes to a BGP session that is up")
    check(not engine.lines(r" bird \S+ Idle", since), "and leaves it up")


def try_frr(network, engine, frr):
    check(established(engine, "frr", 2), "FRR: both instances have BGP and BFD up")
    check(wait_for(lambda: frr.sessions("up") == 2), "bfdd says the same")
    status = engine.status()
    check(len(re.findall(r"BFD rs1/\d frr: Up, peer Up, every 50.0 ms, detection 150.0 ms", status)) == 2,
          "FRR: 50 ms x 3 is negotiated")
    check(halted_and_back(engine, "frr", 2, lambda: frr.signal(signal.SIGSTOP), lambda: frr.signal(signal.SIGCONT)),
          "FRR halted: noticed by BFD, closed with BFD Down, and back")
    check(halted_and_back(engine, "frr", 2, lambda: network.cut("frr", True), lambda: network.cut("frr", False)),
          "link to FRR cut: the same")
    since = time.time()
    frr.say("configure terminal", "bfd", "profile fast", "shutdown")
    check(engine.says(r" frr \S+ BFD Down: Neighbor Signaled Session Down \(no failure", since, 2),
          "bfdd's sessions shut down: the engine hears of it")
    time.sleep(1)
    check(not engine.lines(r" frr \S+ Idle", since), "and BGP with FRR stays")
    frr.say("configure terminal", "bfd", "profile fast", "no shutdown")
    check(engine.says(r" frr \S+ BFD Up", since, 2), "and BFD comes back")
    # FRR itself resets BGP once its own BFD is back in service: let it settle.
    wait_for(lambda: len(re.findall(r"rs1/\d +frr .*Established", engine.status())) == 2 and frr.sessions("up") == 2)
    since = time.time()
    frr.processes[2].kill()
    frr.processes[2].wait()
    check(engine.says(r" frr \S+ Idle", since, 2), "FRR's bgpd killed: its sessions end")
    frr.processes[2] = frr.start("bgpd")
    check(established(engine, "frr", 2, since), "and come back with BFD")


def single_hop(network):
    with tempfile.TemporaryDirectory(prefix="fp-bfd-") as directory:
        engine = Engine(directory, "{interval_ms: 50, multiplier: 3}")
        bird, frr = Bird(directory, 50), Frr(directory)
        try:
            try_bird(network, engine, bird)
            try_frr(network, engine, frr)
            wait_for(lambda: len(re.findall(r"BFD rs1/\d \w+: Up, peer Up", engine.status())) == 4)
            report = engine.stop()
            rows = [row["bfd"] for row in report["sessions"]]
            check(all(row["went_up"] >= 3 and row["state"] == "Up" and row["discriminator"] for row in rows),
                  "the report has every session's state, discriminators and counters")
            check(wait_for(lambda: bird.log().count("[AdminDown:") >= 1 or "AdminDown" in bird.log()),
                  "the engine's stop reaches BIRD as AdminDown")
            check(wait_for(lambda: frr.sessions("up") == 0), "and bfdd's sessions go down")
            print(f"# engine: {json.dumps(report['bfd'])}")
        finally:
            bird.stop()
            frr.stop()
            engine.stop() if engine.process.poll() is None else None


def other_kinds(network):
    for name, bfd, multihop, family in (("multihop", "{interval_ms: 100, multihop: true}", True, 4),
                                        ("IPv6", "{interval_ms: 100}", False, 6)):
        with tempfile.TemporaryDirectory(prefix="fp-bfd-") as directory:
            engine = Engine(directory, bfd, family)
            bird = Bird(directory, 100, multihop, family)
            n = 2 if family == 4 else 1
            try:
                check(established(engine, "bird", n), f"{name}: BGP and BFD with BIRD come up")
                check(halted_and_back(engine, "bird", n, lambda b=bird: b.process.send_signal(signal.SIGSTOP),
                                      lambda b=bird: b.process.send_signal(signal.SIGCONT)),
                      f"{name}: BIRD halted, noticed, and back")
            finally:
                bird.stop()
                engine.stop()


def detection_times(interval):
    """Of both instances, from the moment that BIRD is halted to the engine's line, which is written after the groups are
    swapped; and how late the engine was at worst. A new engine each time: one that saw failures waits ever longer."""
    with tempfile.TemporaryDirectory(prefix="fp-bfd-") as directory:
        engine = Engine(directory, f"{{interval_ms: {interval}, multiplier: 3}}")
        bird = Bird(directory, interval)
        times = []
        try:
            if established(engine, "bird", 2):
                time.sleep(0.5 + 0.01 * (os.getpid() % 10))
                since = time.time()
                bird.process.send_signal(signal.SIGSTOP)
                engine.says(r" bird \S+ BFD Down: Control", since, 2, 3)
                times = [(at - since) * 1000 for at in engine.lines(r" bird \S+ BFD Down: Control", since)]
        finally:
            bird.stop()
            report = engine.stop()
        return times, report["bfd"]["late_ms_most"]


def times_of_bird(interval):
    """The other way round, for comparison: from the moment that the engine is halted to BIRD's own Down."""
    with tempfile.TemporaryDirectory(prefix="fp-bfd-") as directory:
        engine = Engine(directory, f"{{interval_ms: {interval}, multiplier: 3}}")
        bird = Bird(directory, interval)
        # It logs no change of state that its own timer makes: what it sends at that very moment says it.
        down = re.compile(r"^(\S+ \S+) .* Sending CTL to (\S+) \[Down\]", re.M)
        try:
            if not established(engine, "bird", 2) or not wait_for(lambda: bird.sessions("Up") == 2):
                return []
            time.sleep(0.5 + 0.01 * (os.getpid() % 10))
            since = time.time()
            engine.process.send_signal(signal.SIGSTOP)

            def lines():
                first = {}
                for stamp, address in down.findall(bird.log()):
                    at = datetime.datetime.fromisoformat(stamp).timestamp()
                    if at >= since - 0.001:
                        first.setdefault(address, (at - since) * 1000)
                return list(first.values())

            wait_for(lambda: len(lines()) >= 2, 3)
            return lines()
        finally:
            engine.process.send_signal(signal.SIGCONT)
            bird.stop()
            engine.stop()


def measure():
    for interval in (10, 50, 100):
        rounds, of_bird = [], []
        for _ in range(5):
            rounds.append(detection_times(interval))
            of_bird += times_of_bird(interval)
        times = [at for of_round, _ in rounds for at in of_round]
        print(f"{interval} ms x 3: {len(times)} detections, median {statistics.median(times):.0f} ms, "
              f"{min(times):.0f} to {max(times):.0f}; served late by {max(late for _, late in rounds):.1f} ms at most",
              flush=True)
        if of_bird:
            print(f"{interval} ms x 3: {len(of_bird)} detections of BIRD, median {statistics.median(of_bird):.0f} ms, "
                  f"{min(of_bird):.0f} to {max(of_bird):.0f}", flush=True)


def main():
    # Told to end, it takes down what it made all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0:
        skip("needs root for network namespaces")
    for program in ("ip", "bridge", "nsenter", "bird", "birdc", "vtysh", f"{FRR}/bfdd"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    try:
        network = Network()
    except subprocess.CalledProcessError as error:
        Network.remove()
        skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    try:
        if MEASURE:
            measure()
        else:
            single_hop(network)
            other_kinds(network)
            print(f"1..{count}")
    finally:
        Network.remove()
    sys.exit(1 if failed else 0)


main()

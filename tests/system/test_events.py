#!/usr/bin/env python3
"""The event log and its alerts: in the twin by `fingerpost events`, live by engine.events. Prints TAP.

test_events.py FINGERPOST TOP_DIRECTORY
"""
import ctypes
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

FINGERPOST, TOP = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = str(TOP / "docs/examples/hub-spoke.yaml")
CASES = []


def case(function):
    CASES.append(function)
    return function


def events(path, *arguments, code=0):
    done = subprocess.run([FINGERPOST, "events", path, "--json", *arguments], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(done.stdout)["events"] if code == 0 else done.stderr


def of(rows, kind):
    return [row for row in rows if row["event"] == kind]


FABRIC = """
fabric: alerts
{top}
vnets:
  - name: hub
    region: uksouth
    address_space: [10.0.0.0/22]
    subnets:
      - {{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}}
      - {{name: nva, prefixes: [10.0.1.0/24]}}
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}}
  - {{name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}}
route_servers:
  - name: rs1
    vnet: hub
    addresses: [10.0.0.4, 10.0.0.5]
    peers:
      - {{name: nva1, address: 10.0.1.4, asn: 65001{peer}}}
      - {{name: nva2, address: 10.0.1.5, asn: 65002}}
routers:
  - name: r1
    nic: nva1
    asn: 65001
    originate: [{originate}]
    {router}
    neighbors: [{{route_server: rs1}}]
  - {{name: r2, nic: nva2, asn: 65002, originate: [172.20.0.0/16], neighbors: [{{route_server: rs1}}]}}
"""


def fabric(folder, top="", peer="", originate="172.16.0.0/16", router=""):
    path = pathlib.Path(folder, "fabric.yaml")
    path.write_text(FABRIC.format(top=top, peer=peer, originate=originate, router=router))
    return str(path)


# --- MRT, for changes in the middle of a run ------------------------------------------------------


def record(seconds, kind, subtype, body):
    return struct.pack(">IHHI", seconds, kind, subtype, len(body)) + body


def nlri(number):
    return bytes([24, 20, number >> 8, number & 255])


ATTRIBUTES = bytes([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1]) + struct.pack(">I", 64601) + bytes([0x40, 3, 4, 192, 0, 2, 1])


def table(prefixes):
    index = struct.pack(">IHH", 1, 0, 1) + b"\2" + bytes([192, 0, 2, 1]) * 2 + struct.pack(">I", 64601)
    data = record(1, 13, 1, index)
    for number in prefixes:
        data += record(1, 13, 2, struct.pack(">I", number) + nlri(number) +
                       struct.pack(">HHIH", 1, 0, 1, len(ATTRIBUTES)) + ATTRIBUTES)
    return data


def update(seconds, withdrawn=(), announced=()):
    gone = b"".join(map(nlri, withdrawn))
    attributes = ATTRIBUTES if announced else b""
    body = struct.pack(">H", len(gone)) + gone + struct.pack(">H", len(attributes)) + attributes
    message = b"\xff" * 16 + struct.pack(">HB", 19 + len(body) + 4 * len(announced), 2)
    message += body + b"".join(map(nlri, announced))
    ends = struct.pack(">IIHH", 64601, 65000, 0, 1) + bytes([192, 0, 2, 1, 10, 0, 0, 9])
    return record(seconds, 16, 4, ends + message)


def with_updates(folder, prefixes, updates, **keys):
    pathlib.Path(folder, "rib.mrt").write_bytes(table(prefixes))
    pathlib.Path(folder, "updates.mrt").write_bytes(b"".join(updates))
    return fabric(folder, router="table: {mrt: rib.mrt, updates: updates.mrt}", **keys)


# --- The twin ---------------------------------------------------------------------------------------


@case
def sessions_and_routes_come_with_their_cause():
    rows = events(EXAMPLE, "--fail", "nva1-os", "--restart")
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(a["time"] <= b["time"] for a, b in zip(rows, rows[1:]))
    up = of(rows, "session-up")
    assert {(row["instance"], row["peer"]) for row in up} == {(i, p) for i in (0, 1) for p in ("nva1", "nva2")}
    assert len(up) == 6  # four, and two more after the restart
    chosen = [row for row in of(rows, "route-chosen") if row["prefix"] == "10.0.0.0/8"]
    assert chosen[0]["next_hops"] == ["10.0.1.4"] and chosen[0]["as_path"] == "65001", chosen
    assert chosen[0]["cause"] == "nva1 announced a path" and chosen[0]["peer"] == "nva1", chosen
    assert any("the session with nva1 is down" in row["cause"] and row["next_hops"] == ["10.0.1.5"]
               for row in chosen), chosen
    assert not of(rows, "route-gone"), of(rows, "route-gone")


@case
def equal_runs_have_equal_logs():
    runs = [subprocess.run([FINGERPOST, "events", EXAMPLE, "--fail", "nva2-os", "--fail-how", "silence"],
                           capture_output=True, timeout=60, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1] and b"hold" in runs[0].lower(), runs[0]


@case
def a_healthy_fabric_has_no_alert_but_for_what_is_new():
    with tempfile.TemporaryDirectory() as folder:
        assert events(fabric(folder), "--alerts") == []
        rows = events(fabric(folder, originate="0.0.0.0/0, 128.0.0.0/1, 12.0.0.0/7, 13.0.0.0/9"), "--alerts")
        assert {(row["event"], row["prefix"]) for row in rows} == {
            ("new-default-route", "0.0.0.0/0"), ("new-default-route", "128.0.0.0/1"),
            ("new-supernet", "12.0.0.0/7")}, rows
        assert all(row["peer"] == "nva1" and row["time"] < 1 for row in rows), rows


@case
def a_peer_that_dies_is_an_alert_on_each_session():
    with tempfile.TemporaryDirectory() as folder:
        rows = of(events(fabric(folder), "--alerts", "--fail", "r2", "--fail-how", "stop"), "peer-down")
        assert {(row["peer"], row["instance"]) for row in rows} == {("nva2", 0), ("nva2", 1)}, rows
        assert all("Cease" in row["cause"] for row in rows), rows
        # Both sessions went: the instances agree.
        assert not of(events(fabric(folder), "--alerts", "--fail", "r2"), "instance-mismatch")


@case
def a_loop_is_where_packets_come_back_and_not_where_they_leave_another_way():
    def alerts(name, *changes):
        text = (TOP / f"docs/examples/{name}/fabric.yaml").read_text().replace("mode: native", "mode: azure")
        for old, new in changes:
            assert old in text, (name, old)
            text = text.replace(old, new)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "fabric.yaml")
            path.write_text(text)
            return {(row["event"], row["prefix"]) for row in events(str(path), "--alerts")
                    if row["event"] in ("self-loop", "instance-mismatch")}

    # Into a tunnel; to a translated destination; by a route table of the user's. And back out where it came in.
    for name in ("multi-region-vxlan", "overlay-express-route", "anycast-express-route", "multi-region-flat"):
        assert alerts(name) == set(), (name, alerts(name))
    assert {prefix for event, prefix in alerts("multi-region-flat", (", route_table: nva1", ""), (", route_table: nva2", ""))
            if event == "self-loop"} >= {"10.2.16.0/24"}


@case
def a_change_of_the_fabric_that_makes_a_loop_is_told_within_a_second():
    with tempfile.TemporaryDirectory() as folder:
        drill = pathlib.Path(folder, "drill.yaml")
        drill.write_text("drill: d\nevents:\n  - {at_ms: 3000, set: {route_tables/nva/bgp_propagation: true}}\n"
                         "  - {at_ms: 6000, set: {route_tables/nva/bgp_propagation: false}}\n")
        done = subprocess.run([FINGERPOST, "drill", str(TOP / "docs/examples/alerts/fabric.yaml"), str(drill), "--json"],
                              capture_output=True, text=True, timeout=60, check=True)
        rows = of(json.loads(done.stdout)["alerts"], "self-loop")
        assert {(row["peer"], row["prefix"]) for row in rows} == {("nva1", "172.16.0.0/16"), ("nva2", "172.20.0.0/16")}
        assert len(rows) == 2 and all(3000 <= row["at_ms"] <= 4000 for row in rows), rows


@case
def a_storm_of_withdrawals_and_a_jump_are_told_within_a_second():
    with tempfile.TemporaryDirectory() as folder:
        path = with_updates(folder, range(100), [update(1000, withdrawn=range(60))],
                            top="engine: {events: {withdraw_storm: 50}}")
        rows = events(path, "--alerts")
        for kind in ("withdraw-storm", "route-count-jump"):
            found = of(rows, kind)
            assert {(row["peer"], row["instance"]) for row in found} == {("nva1", 0), ("nva1", 1)}, (kind, rows)
            assert all(10 <= row["time"] <= 11.1 for row in found), found
        path = with_updates(folder, range(100), [update(1000, withdrawn=range(40))],
                            top="engine: {events: {withdraw_storm: 50}}")
        assert events(path, "--alerts") == []


@case
def a_jump_upwards_counts_too_by_number_or_by_share():
    with tempfile.TemporaryDirectory() as folder:
        more = [update(1000, announced=range(100, 170))]
        assert len(of(events(with_updates(folder, range(100), more), "--alerts"), "route-count-jump")) == 2
        path = with_updates(folder, range(100), more, top="engine: {events: {route_count_jump_percent: 80}}")
        assert events(path, "--alerts") == []
        path = with_updates(folder, range(100), more,
                            top="engine: {events: {route_count_jump_percent: 80, route_count_jump: 60}}")
        assert len(of(events(path, "--alerts"), "route-count-jump")) == 2


@case
def a_limit_is_announced_before_it_is_reached():
    with tempfile.TemporaryDirectory() as folder:
        updates = [update(1000, announced=[100, 101])]
        path = with_updates(folder, range(60), updates, peer=", max_prefixes: {limit: 78}")
        found = [row for row in of(events(path, "--alerts"), "limit-near") if row["instance"] == 0]
        assert len(found) == 1 and 10 <= found[0]["time"] <= 11.1, found
        assert found[0]["cause"] == "63 prefixes, and the limit is 78", found


@case
def a_next_hop_that_leads_to_itself_is_a_loop():
    with tempfile.TemporaryDirectory() as folder:
        path = fabric(folder, top="quirks: {own_route_to_originator: true}")
        rows = of(events(path, "--alerts"), "self-loop")
        assert {(row["peer"], row["prefix"]) for row in rows} >= {("nva1", "172.16.0.0/16")}, rows


@case
def wrong_use_is_said():
    assert "no router 'r9'" in events(EXAMPLE, "--fail", "r9", code=2)
    assert "not kill, stop or silence" in events(EXAMPLE, "--fail", "nva1-os", "--fail-how", "x", code=2)
    assert "want --fail" in events(EXAMPLE, "--restart", code=2)


# --- Live -------------------------------------------------------------------------------------------


LIVE = """
fabric: live-events
engine:
  events: {{file: {file}, ring: 50, withdraw_storm: 3}}
  mrt: {{file: "{file}.%Y.mrt", interval_s: 1}}
vnets:
  - name: hub
    region: uksouth
    address_space: [{base}.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, prefixes: [{base}.0.0/26]}}
      - {{name: nva, prefixes: [{base}.1.0/24]}}
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [{base}.1.4], ip_forwarding: true}}
route_servers:
  - name: rs1
    vnet: hub
    addresses: [{base}.0.4, {base}.0.5]
    peers: [{{name: nva1, address: {base}.1.4, asn: 65001}}]
"""


class Peer:
    """A BGP speaker that says what it is told, on one connection."""

    def __init__(self, base, port):
        self.socket = socket.create_connection((f"{base}.0.4", port), 10, (f"{base}.1.4", 0))
        families = b"\x01\x04\0\1\0\1" + b"\x41\x04" + struct.pack(">I", 65001)
        body = struct.pack(">BHH4sB", 4, 65001, 90, bytes([10, 1, 1, 1]), len(families) + 2)
        self.send(1, body + bytes([2, len(families)]) + families)
        self.send(4, b"")

    def send(self, kind, body):
        self.socket.sendall(b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body)

    def announce(self, *prefixes, next_hop=None):
        next_hop = next_hop or self.socket.getsockname()[0]
        attributes = bytes([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1]) + struct.pack(">I", 65001)
        attributes += bytes([0x40, 3, 4]) + socket.inet_aton(next_hop)
        self.send(2, struct.pack(">HH", 0, len(attributes)) + attributes + b"".join(prefixes))

    def withdraw(self, *prefixes):
        gone = b"".join(prefixes)
        self.send(2, struct.pack(">H", len(gone)) + gone + b"\0\0")


class Skip(Exception):
    """This machine does not let the case run."""


def enter_namespace():
    """A network of this process's own, with the engine's addresses and the peer's: once."""
    if os.environ.get("EVENTS_NAMESPACE"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise Skip("a network namespace needs root")
    os.environ["EVENTS_NAMESPACE"] = "yes"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ("10.77.0.4", "10.77.0.5", "10.77.1.4"):
        subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True)


class Engine:
    def __init__(self, folder):
        enter_namespace()
        self.base = "10.77"
        self.port = 179
        self.file = os.path.join(folder, "events")
        path = pathlib.Path(folder, "live.yaml")
        path.write_text(LIVE.format(base=self.base, file=self.file))
        self.process = subprocess.Popen([FINGERPOST, "run", str(path), "--bgp-port", str(self.port), "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while "running" not in (line := self.process.stderr.readline()):
            assert line, "the engine did not start"

    def rows(self):
        return [json.loads(line) for line in pathlib.Path(self.file).read_text().splitlines()]

    def wait(self, kind, seconds=10):
        """The first event of that kind, as soon as the file has it."""
        deadline = time.monotonic() + seconds
        while not of(self.rows(), kind):
            assert time.monotonic() < deadline, (kind, self.rows()[-10:])
            time.sleep(0.02)
        return of(self.rows(), kind)

    def dumped(self):
        """Prefixes that the peer has in the next whole dump of the tables, as mrt show reads it."""
        path = pathlib.Path(time.strftime(f"{self.file}.%Y.mrt", time.gmtime()))
        path.unlink(missing_ok=True)
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline, "no dump was written"
            time.sleep(0.02)
        done = subprocess.run([FINGERPOST, "mrt", "show", str(path), "--json"], capture_output=True, text=True,
                              timeout=20, check=True)
        return {row["network"] for row in json.loads(done.stdout)["records"]
                if row["record"] == "route" and row["sourcePeer"] == f"{self.base}.1.4"}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate(timeout=20)[0])


@case
def a_running_engine_writes_its_events_as_they_happen():
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(folder)
        try:
            peer = Peer(engine.base, engine.port)
            up = engine.wait("session-up")[0]
            assert up["peer"] == "nva1" and abs(up["time"] - time.time()) < 30, up
            routes = [nlri(number) for number in range(4)]
            peer.announce(b"\0", *routes)
            assert engine.wait("new-default-route")[0]["prefix"] == "0.0.0.0/0"
            mismatch = engine.wait("instance-mismatch")[0]
            assert mismatch["instance"] == 1, mismatch
            peer.announce(nlri(9), next_hop="192.0.2.9")
            assert engine.wait("next-hop-unreachable")[0]["prefix"] == "20.0.9.0/24"
            assert {"20.0.1.0/24", "20.0.9.0/24", "0.0.0.0/0"} <= engine.dumped()
            peer.withdraw(*routes)
            assert "4 prefixes withdrawn" in engine.wait("withdraw-storm")[0]["cause"]
            assert len(engine.wait("route-gone")) == 4
            peer.socket.close()
            assert engine.wait("peer-down")[0]["peer"] == "nva1"
        finally:
            report = engine.stop()
        rows = engine.rows()
        assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
        kept = report["events"]
        assert 0 < len(kept) <= 20 and all(row in rows for row in kept), kept


@case
def an_event_file_that_cannot_be_written_stops_the_start():
    enter_namespace()
    with tempfile.TemporaryDirectory() as folder:
        for file, reason in (("/no/such/folder/x", "No such file"), (folder, "directory"), ("/dev/null", "regular")):
            path = pathlib.Path(folder, "live.yaml")
            path.write_text(LIVE.format(base="10.77", file=file))
            done = subprocess.run([FINGERPOST, "run", str(path), "--bgp-port", "20001"], capture_output=True,
                                  text=True, timeout=20, check=False)
            assert done.returncode == 2 and reason in done.stderr, done.stderr


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except Exception:  # a case failed, whatever the way: said, and the others go on
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("#", line)
    return 1 if failed else 0


sys.exit(main())

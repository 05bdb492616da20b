#!/usr/bin/env python3
"""BMP of the running engine: to a station that reads, hangs, dies or floods, and to pmacct's. Prints TAP.

test_bmp.py FINGERPOST
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from bmp_station import OUT, POST, PRE, STATISTICS, Station, json_rows
from live_engine import Engine, Peer, Skip, in_folder, nlri, run_cases, wait_for

FINGERPOST = sys.argv[1]
CASES = []
case = in_folder(CASES)
FIRST, SECOND = 1 << 32, 1 << 32 | 1  # distinguishers of rs1's instances
NVA1, LOC = (FIRST, "10.77.1.4"), (FIRST, "loc")


def start(folder, station, options="", **more):
    entry = f"{{collector: 127.0.0.1:{station.port}{options}}}"
    return Engine(FINGERPOST, folder, engine=f"bmp: [{entry}]", **more)


def learned(station, *table):
    """Without the routes that the route server announces itself."""
    return {key: value for key, value in station.tables.get(table, {}).items() if key.startswith("20.")}


def prefix(number):
    return f"20.{number >> 8 & 255}.{number & 255}.0/24"


POLICY = """policies:
  - name: p
    rules: [{match: {prefixes: [20.0.1.0/24]}, then: reject}, {set: {med: 77}, then: accept}]
"""
EVERYTHING = ", routes: [pre_policy, post_policy, adj_rib_out, loc_rib], statistics_interval_s: 1"


@case
def a_collector_is_told_of_sessions_and_of_every_table(folder):
    station = Station()
    with start(folder, station, EVERYTHING, keys=", import: p", more=POLICY) as engine:
        station.accept()
        left, right = Peer(4), Peer(5)
        left.announce(*map(nlri, range(3)), med=5)
        everything = {prefix(number): (5, "10.77.1.4") for number in range(3)}
        station.until(lambda: station.tables.get(NVA1 + (PRE,)) == everything, "pre-policy")
        accepted = {prefix(number): (77, "10.77.1.4") for number in (0, 2)}
        station.until(lambda: station.tables.get(NVA1 + (POST,)) == accepted, "post-policy")
        station.until(lambda: learned(station, *LOC, 0) == accepted, "Loc-RIB")
        station.until(lambda: set(learned(station, FIRST, "10.77.1.5", OUT)) == set(accepted), "Adj-RIB-Out")
        assert station.name[1].startswith(b"Fingerpost") and station.name[2] == b"live-test", station.name
        about = station.peers[NVA1]
        assert about["asn"] == 65001 and about["local"] == "10.77.0.4" and about["type"] == 2, about
        assert about["ports"] == (179, left.socket.getsockname()[1]) and about["time"] > 0, about
        assert about["texts"] == {0: b"rs1/0 nva1"} and station.peers[LOC]["texts"] == {3: b"rs1"}, station.peers
        station.until(lambda: NVA1 + (PRE, 1) in station.ends and NVA1 + (POST, 1) in station.ends, "End-of-RIB")
        left.withdraw(nlri(0))
        station.until(lambda: prefix(0) not in station.tables[LOC + (0,)], "a withdrawal")
        station.until(lambda: station.statistics.get(NVA1, {}).get(7) == 2 and station.statistics[LOC].get(8) == 2,
                      "statistics")
        left.socket.close()
        station.until(lambda: NVA1 in station.downs, "Peer Down")
        assert station.downs[NVA1] == (4, b""), station.downs
        station.until(lambda: learned(station, *LOC, 0) == {}, "the Loc-RIB is empty")
        right.send(3, b"\6\2")
        station.until(lambda: (FIRST, "10.77.1.5") in station.downs, "Peer Down")
        reason, message = station.downs[(FIRST, "10.77.1.5")]
        assert reason == 3 and message[18:] == b"\3\6\2", (reason, message)
        row = engine.status()["bmp"][0]
        assert row["state"] == "connected" and row["connections"] == 1 and row["messages"] > 10, row
        engine.stop()
        station.until(lambda: "end" in station.name, "Termination")
        assert station.name["end"][1] == b"\0\0", station.name


@case
def two_instances_of_a_route_server_are_two_peers(folder):
    station = Station()
    with start(folder, station) as engine:
        first, second = Peer(4, 4), Peer(4, 5)
        station.accept()
        first.announce(nlri(1))
        second.announce(nlri(2))
        station.until(lambda: station.tables.get(NVA1 + (PRE,)) == {prefix(1): (None, "10.77.1.4")}, "first")
        other = (SECOND, "10.77.1.4")
        station.until(lambda: station.tables.get(other + (PRE,)) == {prefix(2): (None, "10.77.1.4")}, "second")
        assert station.peers[other]["local"] == "10.77.0.5" and LOC not in station.peers, station.peers
        engine.stop()


@case
def a_gateway_is_a_peer_of_the_route_server(folder):
    station = Station()
    gateway = "gateways:\n  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.77.3.4]}\n"
    with start(folder, station, EVERYTHING, more=gateway) as engine:
        station.accept()
        peer = Peer(4)
        peer.announce(nlri(1))
        station.until(lambda: prefix(1) in station.tables.get(LOC + (0,), ()), "Loc-RIB")
        station.until(lambda: any(key[1] == "10.77.3.4" for key in station.peers), "the gateway")
        engine.stop()


@case
def a_collector_that_hangs_holds_up_nobody_and_catches_up(folder):
    station = Station(receive_buffer=4096)
    with start(folder, station, EVERYTHING) as engine:
        station.accept()
        peer = Peer(4)
        engine.established()
        numbers = [nlri(number) for number in range(4000)]
        for turn in range(12):  # x 4,000 x 3 tables, each route in a message of its own: the sockets hold a third
            for number, route in enumerate(numbers):
                peer.announce(route, med=turn * 4000 + number)
        wait_for("the peer's routes are in", lambda: engine.status()["sessions"][0]["updates_in"] == 48000, 60)
        row = engine.status()["bmp"][0]
        assert row["state"] == "connected" and 0 < row["waiting_prefixes"] <= 3 * 4000, row
        last = {prefix(number): (11 * 4000 + number, "10.77.1.4") for number in range(4000)}
        station.until(lambda: station.tables.get(NVA1 + (PRE,)) == last, "the latest")
        station.until(lambda: learned(station, *LOC, 0) == last, "the latest in the Loc-RIB")
        assert station.counts[0] < 100000, station.counts
        assert engine.status()["sessions"][0]["established"] == 1
        engine.stop()


@case
def a_collector_that_dies_is_told_everything_when_it_is_back(folder):
    station = Station()
    with start(folder, station) as engine:
        peer = Peer(4)
        peer.announce(nlri(1), nlri(2))
        for _ in range(2):
            station.accept()
            station.until(lambda: len(station.tables.get(NVA1 + (POST,), ())) == 2, "routes")
            station.reset()
        port = station.port
        station.close()
        engine.says(f"BMP collector 127.0.0.1:{port}: cannot connect: connection refused")
        peer.withdraw(nlri(1))
        station = Station(port)
        station.accept()
        station.until(lambda: list(station.tables.get(NVA1 + (POST,), ())) == [prefix(2)], "what is left")
        report = engine.stop()
        assert report["bmp"][0]["connections"] == 3, report["bmp"]


@case
def one_that_floods_is_cut_off_and_the_others_are_served(folder):
    flooding, well = Station(), Station()
    entries = f"{{collector: 127.0.0.1:{flooding.port}}}, {{collector: 127.0.0.1:{well.port}}}"
    with Engine(FINGERPOST, folder, engine=f"bmp: [{entries}]") as engine:
        well.accept()
        flooding.accept()
        try:
            for _ in range(1000):
                flooding.socket.sendall(b"GET / HTTP/1.1\r\n" * 100)
        except OSError:
            pass
        engine.says(f"127.0.0.1:{flooding.port}: closed: it sends")
        peer = Peer(4)
        peer.announce(nlri(1))
        well.until(lambda: well.ups, "Peer Up")
        rows = {row["collector"]: row["state"] for row in engine.status()["bmp"]}
        assert rows[f"127.0.0.1:{well.port}"] == "connected", rows
        engine.stop()


@case
def a_stop_does_not_wait_for_a_collector_that_hangs(folder):
    station = Station(receive_buffer=4096)
    with start(folder, station, EVERYTHING) as engine:
        station.accept()
        peer = Peer(4)
        peer.announce(*map(nlri, range(20000)))
        wait_for("the routes", lambda: engine.status()["sessions"][0]["learned"] == 20000)
        assert engine.stop()["bmp"][0]["state"] == "connected"


class Pmbmpd:
    """pmacct's collector, with a log of every message as JSON."""

    def __init__(self, folder, port):
        if not shutil.which("pmbmpd"):
            raise Skip("pmbmpd (package pmacct) is not installed")
        self.file = pathlib.Path(folder, "bmp.json")
        configuration = pathlib.Path(folder, "pmbmpd.conf")
        configuration.write_text(f"bmp_daemon_ip: 127.0.0.1\nbmp_daemon_port: {port}\n"
                                 f"bmp_daemon_msglog_file: {self.file}\nbmp_daemon_msglog_output: json\n")
        self.out = open(pathlib.Path(folder, "pmbmpd.out"), "w+")
        self.process = subprocess.Popen(["pmbmpd", "-f", str(configuration)], stdout=self.out, stderr=self.out)

    def rows(self, **wanted):
        rows = json_rows(self.file) if self.file.exists() else []
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()


@case
def pmacct_understands_it(folder):
    port = 11019
    daemon = Pmbmpd(folder, port)
    try:
        with Engine(FINGERPOST, folder, engine=f"bmp: [{{collector: 127.0.0.1:{port}{EVERYTHING}}}]",
                    keys=", import: p", more=POLICY) as engine:
            peers = Peer(4), Peer(5), Peer(4, 5)
            peers[0].announce(*map(nlri, range(3)), med=5)

            def some(**wanted):
                wait_for(lambda: f"{wanted} in {daemon.rows()[-20:]}", lambda: daemon.rows(**wanted), 60)
                return daemon.rows(**wanted)[0]
            some(bmp_msg_type="init", bmp_init_info_sysname="live-test")
            some(bmp_msg_type="peer_up", peer_ip="10.77.1.4", peer_asn=65001, local_ip="10.77.0.4")
            some(bmp_msg_type="peer_up", peer_ip="10.77.1.4", peer_asn=65001, local_ip="10.77.0.5")
            some(bmp_msg_type="route_monitor", log_type="update", ip_prefix=prefix(1), is_post=0, med=5)
            some(bmp_msg_type="route_monitor", log_type="update", ip_prefix=prefix(2), is_post=1, med=77)
            some(bmp_msg_type="route_monitor", log_type="update", ip_prefix=prefix(2), is_loc=1)
            some(bmp_msg_type="route_monitor", log_type="update", ip_prefix=prefix(2), is_out=1, peer_ip="10.77.1.5")
            some(bmp_msg_type="stats", peer_ip="10.77.1.4")
            peers[0].withdraw(nlri(2))
            some(bmp_msg_type="route_monitor", log_type="withdraw", ip_prefix=prefix(2), is_post=0)
            peers[0].socket.close()
            some(bmp_msg_type="peer_down", peer_ip="10.77.1.4")
            assert not daemon.rows(is_post=1, ip_prefix=prefix(1)), "what policy rejects"
            engine.stop()
            some(bmp_msg_type="term")
    finally:
        daemon.stop()


os.environ.pop("LIVE_TEST_NAMESPACE", None)
sys.exit(run_cases(CASES))

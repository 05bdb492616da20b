#!/usr/bin/env python3
"""The control socket of the running engine: its commands, and clients that mean no good. Prints TAP.

test_control.py FINGERPOST
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from live_engine import Engine, Peer, Skip, in_folder, nlri, run_cases, wait_for

FINGERPOST = sys.argv[1]
CASES = []
case = in_folder(CASES)


def start(folder, **more):
    events = f"events: {{file: {folder}/events}}"
    return Engine(FINGERPOST, folder, engine=f"control_socket: {folder}/sock, {events}", **more)


def ask(folder, *arguments, code=0, plain=False):
    done = subprocess.run([FINGERPOST, *arguments, "--socket", f"{folder}/sock", *([] if plain else ["--json"])],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stderr if code == 2 else done.stdout if plain else json.loads(done.stdout)


def session(folder, instance=0):
    return next(row for row in ask(folder, "show", "peers")["sessions"]
                if row["peer"] == "nva1" and row["instance"] == instance)


def raw(folder, data, seconds=30):
    """What the engine says to these bytes, to the end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds)
        client.connect(f"{folder}/sock")
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


@case
def shows_the_documents_of_the_report(folder):
    with start(folder) as engine:
        peer = Peer(4)
        peer.announce(nlri(1))
        wait_for("a route", lambda: session(folder)["learned"] == 1)
        assert os.stat(f"{folder}/sock").st_mode & 0o777 == 0o600
        report = ask(folder, "show", "report")
        assert report["fabric"] == "live-test" and len(report["sessions"]) == 4, report
        assert {"nics", "ports", "programmed"} <= set(report), report
        assert any(row["event"] == "route-chosen" for row in ask(folder, "show", "events")["events"])
        rows = ask(folder, "show", "learned", "rs1", "nva1")
        assert [row["network"] for row in rows["RouteServiceRole_IN_0"]] == ["20.0.1.0/24"], rows
        assert rows["RouteServiceRole_IN_0"][0]["asPath"] == "65001" and rows["RouteServiceRole_IN_1"] == [], rows
        rows = wait_for("what is advertised",
                        lambda: ask(folder, "show", "advertised", "rs1", "nva1")["RouteServiceRole_IN_0"])
        assert "10.77.0.0/16" in {row["network"] for row in rows}, rows
        assert "20.0.1.0/24" in ask(folder, "show", "learned", "rs1", "nva1", plain=True)
        assert "no such peer" in ask(folder, "show", "learned", "rs1", "nva9", code=2)
        routes = ask(folder, "show", "routes", "nva2")
        learned = [row for row in routes["value"] if row["addressPrefix"] == ["20.0.1.0/24"]]
        assert routes["nic"] == "nva2" and learned[0]["nextHopIpAddress"] == ["10.77.1.4"], routes
        assert "20.0.1.0/24" in ask(folder, "show", "routes", "nva2", plain=True)
        assert "name of a NIC" in ask(folder, "show", "routes", "vm9", code=2)
        text = ask(folder, "show", "peers", plain=True)
        assert "rs1/0" in text and "Established" in text, text
        assert "20.0.1.0/24" in ask(folder, "show", "events", plain=True)
        assert "fabric live-test" in ask(folder, "show", "report", plain=True)
        assert "'what' is one of" in ask(folder, "show", "everything", code=2)
        engine.stop()
        assert not os.path.exists(f"{folder}/sock")
        assert "is an engine running" in ask(folder, "show", "peers", code=2)


def nva_group(folder):
    """The group of both NVAs, and its members by next hop."""
    for row in ask(folder, "show", "groups")["groups"]:
        members = {member["next_hop"]: member for member in row["members"]}
        if set(members) == {"10.77.1.4", "10.77.1.5"}:
            return row, members
    return None


def states(folder):
    return {hop: (member["state"], member["reason"]) for hop, member in nva_group(folder)[1].items()}


@case
def takes_members_out_of_groups_and_lets_them_in(folder):
    vm = "  - {name: vm, subnet: hub/nva, addresses: [10.77.1.9]}\n"
    with start(folder, nics=vm) as engine:
        first, second = Peer(4), Peer(5)
        for peer in (first, second):
            peer.announce(nlri(1))
        row, members = wait_for("a group of both", lambda: nva_group(folder))
        assert row["kind"] == "bgp" and row["references"] > 0, row
        assert sum(member["buckets"] for member in members.values()) == row["buckets"] == 16384, row
        assert {member["nic"] for member in members.values()} == {"nva1", "nva2"}, row
        number = str(row["group"])
        flow = ask(folder, "show", "flow", "vm", "20.0.1.9", "--sport", "1000")
        assert flow["verdict"] == "forwarded" and flow["matched"] == "20.0.1.0/24", flow
        assert flow["group"]["group"] == row["group"] and flow["to_nic"] in ("nva1", "nva2"), flow
        chosen = flow["next_hop"]

        # A tunnel's two directions have source ports of their own, and meet the same next hop all the same.
        def tunnel(port, inner):
            return ask(folder, "show", "flow", "vm", "20.0.1.9", "--proto", "udp", "--dport", "4789", "--sport", port,
                       "--inner", inner)

        there = tunnel("50000", "172.16.0.4,172.16.9.9,tcp,4000,443")
        back = tunnel("61111", "172.16.9.9,172.16.0.4,tcp,443,4000")
        inner = ask(folder, "show", "flow", "vm", "20.0.1.9", "--source", "172.16.0.4", "--sport", "4000")
        assert there["hash"] == back["hash"] and there["next_hop"] == back["next_hop"], (there, back)
        assert there["inner"]["source"] == "172.16.0.4" and "inner" not in inner, there
        assert there["hash"] != tunnel("50000", "172.16.0.4,172.16.9.9,tcp,4001,443")["hash"], there
        other = "10.77.1.4" if chosen == "10.77.1.5" else "10.77.1.5"

        assert ask(folder, "set", "member", number, chosen, "down") == {"groups": 1}
        assert states(folder) == {chosen: ("down", "set"), other: ("up", None)}
        assert nva_group(folder)[1][other]["buckets"] == 1, "alone it needs one"
        assert ask(folder, "show", "flow", "vm", "20.0.1.9", "--sport", "1000")["next_hop"] == other
        ask(folder, "set", "member", number, other, "down")
        gone = ask(folder, "show", "flow", "vm", "20.0.1.9", "--sport", "1000")
        assert (gone["verdict"], gone["reason"]) == ("dropped", "no-member"), gone
        ask(folder, "set", "member", number, other, "up")
        ask(folder, "set", "member", number, chosen, "up")
        assert ask(folder, "show", "flow", "vm", "20.0.1.9", "--sport", "1000") == flow, "its own flows came back"

        # Of all groups: also of one that is made later, and in place of what was said of single ones.
        ask(folder, "set", "member", number, other, "down")
        ask(folder, "set", "member", "all", other, "up")
        assert states(folder) == {chosen: ("up", None), other: ("up", None)}
        ask(folder, "set", "member", "all", chosen, "down")
        for peer in (first, second):
            peer.withdraw(nlri(1))
        wait_for("no group", lambda: not nva_group(folder))
        for peer in (first, second):
            peer.announce(nlri(2))
        wait_for("a new group", lambda: nva_group(folder))
        assert states(folder)[chosen] == ("down", "set")
        ask(folder, "set", "member", str(nva_group(folder)[0]["group"]), chosen, "up")
        assert states(folder)[chosen] == ("up", None), "a single group counts more"
        ask(folder, "set", "member", "all", chosen, "up")

        for wrong, text in ((("member", "9999", chosen, "down"), "number of a group"),
                            (("member", "x", chosen, "down"), "number of a group"),
                            (("member", "all", "nva1", "down"), "IP address"),
                            (("member", str(nva_group(folder)[0]["group"]), "10.77.1.6", "down"), "no such member"),
                            (("member", "all", chosen, "sideways"), "'state' is one of"),
                            (("peer", "all", chosen, "down"), "'member'")):
            assert text in ask(folder, "set", *wrong, code=2), wrong
        seen = [(row["group"], row["next_hop"], row["cause"]) for row in ask(folder, "show", "events")["events"]
                if row["event"] == "member-set"]
        assert (int(number), chosen, "set down by an operator") in seen, seen
        assert ("all", chosen, "set up by an operator") in seen, seen
        assert f"{chosen}: set down by an operator" in ask(folder, "show", "events", plain=True)
        text = ask(folder, "show", "groups", plain=True)
        assert "10.77.1.4" in text and "Weight" in text, text
        assert "bucket" in ask(folder, "show", "flow", "vm", "20.0.2.9", plain=True)
        assert "received 0 = forwarded 0" in ask(folder, "show", "counters", plain=True)
        assert {"received", "nics", "members", "ports"} <= set(ask(folder, "show", "counters"))
        assert ask(folder, "show", "ports") == {"ports": []}
        for wrong in (("vm9", "20.0.2.9"), ("vm", "x"), ("vm", "20.0.2.9", "--source", "::1"),
                      ("vm", "20.0.2.9", "--sport", "65536"), ("vm", "20.0.2.9", "--proto", "256"),
                      ("vm", "20.0.2.9", "--inner", "172.16.0.4,172.16.9.9"),
                      ("vm", "20.0.2.9", "--proto", "udp", "--dport", "4789", "--inner", "172.16.0.4"),
                      ("vm", "20.0.2.9", "--proto", "udp", "--dport", "4789", "--inner", "172.16.0.4,::1")):
            ask(folder, "show", "flow", *wrong, code=2)
        assert "number of a group" in ask(folder, "show", "groups", "--group", "9999", code=2)
        engine.stop()


def buckets(folder):
    found = nva_group(folder)
    return {hop: member["buckets"] for hop, member in found[1].items()} if found else {}


@case
def drains_a_member_and_lets_newcomers_wait(folder):
    vm = "  - {name: vm, subnet: hub/nva, addresses: [10.77.1.9]}\n"
    sticky = "ecmp: {sticky: {idle_ms: 300, forced_ms: 60000}}\n"
    with start(folder, nics=vm, more=sticky) as engine:
        for number in (4, 5):
            peer = Peer(number)
            peer.announce(nlri(1))
            engine.peers = [*getattr(engine, "peers", []), peer]
        wait_for("both have their share", lambda: min(buckets(folder).values(), default=0) > 5000)
        number = str(nva_group(folder)[0]["group"])
        ask(folder, "set", "member", number, "10.77.1.4", "drain")
        row = nva_group(folder)[1]["10.77.1.4"]
        assert (row["state"], row["reason"], row["wanted"]) == ("drain", "set", 0), row
        wait_for("nothing left", lambda: buckets(folder) == {"10.77.1.4": 0, "10.77.1.5": 16384})
        ask(folder, "set", "member", number, "10.77.1.4", "up")
        wait_for("its share again", lambda: buckets(folder)["10.77.1.4"] > 5000)
        assert "10.77.1.4 is drain in 1" in ask(folder, "set", "member", number, "10.77.1.4", "drain", plain=True)
        engine.stop()


@case
def tables_of_any_length_are_shown_a_piece_at_a_time(folder):
    number = 30000
    with start(folder) as engine:
        peer = Peer(4)
        peer.announce(*(nlri(i) for i in reversed(range(number))))
        wait_for("all routes", lambda: session(folder)["learned"] == number, 60)
        rows = [row["network"] for row in ask(folder, "show", "learned", "rs1", "nva1")["RouteServiceRole_IN_0"]]
        wanted = [f"20.{i >> 8}.{i & 255}.0/24" for i in range(number)]
        assert rows == wanted, (len(rows), rows[:3])
        value = ask(folder, "show", "routes", "nva2")["value"]
        routes = [row["addressPrefix"][0] for row in value if row["source"] == "VirtualNetworkGateway"]
        assert routes == wanted, (len(routes), routes[:3])
        assert {row["addressPrefix"][0] for row in value} >= {"10.77.0.0/16", "0.0.0.0/0"}, value[:3]
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(f"{folder}/sock")
        slow.sendall(b'{"command": "show", "what": "routes", "nic": "nva2"}\n')
        assert slow.recv(10) == b'{"answer":'  # and stops there
        assert session(folder)["state"] == "Established" and "20.117.47.0/24" in ask(
            folder, "show", "learned", "rs1", "nva1", plain=True)
        for first in range(0, number, 1000):
            peer.withdraw(*(nlri(i) for i in range(first, first + 1000, 2)))
        wait_for("fewer", lambda: session(folder)["learned"] == number // 2, 60)
        rest, ended = b"", False
        while not ended:
            piece = slow.recv(1 << 20)
            rest, ended = rest + piece, piece.endswith(b"\n") or not piece
        left = [row["addressPrefix"][0] for row in json.loads(b'{"answer":' + rest)["answer"]["value"]]
        assert left and set(left) <= {row["addressPrefix"][0] for row in value}, left[:3]
        slow.close()
        engine.stop()


@case
def a_line_may_come_in_pieces(folder):
    with start(folder) as engine:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(f"{folder}/sock")
            for piece in (b'{"command": "show",', b' "what": "pe', b'ers"}\n'):
                client.sendall(piece)
                time.sleep(0.05)
            assert client.recv(10) == b'{"answer":'
        engine.stop()


@case
def asks_one_peer_for_its_routes_again(folder):
    with start(folder) as engine:
        peer = Peer(4)
        wait_for("the session", lambda: session(folder)["state"] == "Established")
        assert ask(folder, "refresh", "nva1") == {"sessions": 2, "asked": 1}
        assert any(kind == 5 for kind, _ in peer.messages()), "no ROUTE-REFRESH"
        ask(folder, "refresh", "nva2", code=1, plain=True)
        assert "no such peer" in ask(folder, "refresh", "nva9", code=2)
        engine.stop()


@case
def restarts_one_instance_and_leaves_the_other(folder):
    with start(folder) as engine:
        first, second = Peer(4, 4), Peer(4, 5)
        first.announce(nlri(1))
        wait_for("both", lambda: session(folder)["learned"] == 1 and session(folder, 1)["state"] == "Established")
        ask(folder, "restart", "rs1/0")
        said = [kind for kind, _ in first.messages()]
        assert 3 not in said, "it closes without a NOTIFICATION"
        assert session(folder)["state"] != "Established" and session(folder, 1)["state"] == "Established"

        def again():
            try:
                peer = Peer(4, 4)
                peer.announce(nlri(1))
                list(zip(range(3), peer.messages(2)))
                return peer if session(folder)["state"] == "Established" else None
            except OSError:
                return None
        wait_for("the instance is back", again)
        assert session(folder, 1)["established"] == 1 and second
        for wrong in ("rs1", "rs1/2", "rs9/0"):
            assert "fingerpost restart:" in ask(folder, "restart", wrong, code=2)
        engine.stop()


def notification(peer):
    return next(body for kind, body in peer.messages(30) if kind == 3)


@case
def a_shutdown_tells_peers_why(folder):
    with start(folder) as engine:
        peer = Peer(4)
        wait_for("the session", lambda: session(folder)["state"] == "Established")
        assert "at most 255" in ask(folder, "shutdown", "--message", "x" * 256, code=2)
        ask(folder, "shutdown", "--message", "back at 14:00 ☕")
        body = notification(peer)
        assert body[:2] == b"\6\2" and body[3:3 + body[2]].decode() == "back at 14:00 ☕", body
        engine.process.wait(30)
        engine.stop()
    with start(folder, arguments=("--shutdown-message", "by signal")) as engine:
        peer = Peer(4)
        wait_for("the session", lambda: session(folder)["state"] == "Established")
        engine.stop()
        assert notification(peer)[3:] == b"by signal"


@case
def bird_shows_it(folder):
    if not shutil.which("bird"):
        raise Skip("BIRD is not installed")
    configuration = pathlib.Path(folder, "bird.conf")
    configuration.write_text("router id 10.77.1.4;\nprotocol device {}\nprotocol bgp up {\n"
                             "  local 10.77.1.4 as 65001; neighbor 10.77.0.4 as 65515; multihop; strict bind yes;\n"
                             "  connect retry time 1; connect delay time 1;\n"
                             "  ipv4 { import all; export none; };\n}\n")
    control = f"{folder}/bird.ctl"
    with open(f"{folder}/bird.out", "w", encoding="utf-8") as out:
        bird = subprocess.Popen(["bird", "-f", "-c", str(configuration), "-s", control, "-P", f"{folder}/bird.pid"],
                                stdout=out, stderr=out)
    try:
        with start(folder) as engine:
            def birdc():
                return subprocess.run(["birdc", "-s", control, "show", "protocols", "all", "up"], capture_output=True,
                                      text=True, check=False).stdout
            wait_for(birdc, lambda: "Established" in birdc(), 60)
            ask(folder, "shutdown", "--message", "moving to the new rack")
            wait_for(birdc, lambda: "moving to the new rack" in birdc(), 30)
            engine.process.wait(30)
            engine.stop()
    finally:
        bird.terminate()
        bird.wait(10)


@case
def hostile_clients_cost_nothing_but_themselves(folder):
    with start(folder) as engine:
        for data in (b"\n", b"{}\n", b"[]\n", b"\xff\xfe\n", b"{" * 4000 + b"\n", b'{"command": 7}\n',
                     b'{"command": "show", "what": "events", "last": -1}\n', b'{"command":"show"}\n',
                     b'{"command": "restart", "route_server": "rs1", "instance": "0"}\n',
                     b'{"command": "shutdown", "message": 5}\n', b'{"command": "set", "group": -1, "next_hop": 4}\n',
                     b'{"command": "set", "group": 99999999999, "next_hop": "10.0.0.1", "state": "down"}\n',
                     b'{"command": "show", "what": "flow", "nic": "nva1", "destination": []}\n',
                     b'{"command": "show", "what": "groups", "group": {}}\n', b'{"command": "refresh", "peer": []}\n'):
            answer = json.loads(raw(folder, data))
            assert set(answer) == {"error"}, (data, answer)
        assert raw(folder, b"x" * 100000) == b"", "a line that is too long ends the connection"
        assert raw(folder, b'{"command": "show"') == b"", "half a line"
        two = raw(folder, b'{"command": "show", "what": "peers"}\n{"command": "show", "what": "peers"}\n')
        assert len(two.splitlines()) == 2, two[:200]
        idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for client in idle:
            client.connect(f"{folder}/sock")
        assert sum(closed(client) for client in idle) >= 24, "more than sixteen are held"
        for client in idle:
            client.close()
        wait_for("room again", lambda: raw(folder, b'{"command": "show", "what": "peers"}\n'))
        greedy = socket.socket(socket.AF_UNIX)
        greedy.connect(f"{folder}/sock")
        greedy.sendall(b'{"command": "show", "what": "report"}\n' * 90)  # and reads none of it
        assert ask(folder, "show", "peers")["sessions"]
        greedy.close()
        engine.stop()


def closed(client):
    client.settimeout(0.2)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@case
def what_stands_in_the_socket_s_place_is_looked_at(folder):
    path = pathlib.Path(folder, "sock")
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(path))
    left_behind.close()
    with start(folder) as engine:
        assert ask(folder, "show", "peers")["sessions"]
        done = subprocess.run([FINGERPOST, "run", engine.fabric, "--bgp-port", "1790"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2 and "another engine listens there" in done.stderr, done.stderr
        assert ask(folder, "show", "peers")["sessions"], "the first one's socket is still there"
        engine.stop()
    path.write_text("precious")
    done = subprocess.run([FINGERPOST, "run", engine.fabric], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "no socket" in done.stderr and path.read_text() == "precious", done.stderr


@case
def who_is_behind_a_port_that_is_down_leaves_the_groups(folder):
    subprocess.run(["ip", "link", "add", "fp-near", "type", "veth", "peer", "name", "fp-far"], check=True)
    world = "02:cc:00:00:00:01"
    subprocess.run(["ip", "link", "add", "fp-out", "type", "veth", "peer", "name", "fp-world", "address", world], check=True)
    subprocess.run(["ip", "address", "add", "203.0.113.1/24", "dev", "fp-world"], check=True)
    for end in ("fp-near", "fp-far", "fp-out", "fp-world"):
        subprocess.run(["ip", "link", "set", end, "up"], check=True)
    ports = ("ports:\n  - {name: p1, device: net_af_packet, options: {iface: fp-near, blocksz: 4096, framecnt: 64}}\n"
             "  - {name: p2, device: net_af_packet, options: {iface: fp-out, blocksz: 4096, framecnt: 64}}\n"
             "internet: {port: p2, next_hop: 203.0.113.1, source_nat: 203.0.113.9}\n")
    vm = "  - {name: vm, subnet: hub/nva, addresses: [10.77.1.9]}\n"
    with start(folder, port=", port: p1", more=ports, nics=vm) as engine:
        for peer in (first := Peer(4), second := Peer(5)):
            peer.announce(nlri(1))

        def flow():
            return ask(folder, "show", "flow", "vm", "20.0.1.9", "--sport", "1000")["next_hop"]
        both = {"10.77.1.4": ("up", None), "10.77.1.5": ("up", None)}
        wait_for("both are in", lambda: nva_group(folder) and states(folder) == both)
        chosen = [flow()]
        subprocess.run(["ip", "link", "set", "fp-far", "down"], check=True)
        wait_for("it is out", lambda: states(folder)["10.77.1.4"] == ("down", "port"))
        assert states(folder)["10.77.1.5"] == ("up", None) and flow() == "10.77.1.5"
        assert ask(folder, "show", "ports")["ports"][0]["link_up"] is False
        assert session(folder)["state"] == "Established", "its session is by another way"
        event = [row for row in ask(folder, "show", "events")["events"] if row["event"] == "port-down"][-1]
        assert (event["port"], event["alert"]) == ("p1", False) and "swapped" in event["cause"], event
        assert "port-down             p1: link down" in ask(folder, "show", "events", plain=True)
        subprocess.run(["ip", "link", "set", "fp-far", "up"], check=True)
        wait_for("it is back", lambda: states(folder) == both)
        assert [flow()] == chosen and first and second
        assert ask(folder, "show", "events")["events"][-1]["event"] == "port-up"
        engine.says("port p1: link up")

        # The router on the other port has told its MAC.
        out = wait_for("the internet's next hop", lambda: (row := ask(folder, "show", "flow", "vm", "198.18.0.1"))["group"]
                       and row["group"]["mac"] and row)
        assert (out["next_hop"], out["to_nic"], out["group"]["next_hop"], out["group"]["mac"]) == \
            ("203.0.113.1", "internet", "203.0.113.1", world), out
        assert world in ask(folder, "show", "groups", plain=True)
        engine.stop()


class Watch:
    """'fingerpost watch' in the background: its lines as they come."""

    def __init__(self, folder, *arguments, plain=False):
        self.process = subprocess.Popen(
            [FINGERPOST, "watch", *arguments, "--socket", f"{folder}/sock", *([] if plain else ["--json"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def until(self, condition):
        while not condition(row := self.line()):
            pass
        return row

    def end(self, code):
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == code, (self.process.returncode, out, err)
        return out, err


@case
def tells_watchers_what_changes(folder):
    with start(folder) as engine:
        peers = Watch(folder, "peers", "--interval-ms", "100")
        first = [peers.line() for _ in range(4)]
        assert {(row["peer"], row["instance"]) for row in first} == \
            {(name, number) for name in ("nva1", "nva2") for number in (0, 1)}, first
        groups = Watch(folder, "groups", "--interval-ms", "100")
        groups.line()
        peer = Peer(4)
        up = peers.until(lambda row: row["state"] == "Established")
        assert (up["peer"], up["instance"]) == ("nva1", 0) and up["time"] > 1e9, up
        routes = Watch(folder, "routes", "--nic", "nva2", "--last", "100")
        peer.announce(nlri(1))
        assert peers.until(lambda row: row["learned"] == 1)["peer"] == "nva1"
        line = routes.line()
        assert line["event"] == "route-chosen" and line["prefix"] == "20.0.1.0/24" and line["nic"] == "nva2", line
        assert [row["nextHopIpAddress"] for row in line["value"]] == [["10.77.1.4"]], line

        def has_member(row):
            return any(member["next_hop"] == "10.77.1.4" for member in row.get("members", []))
        group = groups.until(has_member)
        ask(folder, "set", "member", "all", "10.77.1.4", "down")
        assert groups.until(has_member)["members"][0]["state"] == "down"
        peer.withdraw(nlri(1))
        assert groups.until(lambda row: row.get("gone"))["group"] == group["group"]
        line = routes.line()
        assert line["event"] == "route-gone" and line["value"] == [], line
        missed = ask(folder, "show", "events")["events"][-3:]
        again = Watch(folder, "events", "--last", "3", "--count", "3").end(0)[0]
        assert [json.loads(row) for row in again.splitlines()] == missed
        assert "20.0.1.0/24" in Watch(folder, "routes", "--last", "9", "--count", "1", plain=True).end(0)[0]
        assert "10.77.1.4" in Watch(folder, "peers", "--count", "1", plain=True).end(0)[0]
        counters = Watch(folder, "counters", "--count", "3").end(0)[0].splitlines()
        assert [json.loads(row)["nic"] for row in counters] == ["nva1", "nva2", None], counters
        engine.stop()
        for watch in (peers, groups, routes):
            assert "has ended" in watch.end(1)[1]


@case
def watchers_that_do_not_read_are_bounded(folder):
    with Engine(FINGERPOST, folder, engine=f"control_socket: {folder}/sock, events: {{ring: 64}}") as engine:
        sleepy = socket.socket(socket.AF_UNIX)
        sleepy.connect(f"{folder}/sock")
        sleepy.sendall(b'{"command": "watch", "what": "events"}\n')
        more = []
        for _ in range(7):
            more.append(socket.socket(socket.AF_UNIX))
            more[-1].connect(f"{folder}/sock")
            more[-1].sendall(b'{"command": "watch", "what": "ports", "interval_ms": 100}\n')
        wait_for("no room for a ninth", lambda: b"8 clients watch" in raw(
            folder, b'{"command": "watch", "what": "peers"}\n'))
        peer = Peer(4)
        for _ in range(4):
            peer.announce(*map(nlri, range(1000)))
            peer.withdraw(*map(nlri, range(1000)))
        peer.announce(nlri(3000))
        wait_for("all of it", lambda: session(folder)["learned"] == 1)
        sleepy.settimeout(60)
        text = b""
        while b'"20.11.184.0/24"' not in text.rpartition(b"\n")[0]:
            piece = sleepy.recv(65536)
            assert piece, "the engine dropped it"
            text += piece
        rows = [json.loads(line)["answer"] for line in text.rpartition(b"\n")[0].splitlines()]
        lost = sum(row.get("lost", 0) for row in rows)
        assert lost > 0, "a ring of 64 holds no 8,000 events"
        numbers = [row["number"] for row in rows if "number" in row]
        assert numbers == sorted(set(numbers)), numbers
        assert numbers[-1] - numbers[0] + 1 in range(len(numbers), len(numbers) + lost + 1), (numbers[:3], lost)
        for client in more:
            client.close()
        wrong = {"'what' is one of": {"what": "moon"}, "'interval_ms' is": {"what": "peers", "interval_ms": 1},
                 "'nic' is": {"what": "routes", "nic": "vm9"}, "'last' is": {"what": "events", "last": -1}}
        for words, request in wrong.items():
            answer = raw(folder, json.dumps({"command": "watch", **request}).encode() + b"\n")
            assert words.encode() in answer, answer
        assert "is not one of" in subprocess.run([FINGERPOST, "watch", "moon"], capture_output=True, text=True,
                                                 check=False).stderr
        engine.stop()


os.environ.pop("LIVE_TEST_NAMESPACE", None)
sys.exit(run_cases(CASES))

#!/usr/bin/env python3
"""fingerpost apply: another fabric file in place of the one that a running engine has. Prints TAP.

test_apply.py FINGERPOST
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

from live_engine import Engine, Peer, Skip, in_folder, nlri, run_cases, wait_for

FINGERPOST = sys.argv[1]
CASES = []
case = in_folder(CASES)

SPOKE = """  - name: spoke
    region: uksouth
    address_space: [10.78.0.0/16]
    subnets: [{name: vms, prefixes: [10.78.0.0/24]}]
nics:
  - {name: a-vm, subnet: spoke/vms, addresses: [10.78.0.4]}
"""
PEERING = ("peerings:\n  - {vnets: [hub, spoke], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
           "spoke: {use_remote_gateways: true}}\n")


def start(folder, **more):
    events = f"events: {{file: {folder}/events}}"
    return Engine(FINGERPOST, folder, engine=f"control_socket: {folder}/sock, {events}", **more)


def run(folder, *arguments, code=0):
    done = subprocess.run([FINGERPOST, *arguments, "--socket", f"{folder}/sock"], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-900:], done.stderr[-900:])
    return done


def ask(folder, *arguments, code=0):
    return json.loads(run(folder, *arguments, "--json", code=code).stdout)


def variant(engine, *edits, name="next.yaml"):
    """The file that runs, with texts of it replaced."""
    text = pathlib.Path(engine.fabric).read_text()
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1)
    path = pathlib.Path(engine.folder, name)
    path.write_text(text)
    return str(path)


def with_spoke(engine):
    return variant(engine, ("nics:\n", SPOKE), ("route_servers:\n", PEERING + "route_servers:\n"))


def plan_of(answer):
    sign = {"added": "+", "removed": "-", "changed": "~"}
    return [f"{sign[row['change']]} {row['object']}" + (f": {row['keys']}" if row["keys"] else "")
            for row in answer["plan"]]


def sessions(folder):
    return [(row["peer"], row["instance"], row["state"], row["established"]) for row in
            ask(folder, "show", "peers")["sessions"]]


def prefixes(folder, nic):
    return {row["addressPrefix"][0] for row in ask(folder, "show", "routes", nic)["value"]}


@case
def a_vnet_comes_and_goes_and_the_session_stays(folder):
    with start(folder) as engine:
        peer = Peer(4)
        peer.announce(nlri(1))
        wait_for("a route", lambda: "20.0.1.0/24" in prefixes(folder, "nva2"))
        before = sessions(folder)
        path = with_spoke(engine)
        wanted = ["+ nics[a-vm]", "+ peerings[hub,spoke]", "+ vnets[spoke]"]
        dry = ask(folder, "apply", path, "--dry-run")
        assert plan_of(dry) == wanted and dry["dry_run"] and not dry["applied"], dry
        assert "name of a NIC" in run(folder, "show", "routes", "a-vm", code=2).stderr
        done = ask(folder, "apply", path)
        assert plan_of(done) == wanted and done["applied"], done
        assert all(row["way"] == "applied" and row["file"] == path and row["line"] > 0 for row in done["plan"]), done
        assert {"10.77.0.0/16", "10.78.0.0/16"} <= prefixes(folder, "a-vm")
        assert "10.78.0.0/16" in prefixes(folder, "nva1")
        assert any(b"\x10\x0a\x4e" in body for kind, body in peer.messages(30) if kind == 2), "the peer is told"
        again = ask(folder, "apply", path)
        assert again["plan"] == [] and again["applied"], again
        back = run(folder, "apply", engine.fabric).stdout
        assert "- vnets[spoke]" in back and "3 changes applied" in back, back
        assert "10.78.0.0/16" not in prefixes(folder, "nva1") and "20.0.1.0/24" in prefixes(folder, "nva2")
        assert sessions(folder) == before, (before, sessions(folder))
        assert {row["nic"] for row in engine.status()["nics"]} == {"nva1", "nva2", None}
        engine.stop()


@case
def users_routes_and_peerings_change(folder):
    table = ("route_tables:\n  - {name: t, routes: [{prefix: 198.51.100.0/24, next_hop_type: None}]}\n")
    with start(folder, more=table) as engine:
        used = variant(engine, ("prefixes: [10.77.1.0/24]", "prefixes: [10.77.1.0/24], route_table: t"))
        assert plan_of(ask(folder, "apply", used)) == ["~ vnets[hub].subnets[nva]: route_table"]
        assert "198.51.100.0/24" in prefixes(folder, "nva1")
        engine.fabric = used
        other = variant(engine, ("{prefix: 198.51.100.0/24, next_hop_type: None}",
                                 "{prefix: 203.0.113.0/24, next_hop_type: VirtualAppliance, next_hop: 10.77.1.5}"),
                        name="other.yaml")
        assert plan_of(ask(folder, "apply", other)) == ["- route_tables[t].routes[198.51.100.0/24]",
                                                        "+ route_tables[t].routes[203.0.113.0/24]"]
        assert "203.0.113.0/24" in prefixes(folder, "nva1") and "198.51.100.0/24" not in prefixes(folder, "nva1")
        engine.stop()


@case
def policies_change_and_sessions_stay(folder):
    policy = "policies:\n  - {name: p, rules: [{match: {prefixes: [20.0.1.0/24]}, then: reject}, {then: accept}]}\n"
    with start(folder, more=policy) as engine:
        peer = Peer(4)
        peer.announce(nlri(1), nlri(2))
        wait_for("routes", lambda: {"20.0.1.0/24", "20.0.2.0/24"} <= prefixes(folder, "nva2"))
        used = variant(engine, ("asn: 65001}", "asn: 65001, import: p}"))
        answer = ask(folder, "apply", used)
        assert plan_of(answer) == ["~ route_servers[rs1].peers[nva1]: import"], answer
        assert answer["plan"][0]["way"] == "policy", answer
        wait_for("the policy", lambda: "20.0.1.0/24" not in prefixes(folder, "nva2"))
        assert "20.0.2.0/24" in prefixes(folder, "nva2")
        engine.fabric = used
        other = variant(engine, ("prefixes: [20.0.1.0/24]", "prefixes: [20.0.2.0/24]"), name="other.yaml")
        assert plan_of(ask(folder, "apply", other)) == ["~ policies[p]: rules"]
        wait_for("the other", lambda: "20.0.1.0/24" in prefixes(folder, "nva2")
                 and "20.0.2.0/24" not in prefixes(folder, "nva2"))
        assert ("nva1", 0, "Established", 1) in sessions(folder)
        engine.stop()


class Bird:
    """A real daemon at 10.77.1.6, behind a veth, that announces 20.9.9.0/24 to both instances; with BFD, and a key."""

    def __init__(self, folder):
        self.folder = folder
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        wait_for("a namespace", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink(
            "/proc/self/ns/net"))
        inside = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        for words in (["ip", "link", "add", "to-bird", "type", "veth", "peer", "name", "eth0", "netns",
                       str(self.holder.pid)],
                      ["ip", "link", "set", "to-bird", "up"], ["ip", "route", "add", "10.77.1.6/32", "dev", "to-bird"],
                      inside + ["ip", "link", "set", "eth0", "up"],
                      inside + ["ip", "address", "add", "10.77.1.6/32", "dev", "eth0"],
                      inside + ["ip", "route", "add", "10.77.0.0/26", "dev", "eth0", "src", "10.77.1.6"]):
            subprocess.run(words, check=True)
        self.configure()
        self.process = subprocess.Popen([*inside, "bird", "-f", "-c", f"{folder}/bird.conf", "-s", f"{folder}/bird.ctl",
                                         "-P", f"{folder}/bird.pid"], stderr=subprocess.DEVNULL)

    def configure(self, key=""):
        password = f'password "{key}";' if key else ""
        sessions = "".join(
            f"protocol bgp rs{i} {{ local 10.77.1.6 as 65003; neighbor 10.77.0.{4 + i} as 65515; multihop; bfd on; "
            f"connect delay time 1; connect retry time 1; error wait time 1, 2; {password} "
            "ipv4 { import all; export all; }; }\n" for i in range(2))
        pathlib.Path(self.folder, "bird.conf").write_text(
            "router id 10.77.1.6;\nprotocol device {}\n"
            "protocol bfd { multihop { interval 200 ms; multiplier 10; }; }\n"
            "protocol static { ipv4; route 20.9.9.0/24 blackhole; }\n" + sessions)

    def ask(self, *words):
        done = subprocess.run(["birdc", "-s", f"{self.folder}/bird.ctl", *words], capture_output=True, text=True,
                              check=False)
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.process, self.holder):
            process.terminate()
            process.wait(20)


NVA3 = "      - {name: nva2, address: 10.77.1.5, asn: 65002}\n"
NIC3 = "nics:\n  - {name: nva3, subnet: hub/nva, addresses: [10.77.1.6], ip_forwarding: true}\n"


def with_peer(engine, more, name):
    return variant(engine, ("nics:\n", NIC3), (NVA3, NVA3 + f"      - {{name: nva3, address: 10.77.1.6, asn: 65003{more}}}\n"),
                   name=name)


def session_of(folder, peer):
    return [row for row in ask(folder, "show", "peers")["sessions"] if row["peer"] == peer]


def are_up(folder, peer):
    rows = session_of(folder, peer)
    return len(rows) == 2 and all(row["state"] == "Established" for row in rows)


@case
def peers_come_change_and_go_and_no_other_session_ends(folder):
    if not shutil.which("bird"):
        raise Skip("no bird here")
    for name, key in (("one", "first"), ("two", "second")):
        path = pathlib.Path(folder, name)
        path.write_text(key)
        path.chmod(0o600)
    with start(folder) as engine, Bird(folder) as bird:
        peer = Peer(4)
        peer.announce(nlri(1))
        wait_for("a route", lambda: "20.0.1.0/24" in prefixes(folder, "nva2"))
        # It comes, with BFD; its routes arrive.
        answer = ask(folder, "apply", with_peer(engine, ", bfd: {multihop: true, interval_ms: 200, multiplier: 10}",
                                                "a.yaml"))
        assert plan_of(answer) == ["+ nics[nva3]", "+ route_servers[rs1].peers[nva3]"] and answer["applied"], answer
        wait_for("the new peer", lambda: are_up(folder, "nva3"))
        wait_for("its routes", lambda: "20.9.9.0/24" in prefixes(folder, "nva2"))
        wait_for("its BFD", lambda: all(row["bfd"]["state"] == "Up" for row in session_of(folder, "nva3")))
        # What its session is made of is another: that session alone begins anew, and now has a key.
        path = with_peer(engine, f", key_file: {folder}/one", "b.yaml")
        dry = ask(folder, "apply", path, "--dry-run")
        assert [row["way"] for row in dry["plan"]] == ["reset"], dry
        assert "its sessions end, and begin anew" in run(folder, "apply", path).stdout
        bird.configure("first")
        bird.ask("configure")
        wait_for("the session with a key", lambda: are_up(folder, "nva3"))
        assert all(row["key"] == "md5" and "bfd" not in row for row in session_of(folder, "nva3"))
        # Another key, and the one before again; defaults that are written out: it stays.
        up = [row["established"] for row in session_of(folder, "nva3")]
        answer = ask(folder, "apply", with_peer(engine, f", key_file: {folder}/two, hold_time_s: 180", "c.yaml"))
        assert [row["way"] for row in answer["plan"]] == ["applied"], answer
        assert are_up(folder, "nva3") and [row["established"] for row in session_of(folder, "nva3")] == up
        ask(folder, "apply", path)
        assert are_up(folder, "nva3") and [row["established"] for row in session_of(folder, "nva3")] == up
        # A key that is not there is found before anything changes.
        lost = run(folder, "apply", with_peer(engine, f", key_file: {folder}/none", "d.yaml"), code=2).stderr
        assert "key_file" in lost and "nothing is changed" in engine.log(), lost
        # It goes, and is told so; its routes go, too. The others never heard of any of it.
        answer = ask(folder, "apply", engine.fabric)
        assert plan_of(answer) == ["- nics[nva3]", "- route_servers[rs1].peers[nva3]"], answer
        wait_for(lambda: bird.ask("show", "protocols", "all"),
                 lambda: bird.ask("show", "protocols", "all").count("Peer de-configured") >= 1)
        wait_for("its routes to go", lambda: "20.9.9.0/24" not in prefixes(folder, "nva2"))
        assert session_of(folder, "nva3") == []
        assert ("nva1", 0, "Established", 1) in sessions(folder), sessions(folder)
        assert "20.0.1.0/24" in prefixes(folder, "nva2")
        engine.stop()


@case
def peers_come_and_go_many_times(folder):
    with start(folder) as engine:
        peer = Peer(4)
        peer.announce(nlri(1))
        subprocess.run(["ip", "address", "add", "10.77.1.6/32", "dev", "lo"], check=True)
        paths = [with_peer(engine, ", bfd: {multihop: true}", "a.yaml"), with_peer(engine, ", hold_time_s: 9", "b.yaml"),
                 engine.fabric]
        for number in range(12):
            ask(folder, "apply", paths[number % 3])
            assert len(session_of(folder, "nva3")) == (0 if number % 3 == 2 else 2)
        ask(folder, "apply", paths[1])
        third = Peer(6)
        third.announce(nlri(3))
        wait_for("a route", lambda: "20.0.3.0/24" in prefixes(folder, "nva2"))
        ask(folder, "apply", paths[2])
        ceased = [body for kind, body in third.messages(30) if kind == 3]
        assert ceased == [bytes([6, 3])], ceased
        wait_for("it to go", lambda: "20.0.3.0/24" not in prefixes(folder, "nva2"))
        assert ("nva1", 0, "Established", 1) in sessions(folder), sessions(folder)
        engine.stop()


def balancers(engine):
    return {row["name"]: {backend["nic"]: backend["state"] for backend in row["backends"]}
            for row in engine.status()["load_balancers"]}


@case
def load_balancers_come_change_and_go_and_what_is_down_stays_so(folder):
    probe = "probe: {protocol: Tcp, port: 8080, interval_s: 1, timeout_ms: 400}"
    server = socket.create_server(("10.77.1.4", 8080))
    with start(folder) as engine:
        def with_balancers(name, *rows):
            return variant(engine, ("route_servers:\n", "load_balancers:\n" + "".join(
                f"  - {{name: {row[0]}, subnet: hub/nva, frontend: {row[1]}, backends: [{row[2]}], {probe}}}\n"
                for row in rows) + "route_servers:\n"), name=name)

        assert "load_balancers" not in engine.status()
        answer = ask(folder, "apply", with_balancers("a.yaml", ("web", "10.77.1.100", "nva1, nva2")))
        assert plan_of(answer) == ["+ load_balancers[web]"] and answer["applied"], answer
        wait_for("a verdict", lambda: balancers(engine)["web"] == {"nva1": "up", "nva2": "down"})
        # Another before it: all are numbered anew, and known as they were.
        answer = ask(folder, "apply", with_balancers("b.yaml", ("a-first", "10.77.1.101", "nva1"),
                                                     ("web", "10.77.1.100", "nva1, nva2")))
        assert plan_of(answer) == ["+ load_balancers[a-first]"], answer
        assert balancers(engine) == {"a-first": {"nva1": "up"}, "web": {"nva1": "up", "nva2": "down"}}
        server.close()
        wait_for("a verdict", lambda: balancers(engine)["a-first"] == {"nva1": "down"})
        other = socket.create_server(("10.77.1.5", 8080))
        ask(folder, "apply", with_balancers("c.yaml", ("web", "10.77.1.100", "nva2")))
        assert list(balancers(engine)) == ["web"]
        wait_for("a verdict", lambda: balancers(engine)["web"] == {"nva2": "up"})
        ask(folder, "apply", engine.fabric)
        rows = [json.loads(line) for line in pathlib.Path(folder, "events").read_text().splitlines()]
        named = {(row["load_balancer"], row["nic"], row["event"]) for row in rows if row["event"].startswith("backend-")}
        assert {("web", "nva2", "backend-down"), ("a-first", "nva1", "backend-down"),
                ("web", "nva2", "backend-up")} <= named, named
        other.close()
        engine.stop()


@case
def what_needs_a_restart_is_refused_by_name_and_nothing_is_applied(folder):
    with start(folder) as engine:
        path = variant(engine, ("nics:\n", SPOKE),
                       ("route_servers:\n", PEERING + "ecmp: {balance: strict}\nroute_servers:\n"),
                       ("    addresses: [10.77.0.4, 10.77.0.5]", "    asn: 65520\n    addresses: [10.77.0.4, 10.77.0.5]"))
        done = run(folder, "apply", path, code=1)
        assert "+ vnets[spoke]" in done.stdout, done.stdout
        assert "ecmp: was added" in done.stderr and "route_servers[rs1]: was changed" in done.stderr, done.stderr
        assert f"{path}:" in done.stderr and "2 of 5 changes need a restart" in done.stderr, done.stderr
        answer = ask(folder, "apply", path, code=1)
        assert not answer["applied"], answer
        assert {row["object"] for row in answer["plan"] if row["way"] == "restart"} == {"ecmp", "route_servers[rs1]"}
        assert "name of a NIC" in run(folder, "show", "routes", "a-vm", code=2).stderr
        engine.stop()


@case
def a_bad_file_is_refused_with_its_lines(folder):
    with start(folder) as engine:
        bad = variant(engine, ("asn: 65002", "asn: many"), ("nics:\n", SPOKE))
        done = run(folder, "apply", bad, code=2)
        line = 1 + pathlib.Path(bad).read_text().split("asn: many")[0].count("\n")
        assert f"{bad}:{line}: " in done.stderr and "has errors" in done.stderr, done.stderr
        os.mkfifo(f"{folder}/pipe")
        assert "neither a file nor a directory" in run(folder, "apply", f"{folder}/pipe", code=2).stderr
        assert "No such file" in run(folder, "apply", f"{folder}/none", code=2).stderr
        assert ask(folder, "apply", engine.fabric)["plan"] == []
        engine.stop()


@case
def many_at_once_end_each_with_an_answer(folder):
    with start(folder) as engine:
        paths, codes = [with_spoke(engine), engine.fabric], []

        def apply(number):
            done = subprocess.run([FINGERPOST, "apply", paths[number % 2], "--socket", f"{folder}/sock"],
                                  capture_output=True, text=True, timeout=120, check=False)
            codes.append(done.returncode)
            assert done.returncode == 0 or "another file is being applied" in done.stderr, done.stderr
        threads = [threading.Thread(target=apply, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(codes) == 8 and 0 in codes, codes
        for number in range(10):
            ask(folder, "apply", paths[number % 2])
        engine.stop()


os.environ.pop("LIVE_TEST_NAMESPACE", None)
sys.exit(run_cases(CASES))

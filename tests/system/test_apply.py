#!/usr/bin/env python3
"""fingerpost apply: another fabric file in place of the one that a running engine has. Prints TAP.

test_apply.py FINGERPOST
"""
import json
import os
import pathlib
import subprocess
import sys
import threading

from live_engine import Engine, Peer, in_folder, nlri, run_cases, wait_for

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

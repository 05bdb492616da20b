#!/usr/bin/env python3
"""The commands as a user types them: exit codes, messages with file and line, JSON, golden facts of a replay. Prints TAP.

test_cli.py FINGERPOST TOP_DIRECTORY
"""
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import traceback

FINGERPOST, TOP = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = str(TOP / "docs/examples/hub-spoke.yaml")
CASES = []


def case(function):
    CASES.append(function)
    return function


def run(*arguments, code=0):
    done = subprocess.run([FINGERPOST, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def document(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def pcap(frames, magic=0xA1B2C3D4, linktype=1, cut=0):
    """A pcap file of these frames; cut: bytes missing at the end."""
    data = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, linktype)
    for number, frame in enumerate(frames):
        data += struct.pack("<IIII", 1, number, len(frame), len(frame)) + frame
    return data[: len(data) - cut]


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source, destination, port, ttl=64):
    """An Ethernet frame with a UDP packet of 20 bytes payload."""
    udp = struct.pack(">HHHH", port, 4000, 28, 0) + bytes(20)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, ttl, 17, 0)
    header += bytes(map(int, source.split("."))) + bytes(map(int, destination.split(".")))
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return b"\x02" * 6 + b"\x04" * 6 + b"\x08\x00" + header + udp


def write(folder, name, data):
    path = pathlib.Path(folder, name)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def frames_of(path):
    data = pathlib.Path(path).read_bytes()
    at, frames = 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16: at + 16 + length])
        at += 16 + length
    return frames


@case
def help_of_every_command():
    text = run("--help").stdout
    for command in ("check", "routes", "trace", "diff", "learned", "advertised", "mrt", "events", "replay", "run", "demo", "bench"):
        assert command in text
        assert f"fingerpost {command}" in run(command, "--help").stdout


@case
def wrong_use_is_exit_code_2():
    for arguments in ([], ["nonsense"], ["routes"], ["routes", EXAMPLE], ["check", EXAMPLE, "--nonsense"],
                      ["replay", EXAMPLE, "--nic"], ["routes", EXAMPLE, "no-such-nic"],
                      ["run", EXAMPLE, "--bgp-port", "0"]):
        done = run(*arguments, code=2)
        assert done.stderr and not done.stdout, arguments
    assert "vm1" in run("routes", EXAMPLE, "no-such-nic", code=2).stderr


@case
def the_example_has_no_findings():
    found = document("check", EXAMPLE)
    assert found["errors"] == [] and found["findings"] == [], found


@case
def routes_of_a_spoke_vm():
    rows = document("routes", EXAMPLE, "vm1")
    assert rows["nic"] == "vm1"
    by_prefix = {}
    for row in rows["value"]:
        by_prefix.setdefault(row["addressPrefix"][0], []).append(row)
    default = by_prefix["0.0.0.0/0"]
    assert [row["state"] for row in default] == ["Active", "Invalid"], default
    assert default[0]["source"] == default[0]["nextHopType"] == "VirtualNetworkGateway"
    assert default[0]["nextHopIpAddress"] == ["10.0.1.4", "10.0.1.5"]
    assert default[1]["source"] == "Default" and default[1]["nextHopType"] == "Internet"
    assert by_prefix["10.1.0.0/16"][0]["nextHopType"] == "VnetLocal"
    assert by_prefix["10.0.0.0/22"][0]["nextHopType"] == "VNetPeering"
    assert len(by_prefix["10.0.0.0/8"][0]["nextHopIpAddress"]) == 2
    assert not any(row["nextHopType"] == "None" and row["state"] == "Active" for row in rows["value"])
    table = run("routes", EXAMPLE, "vm1").stdout
    assert table.splitlines()[0].split() == "Source State Address Prefix Next Hop Type Next Hop IP".split()


@case
def explain_names_the_rule():
    answer = document("routes", EXAMPLE, "vm1", "--explain", "0.0.0.0/0")
    assert answer["winner"]["nextHopIpAddress"] == ["10.0.1.4", "10.0.1.5"]
    verdicts = {(c["source"], c["verdict"]) for c in answer["candidates"]}
    assert ("VirtualNetworkGateway", "installed") in verdicts and ("Default", "lost") in verdicts
    assert all(c["rule"] for c in answer["candidates"])
    assert [65001] in [c["as_path"] for c in answer["candidates"]]
    run("routes", EXAMPLE, "vm1", "--explain", "10.0.0.1/8", code=2)


def nodes(path):
    return [hop["node"] for hop in path["hops"]]


@case
def trace_shows_every_way_there_and_back():
    answer = document("trace", EXAMPLE, "vm1", "vm2")
    assert {tuple(nodes(path)) for path in answer["paths"]} == {("vm1", "nva1-os", "vm2"), ("vm1", "nva2-os", "vm2")}
    assert all(0.4 < path["share"] < 0.6 and path["verdict"] == "delivered" for path in answer["paths"]), answer
    assert answer["paths"][0]["hops"][0]["matched"] == "10.0.0.0/8" and answer["symmetric"] is True
    assert {tuple(nodes(path)) for path in answer["reverse"]["paths"]} == \
        {("vm2", "nva1-os", "vm1"), ("vm2", "nva2-os", "vm1")}
    one = document("trace", EXAMPLE, "10.1.0.4", "10.2.0.4", "--proto", "udp", "--sport", "7", "--dport", "53")
    assert [path["share"] for path in one["paths"]] == [1.0]
    out = document("trace", EXAMPLE, "vm1", "2001:db8::1")
    assert all(path["hops"][-1]["node"] == "internet" for path in out["paths"]) and out["reverse"] is None
    assert out["paths"][0]["hops"][-2]["next_hop"] is None, out
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "fabric.yaml")
        path.write_text(pathlib.Path(EXAMPLE).read_text().replace("internet:", "internet:\n  next_hop: fe80::1"))
        out = document("trace", str(path), "vm1", "2001:db8::1")
        assert out["paths"][0]["hops"][-2]["next_hop"] == "fe80::1", out
    lost = document("trace", EXAMPLE, "vm1", "10.1.0.99", code=1)
    assert lost["paths"][0]["reason"] == "next-hop-unreachable"
    assert "and back" in run("trace", EXAMPLE, "vm1", "vm2").stdout
    for wrong in (["no-such", "vm2"], ["vm1", "no-such"], ["192.0.2.1", "vm2"], ["vm1", "vm2", "--sport", "70000"],
                  ["vm1", "vm2", "--proto", "tcpp"], ["10.1.0.4", "2001:db8::1"]):
        run("trace", EXAMPLE, *wrong, code=2)


TWO_LEGS = """
fabric: two-legs
vnets:
  - name: hub
    address_space: [10.0.0.0/16]
    subnets:
      - {name: outside, prefixes: [10.0.1.0/24], route_table: to-inside}
      - {name: inside, prefixes: [10.0.2.0/24], route_table: to-outside}
nics:
  - {name: a, subnet: hub/outside, addresses: [10.0.1.9]}
  - {name: b, subnet: hub/inside, addresses: [10.0.2.9]}
  - {name: leg-out, subnet: hub/outside, addresses: [10.0.1.4], ip_forwarding: true}
  - {name: leg-in, subnet: hub/inside, addresses: [10.0.2.4], ip_forwarding: true}
  - {name: plain, subnet: hub/inside, addresses: [10.0.2.5], ip_forwarding: true}
route_tables:
  - name: to-inside
    routes:
      - {prefix: 10.0.2.9/32, next_hop_type: VirtualAppliance, next_hop: 10.0.1.4}
      - {prefix: 192.0.2.0/24, next_hop_type: VirtualAppliance, next_hop: 10.0.2.5}
  - name: to-outside
    routes:
      - {prefix: 10.0.1.9/32, next_hop_type: VirtualAppliance, next_hop: 10.0.2.4}
      - {prefix: 192.0.2.0/24, next_hop_type: None}
routers:
  - {name: firewall, nic: [leg-out, leg-in], asn: 65001, stateful: true,
     static: [{prefix: 10.0.2.9/32, via: 10.0.2.1}]}
"""


@case
def trace_goes_through_a_router_by_the_leg_that_its_own_routes_name():
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "two-legs.yaml", TWO_LEGS.encode())
        answer = document("trace", path, "a", "b")
        assert [hop["nic"] for hop in answer["paths"][0]["hops"]] == ["a", "leg-in", "b"], answer
        assert [hop["nic"] for hop in answer["reverse"]["paths"][0]["hops"]] == ["b", "leg-out", "a"], answer
        lost = document("trace", path, "a", "192.0.2.7", code=1)["paths"][0]
        assert nodes(lost) == ["a", "plain"] and lost["reason"] == "null-route", lost


@case
def check_follows_packets_and_finds_loops_black_holes_and_lost_answers():
    good = pathlib.Path(EXAMPLE).read_text()
    azure = good.replace("mode: native", "mode: azure")
    with tempfile.TemporaryDirectory() as folder:
        def rules(name, text, code=1):
            findings = document("check", write(folder, name, text), code=code)["findings"]
            return {(finding["rule"], finding["object"]) for finding in findings
                    if finding["rule"] in ("loop", "blackhole", "asymmetry")}, findings

        assert rules("azure.yaml", azure)[0] == set()
        # Without a route table of their own the NVAs get their own default route back.
        loops, findings = rules("loop.yaml", azure.replace(", route_table: nva-egress", ""))
        assert loops == {("loop", "nics[nva1]"), ("loop", "nics[nva2]")}, findings
        assert any("198.51.100.1" in finding["message"] and finding["line"] > 0 for finding in findings)
        # Each direction hashes alone, so half of the answers come to the firewall that knows nothing of them.
        lost, findings = rules("stateful.yaml", azure.replace("    nic: nva1\n", "    nic: nva1\n    stateful: true\n")
                               .replace("    nic: nva2\n", "    nic: nva2\n    stateful: true\n"))
        assert lost == {("asymmetry", "nics[nva1]"), ("asymmetry", "nics[nva2]")}, findings
        # A spoke that refuses what others forward.
        holes, findings = rules("hole.yaml", good.replace("spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}",
                                                          "spoke2: {use_remote_gateways: true}"))
        assert {rule for rule, _ in holes} == {"blackhole"}, findings
        assert any("forwarded-traffic-not-allowed" in finding["message"] for finding in findings)


@case
def check_speaks_to_code_hosts():
    good = pathlib.Path(EXAMPLE).read_text()
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "a,b.yaml", good.replace(
            "spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}", "spoke2: {use_remote_gateways: true}"))
        lines = run("check", path, "--github", code=1).stdout.splitlines()
        assert lines and all(line.startswith("::warning file=") and "a%2Cb.yaml,line=" in line for line in lines), lines
        assert any(",title=blackhole::" in line for line in lines)
        sarif = json.loads(run("check", path, "--sarif", code=1).stdout)
        results = sarif["runs"][0]["results"]
        assert sarif["version"] == "2.1.0" and {result["ruleId"] for result in results} == {"blackhole", "L14"}
        place = results[0]["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == path and place["region"]["startLine"] > 1
        assert {rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]} == {"blackhole", "L14"}
        odd = pathlib.Path(folder, "a,b%c:d é")
        odd.mkdir()
        (odd / "f.yaml").write_text("fabric: x\nvnetz: 7\n")
        sarif = json.loads(run("check", str(odd / "f.yaml"), "--sarif", code=2).stdout)
        uri = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.endswith("/a,b%25c%3Ad%20%C3%A9/f.yaml"), uri
        assert "/a%2Cb%25c%3Ad é/f.yaml,line=2," in run("check", str(odd / "f.yaml"), "--github", code=2).stdout
        bad = write(folder, "bad.yaml", "fabric: x\nvnetz: 7\n")
        assert run("check", bad, "--github", code=2).stdout.startswith("::error file=")
        run("check", path, "--github", "--json", code=2)


@case
def diff_shows_routes_paths_and_findings_that_change():
    good = pathlib.Path(EXAMPLE).read_text()
    nothing = document("diff", EXAMPLE, EXAMPLE)
    assert set(nothing) == {"objects", "routes", "learned", "paths", "findings_added", "findings_removed"}, nothing
    assert not any(nothing.values()), nothing
    with tempfile.TemporaryDirectory() as folder:
        # A spoke that refuses what others forward: no route changes, but packets get lost.
        refusing = write(folder, "refusing.yaml", good.replace(
            "spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}", "spoke2: {use_remote_gateways: true}"))
        there = document("diff", EXAMPLE, refusing, code=1)
        assert there["routes"] == [] and there["findings_removed"] == []
        assert {finding["rule"] for finding in there["findings_added"]} == {"blackhole", "L14"}
        change = next(path for path in there["paths"] if path["ends"].startswith("vm1 to vm2 (10."))
        assert all(way.endswith("vm2: delivered") for way in change["before"]), change
        assert all(way.endswith("forwarded-traffic-not-allowed") for way in change["after"]), change
        back = document("diff", refusing, EXAMPLE, code=1)
        assert back["findings_removed"] == there["findings_added"] and back["findings_added"] == []
        # One prefix less, one NIC more.
        text = good.replace("[10.0.0.0/8, ", "[").replace(
            "nics:\n", "nics:\n  - {name: vm9, subnet: spoke1/vms, addresses: [10.1.0.9]}\n", 1)
        routes = document("diff", EXAMPLE, write(folder, "less.yaml", text), code=1)["routes"]
        gone = next(row for row in routes if (row["nic"], row["prefix"]) == ("vm1", "10.0.0.0/8"))
        assert gone["before"]["nextHopIpAddress"] == ["10.0.1.4", "10.0.1.5"] and gone["after"] is None
        assert any(row["nic"] == "vm9" and row["before"] is None for row in routes)
        assert "+ " in run("diff", EXAMPLE, refusing, code=1).stdout
        # The same ways, but for whom the receiver sees.
        hidden = document("diff", EXAMPLE, write(folder, "hidden.yaml", good.replace(
            "    asn: 65001\n", "    asn: 65001\n    source_nat: true\n")), code=1)
        assert hidden["routes"] == [], hidden["routes"]
        change = next(path for path in hidden["paths"] if path["ends"].startswith("vm1 to vm2 (10."))
        assert all(", which sees 10.0.1." in way for way in change["after"]), change
        assert not any("which sees" in way for way in change["before"]), change
        run("diff", EXAMPLE, str(pathlib.Path(folder, "none.yaml")), code=2)


@case
def diff_names_what_changed_and_what_routers_are_told():
    with tempfile.TemporaryDirectory() as folder:
        # Order and comments are no change; a timer changes no route, and is one.
        good = pathlib.Path(EXAMPLE).read_text()
        first, last = (line for line in good.splitlines() if "name: nva1, subnet" in line or "name: vm2, subnet" in line)
        swapped = good.replace(first, "FIRST").replace(last, first).replace("FIRST", last)
        assert swapped != good and not any(document("diff", EXAMPLE, write(folder, "order.yaml", "# again\n" + swapped)).values())
        timed = write(folder, "timed.yaml", good.replace("{name: nva2, address: 10.0.1.5,", "{name: nva2, hold_time_s: 30, "
                                                         "address: 10.0.1.5,"))
        there = document("diff", EXAMPLE, timed, code=1)
        named = [(row["object"], row["change"], row["keys"]) for row in there["objects"]]
        assert ("route_servers[rs1].peers[nva2]", "changed", "hold_time_s") in named, named
        assert all(row["file"] == timed and row["line"] > 1 for row in there["objects"]), there["objects"]
        assert not there["routes"] + there["learned"] + there["paths"] + there["findings_added"], there
        text = run("diff", EXAMPLE, timed, code=1).stdout
        assert "  ~ route_servers[rs1].peers[nva2]: hold_time_s\n" in text and "no route, path or finding changes" in text, text
    # No NIC sees the tag of NO_ADVERTISE; who is on the other side of BGP does.
    tagged = pathlib.Path(TOP, "docs/examples/no-advertise/fabric.yaml").read_text()
    with tempfile.TemporaryDirectory() as folder:
        untagged = write(folder, "untagged.yaml", "\n".join(line for line in tagged.splitlines() if "no-advertise]" not in line))
        before = str(pathlib.Path(TOP, "docs/examples/no-advertise/fabric.yaml"))
        there = document("diff", before, untagged, code=1)
        assert there["routes"] == [] and there["paths"], there["routes"]
        at_cpe = [row for row in there["learned"] if row["router"] == "cpe"]
        assert len(at_cpe) == 8 and all(row["before"] == [] and row["after"] == ["12076 from msee"] for row in at_cpe), at_cpe
        back = document("diff", untagged, before, code=1)
        assert [(row["after"], row["before"]) for row in back["learned"]] == [(row["before"], row["after"])
                                                                            for row in there["learned"]]


@case
def learned_and_advertised_of_both_ends():
    def networks(rows, family):
        return {row["network"]: row for row in rows if (":" in row["network"]) == (family == 6)}

    learned = document("learned", EXAMPLE, "rs1", "nva1")
    assert set(learned) == {"RouteServiceRole_IN_0", "RouteServiceRole_IN_1"}
    for rows in learned.values():
        assert set(networks(rows, 4)) == {"0.0.0.0/0", "10.0.0.0/8"}, rows
        assert all(row["asPath"] == "65001" and row["origin"] == "EBgp" and row["sourcePeer"] == "10.0.1.4"
                   for row in rows)
    for instance in (0, 1):
        rows = networks(document("advertised", EXAMPLE, "rs1", "10.0.1.5")[f"RouteServiceRole_IN_{instance}"], 4)
        for network in ("10.0.0.0/22", "10.1.0.0/16", "10.2.0.0/16"):
            assert rows[network]["asPath"] == "65515" and rows[network]["nextHop"] == f"10.0.0.{4 + instance}", rows
        assert rows["10.0.0.0/8"]["asPath"] == "65515-65001", rows
    from_server = document("learned", EXAMPLE, "nva2-os", "rs1")["RouteServiceRole_IN_0"]
    assert set(networks(from_server, 4)) == {"10.0.0.0/22", "10.1.0.0/16", "10.2.0.0/16"}, from_server
    assert networks(from_server, 6)["fd00:11::/48"]["nextHop"] == "fd00:10::4", from_server
    loops = [row for row in document("learned", EXAMPLE, "nva2-os", "rs1", "--all")["RouteServiceRole_IN_0"]
             if "own AS" in row["verdict"]]
    assert {"10.0.0.0/8", "0.0.0.0/0"} <= {row["network"] for row in loops}, loops
    assert networks(document("advertised", EXAMPLE, "nva1-os", "rs1")["RouteServiceRole_IN_1"], 4)
    assert "10.0.0.0/8" in run("learned", EXAMPLE, "rs1", "nva1").stdout
    run("learned", EXAMPLE, "rs9", "nva1", code=2)
    run("learned", EXAMPLE, "rs1", "nobody", code=2)


@case
def bad_files_are_named_with_their_line():
    good = pathlib.Path(EXAMPLE).read_text()
    with tempfile.TemporaryDirectory() as folder:
        for name, text, needle in (
                ("unknown key", good + "\nvnetz: []\n", "vnets"),
                ("wrong type", good.replace("peerings:", "peerings: 7\npeeringz:"), "peerings"),
                ("not YAML", "fabric: [", ""),
                ("empty", "", "")):
            path = write(folder, "bad.yaml", text)
            for command in (["check", path], ["routes", path, "vm1"], ["run", path]):
                done = run(*command, code=2)
                said = done.stdout + done.stderr
                assert f"{path}:" in said and needle in said, (name, command, said)
        assert "no-such" in run("routes", folder + "/no-such.yaml", "vm1", code=2).stderr
        errors = document("check", write(folder, "bad.yaml", good + "\nvnetz: []\n"), code=2)["errors"]
        assert errors[0]["line"] == len(good.splitlines()) + 2, errors


@case
def replay_accounts_for_every_packet():
    frames = [udp4("10.1.0.4", f"10.9.{i % 7}.9", 1000 + i) for i in range(500)]
    frames += [udp4("10.1.0.4", "10.0.2.4", 9), udp4("10.1.0.4", "10.1.0.99", 9), udp4("10.1.0.4", "8.8.8.8", 9, ttl=1)]
    frames += [b"\x02" * 6 + b"\x04" * 6 + b"\x88\xcc" + bytes(40), b"\x02" * 10]
    with tempfile.TemporaryDirectory() as folder:
        trace = write(folder, "in.pcap", pcap(frames))
        outs = [f"{folder}/a,b=1.pcap", f"{folder}/two.pcap"]
        reports = [document("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--out", out) for out in outs]
        report = reports[0]
        assert report["received"] == len(frames)
        assert report["received"] == report["forwarded"] + report["answered"] + sum(report["dropped"].values())
        assert report["forwarded"] == 501, report
        assert report["dropped"] == {"next-hop-unreachable": 1, "ttl-expired": 1, "unknown-ethertype": 1,
                                     "too-short": 1}, report
        members = {m["next_hop"]: m for m in report["members"]}
        assert set(members) == {"10.0.1.4", "10.0.1.5"}
        assert sum(m["flows"] for m in members.values()) == 500
        assert min(m["flows"] for m in members.values()) > 180
        first, second = frames_of(outs[0]), frames_of(outs[1])
        assert first == second and len(first) == 501
        assert first[0][14 + 8] == 63 and checksum(first[0][14:34]) == 0
        assert report["flow_sizes"] == [{"least": 1, "most": 1, "flows": 503, "packets": 503, "bytes": 503 * 62}], report

        looped = document("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--out", outs[1], "--loop", "3",
                          "--rate", "200k")
        for key in ("received", "forwarded", "answered"):
            assert looped[key] == 3 * report[key], looped
        assert looped["dropped"] == {reason: 3 * n for reason, n in report["dropped"].items()}
        assert frames_of(outs[1]) == 3 * first
        for member in looped["members"]:
            once = members[member["next_hop"]]
            assert (member["flows"], member["packets"]) == (once["flows"], 3 * once["packets"]), looped
        assert [(size["least"], size["most"], size["flows"]) for size in looped["flow_sizes"]] == [(2, 3, 503)], looped
        assert "Packets a flow" in run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--rate", "recorded").stdout
        for wrong in (("--loop", "0"), ("--loop", "-1"), ("--loop", "x"), ("--rate", "0"), ("--rate", "-5"),
                      ("--rate", "5G"), ("--rate", "nan"), ("--rate", "1e99")):
            assert wrong[0] in run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, *wrong, code=2).stderr, wrong


@case
def a_failed_nva_moves_only_its_own_flows():
    frames = [udp4("10.1.0.4", "10.9.1.1", 1000 + i) for i in range(400)] * 2
    with tempfile.TemporaryDirectory() as folder:
        trace = write(folder, "in.pcap", pcap(frames))
        text = run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--fail", "nva1-os", "--fail-at", "400").stdout
        assert "400 flows seen on both sides" in text and ", 0 of them needlessly" in text, text
        report = document("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--fail", "nva1-os")
        assert [m["next_hop"] for m in report["members"]] == ["10.0.1.5"]


@case
def a_silent_nva_is_noticed_by_bfd_or_by_the_hold_time():
    frames = [udp4("10.1.0.4", "10.9.1.1", 1000 + i) for i in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        trace = write(folder, "in.pcap", pcap(frames))
        text = pathlib.Path(EXAMPLE).read_text()
        with_bfd = write(folder, "bfd.yaml", re.sub(r"(address: 10\.0\.1\.[45], asn: 65001)",
                                                    r"\1, bfd: {interval_ms: 50, multiplier: 3}", text).encode())
        took = []
        for fabric in (EXAMPLE, with_bfd):
            said = run("replay", fabric, "--nic", "vm1", "--in", trace, "--fail", "nva1-os", "--fail-how", "silence")
            took.append(int(re.search(r"converged in (\d+) ms of virtual time", said.stdout).group(1)))
        assert took[0] > 20000 and took[1] <= 152, took
        said = run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--fail", "nva1-os", "--fail-how", "x", code=2)
        assert "kill, stop or silence" in said.stderr


@case
def a_map_says_who_sent_a_frame():
    frames = [udp4("10.1.0.4", "10.9.1.1", 1), udp4("10.2.0.4", "10.0.2.4", 2), udp4("10.77.0.1", "10.0.2.4", 3)]
    with tempfile.TemporaryDirectory() as folder:
        trace = write(folder, "in.pcap", pcap(frames))
        by_source = write(folder, "map", "# who sent what\n10.1.0.0/16 vm1\n\n10.0.0.0/8 hubvm # all else\n10.2.0.0/16 vm2\n")
        report = document("replay", EXAMPLE, "--map", by_source, "--in", trace, "--source-check")
        assert report["forwarded"] == 2 and report["dropped"] == {"source-check": 1}, report
        strict = write(folder, "strict", "10.2.0.0/16 vm2\n")
        report = document("replay", EXAMPLE, "--map", strict, "--in", trace)
        assert report["forwarded"] == 1 and report["dropped"] == {"unknown-attachment": 2}, report
        report = document("replay", EXAMPLE, "--map", strict, "--nic", "vm1", "--in", trace)
        assert report["forwarded"] == 3, report
        for text in ("10.0.0.1/8 vm1", "10.0.0.0/8 nobody", "10.0.0.0/8", "10.0.0.0/8 vm1 vm2", "x" * 2000,
                     "10.0.0.0/8 vm1\n10.0.0.0/8 vm2"):
            bad = write(folder, "bad-map", "\n" + text)
            said = run("replay", EXAMPLE, "--map", bad, "--in", trace, code=2).stderr
            assert "bad-map:2: " in said or "bad-map:3: " in said, said


POLICY = str(TOP / "docs/examples/policy.yaml")


@case
def policies_say_which_rule_spoke():
    assert run("check", POLICY).stdout.endswith("nothing to complain about\n")
    rows = {row["network"]: row for row in document("learned", POLICY, "rs1", "nva1", "--all")["RouteServiceRole_IN_0"]}
    assert rows["192.168.1.0/24"]["communities"] == ["65515:1001"], rows
    assert rows["192.168.2.0/24"]["localPreference"] == 50, rows
    refused = rows["192.168.2.128/25"]
    assert refused["policy"]["name"] == "from-customer" and refused["policy"]["rule"] == 3, refused
    assert not refused["policy"]["accepted"] and refused["policy"]["file"] == POLICY, refused
    assert refused["verdict"].startswith("filtered: policy from-customer rule 3 ("), refused
    line = pathlib.Path(POLICY).read_text().splitlines()[refused["policy"]["line"] - 1]
    assert line.strip() == "- then: reject", line
    shown = {row["network"] for row in document("learned", POLICY, "rs1", "nva1")["RouteServiceRole_IN_0"]}
    assert shown == {"172.16.0.0/12", "192.168.1.0/24", "192.168.2.0/24"}, shown


@case
def policies_decide_what_each_peer_is_told():
    rows = {row["network"]: row for row in document("advertised", POLICY, "rs1", "nva2", "--all")["RouteServiceRole_IN_0"]}
    told = rows["192.168.1.0/24"]
    assert told["asPath"] == "65515-65515-65515-65001" and told["med"] == 100 and told["communities"] == [], told
    assert rows["172.16.0.0/12"]["verdict"].startswith("filtered: policy to-partner rule 3 ("), rows
    assert rows["10.1.0.0/16"]["policy"]["rule"] == 1, rows
    seen = {row["network"] for row in document("learned", POLICY, "partner", "rs1")["RouteServiceRole_IN_1"]}
    assert seen == {"10.0.0.0/22", "10.1.0.0/16", "192.168.1.0/24"}, seen


@case
def policies_decide_what_a_vm_has():
    rows = {row["addressPrefix"][0]: row for row in document("routes", POLICY, "vm1")["value"] if row["state"] == "Active"}
    assert rows["172.16.0.0/12"]["nextHopIpAddress"] == ["10.0.1.4"], rows
    assert rows["0.0.0.0/0"]["nextHopType"] == "Internet", rows
    assert "8.8.8.0/24" not in rows and "192.168.2.0/24" in rows, rows
    lost = [c for c in document("routes", POLICY, "vm1", "--explain", "172.16.0.0/12")["candidates"] if c["via"] == "nva2"]
    assert {c["rule"] for c in lost} == {"local-preference"} and {c["verdict"] for c in lost} == {"lost"}, lost
    kept = document("routes", POLICY, "vm1", "--explain", "0.0.0.0/0")["candidates"][0]
    assert kept["rule"] == "policy" and kept["policy"]["name"] == "from-partner" and kept["policy"]["rule"] == 2, kept


@case
def a_required_policy_that_is_missing_keeps_routes_out():
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(POLICY).read_text().replace("import: from-customer, export: to-customer", "")
        fabric = write(folder, "fabric.yaml", text)
        rows = document("learned", fabric, "rs1", "nva1", "--all")["RouteServiceRole_IN_0"]
        assert rows and all(row["verdict"] == "filtered: policy none (RFC 8212 wants one)" for row in rows), rows
        assert document("learned", fabric, "customer", "rs1")["RouteServiceRole_IN_0"] == []


@case
def a_bad_policy_is_named_with_its_line():
    cases = {'as_path: "^65002( 65010)*$"': ('as_path: "^65002("', "a '(' has no ')' (at character 8)"),
             "as_path_length: le 3": ("as_path_length: few", "is not a range of numbers like 5 or ge 2 le 5"),
             '"192.168.0.0/16 le 24"': ('"192.168.0.0/16 le 12"', "the lengths must be at least the prefix's own"),
             'communities: ["65001:666"]': ('communities: ["65001:"]', "a community is like 65001:100"),
             "local_preference: 50": ("local_preference: -1", "local_preference: '-1' is not a whole number from 0 to 4294967295"),
             "sources: [Local]": ("sources: [NVAs]", "is not one of: NVA, ExpressRoute, VpnGateway, Local")}
    with tempfile.TemporaryDirectory() as folder:
        for good, (bad, said) in cases.items():
            text = pathlib.Path(POLICY).read_text()
            line = text[: text.index(good)].count("\n") + 1
            fabric = write(folder, "fabric.yaml", text.replace(good, bad, 1))
            complaint = run("routes", fabric, "vm1", code=2).stderr
            assert f"fabric.yaml:{line}: " in complaint and said in complaint, (bad, complaint)


@case
def bad_traces_are_named():
    with tempfile.TemporaryDirectory() as folder:
        whole = [udp4("10.1.0.4", "10.9.1.1", i) for i in range(10)]
        for name, data in (("truncated.pcap", pcap(whole, cut=5)), ("text.pcap", "not a capture at all, but text"),
                           ("empty.pcap", b""), ("wifi.pcap", pcap(whole, linktype=105))):
            path = write(folder, name, data)
            out = pathlib.Path(folder, "out.pcap")
            done = run("replay", EXAMPLE, "--nic", "vm1", "--in", path, "--out", str(out), code=2)
            assert name in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
            assert not out.exists(), name
        done = run("replay", EXAMPLE, "--nic", "vm1", "--in", folder + "/none.pcap", code=2)
        assert "none.pcap" in done.stderr
        empty = write(folder, "no-packets.pcap", pcap([]))
        assert document("replay", EXAMPLE, "--nic", "vm1", "--in", empty)["received"] == 0


VLAN_FABRIC = """
fabric: vlans
vnets:
  - name: v
    address_space: [10.1.0.0/16]
    subnets: [{name: s, prefixes: [10.1.0.0/24]}]
ports: [{name: trunk, device: net_null, mtu: 9000}]
nics:
  - {name: a, subnet: v/s, addresses: [10.1.0.4]}
  - {name: b, subnet: v/s, addresses: [10.1.0.5], port: trunk, vlan: 12}
"""


@case
def tags_come_off_and_the_receivers_goes_on():
    plain = udp4("10.1.0.4", "10.1.0.5", 7)
    frames = [plain[:12] + tags + plain[12:] for tags in (
        b"", b"\x81\x00\x00\x63", b"\x88\xa8\x00\x01\x81\x00\x00\x02",
        b"\x91\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03")]
    jumbo = bytearray(plain + bytes(8000))
    jumbo[16:18] = struct.pack(">H", len(jumbo) - 14)
    jumbo[20:22] = b"\x40\x00"
    jumbo[24:26] = b"\0\0"
    jumbo[24:26] = struct.pack(">H", checksum(bytes(jumbo[14:34])))
    frames.append(bytes(jumbo))
    with tempfile.TemporaryDirectory() as folder:
        fabric, trace = write(folder, "f.yaml", VLAN_FABRIC), write(folder, "in.pcap", pcap(frames))
        report = document("replay", fabric, "--nic", "a", "--in", trace, "--out", folder + "/out.pcap")
        assert report["forwarded"] == len(frames), report
        for frame in frames_of(folder + "/out.pcap"):
            assert frame[12:18] == b"\x81\x00\x00\x0c\x08\x00", frame[:20].hex()


@case
def what_is_no_file_is_refused_at_once():
    with tempfile.TemporaryDirectory() as folder:
        fifo = folder + "/fifo.yaml"
        os.mkfifo(fifo)
        trace = write(folder, "in.pcap", pcap([udp4("10.1.0.4", "10.9.1.1", 1)]))
        run("check", fifo, code=2)
        run("check", folder, code=2)
        run("check", "/dev/zero", code=2)
        for special in (fifo, "/dev/zero"):
            assert special in run("replay", EXAMPLE, "--map", special, "--in", trace, code=2).stderr
            assert special in run("replay", EXAMPLE, "--nic", "vm1", "--in", special, code=2).stderr
        run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--out", "/dev/full", code=2)
        run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--out", "/dev/null")
        run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--fail-at", "0", code=2)
        run("replay", EXAMPLE, "--nic", "vm1", "--in", trace, "--fail", "nva1-os", "--fail-at", "9", code=2)


@case
def a_key_that_cannot_be_used_does_not_run():
    good = pathlib.Path(EXAMPLE).read_text()
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "keyed.yaml", good.replace("asn: 65001", "asn: 65001, key_file: k", 1))
        assert "peer 'nva1': key_file k cannot be read" in run("run", path, code=2).stderr
        write(folder, "k", "s3cret\n")
        pathlib.Path(folder, "k").chmod(0o644)
        assert "chmod 600" in run("run", path, code=2).stderr
        assert "key_file" not in run("routes", path, "vm1").stderr, "the twin needs no keys"


@case
def findings_say_what_they_are_about_and_what_would_be_right():
    good = pathlib.Path(EXAMPLE).read_text()
    with tempfile.TemporaryDirectory() as folder:
        for text in (good.replace("allow_gateway_transit: true, ", "", 1),
                     good.replace("ip_forwarding: true", "ip_forwarding: false", 1),
                     good.replace("  - vnets: [hub, spoke1]\n", "  - vnets: [hub, spoke1]\n    in_sync: false\n")):
            assert text != good
            path = write(folder, "f.yaml", text)
            found = document("check", path, code=1)["findings"]
            assert found and all(set(f) >= {"rule", "object", "message", "remedy", "file", "line"} for f in found), found
            assert f"{path}:{found[0]['line']}: warning: " in run("check", path, code=1).stdout
        path = write(folder, "azure.yaml", "mode: azure\nvnets: [{name: v, address_space: [10.0.0.0/16]}]\n")
        report = document("check", path)
        assert report == {"errors": [], "findings": []}, report


@case
def the_demo_tells_its_story():
    text = run("demo", EXAMPLE).stdout
    for needle in ("Effective routes of vm1", "received = forwarded + answered + dropped: 60000 = 60000",
                   "flows moved that need not have moved: 0", "Mpps", "before the failure", "after it"):
        assert needle in text, needle


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}")
        except Exception:  # every failure is told as TAP, with where it happened
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

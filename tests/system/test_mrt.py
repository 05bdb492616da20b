#!/usr/bin/env python3
"""MRT files against other programs: bgpdump reads ours, we read BIRD's; packed and damaged ones. Prints TAP.

test_mrt.py FINGERPOST TOP_DIRECTORY
"""
import bz2
import gzip
import json
import lzma
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback

FINGERPOST, TOP = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = str(TOP / "docs/examples/hub-spoke.yaml")
CASES = []


class Skip(Exception):
    """This machine lacks a program that the case is about."""


def case(function):
    CASES.append(function)
    return function


def need(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def run(*arguments, code=0):
    done = subprocess.run([FINGERPOST, "mrt", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def shown(path, *arguments, code=0):
    return json.loads(run("show", path, "--json", *arguments, code=code).stdout)


def routes(document):
    return [row for row in document["records"] if row["record"] == "route"]


def dump(folder):
    path = os.path.join(folder, "rib.mrt")
    run("dump", EXAMPLE, "--out", path)
    return path


@case
def bgpdump_reads_the_same_routes_of_our_dump():
    program = need("bgpdump")
    with tempfile.TemporaryDirectory() as folder:
        path = dump(folder)
        done = subprocess.run([program, "-m", path], capture_output=True, text=True, timeout=60, check=True)
        ours = {(row["sourcePeer"], str(row["sourceAsn"]), row["network"], row["asPath"].replace("-", " "),
                 row["nextHop"]) for row in routes(shown(path))}
        theirs = set()
        for line in done.stdout.splitlines():
            fields = line.split("|")
            theirs.add((fields[3], fields[4], fields[5], fields[6], fields[8]))
        assert len(ours) > 10 and any(":" in row[2] for row in ours), ours
        assert ours == theirs, ours ^ theirs


BIRD = """
router id 10.9.9.9;
ipv4 table master4;
ipv6 table master6;
protocol device {{}}
filter as_bgp {{
    bgp_origin = ORIGIN_INCOMPLETE; bgp_path.prepend(65001); bgp_path.prepend(4200000001);
    bgp_med = 7; bgp_local_pref = 250;
    bgp_community.add((65001, 99)); bgp_large_community.add((4200000001, 2, 3));
    accept;
}}
protocol static {{ ipv4 {{ import filter as_bgp; }}; {routes4} }}
protocol static {{ ipv6 {{ import filter as_bgp; }}; route 2001:db8:77::/48 blackhole; }}
protocol mrt {{ table "master4"; filename "{folder}/bird4.mrt"; period 1; }}
protocol mrt {{ table "master6"; filename "{folder}/bird6.mrt"; period 1; }}
"""


def bird_dumps(folder):
    """Lets a BIRD of our own write its tables; returns the two files."""
    program = need("bird")
    prefixes = "".join(f"route 10.{i}.0.0/16 blackhole; " for i in range(100))
    config = os.path.join(folder, "bird.conf")
    pathlib.Path(config).write_text(BIRD.format(folder=folder, routes4=prefixes))
    bird = subprocess.Popen([program, "-f", "-c", config, "-s", os.path.join(folder, "bird.ctl"), "-P",
                             os.path.join(folder, "bird.pid")], stderr=subprocess.PIPE, text=True)
    files = [os.path.join(folder, name) for name in ("bird4.mrt", "bird6.mrt")]
    try:
        deadline = time.monotonic() + 20
        # Written once a second: there are two dumps in each once the first is whole.
        while not all(os.path.exists(name) and os.path.getsize(name) > 0 for name in files):
            assert time.monotonic() < deadline and bird.poll() is None, "BIRD wrote no table"
            time.sleep(0.1)
        time.sleep(0.5)
    finally:
        bird.terminate()
        bird.wait(10)
    return files


@case
def tables_that_bird_wrote_are_read_whole():
    with tempfile.TemporaryDirectory() as folder:
        file4, file6 = bird_dumps(folder)
        found = routes(shown(file4))
        assert {row["network"] for row in found} == {f"10.{i}.0.0/16" for i in range(100)}
        row = found[0]
        assert row["asPath"] == "4200000001-65001" and row["origin"] == "Incomplete", row
        assert row["med"] == 7 and row["localPref"] == 250, row
        assert set(row["communities"]) == {"65001:99", "4200000001:2:3"}, row
        assert {row["network"] for row in routes(shown(file6))} == {"2001:db8:77::/48"}


@case
def packed_files_say_the_same():
    with tempfile.TemporaryDirectory() as folder:
        path = dump(folder)
        data = pathlib.Path(path).read_bytes()
        plain = shown(path)
        for name, module in (("gz", gzip), ("bz2", bz2), ("xz", lzma)):
            packed = pathlib.Path(folder, "packed." + name)
            packed.write_bytes(module.compress(data))
            assert shown(str(packed)) == plain, name
            # Two packed files one after another are one file.
            packed.write_bytes(module.compress(data[:90]) + module.compress(data[90:]))
            assert shown(str(packed)) == plain, name
            packed.write_bytes(module.compress(data)[:-20])
            # Of bzip2's one block nothing comes out; the others give what was before the damage.
            assert "damaged or cut short" in run("show", str(packed), code=2 if name == "bz2" else 1).stderr, name


@case
def filters_choose_by_prefix_and_peer():
    with tempfile.TemporaryDirectory() as folder:
        path = dump(folder)
        some = routes(shown(path, "--prefix", "10.0.0.0/8", "--peer", "10.0.1.5"))
        assert some and {(row["network"], row["sourcePeer"]) for row in some} == {("10.0.0.0/8", "10.0.1.5")}
        assert "is not a prefix" in run("show", path, "--prefix", "10.0.0.1/8", code=2).stderr
        assert routes(shown(path, "--summary")) == []


@case
def damage_is_said_and_left_out():
    with tempfile.TemporaryDirectory() as folder:
        data = bytearray(pathlib.Path(dump(folder)).read_bytes())
        whole = shown(os.path.join(folder, "rib.mrt"))
        bad = os.path.join(folder, "bad.mrt")
        index_size = 12 + int.from_bytes(data[8:12], "big")
        wrong = bytearray(data)
        wrong[index_size + 16] = 99  # a prefix of 99 bits
        pathlib.Path(bad).write_bytes(wrong)
        document = shown(bad, code=1)
        assert document["damaged"] == 1 and len(routes(document)) < len(routes(whole)), document
        assert f"byte {index_size}: TABLE_DUMP_V2/RIB_IPV4_UNICAST: malformed" in run("show", bad, code=1).stderr
        pathlib.Path(bad).write_bytes(data[:-3])
        assert "ends within a record" in run("show", bad, code=1).stderr
        pathlib.Path(bad).write_bytes(b"no table at all, whatever it is")
        run("show", bad, code=2)
        run("show", folder, code=2)
        run("show", os.path.join(folder, "absent"), code=2)


@case
def two_dumps_are_equal_to_the_byte():
    with tempfile.TemporaryDirectory() as folder:
        first = pathlib.Path(dump(folder)).read_bytes()
        assert first == pathlib.Path(dump(folder)).read_bytes()


@case
def a_dump_needs_a_file_and_a_node_that_is_there():
    run("dump", EXAMPLE, code=2)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        assert "no route server or router 'rs9'" in run("dump", EXAMPLE, "--out", path, "--node", "rs9", code=2).stderr
        run("dump", EXAMPLE, "--out", os.path.join(folder, "no/such/folder"), code=2)
        run("dump", EXAMPLE, "--out", path, "--node", "nva1-os")
        assert {row["sourcePeer"] for row in routes(shown(path))} >= {"0.0.0.0", "10.0.0.4"}


def record(seconds, kind, subtype, body):
    return struct.pack(">IHHI", seconds, kind, subtype, len(body)) + body


def path_of(*asns):
    return struct.pack(">BB", 2, len(asns)) + b"".join(struct.pack(">I", asn) for asn in asns)


def attributes_of(*asns):
    path = path_of(*asns)
    return bytes([0x40, 1, 1, 0, 0x40, 2, len(path)]) + path + bytes([0x40, 3, 4, 192, 0, 2, 1])


def prefix_of(text):
    address, length = text.split("/")
    return bytes([int(length)]) + bytes(map(int, address.split(".")))[: (int(length) + 7) // 8]


PEERS = {"192.0.2.1": 64601, "192.0.2.2": 64602}


def table(*rows):
    """A table of two peers; rows: prefix, {peer's place: AS path}."""
    index = struct.pack(">IHH", 1, 0, len(PEERS))
    for address, asn in PEERS.items():
        packed = bytes(map(int, address.split(".")))
        index += b"\2" + packed + packed + struct.pack(">I", asn)
    data = record(1, 13, 1, index)
    for prefix, paths in rows:
        body = struct.pack(">I", 0) + prefix_of(prefix) + struct.pack(">H", len(paths))
        for place, asns in paths.items():
            attributes = attributes_of(*asns)
            body += struct.pack(">HIH", place, 1, len(attributes)) + attributes
        data += record(1, 13, 2, body)
    return data


def update(seconds, peer, withdrawn=(), announced=(), asns=()):
    gone = b"".join(map(prefix_of, withdrawn))
    attributes = attributes_of(*asns) if announced else b""
    body = struct.pack(">H", len(gone)) + gone + struct.pack(">H", len(attributes)) + attributes
    body += b"".join(map(prefix_of, announced))
    message = b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body
    ends = struct.pack(">IIHH", PEERS[peer], 65000, 0, 1) + bytes(map(int, peer.split("."))) + bytes([10, 0, 0, 9])
    return record(seconds, 16, 4, ends + message)


def fabric_with(folder, key):
    """The example, with a table for nva1's router."""
    text = pathlib.Path(EXAMPLE).read_text()
    assert "  - name: nva1-os\n" in text
    path = pathlib.Path(folder, "fabric.yaml")
    path.write_text(text.replace("  - name: nva1-os\n", f"  - name: nva1-os\n    table: {key}\n"))
    return str(path)


def fingerpost(*arguments, code=0):
    done = subprocess.run([FINGERPOST, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def learned(path):
    """What the route server has from nva1: network -> AS path."""
    document = json.loads(fingerpost("learned", path, "rs1", "nva1", "--json").stdout)
    return {row["network"]: row["asPath"] for row in document["RouteServiceRole_IN_0"]}


TABLE = table(("198.51.100.0/24", {0: (64601, 64610), 1: (64602, 64611)}), ("203.0.113.0/24", {1: (64602,)}),
              ("198.18.0.0/15", {0: (64601,)}))


@case
def a_router_announces_the_paths_of_the_peer_that_is_named():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "rib.mrt").write_bytes(TABLE)
        for peer in ("192.0.2.2", "1"):
            found = learned(fabric_with(folder, f"{{mrt: rib.mrt, peer: {peer}}}"))
            assert found["198.51.100.0/24"] == "65001-64602-64611" and found["203.0.113.0/24"] == "65001-64602", found
            assert "198.18.0.0/15" not in found and found["10.0.0.0/8"] == "65001", found
        found = learned(fabric_with(folder, "{mrt: rib.mrt}"))
        assert found["198.51.100.0/24"] == "65001-64601-64610" and len(found) >= 5, found


@case
def the_tables_routes_reach_the_nics():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "rib.mrt").write_bytes(TABLE)
        path = fabric_with(folder, "{mrt: rib.mrt, peer: 192.0.2.1}")
        rows = json.loads(fingerpost("routes", path, "vm1", "--json").stdout)["value"]
        row = [row for row in rows if row["addressPrefix"] == ["198.18.0.0/15"]]
        assert row and row[0]["nextHopIpAddress"] == ["10.0.1.4"], rows


@case
def updates_are_played_at_either_speed():
    updates = (update(1000, "192.0.2.1", withdrawn=["198.51.100.0/24"])
               + update(1001, "192.0.2.2", withdrawn=["198.18.0.0/15"])  # another peer's
               + update(4000, "192.0.2.1", announced=["100.64.7.0/24"], asns=(64601, 64620))
               + update(3999, "192.0.2.1", announced=["198.18.0.0/15"], asns=(64601, 64621)))
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "rib.mrt").write_bytes(TABLE)
        pathlib.Path(folder, "updates.mrt.gz").write_bytes(gzip.compress(updates))
        for speed in ("full", "recorded"):
            found = learned(fabric_with(
                folder, f"{{mrt: rib.mrt, peer: 192.0.2.1, updates: updates.mrt.gz, speed: {speed}}}"))
            assert "198.51.100.0/24" not in found and found["100.64.7.0/24"] == "65001-64601-64620", found
            assert found["198.18.0.0/15"] == "65001-64601-64621", found


@case
def a_table_that_cannot_be_had_is_an_error_at_its_line():
    with tempfile.TemporaryDirectory() as folder:
        path = fabric_with(folder, "{mrt: rib.mrt, peer: 192.0.2.9}")
        assert f"{path}:" in fingerpost("routes", path, "vm1", code=2).stderr
        pathlib.Path(folder, "rib.mrt").write_bytes(TABLE)
        said = fingerpost("routes", path, "vm1", code=2).stderr
        assert "no routes for this router; its peers are: 192.0.2.1, 192.0.2.2" in said, said
        pathlib.Path(folder, "rib.mrt").write_bytes(TABLE + TABLE[:-2])
        path = fabric_with(folder, "{mrt: rib.mrt, peer: 192.0.2.1}")
        assert "ends within a record" in fingerpost("routes", path, "vm1").stderr
        path = fabric_with(folder, "{mrt: rib.mrt, peer: 70000}")
        assert "table.peer: expected" in fingerpost("routes", path, "vm1", code=2).stderr


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}")
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except Exception:  # a case failed, whatever the way: said, and the others go on
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("#", line)
    return 1 if failed else 0


sys.exit(main())

#!/usr/bin/env python3
"""A worker at load allocates nothing, takes no lock and makes no system call: every thread's allocations and locks are
counted by a library that is preloaded, its system calls by strace. Prints TAP.

test_undisturbed.py FINGERPOST LIBRARY

  endless pcap (vm1) ────────┐                    ┌─ net_null: nva1, nva2, vm2
                             engine, one worker ──┤
  endless pcap (underlay) ───┘                    └─ net_null: the underlay, towards host h2
"""
import collections
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import time

from live_engine import Engine, Peer, Skip, in_folder, nlri, run_cases, wait_for

FINGERPOST, LIBRARY = sys.argv[1:3]
CASES = []
case = in_folder(CASES)
SECONDS = 1  # traced
FLOWS = 64   # of each kind
FABRIC = """
fabric: undisturbed
engine: {{control_socket: {folder}/sock}}
vnets:
  - name: hub
    address_space: [10.77.0.0/16, "fd77::/48"]
    subnets:
      - {{name: RouteServerSubnet, prefixes: [10.77.0.0/26]}}
      - {{name: nva, prefixes: [10.77.1.0/24, "fd77:0:0:1::/64"]}}
      - {{name: vms, prefixes: [10.77.2.0/24, "fd77:0:0:2::/64"], route_table: rt}}
hosts: [{{name: h1, vtep: 192.0.2.1}}, {{name: h2, vtep: 192.0.2.7}}]
nics:
  - {{name: nva1, subnet: hub/nva, addresses: [10.77.1.4], ip_forwarding: true, port: out}}
  - {{name: nva2, subnet: hub/nva, addresses: [10.77.1.5], ip_forwarding: true, port: out2}}
  - {{name: vm1, subnet: hub/vms, addresses: [10.77.2.4, "fd77:0:0:2::4"], mac: "02:00:00:00:02:04", port: in, host: h1}}
  - {{name: vm2, subnet: hub/vms, addresses: [10.77.2.5, "fd77:0:0:2::5"], port: out3, host: h1}}
  - {{name: vm3, subnet: hub/vms, addresses: [10.77.2.6, "fd77:0:0:2::6"], mac: "02:00:00:00:02:06",
     underlay: {{port: under, vni: 7001}}, host: h2}}
route_servers:
  - name: rs1
    vnet: hub
    addresses: [10.77.0.4, 10.77.0.5]
    peers:
      - {{name: nva1, address: 10.77.1.4, asn: 65001}}
      - {{name: nva2, address: 10.77.1.5, asn: 65002}}
load_balancers:
  - {{name: ilb, subnet: hub/nva, frontend: 10.77.1.100, backends: [nva1, nva2], probe: {{interval_s: 3600}}}}
route_tables:
  - {{name: rt, routes: [{{prefix: 30.0.0.0/8, next_hop_type: VirtualAppliance, next_hop: 10.77.1.100}}]}}
ports:
  - {{name: in, device: net_pcap, options: {{rx_pcap: {folder}/in.pcap, infinite_rx: 1}}}}
  - {{name: under, device: net_pcap, options: {{rx_pcap: {folder}/under.pcap, infinite_rx: 1}}, address: 192.0.2.1}}
  - {{name: out, device: net_null, options: {{no-rx: 1}}}}
  - {{name: out2, device: net_null, options: {{no-rx: 1, size: 62}}}}
  - {{name: out3, device: net_null, options: {{no-rx: 1, size: 63}}}}
"""
GATEWAY = bytes.fromhex("123456789abc")
VM1 = bytes.fromhex("020000000204")
VM3 = bytes.fromhex("020000000206")
HOST1 = bytes.fromhex("027063617001")  # net_pcap's second
HOST2 = bytes.fromhex("02000000ff07")
# What must move on meanwhile.
WAYS = {
    "received": ["vm1", "vm3"],
    "sent": ["out", "out2", "out3", "under"],
    "members": ["10.77.1.4", "10.77.1.5", "10.77.1.100"],
    "dropped": ["source-check", "next-hop-unreachable", "ttl-expired", "bad-total-length"],
}


def sum16(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, payload, protocol=17, ttl=64):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack(">H", sum16(head)) + head[12:] + payload


def ipv6(source, destination, payload, hops=64):
    return struct.pack(">IHBB", 6 << 28, len(payload), 17, hops) + socket.inet_pton(socket.AF_INET6, source) + \
        socket.inet_pton(socket.AF_INET6, destination) + payload


def udp(port, to=4000, payload=bytes(26)):
    return struct.pack(">HHHH", port, to, 8 + len(payload), 0) + payload


def from_vm1(packet):
    return GATEWAY + VM1 + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet


def guest_frames():
    """Every way that a packet of vm1 may go."""
    for flow in range(1000, 1000 + FLOWS):
        data = udp(flow)
        yield from_vm1(ipv4("10.77.2.4", "20.0.0.9", data))            # learned from two appliances: ECMP
        yield from_vm1(ipv4("10.77.2.4", "30.0.0.9", data))            # an appliance behind a load balancer
        yield from_vm1(ipv4("10.77.2.4", "10.77.2.5", data))           # a neighbour
        yield from_vm1(ipv6("fd77:0:0:2::4", "fd77:0:0:2::5", data))
        yield from_vm1(ipv4("10.77.2.4", "10.77.2.6", data))           # into a tunnel
        yield from_vm1(ipv6("fd77:0:0:2::4", "fd77:0:0:2::6", data))
        yield from_vm1(ipv4("192.168.9.9", "10.77.2.5", data))         # dropped: not its address
        yield from_vm1(ipv4("10.77.2.4", "10.77.2.99", data))          # dropped: nobody there
        yield from_vm1(ipv4("10.77.2.4", "10.77.2.5", data, ttl=1))    # answered, at a limited rate
        yield from_vm1(ipv4("10.77.2.4", "10.77.2.5", data)[:24])      # dropped: cut


def underlay_frames():
    """Host h2 says its MAC; then packets of vm3 out of its tunnel."""
    yield b"\xff" * 6 + HOST2 + b"\x08\x06\0\1\x08\0\6\4\0\1" + HOST2 + socket.inet_aton("192.0.2.7") + bytes(6) + \
        socket.inet_aton("192.0.2.1")
    for flow in range(1000, 1000 + FLOWS):
        inner = GATEWAY + VM3 + b"\x08\0" + ipv4("10.77.2.6", "10.77.2.5", udp(flow))
        vxlan = struct.pack(">II", 0x08000000, 7001 << 8) + inner
        yield HOST1 + HOST2 + b"\x08\0" + ipv4("192.0.2.7", "192.0.2.1", udp(50000 + flow, 4789, vxlan))


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def worker_of(process):
    tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
    return next(int(task.name) for task in tasks if (task / "comm").read_text() == "worker-0\n")


def counted(path):
    """Allocations and locks by thread, as in count_calls.c."""
    rows = struct.iter_unpack("=QQQ", pathlib.Path(path).read_bytes())
    return {thread: (allocations, locks) for thread, allocations, locks in rows if thread}


class Asked:
    """What 'fingerpost show' says of a running engine."""

    def __init__(self, folder):
        shown = [FINGERPOST, "show", "counters", "--json", "--socket", f"{folder}/sock"]
        report = json.loads(subprocess.run(shown, check=True, stdout=subprocess.PIPE).stdout)
        self.received = {row["nic"]: row["received"] for row in report["nics"]}
        self.dropped = next(row["dropped"] for row in report["nics"] if row["nic"] == "vm1")
        self.sent = {row["port"]: row["tx_packets"] for row in report["ports"]}
        self.members = collections.Counter()
        for row in report["members"]:
            self.members[row["next_hop"]] += row["packets"]


def system_calls(process, path, meanwhile):
    """Lines of strace by thread, in so many seconds."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", path, "-p", str(process.pid)], stderr=subprocess.PIPE)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.1)
        meanwhile()
    tracer.terminate()
    said = tracer.communicate(timeout=30)[1].decode()
    if "Operation not permitted" in said:
        raise Skip("this machine does not let a process be traced")
    calls = collections.defaultdict(list)
    for line in pathlib.Path(path).read_text().splitlines():
        thread, call = line.split(maxsplit=1)
        calls[int(thread)].append(call)
    return calls


def all_is_under_way(before, after):
    """Packets went every way while the worker was watched."""
    for kind in ("received", "sent", "members", "dropped"):
        ways = getattr(after, kind)
        for way in WAYS[kind]:
            assert ways[way] > getattr(before, kind).get(way, 0), f"{kind} {way}: {ways}"


@case
def worker_at_load(folder):
    if not shutil.which("strace"):
        raise Skip("no strace here")
    write_pcap(f"{folder}/in.pcap", guest_frames())
    write_pcap(f"{folder}/under.pcap", underlay_frames())
    counts = f"{folder}/counts"
    os.environ.update(LD_PRELOAD=LIBRARY, COUNT_CALLS=counts)
    try:
        engine = Engine(FINGERPOST, folder, fabric=FABRIC.format(folder=folder), arguments=["--host", "h1"])
    finally:
        del os.environ["LD_PRELOAD"]
    with engine:
        peers = [Peer(4), Peer(5)]
        for peer in peers:
            peer.announce(nlri(0))
        wait_for("both appliances in use", lambda: all(Asked(folder).members[way] for way in WAYS["members"]))
        worker, control = worker_of(engine.process), engine.process.pid
        before, counts_before = Asked(folder), counted(counts)
        calls = system_calls(engine.process, f"{folder}/strace", lambda: Asked(folder))
        after, counts_after = Asked(folder), counted(counts)
        all_is_under_way(before, after)
        # The control thread answered meanwhile: what is counted is seen.
        assert calls[control]
        assert all(new > old for new, old in zip(counts_after[control], counts_before[control])), counts_after
        # liburcu's one call: a reader wakes the thread that waits for the grace period which it ends.
        others = [call for call in calls[worker] if "FUTEX_WAKE" not in call and "futex resumed" not in call]
        assert not others, others
        assert counts_after[worker] == counts_before[worker], (counts_before[worker], counts_after[worker])
        engine.stop()


if __name__ == "__main__":
    sys.exit(run_cases(CASES))

#!/usr/bin/env python3
"""Random fabrics, and what must hold of any: no seed is worth more than another. Prints TAP.

test_random.py FINGERPOST [FIRST [LAST]]     seeds; with many by hand, few with the other tests

- A NIC has no two Active rows of one prefix and different class.
- A packet goes where the longest Active row says.
- Whatever is taken out and put back leaves all rows as they were; with engine.verify each step is also compared with
  what it would be from scratch.
- Both modes agree where every quirk is off.
"""
import ipaddress
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import traceback

FINGERPOST = sys.argv[1]
FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 1
LAST = int(sys.argv[3]) if len(sys.argv) > 3 else FIRST + 4
QUIRKS = ["peer_limit", "count_mode", "damping", "half_programming", "own_route_to_originator", "single_er_path",
          "independent_hash", "outer_hash", "transparent_ttl", "silent_drops", "two_octet_asn", "no_ipv6", "no_md5", "no_bfd"]
# Spaces of VNets, prefixes around and inside them, defaults: they meet in every way.
POOL = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.0.0.0/15", "10.1.0.0/16", "10.1.0.0/24", "10.2.0.0/16",
        "10.2.0.0/24", "10.2.0.4/32", "10.3.0.0/16", "172.16.0.0/12", "172.20.0.0/16", "192.168.0.0/16", "192.168.7.0/24",
        "100.64.0.0/10", "20.0.0.0/8", "20.60.0.0/16", "9.9.9.9/32"]


def flow(value):
    """A value as YAML's flow style has it, which is nearly JSON's."""
    return json.dumps(value)


class Fabric:
    """One made of a seed; objects by their section, so that a test can take them out and put them back."""

    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        self.sections = {name: [] for name in (
            "vnets", "peerings", "route_tables", "service_tags", "nics", "route_servers", "gateways", "load_balancers",
            "routers", "policies")}
        self.nva_reflect = chance.choice(["always", "b2b", "never"])
        self.add_tables()
        spokes = [f"spoke{i}" for i in range(1, chance.randint(2, 4) + 1)]
        self.add_hub()
        for i, name in enumerate(spokes, 1):
            self.add_spoke(name, i)
        for a in spokes:
            for b in spokes:
                if a < b and chance.random() < 0.2:
                    self.peer(a, b, {}, {})
        self.add_gateways()
        self.add_boxes()

    def some(self, most):
        return self.chance.sample(POOL, self.chance.randint(0, most))

    def maybe_table(self, subnet):
        if self.chance.random() < 0.4:
            subnet["route_table"] = self.chance.choice(["t1", "t2"])
        return subnet

    def add_tables(self):
        self.sections["service_tags"].append({"name": "Storage", "prefixes": ["20.60.0.0/16", "20.61.0.0/16"]})
        for name in ("t1", "t2"):
            routes = []
            for prefix in self.some(4):
                kind = self.chance.choice(["VirtualAppliance", "VnetLocal", "Internet", "None", "VirtualNetworkGateway"])
                route = {"prefix": prefix, "next_hop_type": kind}
                if kind == "VirtualAppliance":
                    route["next_hop"] = self.chance.choice(["10.0.1.4", "10.0.1.5", "10.0.1.100", "10.1.0.4"])
                routes.append(route)
            self.sections["route_tables"].append({"name": name, "routes": routes,
                                                  "bgp_propagation": self.chance.random() < 0.7})

    def add_hub(self):
        self.sections["vnets"].append({"name": "hub", "region": "a", "address_space": ["10.0.0.0/22"], "subnets": [
            {"name": "RouteServerSubnet", "prefixes": ["10.0.0.0/26"]},
            self.maybe_table({"name": "nva", "prefixes": ["10.0.1.0/24"]}),
            self.maybe_table({"name": "vms", "prefixes": ["10.0.2.0/24"]}),
            {"name": "GatewaySubnet", "prefixes": ["10.0.3.0/26"]}]})
        self.sections["nics"].append({"name": "hubvm", "subnet": "hub/vms", "addresses": ["10.0.2.4"]})

    def peer(self, a, b, of_a, of_b):
        chance = self.chance

        def side(more):
            return {"allow_forwarded_traffic": chance.random() < 0.8, "allow_virtual_network_access": chance.random() < 0.9,
                    **more}
        self.sections["peerings"].append({"vnets": [a, b], "in_sync": chance.random() < 0.95, a: side(of_a), b: side(of_b)})

    def add_spoke(self, name, i):
        subnet = self.maybe_table({"name": "vms", "prefixes": [f"10.{i}.0.0/24"]})
        if self.chance.random() < 0.3:
            subnet["service_endpoints"] = ["Storage"]
        self.sections["vnets"].append({"name": name, "region": self.chance.choice("ab"), "address_space": [f"10.{i}.0.0/16"],
                                       "subnets": [subnet, {"name": "web", "prefixes": [f"10.{i}.1.0/24"]}]})
        self.sections["nics"] += [{"name": f"vm{i}", "subnet": f"{name}/vms", "addresses": [f"10.{i}.0.4"]},
                                  {"name": f"web{i}", "subnet": f"{name}/web", "addresses": [f"10.{i}.1.4"]}]
        if self.chance.random() < 0.9:
            transit = self.chance.random() < 0.8
            self.peer("hub", name, {"allow_gateway_transit": transit},
                      {"use_remote_gateways": transit and self.chance.random() < 0.9})

    def add_gateways(self):
        if self.chance.random() < 0.6:
            self.sections["gateways"].append({"name": "er1", "type": "ExpressRoute", "vnet": "hub",
                                              "addresses": ["10.0.3.4", "10.0.3.5"], "neighbors": [{"router": "msee1"}]})
            self.sections["routers"] += [
                {"name": "msee1", "role": "msee", "asn": 12076, "neighbors": [{"gateway": "er1"}, {"router": "cpe1"}]},
                {"name": "cpe1", "asn": 65050, "originate": self.some(4), "neighbors": [{"router": "msee1"}]}]
        if self.chance.random() < 0.6:
            self.sections["gateways"].append({"name": "vpn1", "type": "Vpn", "vnet": "hub", "addresses": ["10.0.3.6", "10.0.3.7"],
                                              "static_branches": [{"name": "b", "prefixes": ["192.168.7.0/24"]}],
                                              "neighbors": [{"router": "branch1"}]})
            self.sections["routers"].append({"name": "branch1", "asn": 65060, "originate": self.some(3),
                                             "neighbors": [{"gateway": "vpn1", "prepend": self.chance.randint(0, 2)}]})

    def add_boxes(self):
        chance, peers = self.chance, []
        nvas = chance.randint(1, 3)
        for i in range(1, nvas + 1):
            address = f"10.0.1.{3 + i}"
            self.sections["nics"].append({"name": f"nva{i}", "subnet": "hub/nva", "addresses": [address], "ip_forwarding": True})
            asn = chance.choice([65001, 65000 + i])
            peers.append({"name": f"nva{i}", "address": address, "asn": asn})
            self.sections["routers"].append({
                "name": f"nva{i}-os", "nic": f"nva{i}", "asn": asn, "originate": self.some(6),
                "neighbors": [{"route_server": "rs1", "prepend": chance.randint(0, 2), "as_override": chance.random() < 0.3}]})
        self.sections["load_balancers"].append({"name": "ilb", "subnet": "hub/nva", "frontend": "10.0.1.100",
                                                "backends": [f"nva{i}" for i in range(1, nvas + 1)]})
        self.sections["route_servers"].append({
            "name": "rs1", "vnet": "hub", "addresses": ["10.0.0.4", "10.0.0.5"], "branch_to_branch": chance.random() < 0.5,
            "preference": chance.choice(["ExpressRoute", "VpnGateway", "ASPath"]), "peers": peers})

    def text(self, mode="native"):
        quirks = {"nva_reflect": self.nva_reflect, **({name: False for name in QUIRKS} if mode == "azure" else {})}
        lines = ["fabric: random", f"mode: {mode}", f"quirks: {flow(quirks)}", "engine: {verify: true}", "internet: {}"]
        for name, objects in self.sections.items():
            lines += [f"{name}:"] + [f"  - {flow(item)}" for item in objects] if objects else []
        return "\n".join(lines) + "\n"


def command(*arguments, codes=(0, 1)):
    done = subprocess.run([FINGERPOST, *map(str, arguments), "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in codes, (arguments, done.returncode, done.stdout[-1500:], done.stderr[-1500:])
    return json.loads(done.stdout)


def rows_of(path, nics):
    return {nic: command("routes", path, nic)["value"] for nic in nics}


def active(rows):
    return [row for row in rows if row["state"] == "Active"]


def has_one_class_a_prefix(nic, rows):
    seen = {}
    for row in active(rows):
        for prefix in row["addressPrefix"]:
            key = (row["source"], row["nextHopType"])
            assert seen.setdefault(prefix, key) == key, (nic, prefix, seen[prefix], key)


def goes_where_the_row_says(path, nic, rows, chance):
    networks = [(ipaddress.ip_network(row["addressPrefix"][0]), row) for row in active(rows)]
    for network, _ in chance.sample(networks, min(3, len(networks))):
        address = network[chance.randrange(min(network.num_addresses, 1 << 31))]
        if address.is_multicast or address.is_loopback or address.is_link_local or address.is_reserved or int(address) >> 24 == 0:
            continue
        longest, row = max(((n, r) for n, r in networks if address in n), key=lambda pair: pair[0].prefixlen)
        for way in command("trace", path, nic, str(address))["paths"]:
            hop = way["hops"][0]
            assert hop["matched"] == str(longest) and hop["source"] == row["source"], (nic, address, hop, row)
            assert hop["next_hop_type"] == row["nextHopType"], (nic, address, hop, row)
            if row["nextHopIpAddress"] and way["reason"] not in ("no-member",):
                assert hop["next_hop"] in row["nextHopIpAddress"], (nic, address, hop, row)
            if row["nextHopType"] == "None":
                assert (way["verdict"], way["reason"]) == ("dropped", "null-route"), (nic, address, way)


def expectations(rows):
    """Of a drill: rows as they are."""
    lines = []
    for nic, of_nic in rows.items():
        for row in active(of_nic):
            hops = f", next_hops: {flow(row['nextHopIpAddress'])}" if row["nextHopIpAddress"] else ""
            lines.append(f"  - {{nic: {nic}, prefix: {row['addressPrefix'][0]}, next_hop_type: {row['nextHopType']}{hops}}}\n")
    return "".join(lines)


def removable(fabric, chance):
    """(path, objects, their names) of what nothing else names."""
    out = [("peerings", item, ",".join(item["vnets"])) for item in fabric.sections["peerings"]]
    out += [("nics", item, item["name"]) for item in fabric.sections["nics"] if item["name"].startswith(("vm", "web", "hubvm"))]
    out += [(f"route_tables/{table['name']}/routes", route, route["prefix"])
            for table in fabric.sections["route_tables"] for route in table["routes"]]
    server = fabric.sections["route_servers"][0]
    out += [("route_servers/rs1/peers", peer, peer["name"]) for peer in server["peers"]]
    return chance.sample(out, min(6, len(out)))


def comes_back(folder, path, fabric, rows, chance):
    events, at = "", 1000
    for where, item, name in removable(fabric, chance):
        kept = dict(item)
        events += f"  - {{at_ms: {at}, remove: {{{where}: [{flow(name)}]}}}}\n"
        events += f"  - {{at_ms: {at + 4000}, add: {{{where}: [{flow(kept)}]}}}}\n"
        at += 200_000  # a session that was cut is back by then
    drill = pathlib.Path(folder, "drill.yaml")
    drill.write_text(f"drill: random\nduration_ms: {at + 400_000}\nevents:\n{events}expect:\n{expectations(rows)}")
    done = subprocess.run([FINGERPOST, "drill", str(path), str(drill), "--json"], capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode in (0, 1), (done.returncode, done.stdout[-500:], done.stderr[-1500:])
    report = json.loads(done.stdout)
    assert all(row["held"] for row in report["expectations"]), [row for row in report["expectations"] if not row["held"]]


def holds(folder, seed):
    fabric, chance = Fabric(seed), random.Random(seed)
    path, other = pathlib.Path(folder, "native.yaml"), pathlib.Path(folder, "azure.yaml")
    path.write_text(fabric.text())
    other.write_text(fabric.text("azure"))
    assert command("check", path, codes=(0, 1))["errors"] == []
    nics = [nic["name"] for nic in fabric.sections["nics"]]
    rows, azure = rows_of(path, nics), rows_of(other, nics)
    for nic in nics:
        assert rows[nic] == azure[nic], (nic, [r for r in rows[nic] if r not in azure[nic]], [r for r in azure[nic] if r not in rows[nic]])
        has_one_class_a_prefix(nic, rows[nic])
        goes_where_the_row_says(path, nic, rows[nic], chance)
    comes_back(folder, path, fabric, rows, chance)


def main():
    failed = 0
    print(f"1..{LAST - FIRST + 1}")
    for number, seed in enumerate(range(FIRST, LAST + 1), 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                holds(folder, seed)
                print(f"ok {number} - seed {seed}")
            except Exception:  # pylint: disable=broad-except  # one failure must not hide the rest
                failed += 1
                print(f"not ok {number} - seed {seed}")
                print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

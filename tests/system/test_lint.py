#!/usr/bin/env python3
"""Every lint rule of `fingerpost check`: a fabric without a finding, and for each rule the change that brings it about.

test_lint.py FINGERPOST        Prints TAP.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

FINGERPOST = sys.argv[1]

BASE = """
fabric: lint
mode: native
quirks: {}
vnets:
  - name: hub
    address_space: [10.0.0.0/22]
    subnets:
      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}
      - {name: nva, prefixes: [10.0.1.0/24], route_table: nva}
      - {name: vms, prefixes: [10.0.2.0/24], route_table: vms}
      - {name: GatewaySubnet, prefixes: [10.0.3.0/26], route_table: gateways}
  - name: spoke
    address_space: [10.1.0.0/16]
    subnets: [{name: vms, prefixes: [10.1.0.0/24]}]
peerings:
  - vnets: [hub, spoke]
    in_sync: true
    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}
    spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}
route_tables:
  - {name: nva, bgp_propagation: true, routes: [{prefix: 0.0.0.0/0, next_hop_type: Internet}]}
  - {name: vms, bgp_propagation: true}
  - {name: gateways, routes: [{prefix: 10.99.0.0/16, next_hop_type: VirtualAppliance, next_hop: 10.0.1.4}]}
nics:
  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}
  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}
  - {name: hubvm, subnet: hub/vms, addresses: [10.0.2.4]}
  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4]}
route_servers:
  - name: rs1
    vnet: hub
    addresses: [10.0.0.4, 10.0.0.5]
    branch_to_branch: true
    limits: {peers: 8}
    peers:
      - {name: nva1, address: 10.0.1.4, asn: 65001, max_prefixes: {limit: 100, count: unique}}
      - {name: nva2, address: 10.0.1.5, asn: 65001}
load_balancers:
  - {name: ilb, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1, nva2]}
policies:
  - name: out
    rules: [{match: {prefixes: [172.30.0.0/16]}, set: {next_hop: 10.0.1.100}}]
routers:
  - {name: nva1-os, nic: nva1, asn: 65001, stateful: true, originate: [172.20.0.0/16, 172.30.0.0/16],
     static: [{prefix: 10.0.0.0/26, via: subnet-gateway}], neighbors: [{route_server: rs1, prepend: 0, export: out}]}
  - {name: nva2-os, nic: nva2, asn: 65001, stateful: true, originate: [172.20.0.0/16, 172.30.0.0/16],
     static: [{prefix: 10.0.0.0/26, via: subnet-gateway}], neighbors: [{route_server: rs1, prepend: 0, export: out}]}
"""
GATEWAYS = """
gateways:
  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7]}
  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4, 10.0.3.5]}
"""
VPN_BRANCH = GATEWAYS.replace("type: Vpn,", "type: Vpn, neighbors: [{router: branch}],")
CIRCUIT = GATEWAYS.replace("type: ExpressRoute,", "type: ExpressRoute, neighbors: [{router: msee}],")


def prefixes(count):
    return ", ".join(f"198.{18 + number // 256}.{number % 256}.0/24" for number in range(count))


def branch(count):
    return [("\nrouters:\n", "\nrouters:\n  - {name: branch, asn: 65010, originate: [%s], neighbors: [{gateway: vpn1}]}\n"
             % prefixes(count))]


EDGE = [("\nrouters:\n", "\nrouters:\n  - {name: msee, role: msee, asn: 12076, neighbors: [{gateway: er1}]}\n")]
MANY = ", ".join(f"198.51.{number}.0/24" for number in range(60))
PEERS = "".join(f"      - {{name: p{number}, address: 10.0.1.{number}, asn: 65001}}\n" for number in range(20, 25))
FIRST = "      - {name: nva1, address"

FAR = ("\npeerings:\n", "\n  - {name: far, address_space: [10.2.0.0/16], subnets: [{name: vms, prefixes: [10.2.0.0/24]}]}\n"
       "peerings:\n  - {vnets: [hub, far], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
       "far: {use_remote_gateways: true, allow_forwarded_traffic: true}}\n")
# nva2 stands in a spoke, and the other spoke is not peered with that.
APART = [FAR, ("nva2, subnet: hub/nva, addresses: [10.0.1.5]", "nva2, subnet: far/vms, addresses: [10.2.0.5]"),
         ("name: nva2, address: 10.0.1.5", "name: nva2, address: 10.2.0.5"), ("backends: [nva1, nva2]", "backends: [nva1]")]

# rule, or "rule of what" -> (object, [(old, new)], further text); an object is checked by its beginning.
RULES = {
    "L1": ("route_servers[rs1].peers[nva1]", [("{route_server: rs1,", "{route_server: rs1, instances: [0],")], ""),
    "L2": ("nics[nva1]", [("quirks: {}", "quirks: {own_route_to_originator: true}")], ""),
    "L3": ("routers[nva1-os].static", [("static: [{prefix: 10.0.0.0/26", "static: [{prefix: 192.0.2.0/24")], ""),
    "L4": ("route_tables[gateways].routes[10.0.0.0/22]", [("routes: [{prefix: 10.99.0.0/16", "routes: [{prefix: 10.0.0.0/22")],
           ""),
    "L5": ("route_tables[vms]", [("name: vms, bgp_propagation: true", "name: vms, bgp_propagation: false")], ""),
    "L6": ("peerings[hub,spoke]", [("use_remote_gateways: true, ", "")], ""),
    "L7": ("routers[nva1-os].originate[10.1.5.0/24]", [("originate: [172.20", "originate: [10.1.5.0/24, 172.20")], ""),
    "L8": ("route_servers[rs1].peers[nva1]", [("name: out\n    rules: [", "name: out\n    rules: [{match: {prefixes: "
                                               "[172.20.0.0/16]}, set: {prepend: [65515]}}, ")], ""),
    "L9": ("route_servers[rs1].peers[nva", [("set: {next_hop: 10.0.1.100}", "set: {next_hop: 192.0.2.7}")], ""),
    "L9 of a VNet two peerings away": ("route_servers[rs1].peers[nva2]", APART, ""),
    "L10": ("routers[nva1-os].stateful", [("quirks: {}", "quirks: {independent_hash: true}")], ""),
    "L11": ("route_servers[rs1].peers[nva1]", [("count: unique", "count: azure"),
                                               ("originate: [172.20", f"originate: [{MANY}, 172.20")], ""),
    "L12": ("gateways[vpn1]", [("originate: [172.20", "originate: [0.0.0.0/0, 172.20")], GATEWAYS),
    "L13": ("routers[nva1-os].neighbors[rs1].prepend", [("prepend: 0", "prepend: 2")], GATEWAYS),
    "L14": ("peerings[hub,spoke]", [("use_remote_gateways: true, allow_forwarded_traffic: true", "use_remote_gateways: true")],
            ""),
    "L15": ("gateways[vpn1]", [], GATEWAYS.replace(", 10.0.3.7", "").replace("Vpn,", "Vpn, asn: 65010,")),
    "L16": ("peerings[hub,spoke]", [("in_sync: true", "in_sync: false")], ""),
    "limit-near": ("route_servers[rs1].peers", [(FIRST, PEERS + FIRST)], ""),
    "limit-near of a peer": ("route_servers[rs1].peers[nva1]", [("originate: [172.20", f"originate: [{MANY}, 172.20"),
                                                                ("limit: 100", "limit: 70")], ""),
    "limit": ("gateways[vpn1]", branch(3200), VPN_BRANCH),
    "limit of a circuit": ("gateways[er1]", EDGE + [("originate: [172.20", f"originate: [{prefixes(800)}, 172.20"),
                                                    ("limit: 100,", "limit: 4000,")], CIRCUIT),
    "session": ("gateways[vpn1]", branch(4001), VPN_BRANCH),
}

QUIRK = ("quirks: {}", "quirks: {own_route_to_originator: true}")
HASH = ("quirks: {}", "quirks: {independent_hash: true}")
SECOND = "nic: nva2, asn: 65001, stateful: true,"
COVERED = ("routes: [{prefix: 10.99.0.0/16", "routes: [{prefix: 10.0.0.0/26, next_hop_type: VnetLocal}, {prefix: 10.0.0.0/22")
LOOPED = ("name: out\n    rules: [", "name: out\n    rules: [{match: {prefixes: [172.20.0.0/16]}, set: {prepend: [65515]}}, ")
ELSEWHERE = [("\npeerings:\n", "\n  - {name: branch, address_space: [10.9.0.0/16], subnets: [{name: GatewaySubnet, "
              "prefixes: [10.9.3.0/26]}]}\npeerings:\n"),
             ("\nload_balancers:\n", "\ngateways: [{name: vpn9, type: Vpn, vnet: branch, asn: 65099, addresses: [10.9.3.4, "
              "10.9.3.5]}]\nload_balancers:\n"),
             ("originate: [172.20.0.0/16, 172.30.0.0/16],", ""), ("backends: [nva1, nva2]", "backends: [nva2]"),
             ("prepend: 0, export: out}]}", "prepend: 0, export: out}, {gateway: vpn9}]}")]

# What is near to a rule and right: as RULES, and of that object there is no such finding.
NEAR = {
    "L1": ("", [("{route_server: rs1,", "{route_server: rs1, instances: [0, 1],")], ""),
    "L2 of a subnet without propagation": ("", [QUIRK, ("name: nva, bgp_propagation: true", "name: nva, bgp_propagation: false")],
                                           ""),
    "L2 of what goes to a gateway elsewhere": ("nics[nva1]", [QUIRK] + ELSEWHERE, ""),
    "L3": ("", [("prefix: 10.0.0.0/26, via", "prefix: 10.0.0.0/24, via")], ""),
    "L4": ("", [COVERED], ""),
    "L4 of a gateway": ("", [COVERED], GATEWAYS),
    "L4 of a shorter route": ("", [("routes: [{prefix: 10.99.0.0/16", "routes: [{prefix: 10.0.0.0/8")], GATEWAYS),
    "L5": ("", [("name: vms, bgp_propagation: true", "name: vms, bgp_propagation: false, routes: [{prefix: 0.0.0.0/0, "
                 "next_hop_type: Internet}]")], ""),
    "L6": ("", [("use_remote_gateways: true, ", ""), ("  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4]}\n", "")], ""),
    "L7": ("", [("originate: [172.20", "originate: [10.0.0.0/15, 172.20")], ""),
    "L8": ("", [LOOPED, ("via: subnet-gateway}], neighbors: [{route_server: rs1, prepend: 0, export: out}]}\n"
                                           "  - {name: nva2", "via: subnet-gateway}], neighbors: [{route_server: rs1}]}\n  - {name: nva2")],
           ""),
    "L9": ("", [("set: {next_hop: 10.0.1.100}", "set: {next_hop: 10.0.1.5}")], ""),
    "L9 of a VNet peered with the next hop's": ("", APART + [("\nroute_tables:\n", "\n  - {vnets: [far, spoke], far: "
                                                "{allow_forwarded_traffic: true}, spoke: {allow_forwarded_traffic: true}}\n"
                                                "route_tables:\n")], ""),
    "L10": ("", [HASH, (SECOND, SECOND + " source_nat: true,"), ("stateful: true,", "stateful: true, source_nat: true,")], ""),
    "L11": ("", [("count: unique", "count: azure")], ""),
    "L12": ("", [("originate: [172.20", "originate: [0.0.0.0/0, 172.20")], GATEWAYS.replace("Vpn,", "Vpn, default_route: true,")),
    "L12 of halves": ("", [("originate: [172.20", "originate: [0.0.0.0/1, 128.0.0.0/1, 172.20")], GATEWAYS),
    "L13 of a public number": ("", [("prepend: 0", "prepend: 2"), ("asn: 65001, max", "asn: 3356, max"),
                                    ("nic: nva1, asn: 65001", "nic: nva1, asn: 3356")], GATEWAYS),
    "L13 of what is not passed on": ("", [("prepend: 0", "prepend: 2"), ("branch_to_branch: true", "branch_to_branch: false")],
                                     GATEWAYS),
    "L14": ("", [("use_remote_gateways: true, allow_forwarded_traffic: true",
                  "use_remote_gateways: true, allow_virtual_network_access: false")], ""),
    "L15": ("", [], GATEWAYS),
    "limit-near": ("", [("originate: [172.20", f"originate: [{MANY}, 172.20")], ""),
}


def check(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "fabric.yaml")
        path.write_text(text)
        done = subprocess.run([FINGERPOST, "check", str(path), "--json"], capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode in (0, 1), (done.stdout, done.stderr)
        report = json.loads(done.stdout)
        assert not report["errors"], report["errors"]
        for finding in report["findings"]:
            assert finding["file"] == str(path) and 0 < finding["line"] <= text.count("\n"), finding
            assert all(finding[key] for key in ("object", "message", "remedy")), finding
        return report["findings"]


def clean(text):
    found = check(text)
    assert not found, found


def findings_of(rule, case):
    _, changes, further = case
    text = BASE + further
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return [finding for finding in check(text) if finding["rule"] == rule.split(" of ")[0]]


def near_is_silent(rule):
    found = [finding for finding in findings_of(rule, NEAR[rule]) if finding["object"].startswith(NEAR[rule][0])]
    assert not found, (rule, found)


def fires(rule):
    expected, found = RULES[rule][0], findings_of(rule, RULES[rule])
    assert found and any(finding["object"].startswith(expected) for finding in found), (rule, found)


def main():
    cases = [("a fabric without fault has no finding", lambda: clean(BASE)),
             ("nor has it with gateways", lambda: clean(BASE + GATEWAYS))]
    cases += [(f"{rule} fires", lambda rule=rule: fires(rule)) for rule in RULES]
    cases += [(f"what is near to {rule} is no finding", lambda rule=rule: near_is_silent(rule)) for rule in NEAR]
    print(f"1..{len(cases)}")
    failed = False
    for number, (name, run) in enumerate(cases, 1):
        try:
            run()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            print(f"not ok {number} - {name}", flush=True)
            failed = True
    sys.exit(failed)


main()

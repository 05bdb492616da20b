/*
 * Topologies that people have built of the original and published what it showed: effective routes, what was
 * learned with which path, and whether packets came through. All in azure mode.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/sim/rows.h"
#include "tests/sim/ways.h"

#define N(items) (sizeof(items) / sizeof(*(items)))

/* Active row of a NIC: next hops of BGP, or "sys", "user" and "-" for none. */
static void expect(struct fixture *fixture, const struct ways_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *source = rows_source(fixture, rows[i].nic, rows[i].prefix);
        char hops[256];

        if (strcmp(source, "bgp") == 0)
            source = fixture_next_hops(fixture, rows[i].nic, rows[i].prefix, hops);
        cr_expect_str_eq(source, rows[i].next_hops, "%s %s: %s, not %s", rows[i].nic,
                         rows[i].prefix, source, rows[i].next_hops);
    }
}

/* An NVA says 0.0.0.0/0 to its route server and, by IPsec, to the VPN gateway of a VNet elsewhere, which has a
 * number of its own and no route server. Both sides have it, the far one by both instances, and each
 * other's spaces. */
Test(labs, a_default_route_at_a_route_server_and_a_vpn_gateway_elsewhere)
{
    static char yaml[] =
        "fabric: lab\n"
        "mode: azure\n"
        "vnets:\n"
        "  - {name: spoke, address_space: [10.0.0.0/16], subnets: [{name: vms, prefixes: "
        "[10.0.0.0/24]}]}\n"
        "  - {name: hub, address_space: [10.1.0.0/16], subnets: [{name: RouteServerSubnet, "
        "prefixes: "
        "[10.1.0.0/24]}, {name: nva, prefixes: [10.1.1.0/24]}]}\n"
        "  - {name: far, address_space: [10.2.0.0/16], subnets: [{name: GatewaySubnet, prefixes: "
        "[10.2.0.0/24]}, {name: vms, prefixes: [10.2.1.0/24]}]}\n"
        "peerings: [{vnets: [hub, spoke], hub: {allow_gateway_transit: true, "
        "allow_forwarded_traffic: true}, "
        "spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}}]\n"
        "nics:\n"
        "  - {name: csr, subnet: hub/nva, addresses: [10.1.1.5], ip_forwarding: true}\n"
        "  - {name: near-vm, subnet: spoke/vms, addresses: [10.0.0.4]}\n"
        "  - {name: far-vm, subnet: far/vms, addresses: [10.2.1.4]}\n"
        "route_servers: [{name: rs, vnet: hub, addresses: [10.1.0.4, 10.1.0.5], peers: [{name: "
        "csr, address: "
        "10.1.1.5, asn: 65055}]}]\n"
        "gateways: [{name: vpn, type: Vpn, vnet: far, asn: 65059, addresses: [10.2.0.4, "
        "10.2.0.5]}]\n"
        "routers: [{name: csr-os, nic: csr, asn: 65055, originate: [0.0.0.0/0], neighbors: "
        "[{route_server: rs}, "
        "{gateway: vpn}]}]\n";
    static const struct ways_row rows[] = {
        {"near-vm", "10.0.0.0/16", "sys"},
        {"near-vm", "10.1.0.0/16", "sys"},
        {"near-vm", "10.2.0.0/16", "10.1.1.5"},
        {"near-vm", "0.0.0.0/0", "10.1.1.5"},
        {"near-vm", "10.0.0.0/8", "-"},
        {"far-vm", "10.2.0.0/16", "sys"},
        {"far-vm", "10.0.0.0/16", "10.2.0.4,10.2.0.5"},
        {"far-vm", "10.1.0.0/16", "10.2.0.4,10.2.0.5"},
        {"far-vm", "0.0.0.0/0", "10.2.0.4,10.2.0.5"},
    };
    struct fixture fixture;

    fixture_open_yaml(&fixture, yaml);
    expect(&fixture, rows, N(rows));
    rows_expect_learned(&fixture, "csr-os", "10.2.0.0/16", "65059");
    rows_expect_learned(&fixture, "csr-os", "10.0.0.0/16", "65515");
    fixture_close(&fixture);
}

/* A hub with a VPN gateway of AS 300 to branch 2 and an NVA with IPsec to the gateway of branch 1: whole paths at
 * both ends, the NVA's next hop at VMs, and a prefix inside the hub that nobody programs. */
Test(labs, branches_behind_a_gateway_and_behind_an_nva)
{
    static char yaml[] =
        "fabric: lab\n"
        "mode: azure\n"
        "vnets:\n"
        "  - {name: hub, address_space: [10.0.0.0/16], subnets: [{name: RouteServerSubnet, "
        "prefixes: "
        "[10.0.0.0/24]}, {name: csr, prefixes: [10.0.253.0/24]}, {name: GatewaySubnet, prefixes: "
        "[10.0.254.0/24]}]}\n"
        "  - {name: spoke, address_space: [10.3.0.0/16], subnets: [{name: vms, prefixes: "
        "[10.3.0.0/24]}]}\n"
        "  - {name: branch1, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
        "[10.1.0.0/24]}, "
        "{name: GatewaySubnet, prefixes: [10.1.254.0/24]}]}\n"
        "peerings: [{vnets: [hub, spoke], hub: {allow_gateway_transit: true, "
        "allow_forwarded_traffic: true}, "
        "spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}}]\n"
        "nics:\n"
        "  - {name: csr, subnet: hub/csr, addresses: [10.0.253.4], ip_forwarding: true}\n"
        "  - {name: vm, subnet: spoke/vms, addresses: [10.3.0.4]}\n"
        "  - {name: vm1, subnet: branch1/vms, addresses: [10.1.0.4]}\n"
        "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4, 10.0.0.5], branch_to_branch: "
        "true, peers: "
        "[{name: csr, address: 10.0.253.4, asn: 64000}]}]\n"
        "gateways:\n"
        "  - {name: hub-vpn, type: Vpn, vnet: hub, asn: 300, addresses: [10.0.254.4, 10.0.254.5]}\n"
        "  - {name: vpn1, type: Vpn, vnet: branch1, asn: 100, addresses: [10.1.254.4, "
        "10.1.254.5]}\n"
        "routers:\n"
        "  - {name: csr-os, nic: csr, asn: 64000, originate: [10.0.253.0/24], neighbors: "
        "[{route_server: rs}, "
        "{gateway: vpn1}]}\n"
        "  - {name: branch2, asn: 200, originate: [10.2.0.0/16], neighbors: [{gateway: "
        "hub-vpn}]}\n";
    static const struct ways_row rows[] = {
        {"vm", "10.1.0.0/16", "10.0.253.4"},
        {"vm", "10.2.0.0/16", "10.0.254.4,10.0.254.5"},
        {"vm", "10.0.253.0/24", "-"},
        {"vm", "10.0.0.0/8", "sys"},
        {"vm1", "10.0.0.0/16", "10.1.254.4,10.1.254.5"},
        {"vm1", "10.2.0.0/16", "10.1.254.4,10.1.254.5"},
        {"vm1", "10.3.0.0/16", "10.1.254.4,10.1.254.5"},
        {"vm1", "10.0.253.0/24", "10.1.254.4,10.1.254.5"},
    };
    char text[ROWS_TEXT];
    struct fixture fixture;

    fixture_open_yaml(&fixture, yaml);
    expect(&fixture, rows, N(rows));
    rows_expect_learned(&fixture, "csr-os", "10.0.0.0/16", "65515");
    rows_expect_learned(&fixture, "csr-os", "10.2.0.0/16", "65515-300-200");
    rows_expect_learned(&fixture, "csr-os", "10.3.0.0/16", "65515");
    rows_expect_learned(&fixture, "branch2", "10.1.0.0/16", "300-65515-64000-100");
    cr_expect_str_eq(rows_learned_by_gateway(&fixture, "vpn1", "10.2.0.0/16", text), "-");
    fixture_close(&fixture);
}

/* Spokes that first have a table without propagation and then a route server, over the same load balancer. */
Test(labs, a_load_balancer_by_route_table_and_by_next_hop)
{
    static char yaml[] =
        "fabric: lab\n"
        "mode: azure\n"
        "vnets:\n"
        "  - {name: hub, address_space: [10.0.0.0/24], subnets: [{name: RouteServerSubnet, "
        "prefixes: "
        "[10.0.0.128/27]}, {name: nva, prefixes: [10.0.0.160/28], route_table: out}]}\n"
        "  - {name: s1, address_space: [10.0.1.0/24], subnets: [{name: vms, prefixes: "
        "[10.0.1.0/27], "
        "route_table: by-table}]}\n"
        "  - {name: s2, address_space: [10.0.2.0/24], subnets: [{name: vms, prefixes: "
        "[10.0.2.0/27]}]}\n"
        "peerings:\n"
        "  - {vnets: [hub, s1], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
        "s1: "
        "{use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
        "  - {vnets: [hub, s2], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
        "s2: "
        "{use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
        "route_tables:\n"
        "  - {name: out, routes: [{prefix: 0.0.0.0/0, next_hop_type: Internet}]}\n"
        "  - {name: by-table, bgp_propagation: false, routes: [{prefix: 0.0.0.0/0, next_hop_type: "
        "VirtualAppliance, next_hop: 10.0.0.166}, {prefix: 10.0.0.0/16, next_hop_type: "
        "VirtualAppliance, "
        "next_hop: 10.0.0.166}]}\n"
        "nics:\n"
        "  - {name: nva1, subnet: hub/nva, addresses: [10.0.0.164], ip_forwarding: true}\n"
        "  - {name: nva2, subnet: hub/nva, addresses: [10.0.0.165], ip_forwarding: true}\n"
        "  - {name: vm1, subnet: s1/vms, addresses: [10.0.1.4]}\n"
        "  - {name: vm2, subnet: s2/vms, addresses: [10.0.2.4]}\n"
        "load_balancers: [{name: ilb, subnet: hub/nva, frontend: 10.0.0.166, backends: [nva1, "
        "nva2]}]\n"
        "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.132, 10.0.0.133], peers: [{name: "
        "nva1, "
        "address: 10.0.0.164, asn: 65004}, {name: nva2, address: 10.0.0.165, asn: 65004}]}]\n"
        "policies: [{name: by-ilb, rules: [{set: {next_hop: 10.0.0.166}}]}]\n"
        "routers:\n"
        "  - {name: nva1-os, nic: nva1, asn: 65004, stateful: true, originate: [0.0.0.0/0, "
        "10.0.0.0/16], "
        "neighbors: [{route_server: rs, export: by-ilb}]}\n"
        "  - {name: nva2-os, nic: nva2, asn: 65004, stateful: true, originate: [0.0.0.0/0, "
        "10.0.0.0/16], "
        "neighbors: [{route_server: rs, export: by-ilb}]}\n";
    static const struct ways_row rows[] = {
        {"vm1", "10.0.1.0/24", "sys"},
        {"vm1", "10.0.0.0/24", "sys"},
        {"vm1", "0.0.0.0/0", "user"},
        {"vm1", "10.0.0.0/16", "user"},
        {"vm1", "10.0.0.0/8", "-"},
        {"vm2", "0.0.0.0/0", "10.0.0.166"},
        {"vm2", "10.0.0.0/16", "10.0.0.166"},
        {"vm2", "10.0.0.0/24", "sys"},
        {"vm2", "172.16.0.0/12", "-"},
        {"nva1", "0.0.0.0/0", "user"},
        {"nva1", "10.0.0.0/16", "10.0.0.166"},
    };
    static const struct ways_way ways[] = {
        {"vm1", "vm2", "vm1 10.0.0.0/16 > nva1 10.0.2.0/24 > vm2 63",
         "vm2 10.0.0.0/16 > nva1 10.0.1.0/24 > vm1 63"},
        {"vm2", "vm1", "vm2 10.0.0.0/16 > nva2 10.0.1.0/24 > vm1 63",
         "vm1 10.0.0.0/16 > nva2 10.0.2.0/24 > vm2 63"},
    };
    struct fixture fixture;

    fixture_open_yaml(&fixture, yaml);
    expect(&fixture, rows, N(rows));
    /* Stateful, and each NIC hashes for itself: yet answers meet the appliance that knows the flow. */
    ways_assert(&fixture, ways, N(ways));
    fixture_close(&fixture);
}

/* Appliances in spokes: the hub and their own spoke reach them, and the other spoke has a row that leads
 * nowhere. */
Test(labs, appliances_in_spokes_are_out_of_reach_for_other_spokes)
{
    static char yaml[] =
        "fabric: lab\n"
        "mode: azure\n"
        "vnets:\n"
        "  - {name: hub, address_space: [10.0.0.0/22], subnets: [{name: RouteServerSubnet, "
        "prefixes: "
        "[10.0.0.0/26]}, {name: vms, prefixes: [10.0.2.0/24]}]}\n"
        "  - {name: s1, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
        "[10.1.0.0/24]}]}\n"
        "  - {name: s2, address_space: [10.2.0.0/16], subnets: [{name: vms, prefixes: "
        "[10.2.0.0/24]}]}\n"
        "peerings:\n"
        "  - {vnets: [hub, s1], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
        "s1: "
        "{use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
        "  - {vnets: [hub, s2], hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}, "
        "s2: "
        "{use_remote_gateways: true, allow_forwarded_traffic: true}}\n"
        "nics:\n"
        "  - {name: hubvm, subnet: hub/vms, addresses: [10.0.2.4]}\n"
        "  - {name: vm1, subnet: s1/vms, addresses: [10.1.0.4]}\n"
        "  - {name: nva2, subnet: s2/vms, addresses: [10.2.0.9], ip_forwarding: true}\n"
        "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4, 10.0.0.5], peers: [{name: "
        "nva2, address: "
        "10.2.0.9, asn: 65002}]}]\n"
        "routers: [{name: nva2-os, nic: nva2, asn: 65002, originate: [10.71.0.0/16], hosts: "
        "[{name: lab, "
        "address: 10.71.0.10}], neighbors: [{route_server: rs}]}]\n";
    static const struct ways_row rows[] = {
        {"hubvm", "10.71.0.0/16", "10.2.0.9"},
        {"vm1", "10.71.0.0/16", "10.2.0.9"},
        {"vm1", "10.2.0.0/16", "-"},
    };
    struct path path;
    struct fixture fixture;

    fixture_open_yaml(&fixture, yaml);
    expect(&fixture, rows, N(rows));
    ways_walk(&fixture, "hubvm", "lab", 1024, 64, NULL, &path);
    cr_expect_eq(path.verdict, PATH_DELIVERED);
    ways_walk(&fixture, "vm1", "lab", 1024, 64, NULL, &path);
    cr_expect_str_eq(path.reason, "next-hop-unreachable");
    fixture_close(&fixture);
}

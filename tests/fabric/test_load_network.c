/*
 * What the network of a file means together: each mistake gets its exact message with its line.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))

Test(load_network, vnets_and_subnets)
{
    static const struct files_case cases[] = {
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0/16, 10.1.8.0/24]"}},
         "base.yaml:12: error: vnets[spoke].address_space: 10.1.8.0/24 overlaps 10.1.0.0/16 of the "
         "same VNet\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0/16, 224.0.0.0/8]"}},
         "base.yaml:12: error: vnets[spoke].address_space: 224.0.0.0/8 overlaps 224.0.0.0/4, which "
         "is multicast and no machine's own\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0/16, \"::/0\"]"}},
         "base.yaml:12: error: vnets[spoke].address_space: ::/0 overlaps ::1/128, which is "
         "loopback and never leaves a machine\n"
         "base.yaml:16: error: peerings[hub, spoke]: fd00:10::/48 of 'hub' overlaps ::/0 of "
         "'spoke'\n"},
        {{{"{name: vms, prefixes: [10.1.0.0/24]}",
           "{name: vms, prefixes: [10.1.0.0/24, 169.254.9.0/24]}"}},
         "base.yaml:14: error: vnets[spoke].subnets[vms].prefixes: 169.254.9.0/24 lies outside the "
         "VNet's address space (10.1.0.0/16)\n"
         "base.yaml:14: error: vnets[spoke].subnets[vms].prefixes: 169.254.9.0/24 overlaps "
         "169.254.0.0/16, which is link-local and is not forwarded\n"},
        {{{"{name: vms, prefixes: [10.1.0.0/24]}",
           "{name: vms, prefixes: [10.1.0.0/24, 10.9.0.0/24]}"}},
         "base.yaml:14: error: vnets[spoke].subnets[vms].prefixes: 10.9.0.0/24 lies outside the "
         "VNet's address space (10.1.0.0/16)\n"},
        {{{"{name: vms, prefixes: [10.1.0.0/24]}",
           "{name: vms, prefixes: [10.1.0.0/24]}\n"
           "      - {name: more, prefixes: [10.1.0.128/25]}"}},
         "base.yaml:15: error: vnets[spoke].subnets[more].prefixes: 10.1.0.128/25 overlaps "
         "10.1.0.0/24 of subnet 'vms'\n"},
        {{{"{name: vms, prefixes: [10.1.0.0/24]}",
           "{name: vms, prefixes: [10.1.0.0/24, 10.1.1.0/30]}"}},
         "base.yaml:14: error: vnets[spoke].subnets[vms].prefixes: 10.1.1.0/30 has no room beside "
         "its reserved addresses; the smallest subnet is a /29\n"},
        {{{"{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}",
           "{name: RouteServerSubnet, prefixes: [10.0.0.0/26], route_table: out}"}},
         "base.yaml:7: error: vnets[hub].subnets[RouteServerSubnet].route_table: this subnet takes "
         "no route table\n"},
        {{{"{name: GatewaySubnet, prefixes: [10.0.3.0/26]}",
           "{name: GatewaySubnet, prefixes: [10.0.3.0/26], route_table: out}"}},
         "base.yaml:9: error: vnets[hub].subnets[GatewaySubnet].route_table: 'out' holds "
         "0.0.0.0/0, which this subnet does not allow\n"},
        {{{"  - name: out\n", "  - {name: quiet, bgp_propagation: false}\n"
                              "  - name: out\n"}},
         ""},
        {{{"{name: vms, prefixes: [10.1.0.0/24]}",
           "{name: vms, prefixes: [10.1.0.0/24], gateway_mac: \"03:00:00:00:00:01\"}"}},
         "base.yaml:14: error: vnets[spoke].subnets[vms].gateway_mac: 03:00:00:00:00:01 is a "
         "multicast address; its first byte must be even\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: azure #"}},
         "base.yaml:6: warning ipv6-unsupported: vnets[hub].address_space: fd00:10::/48 in a route "
         "server's VNet is not supported with quirk no_ipv6\n"},
        {{{"{name: GatewaySubnet, prefixes: [10.0.3.0/26]}",
           "{name: GatewaySubnet, prefixes: [10.0.3.0/26], route_table: quiet}"},
          {"  - name: out\n", "  - {name: quiet, bgp_propagation: false}\n"
                              "  - name: out\n"}},
         "base.yaml:9: error: vnets[hub].subnets[GatewaySubnet].route_table: 'quiet' has "
         "bgp_propagation off, which this subnet does not allow\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: azure"},
          {"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0/16, 169.254.7.0/24]"}},
         "base.yaml:6: warning ipv6-unsupported: vnets[hub].address_space: fd00:10::/48 in a route "
         "server's VNet is not supported with quirk no_ipv6\n"
         "base.yaml:13: error: vnets[spoke].address_space: 169.254.7.0/24 overlaps 169.254.0.0/16, "
         "which is link-local and is not forwarded\n"},
        {{{"  - name: spoke\n", "  - name: in_sync\n"},
          {"subnet: spoke/vms", "subnet: in_sync/vms"},
          {"vnets: [hub, spoke]\n", "vnets: [hub, in_sync]\n"},
          {"    spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}\n", ""}},
         "base.yaml:10: error: vnets[in_sync].name: 'in_sync' is a key of peerings and cannot name "
         "a VNet\n"},
    };

    files_expect(cases, COUNT(cases));
}

/* Each range, what holds it and what lies in it; and the nearest neighbors, which are good. */
Test(load_network, an_address_space_that_can_carry_nothing_is_refused)
{
    static const struct {
        const char *prefix, *range; /* NULL: none */
    } cases[] = {
        {"0.0.0.0/8", "0.0.0.0/8"},
        {"0.7.0.0/16", "0.0.0.0/8"},
        {"1.0.0.0/8", NULL},
        {"126.0.0.0/8", NULL},
        {"127.0.0.0/8", "127.0.0.0/8"},
        {"126.0.0.0/7", "127.0.0.0/8"},
        {"127.0.0.8/29", "127.0.0.0/8"},
        {"128.0.0.0/8", NULL},
        {"169.253.0.0/16", NULL},
        {"169.254.0.0/16", "169.254.0.0/16"},
        {"169.254.169.0/24", "169.254.0.0/16"},
        {"169.255.0.0/16", NULL},
        {"168.63.129.16/32", "168.63.129.16/32"},
        {"168.63.129.0/24", "168.63.129.16/32"},
        {"168.63.129.24/29", NULL},
        {"223.0.0.0/8", NULL},
        {"224.0.0.0/4", "224.0.0.0/4"},
        {"239.1.0.0/16", "224.0.0.0/4"},
        {"240.0.0.0/8", "240.0.0.0/4"},
        {"255.255.255.255/32", "240.0.0.0/4"},
        {"::1/128", "::1/128"},
        {"::2/128", "::/96"},
        {"::10.0.0.0/104", "::/96"},
        {"::fffe:0:0/96", NULL},
        {"::ffff:0:0/96", "::ffff:0:0/96"},
        {"::ffff:10.0.0.0/104", "::ffff:0:0/96"},
        {"fe40::/10", NULL},
        {"fe80::/64", "fe80::/10"},
        {"fec0::/10", NULL},
        {"fc00::/7", NULL},
        {"ff05::/16", "ff00::/8"},
        {"2001:db8::/32", NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256], wanted[256];
        char *problems;
        struct fabric *fabric;

        snprintf(text, sizeof(text), "vnets: [{name: v, address_space: [\"%s\"]}]\n",
                 cases[i].prefix);
        snprintf(wanted, sizeof(wanted), " overlaps %s, which ",
                 cases[i].range ? cases[i].range : "");
        fabric = files_load_text(text, &problems);
        cr_expect_eq(fabric == NULL, cases[i].range != NULL, "%s: %s", cases[i].prefix, problems);
        cr_expect(!cases[i].range || strstr(problems, wanted), "%s: %s", cases[i].prefix, problems);
        fabric_free(fabric);
        free(problems);
    }
}

Test(load_network, peerings)
{
    static const struct files_case cases[] = {
        {{{"vnets: [hub, spoke]\n", "vnets: [hub, spoke]\n"
                                    "    in_sync: false\n"}},
         "base.yaml:16: warning L16: peerings[hub, spoke].in_sync: no route stands over this "
         "peering until it is synced again\n"},
        {{{"vnets: [hub, spoke]\n", "vnets: [hub, hub]\n"}},
         "base.yaml:16: error: peerings[0].vnets: a VNet cannot be peered with itself\n"},
        {{{"route_tables:\n", "  - vnets: [spoke, hub]\n"
                              "route_tables:\n"}},
         "base.yaml:19: error: peerings[hub, spoke]: these two are peered already (base.yaml:16); "
         "one entry makes both halves\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.0.2.0/23, 10.1.0.0/16]"}},
         "base.yaml:16: error: peerings[hub, spoke]: 10.0.2.0/23 of 'spoke' overlaps 10.0.0.0/22 "
         "of 'hub'\n"},
        {{{"peerings:\n", "  - name: third\n"
                          "    address_space: [10.1.128.0/17]\n"
                          "peerings:\n"},
          {"route_tables:\n", "  - vnets: [third, hub]\n"
                              "route_tables:\n"}},
         "base.yaml:21: error: peerings[hub, third]: 10.1.128.0/17 of 'third' overlaps 10.1.0.0/16 "
         "of 'spoke', and both are peered with 'hub'\n"},
        {{{"peerings:\n", "  - name: third\n"
                          "    address_space: [10.5.0.0/16]\n"
                          "peerings:\n"},
          {"route_tables:\n", "  - vnets: [third, spoke]\n"
                              "    spoke: {use_remote_gateways: true}\n"
                              "    third: {allow_gateway_transit: true}\n"
                              "route_tables:\n"}},
         "base.yaml:21: error: peerings[spoke, third].spoke.use_remote_gateways: 'spoke' does so "
         "already (base.yaml:18); a VNet can use the gateways of one other\n"
         "base.yaml:21: warning L6: peerings[spoke, third].spoke.use_remote_gateways: 'third' has "
         "no route server and no gateway to use\n"},
        {{{"hub: {allow_gateway_transit: true", "hub: {use_remote_gateways: true"}},
         "base.yaml:16: error: peerings[hub, spoke].hub.use_remote_gateways: 'hub' has 'rs1' of "
         "its own and cannot use another VNet's\n"
         "base.yaml:16: warning L6: peerings[hub, spoke].hub.use_remote_gateways: comes to nothing "
         "as 'spoke' does not set allow_gateway_transit\n"
         "base.yaml:16: warning L6: peerings[hub, spoke].spoke.use_remote_gateways: comes to "
         "nothing as 'hub' does not set allow_gateway_transit\n"},
        {{{"hub: {allow_gateway_transit: true, ", "hub: {"}},
         "base.yaml:16: warning L6: peerings[hub, spoke].spoke.use_remote_gateways: comes to "
         "nothing as 'hub' does not set allow_gateway_transit\n"},
        {{{"peerings:\n", "  - name: third\n"
                          "    address_space: [10.5.0.0/16]\n"
                          "peerings:\n"},
          {"route_tables:\n",
           "  - vnets: [hub, third]\n"
           "    hub: {allow_gateway_transit: true}\n"
           "    third: {allow_gateway_transit: true, use_remote_gateways: true}\n"
           "route_tables:\n"}},
         ""},
    };

    files_expect(cases, COUNT(cases));
}

Test(load_network, route_tables)
{
    static const struct files_case cases[] = {
        {{{"      - {prefix: 0.0.0.0/0, next_hop_type: Internet}",
           "      - {prefix: 0.0.0.0/0, next_hop_type: Internet}\n"
           "      - {prefix: 0.0.0.0/0, next_hop_type: None}"}},
         "base.yaml:23: error: route_tables[out].routes: 0.0.0.0/0 stands twice, first at "
         "base.yaml:22; a table has one route a prefix\n"},
        {{{"next_hop_type: Internet}", "next_hop_type: VirtualAppliance}"}},
         "base.yaml:22: error: route_tables[out].routes[0.0.0.0/0]: VirtualAppliance needs "
         "next_hop, the appliance's address\n"},
        {{{"next_hop_type: Internet}", "next_hop_type: Internet, next_hop: 10.0.1.4}"}},
         "base.yaml:22: error: route_tables[out].routes[0.0.0.0/0].next_hop: Internet takes no "
         "next_hop, only VirtualAppliance does\n"},
        {{{"next_hop_type: Internet}",
           "next_hop_type: VirtualAppliance, next_hop: \"fd00:10:0:1::4\"}"}},
         "base.yaml:22: error: route_tables[out].routes[0.0.0.0/0].next_hop: fd00:10:0:1::4 is of "
         "the other address family\n"},
        {{{"next_hop_type: Internet}", "next_hop_type: VirtualAppliance, next_hop: 10.7.0.4}"}},
         "base.yaml:22: warning L9: route_tables[out].routes[0.0.0.0/0].next_hop: 10.7.0.4 is "
         "outside the subnet's VNet and those peered with it, so subnet 'hub/nva' drops what takes "
         "this route\n"},
        {{{"next_hop_type: Internet}", "next_hop_type: VirtualAppliance, next_hop: 10.1.0.77}"}},
         "base.yaml:22: warning L9: route_tables[out].routes[0.0.0.0/0].next_hop: 10.1.0.77 is an "
         "address that no NIC has, so subnet 'hub/nva' drops what takes this route\n"},
        {{{"next_hop_type: Internet}", "next_hop_type: VirtualAppliance, next_hop: 10.1.0.4}"}},
         ""},
        {{{"next_hop_type: Internet}", "next_hop_type: VNetPeering}"}},
         "base.yaml:22: error: route_tables[out].routes[0].next_hop_type: 'VNetPeering' is not one "
         "of: VirtualAppliance, VnetLocal, Internet, VirtualNetworkGateway, None\n"},
    };

    files_expect(cases, COUNT(cases));
}

Test(load_network, nics)
{
    static const struct files_case cases[] = {
        {{{"addresses: [10.1.0.4]", "addresses: [10.1.1.4]"}},
         "base.yaml:26: error: nics[vm1].addresses: 10.1.1.4 is not in subnet 'spoke/vms' "
         "(10.1.0.0/24)\n"},
        {{{"addresses: [10.1.0.4]", "addresses: [10.1.0.1]"}},
         "base.yaml:26: error: nics[vm1].addresses: 10.1.0.1 is reserved (the first four addresses "
         "and the last of 10.1.0.0/24 are); the first usable one is 10.1.0.4\n"},
        {{{"addresses: [10.1.0.4]", "addresses: [10.1.0.255]"}},
         "base.yaml:26: error: nics[vm1].addresses: 10.1.0.255 is reserved (the first four "
         "addresses and the last of 10.1.0.0/24 are); the first usable one is 10.1.0.4\n"},
        {{{"addresses: [10.1.0.4]", "addresses: [10.1.0.4, 10.1.0.4]"}},
         "base.yaml:26: error: nics[vm1].addresses: 10.1.0.4 stands twice\n"},
        {{{"addresses: [10.0.1.5]", "addresses: [10.0.1.4]"}},
         "base.yaml:25: error: nics[nva2].addresses: 10.0.1.4 is taken by NIC 'nva1' "
         "(base.yaml:24)\n"
         "base.yaml:36: warning peer-without-nic: route_servers[rs1].peers[nva2].address: no NIC "
         "in VNet 'hub', or in one peered with it, has 10.0.1.5\n"},
        {{{"\"fd00:10:0:1::4\"]", "\"fd00:10:0:1::1\"]"}},
         "base.yaml:24: error: nics[nva1].addresses: fd00:10:0:1::1 is reserved (the first four "
         "addresses of fd00:10:0:1::/64 are); the first usable one is fd00:10:0:1::4\n"},
        {{{"mac: \"02:00:00:00:00:15\"", "mac: \"02:00:00:00:00:14\""}},
         "base.yaml:25: error: nics[nva2].mac: 02:00:00:00:00:14 is taken by NIC 'nva1' "
         "(base.yaml:24)\n"},
        {{{"mac: \"02:00:00:00:00:15\"", "mac: \"01:00:00:00:00:15\""}},
         "base.yaml:25: error: nics[nva2].mac: 01:00:00:00:00:15 is a multicast address; its first "
         "byte must be even\n"},
        {{{"mac: \"02:00:00:00:00:15\"", "mac: \"00:00:00:00:00:00\""}},
         "base.yaml:25: error: nics[nva2].mac: 00:00:00:00:00:00 is no machine's address; not all "
         "bytes may be zero\n"},
        {{{"mac: \"02:00:00:00:00:15\"", "mac: \"12:34:56:78:9A:BC\""}},
         "base.yaml:25: error: nics[nva2].mac: this is the gateway's MAC in subnet 'hub/nva'\n"},
        {{{"subnet: spoke/vms, addresses: [10.1.0.4]",
           "subnet: hub/GatewaySubnet, addresses: [10.0.3.4]"}},
         "base.yaml:26: error: nics[vm1].subnet: a GatewaySubnet holds no NICs\n"},
        {{{"vlan: 13", "vlan: 12"}},
         "base.yaml:25: error: nics[nva2].vlan: VLAN 12 of port 'trunk' is taken by NIC 'nva1' "
         "(base.yaml:24)\n"},
        {{{", vlan: 13", ""}},
         "base.yaml:24: error: nics[nva1].port: port 'trunk' carries NIC 'nva2' untagged "
         "(base.yaml:25); give each NIC of it a vlan\n"},
        {{{", vlan: 13", ""}, {", vlan: 12", ""}}, ""},
        {{{", vlan: 13", ""}, {", vlan: 12", ""}, {"mac: \"02:00:00:00:00:15\", ", ""}},
         "base.yaml:25: error: nics[nva2].port: port 'trunk' carries NIC 'nva1' as well "
         "(base.yaml:24); give each NIC of it a vlan of its own, or each a mac\n"},
        {{{"port: p1}", "vlan: 7}"}}, "base.yaml:26: error: nics[vm1].vlan: needs a port\n"},
        {{{"port: p1}", "port: p1, underlay: {port: trunk, vni: 7}}"},
          {"00.0\"}", "00.0\", address: 192.0.2.1}"}},
         "base.yaml:26: error: nics[vm1]: hangs on a port or on an underlay; on both only with a "
         "host, whose port that is\n"},
        {{{"port: p1}", "underlay: {port: trunk, vni: 7}}"}},
         "base.yaml:26: error: nics[vm1].underlay.port: port 'trunk' (base.yaml:29) has no "
         "address, "
         "which is the own end of its tunnels\n"},
        {{{"port: p1}", "underlay: {port: trunk}}"}, {"00.0\"}", "00.0\", address: 192.0.2.1}"}},
         ""},
        {{{"port: p1}", "port: p1, host: h1}"},
          {"fabric: base", "fabric: base\n"
                           "hosts: [{name: h1, vtep: 192.0.2.1}, {name: h2, vtep: 192.0.2.2}]"},
          {"iface: fp-vm1}", "iface: fp-vm1}, host: h2"}},
         "base.yaml:27: error: nics[vm1].host: 'h1', but its port 'p1' is of host 'h2'\n"},
        {{{"00.0\"}", "00.0\", address: 192.0.2.1, next_hop: \"2001:db8::1\"}"}},
         "base.yaml:29: error: ports[trunk].next_hop: 2001:db8::1 is of another family than its "
         "address\n"},
        {{{"00.0\"}", "00.0\", next_hop: 192.0.2.1}"}},
         "base.yaml:29: error: ports[trunk].next_hop: needs an address, the own end of tunnels\n"},
        {{{"fabric: base", "fabric: base\n"
                           "hosts: [{name: h1, vtep: 192.0.2.1}, {name: h2, vtep: \"fd00::1\"}]"}},
         "base.yaml:2: error: hosts[h2].vtep: fd00::1 is of another family than that of host 'h1' "
         "(base.yaml:2)\n"},
        {{{"fabric: base", "fabric: base\n"
                           "hosts: [{name: h1, vtep: \"fd00::1\"}]"},
          {"00.0\"}", "00.0\", address: 192.0.2.1}"}},
         "base.yaml:30: error: ports[trunk].address: 192.0.2.1 is of another family than the end "
         "points of hosts\n"},
        {{{"fabric: base", "fabric: base\n"
                           "hosts: [{name: h1, vtep: 192.0.2.1}, {name: h2, vtep: 192.0.2.2}]"},
          {"device: \"0000:3b:00.0\"}", "device: net_tap, options: {iface: fp-vm1}, host: h1}"},
          {"iface: fp-vm1}}", "iface: fp-vm1}, host: h2}"}},
         ""},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {port: p1}"}},
         "base.yaml:27: error: NIC 'vm1': port 'p1' belongs to the internet of fabric 'base' "
         "(base.yaml:2) and cannot be shared\n"},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {mac: \"ff:ff:ff:ff:ff:ff\"}"}},
         "base.yaml:2: error: internet.mac: ff:ff:ff:ff:ff:ff is a multicast address; its first "
         "byte must be even\n"},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {mac: \"00:00:00:00:00:00\"}"}},
         "base.yaml:2: error: internet.mac: 00:00:00:00:00:00 is no machine's address; not all "
         "bytes may be zero\n"},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {next_hop: 224.0.0.1}"}},
         "base.yaml:2: error: internet.next_hop: 224.0.0.1 is multicast and no machine's own\n"},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {next_hop: 203.0.113.1, source_nat: 203.0.113.1}"}},
         "base.yaml:2: error: internet.next_hop: 203.0.113.1 is source_nat, which is an address of "
         "the fabric's own\n"},
        {{{"fabric: base", "fabric: base\n"
                           "internet: {next_hop: \"fe80::1\"}"}},
         ""},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {cores: [1, 2, 1]}"}},
         "base.yaml:2: error: engine.cores: core 1 stands twice\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {bmp: [{collector: 127.0.0.1:1}, {collector: 127.0.0.1:1}]}"}},
         "base.yaml:2: error: engine.bmp: collector 127.0.0.1:1 stands twice (base.yaml:2)\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {bmp: [{collector: 127.0.0.1:1, routes: [all]}]}"}},
         "base.yaml:2: error: engine.bmp[0].routes: 'all' is not one of: pre_policy, post_policy, "
         "adj_rib_out, loc_rib\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {bmp: [{collector: 127.0.0.1:1, routes: []}]}"}},
         "base.yaml:2: error: engine.bmp[0].routes: nothing is to be told; take the collector out, "
         "or "
         "the key\n"},
        {{{"device: \"0000:3b:00.0\"", "device: net_tap, options: {iface: fp-vm1}"}},
         "base.yaml:29: error: ports[trunk].device: 'net_tap' with the same options is port 'p1' "
         "(base.yaml:28)\n"},
        {{{"fabric: base", "fabric: base\n"
                           "hosts: [{name: h1, vtep: 192.0.2.1}, {name: h2, vtep: 192.0.2.1}]"}},
         "base.yaml:2: error: hosts[h2].vtep: 192.0.2.1 is that of host 'h1' (base.yaml:2)\n"},
    };

    files_expect(cases, COUNT(cases));
}

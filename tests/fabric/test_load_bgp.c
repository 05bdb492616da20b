/*
 * Route servers, routers and what stands around them: each mistake gets its exact message with its
 * line.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))

Test(load_bgp, route_servers)
{
    static const struct files_case cases[] = {
        {{{"{name: RouteServerSubnet", "{name: RsSubnet"}},
         "base.yaml:32: error: route_servers[rs1].vnet: VNet 'hub' has no subnet named "
         "RouteServerSubnet\n"},
        {{{"addresses: [10.0.0.4, 10.0.0.5]", "addresses: [10.0.0.4, 10.0.2.5]"}},
         "base.yaml:33: error: route_servers[rs1].addresses: 10.0.2.5 is not in subnet "
         "'hub/RouteServerSubnet' (10.0.0.0/26)\n"},
        {{{"addresses: [10.0.0.4, 10.0.0.5]", "addresses: [10.0.0.2]"}},
         "base.yaml:33: error: route_servers[rs1].addresses: 10.0.0.2 is reserved (the first four "
         "addresses and the last of 10.0.0.0/26 are); the first usable one is 10.0.0.4\n"},
        {{{"addresses: [10.0.0.4, 10.0.0.5]", "addresses: [10.0.0.4, 10.0.0.4]"}},
         "base.yaml:33: error: route_servers[rs1].addresses: 10.0.0.4 stands twice; each instance "
         "has an address of its own\n"},
        {{{"routers:\n", "  - {name: rs2, vnet: hub, addresses: [10.0.0.6]}\n"
                         "routers:\n"}},
         "base.yaml:37: error: route_servers[rs2].vnet: VNet 'hub' has route server 'rs1' already "
         "(base.yaml:31)\n"},
        {{{"    vnet: hub\n", "    vnet: hub\n"
                              "    asn: 23456\n"}},
         "base.yaml:33: error: route_servers[rs1].asn: 23456 is reserved (AS_TRANS) and nobody's "
         "own\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: azure"},
          {"    vnet: hub\n", "    vnet: hub\n"
                              "    asn: 65000\n"}},
         "base.yaml:6: warning ipv6-unsupported: vnets[hub].address_space: fd00:10::/48 in a route "
         "server's VNet is not supported with quirk no_ipv6\n"
         "base.yaml:34: error: route_servers[rs1].asn: is always 65515 in azure mode\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.4, asn: 65515}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: is 65515, but router 'r1', "
         "which owns this address, has asn 65001\n"
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: is the route server's own; an "
         "internal session wants bgp: {reflection: client} or {reflection: non_client}\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65515, bgp: {reflection: client, role: rs}}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: is 65515, but router 'r1', "
         "which owns this address, has asn 65001\n"
         "base.yaml:35: error: route_servers[rs1].peers[nva1].bgp.role: roles are for external "
         "sessions (RFC 9234)\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65001, bgp: {reflection: client, role_strict: true}}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].bgp.reflection: is for internal "
         "sessions; this peer has another AS number\n"
         "base.yaml:35: error: route_servers[rs1].peers[nva1].bgp.role_strict: wants a role\n"},
        {{{"    vnet: hub\n", "    vnet: hub\n"
                              "    cluster_id: \"fd00::1\"\n"}},
         "base.yaml:33: error: route_servers[rs1].cluster_id: is written as an IPv4 address\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.4, asn: 65002}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: is 65002, but router 'r1', "
         "which owns this address, has asn 65001\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.5, asn: 65001}\n"}},
         "base.yaml:36: error: route_servers[rs1].peers[nva2].address: 10.0.1.5 is that of peer "
         "'nva1' (base.yaml:35)\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.77, asn: 65001}\n"}},
         "base.yaml:35: warning peer-without-nic: route_servers[rs1].peers[nva1].address: no NIC "
         "in VNet 'hub', or in one peered with it, has 10.0.1.77\n"
         "base.yaml:38: warning one-sided-session: routers[r1].neighbors: route server 'rs1' has "
         "no peer at an address of this router's NICs; no session comes up\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.0.5, asn: 65001}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].address: 10.0.0.5 is the route "
         "server's own\n"},
        {{{"addresses: [10.0.1.5], ip_forwarding: true", "addresses: [10.0.1.5]"}},
         "base.yaml:25: warning L9: nics[nva2].ip_forwarding: is off, but this is the NIC of peer "
         "'nva2' of route server 'rs1': packets sent to it by its routes are dropped as "
         "receiver-not-forwarding\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 127.0.0.1, asn: 65001}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].address: 127.0.0.1 lies in "
         "127.0.0.0/8, which is loopback and never leaves a machine\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 169.254.21.5, asn: 65001}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].address: 169.254.21.5 lies in "
         "169.254.0.0/16, which is link-local and is not forwarded\n"},
        {{{"{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}",
           "{name: RouteServerSubnet, prefixes: [\"fd00:10::/64\"]}"},
          {"addresses: [10.0.0.4, 10.0.0.5]", "addresses: [\"fd00:10::4\"]"},
          {"address: 10.0.1.4, asn: 65001}\n", "address: \"::1\", asn: 65001}\n"},
          {"address: 10.0.1.5, asn: 65001}\n", "address: \"fe80::5\", asn: 65001}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].address: ::1 lies in ::1/128, which "
         "is loopback and never leaves a machine\n"
         "base.yaml:36: error: route_servers[rs1].peers[nva2].address: fe80::5 is link-local: it "
         "needs transport.interface and transport.local_addresses, which say on which link and "
         "from where\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: \"fd00:10:0:1::4\", asn: 65001}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].address: fd00:10:0:1::4 is not of "
         "the address family of the route server's own addresses; give it "
         "transport.local_addresses\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.4, asn: 65001, hold_time_s: 2}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].hold_time_s: 2 is neither 0 nor at "
         "least 3\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65001, hold_time_s: 30, send_hold_time_s: 30}\n"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].send_hold_time_s: 30 is neither 0 "
         "nor "
         "more than hold_time_s (30)\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65001, hold_time_s: 30, keepalive_s: 20}\n"}},
         "base.yaml:35: warning keepalive: route_servers[rs1].peers[nva1].keepalive_s: 20 is more "
         "than a third of hold_time_s (30); two lost keepalives end the session\n"},
        {{{"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65001, hold_time_s: 30}\n"}},
         ""},
        {{{"fabric: base", "fabric: base\n"
                           "quirks: {no_md5: true, no_bfd: true}"},
          {"address: 10.0.1.4, asn: 65001}\n",
           "address: 10.0.1.4, asn: 65001, key_file: k, bfd: {}}\n"}},
         "base.yaml:36: error: route_servers[rs1].peers[nva1].bfd: there is no BFD with quirk "
         "no_bfd\n"
         "base.yaml:36: error: route_servers[rs1].peers[nva1].key_file: there are no keys with "
         "quirk no_md5\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: azure"},
          {"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.4, asn: 64500}\n"},
          {"nic: nva1, asn: 65001", "nic: nva1, asn: 64500"}},
         "base.yaml:6: warning ipv6-unsupported: vnets[hub].address_space: fd00:10::/48 in a route "
         "server's VNet is not supported with quirk no_ipv6\n"
         "base.yaml:36: error: route_servers[rs1].peers[nva1].asn: azure mode refuses the reserved "
         "number 64500\n"},
        {{{"fabric: base", "fabric: base\n"
                           "quirks: {two_octet_asn: true}"},
          {"address: 10.0.1.4, asn: 65001}\n", "address: 10.0.1.4, asn: 70000}\n"},
          {"nic: nva1, asn: 65001", "nic: nva1, asn: 70000"}},
         "base.yaml:36: error: route_servers[rs1].peers[nva1].asn: 70000 does not fit 16 bits "
         "(quirk two_octet_asn)\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: azure"},
          {"address: 10.0.1.4, asn: 65001}\n", "address: 10.9.1.4, asn: 65001}\n"}},
         "base.yaml:6: warning ipv6-unsupported: vnets[hub].address_space: fd00:10::/48 in a route "
         "server's VNet is not supported with quirk no_ipv6\n"
         "base.yaml:36: error: route_servers[rs1].peers[nva1].address: 10.9.1.4 is outside VNet "
         "'hub' and those peered with it\n"},
        {{{"    peers:\n", "    limits: {peers: 1}\n"
                           "    peers:\n"}},
         "base.yaml:37: error: route_servers[rs1].peers: 2 peers, but the limit is 1\n"},
        {{{"fabric: base", "fabric: base\n"
                           "quirks: {peer_limit: true}"},
          {"    peers:\n", "    limits: {peers: 9}\n"
                           "    peers:\n"}},
         "base.yaml:35: error: route_servers[rs1].limits.peers: at most 8 with quirk peer_limit\n"},
        {{{"    peers:\n", "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65001, "
                           "65100-65199], template: nva}]\n"
                           "    peers:\n"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[10.0.1.128/25].template: there is "
         "no peer 'nva'; did you mean 'nva1'?\n"},
        {{{"    peers:\n",
           "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65199-65100], template: nva1}]\n"
           "    peers:\n"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[0].asns: expected an AS number or "
         "a range like 65100-65199, found '65199-65100'\n"},
        {{{"    peers:\n",
           "    dynamic_peers: [{prefix: fd00::/64, asns: [65001], template: nva1}]\n"
           "    peers:\n"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[fd00::/64].prefix: is not of the "
         "address family of template 'nva1' (10.0.1.4)\n"},
        {{{"    peers:\n",
           "    limits: {peers: 2}\n"
           "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65001], template: nva1}]\n"
           "    peers:\n"}},
         "base.yaml:35: error: route_servers[rs1].dynamic_peers[10.0.1.128/25]: the 2 configured "
         "peers leave no room in limits.peers (2)\n"},
        {{{"    peers:\n",
           "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65500-65515], template: nva1}]\n"
           "    peers:\n"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[10.0.1.128/25].asns: 65500-65515 "
         "has the route server's own AS number 65515, and template 'nva1' is an external peer\n"},
        {{{"    peers:\n",
           "    dynamic_peers: [{prefix: 10.0.1.128/25, asns: [65001], template: nva1}]\n"
           "    peers:\n"},
          {"{name: nva1, address: 10.0.1.4, asn: 65001}",
           "{name: nva1, address: 10.0.1.4, asn: 65001, transport: {connect: active}}"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[10.0.1.128/25].template: peer "
         "'nva1' "
         "is only called (connect: active), and nobody calls addresses of a range; take another "
         "connect\n"},
        {{{"    peers:\n",
           "    dynamic_peers: [{prefix: 10.0.1.0/24, asns: [65001], template: nva1}]\n"
           "    peers:\n"},
          {"{name: nva1, address: 10.0.1.4, asn: 65001}",
           "{name: nva1, address: 10.0.1.4, asn: 65001, key_file: k}"}},
         "base.yaml:34: error: route_servers[rs1].dynamic_peers[10.0.1.0/24]: has the key of "
         "template 'nva1', but peer 'nva2' within it has none; give it a key_file, or an address "
         "outside\n"},
        {{{"      - {name: nva1, address: 10.0.1.4, asn: 65001}\n", ""}},
         "base.yaml:37: warning one-sided-session: routers[r1].neighbors: route server 'rs1' has "
         "no peer at an address of this router's NICs; no session comes up\n"},
        {{{", neighbors: [{route_server: rs1}]}\n"
           "  - {name: r2",
           "}\n"
           "  - {name: r2"}},
         "base.yaml:35: warning one-sided-session: route_servers[rs1].peers[nva1]: router 'r1' "
         "(base.yaml:38) has this address but no neighbor {route_server: rs1}; no session comes up "
         "in the twin\n"},
    };

    files_expect(cases, COUNT(cases));
}

/* r2 has no peer of its own, and is in a range. */
#define IN_RANGE(keys)                                                                             \
    {                                                                                              \
        {"      - {name: nva2, address: 10.0.1.5, asn: 65001}\n", ""},                             \
        {                                                                                          \
            "    peers:\n",                                                                        \
                "    dynamic_peers: [{prefix: 10.0.1.5/32, template: nva1, " keys "    peers:\n"   \
        }                                                                                          \
    }

Test(load_bgp, routers_in_dynamic_peers)
{
    static const struct files_case cases[] = {
        {IN_RANGE("asns: [65001]}]\n"), ""},
        {IN_RANGE("asns: [65100-65199]}]\n"),
         "base.yaml:39: warning one-sided-session: routers[r2].neighbors: route server 'rs1' takes "
         "no AS 65001 from dynamic_peers[10.0.1.5/32]; no session comes up\n"},
        {{{"      - {name: nva2, address: 10.0.1.5, asn: 65001}\n", ""},
          {"    peers:\n",
           "    limits: {peers: 2}\n"
           "    dynamic_peers: [{prefix: 10.0.1.0/24, asns: [65001], template: nva1}]\n"
           "    peers:\n"},
          {"  - {name: vm1, subnet: spoke/vms",
           "  - {name: nva3, subnet: hub/nva, addresses: [10.0.1.6], ip_forwarding: true}\n"
           "  - {name: vm1, subnet: spoke/vms"},
          {"routers:\n", "routers:\n  - {name: r3, nic: nva3, asn: 65001, neighbors: "
                         "[{route_server: rs1}]}\n"}},
         "base.yaml:40: warning one-sided-session: routers[r3]: route server 'rs1' has no room for "
         "it in dynamic_peers, as limits.peers is 2; no session comes up\n"},
    };

    files_expect(cases, COUNT(cases));
}

Test(load_bgp, routers_gateways_and_the_rest)
{
    static const struct files_case cases[] = {
        {{{"nic: [nva2]", "nic: [nva2, nva1]"}},
         "base.yaml:39: error: routers[r2].nic: 'nva1' belongs to router 'r1' (base.yaml:38)\n"},
        {{{"nic: [nva2]", "nic: [nva2, nva2]"}},
         "base.yaml:39: error: routers[r2].nic: 'nva2' stands twice\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1, router: r2}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: give one of route_server, router, gateway "
         "and address, not several\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{as_override: true}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: give one of route_server, router, gateway "
         "and address, not none\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1}, {route_server: rs1}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: the same neighbor as at base.yaml:38\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1}, {router: r1}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: a router is not its own neighbor\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1}, {address: 10.1.0.4}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: address needs the neighbor's asn\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1}, {router: r2}, {address: 10.9.9.9, asn: 7}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: warning one-sided-session: routers[r1].neighbors: no router has a NIC with "
         "the address 10.9.9.9; no session comes up in the twin\n"
         "base.yaml:38: warning one-sided-session: routers[r1].neighbors: router 'r2' "
         "(base.yaml:39) does not name this one; no session comes up\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1, asn: 7}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors: asn stands with address only; others have "
         "their own\n"},
        {{{"originate: [10.0.0.0/8], neighbors: [{route_server: rs1}]}\n"
           "  - {name: r2",
           "originate: [0.0.0.0/0, 10.0.0.0/8, 10.0.0.0/8], neighbors: [{route_server: rs1}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].originate: 10.0.0.0/8 stands twice\n"},
        {{{"asn: 65001, originate: [10.0.0.0/8], neighbors: [{route_server: rs1}]}\n"
           "  - {name: r2",
           "asn: 65001, static: [{prefix: \"fd00::/8\", via: 10.0.1.1}], neighbors: "
           "[{route_server: rs1}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].static[fd00::/8].via: 10.0.1.1 is of the other address "
         "family\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: Vpn, vnet: spoke, addresses: [10.1.9.4]}\n"}},
         "base.yaml:16: error: peerings[hub, spoke].spoke.use_remote_gateways: 'spoke' has 'g1' of "
         "its own and cannot use another VNet's\n"
         "base.yaml:41: error: gateways[g1].vnet: VNet 'spoke' has no subnet named "
         "GatewaySubnet\n"},
        {{{NULL,
           "gateways:\n"
           "  - {name: g1, type: Vpn, vnet: hub, addresses: [10.0.3.4, 10.0.3.4, 10.0.1.9]}\n"}},
         "base.yaml:41: error: gateways[g1].addresses: 10.0.1.9 is not in subnet "
         "'hub/GatewaySubnet' (10.0.3.0/26)\n"
         "base.yaml:41: error: gateways[g1].addresses: 10.0.3.4 stands twice\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4]}\n"
                 "  - {name: g2, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4]}\n"}},
         "base.yaml:42: error: gateways[g2].addresses: 10.0.3.4 is taken by gateway 'g1' "
         "(base.yaml:41)\n"
         "base.yaml:42: error: gateways[g2]: VNet 'hub' has a gateway of this type already, 'g1' "
         "(base.yaml:41)\n"},
        {{{"ports:\n", "ports:\n  - {name: g1, device: net_tap, options: {iface: g1}}\n"
                       "  - {name: g2, device: net_tap, options: {iface: g2}}\n"},
          {NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], port: g1, "
                 "kernel_table: 1001}\n"
                 "  - {name: g2, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7], port: "
                 "g2, kernel_table: 1001}\n"}},
         "base.yaml:44: error: gateways[g2].kernel_table: 1001 is that of gateway 'g1' "
         "(base.yaml:43)\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], "
                 "kernel_table: 1001}\n"}},
         "base.yaml:41: error: gateways[g1].kernel_table: needs a port\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], neighbors: "
                 "[{route_server: rs1}]}\n"}},
         "base.yaml:41: error: gateways[g1].neighbors: a gateway's neighbor is a router or an "
         "address; it has a session with the route server of its VNet by itself\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], neighbors: "
                 "[{address: 192.0.2.1, asn: 65050, key_file: k, bfd: {}}]}\n"}},
         "base.yaml:41: error: gateways[g1].neighbors.bfd: only between routers; gateways have "
         "none\n"
         "base.yaml:41: error: gateways[g1].neighbors.key_file: sessions with gateways have no "
         "key\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: Vpn, vnet: hub, addresses: [10.0.3.4], asn: 65100}\n"}},
         "base.yaml:41: warning L15: gateways[g1].addresses: beside a route server a VPN gateway "
         "is active-active\n"
         "base.yaml:41: warning L15: gateways[g1].asn: 65100 is not that of route server 'rs1', "
         "65515\n"},
        {{{NULL, "gateways:\n"
                 "  - {name: g1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], "
                 "point_to_site: [172.30.0.0/24]}\n"}},
         "base.yaml:41: error: gateways[g1]: static_branches and point_to_site belong to type "
         "Vpn\n"},
        {{{NULL,
           "load_balancers:\n"
           "  - {name: lb, subnet: hub/nva, frontend: 10.0.1.4, backends: [nva1, vm1, nva1]}\n"}},
         "base.yaml:41: error: load_balancers[lb].backends: 'nva1' stands twice\n"
         "base.yaml:41: error: load_balancers[lb].backends: NIC 'vm1' is in VNet 'spoke', not in "
         "'hub'\n"
         "base.yaml:41: error: load_balancers[lb].frontend: 10.0.1.4 is taken by NIC 'nva1' "
         "(base.yaml:24)\n"},
        {{{NULL, "load_balancers:\n"
                 "  - {name: a, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1]}\n"
                 "  - {name: b, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1]}\n"}},
         "base.yaml:42: error: load_balancers[b].frontend: 10.0.1.100 is taken by load balancer "
         "'a' (base.yaml:41)\n"},
        {{{NULL, "load_balancers:\n"
                 "  - {name: a, subnet: hub/nva, frontend: 10.0.1.100, backends: [nva1], probe: "
                 "{protocol: Tcp}}\n"
                 "  - {name: b, subnet: hub/nva, frontend: 10.0.1.101, backends: [nva1], probe: "
                 "{port: 80, interval_s: 2, timeout_ms: 1001}}\n"
                 "  - {name: c, subnet: hub/nva, frontend: 10.0.1.102, backends: [nva1], probe: "
                 "{protocol: Tcp, port: 80, interval_s: 1}}\n"}},
         "base.yaml:41: error: load_balancers[a].probe.protocol: Tcp needs a port\n"
         "base.yaml:42: error: load_balancers[b].probe.port: goes with protocol: Tcp only\n"
         "base.yaml:42: error: load_balancers[b].probe.timeout_ms: 1001 is more than half of "
         "interval_s (2)\n"},
        {{{NULL, "tunnels:\n"
                 "  - {name: t, ends: [r1, r1], addresses: [172.31.0.1, 172.31.0.1]}\n"}},
         "base.yaml:41: error: tunnels[t].addresses: must be two different ones of one family\n"
         "base.yaml:41: error: tunnels[t].ends: must be two routers\n"
         "base.yaml:41: error: tunnels[t]: type vxlan needs vni\n"},
        {{{NULL, "tunnels:\n"
                 "  - {name: t, vni: 1, ends: [r1, r2], addresses: [172.31.0.1, 172.31.0.2], "
                 "underlay: [10.0.1.4, 10.0.1.4]}\n"}},
         "base.yaml:41: error: tunnels[t].underlay: must be two different ones of one family\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs1}, {router: r2, tunnel: t}]}\n"
           "  - {name: r2"},
          {NULL, "  - {name: r3, asn: 65003}\n"
                 "tunnels:\n"
                 "  - {name: t, vni: 9, ends: [r1, r3], addresses: [172.31.0.1, 172.31.0.2]}\n"}},
         "base.yaml:38: error: routers[r1].neighbors: tunnel 't' does not join this router and the "
         "neighbor\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{match: {prefixes: [\"10.0.0.0/8 ge 4\"]}}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].match.prefixes: '10.0.0.0/8 ge 4' is not a "
         "prefix with optional lengths, like 10.0.0.0/8 ge 16 le 24: the lengths must be at least "
         "the prefix's own, and ge at most le\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{match: {communities: [\"65536:1\"], as_path: \"(65001\"}, "
                 "then: maybe}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].match.as_path: '(65001' is not an "
         "expression over an AS path: a '(' has no ')' (at character 7)\n"
         "base.yaml:41: error: policies[p].rules[0].match.communities: '65536:1' is not a "
         "community like 65001:100 or 65001:*: a community is like 65001:100, no-export, "
         "rt:65001:100, 65001:1:2 (large) or 0x0123456789abcdef (extended), with * for any "
         "number\n"
         "base.yaml:41: error: policies[p].rules[0].then: 'maybe' is not one of: accept, reject, "
         "continue\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{set: {summarise: 10.0.0.0/8}, then: continue}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].then: a rule that summarises accepts; to let "
         "its routes through as well, set keep_contributors: true\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{set: {keep_contributors: true}}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].set.keep_contributors: there is no 'summarise' "
         "beside it\n"},
        {{{NULL,
           "policies:\n"
           "  - {name: p, rules: [{set: {summarise: 10.0.0.0/8, next_hop: \"fd00::1\"}}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].set.next_hop: is not of the address family of "
         "'summarise'\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{set: {next_hop: 224.0.0.1}}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].set.next_hop: 224.0.0.1 lies in 224.0.0.0/4, "
         "which is multicast and no machine's own\n"},
        {{{NULL, "policies:\n"
                 "  - name: p\n"
                 "    rules: [{then: reject},\n"
                 "            {match: {med: 1}}]\n"}},
         "base.yaml:41: warning policy-unused: policies[p]: no peer and no neighbor has this "
         "policy\n"
         "base.yaml:43: warning policy-order: policies[p].rules[1]: no route comes here: the rule "
         "above (base.yaml:42) matches every route and decides\n"},
        {{{NULL, "policies:\n"
                 "  - {name: p, rules: [{match: {as_path: \"^65001{9}\"}}]}\n"}},
         "base.yaml:41: error: policies[p].rules[0].match.as_path: '^65001{9}' is not an "
         "expression over an AS path: repeat counts in {} are not known here; \\{ is the brace of "
         "an AS set (at character 7)\n"},
    };

    files_expect(cases, COUNT(cases));
}

/*
 * The two tables about gateways, cell by cell: who learns what, with and without branch_to_branch, in
 * both modes; and which source the NICs follow, by hub routing preference and AS path length.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/rows.h"

/* spoke3 does not use the hub's gateways. nva1 speaks for itself; nva2 is "another NVA". */
static const char who_learns[] =
    "fabric: who-learns\n"
    "mode: %s\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24]}\n"
    "      - {name: vms, prefixes: [10.0.2.0/25]}\n"
    "      - {name: udr, prefixes: [10.0.2.128/25], route_table: t}\n"
    "      - {name: off, prefixes: [10.0.3.128/25], route_table: off}\n"
    "      - {name: GatewaySubnet, prefixes: [10.0.3.0/26]}\n"
    "  - {name: spoke1, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.1.0.0/24]}]}\n"
    "  - {name: spoke3, address_space: [10.3.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.3.0.0/24]}]}\n"
    "  - name: other\n"
    "    address_space: [10.4.0.0/16]\n"
    "    subnets: [{name: RouteServerSubnet, prefixes: [10.4.0.0/26]}, {name: nva, prefixes: "
    "[10.4.1.0/24]}]\n"
    "peerings:\n"
    "  - vnets: [hub, spoke1]\n"
    "    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
    "    spoke1: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"
    "  - {vnets: [hub, spoke3], hub: {allow_gateway_transit: true}}\n"
    "  - {vnets: [hub, other]}\n"
    "route_tables:\n"
    "  - {name: t, routes: [{prefix: 10.200.0.0/16, next_hop_type: VirtualAppliance, next_hop: "
    "10.0.1.4}]}\n"
    "  - {name: off, bgp_propagation: false}\n"
    "nics:\n"
    "  - {name: hubvm, subnet: hub/vms, addresses: [10.0.2.4]}\n"
    "  - {name: udrvm, subnet: hub/udr, addresses: [10.0.2.132]}\n"
    "  - {name: offvm, subnet: hub/off, addresses: [10.0.3.132]}\n"
    "  - {name: vm1, subnet: spoke1/vms, addresses: [10.1.0.4]}\n"
    "  - {name: vm3, subnet: spoke3/vms, addresses: [10.3.0.4]}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}\n"
    "  - {name: nva4, subnet: other/nva, addresses: [10.4.1.4], ip_forwarding: true}\n"
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    branch_to_branch: %s\n"
    "    peers: [{name: nva1, address: 10.0.1.4, asn: 65001}, {name: nva2, address: 10.0.1.5, asn: "
    "65002}]\n"
    "  - {name: rs4, vnet: other, addresses: [10.4.0.4, 10.4.0.5], peers: [{name: nva4, address: "
    "10.4.1.4, asn: 65004}]}\n"
    "gateways:\n"
    "  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4, 10.0.3.5]}\n"
    "  - name: vpn1\n"
    "    type: Vpn\n"
    "    vnet: hub\n"
    "    addresses: [10.0.3.6, 10.0.3.7]\n"
    "    static_branches: [{name: branch7, prefixes: [192.168.7.0/24]}]\n"
    "    point_to_site: [172.30.0.0/24]\n"
    "policies:\n"
    "  - {name: tagged, rules: [{match: {prefixes: [9.9.8.0/24]}, set: {add_communities: "
    "['65535:65282']}}]}\n"
    "routers:\n"
    "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [9.9.9.0/24, 9.9.8.0/24, 0.0.0.0/0],\n"
    "     neighbors: [{route_server: rs1, export: tagged}]}\n"
    "  - {name: nva2-os, nic: nva2, asn: 65002, neighbors: [{route_server: rs1}]}\n"
    "  - {name: nva4-os, nic: nva4, asn: 65004, originate: [10.40.0.0/16], neighbors: "
    "[{route_server: "
    "rs4}]}\n"
    "  - {name: msee1, asn: 12076, originate: [10.50.0.0/16], neighbors: [{gateway: er1}]}\n"
    "  - {name: msee2, asn: 12076, neighbors: [{gateway: er1}]}\n"
    "  - {name: cpe1, asn: 65060, originate: [192.168.9.0/24], neighbors: [{gateway: vpn1}]}\n"
    "  - {name: cpe2, asn: 65061, neighbors: [{gateway: vpn1}]}\n";

/* A NIC's source, or an AS path; "-": not there. */
struct row {
    const char *what, *prefix;
    const char *hubvm, *vm1, *vm3, *er1_0, *vpn1_0;
    const char *nva2[2], *msee2[2], *cpe2[2]; /* without, with branch_to_branch */
};

static const struct row rows[] = {
    {"route server's VNet",
     "10.0.0.0/22",
     "sys",
     "sys",
     "sys",
     "sys",
     "sys",
     {"65515", "65515"},
     {"65515", "65515"},
     {"65515", "65515"}},
    {"spoke that uses the hub's gateways",
     "10.1.0.0/16",
     "sys",
     "sys",
     "-",
     "sys",
     "sys",
     {"65515", "65515"},
     {"65515", "65515"},
     {"65515", "65515"}},
    {"spoke that does not",
     "10.3.0.0/16",
     "sys",
     "-",
     "sys",
     "sys",
     "sys",
     {"-", "-"},
     {"-", "-"},
     {"-", "-"}},
    {"NVA",
     "9.9.9.0/24",
     "bgp",
     "bgp",
     "-",
     "bgp",
     "bgp",
     {"65515-65001", "65515-65001"},
     {"-", "65515-65001"},
     {"-", "65515-65001"}},
    {"NVA, NO_ADVERTISE",
     "9.9.8.0/24",
     "bgp",
     "bgp",
     "-",
     "bgp",
     "bgp",
     {"-", "-"},
     {"-", "-"},
     {"-", "-"}},
    {"NVA, default",
     "0.0.0.0/0",
     "bgp",
     "bgp",
     "sys",
     "bgp",
     "bgp",
     {"65515-65001", "65515-65001"},
     {"-", "65515-65001"},
     {"-", "-"}},
    {"ExpressRoute",
     "10.50.0.0/16",
     "bgp",
     "bgp",
     "-",
     "-",
     "bgp",
     {"-", "65515-12076"},
     {"-", "-"},
     {"-", "65515-12076"}},
    {"VPN by BGP",
     "192.168.9.0/24",
     "bgp",
     "bgp",
     "-",
     "bgp",
     "-",
     {"-", "65515-65060"},
     {"-", "65515-65060"},
     {"65515-65060", "65515-65060"}},
    {"VPN, static",
     "192.168.7.0/24",
     "bgp",
     "bgp",
     "-",
     "bgp",
     "-",
     {"-", "65515"},
     {"-", "65515"},
     {"65515", "65515"}},
    {"VPN, point to site",
     "172.30.0.0/24",
     "bgp",
     "bgp",
     "-",
     "bgp",
     "-",
     {"-", "65515"},
     {"-", "-"},
     {"65515", "65515"}},
    {"user's route", "10.200.0.0/16", "-", "-", "-", "-", "-", {"-", "-"}, {"-", "-"}, {"-", "-"}},
    {"another route server",
     "10.40.0.0/16",
     "-",
     "-",
     "-",
     "-",
     "-",
     {"-", "-"},
     {"-", "-"},
     {"-", "-"}},
};

static void check_nic(struct fixture *fixture, const struct row *row, const char *nic,
                      const char *want)
{
    const char *got = rows_source(fixture, nic, row->prefix);
    cr_expect_str_eq(got, want, "%s at %s: %s, not %s", row->what, nic, got, want);
}

static void check_router(struct fixture *fixture, const struct row *row, const char *router,
                         const char *want)
{
    char text[ROWS_TEXT];
    rows_learned(fixture, router, row->prefix, text);
    cr_expect_str_eq(text, want, "%s at %s: %s, not %s", row->what, router, text, want);
}

static void check_who_learns(const char *mode, bool b2b)
{
    struct fixture fixture;
    char *yaml;
    cr_assert_gt(asprintf(&yaml, who_learns, mode, b2b ? "true" : "false"), 0);
    fixture_open_yaml(&fixture, yaml);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        check_nic(&fixture, row, "hubvm", row->hubvm);
        check_nic(&fixture, row, "vm1", row->vm1);
        check_nic(&fixture, row, "vm3", row->vm3);
        check_nic(&fixture, row, "er1/0", row->er1_0);
        check_nic(&fixture, row, "er1/1", row->er1_0);
        check_nic(&fixture, row, "vpn1/0", row->vpn1_0);
        check_router(&fixture, row, "nva2-os", row->nva2[b2b]);
        check_router(&fixture, row, "msee2", row->msee2[b2b]);
        check_router(&fixture, row, "cpe2", row->cpe2[b2b]);
    }
    /* The one cell that is about a subnet: its own NICs have the user's route, and one that takes no
     * BGP routes has none of a gateway either. */
    cr_expect_str_eq(rows_source(&fixture, "udrvm", "10.200.0.0/16"), "user");
    cr_expect_str_eq(rows_source(&fixture, "offvm", "10.50.0.0/16"), "-");
    cr_expect_str_eq(rows_source(&fixture, "offvm", "9.9.9.0/24"), "-");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
    free(yaml);
}

Test(gateway_tables, who_learns_what_without_branch_to_branch)
{
    check_who_learns("native", false);
    check_who_learns("azure", false);
}

Test(gateway_tables, who_learns_what_with_branch_to_branch)
{
    check_who_learns("native", true);
    check_who_learns("azure", true);
}

/* --- Preference ------------------------------------------------------------------------------- */

static const char preference_text[] =
    "fabric: preference\n"
    "mode: %s\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24]}\n"
    "      - {name: vms, prefixes: [10.0.2.0/24]}\n"
    "      - {name: GatewaySubnet, prefixes: [10.0.3.0/26]}\n"
    "nics:\n"
    "  - {name: vm, subnet: hub/vms, addresses: [10.0.2.4]}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}\n"
    "  - {name: nva3, subnet: hub/nva, addresses: [10.0.1.6], ip_forwarding: true}\n"
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    branch_to_branch: true\n"
    "    preference: %s\n"
    "    peers: [{name: nva1, address: 10.0.1.4, asn: 65001}, {name: nva2, address: 10.0.1.5, asn: "
    "65002}, {name: nva3, address: 10.0.1.6, asn: 65003}]\n"
    "gateways:\n"
    "  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4, 10.0.3.5]}\n"
    "  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7]}\n"
    "routers:\n"
    "  - {name: msee1, asn: 12076, originate: [%s], neighbors: [{gateway: er1, prepend: %u}]}\n"
    "  - {name: cpe1, asn: 65060, originate: [%s], neighbors: [{gateway: vpn1, prepend: %u}]}\n"
    "  - {name: nva1-os, nic: nva1, asn: 65001, originate: [%s], neighbors: [{route_server: rs1, "
    "prepend: %u}]}\n"
    "  - {name: nva2-os, nic: nva2, asn: 65002, originate: [%s], neighbors: [{route_server: rs1, "
    "prepend: %u}]}\n"
    "  - {name: nva3-os, nic: nva3, asn: 65003, originate: [%s], neighbors: [{route_server: rs1, "
    "prepend: %u}]}\n";

/* AS path lengths of the sources, 0: it does not say anything; and the next hops of the NIC. */
struct preference_case {
    unsigned er, vpn, nva[3];
    const char *next_hops[3]; /* by preference: ExpressRoute, VpnGateway, ASPath */
};
#define ER  "10.0.3.4,10.0.3.5"
#define VPN "10.0.3.6,10.0.3.7"

static const struct preference_case preference_cases[] = {
    {3, 1, {2}, {ER, VPN, VPN}},
    {2, 4, {0}, {ER, VPN, ER}},
    {2, 2, {0}, {ER, VPN, ER}}, /* a tie: ExpressRoute first */
    {0, 2, {2}, {"10.0.1.4," VPN, "10.0.1.4," VPN, "10.0.1.4," VPN}},
    {0, 3, {2}, {"10.0.1.4", "10.0.1.4", "10.0.1.4"}},
    {0, 0, {2, 2, 3}, {"10.0.1.4,10.0.1.5", "10.0.1.4,10.0.1.5", "10.0.1.4,10.0.1.5"}},
    {0, 4, {2}, {"10.0.1.4", "10.0.1.4", "10.0.1.4"}},
    {4, 0, {1}, {ER, "10.0.1.4", "10.0.1.4"}},
    {2, 0, {2}, {ER, "10.0.1.4", ER}},
    {2, 1, {1}, {ER, "10.0.1.4," VPN, "10.0.1.4," VPN}},
};

static void check_preference(const char *mode, unsigned preference,
                             const struct preference_case *row)
{
    static const char *const preferences[] = {"ExpressRoute", "VpnGateway", "ASPath"};
    const char *prefix = "10.50.0.0/16";
    struct fixture fixture;
    char *yaml, text[256];
#define SAID(length) (length) ? prefix : "", (length) ? (length)-1 : 0
    cr_assert_gt(asprintf(&yaml, preference_text, mode, preferences[preference], SAID(row->er),
                          SAID(row->vpn), SAID(row->nva[0]), SAID(row->nva[1]), SAID(row->nva[2])),
                 0);
    fixture_open_yaml(&fixture, yaml);
    /* The quirk single_er_path: one of the gateway's instances. */
    bool single = strcmp(mode, "azure") == 0 && strcmp(row->next_hops[preference], ER) == 0;
    const char *want = single ? "10.0.3.4" : row->next_hops[preference];
    fixture_next_hops(&fixture, "vm", prefix, text);
    cr_expect_str_eq(text, want, "%s, %s, ER %u VPN %u NVA %u,%u,%u: %s, not %s", mode,
                     preferences[preference], row->er, row->vpn, row->nva[0], row->nva[1],
                     row->nva[2], text, want);
    fixture_close(&fixture);
    free(yaml);
}

Test(gateway_tables, hub_routing_preference)
{
    for (size_t i = 0; i < sizeof(preference_cases) / sizeof(preference_cases[0]); i++)
        for (unsigned preference = 0; preference < 3; preference++) {
            check_preference("native", preference, &preference_cases[i]);
            check_preference("azure", preference, &preference_cases[i]);
        }
}

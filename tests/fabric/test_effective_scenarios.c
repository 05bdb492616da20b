/*
 * The effective routes of the documented scenarios on Base H, exactly. BGP here is what the NVAs
 * announce; sessions and decision have tests of their own.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fabric/world.h"

#define BGP "VirtualNetworkGateway VirtualNetworkGateway"

static void expect_rows(const struct world *world, uint32_t nic, const char *expected)
{
    char *rows = world_nic_rows(world, nic);
    cr_assert_str_eq(rows, expected, "%s has\n%sand not\n%s", world->nics[nic].name, rows,
                     expected);
    free(rows);
}

static void both_announce(struct base_h *base, const char *prefix)
{
    world_announce(base->world, base->server, "10.0.1.4", prefix);
    world_announce(base->world, base->server, "10.0.1.5", prefix);
}

Test(effective_scenarios, without_bgp_a_spoke_has_system_rows)
{
    struct base_h base = world_base_h();
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active Default Internet\n"
                "10.0.0.0/8 Active Default None\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n"
                "100.64.0.0/10 Active Default None\n"
                "172.16.0.0/12 Active Default None\n"
                "192.168.0.0/16 Active Default None\n");
    world_destroy(base.world);
}

/* Active/active. */
Test(effective_scenarios, two_nvas_that_announce_aggregate_and_default_are_one_ecmp_set)
{
    struct base_h base = world_base_h();
    both_announce(&base, "10.0.0.0/8");
    both_announce(&base, "0.0.0.0/0");
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active " BGP " 10.0.1.4 10.0.1.5\n"
                "0.0.0.0/0 Invalid Default Internet\n"
                "10.0.0.0/8 Active " BGP " 10.0.1.4 10.0.1.5\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n");
    expect_rows(base.world, base.hubvm,
                "0.0.0.0/0 Active " BGP " 10.0.1.4 10.0.1.5\n"
                "0.0.0.0/0 Invalid Default Internet\n"
                "10.0.0.0/8 Active " BGP " 10.0.1.4 10.0.1.5\n"
                "10.0.0.0/22 Active Default VnetLocal\n"
                "10.1.0.0/16 Active Default VNetPeering\n"
                "10.2.0.0/16 Active Default VNetPeering\n");
    world_destroy(base.world);
}

/* Active/active, the NVA's own NIC: it announces both, so native mode gives it neither. */
Test(effective_scenarios, an_nva_does_not_get_what_it_announces_unless_the_quirk_is_on)
{
    struct base_h base = world_base_h();
    both_announce(&base, "10.0.0.0/8");
    both_announce(&base, "0.0.0.0/0");
    const char *local = "10.0.0.0/22 Active Default VnetLocal\n"
                        "10.1.0.0/16 Active Default VNetPeering\n"
                        "10.2.0.0/16 Active Default VNetPeering\n";
    char expected[1024];
    snprintf(expected, sizeof(expected), "%s%s%s",
             "0.0.0.0/0 Active Default Internet\n"
             "10.0.0.0/8 Active Default None\n",
             local,
             "100.64.0.0/10 Active Default None\n"
             "172.16.0.0/12 Active Default None\n"
             "192.168.0.0/16 Active Default None\n");
    expect_rows(base.world, base.nva1, expected);
    base.world->fabric.quirks.own_route_to_originator = true;
    snprintf(expected, sizeof(expected), "%s%s",
             "0.0.0.0/0 Active " BGP " 10.0.1.4 10.0.1.5\n"
             "0.0.0.0/0 Invalid Default Internet\n"
             "10.0.0.0/8 Active " BGP " 10.0.1.4 10.0.1.5\n",
             local);
    expect_rows(base.world, base.nva1, expected);
    world_destroy(base.world);
}

/* Active/passive: nva2 prepends, so it announces but is not chosen; its NIC keeps away from nva1
 * all the same. */
Test(effective_scenarios, a_passive_nva_does_not_get_the_active_ones_route)
{
    struct base_h base = world_base_h();
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct lpm_address nva2 = world_address("10.0.1.5");
    world_announce(base.world, base.server, "10.0.1.4", "10.0.0.0/8");
    world_announce_path(base.world, base.server, &prefix, &nva2, &nva2, RIB_SOURCE_NVA, NULL,
                        false);
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.nva2);
    struct fabric_row rows[3];
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 1);
    cr_assert_eq(rows[0].type, FABRIC_NULL);
    world_withdraw(base.world, base.server, "10.0.1.5", "10.0.0.0/8");
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 2);
    cr_assert_eq(rows[0].next_hop_count, 1);
    world_destroy(base.world);
}

/* A live engine's file need not say what box is behind a peer's NIC. */
Test(effective_scenarios, a_peer_without_a_router_in_the_file_keeps_its_own_routes_away_too)
{
    struct base_h base = world_base_h();
    base.world->nics[base.nva1].router = FABRIC_NONE;
    base.world->fabric.routers_count = 0;
    world_announce(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.nva1);
    struct lpm_prefix any = world_prefix("0.0.0.0/0");
    struct fabric_row rows[3];
    cr_assert_eq(scope.nic, base.nva1);
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &any, rows), 1);
    cr_assert_eq(rows[0].type, FABRIC_INTERNET);
    world_destroy(base.world);
}

/* Firewall as default egress. */
Test(effective_scenarios, a_default_from_a_firewall_comes_and_goes)
{
    struct base_h base = world_base_h();
    const char *plain = "0.0.0.0/0 Active Default Internet\n"
                        "10.0.0.0/8 Active Default None\n"
                        "10.0.0.0/22 Active Default VNetPeering\n"
                        "10.1.0.0/16 Active Default VnetLocal\n"
                        "100.64.0.0/10 Active Default None\n"
                        "172.16.0.0/12 Active Default None\n"
                        "192.168.0.0/16 Active Default None\n";
    world_announce(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active " BGP " 10.0.1.4\n"
                "0.0.0.0/0 Invalid Default Internet\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n");
    world_withdraw(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    expect_rows(base.world, base.vm1, plain);
    world_destroy(base.world);
}

/* The loop of the NVA's own NIC in azure mode is cut by a route table on its subnet. */
Test(effective_scenarios, a_route_table_to_the_internet_wins_over_the_firewalls_default)
{
    struct base_h base = world_base_h();
    base.world->fabric.quirks.own_route_to_originator = true;
    uint32_t table = world_add_table(base.world, "nva-table", true);
    world_add_route(base.world, table, "0.0.0.0/0", FABRIC_INTERNET, NULL);
    base.world->subnets[base.nva_subnet].route_table = table;
    world_announce(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    const char *rest = "10.0.0.0/22 Active Default VnetLocal\n"
                       "10.1.0.0/16 Active Default VNetPeering\n"
                       "10.2.0.0/16 Active Default VNetPeering\n";
    char expected[1024];
    snprintf(expected, sizeof(expected), "%s%s",
             "0.0.0.0/0 Active User Internet\n"
             "0.0.0.0/0 Invalid " BGP " 10.0.1.4\n"
             "0.0.0.0/0 Invalid Default Internet\n",
             rest);
    expect_rows(base.world, base.nva1, expected);
    base.world->tables[table].bgp_propagation = false;
    snprintf(expected, sizeof(expected), "%s%s",
             "0.0.0.0/0 Active User Internet\n"
             "0.0.0.0/0 Invalid Default Internet\n",
             rest);
    expect_rows(base.world, base.nva1, expected);
    world_destroy(base.world);
}

/* Fail-closed: without the firewall the spoke's own table drops. */
Test(effective_scenarios, a_user_default_of_none_keeps_a_spoke_closed)
{
    struct base_h base = world_base_h();
    uint32_t table = world_add_table(base.world, "closed", true);
    world_add_route(base.world, table, "0.0.0.0/0", FABRIC_NULL, NULL);
    base.world->subnets[base.spoke1_subnet].route_table = table;
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active User None\n"
                "0.0.0.0/0 Invalid Default Internet\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n");
    world_destroy(base.world);
}

/* Private aggregates. */
Test(effective_scenarios, private_aggregates_turn_equal_none_rows_invalid)
{
    struct base_h base = world_base_h();
    world_announce(base.world, base.server, "10.0.1.4", "10.0.0.0/8");
    world_announce(base.world, base.server, "10.0.1.4", "172.16.0.0/12");
    world_announce(base.world, base.server, "10.0.1.4", "192.168.0.0/16");
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active Default Internet\n"
                "10.0.0.0/8 Active " BGP " 10.0.1.4\n"
                "10.0.0.0/8 Invalid Default None\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n"
                "100.64.0.0/10 Active Default None\n"
                "172.16.0.0/12 Active " BGP " 10.0.1.4\n"
                "172.16.0.0/12 Invalid Default None\n"
                "192.168.0.0/16 Active " BGP " 10.0.1.4\n"
                "192.168.0.0/16 Invalid Default None\n");
    world_destroy(base.world);
}

/* What an NVA announces of a VNet is programmed nowhere that peers with that VNet. */
Test(effective_scenarios, prefixes_equal_to_or_inside_own_and_peered_space_are_not_programmed)
{
    struct base_h base = world_base_h();
    struct lpm_prefix inside = world_prefix("10.1.5.0/24");
    struct fabric_row rows[3];
    world_announce(base.world, base.server, "10.0.1.4", "10.1.5.0/24");
    world_announce(base.world, base.server, "10.0.1.4", "10.1.0.0/16");
    const struct {
        uint32_t nic;
        unsigned n;
    } expected[] = {{base.vm1, 0}, {base.hubvm, 0}, {base.vm2, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct fabric_scope scope = fabric_scope_of(&base.world->fabric, expected[i].nic);
        cr_expect_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &inside, rows),
                     expected[i].n, "%s", base.world->nics[expected[i].nic].name);
    }
    /* Spokes that are peered directly do not inspect each other's traffic either. */
    world_add_peering(base.world, base.spoke1, base.spoke2);
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.vm2);
    cr_expect_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &inside, rows), 0);
    world_destroy(base.world);
}

Test(effective_scenarios, both_families_are_equal)
{
    struct world *world = world_create();
    uint32_t hub = world_add_vnet(world, "hub", "10.0.0.0/22 fd00:10::/48");
    uint32_t subnet = world_add_subnet(world, hub, "vms", "10.0.2.0/24 fd00:10:0:2::/64");
    uint32_t nic = world_add_nic(world, subnet, "vm", "10.0.2.4 fd00:10:0:2::4");
    uint32_t server = world_add_server(world, hub, "rs1");
    world_set_reserved(world, "fc00::/7");
    expect_rows(world, nic,
                "0.0.0.0/0 Active Default Internet\n"
                "10.0.0.0/22 Active Default VnetLocal\n"
                "::/0 Active Default Internet\n"
                "fc00::/7 Active Default None\n"
                "fd00:10::/48 Active Default VnetLocal\n");
    world_announce(world, server, "fd00:10:0:1::4", "::/0");
    world_announce(world, server, "fd00:10:0:1::5", "::/0");
    world_announce(world, server, "fd00:10:0:1::4", "fd00:10:0:5::/64");
    expect_rows(world, nic,
                "0.0.0.0/0 Active Default Internet\n"
                "10.0.0.0/22 Active Default VnetLocal\n"
                "::/0 Active " BGP " fd00:10:0:1::4 fd00:10:0:1::5\n"
                "::/0 Invalid Default Internet\n"
                "fd00:10::/48 Active Default VnetLocal\n");
    world->fabric.quirks.no_ipv6 = true;
    struct lpm_prefix any = world_prefix("::/0");
    struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
    struct fabric_row rows[3];
    cr_assert_eq(fabric_rows_at(&world->fabric, &world->bgp, &scope, &any, rows), 1);
    world_destroy(world);
}

/* A space equal to, around and inside a reserved prefix. */
Test(effective_scenarios, reserved_prefixes_give_way_to_space_equal_to_or_around_them)
{
    struct world *world = world_create();
    uint32_t vnet = world_add_vnet(world, "a", "172.16.0.0/12 192.168.0.0/15 10.1.0.0/16");
    uint32_t subnet = world_add_subnet(world, vnet, "vms", "10.1.0.0/24");
    uint32_t nic = world_add_nic(world, subnet, "vm", "10.1.0.4");
    expect_rows(world, nic,
                "0.0.0.0/0 Active Default Internet\n"
                "10.0.0.0/8 Active Default None\n"
                "10.1.0.0/16 Active Default VnetLocal\n"
                "100.64.0.0/10 Active Default None\n"
                "172.16.0.0/12 Active Default VnetLocal\n"
                "192.168.0.0/15 Active Default VnetLocal\n");
    world_destroy(world);
}

Test(effective_scenarios, service_endpoints_beat_bgp_and_yield_to_user_routes)
{
    struct base_h base = world_base_h();
    uint32_t table = world_add_table(base.world, "t", true);
    world_add_tag(base.world, "Storage", "20.60.0.0/16");
    world_set_strings(base.world, &base.world->subnets[base.spoke1_subnet].service_endpoints,
                      "Storage");
    world_add_route(base.world, table, "20.60.5.0/24", FABRIC_VIRTUAL_APPLIANCE, "10.0.1.4");
    base.world->subnets[base.spoke1_subnet].route_table = table;
    world_announce(base.world, base.server, "10.0.1.4", "20.60.0.0/16");
    world_announce(base.world, base.server, "10.0.1.4", "20.60.7.0/24");
    world_announce(base.world, base.server, "10.0.1.4", "20.0.0.0/8");
    world_announce(base.world, base.server, "10.0.1.4", "0.0.0.0/0");
    expect_rows(base.world, base.vm1,
                "0.0.0.0/0 Active " BGP " 10.0.1.4\n"
                "0.0.0.0/0 Invalid Default Internet\n"
                "10.0.0.0/22 Active Default VNetPeering\n"
                "10.1.0.0/16 Active Default VnetLocal\n"
                "20.0.0.0/8 Active " BGP " 10.0.1.4\n"
                "20.60.0.0/16 Active Default VirtualNetworkServiceEndpoint\n"
                "20.60.5.0/24 Active User VirtualAppliance 10.0.1.4\n");
    world_add_route(base.world, table, "20.60.0.0/16", FABRIC_INTERNET, NULL);
    struct lpm_prefix storage = world_prefix("20.60.0.0/16");
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.vm1);
    struct fabric_row rows[3];
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &storage, rows), 2);
    cr_assert_eq(rows[0].source, FABRIC_SOURCE_USER);
    cr_assert_eq(rows[1].type, FABRIC_SERVICE_ENDPOINT);
    world_destroy(base.world);
}

Test(effective_scenarios, a_subnet_refuses_sources_and_communities_path_by_path)
{
    struct base_h base = world_base_h();
    struct fabric_subnet *subnet = &base.world->subnets[base.spoke1_subnet];
    struct lpm_prefix prefix = world_prefix("172.20.0.0/16");
    struct lpm_address nva = world_address("10.0.1.4"), gateway = world_address("10.0.3.4");
    struct fabric_row rows[3];
    world_announce_path(base.world, base.server, &prefix, &nva, &nva, RIB_SOURCE_NVA, "65001:666",
                        true);
    world_announce_path(base.world, base.server, &prefix, &gateway, &gateway, RIB_SOURCE_VPN, NULL,
                        true);
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.vm1);
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 1);
    cr_assert_eq(rows[0].next_hop_count, 2);
    world_set_strings(base.world, &subnet->reject_communities, "65001:665 65001:666");
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 1);
    cr_assert_eq(rows[0].next_hop_count, 1);
    cr_assert(lpm_address_equal(&rows[0].next_hops[0], &gateway));
    subnet->reject_vpn = true;
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 0);
    world_destroy(base.world);
}

/* An appliance that echoes a gateway's route must be able to send there; one that shares the choice must not. */
Test(effective_scenarios, own_announcement_gives_way_to_a_gateway_that_was_chosen_before_it)
{
    struct base_h base = world_base_h();
    struct lpm_prefix prefix = world_prefix("172.20.0.0/16");
    struct lpm_address nva = world_address("10.0.1.4"), gateway = world_address("10.0.3.4");
    struct fabric_row rows[3];
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.nva1);
    cr_assert(scope.router != FABRIC_NONE || scope.nic != FABRIC_NONE);
    world_announce_path(base.world, base.server, &prefix, &gateway, &gateway,
                        RIB_SOURCE_EXPRESS_ROUTE, NULL, true);
    world_announce_path(base.world, base.server, &prefix, &nva, &nva, RIB_SOURCE_NVA, NULL, false);
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 1);
    cr_assert(lpm_address_equal(&rows[0].next_hops[0], &gateway));
    world_announce_path(base.world, base.server, &prefix, &nva, &nva, RIB_SOURCE_NVA, NULL, true);
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &prefix, rows), 0);
    world_destroy(base.world);
}

Test(effective_scenarios, peerings_count_only_while_their_routes_appear)
{
    struct base_h base = world_base_h();
    world_announce(base.world, base.server, "10.0.1.4", "172.20.0.0/16");
    base.world->peerings[0].in_sync = false;
    const char *alone = "0.0.0.0/0 Active Default Internet\n"
                        "10.0.0.0/8 Active Default None\n"
                        "10.1.0.0/16 Active Default VnetLocal\n"
                        "100.64.0.0/10 Active Default None\n"
                        "172.16.0.0/12 Active Default None\n"
                        "192.168.0.0/16 Active Default None\n";
    expect_rows(base.world, base.vm1, alone);
    base.world->peerings[0].in_sync = true;
    base.world->peerings[0].sides[0].allow_virtual_network_access = false;
    expect_rows(base.world, base.vm1, alone);
    world_destroy(base.world);
}

Test(effective_scenarios, peerings_between_regions_are_global)
{
    struct base_h base = world_base_h();
    base.world->peerings[0].global = true;
    struct lpm_prefix hub = world_prefix("10.0.0.0/22");
    struct fabric_scope scope = fabric_scope_of(&base.world->fabric, base.vm1);
    struct fabric_row rows[3];
    cr_assert_eq(fabric_rows_at(&base.world->fabric, &base.world->bgp, &scope, &hub, rows), 1);
    cr_assert_eq(rows[0].type, FABRIC_VNET_GLOBAL_PEERING);
    cr_assert_eq(rows[0].vnet, base.hub);
    world_destroy(base.world);
}

/* --- Origination ------------------------------------------------------------------------------ */

static char *originated(const struct world *world, uint32_t server)
{
    struct lpm_prefix *prefixes;
    size_t n;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    cr_assert_eq(fabric_originated(&world->fabric, server, &prefixes, &n), 0);
    for (size_t i = 0; i < n; i++) {
        char prefix[LPM_PREFIX_TEXT];
        fprintf(out, "%s ", lpm_prefix_format(&prefixes[i], prefix));
    }
    fclose(out);
    free(prefixes);
    return text;
}

Test(effective_scenarios, a_route_server_originates_its_vnet_and_the_spokes_that_use_it)
{
    struct base_h base = world_base_h();
    char *all = originated(base.world, base.server);
    cr_expect_str_eq(all, "10.0.0.0/22 10.1.0.0/16 10.2.0.0/16 ");
    free(all);
    base.world->peerings[1].sides[1].use_remote_gateways = false;
    char *one = originated(base.world, base.server);
    cr_expect_str_eq(one, "10.0.0.0/22 10.1.0.0/16 ");
    free(one);
    base.world->peerings[0].sides[0].allow_gateway_transit = false;
    char *none = originated(base.world, base.server);
    cr_expect_str_eq(none, "10.0.0.0/22 ");
    free(none);
    world_destroy(base.world);
}

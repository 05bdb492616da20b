/* Two regions whose NVAs pass routes on: over VXLAN, and from NIC to NIC. Rows and ways, exactly. */
#include <criterion/criterion.h>

#include "engine/sim/circuit.h"
#include "tests/sim/ways.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VXLAN        "multi-region-vxlan"
#define FLAT         "multi-region-flat"

/* In azure mode the fabric leaves the TTL alone: only NVAs count. */
static const struct fixture_edit azure[] = {{"mode: native", "mode: azure"}, {0}};

static const struct ways_row regions_rows[] = {
    {"vm11", "10.2.0.0/20", "10.1.2.4"},  {"vm11", "10.2.16.0/24", "10.1.2.4"},
    {"hub1vm", "10.2.0.0/20", "!"},       {"hub1vm", "10.2.16.0/24", "10.1.2.4"},
    {"vm21", "10.1.0.0/20", "10.2.2.4"},  {"vm21", "10.1.16.0/24", "10.2.2.4"},
    {"vm21", "10.1.17.0/24", "10.2.2.4"}, {"hub2vm", "10.1.16.0/24", "10.2.2.4"},
};

Test(regions, a_tunnel_takes_each_flow_through_both_nvas_and_back)
{
    static const struct ways_way ways[] = {
        {"vm11", "vm21",
         "vm11 10.2.16.0/24 > nva1-os vx12 > (nva1) 10.2.0.0/20 > nva2 10.2.16.0/24 > vm21 62",
         "vm21 10.1.16.0/24 > nva2-os vx12 > (nva2) 10.1.0.0/20 > nva1 10.1.16.0/24 > vm11 62"},
        {"hub1vm", "vm21",
         "hub1vm 10.2.16.0/24 > nva1-os vx12 > (nva1) 10.2.0.0/20 > nva2 10.2.16.0/24 > vm21 62",
         "vm21 10.1.0.0/20 > nva2-os vx12 > (nva2) 10.1.0.0/20 > nva1 10.1.0.0/20 > hub1vm 62"},
        {"hub1vm", "hub2vm", "hub1vm 10.2.0.0/20 > hub2vm 64", "hub2vm 10.1.0.0/20 > hub1vm 64"},
        /* What one instance told it nva1 says again to the other, which alone programs vm12. */
        {"vm11", "vm12", "vm11 10.0.0.0/8 > null-route",
         "vm12 10.1.16.0/24 > nva1 10.1.16.0/24 > vm11 63"},
        {"vm11", "172.31.0.2", "vm11 172.16.0.0/12 > null-route", NULL},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, VXLAN, azure);
    ways_assert_rows(&fixture, regions_rows, COUNT(regions_rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

/* The fabric takes one off at each hop of its own; what it takes off outer packets nobody sees. */
Test(regions, natively_the_fabric_counts_in_the_ttl_too)
{
    static const struct ways_way ways[] = {
        {"vm11", "vm21",
         "vm11 10.2.16.0/24 > nva1-os vx12 > (nva1) 10.2.0.0/20 > nva2 10.2.16.0/24 > vm21 60",
         "vm21 10.1.16.0/24 > nva2-os vx12 > (nva2) 10.1.0.0/20 > nva1 10.1.16.0/24 > vm11 60"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, VXLAN, NULL);
    ways_assert_rows(&fixture, regions_rows, COUNT(regions_rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

Test(regions, without_as_override_no_route_gets_past_a_route_server)
{
    static const struct fixture_edit edits[] = {{", as_override: true", ""}, {0}};
    static const struct ways_row rows[] = {
        {"vm11", "10.2.0.0/20", "-"},   {"vm11", "10.2.16.0/24", "-"},
        {"hub1vm", "10.2.0.0/20", "!"}, {"hub1vm", "10.2.16.0/24", "-"},
        {"vm21", "10.1.16.0/24", "-"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, VXLAN, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    fixture_close(&fixture);
}

/* The outer packets need the peering of the hubs: without it there is no session, hence no row. */
Test(regions, a_tunnel_whose_packets_do_not_arrive_carries_no_session)
{
    static const struct fixture_edit edits[] = {
        {"    hub1: {allow_forwarded_traffic: true}\n",
         "    hub1: {allow_virtual_network_access: false}\n"},
        {0}};
    static const struct ways_row rows[] = {
        {"vm11", "10.2.0.0/20", "-"}, {"vm11", "10.2.16.0/24", "-"}, {"vm21", "10.1.16.0/24", "-"}};
    struct fixture fixture;
    fixture_open_example(&fixture, VXLAN, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    cr_assert_eq(sim_circuit_count(fixture.sim), 1);
    cr_assert_str_eq(sim_circuit_lost(fixture.sim, 0), "null-route");
    fixture_close(&fixture);
}

/* Of an NVA that falls silent its route server and the other NVA hear nothing more: with it go the rows on
 * both sides, when the hold times are over. */
Test(regions, a_silent_end_takes_the_rows_away_on_both_sides)
{
    static const struct ways_row rows[] = {{"vm11", "10.2.16.0/24", "-"},
                                           {"vm11", "10.2.0.0/20", "-"},
                                           {"vm21", "10.1.16.0/24", "-"},
                                           {"vm21", "10.1.0.0/20", "-"}};
    struct fixture fixture;
    struct path path;
    fixture_open_example(&fixture, VXLAN, azure);
    const uint32_t nva2 = fixture_router(&fixture, "nva2-os");
    cr_assert_eq(sim_router_fail(fixture.sim, nva2, SIM_SILENCE), 0);
    cr_assert_eq(sim_run(fixture.sim, 1000), 0);
    cr_assert_str_eq(sim_circuit_lost(fixture.sim, 0), "router-silent");
    ways_walk(&fixture, "vm11", "vm21", 1, 64, NULL, &path);
    cr_assert_eq(path.verdict, PATH_DROPPED);
    cr_assert_str_eq(path.reason, "router-silent");
    cr_assert_str_eq(place_object(fixture.fabric, path.end), "nva2");
    fixture_settle(&fixture);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    cr_assert_eq(sim_router_restart(fixture.sim, nva2), 0);
    fixture_settle(&fixture);
    cr_assert_null(sim_circuit_lost(fixture.sim, 0));
    ways_assert_rows(&fixture, regions_rows, COUNT(regions_rows));
    fixture_close(&fixture);
}

Test(regions, a_new_spoke_appears_in_the_other_region_by_itself)
{
    static const struct fixture_edit edits[] = {
        {"\npeerings:\n",
         "\n  - {name: spoke22, region: westeurope, address_space: [10.2.18.0/24], subnets: "
         "[{name: "
         "vms, prefixes: [10.2.18.0/24]}]}\n\npeerings:\n"
         "  - vnets: [hub2, spoke22]\n"
         "    hub2: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
         "    spoke22: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"},
        {"  - {name: vm21,",
         "  - {name: vm22, subnet: spoke22/vms, addresses: [10.2.18.4]}\n  - {name: vm21,"},
        {"mode: native", "mode: azure"},
        {0}};
    static const struct ways_row rows[] = {{"vm11", "10.2.18.0/24", "10.1.2.4"}};
    static const struct ways_way ways[] = {
        {"vm11", "vm22",
         "vm11 10.2.18.0/24 > nva1-os vx12 > (nva1) 10.2.0.0/20 > nva2 10.2.18.0/24 > vm22 62",
         "vm22 10.1.16.0/24 > nva2-os vx12 > (nva2) 10.1.0.0/20 > nva1 10.1.16.0/24 > vm11 62"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, VXLAN, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

/* --- From NIC to NIC ---------------------------------------------------------------------------- */

#define NO_TABLES                                                                                  \
    {", route_table: nva1", ""},                                                                   \
    {                                                                                              \
        ", route_table: nva2", ""                                                                  \
    }
#define QUIRKS "quirks: {own_route_to_originator: true, transparent_ttl: true}"

Test(regions, without_tunnel_and_tables_packets_come_back_to_the_nva_that_sends_them)
{
    static const struct fixture_edit edits[] = {NO_TABLES, {0}};
    static const struct ways_row rows[] = {{"nva1", "10.2.16.0/24", "10.1.2.4"}};
    static const struct ways_way ways[] = {
        {"vm11", "vm21", "vm11 10.2.16.0/24 > nva1 10.2.16.0/24 > loop", NULL},
        {"hub1vm", "hub2vm", "hub1vm 10.2.0.0/20 > hub2vm 64", "hub2vm 10.1.0.0/20 > hub1vm 64"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, FLAT, edits);
    ways_assert_rows(&fixture, regions_rows, COUNT(regions_rows));
    ways_assert_rows(&fixture, rows, COUNT(rows));
    ways_assert(&fixture, ways, COUNT(ways));
    /* What traceroute sees: time exceeded from the same router again. */
    for (uint8_t ttl = 1; ttl <= 2; ttl++) {
        struct path path;
        ways_walk(&fixture, "vm11", "vm21", 20000, ttl, NULL, &path);
        cr_expect_eq(path.verdict, PATH_DROPPED);
        cr_expect_str_eq(path.reason, "ttl-expired");
        cr_expect_str_eq(place_object(fixture.fabric, path.end), "nva1");
    }
    fixture_close(&fixture);
}

/* Natively a NIC does not follow what its own router announces: there is no loop, nor a way. */
Test(regions, natively_the_same_packets_are_dropped_at_once)
{
    static const struct fixture_edit edits[] = {NO_TABLES, {QUIRKS, ""}, {0}};
    static const struct ways_row rows[] = {{"nva1", "10.2.16.0/24", "-"}};
    static const struct ways_way ways[] = {
        {"vm11", "vm21", "vm11 10.2.16.0/24 > nva1 10.0.0.0/8 > null-route", NULL},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, FLAT, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

static const struct ways_row flat_rows[] = {
    {"nva1", "10.2.16.0/24", "-"}, {"nva1", "10.2.0.0/16", "!"}, {"nva2", "10.1.0.0/16", "!"}};

Test(regions, route_tables_of_the_nvas_make_it_whole)
{
    static const struct ways_way ways[] = {
        {"vm11", "vm21", "vm11 10.2.16.0/24 > nva1 10.2.0.0/16 > nva2 10.2.16.0/24 > vm21 62",
         "vm21 10.1.16.0/24 > nva2 10.1.0.0/16 > nva1 10.1.16.0/24 > vm11 62"},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, FLAT, NULL);
    ways_assert_rows(&fixture, regions_rows, COUNT(regions_rows));
    ways_assert_rows(&fixture, flat_rows, COUNT(flat_rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

/* A network that the tables do not cover: its route is there, its packets do not arrive. */
Test(regions, a_network_that_the_tables_do_not_have_is_lost)
{
    static const struct fixture_edit edits[] = {
        {"\npeerings:\n",
         "\n  - {name: spoke22, region: westeurope, address_space: [10.9.0.0/24], subnets: [{name: "
         "vms, prefixes: [10.9.0.0/24]}]}\n\npeerings:\n"
         "  - vnets: [hub2, spoke22]\n"
         "    hub2: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
         "    spoke22: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"},
        {"  - {name: vm21,",
         "  - {name: vm22, subnet: spoke22/vms, addresses: [10.9.0.4]}\n  - {name: vm21,"},
        {0}};
    static const struct ways_row rows[] = {{"vm11", "10.9.0.0/24", "10.1.2.4"}};
    static const struct ways_way ways[] = {
        {"vm11", "vm22", "vm11 10.9.0.0/24 > nva1 10.0.0.0/8 > null-route", NULL},
    };
    struct fixture fixture;
    fixture_open_example(&fixture, FLAT, edits);
    ways_assert_rows(&fixture, rows, COUNT(rows));
    ways_assert(&fixture, ways, COUNT(ways));
    fixture_close(&fixture);
}

/*
 * What native mode lets a user change of the fabric's own rules: BGP before address space, import filters by
 * prefix, summaries, what VPN gateways tell; and what holds in every fabric of the examples, in both modes.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/fixture.h"
#include "tests/sim/rows.h"

#define NVA "10.0.1.4"

static void expect(struct fixture *fixture, const char *nic, const char *prefix, const char *want,
                   unsigned line)
{
    char text[256];
    cr_expect_str_eq(fixture_next_hops(fixture, nic, prefix, text), want, "line %u: %s, not %s",
                     line, text, want);
}
#define EXPECT(nic, prefix, want) expect(&fixture, nic, prefix, want, __LINE__)

/* --- BGP before address space ----------------------------------------------------------------- */

#define SPOKE1 "{name: spoke1, region: uksouth, address_space: [10.1.0.0/16], "

/* The NVA announces private aggregates, and the space of spoke1 and a part of it. */
static void open_aggregates(struct fixture *fixture, const char *spoke1)
{
    const struct fixture_edit edits[] = {
        {SPOKE1, spoke1},
        {"originate: [10.0.0.0/8, ", "originate: [10.1.0.0/16, 10.0.0.0/8, "},
        {0}};
    fixture_open_example(fixture, "private-aggregates", edits);
}

Test(rules, bgp_overrides_address_space_only_where_the_vnet_says)
{
    struct fixture fixture;
    char text[256];
    open_aggregates(&fixture, SPOKE1);
    EXPECT("vm1", "10.1.0.0/16", "!");
    EXPECT("vm1", "10.1.5.0/24", "-");
    EXPECT("vm2", "10.1.5.0/24", NVA);
    fixture_close(&fixture);

    open_aggregates(&fixture, SPOKE1 "bgp_overrides: [10.1.0.0/16], ");
    EXPECT("vm1", "10.1.0.0/16", NVA);
    EXPECT("vm1", "10.1.5.0/24", NVA);
    /* It is the spoke's word for its own NICs, and nobody else's. */
    EXPECT("hubvm", "10.1.0.0/16", "!");
    EXPECT("hubvm", "10.1.5.0/24", "-");
    cr_expect_str_eq(fixture_decide(&fixture, "vm1", "10.1.0.4", "10.1.0.9", 1, 2, text), NVA, "%s",
                     text);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* --- Import filters --------------------------------------------------------------------------- */

Test(rules, a_subnet_refuses_prefixes)
{
    struct fixture fixture;
    const struct fixture_edit edits[] = {
        {"{name: vms, prefixes: [10.1.0.0/24]}",
         "{name: vms, prefixes: [10.1.0.0/24], import: {reject_prefixes: [\"10.0.0.0/7 le 8\"]}}"},
        {0}};
    fixture_open_example(&fixture, "private-aggregates", edits);
    EXPECT("vm1", "10.0.0.0/8", "!");
    EXPECT("vm1", "192.168.0.0/16", NVA);
    EXPECT("vm2", "10.0.0.0/8", NVA);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* --- Summaries -------------------------------------------------------------------------------- */

Test(rules, summaries_stand_for_the_space_inside_them)
{
    struct fixture fixture;
    char text[ROWS_TEXT];
    const struct fixture_edit edits[] = {
        {"branch_to_branch: true\n",
         "branch_to_branch: true\n    summaries: [10.0.0.0/12, 10.0.0.0/14, 192.168.0.0/16]\n"},
        {0}};
    fixture_open_example(&fixture, "express-route-and-vpn", edits);
    static const char *const routers[] = {"nva1-os", "msee1", "cpe8"};
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_str_eq(rows_learned(&fixture, routers[i], "10.0.0.0/12", text), "65515", "%s: %s",
                         routers[i], text);
        cr_expect_str_eq(rows_learned(&fixture, routers[i], "10.0.0.0/22", text), "-");
        cr_expect_str_eq(rows_learned(&fixture, routers[i], "10.0.0.0/14", text), "-");
        cr_expect_str_eq(rows_learned(&fixture, routers[i], "192.168.0.0/16", text), "-");
    }
    EXPECT("vm", "10.0.0.0/22", "!");
    EXPECT("vm", "10.0.0.0/12", "-");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* --- What VPN gateways tell ------------------------------------------------------------------- */

Test(rules, a_vpn_gateway_tells_default_routes_and_pools_where_it_is_asked_to)
{
    struct fixture fixture;
    char text[ROWS_TEXT];
    fixture_open_example(&fixture, "express-route-and-vpn", NULL);
    cr_expect_str_eq(rows_learned(&fixture, "cpe8", "0.0.0.0/0", text), "-");
    cr_expect_str_eq(rows_learned(&fixture, "msee1", "172.30.0.0/24", text), "-");
    fixture_close(&fixture);
    const struct fixture_edit edits[] = {
        {"    point_to_site:", "    default_route: true\n    point_to_site_transit: true\n"
                               "    point_to_site:"},
        {0}};
    fixture_open_example(&fixture, "express-route-and-vpn", edits);
    cr_expect_str_eq(rows_learned(&fixture, "cpe8", "0.0.0.0/0", text), "65515-12076-65050", "%s",
                     text);
    cr_expect_str_eq(rows_learned(&fixture, "msee1", "172.30.0.0/24", text), "65515", "%s", text);
    fixture_close(&fixture);
}

/* --- Addresses on-premises -------------------------------------------------------------------- */

/* The same file serves the running engine, which calls the real box there. */
Test(rules, a_neighbor_that_is_an_address_is_the_router_that_has_it)
{
    struct fixture fixture;
    char text[ROWS_TEXT];
    const struct fixture_edit edits[] = {
        {"neighbors: [{router: msee1}]", "neighbors: [{address: 192.0.2.1, asn: 12076}]"},
        {"name: msee1, role: msee,", "name: msee1, address: 192.0.2.1, role: msee,"},
        {0}};
    fixture_open_example(&fixture, "express-route-and-vpn", edits);
    EXPECT("vm", "172.20.0.0/16", "10.0.3.4,10.0.3.5");
    cr_expect_str_eq(rows_learned(&fixture, "msee1", "10.1.0.0/16", text), "65515", "%s", text);
    fixture_close(&fixture);
}

/* --- In every example ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned boxes, instances; /* that run BGP with anybody */
    bool both_modes;           /* it has no quirks or keys of its own */
} examples[] = {
    {"anycast-express-route", 5, 4, true},
    {"dual-homed-express-route", 5, 6, true},
    {"express-route-and-vpn", 4, 2, true},
    {"firewall-egress", 3, 2, true},
    {"multi-region-flat", 2, 4, false},
    {"multi-region-vxlan", 2, 4, true},
    {"no-advertise", 5, 2, true},
    {"overlay-express-route", 4, 4, true},
    {"private-aggregates", 3, 2, true},
    {"active-passive", 2, 2, false},
    {"alerts", 2, 2, false},
    {"bfd", 2, 2, false},
    {"dual-homed-spoke", 2, 2, false},
    {"load-balancer", 2, 2, false},
    {"session-keys", 2, 2, false},
};
#define EXAMPLE_COUNT (sizeof(examples) / sizeof(examples[0]))

/* All rows of all NICs. */
static char *all_rows(struct fixture *fixture)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; i < fixture->fabric->nics_count; i++) {
        struct fabric_scope scope = fabric_scope_of(fixture->fabric, i);
        struct fabric_row *rows;
        size_t n;
        cr_assert_eq(fabric_rows(fixture->fabric, controller_bgp(sim_controller(fixture->sim)),
                                 &scope, &rows, &n),
                     0);
        fprintf(out, "%s\n", fixture->fabric->nics[i].name);
        for (size_t j = 0; j < n; j++) {
            char prefix[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT];
            fprintf(out, "  %s %d%d %d", lpm_prefix_format(&rows[j].prefix, prefix), rows[j].active,
                    (int)rows[j].source, (int)rows[j].type);
            for (unsigned k = 0; k < rows[j].next_hop_count; k++)
                fprintf(out, " %s", lpm_address_format(&rows[j].next_hops[k], address));
            fputc('\n', out);
        }
        free(rows);
    }
    fclose(out);
    return text;
}

/* Everything settles, what is programmed is what a start would program, and the rows are those of before. */
static void expect_as_before(struct fixture *fixture, const char *before, const char *example,
                             const char *what)
{
    cr_assert_eq(sim_settle(fixture->sim, 3600000), 0, "%s after %s", example, what);
    fixture_assert_programmed(fixture);
    char *after = all_rows(fixture);
    cr_expect_str_eq(after, before, "%s after %s", example, what);
    free(after);
}

static const enum sim_failure failures[] = {SIM_STOP, SIM_KILL, SIM_SILENCE};

/* Returns how many boxes there were to be stopped. */
static unsigned try_routers(struct fixture *fixture, const char *before, const char *example)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fixture->fabric->routers_count; i++) {
        if (!sim_router_speaker(fixture->sim, i))
            continue;
        cr_assert_eq(sim_router_fail(fixture->sim, i, failures[n++ % 3]), 0);
        cr_assert_eq(sim_settle(fixture->sim, 3600000), 0, "%s", example);
        fixture_assert_programmed(fixture);
        cr_assert_eq(sim_router_restart(fixture->sim, i), 0);
        expect_as_before(fixture, before, example, fixture->fabric->routers[i].name);
    }
    return n;
}

static unsigned try_instances(struct fixture *fixture, const char *before, const char *example)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fixture->fabric->route_servers_count; i++) {
        for (unsigned j = 0; j < fixture->fabric->route_servers[i].instance_count; j++) {
            if (sim_instance_fail(fixture->sim, i, j, failures[n % 3]) != 0)
                continue;
            n++;
            cr_assert_eq(sim_settle(fixture->sim, 3600000), 0, "%s", example);
            fixture_assert_programmed(fixture);
            cr_assert_eq(sim_instance_restart(fixture->sim, i, j), 0);
            expect_as_before(fixture, before, example, fixture->fabric->route_servers[i].name);
        }
    }
    return n;
}

/* Each daemon ends and each instance, in turn and in one way or another; in the end everything is as it was. */
Test(rules, what_goes_and_comes_back_leaves_no_trace)
{
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct fixture fixture;
        const char *name = examples[i].name;
        fixture_open_example(&fixture, name, NULL);
        char *before = all_rows(&fixture);
        unsigned boxes = try_routers(&fixture, before, name);
        cr_expect_eq(boxes, examples[i].boxes, "%s: %u boxes", name, boxes);
        unsigned instances = try_instances(&fixture, before, name);
        cr_expect_eq(instances, examples[i].instances, "%s: %u instances", name, instances);
        free(before);
        fixture_close(&fixture);
    }
}

/* The quirks are all that sets the modes apart: with each of them off, azure mode has the rows of native mode. */
Test(rules, modes_agree_where_no_quirk_applies)
{
    static const char azure[] =
        "mode: azure\n"
        "quirks: {peer_limit: false, count_mode: false, damping: false, half_programming: false,\n"
        "  own_route_to_originator: false, single_er_path: false, independent_hash: false,\n"
        "  transparent_ttl: false, silent_drops: false, two_octet_asn: false, no_ipv6: false,\n"
        "  no_md5: false, no_bfd: false}\n";
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct fixture native, other;
        if (!examples[i].both_modes)
            continue;
        const struct fixture_edit edits[] = {{"mode: native\n", azure}, {0}};
        fixture_open_example(&native, examples[i].name, NULL);
        char *want = all_rows(&native);
        fixture_close(&native);
        fixture_open_example(&other, examples[i].name, edits);
        char *have = all_rows(&other);
        fixture_close(&other);
        cr_expect_str_eq(have, want, "%s", examples[i].name);
        free(have);
        free(want);
    }
}

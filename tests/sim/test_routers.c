/* Sessions between modelled routers, and what a router announces while its checks fail. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/sim/circuit.h"
#include "tests/sim/fixture.h"

/* The fixture's text ends within the list of routers. */
#define EDGE                                                                                       \
    "  - {name: msee1, role: msee, asn: 12076, neighbors: [{router: nva1-os}, {router: cpe1}]}\n"  \
    "  - {name: cpe1, asn: 65050, originate: [172.20.0.0/16, 'fd20::/32'], neighbors: [{router: "  \
    "msee1}]}\n"

/* "65001 65002": the AS path of a router's best path to prefix; "-": it has none. */
static const char *path_at(struct fixture *fixture, const char *router, const char *prefix)
{
    static char text[256];
    struct rib_choice choice;
    struct lpm_prefix parsed;
    const struct speaker *speaker =
        sim_router_speaker(fixture->sim, fixture_router(fixture, router));
    cr_assert_eq(lpm_prefix_parse(prefix, &parsed), 0);
    if (!speaker || !speaker_choice(speaker, &parsed, &choice))
        return "-";
    bgp_as_path_format(choice.paths[0].attributes, ' ', text, sizeof(text));
    return text;
}

static void assert_path(struct fixture *fixture, const char *router, const char *prefix,
                        const char *want)
{
    const char *path = path_at(fixture, router, prefix);
    cr_assert_str_eq(path, want, "%s at %s: '%s', not '%s'", router, prefix, path, want);
}

static unsigned established(struct fixture *fixture)
{
    unsigned n = 0;
    for (size_t i = 0; i < sim_circuit_count(fixture->sim); i++)
        for (unsigned end = 0; end < 2; end++) {
            const struct speaker_peer *peer = sim_circuit_peer(fixture->sim, i, end);
            n += peer && bgp_session_state(speaker_peer_session(peer)) == BGP_ESTABLISHED;
        }
    return n;
}

Test(routers, a_provider_edge_keeps_private_as_numbers_from_its_customer_only)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 &(struct fixture_text){.top = EDGE, .nva1 = ", prepend: 1}, {router: msee1"});
    assert_path(&fixture, "msee1", "10.0.0.0/8", "65001");
    assert_path(&fixture, "cpe1", "10.0.0.0/8", "12076");
    assert_path(&fixture, "cpe1", "10.1.0.0/16", "12076");
    assert_path(&fixture, "nva1-os", "172.20.0.0/16", "12076 65050");
    assert_path(&fixture, "nva1-os", "fd20::/32", "12076 65050");
    assert_path(&fixture, "cpe1", "fd00::/8", "12076");
    fixture_close(&fixture);
}

/* nva1 and nva2 have one AS: what one has from outside, the other takes as it is. */
Test(routers, nics_on_the_fabric_make_a_session_that_ends_with_its_routes)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = EDGE,
                                                  .nva1 = "}, {router: msee1}, {router: nva2-os",
                                                  .nva2 = "}, {address: 10.0.1.4, asn: 65001"});
    cr_assert_eq(established(&fixture), 6);
    assert_path(&fixture, "nva2-os", "172.20.0.0/16", "12076 65050");
    cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "msee1"), SIM_KILL), 0);
    fixture_settle(&fixture);
    cr_assert_eq(established(&fixture), 2);
    assert_path(&fixture, "nva2-os", "172.20.0.0/16", "-");
    cr_assert_eq(sim_router_restart(fixture.sim, fixture_router(&fixture, "msee1")), 0);
    fixture_settle(&fixture);
    cr_assert_eq(established(&fixture), 6);
    assert_path(&fixture, "nva2-os", "172.20.0.0/16", "12076 65050");
    fixture_close(&fixture);
}

Test(routers, a_silent_neighbor_is_missed_when_the_hold_time_is_over)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = EDGE, .nva1 = "}, {router: msee1"});
    const uint64_t began_ms = sim_now_ms(fixture.sim);
    cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "cpe1"), SIM_SILENCE), 0);
    cr_assert_eq(sim_run(fixture.sim, 100000), 0);
    assert_path(&fixture, "nva1-os", "172.20.0.0/16", "12076 65050");
    fixture_settle(&fixture);
    cr_assert_leq(sim_now_ms(fixture.sim) - began_ms, 181000);
    assert_path(&fixture, "nva1-os", "172.20.0.0/16", "-");
    cr_assert_eq(sim_router_restart(fixture.sim, fixture_router(&fixture, "cpe1")), 0);
    fixture_settle(&fixture);
    assert_path(&fixture, "nva1-os", "172.20.0.0/16", "12076 65050");
    fixture_close(&fixture);
}

/* A session that one side alone writes down, or through another tunnel, does not come up. */
Test(routers, both_sides_have_to_name_each_other)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.nva1 = "}, {router: nva2-os"});
    cr_assert_eq(sim_circuit_count(fixture.sim), 0);
    fixture_close(&fixture);
    fixture_open(&fixture,
                 &(struct fixture_text){
                     .nva1 = "}, {router: nva2-os, tunnel: vx",
                     .nva2 = "}, {router: nva1-os",
                     .top = "tunnels: [{name: vx, vni: 1, ends: [nva1-os, nva2-os], addresses: "
                            "[172.31.0.1, 172.31.0.2]}]\n"});
    cr_assert_eq(sim_circuit_count(fixture.sim), 1);
    cr_assert_eq(established(&fixture), 0);
    fixture_close(&fixture);
}

Test(routers, a_prefix_is_withdrawn_while_any_of_its_checks_is_down)
{
    struct fixture fixture;
    char text[256];
    fixture_open(&fixture,
                 &(struct fixture_text){
                     .nva1_originates = ", 9.9.9.9/32",
                     .routers =
                         ", health: [{name: app, when_down: {withdraw: [9.9.9.9/32, "
                         "8.8.8.0/24]}}, {name: disk, when_down: {withdraw: [9.9.9.9/32]}}]"});
    const uint32_t nva1 = fixture_router(&fixture, "nva1-os");
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "9.9.9.9/32", text), "10.0.1.4");
    cr_assert_eq(sim_router_health(fixture.sim, nva1, 0, false), 0);
    cr_assert_eq(sim_router_health(fixture.sim, nva1, 1, false), 0);
    fixture_settle(&fixture);
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "9.9.9.9/32", text), "-");
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "10.0.0.0/8", text), "10.0.1.4,10.0.1.5");
    cr_assert_eq(sim_router_health(fixture.sim, nva1, 0, true), 0);
    fixture_settle(&fixture);
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "9.9.9.9/32", text), "-");
    cr_assert_eq(sim_router_fail(fixture.sim, nva1, SIM_KILL), 0);
    fixture_settle(&fixture);
    cr_assert_eq(sim_router_restart(fixture.sim, nva1), 0);
    fixture_settle(&fixture);
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "9.9.9.9/32", text), "-");
    cr_assert_eq(sim_router_health(fixture.sim, nva1, 1, true), 0);
    fixture_settle(&fixture);
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "9.9.9.9/32", text), "10.0.1.4");
    cr_assert_str_eq(fixture_next_hops(&fixture, "vm1", "8.8.8.0/24", text), "-");
    fixture_close(&fixture);
}

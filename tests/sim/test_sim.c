/* The twin: BGP between a route server and modelled NVAs ends in the right routes and the right
 * forwarding, and failures take their course in virtual time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/fixture.h"

#define BOTH "10.0.1.4,10.0.1.5"

static void assert_goes(struct fixture *fixture, const char *nic, const char *source,
                        const char *destination, const char *want)
{
    char text[256];
    cr_assert_str_eq(fixture_decide(fixture, nic, source, destination, 1000, 4000, text), want,
                     "%s to %s: %s, not %s", nic, destination, text, want);
}

Test(sim, hub_and_spoke_active_active)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_expect_next_hops(&fixture, "vm1", "0.0.0.0/0", BOTH);
    fixture_expect_next_hops(&fixture, "vm1", "fd00::/8", "fd00:10:0:1::4,fd00:10:0:1::5");
    fixture_expect_next_hops(&fixture, "hubvm", "0.0.0.0/0", BOTH);
    fixture_expect_next_hops(&fixture, "vm1", "10.1.0.0/16", "!");
    fixture_expect_next_hops(&fixture, "nva1", "0.0.0.0/0",
                             "!"); /* its own announcement stays out of its FIB */
    fixture_expect_next_hops(&fixture, "nva2", "0.0.0.0/0", "!");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.0.2.4", "hubvm");
    assert_goes(&fixture, "vm1", "10.1.0.5", "10.0.2.4", "source-check");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.1.0.77", "next-hop-unreachable");
    assert_goes(&fixture, "nva1", "10.1.0.4", "10.2.0.4", "vm2");
    assert_goes(&fixture, "nva1", "10.1.0.4", "8.8.8.8", "internet");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

Test(sim, flows_are_shared_evenly_and_both_directions_take_one_nva)
{
    struct fixture fixture;
    char out[256], back[256];
    unsigned first = 0;
    fixture_open(&fixture, NULL);
    for (uint16_t port = 1; port <= 1000; port++) {
        fixture_decide(&fixture, "vm1", "10.1.0.4", "10.2.0.4", port, 4000, out);
        fixture_decide(&fixture, "vm2", "10.2.0.4", "10.1.0.4", 4000, port, back);
        first += strcmp(out, "10.0.1.4") == 0;
        cr_assert_str_eq(out, back, "both directions of a flow meet one NVA");
    }
    cr_assert(first > 430 && first < 570, "%u of 1,000 flows by nva1", first);
    fixture_close(&fixture);
}

Test(sim, nvas_learn_the_fabric_from_both_instances)
{
    struct fixture fixture;
    struct rib_choice choice;
    struct lpm_prefix prefix;
    char text[64];
    fixture_open(&fixture, NULL);
    const struct speaker *nva =
        sim_router_speaker(fixture.sim, fixture_router(&fixture, "nva1-os"));
    static const char *const prefixes[] = {"10.0.0.0/22", "10.1.0.0/16", "10.2.0.0/16"};
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(lpm_prefix_parse(prefixes[i], &prefix), 0);
        cr_assert(speaker_choice(nva, &prefix, &choice), "%s", prefixes[i]);
        cr_assert_eq(choice.n, 2, "one next hop an instance");
        bgp_as_path_format(choice.paths[0].attributes, ' ', text, sizeof(text));
        cr_assert_str_eq(text, "65515");
        cr_assert_eq(choice.paths[0].next_hop.bytes[3] + choice.paths[1].next_hop.bytes[3], 4 + 5);
    }
    cr_assert_eq(lpm_prefix_parse("fd00:11::/48", &prefix), 0);
    cr_assert(speaker_choice(nva, &prefix, &choice));
    cr_assert_eq(choice.paths[0].next_hop.family, LPM_IPV6);
    fixture_close(&fixture);
}

Test(sim, a_longer_path_waits_until_the_shorter_is_gone)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.nva2 = ", prepend: 2"});
    uint32_t nva1 = fixture_router(&fixture, "nva1-os");
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4");
    cr_assert_eq(sim_router_fail(fixture.sim, nva1, SIM_STOP), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.5");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.9.9.9", "10.0.1.5");
    cr_assert_eq(sim_router_restart(fixture.sim, nva1), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

Test(sim, a_spoke_goes_by_nva_to_the_space_of_a_spoke_that_it_is_not_peered_with)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.nva1_originates = ", 10.1.0.0/16, 10.2.0.0/16"});
    fixture_expect_next_hops(&fixture, "vm1", "10.2.0.0/16",
                             "10.0.1.4"); /* also originated by the route server */
    fixture_expect_next_hops(&fixture, "vm2", "10.1.0.0/16", "10.0.1.4");
    fixture_expect_next_hops(&fixture, "vm1", "10.1.0.0/16", "!");   /* its own space */
    fixture_expect_next_hops(&fixture, "hubvm", "10.1.0.0/16", "!"); /* peered: system only */
    fixture_assert_programmed(&fixture);
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_KILL);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.2.0.0/16", "-");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.2.0.4", "10.0.1.5");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

Test(sim, the_nic_of_a_passive_nva_follows_what_that_nva_announces)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.nva2 = ", prepend: 2"});
    fixture_expect_next_hops(&fixture, "nva2", "10.0.0.0/8",
                             "!"); /* it announces the prefix itself */
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva2-os"), SIM_KILL);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "nva2", "10.0.0.0/8", "10.0.1.4");
    assert_goes(&fixture, "nva2", "10.1.0.4", "10.9.9.9", "10.0.1.4");
    fixture_assert_programmed(&fixture);
    cr_assert_eq(sim_router_restart(fixture.sim, fixture_router(&fixture, "nva2-os")), 0);
    fixture_settle(&fixture);
    assert_goes(&fixture, "nva2", "10.1.0.4", "10.9.9.9", "null-route");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

static void fail_and_settle(enum sim_failure failure, uint64_t least_ms, uint64_t most_ms)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.peers = ", hold_time_s: 30, keepalive_s: 10"});
    uint32_t nva2 = fixture_router(&fixture, "nva2-os");
    uint64_t began = sim_now_ms(fixture.sim);
    cr_assert_eq(sim_router_fail(fixture.sim, nva2, failure), 0);
    fixture_settle(&fixture);
    uint64_t took = sim_now_ms(fixture.sim) - began;
    cr_assert(took >= least_ms && took <= most_ms, "took %llu ms", (unsigned long long)took);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4");
    fixture_expect_next_hops(&fixture, "vm1", "fd00::/8", "fd00:10:0:1::4");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.9.9.9", "10.0.1.4");
    fixture_assert_programmed(&fixture);
    cr_assert_eq(sim_router_restart(fixture.sim, nva2), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

Test(sim, a_stopped_daemon_is_gone_at_once)
{
    fail_and_settle(SIM_STOP, 1, 100);
}

Test(sim, a_killed_daemon_is_gone_when_its_connections_close)
{
    fail_and_settle(SIM_KILL, 1, 100);
}

Test(sim, a_silent_daemon_is_gone_when_the_hold_time_is_over)
{
    fail_and_settle(SIM_SILENCE, 20000, 31000);
}

Test(sim, when_all_nvas_are_gone_the_system_routes_are_back)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_KILL);
    sim_router_fail(fixture.sim, fixture_router(&fixture, "nva2-os"), SIM_KILL);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "0.0.0.0/0", "!");
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8",
                             "!"); /* the reserved None row is back */
    assert_goes(&fixture, "vm1", "10.1.0.4", "8.8.8.8", "internet");
    assert_goes(&fixture, "vm1", "10.1.0.4", "10.9.9.9", "null-route");
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

Test(sim, azure_mode_gives_an_nva_its_own_default_back)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = "mode: azure\n"});
    fixture_expect_next_hops(&fixture, "nva1", "0.0.0.0/0", BOTH);
    fixture_expect_next_hops(&fixture, "vm1", "0.0.0.0/0", BOTH);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* Everything that a run leaves behind, as text. */
static void describe(struct fixture *fixture, char *text, size_t capacity)
{
    char hops[256];
    size_t at = 0;
    for (uint32_t i = 0; i < fixture->fabric->nics_count; i++)
        at += (size_t)snprintf(
            text + at, capacity - at, "%s %s\n", fixture->fabric->nics[i].name,
            fixture_next_hops(fixture, fixture->fabric->nics[i].name, "10.0.0.0/8", hops));
    snprintf(text + at, capacity - at, "%llu ms", (unsigned long long)sim_now_ms(fixture->sim));
}

Test(sim, equal_inputs_give_equal_runs)
{
    char texts[2][4096];
    for (unsigned run = 0; run < 2; run++) {
        struct fixture fixture;
        fixture_open(&fixture, NULL);
        sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_SILENCE);
        fixture_settle(&fixture);
        sim_router_restart(fixture.sim, fixture_router(&fixture, "nva1-os"));
        fixture_settle(&fixture);
        describe(&fixture, texts[run], sizeof(texts[run]));
        fixture_close(&fixture);
    }
    cr_assert_str_eq(texts[0], texts[1]);
}

/* An NVA whose daemon restarts gracefully goes on forwarding: nothing moves, and nothing is lost. */
Test(sim, a_daemon_that_restarts_gracefully_loses_neither_route_nor_packet)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.routers = ", restart_seconds: 60"});
    uint32_t nva2 = fixture_router(&fixture, "nva2-os");
    cr_assert_eq(sim_router_fail(fixture.sim, nva2, SIM_KILL), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_assert_programmed(&fixture);
    cr_assert_eq(sim_router_restart(fixture.sim, nva2), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

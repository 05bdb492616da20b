/* What the file says under `bgp:` of a session, seen in the routes of NICs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/fixture.h"

#define POLICIES                                                                                   \
    "policies:\n"                                                                                  \
    "  - {name: three, rules: [{set: {add_communities: ['lb:65001:3000000']}}]}\n"                 \
    "  - {name: one, rules: [{set: {add_communities: ['lb:65001:1000000']}}]}\n"                   \
    "  - {name: hole, rules: [{set: {add_communities: [blackhole]}}]}\n"

static void assert_rows(struct fixture *fixture, const char *nic, const char *prefix,
                        const char *want)
{
    fixture_expect_next_hops(fixture, nic, prefix, want);
    fixture_assert_programmed(fixture);
}

/* Of 1,000 flows of vm1, those that go by nva1. */
static unsigned flows_by_nva1(struct fixture *fixture)
{
    unsigned n = 0;
    for (uint16_t port = 1; port <= 1000; port++) {
        char text[256];
        fixture_decide(fixture, "vm1", "10.1.0.4", "10.9.9.9", port, 4000, text);
        n += strcmp(text, "10.0.1.4") == 0;
    }
    return n;
}

Test(sessions, flows_are_shared_in_proportion_to_link_bandwidth)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = POLICIES,
                                                  .nva1 = ", export: three",
                                                  .nva2 = ", export: one"});
    assert_rows(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4,10.0.1.5");
    unsigned three = flows_by_nva1(&fixture);
    cr_assert(three > 700 && three < 800, "%u", three);
    fixture_close(&fixture);
    /* Where one path says none, all count alike; so do they in azure mode. */
    fixture_open(&fixture, &(struct fixture_text){.top = POLICIES, .nva1 = ", export: three"});
    three = flows_by_nva1(&fixture);
    cr_assert(three > 450 && three < 550, "%u", three);
    fixture_close(&fixture);
    fixture_open(&fixture, &(struct fixture_text){.top = POLICIES "mode: azure\n",
                                                  .nva1 = ", export: three",
                                                  .nva2 = ", export: one"});
    three = flows_by_nva1(&fixture);
    cr_assert(three > 450 && three < 550, "%u", three);
    fixture_close(&fixture);
}

Test(sessions, a_drained_router_is_left_while_there_is_another)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.nva1 = ", bgp: {graceful_shutdown: true}"});
    assert_rows(&fixture, "vm1", "10.0.0.0/8", "10.0.1.5");
    cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "nva2-os"), SIM_STOP), 0);
    fixture_settle(&fixture);
    assert_rows(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4");
    fixture_close(&fixture);
}

Test(sessions, a_blackhole_drops_where_the_peer_may_ask_for_it)
{
    struct fixture fixture;
    char text[256];
    fixture_open(&fixture, &(struct fixture_text){.top = POLICIES,
                                                  .nva1 = ", export: hole",
                                                  .nva1_originates = ", 9.9.9.9/32",
                                                  .peers = ", bgp: {accept_blackhole: true}"});
    assert_rows(&fixture, "vm1", "9.9.9.9/32", "");
    cr_assert_str_eq(fixture_decide(&fixture, "vm1", "10.1.0.4", "9.9.9.9", 1, 2, text),
                     "null-route");
    fixture_close(&fixture);
    fixture_open(&fixture, &(struct fixture_text){.top = POLICIES,
                                                  .nva1 = ", export: hole",
                                                  .nva1_originates = ", 9.9.9.9/32"});
    assert_rows(&fixture, "vm1", "9.9.9.9/32", "10.0.1.4");
    fixture_close(&fixture);
}

Test(sessions, add_path_and_roles_are_agreed_on_in_the_twin)
{
    struct fixture fixture;
    char text[BGP_CAPABILITY_TEXT];
    bool several = false, role = false;
    fixture_open(&fixture, &(struct fixture_text){
                               .peers = ", bgp: {role: rs, role_strict: true, add_path: receive}",
                               .nva1 = ", bgp: {role: rs_client, add_path: send}",
                               .nva2 = ", bgp: {role: rs_client}"});
    const struct controller_peer *peer = controller_peer(sim_controller(fixture.sim), 0);
    const struct bgp_negotiated *negotiated =
        bgp_session_negotiated(speaker_peer_session(peer->peer));
    for (unsigned i = 0; bgp_negotiated_capability(negotiated, i, text); i++) {
        several |= strcmp(text, "add-path receive IPv4 unicast") == 0;
        role |= strcmp(text, "role of the peer rs-client") == 0;
    }
    cr_assert(several && role);
    assert_rows(&fixture, "vm1", "10.0.0.0/8", "10.0.1.4,10.0.1.5");
    fixture_close(&fixture);
}

/* What each session has of its NVA. */
static void expect_held(struct fixture *fixture, size_t nva1, size_t nva2)
{
    struct controller *controller = sim_controller(fixture->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        struct speaker_peer_counters counters;
        speaker_peer_counters(peer->peer, &counters);
        cr_assert_eq(counters.held, peer->index == 0 ? nva1 : nva2, "instance %u, peer %u: %zu",
                     peer->instance, peer->index, counters.held);
    }
}

/* Networks and summaries of the route server's own, and what it passes on: none of it comes back by the
 * other instance, where an AS path that is left alone would not show it. */
Test(sessions, no_instance_is_told_by_a_router_what_the_other_one_said)
{
    static const char *const ways[] = {", export: sum", ", export: sum, bgp: {transparent: true}",
                                       ", import: sum, bgp: {transparent: true}",
                                       ", bgp: {transparent: true, allow_own_as: 3}"};
    for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        struct fixture fixture;
        fixture_open(&fixture,
                     &(struct fixture_text){
                         .top = "policies:\n  - {name: sum, rules: [\n"
                                "      {match: {prefixes: [11.0.0.0/8 le 32]},\n"
                                "       set: {summarise: 11.0.0.0/8}}, {then: accept}]}\n",
                         .peers = ways[i],
                         .nva1 = ", bgp: {allow_own_as: 3}",
                         .nva2 = ", bgp: {allow_own_as: 3}",
                         .nva1_originates = ", 11.1.0.0/16"});
        expect_held(&fixture, 4, 3);
        fixture_assert_programmed(&fixture);
        fixture_close(&fixture);
    }
}

Test(sessions, come_back_when_the_router_at_the_far_end_has_another_as_number)
{
    static const struct fixture_edit other[] = {{"asn: 65050", "asn: 65051"}, {0}};
    struct fixture fixture;
    char error[DP_ERROR_TEXT] = "";
    fixture_open_example(&fixture, "dual-homed-express-route", NULL);
    struct fabric *with = fixture_load_example("dual-homed-express-route", other);
    cr_assert_eq(sim_apply(fixture.sim, with, error), 0, "%s", error);
    fixture_settle(&fixture);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
    fabric_free(with);
}

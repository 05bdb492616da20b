/* BFD in the twin: what falls silent is gone after the detection time of virtual time, whatever the
 * hold time; what the file does not give BFD keeps to its hold time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/fixture.h"

static void assert_rows(struct fixture *fixture, const char *prefix, const char *want)
{
    fixture_expect_next_hops(fixture, "vm1", prefix, want);
}

static struct controller_peer *peer_of(struct fixture *fixture, unsigned instance, const char *name)
{
    struct controller *controller = sim_controller(fixture->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        struct controller_peer *peer = controller_peer(controller, i);
        if (peer->instance == instance && strcmp(speaker_peer_config(peer->peer)->name, name) == 0)
            return peer;
    }
    cr_assert_fail("no peer %s", name);
    return NULL;
}

/* Fails nva2 and returns how long it took until it was gone. */
static uint64_t fail(struct fixture *fixture, enum sim_failure failure)
{
    uint64_t began_ms = sim_now_ms(fixture->sim);
    cr_assert_eq(sim_router_fail(fixture->sim, fixture_router(fixture, "nva2-os"), failure), 0);
    fixture_settle(fixture);
    assert_rows(fixture, "10.0.0.0/8", "10.0.1.4");
    fixture_assert_programmed(fixture);
    return sim_now_ms(fixture->sim) - began_ms;
}

/* The peer's last packet may have left up to an interval before the cut. */
Test(sim_bfd, silence_is_noticed_in_the_detection_time)
{
    static const struct {
        unsigned interval_ms, multiplier;
    } cases[] = {{10, 3}, {50, 3}, {100, 3}, {300, 3}, {1000, 5}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        char peers[64];
        snprintf(peers, sizeof(peers), ", bfd: {interval_ms: %u, multiplier: %u}",
                 cases[i].interval_ms, cases[i].multiplier);
        fixture_open(&fixture, &(struct fixture_text){.peers = peers});
        uint64_t detection_ms = cases[i].interval_ms * cases[i].multiplier;
        uint64_t took_ms = fail(&fixture, SIM_SILENCE);
        cr_expect(took_ms <= detection_ms + 2 && took_ms >= detection_ms - cases[i].interval_ms - 2,
                  "%llu ms of %llu", (unsigned long long)took_ms, (unsigned long long)detection_ms);
        fixture_close(&fixture);
    }
}

Test(sim_bfd, the_session_ends_with_cease_bfd_down_at_both_ends_and_comes_back)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.peers = ", bfd: {interval_ms: 50}"});
    uint32_t router = fixture_router(&fixture, "nva2-os");
    fail(&fixture, SIM_SILENCE);
    for (unsigned instance = 0; instance < 2; instance++) {
        const struct controller_peer *peer = peer_of(&fixture, instance, "nva2");
        const struct bgp_error *sent = bgp_session_last_sent(speaker_peer_session(peer->peer));
        struct bfd_info info;
        bfd_session_info(peer->bfd, &info);
        cr_expect_eq(sent->code, 6);
        cr_expect_eq(sent->subcode, BGP_CEASE_BFD_DOWN);
        cr_expect_eq(info.last_down, BFD_DETECTION_TIME_EXPIRED);
        cr_expect_eq(info.went_down, 1);
    }
    cr_assert_eq(sim_router_restart(fixture.sim, router), 0);
    fixture_settle(&fixture);
    assert_rows(&fixture, "10.0.0.0/8", "10.0.1.4,10.0.1.5");
    cr_expect_eq(bfd_session_state(peer_of(&fixture, 0, "nva2")->bfd), BFD_UP);
    cr_expect_eq(bfd_session_state(peer_of(&fixture, 1, "nva2")->bfd), BFD_UP);
    fixture_assert_programmed(&fixture);
    fixture_close(&fixture);
}

/* A daemon that takes its leave says AdminDown, which is no failure: the session ends by the
 * peer's own Cease. */
Test(sim_bfd, a_clean_stop_is_no_failure_of_the_path)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.peers = ", bfd: {interval_ms: 50}"});
    cr_expect_lt(fail(&fixture, SIM_STOP), 100);
    const struct controller_peer *peer = peer_of(&fixture, 0, "nva2");
    const struct bgp_session *session = speaker_peer_session(peer->peer);
    struct bfd_info info;
    bfd_session_info(peer->bfd, &info);
    cr_expect_eq(info.last_down, BFD_NEIGHBOR_SIGNALED_DOWN);
    cr_expect_eq(bgp_session_last_received(session)->subcode, BGP_CEASE_SHUTDOWN);
    cr_expect_neq(bgp_session_last_sent(session)->subcode, BGP_CEASE_BFD_DOWN);
    cr_assert_eq(sim_router_restart(fixture.sim, fixture_router(&fixture, "nva2-os")), 0);
    fixture_settle(&fixture);
    assert_rows(&fixture, "10.0.0.0/8", "10.0.1.4,10.0.1.5");
    fixture_close(&fixture);
}

Test(sim_bfd, a_killed_daemon_comes_back_with_bfd)
{
    struct fixture fixture;
    fixture_open(&fixture,
                 &(struct fixture_text){.peers = ", bfd: {interval_ms: 50, multihop: true}"});
    for (unsigned round = 0; round < 3; round++) {
        cr_expect_lt(fail(&fixture, SIM_KILL), 200);
        cr_assert_eq(sim_router_restart(fixture.sim, fixture_router(&fixture, "nva2-os")), 0);
        fixture_settle(&fixture);
        assert_rows(&fixture, "10.0.0.0/8", "10.0.1.4,10.0.1.5");
    }
    fixture_close(&fixture);
}

#define REGIONS "multi-region-vxlan"
#define PEERING "  - vnets: [hub1, hub2]"

/* The peering that carries the outer packets goes: nobody is told but by what stays out. */
static uint64_t lose_tunnel(struct fixture *fixture, const struct fixture_edit *edit,
                            struct fabric **without)
{
    const struct fixture_edit open[] = {*edit, {0}};
    const struct fixture_edit cut[] = {
        *edit, {PEERING, "  - in_sync: false\n    vnets: [hub1, hub2]"}, {0}};
    char error[DP_ERROR_TEXT] = "";
    fixture_open_example(fixture, REGIONS, open);
    fixture_expect_next_hops(fixture, "vm11", "10.2.16.0/24", "10.1.2.4");
    *without = fixture_load_example(REGIONS, cut);
    uint64_t began_ms = sim_now_ms(fixture->sim);
    cr_assert_eq(sim_apply(fixture->sim, *without, error), 0, "%s", error);
    fixture_settle(fixture);
    return sim_now_ms(fixture->sim) - began_ms;
}

Test(sim_bfd, in_a_tunnel_finds_out_what_has_become_of_it)
{
    static const struct fixture_edit with = {"tunnel: vx12}",
                                             "tunnel: vx12, bfd: {interval_ms: 100}}"};
    struct fixture fixture;
    struct fabric *without;
    char error[DP_ERROR_TEXT] = "";
    cr_expect_lt(lose_tunnel(&fixture, &with, &without), 400);
    uint64_t began_ms = sim_now_ms(fixture.sim);
    cr_assert_eq(sim_apply(fixture.sim, fixture.fabric, error), 0, "%s", error);
    fixture_settle(&fixture);
    cr_expect_lt(sim_now_ms(fixture.sim) - began_ms, 3000);
    fixture_expect_next_hops(&fixture, "vm11", "10.2.16.0/24", "10.1.2.4");
    fixture_expect_next_hops(&fixture, "vm21", "10.1.16.0/24", "10.2.2.4");
    fixture_close(&fixture);
    fabric_free(without);
}

Test(sim_bfd, at_one_end_of_a_tunnel_does_nothing)
{
    static const struct fixture_edit with = {"{router: nva2-os, tunnel: vx12}",
                                             "{router: nva2-os, tunnel: vx12, bfd: {}}"};
    struct fixture fixture;
    struct fabric *without;
    cr_expect_gt(lose_tunnel(&fixture, &with, &without), 100000);
    fixture_expect_next_hops(&fixture, "vm11", "10.2.16.0/24", "-");
    fixture_close(&fixture);
    fabric_free(without);
}

Test(sim_bfd, without_bfd_silence_lasts_as_long_as_the_hold_time)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.peers = ", hold_time_s: 30"});
    cr_expect_null(peer_of(&fixture, 0, "nva1")->bfd);
    cr_expect_gt(fail(&fixture, SIM_SILENCE), 15000);
    fixture_close(&fixture);
}

/* What fails of a fabric and comes back: instances of a route server, links, announcements. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/sim/fixture.h"

#define BOTH "10.0.1.4,10.0.1.5"
#define HOLD ", hold_time_s: 9, keepalive_s: 3"

static unsigned established(struct fixture *fixture, unsigned instance)
{
    struct controller *controller = sim_controller(fixture->sim);
    unsigned n = 0;
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        n += peer->instance == instance && peer->established;
    }
    return n;
}

static void open(struct fixture *fixture)
{
    fixture_open(fixture, &(struct fixture_text){.peers = HOLD});
    cr_assert_eq(established(fixture, 0), 2);
    cr_assert_eq(established(fixture, 1), 2);
}

/* The other instance holds every route, so nothing of what NICs have may change on the way. */
static void lose_instance(enum sim_failure failure, uint64_t noticed_ms)
{
    struct fixture fixture;
    open(&fixture);
    struct sim_changes before = sim_changes(fixture.sim);
    cr_assert_eq(sim_instance_fail(fixture.sim, 0, 0, failure), 0);
    cr_assert_not(sim_instance_is_running(fixture.sim, 0, 0));
    cr_assert_eq(sim_run(fixture.sim, noticed_ms), 0);
    cr_assert_eq(established(&fixture, 0), 0);
    cr_assert_eq(established(&fixture, 1), 2);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    cr_assert_eq(sim_instance_restart(fixture.sim, 0, 0), 0);
    fixture_settle(&fixture);
    cr_assert_eq(established(&fixture, 0), 2);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    struct sim_changes after = sim_changes(fixture.sim);
    cr_assert_eq(after.entries, before.entries);
    cr_assert_eq(after.groups, before.groups);
    fixture_close(&fixture);
}

Test(failures, an_instance_that_stops_changes_no_route)
{
    lose_instance(SIM_STOP, 100);
}

Test(failures, an_instance_that_is_killed_changes_no_route)
{
    lose_instance(SIM_KILL, 100);
}

Test(failures, an_instance_that_falls_silent_changes_no_route)
{
    lose_instance(SIM_SILENCE, 10000);
}

Test(failures, both_instances_gone_leave_system_routes_until_one_is_back)
{
    struct fixture fixture;
    open(&fixture);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(sim_instance_fail(fixture.sim, 0, i, SIM_STOP), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "0.0.0.0/0", "!");
    cr_assert_eq(sim_instance_restart(fixture.sim, 0, 1), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "0.0.0.0/0", BOTH);
    cr_assert_eq(sim_instance_fail(fixture.sim, 0, 2, SIM_STOP), -ENOENT);
    fixture_close(&fixture);
}

Test(failures, a_cut_session_is_lost_by_hold_time_and_comes_back_when_healed)
{
    struct fixture fixture;
    open(&fixture);
    uint32_t nva1 = fixture_router(&fixture, "nva1-os");
    cr_assert_eq(sim_session_cut(fixture.sim, nva1, 0, true), 0);
    cr_assert_eq(sim_run(fixture.sim, 5000), 0);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    cr_assert_not(sim_settled(fixture.sim));
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.5");
    /* A silence that ends does not heal what was cut. */
    cr_assert_eq(sim_router_fail(fixture.sim, nva1, SIM_SILENCE), 0);
    cr_assert(sim_router_is_silent(fixture.sim, nva1));
    cr_assert_eq(sim_router_restart(fixture.sim, nva1), 0);
    cr_assert_eq(sim_run(fixture.sim, 60000), 0);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.5");
    cr_assert_eq(sim_session_cut(fixture.sim, nva1, 0, false), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_close(&fixture);
}

Test(failures, what_a_router_was_told_to_announce_outlives_its_restart)
{
    struct fixture fixture;
    struct lpm_prefix own, other;
    open(&fixture);
    uint32_t nva1 = fixture_router(&fixture, "nva1-os");
    cr_assert_eq(lpm_prefix_parse("10.0.0.0/8", &own), 0);
    cr_assert_eq(lpm_prefix_parse("172.16.0.0/12", &other), 0);
    cr_assert_eq(sim_router_announce(fixture.sim, nva1, &own, false), 0);
    cr_assert_eq(sim_router_announce(fixture.sim, nva1, &other, true), 0);
    fixture_settle(&fixture);
    for (unsigned i = 0; i < 2; i++) {
        fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", "10.0.1.5");
        fixture_expect_next_hops(&fixture, "vm1", "172.16.0.0/12", "10.0.1.4");
        cr_assert_eq(sim_router_fail(fixture.sim, nva1, SIM_KILL), 0);
        cr_assert_eq(sim_router_restart(fixture.sim, nva1), 0);
        cr_assert_eq(sim_run(fixture.sim, 100), 0);
        fixture_settle(&fixture);
    }
    cr_assert_eq(sim_router_announce(fixture.sim, nva1, &own, true), 0);
    fixture_settle(&fixture);
    fixture_expect_next_hops(&fixture, "vm1", "10.0.0.0/8", BOTH);
    fixture_close(&fixture);
}

/* What the program step has not heard of: the address space is another behind its back. */
Test(failures, a_difference_from_what_would_be_made_anew_is_found_where_it_is_looked_for)
{
    struct fixture fixture;
    for (unsigned verify = 0; verify < 2; verify++) {
        fixture_open(&fixture, NULL);
        fixture.fabric->engine.verify = verify;
        fixture.fabric->vnets[fabric_find_vnet(fixture.fabric, "spoke1")].space.items[0].length--;
        cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_STOP),
                     0);
        int error = sim_settle(fixture.sim, 600000);
        cr_expect_eq(error, verify ? -EUCLEAN : 0);
        if (verify)
            cr_expect_not_null(strstr(sim_error_text(fixture.sim, error), "10.1.0.0/15"), "%s",
                               sim_error_text(fixture.sim, error));
        fixture.fabric->vnets[fabric_find_vnet(fixture.fabric, "spoke1")].space.items[0].length++;
        fixture_close(&fixture);
    }
}

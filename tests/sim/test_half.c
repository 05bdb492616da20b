/* Quirk half_programming: each instance of a route server programs half of the NICs by itself. */
#include <criterion/criterion.h>

#include <string.h>

#include "tests/sim/fixture.h"

static const char *const names[] = {"hubvm", "vm1", "vm2"};

/* How many of the VMs have these next hops for 10.0.0.0/8. */
static unsigned with(struct fixture *fixture, const char *hops)
{
    char text[256];
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++)
        n += strcmp(fixture_next_hops(fixture, names[i], "10.0.0.0/8", text), hops) == 0;
    fixture_assert_programmed(fixture);
    return n;
}

/* What the FIBs do, beside what the rows say. */
static unsigned reaching(struct fixture *fixture)
{
    char text[256];
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++)
        n += strncmp(fixture_decide(fixture, names[i],
                                    i == 0   ? "10.0.2.4"
                                    : i == 1 ? "10.1.0.4"
                                             : "10.2.0.4",
                                    "10.99.0.1", 1, 2, text),
                     "10.0.1.", 7) == 0;
    return n;
}

Test(sim_half, half_of_the_vms_lack_the_routes_of_one_that_peers_with_one_instance)
{
    struct fixture fixture;
    struct fixture_text text = {.top = "quirks: {half_programming: true}\n",
                                .nva1 = ", instances: [0]",
                                .nva2 = ", instances: [0]"};
    fixture_open(&fixture, &text);
    unsigned have = with(&fixture, "10.0.1.4,10.0.1.5");
    cr_assert(have == 1 || have == 2, "%u", have);
    cr_assert_eq(with(&fixture, "!"), 3 - have, "the others have the reserved row");
    cr_assert_eq(reaching(&fixture), have);
    fixture_close(&fixture);

    /* Merged instances share what either has learned. */
    text.top = "quirks: {half_programming: false}\n";
    fixture_open(&fixture, &text);
    cr_assert_eq(with(&fixture, "10.0.1.4,10.0.1.5"), 3);
    cr_assert_eq(reaching(&fixture), 3);
    fixture_close(&fixture);
}

Test(sim_half, each_half_follows_its_own_instance)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {half_programming: true}\n",
                                                  .nva1 = ", instances: [0]",
                                                  .nva2 = ", instances: [1]"});
    unsigned first = with(&fixture, "10.0.1.4"), second = with(&fixture, "10.0.1.5");
    cr_assert(first > 0 && second > 0 && first + second == 3, "%u %u", first, second);
    cr_assert_eq(sim_router_fail(fixture.sim, fixture_router(&fixture, "nva1-os"), SIM_KILL), 0);
    fixture_settle(&fixture);
    cr_assert_eq(with(&fixture, "!"), first);
    cr_assert_eq(with(&fixture, "10.0.1.5"), second);
    fixture_close(&fixture);
}

Test(sim_half, whoever_peers_with_both_is_known_to_all)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {half_programming: true}\n"});
    cr_assert_eq(with(&fixture, "10.0.1.4,10.0.1.5"), 3);
    cr_assert_eq(reaching(&fixture), 3);
    fixture_close(&fixture);
}

/* Nobody takes an instance's routes out of the NICs while it is away itself: the other one stands in. */
Test(sim_half, restart_of_an_instance_changes_nothing)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {half_programming: true}\n"});
    for (unsigned instance = 0; instance < 2; instance++) {
        enum sim_failure failure = instance ? SIM_STOP : SIM_KILL;
        cr_assert_eq(sim_instance_fail(fixture.sim, 0, instance, failure), 0);
        for (unsigned i = 0; i < 20; i++) {
            cr_assert_eq(sim_run(fixture.sim, 50), 0);
            cr_assert_eq(with(&fixture, "10.0.1.4,10.0.1.5"), 3);
        }
        cr_assert_eq(sim_instance_restart(fixture.sim, 0, instance), 0);
        for (unsigned i = 0; i < 2000; i++) {
            cr_assert_eq(sim_run(fixture.sim, 1), 0);
            cr_assert_eq(with(&fixture, "10.0.1.4,10.0.1.5"), 3, "%u ms after the restart", i);
        }
        cr_assert_eq(reaching(&fixture), 3);
    }
    /* And it programs its own half by itself again. */
    cr_assert_eq(sim_session_cut(fixture.sim, fixture_router(&fixture, "nva1-os"), 0, true), 0);
    cr_assert_eq(sim_run(fixture.sim, 200000), 0);
    cr_assert_eq(with(&fixture, "10.0.1.5"), 3);
    fixture_close(&fixture);
}

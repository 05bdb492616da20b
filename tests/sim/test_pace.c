/* What NICs follow later than it is chosen: quirk damping, and failback_hold_down_s of a route server. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "engine/fabric/explain.h"
#include "engine/fabric/rules.h"
#include "tests/sim/fixture.h"

#define BOTH "10.0.1.4,10.0.1.5"

/* The row, the FIB made from scratch, and how many wait. */
static void expect(struct fixture *fixture, const char *nic, const char *prefix, const char *want,
                   unsigned line)
{
    char text[256], error[DP_ERROR_TEXT] = "";
    cr_expect_str_eq(fixture_next_hops(fixture, nic, prefix, text), want, "line %u: %s, not %s",
                     line, text, want);
    cr_expect(program_validate(controller_program(sim_controller(fixture->sim)), error),
              "line %u: %s", line, error);
}
#define EXPECT(nic, prefix, want) expect(&fixture, nic, prefix, want, __LINE__)

static void run(struct fixture *fixture, uint64_t ms)
{
    cr_assert_eq(sim_run(fixture->sim, ms), 0);
}

static void fail(struct fixture *fixture, const char *router, enum sim_failure failure)
{
    cr_assert_eq(sim_router_fail(fixture->sim, fixture_router(fixture, router), failure), 0);
    run(fixture, 100);
}

static void restart(struct fixture *fixture, const char *router)
{
    cr_assert_eq(sim_router_restart(fixture->sim, fixture_router(fixture, router)), 0);
}

static void announce(struct fixture *fixture, const char *router, const char *text, bool announced)
{
    struct lpm_prefix prefix;
    cr_assert_eq(lpm_prefix_parse(text, &prefix), 0);
    cr_assert_eq(
        sim_router_announce(fixture->sim, fixture_router(fixture, router), &prefix, announced), 0);
    run(fixture, 100);
}

static struct controller_pace pace(struct fixture *fixture)
{
    return controller_pace(sim_controller(fixture->sim));
}

Test(pace, without_either_nothing_waits)
{
    struct fixture fixture;
    fixture_open(&fixture, NULL);
    fail(&fixture, "nva1-os", SIM_KILL);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    restart(&fixture, "nva1-os");
    run(&fixture, 2000);
    EXPECT("vm1", "10.0.0.0/8", BOTH);
    cr_expect_eq(controller_deadline(sim_controller(fixture.sim)), UINT64_MAX);
    fixture_close(&fixture);
}

/* --- Damping ---------------------------------------------------------------------------------- */

Test(pace, a_damped_prefix_changes_once_in_30_seconds)
{
    struct fixture fixture;
    char text[256];
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {damping: true}\n"});
    EXPECT("vm1", "10.0.0.0/8", BOTH);
    cr_expect_not(pace(&fixture).is_damping, "a drill begins at rest");
    fail(&fixture, "nva1-os", SIM_KILL);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    restart(&fixture, "nva1-os");
    run(&fixture, 29000);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    cr_expect_gt(pace(&fixture).damped, 0);
    cr_expect_not(sim_settled(fixture.sim));
    run(&fixture, 1000);
    EXPECT("vm1", "10.0.0.0/8", BOTH);
    cr_expect_eq(pace(&fixture).damped, 0);
    /* Again: what is dead is used until the window is over. */
    fail(&fixture, "nva1-os", SIM_KILL);
    EXPECT("vm1", "10.0.0.0/8", BOTH);
    unsigned to_dead = 0;
    for (uint16_t port = 0; port < 100; port++)
        to_dead += strcmp(fixture_decide(&fixture, "vm1", "10.1.0.4", "10.9.9.9", port, 80, text),
                          "10.0.1.4") == 0;
    cr_expect(to_dead > 20 && to_dead < 80, "%u", to_dead);
    run(&fixture, 30000);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    fixture_close(&fixture);
}

/* One UPDATE that replaces is followed at once; withdrawn and announced again it takes the window. */
Test(pace, damping_takes_a_withdrawal_for_a_change)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {damping: true}\n",
                                                  .nva1_originates = ", 9.9.9.9/32"});
    EXPECT("vm1", "9.9.9.9/32", "10.0.1.4");
    announce(&fixture, "nva1-os", "9.9.9.9/32", false);
    EXPECT("vm1", "9.9.9.9/32", "-");
    announce(&fixture, "nva2-os", "9.9.9.9/32", true);
    EXPECT("vm1", "9.9.9.9/32", "-");
    /* Another prefix is none of its business, and one that is new may change at once. */
    announce(&fixture, "nva2-os", "9.9.9.8/32", true);
    EXPECT("vm1", "9.9.9.8/32", "10.0.1.5");
    announce(&fixture, "nva1-os", "9.9.9.8/32", true);
    EXPECT("vm1", "9.9.9.8/32", BOTH);
    run(&fixture, 30000);
    EXPECT("vm1", "9.9.9.9/32", "10.0.1.5");
    /* There and back within the window is no change at all. */
    announce(&fixture, "nva2-os", "9.9.9.9/32", false);
    announce(&fixture, "nva2-os", "9.9.9.9/32", true);
    cr_expect_eq(pace(&fixture).damped, 0);
    EXPECT("vm1", "9.9.9.9/32", "10.0.1.5");
    cr_assert_eq(sim_settle(fixture.sim, 600000), 0);
    cr_expect_not(pace(&fixture).is_damping);
    announce(&fixture, "nva2-os", "9.9.9.9/32", false);
    EXPECT("vm1", "9.9.9.9/32", "-");
    fixture_close(&fixture);
}

Test(pace, damping_is_of_each_instance_by_itself)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct fixture_text){
                               .top = "quirks: {damping: true, half_programming: true}\n"});
    fail(&fixture, "nva1-os", SIM_KILL);
    restart(&fixture, "nva1-os");
    run(&fixture, 20000);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    EXPECT("vm2", "10.0.0.0/8", "10.0.1.5");
    run(&fixture, 20000);
    EXPECT("vm1", "10.0.0.0/8", BOTH);
    EXPECT("vm2", "10.0.0.0/8", BOTH);
    fixture_close(&fixture);
}

static const char *rule_of(struct fixture *fixture, const char *next_hop,
                           enum fabric_verdict *verdict)
{
    struct fabric_explanation explanation;
    struct lpm_prefix prefix;
    struct lpm_address address;
    const char *rule = "not a candidate";
    struct fabric_scope scope =
        fabric_scope_of(fixture->fabric, fabric_find_nic(fixture->fabric, "vm1"));
    cr_assert_eq(lpm_prefix_parse("10.0.0.0/8", &prefix), 0);
    cr_assert_eq(lpm_address_parse(next_hop, &address), 0);
    cr_assert_eq(fabric_explain(fixture->fabric, controller_bgp(sim_controller(fixture->sim)),
                                &scope, &prefix, &explanation),
                 0);
    for (size_t i = 0; i < explanation.n; i++)
        if (explanation.candidates[i].path && strcmp(rule, "not a candidate") == 0 &&
            lpm_address_equal(&explanation.candidates[i].path->next_hop, &address)) {
            rule = explanation.candidates[i].rule;
            *verdict = explanation.candidates[i].verdict;
        }
    fabric_explanation_free(&explanation);
    return rule;
}

Test(pace, explain_says_what_a_path_waits_for)
{
    struct fixture fixture;
    enum fabric_verdict verdict;
    fixture_open(&fixture, &(struct fixture_text){.top = "quirks: {damping: true}\n"});
    fail(&fixture, "nva1-os", SIM_KILL);
    restart(&fixture, "nva1-os");
    run(&fixture, 20000);
    cr_expect_str_eq(rule_of(&fixture, "10.0.1.4", &verdict), FABRIC_RULE_DAMPING);
    cr_expect_eq(verdict, FABRIC_LOST);
    cr_expect_str_eq(rule_of(&fixture, "10.0.1.5", &verdict), FABRIC_RULE_ONLY_CLASS);
    cr_expect_eq(verdict, FABRIC_INSTALLED);
    run(&fixture, 20000);
    fail(&fixture, "nva2-os", SIM_KILL);
    /* Gone at the route server, and still where packets go. */
    cr_expect_str_eq(rule_of(&fixture, "10.0.1.5", &verdict), FABRIC_RULE_ONLY_CLASS);
    cr_expect_eq(verdict, FABRIC_INSTALLED);
    fixture_close(&fixture);
}

/* --- Failback --------------------------------------------------------------------------------- */

#define ER  "10.0.3.4,10.0.3.5"
#define VPN "10.0.3.6,10.0.3.7"

static void open_coexisting(struct fixture *fixture, const char *seconds)
{
    char key[80];
    snprintf(key, sizeof(key), "branch_to_branch: true\n    failback_hold_down_s: %s\n", seconds);
    const struct fixture_edit edits[] = {{"branch_to_branch: true\n", key}, {0}};
    fixture_open_example(fixture, "express-route-and-vpn", edits);
}

Test(pace, failback_waits_for_the_hold_down)
{
    struct fixture fixture;
    open_coexisting(&fixture, "60");
    EXPECT("vm", "10.50.0.0/16", ER);
    cr_expect_eq(pace(&fixture).held_down, 0, "nothing was lost yet, so nothing waits");
    fail(&fixture, "msee1", SIM_STOP);
    EXPECT("vm", "10.50.0.0/16", VPN);
    restart(&fixture, "msee1");
    run(&fixture, 59000);
    EXPECT("vm", "10.50.0.0/16", VPN);
    cr_expect_gt(pace(&fixture).held_down, 0);
    /* What had no second way comes back at once. */
    EXPECT("vm", "172.20.0.0/16", ER);
    run(&fixture, 10000);
    EXPECT("vm", "10.50.0.0/16", ER);
    cr_expect_eq(pace(&fixture).held_down, 0);
    fixture_close(&fixture);
}

/* A circuit that flaps does not count the time it is away. */
Test(pace, hold_down_begins_anew_with_each_return)
{
    struct fixture fixture;
    open_coexisting(&fixture, "60");
    fail(&fixture, "msee1", SIM_STOP);
    for (unsigned i = 0; i < 3; i++) {
        restart(&fixture, "msee1");
        run(&fixture, 40000);
        EXPECT("vm", "10.50.0.0/16", VPN);
        fail(&fixture, "msee1", SIM_STOP);
        EXPECT("vm", "10.50.0.0/16", VPN);
    }
    fixture_close(&fixture);
}

Test(pace, failback_never_happens_by_itself_where_it_waits_forever)
{
    struct fixture fixture;
    open_coexisting(&fixture, "forever");
    EXPECT("vm", "10.50.0.0/16", ER);
    fail(&fixture, "msee1", SIM_STOP);
    restart(&fixture, "msee1");
    cr_assert_eq(sim_settle(fixture.sim, 600000), 0);
    run(&fixture, 3600000);
    EXPECT("vm", "10.50.0.0/16", VPN);
    /* What is left is taken when the standing way goes. */
    fail(&fixture, "cpe", SIM_STOP);
    EXPECT("vm", "10.50.0.0/16", "-");
    restart(&fixture, "cpe");
    cr_assert_eq(sim_settle(fixture.sim, 600000), 0);
    EXPECT("vm", "10.50.0.0/16", ER);
    fixture_close(&fixture);
}

/* Active and passive: what has taken over keeps it, until it fails itself. */
Test(pace, an_nva_that_returns_waits_unless_it_is_needed)
{
    struct fixture fixture;
    const struct fixture_edit edits[] = {
        {"addresses: [10.0.0.4, 10.0.0.5]\n",
         "addresses: [10.0.0.4, 10.0.0.5]\n    failback_hold_down_s: 3600\n"},
        {0}};
    fixture_open_example(&fixture, "active-passive", edits);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.4");
    fail(&fixture, "nva1-os", SIM_KILL);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    restart(&fixture, "nva1-os");
    run(&fixture, 60000);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.5");
    fail(&fixture, "nva2-os", SIM_KILL);
    EXPECT("vm1", "10.0.0.0/8", "10.0.1.4");
    cr_expect_eq(pace(&fixture).held_down, 0);
    fixture_close(&fixture);
}

/* When probes leave, and when a backend counts as down and as up again. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/program/probes.h"

static struct lpm_address addresses[2] = {{.family = LPM_IPV4, .bytes = {10, 0, 1, 4}},
                                          {.family = LPM_IPV4, .bytes = {10, 0, 1, 5}}};
static struct fabric_nic nics[2];
static uint32_t both[2] = {0, 1};
static struct fabric_load_balancer balancer;
static struct fabric fabric;

struct watcher {
    bool up[2];
    uint64_t at_ms[2]; /* of the last change */
    unsigned changes;
    int refuse; /* that many changes */
};

static int on_change(void *context, uint32_t index, uint32_t backend, bool up, uint64_t now_ms)
{
    struct watcher *watcher = context;
    cr_assert_eq(index, 0);
    cr_assert_neq(watcher->up[backend], up, "told what it was told before");
    if (watcher->refuse > 0) {
        watcher->refuse--;
        return -ENOMEM;
    }
    watcher->up[backend] = up;
    watcher->at_ms[backend] = now_ms;
    watcher->changes++;
    return 0;
}

static struct probes *open_probes(struct watcher *watcher, unsigned interval_s, unsigned timeout_ms,
                                  unsigned failures, unsigned successes)
{
    memset(&fabric, 0, sizeof(fabric));
    for (unsigned i = 0; i < 2; i++)
        nics[i] = (struct fabric_nic){.name = i ? "b" : "a", .addresses = {&addresses[i], 1}};
    balancer = (struct fabric_load_balancer){
        .name = "web",
        .frontend = {.family = LPM_IPV4, .bytes = {10, 0, 1, 100}},
        .backends = both,
        .backend_count = 2,
        .probe_interval_s = interval_s,
        .probe_timeout_ms = timeout_ms,
        .probe_failures = failures,
        .probe_successes = successes,
    };
    fabric.nics = nics;
    fabric.nics_count = 2;
    fabric.load_balancers = &balancer;
    fabric.load_balancers_count = 1;
    *watcher = (struct watcher){.up = {true, true}};
    struct probes *probes = probes_create(&fabric, on_change, watcher);
    cr_assert(probes);
    return probes;
}

/* Runs until `until`; backend 0 is silent within [dead_from, dead_to), else everyone answers at once.
 * Returns how many probes left. */
static unsigned run(struct probes *probes, uint64_t *now_ms, uint64_t until, uint64_t dead_from,
                    uint64_t dead_to)
{
    struct probe_order order;
    unsigned sent = 0;
    while (probes_deadline(probes) < until) {
        *now_ms = probes_deadline(probes);
        probes_tick(probes, *now_ms);
        while (probes_next(probes, *now_ms, &order)) {
            cr_assert(lpm_address_equal(&order.address, &addresses[order.backend]));
            sent++;
            if (order.backend == 1 || *now_ms < dead_from || *now_ms >= dead_to)
                probes_result(probes, order.target, order.sequence, true, *now_ms);
        }
    }
    return sent;
}

/* Backend 0 gets another address while a probe of the former one is under way: that one's answer or silence is
 * nobody's, and the new address is asked at once. */
Test(probes, a_backend_with_another_address_is_asked_there)
{
    const struct lpm_address other = {.family = LPM_IPV4, .bytes = {10, 0, 1, 44}};
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 2, 1);
    struct probe_order order, late;
    cr_assert(probes_next(probes, 0, &late));
    cr_assert_eq(late.backend, 0);
    cr_assert(probes_next(probes, 0, &order));
    probes_result(probes, order.target, order.sequence, true, 1);
    struct lpm_address moved = other;
    struct fabric_nic now[2] = {{.name = "a", .addresses = {&moved, 1}},
                                {.name = "b", .addresses = {&addresses[1], 1}}};
    struct fabric_load_balancer same = balancer;
    const struct fabric with = {
        .nics = now, .nics_count = 2, .load_balancers = &same, .load_balancers_count = 1};
    struct probes_coming *coming = probes_prepare(&with);
    cr_assert_not_null(coming);
    probes_take(probes, coming);
    probes_result(probes, late.target, late.sequence, false, 2);
    cr_assert(probes_next(probes, 2, &order));
    cr_assert_eq(order.backend, 0);
    cr_assert(lpm_address_equal(&order.address, &other));
    cr_assert_not(probes_next(probes, 2, &order), "the other backend was asked already");
    cr_assert_eq(watcher.changes, 0);
    probes_destroy(probes);
}

/* Backend "a" is down and "b" is not; then there is one before them, "b" is gone, and all are numbered anew. */
Test(probes, backends_of_another_reading_are_known_by_their_names)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 2, 1);
    struct probe_order order;
    uint64_t now_ms = 0;
    run(probes, &now_ms, 20000, 0, UINT64_MAX);
    cr_assert(!watcher.up[0] && watcher.up[1]);
    while (probes_next(probes, now_ms, &order))
        ;
    const struct lpm_address third = {.family = LPM_IPV4, .bytes = {10, 0, 1, 60}};
    struct lpm_address fresh = third;
    struct fabric_nic now[2] = {{.name = "0", .addresses = {&fresh, 1}},
                                {.name = "a", .addresses = {&addresses[0], 1}}};
    struct fabric_load_balancer other = balancer;
    const struct fabric with = {
        .nics = now, .nics_count = 2, .load_balancers = &other, .load_balancers_count = 1};
    const struct probe_order late = order;
    struct probes_coming *coming = probes_prepare(&with);
    cr_assert_not_null(coming);
    probes_take(probes, coming);
    watcher.up[0] = true; /* backend 0 is "0" now, and 1 is "a" */
    watcher.up[1] = false;
    unsigned changes = watcher.changes;
    probes_result(probes, late.target, late.sequence, true, now_ms);
    cr_assert_eq(watcher.changes, changes, "an answer to what was asked before is nobody's");
    cr_assert(probes_next(probes, now_ms + 5000, &order) && order.backend == 0);
    cr_assert(lpm_address_equal(&order.address, &third));
    probes_result(probes, order.target, order.sequence, true, now_ms + 5001);
    cr_assert_eq(watcher.changes, changes);
    cr_assert(probes_next(probes, now_ms + 5001, &order) && order.backend == 1);
    probes_result(probes, order.target, order.sequence, true, now_ms + 5002);
    cr_assert_eq(watcher.changes, changes + 1);
    cr_assert(watcher.up[1]);
    probes_destroy(probes);
}

/* Four of five are lost when two are enough. */
Test(probes, a_silent_backend_is_out_when_another_reading_asks_for_fewer_failures_than_it_has)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 5, 1);
    uint64_t now_ms = 0;
    run(probes, &now_ms, 15000, 0, UINT64_MAX);
    cr_assert_eq(watcher.changes, 0);
    struct fabric_load_balancer stricter = balancer;
    stricter.probe_failures = 2;
    const struct fabric with = {
        .nics = nics, .nics_count = 2, .load_balancers = &stricter, .load_balancers_count = 1};
    struct probes_coming *coming = probes_prepare(&with);
    cr_assert_not_null(coming);
    probes_take(probes, coming);
    run(probes, &now_ms, 30000, 0, UINT64_MAX);
    cr_assert(!watcher.up[0] && watcher.up[1]);
    probes_destroy(probes);
}

Test(probes, everyone_is_up_and_asked_once_an_interval)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 2, 1);
    uint64_t now_ms = 0;
    cr_assert_eq(run(probes, &now_ms, 100000, UINT64_MAX, UINT64_MAX), 2 * 20);
    cr_assert_eq(watcher.changes, 0);
    probes_destroy(probes);
}

/* Whenever it dies: not before `failures` probes were lost, and within interval x failures. */
Test(probes, a_silent_backend_is_out_within_its_intervals_and_back_with_an_answer)
{
    static const unsigned failures[] = {2, 3, 7};
    for (unsigned i = 0; i < 3; i++)
        for (uint64_t dead = 20001; dead <= 25000; dead += 119) {
            struct watcher watcher;
            struct probes *probes = open_probes(&watcher, 5, 1000, failures[i], 1);
            uint64_t now_ms = 0, back = dead + 100000, took;
            run(probes, &now_ms, dead + 90000, dead, back);
            cr_assert_not(watcher.up[0]);
            cr_assert(watcher.up[1], "the other one answers");
            took = watcher.at_ms[0] - dead;
            cr_assert(took <= 5000u * failures[i] && took >= 4000u * (failures[i] - 1) + 1000u,
                      "%lu ms", (unsigned long)took);
            run(probes, &now_ms, back + 10000, dead, back);
            cr_assert(watcher.up[0]);
            cr_assert(watcher.at_ms[0] - back <= 5000);
            cr_assert_eq(watcher.changes, 2);
            probes_destroy(probes);
        }
}

Test(probes, one_lost_probe_is_no_failure)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 2, 1);
    uint64_t now_ms = 0;
    run(probes, &now_ms, 60000, 20000, 20001);
    cr_assert_eq(watcher.changes, 0);
    probes_destroy(probes);
}

Test(probes, it_takes_so_many_answers_to_come_back)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 2, 500, 1, 3);
    uint64_t now_ms = 0;
    run(probes, &now_ms, 60000, 20000, 30000);
    cr_assert_eq(watcher.changes, 2);
    cr_assert(watcher.up[0]);
    cr_assert(watcher.at_ms[0] >= 34000 && watcher.at_ms[0] <= 36000, "%lu",
              (unsigned long)watcher.at_ms[0]);
    probes_destroy(probes);
}

Test(probes, a_refusal_counts_at_once_and_a_late_answer_not_at_all)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 1, 1);
    struct probe_order order, later;
    cr_assert(probes_next(probes, 0, &order));
    probes_result(probes, order.target, order.sequence, false, 3);
    cr_assert_not(watcher.up[order.backend]);
    cr_assert_eq(watcher.at_ms[order.backend], 3);
    probes_result(probes, order.target, order.sequence, true, 4);
    cr_assert_not(watcher.up[order.backend], "it was judged");
    cr_assert(probes_next(probes, 5, &later));
    cr_assert_neq(later.target, order.target);
    probes_tick(probes, 1005);
    cr_assert_not(watcher.up[later.backend]);
    probes_result(probes, later.target, later.sequence, true, 1006);
    cr_assert_not(watcher.up[later.backend], "too late");
    probes_destroy(probes);
}

Test(probes, a_probe_that_could_not_be_sent_says_nothing)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 1, 1);
    struct probe_order order;
    for (uint64_t now_ms = 0; now_ms < 100000; now_ms = probes_deadline(probes)) {
        probes_tick(probes, now_ms);
        while (probes_next(probes, now_ms, &order))
            probes_skip(probes, order.target, order.sequence);
        cr_assert_eq(probes_deadline(probes), now_ms + 5000);
    }
    cr_assert_eq(watcher.changes, 0);
    probes_destroy(probes);
}

Test(probes, a_change_that_could_not_be_made_is_tried_again)
{
    struct watcher watcher;
    struct probes *probes = open_probes(&watcher, 5, 1000, 2, 1);
    uint64_t now_ms = 0;
    watcher.refuse = 2;
    run(probes, &now_ms, 60000, 20000, 60000);
    cr_assert_eq(watcher.changes, 1);
    cr_assert_not(watcher.up[0]);
    cr_assert(watcher.at_ms[0] > 30000);
    probes_destroy(probes);
}

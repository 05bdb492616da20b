/*
 * When what was replaced comes back: what waits for company waits no longer than that, in bounded
 * memory.
 */
#include "lpm/lpm.h"
#include "lpm/rcu.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

struct thing {
    struct lpm_rcu_head head; /* first */
    unsigned reclaimed;
    unsigned again; /* so often more */
};

static void reclaim(struct lpm_rcu_head *head)
{
    struct thing *thing = (struct thing *)(void *)head;

    thing->reclaimed++;
    if (thing->again > 0) {
        thing->again--;
        lpm_rcu_again(head, reclaim);
    }
}

Test(lpm_reclaim, what_was_deferred_is_reclaimed_by_the_next_poll)
{
    struct thing thing = {0};

    lpm_rcu_defer(&thing.head, reclaim);
    cr_assert_eq(thing.reclaimed, 0);
    lpm_rcu_poll();
    cr_assert_eq(thing.reclaimed, 1);
}

Test(lpm_reclaim, what_was_deferred_lazily_waits_for_a_flush)
{
    struct thing thing = {0};

    lpm_rcu_defer_lazily(&thing.head, reclaim);
    lpm_rcu_weigh(LPM_RCU_ENOUGH - 1);
    lpm_rcu_poll();
    lpm_rcu_poll();
    cr_assert_eq(thing.reclaimed, 0);
    lpm_rcu_flush();
    cr_assert_eq(thing.reclaimed, 1);
}

Test(lpm_reclaim, what_was_deferred_lazily_waits_for_bytes_enough)
{
    struct thing things[2] = {0};

    lpm_rcu_defer_lazily(&things[0].head, reclaim);
    lpm_rcu_weigh(LPM_RCU_ENOUGH / 2);
    lpm_rcu_poll();
    lpm_rcu_defer_lazily(&things[1].head, reclaim);
    lpm_rcu_weigh(LPM_RCU_ENOUGH / 2);
    lpm_rcu_poll();
    cr_assert_eq(things[0].reclaimed, 1);
    cr_assert_eq(things[1].reclaimed, 1);
}

Test(lpm_reclaim, what_was_deferred_lazily_goes_with_what_was_not)
{
    struct thing lazy = {0}, other = {0};

    lpm_rcu_defer_lazily(&lazy.head, reclaim);
    lpm_rcu_defer(&other.head, reclaim);
    lpm_rcu_poll();
    cr_assert_eq(lazy.reclaimed, 1);
    cr_assert_eq(other.reclaimed, 1);
}

Test(lpm_reclaim, a_stamp_that_is_minded_does_not_wait_for_company)
{
    uint64_t batch = lpm_rcu_batch();
    uint64_t stamp;

    lpm_rcu_poll();
    cr_assert(!lpm_rcu_passed(batch), "nobody minds it");
    stamp = lpm_rcu_stamp();
    lpm_rcu_poll();
    cr_assert(lpm_rcu_passed(stamp));
}

Test(lpm_reclaim, a_callback_may_work_in_steps_and_a_barrier_waits_for_all)
{
    struct thing thing = {.again = 3};

    lpm_rcu_defer(&thing.head, reclaim);
    lpm_rcu_poll();
    cr_assert_eq(thing.reclaimed, 4, "alone, a poll is a barrier");
    thing = (struct thing){.again = 3};
    lpm_rcu_defer(&thing.head, reclaim);
    lpm_rcu_barrier();
    cr_assert_eq(thing.reclaimed, 4);
}

static void *be_quiescent(void *context)
{
    _Atomic bool *stop = context;

    lpm_rcu_register_thread();
    while (!atomic_load(stop)) {
        lpm_rcu_quiescent();
        usleep(100);
    }
    lpm_rcu_unregister_thread();
    return NULL;
}

Test(lpm_reclaim, a_flush_beside_readers_ends_in_a_later_poll)
{
    _Atomic bool stop = false;
    struct thing thing = {0};
    pthread_t reader;

    cr_assert_eq(pthread_create(&reader, NULL, be_quiescent, &stop), 0);
    usleep(10000); /* so that it most likely is registered; the outcome is the same if not */
    lpm_rcu_defer_lazily(&thing.head, reclaim);
    lpm_rcu_flush();
    for (unsigned i = 0; i < 10000 && !thing.reclaimed; i++) {
        usleep(1000);
        lpm_rcu_poll();
    }
    atomic_store(&stop, true);
    pthread_join(reader, NULL);
    cr_assert_eq(thing.reclaimed, 1);
}

/* Changes of a base whose writer polls after each of them. */
Test(lpm_reclaim, polls_hold_what_changes_replace_within_bounds)
{
    struct lpm *lpm = lpm_create();
    struct lpm_fib *base;
    struct lpm_bytes bytes;
    size_t most = 0, free_before = 0;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &base), 0);
    for (uint32_t i = 0; i < 30000; i++) {
        struct lpm_change change = {
            LPM_SET, {LPM_IPV4, 24, {10, (uint8_t)(i % 40), (uint8_t)(i % 7)}}, 1 + i};

        cr_assert_eq(lpm_update(base, &change, 1), 0);
        lpm_rcu_poll();
        lpm_bytes(lpm, &bytes);
        most = bytes.deferred > most ? bytes.deferred : most;
        free_before = i == 10000 ? bytes.free : free_before;
    }
    cr_assert_gt(most, 0);
    cr_assert_leq(most, 2 * LPM_RCU_ENOUGH, "%zu bytes", most);
    cr_assert_leq(bytes.free, free_before + LPM_RCU_ENOUGH, "%zu bytes, then %zu", free_before,
                  bytes.free);
    lpm_rcu_flush();
    lpm_bytes(lpm, &bytes);
    cr_assert_eq(bytes.deferred, 0);
    lpm_release(base);
    lpm_destroy(lpm);
}

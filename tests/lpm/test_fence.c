/*
 * The pairs of stores that lpm/core.c lists under (D) have a grace period between them: while a
 * reader that may hold the first state is not quiescent, the second store is not made.
 *
 * A reader thread stands still in its read section; a writer thread makes both changes. The second
 * must not show before the reader moves on, and must show after.
 */
#include "lpm/lpm.h"
#include "lpm/rcu.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

static struct lpm *lpm;
static struct lpm_fib *base, *other, *derived;
static sem_t reading, move_on;
static _Atomic bool written;

static struct lpm_prefix prefix_of(const char *text)
{
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse(text, &prefix), 0, "%s", text);
    return prefix;
}

static void change(struct lpm_fib *fib, enum lpm_change_kind kind, const char *text, uint32_t leaf)
{
    struct lpm_change one = {kind, prefix_of(text), leaf};

    cr_assert_eq(lpm_update(fib, &one, 1), 0);
}

static void *stand_still(void *context)
{
    (void)context;
    lpm_rcu_register_thread();
    sem_post(&reading);
    sem_wait(&move_on);
    lpm_rcu_unregister_thread();
    return NULL;
}

static void *write_second(void *second)
{
    void (*store)(void) = *(void (**)(void))second;

    store();
    atomic_store(&written, true);
    return NULL;
}

static void wait_ms(long milliseconds)
{
    struct timespec pause = {.tv_nsec = milliseconds * 1000000};

    nanosleep(&pause, NULL);
}

/* Makes the stores while a reader stands still; says whether the second waited for it. The threads
 * hand the writer's part to each other, so there is one writer at any time. */
static bool second_waits(void (*first)(void), void (*second)(void))
{
    pthread_t reader, writer;
    bool waited;

    sem_init(&reading, 0, 0);
    sem_init(&move_on, 0, 0);
    atomic_store(&written, false);
    lpm_rcu_barrier();
    pthread_create(&reader, NULL, stand_still, NULL);
    sem_wait(&reading);
    first();
    pthread_create(&writer, NULL, write_second, &second);
    for (int i = 0; i < 20 && !atomic_load(&written); i++)
        wait_ms(5);
    waited = !atomic_load(&written);
    sem_post(&move_on);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
    return waited;
}

static void open_fibs(void)
{
    struct lpm_route routes[] = {{prefix_of("10.0.0.0/8"), 1}, {prefix_of("0.0.0.0/0"), 2}};

    lpm = lpm_create();
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, routes, 2, &base), 0);
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, routes, 2, &other), 0);
    cr_assert_eq(lpm_derive(base, NULL, 0, &derived), 0);
}

static void close_fibs(void)
{
    lpm_release(derived);
    lpm_release(other);
    lpm_release(base);
    lpm_destroy(lpm);
}

TestSuite(lpm_fence, .init = open_fibs, .fini = close_fibs);

static void override_place(void)
{
    change(derived, LPM_SET, "10.1.0.0/16", 5);
}

static void inherit_place(void)
{
    change(derived, LPM_INHERIT, "10.1.0.0/16", 0);
}

static void change_place(void)
{
    change(base, LPM_SET, "10.1.0.0/16", 6);
}

static void change_elsewhere(void)
{
    change(base, LPM_SET, "10.2.0.0/16", 6);
}

static void override_fallback(void)
{
    change(derived, LPM_SET, "0.0.0.0/0", 7);
}

static void change_fallback(void)
{
    change(base, LPM_SET, "0.0.0.0/0", 8);
}

static void move_to_other_base(void)
{
    cr_assert_eq(lpm_rebase(derived, other), 0);
}

static void stand_alone(void)
{
    cr_assert_eq(lpm_detach(derived), 0);
}

Test(lpm_fence, a_base_changes_under_a_new_override_only_after_a_grace_period)
{
    cr_assert(second_waits(override_place, change_place));
}

Test(lpm_fence, a_base_changes_at_once_where_the_new_override_is_not)
{
    cr_assert_not(second_waits(override_place, change_elsewhere));
}

Test(lpm_fence, an_override_follows_a_change_of_the_base_at_once)
{
    cr_assert_not(second_waits(change_place, override_place));
    cr_assert_not(second_waits(change_elsewhere, inherit_place));
}

Test(lpm_fence, a_base_changes_after_a_new_fallback_only_after_a_grace_period)
{
    cr_assert(second_waits(override_fallback, change_elsewhere));
}

Test(lpm_fence, a_fallback_of_the_base_changes_after_any_derived_fib_only_after_a_grace_period)
{
    cr_assert(second_waits(override_place, change_fallback));
}

Test(lpm_fence, a_base_changes_after_its_own_fallback_only_after_a_grace_period)
{
    cr_assert(second_waits(change_fallback, change_elsewhere));
    cr_assert_not(second_waits(change_elsewhere, change_fallback));
}

Test(lpm_fence, a_base_that_a_fib_has_left_changes_only_after_a_grace_period)
{
    cr_assert(second_waits(move_to_other_base, change_elsewhere));
}

Test(lpm_fence, a_base_that_a_fib_was_detached_from_changes_only_after_a_grace_period)
{
    cr_assert(second_waits(stand_alone, change_elsewhere));
}

static void add_inside(void)
{
    change(base, LPM_SET, "10.1.2.0/24", 9);
}

static void change_inside(void)
{
    change(base, LPM_SET, "10.1.2.0/24", 10);
}

static void remove_inside(void)
{
    change(base, LPM_REMOVE, "10.1.2.0/24", 0);
}

static void nothing(void)
{
}

Test(lpm_fence, a_route_comes_and_goes_inside_of_an_override_with_a_grace_period)
{
    override_place();
    cr_assert(second_waits(nothing, add_inside));
    cr_assert_not(second_waits(nothing, change_inside));
    cr_assert(second_waits(nothing, remove_inside));
}

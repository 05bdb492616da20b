/*
 * Memory: nothing is left behind, accounts add up, sharing is real, and running out changes
 * nothing.
 */
#include "lpm/core.h"
#include "lpm/rcu.h"
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <errno.h>

static size_t total(const struct lpm *lpm)
{
    struct lpm_bytes bytes;

    lpm_bytes(lpm, &bytes);
    return bytes.lookup + bytes.writer + bytes.deferred;
}

static struct lpm_change set_of(const char *text, uint32_t leaf)
{
    struct lpm_change change = {.kind = LPM_SET, .leaf = leaf};

    cr_assert_eq(lpm_prefix_parse(text, &change.prefix), 0, "%s", text);
    return change;
}

/* Fails the first, second, third ... allocation of each operation in turn, until it gets through. */
static void run_failures(enum lpm_family family, unsigned steps)
{
    struct world world;
    unsigned failures = 0;

    world_open(&world, family, 11);
    for (unsigned step = 0; step < steps; step++) {
        struct model_random before = world.random;
        int status = -ENOMEM;

        for (long fail_after = 0; status == -ENOMEM; fail_after++) {
            world.random = before;
            world.lpm->memory.fail_after = fail_after;
            status = world_step(&world);
            world.lpm->memory.fail_after = -1;
            failures += status == -ENOMEM;
            cr_assert(status == 0 || status == -ENOMEM);
            if (step % 8 == 0) {
                cr_assert(lpm_validate(world.lpm), "step %u, failure %ld", step, fail_after);
                cr_assert(world_shows(&world), "step %u, failure %ld", step, fail_after);
            }
        }
        cr_assert(world_agrees(&world, 4), "step %u", step);
    }
    cr_assert_gt(failures, steps, "too few failures to mean anything");
    cr_assert(world_close(&world), "memory is left over");
}

Test(lpm_memory, an_ipv4_operation_that_runs_out_of_memory_leaves_the_fib_as_it_was)
{
    run_failures(LPM_IPV4, WORLD_STEPS(200));
}

Test(lpm_memory, an_ipv6_operation_that_runs_out_of_memory_leaves_the_fib_as_it_was)
{
    run_failures(LPM_IPV6, WORLD_STEPS(120));
}

Test(lpm_memory, a_base_that_cannot_be_built_leaves_nothing)
{
    struct lpm *lpm = lpm_create();
    struct lpm_route routes[3000] = {0};
    struct lpm_fib *fib = NULL;
    long fail_after = 0;

    for (unsigned i = 0; i < 3000; i++)
        routes[i] = (struct lpm_route){
            .prefix = {LPM_IPV4, 24, {10, (uint8_t)(i >> 8), (uint8_t)i}}, .leaf = 1 + i};
    for (; !fib; fail_after += 1 + fail_after / 2) {
        int status;

        lpm->memory.fail_after = fail_after;
        status = lpm_base_create(lpm, LPM_IPV4, routes, 3000, &fib);
        lpm->memory.fail_after = -1;
        lpm_rcu_barrier();
        cr_assert_eq(status, fib ? 0 : -ENOMEM);
        cr_assert(fib || total(lpm) == 0, "%zu bytes left", total(lpm));
    }
    cr_assert_eq(lpm_fib_routes(fib), 3000);
    lpm_release(fib);
    lpm_rcu_barrier();
    cr_assert_eq(total(lpm), 0);
    lpm_destroy(lpm);
}

Test(lpm_memory, detach_and_rebase_out_of_memory_leave_the_fib_as_it_was)
{
    struct lpm *lpm = lpm_create();
    struct lpm_change base_change = set_of("10.0.0.0/8", 1);
    struct lpm_change own_change = set_of("10.1.0.0/16", 2);
    struct lpm_address address = {LPM_IPV4, {10, 1}};
    struct lpm_fib *base, *other, *derived;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &base), 0);
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &other), 0);
    cr_assert_eq(lpm_update(base, &base_change, 1), 0);
    cr_assert_eq(lpm_derive(base, &own_change, 1, &derived), 0);
    lpm->memory.fail_after = 0;
    cr_assert_eq(lpm_detach(derived), -ENOMEM);
    cr_assert_eq(lpm_rebase(derived, other), -ENOMEM);
    lpm->memory.fail_after = -1;
    cr_assert_eq(lpm_fib_base(derived), base);
    cr_assert_eq(lpm_lookup(derived, &address), 2);
    lpm_release(derived);
    lpm_release(other);
    lpm_release(base);
    lpm_destroy(lpm);
}

Test(lpm_memory, equal_derived_fibs_cost_one_pointer_each)
{
    struct lpm *lpm = lpm_create();
    struct lpm_change changes[] = {set_of("10.1.0.0/16", 2), set_of("10.1.7.0/24", 3)};
    struct lpm_fib *base, *first, *more[100];
    size_t before;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &base), 0);
    cr_assert_eq(lpm_derive(base, changes, 2, &first), 0);
    before = total(lpm);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(lpm_derive(base, changes, 2, &more[i]), 0);
    cr_assert_leq(total(lpm) - before, 100 * 128, "%zu bytes each", (total(lpm) - before) / 100);
    for (unsigned i = 0; i < 100; i++)
        lpm_release(more[i]);
    lpm_release(first);
    lpm_release(base);
    lpm_rcu_barrier();
    cr_assert_eq(total(lpm), 0);
    lpm_destroy(lpm);
}

static struct lpm_fib *derive_one(struct lpm_fib *base, const char *text)
{
    struct lpm_change change = set_of(text, 2);
    struct lpm_fib *fib;

    cr_assert_eq(lpm_derive(base, &change, 1, &fib), 0);
    return fib;
}

/* An override of more than 64 bits needs more words for all of them, as long as it is there. */
Test(lpm_memory, equal_overrides_are_one_object_whatever_came_and_went)
{
    struct lpm *lpm = lpm_create();
    struct lpm_change host = set_of("fd00::1/128", 3);
    struct lpm_fib *base, *first, *second;
    struct lpm_fib_bytes before, wide;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, NULL, 0, &base), 0);
    first = derive_one(base, "fd00:0:1::/48");
    second = derive_one(base, "fd00:0:1::/48");
    cr_assert_eq(lpm_fib_layer(first), lpm_fib_layer(second));
    lpm_fib_bytes(first, &before);
    cr_assert_eq(lpm_update(second, &host, 1), 0);
    cr_assert_neq(lpm_fib_layer(first), lpm_fib_layer(second));
    lpm_fib_bytes(second, &wide);
    cr_assert_eq(before.writer, 12);
    cr_assert_eq(wide.writer, 40);
    cr_assert(lpm_validate(lpm));
    host.kind = LPM_INHERIT;
    cr_assert_eq(lpm_update(second, &host, 1), 0);
    cr_assert_eq(lpm_fib_layer(first), lpm_fib_layer(second));
    cr_assert(lpm_validate(lpm));
    lpm_release(first);
    lpm_release(second);
    lpm_release(base);
    lpm_rcu_barrier();
    cr_assert_eq(total(lpm), 0);
    lpm_destroy(lpm);
}

Test(lpm_memory, a_small_base_costs_a_few_kilobytes)
{
    struct lpm *lpm = lpm_create();
    struct lpm_route routes[100] = {0};
    struct lpm_fib *fib;

    for (unsigned i = 0; i < 100; i++)
        routes[i] =
            (struct lpm_route){.prefix = {LPM_IPV4, 24, {10, 1, (uint8_t)i}}, .leaf = 1 + i};
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, routes, 100, &fib), 0);
    cr_assert_lt(total(lpm), 4096, "%zu bytes", total(lpm));
    lpm_release(fib);
    lpm_destroy(lpm);
}

Test(lpm_memory, what_the_fibs_report_adds_up_to_the_whole)
{
    struct world world;
    struct lpm_bytes bytes;
    struct lpm_fib_bytes each;
    size_t lookup = 0, writer = 0, indexes = 64 * sizeof(void *);

    world_open(&world, LPM_IPV4, 5);
    for (unsigned step = 0; step < 300; step++) {
        unsigned which = model_below(&world.random, WORLD_FIBS);
        struct lpm_change change;

        world_changes(&world, which, &change, 1);
        cr_assert_eq(lpm_update(world.fibs[which], &change, 1), 0);
        model_apply(&world.models[which], &change);
    }
    lpm_rcu_barrier();
    for (unsigned i = 0; i < WORLD_FIBS; i++) {
        lpm_fib_bytes(world.fibs[i], &each);
        lookup += each.lookup;
        writer += each.writer;
    }
    lpm_bytes(world.lpm, &bytes);
    cr_assert_eq(bytes.deferred, 0);
    cr_assert_geq(lookup, bytes.lookup, "shared nodes are counted with every FIB");
    cr_assert_leq(writer, bytes.writer);
    for (const struct lpm_table *table = world.lpm->tables; table; table = table->next)
        indexes += table->touch.room * 2 * sizeof(uint32_t);
    cr_assert_leq(bytes.writer - writer, indexes, "only the indexes of layers are apart");
    cr_assert(world_close(&world));
}

Test(lpm_memory, what_readers_may_hold_is_deferred_and_comes_back)
{
    struct lpm *lpm = lpm_create();
    struct lpm_change change = set_of("10.0.0.0/8", 1);
    struct lpm_bytes bytes;
    struct lpm_fib *base;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &base), 0);
    for (unsigned i = 1; i <= 100; i++) {
        change.leaf = i;
        cr_assert_eq(lpm_update(base, &change, 1), 0);
    }
    lpm_bytes(lpm, &bytes);
    cr_assert_gt(bytes.deferred, 0);
    lpm_rcu_barrier();
    lpm_bytes(lpm, &bytes);
    cr_assert_eq(bytes.deferred, 0);
    lpm_release(base);
    lpm_destroy(lpm);
}

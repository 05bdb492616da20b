/*
 * lpm_diff() against the lists that lpm_each() gives of both FIBs, and what it visits to find out.
 */
#include "lpm/core.h"
#include "tests/lpm/routes_list.h"
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

/* --- Against two lists ------------------------------------------------------------------------- */

static bool diff_is_right(const struct lpm_fib *a, const struct lpm_fib *b)
{
    struct routes_list list_a = routes_list_of(a);
    struct routes_list list_b = routes_list_of(b);
    bool right = routes_lists_differ_so(&list_a, a, &list_b, b);

    free(list_a.routes);
    free(list_b.routes);
    return right;
}

/* After every step, the pairs of one FIB with all, both ways round, itself too. */
static void run_random(enum lpm_family family, uint64_t seed, unsigned steps)
{
    struct world world, other;

    world_open(&world, family, seed);
    world_open(&other, family, seed + 1);
    for (unsigned step = 0; step < steps; step++) {
        unsigned a = model_below(&world.random, WORLD_FIBS);

        cr_assert_eq(world_step(&world), 0);
        cr_assert_eq(world_step(&other), 0);
        for (unsigned b = 0; b < WORLD_FIBS; b++) {
            cr_assert(diff_is_right(world.fibs[a], world.fibs[b]), "seed %llu step %u: %u with %u",
                      (unsigned long long)seed, step, a, b);
            cr_assert(diff_is_right(world.fibs[b], world.fibs[a]), "seed %llu step %u: %u with %u",
                      (unsigned long long)seed, step, b, a);
        }
        cr_assert(diff_is_right(world.fibs[a], other.fibs[a]),
                  "seed %llu step %u: %u with that of another set", (unsigned long long)seed, step,
                  a);
    }
    cr_assert(world_close(&world));
    cr_assert(world_close(&other));
}

Test(lpm_diff, ipv4_differences_are_those_of_the_lists_after_every_operation)
{
    run_random(LPM_IPV4, 41, WORLD_STEPS(400));
}

Test(lpm_diff, ipv6_differences_are_those_of_the_lists_after_every_operation)
{
    run_random(LPM_IPV6, 43, WORLD_STEPS(300));
}

/* --- What it costs ----------------------------------------------------------------------------- */

#define ROUTES    WORLD_STEPS(100000)
#define OVERRIDES 50

/* A route of the base, or between two of them, in a /24 of its own. */
static struct lpm_prefix numbered_prefix(uint32_t number)
{
    lpm_key key = (lpm_key)(0x10000000u + (number << 8)) << 96;
    struct lpm_prefix prefix = {.family = LPM_IPV4, .length = 24};

    lpm_key_bytes(key, prefix.bytes);
    return prefix;
}

static struct lpm_fib *make_base(struct lpm *lpm, size_t count)
{
    struct lpm_route *routes = calloc(count, sizeof(*routes));
    struct lpm_fib *fib = NULL;

    for (size_t i = 0; i < count; i++)
        routes[i] = (struct lpm_route){numbered_prefix((uint32_t)i * 2), 1 + (uint32_t)i % 100};
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, routes, count, &fib), 0);
    free(routes);
    return fib;
}

/* With overrides that lie far from each other, so that they share few nodes. */
static struct lpm_fib *make_derived(struct lpm_fib *base, unsigned overrides, uint32_t leaf)
{
    struct lpm_change changes[2 * OVERRIDES];
    struct lpm_fib *fib = NULL;

    for (unsigned i = 0; i < overrides; i++)
        changes[i] = (struct lpm_change){LPM_SET, numbered_prefix(i * 997 % (ROUTES * 2)), leaf};
    cr_assert_eq(lpm_derive(base, changes, overrides, &fib), 0);
    return fib;
}

struct count {
    size_t visits;
    size_t stop_at;
};

static int count_visit(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                       uint32_t leaf_b)
{
    struct count *count = context;

    (void)prefix;
    cr_assert_neq(leaf_a, leaf_b);
    return ++count->visits == count->stop_at ? 77 : 0;
}

/* Nodes visited to find that many differences. */
static size_t work(const struct lpm_fib *a, const struct lpm_fib *b, size_t differences)
{
    struct count count = {0};
    size_t nodes = 0;

    cr_assert_eq(lpm_diff_counted(a, b, count_visit, &count, &nodes), 0);
    cr_assert_eq(count.visits, differences, "%zu differences", count.visits);
    return nodes;
}

static struct lpm *lpm;
static struct lpm_fib *base, *one, *two, *twin, *broad;

static void open_fibs(void)
{
    lpm = lpm_create();
    base = make_base(lpm, ROUTES);
    one = make_derived(base, OVERRIDES, 1001);
    two = make_derived(base, OVERRIDES, 1002);
    twin = make_derived(base, OVERRIDES, 1001);
    broad = make_derived(base, 2 * OVERRIDES, 1001);
}

static void close_fibs(void)
{
    struct lpm_fib *all[] = {one, two, twin, broad, base};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        lpm_release(all[i]);
    lpm_destroy(lpm);
}

TestSuite(lpm_diff_work, .init = open_fibs, .fini = close_fibs);

/* A /24 lies in the fourth node on its way; the first is common to all. */
#define PATHS_OF(overrides) (1 + 3 * (size_t)(overrides))

Test(lpm_diff_work, two_fibs_of_one_base_cost_their_overrides_only)
{
    cr_assert_leq(work(one, two, OVERRIDES), PATHS_OF(OVERRIDES));
    cr_assert_leq(work(one, broad, OVERRIDES), PATHS_OF(2 * OVERRIDES));
}

Test(lpm_diff_work, a_base_and_its_derived_fib_cost_the_overrides_only)
{
    cr_assert_leq(work(base, one, OVERRIDES), PATHS_OF(OVERRIDES));
    cr_assert_leq(work(broad, base, 2 * OVERRIDES), PATHS_OF(2 * OVERRIDES));
}

Test(lpm_diff_work, equal_fibs_of_one_base_cost_nothing)
{
    cr_assert_eq(work(one, twin, 0), 0);
    cr_assert_eq(work(base, base, 0), 0);
}

Test(lpm_diff_work, the_size_of_the_base_makes_no_difference)
{
    size_t nodes = work(one, two, OVERRIDES);
    struct lpm_fib *small = make_base(lpm, 10);
    size_t nodes_small;

    cr_assert_eq(lpm_rebase(one, small), 0);
    cr_assert_eq(lpm_rebase(two, small), 0);
    nodes_small = work(one, two, OVERRIDES);
    lpm_release(small);
    cr_assert_eq(nodes, nodes_small);
}

/* The measure sees a walk of whole tables, so that the bounds above mean something. */
Test(lpm_diff_work, fibs_of_unrelated_bases_cost_a_merge_of_both)
{
    struct lpm_fib *copy = make_base(lpm, ROUTES);
    size_t nodes = work(base, copy, 0);

    cr_assert_geq(nodes, ROUTES / LPM_SLOTS);
    cr_assert_leq(nodes, ROUTES);
    lpm_release(copy);
}

Test(lpm_diff_work, the_visitor_may_stop)
{
    struct count count = {.stop_at = 2};

    cr_assert_eq(lpm_diff(one, two, count_visit, &count), 77);
    cr_assert_eq(count.visits, 2);
}

Test(lpm_diff_work, fibs_of_different_families_are_refused)
{
    struct count count = {0};
    struct lpm_fib *other = NULL;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, NULL, 0, &other), 0);
    cr_assert_eq(lpm_diff(base, other, count_visit, &count), -EINVAL);
    cr_assert_eq(count.visits, 0);
    lpm_release(other);
}

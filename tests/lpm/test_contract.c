/*
 * What lpm.h promises at its edges: refusals, lifetimes, inheritance, and the bulk calls.
 */
#include "lpm/lpm.h"
#include "lpm/rcu.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct lpm_prefix prefix_of(const char *text)
{
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse(text, &prefix), 0, "%s", text);
    return prefix;
}

static int change(struct lpm_fib *fib, enum lpm_change_kind kind, const char *text, uint32_t leaf)
{
    struct lpm_change one = {kind, prefix_of(text), leaf};

    return lpm_update(fib, &one, 1);
}

static uint32_t leaf_at(const struct lpm_fib *fib, const char *text)
{
    struct lpm_address address;

    cr_assert_eq(lpm_address_parse(text, &address), 0, "%s", text);
    return lpm_lookup(fib, &address);
}

/* A base with 10/8 -> 1 and 10.1/16 -> 2, and a FIB derived from it. */
static struct lpm *lpm;
static struct lpm_fib *base, *derived;

static void open_fibs(void)
{
    lpm = lpm_create();
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, NULL, 0, &base), 0);
    cr_assert_eq(change(base, LPM_SET, "10.0.0.0/8", 1), 0);
    cr_assert_eq(change(base, LPM_SET, "10.1.0.0/16", 2), 0);
    cr_assert_eq(lpm_derive(base, NULL, 0, &derived), 0);
}

static void close_fibs(void)
{
    lpm_release(derived);
    lpm_release(base);
    lpm_destroy(lpm);
}

TestSuite(lpm_contract, .init = open_fibs, .fini = close_fibs);

Test(lpm_contract, wrong_changes_are_refused_whole)
{
    struct lpm_change changes[] = {
        {LPM_SET, prefix_of("10.7.0.0/16"), 7},
        {LPM_SET, prefix_of("10.8.0.0/16"), LPM_NO_ROUTE},
    };

    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    changes[1].leaf = LPM_LEAF_MAX + 1;
    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    changes[1] = (struct lpm_change){LPM_SET, prefix_of("fd00::/8"), 1};
    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    changes[1] = (struct lpm_change){LPM_SET, {LPM_IPV4, 33, {0}}, 1};
    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    changes[1] = (struct lpm_change){LPM_SET, {LPM_IPV4, 8, {10, 1}}, 1};
    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    changes[1] = (struct lpm_change){(enum lpm_change_kind)77, prefix_of("10.8.0.0/16"), 1};
    cr_assert_eq(lpm_update(base, changes, 2), -EINVAL);
    cr_assert_eq(leaf_at(base, "10.7.0.1"), 1, "the valid change was not to happen either");
}

Test(lpm_contract, only_derived_fibs_inherit_and_only_bases_are_derived_from)
{
    struct lpm_fib *other = NULL;

    cr_assert_eq(change(base, LPM_INHERIT, "10.0.0.0/8", 0), -EINVAL);
    cr_assert_eq(lpm_derive(derived, NULL, 0, &other), -EINVAL);
    cr_assert_eq(lpm_rebase(base, base), -EINVAL);
    cr_assert_eq(lpm_rebase(derived, derived), -EINVAL);
    cr_assert_null(other);
}

Test(lpm_contract, a_later_duplicate_wins)
{
    struct lpm_route routes[] = {
        {prefix_of("10.0.0.0/8"), 1}, {prefix_of("0.0.0.0/0"), 5}, {prefix_of("10.0.0.0/8"), 3}};
    struct lpm_fib *fib;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, routes, 3, &fib), 0);
    cr_assert_eq(leaf_at(fib, "10.0.0.1"), 3);
    cr_assert_eq(leaf_at(fib, "11.0.0.1"), 5);
    cr_assert_eq(lpm_fib_routes(fib), 2);
    lpm_release(fib);
}

Test(lpm_contract, a_change_of_the_base_is_seen_through_derived_fibs)
{
    cr_assert_eq(change(base, LPM_SET, "10.2.0.0/16", 3), 0);
    cr_assert_eq(leaf_at(derived, "10.2.0.1"), 3);
    cr_assert_eq(change(derived, LPM_SET, "10.2.0.0/16", 4), 0);
    cr_assert_eq(change(base, LPM_SET, "10.2.0.0/16", 5), 0);
    cr_assert_eq(leaf_at(derived, "10.2.0.1"), 4);
    cr_assert_eq(leaf_at(base, "10.2.0.1"), 5);
    cr_assert_eq(change(derived, LPM_INHERIT, "10.2.0.0/16", 0), 0);
    cr_assert_eq(leaf_at(derived, "10.2.0.1"), 5);
}

Test(lpm_contract, a_removal_hides_the_route_of_the_base_only_here)
{
    cr_assert_eq(change(derived, LPM_REMOVE, "10.1.0.0/16", 0), 0);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), 1);
    cr_assert_eq(leaf_at(base, "10.1.0.1"), 2);
    cr_assert_eq(change(base, LPM_SET, "10.0.0.0/8", 9), 0);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), 9);
    cr_assert_eq(change(derived, LPM_REMOVE, "10.0.0.0/8", 0), 0);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), LPM_NO_ROUTE);
    cr_assert_eq(change(base, LPM_SET, "10.1.0.0/17", 6), 0);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), 6);
}

Test(lpm_contract, a_default_route_is_inherited_replaced_and_removed)
{
    cr_assert_eq(change(base, LPM_SET, "0.0.0.0/0", 8), 0);
    cr_assert_eq(leaf_at(derived, "11.0.0.1"), 8);
    cr_assert_eq(change(derived, LPM_SET, "0.0.0.0/0", 9), 0);
    cr_assert_eq(leaf_at(derived, "11.0.0.1"), 9);
    cr_assert_eq(leaf_at(base, "11.0.0.1"), 8);
    cr_assert_eq(change(derived, LPM_REMOVE, "0.0.0.0/0", 0), 0);
    cr_assert_eq(leaf_at(derived, "11.0.0.1"), LPM_NO_ROUTE);
    cr_assert_eq(lpm_fib_routes(derived), 2);
    cr_assert_eq(change(derived, LPM_INHERIT, "0.0.0.0/0", 0), 0);
    cr_assert_eq(leaf_at(derived, "11.0.0.1"), 8);
    cr_assert_eq(change(base, LPM_REMOVE, "0.0.0.0/0", 0), 0);
    cr_assert_eq(leaf_at(derived, "11.0.0.1"), LPM_NO_ROUTE);
}

Test(lpm_contract, a_base_outlives_its_release_while_derived_fibs_need_it)
{
    struct lpm_fib *fib, *child;
    struct lpm_route route = {prefix_of("10.0.0.0/8"), 1};

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, &route, 1, &fib), 0);
    cr_assert_eq(lpm_derive(fib, NULL, 0, &child), 0);
    lpm_release(fib);
    lpm_rcu_barrier();
    cr_assert_eq(leaf_at(child, "10.0.0.1"), 1);
    cr_assert_eq(change(child, LPM_SET, "10.9.0.0/16", 2), 0);
    cr_assert_eq(leaf_at(child, "10.9.0.1"), 2);
    cr_assert_eq(leaf_at(child, "10.0.0.1"), 1);
    lpm_release(child);
    lpm_rcu_barrier();
}

Test(lpm_contract, a_detached_fib_no_longer_follows_its_base)
{
    cr_assert_eq(change(derived, LPM_SET, "10.3.0.0/16", 3), 0);
    cr_assert_eq(lpm_detach(derived), 0);
    cr_assert_null(lpm_fib_base(derived));
    cr_assert_eq(change(base, LPM_SET, "10.1.0.0/16", 7), 0);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), 2);
    cr_assert_eq(leaf_at(derived, "10.3.0.1"), 3);
    cr_assert_eq(change(derived, LPM_REMOVE, "10.3.0.0/16", 0), 0);
    cr_assert_eq(leaf_at(derived, "10.3.0.1"), 1);
    cr_assert_eq(lpm_detach(derived), 0, "a base is detached already");
}

Test(lpm_contract, a_rebased_fib_keeps_its_overrides)
{
    struct lpm_route route = {prefix_of("10.0.0.0/8"), 100};
    struct lpm_fib *other, *other_family;

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV4, &route, 1, &other), 0);
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, NULL, 0, &other_family), 0);
    cr_assert_eq(change(derived, LPM_SET, "10.3.0.0/16", 3), 0);
    cr_assert_eq(lpm_rebase(derived, other_family), -EINVAL);
    cr_assert_eq(lpm_rebase(derived, other), 0);
    cr_assert_eq(lpm_fib_base(derived), other);
    cr_assert_eq(leaf_at(derived, "10.3.0.1"), 3);
    cr_assert_eq(leaf_at(derived, "10.1.0.1"), 100);
    lpm_release(other);
    lpm_release(other_family);
}

static int stop_at_second(void *context, const struct lpm_route *route)
{
    unsigned *visited = context;

    (void)route;
    return ++*visited == 2 ? 42 : 0;
}

Test(lpm_contract, each_stops_where_the_visitor_says)
{
    unsigned visited = 0;

    cr_assert_eq(lpm_each(base, stop_at_second, &visited), 42);
    cr_assert_eq(visited, 2);
}

Test(lpm_contract, explain_names_the_deciding_prefix)
{
    struct lpm_address address;
    struct lpm_route route;
    char text[LPM_PREFIX_TEXT];

    cr_assert_eq(lpm_address_parse("10.1.2.3", &address), 0);
    cr_assert(lpm_explain(derived, &address, &route));
    cr_assert_str_eq(lpm_prefix_format(&route.prefix, text), "10.1.0.0/16");
    cr_assert_eq(route.leaf, 2);
    cr_assert_eq(lpm_address_parse("11.1.2.3", &address), 0);
    cr_assert_not(lpm_explain(derived, &address, &route));
}

Test(lpm_contract, bulk_calls_take_another_fib_for_each_address)
{
    const struct lpm_fib *fibs[100];
    uint32_t addresses[100], leaves[101];

    cr_assert_eq(change(derived, LPM_SET, "10.1.1.0/24", 4), 0);
    for (unsigned n = 0; n <= 100; n++) {
        for (unsigned i = 0; i < n; i++) {
            fibs[i] = i % 3 ? derived : base;
            addresses[i] = 0x0a010000u + i * 37;
        }
        leaves[n] = 12345;
        lpm_lookup_bulk4(fibs, addresses, leaves, n);
        cr_assert_eq(leaves[n], 12345, "wrote beyond %u", n);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(leaves[i], i % 3 && addresses[i] >> 8 == 0x0a0101 ? 4 : 2, "%u of %u", i,
                         n);
    }
}

Test(lpm_contract, bulk_calls_serve_ipv6_alike)
{
    struct lpm_route routes[] = {{prefix_of("fd00::/8"), 1}, {prefix_of("fd00:1::/32"), 2}};
    struct lpm_change own = {LPM_SET, prefix_of("fd00:1::5/128"), 3};
    struct lpm_fib *base6, *derived6;
    const struct lpm_fib *fibs[50];
    uint8_t addresses[50][16];
    uint32_t leaves[50];

    cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, routes, 2, &base6), 0);
    cr_assert_eq(lpm_derive(base6, &own, 1, &derived6), 0);
    memset(addresses, 0, sizeof(addresses));
    for (unsigned i = 0; i < 50; i++) {
        fibs[i] = i & 1 ? derived6 : base6;
        addresses[i][0] = 0xfd;
        addresses[i][3] = i < 30;
        addresses[i][15] = (uint8_t)i;
    }
    lpm_lookup_bulk6(fibs, (const uint8_t(*)[16])addresses, leaves, 50);
    for (unsigned i = 0; i < 50; i++)
        cr_assert_eq(leaves[i], i == 5 ? 3 : i < 30 ? 2 : 1, "%u", i);
    lpm_release(derived6);
    lpm_release(base6);
}

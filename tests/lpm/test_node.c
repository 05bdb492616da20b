/*
 * Nodes with entries of two and of four bytes: leaves around the highest that two bytes hold, in
 * tables of narrow nodes, of wide ones, and of both.
 */
#include "lpm/lpm.h"
#include "tests/lpm/model.h"

#include <criterion/criterion.h>
#include <string.h>

#define SUBNETS 64 /* of a node */
#define NODES   48 /* enough routes for a direct table */
#define ROUTES  (NODES * SUBNETS)
#define BURST   64
#define NARROW  UINT32_C(0xffff)

struct bench {
    struct lpm *lpm;
    enum lpm_family family;
    struct lpm_fib *base, *derived, *other; /* other: another base */
    struct model_random random;
    uint32_t leaves[ROUTES];
};

/* Neighbours that fill whole nodes: IPv4 /24 of 10.0.0.0/8, IPv6 /24 of 2000::/8. */
static struct lpm_prefix subnet(enum lpm_family family, unsigned i)
{
    struct lpm_prefix prefix = {.family = (uint8_t)family, .length = 24};

    prefix.bytes[0] = family == LPM_IPV4 ? 10 : 0x20;
    prefix.bytes[1] = (uint8_t)(i >> 8);
    prefix.bytes[2] = (uint8_t)i;
    return prefix;
}

static void open_bench(struct bench *bench, enum lpm_family family)
{
    static struct lpm_route routes[ROUTES];
    struct lpm_change change = {LPM_SET, subnet(family, 5), 77};

    *bench = (struct bench){.lpm = lpm_create(), .family = family, .random = {3}};
    for (unsigned i = 0; i < ROUTES; i++) {
        bench->leaves[i] = 1 + i;
        routes[i] = (struct lpm_route){.prefix = subnet(family, i), .leaf = bench->leaves[i]};
    }
    cr_assert_eq(lpm_base_create(bench->lpm, family, routes, ROUTES, &bench->base), 0);
    cr_assert_eq(lpm_base_create(bench->lpm, family, NULL, 0, &bench->other), 0);
    cr_assert_eq(lpm_derive(bench->base, &change, 1, &bench->derived), 0);
}

static void close_bench(struct bench *bench)
{
    lpm_release(bench->derived);
    lpm_release(bench->base);
    lpm_release(bench->other);
    lpm_destroy(bench->lpm);
}

static void set_leaf(struct bench *bench, unsigned i, uint32_t leaf)
{
    struct lpm_change change = {LPM_SET, subnet(bench->family, i), leaf};

    cr_assert_eq(lpm_update(bench->base, &change, 1), 0);
    bench->leaves[i] = leaf;
}

static uint32_t expected(const struct bench *bench, const struct lpm_fib *fib, unsigned i)
{
    if (fib == bench->other)
        return LPM_NO_ROUTE;
    return fib == bench->derived && i == 5 ? 77 : bench->leaves[i];
}

static void look_up(const struct bench *bench, const struct lpm_fib *const *fibs,
                    const unsigned *subnets, uint32_t *leaves)
{
    uint32_t addresses4[BURST];
    uint8_t addresses6[BURST][16];

    for (unsigned i = 0; i < BURST; i++) {
        struct lpm_prefix prefix = subnet(bench->family, subnets[i]);

        memcpy(addresses6[i], prefix.bytes, 16);
        addresses4[i] = (uint32_t)prefix.bytes[0] << 24 | (uint32_t)prefix.bytes[1] << 16 |
                        (uint32_t)prefix.bytes[2] << 8 | 9;
    }
    if (bench->family == LPM_IPV4)
        lpm_lookup_bulk4(fibs, addresses4, leaves, BURST);
    else
        lpm_lookup_bulk6(fibs, (const uint8_t(*)[16])addresses6, leaves, BURST);
}

/* Bursts of the base, of it and a FIB derived from it, and of two bases, by every variant. */
static void compare(struct bench *bench)
{
    const struct lpm_fib *all[] = {bench->base, bench->derived, bench->other};

    for (const char *const *name = lpm_variants(); *name; name++) {
        cr_assert_eq(lpm_force_variant(*name), 0);
        for (unsigned burst = 0; burst < 3 * ROUTES / BURST; burst++) {
            const struct lpm_fib *fibs[BURST];
            unsigned subnets[BURST];
            uint32_t leaves[BURST];

            for (unsigned i = 0; i < BURST; i++) {
                fibs[i] = all[model_below(&bench->random, 1 + burst % 3)];
                subnets[i] = burst / 3 * BURST + i;
            }
            look_up(bench, fibs, subnets, leaves);
            for (unsigned i = 0; i < BURST; i++)
                cr_assert_eq(leaves[i], expected(bench, fibs[i], subnets[i]), "%s at %u", *name,
                             subnets[i]);
        }
    }
    cr_assert_eq(lpm_force_variant(NULL), 0);
    cr_assert(lpm_validate(bench->lpm));
}

static size_t lookup_bytes(const struct bench *bench)
{
    struct lpm_fib_bytes bytes;

    lpm_fib_bytes(bench->base, &bytes);
    return bytes.lookup;
}

static void widen_and_narrow(enum lpm_family family)
{
    struct bench bench;
    size_t narrow;

    open_bench(&bench, family);
    narrow = lookup_bytes(&bench);
    compare(&bench);
    set_leaf(&bench, 70, NARROW);
    compare(&bench);
    cr_expect_eq(lookup_bytes(&bench), narrow);
    set_leaf(&bench, 70, NARROW + 1);
    compare(&bench);
    if (family == LPM_IPV4)
        cr_expect_gt(lookup_bytes(&bench), narrow, "one node has become wide");
    for (unsigned i = 0; i < ROUTES; i += 2)
        set_leaf(&bench, i, LPM_LEAF_MAX - i);
    compare(&bench);
    for (unsigned i = 0; i < ROUTES; i++)
        set_leaf(&bench, i, NARROW - i);
    compare(&bench);
    cr_expect_eq(lookup_bytes(&bench), narrow);
    close_bench(&bench);
}

Test(lpm_node, ipv4_leaves_beyond_two_bytes_come_and_go)
{
    widen_and_narrow(LPM_IPV4);
}

Test(lpm_node, ipv6_leaves_beyond_two_bytes_come_and_go)
{
    widen_and_narrow(LPM_IPV6);
}

/* A leaf that fills a slot of the direct table has a node of its own. */
Test(lpm_node, a_leaf_beyond_two_bytes_fills_a_whole_slot)
{
    struct bench bench;
    struct lpm_change change = {LPM_SET, {.family = LPM_IPV4, .length = 8, .bytes = {11}}, 1};
    uint32_t leaf, address = UINT32_C(11) << 24 | 0x123456;
    const uint32_t leaves[] = {NARROW, NARROW + 1, LPM_LEAF_MAX, 2};

    open_bench(&bench, LPM_IPV4);
    for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        change.leaf = leaves[i];
        cr_assert_eq(lpm_update(bench.base, &change, 1), 0);
        for (const char *const *name = lpm_variants(); *name; name++) {
            const struct lpm_fib *fibs[] = {bench.base, bench.derived};

            cr_assert_eq(lpm_force_variant(*name), 0);
            lpm_lookup_bulk4(fibs, &address, &leaf, 1);
            cr_expect_eq(leaf, leaves[i], "%s", *name);
            lpm_lookup_bulk4(fibs + 1, &address, &leaf, 1);
            cr_expect_eq(leaf, leaves[i], "%s", *name);
        }
        cr_assert_eq(lpm_force_variant(NULL), 0);
        cr_assert(lpm_validate(bench.lpm));
    }
    close_bench(&bench);
}

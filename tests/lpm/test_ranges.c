/*
 * What derived FIBs show where they differ from their base: overrides over few routes and over many,
 * removals, host routes and the ends of the address space, with the base changing under them.
 */
#include "lpm/core.h"
#include "tests/lpm/model.h"

#include <criterion/criterion.h>
#include <string.h>

#define BURST     64
#define MANY_BASE 400

struct pair {
    struct lpm *lpm;
    enum lpm_family family;
    struct lpm_fib *base, *derived;
    struct model_fib base_model, derived_model;
    struct model_random random;
    /* Compared in one go, by every variant. */
    unsigned count;
    struct lpm_address addresses[BURST];
};

static void open_pair(struct pair *pair, enum lpm_family family, uint64_t seed)
{
    *pair = (struct pair){.lpm = lpm_create(), .family = family, .random = {seed}};
    pair->derived_model.base = &pair->base_model;
    cr_assert_eq(lpm_base_create(pair->lpm, family, NULL, 0, &pair->base), 0);
    cr_assert_eq(lpm_derive(pair->base, NULL, 0, &pair->derived), 0);
}

static void close_pair(struct pair *pair)
{
    cr_assert(lpm_validate(pair->lpm));
    lpm_release(pair->derived);
    lpm_release(pair->base);
    model_clear(&pair->base_model);
    model_clear(&pair->derived_model);
    lpm_destroy(pair->lpm);
}

/* --- Comparing --------------------------------------------------------------------------------- */

static void look_up_all(const struct pair *pair, const struct lpm_fib *fib, uint32_t leaves[BURST])
{
    const struct lpm_fib *fibs[BURST];
    uint32_t addresses4[BURST];
    uint8_t addresses6[BURST][16];

    for (unsigned i = 0; i < pair->count; i++) {
        fibs[i] = fib;
        addresses4[i] = (uint32_t)(lpm_key_of(pair->addresses[i].bytes) >> 96);
        memcpy(addresses6[i], pair->addresses[i].bytes, 16);
    }
    if (pair->family == LPM_IPV4)
        lpm_lookup_bulk4(fibs, addresses4, leaves, pair->count);
    else
        lpm_lookup_bulk6(fibs, (const uint8_t(*)[16])addresses6, leaves, pair->count);
}

static void compare_fib(const struct pair *pair, const struct lpm_fib *fib,
                        const struct model_fib *model)
{
    char text[LPM_ADDRESS_TEXT];

    for (const char *const *name = lpm_variants(); *name; name++) {
        uint32_t leaves[BURST];

        cr_assert_eq(lpm_force_variant(*name), 0);
        look_up_all(pair, fib, leaves);
        for (unsigned i = 0; i < pair->count; i++) {
            const struct lpm_address *address = &pair->addresses[i];
            struct lpm_route right = {0}, told = {0};

            model_lookup(model, address, &right);
            cr_assert_eq(leaves[i], right.leaf, "%s at %s", *name,
                         lpm_address_format(address, text));
            cr_assert_eq(lpm_lookup(fib, address), right.leaf);
            lpm_explain(fib, address, &told);
            cr_assert_eq(told.leaf, right.leaf);
            cr_assert(lpm_prefix_equal(&told.prefix, &right.prefix));
        }
    }
    cr_assert_eq(lpm_force_variant(NULL), 0);
}

static void compare_gathered(struct pair *pair)
{
    compare_fib(pair, pair->derived, &pair->derived_model);
    compare_fib(pair, pair->base, &pair->base_model);
    pair->count = 0;
}

static void gather(struct pair *pair, lpm_key key)
{
    struct lpm_address *address = &pair->addresses[pair->count++];
    lpm_key unit = pair->family == LPM_IPV4 ? (lpm_key)1 << 96 : 1;

    *address = (struct lpm_address){.family = (uint8_t)pair->family};
    lpm_key_bytes(key & (0 - unit), address->bytes);
    if (pair->count == BURST)
        compare_gathered(pair);
}

/* The ends of a prefix, and what is just outside of it. */
static void gather_ends(struct pair *pair, const struct lpm_prefix *prefix)
{
    lpm_key unit = pair->family == LPM_IPV4 ? (lpm_key)1 << 96 : 1;
    lpm_key first = lpm_key_of(prefix->bytes);
    lpm_key last = lpm_key_last(first, prefix->length);

    gather(pair, first);
    gather(pair, last);
    gather(pair, first - unit);
    gather(pair, last + unit);
}

/* --- Changing ---------------------------------------------------------------------------------- */

static void apply(struct pair *pair, bool derived, enum lpm_change_kind kind,
                  struct lpm_prefix prefix, uint32_t leaf)
{
    struct lpm_change change = {kind, prefix, leaf};

    lpm_prefix_mask(&change.prefix);
    cr_assert_eq(lpm_update(derived ? pair->derived : pair->base, &change, 1), 0);
    model_apply(derived ? &pair->derived_model : &pair->base_model, &change);
    gather_ends(pair, &change.prefix);
}

/* Few bits are drawn, so that prefixes meet; the rest are 0 or 1 throughout, so that some lie at the
 * ends of the address space. Lengths are short, or near those of IPv4's and IPv6's host routes. */
static struct lpm_prefix draw_prefix(struct pair *pair)
{
    static const uint8_t lengths4[] = {1, 6, 8, 9, 12, 16, 18, 22, 24, 25, 30, 31, 32};
    static const uint8_t lengths6[] = {1, 3, 12, 32, 47, 48, 56, 63, 64, 65, 66, 96, 127, 128};
    struct lpm_prefix prefix = {.family = (uint8_t)pair->family};
    uint8_t fill = model_below(&pair->random, 4) ? 0 : 0xff;

    memset(prefix.bytes, fill, sizeof(prefix.bytes));
    prefix.bytes[0] ^= (uint8_t)(model_below(&pair->random, 2) * 0x20);
    prefix.bytes[1] ^= (uint8_t)model_below(&pair->random, 4);
    prefix.bytes[2] ^= (uint8_t)model_below(&pair->random, 8);
    prefix.bytes[3] ^= (uint8_t)(model_below(&pair->random, 3) * 0x7f);
    prefix.bytes[7] ^= (uint8_t)model_below(&pair->random, 3);
    prefix.bytes[8] ^= (uint8_t)(model_below(&pair->random, 2) * 0x80);
    prefix.bytes[15] ^= (uint8_t)model_below(&pair->random, 3);
    prefix.length = pair->family == LPM_IPV4
                        ? lengths4[model_below(&pair->random, sizeof(lengths4))]
                        : lengths6[model_below(&pair->random, sizeof(lengths6))];
    lpm_prefix_mask(&prefix);
    if (pair->family == LPM_IPV4)
        memset(prefix.bytes + 4, 0, 12);
    return prefix;
}

static void change_any(struct pair *pair)
{
    bool derived = model_below(&pair->random, 2);
    unsigned kind = model_below(&pair->random, 8);
    uint32_t leaf = 1 + model_below(&pair->random, 5);

    if (kind < 5)
        apply(pair, derived, LPM_SET, draw_prefix(pair), leaf);
    else if (kind < 7 || !derived)
        apply(pair, derived, LPM_REMOVE, draw_prefix(pair), 0);
    else
        apply(pair, derived, LPM_INHERIT, draw_prefix(pair), 0);
}

static void run(enum lpm_family family, uint64_t seed, unsigned base_routes, unsigned steps)
{
    struct pair pair;

    open_pair(&pair, family, seed);
    for (unsigned i = 0; i < base_routes; i++)
        apply(&pair, false, LPM_SET, draw_prefix(&pair), 1 + i % 7);
    for (unsigned step = 0; step < steps; step++) {
        change_any(&pair);
        cr_assert(lpm_validate(pair.lpm), "seed %llu step %u", (unsigned long long)seed, step);
    }
    compare_gathered(&pair);
    close_pair(&pair);
}

Test(lpm_ranges, ipv4_overrides_over_few_routes_show_both)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(LPM_IPV4, seed, 10, 150);
}

Test(lpm_ranges, ipv4_overrides_over_many_routes_show_both)
{
    for (uint64_t seed = 11; seed <= 14; seed++)
        run(LPM_IPV4, seed, MANY_BASE, 200);
}

Test(lpm_ranges, ipv6_overrides_over_few_routes_show_both)
{
    for (uint64_t seed = 21; seed <= 28; seed++)
        run(LPM_IPV6, seed, 10, 150);
}

Test(lpm_ranges, ipv6_overrides_over_many_routes_show_both)
{
    for (uint64_t seed = 31; seed <= 34; seed++)
        run(LPM_IPV6, seed, MANY_BASE, 200);
}

/* --- Cost -------------------------------------------------------------------------------------- */

static struct lpm_prefix prefix_of(const char *text)
{
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse(text, &prefix), 0, "%s", text);
    return prefix;
}

Test(lpm_ranges, an_override_costs_the_same_over_any_number_of_routes)
{
    struct lpm_change halves[] = {{LPM_SET, prefix_of("0.0.0.0/1"), 1},
                                  {LPM_SET, prefix_of("128.0.0.0/1"), 2}};
    struct pair pair;
    struct lpm_fib *fib;
    struct lpm_fib_bytes bytes;

    open_pair(&pair, LPM_IPV4, 51);
    for (unsigned i = 0; i < 2 * MANY_BASE; i++) {
        struct lpm_prefix prefix = {
            LPM_IPV4, 24, {i % 2 ? 10 : 200, (uint8_t)(i >> 8), (uint8_t)i}};

        apply(&pair, false, LPM_SET, prefix, 1 + i % 7);
    }
    cr_assert_eq(lpm_derive(pair.base, halves, 2, &fib), 0);
    lpm_fib_bytes(fib, &bytes);
    cr_assert_leq(bytes.lookup + bytes.writer, 512);
    lpm_release(fib);
    close_pair(&pair);
}

/* Ranges in force, which a change replaces if it has to. */
static const struct lpm_ranges *ranges_of(const struct pair *pair)
{
    return lpm_layer_own_ranges(lpm_fib_layer(pair->derived));
}

Test(lpm_ranges, only_routes_that_come_or_go_inside_of_an_override_are_worked_out)
{
    const struct lpm_ranges *before;
    struct pair pair;

    open_pair(&pair, LPM_IPV4, 52);
    apply(&pair, true, LPM_SET, prefix_of("10.1.0.0/16"), 1);
    apply(&pair, true, LPM_REMOVE, prefix_of("172.16.5.0/24"), 0);
    before = ranges_of(&pair);
    apply(&pair, false, LPM_SET, prefix_of("10.0.0.0/8"), 2);    /* covers it */
    apply(&pair, false, LPM_SET, prefix_of("10.1.0.0/16"), 3);   /* is hidden */
    apply(&pair, false, LPM_SET, prefix_of("10.2.0.0/24"), 4);   /* is elsewhere */
    apply(&pair, false, LPM_SET, prefix_of("172.16.5.0/24"), 5); /* is removed */
    apply(&pair, false, LPM_SET, prefix_of("172.16.4.0/24"), 6);
    apply(&pair, false, LPM_SET, prefix_of("172.16.0.0/20"), 8); /* shows in place of the removed */
    cr_assert_eq(ranges_of(&pair), before);
    apply(&pair, false, LPM_SET, prefix_of("10.1.7.0/24"), 7); /* comes */
    cr_assert_neq(ranges_of(&pair), before);
    before = ranges_of(&pair);
    apply(&pair, false, LPM_SET, prefix_of("10.1.7.0/24"), 9); /* has another leaf */
    cr_assert_eq(ranges_of(&pair), before);
    apply(&pair, false, LPM_REMOVE, prefix_of("10.1.7.0/24"), 0); /* goes */
    cr_assert_neq(ranges_of(&pair), before);
    compare_gathered(&pair);
    close_pair(&pair);
}

/* Routes come and go in one call, at the same addresses too. */
Test(lpm_ranges, a_batch_may_bring_and_take_routes_inside_of_an_override)
{
    struct lpm_change first[] = {{LPM_SET, prefix_of("10.1.0.0/16"), 2},
                                 {LPM_SET, prefix_of("10.1.7.0/24"), 3},
                                 {LPM_SET, prefix_of("10.2.0.0/16"), 4}};
    struct lpm_change second[] = {{LPM_REMOVE, prefix_of("10.1.0.0/16"), 0},
                                  {LPM_SET, prefix_of("10.1.6.0/23"), 5},
                                  {LPM_REMOVE, prefix_of("10.1.7.0/24"), 0},
                                  {LPM_SET, prefix_of("10.2.0.0/16"), 6},
                                  {LPM_SET, prefix_of("10.3.0.0/16"), 7}};
    struct pair pair;

    open_pair(&pair, LPM_IPV4, 53);
    apply(&pair, true, LPM_SET, prefix_of("10.0.0.0/8"), 1);
    for (unsigned round = 0; round < 4; round++) {
        const struct lpm_change *changes = round % 2 ? second : first;
        unsigned n = round % 2 ? 5 : 3;

        cr_assert_eq(lpm_update(pair.base, changes, n), 0);
        for (unsigned i = 0; i < n; i++) {
            model_apply(&pair.base_model, &changes[i]);
            gather_ends(&pair, &changes[i].prefix);
        }
        compare_gathered(&pair);
        cr_assert(lpm_validate(pair.lpm));
    }
    close_pair(&pair);
}

#define VERY_MANY 300

/* The leaf of 10.1.2.3 in each FIB. */
static void expect_leaves(struct lpm_fib *const fibs[VERY_MANY], uint32_t shared)
{
    struct lpm_address address = {LPM_IPV4, {10, 1, 2, 3}};

    for (unsigned i = 0; i < VERY_MANY; i++)
        cr_assert_eq(lpm_lookup(fibs[i], &address), shared ? shared : 100 + i);
}

Test(lpm_ranges, what_comes_and_goes_inside_of_overrides_of_very_many_fibs_is_worked_out_once)
{
    struct lpm_fib *fibs[VERY_MANY];
    const struct lpm_ranges *once;
    struct pair pair;

    open_pair(&pair, LPM_IPV4, 54);
    for (unsigned i = 0; i < VERY_MANY; i++) {
        struct lpm_change own = {LPM_SET, prefix_of("10.0.0.0/8"), 100 + i};

        cr_assert_eq(lpm_derive(pair.base, &own, 1, &fibs[i]), 0);
    }
    expect_leaves(fibs, 0);
    apply(&pair, false, LPM_SET, prefix_of("10.1.0.0/16"), 1);
    expect_leaves(fibs, 1);
    once = lpm_layer_own_ranges(lpm_fib_layer(fibs[7]));
    apply(&pair, false, LPM_SET, prefix_of("10.1.2.0/24"), 2);
    expect_leaves(fibs, 2);
    apply(&pair, false, LPM_REMOVE, prefix_of("10.1.2.0/24"), 0);
    expect_leaves(fibs, 1);
    apply(&pair, false, LPM_REMOVE, prefix_of("10.1.0.0/16"), 0);
    expect_leaves(fibs, 0);
    cr_assert_eq(lpm_layer_own_ranges(lpm_fib_layer(fibs[7])), once);
    cr_assert(lpm_validate(pair.lpm));
    for (unsigned i = 0; i < VERY_MANY; i++)
        lpm_release(fibs[i]);
    close_pair(&pair);
}

/*
 * Tables that are hard by shape: nested, combed, dense, and short prefixes over much.
 */
#include "tests/lpm/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A base and a FIB derived from it, with models. */
struct pair {
    struct lpm *lpm;
    struct lpm_fib *base, *derived;
    struct model_fib base_model, derived_model;
    enum lpm_family family;
};

static void open_pair(struct pair *pair, enum lpm_family family)
{
    memset(pair, 0, sizeof(*pair));
    pair->lpm = lpm_create();
    pair->family = family;
    pair->derived_model.base = &pair->base_model;
    cr_assert_eq(lpm_base_create(pair->lpm, family, NULL, 0, &pair->base), 0);
    cr_assert_eq(lpm_derive(pair->base, NULL, 0, &pair->derived), 0);
}

static void close_pair(struct pair *pair)
{
    cr_assert(lpm_validate(pair->lpm));
    lpm_release(pair->base);
    lpm_release(pair->derived);
    model_clear(&pair->base_model);
    model_clear(&pair->derived_model);
    lpm_destroy(pair->lpm);
}

static void change(struct pair *pair, bool derived, enum lpm_change_kind kind,
                   struct lpm_prefix prefix, uint32_t leaf)
{
    struct lpm_change row = {kind, prefix, leaf};

    lpm_prefix_mask(&row.prefix);
    cr_assert_eq(lpm_update(derived ? pair->derived : pair->base, &row, 1), 0);
    model_apply(derived ? &pair->derived_model : &pair->base_model, &row);
}

static void compare_at(const struct pair *pair, const struct lpm_address *address)
{
    struct lpm_route route = {0};

    model_lookup(&pair->base_model, address, &route);
    cr_assert_eq(lpm_lookup(pair->base, address), route.leaf);
    route.leaf = 0;
    model_lookup(&pair->derived_model, address, &route);
    cr_assert_eq(lpm_lookup(pair->derived, address), route.leaf);
}

/* At bytes, and at each address that differs from it in one bit. */
static void compare_around(const struct pair *pair, const uint8_t bytes[16])
{
    struct lpm_address address = {.family = (uint8_t)pair->family};
    unsigned bits = pair->family == LPM_IPV4 ? 32 : 128;

    memcpy(address.bytes, bytes, bits / 8);
    compare_at(pair, &address);
    for (unsigned bit = 0; bit < bits; bit++) {
        address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        compare_at(pair, &address);
        address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
}

static struct lpm_prefix prefix_of(enum lpm_family family, const uint8_t bytes[16], unsigned length)
{
    struct lpm_prefix prefix = {.family = (uint8_t)family, .length = (uint8_t)length};

    memcpy(prefix.bytes, bytes, family == LPM_IPV4 ? 4 : 16);
    lpm_prefix_mask(&prefix);
    return prefix;
}

/* Every length at one address: the base has the even ones, the FIB overrides every third, and then
 * they go in another order than they came. */
static void run_nested(enum lpm_family family, const uint8_t bytes[16])
{
    unsigned bits = family == LPM_IPV4 ? 32 : 128;
    struct pair pair;

    open_pair(&pair, family);
    for (unsigned length = 0; length <= bits; length += 2)
        change(&pair, false, LPM_SET, prefix_of(family, bytes, length), 1000 + length);
    compare_around(&pair, bytes);
    for (unsigned length = 0; length <= bits; length += 3)
        change(&pair, true, length % 2 ? LPM_SET : LPM_REMOVE, prefix_of(family, bytes, length),
               length % 2 ? 2000 + length : 0);
    compare_around(&pair, bytes);
    for (unsigned i = 0; i <= bits; i++) {
        unsigned length = i * 7 % (bits + 1);

        change(&pair, i % 2, i % 2 ? LPM_INHERIT : LPM_REMOVE, prefix_of(family, bytes, length), 0);
        compare_around(&pair, bytes);
    }
    close_pair(&pair);
}

Test(lpm_shapes, ipv4_tells_all_lengths_at_one_address_apart)
{
    run_nested(LPM_IPV4, (const uint8_t[16]){10, 165, 90, 255});
    run_nested(LPM_IPV4, (const uint8_t[16]){255, 255, 255, 255});
    run_nested(LPM_IPV4, (const uint8_t[16]){0});
}

Test(lpm_shapes, ipv6_tells_all_lengths_at_one_address_apart)
{
    run_nested(LPM_IPV6, (const uint8_t[16]){0xfd, 1, 2, 3, 0xa5, 0x5a, 0xff, 0, 1, 0x80, 9});
    run_nested(LPM_IPV6, (const uint8_t[16]){0});
}

/* Host routes at every stride-th address around a place, so that neighbours differ all along. */
static void run_comb(enum lpm_family family, unsigned stride)
{
    uint8_t bytes[16] = {10, 9, 1};
    unsigned last = family == LPM_IPV4 ? 3 : 15;
    struct lpm_address address = {.family = (uint8_t)family};
    struct pair pair;

    open_pair(&pair, family);
    for (unsigned i = 0; i < 512; i += stride) {
        bytes[last] = (uint8_t)i;
        bytes[last - 1] = (uint8_t)(i >> 8);
        change(&pair, i % 3 == 0, LPM_SET, prefix_of(family, bytes, (last + 1) * 8), 1 + i);
    }
    for (unsigned i = 0; i < 768; i++) {
        bytes[last] = (uint8_t)i;
        bytes[last - 1] = (uint8_t)(i >> 8);
        memcpy(address.bytes, bytes, last + 1);
        compare_at(&pair, &address);
    }
    close_pair(&pair);
}

Test(lpm_shapes, host_routes_side_by_side_do_not_run_into_each_other)
{
    run_comb(LPM_IPV4, 1);
    run_comb(LPM_IPV4, 2);
    run_comb(LPM_IPV6, 1);
    run_comb(LPM_IPV6, 3);
}

/* All of /25../32 under one /24: 510 prefixes. */
Test(lpm_shapes, a_full_tree_of_long_prefixes_is_right_everywhere)
{
    struct lpm_address address = {.family = LPM_IPV4, .bytes = {172, 16, 31}};
    struct pair pair;

    open_pair(&pair, LPM_IPV4);
    for (unsigned length = 25; length <= 32; length++) {
        for (unsigned i = 0; i < 1u << (length - 24); i++) {
            address.bytes[3] = (uint8_t)(i << (32 - length));
            change(&pair, (i + length) % 5 == 0, (i + length) % 10 == 0 ? LPM_REMOVE : LPM_SET,
                   prefix_of(LPM_IPV4, address.bytes, length),
                   (i + length) % 10 == 0 ? 0 : length * 1000 + i);
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        address.bytes[3] = (uint8_t)i;
        compare_around(&pair, address.bytes);
    }
    close_pair(&pair);
}

/* A default route and halves of everything, over and under a base that holds much. */
Test(lpm_shapes, short_overrides_cover_a_large_base)
{
    struct model_random random = {7};
    struct lpm_address address = {.family = LPM_IPV4};
    struct pair pair;

    open_pair(&pair, LPM_IPV4);
    for (unsigned i = 0; i < 2500; i++) {
        uint64_t bits = model_random(&random);

        memcpy(address.bytes, &bits, 4);
        change(&pair, false, LPM_SET,
               prefix_of(LPM_IPV4, address.bytes, 8 + model_below(&random, 25)), 1 + i);
    }
    change(&pair, true, LPM_SET, prefix_of(LPM_IPV4, (const uint8_t[16]){0}, 0), 9000);
    change(&pair, true, LPM_SET, prefix_of(LPM_IPV4, (const uint8_t[16]){128}, 1), 9001);
    change(&pair, true, LPM_REMOVE, prefix_of(LPM_IPV4, (const uint8_t[16]){64}, 2), 0);
    change(&pair, false, LPM_SET, prefix_of(LPM_IPV4, (const uint8_t[16]){64}, 2), 9002);
    change(&pair, false, LPM_SET, prefix_of(LPM_IPV4, (const uint8_t[16]){0}, 0), 9003);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t bits = model_random(&random);

        memcpy(address.bytes, &bits, 4);
        compare_at(&pair, &address);
    }
    close_pair(&pair);
}

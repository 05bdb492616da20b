/*
 * Every bulk variant gives the answers of the single lookup, in bursts of every size and mixture.
 */
#include "lpm/routes.h"
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <errno.h>

#define MOST 100

struct keys {
    const struct lpm_fib *fibs[MOST];
    uint32_t addresses4[MOST];
    uint8_t addresses6[MOST][16];
    uint32_t expected[MOST];
};

static void choose_keys(struct keys *keys, struct world worlds[2], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool second = n % 4 == 0 && model_below(&worlds[0].random, 8) == 0;
        struct world *world = &worlds[second];
        unsigned which = n % 3 == 0 ? n % WORLD_FIBS : model_below(&world->random, WORLD_FIBS);
        struct lpm_address address = world_address(world, which);

        keys->fibs[i] = world->fibs[which];
        keys->addresses4[i] = (uint32_t)(lpm_key_of(address.bytes) >> 96);
        memcpy(keys->addresses6[i], address.bytes, 16);
        keys->expected[i] = lpm_lookup(keys->fibs[i], &address);
    }
}

/* Every third burst names one FIB with most addresses, every fourth has FIBs of two sets of tables. */
static void compare_bursts(struct world worlds[2], const char *name)
{
    for (unsigned n = 0; n <= MOST; n++) {
        uint32_t leaves[MOST + 1];
        struct keys keys;

        choose_keys(&keys, worlds, n);
        leaves[n] = 0xabcdef;
        if (worlds[0].family == LPM_IPV4)
            lpm_lookup_bulk4(keys.fibs, keys.addresses4, leaves, n);
        else
            lpm_lookup_bulk6(keys.fibs, (const uint8_t(*)[16])keys.addresses6, leaves, n);
        cr_assert_eq(leaves[n], 0xabcdef, "%s writes beyond %u leaves", name, n);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(leaves[i], keys.expected[i], "%s at %u of %u", name, i, n);
    }
}

/* The first base large enough for a direct table. */
static void fill_base(struct world *world)
{
    while (world->models[0].count < 2200) {
        struct lpm_change change = {LPM_SET, world_prefix(world),
                                    1 + model_below(&world->random, 999)};

        cr_assert_eq(lpm_update(world->fibs[0], &change, 1), 0);
        model_apply(&world->models[0], &change);
    }
}

static void run_variants(enum lpm_family family)
{
    struct world worlds[2];

    for (unsigned i = 0; i < 2; i++) {
        world_open(&worlds[i], family, 20 + i);
        for (unsigned step = 0; step < WORLD_STEPS(600); step++)
            cr_assert_eq(world_step(&worlds[i]), 0);
    }
    fill_base(&worlds[0]);
    for (const char *const *name = lpm_variants(); *name; name++) {
        cr_assert_eq(lpm_force_variant(*name), 0);
        compare_bursts(worlds, *name);
    }
    cr_assert_eq(lpm_force_variant(NULL), 0);
    cr_assert(world_close(&worlds[0]));
    cr_assert(world_close(&worlds[1]));
}

Test(lpm_bulk, every_ipv4_variant_agrees_with_the_single_lookup)
{
    run_variants(LPM_IPV4);
}

Test(lpm_bulk, every_ipv6_variant_agrees_with_the_single_lookup)
{
    run_variants(LPM_IPV6);
}

Test(lpm_bulk, a_variant_that_does_not_exist_is_refused)
{
    cr_assert_str_eq(lpm_variants()[0], "scalar");
    cr_assert_eq(lpm_force_variant("abacus"), -EINVAL);
    cr_assert_eq(lpm_force_variant("scalar"), 0);
    cr_assert_eq(lpm_force_variant(NULL), 0);
}

/*
 * Random operations on bases and derived FIBs, compared with a linear scan after every one.
 */
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A seed from the environment repeats or varies a run. */
static uint64_t seed(void)
{
    const char *text = getenv("LPM_SEED");

    return text ? strtoull(text, NULL, 0) : 1;
}

static void run_random(enum lpm_family family, unsigned steps)
{
    struct world world;

    cr_log_info("LPM_SEED=%llu", (unsigned long long)seed());
    world_open(&world, family, seed());
    for (unsigned step = 0; step < steps; step++) {
        cr_assert_eq(world_step(&world), 0, "seed %llu, step %u: operation failed",
                     (unsigned long long)seed(), step);
        cr_assert(world_agrees(&world, 8), "seed %llu, step %u", (unsigned long long)seed(), step);
        if (step % 32 == 0) {
            cr_assert(world_shows(&world), "seed %llu, step %u", (unsigned long long)seed(), step);
            cr_assert(lpm_validate(world.lpm), "seed %llu, step %u", (unsigned long long)seed(),
                      step);
        }
    }
    cr_assert(world_close(&world), "memory is left over");
}

Test(lpm_oracle, ipv4_agrees_with_a_linear_scan_after_every_operation)
{
    run_random(LPM_IPV4, WORLD_STEPS(1500));
}

Test(lpm_oracle, ipv6_agrees_with_a_linear_scan_after_every_operation)
{
    run_random(LPM_IPV6, WORLD_STEPS(1000));
}

static void grow_base(struct world *world, unsigned base, size_t wanted)
{
    struct model_fib *model = &world->models[base];

    while (model->count < wanted) {
        struct lpm_change change = {LPM_SET, world_prefix(world),
                                    1 + model_below(&world->random, 99)};

        cr_assert_eq(lpm_update(world->fibs[base], &change, 1), 0);
        model_apply(model, &change);
    }
}

static void shrink_base(struct world *world, unsigned base, size_t wanted)
{
    struct model_fib *model = &world->models[base];

    while (model->count > wanted) {
        struct lpm_change change = {LPM_REMOVE, model->rows[model->count / 2].prefix, 0};

        cr_assert_eq(lpm_update(world->fibs[base], &change, 1), 0);
        model_apply(model, &change);
    }
}

/* Over the sizes at which a base gets its direct table and loses it again. */
static void run_sizes(enum lpm_family family)
{
    static const size_t sizes[] = {500, 520, 140, 120, 520, 0};
    struct world world;

    world_open(&world, family, seed());
    for (unsigned i = 0; i < 200; i++)
        cr_assert_eq(world_step(&world), 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        grow_base(&world, 0, sizes[i]);
        shrink_base(&world, 0, sizes[i]);
        cr_assert(lpm_validate(world.lpm), "at %zu routes", sizes[i]);
        cr_assert(world_shows(&world), "at %zu routes", sizes[i]);
        for (unsigned step = 0; step < WORLD_STEPS(60); step++) {
            cr_assert_eq(world_step(&world), 0);
            cr_assert(world_agrees(&world, 4), "at %zu routes, step %u", sizes[i], step);
        }
    }
    cr_assert(world_close(&world), "memory is left over");
}

Test(lpm_oracle, ipv4_agrees_while_a_base_grows_and_shrinks_across_its_layouts)
{
    run_sizes(LPM_IPV4);
}

Test(lpm_oracle, ipv6_agrees_while_a_base_grows_and_shrinks_across_its_layouts)
{
    run_sizes(LPM_IPV6);
}

/*
 * A base that changes under a thousand derived FIBs whose overrides overlap.
 */
#include "lpm/rcu.h"
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <string.h>

#define FIBS WORLD_STEPS(1000)

struct many {
    struct world world; /* for its prefixes; its own FIBs stay empty */
    struct lpm_fib *base;
    struct model_fib base_model;
    struct lpm_fib *fibs[FIBS];
    struct model_fib models[FIBS];
};

static void change(struct many *many, struct lpm_fib *fib, struct model_fib *model)
{
    struct lpm_change change = {LPM_SET, world_prefix(&many->world),
                                1 + model_below(&many->world.random, 5)};

    if (model->count && model_below(&many->world.random, 2))
        change.prefix =
            model->rows[model_below(&many->world.random, (uint32_t)model->count)].prefix;
    if (model_below(&many->world.random, 3) == 0)
        change.kind = LPM_REMOVE;
    cr_assert_eq(lpm_update(fib, &change, 1), 0);
    model_apply(model, &change);
}

static void derive(struct many *many, unsigned which)
{
    struct model_fib *model = &many->models[which];
    unsigned overrides = 1 + model_below(&many->world.random, 4);

    model->base = &many->base_model;
    cr_assert_eq(lpm_derive(many->base, NULL, 0, &many->fibs[which]), 0);
    for (unsigned i = 0; i < overrides; i++)
        change(many, many->fibs[which], model);
}

static void compare(struct many *many, unsigned addresses)
{
    for (unsigned which = 0; which < FIBS; which++) {
        for (unsigned i = 0; i < addresses; i++) {
            struct lpm_address address = {.family = (uint8_t)many->world.family};
            struct lpm_prefix prefix = world_prefix(&many->world);
            struct lpm_route route = {0};

            memcpy(address.bytes, prefix.bytes, sizeof(address.bytes));
            model_lookup(&many->models[which], &address, &route);
            cr_assert_eq(lpm_lookup(many->fibs[which], &address), route.leaf, "FIB %u", which);
        }
    }
}

static void run_many(enum lpm_family family)
{
    static struct many many;

    memset(&many, 0, sizeof(many));
    world_open(&many.world, family, 3);
    cr_assert_eq(lpm_base_create(many.world.lpm, family, NULL, 0, &many.base), 0);
    for (unsigned i = 0; i < FIBS; i++)
        derive(&many, i);
    for (unsigned step = 0; step < 300; step++) {
        unsigned which = model_below(&many.world.random, FIBS);

        change(&many, many.base, &many.base_model);
        change(&many, many.fibs[which], &many.models[which]);
        if (step % 10 == 0)
            compare(&many, 3);
        if (step % 7 == 0)
            lpm_rcu_poll();
    }
    cr_assert(lpm_validate(many.world.lpm));
    for (unsigned i = 0; i < FIBS; i++) {
        lpm_release(many.fibs[i]);
        model_clear(&many.models[i]);
    }
    lpm_release(many.base);
    model_clear(&many.base_model);
    cr_assert(world_close(&many.world), "memory is left over");
}

Test(lpm_many, ipv4_fibs_follow_a_changing_base)
{
    run_many(LPM_IPV4);
}

Test(lpm_many, ipv6_fibs_follow_a_changing_base)
{
    run_many(LPM_IPV6);
}

#include "tests/lpm/world.h"

#include "lpm/rcu.h"
#include "tests/lpm/routes_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MOST 6

void world_open(struct world *world, enum lpm_family family, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->lpm = lpm_create();
    world->family = family;
    world->random.state = seed;
    for (unsigned i = 0; i < WORLD_FIBS; i++) {
        unsigned base = i % WORLD_BASES;

        if (i < WORLD_BASES) {
            lpm_base_create(world->lpm, family, NULL, 0, &world->fibs[i]);
        } else {
            world->models[i].base = &world->models[base];
            lpm_derive(world->fibs[base], NULL, 0, &world->fibs[i]);
        }
    }
}

bool world_close(struct world *world)
{
    struct lpm_bytes bytes;

    for (unsigned i = 0; i < WORLD_FIBS; i++) {
        lpm_release(world->fibs[i]);
        model_clear(&world->models[i]);
    }
    lpm_rcu_barrier();
    lpm_bytes(world->lpm, &bytes);
    lpm_destroy(world->lpm);
    return bytes.lookup == 0 && bytes.writer == 0 && bytes.deferred == 0;
}

static unsigned family_bits(const struct world *world)
{
    return world->family == LPM_IPV4 ? 32 : 128;
}

struct lpm_prefix world_prefix(struct world *world)
{
    struct lpm_prefix prefix = {.family = (uint8_t)world->family};
    struct model_random *random = &world->random;
    unsigned bits = family_bits(world);
    unsigned mode = model_below(random, 4);

    prefix.bytes[0] = mode ? 10 : (uint8_t)model_below(random, 256);
    prefix.bytes[1] = (uint8_t)model_below(random, 3);
    for (unsigned i = 2; i < bits / 8; i++) {
        unsigned few = model_below(random, 4) * 64 + model_below(random, 2);

        prefix.bytes[i] = (uint8_t)(model_below(random, 3) ? few : model_below(random, 256));
    }
    prefix.length =
        (uint8_t)(mode == 2 ? bits - model_below(random, 8) : model_below(random, bits + 1));
    lpm_prefix_mask(&prefix);
    return prefix;
}

struct lpm_address world_address(struct world *world, unsigned which)
{
    const struct model_fib *model = &world->models[which];
    struct model_random *random = &world->random;
    struct lpm_address address = {.family = (uint8_t)world->family};
    struct lpm_prefix prefix = world_prefix(world);

    if (model->base && model_below(random, 2))
        model = model->base;
    if (model->count && model_below(random, 4))
        prefix = model->rows[model_below(random, (uint32_t)model->count)].prefix;
    for (unsigned bit = prefix.length; bit < family_bits(world); bit++) {
        if (model_below(random, 2))
            prefix.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
    memcpy(address.bytes, prefix.bytes, sizeof(address.bytes));
    return address;
}

void world_changes(struct world *world, unsigned which, struct lpm_change *changes, size_t n)
{
    const struct model_fib *model = &world->models[which];
    struct model_random *random = &world->random;

    for (size_t i = 0; i < n; i++) {
        unsigned kind = model_below(random, 5);

        memset(&changes[i], 0, sizeof(changes[i]));
        changes[i].prefix = world_prefix(world);
        if (model->count && model_below(random, 2))
            changes[i].prefix = model->rows[model_below(random, (uint32_t)model->count)].prefix;
        changes[i].kind = kind < 3 ? LPM_SET : kind < 4 || !model->base ? LPM_REMOVE : LPM_INHERIT;
        if (changes[i].kind == LPM_SET)
            changes[i].leaf = 1 + model_below(random, model_below(random, 2) ? 4 : LPM_LEAF_MAX);
    }
}

static int update(struct world *world, unsigned which)
{
    struct lpm_change changes[CHANGES_MOST];
    size_t n = 1 + model_below(&world->random, CHANGES_MOST);
    int status;

    world_changes(world, which, changes, n);
    status = lpm_update(world->fibs[which], changes, n);
    for (size_t i = 0; i < n && status == 0; i++)
        model_apply(&world->models[which], &changes[i]);
    return status;
}

static int rebase(struct world *world, unsigned which)
{
    unsigned base = model_below(&world->random, WORLD_BASES);
    int status = lpm_rebase(world->fibs[which], world->fibs[base]);

    if (status == 0)
        world->models[which].base = &world->models[base];
    return status;
}

static int detach(struct world *world, unsigned which)
{
    int status = lpm_detach(world->fibs[which]);

    if (status == 0)
        model_detach(&world->models[which]);
    return status;
}

/* Releases the FIB and derives another, with the overrides of a third so that layers are shared. */
static int renew(struct world *world, unsigned which)
{
    unsigned base = model_below(&world->random, WORLD_BASES);
    unsigned like = model_below(&world->random, WORLD_FIBS);
    const struct model_fib *model = &world->models[like];
    struct lpm_fib *fib;
    struct model_fib renewed = {.base = &world->models[base]};
    int status = lpm_derive(world->fibs[base], model->rows, model->count, &fib);

    if (status < 0)
        return status;
    for (size_t i = 0; i < model->count; i++)
        model_apply(&renewed, &model->rows[i]);
    lpm_release(world->fibs[which]);
    model_clear(&world->models[which]);
    world->fibs[which] = fib;
    world->models[which] = renewed;
    return 0;
}

int world_step(struct world *world)
{
    unsigned which = model_below(&world->random, WORLD_FIBS);
    unsigned kind = model_below(&world->random, 40);

    if (model_below(&world->random, 3) == 0)
        lpm_rcu_poll();
    if (which >= WORLD_BASES && kind == 0)
        return renew(world, which);
    if (which >= WORLD_BASES && world->models[which].base && kind == 1)
        return detach(world, which);
    if (which >= WORLD_BASES && world->models[which].base && kind < 4)
        return rebase(world, which);
    return update(world, which);
}

static bool agrees_at(const struct world *world, unsigned which, const struct lpm_address *address)
{
    const struct lpm_fib *fib = world->fibs[which];
    struct lpm_route expected = {0};
    struct lpm_route explained = {0};
    bool exists = model_lookup(&world->models[which], address, &expected);
    uint32_t leaf = lpm_lookup(fib, address);
    bool explains = lpm_explain(fib, address, &explained);
    char text[LPM_ADDRESS_TEXT], want[LPM_PREFIX_TEXT], got[LPM_PREFIX_TEXT];

    if (leaf == expected.leaf && exists == explains && expected.leaf == explained.leaf &&
        (!exists || lpm_prefix_equal(&expected.prefix, &explained.prefix)))
        return true;
    fprintf(stderr, "FIB %u at %s: expected %s -> %u, lookup %u, explain %s -> %u\n", which,
            lpm_address_format(address, text), lpm_prefix_format(&expected.prefix, want),
            expected.leaf, leaf, lpm_prefix_format(&explained.prefix, got), explained.leaf);
    return false;
}

bool world_agrees(struct world *world, unsigned addresses)
{
    for (unsigned which = 0; which < WORLD_FIBS; which++) {
        for (unsigned i = 0; i < addresses; i++) {
            struct lpm_address address = world_address(world, which);

            if (!agrees_at(world, which, &address))
                return false;
        }
    }
    return true;
}

bool world_shows(struct world *world)
{
    for (unsigned which = 0; which < WORLD_FIBS; which++) {
        const struct lpm_fib *fib = world->fibs[which];
        struct lpm_prefix other = world_prefix(world);
        struct routes_list list;
        bool right;

        list.routes = model_routes(&world->models[which], &list.count);
        right = routes_list_is_shown(&list, fib) &&
                lpm_get(fib, &other) == model_get(&world->models[which], &other);
        free(list.routes);
        if (!right) {
            fprintf(stderr, "FIB %u shows other routes than its model\n", which);
            return false;
        }
    }
    return true;
}

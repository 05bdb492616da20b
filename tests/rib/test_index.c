/*
 * The index of hashes against an array, with hashes that collide and with such that do not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/rib/index.h"

#define IDS 6000u

struct model {
    uint32_t hash[IDS];
    bool held[IDS];
    uint32_t count;
};

static bool is_this(const void *context, uint32_t id)
{
    return id == *(const uint32_t *)context;
}

static void expect(const struct rib_index *index, const struct model *model, uint32_t id)
{
    uint32_t found = rib_index_find(index, model->hash[id], is_this, &id);

    cr_assert_eq(found, model->held[id] ? id : RIB_INDEX_NONE, "id %u", id);
}

/* hashes: how many different ones there are; their low bits are alike in stretches of `step`. */
static void random_walk(uint32_t hashes, uint32_t step)
{
    static struct model model;
    struct rib_index index = {0};

    model = (struct model){.count = 0};
    for (uint32_t id = 0; id < IDS; id++)
        model.hash[id] = (uint32_t)rand() % hashes * step;
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t id = (uint32_t)rand() % IDS;
        /* Mostly growing, then mostly shrinking, and so on. */
        bool add = (uint32_t)rand() % 4 != 0 ? (i / 12000) % 2 == 0 : (i / 12000) % 2 != 0;

        if (add && !model.held[id]) {
            cr_assert_eq(rib_index_add(&index, model.hash[id], id), 0);
            model.held[id] = true;
            model.count++;
        } else if (!add && model.held[id]) {
            rib_index_remove(&index, model.hash[id], id);
            model.held[id] = false;
            model.count--;
        }
        rib_index_prefetch(&index, model.hash[id]);
        expect(&index, &model, id);
        cr_assert_eq(index.count, model.count);
    }
    for (uint32_t id = 0; id < IDS; id++)
        expect(&index, &model, id);
    rib_index_free(&index);
}

Test(index, holds_ids_of_spread_hashes)
{
    srand(5);
    random_walk(UINT32_MAX, 1);
}

Test(index, holds_ids_of_colliding_hashes)
{
    srand(6);
    random_walk(300, 1);
    random_walk(7, 0x10001);
    random_walk(40, 1u << 24); /* every one in the first bucket, however often it is split */
}

Test(index, empty_has_nothing)
{
    struct rib_index index = {0};
    uint32_t id = 0;

    rib_index_prefetch(&index, 1);
    cr_assert_eq(rib_index_find(&index, 1, is_this, &id), RIB_INDEX_NONE);
    rib_index_free(&index);
}

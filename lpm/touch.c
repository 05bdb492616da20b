/*
 * Which parts of a base some derived FIB overrides: one counter for each of 2^16 parts.
 *
 * A change of a base has to rebuild the layers whose overrides it meets. With thousands of layers
 * even asking each of them takes longer than the change itself, and most often none is concerned.
 * So a table with many layers counts the overrides in every part: no override in the part, no
 * layer to ask.
 *
 *      IPv4   a part is a /16; an override shorter than that counts in each /16 that it covers
 *      IPv6   a part is all /40s of one hash; a shorter override counts in every part
 *
 * While there are few layers they are just asked, and the counters' 256 KB are not spent.
 */
#include "lpm/core.h"

#include <errno.h>

#define PARTS        (1u << 16)
#define PARTS_BYTES  (PARTS * sizeof(uint32_t))
#define LAYERS_FEW   32
#define PART_LENGTH4 16
#define PART_LENGTH6 40

/* First and last part that a prefix meets. */
struct parts {
    uint32_t first;
    uint32_t last;
};

static struct parts parts_of(const struct lpm_table *table, lpm_key key, unsigned length)
{
    uint32_t first;

    if (table->fib->family == LPM_IPV4) {
        first = (uint32_t)(key >> (128 - PART_LENGTH4));
        return (struct parts){first, length < PART_LENGTH4 ? first | (PARTS - 1) >> length : first};
    }
    if (length < PART_LENGTH6)
        return (struct parts){0, PARTS - 1};
    first =
        (uint32_t)((uint64_t)(key >> (128 - PART_LENGTH6)) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
    return (struct parts){first, first};
}

bool lpm_touch_test(const struct lpm_table *table, lpm_key key, unsigned length)
{
    struct parts parts;

    if (!table->touched)
        return table->layers_count > 0;
    parts = parts_of(table, key, length);
    for (uint32_t part = parts.first; part <= parts.last; part++) {
        if (table->touched[part])
            return true;
    }
    return false;
}

static void count(struct lpm_table *table, lpm_key key, unsigned length, uint32_t by)
{
    struct parts parts = parts_of(table, key, length);

    for (uint32_t part = parts.first; part <= parts.last; part++)
        table->touched[part] += by;
}

static int count_up(void *context, lpm_key key, unsigned length, uint32_t value)
{
    (void)value;
    count(context, key, length, 1);
    return 0;
}

static int count_down(void *context, lpm_key key, unsigned length, uint32_t value)
{
    (void)value;
    count(context, key, length, UINT32_MAX);
    return 0;
}

int lpm_touch_prepare(struct lpm_table *table)
{
    if (table->touched || table->layers_count < LAYERS_FEW)
        return 0;
    table->touched = lpm_memory_block(&table->lpm->memory, LPM_MEMORY_WRITER, PARTS_BYTES);
    if (!table->touched)
        return -ENOMEM;
    for (const struct lpm_layer *layer = table->layers; layer; layer = layer->next)
        lpm_touch_add(table, layer);
    return 0;
}

void lpm_touch_add(struct lpm_table *table, const struct lpm_layer *layer)
{
    if (table->touched)
        lpm_routes_each(layer->window, layer->over, 0, count_up, table);
}

/* The counters go with the last layer: half way down they might be wanted again at once. */
void lpm_touch_remove(struct lpm_table *table, const struct lpm_layer *layer)
{
    if (!table->touched)
        return;
    lpm_routes_each(layer->window, layer->over, 0, count_down, table);
    if (table->layers_count > 1)
        return;
    lpm_memory_free_block(&table->lpm->memory, LPM_MEMORY_WRITER, table->touched, PARTS_BYTES);
    table->touched = NULL;
}

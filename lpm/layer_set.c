/*
 * Where layers are found: by fingerprint, in a hash table of the lpm, and on the list of their table.
 */
#include "lpm/layer_set.h"

#include <errno.h>

static struct lpm_layer **bucket_of(const struct lpm *lpm, uint64_t fingerprint)
{
    return &lpm->layers[fingerprint & (lpm->buckets - 1)];
}

static void chain_layer(struct lpm *lpm, struct lpm_layer *layer)
{
    struct lpm_layer **bucket = bucket_of(lpm, layer->fingerprint);

    layer->chain = *bucket;
    *bucket = layer;
}

static int grow_buckets(struct lpm *lpm)
{
    struct lpm_layer **old = lpm->layers;
    size_t count = lpm->buckets;
    size_t wanted = count ? count * 2 : 64;
    struct lpm_layer **buckets =
        lpm_memory_block(&lpm->memory, LPM_MEMORY_WRITER, wanted * sizeof(struct lpm_layer *));

    if (!buckets)
        return -ENOMEM;
    lpm->layers = buckets;
    lpm->buckets = wanted;
    for (size_t i = 0; i < count; i++) {
        struct lpm_layer *next;

        for (struct lpm_layer *layer = old[i]; layer; layer = next) {
            next = layer->chain;
            chain_layer(lpm, layer);
        }
    }
    lpm_memory_free_block(&lpm->memory, LPM_MEMORY_WRITER, old, count * sizeof(struct lpm_layer *));
    return 0;
}

int lpm_layer_set_reserve(struct lpm *lpm)
{
    return lpm->layers_count >= lpm->buckets ? grow_buckets(lpm) : 0;
}

struct lpm_layer *lpm_layer_set_find(const struct lpm *lpm, uint64_t fingerprint)
{
    return lpm->buckets ? *bucket_of(lpm, fingerprint) : NULL;
}

/* --- The layers of a table --------------------------------------------------------------------- */

static void link_first(struct lpm_table *table, struct lpm_layer *layer)
{
    layer->next = table->layers;
    layer->before = &table->layers;
    if (layer->next)
        layer->next->before = &layer->next;
    else
        table->layers_end = &layer->next;
    table->layers = layer;
}

static void link_last(struct lpm_table *table, struct lpm_layer *layer)
{
    layer->next = NULL;
    layer->before = table->layers_end;
    *table->layers_end = layer;
    table->layers_end = &layer->next;
}

static void unlink_layer(struct lpm_table *table, struct lpm_layer *layer)
{
    *layer->before = layer->next;
    if (layer->next)
        layer->next->before = layer->before;
    else
        table->layers_end = layer->before;
}

/* At the head of the list, so that a change of the base finds those whose guard has not passed
 * without asking the others. */
void lpm_layer_guard(struct lpm_layer *layer, uint64_t stamp)
{
    struct lpm_table *table = layer->table;

    if (layer == &table->plain)
        return;
    layer->guard = stamp;
    unlink_layer(table, layer);
    link_first(table, layer);
}

/* The overrides lie behind the layer in one block, but no lookup reads them: the account of what
 * lookups read leaves them to the writer's as long as the layer lives. */
static void account_overrides(const struct lpm_layer *layer, bool lives)
{
    size_t *bytes = layer->table->lpm->memory.bytes;
    struct lpm_overs overs = lpm_layer_overs(layer);
    size_t moved = lives ? lpm_overs_bytes(&overs) : 0 - lpm_overs_bytes(&overs);

    bytes[LPM_MEMORY_LOOKUP] -= moved;
    bytes[LPM_MEMORY_WRITER] += moved;
}

void lpm_layer_set_add(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm *lpm = table->lpm;

    account_overrides(layer, true);
    chain_layer(lpm, layer);
    lpm->layers_count++;
    link_last(table, layer);
    table->layers_count++;
}

void lpm_layer_set_trim(struct lpm *lpm)
{
    if (lpm->layers_count > 0)
        return;
    lpm_memory_free_block(&lpm->memory, LPM_MEMORY_WRITER, lpm->layers,
                          lpm->buckets * sizeof(struct lpm_layer *));
    lpm->layers = NULL;
    lpm->buckets = 0;
}

void lpm_layer_set_remove(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm *lpm = table->lpm;
    struct lpm_layer **link = bucket_of(lpm, layer->fingerprint);

    account_overrides(layer, false);
    lpm_touch_remove(table, layer);
    while (*link != layer)
        link = &(*link)->chain;
    *link = layer->chain;
    unlink_layer(table, layer);
    table->layers_count--;
    lpm->layers_count--;
    lpm_layer_set_trim(lpm);
}

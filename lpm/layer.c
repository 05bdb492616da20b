/*
 * Layers: what derived FIBs change about their base.
 *
 * A layer's overrides never change; a FIB whose overrides change gets another layer. That is found
 * by its fingerprint if there is one already, so FIBs with equal overrides cost one layer together
 * and a change of their base is worked out once for all of them.
 */
#include "lpm/core.h"

#include <errno.h>

/* A sum over the overrides of a mixed value of each, so that an edit can keep it up to date. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t override_print(lpm_key key, unsigned length, uint32_t value)
{
    uint64_t print = mix((uint64_t)(key >> 64) + length);

    if (value == 0)
        return 0;
    return mix(mix(print ^ (uint64_t)key) + value);
}

/* --- The layers by fingerprint ----------------------------------------------------------------- */

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

/* The buckets go with the last layer, so that an lpm without FIBs holds nothing. */
static void enter_layer(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm *lpm = table->lpm;

    chain_layer(lpm, layer);
    lpm->layers_count++;
    layer->next = table->layers;
    layer->before = &table->layers;
    if (layer->next)
        layer->next->before = &layer->next;
    table->layers = layer;
    table->layers_count++;
    lpm_touch_add(table, layer);
}

static void remove_layer(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm *lpm = table->lpm;
    struct lpm_layer **link = bucket_of(lpm, layer->fingerprint);

    lpm_touch_remove(table, layer);
    while (*link != layer)
        link = &(*link)->chain;
    *link = layer->chain;
    *layer->before = layer->next;
    if (layer->next)
        layer->next->before = layer->before;
    table->layers_count--;
    if (--lpm->layers_count > 0)
        return;
    lpm_memory_free_block(&lpm->memory, LPM_MEMORY_WRITER, lpm->layers,
                          lpm->buckets * sizeof(struct lpm_layer *));
    lpm->layers = NULL;
    lpm->buckets = 0;
}

/* --- Wanted: the overrides that a layer shall have --------------------------------------------- */

struct wanted {
    struct lpm_table *table;
    struct lpm_routes_edit edit; /* of a copy: layers share their overrides whole or not at all */
    uint32_t fallback;
    size_t overrides;
    uint64_t fingerprint;
};

static int apply_change(struct wanted *wanted, const struct lpm_change *change)
{
    static const uint32_t removed[] = {[LPM_REMOVE] = LPM_ROUTE_GONE, [LPM_INHERIT] = 0};
    uint32_t value = change->kind == LPM_SET ? change->leaf : removed[change->kind];
    lpm_key key = lpm_key_of(change->prefix.bytes);
    unsigned length = change->prefix.length;
    uint32_t before;
    int status;

    if (length == 0) {
        wanted->fallback = change->kind == LPM_SET      ? change->leaf
                           : change->kind == LPM_REMOVE ? LPM_NO_ROUTE
                                                        : LPM_ENTRY_INHERIT;
        return 0;
    }
    before = lpm_routes_get(wanted->edit.memory->window, wanted->edit.root, key, length);
    status = lpm_routes_set(&wanted->edit, key, length, value);
    if (status > 0)
        wanted->fingerprint +=
            override_print(key, length, value) - override_print(key, length, before);
    return status < 0 ? status : 0;
}

static int want(struct wanted *wanted, struct lpm_table *table, const struct lpm_layer *from,
                const struct lpm_change *changes, size_t n)
{
    int status;

    *wanted = (struct wanted){
        .table = table,
        .edit = {.memory = &table->lpm->memory, .root = from ? from->over : 0},
        .fallback = from ? from->fallback : LPM_ENTRY_INHERIT,
        .overrides = from ? from->overrides : 0,
        .fingerprint = from ? from->fingerprint : 0,
    };
    wanted->overrides -= wanted->fallback != LPM_ENTRY_INHERIT;
    status = lpm_routes_clone(&wanted->edit);
    for (size_t i = 0; i < n && status == 0; i++)
        status = apply_change(wanted, &changes[i]);
    wanted->overrides += (size_t)wanted->edit.routes;
    wanted->overrides += wanted->fallback != LPM_ENTRY_INHERIT;
    return status;
}

static bool layer_matches(const struct lpm_layer *layer, const struct wanted *wanted)
{
    return layer->table == wanted->table && layer->fingerprint == wanted->fingerprint &&
           layer->fallback == wanted->fallback && layer->overrides == wanted->overrides &&
           lpm_routes_equal(layer->window, layer->over, wanted->edit.root);
}

static struct lpm_layer *find_layer(const struct wanted *wanted)
{
    const struct lpm *lpm = wanted->table->lpm;
    struct lpm_layer *layer;

    if (wanted->overrides == 0)
        return &wanted->table->plain;
    if (lpm->buckets == 0)
        return NULL;
    layer = *bucket_of(lpm, wanted->fingerprint);
    while (layer && !layer_matches(layer, wanted))
        layer = layer->chain;
    return layer;
}

/* --- Life -------------------------------------------------------------------------------------- */

static struct lpm_layer *make_layer(struct wanted *wanted, struct lpm_derived before)
{
    struct lpm_table *table = wanted->table;
    struct lpm *lpm = table->lpm;
    struct lpm_build build = {.memory = &lpm->memory, .direct = table->direct};
    struct lpm_layer *layer;
    uint32_t root;

    if (lpm_touch_prepare(table) < 0 ||
        (lpm->layers_count >= lpm->buckets && grow_buckets(lpm) < 0))
        return NULL;
    layer = lpm_memory_block(&lpm->memory, LPM_MEMORY_LOOKUP, sizeof(*layer));
    if (!layer)
        return NULL;
    root =
        lpm_build_derived(&build, wanted->edit.root, table->routes, lpm_table_place(table), before);
    if (root == LPM_ENTRY_FAILED) {
        lpm_memory_free_block(&lpm->memory, LPM_MEMORY_LOOKUP, layer, sizeof(*layer));
        return NULL;
    }
    layer->root = root;
    layer->fallback = wanted->fallback;
    layer->table = table;
    layer->window = lpm->memory.window;
    layer->over = wanted->edit.root;
    layer->overrides = wanted->overrides;
    layer->fingerprint = wanted->fingerprint;
    lpm_routes_commit(&wanted->edit);
    enter_layer(layer);
    return layer;
}

struct lpm_layer *lpm_layer_get(struct lpm_table *table, const struct lpm_layer *from,
                                const struct lpm_change *changes, size_t n)
{
    struct lpm_derived before = {.entry = LPM_ENTRY_UNKNOWN};
    struct lpm_layer *layer = NULL;
    struct wanted wanted;

    if (from)
        before = (struct lpm_derived){from->over, from->table->routes, from->root};

    if (want(&wanted, table, from, changes, n) == 0) {
        layer = find_layer(&wanted);
        if (!layer)
            layer = make_layer(&wanted, before);
    }
    lpm_routes_abandon(&wanted.edit);
    if (layer)
        layer->fibs++;
    return layer;
}

static void layer_reclaim(struct lpm_rcu_head *head)
{
    struct lpm_layer *layer =
        (struct lpm_layer *)(void *)((char *)head - offsetof(struct lpm_layer, rcu));

    lpm_memory_free_deferred(&layer->table->lpm->memory, layer, sizeof(*layer));
}

void lpm_layer_put(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm_memory *memory = &table->lpm->memory;

    if (--layer->fibs > 0)
        return;
    if (layer == &table->plain) {
        lpm_table_drop_unused(table);
        return;
    }
    remove_layer(layer);
    lpm_node_release(memory, layer->root);
    lpm_routes_release(memory, layer->over);
    lpm_memory_defer_block(memory, LPM_MEMORY_LOOKUP, sizeof(*layer));
    lpm_rcu_defer(&layer->rcu, layer_reclaim); /* before the table, which it refers to */
    lpm_table_drop_unused(table);
}

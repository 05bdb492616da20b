/*
 * Layers: what derived FIBs change about their base.
 *
 * A layer's overrides never change; a FIB whose overrides change gets another layer. That is found
 * by its fingerprint if there is one already, so FIBs with equal overrides cost one layer together
 * and a change of their base is worked out once for all of them.
 */
#include "lpm/layer_set.h"

#include <errno.h>

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t fingerprint_of(const struct lpm_overs *overs)
{
    uint64_t print = overs->count;

    for (size_t i = 0; i < overs->count * overs->width; i++)
        print = mix(print + overs->words[i]);
    return print;
}

/* --- Wanted: the overrides that a layer shall have --------------------------------------------- */

struct wanted {
    struct lpm_table *table;
    struct lpm_layer *layer; /* made of it, with room for all overrides that there may be */
    struct lpm_overs room;   /* for so many of such a width */
    uint32_t fallback;
};

size_t lpm_layer_size(const struct lpm_overs *overs)
{
    return lpm_lines(sizeof(struct lpm_layer) + lpm_overs_bytes(overs));
}

static enum lpm_family family_of(const struct lpm_table *table)
{
    return (enum lpm_family)table->fib->family;
}

static struct lpm_over_change over_change(const struct lpm_change *change, size_t place)
{
    return (struct lpm_over_change){
        .key = lpm_key_of(change->prefix.bytes),
        .length = change->prefix.length,
        .place = (uint32_t)place,
        .leaf = change->kind == LPM_SET ? change->leaf : LPM_NO_ROUTE,
        .inherit = change->kind == LPM_INHERIT,
    };
}

static uint32_t changed_fallback(const struct lpm_change *change)
{
    static const uint32_t fallbacks[] = {
        [LPM_REMOVE] = LPM_NO_ROUTE,
        [LPM_INHERIT] = LPM_ENTRY_INHERIT,
    };

    return change->kind == LPM_SET ? change->leaf : fallbacks[change->kind];
}

static void free_layer(const struct wanted *wanted)
{
    lpm_memory_free_block(&wanted->table->lpm->memory, LPM_MEMORY_LOOKUP, wanted->layer,
                          lpm_layer_size(&wanted->room));
}

/* Works the changes into wanted->layer. */
static int edit(struct wanted *wanted, const struct lpm_overs *from,
                const struct lpm_change *changes, size_t n)
{
    struct lpm_memory *memory = &wanted->table->lpm->memory;
    struct lpm_layer *layer = wanted->layer;
    struct lpm_over_change *edits = NULL;
    struct lpm_overs overs = wanted->room;
    size_t count = 0;

    if (n > 0) {
        edits = lpm_memory_block(memory, LPM_MEMORY_WRITER, n * sizeof(*edits));
        if (!edits)
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (changes[i].prefix.length == 0)
            wanted->fallback = changed_fallback(&changes[i]);
        else
            edits[count++] = over_change(&changes[i], i);
    }
    lpm_overs_edit(from, edits, count, (uint32_t *)(void *)(layer + 1), &overs);
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, edits, n * sizeof(*edits));
    layer->overs_count = (uint32_t)overs.count;
    layer->overs_width = overs.width;
    layer->fingerprint = fingerprint_of(&overs);
    return 0;
}

/* Of from, and of what the changes may add. */
static unsigned longest_of(const struct lpm_overs *from, const struct lpm_change *changes, size_t n)
{
    unsigned longest = from->width == LPM_OVER_WORDS6 ? 128 : 0;

    for (size_t i = 0; i < n; i++)
        longest = changes[i].prefix.length > longest ? changes[i].prefix.length : longest;
    return longest;
}

static int want(struct wanted *wanted, struct lpm_table *table, const struct lpm_layer *from,
                const struct lpm_change *changes, size_t n)
{
    enum lpm_family family = family_of(table);
    struct lpm_overs overs = {.width = lpm_over_width(family, 0)};

    if (from && from->overs_count > 0)
        overs = lpm_layer_overs(from);
    *wanted = (struct wanted){
        .table = table,
        .room = {.count = overs.count + n,
                 .width = lpm_over_width(family, longest_of(&overs, changes, n))},
        .fallback = from ? from->fallback : LPM_ENTRY_INHERIT,
    };
    wanted->layer =
        lpm_memory_block(&table->lpm->memory, LPM_MEMORY_LOOKUP, lpm_layer_size(&wanted->room));
    if (!wanted->layer)
        return -ENOMEM;
    wanted->layer->table = table;
    return edit(wanted, &overs, changes, n);
}

static bool layer_matches(const struct lpm_layer *layer, const struct wanted *wanted)
{
    struct lpm_overs has = lpm_layer_overs(layer);
    struct lpm_overs shall = lpm_layer_overs(wanted->layer);

    return layer->table == wanted->table && layer->fingerprint == wanted->layer->fingerprint &&
           layer->fallback == wanted->fallback && has.count == shall.count &&
           has.width == shall.width && memcmp(has.words, shall.words, lpm_overs_bytes(&has)) == 0;
}

static struct lpm_layer *find_layer(const struct wanted *wanted)
{
    const struct lpm *lpm = wanted->table->lpm;
    struct lpm_layer *layer;

    if (wanted->layer->overs_count == 0 && wanted->fallback == LPM_ENTRY_INHERIT)
        return &wanted->table->plain;
    layer = lpm_layer_set_find(lpm, wanted->layer->fingerprint);
    while (layer && !layer_matches(layer, wanted))
        layer = layer->chain;
    return layer;
}

/* --- Life -------------------------------------------------------------------------------------- */

static void touch_bit(struct lpm_layer *layer, unsigned bit)
{
    layer->touched[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* The bits of all addresses inside of an override. */
static void touch_over(struct lpm_layer *layer, enum lpm_family family, const struct lpm_over *over)
{
    unsigned bits = family == LPM_IPV4 ? 8 : 32; /* of an address, that its bit depends on */
    uint32_t first = (uint32_t)(over->key >> (128 - bits));
    uint32_t more = over->length < bits ? UINT32_MAX >> (32 - bits + over->length) : 0;

    if (more >= 4 * LPM_TOUCHED_WORDS * 64) {
        memset(layer->touched, 0xff, sizeof(layer->touched));
        return;
    }
    for (uint32_t i = 0; i <= more; i++)
        touch_bit(layer, family == LPM_IPV4 ? lpm_touched_bit4((first + i) << 24)
                                            : lpm_touched_bit6((uint64_t)(first + i) << 32));
}

int lpm_layer_ranges(const struct lpm_layer *layer, uint32_t routes,
                     const struct lpm_region *regions, size_t n, struct lpm_ranges **ranges)
{
    struct lpm_ranges_source source = {
        .memory = &layer->table->lpm->memory,
        .overs = lpm_layer_overs(layer),
        .routes = routes,
        .asking = lpm_layer_own_ranges(layer),
        .changed = regions,
        .changed_count = n,
    };

    *ranges = NULL;
    if (layer->overs_count == 0)
        return 0;
    *ranges = lpm_ranges_make(&source);
    return *ranges ? 0 : -ENOMEM;
}

/* The layer was made for as many overrides as there might be. */
static int fit(struct wanted *wanted)
{
    struct lpm_overs overs = lpm_layer_overs(wanted->layer);
    size_t size = lpm_layer_size(&overs);
    struct lpm_layer *layer;

    if (size == lpm_layer_size(&wanted->room))
        return 0;
    layer = lpm_memory_block(&wanted->table->lpm->memory, LPM_MEMORY_LOOKUP, size);
    if (!layer)
        return -ENOMEM;
    memcpy(layer, wanted->layer, size);
    free_layer(wanted);
    wanted->layer = layer;
    wanted->room = overs;
    return 0;
}

static int make_layer(struct wanted *wanted)
{
    struct lpm_table *table = wanted->table;
    struct lpm *lpm = table->lpm;
    struct lpm_overs overs;
    struct lpm_ranges *ranges;

    if (lpm_layer_set_reserve(lpm) < 0 || fit(wanted) < 0 ||
        lpm_layer_ranges(wanted->layer, table->routes, NULL, 0, &ranges) < 0)
        return -ENOMEM;
    if (lpm_touch_add(table, wanted->layer) < 0) {
        lpm_ranges_free(ranges);
        return -ENOMEM;
    }
    atomic_store_explicit(&wanted->layer->ranges, ranges, memory_order_relaxed);
    wanted->layer->fallback = wanted->fallback;
    overs = lpm_layer_overs(wanted->layer);
    for (size_t i = 0; i < overs.count; i++) {
        struct lpm_over over = lpm_over_at(&overs, i);

        touch_over(wanted->layer, family_of(table), &over);
    }
    lpm_layer_set_add(wanted->layer);
    return 0;
}

struct lpm_layer *lpm_layer_get(struct lpm_table *table, const struct lpm_layer *from,
                                const struct lpm_change *changes, size_t n)
{
    struct lpm_layer *layer = NULL;
    struct wanted wanted;

    if (want(&wanted, table, from, changes, n) == 0) {
        layer = find_layer(&wanted);
        if (!layer && make_layer(&wanted) == 0) {
            wanted.layer->fibs = 1;
            return wanted.layer;
        }
    }
    if (wanted.layer)
        free_layer(&wanted);
    lpm_layer_set_trim(table->lpm);
    if (layer)
        layer->fibs++;
    return layer;
}

static void layer_reclaim(struct lpm_rcu_head *head)
{
    struct lpm_layer *layer =
        (struct lpm_layer *)(void *)((char *)head - offsetof(struct lpm_layer, rcu));
    struct lpm_overs overs = lpm_layer_overs(layer);

    lpm_memory_free_deferred(&layer->table->lpm->memory, layer, lpm_layer_size(&overs));
}

void lpm_layer_put(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm_ranges *ranges = lpm_layer_own_ranges(layer);
    struct lpm_overs overs = lpm_layer_overs(layer);

    if (--layer->fibs > 0)
        return;
    if (layer == &table->plain) {
        lpm_table_drop_unused(table);
        return;
    }
    lpm_layer_set_remove(layer);
    if (ranges)
        lpm_ranges_defer(ranges);
    lpm_memory_defer_block(&table->lpm->memory, LPM_MEMORY_LOOKUP, lpm_layer_size(&overs));
    lpm_rcu_defer_lazily(&layer->rcu, layer_reclaim); /* before the table, which it refers to */
    lpm_table_drop_unused(table);
}

/*
 * Layers: what derived FIBs change about their base.
 *
 * A layer's overrides never change; a FIB whose overrides change gets another layer. That is found
 * by its fingerprint if there is one already, so FIBs with equal overrides cost one layer together
 * and a change of their base is worked out once for all of them.
 */
#include "lpm/core.h"

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
    struct lpm_overs overs = lpm_layer_overs(layer, (enum lpm_family)layer->table->fib->family);
    size_t moved = lives ? lpm_overs_bytes(&overs) : 0 - lpm_overs_bytes(&overs);

    bytes[LPM_MEMORY_LOOKUP] -= moved;
    bytes[LPM_MEMORY_WRITER] += moved;
}

static void enter_layer(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm *lpm = table->lpm;

    account_overrides(layer, true);
    chain_layer(lpm, layer);
    lpm->layers_count++;
    link_last(table, layer);
    table->layers_count++;
}

/* The buckets go with the last layer, so that an lpm without FIBs holds nothing. */
static void drop_unused_buckets(struct lpm *lpm)
{
    if (lpm->layers_count > 0)
        return;
    lpm_memory_free_block(&lpm->memory, LPM_MEMORY_WRITER, lpm->layers,
                          lpm->buckets * sizeof(struct lpm_layer *));
    lpm->layers = NULL;
    lpm->buckets = 0;
}

static void remove_layer(struct lpm_layer *layer)
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
    drop_unused_buckets(lpm);
}

/* --- Wanted: the overrides that a layer shall have --------------------------------------------- */

struct wanted {
    struct lpm_table *table;
    struct lpm_layer *layer; /* made of it, with room for all overrides that there may be */
    size_t room;             /* overrides */
    uint32_t fallback;
};

size_t lpm_layer_size(enum lpm_family family, size_t overs)
{
    return lpm_lines(sizeof(struct lpm_layer) + overs * lpm_over_width(family) * sizeof(uint32_t));
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

static void free_layer(struct lpm_table *table, struct lpm_layer *layer, size_t overs)
{
    lpm_memory_free_block(&table->lpm->memory, LPM_MEMORY_LOOKUP, layer,
                          lpm_layer_size(family_of(table), overs));
}

/* Works the changes into wanted->layer. */
static int edit(struct wanted *wanted, const struct lpm_overs *from,
                const struct lpm_change *changes, size_t n)
{
    struct lpm_memory *memory = &wanted->table->lpm->memory;
    struct lpm_layer *layer = wanted->layer;
    struct lpm_over_change *edits = NULL;
    struct lpm_overs overs;
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
    layer->overs_count =
        (uint32_t)lpm_overs_edit(from, edits, count, (uint32_t *)(void *)(layer + 1));
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, edits, n * sizeof(*edits));
    overs = lpm_layer_overs(layer, family_of(wanted->table));
    layer->fingerprint = fingerprint_of(&overs);
    return 0;
}

static int want(struct wanted *wanted, struct lpm_table *table, const struct lpm_layer *from,
                const struct lpm_change *changes, size_t n)
{
    enum lpm_family family = family_of(table);
    struct lpm_overs overs = {.width = lpm_over_width(family)};

    if (from)
        overs = lpm_layer_overs(from, family);
    *wanted = (struct wanted){
        .table = table,
        .room = overs.count + n,
        .fallback = from ? from->fallback : LPM_ENTRY_INHERIT,
    };
    wanted->layer = lpm_memory_block(&table->lpm->memory, LPM_MEMORY_LOOKUP,
                                     lpm_layer_size(family, wanted->room));
    if (!wanted->layer)
        return -ENOMEM;
    wanted->layer->table = table;
    return edit(wanted, &overs, changes, n);
}

static bool layer_matches(const struct lpm_layer *layer, const struct wanted *wanted)
{
    enum lpm_family family = family_of(wanted->table);
    struct lpm_overs has = lpm_layer_overs(layer, family);
    struct lpm_overs shall = lpm_layer_overs(wanted->layer, family);

    return layer->table == wanted->table && layer->fingerprint == wanted->layer->fingerprint &&
           layer->fallback == wanted->fallback && has.count == shall.count &&
           memcmp(has.words, shall.words, lpm_overs_bytes(&has)) == 0;
}

static struct lpm_layer *find_layer(const struct wanted *wanted)
{
    const struct lpm *lpm = wanted->table->lpm;
    struct lpm_layer *layer;

    if (wanted->layer->overs_count == 0 && wanted->fallback == LPM_ENTRY_INHERIT)
        return &wanted->table->plain;
    if (lpm->buckets == 0)
        return NULL;
    layer = *bucket_of(lpm, wanted->layer->fingerprint);
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
        .overs = lpm_layer_overs(layer, family_of(layer->table)),
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
    enum lpm_family family = family_of(wanted->table);
    size_t size = lpm_layer_size(family, wanted->layer->overs_count);
    struct lpm_layer *layer;

    if (size == lpm_layer_size(family, wanted->room))
        return 0;
    layer = lpm_memory_block(&wanted->table->lpm->memory, LPM_MEMORY_LOOKUP, size);
    if (!layer)
        return -ENOMEM;
    memcpy(layer, wanted->layer, size);
    free_layer(wanted->table, wanted->layer, wanted->room);
    wanted->layer = layer;
    wanted->room = layer->overs_count;
    return 0;
}

static int make_layer(struct wanted *wanted)
{
    struct lpm_table *table = wanted->table;
    struct lpm *lpm = table->lpm;
    struct lpm_overs overs;
    struct lpm_ranges *ranges;

    if ((lpm->layers_count >= lpm->buckets && grow_buckets(lpm) < 0) || fit(wanted) < 0 ||
        lpm_layer_ranges(wanted->layer, table->routes, NULL, 0, &ranges) < 0)
        return -ENOMEM;
    if (lpm_touch_add(table, wanted->layer) < 0) {
        lpm_ranges_free(ranges);
        return -ENOMEM;
    }
    atomic_store_explicit(&wanted->layer->ranges, ranges, memory_order_relaxed);
    wanted->layer->fallback = wanted->fallback;
    overs = lpm_layer_overs(wanted->layer, family_of(table));
    for (size_t i = 0; i < overs.count; i++) {
        struct lpm_over over = lpm_over_at(&overs, i);

        touch_over(wanted->layer, family_of(table), &over);
    }
    enter_layer(wanted->layer);
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
        free_layer(table, wanted.layer, wanted.room);
    drop_unused_buckets(table->lpm);
    if (layer)
        layer->fibs++;
    return layer;
}

static void layer_reclaim(struct lpm_rcu_head *head)
{
    struct lpm_layer *layer =
        (struct lpm_layer *)(void *)((char *)head - offsetof(struct lpm_layer, rcu));
    const struct lpm_table *table = layer->table;

    lpm_memory_free_deferred(&table->lpm->memory, layer,
                             lpm_layer_size(family_of(table), layer->overs_count));
}

void lpm_layer_put(struct lpm_layer *layer)
{
    struct lpm_table *table = layer->table;
    struct lpm_ranges *ranges = lpm_layer_own_ranges(layer);

    if (--layer->fibs > 0)
        return;
    if (layer == &table->plain) {
        lpm_table_drop_unused(table);
        return;
    }
    remove_layer(layer);
    if (ranges)
        lpm_ranges_defer(ranges);
    lpm_memory_defer_block(&table->lpm->memory, LPM_MEMORY_LOOKUP,
                           lpm_layer_size(family_of(table), layer->overs_count));
    lpm_rcu_defer_lazily(&layer->rcu, layer_reclaim); /* before the table, which it refers to */
    lpm_table_drop_unused(table);
}

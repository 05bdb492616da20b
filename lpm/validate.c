/*
 * The invariants, checked against what can be worked out anew.
 *
 *   1. A tree of routes is canonical, holds valid values only, and as many of them as counted; overrides
 *      are in order.
 *   2. A table's entries and a layer's ranges show what a build from nothing shows.
 *   3. Every node is counted exactly as often as it is named, and what is named is all that the account of
 *      lookup memory has.
 */
#include "lpm/bucket.h"
#include "lpm/core.h"

#include <stdlib.h>
#include <string.h>

/* --- Routes ------------------------------------------------------------------------------------ */

/* Counts the prefixes below; false where the form is wrong. */
static bool routes_valid(const char *window, uint32_t root, unsigned depth, unsigned bits,
                         size_t *count)
{
    const struct lpm_routes_node *node = lpm_routes_at(window, root);
    unsigned inner = lpm_routes_inner_count(node);

    if (node->previous || depth >= bits || (node->inner[0] & 3) || (!inner && !node->children))
        return false;
    for (unsigned i = 0; i < inner; i++) {
        if (node->values[i] == LPM_NO_ROUTE || node->values[i] > LPM_LEAF_MAX)
            return false;
    }
    *count += inner;
    for (unsigned c = 0; c < LPM_SLOTS; c++) {
        uint32_t child = lpm_routes_child(node, c);

        if (child && !routes_valid(window, child, depth + LPM_STRIDE, bits, count))
            return false;
    }
    return true;
}

static bool table_routes_valid(const struct lpm_table *table)
{
    size_t count = table->fallback != LPM_NO_ROUTE;
    unsigned bits = lpm_family_bits((enum lpm_family)table->fib->family);

    if (table->routes && !routes_valid(table->window, table->routes, 0, bits, &count))
        return false;
    return count == table->count && table->fallback <= LPM_LEAF_MAX;
}

static bool layer_routes_valid(const struct lpm_layer *layer)
{
    enum lpm_family family = (enum lpm_family)layer->table->fib->family;
    struct lpm_overs overs = lpm_layer_overs(layer);

    for (size_t i = 0; i < overs.count; i++) {
        struct lpm_over over = lpm_over_at(&overs, i);
        struct lpm_over before = i ? lpm_over_at(&overs, i - 1) : (struct lpm_over){0};

        if (over.length == 0 || over.length > lpm_family_bits(family) ||
            lpm_key_cut(over.key, over.length) != over.key ||
            lpm_key_compare(before.key, before.length, over.key, over.length) >= 0)
            return false;
    }
    return layer->fibs > 0 && (overs.count > 0 || layer->fallback != LPM_ENTRY_INHERIT);
}

/* --- Entries ----------------------------------------------------------------------------------- */

static bool entries_equal(const char *window, uint32_t a, uint32_t b)
{
    if (a == b)
        return true;
    if (lpm_entry_is_bucket(a) && lpm_entry_is_bucket(b))
        return lpm_bucket_equal(window, a, b);
    if (!lpm_entry_is_node(a) || !lpm_entry_is_node(b))
        return false;
    for (unsigned c = 0; c < LPM_SLOTS; c++) {
        if (!entries_equal(window, lpm_node_slot(lpm_node_at(window, a), c),
                           lpm_node_slot(lpm_node_at(window, b), c)))
            return false;
    }
    return true;
}

/* Compares with a build from nothing and gives that up again. Without memory for one, nothing is
 * known to be wrong. */
static bool entry_valid(struct lpm_memory *memory, uint32_t entry, uint32_t anew)
{
    bool equal = anew == LPM_ENTRY_FAILED || entries_equal(memory->window, entry, anew);

    lpm_node_release(memory, anew);
    return equal;
}

static struct lpm_build build_of(const struct lpm_table *table)
{
    return lpm_build_of(&table->lpm->memory, (enum lpm_family)table->fib->family,
                        table->direct != NULL);
}

static bool slot_valid(const struct lpm_table *table, uint32_t slot)
{
    struct lpm_build build = build_of(table);
    uint32_t routes = table->routes;
    uint32_t inherited = LPM_NO_ROUTE;

    for (unsigned shift = LPM_DIRECT_BITS; routes && shift > 0; shift -= LPM_STRIDE) {
        const struct lpm_routes_node *node = lpm_routes_at(table->window, routes);
        unsigned c = slot >> (shift - LPM_STRIDE) & (LPM_SLOTS - 1);

        inherited = lpm_routes_best(node, c, inherited);
        routes = lpm_routes_child(node, c);
    }
    return entry_valid(
        build.memory, lpm_direct_entry(table->window, table->direct, slot),
        lpm_build_base(&build, LPM_DIRECT_BITS, routes, inherited, (struct lpm_place){0}));
}

static bool table_entries_valid(const struct lpm_table *table)
{
    struct lpm_build build = build_of(table);

    if (!table->direct)
        return entry_valid(
            build.memory, table->root,
            lpm_build_base(&build, 0, table->routes, LPM_NO_ROUTE, (struct lpm_place){0}));
    for (uint32_t slot = 0; slot < LPM_DIRECT_SIZE; slot++) {
        if (!slot_valid(table, slot))
            return false;
    }
    return true;
}

/* Made anew, ranges are equal to the byte, but for the writer's part of the head. */
static bool ranges_equal(const struct lpm_ranges *a, const struct lpm_ranges *b)
{
    if (!a || !b)
        return a == b;
    return a->size == b->size && memcmp(a, b, offsetof(struct lpm_ranges, memory)) == 0 &&
           memcmp(a + 1, b + 1, a->size - sizeof(*a)) == 0;
}

static bool layer_entries_valid(const struct lpm_layer *layer)
{
    struct lpm_ranges *anew;
    bool equal;

    if (lpm_layer_ranges(layer, layer->table->routes, NULL, 0, &anew) < 0)
        return true;
    equal = ranges_equal(lpm_layer_own_ranges(layer), anew);
    lpm_ranges_free(anew);
    return equal;
}

/* --- Counts ------------------------------------------------------------------------------------ */

/* How often each node is named: a hash table by reference. */
struct census {
    const char *window;
    struct seen {
        uint32_t entry;
        uint32_t names;
    } * seen;
    size_t room; /* a power of two */
    size_t count;
    size_t bytes;
    bool failed;
};

static struct seen *find_seen(struct seen *seen, size_t room, uint32_t entry)
{
    size_t at = (entry * UINT32_C(2654435761)) & (room - 1);

    while (seen[at].names && seen[at].entry != entry)
        at = (at + 1) & (room - 1);
    return &seen[at];
}

static bool make_room(struct census *census)
{
    size_t room = census->room ? census->room * 2 : 1024;
    struct seen *seen;

    if (census->count < census->room / 2)
        return true;
    seen = calloc(room, sizeof(*seen));
    if (!seen)
        return false;
    for (size_t i = 0; i < census->room; i++) {
        if (census->seen[i].names)
            *find_seen(seen, room, census->seen[i].entry) = census->seen[i];
    }
    free(census->seen);
    census->seen = seen;
    census->room = room;
    return true;
}

/* One more name of entry; what a node names is counted when the node itself is first seen. */
static void count_name(struct census *census, uint32_t entry)
{
    const struct lpm_node *node;
    struct seen *seen;

    if (lpm_entry_is_leaf(entry) || census->failed)
        return;
    if (!make_room(census)) {
        census->failed = true;
        return;
    }
    seen = find_seen(census->seen, census->room, entry);
    seen->entry = entry;
    if (seen->names++ > 0)
        return;
    census->count++;
    node = lpm_memory_at(census->window, lpm_entry_cell(entry));
    census->bytes += lpm_memory_size(lpm_entry_bytes(census->window, entry));
    if (lpm_entry_is_bucket(entry))
        return;
    for (unsigned i = 0; i < lpm_node_count(node); i++)
        count_name(census, lpm_node_entry(node, i));
}

/* A slot of a direct table, which names no bucket. A leaf cell is counted as a node; the one of leaf 0
 * is not counted. */
static void count_named(struct census *census, uint32_t named)
{
    if (named)
        count_name(census, named | LPM_ENTRY_NODE);
}

static void count_table(struct census *census, const struct lpm_table *table)
{
    census->bytes +=
        lpm_memory_size(lpm_lines(sizeof(*table))) + lpm_memory_size(sizeof(*table->fib));
    if (!table->direct) {
        count_name(census, table->root);
    } else {
        census->bytes += lpm_memory_size(LPM_DIRECT_BYTES);
        for (uint32_t slot = 0; slot < LPM_DIRECT_SIZE; slot++)
            count_named(census, lpm_direct_load(table->direct, slot));
    }
    for (const struct lpm_layer *layer = table->layers; layer; layer = layer->next) {
        const struct lpm_ranges *ranges = lpm_layer_own_ranges(layer);

        struct lpm_overs overs = lpm_layer_overs(layer);

        census->bytes += lpm_memory_size(lpm_layer_size(&overs));
        census->bytes -= lpm_overs_bytes(&overs);
        census->bytes += ranges ? lpm_memory_size(ranges->size) : 0;
    }
}

/* FIBs that are not bases are known only to their holders: their layers tell how many there are. */
static size_t derived_fibs(const struct lpm_table *table)
{
    size_t fibs = table->plain.fibs - !table->fib->released;

    for (const struct lpm_layer *layer = table->layers; layer; layer = layer->next)
        fibs += layer->fibs;
    return fibs;
}

static uint32_t references_of(const struct census *census, uint32_t entry)
{
    const struct lpm_node *node = lpm_memory_at(census->window, lpm_entry_cell(entry));

    return node->references;
}

static bool counts_valid(const struct lpm *lpm)
{
    struct census census = {.window = lpm->memory.window};
    bool valid = true;

    for (const struct lpm_table *table = lpm->tables; table; table = table->next) {
        count_table(&census, table);
        census.bytes += derived_fibs(table) * lpm_memory_size(sizeof(struct lpm_fib));
    }
    for (size_t i = 0; i < census.room && valid; i++) {
        const struct seen *seen = &census.seen[i];

        valid = !seen->names || references_of(&census, seen->entry) == seen->names;
    }
    valid = valid && (census.failed || census.bytes == lpm->memory.bytes[LPM_MEMORY_LOOKUP]);
    free(census.seen);
    return valid;
}

bool lpm_validate(const struct lpm *lpm)
{
    if (!counts_valid(lpm))
        return false;
    for (const struct lpm_table *table = lpm->tables; table; table = table->next) {
        size_t layers = 0;

        if (!table_routes_valid(table) || !table_entries_valid(table))
            return false;
        for (const struct lpm_layer *layer = table->layers; layer; layer = layer->next, layers++) {
            if (!layer_routes_valid(layer) || !layer_entries_valid(layer))
                return false;
        }
        if (layers != table->layers_count)
            return false;
    }
    return true;
}

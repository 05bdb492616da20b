/*
 * The prefix table: entries in chunks that never move, found through an index of hashes. See table.h
 * for the drawing.
 */
#include "engine/rib/table.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(struct rib_stored_path) == 16, "a path is two words");
_Static_assert(RIB_NO_ENTRY == RIB_INDEX_NONE, "the index says so for the table");
_Static_assert(offsetof(struct rib_entry, address) + 4 == RIB_STRIDE_IPV4, "IPv4 entries");
_Static_assert(offsetof(struct rib_entry, address) + 16 <= RIB_STRIDE_IPV6, "IPv6 entries");

void rib_table_init(struct rib_table *table, enum lpm_family family)
{
    memset(table, 0, sizeof(*table));
    table->family = family;
}

void rib_table_free(struct rib_table *table)
{
    for (uint32_t id = rib_table_next(table, 0); id != RIB_NO_ENTRY;
         id = rib_table_next(table, id + 1)) {
        struct rib_entry *entry = rib_table_entry(table, id);

        if (entry->n_paths > 1)
            free(entry->many);
    }
    for (uint32_t index = 0; index < table->n_chunks; index++)
        free(table->chunks[index]);
    free(table->chunks);
    rib_index_free(&table->index);
    rib_table_init(table, table->family);
}

/* A full table is mostly IPv4, whose 5 bytes are one number: two rounds of multiply and shift mix it as
 * well as a hash for bytes, in a third of the time. */
static uint32_t hash_of(const struct rib_table *table, const uint8_t *address, uint8_t length)
{
    uint8_t key[17];
    uint64_t number = length;

    if (table->family == LPM_IPV4) {
        memcpy((uint8_t *)&number + 4, address, 4);
        number *= UINT64_C(0x9e3779b97f4a7c15);
        number = (number ^ number >> 32) * UINT64_C(0xd6e8feb86659fd93);
        return (uint32_t)(number >> 32);
    }
    memcpy(key, address, 16);
    key[16] = length;
    return (uint32_t)XXH3_64bits(key, sizeof(key));
}

struct wanted {
    const struct rib_table *table;
    const struct lpm_prefix *prefix;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct rib_entry *entry = rib_table_entry(wanted->table, id);

    return entry->length == wanted->prefix->length &&
           memcmp(entry->address, wanted->prefix->bytes, rib_table_width(wanted->table)) == 0;
}

static uint32_t find(const struct rib_table *table, const struct lpm_prefix *prefix, uint32_t hash)
{
    const struct wanted wanted = {table, prefix};

    return rib_index_find(&table->index, hash, is_wanted, &wanted);
}

uint32_t rib_table_find(const struct rib_table *table, const struct lpm_prefix *prefix)
{
    return find(table, prefix, hash_of(table, prefix->bytes, prefix->length));
}

void rib_table_prefetch(const struct rib_table *table, const struct lpm_prefix *prefix)
{
    rib_index_prefetch(&table->index, hash_of(table, prefix->bytes, prefix->length));
}

void rib_table_prefetch_removal(const struct rib_table *table, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(table, id);

    rib_index_prefetch(&table->index, hash_of(table, entry->address, entry->length));
}

static bool grow_chunks(struct rib_table *table)
{
    size_t stride = table->family == LPM_IPV4 ? RIB_STRIDE_IPV4 : RIB_STRIDE_IPV6;
    uint8_t **chunks;
    uint8_t *chunk;

    /* Powers of two only, so that growing costs amortised constant time. */
    if ((table->n_chunks & (table->n_chunks - 1)) == 0) {
        size_t n = table->n_chunks ? 2 * (size_t)table->n_chunks : 1;

        chunks = realloc(table->chunks, n * sizeof(*chunks));
        if (chunks == NULL)
            return false;
        table->chunks = chunks;
    }
    chunk = malloc(stride * RIB_TABLE_CHUNK);
    if (chunk == NULL)
        return false;
    table->chunks[table->n_chunks++] = chunk;
    return true;
}

/* An id whose entry is not in use, or RIB_NO_ENTRY when memory is short. */
static uint32_t take_id(struct rib_table *table)
{
    uint32_t id;

    if (table->first_free != 0) {
        id = table->first_free - 1;
        table->first_free = rib_table_entry(table, id)->next_free;
        return id;
    }
    if (table->n_ids == table->n_chunks * RIB_TABLE_CHUNK && !grow_chunks(table))
        return RIB_NO_ENTRY;
    return table->n_ids++;
}

static void give_id(struct rib_table *table, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(table, id);

    entry->flags = 0;
    entry->next_free = table->first_free;
    table->first_free = id + 1;
}

uint32_t rib_table_obtain(struct rib_table *table, const struct lpm_prefix *prefix)
{
    uint32_t hash = hash_of(table, prefix->bytes, prefix->length);
    uint32_t id = find(table, prefix, hash);
    struct rib_entry *entry;

    if (id != RIB_NO_ENTRY)
        return id;
    id = take_id(table);
    if (id == RIB_NO_ENTRY)
        return RIB_NO_ENTRY;
    if (rib_index_add(&table->index, hash, id) < 0) {
        give_id(table, id);
        return RIB_NO_ENTRY;
    }
    entry = rib_table_entry(table, id);
    memset(entry, 0, sizeof(*entry));
    entry->flags = RIB_ENTRY_USED;
    entry->length = prefix->length;
    memcpy(entry->address, prefix->bytes, rib_table_width(table));
    table->used++;
    return id;
}

void rib_table_remove(struct rib_table *table, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(table, id);

    rib_index_remove(&table->index, hash_of(table, entry->address, entry->length), id);
    give_id(table, id);
    table->used--;
}

uint32_t rib_table_next(const struct rib_table *table, uint32_t id)
{
    for (; id < table->n_ids; id++)
        if (rib_table_entry(table, id)->flags & RIB_ENTRY_USED)
            return id;
    return RIB_NO_ENTRY;
}

static int compare_entries(const void *left, const void *right, void *context)
{
    const struct rib_table *table = context;
    const struct rib_entry *a = rib_table_entry(table, *(const uint32_t *)left);
    const struct rib_entry *b = rib_table_entry(table, *(const uint32_t *)right);
    int order = memcmp(a->address, b->address, rib_table_width(table));

    return order != 0 ? order : (int)a->length - (int)b->length;
}

uint32_t *rib_table_sorted(const struct rib_table *table, const struct rib_bitset *set, size_t *n)
{
    struct rib_table shallow = *table; /* qsort_r() takes its context without const */
    uint32_t *ids;
    size_t filled = 0;

    *n = set != NULL ? set->count : table->used;
    if (*n == 0)
        return NULL;
    ids = malloc(*n * sizeof(*ids));
    if (ids == NULL)
        return NULL;
    for (uint32_t id = 0; filled < *n; id++) {
        id = set != NULL ? rib_bitset_next(set, id) : rib_table_next(table, id);
        ids[filled++] = id;
    }
    qsort_r(ids, filled, sizeof(*ids), compare_entries, &shallow);
    return ids;
}

struct lpm_prefix rib_entry_prefix(const struct rib_table *table, const struct rib_entry *entry)
{
    struct lpm_prefix prefix = {.family = (uint8_t)table->family, .length = entry->length};

    memcpy(prefix.bytes, entry->address, rib_table_width(table));
    return prefix;
}

struct rib_stored_path *rib_entry_path(struct rib_entry *entry, uint16_t peer, uint32_t path_id)
{
    struct rib_stored_path *paths = rib_entry_paths(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (paths[i].peer == peer && paths[i].path_id == path_id && !paths[i].summary)
            return &paths[i];
    return NULL;
}

struct rib_stored_path *rib_entry_summary(struct rib_entry *entry, uint32_t number)
{
    struct rib_stored_path *paths = rib_entry_paths(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (paths[i].path_id == number && paths[i].summary)
            return &paths[i];
    return NULL;
}

unsigned rib_entry_peer_paths(const struct rib_entry *entry, uint16_t peer)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    unsigned n = 0;

    for (unsigned i = 0; i < entry->n_paths; i++)
        n += paths[i].peer == peer && !paths[i].summary;
    return n;
}

/* The array of an entry that gets its n-th path (n >= 2), or NULL. Capacity is a function of n, the
 * next power of two, so it need not be stored. */
static struct rib_stored_path *widen(struct rib_entry *entry, unsigned n)
{
    struct rib_stored_path *paths;

    if (n == 2) {
        paths = malloc(2 * sizeof(*paths));
        if (paths != NULL)
            paths[0] = entry->one;
        return paths;
    }
    if (((n - 1) & (n - 2)) != 0)
        return entry->many;
    return realloc(entry->many, 2 * (n - 1) * sizeof(*paths));
}

struct rib_stored_path *rib_entry_insert(struct rib_entry *entry, unsigned position)
{
    struct rib_stored_path *paths = &entry->one;

    if (entry->n_paths == UINT16_MAX)
        return NULL;
    if (entry->n_paths > 0) {
        paths = widen(entry, entry->n_paths + 1u);
        if (paths == NULL)
            return NULL;
        memmove(paths + position + 1, paths + position,
                (entry->n_paths - position) * sizeof(*paths));
        entry->many = paths;
    }
    entry->n_paths++;
    paths[position] = (struct rib_stored_path){0};
    return &paths[position];
}

void rib_entry_erase(struct rib_entry *entry, const struct rib_stored_path *path)
{
    struct rib_stored_path *paths = rib_entry_paths(entry);
    unsigned position = (unsigned)(path - paths);
    unsigned n = entry->n_paths - 1u;

    memmove(paths + position, paths + position + 1, (n - position) * sizeof(*paths));
    entry->n_paths = (uint16_t)n;
    if (n == 0)
        return;
    if (n == 1) {
        entry->one = paths[0];
        free(paths);
    } else if ((n & (n - 1)) == 0) {
        paths = realloc(paths, n * sizeof(*paths));
        if (paths != NULL) /* shrinking: on failure the larger array serves as well */
            entry->many = paths;
    }
}

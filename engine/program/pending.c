/*
 *   index (rib/index.h): hash ──> slot number      chunks[] ──> slots, never moved
 *
 *   first ──> slot ──next──> slot ──next──> ... <── last
 *
 * No step depends on how many wait: a million changes of one moment are taken in and worked off without
 * a pause for sorting or moving them.
 */
#include "engine/program/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK 1024u
/* Memory of a queue that was longer than this is given back when it is empty. */
#define KEPT_SLOTS (16u * CHUNK)

struct program_pending_slot {
    struct program_pending_item item;
    uint32_t hash;
    uint32_t next; /* in the queue, or free; plus 1, 0: none */
};

/* --- Slots ------------------------------------------------------------------------------------ */

static struct program_pending_slot *slot_at(const struct program_pending *pending, uint32_t number)
{
    return &pending->chunks[number / CHUNK][number % CHUNK];
}

/* The pointers grow by powers of two, and the slots stay where they are. */
static int add_chunk(struct program_pending *pending)
{
    uint32_t n = pending->n_slots / CHUNK;
    if ((n & (n - 1)) == 0) {
        size_t capacity = n ? 2 * (size_t)n : 1;
        void *grown = realloc(pending->chunks, capacity * sizeof(*pending->chunks));
        if (!grown)
            return -ENOMEM;
        pending->chunks = grown;
    }
    pending->chunks[n] = malloc(CHUNK * sizeof(**pending->chunks));
    return pending->chunks[n] ? 0 : -ENOMEM;
}

static int take_slot(struct program_pending *pending, uint32_t *number)
{
    if (pending->first_free) {
        *number = pending->first_free - 1;
        pending->first_free = slot_at(pending, *number)->next;
        return 0;
    }
    int error = pending->n_slots % CHUNK == 0 ? add_chunk(pending) : 0;
    if (!error)
        *number = pending->n_slots++;
    return error;
}

static void give_slot(struct program_pending *pending, uint32_t number)
{
    slot_at(pending, number)->next = pending->first_free;
    pending->first_free = number + 1;
}

/* --- The queue -------------------------------------------------------------------------------- */

struct wanted {
    const struct program_pending *pending;
    const struct program_pending_item *item;
};

static bool is_wanted(const void *context, uint32_t number)
{
    const struct wanted *wanted = context;
    const struct program_pending_item *item = &slot_at(wanted->pending, number)->item;
    return item->route_server == wanted->item->route_server &&
           lpm_prefix_equal(&item->prefix, &wanted->item->prefix);
}

static uint32_t hash_of(const struct program_pending_item *item)
{
    uint8_t key[2 + sizeof(item->prefix.bytes)];
    key[0] = item->prefix.family;
    key[1] = item->prefix.length;
    memcpy(key + 2, item->prefix.bytes, sizeof(item->prefix.bytes));
    return (uint32_t)XXH3_64bits_withSeed(key, sizeof(key), item->route_server);
}

static void append(struct program_pending *pending, uint32_t number)
{
    slot_at(pending, number)->next = 0;
    if (pending->last)
        slot_at(pending, pending->last - 1)->next = number + 1;
    else
        pending->first = number + 1;
    pending->last = number + 1;
    pending->count++;
}

int program_pending_add(struct program_pending *pending, uint32_t route_server,
                        const struct lpm_prefix *prefix)
{
    const struct program_pending_item item = {.route_server = route_server, .prefix = *prefix};
    const struct wanted wanted = {pending, &item};
    uint32_t hash = hash_of(&item);
    uint32_t number;
    if (rib_index_find(&pending->index, hash, is_wanted, &wanted) != RIB_INDEX_NONE)
        return 0;
    int error = take_slot(pending, &number);
    if (error)
        return error;
    error = rib_index_add(&pending->index, hash, number);
    if (error) {
        give_slot(pending, number);
        return error;
    }
    slot_at(pending, number)->item = item;
    slot_at(pending, number)->hash = hash;
    append(pending, number);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct program_pending_item *left = a, *right = b;
    if (left->route_server != right->route_server)
        return left->route_server < right->route_server ? -1 : 1;
    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

size_t program_pending_take(struct program_pending *pending, struct program_pending_item *items,
                            size_t n)
{
    size_t taken = 0;
    while (taken < n && pending->first) {
        uint32_t number = pending->first - 1;
        const struct program_pending_slot *slot = slot_at(pending, number);
        items[taken++] = slot->item;
        pending->first = slot->next;
        rib_index_remove(&pending->index, slot->hash, number);
        give_slot(pending, number);
    }
    pending->count -= (uint32_t)taken;
    if (!pending->first) {
        pending->last = 0;
        if (pending->n_slots > KEPT_SLOTS)
            program_pending_free(pending);
    }
    if (taken > 1)
        qsort(items, taken, sizeof(*items), compare);
    return taken;
}

void program_pending_free(struct program_pending *pending)
{
    for (uint32_t i = 0; i < pending->n_slots; i += CHUNK)
        free(pending->chunks[i / CHUNK]);
    free(pending->chunks);
    rib_index_free(&pending->index);
    *pending = (struct program_pending){0};
}

/*
 * From the hash of a prefix to the id of its entry: linear hashing over buckets of one cache line.
 *
 *     segments[0]: FIRST buckets, segments[k]: FIRST << (k - 1) more
 *     bucket: {hash x 8, id + 1 x 8}; the last slot of a full one leads to an overflow bucket
 *
 * Nearly every question reads one cache line, which can be asked for ahead of time. Each insertion
 * beyond PER_BUCKET a bucket splits one bucket, so growing to a million prefixes never stops the
 * control loop for a rehash. Buckets are never joined again: an index keeps the size of its fullest
 * day, 16 bytes a prefix.
 */
#ifndef ENGINE_RIB_INDEX_H
#define ENGINE_RIB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIB_INDEX_NONE  UINT32_MAX
#define RIB_INDEX_SLOTS 8u

struct rib_index_bucket {
    uint32_t hashes[RIB_INDEX_SLOTS];
    uint32_t ids[RIB_INDEX_SLOTS]; /* plus 1; 0: empty; see index.c for the last one */
};

#define RIB_INDEX_SEGMENTS 28u

/* All zero is the empty index. */
struct rib_index {
    struct rib_index_bucket *segments[RIB_INDEX_SEGMENTS];
    uint32_t round; /* buckets at the start of this doubling: a power of two; 0: none yet */
    uint32_t split; /* of these, how many have been split: buckets = round + split */
    uint32_t count;
    struct rib_index_bucket *overflow;
    uint32_t overflow_n, overflow_capacity;
    uint32_t overflow_free; /* first on the free list, plus 1 */
};

/* Id of the first with this hash that is_it says yes to, or RIB_INDEX_NONE. Ids are below 2^31. */
uint32_t rib_index_find(const struct rib_index *index, uint32_t hash,
                        bool (*is_it)(const void *context, uint32_t id), const void *context);
/* Adds an id that is not in it; -ENOMEM with the index as it was. */
int rib_index_add(struct rib_index *index, uint32_t hash, uint32_t id);
/* Removes an id that is in it. */
void rib_index_remove(struct rib_index *index, uint32_t hash, uint32_t id);
/* A question about this hash will come soon. */
void rib_index_prefetch(const struct rib_index *index, uint32_t hash);
void rib_index_free(struct rib_index *index);

#endif

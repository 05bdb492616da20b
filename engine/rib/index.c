/*
 * The index of a prefix table; see index.h for the drawing.
 *
 * A bucket with an overflow bucket behind it has in its last slot LINK and the number of that one. In
 * a chain only the last bucket has empty slots, behind those in use.
 */
#include "engine/rib/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BITS 4u
#define FIRST      (1u << FIRST_BITS)
/* Buckets are split to keep this mean. At 4 of 8 slots few overflow even before their turn. */
#define PER_BUCKET 4u
#define LINK       0x80000000u
#define LAST       (RIB_INDEX_SLOTS - 1)
#define HUGE_PAGE  ((size_t)2 << 20)

_Static_assert(sizeof(struct rib_index_bucket) == 64, "a bucket is a cache line");

/* --- Buckets ---------------------------------------------------------------------------------- */

static struct rib_index_bucket *bucket_at(const struct rib_index *index, uint32_t number)
{
    unsigned top;

    if (number < FIRST)
        return &index->segments[0][number];
    top = 31u - (unsigned)__builtin_clz(number);
    return &index->segments[top - FIRST_BITS + 1][number - (1u << top)];
}

/* A bucket below split has been split in this round: one more bit of the hash tells which half. */
static struct rib_index_bucket *home(const struct rib_index *index, uint32_t hash)
{
    uint32_t number = hash & (index->round - 1);

    if (number < index->split)
        number = hash & (2 * index->round - 1);
    return bucket_at(index, number);
}

static struct rib_index_bucket *behind(const struct rib_index *index,
                                       const struct rib_index_bucket *bucket)
{
    return bucket->ids[LAST] & LINK ? &index->overflow[bucket->ids[LAST] & ~LINK] : NULL;
}

/* Ids in the bucket itself. */
static unsigned fill_of(const struct rib_index_bucket *bucket)
{
    unsigned n = 0;

    if (bucket->ids[LAST] & LINK)
        return LAST;
    while (n < RIB_INDEX_SLOTS && bucket->ids[n] != 0)
        n++;
    return n;
}

static void put(struct rib_index_bucket *bucket, unsigned at, uint32_t hash, uint32_t id)
{
    bucket->hashes[at] = hash;
    bucket->ids[at] = id;
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Large segments go on huge pages where the system gives them: probes are random, and would miss the
 * TLB as often as the cache. */
static struct rib_index_bucket *make_segment(size_t buckets)
{
    struct rib_index_bucket *segment =
        aligned_alloc(buckets * sizeof(*segment) >= HUGE_PAGE ? HUGE_PAGE : sizeof(*segment),
                      buckets * sizeof(*segment));

    if (segment == NULL)
        return NULL;
    if (buckets * sizeof(*segment) >= HUGE_PAGE)
        madvise(segment, buckets * sizeof(*segment), MADV_HUGEPAGE);
    return segment;
}

/* Number of an empty overflow bucket, or RIB_INDEX_NONE. */
static uint32_t take_overflow(struct rib_index *index)
{
    struct rib_index_bucket *grown;
    uint32_t number, capacity;

    if (index->overflow_free != 0) {
        number = index->overflow_free - 1;
        index->overflow_free = index->overflow[number].ids[0];
    } else {
        if (index->overflow_n == index->overflow_capacity) {
            capacity = index->overflow_capacity ? 2 * index->overflow_capacity : 16;
            grown = realloc(index->overflow, capacity * sizeof(*grown));
            if (grown == NULL)
                return RIB_INDEX_NONE;
            index->overflow = grown;
            index->overflow_capacity = capacity;
        }
        number = index->overflow_n++;
    }
    memset(&index->overflow[number], 0, sizeof(index->overflow[number]));
    return number;
}

static void give_overflow(struct rib_index *index, uint32_t number)
{
    index->overflow[number].ids[0] = index->overflow_free;
    index->overflow_free = number + 1;
}

/* --- Chains ----------------------------------------------------------------------------------- */

/* The bucket is named by its number or its place in overflow, since taking one may move the latter. */
static int chain_add(struct rib_index *index, struct rib_index_bucket *bucket, uint32_t hash,
                     uint32_t id)
{
    uint32_t link = RIB_INDEX_NONE, next;
    unsigned n;

    while (bucket->ids[LAST] & LINK) {
        link = bucket->ids[LAST] & ~LINK;
        bucket = &index->overflow[link];
    }
    n = fill_of(bucket);
    if (n < RIB_INDEX_SLOTS) {
        put(bucket, n, hash, id);
        return 0;
    }
    next = take_overflow(index);
    if (next == RIB_INDEX_NONE)
        return -ENOMEM;
    if (link != RIB_INDEX_NONE)
        bucket = &index->overflow[link];
    put(&index->overflow[next], 0, bucket->hashes[LAST], bucket->ids[LAST]);
    put(&index->overflow[next], 1, hash, id);
    bucket->ids[LAST] = LINK | next;
    return 0;
}

/* Takes the last id out of the chain that begins at bucket. */
static void chain_take_last(struct rib_index *index, struct rib_index_bucket *bucket,
                            uint32_t *hash, uint32_t *id)
{
    struct rib_index_bucket *before = NULL;
    unsigned n;

    for (struct rib_index_bucket *next; (next = behind(index, bucket)) != NULL; bucket = next)
        before = bucket;
    n = fill_of(bucket) - 1;
    *hash = bucket->hashes[n];
    *id = bucket->ids[n];
    bucket->ids[n] = 0;
    if (n == 0 && before != NULL) {
        give_overflow(index, before->ids[LAST] & ~LINK);
        before->ids[LAST] = 0;
    }
}

/* --- Growing ---------------------------------------------------------------------------------- */

/* Puts the ids of a chain anew, after a round or split of the index has changed. No memory is needed
 * that the chain did not have: its buckets are given back before they are wanted again. */
static void redistribute(struct rib_index *index, struct rib_index_bucket *bucket)
{
    struct rib_index_bucket old = *bucket;

    memset(bucket, 0, sizeof(*bucket));
    for (;;) {
        uint32_t link = old.ids[LAST];
        unsigned n = fill_of(&old);

        if (link & LINK) {
            struct rib_index_bucket next = index->overflow[link & ~LINK];

            give_overflow(index, link & ~LINK);
            for (unsigned i = 0; i < n; i++)
                chain_add(index, home(index, old.hashes[i]), old.hashes[i], old.ids[i]);
            old = next;
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            chain_add(index, home(index, old.hashes[i]), old.hashes[i], old.ids[i]);
        return;
    }
}

/* Splits the next bucket. Without memory the chains just grow longer. */
static void split(struct rib_index *index)
{
    uint32_t number = index->split, target = index->round + index->split;
    unsigned segment = 31u - (unsigned)__builtin_clz(target) - FIRST_BITS + 1;

    if (segment >= RIB_INDEX_SEGMENTS)
        return;
    if (index->segments[segment] == NULL)
        index->segments[segment] = make_segment(index->round);
    if (index->segments[segment] == NULL)
        return;
    /* Not all at once when the segment is made: that would touch megabytes. */
    memset(bucket_at(index, target), 0, sizeof(struct rib_index_bucket));
    index->split++;
    redistribute(index, bucket_at(index, number));
    if (index->split == index->round) {
        index->round *= 2;
        index->split = 0;
    }
}

static int begin(struct rib_index *index)
{
    index->segments[0] = calloc(FIRST, sizeof(struct rib_index_bucket));
    if (index->segments[0] == NULL)
        return -ENOMEM;
    index->round = FIRST;
    return 0;
}

/* --- Use -------------------------------------------------------------------------------------- */

uint32_t rib_index_find(const struct rib_index *index, uint32_t hash,
                        bool (*is_it)(const void *context, uint32_t id), const void *context)
{
    const struct rib_index_bucket *bucket = index->round ? home(index, hash) : NULL;

    for (; bucket != NULL; bucket = behind(index, bucket))
        for (unsigned i = 0; i < RIB_INDEX_SLOTS; i++)
            if (bucket->hashes[i] == hash && bucket->ids[i] != 0 && !(bucket->ids[i] & LINK) &&
                is_it(context, bucket->ids[i] - 1))
                return bucket->ids[i] - 1;
    return RIB_INDEX_NONE;
}

int rib_index_add(struct rib_index *index, uint32_t hash, uint32_t id)
{
    int error = index->round == 0 ? begin(index) : 0;

    if (error == 0)
        error = chain_add(index, home(index, hash), hash, id + 1);
    if (error == 0 && ++index->count > PER_BUCKET * (index->round + index->split))
        split(index);
    return error;
}

/* The last of the chain fills the hole. */
void rib_index_remove(struct rib_index *index, uint32_t hash, uint32_t id)
{
    struct rib_index_bucket *first = home(index, hash), *bucket = first;
    uint32_t last_hash, last_id;

    chain_take_last(index, first, &last_hash, &last_id);
    index->count--;
    if (last_id == id + 1)
        return;
    for (;; bucket = behind(index, bucket))
        for (unsigned i = 0; i < RIB_INDEX_SLOTS; i++)
            if (bucket->ids[i] == id + 1) {
                put(bucket, i, last_hash, last_id);
                return;
            }
}

void rib_index_prefetch(const struct rib_index *index, uint32_t hash)
{
    if (index->round != 0)
        __builtin_prefetch(home(index, hash), 1);
}

void rib_index_free(struct rib_index *index)
{
    for (unsigned i = 0; i < RIB_INDEX_SEGMENTS; i++)
        free(index->segments[i]);
    free(index->overflow);
    memset(index, 0, sizeof(*index));
}

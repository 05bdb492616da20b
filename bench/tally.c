/*
 * UPDATEs become bits.
 */
#include "bench/tally.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bench/clock.h"

/* Messages up to this size are remembered, so many of them; a later one takes the place of an earlier
 * one with a like hash. */
#define MEMO_BYTES    512u
#define MEMO_PREFIXES 128u
#define MEMO_SLOTS    8192u

/* One message: which prefixes of the load it withdraws, then which it announces. */
struct remembered {
    uint16_t length; /* 0: none */
    uint16_t withdrawn, n;
    uint8_t bytes[MEMO_BYTES];
    uint32_t prefixes[MEMO_PREFIXES];
};

struct bench_memo {
    struct remembered slots[MEMO_SLOTS];
};

struct bench_memo *bench_memo_create(void)
{
    return calloc(1, sizeof(struct bench_memo));
}

void bench_memo_destroy(struct bench_memo *memo)
{
    free(memo);
}

static struct remembered *slot_of(struct bench_memo *memo, const uint8_t *bytes, size_t length)
{
    return &memo->slots[XXH3_64bits(bytes, length) % MEMO_SLOTS];
}

static size_t words(const struct bench_load *load)
{
    return load->n / 64 + 1;
}

struct bench_tally *bench_tally_create(const struct bench_load *load, struct bench_memo *memo)
{
    struct bench_tally *tally = calloc(1, sizeof(*tally));

    if (!tally)
        return NULL;
    tally->load = load;
    tally->memo = memo;
    tally->reader = bgp_update_reader_create();
    tally->held_bits = calloc(words(load), sizeof(*tally->held_bits));
    tally->fresh_bits = calloc(words(load), sizeof(*tally->fresh_bits));
    if (tally->reader && tally->held_bits && tally->fresh_bits)
        return tally;
    bench_tally_destroy(tally);
    return NULL;
}

void bench_tally_destroy(struct bench_tally *tally)
{
    if (!tally)
        return;
    bgp_update_reader_destroy(tally->reader);
    free(tally->held_bits);
    free(tally->fresh_bits);
    free(tally);
}

void bench_tally_forget_fresh(struct bench_tally *tally)
{
    memset(tally->fresh_bits, 0, words(tally->load) * sizeof(*tally->fresh_bits));
    tally->fresh = 0;
}

/* Sets or clears bit i; keeps the count. */
static void set_bit(uint64_t *bits, uint32_t i, bool to, size_t *count)
{
    uint64_t bit = UINT64_C(1) << (i % 64);

    if (to == !!(bits[i / 64] & bit))
        return;
    bits[i / 64] ^= bit;
    *count = to ? *count + 1 : *count - 1;
}

static void set_prefix(struct bench_tally *tally, uint32_t i, bool announced)
{
    set_bit(tally->held_bits, i, announced, &tally->held);
    if (announced)
        set_bit(tally->fresh_bits, i, true, &tally->fresh);
}

/* A prefix mostly follows the one before it in the load too. */
static uint32_t find(struct bench_tally *tally, const struct lpm_prefix *prefix)
{
    const struct bench_load *load = tally->load;
    uint32_t i = tally->expected;

    if (i >= load->n || !lpm_prefix_equal(&load->prefixes[i], prefix))
        i = bench_load_find(load, prefix);
    tally->expected = i + 1;
    return i;
}

/* Adds prefix i to what is remembered, if there is room. */
static void remember(struct remembered *slot, uint32_t i)
{
    if (slot && slot->n < MEMO_PREFIXES)
        slot->prefixes[slot->n] = i;
    if (slot)
        slot->n++;
}

/* slot: where the message is being remembered; NULL: nowhere. */
static void note(struct bench_tally *tally, const struct lpm_prefix *prefix, bool announced,
                 struct remembered *slot)
{
    int sentinel = bench_sentinel_of(prefix);
    uint32_t i;

    if (sentinel >= 0 && (unsigned)sentinel < BENCH_SENTINELS_MAX) {
        set_bit(&tally->sentinel_bits, (uint32_t)sentinel, announced, &tally->sentinels);
        i = BENCH_STREAM_NONE;
    } else {
        i = find(tally, prefix);
        /* What a speaker announces of its own, the network that it sits in say, is no error. */
        tally->wrong += i == BENCH_STREAM_NONE && prefix->bytes[0] != 10;
    }
    if (i == BENCH_STREAM_NONE) {
        remember(slot, i);
        return;
    }
    set_prefix(tally, i, announced);
    remember(slot, i);
}

static void note_all(struct bench_tally *tally, struct bgp_nlri nlri, bool announced,
                     struct remembered *slot)
{
    struct lpm_prefix prefix;

    while (bgp_nlri_next(&nlri, &prefix))
        note(tally, &prefix, announced, slot);
}

/* A message with something else than prefixes of the load in it is read each time. */
static void finish(struct remembered *slot, const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < slot->n; i++)
        if (slot->n > MEMO_PREFIXES || slot->prefixes[i] == BENCH_STREAM_NONE)
            return;
    memcpy(slot->bytes, bytes, length);
    slot->length = (uint16_t)length;
}

static void read_message(struct bench_tally *tally, const uint8_t *bytes, size_t length,
                         struct remembered *slot)
{
    const struct bgp_update_context context = {.four_octet_as = true,
                                               .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST)};
    struct bgp_update update;

    if (bgp_update_decode(tally->reader, &context, bytes, length, &update) != BGP_UPDATE_FINE) {
        tally->wrong++;
        return;
    }
    if (slot)
        slot->length = slot->n = 0;
    note_all(tally, update.withdrawn, false, slot);
    note_all(tally, update.mp_withdrawn, false, slot);
    if (slot)
        slot->withdrawn = slot->n;
    note_all(tally, update.announced, true, slot);
    note_all(tally, update.mp_announced, true, slot);
    if (slot)
        finish(slot, bytes, length);
}

void bench_tally_update(struct bench_tally *tally, const uint8_t *bytes, size_t length)
{
    struct remembered *slot = length <= MEMO_BYTES ? slot_of(tally->memo, bytes, length) : NULL;

    tally->changed_ns = bench_now_ns();
    if (!slot || slot->length != length || memcmp(slot->bytes, bytes, length) != 0) {
        read_message(tally, bytes, length, slot);
        return;
    }
    for (unsigned i = 0; i < slot->n; i++)
        set_prefix(tally, slot->prefixes[i], i >= slot->withdrawn);
}

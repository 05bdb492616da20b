/*
 * UPDATEs become bits.
 */
#include "bench/tally.h"

#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"

static size_t words(const struct bench_load *load)
{
    return load->n / 64 + 1;
}

struct bench_tally *bench_tally_create(const struct bench_load *load)
{
    struct bench_tally *tally = calloc(1, sizeof(*tally));

    if (!tally)
        return NULL;
    tally->load = load;
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

static void note(struct bench_tally *tally, const struct lpm_prefix *prefix, bool announced)
{
    int sentinel = bench_sentinel_of(prefix);
    uint32_t i;

    if (sentinel >= 0 && (unsigned)sentinel < BENCH_SENTINELS_MAX) {
        set_bit(&tally->sentinel_bits, (uint32_t)sentinel, announced, &tally->sentinels);
        return;
    }
    i = bench_load_find(tally->load, prefix);
    if (i == BENCH_STREAM_NONE) {
        /* What a speaker announces of its own, the network that it sits in say, is no error. */
        tally->wrong += prefix->bytes[0] != 10;
        return;
    }
    set_bit(tally->held_bits, i, announced, &tally->held);
    if (announced)
        set_bit(tally->fresh_bits, i, true, &tally->fresh);
}

static void note_all(struct bench_tally *tally, struct bgp_nlri nlri, bool announced)
{
    struct lpm_prefix prefix;

    while (bgp_nlri_next(&nlri, &prefix))
        note(tally, &prefix, announced);
}

void bench_tally_update(struct bench_tally *tally, const uint8_t *bytes, size_t length)
{
    const struct bgp_update_context context = {.four_octet_as = true,
                                               .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST)};
    struct bgp_update update;

    if (bgp_update_decode(tally->reader, &context, bytes, length, &update) != BGP_UPDATE_FINE) {
        tally->wrong++;
        return;
    }
    note_all(tally, update.withdrawn, false);
    note_all(tally, update.mp_withdrawn, false);
    note_all(tally, update.announced, true);
    note_all(tally, update.mp_announced, true);
    tally->changed_ns = bench_now_ns();
}

/*
 * What a receiver holds: a bit for each prefix of the load, set by an announcement and cleared by a
 * withdrawal, and a second one for what was announced since a moment of interest.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "bench/stream.h"
#include "engine/bgp/message.h"

#define BENCH_SENTINELS_MAX 64u

struct bench_tally {
    const struct bench_load *load;
    struct bgp_update_reader *reader;
    uint64_t *held_bits, *fresh_bits;
    uint64_t sentinel_bits;
    size_t held, fresh, sentinels;
    size_t wrong; /* malformed UPDATEs, and prefixes that nobody announced */
    uint64_t changed_ns;
};

struct bench_tally *bench_tally_create(const struct bench_load *load); /* NULL with errno */
void bench_tally_destroy(struct bench_tally *tally);
/* Takes in one whole UPDATE. */
void bench_tally_update(struct bench_tally *tally, const uint8_t *bytes, size_t length);
void bench_tally_forget_fresh(struct bench_tally *tally);

#endif

/*
 * What a receiver holds: a bit for each prefix of the load, set by an announcement and cleared by a
 * withdrawal, and a second one for what was announced since a moment of interest.
 *
 * Thirty receivers are told the same. What a message says is read once and remembered by its bytes
 * (struct bench_memo), or the receivers would take longer to count than a fast speaker to speak.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "bench/stream.h"
#include "engine/bgp/message.h"

#define BENCH_SENTINELS_MAX 64u

struct bench_memo;

struct bench_memo *bench_memo_create(void); /* NULL with errno */
void bench_memo_destroy(struct bench_memo *memo);

struct bench_tally {
    const struct bench_load *load;
    struct bench_memo *memo; /* borrowed; shared by the receivers of one load */
    uint32_t expected;       /* the prefix that comes next when they come in order */
    struct bgp_update_reader *reader;
    uint64_t *held_bits, *fresh_bits;
    uint64_t sentinel_bits;
    size_t held, fresh, sentinels;
    size_t wrong; /* malformed UPDATEs, and prefixes that nobody announced */
    uint64_t changed_ns;
};

/* NULL with errno. */
struct bench_tally *bench_tally_create(const struct bench_load *load, struct bench_memo *memo);
void bench_tally_destroy(struct bench_tally *tally);
/* Takes in one whole UPDATE. */
void bench_tally_update(struct bench_tally *tally, const uint8_t *bytes, size_t length);
void bench_tally_forget_fresh(struct bench_tally *tally);

#endif

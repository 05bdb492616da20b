/*
 * What a load generator sends, written before the clock starts: a stream of whole UPDATEs, and the
 * index by which a receiver finds out which prefixes it holds.
 *
 * Every engine is fed these same bytes. After its prefixes a sender announces one of its own, the
 * sentinel: who holds that one has been served all of it.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"
#include "bench/table.h"

#define BENCH_STREAM_NONE UINT32_MAX

/* Prefixes in the order of announcement, each with the attribute set that it has. */
struct bench_load {
    struct lpm_prefix *prefixes;
    uint32_t *sets; /* of each prefix; equal neighbours share an UPDATE */
    size_t n;
    uint32_t *slots; /* prefix -> place in prefixes, plus 1 */
    uint32_t mask;
};

/* How prefixes share attributes. */
enum bench_sharing {
    BENCH_SHARE_FIVE, /* each five have a set */
    BENCH_SHARE_ALL,  /* all have one set */
    BENCH_SHARE_REAL, /* mostly by block of addresses, some popular sets */
};

/* The first n prefixes (0: all) of the table in an order drawn from a seed, or for BENCH_SHARE_REAL
 * set by set as a router sends them. 0 or -ENOMEM. */
int bench_load_make(const struct bench_table *table, size_t n, enum bench_sharing sharing,
                    struct bench_load *load);
void bench_load_free(struct bench_load *load);
/* The place of a prefix among n, or BENCH_STREAM_NONE. */
uint32_t bench_load_find(const struct bench_load *load, const struct lpm_prefix *prefix);

/* The prefix that only sender number i announces. */
struct lpm_prefix bench_sentinel(unsigned i);
/* Of a sentinel, the number of its sender; -1 of any other prefix. */
int bench_sentinel_of(const struct lpm_prefix *prefix);

struct bench_stream {
    uint8_t *bytes;
    size_t size;
};
/* What sender number i, of this AS and with this address (host order), says of the load: AS_PATHs
 * of its own, as long as those of every other sender. per_update: prefixes in a message at most. */
int bench_stream_make(const struct bench_load *load, unsigned sender, uint32_t asn,
                      uint32_t address, unsigned per_update, struct bench_stream *stream);
void bench_stream_free(struct bench_stream *stream);

#endif

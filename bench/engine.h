/*
 * What can be measured: one small interface over Fingerpost's trie and DPDK's tables.
 *
 *      engine     a kind of table: how to build one, look up in it, change it
 *        +- variant   one of its lookup functions (scalar, AVX-512); all read one instance
 *
 * An instance holds one table. All functions are called by one thread, but for run() between
 * reader_begin() and reader_end(), which may be another.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include "bench/table.h"

/* Keys handed to an engine at once: two bursts of 32. DPDK's tables are fastest at this size. */
#define BENCH_BURST 64

struct bench_bytes {
    size_t lookup; /* read by lookups */
    size_t writer; /* kept beside it, for changes */
};

struct bench_engine {
    const char *name;
    unsigned family; /* 0: both */
    bool peer;       /* of DPDK, not ours */
    bool loads_slowly;
    bool changes; /* can apply updates */

    /* Fills *instance with table. Returns 0, -ENOMEM, -ENOSPC or another -errno. */
    int (*build)(const struct bench_table *table, void **instance);
    void (*destroy)(void *instance);
    /* Names what rows call variant i of an instance, or NULL past the last one. */
    const char *(*variant)(void *instance, unsigned i);
    /* Makes variant i the one that run() and answers() use; false when this machine cannot. */
    bool (*select)(void *instance, unsigned i);

    /* Looks up n keys, a multiple of BENCH_BURST, and returns the sum of the leaves. */
    uint64_t (*run)(void *instance, const void *keys, size_t n);
    /* The same into leaves[]. */
    void (*answers)(void *instance, const void *keys, size_t n, uint32_t *leaves);
    /* One call of DPDK's, n <= BENCH_BURST, with hops as DPDK writes them. NULL: has none. */
    void (*burst)(void *instance, const void *keys, uint64_t hops[BENCH_BURST], unsigned n);
    void (*bytes)(void *instance, struct bench_bytes *bytes);

    /* Applies changes in order and gives back what memory it can at once. */
    int (*update)(void *instance, const struct lpm_change *changes, size_t n);
    /* Around and between the runs of a thread that reads while another updates. May be NULL. */
    void (*reader_begin)(void);
    void (*reader_quiescent)(void);
    void (*reader_end)(void);
};

extern const struct bench_engine bench_engine_lpm, bench_engine_fib, bench_engine_rte_lpm,
    bench_engine_fib6, bench_engine_rte_lpm6;

/* Fills engines[] with those for family, ours first; without the slow ones when quick. Returns how
 * many. */
#define BENCH_ENGINES_MAX 4
unsigned bench_engines(enum lpm_family family, bool quick,
                       const struct bench_engine *engines[BENCH_ENGINES_MAX]);

#endif

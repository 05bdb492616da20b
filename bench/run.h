/*
 * What every bench has: its table, the oracle over it, how often and how long to measure, a log.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench/bench.h"
#include "bench/clock.h"
#include "bench/keys.h"
#include "bench/many.h"
#include "bench/oracle.h"

#define BENCH_ROUNDS_MAX 16

struct bench_run {
    const struct bench_options *options;
    struct bench_table table;
    struct bench_oracle *oracle;
    unsigned rounds;
    size_t keys; /* a multiple of BENCH_BURST */
    struct bench_cpus cpus;
};

/* Opens the table, pins the thread and registers it as a reader. bench_run_end() undoes this, also
 * after a failure. */
int bench_run_begin(const struct bench_options *options, struct bench_run *run,
                    struct bench_error *error);
void bench_run_end(struct bench_run *run);
/* Starts DPDK with memory for this table in its engines. */
int bench_run_start_peers(struct bench_run *run, struct bench_error *error);

/* A line of progress. */
void bench_run_say(const struct bench_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Millions of lookups a second. */
double bench_mlps(size_t lookups, uint64_t ns);

/* The fields that every row about lookups has. */
json_t *bench_row_lookup(const struct bench_run *run, enum bench_key_kind kind, size_t fibs,
                         unsigned locality, const char *engine, const struct bench_summary *mlps);
/* Measures traffic over many FIBs and appends a row: with the variant that the trie chooses by
 * itself, or one row for each variant. */
int bench_run_traffic(struct bench_run *run, const struct bench_many *many,
                      enum bench_key_kind kind, unsigned locality, bool all_variants, json_t *rows);

#endif

/*
 * What every bench has.
 */
#include "bench/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/eal.h"
#include "bench/engine.h"
#include "bench/lines.h"
#include "lpm/rcu.h"

/* Odd, so that the median is a run that took place. */
#define ROUNDS       9
#define ROUNDS_QUICK 3
/* As many keys as make a run of 10 to 100 ms: long beside the clock's resolution, and far more than
 * any cache holds the way for. */
#define KEYS       ((size_t)1 << 22)
#define KEYS_QUICK ((size_t)1 << 20)

#define VARIANTS_MAX 8

int bench_run_begin(const struct bench_options *options, struct bench_run *run,
                    struct bench_error *error)
{
    size_t keys = options->keys ? options->keys : options->quick ? KEYS_QUICK : KEYS;
    int result;

    *run = (struct bench_run){.options = options};
    run->rounds = options->quick ? ROUNDS_QUICK : ROUNDS;
    run->keys = (keys + BENCH_BURST - 1) / BENCH_BURST * BENCH_BURST;
    bench_cpus_read(&run->cpus);
    bench_cpus_pin(&run->cpus, 0);
    lpm_rcu_register_thread();
    result = bench_table_open(options, &run->table, error);
    if (result < 0)
        return result;
    run->oracle = bench_oracle_of(&run->table);
    if (!run->oracle)
        return bench_fail(error, -ENOMEM, "out of memory");
    return 0;
}

void bench_run_end(struct bench_run *run)
{
    bench_oracle_destroy(run->oracle);
    bench_table_free(&run->table);
    lpm_rcu_unregister_thread();
    bench_cpus_restore(&run->cpus);
}

/* All engines of a family at once: about 400 MB for tables of 2^24 entries and EAL itself, and for
 * each route its nodes in rte_rib and, for IPv6, two second-level tables of 1 KB. */
int bench_run_start_peers(struct bench_run *run, struct bench_error *error)
{
    size_t per_route = run->table.family == LPM_IPV4 ? 512 : 3072;
    int result = bench_eal_start(((size_t)512 << 20) + run->table.n * per_route, error);

    if (result == 0)
        bench_run_say(run, "DPDK's tables are on %s pages", bench_eal_huge() ? "2 MB" : "4 KB");
    return result;
}

void bench_run_say(const struct bench_run *run, const char *format, ...)
{
    va_list list;

    if (!run->options->log)
        return;
    va_start(list, format);
    vfprintf(run->options->log, format, list);
    va_end(list);
    fputc('\n', run->options->log);
}

double bench_mlps(size_t lookups, uint64_t ns)
{
    return ns > 0 ? (double)lookups * 1e3 / (double)ns : 0;
}

json_t *bench_row_lookup(const struct bench_run *run, enum bench_key_kind kind, size_t fibs,
                         unsigned locality, const char *engine, const struct bench_summary *mlps)
{
    return json_pack("{s:s, s:i, s:I, s:s, s:I, s:i, s:s, s:f, s:f, s:f}", "work", "lookup",
                     "family", (int)run->table.family, "routes", (json_int_t)run->table.n, "keys",
                     bench_keys_name(kind), "fibs", (json_int_t)fibs, "locality", (int)locality,
                     "engine", engine, "mlps_median", mlps->median, "mlps_min", mlps->min,
                     "mlps_max", mlps->max);
}

/* --- Many FIBs -------------------------------------------------------------------------------- */

struct timing {
    unsigned variant;
    double mlps[BENCH_ROUNDS_MAX];
    size_t wrong;
};

/* The variants of the trie that this machine can run. Returns how many. */
static unsigned list_variants(struct timing timings[VARIANTS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; n < VARIANTS_MAX && bench_engine_lpm.variant(NULL, i); i++)
        if (bench_engine_lpm.select(NULL, i))
            timings[n++] = (struct timing){.variant = i};
    return n;
}

static void time_traffic(const struct bench_run *run, const struct bench_many *many,
                         const struct bench_traffic *traffic, struct timing *timings, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bench_engine_lpm.select(NULL, timings[i].variant);
        timings[i].wrong = bench_traffic_wrong(many, run->oracle, traffic);
    }
    for (unsigned round = 0; round < run->rounds; round++) {
        for (unsigned i = 0; i < n; i++) {
            bench_engine_lpm.select(NULL, timings[i].variant);
            uint64_t start = bench_cpu_ns();
            bench_traffic_run(traffic);
            timings[i].mlps[round] = bench_mlps(traffic->keys->n, bench_cpu_ns() - start);
            lpm_rcu_quiescent();
        }
    }
    bench_engine_lpm.select(NULL, 0);
}

static void add_traffic_row(const struct bench_run *run, const struct bench_many *many,
                            enum bench_key_kind kind, unsigned locality, struct timing *timing,
                            json_t *rows)
{
    struct bench_summary summary = bench_summarize(timing->mlps, run->rounds);
    json_t *row = bench_row_lookup(run, kind, many->n, locality,
                                   bench_engine_lpm.variant(NULL, timing->variant), &summary);
    size_t lookup = many->bytes_base_lookup + many->bytes_derived_lookup;
    size_t all = many->bytes_base + many->bytes_derived;

    json_object_set_new(row, "bytes", json_integer((json_int_t)lookup));
    json_object_set_new(row, "bytes_writer", json_integer((json_int_t)(all - lookup)));
    json_object_set_new(row, "ratio_to_best_peer", json_null());
    json_object_set_new(row, "wrong", json_integer((json_int_t)timing->wrong));
    json_array_append_new(rows, row);
}

int bench_run_traffic(struct bench_run *run, const struct bench_many *many,
                      enum bench_key_kind kind, unsigned locality, bool all_variants, json_t *rows)
{
    struct timing timings[VARIANTS_MAX] = {{.variant = 0}};
    unsigned n = all_variants ? list_variants(timings) : 1;
    struct bench_traffic traffic;
    struct bench_keys keys;
    int result = bench_keys_draw(kind, many->table, run->keys, &keys);

    if (result < 0)
        return result;
    result = bench_traffic_draw(many, &keys, locality, &traffic);
    if (result == 0) {
        bench_run_say(run, "%zu FIBs, keys %s, same FIB for %u", many->n, bench_keys_name(kind),
                      locality);
        time_traffic(run, many, &traffic, timings, n);
        for (unsigned i = 0; i < n; i++)
            add_traffic_row(run, many, kind, locality, &timings[i], rows);
        bench_traffic_free(&traffic);
    }
    bench_keys_free(&keys);
    return result;
}

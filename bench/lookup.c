/*
 * bench lookup: lookups a second, engine beside engine.
 *
 *      for each kind of key
 *          draw keys, ask the oracle for all answers
 *          hold every contender's answers against them
 *          for each round, for each contender: time one run over all keys
 *
 * A contender is one lookup variant of one engine. With many FIBs only the trie competes: the peers
 * would need 67 MB and more for each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/eal.h"
#include "bench/engine.h"
#include "bench/lines.h"
#include "bench/many.h"
#include "bench/oracle.h"
#include "bench/run.h"
#include "lpm/rcu.h"

#define CONTENDERS_MAX 16
#define WARMING_PART   4

struct contender {
    const struct bench_engine *engine;
    void *instance;
    unsigned variant;
    const char *name;
    double mlps[BENCH_ROUNDS_MAX];
    size_t wrong;
};

struct race {
    struct bench_run *run;
    void *instances[BENCH_ENGINES_MAX];
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    unsigned engines_n;
    struct contender contenders[CONTENDERS_MAX];
    unsigned n;
};

/* --- Contenders ------------------------------------------------------------------------------- */

/* select() is the question whether this machine can run a variant. */
static void add_variants(struct race *race, const struct bench_engine *engine, void *instance)
{
    const char *name;

    for (unsigned i = 0; (name = engine->variant(instance, i)) && race->n < CONTENDERS_MAX; i++) {
        if (!engine->select(instance, i))
            continue;
        race->contenders[race->n++] =
            (struct contender){.engine = engine, .instance = instance, .variant = i, .name = name};
    }
}

/* All engines stay loaded while any is measured, or they could not take turns. */
static int build_all(struct race *race, struct bench_error *error)
{
    struct bench_run *run = race->run;

    race->engines_n = bench_engines(run->table.family, run->options->quick, race->engines);
    for (unsigned i = 0; i < race->engines_n; i++) {
        const struct bench_engine *engine = race->engines[i];
        bench_run_say(run, "loading %zu routes into %s%s", run->table.n, engine->name,
                      engine->loads_slowly && run->table.n > 200000 ? ", which takes minutes" : "");
        int result = engine->build(&run->table, &race->instances[i]);
        if (result < 0) {
            race->instances[i] = NULL;
            return bench_fail(error, result, "%s: loading the table: %s", engine->name,
                              strerror(-result));
        }
        add_variants(race, engine, race->instances[i]);
    }
    return 0;
}

static void destroy_all(struct race *race)
{
    bench_engine_lpm.select(NULL, 0);
    for (unsigned i = 0; i < race->engines_n; i++)
        if (race->instances[i])
            race->engines[i]->destroy(race->instances[i]);
}

/* --- One kind of key -------------------------------------------------------------------------- */

static size_t count_wrong(const struct contender *contender, const struct bench_keys *keys,
                          const uint32_t *right, uint32_t *leaves)
{
    size_t wrong = 0;

    contender->engine->answers(contender->instance, keys->any, keys->n, leaves);
    for (size_t i = 0; i < keys->n; i++)
        wrong += leaves[i] != right[i];
    return wrong;
}

/* Holds every contender's answers against the oracle's, key by key. This is also the pass that
 * warms caches and page tables, so the first timed round is like the others. */
static int check_all(struct race *race, const struct bench_keys *keys, uint64_t *sum)
{
    uint32_t *right = bench_oracle_answers(race->run->oracle, keys);
    uint32_t *leaves = bench_memory(keys->n * sizeof(*leaves));
    int result = right && leaves ? 0 : -ENOMEM;

    *sum = 0;
    for (size_t i = 0; result == 0 && i < keys->n; i++)
        *sum += right[i];
    for (unsigned i = 0; result == 0 && i < race->n; i++) {
        struct contender *contender = &race->contenders[i];
        contender->engine->select(contender->instance, contender->variant);
        contender->wrong = count_wrong(contender, keys, right, leaves);
    }
    free(right);
    free(leaves);
    return result;
}

/* One timed run. A part of the keys goes through first: the contender before may have left nothing of
 * this one's table in the cache, and whose turn comes after whose must not matter. The checksum is
 * compared as well: a run that did less than all keys would be the fastest. */
static void time_one(struct contender *contender, unsigned round, const struct bench_keys *keys,
                     uint64_t right_sum)
{
    const struct bench_engine *engine = contender->engine;
    size_t warming = keys->n / BENCH_BURST / WARMING_PART * BENCH_BURST;

    engine->select(contender->instance, contender->variant);
    engine->run(contender->instance, keys->any, warming);
    uint64_t start_ns = bench_cpu_ns();
    uint64_t sum = engine->run(contender->instance, keys->any, keys->n);
    contender->mlps[round] = bench_mlps(keys->n, bench_cpu_ns() - start_ns);
    contender->wrong += sum != right_sum && contender->wrong == 0;
    lpm_rcu_quiescent();
}

static void time_all(struct race *race, const struct bench_keys *keys, uint64_t right_sum)
{
    for (unsigned round = 0; round < race->run->rounds; round++)
        for (unsigned i = 0; i < race->n; i++)
            time_one(&race->contenders[i], round, keys, right_sum);
}

/* The median of the fastest peer whose answers are right; 0 when there is none. */
static double best_peer(const struct race *race, const struct bench_summary *summaries)
{
    double best = 0;

    for (unsigned i = 0; i < race->n; i++) {
        const struct contender *contender = &race->contenders[i];
        if (contender->engine->peer && contender->wrong == 0 && summaries[i].median > best)
            best = summaries[i].median;
    }
    return best;
}

static void add_rows(struct race *race, enum bench_key_kind kind, json_t *rows)
{
    struct bench_summary summaries[CONTENDERS_MAX];

    for (unsigned i = 0; i < race->n; i++)
        summaries[i] = bench_summarize(race->contenders[i].mlps, race->run->rounds);
    double best = best_peer(race, summaries);
    for (unsigned i = 0; i < race->n; i++) {
        const struct contender *contender = &race->contenders[i];
        struct bench_bytes bytes;
        contender->engine->bytes(contender->instance, &bytes);
        json_t *row = bench_row_lookup(race->run, kind, 1, 1, contender->name, &summaries[i]);
        json_object_set_new(row, "bytes", json_integer((json_int_t)bytes.lookup));
        json_object_set_new(row, "bytes_writer", json_integer((json_int_t)bytes.writer));
        json_object_set_new(row, "ratio_to_best_peer",
                            best > 0 ? json_real(summaries[i].median / best) : json_null());
        json_object_set_new(row, "wrong", json_integer((json_int_t)contender->wrong));
        json_array_append_new(rows, row);
    }
}

/* Keys are drawn and dropped one kind at a time: 4 million IPv6 keys are 64 MB. */
static int race_on(struct race *race, enum bench_key_kind kind, json_t *rows)
{
    struct bench_keys keys;
    uint64_t sum;
    int result = bench_keys_draw(kind, &race->run->table, race->run->keys, &keys);

    if (result < 0)
        return result;
    bench_run_say(race->run, "keys %s: %u contenders, %u rounds", bench_keys_name(kind), race->n,
                  race->run->rounds);
    result = check_all(race, &keys, &sum);
    if (result == 0) {
        time_all(race, &keys, sum);
        add_rows(race, kind, rows);
    }
    bench_keys_free(&keys);
    return result;
}

static int one_fib(struct bench_run *run, json_t *rows, struct bench_error *error)
{
    struct race race = {.run = run};
    int result = bench_run_start_peers(run, error);

    if (result < 0)
        return result;
    result = build_all(&race, error);
    for (int kind = BENCH_KEYS_U; result == 0 && kind <= BENCH_KEYS_Z; kind++) {
        result = race_on(&race, (enum bench_key_kind)kind, rows);
        if (result < 0)
            bench_fail(error, result, "%s", strerror(-result));
    }
    destroy_all(&race);
    return result;
}

/* --- Many FIBs -------------------------------------------------------------------------------- */

static int many_fibs(struct bench_run *run, json_t *rows, struct bench_error *error)
{
    static const enum bench_key_kind kinds[] = {BENCH_KEYS_PRIVATE, BENCH_KEYS_P, BENCH_KEYS_Z};
    static const unsigned localities[] = {1, 32};
    struct bench_many many;

    bench_run_say(run, "deriving %zu FIBs", run->options->fibs);
    int result = bench_many_create(BENCH_WORLD_PRIVATE, &run->table, run->options->fibs, &many);
    if (result < 0)
        return bench_fail(error, result, "deriving %zu FIBs: %s", run->options->fibs,
                          strerror(-result));
    for (unsigned i = 0; result == 0 && i < 6; i++)
        result = bench_run_traffic(run, &many, kinds[i / 2], localities[i % 2], true, rows);
    bench_many_destroy(&many);
    if (result < 0)
        bench_fail(error, result, "%s", strerror(-result));
    return result;
}

int bench_lookup(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    struct bench_run run;
    int result = bench_run_begin(options, &run, error);

    if (result == 0)
        result = options->fibs > 1 ? many_fibs(&run, rows, error) : one_fib(&run, rows, error);
    bench_run_end(&run);
    return result;
}

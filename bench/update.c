/*
 * bench update: a day of BGP updates, building the table, and readers beside updates.
 *
 *      for each round, for each contender
 *          build the table (timed: work "build")
 *          apply all updates to it (timed: work "day")
 *      hold the answers of what the last round left against an oracle with the same updates
 *
 * A contender is an engine and the number of updates that it gets at once. DPDK's tables take them
 * one by one whatever the batch, so they have one contender. Every round starts from a freshly
 * built table.
 */
#include "bench/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lines.h"
#include "lpm/rcu.h"

#define CONTENDERS_MAX 8
#define BATCH          256
#define UPDATES_QUICK  200000

struct contender {
    const struct bench_engine *engine;
    size_t batch;
    double build_s[BENCH_ROUNDS_MAX];
    struct bench_pass passes[BENCH_ROUNDS_MAX];
    size_t wrong;
};

struct day {
    struct bench_run *run;
    struct bench_updates updates;
    struct bench_keys keys;
    uint32_t *right; /* answers once all updates have been applied */
    struct contender contenders[CONTENDERS_MAX];
    unsigned n;
};

/* --- Preparing -------------------------------------------------------------------------------- */

/* One by one is what a change costs by itself; in batches is how the engine hands routes over. */
static void list_contenders(struct day *day)
{
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    const struct bench_run *run = day->run;
    unsigned n = bench_engines(run->table.family, run->options->quick, engines);

    for (unsigned i = 0; i < n; i++) {
        if (!engines[i]->changes)
            continue;
        day->contenders[day->n++] = (struct contender){.engine = engines[i], .batch = 1};
        if (!engines[i]->peer)
            day->contenders[day->n++] = (struct contender){.engine = engines[i], .batch = BATCH};
    }
}

/* Leaves run->oracle in the state at the end of the day; nothing needs the other any more. */
static int prepare_answers(struct day *day)
{
    struct bench_run *run = day->run;
    int result = bench_keys_draw(BENCH_KEYS_P, &run->table, run->keys, &day->keys);

    for (size_t i = 0; result == 0 && i < day->updates.n; i++)
        result = bench_oracle_change(run->oracle, &day->updates.changes[i]);
    if (result == 0) {
        day->right = bench_oracle_answers(run->oracle, &day->keys);
        result = day->right ? 0 : -ENOMEM;
    }
    return result;
}

/* --- Rounds ----------------------------------------------------------------------------------- */

static int count_wrong(struct day *day, struct contender *contender, void *instance)
{
    uint32_t *leaves = bench_memory(day->keys.n * sizeof(*leaves));

    if (!leaves)
        return -ENOMEM;
    contender->engine->answers(instance, day->keys.any, day->keys.n, leaves);
    for (size_t i = 0; i < day->keys.n; i++)
        contender->wrong += leaves[i] != day->right[i];
    free(leaves);
    return 0;
}

/* Building is timed together with everything that it allocates; giving memory back is not timed. */
static int run_round(struct day *day, struct contender *contender, unsigned round)
{
    struct bench_run *run = day->run;
    uint64_t start_ns = bench_cpu_ns();
    void *instance;
    int result = contender->engine->build(&run->table, &instance);

    if (result < 0)
        return result;
    contender->build_s[round] = (double)(bench_cpu_ns() - start_ns) / 1e9;
    result = bench_pass_run(contender->engine, instance, &day->updates, contender->batch,
                            &contender->passes[round]);
    if (result == 0 && round + 1 == run->rounds)
        result = count_wrong(day, contender, instance);
    contender->engine->destroy(instance);
    lpm_rcu_quiescent();
    return result;
}

static int run_rounds(struct day *day, struct bench_error *error)
{
    for (unsigned round = 0; round < day->run->rounds; round++) {
        bench_run_say(day->run, "round %u of %u: %zu updates, %u contenders", round + 1,
                      day->run->rounds, day->updates.n, day->n);
        for (unsigned i = 0; i < day->n; i++) {
            int result = run_round(day, &day->contenders[i], round);
            if (result < 0)
                return bench_fail(error, result, "%s: %s", day->contenders[i].engine->name,
                                  strerror(-result));
        }
    }
    return 0;
}

/* --- Rows ------------------------------------------------------------------------------------- */

enum field { RATE, P50, P999, MAX, BUILD };

static struct bench_summary summary_of(const struct day *day, const struct contender *contender,
                                       enum field field)
{
    double values[BENCH_ROUNDS_MAX];

    for (unsigned round = 0; round < day->run->rounds; round++) {
        const struct bench_pass *pass = &contender->passes[round];
        const double fields[] = {pass->updates_per_s, pass->p50_us, pass->p999_us, pass->max_us,
                                 contender->build_s[round]};
        values[round] = fields[field];
    }
    return bench_summarize(values, day->run->rounds);
}

/* The best median of a peer for this field: the highest rate, or the shortest time; 0: no peer. */
static double best_peer(const struct day *day, enum field field)
{
    double best = 0;

    for (unsigned i = 0; i < day->n; i++) {
        double median = summary_of(day, &day->contenders[i], field).median;
        bool better = field == RATE ? median > best : best == 0 || median < best;
        if (day->contenders[i].engine->peer && day->contenders[i].wrong == 0 && better)
            best = median;
    }
    return best;
}

static json_t *day_row(const struct day *day, const struct contender *contender)
{
    struct bench_summary rate = summary_of(day, contender, RATE);
    double best = best_peer(day, RATE);

    return json_pack(
        "{s:s, s:i, s:I, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:I}", "work", "day",
        "family", (int)day->run->table.family, "routes", (json_int_t)day->run->table.n, "engine",
        contender->engine->name, "batch", (json_int_t)contender->batch, "updates",
        (json_int_t)day->updates.n, "updates_per_s", rate.median, "updates_per_s_min", rate.min,
        "updates_per_s_max", rate.max, "p50_us", summary_of(day, contender, P50).median, "p999_us",
        summary_of(day, contender, P999).median, "max_us", summary_of(day, contender, MAX).median,
        "ratio_to_best_peer", best > 0 ? json_real(rate.median / best) : json_null(), "wrong",
        (json_int_t)contender->wrong);
}

static json_t *build_row(const struct day *day, const struct contender *contender)
{
    double seconds = summary_of(day, contender, BUILD).median;
    double best = best_peer(day, BUILD);

    return json_pack("{s:s, s:i, s:I, s:s, s:f, s:n, s:n, s:n, s:o, s:f}", "work", "build",
                     "family", (int)day->run->table.family, "routes", (json_int_t)day->run->table.n,
                     "engine", contender->engine->name, "updates_per_s",
                     (double)day->run->table.n / seconds, "p50_us", "p999_us", "max_us",
                     "ratio_to_best_peer", best > 0 ? json_real(best / seconds) : json_null(),
                     "seconds_median", seconds);
}

static void add_rows(const struct day *day, json_t *rows)
{
    for (unsigned i = 0; i < day->n; i++)
        json_array_append_new(rows, day_row(day, &day->contenders[i]));
    for (unsigned i = 0; i < day->n; i++)
        if (day->contenders[i].batch == 1)
            json_array_append_new(rows, build_row(day, &day->contenders[i]));
}

/* --- All -------------------------------------------------------------------------------------- */

static int measure_day(struct day *day, json_t *rows, struct bench_error *error)
{
    int result = prepare_answers(day);

    if (result < 0)
        return bench_fail(error, result, "%s", strerror(-result));
    list_contenders(day);
    result = run_rounds(day, error);
    if (result < 0)
        return result;
    add_rows(day, rows);
    result = bench_readers(day->run, &day->updates, rows);
    if (result < 0)
        bench_fail(error, result, "readers beside updates: %s", strerror(-result));
    return result;
}

int bench_update(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    struct bench_run run;
    struct day day = {.run = &run};
    int result = bench_run_begin(options, &run, error);

    if (result == 0)
        result = bench_updates_open(options, &run.table, &day.updates, error);
    if (options->quick && day.updates.n > UPDATES_QUICK)
        day.updates.n = UPDATES_QUICK;
    if (result == 0)
        result = bench_run_start_peers(&run, error);
    if (result == 0)
        result = measure_day(&day, rows, error);
    free(day.right);
    bench_keys_free(&day.keys);
    bench_updates_free(&day.updates);
    bench_run_end(&run);
    return result;
}

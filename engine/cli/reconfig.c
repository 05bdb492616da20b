/* See reconfig.h. */
#include "engine/cli/reconfig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"
#include "bench/worker.h"
#include "engine/cli/converge_change.h"
#include "engine/cli/converge_fabric.h"
#include "lpm/rcu.h"

#define PREFIXES      100000u
#define NICS          100u
#define VNETS         4u
#define ROUNDS        9u
#define ROUNDS_QUICK  3u
#define SECONDS       10.0
#define SECONDS_QUICK 1.0
#define BATCH         256u /* changes of a table alone in one call */
#define LPM_PART      0.3  /* of a window's time, for a table alone */

struct reconfig {
    const struct bench_options *options;
    struct converge_size size;
    struct converge_lab *lab;
    double seconds;
};
/* What a work did, in all its windows. */
struct outcome {
    struct bench_worker_report worker; /* sums, and greatest */
    size_t changes, applies;
    double engine_s;      /* CPU time of the engine; 0: not told apart */
    double lpm_changes_s; /* a second, by a table alone; 0: not measured */
    bool may_move;
};

static void note(struct reconfig *bench, struct outcome *outcome)
{
    struct bench_worker_report *sum = &outcome->worker, report;
    bench_worker_end(converge_lab_worker(bench->lab), &report);
    sum->seconds += report.seconds;
    sum->sent += report.sent;
    sum->lost += report.lost;
    sum->late += report.late;
    sum->moved += report.moved;
    sum->stalls += report.stalls;
    sum->mpps = (double)sum->sent / sum->seconds / 1e6;
    if (report.stall_most_us > sum->stall_most_us)
        sum->stall_most_us = report.stall_most_us;
    if (report.stall_p999_us > sum->stall_p999_us)
        sum->stall_p999_us = report.stall_p999_us;
    if (report.gap_most_us > sum->gap_most_us)
        sum->gap_most_us = report.gap_most_us;
}

static void begin(struct reconfig *bench)
{
    bench_worker_begin(converge_lab_worker(bench->lab));
}

static uint64_t end_after(double seconds)
{
    return bench_now_ns() + (uint64_t)(seconds * 1e9);
}

/* --- Works ------------------------------------------------------------------------------------ */

static int do_nothing(struct reconfig *bench, struct outcome *outcome, struct bench_error *error)
{
    const struct timespec pause = {.tv_sec = (time_t)bench->seconds};
    (void)error;
    begin(bench);
    nanosleep(&pause, NULL);
    note(bench, outcome);
    return 0;
}

/* From each reading to the next, and at last to the first. */
static int apply(struct reconfig *bench, struct outcome *outcome, struct bench_error *error)
{
    const uint64_t end_ns = end_after(bench->seconds);
    unsigned reading = 0;
    int status = 0;
    begin(bench);
    do {
        unsigned next = (reading + 1) % CONVERGE_READINGS;
        status = converge_lab_apply(bench->lab, next, error);
        outcome->applies++;
        outcome->changes += converge_fabric_objects(reading) + converge_fabric_objects(next);
        reading = next;
    } while (status == 0 && (reading != 0 || bench_now_ns() < end_ns));
    note(bench, outcome);
    return status;
}

static int load(struct reconfig *bench, struct outcome *outcome, struct bench_error *error)
{
    unsigned rounds = bench->options->quick ? ROUNDS_QUICK : ROUNDS;
    int status = 0;
    for (unsigned i = 0; i < rounds && status == 0; i++) {
        double before_us = converge_lab_engine_us(bench->lab);
        begin(bench);
        status = converge_lab_announce(bench->lab, bench->size.prefixes, true, error);
        note(bench, outcome);
        outcome->changes += bench->size.prefixes;
        outcome->engine_s += (converge_lab_engine_us(bench->lab) - before_us) / 1e6;
        if (status == 0)
            status = converge_lab_announce(bench->lab, bench->size.prefixes, false, error);
    }
    return status;
}

/* Every prefix gets another leaf, in order, again and again. */
static int update_table(struct lpm_fib *fib, struct lpm_route *routes, size_t n, double seconds,
                        double *rate)
{
    struct lpm_change changes[BATCH];
    const uint64_t begin_ns = bench_now_ns(), end_ns = end_after(seconds);
    size_t at = 0, done = 0;
    int status = 0;
    while (status == 0 && bench_now_ns() < end_ns) {
        size_t batch = n - at < BATCH ? n - at : BATCH;
        for (size_t i = 0; i < batch; i++) {
            struct lpm_route *route = &routes[at + i];
            route->leaf = 3 - route->leaf;
            changes[i] = (struct lpm_change){LPM_SET, route->prefix, route->leaf};
        }
        status = lpm_update(fib, changes, batch);
        lpm_rcu_quiescent();
        lpm_rcu_poll();
        done += batch;
        at = (at + batch) % n;
    }
    *rate = (double)done * 1e9 / (double)(bench_now_ns() - begin_ns);
    return status;
}

/* What a table of the trie does by itself with the same prefixes, the worker beside it. */
static int measure_table(const struct reconfig *bench, double *rate)
{
    const size_t n = bench->size.prefixes;
    struct lpm_route *routes = malloc(n * sizeof(*routes));
    struct lpm *lpm = lpm_create();
    struct lpm_fib *fib = NULL;
    int status = routes && lpm ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && status == 0; i++)
        routes[i] = (struct lpm_route){.prefix = converge_prefix(i), .leaf = 1};
    if (status == 0)
        status = lpm_base_create(lpm, LPM_IPV4, routes, n, &fib);
    if (status == 0)
        status = update_table(fib, routes, n, bench->seconds * LPM_PART, rate);
    lpm_release(fib);
    if (lpm)
        lpm_destroy(lpm);
    free(routes);
    return status;
}

static int send_updates(struct reconfig *bench, struct converge_updates *updates,
                        struct outcome *outcome, struct bench_error *error)
{
    const uint64_t end_ns = end_after(bench->seconds);
    double before_us = converge_lab_engine_us(bench->lab);
    int status = 0;
    begin(bench);
    while (status == 0 && bench_now_ns() < end_ns) {
        size_t n;
        status = converge_updates_step(bench->lab, updates, &n, error);
        outcome->changes += n;
    }
    outcome->engine_s = (converge_lab_engine_us(bench->lab) - before_us) / 1e6;
    note(bench, outcome);
    return status;
}

static int update(struct reconfig *bench, struct outcome *outcome, struct bench_error *error)
{
    struct converge_updates *updates = converge_updates_record(bench->lab, error);
    int status = updates ? send_updates(bench, updates, outcome, error) : -ENOMEM;
    if (status == 0)
        status = converge_updates_finish(bench->lab, updates, error);
    converge_updates_free(updates);
    outcome->may_move = true;
    if (status == 0 && (status = measure_table(bench, &outcome->lpm_changes_s)) < 0)
        snprintf(error->text, sizeof(error->text), "a table alone: %s", strerror(-status));
    return status;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static void add_row(const struct reconfig *bench, const char *work, const struct outcome *outcome,
                    json_t *rows)
{
    const struct bench_worker_report *worker = &outcome->worker;
    uint64_t wrong = worker->lost + worker->late + (outcome->may_move ? 0 : worker->moved);
    json_t *row = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I}",
        "work", work, "prefixes", (json_int_t)bench->size.prefixes, "nics",
        (json_int_t)bench->size.nics, "vnets", (json_int_t)bench->size.vnets, "applies",
        (json_int_t)outcome->applies, "changes", (json_int_t)outcome->changes, "changes_per_s",
        (double)outcome->changes / worker->seconds, "seconds", worker->seconds, "mpps",
        worker->mpps, "sent", (json_int_t)worker->sent, "lost", (json_int_t)worker->lost, "late",
        (json_int_t)worker->late, "moved", (json_int_t)worker->moved, "worker_longest_stall_us",
        worker->stall_most_us, "worker_p999_stall_us", worker->stall_p999_us,
        "worker_longest_gap_us", worker->gap_most_us, "wrong", (json_int_t)wrong);
    json_object_set_new(row, "worker_stalls_50us_per_s",
                        json_real((double)worker->stalls / worker->seconds));
    json_object_set_new(row, "engine_s", real_or_null(outcome->engine_s));
    json_object_set_new(row, "lpm_changes_per_s", real_or_null(outcome->lpm_changes_s));
    json_array_append_new(rows, row);
}

static const struct {
    const char *name;
    int (*run)(struct reconfig *bench, struct outcome *outcome, struct bench_error *error);
} works[] = {{"nothing", do_nothing}, {"apply", apply}, {"load", load}, {"updates", update}};
#define WORKS (sizeof(works) / sizeof(works[0]))

static int run_works(struct reconfig *bench, json_t *rows, struct bench_error *error)
{
    const struct bench_options *options = bench->options;
    int status = converge_lab_forward(bench->lab, error);
    for (size_t i = 0; i < WORKS && status == 0; i++) {
        struct outcome outcome = {0};
        if (options->work && strcmp(options->work, works[i].name) != 0)
            continue;
        if (options->log)
            fprintf(options->log, "%s: %zu prefixes, %zu NICs\n", works[i].name,
                    bench->size.prefixes, bench->size.nics);
        status = works[i].run(bench, &outcome, error);
        if (status == 0)
            add_row(bench, works[i].name, &outcome, rows);
    }
    return status;
}

static int check(const struct reconfig *bench, struct bench_error *error)
{
    const struct converge_size *size = &bench->size;
    bool known = !bench->options->work;
    for (size_t i = 0; i < WORKS; i++)
        known = known || strcmp(bench->options->work, works[i].name) == 0;
    if (!known)
        snprintf(error->text, sizeof(error->text), "--work: there is no work '%s' of reconfig",
                 bench->options->work);
    else if (size->prefixes > CONVERGE_PREFIXES_MAX / 2)
        snprintf(error->text, sizeof(error->text), "%zu prefixes are too many: %u at most",
                 size->prefixes, CONVERGE_PREFIXES_MAX / 2);
    else if (size->nics < 2 || size->vnets > size->nics ||
             size->nics > size->vnets * CONVERGE_NICS_A_VNET)
        snprintf(
            error->text, sizeof(error->text),
            "%zu NICs cannot be spread over %zu VNets: each takes 1 to %u, and 2 are the least",
            size->nics, size->vnets, CONVERGE_NICS_A_VNET);
    else
        return 0;
    return -EINVAL;
}

int reconfig_bench(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    struct reconfig bench = {
        .options = options,
        .size = {.prefixes = options->routes ? options->routes : PREFIXES,
                 .nics = options->nics ? options->nics : NICS,
                 .nvas = CONVERGE_NVAS,
                 .ports = true},
        .seconds = options->quick ? SECONDS_QUICK : SECONDS,
    };
    bench.size.vnets = options->vnets ? options->vnets : bench.size.nics < VNETS ? 1 : VNETS;
    int status = check(&bench, error);
    if (status)
        return status;
    bench.lab = converge_lab_open(&bench.size, error);
    if (!bench.lab)
        return -ENOMEM;
    status = run_works(&bench, rows, error);
    converge_lab_close(bench.lab);
    return status;
}

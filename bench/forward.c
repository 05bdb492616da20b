/*
 * bench forward: packets a second of the whole packet path on one core, beside a reference that does
 * l3fwd's work in the same process on the same frames, and beside testpmd.
 *
 *      for each work
 *          make a fabric, draw frames, start the devices
 *          walk all frames once: every one must be forwarded
 *          for each slice of a millisecond: ours, the reference, ours, the reference, ...
 *          a few slices more with a clock at each stage
 *          testpmd, while this process waits
 *
 * Two workers on two cores are measured by scaling.c.
 *
 * Rates are per second of the thread's CPU time. The ratio to the reference is the median of the
 * ratios of neighbouring slices: what slows the machine down slows both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_cycles.h>

#include "bench/eal.h"
#include "bench/engine.h"
#include "bench/fabric.h"
#include "bench/l3fwd.h"
#include "bench/lines.h"
#include "bench/run.h"
#include "bench/scaling.h"
#include "bench/testpmd.h"
#include "dataplane/loop.h"
#include "lpm/rcu.h"

#define SLICE_FRAMES     19200u /* about a millisecond's */
#define ROUND_FRAMES     32u    /* that a device gives at once */
#define SLICES           1001u
#define SLICES_QUICK     201u
#define SLICES_TIMED     51u
#define VARIANTS_MAX     4u
#define TESTPMD_MS       2000u
#define TESTPMD_MS_LEAST 200u /* where slices are short, too */
#define FRAMES           4096u
#define FRAMES_MANY_NICS 16384u
#define BUFFER_BYTES     ((size_t)2560)
#define MEMORY           ((size_t)640 << 20)
#define FULL_TABLE       ((size_t)1200000) /* routes, with room for years */
#define ROUTE_BYTES      ((size_t)512)

struct work {
    const char *name;
    enum lpm_family family;
    size_t routes; /* 0: the whole table */
    struct bench_fabric_shape shape;
    unsigned frames;
    bool trace; /* takes a capture of the user's */
};
static const struct work works[] = {
    {"single-fib", LPM_IPV4, 20000, {1, 1, 1}, FRAMES, true},
    {"ecmp8-1000-fibs", LPM_IPV4, 10000, {1000, 1000, 8}, FRAMES, false},
    {"full-table", LPM_IPV4, 0, {1, 1, 1}, FRAMES, false},
    {"ipv6", LPM_IPV6, 20000, {1, 1, 1}, FRAMES, true},
    {"vxlan", LPM_IPV4, 20000, {1, 1, 1, .vxlan = true}, FRAMES, false},
    {"vxlan-in", LPM_IPV4, 20000, {1, 1, 1, .vxlan_in = true}, FRAMES, false},
    {"two-workers", LPM_IPV4, 20000, {1, 1, 1, .workers = 2}, FRAMES, false},
    {"10000-nics", LPM_IPV4, 20000, {10000, 1, 1}, FRAMES_MANY_NICS, false},
};
#define WORKS (sizeof(works) / sizeof(works[0]))

struct trial {
    const struct work *work;
    struct bench_run *run;
    struct bench_fabric fabric;
    struct bench_feed feed;
    struct dp_loop *loop;
    const struct bench_engine *engine;
    void *instance;
    struct bench_l3fwd l3fwd;
    unsigned variants[VARIANTS_MAX]; /* of the reference's table that this machine has */
    unsigned variants_n;
    size_t slices;
    unsigned rounds;                              /* in a slice */
    double *ours, *theirs[VARIANTS_MAX], *ratios; /* Mpps by slice */
    size_t unforwarded;
};

/* --- Making a trial --------------------------------------------------------------------------- */

static int fill_feed(struct trial *trial, struct bench_error *error)
{
    const char *trace = trial->run->options->pcap;
    const struct bench_fabric *fabric = &trial->fabric;

    if (trace)
        return bench_feed_read(&trial->feed, trace, trial->work->family, fabric->senders, error);
    return bench_feed_draw(&trial->feed, &trial->run->table, fabric->senders, fabric->nics,
                           trial->work->shape.vxlan_in ? &fabric->tunnel : NULL,
                           trial->work->frames, error);
}

static int load_reference(struct trial *trial, struct bench_error *error)
{
    trial->engine = trial->work->family == LPM_IPV4 ? &bench_engine_fib : &bench_engine_fib6;
    int result = trial->engine->build(&trial->run->table, &trial->instance);

    if (result < 0) {
        trial->instance = NULL;
        return bench_fail(error, result, "%s: loading the table: %s", trial->engine->name,
                          strerror(-result));
    }
    for (unsigned i = 0;
         trial->engine->variant(trial->instance, i) && trial->variants_n < VARIANTS_MAX; i++)
        if (trial->engine->select(trial->instance, i))
            trial->variants[trial->variants_n++] = i;
    bench_l3fwd_begin(&trial->l3fwd, trial->engine, trial->instance, &trial->feed);
    return 0;
}

static int make_room(struct trial *trial)
{
    bool all = true;

    const struct bench_options *options = trial->run->options;
    trial->slices = options->quick ? SLICES_QUICK : SLICES;
    trial->rounds = (unsigned)(options->keys ? options->keys : SLICE_FRAMES) / ROUND_FRAMES + 1;
    trial->ours = calloc(trial->slices, sizeof(double));
    trial->ratios = calloc(trial->slices, sizeof(double));
    for (unsigned i = 0; i < trial->variants_n; i++)
        all = (trial->theirs[i] = calloc(trial->slices, sizeof(double))) != NULL && all;
    return all && trial->ours && trial->ratios ? 0 : -ENOMEM;
}

static int begin(struct trial *trial, struct bench_error *error)
{
    struct bench_fabric_shape shape = trial->work->shape;
    int result;

    shape.any_source = trial->run->options->pcap != NULL;
    result = bench_fabric_create(&trial->run->table, &shape, &trial->fabric);
    if (result < 0)
        return bench_fail(error, result, "%s: %s", trial->work->name, strerror(-result));
    result = fill_feed(trial, error);
    if (result == 0)
        result = bench_feed_open(&trial->feed, error);
    if (result == 0)
        result = load_reference(trial, error);
    if (result < 0)
        return result;
    result = dp_loop_create(trial->fabric.forwarding, 0, trial->feed.ports, BENCH_FEED_PORTS,
                            &trial->loop);
    if (result == 0)
        result = make_room(trial);
    return result == 0 ? 0 : bench_fail(error, result, "out of memory");
}

static void end(struct trial *trial)
{
    dp_loop_destroy(trial->loop);
    if (trial->instance)
        trial->engine->destroy(trial->instance);
    bench_feed_close(&trial->feed);
    bench_fabric_destroy(&trial->fabric);
    free(trial->ours);
    free(trial->ratios);
    for (unsigned i = 0; i < VARIANTS_MAX; i++)
        free(trial->theirs[i]);
}

/* --- Measuring -------------------------------------------------------------------------------- */

static double slice_of_ours(struct trial *trial)
{
    const uint64_t start_ns = bench_cpu_ns();
    size_t frames = 0;

    for (unsigned i = 0; i < trial->rounds; i++)
        frames += dp_loop_round(trial->loop);
    return bench_mlps(frames, bench_cpu_ns() - start_ns);
}

static double slice_of_theirs(struct trial *trial, unsigned variant)
{
    size_t frames = 0;

    trial->engine->select(trial->instance, trial->variants[variant]);
    const uint64_t start_ns = bench_cpu_ns();
    for (unsigned i = 0; i < trial->rounds; i++)
        frames += bench_l3fwd_round(&trial->l3fwd);
    return bench_mlps(frames, bench_cpu_ns() - start_ns);
}

/* Once through all frames, and warm. */
static void check(struct trial *trial)
{
    struct dp_counters counters;
    size_t frames = 0;

    while (frames < trial->feed.frames)
        frames += dp_loop_round(trial->loop);
    dp_counters_total(trial->fabric.forwarding, &counters);
    trial->unforwarded = frames - counters.forwarded;
    for (unsigned v = 0; v < trial->variants_n; v++)
        slice_of_theirs(trial, v);
    trial->unforwarded += trial->l3fwd.dropped; /* a reference that does less is no reference */
}

static void measure(struct trial *trial)
{
    for (size_t slice = 0; slice < trial->slices; slice++) {
        trial->ours[slice] = slice_of_ours(trial);
        for (unsigned v = 0; v < trial->variants_n; v++)
            trial->theirs[v][slice] = slice_of_theirs(trial, v);
    }
}

/* Nanoseconds a packet in each stage: the median slice's. */
static json_t *measure_stages(struct trial *trial)
{
    double ns[DP_LOOP_STAGE_COUNT][SLICES_TIMED];
    json_t *stages = json_object();

    for (unsigned slice = 0; slice < SLICES_TIMED; slice++) {
        uint64_t times[DP_LOOP_STAGE_COUNT] = {0};
        size_t frames = 0;
        for (unsigned i = 0; i < trial->rounds; i++)
            frames += dp_loop_round_timed(trial->loop, times);
        for (unsigned stage = 0; stage < DP_LOOP_STAGE_COUNT; stage++)
            ns[stage][slice] =
                (double)times[stage] * 1e9 / (double)rte_get_tsc_hz() / (double)frames;
    }
    for (unsigned stage = 0; stage < DP_LOOP_STAGE_COUNT; stage++)
        json_object_set_new(stages, dp_loop_stage_name(stage),
                            json_real(bench_summarize(ns[stage], SLICES_TIMED).median));
    return stages;
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* The reference's fastest variant is the one that counts. Leaves its rates sorted. */
static double reference(struct trial *trial, double *ratio)
{
    double best = 0;

    *ratio = 0;
    for (unsigned v = 0; v < trial->variants_n; v++) {
        for (size_t i = 0; i < trial->slices; i++)
            trial->ratios[i] = trial->theirs[v][i] > 0 ? trial->ours[i] / trial->theirs[v][i] : 0;
        const double median = bench_summarize(trial->theirs[v], trial->slices).median;
        if (median <= best)
            continue;
        best = median;
        *ratio = bench_summarize(trial->ratios, trial->slices).median;
    }
    return best;
}

static json_t *real_or_null(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static int add_row(struct trial *trial, json_t *rows, struct bench_error *error)
{
    const struct work *work = trial->work;
    double ratio, theirs = reference(trial, &ratio), ceiling = 0;
    json_t *stages = measure_stages(trial);
    int result = 0;

    if (bench_testpmd_installed())
        result = bench_testpmd_measure(&trial->feed, &trial->run->cpus,
                                       trial->run->options->keys ? TESTPMD_MS_LEAST : TESTPMD_MS,
                                       &ceiling, error);
    const struct bench_summary ours = bench_summarize(trial->ours, trial->slices);
    json_t *row = json_pack(
        "{s:s, s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:o, s:I}", "work", work->name,
        "family", (int)work->family, "routes", (json_int_t)trial->run->table.n, "fibs",
        (json_int_t)work->shape.fibs, "nics", (json_int_t)work->shape.nics, "frames",
        (json_int_t)trial->feed.frames, "frame_bytes",
        (double)trial->feed.bytes / trial->feed.frames, "mpps", ours.median, "mpps_min", ours.min,
        "mpps_max", ours.max, "ns_per_packet", ours.median > 0 ? 1e3 / ours.median : 0, "stages_ns",
        stages, trial->run->options->pcap ? "unforwarded" : "wrong",
        (json_int_t)trial->unforwarded);
    json_object_set_new(row, "mpps_l3fwd", json_real(theirs));
    json_object_set_new(row, "ratio_l3fwd", json_real(ratio));
    json_object_set_new(row, "mpps_testpmd_mac", real_or_null(ceiling));
    json_object_set_new(row, "ratio_testpmd_mac",
                        real_or_null(ceiling > 0 ? ours.median / ceiling : 0));
    json_array_append_new(rows, row);
    return result;
}

/* --- Works ------------------------------------------------------------------------------------ */

/* -ENODATA of begin(): the user's capture has nothing for this work. */
static int run_trial(struct trial *trial, json_t *rows, struct bench_error *error)
{
    int result = begin(trial, error);

    if (result == 0) {
        bench_run_say(trial->run, "%s: %u frames, %zu routes, %zu FIBs, %zu NICs",
                      trial->work->name, trial->feed.frames, trial->run->table.n,
                      trial->work->shape.fibs, trial->work->shape.nics);
        check(trial);
        measure(trial);
        result = add_row(trial, rows, error);
    }
    end(trial);
    return result;
}

static int run_work(const struct work *work, const struct bench_options *options, json_t *rows,
                    struct bench_error *error)
{
    struct bench_options own = *options;
    struct bench_run run;
    int result;

    own.family = (unsigned)work->family;
    if (!own.routes)
        own.routes = work->routes;
    result = bench_run_begin(&own, &run, error);
    if (result == 0 && work->shape.workers > 1) {
        const struct bench_scaling scaling = {work->name, work->shape, work->frames};
        result = bench_scaling_measure(&run, &scaling, rows, error);
    } else if (result == 0) {
        struct trial trial = {.work = work, .run = &run};
        result = run_trial(&trial, rows, error);
    }
    bench_run_end(&run);
    return result == -ENODATA ? 0 : result;
}

/* A table of the user's is of one family, IPv4 unless it is said. */
static bool is_wanted(const struct work *work, const struct bench_options *options)
{
    const unsigned family = options->family ? options->family : options->table ? 4 : 0;

    if (family && family != (unsigned)work->family)
        return false;
    if (options->work)
        return strcmp(options->work, work->name) == 0;
    return !options->pcap || work->trace;
}

static const struct work *find(const char *name)
{
    for (size_t i = 0; i < WORKS; i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    return NULL;
}

/* A capture is nobody's tunnel, and one worker's. */
static bool takes_captures(const struct work *work)
{
    return !work->shape.vxlan_in && work->shape.workers <= 1;
}

/* EAL is started once, with room for the largest of what is wanted: packet buffers, and the reference's
 * table (run.c has the figures). A capture's frames take 16 bytes of header each in its file. */
static size_t memory_of(const struct bench_options *options)
{
    const bool all = !options->work || strcmp(options->work, "full-table") == 0;
    const size_t routes = options->routes ? options->routes : all ? FULL_TABLE : 20000;
    size_t frames = FRAMES_MANY_NICS;
    struct stat file;

    if (options->pcap && stat(options->pcap, &file) == 0)
        frames = (size_t)file.st_size / (16 + BENCH_FRAME_LEAST);
    if (frames > BENCH_FRAMES_MAX)
        frames = BENCH_FRAMES_MAX;
    return MEMORY + frames * BUFFER_BYTES + routes * ROUTE_BYTES;
}

int bench_forward(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    const struct work *named = options->work ? find(options->work) : NULL;
    int result = 0;

    if (options->work && !named)
        return bench_fail(error, -EINVAL, "--work: there is no work '%s' of forward",
                          options->work);
    if (options->pcap && named && !takes_captures(named))
        return bench_fail(error, -EINVAL, "--pcap: the work %s has frames of its own", named->name);
    result = bench_eal_start(memory_of(options), error);
    for (size_t i = 0; i < WORKS && result == 0; i++)
        if (is_wanted(&works[i], options))
            result = run_work(&works[i], options, rows, error);
    if (result == 0 && json_array_size(rows) == 0)
        result = bench_fail(error, -EINVAL,
                            "nothing to measure: no frame of the family is whole, or there is "
                            "no second CPU");
    return result;
}

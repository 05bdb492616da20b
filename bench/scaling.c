/*
 * See scaling.h.
 *
 *      slice:  ours, lane 0 | lane 1 | both | reference, lane 0 | lane 1 | both
 *
 * Two CPUs are seldom equally fast, so one lane alone is the mean of each alone.
 *
 * Lane 0 is the calling thread, lane 1 a thread on another CPU, which sleeps while lane 0 is alone. Of both
 * lanes only the time counts in which both run: lane 0 begins when lane 1 is under way, and ends it. Rates are of
 * each thread's own CPU time, so another program on one of the CPUs costs cache and not time.
 */
#include "bench/scaling.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "bench/engine.h"
#include "bench/l3fwd.h"
#include "bench/lines.h"
#include "dataplane/loop.h"
#include "lpm/rcu.h"

#define LANES        2u
#define SLICES       501u
#define SLICES_QUICK 51u
#define SLICE_NS     UINT64_C(3000000) /* long beside waking a thread */
#define CHECK_ROUNDS 16u               /* between two looks at the clock */
#define WARM_ROUNDS  256u
#define TRIAL_ROUNDS 2000u
#define VARIANTS_MAX 4u

enum forwarder { OURS, REFERENCE, FORWARDERS };

struct pair;
struct lane {
    struct pair *pair;
    struct bench_feed feed;
    struct dp_loop *loop;
    struct bench_l3fwd l3fwd;
    double mpps; /* of the last slice */
};
struct pair {
    struct bench_run *run;
    struct bench_fabric fabric;
    struct lane lanes[LANES];
    const struct bench_engine *engine;
    void *instance;
    size_t slices;
    double *one[FORWARDERS], *both[FORWARDERS], *ratios; /* by slice */
    size_t unforwarded;
    /* Between the lanes; what is told is told by the semaphores. */
    pthread_t thread;
    sem_t wanted, done;
    enum forwarder forwarder; /* of the next slice; FORWARDERS: no more */
    uint64_t end_ns;          /* of lane 1 alone; 0: with lane 0, which says when it is over */
    _Atomic bool under_way, over;
};

/* --- Lanes ------------------------------------------------------------------------------------ */

static unsigned go_round(struct lane *lane, enum forwarder forwarder)
{
    return forwarder == OURS ? dp_loop_round(lane->loop) : bench_l3fwd_round(&lane->l3fwd);
}

static bool is_over(struct pair *pair, uint64_t end_ns)
{
    return end_ns ? bench_now_ns() >= end_ns
                  : atomic_load_explicit(&pair->over, memory_order_relaxed);
}

/* end_ns 0: until it is told. The other forwarder, or nobody, was here before: its first rounds do not count. */
static void run_slice(struct lane *lane, enum forwarder forwarder, uint64_t end_ns)
{
    size_t frames = 0;

    for (unsigned i = 0; i < WARM_ROUNDS; i++)
        go_round(lane, forwarder);
    const uint64_t start_ns = bench_cpu_ns();
    do {
        for (unsigned i = 0; i < CHECK_ROUNDS; i++)
            frames += go_round(lane, forwarder);
    } while (!is_over(lane->pair, end_ns));
    lane->mpps = bench_mlps(frames, bench_cpu_ns() - start_ns);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0 && errno == EINTR)
        ;
}

/* A sleeping reader would hold up the writer, so it is none meanwhile. */
static enum forwarder wait_for_turn(struct pair *pair)
{
    lpm_rcu_offline();
    wait_for(&pair->wanted);
    lpm_rcu_online();
    return pair->forwarder;
}

/* Registered with DPDK, as workers are, so that it has caches of packet buffers. */
static void *lane_thread(void *context)
{
    struct lane *lane = context;
    struct pair *pair = lane->pair;
    enum forwarder forwarder;

    bench_cpus_pin(&pair->run->cpus, 1);
    rte_thread_register();
    lpm_rcu_register_thread();
    while ((forwarder = wait_for_turn(pair)) != FORWARDERS) {
        atomic_store(&pair->under_way, true);
        run_slice(lane, forwarder, pair->end_ns);
        sem_post(&pair->done);
    }
    lpm_rcu_unregister_thread();
    rte_thread_unregister();
    return NULL;
}

/* Returns the rate of both together. */
static double run_both(struct pair *pair, enum forwarder forwarder)
{
    atomic_store(&pair->under_way, false);
    atomic_store(&pair->over, false);
    pair->forwarder = forwarder;
    pair->end_ns = 0;
    sem_post(&pair->wanted);
    while (!atomic_load(&pair->under_way))
        ;
    run_slice(&pair->lanes[0], forwarder, bench_now_ns() + SLICE_NS);
    atomic_store(&pair->over, true);
    wait_for(&pair->done);
    return pair->lanes[0].mpps + pair->lanes[1].mpps;
}

static double run_each_alone(struct pair *pair, enum forwarder forwarder)
{
    run_slice(&pair->lanes[0], forwarder, bench_now_ns() + SLICE_NS);
    pair->forwarder = forwarder;
    pair->end_ns = bench_now_ns() + SLICE_NS;
    sem_post(&pair->wanted);
    wait_for(&pair->done);
    return (pair->lanes[0].mpps + pair->lanes[1].mpps) / 2;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static int open_lane(struct pair *pair, unsigned number, unsigned frames, struct bench_error *error)
{
    struct lane *lane = &pair->lanes[number];
    int result;

    lane->pair = pair;
    result = bench_feed_draw(&lane->feed, &pair->run->table, pair->fabric.senders,
                             pair->fabric.nics, NULL, frames, error);
    if (result == 0)
        result = bench_feed_open(&lane->feed, error);
    if (result < 0)
        return result;
    bench_l3fwd_begin(&lane->l3fwd, pair->engine, pair->instance, &lane->feed);
    result = dp_loop_create(pair->fabric.forwarding, number, lane->feed.ports, BENCH_FEED_PORTS,
                            &lane->loop);
    return result == 0 ? 0 : bench_fail(error, result, "out of memory");
}

static int make_room(struct pair *pair)
{
    bool all = true;

    pair->slices = pair->run->options->quick ? SLICES_QUICK : SLICES;
    for (unsigned i = 0; i < FORWARDERS; i++) {
        pair->one[i] = calloc(pair->slices, sizeof(double));
        pair->both[i] = calloc(pair->slices, sizeof(double));
        all = all && pair->one[i] && pair->both[i];
    }
    pair->ratios = calloc(pair->slices, sizeof(double));
    return all && pair->ratios ? 0 : -ENOMEM;
}

static int begin(struct pair *pair, const struct bench_scaling *scaling, struct bench_error *error)
{
    int result = bench_fabric_create(&pair->run->table, &scaling->shape, &pair->fabric);

    if (result < 0)
        return bench_fail(error, result, "%s: %s", scaling->work, strerror(-result));
    pair->engine = pair->run->table.family == LPM_IPV4 ? &bench_engine_fib : &bench_engine_fib6;
    result = pair->engine->build(&pair->run->table, &pair->instance);
    if (result < 0) {
        pair->instance = NULL;
        return bench_fail(error, result, "%s: loading the table: %s", pair->engine->name,
                          strerror(-result));
    }
    for (unsigned i = 0; i < LANES && result == 0; i++)
        result = open_lane(pair, i, scaling->frames, error);
    if (result == 0 && make_room(pair) < 0)
        result = bench_fail(error, -ENOMEM, "out of memory");
    if (result < 0)
        return result;
    result = -pthread_create(&pair->thread, NULL, lane_thread, &pair->lanes[1]);
    return result == 0
               ? 0
               : bench_fail(error, result, "a thread cannot be started: %s", strerror(-result));
}

static void end(struct pair *pair)
{
    for (unsigned i = 0; i < LANES; i++) {
        dp_loop_destroy(pair->lanes[i].loop);
        bench_feed_close(&pair->lanes[i].feed);
    }
    if (pair->instance)
        pair->engine->destroy(pair->instance);
    bench_fabric_destroy(&pair->fabric);
    for (unsigned i = 0; i < FORWARDERS; i++) {
        free(pair->one[i]);
        free(pair->both[i]);
    }
    free(pair->ratios);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* The faster of the reference's variants counts, as in the other works. */
static void choose_variant(struct pair *pair)
{
    double best = 0;
    unsigned chosen = 0;

    for (unsigned i = 0; i < VARIANTS_MAX && pair->engine->variant(pair->instance, i); i++) {
        if (!pair->engine->select(pair->instance, i))
            continue;
        const uint64_t start_ns = bench_cpu_ns();
        size_t frames = 0;
        for (unsigned round = 0; round < TRIAL_ROUNDS; round++)
            frames += bench_l3fwd_round(&pair->lanes[0].l3fwd);
        const double mpps = bench_mlps(frames, bench_cpu_ns() - start_ns);
        if (mpps > best) {
            best = mpps;
            chosen = i;
        }
    }
    pair->engine->select(pair->instance, chosen);
}

static void measure(struct pair *pair)
{
    for (size_t slice = 0; slice < pair->slices; slice++) {
        for (enum forwarder forwarder = OURS; forwarder < FORWARDERS; forwarder++) {
            pair->one[forwarder][slice] = run_each_alone(pair, forwarder);
            pair->both[forwarder][slice] = run_both(pair, forwarder);
        }
    }
}

/* Of frames that were not forwarded, by either. */
static size_t count_unforwarded(struct pair *pair)
{
    struct dp_counters counters;

    dp_counters_total(pair->fabric.forwarding, &counters);
    return counters.received - counters.forwarded + pair->lanes[0].l3fwd.dropped +
           pair->lanes[1].l3fwd.dropped;
}

/* --- The row ---------------------------------------------------------------------------------- */

static double median_ratio(struct pair *pair, const double *above, const double *below)
{
    for (size_t i = 0; i < pair->slices; i++)
        pair->ratios[i] = below[i] > 0 ? above[i] / below[i] : 0;
    return bench_summarize(pair->ratios, pair->slices).median;
}

/* The ratios first: a summary leaves its values sorted. */
static void add_row(struct pair *pair, const struct bench_scaling *scaling, json_t *rows)
{
    const struct bench_feed *feed = &pair->lanes[0].feed;
    const double scales = median_ratio(pair, pair->both[OURS], pair->one[OURS]),
                 theirs = median_ratio(pair, pair->both[REFERENCE], pair->one[REFERENCE]),
                 ratio = median_ratio(pair, pair->both[OURS], pair->both[REFERENCE]);
    const struct bench_summary both = bench_summarize(pair->both[OURS], pair->slices),
                               reference = bench_summarize(pair->both[REFERENCE], pair->slices);
    json_t *row = json_pack(
        "{s:s, s:i, s:I, s:I, s:I, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:n, s:f, s:f, s:n, s:n}",
        "work", scaling->work, "family", (int)pair->run->table.family, "routes",
        (json_int_t)pair->run->table.n, "fibs", (json_int_t)scaling->shape.fibs, "nics",
        (json_int_t)scaling->shape.nics, "workers", (int)LANES, "frames", (json_int_t)feed->frames,
        "frame_bytes", (double)feed->bytes / feed->frames, "mpps", both.median, "mpps_min",
        both.min, "mpps_max", both.max, "ns_per_packet", both.median > 0 ? 1e3 / both.median : 0,
        "stages_ns", "mpps_l3fwd", reference.median, "ratio_l3fwd", ratio, "mpps_testpmd_mac",
        "ratio_testpmd_mac");

    json_object_set_new(row, "scaling", json_real(scales));
    json_object_set_new(row, "scaling_l3fwd", json_real(theirs));
    json_object_set_new(row, "wrong", json_integer((json_int_t)pair->unforwarded));
    json_array_append_new(rows, row);
}

static void run_pair(struct pair *pair)
{
    choose_variant(pair);
    measure(pair);
    pair->unforwarded = count_unforwarded(pair);
    pair->forwarder = FORWARDERS;
    sem_post(&pair->wanted);
    pthread_join(pair->thread, NULL);
}

int bench_scaling_measure(struct bench_run *run, const struct bench_scaling *scaling, json_t *rows,
                          struct bench_error *error)
{
    struct pair pair = {.run = run};

    if (CPU_COUNT(&run->cpus.allowed) < (int)LANES) {
        bench_run_say(run, "%s: left out, this process has one CPU", scaling->work);
        return 0;
    }
    sem_init(&pair.wanted, 0, 0);
    sem_init(&pair.done, 0, 0);
    int result = begin(&pair, scaling, error);
    if (result == 0) {
        bench_run_say(run, "%s: %zu routes, one worker and two, in turns", scaling->work,
                      run->table.n);
        run_pair(&pair);
        add_row(&pair, scaling, rows);
    }
    end(&pair);
    sem_destroy(&pair.wanted);
    sem_destroy(&pair.done);
    return result;
}

/*
 * How much slower one thread reads while another updates the same table.
 *
 *      window:   nobody updates | 100,000 updates a second | as many as go
 *
 * The windows take turns, each with a reader of its own on the other CPU, whose rate is of its CPU
 * time. The paced writer hands over what has come in each millisecond, which is the longest that
 * the engine may hold updates back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "bench/update.h"

#define WINDOW_NS     300000000u
#define TICK_NS       1000000u
#define TICK_UPDATES  100 /* 100,000 a second */
#define FULL_BATCH    256
#define READER_BURSTS 8 /* between two quiescent states, as a worker with eight queues */

enum window { IDLE, PACED, FLAT_OUT, WINDOWS };

struct reader {
    const struct bench_run *run;
    const struct bench_engine *engine;
    void *instance;
    const struct bench_keys *keys;
    _Atomic bool stop;
    double mlps;
};

struct subject {
    const struct bench_engine *engine;
    void *instance;
    size_t next; /* update */
    double mlps[WINDOWS][BENCH_ROUNDS_MAX];
    double updates_per_s[WINDOWS][BENCH_ROUNDS_MAX];
};

/* --- Reader ----------------------------------------------------------------------------------- */

/* The rate is of the reader's own CPU time: a window in which another program had the CPU is
 * shorter, not slower. */
static void *read_until_stopped(void *context)
{
    struct reader *reader = context;
    size_t chunk = READER_BURSTS * BENCH_BURST, at = 0, lookups = 0;

    bench_cpus_pin(&reader->run->cpus, 1);
    if (reader->engine->reader_begin)
        reader->engine->reader_begin();
    uint64_t start_ns = bench_cpu_ns();
    while (!atomic_load_explicit(&reader->stop, memory_order_relaxed)) {
        reader->engine->run(reader->instance, bench_keys_at(reader->keys, at), chunk);
        if (reader->engine->reader_quiescent)
            reader->engine->reader_quiescent();
        lookups += chunk;
        at = at + 2 * chunk <= reader->keys->n ? at + chunk : 0;
    }
    reader->mlps = bench_mlps(lookups, bench_cpu_ns() - start_ns);
    if (reader->engine->reader_end)
        reader->engine->reader_end();
    return NULL;
}

/* --- Writer ----------------------------------------------------------------------------------- */

/* Applies up to *n updates from where the subject stands, and says how many; begins again at the
 * end. */
static int apply(struct subject *subject, const struct bench_updates *updates, size_t *n)
{
    if (subject->next == updates->n)
        subject->next = 0;
    if (*n > updates->n - subject->next)
        *n = updates->n - subject->next;
    subject->next += *n;
    return subject->engine->update(subject->instance, updates->changes + subject->next - *n, *n);
}

static void sleep_until(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

/* Ticks are counted from the start, so a tick that came late is made up for and the rate holds. */
static int write_for(enum window window, struct subject *subject,
                     const struct bench_updates *updates, double *updates_per_s)
{
    uint64_t start_ns = bench_now_ns(), tick_ns = start_ns;
    size_t done = 0;
    int result = 0;

    if (window == IDLE) {
        sleep_until(start_ns + WINDOW_NS);
        return 0;
    }
    while (result == 0 && bench_now_ns() - start_ns < WINDOW_NS) {
        size_t n = window == PACED ? TICK_UPDATES : FULL_BATCH;
        result = apply(subject, updates, &n);
        done += n;
        tick_ns += TICK_NS;
        if (window == PACED)
            sleep_until(tick_ns);
    }
    *updates_per_s = (double)done * 1e9 / (double)(bench_now_ns() - start_ns);
    return result;
}

/* A new reader for every window: its start costs microseconds of 300 ms, and nothing of one window
 * is left in the next. */
static int run_window(const struct bench_run *run, enum window window, unsigned round,
                      struct subject *subject, const struct bench_updates *updates,
                      const struct bench_keys *keys)
{
    struct reader reader = {
        .run = run, .engine = subject->engine, .instance = subject->instance, .keys = keys};
    pthread_t thread;
    int result = pthread_create(&thread, NULL, read_until_stopped, &reader);

    if (result != 0)
        return -result;
    result = write_for(window, subject, updates, &subject->updates_per_s[window][round]);
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    subject->mlps[window][round] = reader.mlps;
    return result;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void add_rows(const struct bench_run *run, struct subject *subject, json_t *rows)
{
    static const char *const works[WINDOWS] = {NULL, "readers-100k", "readers-flat-out"};
    double idle = bench_summarize(subject->mlps[IDLE], run->rounds).median;

    for (int window = PACED; window < WINDOWS; window++) {
        double rate = bench_summarize(subject->updates_per_s[window], run->rounds).median;
        double mlps = bench_summarize(subject->mlps[window], run->rounds).median;
        json_array_append_new(
            rows, json_pack("{s:s, s:i, s:s, s:f, s:n, s:n, s:n, s:n, s:f, s:f, s:f}", "work",
                            works[window], "family", (int)run->table.family, "engine",
                            subject->engine->name, "updates_per_s", rate, "p50_us", "p999_us",
                            "max_us", "ratio_to_best_peer", "mlps_idle", idle, "mlps_updating",
                            mlps, "loss_percent", idle > 0 ? 100 * (1 - mlps / idle) : 0.0));
    }
}

static int measure(struct bench_run *run, const struct bench_updates *updates,
                   const struct bench_keys *keys, struct subject *subjects, unsigned n)
{
    int result = 0;

    for (unsigned round = 0; round < run->rounds; round++)
        for (unsigned i = 0; i < n; i++)
            for (int window = IDLE; result == 0 && window < WINDOWS; window++)
                result = run_window(run, (enum window)window, round, &subjects[i], updates, keys);
    return result;
}

static unsigned build_subjects(struct bench_run *run, struct subject *subjects, int *result)
{
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    unsigned all = bench_engines(run->table.family, run->options->quick, engines), n = 0;

    *result = 0;
    for (unsigned i = 0; i < all && *result == 0; i++) {
        if (!engines[i]->changes)
            continue;
        subjects[n] = (struct subject){.engine = engines[i]};
        *result = engines[i]->build(&run->table, &subjects[n].instance);
        n += *result == 0;
    }
    return n;
}

int bench_readers(struct bench_run *run, const struct bench_updates *updates, json_t *rows)
{
    struct subject subjects[BENCH_ENGINES_MAX];
    struct bench_keys keys;
    int result = bench_keys_draw(BENCH_KEYS_P, &run->table, run->keys, &keys);

    if (result < 0)
        return result;
    unsigned n = build_subjects(run, subjects, &result);
    bench_run_say(run, "readers beside updates: %u engines, %u rounds", n, run->rounds);
    if (result == 0)
        result = measure(run, updates, &keys, subjects, n);
    for (unsigned i = 0; i < n; i++) {
        if (result == 0)
            add_rows(run, &subjects[i], rows);
        subjects[i].engine->destroy(subjects[i].instance);
    }
    bench_keys_free(&keys);
    return result;
}

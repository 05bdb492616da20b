/*
 * bench bgp: route servers between senders and receivers, in two network namespaces.
 *
 * Each round starts each daemon anew, waits until every session is Established, starts the clock,
 * lets the senders go (or kills one), and stops it when the last receiver holds what it has to
 * hold. The method is that of RFC 7747 (one table, convergence seen from outside); every daemon is
 * fed the same bytes, and the daemons take turns, so that a slow minute hits all alike.
 */
#include "bench/bgp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/lines.h"
#include "bench/loader.h"
#include "bench/synthetic.h"

#define UP_WAIT_NS   60000000000u
#define WORK_WAIT_NS 600000000000u
/* After Established, and between two stages: what a daemon does by itself has come to an end. */
#define SETTLE_NS 300000000u
#define SMALL     100000u

static const struct bench_bgp_work works[] = {
    {"1to1", BENCH_SHARE_FIVE, 1, 1, 0, UINT32_MAX, bench_bgp_flood},
    {"packed", BENCH_SHARE_ALL, 1, 1, 0, 800, bench_bgp_flood},
    {"to-30", BENCH_SHARE_FIVE, 1, 30, SMALL, UINT32_MAX, bench_bgp_flood},
    {"8-equal", BENCH_SHARE_FIVE, 8, 2, SMALL, UINT32_MAX, bench_bgp_flood},
    {"best-dies", BENCH_SHARE_FIVE, 8, 2, SMALL, UINT32_MAX, bench_bgp_best_dies},
    {"peer-death", BENCH_SHARE_FIVE, 1, 1, 0, UINT32_MAX, bench_bgp_peer_death},
    {"real-table", BENCH_SHARE_REAL, 1, 1, 0, UINT32_MAX, bench_bgp_flood},
};

#define WORKS (sizeof(works) / sizeof(works[0]))

/* --- Waiting ---------------------------------------------------------------------------------- */

/* SIGINT and SIGTERM end the bench in order: daemons that changed their user outlive a parent that is
 * just killed. */
static int open_signals(struct bench_bgp_run *run, struct bench_error *error)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, &run->signals_before) < 0)
        return bench_fail(error, -errno, "cannot block signals: %s", strerror(errno));
    run->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return run->signals < 0
               ? bench_fail(error, -errno, "cannot wait for signals: %s", strerror(errno))
               : 0;
}

static void close_signals(struct bench_bgp_run *run)
{
    if (run->signals < 0)
        return;
    close(run->signals);
    sigprocmask(SIG_SETMASK, &run->signals_before, NULL);
}

/* What ends a wait early: the user, the daemon. */
static int check(struct bench_bgp_trial *trial)
{
    struct signalfd_siginfo info;

    if (read(trial->run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        return bench_fail(trial->error, -EINTR, "ended by a signal");
    return bench_daemon_runs(&trial->daemon, trial->error) ? 0 : -ECHILD;
}

int bench_bgp_wait(struct bench_bgp_trial *trial, bool (*done)(const struct bench_bgp_trial *trial))
{
    uint64_t end = bench_now_ns() + WORK_WAIT_NS;

    while (!done(trial)) {
        bench_loader_turn(trial->loader, 100);
        if (bench_loader_broken(trial->loader))
            return bench_fail(trial->error, -ECONNRESET, "%s: %s", trial->daemon.kind->name,
                              bench_loader_reason(trial->loader));
        if (check(trial) < 0)
            return -EINTR;
        if (bench_now_ns() > end)
            return bench_fail(trial->error, -ETIMEDOUT,
                              "%s: not done after %llu s: a receiver holds %zu of %zu prefixes",
                              trial->daemon.kind->name,
                              (unsigned long long)(WORK_WAIT_NS / 1000000000u),
                              bench_loader_held(trial->loader), trial->load->n);
    }
    return 0;
}

void bench_bgp_settle(struct bench_bgp_trial *trial)
{
    uint64_t quiet_since = bench_now_ns();

    while (bench_now_ns() < quiet_since + SETTLE_NS) {
        bench_loader_turn(trial->loader, 20);
        if (bench_loader_changed_ns(trial->loader) > quiet_since)
            quiet_since = bench_loader_changed_ns(trial->loader);
    }
}

void bench_bgp_clock_start(struct bench_bgp_trial *trial)
{
    trial->cpu_before = bench_daemon_cpu_s(&trial->daemon);
    trial->start_ns = bench_now_ns();
}

void bench_bgp_clock_stop(struct bench_bgp_trial *trial)
{
    trial->sample.seconds =
        (double)(bench_loader_changed_ns(trial->loader) - trial->start_ns) / 1e9;
    bench_bgp_settle(trial); /* work that is put off until after the last UPDATE counts too */
    trial->sample.cpu_s = bench_daemon_cpu_s(&trial->daemon) - trial->cpu_before;
    trial->sample.rss_mb = bench_daemon_rss_mb(&trial->daemon);
}

/* --- One trial -------------------------------------------------------------------------------- */

/* A daemon may be slow to listen and may end at once when it does not like its configuration. */
static int come_up(struct bench_bgp_trial *trial)
{
    uint64_t end = bench_now_ns() + UP_WAIT_NS;

    while (!bench_loader_established(trial->loader)) {
        bench_loader_turn(trial->loader, 20);
        if (check(trial) < 0)
            return -EINTR;
        if (bench_now_ns() > end)
            return bench_fail(trial->error, -ETIMEDOUT, "%s: sessions did not come up",
                              trial->daemon.kind->name);
    }
    bench_bgp_settle(trial);
    trial->sample.rss_idle_mb = bench_daemon_rss_mb(&trial->daemon);
    return 0;
}

static int run_trial(struct bench_bgp_run *run, const struct bench_daemon_kind *kind,
                     struct bench_bgp_trial *trial)
{
    const struct bench_bgp_work *work = trial->work;
    const struct bench_loader_config config = {
        .speaker_asn = BENCH_DAEMON_ASN,
        .routers = work->senders + work->receivers,
        .receivers = work->receivers,
        .load = trial->load,
    };
    int result = bench_daemon_start(kind, run->options->self, config.routers, run->netns.speaker,
                                    &trial->daemon, trial->error);

    if (result < 0)
        return result;
    trial->loader = bench_loader_create(&config);
    result = trial->loader ? come_up(trial) : bench_fail(trial->error, -ENOMEM, "out of memory");
    if (result == 0)
        result = work->run(trial);
    if (result == 0) {
        trial->sample.wrong = bench_loader_wrong(trial->loader);
        trial->sample.slice_ms = bench_daemon_slice_ms(&trial->daemon);
    }
    bench_loader_destroy(trial->loader);
    bench_daemon_stop(&trial->daemon);
    return result;
}

/* --- One work --------------------------------------------------------------------------------- */

/* The figures of one daemon, a round each. */
struct figures {
    double seconds[BENCH_ROUNDS_MAX], cpu_s[BENCH_ROUNDS_MAX], rss_mb[BENCH_ROUNDS_MAX];
    double rss_idle_mb[BENCH_ROUNDS_MAX], extra[BENCH_ROUNDS_MAX], slice_ms[BENCH_ROUNDS_MAX];
    size_t wrong;
    bool has_extra;
    struct bench_summary time;
};

static void note_sample(struct figures *figures, unsigned round,
                        const struct bench_bgp_sample *sample)
{
    figures->seconds[round] = sample->seconds;
    figures->cpu_s[round] = sample->cpu_s;
    figures->rss_mb[round] = sample->rss_mb;
    figures->rss_idle_mb[round] = sample->rss_idle_mb;
    figures->extra[round] = sample->bytes_per_extra_path;
    figures->slice_ms[round] = sample->slice_ms;
    figures->has_extra = sample->bytes_per_extra_path > 0;
    figures->wrong += sample->wrong;
}

static int measure(struct bench_bgp_run *run, struct bench_bgp_trial *trial,
                   struct figures *figures)
{
    int result = 0;

    for (unsigned round = 0; round < run->rounds; round++) {
        for (unsigned i = 0; i < run->kinds_n && result == 0; i++) {
            trial->sample = (struct bench_bgp_sample){0};
            result = run_trial(run, run->kinds[i], trial);
            note_sample(&figures[i], round, &trial->sample);
            if (result == 0 && run->options->log)
                fprintf(run->options->log, "%s, %zu prefixes, %s: %.3f s (CPU %.3f s), %.0f MB\n",
                        trial->work->name, trial->load->n, run->kinds[i]->name,
                        trial->sample.seconds, trial->sample.cpu_s, trial->sample.rss_mb);
        }
        if (result < 0)
            return result;
    }
    return 0;
}

static json_t *make_row(const struct bench_bgp_run *run, const struct bench_bgp_trial *trial,
                        const char *engine, struct figures *figures, double best_peer)
{
    unsigned n = run->rounds;
    json_t *row = json_pack(
        "{s:s, s:I, s:i, s:i, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "work",
        trial->work->name, "prefixes", (json_int_t)trial->load->n, "senders",
        (int)trial->work->senders, "receivers", (int)trial->work->receivers, "engine", engine,
        "rounds", (int)n, "seconds_median", figures->time.median, "seconds_min", figures->time.min,
        "seconds_max", figures->time.max, "cpu_s", bench_summarize(figures->cpu_s, n).median,
        "rss_mb", bench_summarize(figures->rss_mb, n).median, "rss_idle_mb",
        bench_summarize(figures->rss_idle_mb, n).median, "wrong", (json_int_t)figures->wrong);

    if (figures->has_extra)
        json_object_set_new(row, "bytes_per_extra_path",
                            json_real(bench_summarize(figures->extra, n).median));
    if (figures->slice_ms[0] > 0)
        json_object_set_new(row, "longest_slice_ms",
                            json_real(bench_summarize(figures->slice_ms, n).max));
    json_object_set_new(row, "ratio_to_best_peer",
                        best_peer > 0 ? json_real(figures->time.median / best_peer) : json_null());
    return row;
}

static void add_rows(const struct bench_bgp_run *run, const struct bench_bgp_trial *trial,
                     struct figures *figures, json_t *rows)
{
    double best = 0;

    for (unsigned i = 0; i < run->kinds_n; i++) {
        figures[i].time = bench_summarize(figures[i].seconds, run->rounds);
        if (run->kinds[i]->programs[0] && (best == 0 || figures[i].time.median < best))
            best = figures[i].time.median;
    }
    for (unsigned i = 0; i < run->kinds_n; i++)
        json_array_append_new(rows, make_row(run, trial, run->kinds[i]->name, &figures[i], best));
}

static int make_streams(const struct bench_bgp_trial *trial, struct bench_stream *streams)
{
    int result = 0;

    for (unsigned i = 0; i < trial->work->senders && result == 0; i++)
        result = bench_stream_make(trial->load, i, BENCH_LOADER_ASN(i), BENCH_NETNS_PEER(i),
                                   trial->work->per_update, &streams[i]);
    return result;
}

static size_t prefixes_of(const struct bench_bgp_run *run, const struct bench_bgp_work *work)
{
    size_t n = run->prefixes;

    if (work->sharing == BENCH_SHARE_REAL)
        return run->options->routes > 0 ? n : run->table.n; /* the whole table, or as asked */
    return work->most > 0 && n > work->most ? work->most : n;
}

static int run_work(struct bench_bgp_run *run, const struct bench_bgp_work *work, json_t *rows,
                    struct bench_error *error)
{
    struct bench_stream streams[BENCH_BGP_SENDERS_MAX] = {{0}};
    struct figures *figures = calloc(run->kinds_n, sizeof(*figures));
    struct bench_load load = {0};
    struct bench_bgp_trial trial = {
        .run = run, .work = work, .load = &load, .streams = streams, .error = error};
    int result = figures
                     ? bench_load_make(&run->table, prefixes_of(run, work), work->sharing, &load)
                     : -ENOMEM;

    if (result == 0)
        result = make_streams(&trial, streams);
    if (result < 0)
        bench_fail(error, result, "%s", strerror(-result));
    else
        result = measure(run, &trial, figures);
    if (result == 0)
        add_rows(run, &trial, figures, rows);
    for (unsigned i = 0; i < work->senders; i++)
        bench_stream_free(&streams[i]);
    bench_load_free(&load);
    free(figures);
    return result;
}

/* --- The whole -------------------------------------------------------------------------------- */

/* Peers by name; without a list, those that a bench of minutes can have and that are installed. */
static int choose_kinds(struct bench_bgp_run *run, struct bench_error *error)
{
    char list[256], *rest = list, *name;

    snprintf(list, sizeof(list), "%s", run->options->peers ? run->options->peers : "bird,frr");
    run->kinds[run->kinds_n++] = bench_daemon_kind(0);
    while ((name = strsep(&rest, ",")) != NULL) {
        const struct bench_daemon_kind *kind = bench_daemon_find(name);

        if (name[0] == '\0')
            continue;
        if (!kind || kind == bench_daemon_kind(0))
            return bench_fail(error, -EINVAL,
                              "there is no peer '%s': bird, frr, openbgpd, gobgp, "
                              "fingerpost-1000-fibs",
                              name);
        if (bench_daemon_installed(kind) && run->kinds_n < BENCH_BGP_KINDS_MAX)
            run->kinds[run->kinds_n++] = kind;
        else if (run->options->peers)
            return bench_fail(error, -ENOENT, "%s is not installed", name);
        else if (run->options->log)
            fprintf(run->options->log, "%s is not installed, and left out\n", name);
    }
    return 0;
}

static bool is_wanted(const struct bench_options *options, const struct bench_bgp_work *work)
{
    return !options->work || strcmp(options->work, work->name) == 0;
}

static int check_work(const struct bench_options *options, struct bench_error *error)
{
    for (size_t i = 0; i < WORKS; i++)
        if (is_wanted(options, &works[i]))
            return 0;
    return bench_fail(error, -EINVAL,
                      "there is no work '%s': 1to1, packed, to-30, 8-equal, best-dies, peer-death, "
                      "real-table",
                      options->work);
}

static unsigned most_routers(void)
{
    unsigned most = 0;

    for (size_t i = 0; i < WORKS; i++)
        if (works[i].senders + works[i].receivers > most)
            most = works[i].senders + works[i].receivers;
    return most;
}

int bench_bgp(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    struct bench_bgp_run run = {
        .options = options,
        .rounds = options->quick ? 3 : 5,
        .prefixes = options->routes  ? options->routes
                    : options->quick ? 50000
                                     : 1000000,
        .netns = {.before = -1, .load = -1, .speaker = -1},
        .signals = -1,
    };
    struct bench_options table = *options;
    int result = check_work(options, error);

    table.family = 4;
    table.routes = 0;
    if (result == 0)
        result = choose_kinds(&run, error);
    if (result == 0)
        result = bench_table_open(&table, &run.table, error);
    if (result == 0)
        result = open_signals(&run, error);
    if (result == 0)
        result = bench_netns_open(&run.netns, most_routers(), error);
    for (size_t i = 0; i < WORKS && result == 0; i++)
        if (is_wanted(options, &works[i]))
            result = run_work(&run, &works[i], rows, error);
    bench_netns_close(&run.netns);
    close_signals(&run);
    bench_table_free(&run.table);
    return result;
}

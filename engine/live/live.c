/*
 * Start, the turns of the loop, and the stop of the live engine. See live.h and context.h.
 *
 * Start: signals, listening sockets, forwarding state, BFD's sockets, ports, sessions. What fails most (an address
 * that is not there, a port that is taken) comes before what is slow (EAL).
 *
 * Stop: state kept for the report, listening ends, Cease to all; when every socket has said its
 * last words or LIVE_PARTING_MS are over, the loop ends, then the workers. Packets are forwarded
 * until then.
 */
#include "engine/live/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/fabric/load.h"
#include "engine/live/apply.h"
#include "engine/live/bfd.h"
#include "engine/live/candidate.h"
#include "engine/live/collector.h"
#include "engine/live/context.h"
#include "engine/live/control.h"
#include "engine/live/control_capture.h"
#include "engine/live/control_trace.h"
#include "engine/live/events.h"
#include "engine/live/interface.h"
#include "engine/live/listener.h"
#include "engine/live/log.h"
#include "engine/live/metrics.h"
#include "engine/live/neighbor.h"
#include "engine/live/peer.h"
#include "engine/live/probe.h"
#include "engine/live/report.h"
#include "engine/live/table_dump.h"
#include "engine/live/watcher.h"
#include "lpm/rcu.h"

#define BGP_PORT 179
/* Half of the time that peers keep our routes by default: what waits must come before they give up. */
#define RESTART_WAIT_MS  60000u
#define EXIT_CLEAN       0
#define EXIT_BAD_START   2
#define EXIT_INTERRUPTED 130 /* as a shell names a process that SIGINT ended */

uint64_t live_now(void)
{
    return uv_hrtime() / 1000000u;
}

/* --- Turns ------------------------------------------------------------------------------------ */

static void on_flush_wanted(void *context)
{
    struct live *live = context;
    live->flush_wanted = true;
    live->flush_since_ns = uv_hrtime();
}

/* engine.verify: a bug that this finds is for whoever reads the log; what is programmed stays in force. */
static void verify(struct live *live)
{
    char difference[DP_ERROR_TEXT];
    if (live->fabric->engine.verify && !live->flush_wanted &&
        !program_validate(controller_program(live->plane.controller), difference))
        live_log("verify: what is programmed differs from what would be made anew: %s", difference);
}

static void tick_speakers(struct live *live, uint64_t now_ms)
{
    struct controller *controller = live->plane.controller;
    for (size_t i = 0; i < controller_speaker_count(controller); i++) {
        struct speaker *speaker = controller_speaker(controller, i);
        if (speaker_deadline(speaker) <= now_ms)
            speaker_tick(speaker, now_ms);
    }
    controller_tick(controller, now_ms);
}

/* CPU time: neither sleep nor other programs count, so what is measured is ours. */
static uint64_t thread_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Timers and peers are looked at now: keepalives waited no longer than since the last time. */
static void end_slice(struct live *live)
{
    uint64_t now_ns = thread_ns();
    if (now_ns - live->slice_began_ns > live->slice_longest_ns)
        live->slice_longest_ns = now_ns - live->slice_began_ns;
    live->slice_began_ns = now_ns;
}

static void look_at_timers(struct live *live)
{
    end_slice(live);
    live_bfd_breathe(live);
    uint64_t now_ms = live_now();
    if (live->tick_due_ms <= now_ms) {
        tick_speakers(live, now_ms);
        live->tick_due_ms = UINT64_MAX; /* set anew by live_settle() at the end of this turn */
    }
}

/* As much as there is time for: what is left keeps flush_wanted. Timers are looked at after each part, as the first
 * touch of fresh memory alone may take milliseconds, and there may be some of it in what is read next, too. */
static void flush(struct live *live)
{
    uint64_t until_ns = uv_hrtime() + LIVE_FLUSH_SPAN_NS;
    int changed;
    do {
        live->flush_wanted = false;
        changed = controller_flush(live->plane.controller);
        look_at_timers(live);
    } while (changed >= 0 && live->flush_wanted && uv_hrtime() < until_ns);
    if (changed >= 0) {
        live->flush_fails = false;
        verify(live);
        return;
    }
    /* Nothing is lost: what could not be applied is tried again, at the next housekeeping at the
     * latest. */
    if (!live->flush_fails)
        live_log("routes cannot be programmed, trying again: %s", strerror(-changed));
    live->flush_fails = true;
    live->flush_wanted = true;
    live->flush_since_ns = uv_hrtime();
}

void live_breathe(struct live *live)
{
    look_at_timers(live);
    live_peers_work(live);
    if (live->flush_wanted && uv_hrtime() - live->flush_since_ns >= LIVE_FLUSH_NS)
        flush(live);
}

/* The timer only wakes the loop in time; speakers whose deadline has not come are left alone. */
static void on_tick(uv_timer_t *timer)
{
    struct live *live = timer->data;
    end_slice(live);
    tick_speakers(live, live_now());
}

static void begin_stop(struct live *live, const char *cause);

/* Wakes the loop when the next speaker is due, or at once where work is left: a slice of it is done each turn,
 * so that others have theirs in between. */
static void set_timer(struct live *live, bool more)
{
    struct controller *controller = live->plane.controller;
    uint64_t due = controller_deadline(controller);
    for (size_t i = 0; i < controller_speaker_count(controller); i++) {
        uint64_t deadline = speaker_deadline(controller_speaker(controller, i));
        due = deadline < due ? deadline : due;
    }
    if (more || (live->flush_wanted && !live->flush_fails))
        due = 0;
    live->tick_due_ms = due;
    if (due == UINT64_MAX) {
        uv_timer_stop(&live->tick);
        return;
    }
    uint64_t now_ms = live_now();
    /* libuv counts from the start of the turn, which may be a slice of work ago. */
    uv_update_time(&live->loop);
    uv_timer_start(&live->tick, on_tick, due > now_ms ? due - now_ms : 0, 0);
}

/* The end of a turn, just before the loop sleeps: nothing that is known stays undone. */
static void live_settle(uv_prepare_t *prepare)
{
    struct live *live = prepare->data;
    end_slice(live);
    live_peers_work(live);
    if (live->flush_wanted)
        flush(live);
    live_peers_work(live); /* that timers of the flush led to */
    bool more = live_apply_turn(live);
    /* What the flush replaced is freed once the workers have moved on; this frees what earlier ones
     * replaced. */
    lpm_rcu_poll();
    set_timer(live, more);
    live_bfd_settle(live);
    live_probes_settle(live);
    live_events_settle(live);
    live_watchers_settle(live);
    live_collectors_settle(live);
    if (live->stop_asked && !live->stopping)
        begin_stop(live, "control");
    if (live->stopping && live->connection_count == 0 && !live_collectors_busy(live))
        uv_stop(&live->loop);
}

/* libuv sets a timer that repeats by the time at which the turn began. */
static void note_lateness(struct live *live)
{
    struct live_lateness *late = &live->late;
    uint64_t now_ns = uv_hrtime();
    uint64_t late_ns = now_ns > late->due_ns ? now_ns - late->due_ns : 0;
    late->looks++;
    late->sum_ns += late_ns;
    late->most_ns = late_ns > late->most_ns ? late_ns : late->most_ns;
    late->due_ns = (uv_now(&live->loop) + LIVE_HOUSEKEEPING_MS) * 1000000u;
}

static void on_housekeeping(uv_timer_t *timer)
{
    struct live *live = timer->data;
    uint64_t now_ms = live_now();
    note_lateness(live);
    live_listeners_housekeeping(live);
    live_candidates_housekeeping(live, now_ms);
    live_metrics_housekeeping(live, now_ms);
    live_watchers_housekeeping(live, now_ms);
    controller_watch_tick(live->plane.controller, now_ms);
    controller_tick_groups(live->plane.controller, now_ms);
    live_plane_watch(&live->plane, live->fabric, now_ms);
    live_peers_housekeeping(live, now_ms);
    live_peers_cut(live, now_ms, live->stopping && now_ms >= live->stop_by_ms);
    if (live->stopping && now_ms >= live->stop_by_ms)
        live_collectors_close(live);
    lpm_rcu_flush(); /* also what would wait for more to come */
}

/* --- Signals ---------------------------------------------------------------------------------- */

/* For people, or as one line for programs: standard output is kept for the end. */
static void print_status(const struct live *live, bool json)
{
    json_t *state = live_report_state(live);
    json_t *report = live_report(live, state);
    if (json) {
        json_dumpf(report, stderr, JSON_COMPACT | JSON_REAL_PRECISION(13));
        fputc('\n', stderr);
    } else {
        live_report_print(stderr, report);
    }
    json_decref(report);
    json_decref(state);
}

static void begin_stop(struct live *live, const char *cause)
{
    uint64_t now_ms = live_now();
    live_log("%s: telling %zu sessions that we stop", cause,
             live->peer_count + live->gateway_peer_count);
    /* Before the sessions end: afterwards every one is Idle, and no route is left to count. */
    live->state_at_stop = live_report_state(live);
    live->stopping = true;
    live->stop_by_ms = now_ms + LIVE_PARTING_MS;
    live_listeners_close(live);
    live_candidates_close(live);
    controller_stop(live->plane.controller,
                    live->shutdown_message[0] ? live->shutdown_message : NULL, now_ms);
    live_bfd_serve(live);
}

static struct fabric *read_again(struct live *live)
{
    struct fabric_problems problems;
    struct fabric_outline *outline;
    struct fabric *fabric = live->options.read(live->options.path, &outline, &problems);
    fabric_outline_free(outline);
    for (size_t i = 0; i < problems.n; i++)
        if (problems.items[i].error)
            live_log("%s:%u: %s", problems.items[i].file, problems.items[i].line,
                     problems.items[i].message);
    fabric_problems_free(&problems);
    return fabric;
}

/* A file that is wrong in any place leaves every policy as it was. */
static void reload_policies(struct live *live)
{
    if (!live->options.read)
        return;
    struct fabric *fabric = read_again(live);
    if (!fabric) {
        live_log("the fabric file has errors: every policy stays as it was");
        return;
    }
    unsigned missing;
    int error = controller_set_policies(live->plane.controller, fabric, live_now(), &missing);
    live->policies_reread |= !error;
    if (error)
        live_log("policies stay as they were: %s", strerror(-error));
    else if (missing > 0)
        live_log("policies taken from the fabric file, but for %u sessions whose peer it does not "
                 "have; fingerpost apply takes its other changes",
                 missing);
    else
        live_log("policies taken from the fabric file; fingerpost apply takes its other changes");
    fabric_free(fabric);
}

/* Neither while the engine stops, as sockets that would have the keys are gone, nor while an apply, which has read
 * both already, is not in force yet. */
static void reload(struct live *live)
{
    if (live->stopping)
        return;
    if (live->apply) {
        live_log("another fabric file is being applied: keys and policies stay as they were");
        return;
    }
    live_neighbors_reload(live);
    reload_policies(live);
}

static void request_refresh(struct live *live)
{
    size_t asked = controller_request_refresh(live->plane.controller, live_now());
    live_log("asked %zu of %zu sessions for their routes again", asked,
             live->peer_count + live->gateway_peer_count);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct live *live = handle->data;
    if (number == SIGUSR1 || number == SIGUSR2) {
        print_status(live, number == SIGUSR2);
    } else if (number == SIGRTMIN) {
        request_refresh(live);
    } else if (number == SIGHUP) {
        reload(live);
    } else if (!live->stopping) {
        begin_stop(live, strsignal(number));
    } else {
        live_log("second signal: ending at once");
        _exit(EXIT_INTERRUPTED);
    }
}

static int open_signals(struct live *live)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGRTMIN};
    /* A reader of standard output that has gone must not end the engine; sockets say MSG_NOSIGNAL.
     */
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_t *handle = &live->signals[i];
        int status = uv_signal_init(&live->loop, handle);
        if (status)
            return status;
        handle->data = live;
        live->signal_count++;
        status = uv_signal_start(handle, on_signal, numbers[i]);
        if (status)
            return status;
    }
    return 0;
}

/* --- Start and end ---------------------------------------------------------------------------- */

static int open_loop(struct live *live, char error[LIVE_ERROR_TEXT])
{
    int status = uv_loop_init(&live->loop);
    if (status) {
        snprintf(error, LIVE_ERROR_TEXT, "cannot make an event loop: %s", uv_strerror(status));
        return status;
    }
    live->loop_open = true;
    uv_prepare_init(&live->loop, &live->prepare);
    uv_timer_init(&live->loop, &live->tick);
    uv_timer_init(&live->loop, &live->housekeeping);
    live->prepare.data = live->tick.data = live->housekeeping.data = live;
    status = open_signals(live);
    if (status)
        snprintf(error, LIVE_ERROR_TEXT, "cannot handle signals: %s", uv_strerror(status));
    return status;
}

/* A thousand peers need more descriptors than the usual soft limit allows. Where it cannot be
 * raised, the listeners pause when it is reached. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Ports before sockets: a route server's addresses may stand on the far end of one. */
static int open_plane(struct live *live, const struct controller_shell *shell,
                      char error[LIVE_ERROR_TEXT])
{
    char why[DP_ERROR_TEXT] = "";
    int status = live_plane_create(&live->plane, live->fabric, shell, live->options.verbose, why);
    if (!status)
        status = live_plane_start(&live->plane, live->fabric, live->options.verbose, why);
    if (!status) {
        live->interfaces_open = true;
        status = live_interfaces_open(live->fabric, why);
    }
    if (status)
        snprintf(error, LIVE_ERROR_TEXT, "%s", why[0] ? why : strerror(-status));
    return status;
}

static int start(struct live *live, char error[LIVE_ERROR_TEXT])
{
    struct controller_shell shell = {.context = live, .flush_wanted = on_flush_wanted};
    live_peers_shell(&shell);
    live_bfd_shell(&shell);
    live_probes_shell(&shell);
    raise_descriptor_limit();
    char plane_error[DP_ERROR_TEXT] = "";
    int status = open_loop(live, error);
    if (!status)
        status = live_metrics_open(live, error, LIVE_ERROR_TEXT);
    if (!status)
        status = live_neighbors_create(live, error, LIVE_ERROR_TEXT);
    if (!status)
        status = live_candidates_create(live, error, LIVE_ERROR_TEXT);
    if (status)
        return status;
    status = open_plane(live, &shell, error);
    if (!status)
        status = live_listeners_open(live, error);
    if (status)
        return status;
    status = live_events_open(live, plane_error, sizeof(plane_error));
    if (!status)
        status = live_control_open(live, plane_error, sizeof(plane_error));
    if (!status)
        status = live_table_dump_open(live);
    if (!status)
        status = live_collectors_open(live);
    if (!status)
        status = live_peers_create(live);
    if (!status)
        status = live_bfd_open(live, plane_error);
    if (!status)
        status = live_probes_open(live, plane_error);
    if (status)
        snprintf(error, LIVE_ERROR_TEXT, "%s", plane_error[0] ? plane_error : strerror(-status));
    return status;
}

static void run(struct live *live)
{
    live->started_ms = live_now();
    live->slice_began_ns = thread_ns();
    uv_prepare_start(&live->prepare, live_settle);
    uv_timer_start(&live->housekeeping, on_housekeeping, LIVE_HOUSEKEEPING_MS,
                   LIVE_HOUSEKEEPING_MS);
    live->late.due_ns = (uv_now(&live->loop) + LIVE_HOUSEKEEPING_MS) * 1000000u;
    live_log("running: NICs %u, ports %u, workers %u, BGP addresses %u, sessions %zu",
             live->fabric->nics_count, live->fabric->ports_count, live->plane.workers,
             live->listener_count, live->peer_count + live->gateway_peer_count);
    if (live->options.restarted)
        controller_begin_restart(live->plane.controller, live->started_ms + RESTART_WAIT_MS);
    controller_tick_groups(live->plane.controller, live->started_ms);
    controller_start(live->plane.controller, live->started_ms);
    uv_run(&live->loop, UV_RUN_DEFAULT);
}

/* The summary goes to standard output: as text, or as the one JSON document. */
static void print_summary(const struct live *live)
{
    json_t *report = live_report(live, live->state_at_stop);
    if (live->options.json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(13));
        fputc('\n', stdout);
    } else {
        live_report_print(stdout, report);
    }
    fflush(stdout);
    json_decref(report);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Also after a start that failed half way: what is not there is passed over. Handles first, then
 * the loop, then the memory they live in. */
static void finish(struct live *live)
{
    live_peers_cut(live, 0, true);
    live_table_dump_close(live);
    live_collectors_close(live);
    live_apply_close(live);
    live_control_close(live);
    live_metrics_close(live);
    live_listeners_close(live);
    live_candidates_close(live);
    live_bfd_close(live->bfd);
    live_probes_close(live);
    if (live->loop_open) {
        uv_walk(&live->loop, close_handle, NULL);
        uv_run(&live->loop, UV_RUN_DEFAULT);
        uv_loop_close(&live->loop);
    }
    live_table_dump_free(live);
    live_collectors_free(live);
    live_control_free(live);
    live_metrics_free(live);
    live_events_close(live);
    if (live->interfaces_open)
        live_interfaces_close(live->fabric);
    live_plane_destroy(&live->plane);
    json_decref(live->state_at_stop);
    live_neighbors_destroy(live);
    free(live->listeners);
    live_peers_destroy(live);
    live_bfd_free(live->bfd);
    live_probes_free(live);
    live_candidates_free(live);
    live_apply_free(live);
    free(live);
}

int live_run(const struct fabric *fabric, const struct live_options *options)
{
    struct live *live = calloc(1, sizeof(*live));
    if (!live) {
        fprintf(stderr, "not enough memory\n");
        return EXIT_BAD_START;
    }
    live->fabric = fabric;
    live->options = *options;
    live->tick_due_ms = UINT64_MAX;
    if (options->shutdown_message)
        snprintf(live->shutdown_message, sizeof(live->shutdown_message), "%s",
                 options->shutdown_message);
    if (live->options.bgp_port == 0)
        live->options.bgp_port = BGP_PORT;
    char error[LIVE_ERROR_TEXT];
    int code = EXIT_BAD_START;
    if (start(live, error) == 0) {
        run(live);
        live_captures_close(live);
        live_traces_close(live);
        /* The counters are final once no worker runs. */
        live_plane_stop(&live->plane);
        print_summary(live);
        code = EXIT_CLEAN;
    } else {
        fprintf(stderr, "%s\n", error);
    }
    finish(live);
    return code;
}

/*
 * The run: from one time of interest (an event, an expectation, a probe's start or end) to the next,
 * looking at the twin after every instant.
 */
#include "engine/sim/drill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/drill_private.h"

/* Milliseconds since the drill began. */
static uint32_t now_of(const struct drill_run *run)
{
    return (uint32_t)(sim_now_ms(run->sim) - run->origin_ms);
}

/* --- The event log ---------------------------------------------------------------------------- */

static void keep(struct drill_run *run, json_t *rows, const struct event *event)
{
    if (json_array_size(rows) == DRILL_LOG_MAX) {
        run->report.log_lost++;
        return;
    }
    json_t *row = event_json(run->fabric, event, -(int64_t)run->origin_ms);
    json_t *at = json_integer((json_int_t)(event->time_ms - run->origin_ms));
    if (!row || json_object_set_new(row, "at_ms", at) || json_array_append_new(rows, row))
        run->error = -ENOMEM;
}

void drill_listen(void *context, const struct event *event)
{
    struct drill_run *run = context;
    if (run->origin_ms == UINT64_MAX)
        return;
    if (event_is_alert(event->kind)) {
        keep(run, run->report.alerts, event);
    } else if (event->kind == EVENT_SESSION_UP || event->kind == EVENT_SESSION_DOWN) {
        run->session_changed = true;
        keep(run, run->report.sessions, event);
    }
}

/* --- Looking ---------------------------------------------------------------------------------- */

static bool has_moved(const struct sim_changes *a, const struct sim_changes *b)
{
    return a->entries != b->entries || a->groups != b->groups || a->others != b->others;
}

/* After every instant. */
static int look(struct drill_run *run)
{
    struct sim_changes now = sim_changes(run->sim);
    bool moved = has_moved(&now, &run->seen);
    if (moved || run->session_changed)
        run->window.still_ms = now_of(run);
    run->session_changed = false;
    if (!moved)
        return 0;
    run->seen = now;
    return traffic_walk(run->traffic, run->fabric, run->sim, run->forwarding, now_of(run));
}

static int run_until(struct drill_run *run, uint32_t until_ms)
{
    int more = 1, error = 0;
    while (more > 0 && !error) {
        more = sim_step(run->sim, run->origin_ms + until_ms);
        error = more < 0 ? more : look(run);
        error = run->error ? run->error : error;
    }
    return error;
}

/* A twin that had not settled to begin with never will. */
static bool is_settled(const struct drill_run *run)
{
    return run->pending == 0 && (!run->can_settle || sim_settled(run->sim));
}

/* --- Accounts --------------------------------------------------------------------------------- */

static void open_window(struct drill_run *run, uint32_t first, uint32_t n)
{
    const uint32_t now_ms = now_of(run);
    run->window = (struct drill_window){
        .first = first,
        .n = n,
        .at_ms = now_ms,
        .still_ms = now_ms,
        .before = sim_changes(run->sim),
    };
}

static void close_window(struct drill_run *run)
{
    const struct drill_window *window = &run->window;
    const struct sim_changes now = sim_changes(run->sim);
    const bool settled = is_settled(run);
    for (uint32_t i = 0; i < window->n; i++) {
        struct drill_event *event = &run->report.events[window->first + i];
        event->settled = settled;
        event->converged_ms = window->still_ms - window->at_ms;
        event->routes_changed = now.entries - window->before.entries;
        event->groups_changed = now.groups - window->before.groups;
    }
}

/* --- The timetable ---------------------------------------------------------------------------- */

/* Expectations of that very moment, when all of it is done. */
static void judge_at(struct drill_run *run, uint32_t at_ms)
{
    for (uint32_t i = 0; i < run->drill->expect_count; i++) {
        const struct fabric_drill_expect *expect = &run->drill->expects[i];
        if (expect->nic && expect->has_after && expect->after_ms == at_ms)
            drill_judge(run, &run->report.expectations[i]);
    }
}

/* Runs to until_ms, with a stop at each time between where something is asked or a probe begins. */
static int run_to(struct drill_run *run, uint32_t until_ms)
{
    int error = 0;
    while (!error && now_of(run) < until_ms) {
        uint32_t now_ms = now_of(run);
        uint32_t next_ms = traffic_next_ms(run->traffic, now_ms);
        next_ms = next_ms < until_ms ? next_ms : until_ms;
        for (uint32_t i = 0; i < run->drill->expect_count; i++) {
            const struct fabric_drill_expect *expect = &run->drill->expects[i];
            if (expect->nic && expect->has_after && expect->after_ms > now_ms &&
                expect->after_ms < next_ms)
                next_ms = expect->after_ms;
        }
        error = run_until(run, next_ms);
        if (!error)
            error = traffic_walk(run->traffic, run->fabric, run->sim, run->forwarding, next_ms);
        if (!error && next_ms < until_ms)
            judge_at(run, next_ms);
    }
    return error;
}

/* Events of one time, from `first` on. */
static int happen(struct drill_run *run, uint32_t first, uint32_t n, char error[DP_ERROR_TEXT])
{
    int failed = 0;
    close_window(run);
    open_window(run, first, n);
    for (uint32_t i = first; i < first + n && !failed; i++)
        failed = drill_act(run, &run->report.events[i], error);
    if (failed)
        return failed;
    failed = run_until(run, now_of(run));
    if (!failed)
        judge_at(run, now_of(run));
    return failed;
}

static int run_events(struct drill_run *run, char error[DP_ERROR_TEXT])
{
    const struct fabric_drill *drill = run->drill;
    int failed = 0;
    for (uint32_t i = 0, n; i < drill->event_count && !failed; i += n) {
        const uint32_t at_ms = drill->events[i].at_ms;
        for (n = 1; i + n < drill->event_count && drill->events[i + n].at_ms == at_ms;)
            n++;
        failed = run_to(run, at_ms);
        if (!failed)
            failed = happen(run, i, n, error);
    }
    return failed;
}

/* What is asked for, and what the last event needs. */
static uint32_t asked_end_ms(const struct fabric_drill *drill)
{
    uint32_t end_ms = drill->event_count ? drill->events[drill->event_count - 1].at_ms : 0;
    for (uint32_t i = 0; i < drill->event_count; i++) {
        const struct fabric_drill_event *event = &drill->events[i];
        end_ms =
            fabric_drill_done_ms(event) > end_ms ? (uint32_t)fabric_drill_done_ms(event) : end_ms;
    }
    for (uint32_t i = 0; i < drill->expect_count; i++)
        if (drill->expects[i].after_ms > end_ms)
            end_ms = drill->expects[i].after_ms;
    for (uint32_t i = 0; i < drill->probe_count; i++)
        if (drill->probes[i].end_ms > end_ms)
            end_ms = drill->probes[i].end_ms;
    return end_ms;
}

static int run_and_judge(struct drill_run *run, uint32_t end_ms)
{
    int error = run_to(run, end_ms);
    if (!error)
        judge_at(run, end_ms);
    return error;
}

/* Without a duration: when all has settled, and alerts had their time. */
static int run_to_end(struct drill_run *run)
{
    if (run->drill->duration_ms)
        return run_and_judge(run, run->drill->duration_ms);
    const uint32_t asked_ms = asked_end_ms(run->drill);
    int error = run_and_judge(run, asked_ms);
    do {
        if (!error)
            error = run_to(run, now_of(run) + DRILL_ALERTS_MS);
    } while (!error && !is_settled(run) && now_of(run) < asked_ms + DRILL_SETTLE_MS);
    return error;
}

static void judge_rest(struct drill_run *run)
{
    run->report.held = true;
    for (uint32_t i = 0; i < run->drill->expect_count; i++) {
        struct drill_expectation *expectation = &run->report.expectations[i];
        if (!expectation->model->nic || !expectation->model->has_after)
            drill_judge(run, expectation);
        run->report.held &= expectation->held;
    }
}

int drill_play(struct drill_run *run, struct sim *sim, const struct dp_forwarding *forwarding,
               char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory for the drill");
    run->sim = sim;
    run->forwarding = forwarding;
    run->origin_ms = sim_now_ms(sim);
    run->can_settle = sim_settled(sim);
    run->seen = sim_changes(sim);
    open_window(run, 0, 0);
    int failed = traffic_walk(run->traffic, run->fabric, sim, forwarding, 0);
    if (!failed && (run->drill->event_count == 0 || run->drill->events[0].at_ms > 0))
        judge_at(run, 0);
    if (!failed)
        failed = run_events(run, error);
    if (!failed)
        failed = run_to_end(run);
    if (failed == -EUCLEAN)
        snprintf(error, DP_ERROR_TEXT, "%s", sim_error_text(sim, failed));
    if (failed)
        return failed;
    close_window(run);
    run->report.end_ms = now_of(run);
    failed = traffic_finish(run->traffic, run->report.end_ms);
    if (!failed)
        judge_rest(run);
    return failed;
}

/* --- Life ------------------------------------------------------------------------------------- */

static bool is_alert(const char *name)
{
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
        if (event_is_alert((enum event_kind)kind) &&
            strcmp(event_kind_text((enum event_kind)kind), name) == 0)
            return true;
    return false;
}

static bool check_alerts(const struct fabric_drill *drill, char error[DP_ERROR_TEXT])
{
    for (uint32_t i = 0; i < drill->expect_count; i++) {
        const struct fabric_drill_expect *expect = &drill->expects[i];
        if (!expect->alert || is_alert(expect->alert))
            continue;
        int used = snprintf(error, DP_ERROR_TEXT, "%s:%u: there is no alert '%.40s'; there are",
                            expect->place.file, expect->place.line, expect->alert);
        for (unsigned kind = 0; kind < EVENT_KINDS && used < DP_ERROR_TEXT; kind++)
            if (event_is_alert((enum event_kind)kind))
                used += snprintf(error + used, DP_ERROR_TEXT - (size_t)used, " %s",
                                 event_kind_text((enum event_kind)kind));
        return false;
    }
    return true;
}

static bool take_memory(struct drill_run *run)
{
    const struct fabric_drill *drill = run->drill;
    struct drill_report *report = &run->report;
    report->events = calloc((size_t)drill->event_count + 1, sizeof(*report->events));
    report->expectations = calloc((size_t)drill->expect_count + 1, sizeof(*report->expectations));
    report->alerts = json_array();
    report->sessions = json_array();
    report->traffic = run->traffic = traffic_create(drill);
    return report->events && report->expectations && report->alerts && report->sessions &&
           run->traffic;
}

struct drill_run *drill_create(const struct fabric_drill *drill, char error[DP_ERROR_TEXT])
{
    if (!check_alerts(drill, error)) {
        errno = EINVAL;
        return NULL;
    }
    struct drill_run *run = calloc(1, sizeof(*run));
    if (run) {
        run->drill = drill;
        run->fabric = drill->stages[0];
        run->origin_ms = UINT64_MAX;
    }
    if (!run || !take_memory(run)) {
        snprintf(error, DP_ERROR_TEXT, "no memory for the drill");
        drill_destroy(run);
        errno = ENOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i < drill->event_count; i++)
        run->report.events[i].model = &drill->events[i];
    for (uint32_t i = 0; i < drill->expect_count; i++)
        run->report.expectations[i].model = &drill->expects[i];
    return run;
}

void drill_destroy(struct drill_run *run)
{
    if (!run)
        return;
    traffic_destroy(run->traffic);
    json_decref(run->report.alerts);
    json_decref(run->report.sessions);
    free(run->report.events);
    free(run->report.expectations);
    free(run);
}

const struct drill_report *drill_report(const struct drill_run *run)
{
    return &run->report;
}

/*
 * Running a drill: its events happen to the twin at their times, its probes are followed meanwhile,
 * and what came of it is compared with what was expected.
 *
 *   events ──> sim ──instants──> traffic (traffic.h)
 *                 └──event log──> alerts, sessions
 *
 * The clock of a drill begins when the twin has converged. What happens between one event and the
 * next is put down to the first: when the last session, route of a router, FIB entry or group changed,
 * how many entries of FIBs did, and how many groups were swapped. Events of the same millisecond share one account.
 *
 * One thread, deterministic: equal drills on equal fabrics give equal reports.
 */
#ifndef ENGINE_SIM_DRILL_H
#define ENGINE_SIM_DRILL_H

#include <jansson.h>

#include "engine/fabric/drill.h"
#include "engine/program/events.h"
#include "engine/sim/sim.h"
#include "engine/sim/traffic.h"

/* After the last event so much virtual time is given for all to settle: above the longest default
 * hold time. */
#define DRILL_SETTLE_MS 600000u
/* And so much more: the slowest alert comes a second after its cause. */
#define DRILL_ALERTS_MS 1250u
/* Sessions and alerts that a report keeps; later ones are counted. */
#define DRILL_LOG_MAX 20000u

struct drill_event {
    const struct fabric_drill_event *model;
    uint64_t converged_ms; /* from the event to the last change */
    bool settled;          /* false: more was under way when the next event came, or the end */
    uint64_t routes_changed, groups_changed;
    const char *note; /* why nothing happened; NULL: something did */
};

struct drill_expectation {
    const struct fabric_drill_expect *model;
    bool held;
    char found[200]; /* what there was instead */
};

struct drill_report {
    struct drill_event *events; /* as the drill's */
    struct drill_expectation *expectations;
    const struct traffic *traffic;
    json_t *alerts, *sessions; /* rows of event_json(), with "at_ms" */
    size_t log_lost;           /* rows that found no room */
    uint32_t end_ms;
    bool held; /* every expectation did */
};

struct drill_run;

/* NULL with errno, error says what is wrong with the drill. drill is borrowed. */
struct drill_run *drill_create(const struct fabric_drill *drill, char error[DP_ERROR_TEXT]);
void drill_destroy(struct drill_run *run); /* NULL is allowed */
/* To be the listener of the twin's event log (sim_watch()), run as its context. */
void drill_listen(void *run, const struct event *event);
/* Runs it on a twin of the drill's first stage that has converged. Returns 0 or -errno with error. */
int drill_play(struct drill_run *run, struct sim *sim, const struct dp_forwarding *forwarding,
               char error[DP_ERROR_TEXT]);
const struct drill_report *drill_report(const struct drill_run *run);

#endif

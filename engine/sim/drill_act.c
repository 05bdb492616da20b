/*
 * What each event does to the twin. Objects are looked up by their names when it happens, as changes
 * of the fabric before it may have moved them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/sim/drill_private.h"

/* A restart of what runs: a clean end first, whose Cease needs a moment to get across. */
#define RESTART_PAUSE_MS 10u

/* --- Routers and instances -------------------------------------------------------------------- */

static int fail_router(struct drill_run *run, struct drill_event *event, uint32_t router,
                       enum sim_failure failure)
{
    int error = sim_router_fail(run->sim, router, failure);
    if (error == -ESRCH)
        event->note = "it runs no BGP daemon";
    return error == -ESRCH ? 0 : error;
}

static int fail_instances(struct drill_run *run, struct drill_event *event,
                          const struct fabric_drill_target *target, enum sim_failure failure)
{
    int error = 0;
    for (unsigned i = 0; i < target->count && !error; i++)
        error = sim_instance_fail(run->sim, target->route_server, target->first + i, failure);
    if (error == -ENOENT)
        event->note = "it has no sessions";
    return error == -ENOENT ? 0 : error;
}

static int fail(struct drill_run *run, struct drill_event *event, enum sim_failure failure)
{
    const struct fabric_drill_target target = fabric_drill_find(run->fabric, event->model->target);
    return target.router != FABRIC_NONE ? fail_router(run, event, target.router, failure)
                                        : fail_instances(run, event, &target, failure);
}

static void on_restart(void *context, uint64_t index)
{
    struct drill_run *run = context;
    const struct fabric_drill_event *event = &run->drill->events[index];
    const struct fabric_drill_target target = fabric_drill_find(run->fabric, event->target);
    int error = 0;
    run->pending--;
    if (target.router != FABRIC_NONE)
        error = sim_router_restart(run->sim, target.router);
    for (unsigned i = 0; target.route_server != FABRIC_NONE && i < target.count; i++)
        sim_instance_restart(run->sim, target.route_server, target.first + i);
    if (error)
        run->error = error;
}

static bool is_running(const struct drill_run *run, const struct fabric_drill_target *target)
{
    if (target->router != FABRIC_NONE)
        return sim_router_speaker(run->sim, target->router) &&
               !sim_router_is_silent(run->sim, target->router);
    for (unsigned i = 0; i < target->count; i++)
        if (!sim_instance_is_running(run->sim, target->route_server, target->first + i))
            return false;
    return true;
}

static int restart(struct drill_run *run, struct drill_event *event)
{
    const uint64_t index = (uint64_t)(event->model - run->drill->events);
    const struct fabric_drill_target target = fabric_drill_find(run->fabric, event->model->target);
    run->pending++;
    if (!is_running(run, &target)) {
        on_restart(run, index);
        return 0;
    }
    int error = fail(run, event, SIM_STOP);
    if (!error)
        sim_at(run->sim, sim_now_ms(run->sim) + RESTART_PAUSE_MS, on_restart, run, index);
    return error;
}

/* --- Flapping --------------------------------------------------------------------------------- */

/* The argument is the event's index and the number of the half period: down in even ones. */
static void on_flap(void *context, uint64_t argument)
{
    struct drill_run *run = context;
    const struct fabric_drill_event *event = &run->drill->events[argument >> 32];
    const uint32_t half = (uint32_t)argument;
    const uint32_t router = fabric_find_router(run->fabric, event->router);
    run->pending--;
    if (router == FABRIC_NONE)
        return;
    int error = half % 2 ? sim_router_restart(run->sim, router)
                         : sim_router_fail(run->sim, router, SIM_KILL);
    if (error && error != -ESRCH)
        run->error = error;
}

static void flap(struct drill_run *run, const struct fabric_drill_event *event)
{
    const uint64_t index = (uint64_t)(event - run->drill->events);
    run->pending += 2 * event->times;
    for (uint32_t half = 0; half < 2 * event->times; half++)
        sim_at(run->sim, sim_now_ms(run->sim) + (uint64_t)half * event->period_ms / 2, on_flap, run,
               index << 32 | half);
}

/* --- Links and routes ------------------------------------------------------------------------- */

static int cut(struct drill_run *run, struct drill_event *event, bool cut)
{
    const struct fabric_drill_event *model = event->model;
    const uint32_t router = fabric_find_router(run->fabric, model->router);
    int error;
    if (model->route_server)
        error = sim_session_cut(run->sim, router,
                                fabric_find_route_server(run->fabric, model->route_server), cut);
    else
        error = sim_routers_cut(run->sim, router,
                                fabric_find_router(run->fabric, model->other_router), cut);
    if (error == -ENOENT)
        event->note = "no session joins them";
    return error == -ENOENT ? 0 : error;
}

static int set_health(struct drill_run *run, const struct fabric_drill_event *event, bool up)
{
    const uint32_t router = fabric_find_router(run->fabric, event->router);
    uint32_t check = 0;
    while (strcmp(run->fabric->routers[router].health[check].name, event->check) != 0)
        check++;
    return sim_router_health(run->sim, router, check, up);
}

static int announce(struct drill_run *run, const struct fabric_drill_event *event, bool announced)
{
    const uint32_t router = fabric_find_router(run->fabric, event->router);
    int error = 0;
    for (uint32_t i = 0; i < event->prefixes.n && !error; i++)
        error = sim_router_announce(run->sim, router, &event->prefixes.items[i], announced);
    return error;
}

/* --- Changes of the fabric -------------------------------------------------------------------- */

static int change(struct drill_run *run, const struct fabric_drill_event *event,
                  char error[DP_ERROR_TEXT])
{
    const struct fabric *stage = run->drill->stages[event->stage];
    int failed = sim_apply(run->sim, stage, error);
    if (failed)
        return failed;
    traffic_follow(run->traffic, run->fabric, stage);
    run->fabric = stage;
    return 0;
}

/* --- All -------------------------------------------------------------------------------------- */

static int act(struct drill_run *run, struct drill_event *event, char error[DP_ERROR_TEXT])
{
    const struct fabric_drill_event *model = event->model;
    switch (model->kind) {
    case FABRIC_DRILL_STOP:
        return fail(run, event, SIM_STOP);
    case FABRIC_DRILL_KILL:
        return fail(run, event, SIM_KILL);
    case FABRIC_DRILL_SILENCE:
        return fail(run, event, SIM_SILENCE);
    case FABRIC_DRILL_RESTART:
        return restart(run, event);
    case FABRIC_DRILL_CUT:
    case FABRIC_DRILL_HEAL:
        return cut(run, event, model->kind == FABRIC_DRILL_CUT);
    case FABRIC_DRILL_HEALTH_DOWN:
    case FABRIC_DRILL_HEALTH_UP:
        return set_health(run, model, model->kind == FABRIC_DRILL_HEALTH_UP);
    case FABRIC_DRILL_ANNOUNCE:
    case FABRIC_DRILL_WITHDRAW:
        return announce(run, model, model->kind == FABRIC_DRILL_ANNOUNCE);
    case FABRIC_DRILL_FLAP:
        flap(run, model);
        return 0;
    case FABRIC_DRILL_SET:
    case FABRIC_DRILL_ADD:
    case FABRIC_DRILL_REMOVE:
        return change(run, model, error);
    default:
        return -ENOTSUP;
    }
}

int drill_act(struct drill_run *run, struct drill_event *event, char error[DP_ERROR_TEXT])
{
    char reason[DP_ERROR_TEXT] = "";
    int failed = act(run, event, reason);
    const char *what = event->model->what;
    if (failed)
        snprintf(error, DP_ERROR_TEXT, "%.80s:%u: '%.*s' cannot be done: %.80s",
                 event->model->place.file, event->model->place.line, (int)fabric_text_fit(what, 60),
                 what, *reason ? reason : strerror(-failed));
    return failed;
}

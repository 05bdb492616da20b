/*
 * Life of the twin: its speakers' timers, and the shell around the controller.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/watch.h"
#include "engine/sim/internal.h"
#include "lpm/rcu.h"

/* --- Timers ----------------------------------------------------------------------------------- */

static void arm(struct timer *timer);

static void on_timer(void *context, uint64_t argument)
{
    struct timer *timer = context;
    if (!timer->speaker || argument != timer->armed_ms)
        return;
    timer->armed_ms = UINT64_MAX;
    speaker_tick(timer->speaker, sim_clock_now_ms(timer->sim->clock));
    arm(timer);
    sim_bfd_arm(&timer->sim->bfd);
}

static void arm(struct timer *timer)
{
    uint64_t deadline = speaker_deadline(timer->speaker);
    if (deadline >= timer->armed_ms)
        return;
    timer->armed_ms = deadline;
    sim_clock_at(timer->sim->clock, deadline, on_timer, timer, deadline);
}

/* --- What NICs follow later -------------------------------------------------------------------- */

static void arm_pace(struct sim *sim);

static void on_pace(void *context, uint64_t argument)
{
    struct sim *sim = context;
    if (argument != sim->pace_armed_ms)
        return;
    sim->pace_armed_ms = UINT64_MAX;
    controller_tick(sim->controller, sim_clock_now_ms(sim->clock));
    arm_pace(sim);
}

static void arm_pace(struct sim *sim)
{
    uint64_t deadline = controller_deadline(sim->controller);
    if (deadline >= sim->pace_armed_ms)
        return;
    sim->pace_armed_ms = deadline;
    sim_clock_at(sim->clock, deadline, on_pace, sim, deadline);
}

void sim_touched(void *context, struct speaker *speaker)
{
    struct sim *sim = context;
    for (size_t i = 0; i < sim->timer_count; i++)
        if (sim->timers[i].speaker == speaker)
            arm(&sim->timers[i]);
    /* A BGP session that came or went has BFD begin or end. */
    sim_bfd_arm(&sim->bfd);
    sim_reach_follow(sim);
}

void sim_set_timer(struct sim *sim, size_t slot, struct speaker *speaker)
{
    struct timer *timer = &sim->timers[slot];
    sim_clock_forget(sim->clock, timer);
    *timer = (struct timer){.sim = sim, .speaker = speaker, .armed_ms = UINT64_MAX};
    if (speaker)
        arm(timer);
}

size_t sim_router_slot(const struct sim *sim, uint32_t router)
{
    return controller_speaker_count(sim->controller) + router;
}

/* --- The controller's shell ------------------------------------------------------------------- */

static void flush(void *context, uint64_t argument)
{
    (void)argument;
    struct sim *sim = context;
    sim->flush_queued = false;
    int changed = controller_flush(sim->controller);
    if (changed < 0)
        sim->error = changed;
    else
        sim->entries += (unsigned)changed;
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        arm(&sim->timers[i]);
    arm_pace(sim);
    lpm_rcu_poll();
    sim_verify(sim);
    sim_reach_wanted(sim);
}

void sim_verify(struct sim *sim)
{
    if (sim->fabric->engine.verify && !sim->flush_queued && !sim->error &&
        !program_validate(controller_program(sim->controller), sim->difference))
        sim->error = -EUCLEAN;
}

const char *sim_error_text(const struct sim *sim, int error)
{
    return error == -EUCLEAN ? sim->difference : strerror(-error);
}

static void on_flush_wanted(void *context)
{
    struct sim *sim = context;
    sim->flush_queued = true;
    sim_clock_at(sim->clock, sim_clock_now_ms(sim->clock), flush, sim, 0);
}

static void on_connect(void *context, struct controller_peer *peer)
{
    (void)context;
    sim_link_connect(sim_shell_of(peer)->link, 0);
}

static void on_close(void *context, struct controller_peer *peer, enum bgp_direction direction)
{
    (void)context;
    sim_link_close(sim_shell_of(peer)->link, 0, direction);
}

static void on_output_ready(void *context, struct controller_peer *peer,
                            enum bgp_direction direction)
{
    (void)context;
    sim_link_output_ready(sim_shell_of(peer)->link, 0, direction);
}

/* --- BFD of the route servers ----------------------------------------------------------------- */

static struct sim_bfd_port *port_of(void *context, void *user)
{
    (void)context;
    return &sim_shell_of(user)->bfd_port;
}

static void settle_bfd(void *context)
{
    struct sim *sim = context;
    if (controller_bfd_settle(sim->controller, sim_clock_now_ms(sim->clock)) == 0)
        return;
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        sim_touched(sim, controller_speaker(sim->controller, i));
}

/* Before the shells. */
static void open_bfd(struct sim *sim)
{
    sim->bfd = (struct sim_bfd){
        .clock = sim->clock,
        .table = controller_bfd(sim->controller),
        .port_of = port_of,
        .settle = settle_bfd,
        .context = sim,
        .armed_ms = UINT64_MAX,
    };
}

/* --- Building --------------------------------------------------------------------------------- */

struct sim_router *sim_make_router(struct sim *sim, const struct fabric *fabric, uint32_t index)
{
    struct sim_router *router = calloc(1, sizeof(*router));
    bool *unhealthy = calloc(fabric->routers[index].health_count + 1, sizeof(*unhealthy));
    if (!router || !unhealthy) {
        free(router);
        free(unhealthy);
        return NULL;
    }
    *router = (struct sim_router){
        .fabric = fabric,
        .policies = sim->policies,
        .clock = sim->clock,
        .index = index,
        .number = fabric->routers[index].number,
        .touched = sim_touched,
        .touched_context = sim,
        .changes = &sim->changes,
        .unhealthy = unhealthy,
        .lonely = true,
    };
    return router;
}

uint32_t sim_router_numbered(const struct sim *sim, uint64_t number)
{
    for (uint32_t i = 0; i < sim->router_count; i++)
        if (sim->routers[i]->number == number)
            return i;
    return FABRIC_NONE;
}

static int make_routers(struct sim *sim)
{
    uint32_t n = sim->fabric->routers_count;
    sim->routers = calloc(n + 1, sizeof(struct sim_router *));
    if (!sim->routers)
        return -ENOMEM;
    for (; sim->router_count < n; sim->router_count++) {
        sim->routers[sim->router_count] = sim_make_router(sim, sim->fabric, sim->router_count);
        if (!sim->routers[sim->router_count])
            return -ENOMEM;
    }
    return 0;
}

int sim_make_timers(struct sim *sim)
{
    const size_t servers = controller_speaker_count(sim->controller);
    struct timer *timers = calloc(servers + sim->router_count + 1, sizeof(*timers));
    if (!timers)
        return -ENOMEM;
    for (size_t i = 0; i < sim->timer_count; i++)
        sim_clock_forget(sim->clock, &sim->timers[i]);
    free(sim->timers);
    sim->timers = timers;
    sim->timer_count = servers + sim->router_count;
    for (size_t i = 0; i < servers; i++)
        sim_set_timer(sim, i, controller_speaker(sim->controller, i));
    for (uint32_t i = 0; i < sim->router_count; i++)
        sim_set_timer(sim, servers + i, sim->routers[i]->speaker);
    return 0;
}

int sim_start_router(struct sim *sim, uint32_t router)
{
    sim->routers[router]->lonely = sim->routers[router]->session_count == 0;
    if (sim->routers[router]->lonely)
        return 0;
    int error = sim_router_start(sim->routers[router]);
    if (!error)
        sim_set_timer(sim, sim_router_slot(sim, router), sim->routers[router]->speaker);
    return error;
}

static int start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->router_count; i++) {
        int error = sim_start_router(sim, i);
        if (error)
            return error;
    }
    sim_compare_keys(sim);
    controller_start(sim->controller, 0);
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        sim_set_timer(sim, i, controller_speaker(sim->controller, i));
    sim_reach_wanted(sim);
    sim_start_probes(sim);
    return 0;
}

static int make_network(struct sim *sim)
{
    open_bfd(sim);
    int error = sim_make_shells(sim);
    if (!error)
        error = sim_make_joints(sim, sim->fabric);
    if (!error)
        error = make_routers(sim);
    if (!error)
        error = sim_make_sessions(sim);
    return error ? error : sim_make_timers(sim);
}

struct sim *sim_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                       char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory for the twin");
    struct sim *sim = calloc(1, sizeof(*sim));
    if (!sim)
        return NULL;
    sim->fabric = fabric;
    sim->forwarding = forwarding;
    sim->pace_armed_ms = UINT64_MAX;
    sim->clock = sim_clock_create();
    struct controller_shell shell = {
        .context = sim,
        .flush_wanted = on_flush_wanted,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
    };
    int failed = sim->clock ? 0 : -ENOMEM;
    if (!failed) {
        sim->controller = controller_create(fabric, forwarding, false, &shell, error);
        failed = sim->controller ? 0 : -errno;
    }
    if (!failed)
        failed = sim_accept_routers(sim, fabric);
    if (!failed)
        failed = fabric_policies_create(fabric, &sim->policies);
    if (!failed)
        failed = make_network(sim);
    if (!failed)
        failed = start_all(sim);
    if (failed) {
        sim_destroy(sim);
        errno = -failed;
        return NULL;
    }
    return sim;
}

void sim_destroy(struct sim *sim)
{
    if (!sim)
        return;
    for (uint32_t i = 0; i < sim->router_count; i++)
        sim_router_destroy(sim->routers[i]);
    for (struct sim_router *router = sim->gone, *next; router; router = next) {
        next = router->next;
        sim_router_destroy(router);
    }
    sim_bfd_forget(&sim->bfd);
    sim_probes_forget(&sim->probes);
    sim_destroy_links(sim);
    controller_destroy(sim->controller);
    fabric_policies_destroy(sim->policies);
    sim_clock_destroy(sim->clock);
    free(sim->routers);
    free(sim->timers);
    free(sim);
}

/* --- Watching and asking ------------------------------------------------------------------------- */

static void on_watch(void *context, uint64_t argument)
{
    struct sim *sim = context;
    (void)argument;
    controller_watch_tick(sim->controller, sim_now_ms(sim));
    sim_clock_at(sim->clock, sim_now_ms(sim) + WATCH_TICK_MS, on_watch, sim, 0);
}

int sim_watch(struct sim *sim, void (*listener)(void *context, const struct event *event),
              void *context)
{
    int error = controller_watch(sim->controller, listener, context);
    if (!error)
        on_watch(sim, 0);
    return error;
}

uint64_t sim_now_ms(const struct sim *sim)
{
    return sim_clock_now_ms(sim->clock);
}

struct controller *sim_controller(struct sim *sim)
{
    return sim->controller;
}

struct speaker *sim_router_speaker(struct sim *sim, uint32_t router)
{
    return sim->routers[router]->speaker;
}

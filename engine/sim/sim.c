/*
 * sim ─┬─ clock
 *      ├─ controller          route-server speakers; this file is its shell
 *      ├─ links[]             one per route-server session; end 0 is the route server's, end 1 the
 * router's ├─ routers[]           modelled routers that have sessions └─ timers[]            one
 * per running speaker: when its tick is queued
 *
 * Speakers are only called from actions on the clock, so that no handler calls back into its
 * speaker.
 */
#include "engine/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/policies.h"
#include "engine/program/watch.h"
#include "engine/sim/clock.h"
#include "engine/sim/link.h"
#include "engine/sim/router.h"
#include "lpm/rcu.h"

/* One way, of every link: a fabric's hosts are well below a millisecond apart, and the clock counts
 * in milliseconds. */
#define LINK_DELAY_MS 1u
/* A clean stop ends the process once its Cease has crossed the link. */
#define CEASE_LINGER_MS (4 * LINK_DELAY_MS)

struct timer {
    struct sim *sim;
    struct speaker *speaker; /* NULL: free */
    uint64_t armed_ms;
};

struct condition {
    bool silenced;
    bool stopping; /* has sent its Cease, ends soon */
};

struct sim {
    const struct fabric *fabric;
    struct sim_clock *clock;
    struct controller *controller;
    struct sim_link **links;
    struct sim_router *routers;   /* by index of fabric.routers */
    struct condition *conditions; /* of routers */
    struct fabric_policies *policies;
    struct timer *timers;
    size_t timer_count;
    struct sim_bfd bfd;             /* of the route servers */
    struct sim_bfd_port *bfd_ports; /* by link */
    bool flush_queued;
    int error; /* of a flush; told by the run */
};

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

static void on_touched(void *context, struct speaker *speaker)
{
    struct sim *sim = context;
    for (size_t i = 0; i < sim->timer_count; i++)
        if (sim->timers[i].speaker == speaker)
            arm(&sim->timers[i]);
    /* A BGP session that came or went has BFD begin or end. */
    sim_bfd_arm(&sim->bfd);
}

/* Every speaker has its own slot: the route servers' first, then one a router. */
static void set_timer(struct sim *sim, size_t slot, struct speaker *speaker)
{
    struct timer *timer = &sim->timers[slot];
    sim_clock_forget(sim->clock, timer);
    *timer = (struct timer){.sim = sim, .speaker = speaker, .armed_ms = UINT64_MAX};
    if (speaker)
        arm(timer);
}

static size_t router_slot(const struct sim *sim, uint32_t router)
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
    lpm_rcu_poll();
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
    sim_link_connect(peer->shell, 0);
}

static void on_close(void *context, struct controller_peer *peer, enum bgp_direction direction)
{
    (void)context;
    sim_link_close(peer->shell, 0, direction);
}

static void on_output_ready(void *context, struct controller_peer *peer,
                            enum bgp_direction direction)
{
    (void)context;
    sim_link_output_ready(peer->shell, 0, direction);
}

/* --- BFD of the route servers ----------------------------------------------------------------- */

static struct sim_bfd_port *port_of(void *context, void *user)
{
    struct sim *sim = context;
    const struct controller_peer *peer = user;
    return &sim->bfd_ports[peer - controller_peer(sim->controller, 0)];
}

static void settle_bfd(void *context)
{
    struct sim *sim = context;
    if (controller_bfd_settle(sim->controller, sim_clock_now_ms(sim->clock)) == 0)
        return;
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        on_touched(sim, controller_speaker(sim->controller, i));
}

/* After the links. */
static int open_bfd(struct sim *sim)
{
    size_t n = controller_peer_count(sim->controller);
    sim->bfd = (struct sim_bfd){
        .clock = sim->clock,
        .table = controller_bfd(sim->controller),
        .port_of = port_of,
        .settle = settle_bfd,
        .context = sim,
        .armed_ms = UINT64_MAX,
    };
    sim->bfd_ports = calloc(n + 1, sizeof(*sim->bfd_ports));
    if (!sim->bfd_ports)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct controller_peer *peer = controller_peer(sim->controller, i);
        if (!peer->bfd)
            continue;
        sim->bfd_ports[i] = (struct sim_bfd_port){
            .bfd = &sim->bfd,
            .wire = sim_link_wire(sim->links[i]),
            .path = *bfd_table_path(sim->bfd.table, peer->bfd),
        };
        sim_bfd_attach(&sim->bfd_ports[i]);
    }
    return 0;
}

/* --- Building --------------------------------------------------------------------------------- */

static const struct fabric_neighbor *neighbor_of(const struct fabric_router *router,
                                                 uint32_t route_server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == route_server)
            return &router->neighbors[i];
    return NULL;
}

/* The modelled router that answers for a route-server session, and how it names the route server;
 * NULL: nobody does. */
static const struct fabric_neighbor *answering(const struct fabric *fabric,
                                               const struct controller_peer *peer, uint32_t *router)
{
    *router = fabric->route_servers[peer->route_server].peers[peer->index].router;
    if (*router == FABRIC_NONE)
        return NULL;
    return neighbor_of(&fabric->routers[*router], peer->route_server);
}

static int make_links(struct sim *sim)
{
    size_t n = controller_peer_count(sim->controller);
    sim->links = calloc(n + 1, sizeof(struct sim_link *));
    if (!sim->links)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct controller_peer *peer = controller_peer(sim->controller, i);
        sim->links[i] = sim_link_create(sim->clock, LINK_DELAY_MS, on_touched, sim);
        if (!sim->links[i])
            return -ENOMEM;
        peer->shell = sim->links[i];
        sim_link_attach(sim->links[i], 0, peer->speaker, peer->peer);
    }
    return 0;
}

static int add_session(struct sim *sim, size_t link)
{
    struct controller_peer *peer = controller_peer(sim->controller, link);
    uint32_t index;
    const struct fabric_neighbor *neighbor = answering(sim->fabric, peer, &index);
    if (!neighbor)
        return 0;
    struct sim_router *router = &sim->routers[index];
    struct sim_router_session *sessions =
        realloc(router->sessions, (router->session_count + 1) * sizeof(*sessions));
    if (!sessions)
        return -ENOMEM;
    router->sessions = sessions;
    sessions[router->session_count++] = (struct sim_router_session){
        .router = router,
        .link = sim->links[link],
        .remote = peer,
        .neighbor = neighbor,
    };
    return 0;
}

static int make_routers(struct sim *sim)
{
    uint32_t n = sim->fabric->routers_count;
    sim->routers = calloc(n + 1, sizeof(*sim->routers));
    sim->conditions = calloc(n + 1, sizeof(*sim->conditions));
    sim->timer_count = controller_speaker_count(sim->controller) + n;
    sim->timers = calloc(sim->timer_count + 1, sizeof(*sim->timers));
    if (!sim->routers || !sim->conditions || !sim->timers)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        sim->routers[i] = (struct sim_router){.fabric = sim->fabric,
                                              .policies = sim->policies,
                                              .clock = sim->clock,
                                              .index = i,
                                              .touched = on_touched,
                                              .touched_context = sim};
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        int error = add_session(sim, i);
        if (error)
            return error;
    }
    return 0;
}

static int start_router(struct sim *sim, uint32_t router)
{
    if (sim->routers[router].session_count == 0)
        return 0;
    int error = sim_router_start(&sim->routers[router]);
    if (!error)
        set_timer(sim, router_slot(sim, router), sim->routers[router].speaker);
    return error;
}

static int start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->fabric->routers_count; i++) {
        int error = start_router(sim, i);
        if (error)
            return error;
    }
    controller_start(sim->controller, 0);
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        set_timer(sim, i, controller_speaker(sim->controller, i));
    return 0;
}

struct sim *sim_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                       char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory for the twin");
    struct sim *sim = calloc(1, sizeof(*sim));
    if (!sim)
        return NULL;
    sim->fabric = fabric;
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
        failed = make_links(sim);
    if (!failed)
        failed = open_bfd(sim);
    if (!failed)
        failed = fabric_policies_create(fabric, &sim->policies);
    if (!failed)
        failed = make_routers(sim);
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
    for (uint32_t i = 0; sim->routers && i < sim->fabric->routers_count; i++) {
        sim_router_kill(&sim->routers[i]);
        free(sim->routers[i].sessions);
        sim_feed_destroy(sim->routers[i].feed);
    }
    sim_bfd_forget(&sim->bfd);
    for (size_t i = 0; sim->links && sim->links[i]; i++)
        sim_link_destroy(sim->links[i]);
    controller_destroy(sim->controller);
    fabric_policies_destroy(sim->policies);
    sim_clock_destroy(sim->clock);
    free(sim->links);
    free(sim->bfd_ports);
    free(sim->routers);
    free(sim->conditions);
    free(sim->timers);
    free(sim);
}

/* --- Feeds ------------------------------------------------------------------------------------ */

static bool is_feed_over(const struct sim_router *router)
{
    return !router->feed || router->fed == sim_feed_changes(router->feed);
}

/* Does the changes that are due, and comes back for the next. A router that is down misses them, and
 * starts from where they lead. */
static void on_feed(void *context, uint64_t argument)
{
    struct sim *sim = context;
    struct sim_router *router = &sim->routers[argument];
    int error = 0;
    while (!error && !is_feed_over(router) &&
           sim_feed_due_ms(router->feed, router->fed) <= sim_now_ms(sim)) {
        if (router->speaker)
            error = sim_feed_change(router->feed, router->speaker, router->fed);
        router->fed++;
    }
    if (error)
        sim->error = error;
    if (router->speaker)
        on_touched(sim, router->speaker);
    if (!error && !is_feed_over(router))
        sim_clock_at(sim->clock, sim_feed_due_ms(router->feed, router->fed), on_feed, sim,
                     argument);
}

int sim_set_feed(struct sim *sim, uint32_t router, struct sim_feed *feed)
{
    struct sim_router *fed = &sim->routers[router];
    sim_feed_destroy(fed->feed);
    fed->feed = feed;
    fed->fed = 0;
    int error = fed->speaker ? sim_feed_announce(feed, fed->speaker, 0) : 0;
    if (!error && sim_feed_changes(feed) > 0)
        sim_clock_at(sim->clock, sim_feed_due_ms(feed, 0), on_feed, sim, router);
    return error;
}

static bool feeds_are_over(const struct sim *sim)
{
    bool over = true;
    for (uint32_t i = 0; over && i < sim->fabric->routers_count; i++)
        over = is_feed_over(&sim->routers[i]);
    return over;
}

/* When the last change of any feed is due. */
static uint64_t feeds_end_ms(const struct sim *sim)
{
    uint64_t end_ms = 0;
    for (uint32_t i = 0; i < sim->fabric->routers_count; i++) {
        const struct sim_router *router = &sim->routers[i];
        if (is_feed_over(router))
            continue;
        uint64_t due_ms = sim_feed_due_ms(router->feed, sim_feed_changes(router->feed) - 1);
        end_ms = due_ms > end_ms ? due_ms : end_ms;
    }
    return end_ms;
}

/* --- Running ---------------------------------------------------------------------------------- */

/* Up at the intervals of the file: until the peer has told its own, it would be missed late. */
static bool bfd_as_expected(const struct sim *sim, const struct controller_peer *peer)
{
    const struct fabric_bfd *bfd =
        &sim->fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    struct bfd_info info;
    if (!peer->bfd)
        return true;
    bfd_session_info(peer->bfd, &info);
    return info.state == BFD_UP && !info.polling &&
           info.detection_us == UINT64_C(1000) * bfd->interval_ms * bfd->multiplier;
}

static bool session_as_expected(struct sim *sim, size_t i)
{
    struct controller_peer *peer = controller_peer(sim->controller, i);
    uint32_t router;
    bool up = answering(sim->fabric, peer, &router) && sim->routers[router].speaker &&
              !sim->conditions[router].silenced;
    if (up && !bfd_as_expected(sim, peer))
        return false;
    return peer->established == up && (!up || sim_link_quiet(sim->links[i]));
}

static bool settled(struct sim *sim)
{
    if (sim->flush_queued || !feeds_are_over(sim))
        return false;
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++)
        if (!session_as_expected(sim, i))
            return false;
    for (size_t i = 0; i < sim->timer_count; i++)
        if (sim->timers[i].speaker && !speaker_settled(sim->timers[i].speaker))
            return false;
    return true;
}

static int run_error(const struct sim *sim)
{
    return sim_clock_failed(sim->clock) ? -ENOMEM : sim->error;
}

int sim_settle(struct sim *sim, uint64_t limit_ms)
{
    uint64_t last_ms = feeds_end_ms(sim), now_ms = sim_now_ms(sim);
    uint64_t end_ms = (last_ms > now_ms ? last_ms : now_ms) + limit_ms;
    while (!run_error(sim)) {
        /* Asked only when time moves on: everything due now has been done. */
        if (sim_clock_next_ms(sim->clock) > sim_now_ms(sim) && settled(sim))
            return 0;
        if (!sim_clock_step(sim->clock, end_ms))
            return -ETIMEDOUT;
    }
    return run_error(sim);
}

int sim_run(struct sim *sim, uint64_t duration_ms)
{
    uint64_t end_ms = sim_now_ms(sim) + duration_ms;
    while (!run_error(sim) && sim_clock_step(sim->clock, end_ms))
        continue;
    return run_error(sim);
}

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
    return sim->routers[router].speaker;
}

/* --- Failures --------------------------------------------------------------------------------- */

static void end_process(struct sim *sim, uint32_t router)
{
    sim->conditions[router].stopping = false;
    set_timer(sim, router_slot(sim, router), NULL);
    sim_router_kill(&sim->routers[router]);
}

static void on_cease_sent(void *context, uint64_t router)
{
    struct sim *sim = context;
    if (sim->conditions[router].stopping)
        end_process(sim, (uint32_t)router);
}

static void silence(struct sim *sim, uint32_t router, bool silent)
{
    sim->conditions[router].silenced = silent;
    for (unsigned i = 0; i < sim->routers[router].session_count; i++)
        sim_link_cut(sim->routers[router].sessions[i].link, silent);
}

int sim_router_fail(struct sim *sim, uint32_t router, enum sim_failure failure)
{
    if (!sim->routers[router].speaker)
        return -ESRCH;
    switch (failure) {
    case SIM_STOP:
        sim->conditions[router].stopping = true;
        sim_router_cease(&sim->routers[router]);
        sim_clock_at(sim->clock, sim_now_ms(sim) + CEASE_LINGER_MS, on_cease_sent, sim, router);
        break;
    case SIM_KILL:
        end_process(sim, router);
        break;
    case SIM_SILENCE:
        silence(sim, router, true);
        break;
    }
    return 0;
}

int sim_router_restart(struct sim *sim, uint32_t router)
{
    silence(sim, router, false);
    if (sim->conditions[router].stopping)
        end_process(sim, router);
    return sim->routers[router].speaker ? 0 : start_router(sim, router);
}

/*
 * The alerts about next hops: one that no NIC in reach has, and one that leads a NIC's packets back to it.
 *
 * They are looked for as routes come, and for all routes when the fabric is exchanged: what was fine may then
 * be none.
 */
#include <stdio.h>

#include "engine/fabric/hairpin.h"
#include "engine/program/watch_private.h"

/* Once a second for each neighbour and kind: a full table with a bad next hop is one mistake. */
static bool is_too_often(struct watch_peer *state, unsigned which, uint64_t now_ms)
{
    if (state->said_ms[which] && now_ms - state->said_ms[which] < 1000)
        return true;
    state->said_ms[which] = now_ms ? now_ms : 1;
    return false;
}

static struct watch_peer *state_of(struct watch *watch, const struct controller_peer *peer)
{
    return &watch->peers[peer->number];
}

/* --- Views ------------------------------------------------------------------------------------ */

void watch_views_close(struct watch_views *views)
{
    for (unsigned i = 0; i < views->count; i++)
        fabric_view_close(&views->of[i].view);
    views->count = views->next = 0;
}

/* NULL: no memory. */
static const struct fabric_view *view_of(struct watch_views *views, const struct fabric *fabric,
                                         uint32_t nic)
{
    for (unsigned i = 0; i < views->count; i++)
        if (views->of[i].nic == nic)
            return &views->of[i].view;
    const struct fabric_scope scope = fabric_scope_of(fabric, nic);
    struct fabric_view view;
    if (fabric_view_open(&view, fabric, &scope) != 0)
        return NULL;
    unsigned at = views->count;
    if (at == WATCH_VIEWS) {
        at = views->next;
        views->next = (at + 1) % WATCH_VIEWS;
        fabric_view_close(&views->of[at].view);
    } else {
        views->count++;
    }
    views->of[at].nic = nic;
    views->of[at].view = view;
    return &views->of[at].view;
}

/* A fabric, and what has been asked about it. */
struct reading {
    const struct fabric *fabric;
    struct watch_views *views;
};

static bool has_row(const struct watch *watch, const struct reading *reading, uint32_t nic,
                    const struct lpm_prefix *prefix, const struct lpm_address *next_hop)
{
    const struct fabric_view *view = view_of(reading->views, reading->fabric, nic);
    struct fabric_row rows[3];
    unsigned n =
        view ? fabric_view_rows_at(view, controller_bgp(watch->controller), prefix, rows) : 0;
    if (n == 0 || !rows[0].active || rows[0].source != FABRIC_SOURCE_BGP)
        return false;
    for (unsigned i = 0; i < rows[0].next_hop_count; i++)
        if (lpm_address_equal(&rows[0].next_hops[i], next_hop))
            return true;
    return false;
}

/* What is wrong with the next hop of a path, if anything is. */
struct fault {
    unsigned which; /* WATCH_UNREACHABLE or WATCH_SELF_LOOP; WATCH_FAULTS: nothing */
    uint32_t nic;   /* that has the next hop */
};

/* A gateway has the next hops that it announces, and a load balancer's are its backends' probes to judge. */
static struct fault judge(const struct watch *watch, const struct reading *reading,
                          uint32_t route_server, const struct lpm_prefix *prefix,
                          const struct rib_path *path)
{
    const struct fabric *fabric = reading->fabric;
    const struct controller_peer *peer = path->peer ? speaker_peer_user(path->peer) : NULL;
    uint32_t vnet = fabric->route_servers[route_server].vnet;
    struct fault fault = {WATCH_FAULTS, fabric_resolve_address(fabric, vnet, &path->next_hop)};
    if (!peer || peer->link ||
        fabric_resolve_frontend(fabric, vnet, &path->next_hop) != FABRIC_NONE)
        return fault;
    if (fault.nic == FABRIC_NONE)
        fault.which = WATCH_UNREACHABLE;
    else if (has_row(watch, reading, fault.nic, prefix, &path->next_hop) &&
             fabric_hairpins(fabric, fault.nic, route_server, prefix, path))
        fault.which = WATCH_SELF_LOOP;
    return fault;
}

static void say(struct watch *watch, const struct event *event, const struct controller_peer *peer,
                const struct fault *fault, const struct lpm_address *next_hop)
{
    static const enum event_kind kinds[WATCH_FAULTS] = {
        [WATCH_UNREACHABLE] = EVENT_NEXT_HOP_UNREACHABLE, [WATCH_SELF_LOOP] = EVENT_SELF_LOOP};
    char cause[EVENT_CAUSE], text[LPM_ADDRESS_TEXT];
    lpm_address_format(next_hop, text);
    if (fault->which == WATCH_UNREACHABLE)
        snprintf(cause, sizeof(cause), "no NIC in reach of the route server's VNet has %s", text);
    else
        snprintf(cause, sizeof(cause), "NIC %s has next hop %s, which is itself",
                 watch->fabric->nics[fault->nic].name, text);
    watch_alert(watch, event, kinds[fault->which], peer, cause);
}

void watch_next_hop(struct watch *watch, const struct event *event, const struct rib_path *path)
{
    const struct reading reading = {watch->fabric, &watch->views};
    const struct fault fault = judge(watch, &reading, event->route_server, &event->prefix, path);
    if (fault.which == WATCH_FAULTS)
        return;
    const struct controller_peer *peer = speaker_peer_user(path->peer);
    if (!is_too_often(state_of(watch, peer), fault.which, event->time_ms))
        say(watch, event, peer, &fault, &path->next_hop);
}

/* --- The fabric is exchanged ------------------------------------------------------------------- */

struct following {
    struct watch *watch;
    struct reading before, with;
    uint32_t route_server;
};

/* What was wrong before was said before. The clock is the tick's, so that says it. */
static void look_at_path(const struct following *following, const struct lpm_prefix *prefix,
                         const struct rib_path *path)
{
    struct watch *watch = following->watch;
    const struct fault now = judge(watch, &following->with, following->route_server, prefix, path);
    if (now.which == WATCH_FAULTS)
        return;
    struct watch_due *due = &state_of(watch, speaker_peer_user(path->peer))->due[now.which];
    if (due->is_due ||
        judge(watch, &following->before, following->route_server, prefix, path).which == now.which)
        return;
    *due = (struct watch_due){true, *prefix, path->next_hop};
}

static int look_at_choice(void *context, const struct lpm_prefix *prefix,
                          const struct rib_choice *choice)
{
    for (unsigned i = 0; i < choice->n; i++)
        look_at_path(context, prefix, &choice->paths[i]);
    return 0;
}

void watch_follow(struct watch *watch, const struct fabric *fabric)
{
    if (!watch)
        return;
    const struct fabric_bgp *bgp = controller_bgp(watch->controller);
    struct watch_views views = {0};
    struct following following = {watch, {watch->fabric, &watch->views}, {fabric, &views}, 0};
    for (; following.route_server < fabric->route_servers_count; following.route_server++)
        bgp->each(bgp->context, following.route_server, look_at_choice, &following);
    watch_views_close(&watch->views);
    watch->views = views;
    watch->fabric = fabric;
}

/* The fabric may have been exchanged once more meanwhile. */
void watch_say_due(struct watch *watch, const struct controller_peer *peer, uint64_t now_ms)
{
    struct watch_peer *state = state_of(watch, peer);
    const uint32_t vnet = watch->fabric->route_servers[peer->route_server].vnet;
    for (unsigned which = 0; which < WATCH_FAULTS; which++) {
        struct watch_due *due = &state->due[which];
        const struct event event = {.time_ms = now_ms,
                                    .route_server = peer->route_server,
                                    .prefix = due->prefix,
                                    .next_hop_count = 1,
                                    .next_hops = {due->next_hop}};
        if (!due->is_due)
            continue;
        due->is_due = false;
        const struct fault fault = {which,
                                    fabric_resolve_address(watch->fabric, vnet, &due->next_hop)};
        if ((which == WATCH_UNREACHABLE) == (fault.nic == FABRIC_NONE) &&
            !is_too_often(state, which, now_ms))
            say(watch, &event, peer, &fault, &due->next_hop);
    }
}

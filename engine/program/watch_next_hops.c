/*
 * The alerts about next hops: one that no NIC in reach has, and one that leads a NIC's packets back to it.
 *
 * They are looked for as routes come, and for all routes when the fabric is exchanged: what was fine may then
 * be none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/hairpin.h"
#include "engine/program/controller_private.h"
#include "engine/program/watch_private.h"

/* Prefixes looked at in a step: a millisecond or two, where each is asked about by two views. */
#define SLICE 256u

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

/* A fabric that is to come, and how far its routes have been looked at. */
struct watch_following {
    const struct fabric *with;
    struct watch_views views;
    uint32_t route_server;
    unsigned speaker; /* of it */
    struct speaker_cursor cursor;
};

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

/* What was wrong before was said before. The clock is the tick's, so that says it. */
static void look_at_path(struct watch *watch, uint32_t route_server,
                         const struct lpm_prefix *prefix, const struct rib_path *path)
{
    const struct reading before = {watch->fabric, &watch->views};
    const struct reading with = {watch->following->with, &watch->following->views};
    const struct fault now = judge(watch, &with, route_server, prefix, path);
    if (now.which == WATCH_FAULTS)
        return;
    struct watch_due *due = &state_of(watch, speaker_peer_user(path->peer))->due[now.which];
    if (due->is_coming || due->is_due ||
        judge(watch, &before, route_server, prefix, path).which == now.which)
        return;
    *due = (struct watch_due){.is_coming = true, .prefix = *prefix, .next_hop = path->next_hop};
}

void watch_next_hop(struct watch *watch, const struct event *event, const struct rib_path *path)
{
    if (watch->following) /* it may have been looked at already */
        look_at_path(watch, event->route_server, &event->prefix, path);
    const struct reading reading = {watch->fabric, &watch->views};
    const struct fault fault = judge(watch, &reading, event->route_server, &event->prefix, path);
    if (fault.which == WATCH_FAULTS)
        return;
    const struct controller_peer *peer = speaker_peer_user(path->peer);
    if (!is_too_often(state_of(watch, peer), fault.which, event->time_ms))
        say(watch, event, peer, &fault, &path->next_hop);
}

/* --- The fabric is exchanged ------------------------------------------------------------------- */

int watch_follow_begin(struct watch *watch, const struct fabric *fabric)
{
    if (!watch)
        return 0;
    watch->following = calloc(1, sizeof(*watch->following));
    if (!watch->following)
        return -ENOMEM;
    watch->following->with = fabric;
    return 0;
}

static void look_at(struct watch *watch, uint32_t route_server, const struct lpm_prefix *prefix)
{
    const struct fabric_bgp *bgp = controller_bgp(watch->controller);
    struct rib_choice choice;
    if (!bgp->choice(bgp->context, route_server, prefix, &choice))
        return;
    for (unsigned i = 0; i < choice.n; i++)
        look_at_path(watch, route_server, prefix, &choice.paths[i]);
}

/* The speaker whose turn it is; NULL: all have been looked at. */
static const struct speaker *speaker_at(const struct watch *watch)
{
    struct watch_following *following = watch->following;
    const struct controller *controller = watch->controller;
    const struct server *server = &controller->servers[following->route_server];
    for (; following->route_server < watch->fabric->route_servers_count; server++) {
        if (following->speaker < server->speaker_count)
            return server->speakers[following->speaker];
        following->route_server++;
        following->speaker = 0;
    }
    return NULL;
}

bool watch_follow_step(struct watch *watch)
{
    const struct speaker *speaker = watch && watch->following ? speaker_at(watch) : NULL;
    struct lpm_prefix prefixes[SLICE];
    if (!speaker)
        return false;
    struct watch_following *following = watch->following;
    size_t n = speaker_prefixes(speaker, NULL, SPEAKER_HELD, &following->cursor, prefixes, SLICE);
    for (size_t i = 0; i < n; i++)
        look_at(watch, following->route_server, &prefixes[i]);
    if (n == 0) {
        following->speaker++;
        following->cursor = (struct speaker_cursor){0};
    }
    return true;
}

static void end_following(struct watch *watch, bool taken)
{
    for (size_t i = 0; i < watch->peer_room; i++)
        for (unsigned which = 0; which < WATCH_FAULTS; which++) {
            struct watch_due *due = &watch->peers[i].due[which];
            due->is_due |= taken && due->is_coming;
            due->is_coming = false;
        }
    free(watch->following);
    watch->following = NULL;
}

void watch_follow_take(struct watch *watch)
{
    if (!watch || !watch->following)
        return;
    watch_views_close(&watch->views);
    watch->views = watch->following->views;
    watch->fabric = watch->following->with;
    end_following(watch, true);
}

void watch_follow_drop(struct watch *watch)
{
    if (!watch || !watch->following)
        return;
    watch_views_close(&watch->following->views);
    end_following(watch, false);
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

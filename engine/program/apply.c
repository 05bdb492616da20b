/*
 * Another reading of the fabric in place of the one that runs.
 *
 *   new program, aside, filled slice by slice ──> NICs and VNets replaced ──> old FIBs and groups go
 *   sessions of route servers' peers: those that go end, those that come wait for their start
 *   own prefixes of route servers and gateways: what is gone is withdrawn, the rest originated
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"
#include "engine/program/internal.h"

/* Peers that change routes all the time leave some behind each slice, for as long as they do. Once all that was there
 * is programmed, the rest is caught up with in so many slices, and what is left then in one. */
#define CATCH_UP_SLICES 200u

/* --- The program step ------------------------------------------------------------------------- */

/* What is in the groups stays; whoever made it holds the same struct program as before. */
static void exchange(struct program *a, struct program *b)
{
    struct program kept = *a;
    *a = *b;
    *b = kept;
}

/* The next NIC that has the id of one that went is not behind the port that is down, as that one was. */
static void forget_gone(const struct program *program, const struct program *former)
{
    for (uint32_t i = 0; i < former->fabric->nics_count; i++)
        if (fabric_find_nic(program->fabric, former->fabric->nics[i].name) == FABRIC_NONE)
            program_said_cut(program->said, former->ids->nics[i], false);
}

/* Filled FIBs in place of those in force, or everything as it was. made is discarded. */
static int take_over(struct program *program, struct program *made, char error[DP_ERROR_TEXT])
{
    int failed = program_nics_replace(program, made, false, error);
    if (failed) {
        char ignored[DP_ERROR_TEXT];
        program_nics_replace(made, program, true, ignored);
    } else {
        exchange(program, made);
        program->in_force = true;
        forget_gone(program, made);
    }
    program_discard(made);
    return failed;
}

/* --- Own prefixes ----------------------------------------------------------------------------- */

/* Of one route server, before and after. */
struct own_prefixes {
    struct lpm_prefix *before, *after;
    size_t before_count, after_count;
};

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static bool are_equal(const struct own_prefixes *own)
{
    if (own->before_count != own->after_count)
        return false;
    for (size_t i = 0; i < own->before_count; i++)
        if (!lpm_prefix_equal(&own->before[i], &own->after[i]))
            return false;
    return true;
}

static int withdraw_gone(struct speaker *speaker, const struct own_prefixes *own)
{
    int error = 0;
    for (size_t i = 0; i < own->before_count && !error; i++) {
        if (!bsearch(&own->before[i], own->after, own->after_count, sizeof(*own->after),
                     compare_prefixes))
            error = speaker_withdraw(speaker, &own->before[i]);
        if (error == -ENOENT) /* gone already: an earlier try came this far */
            error = 0;
    }
    return error;
}

static int announce_server(struct controller *controller, const struct fabric *with,
                           uint32_t route_server, const struct own_prefixes *own)
{
    const struct server *server = &controller->servers[route_server];
    int error = 0;
    for (unsigned i = 0; i < server->speaker_count && !error; i++) {
        error = withdraw_gone(server->speakers[i], own);
        if (!error)
            error = fabric_route_server_originate(with, route_server, server->speakers[i]);
    }
    for (uint32_t i = 0; i < with->gateways_count && !error; i++) {
        struct speaker *speaker = controller_gateway_speaker(controller, i);
        if (fabric_gateway_server(with, i) != route_server)
            continue;
        error = withdraw_gone(speaker, own);
        if (!error)
            error = fabric_gateway_originate(with, i, speaker);
    }
    return error;
}

static int announce(struct controller *controller, const struct fabric *with)
{
    int error = 0;
    for (uint32_t i = 0; i < with->route_servers_count && !error; i++) {
        struct own_prefixes own = {0};
        error = fabric_originated(controller->fabric, i, &own.before, &own.before_count);
        if (!error)
            error = fabric_originated(with, i, &own.after, &own.after_count);
        if (!error && !are_equal(&own))
            error = announce_server(controller, with, i, &own);
        free(own.before);
        free(own.after);
    }
    return error;
}

/* --- The controller --------------------------------------------------------------------------- */

/* A session that stays keeps what it was made with: the addresses of our end, which IPv6 prefixes of a subnet may
 * change. */
static int check_sessions(const struct controller *controller, const struct fabric *with,
                          char error[DP_ERROR_TEXT])
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        const struct controller_peer *peer = controller->peers[i];
        const struct fabric_route_server *server = &with->route_servers[peer->route_server];
        const struct fabric_bgp_peer *model = controller_peer_in(with, controller->fabric, peer);
        if (peer->accepted || !model ||
            !fabric_bgp_peer_same_session(
                &controller->fabric->route_servers[peer->route_server].peers[peer->index], model))
            continue;
        if (controller_same_addresses(controller, with, peer, (uint32_t)(model - server->peers)))
            continue;
        snprintf(error, DP_ERROR_TEXT,
                 "the next hop that route server '%s' announces to '%s' would be another: restart",
                 server->name, speaker_peer_config(peer->peer)->name);
        return -EINVAL;
    }
    return 0;
}

/* Neighbors of gateways are known by their places, which routers that name the gateway may change. */
static bool same_neighbor(const struct fabric *was, const struct fabric *is, uint32_t gateway,
                          uint32_t i)
{
    struct speaker_peer_config before = fabric_gateway_peer(was, gateway, 0, i);
    struct speaker_peer_config after = fabric_gateway_peer(is, gateway, 0, i);
    bool real = fabric_gateway_neighbor_is_real(was, gateway, i);
    return strcmp(before.name, after.name) == 0 &&
           real == fabric_gateway_neighbor_is_real(is, gateway, i) &&
           (!real || (lpm_address_equal(&before.peer_address, &after.peer_address) &&
                      before.asn == after.asn));
}

static int check_gateways(const struct fabric *was, const struct fabric *is,
                          char error[DP_ERROR_TEXT])
{
    for (uint32_t i = 0; i < was->gateways_count; i++) {
        uint32_t n = fabric_gateway_neighbor_count(was, i);
        bool same = fabric_gateway_neighbor_count(is, i) == n;
        if (fabric_gateway_is_cut_off(was, i) != fabric_gateway_is_cut_off(is, i)) {
            snprintf(error, DP_ERROR_TEXT,
                     "the routes of GatewaySubnet would %s gateway '%s' %s its route server: "
                     "restart",
                     fabric_gateway_is_cut_off(is, i) ? "part" : "join", was->gateways[i].name,
                     fabric_gateway_is_cut_off(is, i) ? "from" : "to");
            return -EINVAL;
        }
        for (uint32_t j = 0; j < n && same; j++)
            same = same_neighbor(was, is, i, j);
        if (same)
            continue;
        snprintf(error, DP_ERROR_TEXT, "gateway '%s' would have other neighbors: restart",
                 was->gateways[i].name);
        return -EINVAL;
    }
    return 0;
}

static int begin(struct controller *controller, const struct fabric *with,
                 char error[DP_ERROR_TEXT])
{
    struct program *program = controller->program;
    controller->next =
        program_create_aside(with, program->bgp, program->forwarding, program, error);
    if (!controller->next)
        return -errno;
    controller->next_fabric = with;
    controller->next_slices = 0;
    int failed = watch_follow_begin(controller->watch, with);
    if (failed) {
        snprintf(error, DP_ERROR_TEXT, "not enough memory to look at its routes");
        controller_apply_cancel(controller);
    }
    return failed;
}

static int check_free(const struct controller *controller, char error[DP_ERROR_TEXT])
{
    if (!controller->next)
        return 0;
    snprintf(error, DP_ERROR_TEXT, "another reading of the fabric is being applied");
    return -EBUSY;
}

int controller_apply_begin(struct controller *controller, const struct fabric *with,
                           char error[DP_ERROR_TEXT])
{
    int wrong = check_free(controller, error);
    if (!wrong)
        wrong = check_sessions(controller, with, error);
    if (!wrong)
        wrong = check_gateways(controller->fabric, with, error);
    return wrong ? wrong : begin(controller, with, error);
}

/* A reading that is in force cannot fail any more but for memory; then peers hear of it late. */
static int follow(struct controller *controller, const struct fabric *with,
                  char error[DP_ERROR_TEXT])
{
    int failed = announce(controller, with);
    if (failed)
        snprintf(error, DP_ERROR_TEXT, "what the route servers announce cannot be changed: %s",
                 strerror(-failed));
    controller->fabric = with;
    watch_follow_take(controller->watch);
    return failed;
}

/* 1: more of it. 0: all routes are in the new program. */
static int fill(struct controller *controller, char error[DP_ERROR_TEXT])
{
    struct program *next = controller->next;
    int failed = program_flush(next);
    bool more = watch_follow_step(controller->watch);
    if (failed >= 0 && program_flush_due(next)) {
        if (more || program_is_sweeping(next) || ++controller->next_slices < CATCH_UP_SLICES)
            return 1;
        failed = program_flush_all(next);
    }
    if (failed >= 0 && more)
        return 1;
    if (failed >= 0)
        return 0;
    snprintf(error, DP_ERROR_TEXT, "routes cannot be programmed: %s", strerror(-failed));
    controller_apply_cancel(controller);
    return failed;
}

/* In force, with its sessions, or everything as it was. *late: it is in force, but not all is well. */
static int exchange_all(struct controller *controller, uint64_t now_ms, int *late,
                        char error[DP_ERROR_TEXT])
{
    const struct fabric *with = controller->next_fabric;
    struct program *next = controller->next;
    struct probes_coming *probes = probes_prepare(with);
    struct controller_coming *coming = NULL;
    int failed = probes ? controller_peers_prepare(controller, with, &coming) : -ENOMEM;
    if (failed) {
        snprintf(error, DP_ERROR_TEXT, "its sessions and probes cannot be made: %s",
                 strerror(-failed));
        probes_drop(probes);
        controller_apply_cancel(controller);
        return failed;
    }
    controller->next = NULL;
    failed = take_over(controller->program, next, error);
    if (failed) {
        watch_follow_drop(controller->watch);
        controller_peers_drop(coming);
        probes_drop(probes);
        return failed;
    }
    probes_take(controller->probes, probes);
    *late = controller_peers_take(controller, with, coming, now_ms);
    if (*late)
        snprintf(error, DP_ERROR_TEXT, "not all is well with its sessions: %s", strerror(-*late));
    return 0;
}

int controller_apply_step(struct controller *controller, uint64_t now_ms, char error[DP_ERROR_TEXT])
{
    int late = 0;
    int more = fill(controller, error);
    if (!more)
        more = exchange_all(controller, now_ms, &late, error);
    if (more)
        return more;
    gateways_take(controller->gateways, controller->next_fabric);
    int told = follow(controller, controller->next_fabric, error);
    return told ? told : late;
}

void controller_apply_cancel(struct controller *controller)
{
    if (controller->next)
        watch_follow_drop(controller->watch);
    program_discard(controller->next);
    controller->next = NULL;
}

int controller_apply(struct controller *controller, const struct fabric *with, uint64_t now_ms,
                     char error[DP_ERROR_TEXT])
{
    int late = 0;
    int more = check_free(controller, error);
    if (!more)
        more = begin(controller, with, error);
    if (more)
        return more;
    do {
        more = fill(controller, error);
    } while (more > 0);
    if (!more)
        more = exchange_all(controller, now_ms, &late, error);
    if (more)
        return more;
    int failed = gateways_follow(controller->gateways, with, now_ms);
    if (failed)
        snprintf(error, DP_ERROR_TEXT, "sessions of gateways cannot be changed: %s",
                 strerror(-failed));
    int told = follow(controller, with, error);
    if (!failed)
        failed = told ? told : late;
    return failed;
}

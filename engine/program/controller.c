/*
 * controller ─┬─ servers[]  one per route server ── speakers[1..2]
 *             ├─ peers[]    route server x instance x neighbour; user pointers of the speakers' peers
 *             ├─ gateways   speakers of VPN and ExpressRoute gateways, and their links
 *             ├─ view       struct fabric_bgp over the speakers
 *             ├─ program    FIBs and groups
 *             ├─ probes     health of load balancers' backends
 *             └─ watch      events
 */
#include "engine/program/controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/controller_private.h"

void controller_note_flush(struct controller *controller)
{
    if (controller->flush_noted)
        return;
    controller->flush_noted = true;
    controller->shell.flush_wanted(controller->shell.context);
}

static void on_gateways_busy(void *context)
{
    controller_note_flush(context);
}

static struct speaker *speaker_of_server(void *context, uint32_t route_server, unsigned instance)
{
    const struct controller *controller = context;
    const struct server *server = &controller->servers[route_server];
    return server->speakers[instance % server->speaker_count];
}

static int make_view(struct controller *controller)
{
    controller->view = program_bgp_view_create(controller->fabric);
    if (!controller->view)
        return -ENOMEM;
    for (uint32_t i = 0; i < controller->fabric->route_servers_count; i++)
        for (unsigned j = 0; j < controller->servers[i].speaker_count; j++) {
            int error =
                program_bgp_view_add(controller->view, i, controller->servers[i].speakers[j]);
            if (error)
                return error;
        }
    return 0;
}

struct controller *controller_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                                     bool with_ports, const struct controller_shell *shell,
                                     char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory for the control plane");
    struct controller *controller = calloc(1, sizeof(*controller));
    if (!controller)
        return NULL;
    controller->fabric = fabric;
    controller->shell = *shell;
    unsigned missing;
    int failed = controller_open_servers(controller, error);
    if (!failed)
        failed = gateways_create(controller, fabric, speaker_of_server, on_gateways_busy,
                                 controller, &controller->gateways, error);
    if (!failed)
        failed = controller_set_policies(controller, fabric, 0, &missing);
    if (!failed)
        failed = make_view(controller);
    if (!failed)
        failed = controller_pace_open(controller);
    if (failed)
        goto fail;
    controller->program =
        program_create(fabric, program_bgp_view(controller->view), forwarding, with_ports, error);
    if (!controller->program) {
        failed = -errno;
        goto fail;
    }
    controller->probes = probes_create(fabric, controller_on_backend, controller);
    if (controller->probes)
        return controller;
    failed = -errno;
fail:
    controller_destroy(controller);
    errno = -failed;
    return NULL;
}

void controller_destroy(struct controller *controller)
{
    if (!controller)
        return;
    controller_apply_cancel(controller);
    program_destroy(controller->program);
    program_bgp_view_destroy(controller->view);
    controller_pace_close(controller);
    gateways_destroy(controller->gateways);
    for (uint32_t i = 0; controller->servers && i < controller->fabric->route_servers_count; i++)
        for (unsigned j = 0; j < controller->servers[i].speaker_count; j++)
            speaker_destroy(controller->servers[i].speakers[j]);
    bfd_table_destroy(controller->bfd);
    probes_destroy(controller->probes);
    watch_destroy(controller->watch);
    for (size_t i = 0; i < controller->made_count; i++)
        free(controller->made[i]);
    free(controller->servers);
    free(controller->peers);
    free(controller->made);
    free(controller);
}

static size_t server_speaker_count(const struct controller *controller)
{
    size_t n = 0;
    for (uint32_t i = 0; i < controller->fabric->route_servers_count; i++)
        n += controller->servers[i].speaker_count;
    return n;
}

void controller_begin_restart(struct controller *controller, uint64_t until_ms)
{
    /* Gateways tell the route servers what they have at once. */
    for (size_t i = 0; i < server_speaker_count(controller); i++)
        speaker_begin_restart(controller_speaker(controller, i), until_ms);
}

size_t controller_request_refresh(struct controller *controller, uint64_t now_ms)
{
    size_t asked = 0;
    for (size_t i = 0; i < controller->peer_count; i++)
        asked += speaker_peer_request_refresh(controller->peers[i]->speaker,
                                              controller->peers[i]->peer, now_ms) == 0;
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        struct controller_peer *peer = controller_gateway_peer(controller, i);
        asked += speaker_peer_request_refresh(peer->speaker, peer->peer, now_ms) == 0;
    }
    return asked;
}

/* Asks one session, if it is with the neighbour of this name. */
static void refresh_named(struct controller_peer *peer, const char *name, uint64_t now_ms,
                          size_t *sessions, size_t *asked)
{
    if (strcmp(speaker_peer_config(peer->peer)->name, name) != 0)
        return;
    ++*sessions;
    *asked += speaker_peer_request_refresh(peer->speaker, peer->peer, now_ms) == 0;
}

size_t controller_refresh_peer(struct controller *controller, const char *name, uint64_t now_ms,
                               size_t *sessions)
{
    size_t asked = 0;
    *sessions = 0;
    for (size_t i = 0; i < controller->peer_count; i++)
        refresh_named(controller->peers[i], name, now_ms, sessions, &asked);
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++)
        refresh_named(controller_gateway_peer(controller, i), name, now_ms, sessions, &asked);
    return asked;
}

size_t controller_restart_instance(struct controller *controller, uint32_t route_server,
                                   unsigned instance, uint64_t pause_ms, uint64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (peer->route_server != route_server || peer->instance != instance)
            continue;
        speaker_peer_abandon(peer->speaker, peer->peer, pause_ms, now_ms);
        n++;
    }
    return n;
}

void controller_start(struct controller *controller, uint64_t now_ms)
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (!peer->started)
            speaker_peer_start(peer->speaker, peer->peer, now_ms);
        peer->started = true;
    }
    gateways_start(controller->gateways, now_ms);
}

/* BFD first: AdminDown tells the peer that what follows is no failure of the path. */
void controller_stop(struct controller *controller, const char *message, uint64_t now_ms)
{
    bfd_table_stop_all(controller->bfd, now_ms * 1000);
    for (size_t i = 0; i < controller->peer_count; i++)
        speaker_peer_shut_down(controller->peers[i]->speaker, controller->peers[i]->peer,
                               BGP_CEASE_SHUTDOWN, message, now_ms);
    gateways_stop(controller->gateways, now_ms);
}

struct bfd_table *controller_bfd(struct controller *controller)
{
    return controller->bfd;
}

unsigned controller_bfd_settle(struct controller *controller, uint64_t now_ms)
{
    unsigned n = 0;
    if (!controller->bfd_close_due)
        return 0;
    controller->bfd_close_due = false;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (!peer->bfd_close_due)
            continue;
        peer->bfd_close_due = false;
        speaker_peer_reset(peer->speaker, peer->peer, BGP_CEASE_BFD_DOWN, now_ms);
        /* A session that had no connection changes no state; what is to come is a new one. */
        peer->bfd_failed = false;
        n++;
    }
    return n;
}

int controller_flush(struct controller *controller)
{
    /* What is noted meanwhile is applied just below. */
    controller->flush_noted = true;
    bool quiet = gateways_pump(controller->gateways);
    controller->flush_noted = false;
    if (!quiet)
        controller_note_flush(controller);
    int error = controller->error;
    controller->error = 0;
    int changed = program_flush(controller->program);
    if (program_flush_due(controller->program))
        controller_note_flush(controller);
    return error ? error : changed;
}

void controller_tick_groups(struct controller *controller, uint64_t now_ms)
{
    program_tick(controller->program, now_ms);
}

int controller_set_member(struct controller *controller, uint32_t group,
                          const struct lpm_address *next_hop, enum program_member_state state,
                          uint64_t now_ms)
{
    int swapped = program_set_member(controller->program, group, next_hop, state);
    /* What is said is said there, too, and groups that stay are the same; those that are new follow here. */
    if (swapped >= 0 && group == 0 && controller->next) {
        int made = program_set_member(controller->next, group, next_hop, state);
        swapped = made < 0 && made != -ESRCH ? made : swapped;
    }
    if (swapped >= 0 && controller->watch)
        watch_member(controller->watch, group, next_hop, state, now_ms);
    return swapped;
}

int controller_port_state(struct controller *controller, uint32_t port, bool up, uint64_t now_ms)
{
    int swapped = program_port_state(controller->program, port, up);
    if (swapped >= 0 && controller->next) {
        int made = program_port_state(controller->next, port, up);
        swapped = made < 0 ? made : swapped;
    }
    if (swapped >= 0 && controller->watch)
        watch_port(controller->watch, port, up, swapped, now_ms);
    return swapped;
}

int controller_watch(struct controller *controller,
                     void (*listener)(void *context, const struct event *event), void *context)
{
    controller->watch = watch_create(controller, controller->fabric, listener, context);
    return controller->watch ? 0 : -ENOMEM;
}

void controller_watch_tick(struct controller *controller, uint64_t now_ms)
{
    if (controller->watch)
        watch_tick(controller->watch, now_ms);
}

const struct event_log *controller_events(const struct controller *controller)
{
    return controller->watch ? watch_log(controller->watch) : NULL;
}

size_t controller_peer_count(const struct controller *controller)
{
    return controller->peer_count;
}

size_t controller_peer_capacity(const struct controller *controller)
{
    return controller->peer_capacity;
}

size_t controller_peer_numbers(const struct controller *controller)
{
    return controller->made_count;
}

struct controller_peer *controller_peer(struct controller *controller, size_t i)
{
    return controller->peers[i];
}

size_t controller_gateway_peer_count(const struct controller *controller)
{
    return gateways_peer_count(controller->gateways);
}

struct controller_peer *controller_gateway_peer(struct controller *controller, size_t i)
{
    return gateways_peer(controller->gateways, i);
}

size_t controller_link_count(const struct controller *controller)
{
    return gateways_link_count(controller->gateways);
}

const struct controller_peer *controller_link_end(const struct controller *controller, size_t i,
                                                  unsigned end)
{
    return gateways_link_end(controller->gateways, i, end);
}

struct speaker *controller_gateway_speaker(struct controller *controller, uint32_t gateway)
{
    return gateways_speaker(controller->gateways, gateway);
}

size_t controller_speaker_count(const struct controller *controller)
{
    return server_speaker_count(controller) + controller->fabric->gateways_count;
}

struct speaker *controller_speaker(struct controller *controller, size_t i)
{
    uint32_t server = 0;
    size_t of_servers = server_speaker_count(controller);
    if (i >= of_servers)
        return gateways_speaker(controller->gateways, (uint32_t)(i - of_servers));
    for (; i >= controller->servers[server].speaker_count; server++)
        i -= controller->servers[server].speaker_count;
    return controller->servers[server].speakers[i];
}

struct probes *controller_probes(struct controller *controller)
{
    return controller->probes;
}

const struct fabric *controller_fabric(const struct controller *controller)
{
    return controller->fabric;
}

struct program *controller_program(struct controller *controller)
{
    return controller->program;
}

const struct fabric_bgp *controller_bgp(struct controller *controller)
{
    return program_bgp_view(controller->view);
}

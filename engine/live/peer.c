/*
 * See peer.h.
 *
 *   speaker ──handler──> wish noted, peer listed ──live_peers_work()──> socket ──> speaker
 *
 * Handler functions run inside the speaker's calls, which may not be entered again, so they only
 * take notes. The list holds each peer once; what is done for one may list others, and the walk
 * goes on until it is empty. It ends: each round of work for a peer needs an event from outside to
 * be wished for again.
 */
#include "engine/live/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/fabric/gateway.h"
#include "engine/live/bfd.h"
#include "engine/live/connection.h"
#include "engine/live/listener.h"
#include "engine/live/log.h"
#include "engine/live/neighbor.h"
#include "engine/live/socket.h"

#define NOTICE_LINE_MS 1000u
/* How long a session that is gone may say its last words, by TCP and by BFD. */
#define GONE_MS 3000u

void live_peer_list(struct live_peer *peer)
{
    if (peer->listed)
        return;
    peer->listed = true;
    peer->next = peer->live->work;
    peer->live->work = peer;
}

const struct lpm_address *live_peer_address(const struct live_peer *peer)
{
    return &speaker_peer_config(peer->peer->peer)->peer_address;
}

/* --- What the speaker tells ------------------------------------------------------------------- */

static void on_connect(void *context, struct controller_peer *controller_peer)
{
    (void)context;
    struct live_peer *peer = controller_peer->shell;
    if (!peer) /* a session that is gone, and forgotten */
        return;
    peer->connect_wanted = true;
    live_peer_list(peer);
}

static void on_close(void *context, struct controller_peer *controller_peer,
                     enum bgp_direction direction)
{
    (void)context;
    struct live_peer *peer = controller_peer->shell;
    if (!peer)
        return;
    /* A wish to connect that was not done yet is taken back by the wish to close. */
    if (direction == BGP_OUTGOING)
        peer->connect_wanted = false;
    if (peer->connections[direction])
        live_connection_wants_close(peer->connections[direction]);
    live_peer_list(peer);
}

static void on_output_ready(void *context, struct controller_peer *controller_peer,
                            enum bgp_direction direction)
{
    (void)context;
    struct live_peer *peer = controller_peer->shell;
    if (!peer)
        return;
    if (peer->connections[direction])
        live_connection_wants_output(peer->connections[direction]);
    live_peer_list(peer);
}

static bool on_input_waits(void *context, struct controller_peer *controller_peer,
                           enum bgp_direction direction)
{
    (void)context;
    const struct live_peer *peer = controller_peer->shell;
    return peer && peer->connections[direction] &&
           live_connection_has_input(peer->connections[direction]);
}

/* Established, and the fall from it or to Idle with the reason, are news. A peer that is away fails
 * the same way over and over: said once. */
static void on_peer_changed(void *context, struct controller_peer *controller_peer,
                            enum bgp_state state, const char *reason)
{
    struct live *live = context;
    struct live_peer *peer = controller_peer->shell;
    if (!peer) /* told while the controller is still being made */
        return;
    bool was_up = peer->came_up_ms != 0;
    peer->came_up_ms = state == BGP_ESTABLISHED ? live_now() : 0;
    if (state != BGP_ESTABLISHED && state != BGP_IDLE && !was_up)
        return;
    char line[sizeof(peer->last_line)];
    snprintf(line, sizeof(line), "%s: %s", bgp_state_text(state), reason);
    if (live->stopping || strcmp(line, peer->last_line) == 0)
        return;
    memcpy(peer->last_line, line, sizeof(line));
    live_log("%s %s", peer->label, line);
}

/* Something odd that changes no state. A peer can provoke one with every message: a line a second
 * at most. */
static void on_notice(void *context, struct controller_peer *controller_peer, const char *line)
{
    (void)context;
    struct live_peer *peer = controller_peer->shell;
    uint64_t now_ms = live_now();
    if (!peer)
        return;
    if (peer->notice_ms && now_ms - peer->notice_ms < NOTICE_LINE_MS) {
        peer->notices_left_out++;
        return;
    }
    live_log("%s %s (%llu lines left out before)", peer->label, line,
             (unsigned long long)peer->notices_left_out);
    peer->notice_ms = now_ms;
    peer->notices_left_out = 0;
}

void live_peers_shell(struct controller_shell *shell)
{
    shell->notice = on_notice;
    shell->peer_changed = on_peer_changed;
    shell->connect = on_connect;
    shell->close = on_close;
    shell->output_ready = on_output_ready;
    shell->input_waits = on_input_waits;
}

/* --- What is done about it -------------------------------------------------------------------- */

/* A socket on its way to the peer, or -errno. */
static int open_connection(const struct live_peer *peer)
{
    const struct live *live = peer->live;
    const struct fabric_bgp_peer *model = peer->neighbor->model;
    const struct live_socket_options options = live_neighbor_options(peer->neighbor);
    struct live_endpoint local = peer->listener->local;
    local.port = 0;
    local.interface = live_neighbor_interface(live, peer->peer);
    const struct live_endpoint remote = {
        model->address, model->transport.port ? model->transport.port : live->options.bgp_port,
        local.interface};
    int fd = live_socket_make(&local, &options);
    if (fd < 0)
        return fd;
    int status =
        live_key_set(fd, &model->address, model->transport.interface, &peer->neighbor->key);
    if (!status)
        status = live_socket_connect(fd, &remote);
    if (!status)
        return fd;
    close(fd);
    return status;
}

static void connect_out(struct live_peer *peer)
{
    struct live *live = peer->live;
    peer->connect_wanted = false;
    const struct controller_peer *session = peer->peer;
    /* A failure is told like one of the network: the session waits and tries again. */
    int fd = live->stopping ? -ESHUTDOWN : open_connection(peer);
    if (fd >= 0)
        live_connection_opening(peer, fd);
    else
        speaker_closed(session->speaker, session->peer, BGP_OUTGOING, strerror(-fd), live_now());
}

void live_peers_work(struct live *live)
{
    while (live->work) {
        struct live_peer *peer = live->work;
        live->work = peer->next;
        peer->listed = false;
        live_bfd_breathe(live);
        if (peer->connect_wanted)
            connect_out(peer);
        for (unsigned direction = 0; direction < 2; direction++) {
            if (peer->connections[direction])
                live_connection_work(peer->connections[direction]);
        }
    }
}

static void cut(struct live_peer *peer, uint64_t now_ms, bool all)
{
    for (unsigned direction = 0; direction < 2; direction++) {
        if (peer->parting[direction])
            live_connection_cut(peer->parting[direction], now_ms, all);
        if (all && peer->connections[direction])
            live_connection_cut(peer->connections[direction], now_ms, all);
    }
}

void live_peers_cut(struct live *live, uint64_t now_ms, bool all)
{
    for (size_t i = 0; i < live->peer_count + live->gateway_peer_count; i++)
        cut(live_peer_at(live, i), now_ms, all);
    for (struct live_peer *peer = live->gone; peer; peer = peer->next_kept)
        cut(peer, now_ms, all);
}

/* --- Life ------------------------------------------------------------------------------------- */

const char *live_session_owner(const struct live *live, const struct controller_peer *session)
{
    return session->gateway == FABRIC_NONE ? live->fabric->route_servers[session->route_server].name
                                           : live->fabric->gateways[session->gateway].name;
}

static void make_label(struct live_peer *peer)
{
    const struct controller_peer *session = peer->peer;
    const struct speaker_peer_config *config = speaker_peer_config(session->peer);
    char address[LPM_ADDRESS_TEXT];
    snprintf(peer->label, sizeof(peer->label), "%s/%u %s %s",
             live_session_owner(peer->live, session), session->instance, config->name,
             lpm_address_format(&config->peer_address, address));
}

static void attach(struct live *live, struct live_peer *peer, struct controller_peer *session)
{
    peer->live = live;
    peer->peer = session;
    peer->neighbor = live_neighbor_of(live, session);
    struct live_endpoint local = live_neighbor_listens_of(live, session);
    peer->listener = live_listener_find(live, &local);
    session->shell = peer;
    make_label(peer);
}

/* A session whose neighbor has no address keeps no shell, and so is not started. */
static void attach_gateways(struct live *live)
{
    struct controller *controller = live->plane.controller;
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        struct controller_peer *session = controller_gateway_peer(controller, i);
        if (fabric_gateway_neighbor_is_real(live->fabric, session->gateway, session->index))
            attach(live, &live->gateway_peers[live->gateway_peer_count++], session);
    }
}

struct live_peer *live_peer_at(const struct live *live, size_t i)
{
    return i < live->peer_count ? live->peers[i] : &live->gateway_peers[i - live->peer_count];
}

/* --- Coming and going ------------------------------------------------------------------------- */

static void spare(struct live *live, struct live_peer *peer)
{
    *peer = (struct live_peer){.next_kept = live->spare};
    live->spare = peer;
    live->spare_count++;
}

static struct live_peer *take_spare(struct live *live)
{
    struct live_peer *peer = live->spare;
    live->spare = peer->next_kept;
    live->spare_count--;
    peer->next_kept = NULL;
    return peer;
}

int live_peers_reserve(struct live *live, size_t n)
{
    n += live->coming_count;
    size_t room = controller_peer_count(live->plane.controller) + n + 1;
    if (room > live->peer_room) {
        void *grown = realloc(live->peers, room * sizeof(struct live_peer *));
        if (!grown)
            return -ENOMEM;
        live->peers = grown;
        live->peer_room = room;
    }
    while (live->spare_count < n) {
        struct live_peer *peer = malloc(sizeof(*peer));
        if (!peer)
            return -ENOMEM;
        spare(live, peer);
    }
    return 0;
}

static void part_with(struct live *live, struct live_peer *peer, uint64_t now_ms)
{
    peer->gone_ms = now_ms;
    peer->connect_wanted = false;
    peer->neighbor = NULL; /* which go with their reading */
    peer->listener = NULL;
    peer->next_kept = live->gone;
    live->gone = peer;
}

/* Of the session that is there now; those of others stay where they are. */
static void find_place(struct live *live, size_t i)
{
    struct controller_peer *session = controller_peer(live->plane.controller, i);
    live->peers[i] = session->shell ? session->shell : take_spare(live);
    attach(live, live->peers[i], session);
}

/* All know their neighbor and listener anew, which are those of the reading that is in force. */
void live_peers_follow(struct live *live, uint64_t now_ms)
{
    struct controller *controller = live->plane.controller;
    for (size_t i = 0; i < live->peer_count; i++)
        if (live->peers[i]->peer->gone)
            part_with(live, live->peers[i], now_ms);
    live->peer_count = controller_peer_count(controller);
    for (size_t i = 0; i < live->peer_count; i++)
        find_place(live, i);
}

static bool is_silent(const struct live_peer *peer)
{
    return !peer->listed && !peer->connections[0] && !peer->connections[1] && !peer->parting[0] &&
           !peer->parting[1];
}

/* BFD has last words, too, a little longer than TCP. */
void live_peers_housekeeping(struct live *live, uint64_t now_ms)
{
    for (struct live_peer **at = &live->gone; *at;) {
        struct live_peer *peer = *at;
        if (!is_silent(peer) || now_ms - peer->gone_ms < GONE_MS) {
            at = &peer->next_kept;
            continue;
        }
        *at = peer->next_kept;
        live_bfd_forget(live, peer->peer);
        peer->peer->shell = NULL;
        spare(live, peer);
    }
}

int live_peers_create(struct live *live)
{
    struct controller *controller = live->plane.controller;
    live->gateway_peers =
        calloc(controller_gateway_peer_count(controller) + 1, sizeof(*live->gateway_peers));
    if (!live->gateway_peers || live_peers_reserve(live, controller_peer_count(controller)) != 0)
        return -ENOMEM;
    live_peers_follow(live, 0);
    attach_gateways(live);
    return 0;
}

static void free_list(struct live_peer *peer)
{
    for (struct live_peer *next; peer; peer = next) {
        next = peer->next_kept;
        free(peer);
    }
}

void live_peers_destroy(struct live *live)
{
    for (size_t i = 0; i < live->peer_count; i++)
        free(live->peers[i]);
    free_list(live->gone);
    free_list(live->spare);
    free(live->peers);
    free(live->gateway_peers);
}

/* What the log was told of the neighbour that was is forgotten; its last words may still be on their
 * way, and the peer may be listed as work. */
static void renew(struct live_peer *peer)
{
    peer->connect_wanted = false;
    peer->came_up_ms = peer->notice_ms = peer->notices_left_out = 0;
    peer->last_line[0] = '\0';
}

void live_peers_accept(struct live *live, size_t first, uint64_t now_ms)
{
    struct controller *controller = live->plane.controller;
    uint32_t route_server = controller_peer(controller, first)->route_server;
    size_t end = first + live->fabric->route_servers[route_server].instance_count;
    live->peer_count = controller_peer_count(controller);
    for (size_t i = first; i < end; i++) {
        struct controller_peer *session = controller_peer(controller, i);
        find_place(live, i);
        renew(live->peers[i]);
        session->started = true;
        speaker_peer_start(session->speaker, session->peer, now_ms);
    }
}

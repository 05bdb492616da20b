/*
 * Accepts TCP connections of configured peers, and those of dynamic_peers as candidates. A connection from anyone else costs one accept and
 * one close: nothing is allocated for it, and the log gets one line a minute however many there
 * are.
 */
#include "engine/live/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/live/candidate.h"
#include "engine/live/connection.h"
#include "engine/live/log.h"
#include "engine/live/neighbor.h"
#include "engine/live/peer.h"
#include "engine/live/socket.h"

/* Connections taken in one turn of the loop: a flood of them must not hold up the sessions. */
#define ACCEPTS_PER_TURN 16
#define REFUSED_LINE_MS  60000u
/* Of what a listening socket answers; each connection gets that of its peer. */
#define LISTENER_TTL 255

/* The session of this listener with that source. Linear: a few hundred comparisons cost less than
 * the accept. */
static struct live_peer *find_among(struct live_peer *peers, size_t n,
                                    const struct live_listener *listener,
                                    const struct lpm_address *source)
{
    for (size_t i = 0; i < n; i++) {
        struct live_peer *peer = &peers[i];
        if (peer->listener == listener && !peer->peer->accepted &&
            lpm_address_equal(live_peer_address(peer), source))
            return peer;
    }
    return NULL;
}

static struct live_peer *find_peer(struct live *live, const struct live_listener *listener,
                                   const struct lpm_address *source)
{
    struct live_peer *peer = find_among(live->peers, live->peer_count, listener, source);
    return peer ? peer
                : find_among(live->gateway_peers, live->gateway_peer_count, listener, source);
}

/* Why a connection for this neighbour, or one by its template, is not wanted; NULL: it is. */
static const char *unwanted(const struct live_neighbor *neighbor, uint8_t ttl)
{
    if (!neighbor)
        return "not a peer in the fabric file";
    if (neighbor->model->transport.connect == FABRIC_CONNECT_ACTIVE)
        return "this peer is only called (connect: active)";
    const struct live_socket_options options = live_neighbor_options(neighbor);
    if (!live_socket_near_enough(&options, ttl))
        return "it came from further away than ttl_security_hops allows";
    return NULL;
}

void live_listener_refused(struct live_listener *listener, const struct lpm_address *source,
                           const char *why, uint64_t now_ms)
{
    /* The first is told at once, a flood of them counted. */
    listener->refused++;
    if (listener->refused_line_ms && now_ms - listener->refused_line_ms < REFUSED_LINE_MS)
        return;
    char text[LPM_ADDRESS_TEXT];
    live_log("%s/%u refused a connection from %s: %s (%llu refused since the last such line)",
             listener->owner, listener->instance, lpm_address_format(source, text), why,
             (unsigned long long)listener->refused);
    listener->refused = 0;
    listener->refused_line_ms = now_ms;
}

/* False: nothing more to accept now. */
static bool accept_one(struct live_listener *listener)
{
    struct lpm_address source;
    uint8_t ttl;
    int fd = live_socket_accept(listener->fd, &source, &ttl);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
        /* The connection stays in the backlog and would wake the loop without end. */
        live_log("cannot accept BGP connections for a moment: %s", strerror(-fd));
        uv_poll_stop(&listener->poll);
        listener->paused = true;
    }
    if (fd < 0)
        return fd == -ECONNABORTED;
    struct live *live = listener->live;
    struct live_peer *peer = find_peer(live, listener, &source);
    struct live_range range;
    bool is_candidate = !peer && live_candidate_range(live, listener, &source, &range);
    const struct live_neighbor *neighbor = peer           ? peer->neighbor
                                           : is_candidate ? range.neighbor
                                                          : NULL;
    const char *why = unwanted(neighbor, ttl);
    if (!why) {
        const struct live_socket_options options = live_neighbor_options(neighbor);
        int status = live_socket_adopt(fd, source.family, &options);
        why = status ? strerror(-status) : NULL;
    }
    if (!why && is_candidate)
        why = live_candidate_accepted(live, &range, &source, fd);
    else if (!why)
        live_connection_accepted(peer, fd);
    if (why) {
        close(fd);
        live_listener_refused(listener, &source, why, live_now());
    }
    return true;
}

static void listener_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct live_listener *listener = poll->data;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN && !listener->paused; i++) {
        if (!accept_one(listener))
            break;
    }
    live_breathe(listener->live);
}

/* What the user should do about a socket that could not be opened. Each cause has one errno: ENODEV
 * and EPERM come only from binding to the device, EACCES and EADDRNOTAVAIL only from the address
 * and port. */
static void explain(const struct live_listener *listener, int status, char error[LIVE_ERROR_TEXT])
{
    const struct live_endpoint *local = &listener->local;
    char address[LPM_ADDRESS_TEXT];
    lpm_address_format(&local->address, address);
    const char *interface = local->interface ? local->interface : "lo";
    char why[LIVE_ERROR_TEXT / 2];
    switch (status) {
    case -EADDRNOTAVAIL:
        snprintf(why, sizeof(why),
                 "this machine does not have the address; add it: ip address add %s/%u dev %s",
                 address, local->address.family == LPM_IPV4 ? 32 : 128, interface);
        break;
    case -EADDRINUSE:
        snprintf(why, sizeof(why),
                 "another program listens there (a BGP daemon?); stop it, or give "
                 "this engine another port");
        break;
    case -ENODEV:
        snprintf(why, sizeof(why), "there is no interface %s; see: ip link", interface);
        break;
    case -EACCES:
        snprintf(why, sizeof(why), "ports below 1024 need root or CAP_NET_BIND_SERVICE");
        break;
    case -EPERM:
        snprintf(why, sizeof(why), "binding to interface %s needs root or CAP_NET_RAW", interface);
        break;
    default:
        snprintf(why, sizeof(why), "%s", strerror(-status));
        break;
    }
    snprintf(error, LIVE_ERROR_TEXT, "%s:%u: %s %s cannot listen on %s port %u: %s",
             listener->place->file ? listener->place->file : "fabric", listener->place->line,
             listener->kind, listener->owner, address, local->port, why);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

struct live_listener *live_listener_find(struct live *live, const struct live_endpoint *local)
{
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = &live->listeners[i];
        if (lpm_address_equal(&listener->local.address, &local->address) &&
            listener->local.port == local->port &&
            same_text(listener->local.interface, local->interface))
            return listener;
    }
    return NULL;
}

/* On a socket that this configured peer connects to: the key for those whose template it is. */
static int set_range_keys(struct live *live, int fd, uint32_t route_server, uint32_t index)
{
    const struct fabric_route_server *server = &live->fabric->route_servers[route_server];
    const struct live_neighbor *neighbor = live_neighbor(live, route_server, index);
    int status = 0;
    for (uint32_t i = 0; !status && i < server->dynamic_peer_count; i++)
        if (fabric_dynamic_peers_template(live->fabric, route_server, i) == index)
            status = live_key_set_range(fd, &server->dynamic_peers[i].prefix,
                                        neighbor->model->transport.interface, &neighbor->key);
    return status;
}

void live_listener_rekey(struct live_listener *listener, const struct live_peer *peer)
{
    const struct fabric_bgp_peer *model = peer->neighbor->model;
    if (listener->fd < 0 || peer->peer->accepted) /* the template's session does it for these */
        return;
    int status = live_key_set(listener->fd, &model->address, model->transport.interface,
                              &peer->neighbor->key);
    if (!status)
        status =
            set_range_keys(peer->live, listener->fd, peer->peer->route_server, peer->peer->index);
    if (status)
        live_log("%s the new key cannot be used: %s", peer->label, strerror(-status));
}

#define ROUTE_SERVER "route server"

/* Lists the endpoint unless it is listed. */
static void add(struct live *live, const struct live_endpoint *local, const char *kind,
                const char *owner, unsigned instance, const struct fabric_place *place)
{
    if (live_listener_find(live, local))
        return;
    live->listeners[live->listener_count++] = (struct live_listener){
        .live = live,
        .fd = -1,
        .local = *local,
        .place = place,
        .kind = kind,
        .owner = owner,
        .instance = instance,
    };
}

/* An address of the route server is listened on even when no peer uses it: strangers are refused
 * with a line, and what lacks on the machine is told. */
static void add_server(struct live *live, uint32_t index)
{
    const struct fabric_route_server *server = &live->fabric->route_servers[index];
    if (server->implicit)
        return;
    for (unsigned instance = 0; instance < server->instance_count; instance++) {
        struct live_endpoint own = {server->addresses[instance],
                                    server->listen_port ? server->listen_port
                                                        : live->options.bgp_port,
                                    server->listen_interface};
        add(live, &own, ROUTE_SERVER, server->name, instance, &server->place);
        for (uint32_t i = 0; i < server->peer_count; i++) {
            struct live_endpoint local = live_neighbor_listens(live, index, instance, i);
            add(live, &local, ROUTE_SERVER, server->name, instance, &server->peers[i].place);
        }
    }
}

/* A gateway listens where it has somebody to listen for: its own addresses may be the data plane's alone. */
static void add_gateway(struct live *live, uint32_t index)
{
    const struct fabric_gateway *gateway = &live->fabric->gateways[index];
    bool is_called = false;
    for (uint32_t i = 0; i < fabric_gateway_neighbor_count(live->fabric, index); i++)
        is_called |= fabric_gateway_neighbor_is_real(live->fabric, index, i);
    for (unsigned instance = 0; is_called && instance < gateway->addresses.n; instance++) {
        struct live_endpoint own = {.address = gateway->addresses.items[instance],
                                    .port = live->options.bgp_port};
        add(live, &own, "gateway", gateway->name, instance, &gateway->place);
    }
}

/* The keys of all peers that connect here. */
static int set_keys(struct live *live, const struct live_listener *listener, int fd)
{
    for (uint32_t i = 0; i < live->fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &live->fabric->route_servers[i];
        for (uint32_t j = 0; j < server->instance_count * server->peer_count; j++) {
            uint32_t index = j / server->instance_count;
            struct live_endpoint local =
                live_neighbor_listens(live, i, j % server->instance_count, index);
            const struct live_neighbor *neighbor = live_neighbor(live, i, index);
            if (neighbor->key.length == 0 || live_listener_find(live, &local) != listener)
                continue;
            int status = live_key_set(fd, &neighbor->model->address,
                                      neighbor->model->transport.interface, &neighbor->key);
            if (!status)
                status = set_range_keys(live, fd, i, index);
            if (status)
                return status;
        }
    }
    return 0;
}

static int open_one(struct live_listener *listener, char error[LIVE_ERROR_TEXT])
{
    const struct live_socket_options options = {.ttl = LISTENER_TTL};
    int fd = live_socket_make(&listener->local, &options);
    int status = fd < 0 ? fd : set_keys(listener->live, listener, fd);
    if (!status)
        status = live_socket_listen(fd);
    if (status) {
        explain(listener, status, error);
        goto fail;
    }
    status = uv_poll_init(&listener->live->loop, &listener->poll, fd);
    if (status) {
        snprintf(error, LIVE_ERROR_TEXT, "cannot watch a listening socket: %s",
                 uv_strerror(status));
        goto fail;
    }
    listener->fd = fd;
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, listener_event);
    return 0;
fail:
    if (fd >= 0)
        close(fd);
    return status;
}

int live_listeners_open(struct live *live, char error[LIVE_ERROR_TEXT])
{
    const struct fabric *fabric = live->fabric;
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += fabric->route_servers[i].instance_count *
             ((size_t)fabric->route_servers[i].peer_count + 1);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        n += fabric->gateways[i].addresses.n;
    live->listeners = calloc(n + 1, sizeof(*live->listeners));
    if (!live->listeners) {
        snprintf(error, LIVE_ERROR_TEXT, "not enough memory for %zu listening sockets", n);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        add_server(live, i);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        add_gateway(live, i);
    for (unsigned i = 0; i < live->listener_count; i++) {
        int status = open_one(&live->listeners[i], error);
        if (status)
            return status;
    }
    return 0;
}

/* The handles live in live->listeners, which is freed after the loop has let go of them. */
void live_listeners_close(struct live *live)
{
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = &live->listeners[i];
        if (listener->fd < 0)
            continue;
        uv_close((uv_handle_t *)&listener->poll, NULL);
        close(listener->fd);
        listener->fd = -1;
    }
}

void live_listeners_housekeeping(struct live *live)
{
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = &live->listeners[i];
        if (!listener->paused || listener->fd < 0)
            continue;
        listener->paused = false;
        uv_poll_start(&listener->poll, UV_READABLE, listener_event);
    }
}

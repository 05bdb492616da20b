/*
 * Accepts TCP connections of configured peers. A connection from anyone else costs one accept and
 * one close: nothing is allocated for it, and the log gets one line a minute however many there
 * are.
 */
#include "engine/live/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/live/connection.h"
#include "engine/live/log.h"
#include "engine/live/peer.h"
#include "engine/live/socket.h"

/* Connections taken in one turn of the loop: a flood of them must not hold up the sessions. */
#define ACCEPTS_PER_TURN 16
#define REFUSED_LINE_MS  60000u

/* The session of this instance with that source. Linear: a few hundred comparisons cost less than
 * the accept. */
static struct live_peer *find_peer(struct live *live, const struct live_listener *listener,
                                   const struct lpm_address *source)
{
    for (size_t i = 0; i < live->peer_count; i++) {
        const struct controller_peer *peer = live->peers[i].peer;
        if (peer->route_server == listener->route_server && peer->instance == listener->instance &&
            lpm_address_equal(&speaker_peer_config(peer->peer)->peer_address, source))
            return &live->peers[i];
    }
    return NULL;
}

static void refused(struct live_listener *listener, const struct lpm_address *source,
                    uint64_t now_ms)
{
    /* The first is told at once, a flood of them counted. */
    listener->refused++;
    if (listener->refused_line_ms && now_ms - listener->refused_line_ms < REFUSED_LINE_MS)
        return;
    char text[LPM_ADDRESS_TEXT];
    live_log(
        "%s/%u refused a connection from %s: not a peer in the fabric file (%llu refused since "
        "the last such line)",
        listener->live->fabric->route_servers[listener->route_server].name, listener->instance,
        lpm_address_format(source, text), (unsigned long long)listener->refused);
    listener->refused = 0;
    listener->refused_line_ms = now_ms;
}

/* False: nothing more to accept now. */
static bool accept_one(struct live_listener *listener)
{
    struct lpm_address source;
    int fd = live_socket_accept(listener->fd, &source);
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
    if (peer) {
        live_connection_accepted(peer, fd);
    } else {
        close(fd);
        refused(listener, &source, live_now());
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
static void explain(const struct live *live, const struct live_listener *listener,
                    const struct live_endpoint *local, int status, char error[LIVE_ERROR_TEXT])
{
    const struct fabric_route_server *server = &live->fabric->route_servers[listener->route_server];
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
    snprintf(error, LIVE_ERROR_TEXT, "%s:%u: route server %s cannot listen on %s port %u: %s",
             server->place.file ? server->place.file : "fabric", server->place.line, server->name,
             address, local->port, why);
}

static int open_one(struct live *live, struct live_listener *listener, uint32_t route_server,
                    unsigned instance, char error[LIVE_ERROR_TEXT])
{
    const struct fabric_route_server *server = &live->fabric->route_servers[route_server];
    struct live_endpoint local = {server->addresses[instance], live->options.bgp_port,
                                  server->listen_interface};
    *listener = (struct live_listener){
        .live = live, .fd = -1, .route_server = route_server, .instance = instance};
    int fd = live_socket_listen(&local);
    if (fd < 0) {
        explain(live, listener, &local, fd, error);
        return fd;
    }
    int status = uv_poll_init(&live->loop, &listener->poll, fd);
    if (status) {
        close(fd);
        snprintf(error, LIVE_ERROR_TEXT, "cannot watch a listening socket: %s",
                 uv_strerror(status));
        return status;
    }
    listener->fd = fd;
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, listener_event);
    return 0;
}

int live_listeners_open(struct live *live, char error[LIVE_ERROR_TEXT])
{
    const struct fabric *fabric = live->fabric;
    unsigned n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += fabric->route_servers[i].instance_count;
    live->listeners = calloc(n + 1, sizeof(*live->listeners));
    if (!live->listeners) {
        snprintf(error, LIVE_ERROR_TEXT, "not enough memory for %u listening sockets", n);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        for (unsigned j = 0; j < fabric->route_servers[i].instance_count; j++) {
            int status = open_one(live, &live->listeners[live->listener_count], i, j, error);
            if (status)
                return status;
            live->listener_count++;
        }
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

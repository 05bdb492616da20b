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

#include "engine/live/candidate.h"
#include "engine/live/connection.h"
#include "engine/live/listener_private.h"
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
static struct live_peer *find_peer(struct live *live, const struct live_listener *listener,
                                   const struct lpm_address *source)
{
    for (size_t i = 0; i < live->peer_count + live->gateway_peer_count; i++) {
        struct live_peer *peer = live_peer_at(live, i);
        if (peer->listener == listener && !peer->peer->accepted &&
            lpm_address_equal(live_peer_address(peer), source))
            return peer;
    }
    return NULL;
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

bool live_endpoint_equal(const struct live_endpoint *a, const struct live_endpoint *b)
{
    return lpm_address_equal(&a->address, &b->address) && a->port == b->port &&
           same_text(a->interface, b->interface);
}

struct live_listener *live_listener_find(struct live *live, const struct live_endpoint *local)
{
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = live->listeners[i];
        if (live_endpoint_equal(&listener->local, local))
            return listener;
    }
    return NULL;
}

struct live_listener *live_listener_still(struct live *live, const struct live_listener *listener)
{
    for (unsigned i = 0; i < live->listener_count; i++)
        if (live->listeners[i] == listener)
            return live->listeners[i];
    return NULL;
}

int live_listener_open(struct live_listener *listener, const struct live_neighbors *neighbors,
                       char error[LIVE_ERROR_TEXT])
{
    const struct live_socket_options options = {.ttl = LISTENER_TTL};
    int fd = live_socket_make(&listener->local, &options);
    int status = fd < 0 ? fd : live_listener_set_keys(listener, neighbors, fd);
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

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void live_listener_close(struct live_listener *listener)
{
    close(listener->fd);
    listener->fd = -1;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
}

void live_listeners_close(struct live *live)
{
    for (unsigned i = 0; i < live->listener_count; i++)
        live_listener_close(live->listeners[i]);
    live->listener_count = 0;
}

void live_listeners_housekeeping(struct live *live)
{
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = live->listeners[i];
        if (!listener->paused || listener->fd < 0)
            continue;
        listener->paused = false;
        uv_poll_start(&listener->poll, UV_READABLE, listener_event);
    }
}

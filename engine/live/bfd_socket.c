/*
 * BFD's sockets: one to listen for an address and port, one to send for each session; at the start, and when another
 * reading of the fabric takes the place of the one that runs.
 */
#include "engine/live/bfd_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/fabric/route_server.h"
#include "engine/live/log.h"
#include "engine/live/neighbor.h"
#include "engine/live/socket.h"

/* RFC 5881 section 4. */
#define SOURCE_PORT_FIRST 49152u
#define SOURCE_PORT_COUNT 16384u

static const struct bfd_path *path_of(const struct live *live, const struct controller_peer *peer)
{
    return bfd_table_path(controller_bfd(live->plane.controller), peer->bfd);
}

/* Whose session it is, as the file says. */
struct asker {
    const struct fabric_bgp_peer *model;
    const char *interface;
    struct bfd_path path;
};

static struct asker asker_of(const struct live *live, const struct controller_peer *peer)
{
    return (struct asker){
        .model = &live->fabric->route_servers[peer->route_server].peers[peer->index],
        .interface = live_neighbor_interface(live, peer),
        .path = *path_of(live, peer),
    };
}

static int explain(const struct asker *asker, const struct live_endpoint *local, int status,
                   char error[DP_ERROR_TEXT])
{
    const struct fabric_bgp_peer *entry = asker->model;
    char address[LPM_ADDRESS_TEXT], port[40] = "a source port";
    const char *why = strerror(-status);
    if (local->port)
        snprintf(port, sizeof(port), "port %u", local->port);
    if (status == -EADDRINUSE)
        why = local->port
                  ? "another program has it (a BFD daemon?); stop it there, or take bfd out "
                    "of the peer"
                  : "all from 49152 to 65535 are taken";
    else if (status == -EMFILE)
        why = "too many open files: raise the limit (ulimit -n), each BFD session takes one";
    snprintf(error, DP_ERROR_TEXT, "%s:%u: BFD with peer '%s' cannot open UDP %s on %s: %s",
             entry->place.file ? entry->place.file : "fabric", entry->place.line, entry->name, port,
             lpm_address_format(&local->address, address), why);
    return status;
}

static struct live_bfd_listener *find_listener(const struct live_bfd *bfd,
                                               const struct bfd_path *path)
{
    for (size_t i = 0; i < bfd->listener_count; i++)
        if (bfd->listeners[i]->multihop == path->multihop &&
            lpm_address_equal(&bfd->listeners[i]->local, &path->local))
            return bfd->listeners[i];
    return NULL;
}

/* Listeners do not move: libuv has handles in them. */
static struct live_bfd_listener *add_listener(struct live_bfd *bfd)
{
    void *grown =
        realloc(bfd->listeners, (bfd->listener_count + 1) * sizeof(struct live_bfd_listener *));
    if (!grown)
        return NULL;
    bfd->listeners = grown;
    return calloc(1, sizeof(struct live_bfd_listener));
}

static int listen_for(struct live_bfd *bfd, const struct asker *asker, char error[DP_ERROR_TEXT])
{
    struct live *live = bfd->live;
    const struct bfd_path *path = &asker->path;
    struct live_endpoint local = {path->local, live_bfd_port_of(path), asker->interface};
    if (find_listener(bfd, path))
        return 0;
    struct live_bfd_listener *listener = add_listener(bfd);
    int fd = listener ? live_datagram_open(&local) : -ENOMEM;
    if (fd < 0) {
        free(listener);
        return explain(asker, &local, fd, error);
    }
    *listener = (struct live_bfd_listener){
        .live = live, .fd = fd, .local = path->local, .multihop = path->multihop};
    int status = uv_poll_init(&live->loop, &listener->poll, fd);
    if (status) {
        close(fd);
        free(listener);
        return explain(asker, &local, status, error);
    }
    bfd->listeners[bfd->listener_count++] = listener;
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, live_bfd_on_datagram);
    return 0;
}

/* Each session has a source port of its own and keeps it (RFC 5881 section 4). */
static int open_sender(struct live_bfd *bfd, const struct asker *asker,
                       struct live_bfd_sender *sender, char error[DP_ERROR_TEXT])
{
    struct live_endpoint local = {asker->path.local, 0, asker->interface};
    int fd = -EADDRINUSE;
    for (unsigned tries = 0; fd == -EADDRINUSE && tries < SOURCE_PORT_COUNT; tries++) {
        local.port = (uint16_t)(SOURCE_PORT_FIRST + bfd->next_port++ % SOURCE_PORT_COUNT);
        fd = live_datagram_open(&local);
    }
    local.port = 0;
    if (fd < 0)
        return explain(asker, &local, fd, error);
    sender->fd = fd;
    snprintf(sender->interface, sizeof(sender->interface), "%s",
             asker->interface ? asker->interface : "");
    return 0;
}

static int make_senders(struct live_bfd *bfd, size_t n)
{
    void *grown =
        n > bfd->sender_count ? realloc(bfd->senders, n * sizeof(*bfd->senders)) : bfd->senders;
    if (n > 0 && !grown)
        return -ENOMEM;
    bfd->senders = grown;
    for (; bfd->sender_count < n; bfd->sender_count++)
        bfd->senders[bfd->sender_count] = (struct live_bfd_sender){.fd = -1};
    return 0;
}

/* All that sessions want and have not. */
int live_bfd_open_sockets(struct live_bfd *bfd, char error[DP_ERROR_TEXT])
{
    struct controller *controller = bfd->live->plane.controller;
    int status = make_senders(bfd, controller_peer_numbers(controller));
    for (size_t i = 0; i < controller_peer_count(controller) && !status; i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        if (!peer->bfd)
            continue;
        const struct asker asker = asker_of(bfd->live, peer);
        status = listen_for(bfd, &asker, error);
        if (!status && bfd->senders[peer->number].fd < 0)
            status = open_sender(bfd, &asker, &bfd->senders[peer->number], error);
    }
    return status;
}

/* --- Another reading -------------------------------------------------------------------------- */

/* Listens for this peer's session at every instance, unless it is so already. */
static int prepare_peer(struct live *live, const struct fabric *fabric, uint32_t route_server,
                        uint32_t index, char error[DP_ERROR_TEXT])
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    struct asker asker = {.model = &server->peers[index],
                          .interface = live_neighbor_device(fabric, route_server, index)};
    int status = 0;
    asker.path.remote = asker.model->address;
    asker.path.multihop = asker.model->bfd.multihop;
    for (unsigned i = 0; i < server->instance_count && !status; i++) {
        asker.path.local = fabric_route_server_local(fabric, route_server, i, index);
        if (asker.path.local.family == asker.path.remote.family)
            status = listen_for(live->bfd, &asker, error);
    }
    return status;
}

int live_bfd_prepare(struct live *live, const struct fabric *fabric, char error[DP_ERROR_TEXT])
{
    int status = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count && !status; j++) {
            if (!fabric->route_servers[i].peers[j].bfd.enabled)
                continue;
            status = live->bfd ? 0 : live_bfd_make(live, error);
            if (!status)
                status = prepare_peer(live, fabric, i, j, error);
        }
    return status;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void live_bfd_close_listener(struct live_bfd_listener *listener)
{
    close(listener->fd);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
}

/* Nobody is listened for where no session is. */
static void close_unwanted(struct live_bfd *bfd)
{
    struct controller *controller = bfd->live->plane.controller;
    size_t kept = 0;
    for (size_t i = 0; i < bfd->listener_count; i++)
        bfd->listeners[i]->wanted = false;
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        struct live_bfd_listener *listener =
            peer->bfd ? find_listener(bfd, path_of(bfd->live, peer)) : NULL;
        if (listener)
            listener->wanted = true;
    }
    for (size_t i = 0; i < bfd->listener_count; i++) {
        if (bfd->listeners[i]->wanted)
            bfd->listeners[kept++] = bfd->listeners[i];
        else
            live_bfd_close_listener(bfd->listeners[i]);
    }
    bfd->listener_count = kept;
}

void live_bfd_follow(struct live *live)
{
    char error[DP_ERROR_TEXT] = "not enough memory";
    if (!live->bfd)
        return;
    if (live_bfd_open_sockets(live->bfd, error) != 0)
        live_log("%s; nothing is sent for it", error);
    close_unwanted(live->bfd);
}

void live_bfd_forget(struct live *live, const struct controller_peer *peer)
{
    if (!live->bfd || peer->number >= live->bfd->sender_count)
        return;
    struct live_bfd_sender *sender = &live->bfd->senders[peer->number];
    if (sender->fd >= 0)
        close(sender->fd);
    sender->fd = -1;
}

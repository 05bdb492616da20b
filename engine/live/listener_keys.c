/* Keys on listening sockets: of each peer that connects there, and of the ranges whose template it is. */
#include "engine/live/listener_private.h"

#include <string.h>

#include "engine/fabric/route_server.h"
#include "engine/live/log.h"
#include "engine/live/neighbor.h"

/* Of the ranges whose template this configured peer is. */
static int set_range_keys(const struct live_neighbors *neighbors, int fd, uint32_t route_server,
                          uint32_t index, bool there)
{
    const struct fabric *fabric = neighbors->fabric;
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const struct live_neighbor *neighbor = live_neighbor(neighbors, route_server, index);
    const char *interface = neighbor->model->transport.interface;
    int status = 0;
    for (uint32_t i = 0; !status && i < server->dynamic_peer_count; i++) {
        const struct lpm_prefix *range = &server->dynamic_peers[i].prefix;
        if (fabric_dynamic_peers_template(fabric, route_server, i) != index)
            continue;
        if (there)
            status = live_key_set_range(fd, range, interface, &neighbor->key);
        else
            live_key_remove_range(fd, range, interface, &neighbor->key);
    }
    return status;
}

/* On a socket that this configured peer connects to. */
static int set_keys_of(const struct live_neighbors *neighbors, int fd, uint32_t route_server,
                       uint32_t index)
{
    const struct live_neighbor *neighbor = live_neighbor(neighbors, route_server, index);
    int status = live_key_set(fd, &neighbor->model->address, neighbor->model->transport.interface,
                              &neighbor->key);
    return status ? status : set_range_keys(neighbors, fd, route_server, index, true);
}

void live_listener_rekey(struct live_listener *listener, const struct live_peer *peer)
{
    if (listener->fd < 0 || peer->peer->accepted) /* the template's session does it for these */
        return;
    int status = set_keys_of(&peer->live->neighbors, listener->fd, peer->peer->route_server,
                             peer->peer->index);
    if (status)
        live_log("%s the new key cannot be used: %s", peer->label, strerror(-status));
}

/* Do sessions of this configured peer come in here? */
static bool is_called_by(const struct live_listener *listener, const struct fabric *fabric,
                         uint32_t route_server, uint32_t index)
{
    for (unsigned i = 0; i < fabric->route_servers[route_server].instance_count; i++) {
        struct live_endpoint local =
            live_neighbor_listens(listener->live, fabric, route_server, i, index);
        if (live_endpoint_equal(&local, &listener->local))
            return true;
    }
    return false;
}

/* The keys of all peers that connect here. */
int live_listener_set_keys(const struct live_listener *listener,
                           const struct live_neighbors *neighbors, int fd)
{
    const struct fabric *fabric = neighbors->fabric;
    int status = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count && !status; j++)
            if (live_neighbor(neighbors, i, j)->key.length > 0 &&
                is_called_by(listener, fabric, i, j))
                status = set_keys_of(neighbors, fd, i, j);
    return status;
}

/* --- Keys of another reading ------------------------------------------------------------------ */

/* Has the other reading the same key for the same address? */
static bool has_same_key(const struct live_neighbors *neighbors, uint32_t route_server,
                         const struct live_neighbor *neighbor)
{
    const struct live_neighbor *other =
        live_neighbor_named(neighbors, route_server, neighbor->model->name);
    return other && live_key_equal(&other->key, &neighbor->key) &&
           lpm_address_equal(&other->model->address, &neighbor->model->address);
}

static void remove_keys(const struct live_listener *listener, const struct live_neighbors *former)
{
    const struct fabric *fabric = former->fabric;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count; j++) {
            const struct live_neighbor *neighbor = live_neighbor(former, i, j);
            if (neighbor->key.length == 0 || !is_called_by(listener, fabric, i, j) ||
                has_same_key(&listener->live->neighbors, i, neighbor))
                continue;
            live_key_remove(listener->fd, &neighbor->model->address,
                            neighbor->model->transport.interface, &neighbor->key);
            set_range_keys(former, listener->fd, i, j, false);
        }
}

/* First what goes, so that an address that has another peer has its key. */
void live_listener_follow_keys(struct live_listener *listener, const struct live_neighbors *former)
{
    remove_keys(listener, former);
    int status = live_listener_set_keys(listener, &listener->live->neighbors, listener->fd);
    if (status)
        live_log("%s/%u: the keys of its peers cannot all be used: %s", listener->owner,
                 listener->instance, strerror(-status));
}

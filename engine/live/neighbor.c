/*
 * See neighbor.h. Both sessions of a peer (one an instance) share one entry.
 */
#include "engine/live/neighbor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/live/connection.h"
#include "engine/live/listener.h"
#include "engine/live/log.h"

/* Boxes on-premises may be any number of hops away. */
#define GATEWAY_TTL 255u

static size_t neighbor_count(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += fabric->route_servers[i].peer_count;
    return n;
}

struct live_neighbor *live_neighbor(const struct live_neighbors *neighbors, uint32_t route_server,
                                    uint32_t index)
{
    size_t first = 0;
    for (uint32_t i = 0; i < route_server; i++)
        first += neighbors->fabric->route_servers[i].peer_count;
    return &neighbors->items[first + index];
}

struct live_neighbor *live_neighbor_named(const struct live_neighbors *neighbors,
                                          uint32_t route_server, const char *name)
{
    if (!neighbors->items || route_server >= neighbors->fabric->route_servers_count)
        return NULL;
    const struct fabric_route_server *server = &neighbors->fabric->route_servers[route_server];
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (strcmp(server->peers[i].name, name) == 0)
            return live_neighbor(neighbors, route_server, i);
    return NULL;
}

static size_t gateway_neighbor_count(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        n += fabric_gateway_neighbor_count(fabric, i);
    return n;
}

struct live_neighbor *live_neighbor_of(struct live *live, const struct controller_peer *session)
{
    size_t first = 0;
    if (session->gateway == FABRIC_NONE)
        return live_neighbor(&live->neighbors, session->route_server, session->index);
    for (uint32_t i = 0; i < session->gateway; i++)
        first += fabric_gateway_neighbor_count(live->fabric, i);
    return &live->gateway_neighbors[first + session->index];
}

/* A gateway's neighbor as a peer like any other: what the file cannot say of it has its default. */
static void make_gateway_neighbor(struct live_neighbor *neighbor, const struct fabric *fabric,
                                  uint32_t gateway, uint32_t index)
{
    const struct speaker_peer_config config = fabric_gateway_peer(fabric, gateway, 0, index);
    neighbor->made = (struct fabric_bgp_peer){
        .name = config.name,
        .place = fabric->gateways[gateway].place,
        .address = config.peer_address,
        .asn = config.asn,
        .transport = {.ttl = GATEWAY_TTL},
    };
    neighbor->model = &neighbor->made;
}

/* --- Endpoints -------------------------------------------------------------------------------- */

struct live_endpoint live_neighbor_listens(const struct live *live, const struct fabric *fabric,
                                           uint32_t route_server, unsigned instance, uint32_t index)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const struct fabric_transport *transport = &server->peers[index].transport;
    bool own_address = transport->local_address_count > 0;
    return (struct live_endpoint){
        .address = fabric_route_server_local(fabric, route_server, instance, index),
        .port = server->listen_port ? server->listen_port : live->options.bgp_port,
        .interface =
            own_address && transport->interface ? transport->interface : server->listen_interface,
    };
}

const char *live_neighbor_device(const struct fabric *fabric, uint32_t route_server, uint32_t index)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const char *interface = server->peers[index].transport.interface;
    return interface ? interface : server->listen_interface;
}

/* A gateway's sockets are bound to its own addresses, and to no interface. */
const char *live_neighbor_interface(const struct live *live, const struct controller_peer *session)
{
    return session->gateway != FABRIC_NONE
               ? NULL
               : live_neighbor_device(live->fabric, session->route_server, session->index);
}

struct live_endpoint live_neighbor_listens_of(const struct live *live,
                                              const struct controller_peer *session)
{
    if (session->gateway == FABRIC_NONE)
        return live_neighbor_listens(live, live->fabric, session->route_server, session->instance,
                                     session->index);
    return (struct live_endpoint){
        .address = live->fabric->gateways[session->gateway].addresses.items[session->instance],
        .port = live->options.bgp_port,
    };
}

struct live_socket_options live_neighbor_options(const struct live_neighbor *neighbor)
{
    const struct fabric_transport *transport = &neighbor->model->transport;
    return (struct live_socket_options){
        .ttl = (uint8_t)transport->ttl,
        .ttl_security_hops = (uint8_t)transport->ttl_security_hops,
        .interface = transport->interface,
    };
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* Tried on a socket of its own, so that a kernel without such keys is told at the start and at the
 * line of the peer, not at the first connection. */
static int try_key(const struct live_neighbor *neighbor, char *error, size_t error_size)
{
    const struct fabric_bgp_peer *peer = neighbor->model;
    const struct live_endpoint any = {.address = {.family = peer->address.family}};
    const struct live_socket_options options = {.ttl = 1};
    int fd = live_socket_make(&any, &options);
    int status =
        fd < 0 ? fd : live_key_set(fd, &peer->address, peer->transport.interface, &neighbor->key);
    if (fd >= 0)
        close(fd);
    if (status == 0)
        return 0;
    const char *why = strerror(-status);
    if (status == -ENOPROTOOPT || status == -EOPNOTSUPP)
        why = peer->key_type == FABRIC_KEY_TCP_AO
                  ? "this kernel has no TCP-AO (RFC 5925); it came with Linux 6.7, built with "
                    "CONFIG_TCP_AO; use key_type: md5"
                  : "this kernel has no TCP MD5 signatures (RFC 2385, CONFIG_TCP_MD5SIG)";
    snprintf(error, error_size, "%s:%u: peer '%s' has a key that cannot be used: %s",
             peer->place.file ? peer->place.file : "fabric", peer->place.line, peer->name, why);
    return status;
}

static int read_key(struct live_neighbor *neighbor, char *error, size_t error_size)
{
    if (!neighbor->model->key_file)
        return 0;
    int status = live_key_read(neighbor->model, &neighbor->key, error, error_size);
    return status ? status : try_key(neighbor, error, error_size);
}

int live_neighbors_make(struct live_neighbors *neighbors, const struct fabric *fabric, char *error,
                        size_t error_size)
{
    int status = 0;
    neighbors->fabric = fabric;
    neighbors->items = calloc(neighbor_count(fabric) + 1, sizeof(*neighbors->items));
    if (!neighbors->items) {
        snprintf(error, error_size, "not enough memory for the keys of peers");
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count && !status; j++) {
            struct live_neighbor *neighbor = live_neighbor(neighbors, i, j);
            neighbor->model = &fabric->route_servers[i].peers[j];
            status = read_key(neighbor, error, error_size);
        }
    if (status)
        live_neighbors_free(neighbors);
    return status;
}

void live_neighbors_free(struct live_neighbors *neighbors)
{
    size_t n = neighbors->items ? neighbor_count(neighbors->fabric) : 0;
    for (size_t i = 0; i < n; i++)
        live_key_forget(&neighbors->items[i].key);
    free(neighbors->items);
    *neighbors = (struct live_neighbors){0};
}

int live_neighbors_create(struct live *live, char *error, size_t error_size)
{
    const struct fabric *fabric = live->fabric;
    live->gateway_neighbors =
        calloc(gateway_neighbor_count(fabric) + 1, sizeof(*live->gateway_neighbors));
    if (!live->gateway_neighbors) {
        snprintf(error, error_size, "not enough memory for the neighbors of gateways");
        return -ENOMEM;
    }
    struct live_neighbor *next = live->gateway_neighbors;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        for (uint32_t j = 0; j < fabric_gateway_neighbor_count(fabric, i); j++)
            make_gateway_neighbor(next++, fabric, i, j);
    return live_neighbors_make(&live->neighbors, fabric, error, error_size);
}

void live_neighbors_destroy(struct live *live)
{
    live_neighbors_free(&live->neighbors);
    free(live->gateway_neighbors);
    live->gateway_neighbors = NULL;
}

void live_neighbor_rekey(struct live_peer *peer)
{
    live_listener_rekey(peer->listener, peer);
    for (unsigned direction = 0; direction < 2; direction++) {
        if (peer->connections[direction])
            live_connection_rekey(peer->connections[direction]);
    }
}

void live_neighbors_rekey(struct live *live, const struct live_neighbors *former)
{
    for (size_t i = 0; i < live->peer_count; i++) {
        struct live_peer *peer = live->peers[i];
        const struct live_neighbor *was =
            live_neighbor_named(former, peer->peer->route_server, peer->neighbor->model->name);
        if (was && was->key.length > 0 && !live_key_equal(&was->key, &peer->neighbor->key))
            live_neighbor_rekey(peer);
    }
}

/* True: the key changed. */
static bool reload_one(struct live *live, struct live_neighbor *neighbor)
{
    char error[LIVE_ERROR_TEXT];
    struct live_key key = {0};
    if (live_key_read(neighbor->model, &key, error, sizeof(error)) != 0) {
        live_log("%s; the former key stays in force", error);
        return false;
    }
    bool changed = !live_key_equal(&key, &neighbor->key);
    if (changed) {
        neighbor->key = key;
        for (size_t i = 0; i < live->peer_count; i++) {
            if (live->peers[i]->neighbor == neighbor)
                live_neighbor_rekey(live->peers[i]);
        }
    }
    live_key_forget(&key);
    return changed;
}

void live_neighbors_reload(struct live *live)
{
    unsigned changed = 0, read = 0;
    for (size_t i = 0; i < neighbor_count(live->fabric); i++) {
        if (!live->neighbors.items[i].model->key_file)
            continue;
        read++;
        changed += reload_one(live, &live->neighbors.items[i]);
    }
    live_log("key files read again: %u, keys changed: %u", read, changed);
}

/*
 * Which listening sockets a reading of the fabric wants: at the start, and when another reading takes the place of the
 * one that runs.
 *
 *   both want it ─────> stays open, with the new reading's texts and keys
 *   the new one alone ─> opened beforehand (`fresh`), as that can fail
 *   the former alone ──> closed, once nothing can fail any more
 */
#include "engine/live/listener_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/gateway.h"
#include "engine/live/neighbor.h"

#define ROUTE_SERVER "route server"

/* What a reading wants to listen on, each once. */
struct live_wanted {
    struct live *live;
    const struct fabric *fabric;
    struct live_listener *items;
    size_t n;
};

/* Lists the endpoint unless it is listed. */
static void add(struct live_wanted *wanted, const struct live_endpoint *local, const char *kind,
                const char *owner, unsigned instance, const struct fabric_place *place)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (live_endpoint_equal(&wanted->items[i].local, local))
            return;
    wanted->items[wanted->n++] = (struct live_listener){
        .live = wanted->live,
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
static void add_server(struct live_wanted *wanted, uint32_t index)
{
    const struct live *live = wanted->live;
    const struct fabric_route_server *server = &wanted->fabric->route_servers[index];
    if (server->implicit)
        return;
    for (unsigned instance = 0; instance < server->instance_count; instance++) {
        struct live_endpoint own = {server->addresses[instance],
                                    server->listen_port ? server->listen_port
                                                        : live->options.bgp_port,
                                    server->listen_interface};
        add(wanted, &own, ROUTE_SERVER, server->name, instance, &server->place);
        for (uint32_t i = 0; i < server->peer_count; i++) {
            struct live_endpoint local =
                live_neighbor_listens(live, wanted->fabric, index, instance, i);
            add(wanted, &local, ROUTE_SERVER, server->name, instance, &server->peers[i].place);
        }
    }
}

/* A gateway listens where it has somebody to listen for: its own addresses may be the data plane's alone. */
static void add_gateway(struct live_wanted *wanted, uint32_t index)
{
    const struct fabric *fabric = wanted->fabric;
    const struct fabric_gateway *gateway = &fabric->gateways[index];
    bool is_called = false;
    for (uint32_t i = 0; i < fabric_gateway_neighbor_count(fabric, index); i++)
        is_called |= fabric_gateway_neighbor_is_real(fabric, index, i);
    for (unsigned instance = 0; is_called && instance < gateway->addresses.n; instance++) {
        struct live_endpoint own = {.address = gateway->addresses.items[instance],
                                    .port = wanted->live->options.bgp_port};
        add(wanted, &own, "gateway", gateway->name, instance, &gateway->place);
    }
}

/* Room for one listener a peer and instance, and one an address. */
static struct live_wanted *list_wanted(struct live *live, const struct fabric *fabric)
{
    struct live_wanted *wanted = calloc(1, sizeof(*wanted));
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += fabric->route_servers[i].instance_count *
             ((size_t)fabric->route_servers[i].peer_count + 1);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        n += fabric->gateways[i].addresses.n;
    struct live_listener *items = wanted ? calloc(n + 1, sizeof(*items)) : NULL;
    if (!items) {
        free(wanted);
        return NULL;
    }
    *wanted = (struct live_wanted){.live = live, .fabric = fabric, .items = items};
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        add_server(wanted, i);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        add_gateway(wanted, i);
    return wanted;
}

static void free_wanted(struct live_wanted *wanted)
{
    if (wanted)
        free(wanted->items);
    free(wanted);
}

/* Listeners do not move: libuv has handles in them. */
static int open_all(struct live *live, const struct live_wanted *wanted,
                    const struct live_neighbors *neighbors, char error[LIVE_ERROR_TEXT])
{
    void *grown = realloc(live->listeners,
                          (live->listener_count + wanted->n + 1) * sizeof(struct live_listener *));
    if (!grown)
        return -ENOMEM;
    live->listeners = grown;
    for (size_t i = 0; i < wanted->n; i++) {
        struct live_listener *listener;
        if (live_listener_find(live, &wanted->items[i].local))
            continue;
        listener = malloc(sizeof(*listener));
        if (!listener)
            return -ENOMEM;
        *listener = wanted->items[i];
        int status = live_listener_open(listener, neighbors, error);
        if (status) {
            free(listener);
            return status;
        }
        listener->fresh = true;
        live->listeners[live->listener_count++] = listener;
    }
    return 0;
}

int live_listeners_prepare(struct live *live, const struct live_neighbors *neighbors,
                           struct live_wanted **wanted, char error[LIVE_ERROR_TEXT])
{
    error[0] = '\0';
    *wanted = list_wanted(live, neighbors->fabric);
    int status = *wanted ? open_all(live, *wanted, neighbors, error) : -ENOMEM;
    if (status && !error[0])
        snprintf(error, LIVE_ERROR_TEXT, "not enough memory for listening sockets");
    return status;
}

int live_listeners_open(struct live *live, char error[LIVE_ERROR_TEXT])
{
    struct live_wanted *wanted;
    int status = live_listeners_prepare(live, &live->neighbors, &wanted, error);
    for (unsigned i = 0; i < live->listener_count; i++)
        live->listeners[i]->fresh = false;
    free_wanted(wanted);
    return status;
}

/* Texts are those of the reading that is in force. */
static const struct live_listener *find_wanted(const struct live_wanted *wanted,
                                               const struct live_listener *listener)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (live_endpoint_equal(&wanted->items[i].local, &listener->local))
            return &wanted->items[i];
    return NULL;
}

static void keep_wanted(struct live *live, const struct live_wanted *wanted)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < live->listener_count; i++) {
        struct live_listener *listener = live->listeners[i];
        const struct live_listener *is = find_wanted(wanted, listener);
        if (!is) {
            live_listener_close(listener);
            continue;
        }
        listener->fresh = false;
        listener->local = is->local;
        listener->place = is->place;
        listener->kind = is->kind;
        listener->owner = is->owner;
        listener->instance = is->instance;
        live->listeners[kept++] = listener;
    }
    live->listener_count = kept;
}

void live_listeners_drop(struct live *live, struct live_wanted *wanted)
{
    unsigned kept = 0;
    for (unsigned i = 0; wanted && i < live->listener_count; i++) {
        struct live_listener *listener = live->listeners[i];
        if (listener->fresh)
            live_listener_close(listener);
        else
            live->listeners[kept++] = listener;
    }
    live->listener_count = wanted ? kept : live->listener_count;
    free_wanted(wanted);
}

void live_listeners_follow(struct live *live, struct live_wanted *wanted,
                           const struct live_neighbors *former)
{
    keep_wanted(live, wanted);
    for (unsigned i = 0; i < live->listener_count; i++)
        live_listener_follow_keys(live->listeners[i], former);
    free_wanted(wanted);
}

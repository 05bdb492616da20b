/*
 * A controller's route servers: their speakers, their sessions with neighbours that the file names, and
 * what policies these have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/policies.h"
#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"

/* An instance without an address of the peer's family has no session with it. */
int controller_add_bfd(struct controller_peer *peer, const struct fabric *fabric)
{
    struct bfd_table *table = peer->controller->bfd;
    const struct fabric_bfd *bfd =
        &fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    const struct bfd_path path = {
        fabric_route_server_local(fabric, peer->route_server, peer->instance, peer->index),
        *controller_peer_address(peer), bfd->multihop};
    if (!bfd->enabled || path.local.family != path.remote.family)
        return 0;
    return bfd_table_add(table, &path, bfd->interval_ms * 1000, (uint8_t)bfd->multiplier, peer,
                         &peer->bfd);
}

int controller_make_room(struct controller *controller, size_t n)
{
    void *grown = realloc(controller->made,
                          (controller->made_count + n + 1) * sizeof(struct controller_peer *));
    if (!grown)
        return -ENOMEM;
    controller->made = grown;
    return 0;
}

/* Of the same speaker, out of sight, and forgotten by its shell. */
static struct controller_peer *find_free(const struct controller *controller,
                                         const struct speaker *speaker)
{
    for (size_t i = 0; i < controller->made_count; i++) {
        struct controller_peer *peer = controller->made[i];
        if (peer && peer->gone && !peer->coming && !peer->shell && peer->speaker == speaker &&
            speaker_peer_idle(peer->peer))
            return peer;
    }
    return NULL;
}

/* Its number and its place at the speaker stay. False: it cannot be that one. */
static bool become(struct controller_peer *peer, const struct controller_peer *fresh,
                   struct speaker_peer_config *config)
{
    config->user = peer;
    if (speaker_peer_replace(peer->speaker, peer->peer, config) != 0)
        return false;
    struct speaker_peer *kept = peer->peer;
    const size_t number = peer->number;
    *peer = *fresh;
    peer->peer = kept;
    peer->number = number;
    return true;
}

int controller_add_peer(struct controller *controller, const struct fabric *fabric,
                        uint32_t route_server, unsigned instance, uint32_t index,
                        struct controller_peer **added)
{
    struct server *server = &controller->servers[route_server];
    const struct controller_peer fresh = {
        .controller = controller,
        .speaker = server->speakers[instance % server->speaker_count],
        .route_server = route_server,
        .instance = instance,
        .index = index,
        .gateway = FABRIC_NONE,
        .number = controller->made_count,
    };
    struct speaker_peer_config config =
        fabric_route_server_peer(fabric, route_server, instance, index);
    struct controller_peer *peer = find_free(controller, fresh.speaker);
    if (peer && become(peer, &fresh, &config)) {
        *added = peer;
        return 0;
    }
    peer = malloc(sizeof(*peer));
    if (!peer)
        return -ENOMEM;
    *peer = fresh;
    config.user = peer;
    int error = speaker_peer_add(peer->speaker, &config, &peer->peer);
    if (error) {
        free(peer);
        return error;
    }
    controller->made[controller->made_count++] = peer;
    *added = peer;
    return 0;
}

static int add_peers(struct controller *controller, struct server *server)
{
    const struct fabric_route_server *model = &controller->fabric->route_servers[server->index];
    int error = controller_make_room(controller, (size_t)model->instance_count * model->peer_count);
    for (unsigned instance = 0; instance < model->instance_count && !error; instance++) {
        for (uint32_t i = 0; i < model->peer_count && !error; i++) {
            struct controller_peer **peer = &controller->peers[controller->peer_count];
            error = controller_add_peer(controller, controller->fabric, server->index, instance, i,
                                        peer);
            if (!error)
                error = controller_add_bfd(*peer, controller->fabric);
            if (!error) {
                (*peer)->neighbor = i;
                controller->peer_count++;
            }
        }
    }
    return error;
}

static int open_server(struct controller *controller, uint32_t index)
{
    struct server *server = &controller->servers[index];
    server->controller = controller;
    server->index = index;
    server->speaker_count = fabric_route_server_speakers(controller->fabric, index);
    struct speaker_config config = fabric_route_server_config(controller->fabric, index);
    config.handler = controller_handler();
    for (unsigned i = 0; i < server->speaker_count; i++) {
        config.handler.context = &server->places[i];
        server->speakers[i] = speaker_create(&config);
        if (!server->speakers[i])
            return -errno;
        server->places[i] = (struct place){server, server->speakers[i]};
        int error = fabric_route_server_originate(controller->fabric, index, server->speakers[i]);
        if (error)
            return error;
    }
    return add_peers(controller, server);
}

int controller_open_servers(struct controller *controller, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = controller->fabric;
    size_t peers = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        peers += (size_t)fabric->route_servers[i].instance_count *
                 fabric_route_server_neighbors(fabric, i);
    controller->servers = calloc(fabric->route_servers_count + 1, sizeof(*controller->servers));
    controller->peers = calloc(peers + 1, sizeof(struct controller_peer *));
    controller->peer_capacity = peers;
    const struct bfd_table_config bfd = {controller->shell.seed, controller_on_bfd_changed,
                                         controller};
    controller->bfd = bfd_table_create(&bfd);
    if (!controller->servers || !controller->peers || !controller->bfd) {
        snprintf(error, DP_ERROR_TEXT, "no memory for %zu BGP sessions", peers);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        int failed = open_server(controller, i);
        if (failed) {
            snprintf(error, DP_ERROR_TEXT, "route server '%s' cannot be set up (errno %d)",
                     fabric->route_servers[i].name, -failed);
            return failed;
        }
    }
    return 0;
}

void controller_give_policies(struct controller_peer *peer, const struct fabric_policies *policies,
                              const struct fabric_bgp_peer *model, uint64_t now_ms)
{
    speaker_peer_set_policies(peer->speaker, peer->peer,
                              fabric_policy_named(policies, model->import_policy),
                              fabric_policy_named(policies, model->export_policy), now_ms);
}

int controller_set_policies(struct controller *controller, const struct fabric *with,
                            uint64_t now_ms, unsigned *missing)
{
    struct fabric_policies *policies = NULL;
    int error = fabric_policies_create(with, &policies);
    *missing = 0;
    if (!error)
        error = gateways_set_policies(controller->gateways, with, now_ms);
    if (error) {
        fabric_policies_destroy(policies);
        return error;
    }
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        const struct fabric_bgp_peer *model = controller_peer_in(with, controller->fabric, peer);
        if (model)
            controller_give_policies(peer, policies, model, now_ms);
        else
            ++*missing;
    }
    fabric_policies_destroy(policies);
    return 0;
}

bool controller_knows(const struct controller *controller, const struct lpm_address *address)
{
    for (size_t i = 0; i < controller->peer_count; i++)
        if (lpm_address_equal(controller_peer_address(controller->peers[i]), address))
            return true;
    return false;
}

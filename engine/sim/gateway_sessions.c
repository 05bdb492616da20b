/*
 * Links between gateways and modelled routers: one an instance of the gateway and neighbor. Neighbors that
 * are addresses of real boxes have none, and nobody answers for them.
 */
#include "engine/fabric/gateway.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/sim/internal.h"

static struct fabric_gateway_neighbor neighbor_of(const struct sim *sim,
                                                  const struct controller_peer *peer)
{
    return fabric_gateway_neighbor(sim->fabric, peer->gateway, peer->index);
}

int sim_make_gateway_links(struct sim *sim)
{
    size_t n = controller_gateway_peer_count(sim->controller), made = 0;
    sim->gateway_links = calloc(n + 1, sizeof(struct sim_link *));
    if (!sim->gateway_links)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct controller_peer *peer = controller_gateway_peer(sim->controller, i);
        if (neighbor_of(sim, peer).router == FABRIC_NONE)
            continue;
        struct sim_link *link = sim_link_create(sim->clock, LINK_DELAY_MS, sim_touched, sim);
        if (!link)
            return -ENOMEM;
        sim->gateway_links[made++] = link;
        peer->shell = link;
        sim_link_attach(link, 0, peer->speaker, peer->peer);
    }
    return 0;
}

int sim_make_gateway_sessions(struct sim *sim)
{
    for (size_t i = 0; i < controller_gateway_peer_count(sim->controller); i++) {
        struct controller_peer *peer = controller_gateway_peer(sim->controller, i);
        if (!peer->shell)
            continue;
        uint32_t router = neighbor_of(sim, peer).router;
        int error = sim_add_session(
            sim, router,
            (struct sim_router_session){
                .link = peer->shell,
                .end = 1,
                .remote = peer,
                .neighbor = fabric_router_names_gateway(sim->fabric, router, peer->gateway),
            });
        if (error)
            return error;
    }
    return 0;
}

bool sim_gateway_session_as_expected(const struct sim *sim, size_t i)
{
    const struct controller_peer *peer = controller_gateway_peer(sim->controller, i);
    if (!peer->shell)
        return true;
    uint32_t router = neighbor_of(sim, peer).router;
    bool up = sim->routers[router].speaker && !sim_link_is_cut(peer->shell);
    return peer->established == up && (!up || sim_link_quiet(peer->shell));
}

void sim_destroy_gateway_links(struct sim *sim)
{
    for (size_t i = 0; sim->gateway_links && sim->gateway_links[i]; i++)
        sim_link_destroy(sim->gateway_links[i]);
    free(sim->gateway_links);
}

/*
 * Sessions of modelled routers: which links there are, and who is at their ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/sim/internal.h"

static const struct fabric_neighbor *neighbor_of(const struct fabric_router *router,
                                                 uint32_t route_server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == route_server)
            return &router->neighbors[i];
    return NULL;
}

const struct fabric_neighbor *sim_answering(const struct fabric *fabric,
                                            const struct controller_peer *peer, uint32_t *router)
{
    *router = fabric->route_servers[peer->route_server].peers[peer->index].router;
    if (*router == FABRIC_NONE)
        return NULL;
    return neighbor_of(&fabric->routers[*router], peer->route_server);
}

int sim_make_links(struct sim *sim)
{
    size_t n = controller_peer_count(sim->controller);
    sim->links = calloc(n + 1, sizeof(struct sim_link *));
    sim->link_conditions = calloc(n + 1, sizeof(*sim->link_conditions));
    if (!sim->links || !sim->link_conditions)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct controller_peer *peer = controller_peer(sim->controller, i);
        sim->links[i] = sim_link_create(sim->clock, LINK_DELAY_MS, sim_touched, sim);
        if (!sim->links[i])
            return -ENOMEM;
        peer->shell = sim->links[i];
        sim_link_attach(sim->links[i], 0, peer->speaker, peer->peer);
    }
    return 0;
}

static int add_session(struct sim *sim, size_t link)
{
    struct controller_peer *peer = controller_peer(sim->controller, link);
    uint32_t index;
    const struct fabric_neighbor *neighbor = sim_answering(sim->fabric, peer, &index);
    if (!neighbor)
        return 0;
    struct sim_router *router = &sim->routers[index];
    struct sim_router_session *sessions =
        realloc(router->sessions, (router->session_count + 1) * sizeof(*sessions));
    if (!sessions)
        return -ENOMEM;
    router->sessions = sessions;
    sessions[router->session_count++] = (struct sim_router_session){
        .router = router,
        .link = sim->links[link],
        .remote = peer,
        .neighbor = neighbor,
    };
    return 0;
}

int sim_make_sessions(struct sim *sim)
{
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        int error = add_session(sim, i);
        if (error)
            return error;
    }
    return 0;
}

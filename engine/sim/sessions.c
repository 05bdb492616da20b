/*
 * Sessions of modelled routers: which links there are, and who is at their ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/route_server.h"
#include "engine/sim/internal.h"

static bool takes_instance(const struct fabric_neighbor *neighbor, unsigned instance)
{
    for (uint32_t i = 0; i < neighbor->instance_count; i++)
        if (neighbor->instances[i] == instance)
            return true;
    return neighbor->instance_count == 0;
}

static const struct fabric_neighbor *neighbor_of(const struct fabric_router *router,
                                                 uint32_t route_server, unsigned instance)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == route_server &&
            takes_instance(&router->neighbors[i], instance))
            return &router->neighbors[i];
    return NULL;
}

const struct fabric_neighbor *sim_answering(const struct fabric *fabric,
                                            const struct controller_peer *peer, uint32_t *router)
{
    *router = controller_peer_router(fabric, peer);
    if (*router == FABRIC_NONE)
        return NULL;
    return neighbor_of(&fabric->routers[*router], peer->route_server, peer->instance);
}

/* --- Routers in dynamic_peers ----------------------------------------------------------------- */

/* Those of one route server, in the order of the file: as though they had connected in that order. */
static int accept_routers(struct sim *sim, uint32_t server)
{
    uint32_t room = fabric_route_server_neighbors(sim->fabric, server) -
                    sim->fabric->route_servers[server].peer_count;
    int error = 0;
    for (uint32_t i = 0; i < sim->fabric->routers_count && room > 0 && !error; i++) {
        struct fabric_dynamic_peer found;
        size_t first;
        bool known;
        if (!fabric_dynamic_peers_apply(sim->fabric, server, i, &found))
            continue;
        error = controller_accept(sim->controller, server, found.range, &found.address,
                                  sim->fabric->routers[i].asn, 0, &first, &known);
        room--;
    }
    return error;
}

int sim_accept_routers(struct sim *sim)
{
    int error = 0;
    for (uint32_t i = 0; i < sim->fabric->route_servers_count && !error; i++)
        error = accept_routers(sim, i);
    return error;
}

/* --- Links ------------------------------------------------------------------------------------ */

static struct sim_link *make_link(struct sim *sim)
{
    return sim_link_create(sim->clock, LINK_DELAY_MS, sim_touched, sim);
}

static int make_server_links(struct sim *sim)
{
    size_t n = controller_peer_count(sim->controller);
    sim->links = calloc(n + 1, sizeof(struct sim_link *));
    sim->link_conditions = calloc(n + 1, sizeof(*sim->link_conditions));
    if (!sim->links || !sim->link_conditions)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct controller_peer *peer = controller_peer(sim->controller, i);
        sim->links[i] = make_link(sim);
        if (!sim->links[i])
            return -ENOMEM;
        peer->shell = sim->links[i];
        sim_link_attach(sim->links[i], 0, peer->speaker, peer->peer);
    }
    return 0;
}

static int make_circuit_links(struct sim *sim)
{
    int error = sim_circuits_make(sim->fabric, &sim->circuits, &sim->circuit_count);
    if (error)
        return error;
    sim->circuit_links = calloc(sim->circuit_count + 1, sizeof(struct sim_link *));
    sim->circuit_lost = calloc(sim->circuit_count + 1, sizeof(char *));
    if (!sim->circuit_links || !sim->circuit_lost)
        return -ENOMEM;
    for (size_t i = 0; i < sim->circuit_count; i++) {
        if (!sim_circuit_has_session(&sim->circuits[i]))
            continue;
        sim->circuit_links[i] = make_link(sim);
        if (!sim->circuit_links[i])
            return -ENOMEM;
    }
    return 0;
}

int sim_make_links(struct sim *sim)
{
    int error = make_server_links(sim);
    return error ? error : make_circuit_links(sim);
}

void sim_destroy_links(struct sim *sim)
{
    for (size_t i = 0; sim->links && sim->links[i]; i++)
        sim_link_destroy(sim->links[i]);
    for (size_t i = 0; sim->circuit_links && i < sim->circuit_count; i++)
        sim_link_destroy(sim->circuit_links[i]);
    free(sim->links);
    free(sim->circuit_links);
    free(sim->circuit_lost);
    free(sim->circuits);
}

/* --- Sessions of routers ---------------------------------------------------------------------- */

int sim_add_session(struct sim *sim, uint32_t router, struct sim_router_session session)
{
    struct sim_router *owner = &sim->routers[router];
    struct sim_router_session *sessions =
        realloc(owner->sessions, (owner->session_count + 1) * sizeof(*sessions));
    if (!sessions)
        return -ENOMEM;
    session.router = owner;
    owner->sessions = sessions;
    sessions[owner->session_count++] = session;
    return 0;
}

static int add_server_session(struct sim *sim, size_t link)
{
    struct controller_peer *peer = controller_peer(sim->controller, link);
    uint32_t router;
    const struct fabric_neighbor *neighbor = sim_answering(sim->fabric, peer, &router);
    if (!neighbor)
        return 0;
    return sim_add_session(sim, router,
                           (struct sim_router_session){
                               .link = sim->links[link],
                               .end = 1,
                               .remote = peer,
                               .neighbor = neighbor,
                           });
}

static int add_circuit_sessions(struct sim *sim, size_t index)
{
    const struct sim_circuit *circuit = &sim->circuits[index];
    int error = 0;
    for (unsigned end = 0; end < 2 && sim->circuit_links[index] && !error; end++)
        error = sim_add_session(sim, circuit->ends[end].router,
                                (struct sim_router_session){
                                    .link = sim->circuit_links[index],
                                    .end = end,
                                    .circuit = circuit,
                                    .neighbor = circuit->ends[end].neighbor,
                                });
    return error;
}

int sim_make_sessions(struct sim *sim)
{
    int error = 0;
    for (size_t i = 0; i < controller_peer_count(sim->controller) && !error; i++)
        error = add_server_session(sim, i);
    for (size_t i = 0; i < sim->circuit_count && !error; i++)
        error = add_circuit_sessions(sim, i);
    return error;
}

/* --- Circuits --------------------------------------------------------------------------------- */

size_t sim_circuit_count(const struct sim *sim)
{
    return sim->circuit_count;
}

const struct sim_circuit *sim_circuit(const struct sim *sim, size_t i)
{
    return &sim->circuits[i];
}

size_t sim_circuit_index(const struct sim *sim, const struct sim_circuit *circuit)
{
    return (size_t)(circuit - sim->circuits);
}

static const struct sim_router_session *session_of(const struct sim *sim, size_t i, unsigned end)
{
    const struct sim_router *router = &sim->routers[sim->circuits[i].ends[end].router];
    for (unsigned j = 0; router->speaker && j < router->session_count; j++)
        if (router->sessions[j].circuit == &sim->circuits[i])
            return &router->sessions[j];
    return NULL;
}

const struct speaker_peer *sim_circuit_peer(const struct sim *sim, size_t i, unsigned end)
{
    const struct sim_router_session *session = session_of(sim, i, end);
    return session ? session->peer : NULL;
}

static bool is_established(const struct speaker_peer *peer)
{
    return peer && bgp_session_state(speaker_peer_session(peer)) == BGP_ESTABLISHED;
}

/* Up and at the intervals of the file, where both ends have it: a failure now would be missed, or noticed late. */
static bool bfd_as_expected(const struct sim *sim, size_t i)
{
    bool up = true;
    for (unsigned end = 0; end < 2; end++) {
        const struct sim_router_session *session = session_of(sim, i, end);
        struct bfd_info info;
        if (!session || !session->bfd)
            return true;
        bfd_session_info(session->bfd, &info);
        up &= info.state == BFD_UP && !info.polling;
    }
    return up;
}

bool sim_circuit_as_expected(struct sim *sim, size_t i)
{
    const struct sim_link *link = sim->circuit_links[i];
    if (!link)
        return true;
    const struct speaker_peer *ends[2] = {sim_circuit_peer(sim, i, 0), sim_circuit_peer(sim, i, 1)};
    const bool up = ends[0] && ends[1] && !sim_link_is_cut(link);
    for (unsigned end = 0; end < 2; end++)
        if (is_established(ends[end]) != up)
            return false;
    return !up || (sim_link_quiet(link) && bfd_as_expected(sim, i));
}

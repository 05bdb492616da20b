/*
 * Sessions of modelled routers: which links there are, and who is at their ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/gateway.h"
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

/* The sessions of a neighbour that is new, or has the place of one that is away, are to be started, but for those of an
 * instance that does not run. */
static void await_start(struct sim *sim, const struct fabric *fabric, uint32_t server, size_t first)
{
    for (uint32_t i = 0; i < fabric->route_servers[server].instance_count; i++) {
        struct controller_peer *peer = controller_peer(sim->controller, first + i);
        peer->started = peer->shell && sim_shell_of(peer)->stopped;
    }
}

/* Those of one route server, in the order of the file: as though they had connected in that order. The former session of
 * the address, or all, may not be over yet: then it is tried again. */
static int accept_routers(struct sim *sim, const struct fabric *fabric, uint32_t server)
{
    uint32_t room =
        fabric_route_server_neighbors(fabric, server) - fabric->route_servers[server].peer_count;
    int error = 0;
    for (uint32_t i = 0; i < fabric->routers_count && room > 0 && !error; i++) {
        struct fabric_dynamic_peer found;
        size_t first;
        bool known;
        if (!fabric_dynamic_peers_apply(fabric, server, i, &found))
            continue;
        error = controller_accept(sim->controller, server, found.range, &found.address,
                                  fabric->routers[i].asn, sim_now_ms(sim), &first, &known);
        room--;
        if (error == -EBUSY || error == -ENOSPC) {
            sim->accept_due = true;
            error = 0;
        } else if (!error && !known) {
            await_start(sim, fabric, server, first);
        }
    }
    return error;
}

int sim_accept_routers(struct sim *sim, const struct fabric *fabric)
{
    int error = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count && !error; i++)
        error = accept_routers(sim, fabric, i);
    return error;
}

/* --- Links ------------------------------------------------------------------------------------ */

/* It stays until the end, as do the sessions that had it. NULL: no memory. */
static struct sim_link *make_link(struct sim *sim)
{
    void *grown = realloc(sim->links, (sim->link_count + 1) * sizeof(struct sim_link *));
    if (!grown)
        return NULL;
    sim->links = grown;
    struct sim_link *link = sim_link_create(sim->clock, LINK_DELAY_MS, sim_touched, sim);
    if (link)
        sim->links[sim->link_count++] = link;
    return link;
}

/* --- Sessions of the controller ----------------------------------------------------------------- */

/* A new session of an instance that does not run waits for it. */
static bool instance_is_stopped(const struct sim *sim, const struct controller_peer *peer)
{
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        const struct controller_peer *other = controller_peer(sim->controller, i);
        if (other->shell && other->route_server == peer->route_server &&
            other->instance == peer->instance && sim_shell_of(other)->stopped)
            return true;
    }
    return false;
}

static int make_shell(struct sim *sim, struct controller_peer *peer)
{
    struct sim_shell *shell = calloc(1, sizeof(*shell));
    if (!shell)
        return -ENOMEM;
    shell->link = make_link(sim);
    if (!shell->link) {
        free(shell);
        return -ENOMEM;
    }
    shell->next = sim->shells;
    sim->shells = shell;
    shell->stopped = peer->gateway == FABRIC_NONE && instance_is_stopped(sim, peer);
    peer->started |= shell->stopped;
    peer->shell = shell;
    sim_link_attach(shell->link, 0, peer->speaker, peer->peer);
    if (peer->bfd) {
        shell->bfd_port = (struct sim_bfd_port){
            .bfd = &sim->bfd,
            .wire = sim_link_wire(shell->link),
            .path = *bfd_table_path(sim->bfd.table, peer->bfd),
        };
        sim_bfd_attach(&shell->bfd_port);
    }
    return 0;
}

int sim_make_shells(struct sim *sim)
{
    int error = 0;
    for (size_t i = 0; i < controller_peer_count(sim->controller) && !error; i++)
        if (!controller_peer(sim->controller, i)->shell)
            error = make_shell(sim, controller_peer(sim->controller, i));
    for (size_t i = 0; i < controller_gateway_peer_count(sim->controller) && !error; i++) {
        struct controller_peer *peer = controller_gateway_peer(sim->controller, i);
        if (!peer->shell && sim_gateway_answering(sim, peer) != FABRIC_NONE)
            error = make_shell(sim, peer);
    }
    return error;
}

/* --- Joints ------------------------------------------------------------------------------------- */

static const char *tunnel_name(const struct fabric *fabric, const struct sim_circuit *circuit)
{
    return circuit->tunnel == FABRIC_NONE ? "" : fabric->tunnels[circuit->tunnel].name;
}

static bool same_circuit(const struct fabric *before, const struct sim_circuit *a,
                         const struct fabric *now, const struct sim_circuit *b)
{
    bool same = a->kind == b->kind && strcmp(tunnel_name(before, a), tunnel_name(now, b)) == 0;
    for (unsigned i = 0; same && i < 2; i++)
        same = strcmp(before->routers[a->ends[i].router].name,
                      now->routers[b->ends[i].router].name) == 0;
    return same;
}

/* Where the session runs is what it was made with. */
static bool same_addresses(const struct sim_circuit *a, const struct sim_circuit *b)
{
    return lpm_address_equal(&a->ends[0].addresses[0], &b->ends[0].addresses[0]) &&
           lpm_address_equal(&a->ends[1].addresses[0], &b->ends[1].addresses[0]);
}

/* NULL with errno 0: it is new. Ends of a circuit follow the order of routers, which a change may turn. */
static struct sim_joint *joint_of(struct sim *sim, const struct fabric *fabric,
                                  struct sim_circuit *circuit)
{
    for (size_t i = 0; i < sim->circuit_count; i++) {
        struct sim_joint *joint = sim->joints[i];
        if (!same_circuit(sim->fabric, &joint->circuit, fabric, circuit))
            continue;
        sim_circuit_renumber(circuit, joint->circuit.number);
        return same_addresses(&joint->circuit, circuit) ? joint : NULL;
    }
    return NULL;
}

static int take_joint(struct sim *sim, const struct fabric *fabric, struct sim_circuit *circuit,
                      struct sim_joint **taken)
{
    struct sim_joint *joint = joint_of(sim, fabric, circuit);
    if (!joint) {
        joint = calloc(1, sizeof(*joint));
        if (!joint)
            return -ENOMEM;
        joint->next = sim->all_joints;
        sim->all_joints = joint;
        sim_circuit_renumber(circuit, sim->circuit_numbers++);
    }
    joint->circuit = *circuit;
    if (!sim_circuit_has_session(circuit)) {
        joint->link = NULL;
        joint->lost = NULL;
    } else if (!joint->link) {
        joint->link = make_link(sim);
    }
    *taken = joint;
    return joint->link || !sim_circuit_has_session(circuit) ? 0 : -ENOMEM;
}

int sim_make_joints(struct sim *sim, const struct fabric *fabric)
{
    struct sim_circuit *circuits = NULL;
    size_t n = 0;
    int error = sim_circuits_make(fabric, &circuits, &n);
    struct sim_joint **joints = calloc(n + 1, sizeof(struct sim_joint *));
    if (!error && !joints)
        error = -ENOMEM;
    for (size_t i = 0; i < n && !error; i++) {
        error = take_joint(sim, fabric, &circuits[i], &joints[i]);
        if (!error)
            joints[i]->index = i;
    }
    free(circuits);
    if (error) {
        free(joints);
        return error;
    }
    free(sim->joints);
    sim->joints = joints;
    sim->circuit_count = n;
    return 0;
}

void sim_destroy_links(struct sim *sim)
{
    for (size_t i = 0; i < sim->link_count; i++)
        sim_link_destroy(sim->links[i]);
    for (struct sim_shell *shell = sim->shells, *next; shell; shell = next) {
        next = shell->next;
        free(shell);
    }
    for (struct sim_joint *joint = sim->all_joints, *next; joint; joint = next) {
        next = joint->next;
        free(joint);
    }
    free(sim->links);
    free(sim->joints);
}

/* --- Sessions of routers ---------------------------------------------------------------------- */

/* The end of a link is one session's: another router's, or a former one's, lets go of it. */
static void free_end(struct sim *sim, const struct sim_router_session *session)
{
    for (uint32_t i = 0; i < sim->router_count; i++) {
        struct sim_router *router = sim->routers[i];
        for (unsigned j = 0; j < router->ended_count; j++) {
            struct sim_router_session *ended = router->sessions[router->session_count + j];
            if (ended->link == session->link && ended->end == session->end && ended->peer)
                sim_router_detach(ended);
        }
    }
}

/* The router has it already, or has it from now on. */
static int want(struct sim *sim, uint32_t router, struct sim_router_session wanted)
{
    struct sim_router *owner = sim->routers[router];
    for (unsigned i = 0; i < owner->session_count; i++) {
        struct sim_router_session *session = owner->sessions[i];
        if (session->link != wanted.link || session->end != wanted.end)
            continue;
        session->wanted = true;
        session->circuit = wanted.circuit;
        return 0; /* `neighbor` follows later: what was is compared with it */
    }
    const unsigned n = owner->session_count + owner->ended_count;
    void *grown = realloc(owner->sessions, (n + 1) * sizeof(struct sim_router_session *));
    if (!grown)
        return -ENOMEM;
    owner->sessions = grown;
    struct sim_router_session *session = malloc(sizeof(*session));
    if (!session)
        return -ENOMEM;
    *session = wanted;
    session->router = owner;
    session->wanted = true;
    free_end(sim, session);
    owner->sessions[n] = owner->sessions[owner->session_count];
    owner->sessions[owner->session_count++] = session;
    return 0;
}

static int want_server_session(struct sim *sim, struct controller_peer *peer)
{
    uint32_t router;
    const struct fabric_neighbor *neighbor = sim_answering(sim->fabric, peer, &router);
    if (!neighbor)
        return 0;
    return want(
        sim, router,
        (struct sim_router_session){
            .link = sim_shell_of(peer)->link, .end = 1, .remote = peer, .neighbor = neighbor});
}

static int want_circuit_sessions(struct sim *sim, const struct sim_joint *joint)
{
    const struct sim_circuit *circuit = &joint->circuit;
    int error = 0;
    for (unsigned end = 0; end < 2 && joint->link && !error; end++)
        error = want(sim, circuit->ends[end].router,
                     (struct sim_router_session){.link = joint->link,
                                                 .end = end,
                                                 .circuit = circuit,
                                                 .neighbor = circuit->ends[end].neighbor});
    return error;
}

static int want_gateway_session(struct sim *sim, struct controller_peer *peer)
{
    if (!peer->shell)
        return 0;
    const uint32_t router = sim_gateway_answering(sim, peer);
    return want(sim, router,
                (struct sim_router_session){
                    .link = sim_shell_of(peer)->link,
                    .end = 1,
                    .remote = peer,
                    .neighbor = fabric_router_names_gateway(sim->fabric, router, peer->gateway),
                });
}

int sim_make_sessions(struct sim *sim)
{
    int error = 0;
    for (size_t i = 0; i < controller_peer_count(sim->controller) && !error; i++)
        error = want_server_session(sim, controller_peer(sim->controller, i));
    for (size_t i = 0; i < sim->circuit_count && !error; i++)
        error = want_circuit_sessions(sim, sim->joints[i]);
    for (size_t i = 0; i < controller_gateway_peer_count(sim->controller) && !error; i++)
        error = want_gateway_session(sim, controller_gateway_peer(sim->controller, i));
    return error;
}

/* --- Circuits --------------------------------------------------------------------------------- */

size_t sim_circuit_count(const struct sim *sim)
{
    return sim->circuit_count;
}

const struct sim_circuit *sim_circuit(const struct sim *sim, size_t i)
{
    return &sim->joints[i]->circuit;
}

size_t sim_circuit_index(const struct sim *sim, const struct sim_circuit *circuit)
{
    (void)sim;
    return ((const struct sim_joint *)(const void *)circuit)->index;
}

static const struct sim_router_session *session_of(const struct sim *sim, size_t i, unsigned end)
{
    const struct sim_router *router = sim->routers[sim->joints[i]->circuit.ends[end].router];
    for (unsigned j = 0; router->speaker && j < router->session_count; j++)
        if (router->sessions[j]->circuit == &sim->joints[i]->circuit)
            return router->sessions[j];
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
    const struct sim_link *link = sim->joints[i]->link;
    if (!link)
        return true;
    const struct speaker_peer *ends[2] = {sim_circuit_peer(sim, i, 0), sim_circuit_peer(sim, i, 1)};
    const bool up = ends[0] && ends[1] && !sim_link_is_cut(link);
    for (unsigned end = 0; end < 2; end++)
        if (is_established(ends[end]) != up)
            return false;
    return !up || (sim_link_quiet(link) && bfd_as_expected(sim, i));
}

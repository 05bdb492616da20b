/*
 * The step of who gets a packet: a NIC's guest, or a modelled router. In the router's order: is it
 * alive; does it know the flow; translation of the destination; its table; TTL; translation of the
 * source.
 */
#include <string.h>

#include "engine/sim/circuit.h"
#include "engine/sim/walk.h"

/* One router's turn. */
struct turn {
    struct walk *walk;
    const struct fabric_router *model;
    uint32_t router, in;
    bool originates;             /* it is the router's own packet */
    struct path_session session; /* that it makes */
};

static struct lpm_address destination_of(const struct walk *walk)
{
    return walk_address(&walk->packet, walk->packet.destination);
}

static struct lpm_address source_of(const struct walk *walk)
{
    return walk_address(&walk->packet, walk->packet.source);
}

/* --- Sessions and translation ------------------------------------------------------------------- */

static const struct path_session *session_of(const struct path_sessions *sessions, uint32_t router)
{
    for (unsigned i = 0; sessions && i < sessions->n; i++)
        if (sessions->items[i].router == router)
            return &sessions->items[i];
    return NULL;
}

static void remember(const struct turn *turn)
{
    struct path_sessions *made = turn->walk->made;
    if (made && made->n < PATH_HOPS_MAX)
        made->items[made->n++] = turn->session;
}

static void set_destination(struct walk *walk, const struct lpm_address *address)
{
    memcpy(walk->packet.destination, address->bytes, sizeof(walk->packet.destination));
}

static void set_source(struct walk *walk, const struct lpm_address *address)
{
    memcpy(walk->packet.source, address->bytes, sizeof(walk->packet.source));
}

/* What comes back to a translated source gets its inside address again; what comes from a translated
 * destination, the address that was asked for. */
static void undo_translations(struct turn *turn)
{
    struct walk *walk = turn->walk;
    const struct path_session *session = session_of(walk->known, turn->router);
    const struct lpm_address destination = destination_of(walk), source = source_of(walk);
    if (!session)
        return;
    if (lpm_address_equal(&session->outside, &destination) &&
        !lpm_address_equal(&session->outside, &session->inside))
        set_destination(walk, &session->inside);
    if (lpm_address_equal(&session->given, &source))
        set_source(walk, &session->asked);
}

static void translate_destination(struct turn *turn)
{
    const struct lpm_address asked = destination_of(turn->walk);
    turn->session.asked = turn->session.given = asked;
    for (uint32_t i = 0; i < turn->model->destination_nat_count && !turn->walk->known; i++) {
        const struct fabric_router_destination_nat *rule = &turn->model->destination_nat[i];
        if (!lpm_address_equal(&rule->address, &asked))
            continue;
        turn->session.given = rule->to;
        set_destination(turn->walk, &rule->to);
        return;
    }
}

/* The address of the router towards where the packet goes. */
static struct lpm_address outside_address(const struct turn *turn, const struct guest_route *route)
{
    const struct path_finder *finder = turn->walk->finder;
    if (route->way == GUEST_CIRCUIT) {
        const struct sim_circuit *circuit = sim_circuit(finder->sim, route->circuit);
        const int end = sim_circuit_end_of(circuit, turn->router);
        const struct lpm_address *own =
            sim_circuit_address(&circuit->ends[end], turn->walk->packet.family);
        return own ? *own : (struct lpm_address){0};
    }
    if (route->way == GUEST_NIC)
        return guest_address(finder->fabric, route->nic, turn->walk->packet.family);
    return (struct lpm_address){0};
}

static void translate_source(struct turn *turn, const struct guest_route *route)
{
    turn->session.inside = turn->session.outside = source_of(turn->walk);
    if (!turn->model->source_nat || turn->walk->known)
        return;
    const struct lpm_address outside = outside_address(turn, route);
    if (outside.family == 0)
        return;
    turn->session.outside = outside;
    set_source(turn->walk, &outside);
}

/* --- Ends --------------------------------------------------------------------------------------- */

/* Who asked takes an answer only from whom it asked. */
static int deliver(struct walk *walk, uint32_t place)
{
    const struct lpm_address source = source_of(walk);
    if (walk->known && !lpm_address_equal(&walk->known->target, &source))
        walk_end(walk, PATH_DROPPED, "no-session", place);
    else
        walk_end(walk, PATH_DELIVERED, NULL, place);
    return 0;
}

static int drop(struct walk *walk, const char *reason, uint32_t place)
{
    walk_end(walk, PATH_DROPPED, reason, place);
    return 0;
}

/* Where a router shows: at the NIC that the packet came in by. */
static uint32_t place_of(const struct turn *turn)
{
    return turn->in != FABRIC_NONE ? turn->in
                                   : place_of_router(turn->walk->finder->fabric, turn->router);
}

/* --- The router's step -------------------------------------------------------------------------- */

/* The hop of a router that does not send into the fabric. */
static struct path_hop hop_of(const struct turn *turn, const struct guest_route *route)
{
    return (struct path_hop){
        .nic = FABRIC_NONE,
        .next_hop = route->next_hop,
        .router = turn->router,
        .tunnel = FABRIC_NONE,
        .place = place_of_router(turn->walk->finder->fabric, turn->router),
        .prefix = route->prefix,
        .source = route->source,
        .spread = route->spread,
        .depth = turn->walk->depth,
    };
}

static int send_over_circuit(struct turn *turn, const struct guest_route *route)
{
    struct walk *walk = turn->walk;
    const struct path_finder *finder = walk->finder;
    const struct sim_circuit *circuit = sim_circuit(finder->sim, route->circuit);
    const unsigned end = (unsigned)sim_circuit_end_of(circuit, turn->router);
    struct path_hop hop = hop_of(turn, route);
    hop.nic = circuit->ends[end].nic;
    hop.tunnel = circuit->tunnel;
    if (!walk_add(walk, &hop))
        return 0;
    if (circuit->kind == SIM_CIRCUIT_TUNNEL)
        return walk_encapsulate(walk, route->circuit, end);
    walk->at = place_of_router(finder->fabric, circuit->ends[!end].router);
    return 1;
}

static int send_to_gateway(struct turn *turn, const struct guest_route *route)
{
    const struct path_hop hop = hop_of(turn, route);
    return walk_add(turn->walk, &hop) ? walk_transit(turn->walk, route->nic) : 0;
}

static int send_to_host(struct turn *turn, const struct guest_route *route)
{
    const struct path_hop hop = hop_of(turn, route);
    const struct fabric *fabric = turn->walk->finder->fabric;
    if (!walk_add(turn->walk, &hop))
        return 0;
    return deliver(turn->walk, place_of_host(fabric, turn->router, route->host));
}

static int send_on(struct turn *turn, const struct guest_route *route)
{
    struct walk *walk = turn->walk;
    const struct fabric *fabric = walk->finder->fabric;
    if (!turn->originates && walk->packet.ttl <= 1)
        return drop(walk, dp_reason_name(DP_REASON_TTL_EXPIRED), place_of(turn));
    if (!turn->originates) {
        walk->packet.ttl--;
        translate_source(turn, route);
        remember(turn);
    }
    if (route->way == GUEST_OWN)
        return deliver(walk, place_of_router(fabric, turn->router));
    if (route->way == GUEST_CIRCUIT)
        return send_over_circuit(turn, route);
    if (route->way == GUEST_GATEWAY)
        return send_to_gateway(turn, route);
    if (route->way == GUEST_HOST)
        return send_to_host(turn, route);
    walk->at = route->nic;
    return 1;
}

static int forward(struct turn *turn)
{
    struct walk *walk = turn->walk;
    const struct path_finder *finder = walk->finder;
    struct guest_route route;
    guest_lookup(finder->fabric, finder->sim, turn->router, turn->in, &walk->packet, &route);
    switch (route.way) {
    case GUEST_NO_ROUTE:
        return drop(walk, dp_reason_name(DP_REASON_NO_ROUTE), place_of(turn));
    case GUEST_DISCARD:
        return drop(walk, dp_reason_name(DP_REASON_NULL_ROUTE), place_of(turn));
    default:
        return send_on(turn, &route);
    }
}

int walk_arrive(struct walk *walk, uint32_t router, uint32_t in)
{
    struct turn turn = {.walk = walk,
                        .model = &walk->finder->fabric->routers[router],
                        .router = router,
                        .in = in,
                        .session = {.router = router}};
    const struct lpm_address before = destination_of(walk);
    if (sim_router_is_silent(walk->finder->sim, router))
        return drop(walk, "router-silent", place_of(&turn));
    undo_translations(&turn);
    translate_destination(&turn);
    const struct lpm_address now = destination_of(walk), source = source_of(walk);
    const bool for_itself = lpm_address_equal(&before, &now) &&
                            guest_is_own(walk->finder->fabric, walk->finder->sim, router, &now);
    if (for_itself)
        return deliver(walk, place_of(&turn));
    turn.originates = in == FABRIC_NONE && walk->path->hop_count == walk->first &&
                      guest_is_own(walk->finder->fabric, walk->finder->sim, router, &source);
    if (turn.model->stateful && !turn.originates && walk->known && !session_of(walk->known, router))
        return drop(walk, "no-session", place_of(&turn));
    return forward(&turn);
}

/* --- Others --------------------------------------------------------------------------------------- */

/* A NIC that may forward and that no modelled router has: its guest is taken to send back what it is
 * given, by the same NIC. */
static int pass_guest(struct walk *walk, uint32_t in)
{
    if (walk->packet.ttl <= 1)
        return drop(walk, dp_reason_name(DP_REASON_TTL_EXPIRED), in);
    walk->packet.ttl--;
    walk->at = in;
    return 1;
}

int walk_receive(struct walk *walk, uint32_t receiver)
{
    const struct fabric *fabric = walk->finder->fabric;
    const struct lpm_address destination = destination_of(walk);
    if (fabric->nics[receiver].router != FABRIC_NONE)
        return walk_arrive(walk, fabric->nics[receiver].router, receiver);
    if (guest_owns(fabric, receiver, &destination))
        return deliver(walk, receiver);
    if (fabric_nic_gateway(fabric, receiver) != FABRIC_NONE)
        return walk_transit(walk, receiver);
    return pass_guest(walk, receiver);
}

/* A host has one way: its router. */
int walk_leave_host(struct walk *walk, uint32_t router)
{
    const struct path_hop hop = {.nic = FABRIC_NONE,
                                 .router = FABRIC_NONE,
                                 .tunnel = FABRIC_NONE,
                                 .place = walk->at,
                                 .depth = walk->depth};
    if (!walk_add(walk, &hop))
        return 0;
    walk->at = place_of_router(walk->finder->fabric, router);
    return 1;
}

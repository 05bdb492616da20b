/*
 * The table is not kept: it is asked for, part by part, at each lookup.
 */
#include "engine/sim/guest.h"

#include <string.h>

#include "engine/sim/circuit.h"
#include "engine/sim/router.h"

/* Next hops that are reached by way of other routes; deeper ones are a loop of routes. */
#define RESOLUTIONS_MAX 4u

struct lookup {
    const struct fabric *fabric;
    struct sim *sim;
    uint32_t router, in;
    const struct dp_packet *packet;
    struct lpm_address destination;
    unsigned resolutions;
    struct guest_route *route;
};

const char *guest_source_text(enum guest_source source)
{
    static const char *const texts[] = {[GUEST_DEFAULT] = "Default",
                                        [GUEST_CONNECTED] = "Connected",
                                        [GUEST_STATIC] = "Static",
                                        [GUEST_LOCAL] = "Local",
                                        [GUEST_BGP] = "BGP"};
    return texts[source];
}

/* --- Addresses -------------------------------------------------------------------------------- */

bool guest_owns(const struct fabric *fabric, uint32_t nic, const struct lpm_address *address)
{
    if (fabric_nic_has(&fabric->nics[nic], address))
        return true;
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        if (lpm_address_equal(&fabric->load_balancers[i].frontend, address) &&
            fabric_is_backend(&fabric->load_balancers[i], nic))
            return true;
    return false;
}

struct lpm_address guest_address(const struct fabric *fabric, uint32_t nic, uint8_t family)
{
    const struct lpm_address *address = fabric_nic_address(&fabric->nics[nic], family);
    return address ? *address : (struct lpm_address){0};
}

static unsigned bits_of(uint8_t family)
{
    return family == LPM_IPV4 ? 32 : 128;
}

static bool has_address(const struct sim_circuit_end *end, const struct lpm_address *address)
{
    const struct lpm_address *own = sim_circuit_address(end, address->family);
    return own && lpm_address_equal(own, address);
}

static bool is_circuit_address(const struct sim *sim, uint32_t router,
                               const struct lpm_address *address)
{
    for (size_t i = 0; i < sim_circuit_count(sim); i++) {
        const int end = sim_circuit_end_of(sim_circuit(sim, i), router);
        if (end >= 0 && has_address(&sim_circuit(sim, i)->ends[end], address))
            return true;
    }
    return false;
}

bool guest_is_own(const struct fabric *fabric, const struct sim *sim, uint32_t router,
                  const struct lpm_address *address)
{
    const struct fabric_router *model = &fabric->routers[router];
    for (uint32_t i = 0; i < model->nic_count; i++)
        if (guest_owns(fabric, model->nics[i], address))
            return true;
    for (uint32_t i = 0; i < model->originate.n; i++)
        if (model->originate.items[i].length == bits_of(address->family) &&
            lpm_prefix_contains(&model->originate.items[i], address))
            return true;
    return is_circuit_address(sim, router, address);
}

/* --- Parts of the table ------------------------------------------------------------------------- */

static struct lpm_prefix host_prefix(const struct lpm_address *address)
{
    struct lpm_prefix prefix = {.family = address->family,
                                .length = (uint8_t)bits_of(address->family)};
    memcpy(prefix.bytes, address->bytes, sizeof(prefix.bytes));
    return prefix;
}

/* Does a route of this length beat what was found? At equal length the earlier part of the table
 * does. */
static bool is_better(const struct lookup *lookup, const struct lpm_prefix *prefix)
{
    return lpm_prefix_contains(prefix, &lookup->destination) &&
           (lookup->route->way == GUEST_NO_ROUTE || prefix->length > lookup->route->prefix.length);
}

static bool look_at_hosts(struct lookup *lookup)
{
    const struct fabric_router *model = &lookup->fabric->routers[lookup->router];
    for (uint32_t i = 0; i < model->host_count; i++)
        if (lpm_address_equal(&model->hosts[i].address, &lookup->destination)) {
            *lookup->route = (struct guest_route){.way = GUEST_HOST,
                                                  .source = GUEST_CONNECTED,
                                                  .prefix = host_prefix(&lookup->destination),
                                                  .host = i};
            return true;
        }
    return false;
}

static void take_circuit(struct lookup *lookup, size_t circuit, unsigned end)
{
    const struct sim_circuit *way = sim_circuit(lookup->sim, circuit);
    const struct lpm_address *far =
        sim_circuit_address(&way->ends[!end], lookup->destination.family);
    if (way->kind == SIM_CIRCUIT_FABRIC) {
        lookup->route->way = GUEST_NIC;
        lookup->route->nic = way->ends[end].nic;
        return;
    }
    lookup->route->way = GUEST_CIRCUIT;
    lookup->route->circuit = circuit;
    lookup->route->next_hop = far ? *far : way->ends[!end].addresses[0];
}

/* The far end of a tunnel or line, as next hop or as destination. */
static bool look_at_circuits(struct lookup *lookup, const struct lpm_address *address)
{
    for (size_t i = 0; i < sim_circuit_count(lookup->sim); i++) {
        const struct sim_circuit *circuit = sim_circuit(lookup->sim, i);
        const int end = sim_circuit_end_of(circuit, lookup->router);
        if (end < 0 || circuit->kind == SIM_CIRCUIT_FABRIC ||
            !has_address(&circuit->ends[!end], address))
            continue;
        take_circuit(lookup, i, (unsigned)end);
        return true;
    }
    return false;
}

/* The router's NIC in whose subnet address lies; *prefix, if not NULL, becomes the subnet's. */
static uint32_t connected(const struct lookup *lookup, const struct lpm_address *address,
                          struct lpm_prefix *prefix)
{
    const struct fabric *fabric = lookup->fabric;
    const struct fabric_router *model = &fabric->routers[lookup->router];
    for (uint32_t i = 0; i < model->nic_count; i++) {
        const uint32_t subnet = fabric->nics[model->nics[i]].subnet;
        const struct fabric_prefixes *prefixes = &fabric->subnets[subnet].prefixes;
        for (uint32_t j = 0; j < prefixes->n; j++) {
            if (!lpm_prefix_contains(&prefixes->items[j], address))
                continue;
            if (prefix)
                *prefix = prefixes->items[j];
            return model->nics[i];
        }
    }
    return FABRIC_NONE;
}

static void look_at_subnets(struct lookup *lookup)
{
    struct lpm_prefix prefix;
    const uint32_t nic = connected(lookup, &lookup->destination, &prefix);
    if (nic != FABRIC_NONE)
        *lookup->route = (struct guest_route){
            .way = GUEST_NIC, .source = GUEST_CONNECTED, .prefix = prefix, .nic = nic};
}

/* The NIC to which a guest's own default route leads: "subnet-gateway" is that of the first NIC, as
 * a guest's default interface is. */
static uint32_t default_nic(const struct lookup *lookup)
{
    const struct fabric_router *model = &lookup->fabric->routers[lookup->router];
    if (lookup->in != FABRIC_NONE)
        return lookup->in;
    return model->nic_count ? model->nics[0] : FABRIC_NONE;
}

static void take_static(struct lookup *lookup, const struct fabric_router_static *route)
{
    const struct fabric_router *model = &lookup->fabric->routers[lookup->router];
    *lookup->route = (struct guest_route){
        .way = GUEST_NIC, .source = GUEST_STATIC, .prefix = route->prefix, .nic = FABRIC_NONE};
    if (route->via_subnet_gateway && model->nic_count)
        lookup->route->nic = model->nics[0];
    else if (!look_at_circuits(lookup, &route->via))
        lookup->route->nic = connected(lookup, &route->via, NULL);
    if (lookup->route->way == GUEST_NIC && lookup->route->nic == FABRIC_NONE)
        lookup->route->nic = default_nic(lookup);
    if (lookup->route->way == GUEST_NIC && lookup->route->nic == FABRIC_NONE)
        lookup->route->way = GUEST_NO_ROUTE;
}

static void look_at_statics(struct lookup *lookup)
{
    const struct fabric_router *model = &lookup->fabric->routers[lookup->router];
    for (uint32_t i = 0; i < model->static_count; i++)
        if (is_better(lookup, &model->statics[i].prefix))
            take_static(lookup, &model->statics[i]);
}

/* A router with NICs announces aggregates of what lies elsewhere; a box on-premises its own network. */
static void look_at_own_network(struct lookup *lookup)
{
    const struct fabric_router *model = &lookup->fabric->routers[lookup->router];
    for (uint32_t i = 0; i < model->originate.n && model->nic_count == 0; i++)
        if (is_better(lookup, &model->originate.items[i]))
            *lookup->route = (struct guest_route){
                .way = GUEST_OWN, .source = GUEST_LOCAL, .prefix = model->originate.items[i]};
}

/* --- BGP -------------------------------------------------------------------------------------- */

static void look_up(struct lookup *lookup);

/* What the route to a next hop says, for packets to somewhere else. */
static void resolve(struct lookup *lookup, const struct lpm_address *next_hop)
{
    struct guest_route found;
    struct lookup inner = *lookup;
    inner.destination = *next_hop;
    inner.resolutions++;
    inner.route = &found;
    if (inner.resolutions > RESOLUTIONS_MAX)
        return;
    look_up(&inner);
    lookup->route->way = found.way;
    lookup->route->nic = found.nic;
    lookup->route->circuit = found.circuit;
    lookup->route->next_hop = found.next_hop;
    if (found.way == GUEST_OWN || found.way == GUEST_HOST)
        lookup->route->way = GUEST_NO_ROUTE; /* nobody forwards for us there */
}

/* The index of one of n equal paths: by flow, and alike for all flows of two addresses' ports. Each
 * router has a hash of its own, lest its choice and the fabric's go together. */
static unsigned choose(const struct lookup *lookup, unsigned n)
{
    const struct fabric *fabric = lookup->fabric;
    return dp_flow_hash(lookup->packet, fabric->ecmp.hash_fields, lookup->router + 1) % n;
}

static void take_gateway(struct lookup *lookup, const struct controller_peer *peer,
                         const struct lpm_address *next_hop)
{
    lookup->route->nic = lookup->fabric->gateways[peer->gateway].first_nic + peer->instance;
    lookup->route->way = GUEST_GATEWAY;
    lookup->route->next_hop = *next_hop;
}

static void take_path(struct lookup *lookup, const struct rib_path *path)
{
    const struct sim_router_session *session = speaker_peer_user(path->peer);
    if (path->discard) {
        lookup->route->way = GUEST_DISCARD;
        return;
    }
    if (session->circuit && has_address(&session->circuit->ends[!session->end], &path->next_hop)) {
        take_circuit(lookup, sim_circuit_index(lookup->sim, session->circuit), session->end);
        return;
    }
    if (session->remote && session->remote->gateway != FABRIC_NONE)
        take_gateway(lookup, session->remote, &path->next_hop);
    else
        resolve(lookup, &path->next_hop);
}

static bool look_at_length(struct lookup *lookup, const struct speaker *speaker, unsigned length)
{
    struct rib_choice choice;
    struct lpm_prefix prefix = host_prefix(&lookup->destination);
    prefix.length = (uint8_t)length;
    lpm_prefix_mask(&prefix);
    if (!speaker_learned_choice(speaker, &prefix, &choice))
        return false;
    *lookup->route = (struct guest_route){.source = GUEST_BGP, .prefix = prefix};
    take_path(lookup, &choice.paths[choice.n > 1 ? choose(lookup, choice.n) : 0]);
    lookup->route->spread = choice.n > 1;
    return true;
}

static void look_at_bgp(struct lookup *lookup)
{
    const struct speaker *speaker = sim_router_speaker(lookup->sim, lookup->router);
    const int least =
        lookup->route->way == GUEST_NO_ROUTE ? 0 : (int)lookup->route->prefix.length + 1;
    for (int length = (int)bits_of(lookup->destination.family); speaker && length >= least;
         length--)
        if (look_at_length(lookup, speaker, (unsigned)length))
            return;
}

/* --- All -------------------------------------------------------------------------------------- */

static void look_up(struct lookup *lookup)
{
    *lookup->route = (struct guest_route){.way = GUEST_NO_ROUTE};
    if (look_at_hosts(lookup))
        return;
    lookup->route->source = GUEST_CONNECTED;
    lookup->route->prefix = host_prefix(&lookup->destination);
    if (guest_is_own(lookup->fabric, lookup->sim, lookup->router, &lookup->destination)) {
        lookup->route->way = GUEST_OWN;
        return;
    }
    if (look_at_circuits(lookup, &lookup->destination))
        return;
    *lookup->route = (struct guest_route){.way = GUEST_NO_ROUTE};
    look_at_subnets(lookup);
    look_at_statics(lookup);
    look_at_own_network(lookup);
    look_at_bgp(lookup);
    if (lookup->route->way != GUEST_NO_ROUTE)
        return;
    const uint32_t nic = default_nic(lookup);
    if (nic != FABRIC_NONE)
        *lookup->route =
            (struct guest_route){.way = GUEST_NIC, .source = GUEST_DEFAULT, .nic = nic};
}

void guest_lookup(const struct fabric *fabric, struct sim *sim, uint32_t router, uint32_t in,
                  const struct dp_packet *packet, struct guest_route *route)
{
    struct lookup lookup = {
        .fabric = fabric, .sim = sim, .router = router, .in = in, .packet = packet, .route = route};
    lookup.destination.family = packet->family;
    memcpy(lookup.destination.bytes, packet->destination, sizeof(lookup.destination.bytes));
    look_up(&lookup);
}

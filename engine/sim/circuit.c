/*
 * Finding the two ends of each circuit and their addresses.
 */
#include "engine/sim/circuit.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/sim/guest.h"

struct circuits {
    const struct fabric *fabric;
    struct sim_circuit *items;
    size_t n, capacity;
};

int sim_circuit_end_of(const struct sim_circuit *circuit, uint32_t router)
{
    if (circuit->ends[0].router == router)
        return 0;
    return circuit->ends[1].router == router ? 1 : -1;
}

bool sim_circuit_has_session(const struct sim_circuit *circuit)
{
    return circuit->ends[0].neighbor && circuit->ends[1].neighbor;
}

const struct lpm_address *sim_circuit_address(const struct sim_circuit_end *end, uint8_t family)
{
    for (unsigned i = 0; i < 2; i++)
        if (end->addresses[i].family == family)
            return &end->addresses[i];
    return NULL;
}

/* --- Neighbors -------------------------------------------------------------------------------- */

uint32_t sim_neighbor_router(const struct fabric *fabric, const struct fabric_neighbor *neighbor)
{
    if (neighbor->router != FABRIC_NONE || neighbor->address.family == 0)
        return neighbor->router;
    for (uint32_t nic = 0; nic < fabric->nics_count; nic++)
        if (fabric->nics[nic].router != FABRIC_NONE && guest_owns(fabric, nic, &neighbor->address))
            return fabric->nics[nic].router;
    return FABRIC_NONE;
}

/* How `router` names `other` over this tunnel, or over none. */
static const struct fabric_neighbor *neighbor_of(const struct fabric *fabric, uint32_t router,
                                                 uint32_t other, uint32_t tunnel)
{
    const struct fabric_router *model = &fabric->routers[router];
    for (uint32_t i = 0; i < model->neighbor_count; i++) {
        const struct fabric_neighbor *neighbor = &model->neighbors[i];
        if (neighbor->tunnel == tunnel && sim_neighbor_router(fabric, neighbor) == other)
            return neighbor;
    }
    return NULL;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* How near two NICs are: in one VNet, in peered ones, or elsewhere. */
static unsigned distance(const struct fabric *fabric, uint32_t a, uint32_t b)
{
    const struct fabric_peering *peering;
    unsigned side;
    const uint32_t from = fabric->nics[a].vnet, to = fabric->nics[b].vnet;
    if (from == to)
        return 0;
    return fabric_peering_between(fabric, from, to, &peering, &side) ? 1 : 2;
}

/* The nearest two NICs that both have an address of that family, the first of equals. */
static bool choose_nics(const struct fabric *fabric, struct sim_circuit *circuit, uint8_t family)
{
    const struct fabric_router *a = &fabric->routers[circuit->ends[0].router];
    const struct fabric_router *b = &fabric->routers[circuit->ends[1].router];
    unsigned best = UINT32_MAX;
    for (uint32_t i = 0; i < a->nic_count; i++) {
        for (uint32_t j = 0; j < b->nic_count; j++) {
            if (!guest_address(fabric, a->nics[i], family).family ||
                !guest_address(fabric, b->nics[j], family).family ||
                distance(fabric, a->nics[i], b->nics[j]) >= best)
                continue;
            best = distance(fabric, a->nics[i], b->nics[j]);
            circuit->ends[0].nic = a->nics[i];
            circuit->ends[1].nic = b->nics[j];
        }
    }
    return best != UINT32_MAX;
}

/* A session that names an address means the NIC that has it. */
static void heed_named_addresses(const struct fabric *fabric, struct sim_circuit *circuit)
{
    for (unsigned end = 0; end < 2; end++) {
        const struct fabric_neighbor *neighbor = circuit->ends[end].neighbor;
        struct sim_circuit_end *named = &circuit->ends[!end];
        const struct fabric_router *router = &fabric->routers[named->router];
        for (uint32_t i = 0; neighbor && neighbor->address.family && i < router->nic_count; i++) {
            if (!guest_owns(fabric, router->nics[i], &neighbor->address))
                continue;
            named->nic = router->nics[i];
            named->addresses[0] = neighbor->address;
        }
    }
}

/* The loopback of a box without NICs: the first host route that it originates. */
static struct lpm_address loopback(const struct fabric_router *router)
{
    for (uint32_t i = 0; i < router->originate.n; i++) {
        const struct lpm_prefix *prefix = &router->originate.items[i];
        if (prefix->length == (prefix->family == LPM_IPV4 ? 32 : 128)) {
            struct lpm_address address = {.family = prefix->family};
            for (unsigned j = 0; j < sizeof(address.bytes); j++)
                address.bytes[j] = prefix->bytes[j];
            return address;
        }
    }
    return (struct lpm_address){0};
}

/* The NIC that has an underlay address that the file names. */
static void heed_underlay(const struct fabric *fabric, struct sim_circuit_end *end)
{
    const struct fabric_router *router = &fabric->routers[end->router];
    for (uint32_t i = 0; i < router->nic_count; i++)
        if (guest_owns(fabric, router->nics[i], &end->underlay))
            end->nic = router->nics[i];
}

static void choose_underlay(const struct fabric *fabric, struct sim_circuit *circuit)
{
    const struct fabric_tunnel *tunnel = &fabric->tunnels[circuit->tunnel];
    const bool paired =
        choose_nics(fabric, circuit, LPM_IPV4) || choose_nics(fabric, circuit, LPM_IPV6);
    uint8_t family = LPM_IPV4;
    for (unsigned i = 0; i < 2; i++) {
        struct sim_circuit_end *end = &circuit->ends[i];
        const struct fabric_router *router = &fabric->routers[end->router];
        if (!paired && router->nic_count > 0)
            end->nic = router->nics[0];
        if (end->nic == FABRIC_NONE)
            end->underlay = loopback(router);
        if (end->underlay.family)
            family = end->underlay.family;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct sim_circuit_end *end = &circuit->ends[i];
        if (end->nic != FABRIC_NONE) {
            end->underlay = guest_address(fabric, end->nic, family);
            if (!end->underlay.family)
                end->underlay = fabric->nics[end->nic].addresses.items[0];
        }
        if (tunnel->underlay_count == 2) {
            end->underlay = tunnel->underlay[i];
            heed_underlay(fabric, end);
        }
    }
}

/* Link-local ones, by the circuit's number and the end: nobody else has them. */
static struct lpm_address link_local(uint32_t circuit, unsigned end, uint8_t family)
{
    const uint32_t number = 0xa9fe0000u + 2 * circuit + end;
    struct lpm_address address = {.family = family};
    if (family == LPM_IPV6) {
        address.bytes[0] = 0xfe;
        address.bytes[1] = 0x80;
    }
    for (unsigned i = 0; i < 4; i++)
        address.bytes[(family == LPM_IPV6 ? 12 : 0) + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

void sim_circuit_renumber(struct sim_circuit *circuit, uint32_t number)
{
    circuit->number = number;
    for (unsigned i = 0; i < 2; i++) {
        struct lpm_address *addresses = circuit->ends[i].addresses;
        if (circuit->kind == SIM_CIRCUIT_LINE)
            addresses[0] = link_local(number, i, LPM_IPV4);
        if (circuit->kind != SIM_CIRCUIT_FABRIC)
            addresses[1] =
                link_local(number, i, addresses[0].family == LPM_IPV4 ? LPM_IPV6 : LPM_IPV4);
    }
}

static void address_tunnel(const struct fabric *fabric, struct sim_circuit *circuit)
{
    const struct fabric_tunnel *tunnel = &fabric->tunnels[circuit->tunnel];
    for (unsigned i = 0; i < 2; i++)
        circuit->ends[i].addresses[0] = tunnel->addresses[i];
    choose_underlay(fabric, circuit);
}

/* Over the fabric each family has its address where the NIC has one. Without a family in common the
 * two cannot talk. */
static void address_nics(const struct fabric *fabric, struct sim_circuit *circuit)
{
    const uint8_t family = choose_nics(fabric, circuit, LPM_IPV4) ? LPM_IPV4 : LPM_IPV6;
    if (family == LPM_IPV6 && !choose_nics(fabric, circuit, LPM_IPV6)) {
        circuit->ends[0].neighbor = circuit->ends[1].neighbor = NULL;
        return;
    }
    heed_named_addresses(fabric, circuit);
    for (unsigned i = 0; i < 2; i++) {
        struct sim_circuit_end *end = &circuit->ends[i];
        if (!end->addresses[0].family)
            end->addresses[0] = guest_address(fabric, end->nic, family);
        end->addresses[1] = guest_address(
            fabric, end->nic, end->addresses[0].family == LPM_IPV4 ? LPM_IPV6 : LPM_IPV4);
        end->underlay = end->addresses[0];
    }
}

/* --- All -------------------------------------------------------------------------------------- */

static struct sim_circuit *add(struct circuits *circuits, uint32_t a, uint32_t b, uint32_t tunnel)
{
    if (circuits->n == circuits->capacity) {
        size_t capacity = circuits->capacity ? 2 * circuits->capacity : 16;
        struct sim_circuit *items = reallocarray(circuits->items, capacity, sizeof(*items));
        if (!items)
            return NULL;
        circuits->items = items;
        circuits->capacity = capacity;
    }
    struct sim_circuit *circuit = &circuits->items[circuits->n++];
    *circuit = (struct sim_circuit){
        .tunnel = tunnel,
        .ends = {{.router = a, .nic = FABRIC_NONE}, {.router = b, .nic = FABRIC_NONE}},
    };
    for (unsigned i = 0; i < 2; i++)
        circuit->ends[i].neighbor = neighbor_of(circuits->fabric, circuit->ends[i].router,
                                                circuit->ends[!i].router, tunnel);
    return circuit;
}

static int add_tunnels(struct circuits *circuits)
{
    const struct fabric *fabric = circuits->fabric;
    for (uint32_t i = 0; i < fabric->tunnels_count; i++) {
        const struct fabric_tunnel *tunnel = &fabric->tunnels[i];
        struct sim_circuit *circuit = add(circuits, tunnel->ends[0], tunnel->ends[1], i);
        if (!circuit)
            return -ENOMEM;
        circuit->kind = SIM_CIRCUIT_TUNNEL;
        address_tunnel(fabric, circuit);
        sim_circuit_renumber(circuit, (uint32_t)(circuits->n - 1));
    }
    return 0;
}

/* Each pair is added once: from its router with the lower index, for the first entry that means the
 * other. */
static int add_neighbor(struct circuits *circuits, uint32_t router,
                        const struct fabric_neighbor *neighbor)
{
    const struct fabric *fabric = circuits->fabric;
    const uint32_t other = sim_neighbor_router(fabric, neighbor);
    if (other == FABRIC_NONE || other <= router ||
        neighbor_of(fabric, router, other, FABRIC_NONE) != neighbor ||
        !neighbor_of(fabric, other, router, FABRIC_NONE))
        return 0;
    struct sim_circuit *circuit = add(circuits, router, other, FABRIC_NONE);
    if (!circuit)
        return -ENOMEM;
    const bool on_fabric =
        fabric->routers[router].nic_count > 0 && fabric->routers[other].nic_count > 0;
    circuit->kind = on_fabric ? SIM_CIRCUIT_FABRIC : SIM_CIRCUIT_LINE;
    if (on_fabric)
        address_nics(fabric, circuit);
    sim_circuit_renumber(circuit, (uint32_t)(circuits->n - 1));
    return 0;
}

int sim_circuits_make(const struct fabric *fabric, struct sim_circuit **circuits, size_t *n)
{
    struct circuits made = {.fabric = fabric};
    int error = add_tunnels(&made);
    for (uint32_t i = 0; i < fabric->routers_count && !error; i++) {
        const struct fabric_router *router = &fabric->routers[i];
        for (uint32_t j = 0; j < router->neighbor_count && !error; j++)
            if (router->neighbors[j].tunnel == FABRIC_NONE)
                error = add_neighbor(&made, i, &router->neighbors[j]);
    }
    if (error) {
        free(made.items);
        made = (struct circuits){0};
    }
    *circuits = made.items;
    *n = made.n;
    return error;
}

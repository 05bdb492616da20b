/*
 * A tunnel's outer packet: it is sent by the NIC of its end, or by a box without NICs along its own
 * table, and has to arrive at the router at the other end. What is inside of IPsec nobody sees either,
 * so the two types differ in the outer protocol alone.
 */
#include <string.h>

#include "engine/sim/circuit.h"
#include "engine/sim/walk.h"

#define PROTOCOL_TCP  6
#define PROTOCOL_UDP  17
#define PROTOCOL_ESP  50 /* RFC 4303 */
#define PORT_BGP      179
#define PORT_VXLAN    4789   /* RFC 7348 */
#define PORT_FIRST    49152u /* of the sender's, by the inner flow: RFC 7348 section 5 */
#define PORT_MASK     0x3fffu
#define TTL           64
#define TUNNELS_DEPTH 4u /* tunnels in tunnels; more is one that leads into itself */
/* Stands for an end of which only the internet knows the address: TEST-NET-2, and the documentation
 * prefix (RFC 5737, RFC 3849). */
#define SOMEWHERE4 "198.51.100.2"
#define SOMEWHERE6 "2001:db8::2"

static struct lpm_address far_address(const struct sim_circuit_end *own,
                                      const struct sim_circuit_end *far)
{
    struct lpm_address address = far->underlay;
    if (!address.family &&
        lpm_address_parse(own->underlay.family == LPM_IPV6 ? SOMEWHERE6 : SOMEWHERE4, &address))
        return (struct lpm_address){0};
    return address;
}

static struct path_flow outer_flow(const struct walk *walk, const struct sim_circuit *circuit,
                                   unsigned end)
{
    const struct fabric *fabric = walk->finder->fabric;
    const struct sim_circuit_end *own = &circuit->ends[end], *far = &circuit->ends[!end];
    struct path_flow flow = {.source = own->underlay,
                             .destination = far_address(own, far),
                             .protocol = PROTOCOL_ESP,
                             .ttl = TTL};
    if (fabric->tunnels[circuit->tunnel].ipsec)
        return flow;
    flow.protocol = PROTOCOL_UDP;
    flow.destination_port = PORT_VXLAN;
    flow.source_port = (uint16_t)(PORT_FIRST + (dp_flow_hash(&walk->packet, 5, 0) & PORT_MASK));
    flow.inner = &walk->packet;
    return flow;
}

/* Is the end of the walk the router at the far end, or, where nobody knows its address, the internet? */
static bool has_arrived(const struct path_finder *finder, const struct path *path,
                        const struct sim_circuit_end *far)
{
    uint32_t router;
    if (path->verdict != PATH_DELIVERED)
        return false;
    if (path->end == PATH_INTERNET)
        return far->underlay.family == 0;
    place_kind(finder->fabric, path->end, &router, NULL);
    return router == far->router;
}

/* Nothing is known of the way from an end without NIC and address, but that the internet takes it. */
static bool comes_by_internet(const struct sim_circuit_end *own)
{
    return own->nic == FABRIC_NONE && own->underlay.family == 0;
}

/* Sends the outer packet. 1: it arrived. */
static int carry(struct walk *walk, const struct sim_circuit *circuit, unsigned end)
{
    const struct sim_circuit_end *own = &circuit->ends[end], *far = &circuit->ends[!end];
    const struct path_flow flow = outer_flow(walk, circuit, end);
    struct walk outer = {.finder = walk->finder,
                         .path = walk->path,
                         .depth = walk->depth + 1,
                         .first = walk->path->hop_count,
                         .at = own->nic};
    if (outer.at == FABRIC_NONE)
        outer.at = place_of_router(walk->finder->fabric, own->router);
    walk_packet(&outer, &flow);
    int error = walk_on(&outer);
    if (error)
        return error;
    if (has_arrived(walk->finder, walk->path, far))
        return 1;
    if (walk->path->verdict == PATH_DELIVERED)
        walk_end(&outer, PATH_DROPPED, "tunnel-end", walk->path->end);
    walk->path->ttl = walk->path->verdict == PATH_LOOP ? 0 : walk->packet.ttl;
    return 0;
}

int walk_encapsulate(struct walk *walk, size_t index, unsigned end)
{
    const struct path_finder *finder = walk->finder;
    const struct sim_circuit *circuit = sim_circuit(finder->sim, index);
    if (walk->depth == TUNNELS_DEPTH) {
        walk_end(walk, PATH_LOOP, NULL, FABRIC_NONE);
        return 0;
    }
    int arrived = comes_by_internet(&circuit->ends[end]) ? 1 : carry(walk, circuit, end);
    if (arrived > 0)
        walk->at = place_of_router(finder->fabric, circuit->ends[!end].router);
    return arrived;
}

/* --- Circuits that carry sessions ----------------------------------------------------------------- */

static const char *reason_of(const struct path *path)
{
    return path->verdict == PATH_LOOP ? "loop" : path->reason;
}

static const char *lost_in_tunnel(struct path_finder *finder, size_t index, struct path *path)
{
    const struct sim_circuit *circuit = sim_circuit(finder->sim, index);
    for (unsigned end = 0; end < 2; end++) {
        const struct path_flow inside = {.source = circuit->ends[end].addresses[0],
                                         .destination = circuit->ends[!end].addresses[0],
                                         .protocol = PROTOCOL_TCP,
                                         .source_port = PORT_BGP,
                                         .destination_port = PORT_BGP,
                                         .ttl = TTL};
        struct walk walk = {.finder = finder, .path = path};
        memset(path, 0, sizeof(*path));
        walk_packet(&walk, &inside);
        if (walk_encapsulate(&walk, index, end) <= 0)
            return reason_of(path);
    }
    return NULL;
}

/* The session's packets: one way, then, as an answer, the other. */
static const char *lost_in_fabric(struct path_finder *finder, size_t index, struct path *path)
{
    const struct sim_circuit *circuit = sim_circuit(finder->sim, index);
    struct path_sessions sessions = {0};
    for (unsigned end = 0; end < 2; end++) {
        const struct sim_circuit_end *own = &circuit->ends[end], *far = &circuit->ends[!end];
        const struct path_flow flow = {.source = own->addresses[0],
                                       .destination = far->addresses[0],
                                       .protocol = PROTOCOL_TCP,
                                       .source_port = end ? PORT_BGP : PORT_FIRST,
                                       .destination_port = end ? PORT_FIRST : PORT_BGP,
                                       .ttl = TTL};
        if (path_walk(finder, own->nic, &flow, end ? &sessions : NULL, end ? NULL : &sessions,
                      path))
            return "no memory";
        if (!has_arrived(finder, path, far))
            return path->verdict == PATH_DELIVERED ? "it arrives elsewhere" : reason_of(path);
    }
    return NULL;
}

const char *path_circuit_lost(struct path_finder *finder, size_t circuit)
{
    struct path path;
    switch (sim_circuit(finder->sim, circuit)->kind) {
    case SIM_CIRCUIT_TUNNEL:
        return lost_in_tunnel(finder, circuit, &path);
    case SIM_CIRCUIT_FABRIC:
        return lost_in_fabric(finder, circuit, &path);
    case SIM_CIRCUIT_LINE:
        break;
    }
    return NULL;
}

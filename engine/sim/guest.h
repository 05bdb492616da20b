/*
 * The forwarding half of a modelled router, beside its BGP half (router.h): where it sends a packet.
 *
 * Its table, longest prefix first, at equal length in this order:
 *   own addresses, hosts behind it, the far end of a tunnel or line
 *   connected      subnets of its NICs
 *   static         routes of the file
 *   local          what a box without NICs originates: the network behind it
 *   BGP            what its speaker chose, ECMP by flow hash
 * A router with NICs sends what it has no route for to the fabric, by the NIC that it came in by.
 *
 * A next hop in the fabric is of no consequence but for the NIC: whatever it is, the frame goes to
 * the fabric, which routes it by its destination at the NIC that sent it.
 */
#ifndef ENGINE_SIM_GUEST_H
#define ENGINE_SIM_GUEST_H

#include "dataplane/dataplane.h"
#include "engine/fabric/model.h"
#include "engine/sim/sim.h"

enum guest_way {
    GUEST_NO_ROUTE,
    GUEST_DISCARD, /* BLACKHOLE (RFC 7999) */
    GUEST_OWN,     /* for the router itself, or for the network behind it */
    GUEST_HOST,
    GUEST_NIC,
    GUEST_CIRCUIT,
    GUEST_GATEWAY, /* over the line to one */
};
enum guest_source { GUEST_DEFAULT, GUEST_CONNECTED, GUEST_STATIC, GUEST_LOCAL, GUEST_BGP };
const char *guest_source_text(enum guest_source source);

struct guest_route {
    enum guest_way way;
    enum guest_source source;
    struct lpm_prefix prefix;    /* that matched; family 0: none did */
    uint32_t nic;                /* GUEST_NIC; GUEST_GATEWAY: of its instance */
    uint32_t host;               /* GUEST_HOST: index in the router's hosts */
    size_t circuit;              /* GUEST_CIRCUIT: of the sim */
    struct lpm_address next_hop; /* GUEST_CIRCUIT, GUEST_GATEWAY: the far end's */
    bool spread;                 /* other flows may go another way */
};

/* Looks up where router sends packet, that came in by NIC `in` (FABRIC_NONE: not by a NIC). */
void guest_lookup(const struct fabric *fabric, struct sim *sim, uint32_t router, uint32_t in,
                  const struct dp_packet *packet, struct guest_route *route);

/* The NIC's first address of that family; family 0: it has none. */
struct lpm_address guest_address(const struct fabric *fabric, uint32_t nic, uint8_t family);

/* Is address one of the NIC's own? */
/* A frontend is its backends' own address too. */
bool guest_owns(const struct fabric *fabric, uint32_t nic, const struct lpm_address *address);
/* Is it one of the router's: of its NICs, of its ends of circuits, or a host route that it
 * originates? */
bool guest_is_own(const struct fabric *fabric, const struct sim *sim, uint32_t router,
                  const struct lpm_address *address);

#endif

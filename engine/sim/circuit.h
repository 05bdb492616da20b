/*
 * A circuit joins two modelled routers: a tunnel of `tunnels:`, the fabric between their NICs, or,
 * where one of them has no NIC, a line of their own. Which there are follows from the file alone:
 *
 *   tunnels[]                                  a circuit each, with or without a session inside
 *   neighbors: {router: …} at both routers     a session; without `tunnel` a circuit of its own
 *
 * Pure: no link and no speaker; sim.c puts those on.
 */
#ifndef ENGINE_SIM_CIRCUIT_H
#define ENGINE_SIM_CIRCUIT_H

#include "engine/fabric/model.h"

enum sim_circuit_kind {
    SIM_CIRCUIT_TUNNEL,
    SIM_CIRCUIT_FABRIC, /* the session's packets are routed at both NICs, as any others */
    SIM_CIRCUIT_LINE,
};

struct sim_circuit_end {
    uint32_t router;
    /* How this router names the other; NULL at both ends: no session. */
    const struct fabric_neighbor *neighbor;
    /* Of the session, and next hops of what this end announces: inside a tunnel, of the NIC, or of
     * the line (link-local). One of each family at a tunnel and a line. */
    struct lpm_address addresses[2];
    uint32_t nic; /* that tunnel or session leaves by; FABRIC_NONE: a router without NICs */
    /* Where the other end's outer packets go; family 0: nobody knows, the internet carries them. */
    struct lpm_address underlay;
};

struct sim_circuit {
    enum sim_circuit_kind kind;
    uint32_t tunnel; /* or FABRIC_NONE */
    uint32_t
        number; /* its link-local addresses follow it: the place in the list, or as renumbered */
    struct sim_circuit_end ends[2];
};

/* The caller frees *circuits. -ENOMEM. */
int sim_circuits_make(const struct fabric *fabric, struct sim_circuit **circuits, size_t *n);

/* Its link-local addresses become those of that number. */
void sim_circuit_renumber(struct sim_circuit *circuit, uint32_t number);

/* Which end the router has: 0 or 1; -1: neither. */
int sim_circuit_end_of(const struct sim_circuit *circuit, uint32_t router);
bool sim_circuit_has_session(const struct sim_circuit *circuit);
/* The address of an end in a family, or NULL. */
const struct lpm_address *sim_circuit_address(const struct sim_circuit_end *end, uint8_t family);

/* The router that a neighbor entry means: by its name, or by an address of one of its NICs.
 * FABRIC_NONE: none of the file. */
uint32_t sim_neighbor_router(const struct fabric *fabric, const struct fabric_neighbor *neighbor);

#endif

/*
 * What the files of the walk share (path.h): a packet on its way.
 *
 *   walk_on() ──at a NIC──> fabric's step (path.c) ──> walk_receive() ─┐
 *       │                                                              ├─> the router's step (pass.c)
 *       └──at a router or host──> walk_arrive(), walk_leave_host() ────┘        │
 *                                       walk at another place <────────────────┘
 *
 * Steps return 1 to go on from walk->at, 0 when walk_end() was called, -ENOMEM.
 */
#ifndef ENGINE_SIM_WALK_H
#define ENGINE_SIM_WALK_H

#include "engine/sim/path.h"

struct rows {
    struct fabric_row *items; /* NULL: not asked yet */
    size_t n;
};

struct path_finder {
    const struct fabric *fabric;
    struct sim *sim;
    struct controller *controller;
    const struct program *program;
    const struct dp_forwarding *forwarding;
    struct rows *rows; /* by NIC, filled as they are needed */
    bool without_rows;
};

struct walk {
    struct path_finder *finder;
    const struct path_sessions *known;
    struct path_sessions *made;
    struct path *path;
    struct dp_packet packet;
    uint32_t at;    /* place that sends */
    unsigned depth; /* in so many tunnels */
    unsigned first; /* index of this packet's first hop */
};

struct lpm_address walk_address(const struct dp_packet *packet, const uint8_t bytes[16]);
/* Makes the packet that of a flow. */
void walk_packet(struct walk *walk, const struct path_flow *flow);
void walk_end(struct walk *walk, enum path_verdict verdict, const char *reason, uint32_t at);
/* Notes a hop. False: it was there before, so this is a loop, and the walk ended. */
bool walk_add(struct walk *walk, const struct path_hop *hop);
/* Goes on from walk->at to the end. 0 or -ENOMEM. */
int walk_on(struct walk *walk);

/* pass.c: a NIC gets the packet from the fabric; a router gets it, by NIC `in` or none; a host behind a
 * router sends it. */
int walk_receive(struct walk *walk, uint32_t receiver);
int walk_arrive(struct walk *walk, uint32_t router, uint32_t in);
int walk_leave_host(struct walk *walk, uint32_t router);

/* transit.c: the instance of a gateway gets the packet: from the fabric, or from a box that it has a
 * session with. */
int walk_transit(struct walk *walk, uint32_t nic);

/* tunnel.c: the packet enters a tunnel at one end of a circuit. 1: it came out at the other. */
int walk_encapsulate(struct walk *walk, size_t circuit, unsigned end);

#endif

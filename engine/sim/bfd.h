/*
 * BFD in the twin: a table of sessions on the virtual clock, with a wire for each session. The
 * route servers have one together (the controller's), each modelled router one of its own.
 */
#ifndef ENGINE_SIM_BFD_H
#define ENGINE_SIM_BFD_H

#include "engine/bgp/bfd_table.h"
#include "engine/sim/wire.h"

struct sim_bfd;

/* One session's place in a table and at an end of a wire. Owned by who attaches it; must outlive
 * the wire's use of it. */
struct sim_bfd_port {
    struct sim_bfd *bfd;
    struct sim_wire *wire;
    unsigned end;
    struct bfd_path path;
};

struct sim_bfd {
    struct sim_clock *clock;
    struct bfd_table *table; /* user pointers: port_of() knows them; NULL: no BFD */
    struct sim_bfd_port *(*port_of)(void *context, void *user);
    /* Called after every turn of the table, outside of its calls: does what `changed` noted. */
    void (*settle)(void *context);
    void *context;
    uint64_t armed_ms; /* UINT64_MAX: the clock holds nothing for us */
};

/* Takes what comes on port->wire. */
void sim_bfd_attach(struct sim_bfd_port *port);
/* Sends what is due and asks the clock for the next turn. */
void sim_bfd_run(struct sim_bfd *bfd);
/* Only asks the clock for the next turn: after something else gave the table work. */
void sim_bfd_arm(struct sim_bfd *bfd);
/* The clock forgets it: before the table or the struct goes. */
void sim_bfd_forget(struct sim_bfd *bfd);

#endif

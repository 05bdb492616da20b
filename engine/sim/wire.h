/*
 * A virtual wire for datagrams between the two ends of a link: what UDP is to BFD, on the virtual
 * clock. A datagram arrives after the delay, or not at all: nothing is kept while the wire is cut.
 */
#ifndef ENGINE_SIM_WIRE_H
#define ENGINE_SIM_WIRE_H

#include "engine/bgp/bfd_packet.h"
#include "engine/sim/clock.h"

struct sim_wire;

typedef void sim_wire_arrived(void *context, const uint8_t bytes[BFD_PACKET_SIZE]);

struct sim_wire *sim_wire_create(struct sim_clock *clock, uint32_t delay_ms); /* NULL with errno */
void sim_wire_destroy(struct sim_wire *wire);

/* Who takes what comes to an end (0 or 1); arrived NULL: nobody. */
void sim_wire_attach(struct sim_wire *wire, unsigned end, sim_wire_arrived *arrived, void *context);
/* From `end` to the other. */
void sim_wire_send(struct sim_wire *wire, unsigned end, const uint8_t bytes[BFD_PACKET_SIZE]);
void sim_wire_cut(struct sim_wire *wire, bool cut);

#endif

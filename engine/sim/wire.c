/*
 * The delay is the same for all, so datagrams of one direction arrive in the order of sending: a
 * ring for each, and an action on the clock for each datagram.
 */
#include "engine/sim/wire.h"

#include <stdlib.h>
#include <string.h>

/* On their way at once, each direction. BFD sends a handful in a delay; a flood loses what is more,
 * as a queue in a network would. */
#define UNDER_WAY 16u

struct ring {
    uint8_t bytes[UNDER_WAY][BFD_PACKET_SIZE];
    unsigned head, n;
};

struct sim_wire {
    struct sim_clock *clock;
    uint32_t delay_ms;
    bool cut;
    struct ring rings[2]; /* by sending end */
    struct {
        sim_wire_arrived *arrived;
        void *context;
    } ends[2];
};

struct sim_wire *sim_wire_create(struct sim_clock *clock, uint32_t delay_ms)
{
    struct sim_wire *wire = calloc(1, sizeof(*wire));
    if (!wire)
        return NULL;
    wire->clock = clock;
    wire->delay_ms = delay_ms;
    return wire;
}

void sim_wire_destroy(struct sim_wire *wire)
{
    if (!wire)
        return;
    sim_clock_forget(wire->clock, wire);
    free(wire);
}

void sim_wire_attach(struct sim_wire *wire, unsigned end, sim_wire_arrived *arrived, void *context)
{
    wire->ends[end].arrived = arrived;
    wire->ends[end].context = context;
}

static void arrive(void *context, uint64_t end)
{
    struct sim_wire *wire = context;
    struct ring *ring = &wire->rings[end];
    uint8_t bytes[BFD_PACKET_SIZE];
    memcpy(bytes, ring->bytes[ring->head], sizeof(bytes));
    ring->head = (ring->head + 1) % UNDER_WAY;
    ring->n--;
    if (!wire->cut && wire->ends[!end].arrived)
        wire->ends[!end].arrived(wire->ends[!end].context, bytes);
}

void sim_wire_send(struct sim_wire *wire, unsigned end, const uint8_t bytes[BFD_PACKET_SIZE])
{
    struct ring *ring = &wire->rings[end];
    if (ring->n == UNDER_WAY)
        return;
    memcpy(ring->bytes[(ring->head + ring->n++) % UNDER_WAY], bytes, BFD_PACKET_SIZE);
    sim_clock_at(wire->clock, sim_clock_now_ms(wire->clock) + wire->delay_ms, arrive, wire, end);
}

void sim_wire_cut(struct sim_wire *wire, bool cut)
{
    wire->cut = cut;
}

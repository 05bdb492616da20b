#include "engine/sim/bfd.h"

static uint64_t now_us(const struct sim_bfd *bfd)
{
    return sim_clock_now_ms(bfd->clock) * 1000;
}

static void on_timer(void *context, uint64_t armed_ms)
{
    struct sim_bfd *bfd = context;
    if (armed_ms != bfd->armed_ms)
        return; /* a nearer deadline was found since */
    bfd->armed_ms = UINT64_MAX;
    sim_bfd_run(bfd);
}

/* The clock counts in milliseconds: a deadline is met at the first that is not before it. */
void sim_bfd_arm(struct sim_bfd *bfd)
{
    if (!bfd->table)
        return;
    uint64_t deadline_us = bfd_table_deadline(bfd->table);
    if (deadline_us == UINT64_MAX)
        return;
    uint64_t deadline_ms = (deadline_us + 999) / 1000;
    if (deadline_ms >= bfd->armed_ms)
        return;
    bfd->armed_ms = deadline_ms;
    sim_clock_at(bfd->clock, deadline_ms, on_timer, bfd, deadline_ms);
}

void sim_bfd_run(struct sim_bfd *bfd)
{
    struct bfd_datagram datagram;
    if (!bfd->table)
        return;
    while (bfd_table_output(bfd->table, now_us(bfd), &datagram)) {
        const struct sim_bfd_port *port = bfd->port_of(bfd->context, datagram.user);
        sim_wire_send(port->wire, port->end, datagram.bytes);
    }
    bfd->settle(bfd->context);
    sim_bfd_arm(bfd);
}

/* A virtual wire has no router on it: the TTL is as it was sent. */
static void on_arrived(void *context, const uint8_t bytes[BFD_PACKET_SIZE])
{
    struct sim_bfd_port *port = context;
    bfd_table_input(port->bfd->table, &port->path, BFD_TTL, bytes, BFD_PACKET_SIZE,
                    now_us(port->bfd));
    sim_bfd_run(port->bfd);
}

void sim_bfd_attach(struct sim_bfd_port *port)
{
    sim_wire_attach(port->wire, port->end, on_arrived, port);
}

void sim_bfd_forget(struct sim_bfd *bfd)
{
    if (bfd->clock)
        sim_clock_forget(bfd->clock, bfd);
    bfd->armed_ms = UINT64_MAX;
}

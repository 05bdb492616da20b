/*
 * Announcements: guests, and hosts of an underlay, are told of MACs that they may remember otherwise.
 *
 * A guest remembers the MAC of its subnet's gateway, and hosts that of a tunnel end point. Both change
 * when the fabric file changes, and when another engine, or another machine, takes over. So they are
 * told, unasked: when a NIC appears, moves or gets another gateway MAC, when a port's link comes up, and
 * when the engine starts. By ARP announcements (RFC 5227 3) and by neighbour advertisements (RFC 4861
 * 7.2.6), to the guest alone.
 *
 * The worker that polls a port's first queue announces what hangs on it, a few at a time.
 */
#ifndef DATAPLANE_ANNOUNCE_H
#define DATAPLANE_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct dp_worker;

/* What one worker has seen; zeroed at its start. */
struct dp_announcer {
    bool started;
    uint32_t seen; /* of forwarding->moves */
    uint64_t due;  /* of the next step, in cycles of the time stamp counter */
};
/* And of one port; zeroed likewise. */
struct dp_announced {
    bool up;
    uint32_t scan;        /* NIC id to go on from, through all; 0: no scan is due */
    const void *underlay; /* the record that was announced: compared, never followed */
};

/* Between rounds, on the worker's thread. Most calls find that nothing is due, by a comparison. */
void dp_announce(struct dp_worker *worker, uint64_t now);

#endif

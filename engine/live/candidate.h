/*
 * Connections from addresses of dynamic_peers: who it is, is known only by the AS number in its OPEN.
 *
 *   accept() ──> candidate: reads one OPEN ──> AS in the range ──> session of an accepted neighbour
 *                    │                              └─ not ──> NOTIFICATION, closed
 *                    └─ nothing in time, end, garbage ──> closed
 *
 * A candidate waits for the peer's OPEN before it says anything, which is RFC 4271's DelayOpen; what it
 * refuses it refuses by SendNOTIFICATIONwithoutOPEN (section 8.1.1). It costs a place in a fixed table and
 * nothing else: not more than one of an address and instance, and not longer than a few seconds.
 */
#ifndef ENGINE_LIVE_CANDIDATE_H
#define ENGINE_LIVE_CANDIDATE_H

#include <stddef.h>

#include "engine/live/context.h"

/* Where a source belongs. */
struct live_range {
    struct live_listener *listener;
    uint32_t route_server;
    unsigned instance;
    uint32_t index;                       /* in its dynamic_peers[] */
    const struct live_neighbor *neighbor; /* the template's */
};

/* Makes room where some route server has dynamic_peers. -ENOMEM: error says so. */
int live_candidates_create(struct live *live, char *error, size_t error_size);
/* Closes them all; live_candidates_free() once the loop has let go of their handles. */
void live_candidates_close(struct live *live);
void live_candidates_free(struct live *live);

/* Which dynamic_peers a connection to listener from source belongs to; false: none. */
bool live_candidate_range(struct live *live, struct live_listener *listener,
                          const struct lpm_address *source, struct live_range *range);
/* Takes fd over and returns NULL; or returns why not, and fd is the caller's. */
const char *live_candidate_accepted(struct live *live, const struct live_range *range,
                                    const struct lpm_address *source, int fd);
/* Another reading is in force: each belongs where its source does now, or is closed. */
void live_candidates_follow(struct live *live);
/* Closes those whose time is over. */
void live_candidates_housekeeping(struct live *live, uint64_t now_ms);

#endif

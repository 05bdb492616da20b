/*
 * The way of a packet through a converged twin: which NIC's FIB decided at each hop, by which row,
 * which routers it passed, and how it ended.
 *
 *   NIC ──dp_decide()──> receiving NIC ──its router's guest──> NIC ──dp_decide()──> …
 *
 * Every step within the fabric is the decision that the packet path makes. A flow goes one way; all
 * the ways that flows between two addresses take are found by walking many flows that differ in their
 * source port, and putting those together that went alike.
 *
 * Single-threaded: the thread that owns the twin, registered as a reader (lpm/rcu.h) or with no
 * other thread about.
 */
#ifndef ENGINE_SIM_PATH_H
#define ENGINE_SIM_PATH_H

#include "engine/fabric/effective.h"
#include "engine/sim/sim.h"

/* A TTL lasts for no more. */
#define PATH_HOPS_MAX 64
/* A path that ends here left by next hop type Internet. */
#define PATH_INTERNET (FABRIC_NONE - 1)

struct path_flow {
    struct lpm_address source, destination;
    uint8_t protocol;
    uint16_t source_port, destination_port;
    uint8_t ttl;
};

enum path_verdict { PATH_DELIVERED, PATH_DROPPED, PATH_LOOP };
const char *path_verdict_text(enum path_verdict verdict);

/* One decision. */
struct path_hop {
    uint32_t nic;   /* that sent */
    uint32_t group; /* of the data plane; 0: the lookup found none */
    const struct fabric_row
        *row;                    /* that the lookup found, the finder's; NULL: none, or no lookup */
    struct lpm_address next_hop; /* the chosen member's; family 0: none was chosen */
};

struct path {
    enum path_verdict verdict;
    const char *reason; /* PATH_DROPPED: a drop reason, "no-session" of a stateful router, or
                           "router-silent" */
    uint8_t ttl;        /* at the end */
    uint32_t end;       /* NIC or PATH_INTERNET; FABRIC_NONE: it got nowhere */
    unsigned hop_count;
    struct path_hop hops[PATH_HOPS_MAX];
};

/* What the routers on the way remember of a flow, so that what comes back finds it. */
struct path_sessions {
    unsigned n;
    struct path_session {
        uint32_t router;
        struct lpm_address inside, outside; /* source before and after translation */
    } items[PATH_HOPS_MAX];
    struct lpm_address source; /* as the receiver sees it */
};

struct path_finder;

/* NULL with ENOMEM. The twin is borrowed, and must not change while the finder lives. */
struct path_finder *path_finder_create(const struct fabric *fabric, struct sim *sim,
                                       const struct dp_forwarding *forwarding);
void path_finder_free(struct path_finder *finder);
/* From now on hops have no row, and the twin may change while the finder lives: for who walks the same
 * flows over and over. */
void path_finder_skip_rows(struct path_finder *finder);

/* Walks a flow from NIC `from` (index in fabric.nics). made, if not NULL, gets the sessions that it
 * leaves behind; known, if not NULL, are those of the other direction: translations are undone by
 * them, and a stateful router that is not among them drops. Returns 0 or -ENOMEM. */
int path_walk(struct path_finder *finder, uint32_t from, const struct path_flow *flow,
              const struct path_sessions *known, struct path_sessions *made, struct path *path);

/* Same NICs, rows, next hops and end? */
bool path_equal(const struct path *a, const struct path *b);
/* Did both directions of a flow pass the same routers, in opposite order? */
bool path_mirrors(const struct path_sessions *out, const struct path_sessions *back);

#endif

/*
 * The way of a packet through a converged twin: which NIC's FIB decided at each hop, by which row,
 * which routers it passed, and how it ended.
 *
 *   NIC ──dp_decide()──> receiving NIC ──its router's guest──> NIC ──dp_decide()──> …
 *                                          └──tunnel or line──> router ──its guest──> …
 *
 * Every step within the fabric is the decision that the packet path makes. A tunnel's outer packet
 * walks on its own, by the same rules, to the tunnel's other end. A flow goes one way; all
 * the ways that flows between two addresses take are found by walking many flows that differ in their
 * source port, and putting those together that went alike.
 *
 * Single-threaded: the thread that owns the twin, registered as a reader (lpm/rcu.h) or with no
 * other thread about.
 */
#ifndef ENGINE_SIM_PATH_H
#define ENGINE_SIM_PATH_H

#include "engine/fabric/effective.h"
#include "engine/sim/guest.h"
#include "engine/sim/place.h"
#include "engine/sim/sim.h"

/* A TTL lasts for no more. */
#define PATH_HOPS_MAX 64
/* A path that ends here left by next hop type Internet. */
#define PATH_INTERNET PLACE_INTERNET

struct path_flow {
    struct lpm_address source, destination;
    uint8_t protocol;
    uint16_t source_port, destination_port;
    uint8_t ttl;
    const struct dp_packet *inner; /* that a tunnel carries in it, for all to see; NULL: none */
};

enum path_verdict { PATH_DELIVERED, PATH_DROPPED, PATH_LOOP };
const char *path_verdict_text(enum path_verdict verdict);

/* One decision: of the fabric at a NIC, or of a router that sends into a tunnel or over a line. */
struct path_hop {
    uint32_t nic;   /* that sent; FABRIC_NONE: a router without one */
    uint32_t group; /* of the data plane; 0: the lookup found none, or a router decided */
    const struct fabric_row
        *row;                    /* that the lookup found, the finder's; NULL: none, or no lookup */
    struct lpm_address next_hop; /* the chosen member's, or the internet's; family 0: none */
    /* Of the load balancer whose frontend it went to, as next hop or as destination; NULL: to none. */
    const struct fabric_nic *backend;
    uint32_t
        router; /* that decided by its own table; FABRIC_NONE: the fabric did, or a host sent */
    uint32_t tunnel;          /* that it sent into, or FABRIC_NONE */
    uint32_t place;           /* that sent (place.h) */
    struct lpm_prefix prefix; /* of the router's route; family 0: none */
    enum guest_source source; /* of that */
    bool spread;              /* the router would send other flows elsewhere */
    unsigned
        depth; /* 0: of the packet itself; of the outer packet of the tunnel in the hop before: 1 … */
};

struct path {
    enum path_verdict verdict;
    /* PATH_DROPPED: a drop reason of the data plane, or
     *   no-session     a stateful router, or a receiver, knows nothing of this flow
     *   no-route       a router has none either
     *   router-silent  it has failed
     *   tunnel-end     the outer packet arrived somewhere else */
    const char *reason;
    uint8_t ttl;               /* at the end */
    uint32_t end;              /* place; FABRIC_NONE: it got nowhere */
    struct lpm_address source; /* as the end sees it */
    unsigned hop_count;
    struct path_hop hops[PATH_HOPS_MAX];
};

/* What the routers on the way remember of a flow, so that what comes back finds it. */
struct path_sessions {
    unsigned n;
    struct path_session {
        uint32_t router;
        struct lpm_address inside, outside; /* source before and after translation */
        struct lpm_address asked, given;    /* destination before and after translation */
    } items[PATH_HOPS_MAX];
    struct lpm_address source, destination; /* as the receiver sees them */
    struct lpm_address target;              /* as the sender had it: who is expected to answer */
};

struct path_finder;

/* NULL with ENOMEM. The twin is borrowed, and must not change while the finder lives. */
struct path_finder *path_finder_create(const struct fabric *fabric, struct sim *sim,
                                       const struct dp_forwarding *forwarding);
void path_finder_free(struct path_finder *finder);
/* From now on hops have no row, and the twin may change while the finder lives: for who walks the same
 * flows over and over. They count as traffic: it keeps buckets in use (ecmp.sticky). */
void path_finder_skip_rows(struct path_finder *finder);

/* Walks a flow from place `from`: a NIC, or a host behind a router. made, if not NULL, gets the sessions that it
 * leaves behind; known, if not NULL, are those of the other direction: translations are undone by
 * them, and a stateful router that is not among them drops. Returns 0 or -ENOMEM. */
int path_walk(struct path_finder *finder, uint32_t from, const struct path_flow *flow,
              const struct path_sessions *known, struct path_sessions *made, struct path *path);

/* Do the packets of a circuit (sim.h) get from each end to the other: those of its session, or of its
 * tunnel? NULL, or the reason why not. */
const char *path_circuit_lost(struct path_finder *finder, size_t circuit);

/* Same NICs, rows, next hops and end? */
bool path_equal(const struct path *a, const struct path *b);
/* Did both directions of a flow pass the same routers, in opposite order? */
bool path_mirrors(const struct path_sessions *out, const struct path_sessions *back);

#endif

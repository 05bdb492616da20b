/*
 * What the files of the twin share.
 *
 * sim ─┬─ clock
 *      ├─ controller   speakers of route servers and gateways; sim.c is its shell
 *      ├─ shells       one per session of a route server, or of a gateway with a modelled router: its link, of
 *      │               which end 0 is theirs and end 1 the router's (controller_peer.shell)
 *      ├─ joints[]     what joins routers, and of those with a session the link
 *      ├─ routers[]    modelled routers, and what has failed of them (failure.c)
 *      └─ timers[]     one per running speaker: when its tick is queued
 *
 * Speakers are only called from actions on the clock, so that no handler calls back into its
 * speaker.
 */
#ifndef ENGINE_SIM_INTERNAL_H
#define ENGINE_SIM_INTERNAL_H

#include "engine/fabric/policies.h"
#include "engine/sim/circuit.h"
#include "engine/sim/clock.h"
#include "engine/sim/link.h"
#include "engine/sim/probe.h"
#include "engine/sim/router.h"
#include "engine/sim/sim.h"

/* One way, of every link: a fabric's hosts are well below a millisecond apart, and the clock counts
 * in milliseconds. */
#define LINK_DELAY_MS 1u
/* A clean stop ends the process once its Cease has crossed the link. */
#define CEASE_LINGER_MS (4 * LINK_DELAY_MS)

struct timer {
    struct sim *sim;
    struct speaker *speaker; /* NULL: free */
    uint64_t armed_ms;
};

/* Of a session of the controller. */
struct sim_shell {
    struct sim_link *link;
    bool stopped; /* the instance at end 0 of the link does not run */
    struct sim_bfd_port bfd_port;
    struct sim_shell *next; /* of all that there ever were */
};

/* A circuit and its link. */
struct sim_joint {
    struct sim_circuit circuit; /* first: sim_circuit_index() */
    size_t index;
    struct sim_link *link;  /* NULL: no session */
    const char *lost;       /* why its packets do not arrive; NULL: they do */
    struct sim_joint *next; /* of all that there ever were: sessions that ended point to theirs */
};

struct sim {
    const struct fabric *fabric;
    const struct dp_forwarding *forwarding;
    struct sim_clock *clock;
    struct controller *controller;
    struct sim_link **links; /* all that were ever made */
    size_t link_count;
    struct sim_shell *shells;
    struct sim_joint **joints;
    size_t circuit_count;
    struct sim_joint *all_joints;
    uint32_t circuit_numbers; /* used so far */
    bool reach_queued;
    uint64_t reach_changes;      /* `changes` when circuits were last looked at */
    struct sim_router **routers; /* by index of fabric.routers */
    uint32_t router_count;
    struct sim_router *gone; /* routers that the fabric has no more */
    struct fabric_policies *policies;
    struct timer *timers;
    size_t timer_count;
    struct sim_bfd bfd;       /* of the route servers */
    struct sim_probes probes; /* of load balancers */
    uint64_t pace_armed_ms;   /* when controller_tick() is queued */
    unsigned restarts;        /* of routers' daemons that changes of the fabric made, under way */
    bool accept_due;          /* a router of dynamic_peers waits until a former session is over */
    bool accept_queued;
    bool flush_queued;
    uint64_t entries;               /* of FIBs, changed ever */
    uint64_t changes;               /* of routers' routes, and of what has failed */
    int error;                      /* of a flush; told by the run */
    char difference[DP_ERROR_TEXT]; /* what engine.verify found (error -EUCLEAN) */
};

/* A speaker was given something: its deadline may have moved (a sim_link_touched). */
void sim_touched(void *context, struct speaker *speaker);
/* Every speaker has its own slot: the route servers' first, then the gateways', then one a router. */
void sim_set_timer(struct sim *sim, size_t slot, struct speaker *speaker);
size_t sim_router_slot(const struct sim *sim, uint32_t router);
/* The daemon starts, if the router has anybody to talk to. 0 or -errno. */
int sim_start_router(struct sim *sim, uint32_t router);

/* The modelled router of this number (struct fabric_router); FABRIC_NONE: it is gone. */
uint32_t sim_router_numbered(const struct sim *sim, uint64_t number);
/* A router of the fabric, without sessions. NULL: no memory. */
struct sim_router *sim_make_router(struct sim *sim, const struct fabric *fabric, uint32_t index);
/* Timers anew for all speakers that there are now. -ENOMEM: as they were. */
int sim_make_timers(struct sim *sim);

/* apply_routers.c: routers and what joins them, as another reading of the fabric has them, of which the controller has
 * what is its own. Routers that are new start; others that differ restart. 0 or -errno. */
int sim_follow_routers(struct sim *sim, const struct fabric *with);
/* Routers that are gone end at once, whatever they have to say. */
void sim_end_gone(struct sim *sim);

/* keys.c: cuts the links whose ends have different keys. */
void sim_compare_keys(struct sim *sim);

/* sessions.c: links, and who is at their ends. Neighbours that dynamic_peers take come before links, and routers before
 * their sessions. Each makes what is not there: at the start, and after a change of the fabric. 0 or -errno. */
int sim_accept_routers(struct sim *sim, const struct fabric *fabric);
int sim_make_shells(struct sim *sim); /* of sessions of route servers and gateways */
int sim_make_joints(struct sim *sim, const struct fabric *fabric);
int sim_make_sessions(struct sim *sim);
void sim_destroy_links(struct sim *sim);
static inline struct sim_shell *sim_shell_of(const struct controller_peer *peer)
{
    return peer->shell;
}
/* The modelled router that answers for a route-server session, and how it names the route server;
 * NULL: nobody does. */
const struct fabric_neighbor *sim_answering(const struct fabric *fabric,
                                            const struct controller_peer *peer, uint32_t *router);
/* Is the session of this circuit as it has to be in the end? */
bool sim_circuit_as_expected(struct sim *sim, size_t circuit);

/* failure.c: a router that has lost its last session ends its daemon, and starts it with the next one. 0 or -errno. */
int sim_router_heed_company(struct sim *sim, uint32_t router);
/* Can the session of link i be up? */
bool sim_link_can_work(const struct sim *sim, size_t i);

/* gateway_sessions.c: the same of gateways. The router that answers; FABRIC_NONE: nobody does. */
uint32_t sim_gateway_answering(const struct sim *sim, const struct controller_peer *peer);
bool sim_gateway_session_as_expected(const struct sim *sim, size_t i);

/* reach.c: what decides where packets go has changed, so circuits are looked at anew; the second only
 * if routes of modelled routers changed since. */
void sim_reach_wanted(struct sim *sim);
void sim_reach_follow(struct sim *sim);

/* With engine.verify: is what is programmed what would be made anew? Sets sim->error where it is not. */
void sim_verify(struct sim *sim);

/* probe.c: begins to probe the load balancers' backends. After the routers were started. */
void sim_start_probes(struct sim *sim);

/* playback.c: the feeds. */
bool sim_feeds_are_over(const struct sim *sim);
/* When the last change of any feed is due. */
uint64_t sim_feeds_end_ms(const struct sim *sim);

#endif

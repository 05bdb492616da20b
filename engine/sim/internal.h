/*
 * What the files of the twin share.
 *
 * sim ─┬─ clock
 *      ├─ controller   speakers of route servers and gateways; sim.c is its shell
 *      ├─ links[]      one per route-server session; end 0 is the route server's, end 1 the router's
 *      ├─ conditions   what has failed, of routers and of links (failure.c)
 *      ├─ circuits[]   what joins routers, and of those with a session the link
 *      ├─ gateway_links[]  as links[], of gateways with modelled routers
 *      ├─ routers[]    modelled routers
 *      └─ timers[]     one per running speaker: when its tick is queued
 *
 * Speakers are only called from actions on the clock, so that no handler calls back into its
 * speaker.
 */
#ifndef ENGINE_SIM_INTERNAL_H
#define ENGINE_SIM_INTERNAL_H

#include "engine/fabric/policies.h"
#include "engine/sim/clock.h"
#include "engine/sim/link.h"
#include "engine/sim/probe.h"
#include "engine/sim/router.h"
#include "engine/sim/sim.h"

/* One way, of every link: a fabric's hosts are well below a millisecond apart, and the clock counts
 * in milliseconds. */
#define LINK_DELAY_MS 1u

struct timer {
    struct sim *sim;
    struct speaker *speaker; /* NULL: free */
    uint64_t armed_ms;
};

/* Of a router. */
struct condition {
    bool silenced;
    bool stopping;   /* has sent its Cease, ends soon */
    bool restarting; /* and then starts again, if nothing else happens to it */
};

/* Of a link. */
struct link_condition {
    bool stopped; /* the instance at its end 0 does not run */
};

struct sim {
    const struct fabric *fabric;
    const struct dp_forwarding *forwarding;
    struct sim_clock *clock;
    struct controller *controller;
    struct sim_link **links;
    struct link_condition *link_conditions;
    struct sim_circuit *circuits;
    size_t circuit_count;
    struct sim_link **circuit_links; /* NULL: no session */
    struct sim_link **gateway_links; /* up to NULL; whose they are: controller_peer.shell */
    const char **circuit_lost;       /* why its packets do not arrive; NULL: they do */
    bool reach_queued;
    uint64_t reach_changes;       /* `changes` when circuits were last looked at */
    struct sim_router *routers;   /* by index of fabric.routers */
    struct condition *conditions; /* of routers */
    struct fabric_policies *policies;
    struct timer *timers;
    size_t timer_count;
    struct sim_bfd bfd;             /* of the route servers */
    struct sim_bfd_port *bfd_ports; /* by link */
    struct sim_probes probes;       /* of load balancers */
    uint64_t pace_armed_ms;         /* when controller_tick() is queued */
    unsigned restarts; /* of routers' daemons that changes of the fabric made, under way */
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

/* apply_routers.c: routers as another reading of the fabric has them, of which the controller has what is its own.
 * 0 or -errno. */
int sim_follow_routers(struct sim *sim, const struct fabric *with);

/* keys.c: cuts the links whose ends have different keys. */
void sim_compare_keys(struct sim *sim);

/* sessions.c: links, and who is at their ends. Neighbours that dynamic_peers take come before links, and routers
 * before their sessions. */
int sim_accept_routers(struct sim *sim);
int sim_make_links(struct sim *sim);
void sim_destroy_links(struct sim *sim);
int sim_make_sessions(struct sim *sim);
/* The modelled router that answers for a route-server session, and how it names the route server;
 * NULL: nobody does. */
const struct fabric_neighbor *sim_answering(const struct fabric *fabric,
                                            const struct controller_peer *peer, uint32_t *router);
/* Is the session of this circuit as it has to be in the end? */
bool sim_circuit_as_expected(struct sim *sim, size_t circuit);

/* failure.c: can the session of link i be up? */
bool sim_link_can_work(const struct sim *sim, size_t i);

/* Adds a session to a router that does not run; its sessions move. 0 or -ENOMEM. */
int sim_add_session(struct sim *sim, uint32_t router, struct sim_router_session session);

/* gateway_sessions.c: the same of gateways; before, and after, the routers are there. */
int sim_make_gateway_links(struct sim *sim);
int sim_make_gateway_sessions(struct sim *sim);
void sim_destroy_gateway_links(struct sim *sim);
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

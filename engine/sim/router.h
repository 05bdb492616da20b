/*
 * A modelled router: a BGP speaker that announces what the fabric file says, at its end of the
 * links to the route servers and routers that it names as neighbours. Where a route server's peer
 * entry has BFD, the router has it too, with the same intervals; between routers each end says so.
 */
#ifndef ENGINE_SIM_ROUTER_H
#define ENGINE_SIM_ROUTER_H

#include "engine/fabric/model.h"
#include "engine/fabric/policies.h"
#include "engine/program/controller.h"
#include "engine/sim/bfd.h"
#include "engine/sim/circuit.h"
#include "engine/sim/feed.h"
#include "engine/sim/link.h"

struct sim_router;

/* One session of the router, and who is at the far end of its link: a session of a route server or
 * gateway, or another router. */
struct sim_router_session {
    struct sim_router *router;
    struct sim_link *link;
    unsigned end;                      /* the router's */
    struct controller_peer *remote;    /* NULL: another router … */
    const struct sim_circuit *circuit; /* … over this circuit, at the same end as of the link */
    const struct fabric_neighbor *neighbor; /* NULL: only the gateway names the router */
    struct speaker_peer *peer;              /* while the router runs */
    const struct bfd_session *bfd;          /* the same; NULL: without BFD */
    struct sim_bfd_port bfd_port;           /* where the session has BFD */
    bool bfd_failed;                        /* and the BGP session was not closed yet */
    bool bfd_came_up;                       /* and the BGP session was not looked at yet */
    bool wanted;                            /* by the reading of the fabric that is taken over */
    bool ended;                             /* the fabric has it no more */
};

struct sim_router {
    const struct fabric *fabric;
    const struct fabric_policies *policies;
    struct sim_clock *clock;
    uint32_t index;
    uint32_t number;         /* struct fabric_router; of a router that is gone, too */
    struct sim_router *next; /* of those that are gone */
    struct speaker *speaker; /* NULL: not running */
    struct sim_router_session *
        *sessions; /* behind session_count those that ended: the speaker keeps its peers */
    unsigned session_count, ended_count;
    bool lonely; /* its daemon does not run because it has no session */
    bool silenced;
    bool stopping;      /* has sent its Cease, ends soon */
    bool restarting;    /* and then starts again, if nothing else happens to it */
    struct sim_bfd bfd; /* what the far ends have BFD for */
    sim_link_touched *touched;
    void *touched_context;
    struct sim_feed *feed;            /* routes out of MRT files; NULL: none */
    size_t fed;                       /* changes of the feed that are done */
    struct sim_router_route *changed; /* beside what the file originates */
    unsigned changed_count;
    uint64_t *changes; /* counts what changes of the routes that it has */
    bool *unhealthy;   /* by index of the router's health checks */
};

/* A prefix that the router was told to announce, or no longer to. */
struct sim_router_route {
    struct lpm_prefix prefix;
    bool announced;
};

/* announce.c. Originates all that it has to, at its start. 0 or -errno. */
int sim_router_originate(struct sim_router *router);
/* Remembers that for starts to come. -ENOMEM. */
int sim_router_remember(struct sim_router *router, const struct lpm_prefix *prefix, bool announced);

/* Announces prefix, or withdraws it, as is meant now. The daemon runs. 0 or -errno. */
int sim_router_reconsider(struct sim_router *router, const struct lpm_prefix *prefix);
/* Gives every session the policies that router->policies has for it now. */
void sim_router_follow_policies(struct sim_router *router);

/* A session more, or less, of a daemon that runs: one that is wanted and has no peer yet, one that has ended. 0 or
 * -errno. */
int sim_router_add_session(struct sim_router *router, struct sim_router_session *session);
void sim_router_end_session(struct sim_router *router, struct sim_router_session *session);
/* Its speaker's peer has nothing to do with the link any more. */
void sim_router_detach(struct sim_router_session *session);
/* The router, its daemon with it. Its links are still there. */
void sim_router_destroy(struct sim_router *router);

/* Starts the daemon: makes the speaker, originates, attaches to every link. Returns 0 or -errno. */
int sim_router_start(struct sim_router *router);
/* Ends it: polite (Cease to every neighbour; the process goes once that is sent) or not. */
void sim_router_cease(struct sim_router *router);
void sim_router_kill(struct sim_router *router);

/* A health check failed or recovered: what all that have it in when_down find well is announced.
 * Remembered while the router is down. 0 or -errno. */
int sim_router_set_health(struct sim_router *router, uint32_t check, bool up);

#endif

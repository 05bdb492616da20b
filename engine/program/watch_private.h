/* What the files of the watch share. */
#ifndef ENGINE_PROGRAM_WATCH_PRIVATE_H
#define ENGINE_PROGRAM_WATCH_PRIVATE_H

#include "engine/fabric/view.h"
#include "engine/program/watch.h"

#define WATCH_DEFAULTS  6u /* 0/0, 0/1, 128/1 of both families */
#define WATCH_SUPERNET4 8u
#define WATCH_SUPERNET6 16u
#define WATCH_GATEWAYS  2u /* of a VNet */
#define WATCH_SAMPLES   4u /* of WATCH_TICK_MS each: a second */

/* What may be wrong with a next hop. */
enum { WATCH_UNREACHABLE, WATCH_SELF_LOOP, WATCH_FAULTS };

/* Found when the fabric was exchanged, and to be said by the next tick. */
struct watch_due {
    bool is_coming; /* where the reading that is to come is put in force */
    bool is_due;
    struct lpm_prefix prefix;
    struct lpm_address next_hop;
};

/* One session. */
struct watch_peer {
    uint64_t said_ms[WATCH_FAULTS]; /* 0: never */
    struct watch_due due[WATCH_FAULTS];
    size_t held[WATCH_SAMPLES];        /* prefixes, the oldest at [at] */
    uint64_t withdrawn[WATCH_SAMPLES]; /* prefixes ever */
    unsigned at;
    unsigned still; /* ticks in a row without a change of held */
    bool steady;    /* its table has stood still for a second since the session came up */
    bool near_limit;
    uint64_t updates;  /* as last seen */
    unsigned mismatch; /* ticks in a row that the instances have differed; kept at instance 0 */
    bool mismatch_said;
    bool differed; /* the last comparison, made when both had had so many UPDATEs */
    uint64_t compared_updates;
};

struct watch_server {
    size_t room;       /* gateways by their type, then neighbours by their number */
    uint8_t *defaults; /* bits of the defaults that each of them announces */
    const struct controller_peer **has; /* a session of each that has the route; scratch */
    uint8_t supernets4[2u << WATCH_SUPERNET4 >> 3];
    uint8_t supernets6[2u << WATCH_SUPERNET6 >> 3];
};

/* Views of the NICs that were asked about last: to open one takes as long as a hundred questions. */
#define WATCH_VIEWS 16u

struct watch_views {
    unsigned count, next; /* next: whose place the next one takes, when all are taken */
    struct {
        uint32_t nic;
        struct fabric_view view;
    } of[WATCH_VIEWS];
};

struct watch_following;

struct watch {
    const struct fabric *fabric;
    struct watch_views views; /* by fabric */
    struct controller *controller;
    struct event_log *log;
    struct watch_peer *peers; /* by number */
    size_t peer_room;
    struct watch_server *servers;
    uint64_t due_ms;
    struct watch_following *following; /* NULL: no other fabric is to come */
};

/* base, of another kind, about that peer. */
void watch_alert(struct watch *watch, const struct event *base, enum event_kind kind,
                 const struct controller_peer *peer, const char *cause);

/* Alerts about the next hop of a path that is chosen now (watch_next_hops.c). */
void watch_next_hop(struct watch *watch, const struct event *event, const struct rib_path *path);
void watch_views_close(struct watch_views *views);
/* Says what the exchange of the fabric made wrong with what peer announces. */
void watch_say_due(struct watch *watch, const struct controller_peer *peer, uint64_t now_ms);

/* An event about a peer and no prefix. */
void watch_say(struct watch *watch, enum event_kind kind, const struct controller_peer *peer,
               uint64_t now_ms, const char *cause);

#endif

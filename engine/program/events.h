/*
 * The event log of the control plane: every session and route change with its cause, and the alerts
 * that the watch (watch.h) makes of them.
 *
 *   controller, watch ──event_log_add()──> ring of the last n  ──> listener: a file, a terminal
 *
 * A ring of fixed size: a flood of events costs their time and no memory. Control thread only.
 */
#ifndef ENGINE_PROGRAM_EVENTS_H
#define ENGINE_PROGRAM_EVENTS_H

#include <jansson.h>

#include "engine/fabric/model.h"

struct controller_peer;

/* Alerts stand last. */
enum event_kind {
    EVENT_SESSION_UP,
    EVENT_SESSION_DOWN,
    EVENT_SESSION_STATE, /* any other change of state */
    EVENT_ROUTE_CHOSEN,  /* a prefix has a choice that it had not, or another one */
    EVENT_ROUTE_GONE,    /* it has none any more */
    EVENT_BACKEND_UP,    /* of a load balancer: its probes are answered again */
    EVENT_BACKEND_DOWN,  /* they are not */
    EVENT_MEMBER_SET,    /* an operator took a next hop out of a group, or let it in again */
    EVENT_PORT_UP,       /* the link of a port is up again */
    EVENT_PORT_DOWN,     /* it is down: who is behind it is in no group any more */
    EVENT_PEER_DOWN,
    EVENT_NEW_DEFAULT_ROUTE,
    EVENT_NEW_SUPERNET,
    EVENT_ROUTE_COUNT_JUMP,
    EVENT_WITHDRAW_STORM,
    EVENT_SELF_LOOP,
    EVENT_NEXT_HOP_UNREACHABLE,
    EVENT_LIMIT_NEAR,
    EVENT_INSTANCE_MISMATCH,
    EVENT_KINDS,
};
/* "session-up", ..., "instance-mismatch". */
const char *event_kind_text(enum event_kind kind);
bool event_is_alert(enum event_kind kind);

#define EVENT_CAUSE     200
#define EVENT_NEXT_HOPS 8u /* of a choice: these are kept, and the number of all */
#define EVENT_AS_PATH   120
#define EVENT_NAME      192

struct event {
    uint64_t number;  /* from 1 on, without gaps */
    uint64_t time_ms; /* as the control plane's */
    enum event_kind kind;
    uint32_t route_server;     /* FABRIC_NONE: a gateway's or a load balancer's event */
    char balancer[EVENT_NAME]; /* whose event it is then */
    char nic[EVENT_NAME];      /* and of which of its backends */
    char port[EVENT_NAME];     /* EVENT_PORT_...: which */
    uint32_t group;            /* EVENT_MEMBER_SET: 0: every one; the member is next_hops[0] */
    const struct controller_peer *peer; /* whose doing it is; NULL: nobody's */
    char gateway[EVENT_NAME];           /* whose session it is; "": a route server's */
    /* Who that was then, by event_log_add(): a session may come to be another neighbour's. */
    char peer_name[EVENT_NAME];
    struct lpm_address peer_address;
    struct lpm_prefix prefix; /* family 0: none */
    unsigned next_hop_count;
    struct lpm_address next_hops[EVENT_NEXT_HOPS];
    char as_path[EVENT_AS_PATH]; /* of the best path; "" for none */
    char cause[EVENT_CAUSE];     /* a line for people */
};

typedef void event_listener(void *context, const struct event *event);

struct event_log;
/* Keeps the last `size` events (at least 1). listener may be NULL; it may not call back into the
 * control plane. NULL with errno. */
struct event_log *event_log_create(unsigned size, event_listener *listener, void *context);
void event_log_destroy(struct event_log *log); /* NULL is allowed */
/* Gives event its number and the name of its peer, keeps a copy, tells the listener. */
void event_log_add(struct event_log *log, struct event *event);
/* How many there were ever. */
uint64_t event_log_count(const struct event_log *log);
/* The number of the oldest that is kept; 1 before there is one. */
uint64_t event_log_oldest(const struct event_log *log);
/* The event of this number, or NULL when it is not kept (any more). */
const struct event *event_log_at(const struct event_log *log, uint64_t number);

/* {"number", "time", "event", "alert", "route_server", "gateway", "load_balancer", "nic", "port", "group", "next_hop", "instance", "peer", "address", "prefix",
 * "next_hops", "as_path", "cause"}; keys without a value are left out. time is in seconds:
 * event->time_ms plus offset_ms. NULL: no memory. */
json_t *event_json(const struct fabric *fabric, const struct event *event, int64_t offset_ms);

#endif

/*
 * What the parts of the live engine share.
 *
 *   struct live ─┬─ loop, timers, signals                        live.c
 *                ├─ plane: lpm, forwarding, controller, engine   plane.c
 *                ├─ neighbors     keys of configured peers       neighbor.c
 *                ├─ listeners[]   one per local address          listener.c
 *                ├─ candidates    connections of neighbours that the file does not name  candidate.c
 *                ├─ control       the control socket and its clients               control.c
 *                ├─ apply         another reading of the fabric file on its way    apply.c
 *                ├─ watchers      who is told over the control socket what changes   watcher.c
 *                ├─ metrics       HTTP for whoever scrapes them                    metrics.c
 *                ├─ collectors    BMP: who is told of sessions and tables          collector.c
 *                ├─ bfd           UDP sockets and timer          bfd.c
 *                ├─ probes        of load balancers' backends    probe.c
 *                └─ peers[], gateway_peers[]  one per session    peer.c
 *                     ├─ connections[outgoing, incoming]         connection.c
 *                     └─ parting[outgoing, incoming]: closed for the session, still sending its
 * last words
 *
 * One turn of the loop: timers, then the prepare handle (live_settle: pump what is listed as work,
 * flush changes to the data plane, set the timer), then sockets. Handler functions that a speaker
 * calls may not call it back, so they only list the peer as work; it is done in live_settle().
 */
#ifndef ENGINE_LIVE_CONTEXT_H
#define ENGINE_LIVE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "engine/bgp/message.h"
#include "engine/live/key.h"
#include "engine/live/live.h"
#include "engine/live/plane.h"
#include "engine/live/socket.h"
#include "engine/program/controller.h"

/* Bytes taken from one peer before the others get their turn: about 3,000 prefixes, which is near a
 * millisecond of work. One peer that floods delays another's keepalive by no more than this. */
#define LIVE_SLICE (16u * 1024)
/* How long a change may wait for the flush while sockets keep the loop busy. */
#define LIVE_FLUSH_NS 1000000u
/* How long a flush goes on when there is much: with the slice that begins at its end, half of what nobody
 * may be kept waiting for. */
#define LIVE_FLUSH_SPAN_NS 3000000u
/* How long last words (NOTIFICATION) may take to leave, and the whole stop with them. */
#define LIVE_PARTING_MS      1000u
#define LIVE_HOUSEKEEPING_MS 100u

struct live;
struct live_apply;
struct live_bfd;
struct live_candidates;
struct live_capture;
struct live_collectors;
struct live_control;
struct live_events;
struct live_metrics;
struct live_probes;
struct live_reading;
struct live_table_dump;
struct live_trace;
struct live_watcher;
struct live_connection;

struct live_listener {
    struct live *live;
    uv_poll_t poll;
    int fd; /* -1: not open */
    struct live_endpoint local;
    const struct fabric_place *place; /* where the file asks for it */
    const char *kind, *owner; /* "route server", "rs1": for messages, the first that asked */
    unsigned instance;
    bool fresh;               /* of a reading that is not yet in force */
    bool paused;              /* out of file descriptors: accept again at the next housekeeping */
    uint64_t refused;         /* connections from unknown sources since the last line about them */
    uint64_t refused_line_ms; /* when that line was written; 0: never */
};

/* A configured peer of a route server, or a neighbor of a gateway, whichever the instance: its key is one. */
struct live_neighbor {
    const struct fabric_bgp_peer *model; /* of a gateway's: `made` */
    struct fabric_bgp_peer made;
    struct live_key key; /* length 0: none */
};

/* Of a session of the controller, for as long as that is there, and until its last words are said. */
struct live_peer {
    struct live *live;
    struct controller_peer *peer;
    struct live_neighbor *neighbor;
    struct live_listener *listener;         /* where its connections come in */
    struct live_connection *connections[2]; /* by enum bgp_direction */
    struct live_connection *parting[2];
    bool connect_wanted;
    bool listed; /* in live.work */
    struct live_peer *next;
    struct live_peer *next_kept; /* in live.gone, or live.spare */
    uint64_t gone_ms;
    uint64_t came_up_ms; /* 0: not Established */
    uint64_t notice_ms;  /* of the last notice in the log */
    uint64_t notices_left_out;
    uint64_t bfd_lines_second; /* lines about its BFD in the log, in that second */
    unsigned bfd_lines;
    char label[96];      /* "rs1/0 nva1 10.0.1.4" */
    char last_line[200]; /* the last thing said about it in the log: not said twice in a row */
};

/* Those of the route servers of one reading, one after the other. */
struct live_neighbors {
    const struct fabric *fabric;
    struct live_neighbor *items; /* NULL: not made */
};

/* How late the control thread was at housekeeping, which is due ten times a second: what else it did, and
 * what the machine gave others. */
struct live_lateness {
    uint64_t due_ns, looks, sum_ns, most_ns;
};

struct live {
    const struct fabric *fabric; /* the reading that is in force */
    struct live_options options;
    uv_loop_t loop;
    bool loop_open;
    uv_prepare_t prepare;
    uv_timer_t tick, housekeeping;
    uv_signal_t signals[6];
    unsigned signal_count;
    struct live_plane plane;
    struct live_neighbors neighbors;
    struct live_neighbor *gateway_neighbors;
    struct live_listener **listeners;
    unsigned listener_count;
    struct live_peer **peers; /* as controller_peer() has them */
    size_t peer_count, peer_room;
    struct live_peer *gone;  /* of sessions that an apply took away */
    struct live_peer *spare; /* of none */
    size_t spare_count;
    size_t coming_count;             /* of spare: an apply that is under way may take so many */
    struct live_peer *gateway_peers; /* of gateways with neighbors that have an address */
    size_t gateway_peer_count;
    struct live_peer *work;
    struct live_table_dump *table_dump; /* NULL: none is wanted */
    struct live_control *control;       /* NULL: the file has no control socket */
    struct live_apply *apply;           /* another reading is on its way; NULL: none */
    struct live_reading *reading;       /* that was applied last; NULL: none was yet */
    uint64_t readings;                  /* applied ever */
    bool policies_reread; /* by SIGHUP, since then: they may differ from those of the reading */
    struct live_watcher *watchers;      /* a list; each belongs to its client */
    struct live_capture *captures;      /* those that run */
    struct live_trace *traces;          /* the same */
    struct live_collectors *collectors; /* NULL: the file has none */
    struct live_events *events;         /* NULL: nobody watches */
    struct live_metrics *metrics;       /* NULL: the file has no metrics_listen */
    struct live_bfd *bfd;               /* NULL: no peer has BFD */
    struct live_probes *probes;         /* of load balancers' backends */
    struct live_candidates *candidates; /* NULL: no route server has dynamic_peers */
    unsigned connection_count;          /* open sockets of peers, parting ones included */
    bool interfaces_open;               /* what they leave behind is ours to take away */
    bool flush_wanted;
    uint64_t flush_since_ns;
    bool flush_fails;
    uint64_t slice_began_ns;   /* CPU time of this thread at the last look at timers */
    uint64_t slice_longest_ns; /* what it ever worked between two such looks */
    struct live_lateness late;
    uint64_t tick_due_ms; /* what the timer is set to */
    uint64_t started_ms;
    bool stopping;
    bool stop_asked; /* over the control socket: at the end of the turn */
    char shutdown_message[BGP_SHUTDOWN_TEXT_MAX + 1]; /* for the peers' people; "": none */
    uint64_t stop_by_ms;
    json_t *state_at_stop; /* taken before sessions turn Idle and their routes go */
    uint8_t input[LIVE_SLICE];
};

/* Monotonic milliseconds: the time that speakers live in. */
uint64_t live_now(void);
/* Work that must not wait for the end of a long turn: due timers, and changes older than
 * LIVE_FLUSH_NS. Called between two slices of input. */
void live_breathe(struct live *live);

#endif

/*
 * The drill file as the user wrote it: what is to happen to a fabric and when, flows whose fate is
 * followed meanwhile, and what has to come true. Every key is in docs/drill.md.
 *
 *   drill ─┬─ probes[]   flows between NICs, addresses and hosts
 *          ├─ events[]   in the order of their times, then of the file
 *          ├─ expects[]
 *          └─ stages[]   the fabric as it is to begin with, and after each event that changes it
 *
 * Objects of the fabric are named, not numbered: an index means something within one stage only.
 * Times are milliseconds since the beginning, when the fabric has converged. Plain data, made by
 * fabric_drill_load() and not changed afterwards. Pure.
 */
#ifndef ENGINE_FABRIC_DRILL_H
#define ENGINE_FABRIC_DRILL_H

#include "engine/fabric/load.h"

/* What one drill may ask for: a day, and what is walked through in seconds. */
#define FABRIC_DRILL_MS_MAX      86400000u
#define FABRIC_DRILL_FLOWS_MAX   100000u
#define FABRIC_DRILL_EVENTS_MAX  10000u
#define FABRIC_DRILL_CHANGES_MAX 1000u /* events that change the fabric: each is a whole fabric */

struct fabric_drill_probe {
    const char *name;
    struct fabric_place place;
    const char *from, *to; /* a NIC, an address (from: of a NIC), a host of a router */
    uint32_t flows;
    uint32_t packets_per_second; /* of all flows together, sent in turn */
    uint8_t protocol;
    uint16_t destination_port;
    uint32_t start_ms, end_ms; /* end_ms 0: to the end */
};

enum fabric_drill_kind {
    FABRIC_DRILL_NONE,
    FABRIC_DRILL_STOP,
    FABRIC_DRILL_KILL,
    FABRIC_DRILL_SILENCE,
    FABRIC_DRILL_RESTART,
    FABRIC_DRILL_CUT,
    FABRIC_DRILL_HEAL,
    FABRIC_DRILL_HEALTH_DOWN,
    FABRIC_DRILL_HEALTH_UP,
    FABRIC_DRILL_ANNOUNCE,
    FABRIC_DRILL_WITHDRAW,
    FABRIC_DRILL_FLAP,
    FABRIC_DRILL_SET,
    FABRIC_DRILL_ADD,
    FABRIC_DRILL_REMOVE,
};
struct fabric_node;

/* Every string but `what` may be NULL where the kind does not need it. */
struct fabric_drill_event {
    struct fabric_place place;
    uint32_t at_ms;
    enum fabric_drill_kind kind;
    const char *what;   /* a line for people: "stop nva1-os" */
    const char *target; /* stop, kill, silence, restart: a router, "rs1" or "rs1/0" */
    const char *router, *route_server, *other_router; /* cut, heal: router and one more */
    const char *check;                                /* health_* */
    struct fabric_prefixes prefixes; /* announce, withdraw; those of the blocks, too */
    struct fabric_prefix_block *blocks;
    uint32_t block_count;
    uint32_t times, period_ms;        /* flap */
    const struct fabric_node *change; /* set, add, remove: the loader's */
    uint32_t stage;                   /* in force from then on */
};

struct fabric_drill_expect {
    struct fabric_place place;
    const char *text; /* as a sentence */
    /* One of the three; the others are NULL. */
    const char *nic, *probe, *alert;
    bool has_after;
    uint32_t after_ms;
    struct lpm_prefix prefix;
    bool has_next_hops;
    struct fabric_addresses next_hops;
    const char *next_hop_type; /* as fabric_next_hop_type_text(); NULL: any */
    struct fabric_given lost_ms_max, lost_max, moved_max, moved_needlessly; /* at most */
    uint32_t within_ms;
};

struct fabric_drill {
    const char *name;
    struct fabric_place place;
    uint32_t seed;
    uint32_t duration_ms; /* 0: until all has converged after the last event */
    struct fabric_drill_probe *probes;
    uint32_t probe_count;
    struct fabric_drill_event *events;
    uint32_t event_count;
    struct fabric_drill_expect *expects;
    uint32_t expect_count;
    struct fabric **stages; /* owned; who takes one out puts NULL in its place */
    uint32_t stage_count;
};

/* Loads the drill and every stage of the fabric, and checks that what the drill names is there when
 * it is asked for. NULL when problems->errors > 0; problems as fabric_load(). The drill must outlive
 * its stages: they hold texts of its file. */
struct fabric_drill *fabric_drill_load(const char *path, const char *fabric_path,
                                       const struct fabric_reader *reader,
                                       struct fabric_problems *problems);
void fabric_drill_free(struct fabric_drill *drill);

/* When the last of what the event does is due: a flap goes on for a while. No more than FABRIC_DRILL_MS_MAX in
 * a drill that was loaded. */
uint64_t fabric_drill_done_ms(const struct fabric_drill_event *event);

/* What a target, as of `stop:`, is in a fabric. Both FABRIC_NONE: nothing. */
struct fabric_drill_target {
    uint32_t router, route_server;
    unsigned first, count; /* instances of route_server */
};
struct fabric_drill_target fabric_drill_find(const struct fabric *fabric, const char *target);

#endif

/* What monitor.c (a collector), monitor_peer.c (its peers) and monitor_view.c (tables) share. */
#ifndef ENGINE_RIB_MONITOR_PRIVATE_H
#define ENGINE_RIB_MONITOR_PRIVATE_H

#include "engine/bgp/bmp.h"
#include "engine/rib/outbound.h"
#include "engine/rib/monitor.h"

/*
 *   struct rib_monitor
 *     held[f]       by id: how many views have told it; awaited[f]: ids without paths that wait for it
 *     peers[0]      the Loc-RIB; peers[i]: speaker.peers[i]
 *       views[]     one per kind of route and family, while the collector knows the session as up
 *         told      ids that the collector has a route to
 *         changed   ids to be looked at again
 *
 * An entry that some view has told does not go before that view has taken it back: the monitor counts
 * once in entry.waiting (rib_monitor_waiting()).
 */

enum monitor_kind { MONITOR_PRE_POLICY, MONITOR_POST_POLICY, MONITOR_ADJ_RIB_OUT, MONITOR_LOC_RIB };
#define MONITOR_VIEWS ((unsigned)BGP_FAMILY_COUNT * 3u) /* the Loc-RIB has a peer of its own */

/* The paths of one prefix that a collector was, or is to be, told; with path identifiers only. */
struct monitor_paths {
    unsigned n;
    struct {
        uint32_t path_id;
        bool due, told;
    } paths[];
};

struct monitor_view {
    struct rib_monitor *monitor;
    const struct speaker_peer *peer; /* NULL: the Loc-RIB */
    enum monitor_kind kind;
    enum bgp_family family;
    bool with_path_id;
    bool end_due; /* End-of-RIB, once everything was told for the first time */
    bool working; /* with_path_id: there is more to be said of `id` */
    uint32_t id;
    uint32_t at;     /* how far the first telling has come; RIB_BITSET_END: it is done */
    uint32_t cursor; /* in changed */
    struct rib_bitset told, changed;
    struct monitor_paths **paths; /* with_path_id: by id */
    uint32_t n_paths;
};

struct monitor_peer {
    const struct speaker_peer *peer; /* NULL: the Loc-RIB */
    bool up;                         /* as the collector knows it */
    struct bmp_peer header;          /* the same; without a time */
    bool up_due, down_due, report_due;
    bool listed; /* on the list of those that have something to say */
    struct monitor_peer *next;
    struct bmp_peer_down down;
    uint64_t down_ms;
    struct monitor_view views[MONITOR_VIEWS];
    unsigned n_views, turn; /* which of them is next */
};

/* What was told of a session that is gone, to be let go of in slices. */
struct monitor_rest {
    struct monitor_rest *next;
    enum bgp_family family;
    struct rib_bitset told;
};

struct rib_monitor {
    struct rib_monitor *next; /* of the speaker */
    struct speaker *speaker;
    struct rib_monitor_config config;
    struct monitor_peer **peers;
    unsigned n_peers;
    struct monitor_peer *first, **last; /* those that have something to say */
    uint32_t *held[BGP_FAMILY_COUNT];
    uint32_t n_held[BGP_FAMILY_COUNT];
    struct rib_bitset awaited[BGP_FAMILY_COUNT];
    struct monitor_rest *rests;
    uint64_t messages, now_ms;
    unsigned budget; /* prefixes that this call may still look at */
    bool failed;
};

/* --- monitor.c -------------------------------------------------------------------------------- */

/* The peer has something to say. */
void monitor_list(struct rib_monitor *monitor, struct monitor_peer *peer);
/* A view has told id, or taken it back. */
int monitor_hold(struct rib_monitor *monitor, enum bgp_family family, uint32_t id);
/* The same for all ids of told, which is emptied: soon. */
void monitor_let_all_go(struct rib_monitor *monitor, enum bgp_family family,
                        struct rib_bitset *told);
void monitor_let_go(struct rib_monitor *monitor, enum bgp_family family, uint32_t id);

/* --- monitor_peer.c --------------------------------------------------------------------------- */

/* The next message of the peer; 0: it has none now. *more: it has, or may have, another one. */
size_t monitor_peer_write(struct rib_monitor *monitor, struct monitor_peer *peer, uint8_t *bytes,
                          size_t capacity, bool *more);
/* Its session has come up, or ended. */
void monitor_peer_up(struct rib_monitor *monitor, struct monitor_peer *peer);
void monitor_peer_down(struct rib_monitor *monitor, struct monitor_peer *peer);
void monitor_peer_free(struct monitor_peer *peer);

/* --- monitor_look.c --------------------------------------------------------------------------- */

static inline const struct rib_table *monitor_table(const struct monitor_view *view)
{
    return &view->monitor->speaker->tables[view->family];
}

/* The route that the view has at id now; false: none. said->attributes is a reference. */
bool monitor_look_up(const struct monitor_view *view, uint32_t id, uint32_t path_id,
                     struct rib_outgoing *said);

/* --- monitor_view.c --------------------------------------------------------------------------- */

void monitor_view_open(struct monitor_view *view);
/* Forgets what was told. */
void monitor_view_close(struct monitor_view *view);
/* Something of id changed; true when that is to be told. */
bool monitor_view_mark(struct monitor_view *view, uint32_t id);
bool monitor_view_pending(const struct monitor_view *view);
/* The next UPDATE, behind room for the headers: returns its size. */
size_t monitor_view_write(struct monitor_view *view, uint8_t *bytes, size_t capacity);

#endif

/*
 * What the files of this room share. Others see speaker.h only.
 *
 *   struct speaker
 *     peers[0]      NULL: the place of the speaker's own routes
 *     peers[1..]    struct speaker_peer: session, and per family struct rib_peer_tables
 *                     learned     ids it has a path in            Adj-RIB-In is these paths
 *                     advertised  ids it has been sent            Adj-RIB-Out: the best path of
 * each, pending     ids it has yet to be sent       seen through rib_export_*() tables[f]
 * rib_table: entry id -> prefix, paths dirty[f]      ids whose paths changed in this input and
 * await the decision
 *
 * One input goes through three steps (settle.c): paths change and ids become dirty; each dirty
 * entry is decided once and, when its best path changed, marked pending for the peers that it
 * concerns; then the handler is told. So the handler sees a speaker in which everything is decided.
 *
 * Invariants (speaker_validate() checks them):
 * - id is in learned of peer p exactly when the entry has a path of p; the path holds a reference.
 * - between two public calls dirty is empty, and the flags of the paths are those that rib_decide()
 * gives.
 * - an entry without paths exists only while some peer has it in advertised, or a collector was told
 * of it; entry.waiting is the number of these, and each of the peers has it in pending.
 * - a prefix that an Established peer may have is advertised to it, or pending, or both, but where
 * its attributes fit in no message; a prefix that it may not have is pending exactly when
 * advertised.
 * - an id is in at most one of the two pending sets of a peer.
 * - between two public calls nothing is noted in a group, and peers of a group that have an id
 *   pending in the same turn need the same message for it: reflected ones an announcement, others a
 *   withdrawal or the announcement of an own route.
 */
#ifndef ENGINE_RIB_INTERNAL_H
#define ENGINE_RIB_INTERNAL_H

#include "engine/bgp/attributes.h"
#include "engine/bgp/message.h"
#include "engine/bgp/session.h"
#include "engine/rib/bitset.h"
#include "engine/rib/speaker.h"
#include "engine/rib/table.h"

#define RIB_LOCAL 0u /* index of the speaker's own routes among peers */

/* In which order a peer is told: withdrawals and own routes before reflected ones. */
enum rib_turn { RIB_FIRST, RIB_REFLECTED, RIB_TURNS };

struct rib_sent;
struct rib_summary;
struct rib_group_summaries;
struct rib_rubbish;
struct rib_item;
/* How far a route refresh that the peer asked for has come (refresh.c). */
enum rib_refresh { RIB_REFRESH_NONE, RIB_REFRESH_BEGIN, RIB_REFRESH_RUNNING };

/* A walk over all that a family has, in slices (work.c). In the order in which they are done. */
enum rib_walk_kind { RIB_WALK_JUDGE, RIB_WALK_COMPARE, RIB_WALK_MARK, RIB_WALKS };
struct rib_walk {
    bool running;
    uint32_t next; /* ids below this are done */
};

struct rib_peer_tables {
    struct rib_bitset learned;
    struct rib_bitset made;   /* ids that it has a summary in (summary_in.c) */
    struct rib_bitset stale;  /* of learned: not confirmed (retain.c) */
    struct rib_bitset doomed; /* of these: to be removed, whatever becomes of stale ones */
    bool stale_by_path; /* which paths to a stale id are, their generation says: not this one */
    uint8_t
        generation;  /* RIB_PATH_GENERATION or 0: what a path is marked with as it is announced */
    bool stale_goes; /* of a loss: what was stale before is not kept another time */
    bool said_paths; /* of a loss: the session that went had path identifiers */
    enum speaker_retention_kind retention;
    uint64_t retention_ends_ms; /* UINT64_MAX: not by time */
    uint32_t stale_cursor;      /* how far the walk over stale has come; RIB_BITSET_END: done */
    bool end_of_rib_received;   /* since the session came up */
    struct rib_bitset advertised;
    struct rib_bitset kept_back; /* neither: there is no room for them (ceiling.c) */
    struct rib_bitset pending[RIB_TURNS];
    uint32_t cursor[RIB_TURNS]; /* where the next batch starts looking */
    /* By id, of a peer with a selection of its own; an id is in advertised exactly when it has a
     * record here. */
    struct rib_sent **sent;
    uint32_t n_sent;     /* length of sent */
    bool end_of_rib_due; /* the initial table is still on its way */
    bool passed;         /* pending has been walked to its end since the session came up, or
                                   the refresh began */
    enum rib_refresh refresh;
    bool refresh_again; /* asked for while one was under way */
    struct rib_walk walks[RIB_WALKS];
};

/* Wide enough to bring most of what can share a message together, small enough to sort in well
 * under a millisecond. */
#define RIB_BATCH_MAX 1024u

/* A message of a batch, kept for the group. */
struct rib_message {
    unsigned first, end; /* ids of the batch from first on, below end, are said with it */
    bool withdraws;
    size_t bytes_end; /* where it ends in batch.bytes */
};

/*
 * Pending ids of one family and turn, in an order that packs well; shared by peers of one group that
 * have the same ids pending. While nothing changes for its ids, what is written for one peer serves
 * all: messages are kept and copied. Once something does, the batch is stale: each peer that still
 * has it looks up for itself what its ids need, and passes over what is no longer pending.
 */
struct rib_batch {
    struct rib_batch *next; /* of the group, newest first */
    unsigned holders;       /* peers, and the group while it is among its newest */
    bool recent, stale;
    enum bgp_family family;
    enum rib_turn turn;
    unsigned n;
    uint32_t gathered[RIB_BATCH_MAX]; /* ascending */
    uint32_t ids[RIB_BATCH_MAX];      /* the same, as they are said */
    struct rib_message *messages;     /* NULL: nothing is kept */
    unsigned n_messages;
    uint8_t *bytes;
};

/*
 * An update group: Established peers to which every path goes in the same words (rib_export_same()).
 * What is decided for an id is noted once for the group, and spread over its members, 64 ids at a
 * time, when the input is over.
 */
struct rib_group {
    struct rib_group *next; /* of the speaker: in use, or spare */
    struct speaker_peer *members;
    unsigned n_members;
    struct rib_bitset tell[BGP_FAMILY_COUNT][RIB_TURNS]; /* the best path is for the members */
    struct rib_bitset withhold[BGP_FAMILY_COUNT];        /* it is not, or there is none */
    struct rib_batch *batches;
    struct rib_group_summaries *summaries; /* NULL: the policy makes none */
};

/* See limit.c. */
struct rib_limit_state {
    size_t burst_held; /* when the peer began to speak */
    size_t burst_said; /* prefixes since */
    uint64_t said_ms;  /* when it last announced something */
    uint64_t refused;  /* prefixes dropped as too much, ever */
    bool near, refusal_told;
};

struct speaker_peer {
    struct speaker *speaker;
    uint16_t index;
    bool established;
    bool internal;          /* iBGP */
    enum bgp_role role;     /* ours; none towards an internal peer */
    bool extended_next_hop; /* negotiated */
    uint32_t selections; /* families in which the peer is sent a selection of its own (selection.c)
                            rather than the best path */
    uint32_t families;   /* negotiated */
    struct lpm_address self[BGP_FAMILY_COUNT]; /* own next hop by family; family 0: none */
    bool to_wake;                              /* on the list speaker.wake */
    bool undrained[2];                         /* by direction: output may have bytes left */
    uint8_t fault; /* Cease subcode to reset the session with at the end of this call; 0: none */
    char fault_text[96];
    struct speaker_peer *next_wake;
    struct bgp_session *session;
    struct speaker_peer_config config;
    size_t as_loop;
    bool own_restart;    /* this end of the session is away, not the peer */
    bool loss_due;       /* what was foreseen of a lost session has yet to be done (retain.c) */
    uint32_t long_lived; /* families in which the peer knows of stale routes (RFC 9494) */
    struct rib_limit_state limit;
    bool ceiling_near;    /* the warning was given */
    bool ceiling_reached; /* it was said that prefixes are kept back */
    uint64_t withdrawn;   /* usable paths that it withdrew, ever */
    struct rib_peer_tables tables[BGP_FAMILY_COUNT];
    struct rib_group *group; /* NULL unless Established */
    struct speaker_peer *next_member;
    struct speaker_peer *sibling; /* ring of the sessions within its horizon */
    struct rib_batch *batch;      /* NULL while nothing is pending */
    unsigned at;                  /* ids of the batch below this are done */
    unsigned message;             /* of the batch: the first that has not been copied */
    struct rib_policy *import_policy, *export_policy; /* NULL: none; one reference held of each */
    struct rib_policy *former_export_policy;          /* a reference, while RIB_WALK_COMPARE runs */
    struct rib_summary *summaries; /* that import policy makes of what it announces */
    /* Selections on their way out: items[items_at .. n_items), all of items_family. */
    struct rib_item *items;
    unsigned n_items, items_at, items_capacity;
    enum bgp_family items_family;
};

struct speaker {
    struct speaker_config config;
    uint64_t now_ms;
    uint16_t cause;           /* whose path changed last: index in peers */
    bool cause_is_withdrawal; /* it went */
    struct bgp_attribute_table *attributes;
    struct bgp_attribute_builder *builder; /* scratch */
    struct rib_policy_scratch *policy;     /* scratch; rib_finish() clears it */
    struct rib_summary *dirty_summaries;   /* whose contributors changed in this input */
    uint32_t summary_numbers;              /* given out */
    unsigned n_filtered;                   /* peers with an export policy */
    unsigned n_selecting;                  /* Established peers with a selection of their own */
    struct speaker_peer **peers;
    unsigned n_peers; /* with the NULL at 0 */
    struct speaker_peer **established;
    unsigned n_established;
    struct rib_group *groups, *spare_groups; /* together as many as there are peers */
    struct speaker_peer *wake;               /* peers that got something pending in this call */
    bool faults;                             /* some peer has a fault */
    bool ending;                             /* the tables are gone */
    bool limit_near;                         /* the warning of prefix_limit was given */
    uint64_t held_back_until_ms; /* reflected routes wait after a restart; 0: they do not */
    struct rib_table tables[BGP_FAMILY_COUNT];
    struct rib_bitset dirty[BGP_FAMILY_COUNT];
    struct rib_bitset orphans[BGP_FAMILY_COUNT]; /* entry.waiting may be too high (work.c) */
    struct rib_rubbish *rubbish;                 /* to be freed */
    struct rib_remains *remains;                 /* whose orphans have yet to be found */
    unsigned work_at;                            /* peer whose slice was the last */
    struct rib_monitor *monitors;  /* collectors that are told what happens; NULL: none */
    struct lpm_address *addresses; /* every local address once: no next hop of a learned path */
    unsigned n_addresses;
};

/* --- decision.c ------------------------------------------------------------------------------- */

/* How good a path with these attributes is; lower is better. To be compared by rib_path_order(). peer:
 * whose; NULL: an own route. */
uint32_t rib_rank(const struct speaker *speaker, const struct speaker_peer *peer,
                  const struct bgp_attributes *attributes);

/* <0: a is better than b; 0: they are equals, an ECMP set. */
int rib_path_order(const struct rib_stored_path *a, const struct rib_stored_path *b);

struct rib_decision {
    const struct speaker *speaker;
    const struct rib_entry *entry;
    bool learned_only;                                  /* own routes were passed over */
    unsigned n;                                         /* 0: no path is usable */
    const struct rib_stored_path *chosen[RIB_ECMP_MAX]; /* [0]: the best */
};
typedef void rib_decider(const struct speaker *speaker, const struct rib_entry *entry,
                         struct rib_decision *decision);
rib_decider rib_decide;
rib_decider rib_decide_learned; /* passes over the speaker's own route */
enum rib_verdict rib_verdict_of(const struct rib_decision *decision,
                                const struct rib_stored_path *path);
/* Paths of sessions with the same neighbour, or of the same session. */
bool rib_same_neighbor(const struct speaker *speaker, const struct rib_stored_path *a,
                       const struct rib_stored_path *b);
/* The bit of a rank that makes a stale path the last choice. */
#define RIB_RANK_STALE (1u << 0)
/* Two paths that the same neighbour announced in the same words, in two sessions. */
bool rib_twins(const struct speaker *speaker, const struct rib_stored_path *a,
               const struct rib_stored_path *b);
/* Our cluster as the peer's reflector (RFC 4456). */
uint32_t rib_cluster_id(const struct speaker_peer *peer);
/* The best path as last decided, or NULL. */
const struct rib_stored_path *rib_best(const struct rib_entry *entry);

enum rib_source rib_path_source(const struct speaker *speaker, const struct rib_stored_path *path);

/* --- filter.c --------------------------------------------------------------------------------- */

/* May no unicast route have this prefix? */
bool rib_is_martian(const struct lpm_prefix *prefix);
/* Can it be a learned path's: that of another router? */
bool rib_next_hop_is_valid(const struct speaker *speaker, const struct lpm_address *next_hop);
/* RIB_CHOSEN when nothing speaks against accepting what the peer says with these attributes. */
enum rib_verdict rib_filter_of(const struct speaker_peer *peer,
                               const struct bgp_attributes *attributes);
/* What the peer said, with the mark that RFC 9234 wants on it. A reference of the caller's own; NULL:
 * no memory. */
const struct bgp_attributes *rib_marked_for_customers(const struct speaker_peer *peer,
                                                      const struct bgp_attributes *attributes);

/* --- path.c ----------------------------------------------------------------------------------- */

/* Paths to one prefix that a peer may have: more would cost others time at every decision. */
#define RIB_PEER_PATHS_MAX 64u

/* Sets the path to prefix that path->peer, path->path_id and path->summary name, replacing an older one;
 * takes a reference of its own. */
int rib_path_set(struct speaker *speaker, const struct lpm_prefix *prefix,
                 const struct rib_stored_path *path);
/* False when there was none. */
bool rib_path_remove(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                     uint32_t path_id);
/* The same of the summary of this number, which is there. */
void rib_path_remove_summary(struct speaker *speaker, const struct lpm_prefix *prefix,
                             uint32_t number);
/* Of a path to a prefix that the peer has in stale: is it this one that is not confirmed? */
bool rib_path_is_stale(const struct speaker_peer *peer, enum bgp_family family,
                       const struct rib_stored_path *path);
/* Makes a path to entry id the last choice (RFC 9494). */
void rib_path_demote(struct speaker *speaker, enum bgp_family family, uint32_t id,
                     struct rib_stored_path *path);
/* The peer's stale paths to entry id go; or become the last choice, but for those that must not live
 * long (RFC 9494 section 4.2). */
void rib_stale_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
void rib_stale_demote(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* All of the peer's paths to entry id go. */
void rib_paths_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* The order of paths in an entry: <0, 0, >0. */
int rib_path_compare(const struct speaker *speaker, const struct rib_stored_path *a,
                     const struct rib_stored_path *b);

/* --- summary_in.c ----------------------------------------------------------------------------- */

/* Does the path contribute to a summary of its peer's? */
bool rib_summary_has(const struct rib_stored_path *path);
/* Room for a path that does; -ENOMEM. Then it may join. */
int rib_summary_reserve(struct speaker *speaker, const struct rib_stored_path *path);
/* It has come, or is about to go. */
void rib_summary_join(const struct speaker *speaker, const struct rib_stored_path *path);
void rib_summary_leave(const struct speaker *speaker, const struct rib_stored_path *path);
/* Makes the summaries' own paths what their contributors make them. */
void rib_summaries_settle(struct speaker *speaker);
void rib_summaries_free(struct speaker_peer *peer);
/* The rule that made a summary. */
struct rib_policy_place rib_summary_place(const struct speaker_peer *peer,
                                          const struct lpm_prefix *prefix,
                                          const struct bgp_attributes *attributes);
bool rib_summaries_valid(const struct speaker_peer *peer);

/* --- import.c --------------------------------------------------------------------------------- */

/* Takes in what a peer announced and withdrew. */
void rib_import(struct speaker_peer *peer, const struct bgp_routes *routes);
/* Judges the peer's paths to entry id anew, by the present import policy. */
void rib_judge_again(struct speaker_peer *peer, enum bgp_family family, uint32_t id);

/* --- retain.c --------------------------------------------------------------------------------- */

/* The session was Established and is gone: first what that will mean is said, then it is done, or with a
 * long table left to the next tick. Neither costs more for a longer table. */
void rib_retain_foresee(struct speaker_peer *peer);
void rib_retain_on_loss(struct speaker_peer *peer);
/* It has come up (after the families are known). */
void rib_retain_on_return(struct speaker_peer *peer);
void rib_retain_on_end_of_rib(struct speaker_peer *peer, enum bgp_family family);
void rib_retain_on_marker(struct speaker_peer *peer, enum bgp_family family, bool begins);
/* What is kept goes after all. */
void rib_retain_nothing(struct speaker_peer *peer);
/* Times that are over, and the next slice of what is to be walked. */
void rib_retain_tick(struct speaker *speaker);
uint64_t rib_retain_deadline(const struct speaker_peer *peer);
/* Prefixes that are stale, doomed, or will be once the loss is settled. */
size_t rib_stale_count(const struct speaker_peer *peer, enum bgp_family family);

/* --- refresh.c -------------------------------------------------------------------------------- */

/* The peer wants everything of family again. */
void rib_refresh_wanted(struct speaker_peer *peer, enum bgp_family family);
/* Write the marker that is due before the next UPDATE, or where nothing of the table is pending any
 * more; 0: none is. */
size_t rib_refresh_write_begin(struct speaker_peer *peer, uint8_t *bytes, size_t capacity);
size_t rib_refresh_write_end(struct speaker_peer *peer, uint8_t *bytes, size_t capacity);
/* Do reflected routes, and End-of-RIB, wait for what peers have yet to say after our restart? */
static inline bool rib_held_back(const struct speaker *speaker)
{
    return speaker->held_back_until_ms != 0;
}
/* Ends that when it is time. */
void rib_release_held_back(struct speaker *speaker);

/* --- limit.c ---------------------------------------------------------------------------------- */

/* An announcement begins; the session has ended. */
void rib_limit_begin(struct speaker_peer *peer);
void rib_limit_forget(struct speaker_peer *peer);
/* May the prefix be taken in? Counts it. False also when the session is to be closed for it: then
 * there is a fault. */
bool rib_limit_admits(struct speaker_peer *peer, const struct lpm_prefix *prefix);
/* The announcement is taken in: warns when the limit is near. */
void rib_limit_warn(struct speaker_peer *peer);
/* Prefixes as the limit counts them. */
size_t rib_limit_count(const struct speaker_peer *peer);
/* Is this when to warn that count reaches so many percent of limit? *near is kept for the next time. */
bool rib_comes_near(uint64_t count, unsigned limit, unsigned percent, bool *near);

/* --- work.c ----------------------------------------------------------------------------------- */

/* Begins walks over these families, from the start where they are running; the first slice of each is
 * done at once. */
void rib_walk_begin(struct speaker_peer *peer, uint32_t families, enum rib_walk_kind kind);
bool rib_walk_runs(const struct speaker_peer *peer, enum rib_walk_kind kind);
void rib_walk_stop(struct speaker_peer *peer, enum rib_walk_kind kind);
/* The next slice of everything that is left to do; is there any? */
void rib_work_tick(struct speaker *speaker);
bool rib_has_work(const struct speaker *speaker);
/* Frees what is left of it; the peers are gone. */
void rib_work_free(struct speaker *speaker);
/* Takes the marks of a session that is gone, advertised and pending, to go through them in time: the
 * entries that waited for it to be told wait no longer. */
void rib_leave_marks(struct speaker_peer *peer, enum bgp_family family);
/* May the entry's count of waiting peers be too high still? */
bool rib_may_be_orphan(const struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Takes the records of n ids to free them in time. */
void rib_discard_sent(struct speaker *speaker, struct rib_sent **sent, uint32_t n);

/* --- settle.c --------------------------------------------------------------------------------- */

/* The paths of this entry changed: it will be decided when the input is over. */
void rib_touch(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Resets the peer's session with this Cease subcode when the input is over. */
void rib_fault(struct speaker_peer *peer, uint8_t cease_subcode, const char *text);
/* Ends an input: decides, marks, tells, resets, wakes. Every public function that changes something
 * ends with it. */
void rib_finish(struct speaker *speaker);
/* Frees an entry that has neither paths nor peers to be told. */
void rib_entry_release(struct speaker *speaker, enum bgp_family family, uint32_t id);

/* --- monitor.c -------------------------------------------------------------------------------- */

/* What collectors have to hear of; each costs nothing without one. A path of peers[index] to entry id
 * came, went or changed (received: not only what policy made of it); the best path did; what a peer was
 * sent did; its session has come up, or ended. */
void rib_monitor_path(struct speaker *speaker, unsigned index, enum bgp_family family, uint32_t id,
                      bool received);
void rib_monitor_best(struct speaker *speaker, enum bgp_family family, uint32_t id);
void rib_monitor_sent(const struct speaker_peer *peer, enum bgp_family family, uint32_t id);
void rib_monitor_session(struct speaker_peer *peer);
/* How many of them have told entry id, and not taken it back; the same for one that has lost its last
 * path: each will call rib_stop_waiting(). */
uint32_t rib_monitor_holders(const struct speaker *speaker, enum bgp_family family, uint32_t id);
uint32_t rib_monitor_waiting(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Lets go of so many of the entries that were told of sessions which are gone; returns what is left of the
 * budget. Are there any? */
int rib_monitor_work(struct speaker *speaker, int budget);
bool rib_monitor_has_work(const struct speaker *speaker);

/* --- question.c ------------------------------------------------------------------------------- */

/* The path as others see it. */
struct rib_path rib_public_path(const struct speaker *speaker, const struct rib_stored_path *path);

/* --- peer.c ----------------------------------------------------------------------------------- */

void rib_peer_destroy(struct speaker_peer *peer);
/* Are the two, sessions with one neighbour as a rule, told nothing of what the other one says? */
bool rib_same_horizon(const struct speaker_peer *a, const struct speaker_peer *b);

/* --- peer_session.c --------------------------------------------------------------------------- */

/* Makes the peer's session, Idle, from its configuration. */
int rib_peer_open_session(struct speaker_peer *peer);

#endif

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
 * - an entry without paths exists only while some peer has it in advertised; entry.waiting is the
 * number of these peers, and each of them has it in pending.
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
struct rib_item;
/* How far a route refresh that the peer asked for has come (refresh.c). */
enum rib_refresh { RIB_REFRESH_NONE, RIB_REFRESH_BEGIN, RIB_REFRESH_RUNNING };

struct rib_peer_tables {
    struct rib_bitset learned;
    struct rib_bitset stale; /* of these: not confirmed (retain.c) */
    bool stale_by_path;      /* which paths to a stale id are, RIB_PATH_STALE says */
    enum speaker_retention_kind retention;
    uint64_t retention_ends_ms; /* UINT64_MAX: not by time */
    uint32_t stale_cursor;      /* how far the walk over stale has come; RIB_BITSET_END: done */
    bool end_of_rib_received;   /* since the session came up */
    struct rib_bitset advertised;
    struct rib_bitset pending[RIB_TURNS];
    uint32_t cursor[RIB_TURNS]; /* where the next batch starts looking */
    /* By id, of a peer with a selection of its own; an id is in advertised exactly when it has a
     * record here. */
    struct rib_sent **sent;
    uint32_t n_sent;     /* length of sent */
    bool end_of_rib_due;        /* the initial table is still on its way */
    bool passed;                /* pending has been walked to its end since the session came up, or
                                   the refresh began */
    enum rib_refresh refresh;
    bool refresh_again; /* asked for while one was under way */
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
    uint32_t long_lived; /* families in which the peer knows of stale routes (RFC 9494) */
    struct rib_limit_state limit;
    uint64_t withdrawn; /* usable paths that it withdrew, ever */
    struct rib_peer_tables tables[BGP_FAMILY_COUNT];
    struct rib_group *group; /* NULL unless Established */
    struct speaker_peer *next_member;
    struct speaker_peer *sibling; /* ring of the sessions with this neighbour */
    struct rib_batch *batch;      /* NULL while nothing is pending */
    unsigned at;                  /* ids of the batch below this are done */
    unsigned message;             /* of the batch: the first that has not been copied */
    struct rib_policy *import_policy, *export_policy; /* NULL: none; one reference held of each */
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
    unsigned n_filtered;                   /* peers with an export policy */
    unsigned n_selecting;                  /* Established peers with a selection of their own */
    struct speaker_peer **peers;
    unsigned n_peers; /* with the NULL at 0 */
    struct speaker_peer **established;
    unsigned n_established;
    struct rib_group *groups, *spare_groups; /* together as many as there are peers */
    struct speaker_peer *wake;               /* peers that got something pending in this call */
    bool faults;                             /* some peer has a fault */
    uint64_t held_back_until_ms; /* reflected routes wait after a restart; 0: they do not */
    struct rib_table tables[BGP_FAMILY_COUNT];
    struct rib_bitset dirty[BGP_FAMILY_COUNT];
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

/* --- import.c --------------------------------------------------------------------------------- */

/* Paths to one prefix that a peer may have: more would cost others time at every decision. */
#define RIB_PEER_PATHS_MAX 64u

/* Takes in what a peer announced and withdrew. */
void rib_import(struct speaker_peer *peer, const struct bgp_routes *routes);
/* Sets the path of peers[index] and path->path_id to prefix, replacing an older one; takes a
 * reference of its own. */
int rib_path_set(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                 const struct rib_stored_path *path);
/* False when there was none. */
bool rib_path_remove(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                     uint32_t path_id);
/* Judges all of the Adj-RIB-In anew, by the present import policy. */
void rib_import_again(struct speaker_peer *peer);
/* The peer's stale paths to entry id go; or become the last choice, but for those that must not live
 * long (RFC 9494 section 4.2). */
void rib_stale_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
void rib_stale_demote(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* Where paths of peers[a] and peers[b] stand in an entry: <0, 0, >0. */
int rib_peer_compare(const struct speaker *speaker, unsigned a, unsigned b);

/* --- retain.c --------------------------------------------------------------------------------- */

/* The session was Established and is gone; it has come up (after the families are known). */
void rib_retain_on_loss(struct speaker_peer *peer);
void rib_retain_on_return(struct speaker_peer *peer);
void rib_retain_on_end_of_rib(struct speaker_peer *peer, enum bgp_family family);
void rib_retain_on_marker(struct speaker_peer *peer, enum bgp_family family, bool begins);
/* What is kept goes after all. */
void rib_retain_nothing(struct speaker_peer *peer);
/* Times that are over, and the next slice of what is to be walked. */
void rib_retain_tick(struct speaker *speaker);
uint64_t rib_retain_deadline(const struct speaker_peer *peer);

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

/* --- export.c --------------------------------------------------------------------------------- */

/* What a peer is sent of a path: attributes seen through export. */
struct rib_outgoing {
    const struct bgp_attributes *attributes; /* one reference held */
    struct bgp_export export;
};
/* Does this path of peer, with a BLACKHOLE that it may say, mean that packets are dropped? */
bool rib_discards(const struct speaker_peer *peer, const struct bgp_attributes *attributes);
/* Would the two peers be sent every path in the same words, but for what they announced themselves?
 * Whatever else in this file asks of a peer has to be compared there. */
bool rib_export_same(const struct speaker_peer *a, const struct speaker_peer *b);
/* May the peers of member's group be sent this path (NULL: of course not)? All but one whose own it
 * is: split horizon is by neighbour, both instances' sessions with it count as one. */
bool rib_export_group_allowed(const struct speaker_peer *member, enum bgp_family family,
                              const struct rib_stored_path *path);
bool rib_export_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path);
/* Both together. */
bool rib_export_allowed(const struct speaker_peer *peer, enum bgp_family family,
                        const struct rib_stored_path *path);
/* For a path to entry id that rib_export_best() gave. -ENOMEM; drop the reference with
 * bgp_attributes_release(). */
int rib_export_prepare(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                       const struct rib_stored_path *path, struct rib_outgoing *outgoing);
/* Would both be sent to peer in the same words? True allows one message for both. */
bool rib_export_alike(const struct speaker_peer *peer, const struct rib_stored_path *a,
                      const struct rib_stored_path *b);
/* The same of a path to entry id and what was prepared for another prefix; asked when
 * rib_export_alike() says yes. */
bool rib_export_same_words(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                           const struct rib_stored_path *path, const struct rib_outgoing *outgoing);
/* An order of sets by what is in them: the same in every run. */
int rib_attributes_compare(const struct bgp_attributes *a, const struct bgp_attributes *b);
/* An order in which paths that rib_export_alike() says are alike stand together. */
int rib_export_compare(const struct rib_stored_path *a, const struct rib_stored_path *b);

/* --- export_policy.c -------------------------------------------------------------------------- */

/* Is what the peer is sent a matter of policy? */
static inline bool rib_export_filtered(const struct speaker_peer *peer)
{
    return peer->export_policy != NULL || (peer->speaker->config.require_policy && !peer->internal);
}
/* The path to entry id that the peers of member's group are to have, but for one whose own it is; or
 * NULL. The best one, or the first of a selection; where there is a policy, the best of those that it accepts, so that no path hides
 * another (RFC 7947 2.3). */
const struct rib_stored_path *rib_export_best(const struct speaker_peer *peer,
                                              enum bgp_family family, uint32_t id);
/* The usable path that comes after `last` (NULL: the first of all), or NULL. Equals stand in the order
 * of their peers, behind the one that was decided to be best. */
const struct rib_stored_path *rib_export_next(const struct rib_entry *entry,
                                              const struct rib_stored_path *last);
/* What an export policy makes of a path to entry id that it accepts. -ENOMEM. */
int rib_export_apply(const struct speaker_peer *peer, const struct rib_policy *policy,
                     enum bgp_family family, uint32_t id, const struct rib_stored_path *path,
                     struct rib_policy_outcome *outcome);
/* Takes over a new export policy, which may be NULL; marks what it makes different. */
void rib_export_change_policy(struct speaker_peer *peer, struct rib_policy *policy);

/* --- selection.c ------------------------------------------------------------------------------ */

/* One path that a peer with a selection of its own was sent. */
struct rib_sent_path {
    struct rib_outgoing said; /* attributes: a reference; NULL: to be said again whatever it is */
    uint32_t path_id;         /* ours: what the peer knows the path by */
    uint32_t from_id;         /* the path's name: its own identifier and peer */
    uint16_t from;
};
struct rib_sent {
    unsigned n; /* never 0 */
    struct rib_sent_path paths[];
};

/* A path, or the withdrawal of one, on its way out. */
struct rib_item {
    struct lpm_prefix prefix;
    uint32_t path_id;
    struct rib_outgoing outgoing; /* attributes NULL: a withdrawal */
};

/* Does the peer have a selection of its own in this family? */
static inline bool rib_selects(const struct speaker_peer *peer, enum bgp_family family)
{
    return (peer->selections & BGP_FAMILY_BIT(family)) != 0;
}
/* The first path of the peer's selection from entry id, or NULL. */
const struct rib_stored_path *rib_selection_best(const struct speaker_peer *peer,
                                                 enum bgp_family family, uint32_t id);
/* Makes items of these ids, which are not pending any more then. False: memory is short, and the
 * peer has a fault. */
bool rib_selection_load(struct speaker_peer *peer, enum bgp_family family, const uint32_t *ids,
                        unsigned n);
/* Writes the next message of items; 0: there are no more. */
size_t rib_selection_write(struct speaker_peer *peer, uint8_t *bytes, size_t capacity);
/* Everything that was sent is to be sent again (route refresh). */
void rib_selection_repeat(struct speaker_peer *peer, enum bgp_family family);
/* Forgets what was sent and what is on its way. */
void rib_selection_forget(struct speaker_peer *peer);
/* What was sent of an entry; NULL: nothing. */
const struct rib_sent *rib_selection_sent(const struct speaker_peer *peer, enum bgp_family family,
                                          uint32_t id);

/* --- mark.c ----------------------------------------------------------------------------------- */

/* The best path of an entry changed, or its last path went: notes for each group what its members
 * have to be told. */
void rib_mark(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Spreads what was noted over the members; entry.waiting is right from here on. */
void rib_spread(struct speaker *speaker, enum bgp_family family);
/* Paths of an entry changed, but not the best one: the same for the groups whose policy does not let
 * them have the best, and for peers with a selection of their own. */
void rib_mark_filtered(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Marks one entry for one peer. */
void rib_mark_entry(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* Marks the whole table of a family for one peer (session up, route refresh). */
void rib_mark_table(struct speaker_peer *peer, enum bgp_family family);
/* One peer need not be told any more that a prefix is gone; may free the entry. */
void rib_stop_waiting(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Forgets what the peer was, and was to be, sent. */
void rib_forget_advertised(struct speaker_peer *peer);
/* Does anything wait for the peer? */
bool rib_pending(const struct speaker_peer *peer);

static inline bool rib_family_pending(const struct rib_peer_tables *tables)
{
    return tables->pending[RIB_FIRST].count > 0 || tables->pending[RIB_REFLECTED].count > 0;
}

/* --- group.c ---------------------------------------------------------------------------------- */

/* A group for a peer more. */
int rib_group_reserve(struct speaker *speaker);
void rib_groups_free(struct speaker *speaker);
/* The peer has become Established, or has ceased to be. */
void rib_group_join(struct speaker_peer *peer);
void rib_group_leave(struct speaker_peer *peer);

/* --- batch.c ---------------------------------------------------------------------------------- */

/* Makes peer->batch, or the peer's selection (peer->batch is NULL then), hold what comes next; false when
 * nothing is pending (or on a fault). */
bool rib_batch_next(struct speaker_peer *peer);
/* Lets go of the peer's batch. */
void rib_batch_drop(struct speaker_peer *peer);
/* The group lets go of those that it keeps for members to come. */
void rib_batch_forget(struct rib_group *group);
/* Ids of family from first to last have changed: what was kept for them is void. */
void rib_batch_expire(struct rib_group *group, enum bgp_family family, uint32_t first,
                      uint32_t last);
/* Keeps a message of the batch for the others of the group, when it is the next one and there is
 * room. True when it was kept. */
bool rib_batch_keep(struct speaker_peer *peer, const struct rib_message *message,
                    const uint8_t *bytes, size_t size);

/* --- outbound.c ------------------------------------------------------------------------------- */

/* handler.fill_updates of a session; context is the peer. */
size_t rib_fill_updates(void *context, uint8_t *bytes, size_t capacity);

/* --- question.c ------------------------------------------------------------------------------- */

/* The path as others see it. */
struct rib_path rib_public_path(const struct speaker *speaker, const struct rib_stored_path *path);

/* --- peer.c ----------------------------------------------------------------------------------- */

void rib_peer_destroy(struct speaker_peer *peer);

#endif

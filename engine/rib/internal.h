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

struct rib_peer_tables {
    struct rib_bitset learned;
    struct rib_bitset advertised;
    struct rib_bitset pending[RIB_TURNS];
    uint32_t cursor[RIB_TURNS]; /* where the next batch starts looking */
    bool end_of_rib_due;        /* the initial table is still on its way */
    bool passed;                /* pending has been walked to its end since the session came up */
};

/* Pending ids of one family and turn, in an order that packs well. What an id needs is looked up
 * when it is written, so a batch may be stale: an id that is no longer pending is passed over. */
struct rib_batch {
    uint32_t *ids; /* NULL while nothing is pending */
    unsigned n, at;
    enum bgp_family family;
};

struct speaker_peer {
    struct speaker *speaker;
    uint16_t index;
    bool established;
    bool internal;                             /* iBGP */
    uint32_t families;                         /* negotiated */
    struct lpm_address self[BGP_FAMILY_COUNT]; /* own next hop by family; family 0: none */
    bool to_wake;                              /* on the list speaker.wake */
    bool undrained[2];                         /* by direction: output may have bytes left */
    uint8_t fault; /* Cease subcode to reset the session with at the end of this call; 0: none */
    char fault_text[96];
    struct speaker_peer *next_wake;
    struct bgp_session *session;
    struct speaker_peer_config config;
    size_t as_loop;
    struct rib_peer_tables tables[BGP_FAMILY_COUNT];
    struct rib_batch batch;
};

struct speaker {
    struct speaker_config config;
    uint64_t now_ms;
    struct bgp_attribute_table *attributes;
    struct bgp_attribute_builder *builder; /* scratch */
    struct speaker_peer **peers;
    unsigned n_peers; /* with the NULL at 0 */
    struct speaker_peer **established;
    unsigned n_established;
    struct speaker_peer *wake; /* peers that got something pending in this call */
    bool faults;               /* some peer has a fault */
    struct rib_table tables[BGP_FAMILY_COUNT];
    struct rib_bitset dirty[BGP_FAMILY_COUNT];
    struct lpm_address *addresses; /* every local address once: no next hop of a learned path */
    unsigned n_addresses;
};

/* --- decision.c ------------------------------------------------------------------------------- */

/* How good a path with these attributes is; lower is better. Equal ranks make an ECMP set. */
uint32_t rib_rank(const struct speaker *speaker, enum rib_source source,
                  const struct bgp_attributes *attributes);

struct rib_decision {
    uint32_t rank;                                      /* of the chosen paths */
    unsigned n;                                         /* 0: no path is usable */
    const struct rib_stored_path *chosen[RIB_ECMP_MAX]; /* [0]: the best */
};
typedef void rib_decider(const struct speaker *speaker, const struct rib_entry *entry,
                         struct rib_decision *decision);
rib_decider rib_decide;
rib_decider rib_decide_learned; /* passes over the speaker's own route */
enum rib_verdict rib_verdict_of(const struct rib_decision *decision,
                                const struct rib_stored_path *path);
/* Two paths that the same neighbour announced in the same words, in two sessions. */
bool rib_twins(const struct speaker *speaker, const struct rib_stored_path *a,
               const struct rib_stored_path *b);
/* The best path as last decided, or NULL. */
const struct rib_stored_path *rib_best(const struct rib_entry *entry);

enum rib_source rib_path_source(const struct speaker *speaker, const struct rib_stored_path *path);

/* --- import.c --------------------------------------------------------------------------------- */

/* Takes in what a peer announced and withdrew. */
void rib_import(struct speaker_peer *peer, const struct bgp_routes *routes);
/* Sets the path of peers[index] to prefix, replacing an older one; takes a reference of its own. */
int rib_path_set(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                 const struct rib_stored_path *path);
/* False when there was none. */
bool rib_path_remove(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix);
/* Removes every path of peer. */
void rib_forget_learned(struct speaker_peer *peer);
/* Where paths of peers[a] and peers[b] stand in an entry: <0, 0, >0. */
int rib_peer_compare(const struct speaker *speaker, unsigned a, unsigned b);

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
/* May peer be sent this path (NULL: of course not)? */
bool rib_export_allowed(const struct speaker_peer *peer, enum bgp_family family,
                        const struct rib_stored_path *path);
/* For a path that is allowed. -ENOMEM; drop the reference with bgp_attributes_release(). */
int rib_export_prepare(const struct speaker_peer *peer, enum bgp_family family,
                       const struct rib_stored_path *path, struct rib_outgoing *outgoing);
/* Would both be sent to peer in the same words? True allows one message for both. */
bool rib_export_alike(const struct speaker_peer *peer, const struct rib_stored_path *a,
                      const struct rib_stored_path *b);
/* An order in which paths that rib_export_alike() says are alike stand together. */
int rib_export_compare(const struct rib_stored_path *a, const struct rib_stored_path *b);

/* --- mark.c ----------------------------------------------------------------------------------- */

/* The best path of an entry changed, or its last path went: marks what each peer has to be told. */
void rib_mark(struct speaker *speaker, enum bgp_family family, uint32_t id);
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

/* --- outbound.c ------------------------------------------------------------------------------- */

/* handler.fill_updates of a session; context is the peer. */
size_t rib_fill_updates(void *context, uint8_t *bytes, size_t capacity);

/* --- peer.c ----------------------------------------------------------------------------------- */

void rib_peer_destroy(struct speaker_peer *peer);

#endif

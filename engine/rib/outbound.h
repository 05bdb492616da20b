/*
 * Adj-RIB-Out inside the room: what a peer may be sent of an entry and in which words (export), what it
 * has yet to be told (mark), and how that becomes messages (batch, selection, outbound).
 */
#ifndef ENGINE_RIB_OUTBOUND_H
#define ENGINE_RIB_OUTBOUND_H

#include "engine/rib/internal.h"

/* --- export.c --------------------------------------------------------------------------------- */

/* What a peer is sent of a path: attributes seen through export. */
struct rib_outgoing {
    const struct bgp_attributes *attributes; /* one reference held */
    struct bgp_export export;
};
/* The same attributes, seen in the same way? */
static inline bool rib_outgoing_same(const struct rib_outgoing *a, const struct rib_outgoing *b)
{
    return a->attributes == b->attributes && bgp_export_compare(&a->export, &b->export) == 0;
}
/* Does this path of peer, with a BLACKHOLE that it may say, mean that packets are dropped? */
bool rib_discards(const struct speaker_peer *peer, const struct bgp_attributes *attributes);
/* Would the two peers be sent every path in the same words, but for what they announced themselves?
 * Whatever else in this file asks of a peer has to be compared there. */
bool rib_export_same(const struct speaker_peer *a, const struct speaker_peer *b);
/* May the peers of member's group be sent this path (NULL: of course not)? All but one whose own it
 * is: split horizon is by neighbour, all sessions with it count as one (rib_same_horizon()). */
bool rib_export_group_allowed(const struct speaker_peer *member, enum bgp_family family,
                              const struct rib_stored_path *path);
bool rib_export_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path);
/* Does a learned path's next hop stay, towards this peer? */
bool rib_export_keeps_next_hop(const struct speaker_peer *peer);
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
/* Takes over a new export policy, which may be NULL, and begins to mark what it makes different. */
void rib_export_change_policy(struct speaker_peer *peer, struct rib_policy *policy);
/* Marks entry id unless the peer was told the same by the former policy already. */
void rib_export_compare_policies(struct speaker_peer *peer, enum bgp_family family, uint32_t id);

/* --- summary_out.c ---------------------------------------------------------------------------- */

/* The group has its first member; it has lost its last. */
void rib_group_summaries_begin(struct rib_group *group);
void rib_group_summaries_end(struct rib_group *group, struct speaker *speaker);
/* What the group is sent of entry id may have changed: so may what contributes to its summaries. */
void rib_summary_note(struct rib_group *group, enum bgp_family family, uint32_t id);
/* Makes the summaries what their contributors make them, and notes what follows for the groups. */
void rib_group_summaries_settle(struct speaker *speaker, enum bgp_family family);
/* What stands for the members of group in place of any path to entry id; NULL: nothing does. */
const struct rib_stored_path *rib_group_summary(const struct rib_group *group,
                                                enum bgp_family family, uint32_t id);
/* Of such a path: is all that contributes the peer's own? */
bool rib_group_summary_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path);
struct rib_policy_place rib_group_summary_place(const struct rib_group *group,
                                                const struct rib_stored_path *path);
/* Ids that the group's summaries have, of a word; all of them, sorted, as rib_table_sorted() says. */
uint64_t rib_group_summary_word(const struct rib_group *group, enum bgp_family family,
                                uint32_t word);
uint32_t *rib_group_summary_ids(const struct rib_group *group, enum bgp_family family, size_t *n);
/* Checks of the invariants: of one id that no walk has yet to come to, and of the sums. */
bool rib_summary_part_valid(const struct rib_group *group, enum bgp_family family, uint32_t id);
bool rib_group_summaries_valid(const struct rib_group *group);

/* --- selection.c ------------------------------------------------------------------------------ */

/* One path that a peer with a selection of its own was sent. */
struct rib_sent_path {
    struct rib_outgoing said; /* attributes: a reference; NULL: to be said again whatever it is */
    uint32_t path_id;         /* ours: what the peer knows the path by */
    uint32_t from_id;         /* the path's name: its own identifier and peer */
    uint16_t from;
    bool from_summary;
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
/* Whether an id counts as advertised follows from the record of what was sent. -ENOMEM. */
int rib_selection_note_advertised(struct speaker_peer *peer, enum bgp_family family, uint32_t id);

/* What was sent of entry id is to be sent again (route refresh). */
void rib_selection_repeat(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* Frees a record, which may be NULL, with its references. */
void rib_sent_free(struct speaker *speaker, struct rib_sent *sent);
/* Forgets what was sent and what is on its way. */
void rib_selection_forget(struct speaker_peer *peer);
/* What was sent of an entry; NULL: nothing. */
const struct rib_sent *rib_selection_sent(const struct speaker_peer *peer, enum bgp_family family,
                                          uint32_t id);

/* --- selection_write.c ------------------------------------------------------------------------ */

/* Writes the next message of items; 0: there are no more. */
size_t rib_selection_write(struct speaker_peer *peer, uint8_t *bytes, size_t capacity);
/* Forgets what is on its way. */
void rib_selection_drop_items(struct speaker_peer *peer);

/* --- mark.c ----------------------------------------------------------------------------------- */

/* The best path of an entry changed, or its last path went: notes for each group what its members
 * have to be told. */
void rib_mark(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Spreads what was noted over the members; entry.waiting is right from here on. */
void rib_spread(struct speaker *speaker, enum bgp_family family);
/* Paths of an entry changed, but not the best one: the same for the groups whose policy does not let
 * them have the best, and for peers with a selection of their own. */
void rib_mark_filtered(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Notes what follows for one group from what is its choice for entry id now. */
void rib_mark_choice(struct rib_group *group, enum bgp_family family, uint32_t id);
/* Marks one entry for one peer. */
void rib_mark_entry(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* One peer need not be told any more that a prefix is gone; may free the entry. */
void rib_stop_waiting(struct speaker *speaker, enum bgp_family family, uint32_t id);
/* Forgets what the peer was, and was to be, sent. */
void rib_forget_advertised(struct speaker_peer *peer);
/* Does anything wait for the peer? */
bool rib_pending(const struct speaker_peer *peer);

/* --- ceiling.c -------------------------------------------------------------------------------- */

/* May the peer be told of one prefix more, beside `coming` that are in a message in the making? */
bool rib_ceiling_has_room(const struct speaker_peer *peer, unsigned coming);
/* It may not. */
void rib_ceiling_keep_back(struct speaker_peer *peer, enum bgp_family family, uint32_t id);
/* It has been told something: warns, and lets in what was kept back where there is room again. */
void rib_ceiling_settle(struct speaker_peer *peer);
void rib_ceiling_forget(struct speaker_peer *peer);
void rib_ceiling_count(const struct speaker_peer *peer, struct speaker_peer_counters *counters);

/* Does anything of the table that it was to be told from the start wait for the peer? */
static inline bool rib_still_to_say(const struct rib_peer_tables *tables)
{
    return tables->walks[RIB_WALK_MARK].running || tables->pending[RIB_FIRST].count > 0 ||
           tables->pending[RIB_REFLECTED].count > 0;
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

#endif

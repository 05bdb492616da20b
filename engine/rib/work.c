/*
 * What a large change leaves to do, in slices: a table has a million prefixes, and no call may hold up
 * every other peer's keepalives for as long as a walk over it takes.
 *
 *   session up, refresh  ─> MARK      every entry, for one peer
 *   new import policy    ─> JUDGE     every path that one peer announced
 *   new export policy    ─> COMPARE   every entry, for one peer: is it told otherwise?
 *   session gone         ─> remains   its marks, among which orphans are found
 *                           orphans   entries without paths that waited for it to be told
 *                           rubbish   records of what it was sent
 *                           rests     entries that collectors were told it has (monitor.c)
 *
 * A walk goes over ids upwards. Changes that come meanwhile take their own way, wherever the walk is:
 * doing an id twice is harmless, so nobody has to know which of them came first. The first slice is done
 * at once, so a small table never has work left.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/outbound.h"

/* In steps of about 50 ns, a mark's cost. A tick does about two milliseconds of them, each peer in its
 * turn. */
#define TICK_STEPS   32768
#define PEER_STEPS   4096
#define FIRST_STEPS  2048
#define SHORT_MARKS  64 /* prefixes whose marks are gone through at once */
#define POLICY_STEPS 16 /* a policy's verdict, or a choice among many paths */

/* Records of one peer and family that await free(). */
struct rib_rubbish {
    struct rib_rubbish *next;
    struct rib_sent **sent;
    uint32_t n, at;
};

/* Marks that a session left behind. */
struct rib_remains {
    struct rib_remains *next;
    enum bgp_family family;
    uint32_t word; /* those below are done */
    struct rib_bitset advertised, pending[RIB_TURNS];
};

/* --- Walks ------------------------------------------------------------------------------------ */

static uint32_t next_id(const struct speaker_peer *peer, enum bgp_family family,
                        enum rib_walk_kind kind, uint32_t from)
{
    if (kind == RIB_WALK_JUDGE)
        return rib_bitset_next(&peer->tables[family].learned, from);
    return rib_table_next(&peer->speaker->tables[family], from);
}

static int steps_of(const struct speaker_peer *peer, enum bgp_family family,
                    enum rib_walk_kind kind)
{
    bool chooses = rib_export_filtered(peer) || rib_selects(peer, family);

    return kind == RIB_WALK_MARK && !chooses ? 1 : POLICY_STEPS;
}

static void do_one(struct speaker_peer *peer, enum bgp_family family, enum rib_walk_kind kind,
                   uint32_t id)
{
    switch (kind) {
    case RIB_WALK_JUDGE:
        rib_judge_again(peer, family, id);
        break;
    case RIB_WALK_COMPARE:
        rib_export_compare_policies(peer, family, id);
        break;
    default:
        rib_selection_repeat(peer, family, id);
        rib_summary_note(peer->group, family, id);
        rib_mark_entry(peer, family, id);
    }
}

bool rib_walk_runs(const struct speaker_peer *peer, enum rib_walk_kind kind)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (peer->tables[family].walks[kind].running)
            return true;
    return false;
}

/* Both policies were needed while there was a walk. */
static void end_comparing(struct speaker_peer *peer)
{
    if (rib_walk_runs(peer, RIB_WALK_COMPARE))
        return;
    rib_policy_scratch_clear(peer->speaker->policy, peer->speaker->attributes);
    rib_policy_release(peer->former_export_policy);
    peer->former_export_policy = NULL;
}

/* Returns how many steps of the budget are left. */
static int walk_on(struct speaker_peer *peer, enum bgp_family family, enum rib_walk_kind kind,
                   int budget)
{
    struct rib_walk *walk = &peer->tables[family].walks[kind];
    int steps = steps_of(peer, family, kind);
    uint32_t id = next_id(peer, family, kind, walk->next);

    for (; id != RIB_NO_ENTRY && budget > 0; budget -= steps) {
        do_one(peer, family, kind, id);
        id = next_id(peer, family, kind, id + 1);
    }
    walk->next = id;
    walk->running = id != RIB_NO_ENTRY;
    if (kind == RIB_WALK_COMPARE)
        end_comparing(peer);
    return budget;
}

void rib_walk_begin(struct speaker_peer *peer, uint32_t families, enum rib_walk_kind kind)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (families & BGP_FAMILY_BIT(family))
            peer->tables[family].walks[kind] = (struct rib_walk){.running = true};
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (families & BGP_FAMILY_BIT(family))
            walk_on(peer, family, kind, FIRST_STEPS);
}

void rib_walk_stop(struct speaker_peer *peer, enum rib_walk_kind kind)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        peer->tables[family].walks[kind].running = false;
    if (kind == RIB_WALK_COMPARE)
        end_comparing(peer);
}

/* --- What a session leaves behind ------------------------------------------------------------- */

/* A peer that was to be told that the prefix is gone is gone itself: counts the others anew. */
static void recount(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_table *table = &speaker->tables[family];
    struct rib_entry *entry = rib_table_entry(table, id);
    uint32_t waiting;

    if (!(entry->flags & RIB_ENTRY_USED) || entry->n_paths != 0 ||
        rib_bitset_test(&speaker->dirty[family], id))
        return;
    waiting = rib_monitor_waiting(speaker, family, id);
    for (unsigned i = 0; i < speaker->n_established; i++)
        waiting += rib_bitset_test(&speaker->established[i]->tables[family].advertised, id);
    entry->waiting = waiting;
    rib_entry_release(speaker, family, id);
}

static void orphan_word(struct speaker *speaker, enum bgp_family family, uint32_t word,
                        uint64_t bits)
{
    if (rib_bitset_add_word(&speaker->orphans[family], word, bits) >= 0)
        return;
    for (; bits != 0; bits &= bits - 1)
        recount(speaker, family, word * 64u + (uint32_t)__builtin_ctzll(bits));
}

static void free_marks(struct rib_remains *remains)
{
    rib_bitset_free(&remains->advertised);
    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
        rib_bitset_free(&remains->pending[turn]);
}

/* Entries that have no paths are here for the peers that have yet to be told so. Returns what is left
 * of the budget. */
static int find_orphans(struct speaker *speaker, struct rib_remains *remains, int budget)
{
    const struct rib_bitset *pending = &remains->pending[RIB_FIRST];
    uint32_t word = rib_bitset_next_word(pending, remains->word);

    for (; word != RIB_BITSET_END && budget > 0; word = rib_bitset_next_word(pending, word + 1)) {
        uint64_t bits =
            rib_bitset_word(pending, word) & rib_bitset_word(&remains->advertised, word);

        if (bits != 0)
            orphan_word(speaker, remains->family, word, bits);
        budget--;
    }
    remains->word = word;
    return budget;
}

static int go_through_remains(struct speaker *speaker, int budget)
{
    while (speaker->remains != NULL && budget > 0) {
        struct rib_remains *remains = speaker->remains;

        budget = find_orphans(speaker, remains, budget);
        if (remains->word != RIB_BITSET_END)
            break;
        speaker->remains = remains->next;
        free_marks(remains);
        free(remains);
    }
    return budget;
}

void rib_leave_marks(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    struct rib_remains left = {.family = family, .advertised = tables->advertised};
    bool many = tables->advertised.count > SHORT_MARKS;
    struct rib_remains *remains = many ? malloc(sizeof(*remains)) : NULL;

    memcpy(left.pending, tables->pending, sizeof(left.pending));
    memset(&tables->advertised, 0, sizeof(tables->advertised));
    memset(tables->pending, 0, sizeof(tables->pending));
    if (remains == NULL) { /* few, or no memory for them: at once */
        find_orphans(peer->speaker, &left, INT_MAX);
        free_marks(&left);
        return;
    }
    *remains = left;
    remains->next = peer->speaker->remains;
    peer->speaker->remains = remains;
}

bool rib_may_be_orphan(const struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    for (const struct rib_remains *left = speaker->remains; left != NULL; left = left->next)
        if (left->family == family && rib_bitset_test(&left->advertised, id) &&
            rib_bitset_test(&left->pending[RIB_FIRST], id))
            return true;
    return rib_bitset_test(&speaker->orphans[family], id);
}

static int recount_some(struct speaker *speaker, enum bgp_family family, int budget)
{
    struct rib_bitset *orphans = &speaker->orphans[family];
    int steps = 1 + (int)(speaker->n_established / 16u);

    while (orphans->count > 0 && budget > 0) {
        uint32_t id = rib_bitset_next(orphans, 0);

        rib_bitset_clear(orphans, id);
        recount(speaker, family, id);
        budget -= steps;
    }
    if (orphans->count == 0)
        rib_bitset_free(orphans);
    return budget;
}

static int free_some(struct speaker *speaker, int budget)
{
    while (speaker->rubbish != NULL && budget > 0) {
        struct rib_rubbish *rubbish = speaker->rubbish;

        for (; rubbish->at < rubbish->n && budget > 0; rubbish->at++)
            if (rubbish->sent[rubbish->at] != NULL) {
                rib_sent_free(speaker, rubbish->sent[rubbish->at]);
                budget -= 2;
            }
        if (rubbish->at < rubbish->n)
            break;
        speaker->rubbish = rubbish->next;
        free(rubbish->sent);
        free(rubbish);
    }
    return budget;
}

void rib_discard_sent(struct speaker *speaker, struct rib_sent **sent, uint32_t n)
{
    struct rib_rubbish *rubbish = n > FIRST_STEPS ? malloc(sizeof(*rubbish)) : NULL;

    if (rubbish != NULL) {
        *rubbish = (struct rib_rubbish){.next = speaker->rubbish, .sent = sent, .n = n};
        speaker->rubbish = rubbish;
        return;
    }
    for (uint32_t id = 0; id < n; id++)
        rib_sent_free(speaker, sent[id]);
    free(sent);
}

void rib_work_free(struct speaker *speaker)
{
    while (speaker->rubbish != NULL)
        free_some(speaker, TICK_STEPS);
    while (speaker->remains != NULL) {
        struct rib_remains *remains = speaker->remains;

        speaker->remains = remains->next;
        free_marks(remains);
        free(remains);
    }
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        rib_bitset_free(&speaker->orphans[family]);
}

/* --- Ticks ------------------------------------------------------------------------------------ */

static bool peer_has_work(const struct speaker_peer *peer)
{
    for (enum rib_walk_kind kind = 0; kind < RIB_WALKS; kind++)
        if (rib_walk_runs(peer, kind))
            return true;
    return false;
}

bool rib_has_work(const struct speaker *speaker)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (speaker->orphans[family].count > 0)
            return true;
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (peer_has_work(speaker->peers[i]))
            return true;
    return speaker->rubbish != NULL || speaker->remains != NULL || rib_monitor_has_work(speaker);
}

/* Comparing and marking go by what is decided, so what was judged is decided first. */
static int peer_work(struct speaker_peer *peer, int budget)
{
    for (enum rib_walk_kind kind = 0; kind < RIB_WALKS; kind++)
        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
            if (!peer->tables[family].walks[kind].running || budget <= 0)
                continue;
            budget = walk_on(peer, family, kind, budget);
            if (kind == RIB_WALK_JUDGE)
                rib_finish(peer->speaker);
        }
    return budget;
}

/* One peer after the other, on from where the last tick ended. */
void rib_work_tick(struct speaker *speaker)
{
    int budget = TICK_STEPS;
    unsigned idle = 0;

    budget = go_through_remains(speaker, budget);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        budget = recount_some(speaker, family, budget);
    budget = free_some(speaker, budget);
    budget = rib_monitor_work(speaker, budget);
    while (budget > 0 && idle < speaker->n_peers) {
        struct speaker_peer *peer;

        speaker->work_at = (speaker->work_at + 1) % speaker->n_peers;
        peer = speaker->peers[speaker->work_at];
        idle++;
        if (peer == NULL || !peer_has_work(peer))
            continue;
        idle = 0;
        budget -= PEER_STEPS - peer_work(peer, PEER_STEPS);
    }
}

/*
 * Questions about the tables: choices, candidates, Adj-RIB-In, Adj-RIB-Out. Order by prefix is made
 * when asked for; nothing here is on the way of an UPDATE.
 */
#include "engine/rib/outbound.h"

#include <errno.h>
#include <stdlib.h>

struct rib_path rib_public_path(const struct speaker *speaker, const struct rib_stored_path *path)
{
    const struct speaker_peer *peer = speaker->peers[path->peer]; /* NULL for RIB_LOCAL */

    return (struct rib_path){
        .attributes = rib_attributes(path),
        .peer = peer,
        .source = rib_path_source(speaker, path),
        .next_hop = rib_attributes(path)->next_hop,
        .path_id = rib_path_id(path),
        .summary = path->summary,
        .discard = peer != NULL && rib_discards(peer, rib_attributes(path)),
        .bandwidth = speaker->config.link_bandwidth
                         ? bgp_attributes_link_bandwidth(rib_attributes(path))
                         : 0,
    };
}

static const struct rib_entry *find(const struct speaker *speaker, const struct lpm_prefix *prefix)
{
    const struct rib_table *table = &speaker->tables[bgp_family_of(prefix)];
    uint32_t id = rib_table_find(table, prefix);

    return id == RIB_NO_ENTRY ? NULL : rib_table_entry(table, id);
}

static bool fill_choice(const struct speaker *speaker, const struct rib_entry *entry,
                        rib_decider *decide, struct rib_choice *choice)
{
    struct rib_decision decision;

    decide(speaker, entry, &decision);
    choice->n = decision.n;
    for (unsigned i = 0; i < decision.n; i++)
        choice->paths[i] = rib_public_path(speaker, decision.chosen[i]);
    return choice->n > 0;
}

bool speaker_choice(const struct speaker *speaker, const struct lpm_prefix *prefix,
                    struct rib_choice *choice)
{
    const struct rib_entry *entry = find(speaker, prefix);

    choice->n = 0;
    return entry != NULL && fill_choice(speaker, entry, rib_decide, choice);
}

bool speaker_learned_choice(const struct speaker *speaker, const struct lpm_prefix *prefix,
                            struct rib_choice *choice)
{
    const struct rib_entry *entry = find(speaker, prefix);

    choice->n = 0;
    return entry != NULL && fill_choice(speaker, entry, rib_decide_learned, choice);
}

static int each_choice(const struct speaker *speaker, rib_decider *decide,
                       int (*visit)(void *context, const struct lpm_prefix *prefix,
                                    const struct rib_choice *choice),
                       void *context)
{
    struct rib_choice choice;
    int result = 0;

    for (enum bgp_family family = 0; result == 0 && family < BGP_FAMILY_COUNT; family++) {
        const struct rib_table *table = &speaker->tables[family];
        size_t n;
        uint32_t *ids = rib_table_sorted(table, NULL, &n);

        if (ids == NULL && n > 0)
            return -ENOMEM;
        for (size_t i = 0; result == 0 && i < n; i++) {
            const struct rib_entry *entry = rib_table_entry(table, ids[i]);
            struct lpm_prefix prefix = rib_entry_prefix(table, entry);

            if (fill_choice(speaker, entry, decide, &choice))
                result = visit(context, &prefix, &choice);
        }
        free(ids);
    }
    return result;
}

int speaker_each_choice(const struct speaker *speaker,
                        int (*visit)(void *context, const struct lpm_prefix *prefix,
                                     const struct rib_choice *choice),
                        void *context)
{
    return each_choice(speaker, rib_decide, visit, context);
}

int speaker_each_learned_choice(const struct speaker *speaker,
                                int (*visit)(void *context, const struct lpm_prefix *prefix,
                                             const struct rib_choice *choice),
                                void *context)
{
    return each_choice(speaker, rib_decide_learned, visit, context);
}

static int
each_candidate(const struct speaker *speaker, const struct lpm_prefix *prefix, rib_decider *decide,
               int (*visit)(void *context, const struct rib_path *path, enum rib_verdict verdict),
               void *context)
{
    const struct rib_entry *entry = find(speaker, prefix);
    const struct rib_stored_path *paths;
    struct rib_decision decision;
    int result = 0;

    if (entry == NULL)
        return 0;
    decide(speaker, entry, &decision);
    paths = rib_entry_paths_const(entry);
    for (unsigned i = 0; result == 0 && i < entry->n_paths; i++) {
        struct rib_path path = rib_public_path(speaker, &paths[i]);

        if (paths[i].peer == RIB_LOCAL && paths[i].summary)
            continue; /* only keeps the entry (summary_out.c) */
        result = visit(context, &path, rib_verdict_of(&decision, &paths[i]));
    }
    return result;
}

int speaker_each_candidate(const struct speaker *speaker, const struct lpm_prefix *prefix,
                           int (*visit)(void *context, const struct rib_path *path,
                                        enum rib_verdict verdict),
                           void *context)
{
    return each_candidate(speaker, prefix, rib_decide, visit, context);
}

int speaker_each_learned_candidate(const struct speaker *speaker, const struct lpm_prefix *prefix,
                                   int (*visit)(void *context, const struct rib_path *path,
                                                enum rib_verdict verdict),
                                   void *context)
{
    return each_candidate(speaker, prefix, rib_decide_learned, visit, context);
}

bool speaker_originates(const struct speaker *speaker, const struct lpm_prefix *prefix)
{
    const struct rib_entry *entry = find(speaker, prefix);

    /* Own routes stand first among the paths. */
    return entry != NULL && entry->n_paths > 0 && rib_entry_paths_const(entry)->peer == RIB_LOCAL &&
           !rib_entry_paths_const(entry)->summary;
}

/* Visits the paths of the peer to one prefix. */
static int visit_learned(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                         int (*visit)(void *context, const struct lpm_prefix *prefix,
                                      const struct rib_path *path, enum rib_verdict verdict),
                         void *context)
{
    const struct speaker *speaker = peer->speaker;
    const struct rib_table *table = &speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    struct rib_decision decision;
    int result = 0;

    rib_decide(speaker, entry, &decision);
    for (unsigned i = 0; result == 0 && i < entry->n_paths; i++) {
        struct rib_path path = rib_public_path(speaker, &paths[i]);

        if (paths[i].peer == peer->index)
            result = visit(context, &prefix, &path, rib_verdict_of(&decision, &paths[i]));
    }
    return result;
}

/* What the peer said, and the summaries of that; NULL as rib_table_sorted(). */
static uint32_t *learned_ids(const struct speaker *speaker, const struct speaker_peer *peer,
                             enum bgp_family family, size_t *n)
{
    const struct rib_table *table = &speaker->tables[family];
    const struct rib_peer_tables *tables = &peer->tables[family];
    struct rib_bitset all = {0};
    uint32_t *ids = NULL;

    if (tables->made.count == 0)
        return rib_table_sorted(table, &tables->learned, n);
    *n = 1;
    if (rib_bitset_add_all(&all, &tables->learned) == 0 &&
        rib_bitset_add_all(&all, &tables->made) == 0)
        ids = rib_table_sorted(table, &all, n);
    rib_bitset_free(&all);
    return ids;
}

int speaker_each_learned(const struct speaker *speaker, const struct speaker_peer *peer,
                         int (*visit)(void *context, const struct lpm_prefix *prefix,
                                      const struct rib_path *path, enum rib_verdict verdict),
                         void *context)
{
    int result = 0;

    for (enum bgp_family family = 0; result == 0 && family < BGP_FAMILY_COUNT; family++) {
        size_t n;
        uint32_t *ids = learned_ids(speaker, peer, family, &n);

        if (ids == NULL && n > 0)
            return -ENOMEM;
        for (size_t i = 0; result == 0 && i < n; i++)
            result = visit_learned(peer, family, ids[i], visit, context);
        free(ids);
    }
    return result;
}

struct advertised_visit {
    int (*visit)(void *context, const struct lpm_prefix *prefix,
                 const struct bgp_attributes *attributes, const struct lpm_address *next_hop,
                 uint32_t path_id);
    void *context;
};

/* What is, or will be, said, as a set of its own: as the peer sees it. */
static int visit_outgoing(const struct speaker_peer *peer, const struct lpm_prefix *prefix,
                          const struct rib_outgoing *outgoing, uint32_t path_id,
                          const struct advertised_visit *visit)
{
    struct speaker *speaker = peer->speaker;
    const struct bgp_attributes *sent;
    int result;

    bgp_builder_load(speaker->builder, outgoing->attributes);
    bgp_builder_export(speaker->builder, &outgoing->export);
    result = bgp_builder_intern(speaker->builder, speaker->attributes, &sent);
    if (result < 0)
        return result;
    result = visit->visit(visit->context, prefix, sent, &sent->next_hop, path_id);
    bgp_attributes_release(speaker->attributes, sent);
    return result;
}

/* By what was sent. A path that is to be sent again, and has not been yet, is left out. */
static int visit_selection(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                           const struct lpm_prefix *prefix, const struct advertised_visit *visit)
{
    const struct rib_sent *sent = rib_selection_sent(peer, family, id);
    bool with_ids = bgp_session_encoding(peer->session)->add_path & BGP_FAMILY_BIT(family);
    int result = 0;

    for (unsigned i = 0; sent != NULL && result == 0 && i < sent->n; i++)
        if (sent->paths[i].said.attributes != NULL)
            result = visit_outgoing(peer, prefix, &sent->paths[i].said,
                                    with_ids ? sent->paths[i].path_id : 0, visit);
    return result;
}

static int visit_advertised(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                            const struct advertised_visit *visit)
{
    const struct rib_table *table = &peer->speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    const struct rib_stored_path *best;
    struct rib_outgoing outgoing;
    int result;

    if (rib_selects(peer, family))
        return visit_selection(peer, family, id, &prefix, visit);
    best = rib_export_best(peer, family, id);
    if (!rib_export_allowed(peer, family, best))
        return 0; /* waits to be withdrawn */
    result = rib_export_prepare(peer, family, id, best, &outgoing);
    if (result < 0)
        return result;
    result = visit_outgoing(peer, &prefix, &outgoing, 0, visit);
    bgp_attributes_release(peer->speaker->attributes, outgoing.attributes);
    return result;
}

int speaker_each_advertised(const struct speaker *speaker, const struct speaker_peer *peer,
                            int (*visit)(void *context, const struct lpm_prefix *prefix,
                                         const struct bgp_attributes *attributes,
                                         const struct lpm_address *next_hop, uint32_t path_id),
                            void *context)
{
    const struct advertised_visit how = {.visit = visit, .context = context};
    int result = 0;

    for (enum bgp_family family = 0; result == 0 && family < BGP_FAMILY_COUNT; family++) {
        size_t n;
        uint32_t *ids =
            rib_table_sorted(&speaker->tables[family], &peer->tables[family].advertised, &n);

        if (ids == NULL && n > 0)
            return -ENOMEM;
        for (size_t i = 0; result == 0 && i < n; i++)
            result = visit_advertised(peer, family, ids[i], &how);
        free(ids);
    }
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return result;
}

int speaker_learned_at(const struct speaker *speaker, const struct speaker_peer *peer,
                       const struct lpm_prefix *prefix,
                       int (*visit)(void *context, const struct lpm_prefix *prefix,
                                    const struct rib_path *path, enum rib_verdict verdict),
                       void *context)
{
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_find(&speaker->tables[family], prefix);

    if (id == RIB_NO_ENTRY || !rib_bitset_test(&peer->tables[family].learned, id))
        return 0;
    return visit_learned(peer, family, id, visit, context);
}

int speaker_advertised_at(const struct speaker *speaker, const struct speaker_peer *peer,
                          const struct lpm_prefix *prefix,
                          int (*visit)(void *context, const struct lpm_prefix *prefix,
                                       const struct bgp_attributes *attributes,
                                       const struct lpm_address *next_hop, uint32_t path_id),
                          void *context)
{
    const struct advertised_visit how = {.visit = visit, .context = context};
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_find(&speaker->tables[family], prefix);
    int result = 0;

    if (id != RIB_NO_ENTRY && rib_bitset_test(&peer->tables[family].advertised, id))
        result = visit_advertised(peer, family, id, &how);
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return result;
}

static const struct rib_bitset *set_of(const struct speaker_peer *peer, enum bgp_family family,
                                       enum speaker_set set)
{
    if (set == SPEAKER_HELD)
        return NULL;
    return set == SPEAKER_LEARNED ? &peer->tables[family].learned
                                  : &peer->tables[family].advertised;
}

size_t speaker_prefixes(const struct speaker *speaker, const struct speaker_peer *peer,
                        enum speaker_set set, struct speaker_cursor *cursor,
                        struct lpm_prefix *prefixes, size_t n)
{
    size_t filled = 0;

    while (filled < n && cursor->family < BGP_FAMILY_COUNT) {
        const struct rib_table *table = &speaker->tables[cursor->family];
        const struct rib_bitset *ids = set_of(peer, (enum bgp_family)cursor->family, set);
        uint32_t id =
            ids != NULL ? rib_bitset_next(ids, cursor->id) : rib_table_next(table, cursor->id);

        if (id == (ids != NULL ? RIB_BITSET_END : RIB_NO_ENTRY)) {
            *cursor = (struct speaker_cursor){.family = cursor->family + 1};
            continue;
        }
        prefixes[filled++] = rib_entry_prefix(table, rib_table_entry(table, id));
        cursor->id = id + 1;
    }
    return filled;
}

static bool is_usable(const struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    const struct rib_entry *entry;

    if (!rib_bitset_test(&peer->tables[family].learned, id))
        return false;
    entry = rib_table_entry(&peer->speaker->tables[family], id);
    if (rib_entry_paths_const(entry)->peer == RIB_LOCAL && !rib_entry_paths_const(entry)->summary)
        return false;
    for (unsigned i = 0; i < entry->n_paths; i++) {
        const struct rib_stored_path *path = &rib_entry_paths_const(entry)[i];

        if (path->peer == peer->index && !path->summary &&
            (path->filter == RIB_CHOSEN || path->filter == RIB_FILTERED_SUMMARISED))
            return true;
    }
    return false;
}

/* Has b a usable path wherever a has one? */
static bool covers(const struct speaker_peer *a, const struct speaker_peer *b,
                   enum bgp_family family)
{
    const struct rib_bitset *learned = &a->tables[family].learned;
    bool covered = true;

    for (uint32_t id = rib_bitset_next(learned, 0); covered && id != RIB_BITSET_END;
         id = rib_bitset_next(learned, id + 1)) {
        const struct rib_table *table = &a->speaker->tables[family];
        uint32_t other = id;

        if (!is_usable(a, family, id))
            continue;
        if (a->speaker != b->speaker) {
            struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));

            other = rib_table_find(&b->speaker->tables[family], &prefix);
        }
        covered = other != RIB_NO_ENTRY && is_usable(b, family, other);
    }
    return covered;
}

bool speaker_same_learned(const struct speaker_peer *a, const struct speaker_peer *b)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (!covers(a, b, family) || !covers(b, a, family))
            return false;
    return true;
}

uint64_t speaker_now(const struct speaker *speaker)
{
    return speaker->now_ms;
}

const struct speaker_peer *speaker_cause(const struct speaker *speaker)
{
    return speaker->peers[speaker->cause]; /* NULL at RIB_LOCAL */
}

bool speaker_cause_is_withdrawal(const struct speaker *speaker)
{
    return speaker->cause_is_withdrawal;
}

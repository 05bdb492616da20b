/*
 * Questions about the tables: choices, candidates, Adj-RIB-In, Adj-RIB-Out. Order by prefix is made
 * when asked for; nothing here is on the way of an UPDATE.
 */
#include "engine/rib/internal.h"

#include <errno.h>
#include <stdlib.h>

struct rib_path rib_public_path(const struct speaker *speaker, const struct rib_stored_path *path)
{
    return (struct rib_path){
        .attributes = path->attributes,
        .peer = speaker->peers[path->peer], /* NULL for RIB_LOCAL */
        .source = rib_path_source(speaker, path),
        .next_hop = path->attributes->next_hop,
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
    return entry != NULL && entry->n_paths > 0 && rib_entry_paths_const(entry)->peer == RIB_LOCAL;
}

static const struct rib_stored_path *path_of(const struct rib_entry *entry, uint16_t peer)
{
    const struct rib_stored_path *path = rib_entry_paths_const(entry);

    while (path->peer != peer)
        path++;
    return path;
}

int speaker_each_learned(const struct speaker *speaker, const struct speaker_peer *peer,
                         int (*visit)(void *context, const struct lpm_prefix *prefix,
                                      const struct rib_path *path, enum rib_verdict verdict),
                         void *context)
{
    struct rib_decision decision;
    int result = 0;

    for (enum bgp_family family = 0; result == 0 && family < BGP_FAMILY_COUNT; family++) {
        const struct rib_table *table = &speaker->tables[family];
        size_t n;
        uint32_t *ids = rib_table_sorted(table, &peer->tables[family].learned, &n);

        if (ids == NULL && n > 0)
            return -ENOMEM;
        for (size_t i = 0; result == 0 && i < n; i++) {
            const struct rib_entry *entry = rib_table_entry(table, ids[i]);
            const struct rib_stored_path *stored = path_of(entry, peer->index);
            struct lpm_prefix prefix = rib_entry_prefix(table, entry);
            struct rib_path path = rib_public_path(speaker, stored);

            rib_decide(speaker, entry, &decision);
            result = visit(context, &prefix, &path, rib_verdict_of(&decision, stored));
        }
        free(ids);
    }
    return result;
}

/* Makes what the peer is sent of path a set of its own, as the peer will see it. */
static int sent_attributes(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                           const struct rib_stored_path *path, const struct bgp_attributes **sent)
{
    struct speaker *speaker = peer->speaker;
    struct rib_outgoing outgoing;
    int error = rib_export_prepare(peer, family, id, path, &outgoing);

    if (error < 0)
        return error;
    bgp_builder_load(speaker->builder, outgoing.attributes);
    bgp_builder_export(speaker->builder, &outgoing.export);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, sent);
    bgp_attributes_release(speaker->attributes, outgoing.attributes);
    return error;
}

struct advertised_visit {
    int (*visit)(void *context, const struct lpm_prefix *prefix,
                 const struct bgp_attributes *attributes, const struct lpm_address *next_hop);
    void *context;
};

static int visit_advertised(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                            const struct advertised_visit *visit)
{
    struct speaker *speaker = peer->speaker;
    const struct rib_table *table = &speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);
    const struct rib_stored_path *best = rib_export_best(peer, family, id);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    const struct bgp_attributes *sent;
    int result;

    if (!rib_export_allowed(peer, family, best))
        return 0; /* waits to be withdrawn */
    result = sent_attributes(peer, family, id, best, &sent);
    if (result < 0)
        return result;
    result = visit->visit(visit->context, &prefix, sent, &sent->next_hop);
    bgp_attributes_release(speaker->attributes, sent);
    return result;
}

int speaker_each_advertised(const struct speaker *speaker, const struct speaker_peer *peer,
                            int (*visit)(void *context, const struct lpm_prefix *prefix,
                                         const struct bgp_attributes *attributes,
                                         const struct lpm_address *next_hop),
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

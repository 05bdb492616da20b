/*
 * Questions about policy: which rule spoke. Nothing of it is kept with a route; a policy gives the
 * same answer when it is asked again.
 */
#include "engine/rib/outbound.h"

#include <errno.h>
#include <stdlib.h>

static void fill_verdict(const struct rib_policy *policy, const struct bgp_attributes *before,
                         const struct rib_policy_outcome *outcome,
                         struct rib_policy_verdict *verdict)
{
    verdict->accepted = outcome->accepted;
    verdict->changed = outcome->accepted && (outcome->attributes != before || outcome->changed);
    verdict->summarised = outcome->suppressed;
    verdict->place = rib_policy_place(policy, outcome->rule);
}

void speaker_explain_import(const struct lpm_prefix *prefix, const struct rib_path *path,
                            struct rib_policy_verdict *verdict)
{
    const struct speaker_peer *peer = path->peer;
    const struct speaker *speaker;
    const struct rib_policy_route route = {.prefix = prefix,
                                           .attributes = bgp_attributes_received(path->attributes),
                                           .source = path->source,
                                           .import = true};
    struct rib_policy_outcome outcome;

    *verdict = (struct rib_policy_verdict){.accepted = true};
    if (peer == NULL)
        return;
    if (path->summary) {
        verdict->changed = true;
        verdict->place = rib_summary_place(peer, prefix, path->attributes);
        return;
    }
    speaker = peer->speaker;
    if (peer->import_policy == NULL) {
        verdict->missing = speaker->config.require_policy && !peer->internal;
        verdict->accepted = !verdict->missing;
        return;
    }
    if (rib_policy_apply(peer->import_policy, speaker->policy, speaker->builder,
                         speaker->attributes, &route, &outcome) == 0)
        fill_verdict(peer->import_policy, route.attributes, &outcome, verdict);
    bgp_attributes_release(speaker->attributes, outcome.attributes);
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
}

struct export_question {
    const struct speaker_peer *peer;
    enum bgp_family family;
    uint32_t id;
    int (*visit)(void *context, const struct rib_path *path,
                 const struct rib_policy_verdict *verdict);
    void *context;
};

/* One path; *accepted ends the search. */
static int explain_path(const struct export_question *question, const struct rib_stored_path *path,
                        bool *accepted)
{
    const struct speaker_peer *peer = question->peer;
    struct rib_policy_verdict verdict = {.accepted = true};
    struct rib_path shown = rib_public_path(peer->speaker, path);
    struct rib_policy_outcome outcome = {0};
    int error = 0;

    if (peer->export_policy == NULL) {
        verdict.missing = rib_export_filtered(peer);
        verdict.accepted = !verdict.missing;
    } else {
        error = rib_export_apply(peer, peer->export_policy, question->family, question->id, path,
                                 &outcome);
        if (error == 0)
            fill_verdict(peer->export_policy, rib_attributes(path), &outcome, &verdict);
    }
    bgp_attributes_release(peer->speaker->attributes, outcome.attributes);
    *accepted = verdict.accepted;
    return error < 0 ? error : question->visit(question->context, &shown, &verdict);
}

/* What is sent in place of any path to the prefix. */
static int explain_summary(const struct export_question *question,
                           const struct rib_stored_path *summary)
{
    const struct speaker_peer *peer = question->peer;
    struct rib_path shown = rib_public_path(peer->speaker, summary);
    const struct rib_policy_verdict verdict = {
        .accepted = true, .changed = true, .place = rib_group_summary_place(peer->group, summary)};

    return question->visit(question->context, &shown, &verdict);
}

int speaker_explain_export(const struct speaker *speaker, const struct speaker_peer *peer,
                           const struct lpm_prefix *prefix,
                           int (*visit)(void *context, const struct rib_path *path,
                                        const struct rib_policy_verdict *verdict),
                           void *context)
{
    struct export_question question = {
        .peer = peer, .family = bgp_family_of(prefix), .visit = visit, .context = context};
    const struct rib_table *table = &speaker->tables[question.family];
    const struct rib_stored_path *path = NULL;
    bool accepted = false;
    int result = 0;

    question.id = rib_table_find(table, prefix);
    if (question.id == RIB_NO_ENTRY)
        return 0;
    path = rib_group_summary(peer->group, question.family, question.id);
    if (path != NULL)
        return explain_summary(&question, path);
    while (result == 0 && !accepted) {
        path = rib_export_next(rib_table_entry(table, question.id), path);
        if (!rib_export_group_allowed(peer, question.family, path))
            break;
        result = explain_path(&question, path, &accepted);
    }
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return result;
}

/* There is a path that the peer might have, and policy lets none through. */
static bool is_withheld(const struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);

    return entry->n_paths > 0 && rib_export_allowed(peer, family, rib_best(entry)) &&
           rib_export_best(peer, family, id) == NULL;
}

int speaker_each_withheld(const struct speaker *speaker, const struct speaker_peer *peer,
                          int (*visit)(void *context, const struct lpm_prefix *prefix),
                          void *context)
{
    int result = 0;

    if (!rib_export_filtered(peer))
        return 0;
    for (enum bgp_family family = 0; result == 0 && family < BGP_FAMILY_COUNT; family++) {
        const struct rib_table *table = &speaker->tables[family];
        size_t n;
        uint32_t *ids = rib_table_sorted(table, NULL, &n);

        if (ids == NULL && n > 0)
            return -ENOMEM;
        for (size_t i = 0; result == 0 && i < n; i++) {
            struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, ids[i]));

            if (is_withheld(peer, family, ids[i]))
                result = visit(context, &prefix);
        }
        free(ids);
    }
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return result;
}

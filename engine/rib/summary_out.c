/*
 * Summaries on the way out: where the export policy of an update group makes one route of many.
 *
 *   what the group would be sent of id ── rule that makes a summary ──> parts[id], and the rule's sums
 *                                                                            │ end of the input
 *                                                                            v
 *                                 item.path: what the group is sent of the summary's own prefix
 *
 * An id's part is looked at whenever what the group is sent of it may have changed: when it is decided, and
 * in the walks over the table that a new member or a new policy begins. So a change costs its own prefixes,
 * whatever the number of the others.
 *
 * The summary's prefix has an entry even where nobody announced it: each item keeps a path of its own there
 * that is filtered and never chosen (rib_entry_summary()), so that the entry stays as long as the group.
 *
 * A summary goes to a member unless all that contributes is of that member's own neighbour, which split horizon
 * has it not hear from us: parts are counted by peer.
 *
 * Invariant: between two public calls parts[id] is what part_of() says, for all ids that no walk of a
 * member has yet to come to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/aggregate.h"
#include "engine/rib/outbound.h"

/* What an id contributes. */
struct part {
    const struct bgp_attributes *attributes; /* one reference held; NULL: nothing */
    uint16_t peer;                           /* whose path it is */
    uint16_t item;
    bool stale;
};

struct item {
    uint32_t rule;
    uint32_t number; /* names its path in the entry */
    uint32_t id;     /* of that entry */
    enum bgp_family family;
    bool dirty;
    struct rib_aggregate aggregate;
    uint32_t *by_peer;           /* parts, by index of their peer */
    struct rib_stored_path path; /* attributes NULL: nothing contributes */
};

struct rib_group_summaries {
    struct rib_policy *policy; /* one reference held */
    bool dirty[BGP_FAMILY_COUNT];
    unsigned n;
    unsigned n_peers; /* length of every by_peer */
    struct part *parts[BGP_FAMILY_COUNT];
    uint32_t n_parts[BGP_FAMILY_COUNT];
    struct rib_bitset ids[BGP_FAMILY_COUNT]; /* of the items */
    struct item items[];
};

static void fault(const struct rib_group *group)
{
    for (struct speaker_peer *peer = group->members; peer != NULL; peer = peer->next_member)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
}

/* --- Life ------------------------------------------------------------------------------------- */

static const struct rib_policy_rule *rule_of(const struct rib_group_summaries *summaries,
                                             const struct item *item)
{
    return rib_policy_rule(summaries->policy, item->rule);
}

/* Gives the item its place in the table. */
static int take_place(struct speaker *speaker, struct rib_group_summaries *summaries,
                      struct item *item)
{
    const struct lpm_prefix *prefix = &rule_of(summaries, item)->summary;
    struct rib_stored_path place = {.path_id = item->number,
                                    .peer = RIB_LOCAL,
                                    .summary = 1,
                                    .filter = RIB_FILTERED_SUMMARISED};
    const struct bgp_attributes *attributes;
    int error;

    bgp_builder_originate(speaker->builder, BGP_ORIGIN_IGP);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, &attributes);
    if (error < 0)
        return error;
    rib_set_attributes(&place, attributes);
    error = rib_path_set(speaker, prefix, &place);
    bgp_attributes_release(speaker->attributes, attributes);
    if (error < 0)
        return error;
    item->id = rib_table_find(&speaker->tables[item->family], prefix);
    return rib_bitset_set(&summaries->ids[item->family], item->id) < 0 ? -ENOMEM : 0;
}

static int fill_item(struct speaker *speaker, struct rib_group_summaries *summaries, uint32_t rule)
{
    struct item *item = &summaries->items[summaries->n];

    item->rule = rule;
    item->family = bgp_family_of(&rule_of(summaries, item)->summary);
    item->number = ++speaker->summary_numbers;
    item->id = RIB_NO_ENTRY;
    item->path = (struct rib_stored_path){.path_id = item->number, .summary = 1};
    item->by_peer = calloc(summaries->n_peers, sizeof(*item->by_peer));
    summaries->n++;
    return item->by_peer != NULL ? take_place(speaker, summaries, item) : -ENOMEM;
}

void rib_group_summaries_begin(struct rib_group *group)
{
    struct speaker *speaker = group->members->speaker;
    struct rib_policy *policy = group->members->export_policy;
    unsigned n = rib_policy_summaries(policy);
    int error = 0;

    if (n == 0)
        return;
    group->summaries = calloc(1, sizeof(*group->summaries) + n * sizeof(struct item));
    if (group->summaries == NULL) {
        fault(group);
        return;
    }
    group->summaries->policy = rib_policy_hold(policy);
    group->summaries->n_peers = speaker->n_peers;
    for (uint32_t rule = 0; error == 0 && group->summaries->n < n; rule++)
        if (rib_policy_mark(policy, rule) != 0)
            error = fill_item(speaker, group->summaries, rule);
    if (error < 0) { /* not with half of its rules: others look for all of them */
        rib_group_summaries_end(group, speaker);
        fault(group);
    }
}

static void free_item(struct speaker *speaker, struct rib_group_summaries *summaries,
                      struct item *item)
{
    if (item->id != RIB_NO_ENTRY && !speaker->ending)
        rib_path_remove_summary(speaker, &rule_of(summaries, item)->summary, item->number);
    bgp_attributes_release(speaker->attributes, rib_attributes(&item->path));
    free(item->by_peer);
}

void rib_group_summaries_end(struct rib_group *group, struct speaker *speaker)
{
    struct rib_group_summaries *summaries = group->summaries;

    if (summaries == NULL)
        return;
    group->summaries = NULL;
    for (unsigned i = 0; i < summaries->n; i++)
        free_item(speaker, summaries, &summaries->items[i]);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        for (uint32_t id = 0; id < summaries->n_parts[family]; id++)
            bgp_attributes_release(speaker->attributes, summaries->parts[family][id].attributes);
        free(summaries->parts[family]);
        rib_bitset_free(&summaries->ids[family]);
    }
    rib_policy_release(summaries->policy);
    free(summaries);
}

/* --- Parts ------------------------------------------------------------------------------------ */

static unsigned item_of(const struct rib_group_summaries *summaries, uint32_t rule)
{
    unsigned i = 0;

    while (summaries->items[i].rule != rule)
        i++;
    return i;
}

/* May this path be the one that speaks for id? *ends: none after it may. A peer with a selection of its own
 * passes over what it may not have, others do not (export_policy.c). */
static bool may_speak(const struct speaker_peer *member, enum bgp_family family,
                      const struct rib_stored_path *path, bool *ends)
{
    bool selects = rib_selects(member, family);

    if (!rib_export_group_allowed(member, family, path)) {
        *ends = !selects;
        return false;
    }
    return !selects || !rib_export_is_own(member, path);
}

/* What id contributes now; attributes: a reference of the caller's own. -ENOMEM. */
static int part_of(const struct rib_group *group, enum bgp_family family, uint32_t id,
                   struct part *part)
{
    const struct speaker_peer *member = group->members;
    struct speaker *speaker = member->speaker;
    const struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    const struct rib_stored_path *path = entry->n_paths > 0 ? rib_export_next(entry, NULL) : NULL;
    struct rib_policy_outcome outcome;
    bool ends = false;

    memset(part, 0, sizeof(*part));
    for (; path != NULL && !ends; path = rib_export_next(entry, path)) {
        int error;

        if (!may_speak(member, family, path, &ends))
            continue;
        error = rib_export_apply(member, group->summaries->policy, family, id, path, &outcome);
        if (error < 0)
            return error;
        ends = outcome.accepted;
        if (outcome.contributes)
            *part = (struct part){.attributes = outcome.attributes,
                                  .peer = path->peer,
                                  .item = (uint16_t)item_of(group->summaries, outcome.rule),
                                  .stale = path->rank & RIB_RANK_STALE};
        else
            bgp_attributes_release(speaker->attributes, outcome.attributes);
    }
    return 0;
}

static int reserve_parts(struct rib_group_summaries *summaries, enum bgp_family family, uint32_t id)
{
    uint32_t n = summaries->n_parts[family] > 0 ? summaries->n_parts[family] : 64;
    struct part *parts;

    if (id < summaries->n_parts[family])
        return 0;
    while (n <= id)
        n *= 2;
    parts = realloc(summaries->parts[family], n * sizeof(*parts));
    if (parts == NULL)
        return -ENOMEM;
    memset(parts + summaries->n_parts[family], 0,
           (n - summaries->n_parts[family]) * sizeof(*parts));
    summaries->parts[family] = parts;
    summaries->n_parts[family] = n;
    return 0;
}

/* Peers may have been added since the group was made. */
static int reserve_peers(struct rib_group_summaries *summaries, unsigned n)
{
    if (n <= summaries->n_peers)
        return 0;
    for (unsigned i = 0; i < summaries->n; i++) {
        uint32_t *by_peer = realloc(summaries->items[i].by_peer, n * sizeof(*by_peer));

        if (by_peer == NULL)
            return -ENOMEM;
        memset(by_peer + summaries->n_peers, 0, (n - summaries->n_peers) * sizeof(*by_peer));
        summaries->items[i].by_peer = by_peer;
    }
    summaries->n_peers = n;
    return 0;
}

static void enter(struct rib_group_summaries *summaries, const struct part *part)
{
    struct item *item = &summaries->items[part->item];

    rib_aggregate_add(&item->aggregate, part->attributes, part->stale);
    item->by_peer[part->peer]++;
    item->dirty = summaries->dirty[item->family] = true;
}

static void withdraw(struct rib_group_summaries *summaries, const struct part *part)
{
    struct item *item = &summaries->items[part->item];

    rib_aggregate_remove(&item->aggregate, part->attributes, part->stale);
    item->by_peer[part->peer]--;
    item->dirty = summaries->dirty[item->family] = true;
}

static bool same_part(const struct part *a, const struct part *b)
{
    return a->attributes == b->attributes && a->peer == b->peer && a->item == b->item &&
           a->stale == b->stale;
}

void rib_summary_note(struct rib_group *group, enum bgp_family family, uint32_t id)
{
    struct rib_group_summaries *summaries = group->summaries;
    struct bgp_attribute_table *table = group->members->speaker->attributes;
    struct part now, *held;

    if (summaries == NULL)
        return;
    if (part_of(group, family, id, &now) < 0 || reserve_parts(summaries, family, id) < 0 ||
        reserve_peers(summaries, now.peer + 1u) < 0) {
        bgp_attributes_release(table, now.attributes);
        fault(group);
        return;
    }
    held = &summaries->parts[family][id];
    if (same_part(held, &now)) {
        bgp_attributes_release(table, now.attributes);
        return;
    }
    if (now.attributes != NULL)
        enter(summaries, &now);
    if (held->attributes != NULL)
        withdraw(summaries, held);
    bgp_attributes_release(table, held->attributes);
    *held = now;
}

/* --- What the group is sent of the summary's prefix ------------------------------------------- */

static int build(const struct rib_group *group, const struct item *item,
                 const struct bgp_attributes **attributes)
{
    const struct rib_policy_rule *rule = rule_of(group->summaries, item);
    const struct speaker_peer *member = group->members;
    struct speaker *speaker = member->speaker;
    struct lpm_address next_hop = {0}; /* self */

    if (rib_export_keeps_next_hop(member))
        next_hop = rib_aggregate_next_hop(&item->aggregate);
    rib_aggregate_build(&item->aggregate, speaker->config.asn, member->config.identifier, false,
                        speaker->builder);
    bgp_builder_set_next_hop(speaker->builder, &next_hop);
    rib_policy_change(rule, rule->summary.family, speaker->builder);
    return bgp_builder_intern(speaker->builder, speaker->attributes, attributes);
}

static void settle(struct rib_group *group, struct item *item)
{
    struct bgp_attribute_table *table = group->members->speaker->attributes;
    const struct bgp_attributes *attributes = NULL;
    int error = item->aggregate.n > 0 ? build(group, item, &attributes) : 0;

    item->dirty = false;
    if (error == -ENOMEM)
        fault(group);
    bgp_attributes_release(table, rib_attributes(&item->path));
    rib_set_attributes(&item->path, error == 0 ? attributes : NULL);
    item->path.rank = item->aggregate.stale == item->aggregate.n ? RIB_RANK_STALE : 0;
    /* Whose own it is may have changed, too. */
    rib_mark_choice(group, item->family, item->id);
}

void rib_group_summaries_settle(struct speaker *speaker, enum bgp_family family)
{
    for (struct rib_group *group = speaker->groups; group != NULL; group = group->next) {
        struct rib_group_summaries *summaries = group->summaries;

        if (summaries == NULL || !summaries->dirty[family])
            continue;
        summaries->dirty[family] = false;
        for (unsigned i = 0; i < summaries->n; i++)
            if (summaries->items[i].dirty && summaries->items[i].family == family)
                settle(group, &summaries->items[i]);
    }
}

const struct rib_stored_path *rib_group_summary(const struct rib_group *group,
                                                enum bgp_family family, uint32_t id)
{
    const struct rib_group_summaries *summaries = group != NULL ? group->summaries : NULL;

    if (summaries == NULL || !rib_bitset_test(&summaries->ids[family], id))
        return NULL;
    for (unsigned i = 0; i < summaries->n; i++)
        if (summaries->items[i].id == id && summaries->items[i].family == family &&
            rib_attributes(&summaries->items[i].path) != NULL)
            return &summaries->items[i].path;
    return NULL;
}

static const struct item *item_with(const struct rib_stored_path *path)
{
    return (const struct item *)(const void *)((const char *)path - offsetof(struct item, path));
}

bool rib_group_summary_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct item *item = item_with(path);
    const struct speaker_peer *session = peer;
    uint32_t own = 0;

    do {
        own += session->index < peer->group->summaries->n_peers ? item->by_peer[session->index] : 0;
        session = session->sibling;
    } while (session != peer);
    return own == item->aggregate.n;
}

uint64_t rib_group_summary_word(const struct rib_group *group, enum bgp_family family,
                                uint32_t word)
{
    return group->summaries != NULL ? rib_bitset_word(&group->summaries->ids[family], word) : 0;
}

struct rib_policy_place rib_group_summary_place(const struct rib_group *group,
                                                const struct rib_stored_path *path)
{
    return rib_policy_place(group->summaries->policy, item_with(path)->rule);
}

uint32_t *rib_group_summary_ids(const struct rib_group *group, enum bgp_family family, size_t *n)
{
    static const struct rib_bitset none;
    const struct rib_bitset *ids =
        group->summaries != NULL ? &group->summaries->ids[family] : &none;

    return rib_table_sorted(&group->members->speaker->tables[family], ids, n);
}

/* --- Validation ------------------------------------------------------------------------------- */

bool rib_summary_part_valid(const struct rib_group *group, enum bgp_family family, uint32_t id)
{
    const struct rib_group_summaries *summaries = group->summaries;
    struct part now, held = {0};
    bool valid;

    if (summaries == NULL)
        return true;
    if (id < summaries->n_parts[family])
        held = summaries->parts[family][id];
    if (part_of(group, family, id, &now) < 0)
        return false;
    valid = same_part(&now, &held);
    bgp_attributes_release(group->members->speaker->attributes, now.attributes);
    return valid;
}

bool rib_group_summaries_valid(const struct rib_group *group)
{
    const struct rib_group_summaries *summaries = group->summaries;
    bool valid = true;

    for (unsigned i = 0; summaries != NULL && i < summaries->n; i++) {
        const struct item *item = &summaries->items[i];
        uint32_t n = 0, by_peers = 0;

        for (uint32_t id = 0; id < summaries->n_parts[item->family]; id++)
            n += summaries->parts[item->family][id].attributes != NULL &&
                 summaries->parts[item->family][id].item == i;
        for (unsigned peer = 0; peer < summaries->n_peers; peer++)
            by_peers += item->by_peer[peer];
        valid = valid && !item->dirty && n == item->aggregate.n && by_peers == n &&
                (n > 0 || rib_attributes(&item->path) == NULL);
    }
    return valid;
}

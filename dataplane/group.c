/*
 * Next-hop groups: made, swapped and given up under ids that are the leaves of the FIBs.
 *
 *   config --> sorted members --> next hop numbers --> struct dp_group --publish--> groups[id]
 *                            `--> identities and weights --> dp_bucket_table (shared by content)
 *
 *   free --create--> in force --destroy--> given up --grace period--> free
 *                     |    ^
 *                     '----' replace
 *
 * A swap is one store and reaches every prefix and NIC behind the id. A group that is destroyed
 * keeps its slot until a grace period later: a reader may have taken the id from a FIB just before
 * the id left it. Only then is the slot cleared and the id free again.
 */
#include "dataplane/bucket.h"

#include <errno.h>
#include <stdlib.h>

/* The group in force under an id: not one that was given up and waits. */
static struct dp_group *group_current(const struct dp_forwarding *forwarding, uint32_t group)
{
    struct dp_group *current;

    if (group == 0 || group > forwarding->config.group_capacity)
        return NULL;
    current = atomic_load_explicit(&forwarding->groups[group], memory_order_relaxed);
    return current && !current->destroyed ? current : NULL;
}

/* --- Building --------------------------------------------------------------------------------- */

#define PATIENCE_MS_MOST (UINT32_C(1) << 30)

static bool patience_valid(const struct dp_group_config *config)
{
    const struct dp_patience *patience = &config->patience;
    bool draining = false;

    for (unsigned i = 0; i < config->member_count; i++)
        draining |= config->members[i].draining;
    return patience->idle_ms < PATIENCE_MS_MOST && patience->forced_ms < PATIENCE_MS_MOST &&
           (patience->forced_ms > 0 || (!patience->sticky && !draining));
}

static bool config_valid(const struct dp_forwarding *forwarding,
                         const struct dp_group_config *config)
{
    const uint8_t bits = DP_PEERING_NO_ACCESS | DP_PEERING_NO_FORWARDED | DP_PEERING_GATEWAYS;

    switch (config->kind) {
    case DP_GROUP_NULL:
    case DP_GROUP_INTERNET:
        return true;
    case DP_GROUP_VNET:
        return config->vnet >= 1 && config->vnet <= forwarding->config.vnet_capacity &&
               (config->peering & ~bits) == 0;
    case DP_GROUP_MEMBERS:
        break;
    default:
        return false;
    }
    if (config->member_count > DP_GROUP_MEMBER_MAX || !patience_valid(config))
        return false;
    for (unsigned i = 0; i < config->member_count; i++) {
        const struct dp_member *member = &config->members[i];

        if (!dp_family_valid(member->next_hop.family) || (member->peering & ~bits) != 0 ||
            member->nic > forwarding->config.nic_capacity ||
            member->group > forwarding->config.group_capacity)
            return false;
    }
    return true;
}

/* By address alone: the order that every host gives the same set. */
static int compare_members(const void *a, const void *b)
{
    const struct dp_member *left = a;
    const struct dp_member *right = b;

    return lpm_address_compare(&left->next_hop, &right->next_hop);
}

/* -EINVAL for two members with one address: which of their NICs would it be? */
static int sort_members(const struct dp_group_config *config, struct dp_member *sorted)
{
    if (config->member_count == 0)
        return 0;
    memcpy(sorted, config->members, config->member_count * sizeof(*sorted));
    qsort(sorted, config->member_count, sizeof(*sorted), compare_members);
    for (unsigned i = 1; i < config->member_count; i++) {
        if (lpm_address_equal(&sorted[i - 1].next_hop, &sorted[i].next_hop))
            return -EINVAL;
    }
    return 0;
}

/* Numbers first, then the group is published: whoever reads a number in a group finds its address
 * and its counters. A number given to a group that then fails stays given; it does no harm. */
static int fill_members(struct dp_forwarding *forwarding, struct dp_group *group,
                        const struct dp_member *sorted)
{
    for (unsigned i = 0; i < group->member_count; i++) {
        struct dp_group_member *member = &group->members[i];
        int error;

        error = dp_next_hop_number(forwarding, &sorted[i].next_hop, &member->next_hop);
        if (error == 0)
            error = dp_member_counter(forwarding, group->id, member->next_hop, &member->counter);
        if (error < 0)
            return error;
        member->frontend = sorted[i].group != 0;
        member->nic = member->frontend ? sorted[i].group : sorted[i].nic;
        member->peering = sorted[i].peering;
        group->express = group->express && !member->frontend && member->peering == 0;
    }
    return 0;
}

/* What a member is for the choice is its address and weight. Its NIC and what the peering allows
 * may change without a flow moving, so they stay out of the table. */
static int fill_buckets(struct dp_forwarding *forwarding, struct dp_group *group,
                        const struct dp_group_config *config, const struct dp_member *sorted,
                        const struct dp_group *old)
{
    struct dp_bucket_request request = {.member_count = group->member_count,
                                        .strict = config->strict_balance,
                                        .patience = config->patience};

    for (unsigned i = 0; i < group->member_count; i++) {
        request.members[i] = (struct dp_bucket_identity){
            .address = sorted[i].next_hop,
            .weight = sorted[i].weight ? sorted[i].weight : 1,
            .draining = sorted[i].draining,
        };
    }
    group->table = dp_bucket_table_get(forwarding, &request, old ? old->table : NULL);
    if (!group->table)
        return -ENOMEM;
    group->buckets = group->table->buckets;
    group->bucket_mask = group->table->bucket_count - 1;
    group->stamps = group->table->history ? group->table->history->stamps : NULL;
    return 0;
}

/* Cache line aligned, all 0. */
static struct dp_group *group_alloc(unsigned members)
{
    const size_t size = sizeof(struct dp_group) + members * sizeof(struct dp_group_member);
    const size_t lines = (size + DP_CACHE_LINE - 1) / DP_CACHE_LINE;
    struct dp_group *group = aligned_alloc(DP_CACHE_LINE, lines * DP_CACHE_LINE);

    if (group)
        memset(group, 0, lines * DP_CACHE_LINE);
    return group;
}

/* old: what the group replaces, or NULL. */
static int group_make(struct dp_forwarding *forwarding, uint32_t id,
                      const struct dp_group_config *config, const struct dp_group *old,
                      struct dp_group **made)
{
    const unsigned count = config->kind == DP_GROUP_MEMBERS ? config->member_count : 0;
    struct dp_member sorted[DP_GROUP_MEMBER_MAX];
    struct dp_group *group;
    int error;

    if (!config_valid(forwarding, config))
        return -EINVAL;
    if (count > 0 && sort_members(config, sorted) < 0)
        return -EINVAL;
    group = group_alloc(count);
    if (!group)
        return -ENOMEM;
    group->kind = (uint8_t)config->kind;
    group->vnet = config->kind == DP_GROUP_VNET ? config->vnet : 0;
    group->peering = config->kind == DP_GROUP_VNET ? config->peering : 0;
    group->member_count = (uint8_t)count;
    group->express = count > 0;
    group->forwarding = forwarding;
    group->id = id;
    error = fill_members(forwarding, group, sorted);
    if (error == 0 && count > 0)
        error = fill_buckets(forwarding, group, config, sorted, old);
    if (error < 0) {
        free(group);
        return error;
    }
    *made = group;
    return 0;
}

static void group_free(struct dp_group *group)
{
    if (group->table)
        dp_bucket_table_put(group->forwarding, group->table);
    free(group);
}

static void group_leave(const struct dp_group *group)
{
    if (group->table)
        dp_bucket_table_leave(group->table);
}

static struct dp_group *group_of(struct lpm_rcu_head *head)
{
    return (struct dp_group *)((char *)head - offsetof(struct dp_group, head));
}

static void replaced_reclaim(struct lpm_rcu_head *head)
{
    group_free(group_of(head));
}

/* No reader can hold the id now: it left the FIBs before the grace period began. */
static void destroyed_reclaim(struct lpm_rcu_head *head)
{
    struct dp_group *group = group_of(head);
    struct dp_forwarding *forwarding = group->forwarding;
    struct dp_forwarding_writer *writer = forwarding->writer;

    lpm_rcu_publish(&forwarding->groups[group->id], NULL);
    dp_member_counters_release(forwarding, group->id);
    writer->free_groups[writer->free_group_count++] = group->id;
    group_free(group);
}

/* --- Ids -------------------------------------------------------------------------------------- */

int dp_group_create(struct dp_forwarding *forwarding, const struct dp_group_config *config,
                    uint32_t *group)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    const bool again = writer->free_group_count > 0;
    struct dp_group *new;
    uint32_t id;
    int error;

    if (!again && writer->group_highest == forwarding->config.group_capacity)
        return -ENOSPC;
    id = again ? writer->free_groups[writer->free_group_count - 1] : writer->group_highest + 1;
    error = group_make(forwarding, id, config, NULL, &new);
    if (error < 0) {
        dp_member_counters_release(forwarding, id);
        return error;
    }
    if (again)
        writer->free_group_count--;
    else
        writer->group_highest = id;
    *group = id;
    lpm_rcu_publish(&forwarding->groups[id], new);
    return 0;
}

/* The old group lends its table as a start: what the set keeps need not be drawn again. It is there
 * still, since the old group goes only after a grace period. */
int dp_group_replace(struct dp_forwarding *forwarding, uint32_t group,
                     const struct dp_group_config *config)
{
    struct dp_group *old = group_current(forwarding, group);
    struct dp_group *new;
    int error;

    if (!old)
        return -ENOENT;
    error = group_make(forwarding, group, config, old, &new);
    if (error < 0)
        return error;
    lpm_rcu_publish(&forwarding->groups[group], new);
    group_leave(old);
    lpm_rcu_defer(&old->head, replaced_reclaim);
    forwarding->writer->group_swaps++;
    return 0;
}

uint64_t dp_group_swaps(const struct dp_forwarding *forwarding)
{
    return forwarding->writer->group_swaps;
}

int dp_group_destroy(struct dp_forwarding *forwarding, uint32_t group)
{
    struct dp_group *old = group_current(forwarding, group);

    if (!old)
        return -ENOENT;
    old->destroyed = true;
    group_leave(old);
    lpm_rcu_defer(&old->head, destroyed_reclaim);
    return 0;
}

/* After the barrier: those given up are gone, so what is left is in force. */
void dp_groups_destroy(struct dp_forwarding *forwarding)
{
    for (uint32_t id = 1; id <= forwarding->writer->group_highest; id++) {
        struct dp_group *group = group_current(forwarding, id);

        if (group)
            group_free(group);
    }
}

/* --- Questions -------------------------------------------------------------------------------- */

static void count_wanted(const struct dp_bucket_table *table, unsigned wanted[DP_GROUP_MEMBER_MAX])
{
    memset(wanted, 0, DP_GROUP_MEMBER_MAX * sizeof(wanted[0]));
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++)
        wanted[table->history->wanted[bucket]]++;
}

int dp_group_info(const struct dp_forwarding *forwarding, uint32_t group,
                  struct dp_group_info *info)
{
    const struct dp_group *current = group_current(forwarding, group);

    if (!current)
        return -ENOENT;
    *info = (struct dp_group_info){
        .kind = (enum dp_group_kind)current->kind,
        .vnet = current->vnet,
        .member_count = current->member_count,
        .bucket_count = current->table ? current->table->bucket_count : 0,
    };
    for (unsigned i = 0; i < current->member_count; i++) {
        const struct dp_group_member *member = &current->members[i];

        info->members[i] = (struct dp_member){
            .next_hop = current->table->members[i].address,
            .nic = member->frontend ? 0 : member->nic,
            .weight = current->table->members[i].weight,
            .peering = member->peering,
            .group = member->frontend ? member->nic : 0,
        };
        info->members[i].draining = current->table->members[i].draining;
        info->buckets[i] = info->wanted[i] = current->table->held[i];
    }
    if (current->table && current->table->history)
        count_wanted(current->table, info->wanted);
    return 0;
}

int dp_group_bucket(const struct dp_forwarding *forwarding, uint32_t group, unsigned bucket)
{
    const struct dp_group *current = group_current(forwarding, group);

    if (!current)
        return -ENOENT;
    if (!current->table || bucket >= current->table->bucket_count)
        return -EINVAL;
    return current->table->buckets[bucket];
}

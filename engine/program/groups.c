/*
 *   buckets[hash] ──> group ──> group          chain of equal hash
 *   by_id[id]     ──> group                    every group that exists in the data plane
 *   down[]                                     next hops that are out of every group now
 *   sights        which VNets see a member otherwise, shared by the groups that have it (sights.h)
 */
#include "engine/program/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/resolve.h"
#include "engine/program/said.h"
#include "engine/program/sights.h"

#define BUCKET_COUNT 4096u /* chains stay short up to some ten thousand groups */

struct group {
    struct group *next;
    uint32_t id;
    uint32_t hash;
    uint32_t references;
    struct program_target target;
    bool compared; /* deviating is known, and a sight of each member held */
    uint32_t *deviating;
    size_t deviating_count;
    struct program_sight *sights[DP_GROUP_MEMBER_MAX];
};

struct program_groups {
    const struct program_ids *ids;
    const struct program_balancers *balancers;
    struct dp_forwarding *forwarding;
    struct program_sights *sights;
    struct group *buckets[BUCKET_COUNT];
    struct group **by_id;
    uint32_t id_capacity;
    size_t count;
    struct lpm_address *down;
    size_t down_count;
    struct program_said *said;    /* the program's */
    struct program_groups *other; /* that it takes the place of, or that take its own; NULL: none */
    /* The last question and its answer (id 0: none): neighbouring prefixes mostly have one next-hop
     * set, and resolving one is a search for every member. */
    struct {
        uint32_t vnet, id;
        struct fabric_row row;
    } last;
};

/* --- Configuration for the data plane --------------------------------------------------------- */

static size_t find_down(const struct program_groups *groups, const struct lpm_address *next_hop)
{
    size_t i = 0;
    while (i < groups->down_count && !lpm_address_equal(&groups->down[i], next_hop))
        i++;
    return i;
}

bool program_groups_is_down(const struct program_groups *groups, const struct lpm_address *next_hop)
{
    return find_down(groups, next_hop) < groups->down_count;
}

static bool is_in(const struct program_groups *groups, uint32_t id,
                  const struct program_target *target, const struct dp_member *member)
{
    if (program_said_state(groups->said, id, &member->next_hop) == PROGRAM_MEMBER_DOWN ||
        program_said_is_cut(groups->said, member->nic))
        return false;
    return !target->learned || !program_groups_is_down(groups, &member->next_hop);
}

/* id: of the group, 0 while it has none. members is the caller's room for those that are in. */
static struct dp_group_config configure(const struct program_groups *groups, uint32_t id,
                                        const struct program_target *target,
                                        struct dp_member members[DP_GROUP_MEMBER_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < target->member_count; i++)
        if (is_in(groups, id, target, &target->members[i])) {
            members[n] = target->members[i];
            members[n].draining =
                program_said_state(groups->said, id, &members[n].next_hop) == PROGRAM_MEMBER_DRAIN;
            n++;
        }
    return (struct dp_group_config){
        .kind = target->kind,
        .vnet = target->vnet,
        .peering = target->peering,
        .members = members,
        .member_count = n,
        .strict_balance = groups->ids->fabric->ecmp.strict,
        .patience = program_patience(groups->ids->fabric),
    };
}

/* --- Entries ---------------------------------------------------------------------------------- */

static struct group *find(const struct program_groups *groups, const struct program_target *target,
                          uint32_t hash)
{
    struct group *group = groups->buckets[hash % BUCKET_COUNT];
    while (group && (group->hash != hash || !program_target_equal(&group->target, target)))
        group = group->next;
    return group;
}

static int reserve_id(struct program_groups *groups, uint32_t id)
{
    if (id < groups->id_capacity)
        return 0;
    uint32_t capacity = groups->id_capacity ? groups->id_capacity : 64;
    while (capacity <= id)
        capacity *= 2;
    struct group **grown = realloc(groups->by_id, capacity * sizeof(struct group *));
    if (!grown)
        return -ENOMEM;
    memset(grown + groups->id_capacity, 0,
           (capacity - groups->id_capacity) * sizeof(struct group *));
    groups->by_id = grown;
    groups->id_capacity = capacity;
    return 0;
}

/* The id of the group of the data plane: that which the others have for the same target, or a new one. Who is down
 * and what was said is alike in both, and so is what the group would be made of. */
static int take_id(const struct program_groups *groups, const struct program_target *target,
                   uint32_t hash, uint32_t *id)
{
    const struct group *same = groups->other ? find(groups->other, target, hash) : NULL;
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    if (same) {
        *id = same->id;
        return 0;
    }
    struct dp_group_config config = configure(groups, 0, target, members);
    return dp_group_create(groups->forwarding, &config, id);
}

static void give_id_back(struct program_groups *groups, uint32_t id)
{
    if (groups->other && program_groups_target(groups->other, id))
        return;
    program_said_forget(groups->said, id);
    dp_group_destroy(groups->forwarding, id);
}

static int make(struct program_groups *groups, const struct program_target *target, uint32_t hash,
                struct group **made)
{
    struct group *group = calloc(1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    int error = take_id(groups, target, hash, &group->id);
    if (error)
        goto fail;
    error = reserve_id(groups, group->id);
    if (error) {
        give_id_back(groups, group->id);
        goto fail;
    }
    group->target = *target;
    group->hash = hash;
    group->next = groups->buckets[hash % BUCKET_COUNT];
    groups->buckets[hash % BUCKET_COUNT] = group;
    groups->by_id[group->id] = group;
    groups->count++;
    *made = group;
    return 0;
fail:
    free(group);
    return error;
}

static void release_sights(const struct program_groups *groups, struct group *group, unsigned n)
{
    while (n > 0)
        program_sights_release(groups->sights, group->sights[--n]);
}

static void discard(struct program_groups *groups, struct group *group)
{
    struct group **link = &groups->buckets[group->hash % BUCKET_COUNT];
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    groups->by_id[group->id] = NULL;
    groups->count--;
    if (groups->last.id == group->id)
        groups->last.id = LPM_NO_ROUTE;
    give_id_back(groups, group->id);
    release_sights(groups, group, group->compared ? group->target.member_count : 0);
    free(group->deviating);
    free(group);
}

/* --- References ------------------------------------------------------------------------------- */

/* Would the row lead to the group that was asked for last? */
static bool is_last(const struct program_groups *groups, uint32_t vnet,
                    const struct fabric_row *row)
{
    const struct fabric_row *last = &groups->last.row;
    if (groups->last.id == LPM_NO_ROUTE || groups->last.vnet != vnet ||
        last->source != row->source || last->type != row->type || last->vnet != row->vnet ||
        last->next_hop_count != row->next_hop_count)
        return false;
    for (unsigned i = 0; i < row->next_hop_count; i++)
        if (last->weights[i] != row->weights[i] ||
            !lpm_address_equal(&last->next_hops[i], &row->next_hops[i]))
            return false;
    return true;
}

static int find_or_make(struct program_groups *groups, uint32_t vnet, const struct fabric_row *row,
                        struct group **group)
{
    struct program_target target;
    program_resolve(groups->ids, groups->balancers, vnet, row, &target);
    uint32_t hash = program_target_hash(&target);
    *group = find(groups, &target, hash);
    return *group ? 0 : make(groups, &target, hash, group);
}

int program_groups_hold(struct program_groups *groups, uint32_t vnet, const struct fabric_row *row,
                        uint32_t *id)
{
    if (!is_last(groups, vnet, row)) {
        struct group *group;
        int error = find_or_make(groups, vnet, row, &group);
        if (error)
            return error;
        groups->last.vnet = vnet;
        groups->last.id = group->id;
        groups->last.row = *row;
    }
    *id = groups->last.id;
    groups->by_id[*id]->references++;
    return 0;
}

void program_groups_again(struct program_groups *groups, uint32_t id)
{
    if (id != LPM_NO_ROUTE)
        groups->by_id[id]->references++;
}

void program_groups_release(struct program_groups *groups, uint32_t id)
{
    if (id != LPM_NO_ROUTE && --groups->by_id[id]->references == 0)
        discard(groups, groups->by_id[id]);
}

size_t program_groups_count(const struct program_groups *groups)
{
    return groups->count;
}

uint32_t program_groups_references(const struct program_groups *groups, uint32_t id)
{
    return id < groups->id_capacity && groups->by_id[id] ? groups->by_id[id]->references : 0;
}

uint32_t program_groups_id_limit(const struct program_groups *groups)
{
    return groups->id_capacity;
}

void program_groups_recount_begin(struct program_groups *groups)
{
    for (uint32_t id = 0; id < groups->id_capacity; id++)
        if (groups->by_id[id])
            groups->by_id[id]->references = 0;
}

void program_groups_recount_end(struct program_groups *groups)
{
    for (uint32_t id = 0; id < groups->id_capacity; id++)
        if (groups->by_id[id] && groups->by_id[id]->references == 0)
            discard(groups, groups->by_id[id]);
}

/* --- Other points of view --------------------------------------------------------------------- */

static int compare_vnets(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Those that see any member otherwise. */
static int merge_sights(struct group *group)
{
    size_t n = 0, kept = 0;
    for (unsigned i = 0; i < group->target.member_count; i++)
        n += group->sights[i]->n;
    if (n == 0)
        return 0;
    uint32_t *vnets = malloc(n * sizeof(*vnets));
    if (!vnets)
        return -ENOMEM;
    n = 0;
    for (unsigned i = 0; i < group->target.member_count; i++) {
        const struct program_sight *sight = group->sights[i];
        memcpy(vnets + n, sight->vnets, sight->n * sizeof(*vnets));
        n += sight->n;
    }
    qsort(vnets, n, sizeof(*vnets), compare_vnets);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || vnets[i] != vnets[kept - 1])
            vnets[kept++] = vnets[i];
    group->deviating = vnets;
    group->deviating_count = kept;
    return 0;
}

static int compare_views(const struct program_groups *groups, struct group *group)
{
    unsigned held = 0;
    int error = 0;
    while (held < group->target.member_count && !error) {
        group->sights[held] = program_sights_hold(groups->sights, &group->target.members[held]);
        error = group->sights[held] ? 0 : -ENOMEM;
        held += !error;
    }
    if (!error)
        error = merge_sights(group);
    if (error)
        release_sights(groups, group, held);
    group->compared = !error;
    return error;
}

int program_groups_deviating(struct program_groups *groups, uint32_t id, const uint32_t **vnets,
                             size_t *n)
{
    *n = 0;
    if (id == LPM_NO_ROUTE)
        return 0;
    struct group *group = groups->by_id[id];
    int error = group->compared ? 0 : compare_views(groups, group);
    *vnets = group->deviating;
    *n = error ? 0 : group->deviating_count;
    return error;
}

/* --- Next hops that come and go --------------------------------------------------------------- */

static bool has_member(const struct group *group, const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < group->target.member_count; i++)
        if (lpm_address_equal(&group->target.members[i].next_hop, next_hop))
            return true;
    return false;
}

static int set_down(struct program_groups *groups, const struct lpm_address *next_hop, bool down)
{
    size_t at = find_down(groups, next_hop);
    if (!down && at < groups->down_count) {
        groups->down[at] = groups->down[--groups->down_count];
    } else if (down && at == groups->down_count) {
        void *grown = realloc(groups->down, (at + 1) * sizeof(*groups->down));
        if (!grown)
            return -ENOMEM;
        groups->down = grown;
        groups->down[groups->down_count++] = *next_hop;
    }
    return 0;
}

static int swap(struct program_groups *groups, const struct group *group)
{
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    struct dp_group_config config = configure(groups, group->id, &group->target, members);
    return dp_group_replace(groups->forwarding, group->id, &config);
}

/* Returns how many, or -errno. */
static int swap_all(struct program_groups *groups, const struct lpm_address *next_hop,
                    bool learned_only)
{
    int swapped = 0;
    int error = 0;
    for (uint32_t id = 0; id < groups->id_capacity && !error; id++) {
        const struct group *group = groups->by_id[id];
        if (!group || (learned_only && !group->target.learned) || !has_member(group, next_hop))
            continue;
        error = swap(groups, group);
        swapped++;
    }
    return error ? error : swapped;
}

int program_groups_next_hop(struct program_groups *groups, const struct lpm_address *next_hop,
                            bool up)
{
    int error = set_down(groups, next_hop, !up);
    return error ? error : swap_all(groups, next_hop, true);
}

static bool has_nic(const struct group *group, program_nic_test *is_one, const void *context)
{
    for (unsigned i = 0; i < group->target.member_count; i++)
        if (is_one(context, group->target.members[i].nic))
            return true;
    return false;
}

int program_groups_cut(struct program_groups *groups, program_nic_test *is_one, const void *context)
{
    int swapped = 0;
    int error = 0;
    for (uint32_t id = 0; id < groups->id_capacity && !error; id++) {
        const struct group *group = groups->by_id[id];
        if (!group || !has_nic(group, is_one, context))
            continue;
        error = swap(groups, group);
        swapped++;
    }
    return error ? error : swapped;
}

int program_groups_said(struct program_groups *groups, uint32_t id,
                        const struct lpm_address *next_hop)
{
    if (id == 0)
        return swap_all(groups, next_hop, false);
    const struct group *group = id < groups->id_capacity ? groups->by_id[id] : NULL;
    if (!group || !has_member(group, next_hop))
        return group ? -ESRCH : -ENOENT;
    int error = swap(groups, group);
    return error ? error : 1;
}

const struct program_target *program_groups_target(const struct program_groups *groups, uint32_t id)
{
    return id < groups->id_capacity && groups->by_id[id] ? &groups->by_id[id]->target : NULL;
}

/* --- Life and checks -------------------------------------------------------------------------- */

static int pair(struct program_groups *groups, struct program_groups *other)
{
    int error = 0;
    for (size_t i = 0; i < other->down_count && !error; i++)
        error = set_down(groups, &other->down[i], true);
    if (error)
        return error;
    groups->other = other;
    other->other = groups;
    return 0;
}

struct program_groups *program_groups_create(const struct program_ids *ids,
                                             const struct program_balancers *balancers,
                                             struct dp_forwarding *forwarding,
                                             struct program_said *said,
                                             struct program_groups *other)
{
    struct program_groups *groups = calloc(1, sizeof(*groups));
    if (!groups)
        return NULL;
    groups->ids = ids;
    groups->balancers = balancers;
    groups->forwarding = forwarding;
    groups->said = said;
    groups->sights = program_sights_create(ids, balancers);
    if (groups->sights && (!other || pair(groups, other) == 0))
        return groups;
    program_groups_destroy(groups);
    return NULL;
}

void program_groups_destroy(struct program_groups *groups)
{
    if (!groups)
        return;
    program_groups_recount_begin(groups);
    program_groups_recount_end(groups);
    if (groups->other)
        groups->other->other = NULL;
    program_sights_destroy(groups->sights);
    free(groups->by_id);
    free(groups->down);
    free(groups);
}

/* Members of the data plane stand in the order of addresses, as rows have them. */
bool program_groups_matches(const struct program_groups *groups, uint32_t vnet,
                            const struct fabric_row *row, uint32_t group)
{
    struct program_target target;
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    struct dp_group_info info;
    program_resolve(groups->ids, groups->balancers, vnet, row, &target);
    struct dp_group_config config = configure(groups, group, &target, members);
    if (dp_group_info(groups->forwarding, group, &info) != 0 || info.kind != config.kind ||
        (config.kind == DP_GROUP_VNET && info.vnet != config.vnet) ||
        (config.kind == DP_GROUP_MEMBERS && info.member_count != config.member_count))
        return false;
    for (unsigned i = 0; config.kind == DP_GROUP_MEMBERS && i < config.member_count; i++)
        if (!lpm_address_equal(&info.members[i].next_hop, &members[i].next_hop) ||
            info.members[i].nic != members[i].nic || info.members[i].group != members[i].group ||
            info.members[i].weight != members[i].weight ||
            info.members[i].peering != members[i].peering)
            return false;
    return true;
}

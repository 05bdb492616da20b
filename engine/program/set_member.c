/*
 * The members of groups, for operators: who is in, why others are not, and taking one out by hand.
 */
#include <errno.h>
#include <string.h>

#include "engine/program/internal.h"
#include "engine/program/resolve.h"

const char *program_member_state_text(enum program_member_state state)
{
    static const char *const texts[] = {[PROGRAM_MEMBER_UP] = "up",
                                        [PROGRAM_MEMBER_DOWN] = "down",
                                        [PROGRAM_MEMBER_DRAIN] = "drain"};
    return texts[state];
}

/* -ENOENT and -ESRCH when the answer of neither kind of group is better. */
static int swap(struct program *program, uint32_t group, const struct lpm_address *next_hop)
{
    int of_balancers = program_balancers_said(program->balancers, group, next_hop);
    if (group != 0 && of_balancers != -ENOENT)
        return of_balancers;
    if (group == 0 && of_balancers < 0)
        return of_balancers;
    int of_groups = program_groups_said(program->groups, group, next_hop);
    return of_groups < 0 || group != 0 ? of_groups : of_groups + of_balancers;
}

/* Is it there at all? Asked first, so that nothing is kept of a word about nobody. */
static int find(const struct program *program, uint32_t group, const struct lpm_address *next_hop)
{
    struct program_group found;
    if (group == 0)
        return 0;
    if (!program_group(program, group, &found))
        return -ENOENT;
    for (unsigned i = 0; i < found.member_count; i++)
        if (lpm_address_equal(&found.members[i].next_hop, next_hop))
            return 0;
    return -ESRCH;
}

int program_set_member(struct program *program, uint32_t group, const struct lpm_address *next_hop,
                       enum program_member_state state)
{
    int error = find(program, group, next_hop);
    if (!error)
        error = program_said_set(program->said, group, next_hop, state);
    return error ? error : swap(program, group, next_hop);
}

unsigned program_tick(struct program *program, uint64_t now_ms)
{
    return dp_groups_tick(program->forwarding, now_ms);
}

/* --- Questions -------------------------------------------------------------------------------- */

uint32_t program_group_limit(const struct program *program)
{
    uint32_t limit = program_groups_id_limit(program->groups);
    for (uint32_t i = 0; i < program->fabric->load_balancers_count; i++) {
        uint32_t group = program_balancers_group(program->balancers, i);
        if (group >= limit)
            limit = group + 1;
    }
    return limit;
}

/* What both kinds of groups have alike. */
static void fill_member(const struct program *program, uint32_t id, const struct dp_member *model,
                        bool up, const struct dp_group_info *info, struct program_member *member)
{
    *member = (struct program_member){
        .next_hop = model->next_hop,
        .nic = model->nic ? program_nic_of(program, model->nic) : FABRIC_NONE,
        .balancer =
            model->group ? program_balancers_find(program->balancers, model->group) : FABRIC_NONE,
        .weight = model->weight ? model->weight : 1,
        .up = up,
        .cut = program_said_is_cut(program->said, model->nic),
        .said = program_said_state(program->said, id, &model->next_hop),
    };
    for (unsigned i = 0; i < info->member_count; i++)
        if (lpm_address_equal(&info->members[i].next_hop, &model->next_hop)) {
            member->buckets = info->buckets[i];
            member->wanted = info->wanted[i];
        }
    dp_counters_member(program->forwarding, id, &model->next_hop, &member->counters);
}

static void fill_backends(const struct program *program, uint32_t id, uint32_t balancer,
                          const struct dp_group_info *info, struct program_group *group)
{
    const struct fabric_load_balancer *model = &program->fabric->load_balancers[balancer];
    for (uint32_t i = 0; i < model->backend_count && group->member_count < DP_GROUP_MEMBER_MAX;
         i++) {
        const struct lpm_address *address =
            program_balancers_address(program->balancers, balancer, i);
        if (!address)
            continue;
        const struct dp_member member = {.next_hop = *address,
                                         .nic = program_nic_id(program, model->backends[i])};
        fill_member(program, id, &member, program_backend_is_up(program, balancer, i), info,
                    &group->members[group->member_count++]);
    }
}

bool program_group(const struct program *program, uint32_t id, struct program_group *group)
{
    const struct program_target *target = program_groups_target(program->groups, id);
    uint32_t balancer =
        target || id == 0 ? FABRIC_NONE : program_balancers_find(program->balancers, id);
    struct dp_group_info info;
    memset(group, 0, sizeof(*group));
    if ((!target && balancer == FABRIC_NONE) || dp_group_info(program->forwarding, id, &info) != 0)
        return false;
    group->kind = info.kind;
    group->bucket_count = info.bucket_count;
    group->balancer = balancer;
    group->vnet =
        info.kind == DP_GROUP_VNET ? program_ids_vnet_of(program->ids, info.vnet) : FABRIC_NONE;
    if (!target) {
        group->vnet = program->fabric->load_balancers[balancer].vnet;
        fill_backends(program, id, balancer, &info, group);
        return true;
    }
    group->learned = target->learned;
    group->references = program_groups_references(program->groups, id);
    for (unsigned i = 0; i < target->member_count; i++) {
        const struct lpm_address *next_hop = &target->members[i].next_hop;
        bool up = !target->learned || !program_groups_is_down(program->groups, next_hop);
        fill_member(program, id, &target->members[i], up, &info,
                    &group->members[group->member_count++]);
    }
    return true;
}

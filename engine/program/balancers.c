/*
 *   balancers[] ── group id, up[] by backend
 */
#include "engine/program/balancers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/program/said.h"

struct balancer {
    uint32_t group; /* LPM_NO_ROUTE: not made yet */
    bool *up;
};

struct program_balancers {
    const struct program_ids *ids;
    struct dp_forwarding *forwarding;
    struct balancer *items;          /* as fabric.load_balancers */
    struct program_said *said;       /* the program's */
    struct program_balancers *other; /* whose place it takes, or who takes its own; NULL: none */
};

static bool is_in(const struct program_balancers *balancers, uint32_t balancer, uint32_t backend,
                  const struct lpm_address *identity)
{
    const struct balancer *item = &balancers->items[balancer];
    const struct program_said *said = balancers->said;
    uint32_t nic = balancers->ids->fabric->load_balancers[balancer].backends[backend];
    return item->up[backend] &&
           program_said_state(said, item->group, identity) != PROGRAM_MEMBER_DOWN &&
           !program_said_is_cut(said, balancers->ids->nics[nic]);
}

static bool is_draining(const struct program_balancers *balancers, uint32_t balancer,
                        const struct lpm_address *identity)
{
    return program_said_state(balancers->said, balancers->items[balancer].group, identity) ==
           PROGRAM_MEMBER_DRAIN;
}

/* Those that are up, each by an address of the frontend's family (the validated file gives every one such); members is the caller's room. Backends beyond that room are refused by the
 * file's checks. */
static struct dp_group_config configure(const struct program_balancers *balancers,
                                        uint32_t balancer,
                                        struct dp_member members[DP_GROUP_MEMBER_MAX])
{
    const struct fabric *fabric = balancers->ids->fabric;
    const struct fabric_load_balancer *model = &fabric->load_balancers[balancer];
    unsigned n = 0;
    for (uint32_t i = 0; i < model->backend_count && n < DP_GROUP_MEMBER_MAX; i++) {
        const struct lpm_address *identity =
            fabric_nic_address(&fabric->nics[model->backends[i]], model->frontend.family);
        if (identity && is_in(balancers, balancer, i, identity))
            members[n++] =
                (struct dp_member){.next_hop = *identity,
                                   .nic = balancers->ids->nics[model->backends[i]],
                                   .weight = 1,
                                   .draining = is_draining(balancers, balancer, identity)};
    }
    return (struct dp_group_config){.kind = DP_GROUP_MEMBERS,
                                    .members = members,
                                    .member_count = n,
                                    .strict_balance = fabric->ecmp.strict,
                                    .patience = program_patience(fabric)};
}

/* The load balancer of this name among the others; NULL: none. */
static const struct balancer *find_other(const struct program_balancers *balancers, uint32_t index,
                                         const struct fabric_load_balancer **model)
{
    const struct program_balancers *other = balancers->other;
    const struct fabric *fabric = other ? other->ids->fabric : NULL;
    const char *name = balancers->ids->fabric->load_balancers[index].name;
    for (uint32_t i = 0; fabric && i < fabric->load_balancers_count; i++)
        if (strcmp(fabric->load_balancers[i].name, name) == 0) {
            *model = &fabric->load_balancers[i];
            return &other->items[i];
        }
    return NULL;
}

/* Which of the other's backends is this one? FABRIC_NONE: none. */
static uint32_t find_backend(const struct program_balancers *balancers,
                             const struct fabric_load_balancer *model, uint32_t nic_id)
{
    const struct program_ids *ids = balancers->other->ids;
    for (uint32_t i = 0; i < model->backend_count; i++)
        if (ids->nics[model->backends[i]] == nic_id)
            return i;
    return FABRIC_NONE;
}

/* What is known of the backends, and the group itself where they are the same, by the same addresses. */
static void take_after(struct program_balancers *balancers, uint32_t index)
{
    const struct program_ids *ids = balancers->ids;
    const struct fabric_load_balancer *model = &ids->fabric->load_balancers[index], *was;
    const struct balancer *other = find_other(balancers, index, &was);
    if (!other)
        return;
    bool same = was->backend_count == model->backend_count;
    for (uint32_t i = 0; i < model->backend_count; i++) {
        uint32_t at = find_backend(balancers, was, ids->nics[model->backends[i]]);
        if (at != FABRIC_NONE)
            balancers->items[index].up[i] = other->up[at];
        const struct lpm_address *now =
            fabric_nic_address(&ids->fabric->nics[model->backends[i]], model->frontend.family);
        const struct lpm_address *before =
            at == FABRIC_NONE
                ? NULL
                : fabric_nic_address(&balancers->other->ids->fabric->nics[was->backends[at]],
                                     was->frontend.family);
        same &= now && before && lpm_address_equal(now, before);
    }
    if (same)
        balancers->items[index].group = other->group;
}

static int open_balancer(struct program_balancers *balancers, uint32_t index)
{
    const struct fabric_load_balancer *model = &balancers->ids->fabric->load_balancers[index];
    struct balancer *balancer = &balancers->items[index];
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    balancer->up = calloc((size_t)model->backend_count + 1, sizeof(*balancer->up));
    if (!balancer->up)
        return -ENOMEM;
    for (uint32_t i = 0; i < model->backend_count; i++)
        balancer->up[i] = true;
    if (balancers->other)
        take_after(balancers, index);
    if (balancer->group != LPM_NO_ROUTE)
        return 0;
    struct dp_group_config config = configure(balancers, index, members);
    return dp_group_create(balancers->forwarding, &config, &balancer->group);
}

struct program_balancers *program_balancers_create(const struct program_ids *ids,
                                                   struct dp_forwarding *forwarding,
                                                   struct program_said *said,
                                                   struct program_balancers *other)
{
    const struct fabric *fabric = ids->fabric;
    struct program_balancers *balancers = calloc(1, sizeof(*balancers));
    if (!balancers)
        return NULL;
    balancers->ids = ids;
    balancers->forwarding = forwarding;
    balancers->said = said;
    balancers->other = other;
    if (other)
        other->other = balancers;
    balancers->items = calloc((size_t)fabric->load_balancers_count + 1, sizeof(*balancers->items));
    int error = balancers->items ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < fabric->load_balancers_count && !error; i++)
        error = open_balancer(balancers, i);
    if (!error)
        return balancers;
    program_balancers_destroy(balancers);
    errno = -error;
    return NULL;
}

static void give_group_back(const struct program_balancers *balancers, uint32_t group)
{
    if (group == LPM_NO_ROUTE ||
        (balancers->other && program_balancers_find(balancers->other, group) != FABRIC_NONE))
        return;
    program_said_forget(balancers->said, group);
    dp_group_destroy(balancers->forwarding, group);
}

void program_balancers_destroy(struct program_balancers *balancers)
{
    if (!balancers)
        return;
    for (uint32_t i = 0; balancers->items && i < balancers->ids->fabric->load_balancers_count;
         i++) {
        give_group_back(balancers, balancers->items[i].group);
        free(balancers->items[i].up);
    }
    if (balancers->other)
        balancers->other->other = NULL;
    free(balancers->items);
    free(balancers);
}

uint32_t program_balancers_group(const struct program_balancers *balancers, uint32_t balancer)
{
    return balancers->items[balancer].group;
}

bool program_balancers_is_up(const struct program_balancers *balancers, uint32_t balancer,
                             uint32_t backend)
{
    return balancers->items[balancer].up[backend];
}

int program_balancers_set(struct program_balancers *balancers, uint32_t balancer, uint32_t backend,
                          bool up)
{
    struct balancer *item = &balancers->items[balancer];
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    if (item->up[backend] == up)
        return 0;
    item->up[backend] = up;
    struct dp_group_config config = configure(balancers, balancer, members);
    int error = dp_group_replace(balancers->forwarding, item->group, &config);
    if (error)
        item->up[backend] = !up;
    return error ? error : 1;
}

static bool has_member(const struct dp_group_info *info, const struct dp_member *member)
{
    for (unsigned i = 0; i < info->member_count; i++)
        if (lpm_address_equal(&info->members[i].next_hop, &member->next_hop))
            return info->members[i].nic == member->nic && info->members[i].group == 0;
    return false;
}

bool program_balancers_match(const struct program_balancers *balancers, uint32_t balancer)
{
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    struct dp_group_info info;
    struct dp_group_config config = configure(balancers, balancer, members);
    if (dp_group_info(balancers->forwarding, balancers->items[balancer].group, &info) != 0 ||
        info.kind != DP_GROUP_MEMBERS || info.member_count != config.member_count)
        return false;
    for (unsigned i = 0; i < config.member_count; i++)
        if (!has_member(&info, &members[i]))
            return false;
    return true;
}

/* --- What operators say ----------------------------------------------------------------------- */

const struct lpm_address *program_balancers_address(const struct program_balancers *balancers,
                                                    uint32_t balancer, uint32_t backend)
{
    const struct fabric_load_balancer *model = &balancers->ids->fabric->load_balancers[balancer];
    return fabric_nic_address(&balancers->ids->fabric->nics[model->backends[backend]],
                              model->frontend.family);
}

uint32_t program_balancers_find(const struct program_balancers *balancers, uint32_t group)
{
    for (uint32_t i = 0; i < balancers->ids->fabric->load_balancers_count; i++)
        if (balancers->items[i].group == group)
            return i;
    return FABRIC_NONE;
}

static bool has_backend(const struct program_balancers *balancers, uint32_t balancer,
                        const struct lpm_address *next_hop)
{
    for (uint32_t i = 0; i < balancers->ids->fabric->load_balancers[balancer].backend_count; i++) {
        const struct lpm_address *identity = program_balancers_address(balancers, balancer, i);
        if (identity && lpm_address_equal(identity, next_hop))
            return true;
    }
    return false;
}

static int swap(struct program_balancers *balancers, uint32_t balancer)
{
    struct dp_member members[DP_GROUP_MEMBER_MAX];
    struct dp_group_config config = configure(balancers, balancer, members);
    return dp_group_replace(balancers->forwarding, balancers->items[balancer].group, &config);
}

int program_balancers_said(struct program_balancers *balancers, uint32_t group,
                           const struct lpm_address *next_hop)
{
    int swapped = 0, error = 0;
    if (group != 0) {
        uint32_t balancer = program_balancers_find(balancers, group);
        if (balancer == FABRIC_NONE)
            return -ENOENT;
        if (!has_backend(balancers, balancer, next_hop))
            return -ESRCH;
        error = swap(balancers, balancer);
        return error ? error : 1;
    }
    for (uint32_t i = 0; i < balancers->ids->fabric->load_balancers_count && !error; i++) {
        if (!has_backend(balancers, i, next_hop))
            continue;
        error = swap(balancers, i);
        swapped++;
    }
    return error ? error : swapped;
}

/* --- Ports that go down ----------------------------------------------------------------------- */

static bool has_nic(const struct program_ids *ids, uint32_t balancer, program_nic_test *is_one,
                    const void *context)
{
    const struct fabric_load_balancer *model = &ids->fabric->load_balancers[balancer];
    for (uint32_t i = 0; i < model->backend_count; i++)
        if (is_one(context, ids->nics[model->backends[i]]))
            return true;
    return false;
}

int program_balancers_cut(struct program_balancers *balancers, program_nic_test *is_one,
                          const void *context)
{
    int swapped = 0, error = 0;
    for (uint32_t i = 0; i < balancers->ids->fabric->load_balancers_count && !error; i++) {
        if (!has_nic(balancers->ids, i, is_one, context))
            continue;
        error = swap(balancers, i);
        swapped++;
    }
    return error ? error : swapped;
}

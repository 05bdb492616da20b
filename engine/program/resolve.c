/*
 * Resolution is relative to the sender's VNet: one next hop address may be a NIC for one VNet and
 * unreachable, or behind a peering with other options, for the next.
 */
#include "engine/program/resolve.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* What the peering from vnet to other forbids. Access is off when either side has it off; packets
 * with a foreign source are for the receiving VNet to allow, unless they come from gateways that it
 * uses. */
static uint8_t peering_bits(const struct fabric *fabric, uint32_t vnet, uint32_t other)
{
    const struct fabric_peering *peering;
    unsigned side;
    if (vnet == other || !fabric_peering_between(fabric, vnet, other, &peering, &side))
        return 0;
    uint8_t bits = 0;
    if (!peering->sides[0].allow_virtual_network_access ||
        !peering->sides[1].allow_virtual_network_access)
        bits |= DP_PEERING_NO_ACCESS;
    if (!peering->sides[!side].allow_forwarded_traffic)
        bits |= DP_PEERING_NO_FORWARDED;
    if (bits && peering->sides[!side].use_remote_gateways &&
        peering->sides[side].allow_gateway_transit)
        bits |= DP_PEERING_GATEWAYS;
    return bits;
}

/* Nothing is routed over a peering that is out of sync, so its far side is out of reach. */
static bool reaches(const struct fabric *fabric, uint32_t vnet, uint32_t other)
{
    const struct fabric_peering *peering;
    unsigned side;
    return vnet == other ||
           (fabric_peering_between(fabric, vnet, other, &peering, &side) && peering->in_sync);
}

/* What no NIC and no frontend in reach has stays a member, unreachable. */
static struct dp_member resolve_member(const struct program_ids *ids,
                                       const struct program_balancers *balancers, uint32_t vnet,
                                       const struct lpm_address *next_hop)
{
    const struct fabric *fabric = ids->fabric;
    struct dp_member member = {.next_hop = *next_hop, .weight = 1};
    uint32_t nic = fabric_resolve_address(fabric, vnet, next_hop);
    uint32_t balancer =
        nic == FABRIC_NONE ? fabric_resolve_frontend(fabric, vnet, next_hop) : FABRIC_NONE;
    if (nic == FABRIC_NONE && balancer == FABRIC_NONE)
        return member;
    uint32_t home =
        nic != FABRIC_NONE ? fabric->nics[nic].vnet : fabric->load_balancers[balancer].vnet;
    if (!reaches(fabric, vnet, home))
        return member;
    if (nic != FABRIC_NONE)
        member.nic = ids->nics[fabric_nic_attached(fabric, nic)];
    else
        member.group = program_balancers_group(balancers, balancer);
    member.peering = peering_bits(fabric, vnet, home);
    return member;
}

static void resolve_members(const struct program_ids *ids,
                            const struct program_balancers *balancers, uint32_t vnet,
                            const struct fabric_row *row, struct program_target *target)
{
    target->kind = DP_GROUP_MEMBERS;
    target->learned = row->source == FABRIC_SOURCE_BGP;
    target->member_count = row->next_hop_count;
    for (unsigned i = 0; i < row->next_hop_count; i++) {
        target->members[i] = resolve_member(ids, balancers, vnet, &row->next_hops[i]);
        if (row->weights[i] > 0)
            target->members[i].weight = row->weights[i];
    }
}

void program_resolve(const struct program_ids *ids, const struct program_balancers *balancers,
                     uint32_t vnet, const struct fabric_row *row, struct program_target *target)
{
    target->kind = DP_GROUP_NULL;
    target->learned = false;
    target->peering = 0;
    target->vnet = 0;
    target->member_count = 0;
    switch (row->type) {
    case FABRIC_VNET_LOCAL:
    case FABRIC_VNET_PEERING:
    case FABRIC_VNET_GLOBAL_PEERING:
        target->kind = DP_GROUP_VNET;
        target->vnet = ids->vnets[row->vnet];
        target->peering = peering_bits(ids->fabric, vnet, row->vnet);
        break;
    case FABRIC_INTERNET:
    case FABRIC_SERVICE_ENDPOINT: /* services are public: the way to them is that to the Internet */
        target->kind = DP_GROUP_INTERNET;
        break;
    case FABRIC_NULL:
        break;
    case FABRIC_VIRTUAL_APPLIANCE:
    case FABRIC_VIRTUAL_NETWORK_GATEWAY: /* a user's has none where no VPN gateway serves the VNet: no-member */
        resolve_members(ids, balancers, vnet, row, target);
        break;
    }
}

static bool members_equal(const struct dp_member *a, const struct dp_member *b)
{
    return a->nic == b->nic && a->group == b->group && a->peering == b->peering &&
           a->weight == b->weight && lpm_address_equal(&a->next_hop, &b->next_hop);
}

bool program_member_deviates(const struct program_ids *ids,
                             const struct program_balancers *balancers, uint32_t vnet,
                             const struct dp_member *member)
{
    struct dp_member seen = resolve_member(ids, balancers, vnet, &member->next_hop);
    return seen.nic != member->nic || seen.group != member->group ||
           seen.peering != member->peering;
}

bool program_target_equal(const struct program_target *a, const struct program_target *b)
{
    if (a->kind != b->kind || a->learned != b->learned || a->peering != b->peering ||
        a->vnet != b->vnet || a->member_count != b->member_count)
        return false;
    for (unsigned i = 0; i < a->member_count; i++)
        if (!members_equal(&a->members[i], &b->members[i]))
            return false;
    return true;
}

uint32_t program_target_hash(const struct program_target *target)
{
    uint32_t fields[] = {target->kind, target->learned, target->peering, target->vnet};
    uint32_t hash = XXH32(fields, sizeof(fields), target->member_count);
    for (unsigned i = 0; i < target->member_count; i++) {
        const struct dp_member *member = &target->members[i];
        hash = XXH32(member->next_hop.bytes, sizeof(member->next_hop.bytes), hash ^ member->nic);
    }
    return hash;
}

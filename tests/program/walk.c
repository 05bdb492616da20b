/* See walk.h. */
#include "tests/program/walk.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fabric/oracle.h"

struct walk {
    const struct lab *lab;
    const struct fabric *fabric;
    const struct fabric_nic *sender;
    const struct lpm_address *source, *destination;
    const struct lpm_address *down;
    size_t down_count;
    const struct dp_verdict *verdict;
};

static const char *expect_drop(const struct walk *walk, enum dp_reason reason)
{
    if (walk->verdict->action != DP_DROP)
        return "forwarded, must be dropped";
    return walk->verdict->reason == reason ? "" : "dropped for another reason";
}

static bool has(const struct fabric_nic *nic, const struct lpm_address *address)
{
    for (uint32_t i = 0; i < nic->addresses.n; i++)
        if (lpm_address_equal(&nic->addresses.items[i], address))
            return true;
    return false;
}

static uint32_t owner_in(const struct fabric *fabric, uint32_t vnet,
                         const struct lpm_address *address)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].vnet == vnet && has(&fabric->nics[i], address))
            return i;
    return FABRIC_NONE;
}

static const struct fabric_peering *peering_of(const struct fabric *fabric, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];
        if ((peering->vnets[0] == a && peering->vnets[1] == b) ||
            (peering->vnets[0] == b && peering->vnets[1] == a))
            return peering;
    }
    return NULL;
}

static bool in_space(const struct fabric *fabric, uint32_t vnet, const struct lpm_address *address)
{
    const struct fabric_prefixes *space = &fabric->vnets[vnet].space;
    for (uint32_t i = 0; i < space->n; i++)
        if (lpm_prefix_contains(&space->items[i], address))
            return true;
    return false;
}

/* The gate of the peering on the way, then the receiver's own check. */
static const char *expect_receiver(const struct walk *walk, uint32_t receiver)
{
    if (receiver == FABRIC_NONE)
        return expect_drop(walk, DP_REASON_NEXT_HOP_UNREACHABLE);
    uint32_t from = walk->sender->vnet, to = walk->fabric->nics[receiver].vnet;
    const struct fabric_peering *peering = from == to ? NULL : peering_of(walk->fabric, from, to);
    if (peering) {
        if (!peering->sides[0].allow_virtual_network_access ||
            !peering->sides[1].allow_virtual_network_access)
            return expect_drop(walk, DP_REASON_ACCESS_NOT_ALLOWED);
        if (!peering->sides[peering->vnets[1] == to].allow_forwarded_traffic &&
            !in_space(walk->fabric, from, walk->source))
            return expect_drop(walk, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED);
    }
    if (!has(&walk->fabric->nics[receiver], walk->destination) &&
        !walk->fabric->nics[receiver].ip_forwarding)
        return expect_drop(walk, DP_REASON_RECEIVER_NOT_FORWARDING);
    if (walk->verdict->action != DP_FORWARD)
        return "dropped, must be forwarded";
    if (walk->verdict->nic != program_nic_id(walk->lab->program, receiver))
        return "forwarded to another NIC";
    if (walk->verdict->self_loop != (&walk->fabric->nics[receiver] == walk->sender))
        return "self-loop told wrongly";
    return "";
}

/* Own VNet first, then directly peered ones that are in sync. */
static uint32_t resolve(const struct walk *walk, const struct lpm_address *next_hop)
{
    uint32_t found = owner_in(walk->fabric, walk->sender->vnet, next_hop);
    for (uint32_t vnet = 0; found == FABRIC_NONE && vnet < walk->fabric->vnets_count; vnet++) {
        const struct fabric_peering *peering = peering_of(walk->fabric, walk->sender->vnet, vnet);
        if (peering && peering->in_sync)
            found = owner_in(walk->fabric, vnet, next_hop);
    }
    return found;
}

static bool is_down(const struct walk *walk, const struct lpm_address *next_hop)
{
    for (size_t i = 0; i < walk->down_count; i++)
        if (lpm_address_equal(&walk->down[i], next_hop))
            return true;
    return false;
}

static const char *expect_member(const struct walk *walk, const struct fabric_row *row)
{
    bool learned = row->source == FABRIC_SOURCE_BGP;
    unsigned left = 0;
    for (unsigned i = 0; i < row->next_hop_count; i++)
        left += !learned || !is_down(walk, &row->next_hops[i]);
    if (left == 0)
        return expect_drop(walk, DP_REASON_NO_MEMBER);
    struct lpm_address chosen;
    if (!dp_next_hop_address(walk->lab->forwarding, walk->verdict->next_hop, &chosen))
        return "no next hop was chosen";
    if (learned && is_down(walk, &chosen))
        return "the chosen next hop is down";
    for (unsigned i = 0; i < row->next_hop_count; i++)
        if (lpm_address_equal(&row->next_hops[i], &chosen))
            return expect_receiver(walk, resolve(walk, &chosen));
    return "the chosen next hop is not of the row";
}

static const char *expect_row(const struct walk *walk, const struct fabric_row *row)
{
    switch (row->type) {
    case FABRIC_VNET_LOCAL:
    case FABRIC_VNET_PEERING:
    case FABRIC_VNET_GLOBAL_PEERING:
        return expect_receiver(walk, owner_in(walk->fabric, row->vnet, walk->destination));
    case FABRIC_INTERNET:
    case FABRIC_SERVICE_ENDPOINT:
        if (walk->verdict->action != DP_FORWARD)
            return "dropped, must go to the Internet";
        return walk->verdict->nic == DP_NIC_INTERNET ? "" : "must go to the Internet";
    case FABRIC_NULL:
        return expect_drop(walk, DP_REASON_NULL_ROUTE);
    case FABRIC_VIRTUAL_APPLIANCE:
    case FABRIC_VIRTUAL_NETWORK_GATEWAY:
        break;
    }
    return expect_member(walk, row);
}

const char *walk_check(const struct lab *lab, uint32_t nic, const struct lpm_address *source,
                       const struct lpm_address *destination, const struct lpm_address *down,
                       size_t down_count, const struct dp_verdict *verdict)
{
    struct walk walk = {.lab = lab,
                        .fabric = &lab->world->fabric,
                        .sender = &lab->world->fabric.nics[nic],
                        .source = source,
                        .destination = destination,
                        .down = down,
                        .down_count = down_count,
                        .verdict = verdict};
    if (!walk.sender->ip_forwarding && !has(walk.sender, source))
        return expect_drop(&walk, DP_REASON_SOURCE_CHECK);
    size_t n;
    struct fabric_row *rows = oracle_rows(lab->world, nic, &n);
    const struct fabric_row *row = oracle_lookup(rows, n, destination);
    const char *wrong = row ? expect_row(&walk, row) : expect_drop(&walk, DP_REASON_NO_ROUTE);
    free(rows);
    return wrong;
}

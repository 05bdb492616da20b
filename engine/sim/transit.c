/*
 * A gateway's step: between the fabric, where its instance is a NIC, and the boxes that it has sessions
 * with. It goes by its speaker's routes, and leaves the TTL alone: nobody sees it in a traceroute.
 */
#include <string.h>

#include "engine/fabric/gateway.h"
#include "engine/sim/walk.h"

enum transit_way { TRANSIT_FABRIC, TRANSIT_BRANCH, TRANSIT_ROUTER };

struct transit {
    enum transit_way way;
    uint32_t router;
    struct lpm_prefix prefix;
    struct lpm_address next_hop;
    bool spread;
};

static bool has_prefix(const struct fabric_prefixes *prefixes, const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < prefixes->n; i++)
        if (lpm_prefix_equal(&prefixes->items[i], prefix))
            return true;
    return false;
}

/* A branch without BGP, or machines that dial in: nothing of them is modelled but their addresses. */
static bool is_branch(const struct fabric_gateway *gateway, const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < gateway->static_branch_count; i++)
        if (has_prefix(&gateway->static_branches[i].prefixes, prefix))
            return true;
    return has_prefix(&gateway->point_to_site, prefix);
}

static unsigned choose(const struct walk *walk, uint32_t nic, unsigned n)
{
    const struct path_finder *finder = walk->finder;
    const uint32_t salt = finder->fabric->routers_count + nic + 1;
    return dp_flow_hash(&walk->packet, finder->fabric->ecmp.hash_fields, salt) % n;
}

/* What the gateway has at this very prefix. */
static bool look_at(const struct walk *walk, uint32_t nic, const struct lpm_prefix *prefix,
                    struct transit *transit)
{
    const struct path_finder *finder = walk->finder;
    const uint32_t gateway = fabric_nic_gateway(finder->fabric, nic);
    const struct speaker *speaker = controller_gateway_speaker(finder->controller, gateway);
    struct rib_choice choice;
    transit->prefix = *prefix;
    if (is_branch(&finder->fabric->gateways[gateway], prefix)) {
        transit->way = TRANSIT_BRANCH;
        return true;
    }
    if (!speaker_learned_choice(speaker, prefix, &choice))
        return speaker_originates(speaker, prefix);
    const struct rib_path *path = &choice.paths[choice.n > 1 ? choose(walk, nic, choice.n) : 0];
    const struct controller_peer *peer = speaker_peer_user(path->peer);
    if (peer->link)
        return true;
    transit->router = fabric_gateway_neighbor(finder->fabric, gateway, peer->index).router;
    transit->way = transit->router == FABRIC_NONE ? TRANSIT_BRANCH : TRANSIT_ROUTER;
    transit->next_hop = path->next_hop;
    transit->spread = choice.n > 1;
    return true;
}

static void look_up(const struct walk *walk, uint32_t nic, struct transit *transit)
{
    struct lpm_prefix prefix = {.family = walk->packet.family};
    for (int length = walk->packet.family == LPM_IPV4 ? 32 : 128; length >= 0; length--) {
        memcpy(prefix.bytes, walk->packet.destination, sizeof(prefix.bytes));
        prefix.length = (uint8_t)length;
        lpm_prefix_mask(&prefix);
        *transit = (struct transit){.way = TRANSIT_FABRIC};
        if (look_at(walk, nic, &prefix, transit))
            return;
    }
}

int walk_transit(struct walk *walk, uint32_t nic)
{
    struct transit transit;
    look_up(walk, nic, &transit);
    if (transit.way == TRANSIT_FABRIC) {
        walk->at = nic;
        return 1;
    }
    if (transit.way == TRANSIT_BRANCH) {
        walk_end(walk, PATH_DELIVERED, NULL, nic);
        return 0;
    }
    const struct path_hop hop = {
        .nic = nic,
        .place = nic,
        .router = FABRIC_NONE,
        .tunnel = FABRIC_NONE,
        .prefix = transit.prefix,
        .source = GUEST_BGP,
        .next_hop = transit.next_hop,
        .spread = transit.spread,
        .depth = walk->depth,
    };
    if (!walk_add(walk, &hop))
        return 0;
    walk->at = place_of_router(walk->finder->fabric, transit.router);
    return 1;
}

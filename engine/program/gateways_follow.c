/*
 * Gateways and their neighbors, when another reading of the fabric takes the place of the one that runs.
 *
 *   a gateway of both readings keeps its speaker and its links with the route server
 *   a neighbor of both keeps its sessions
 *   what goes says so (Cease / Peer De-configured) and is kept out of sight: its words are under way, and speakers
 *   cannot lose peers
 *
 * A gateway with another AS number or other addresses is another gateway.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/program/gateways_private.h"

/* What will be in force, and what of it is new: that goes again when something fails. */
struct coming {
    struct gateways *gateways;
    const struct fabric *with;
    struct speaker **speakers;
    struct controller_link **links;
    struct controller_peer **peers;
    uint32_t *peer_indices, *peer_gateways, *link_gateways;
    size_t link_count, peer_count;
    bool *is_new; /* by gateway */
};

/* --- Alike ------------------------------------------------------------------------------------ */

static bool same_gateway(const struct fabric *a, uint32_t i, const struct fabric *b, uint32_t j)
{
    const struct fabric_gateway *x = &a->gateways[i], *y = &b->gateways[j];
    bool same = strcmp(x->name, y->name) == 0 && x->vpn == y->vpn && x->asn == y->asn &&
                strcmp(a->vnets[x->vnet].name, b->vnets[y->vnet].name) == 0 &&
                x->default_route == y->default_route &&
                x->point_to_site_transit == y->point_to_site_transit &&
                x->addresses.n == y->addresses.n;
    for (uint32_t k = 0; same && k < x->addresses.n; k++)
        same = lpm_address_equal(&x->addresses.items[k], &y->addresses.items[k]);
    return same;
}

static uint32_t former_of(const struct coming *coming, uint32_t gateway)
{
    const struct fabric *before = coming->gateways->fabric;
    uint32_t i = 0;
    while (i < before->gateways_count && !same_gateway(before, i, coming->with, gateway))
        i++;
    return i < before->gateways_count ? i : FABRIC_NONE;
}

/* All but the policies. */
static bool same_entry(const struct fabric_neighbor *a, const struct fabric_neighbor *b)
{
    if (!a || !b)
        return a == b;
    return a->as_override == b->as_override && a->prepend == b->prepend &&
           fabric_bgp_options_same(&a->bgp, &b->bgp);
}

static bool same_neighbor(const struct fabric *a, uint32_t gateway, uint32_t i,
                          const struct fabric *b, uint32_t now, uint32_t j)
{
    const struct fabric_gateway_neighbor x = fabric_gateway_neighbor(a, gateway, i);
    const struct fabric_gateway_neighbor y = fabric_gateway_neighbor(b, now, j);
    const struct speaker_peer_config before = fabric_gateway_peer(a, gateway, 0, i);
    const struct speaker_peer_config after = fabric_gateway_peer(b, now, 0, j);
    return (x.router == FABRIC_NONE) == (y.router == FABRIC_NONE) &&
           strcmp(before.name, after.name) == 0 && before.asn == after.asn &&
           lpm_address_equal(&before.peer_address, &after.peer_address) &&
           before.ceiling.limit == after.ceiling.limit &&
           before.ceiling.warn_percent == after.ceiling.warn_percent &&
           before.ceiling.truncate == after.ceiling.truncate && same_entry(x.entry, y.entry);
}

/* --- Finding, or making ------------------------------------------------------------------------ */

static int take_link(struct coming *coming, uint32_t gateway, uint32_t former, unsigned instance,
                     unsigned server_instance)
{
    struct gateways *gateways = coming->gateways;
    struct controller_link **place = &coming->links[coming->link_count];
    for (size_t i = 0; former != FABRIC_NONE && i < gateways->link_count; i++) {
        struct controller_link *link = gateways->links[i];
        if (link->ends[GATEWAY].gateway != former ||
            link->ends[SERVER].instance != server_instance ||
            link->ends[GATEWAY].instance != instance)
            continue;
        *place = link;
    }
    int error = *place
                    ? 0
                    : gateways_add_link(gateways, coming->with, gateway, coming->speakers[gateway],
                                        instance, server_instance, place);
    if (!error)
        coming->link_gateways[coming->link_count++] = gateway;
    return error;
}

static int take_links(struct coming *coming, uint32_t gateway, uint32_t former)
{
    const struct fabric *with = coming->with;
    unsigned servers = with->route_servers[fabric_gateway_server(with, gateway)].instance_count;
    int error = 0;
    for (unsigned i = 0; i < with->gateways[gateway].addresses.n; i++)
        for (unsigned j = 0; j < servers && !error; j++)
            error = take_link(coming, gateway, former, i, j);
    return error;
}

static int take_peer(struct coming *coming, uint32_t gateway, uint32_t former, unsigned instance,
                     uint32_t neighbor)
{
    struct gateways *gateways = coming->gateways;
    struct controller_peer **place = &coming->peers[coming->peer_count];
    for (size_t i = 0; former != FABRIC_NONE && i < gateways->peer_count && !*place; i++) {
        struct controller_peer *peer = gateways->peers[i];
        if (peer->gateway == former && peer->instance == instance &&
            same_neighbor(gateways->fabric, former, peer->index, coming->with, gateway, neighbor))
            *place = peer;
    }
    int error = *place ? 0
                       : gateways_add_peer(gateways, coming->with, gateway,
                                           coming->speakers[gateway], instance, neighbor, place);
    if (!error) {
        coming->peer_gateways[coming->peer_count] = gateway;
        coming->peer_indices[coming->peer_count++] = neighbor;
    }
    return error;
}

static int take_gateway(struct coming *coming, uint32_t gateway)
{
    const struct fabric *with = coming->with;
    const uint32_t former = former_of(coming, gateway);
    int error = 0;
    coming->is_new[gateway] = former == FABRIC_NONE;
    if (former == FABRIC_NONE)
        error = gateways_open_speaker(coming->gateways, with, gateway, &coming->speakers[gateway]);
    else
        coming->speakers[gateway] = coming->gateways->speakers[former];
    if (!error)
        error = take_links(coming, gateway, former);
    for (uint32_t i = 0; !error && i < fabric_gateway_neighbor_count(with, gateway); i++)
        for (unsigned j = 0; j < with->gateways[gateway].addresses.n && !error; j++)
            error = take_peer(coming, gateway, former, j, i);
    return error;
}

/* --- Going ------------------------------------------------------------------------------------ */

/* Places for all that may go, before anything does. */
static int make_places(struct gateways_gone **places, size_t n)
{
    *places = NULL;
    for (size_t i = 0; i < n; i++) {
        struct gateways_gone *place = calloc(1, sizeof(*place));
        if (!place)
            return -ENOMEM;
        place->next = *places;
        *places = place;
    }
    return 0;
}

static void drop_places(struct gateways_gone *places)
{
    for (struct gateways_gone *next; places; places = next) {
        next = places->next;
        free(places);
    }
}

static struct gateways_gone *next_place(struct gateways *gateways, struct gateways_gone **places)
{
    struct gateways_gone *place = *places;
    *places = place->next;
    place->next = gateways->gone;
    gateways->gone = place;
    return place;
}

static void stop(struct controller_peer *peer, uint64_t now_ms)
{
    peer->gone = true;
    speaker_peer_stop(peer->speaker, peer->peer, BGP_CEASE_DECONFIGURED, now_ms);
}

static bool holds(void *const *items, size_t n, const void *item)
{
    for (size_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

/* The gateway's end speaks first: what it has to say is carried by the next pump. */
static void let_go(const struct coming *coming, struct gateways_gone **places, uint64_t now_ms)
{
    struct gateways *gateways = coming->gateways;
    for (size_t i = 0; i < gateways->peer_count; i++) {
        if (holds((void *const *)coming->peers, coming->peer_count, gateways->peers[i]))
            continue;
        stop(gateways->peers[i], now_ms);
        next_place(gateways, places)->peer = gateways->peers[i];
    }
    for (size_t i = 0; i < gateways->link_count; i++) {
        struct controller_link *link = gateways->links[i];
        if (holds((void *const *)coming->links, coming->link_count, link))
            continue;
        stop(&link->ends[GATEWAY], now_ms);
        stop(&link->ends[SERVER], now_ms);
        next_place(gateways, places)->link = link;
    }
    for (uint32_t i = 0; i < gateways->fabric->gateways_count; i++)
        if (!holds((void *const *)coming->speakers, coming->with->gateways_count,
                   gateways->speakers[i]))
            next_place(gateways, places)->speaker = gateways->speakers[i];
}

/* --- All -------------------------------------------------------------------------------------- */

static void forget(struct coming *coming)
{
    free(coming->speakers);
    free(coming->links);
    free(coming->peers);
}

/* A new link's ends are peers of a speaker that stays, and nobody has started them. */
static void take_back(struct coming *coming, struct gateways_gone **places)
{
    struct gateways *gateways = coming->gateways;
    for (size_t i = 0; i < coming->link_count; i++)
        if (!holds((void *const *)gateways->links, gateways->link_count, coming->links[i]))
            next_place(gateways, places)->link = coming->links[i];
    for (size_t i = 0; i < coming->peer_count; i++)
        if (!holds((void *const *)gateways->peers, gateways->peer_count, coming->peers[i]))
            next_place(gateways, places)->peer = coming->peers[i];
    for (uint32_t i = 0; i < coming->with->gateways_count; i++)
        if (coming->is_new[i])
            speaker_destroy(coming->speakers[i]);
    forget(coming);
}

static void put_in_force(struct coming *coming, struct gateways_gone **places, uint64_t now_ms)
{
    struct gateways *gateways = coming->gateways;
    let_go(coming, places, now_ms);
    free(gateways->speakers);
    free(gateways->links);
    free(gateways->peers);
    gateways->speakers = coming->speakers;
    gateways->links = coming->links;
    gateways->peers = coming->peers;
    gateways->link_count = coming->link_count;
    gateways->peer_count = coming->peer_count;
    for (size_t i = 0; i < coming->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            coming->links[i]->ends[end].gateway = coming->link_gateways[i];
    for (size_t i = 0; i < coming->peer_count; i++) {
        coming->peers[i]->gateway = coming->peer_gateways[i];
        coming->peers[i]->index = coming->peer_indices[i];
    }
    gateways->fabric = coming->with;
}

int gateways_follow(struct gateways *gateways, const struct fabric *fabric, uint64_t now_ms)
{
    struct gateways_gone *places;
    size_t links, peers;
    gateways_count(fabric, &links, &peers);
    struct coming coming = {
        .gateways = gateways,
        .with = fabric,
        .speakers = calloc(fabric->gateways_count + 1, sizeof(struct speaker *)),
        .links = calloc(links + 1, sizeof(struct controller_link *)),
        .peers = calloc(peers + 1, sizeof(struct controller_peer *)),
        .peer_indices = calloc(peers + 1, sizeof(uint32_t)),
        .peer_gateways = calloc(peers + 1, sizeof(uint32_t)),
        .link_gateways = calloc(links + 1, sizeof(uint32_t)),
        .is_new = calloc(fabric->gateways_count + 1, sizeof(bool)),
    };
    bool made = coming.speakers && coming.links && coming.peers && coming.peer_indices &&
                coming.peer_gateways && coming.link_gateways && coming.is_new;
    int error = made ? make_places(&places, gateways->link_count + gateways->peer_count + links +
                                                peers + gateways->fabric->gateways_count)
                     : -ENOMEM;
    for (uint32_t i = 0; i < fabric->gateways_count && !error; i++)
        error = take_gateway(&coming, i);
    if (!error)
        put_in_force(&coming, &places, now_ms);
    else if (made)
        take_back(&coming, &places);
    else
        forget(&coming);
    if (made)
        drop_places(places);
    free(coming.peer_indices);
    free(coming.peer_gateways);
    free(coming.link_gateways);
    free(coming.is_new);
    return error;
}

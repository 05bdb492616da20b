/*
 * Route servers and their peers: where they stand, which AS numbers and addresses they may have,
 * and what the modes allow.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <string.h>

#include "engine/bgp/message.h"
#include "engine/fabric/route_server.h"

#define AZURE_ASN        65515u
#define WHAT_TEXT        200
#define AZURE_PEER_LIMIT 8u

/* --- The server itself ------------------------------------------------------------------------ */

/* Peers tell instances apart by address, and a session has one address family. */
static void check_addresses(struct fabric_loader *loader, const struct fabric_route_server *server)
{
    const struct fabric *fabric = loader->fabric;
    uint32_t subnet = fabric_find_subnet(fabric, server->vnet, FABRIC_ROUTE_SERVER_SUBNET);
    char what[WHAT_TEXT];

    if (subnet == FABRIC_NONE) {
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->vnet, &server->place),
                     "route_servers[%s].vnet: VNet '%s' has no subnet named %s", server->name,
                     fabric->vnets[server->vnet].name, FABRIC_ROUTE_SERVER_SUBNET);
        return;
    }
    snprintf(what, sizeof(what), "route_servers[%s].addresses", server->name);
    for (uint32_t i = 0; i < server->instance_count; i++)
        fabric_check_in_subnet(loader,
                               fabric_place_of(loader, &server->addresses[i], &server->place), what,
                               &fabric->subnets[subnet], &server->addresses[i]);
    if (server->instance_count < 2)
        return;
    if (lpm_address_equal(&server->addresses[0], &server->addresses[1]))
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->addresses[1], &server->place),
                     "%s: %s stands twice; each instance has an address of its own", what,
                     FABRIC_ADDRESS(&server->addresses[1]));
    else if (server->addresses[0].family != server->addresses[1].family)
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->addresses[1], &server->place),
                     "%s: both must be of one address family", what);
}

/* vnets[].route_server is the first one of the VNet (complete.c). */
static void check_server(struct fabric_loader *loader, const struct fabric_route_server *server)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_route_server *first =
        &fabric->route_servers[fabric->vnets[server->vnet].route_server];
    const struct fabric_place *asn_place = fabric_place_of(loader, &server->asn, &server->place);

    if (first != server)
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->vnet, &server->place),
                     "route_servers[%s].vnet: VNet '%s' has route server '%s' already (%s:%u)",
                     server->name, fabric->vnets[server->vnet].name, first->name, first->place.file,
                     first->place.line);
    if (server->asn == BGP_AS_TRANS)
        FABRIC_ERROR(loader, asn_place,
                     "route_servers[%s].asn: %u is reserved (AS_TRANS) and nobody's own",
                     server->name, BGP_AS_TRANS);
    else if (fabric->mode == FABRIC_AZURE && server->asn != AZURE_ASN)
        FABRIC_ERROR(loader, asn_place, "route_servers[%s].asn: is always %u in azure mode",
                     server->name, AZURE_ASN);
    if (fabric->mode == FABRIC_AZURE && server->summaries.n > 0)
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->summaries.items, &server->place),
                     "route_servers[%s].summaries: address space is not summarised in azure mode",
                     server->name);
    if (server->cluster_id.family == LPM_IPV6)
        FABRIC_ERROR(loader, fabric_place_of(loader, &server->cluster_id, &server->place),
                     "route_servers[%s].cluster_id: is written as an IPv4 address", server->name);
    check_addresses(loader, server);
}

/* Told at the first peer too many: everything up to there could stay. */
static void check_limits(struct fabric_loader *loader, const struct fabric_route_server *server)
{
    const struct fabric_place *place = fabric_place_of(loader, &server->peer_limit, &server->place);

    if (loader->fabric->quirks.peer_limit && server->peer_limit > AZURE_PEER_LIMIT)
        FABRIC_ERROR(loader, place,
                     "route_servers[%s].limits.peers: at most %u with quirk peer_limit",
                     server->name, AZURE_PEER_LIMIT);
    else if (server->peer_count > server->peer_limit)
        FABRIC_ERROR(loader, &server->peers[server->peer_limit].place,
                     "route_servers[%s].peers: %u peers, but the limit is %u%s", server->name,
                     server->peer_count, server->peer_limit,
                     loader->fabric->quirks.peer_limit ? " (quirk peer_limit)" : "");
}

/* A warning only: IPv4 goes on working. */
static void check_ipv6(struct fabric_loader *loader, const struct fabric_route_server *server)
{
    const struct fabric_vnet *vnet = &loader->fabric->vnets[server->vnet];
    char object[WHAT_TEXT];

    for (uint32_t i = 0; loader->fabric->quirks.no_ipv6 && i < vnet->space.n; i++)
        if (vnet->space.items[i].family == LPM_IPV6) {
            snprintf(object, sizeof(object), "vnets[%s]", vnet->name);
            FABRIC_WARNING(loader, FABRIC_LINT_IPV6, object,
                           "Keep IPv6 to the spokes, or turn quirk no_ipv6 off.",
                           fabric_place_of(loader, &vnet->space.items[i], &vnet->place),
                           "vnets[%s].address_space: %s in a route server's VNet is not supported "
                           "with quirk no_ipv6",
                           vnet->name, FABRIC_PREFIX(&vnet->space.items[i]));
            return;
        }
}

/* --- Peers ------------------------------------------------------------------------------------ */

/* The own AS number makes the session internal, where routes are passed on by reflection only: that is
 * to be said, lest it be a slip. */
static void check_peer_asn(struct fabric_loader *loader, const struct fabric_route_server *server,
                           const struct fabric_bgp_peer *peer, const char *what)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_place *place = fabric_place_of(loader, &peer->asn, &peer->place);
    char text[FABRIC_ASN_TEXT];
    const char *refused = fabric_asn_refused(fabric, peer->asn, text);

    fabric_check_bgp_options(loader, &peer->bgp, peer->asn == server->asn, place, what);
    if (refused)
        FABRIC_ERROR(loader, place, "%s.asn: %s", what, refused);
    if (peer->router != FABRIC_NONE && fabric->routers[peer->router].asn != peer->asn)
        FABRIC_ERROR(
            loader, place, "%s.asn: is %u, but router '%s', which owns this address, has asn %u",
            what, peer->asn, fabric->routers[peer->router].name, fabric->routers[peer->router].asn);
}

static bool is_own_address(const struct fabric_route_server *server,
                           const struct lpm_address *address)
{
    for (uint32_t i = 0; i < server->instance_count; i++)
        if (lpm_address_equal(&server->addresses[i], address))
            return true;
    return false;
}

/* Each instance needs an address of the peer's family at its end. */
static bool has_local_addresses(const struct fabric *fabric,
                                const struct fabric_route_server *server,
                                const struct fabric_bgp_peer *peer)
{
    uint32_t index = (uint32_t)(server - fabric->route_servers);
    uint32_t peer_index = (uint32_t)(peer - server->peers);

    for (unsigned i = 0; i < server->instance_count; i++)
        if (fabric_route_server_local(fabric, index, i, peer_index).family == 0)
            return false;
    return true;
}

/* In native mode a peer that no NIC is may still be real: a box behind the management link. */
static void check_peer_address(struct fabric_loader *loader,
                               const struct fabric_route_server *server,
                               const struct fabric_bgp_peer *peer, const char *object)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_place *place = fabric_place_of(loader, &peer->address, &peer->place);
    enum fabric_reach reach = fabric_reach(fabric, server->vnet, &peer->address);
    const char *vnet = fabric->vnets[server->vnet].name;
    char what[WHAT_TEXT + 16];

    snprintf(what, sizeof(what), "%s.address", object);
    if (is_own_address(server, &peer->address))
        FABRIC_ERROR(loader, place, "%s: %s is the route server's own", what,
                     FABRIC_ADDRESS(&peer->address));
    else if (!has_local_addresses(fabric, server, peer))
        FABRIC_ERROR(loader, place,
                     "%s: %s is not of the address family of the route server's own addresses; "
                     "give it transport.local_addresses",
                     what, FABRIC_ADDRESS(&peer->address));
    else if (fabric_is_link_local(&peer->address))
        return; /* its link is named by transport.interface */
    else if (!fabric_check_routable(loader, place, what, &peer->address))
        return;
    else if (reach == FABRIC_REACH_OUTSIDE && fabric->mode == FABRIC_AZURE)
        FABRIC_ERROR(loader, place, "%s: %s is outside VNet '%s' and those peered with it", what,
                     FABRIC_ADDRESS(&peer->address), vnet);
    else if (peer->nic == FABRIC_NONE)
        FABRIC_WARNING(loader, FABRIC_LINT_PEER_WITHOUT_NIC, object,
                       "Give the address of the peer's NIC, or add that NIC.", place,
                       "%s: no NIC in VNet '%s', or in one peered with it, has %s", what, vnet,
                       FABRIC_ADDRESS(&peer->address));
}

/* Told at the NIC, where it is mended. The session itself comes up, as its packets are the NIC's
 * own; what follows the peer's routes is not. */
static void check_peer_forwards(struct fabric_loader *loader,
                                const struct fabric_route_server *server,
                                const struct fabric_bgp_peer *peer)
{
    const struct fabric_nic *nic;
    char object[WHAT_TEXT];

    if (peer->nic == FABRIC_NONE || loader->fabric->nics[peer->nic].ip_forwarding)
        return;
    nic = &loader->fabric->nics[peer->nic];
    snprintf(object, sizeof(object), "nics[%s]", nic->name);
    FABRIC_WARNING(loader, FABRIC_LINT_NEXT_HOP, object,
                   "Set ip_forwarding: true on the NIC of a peer that passes packets on.",
                   fabric_place_of(loader, &nic->ip_forwarding, &nic->place),
                   "%s.ip_forwarding: is off, but this is the NIC of peer '%s' of route server "
                   "'%s': packets sent to it by its routes are dropped as receiver-not-forwarding",
                   object, peer->name, server->name);
}

/* RFC 4271 4.2 and 10: hold time 0 or at least 3, keepalives at a third of it. */
static void check_peer_timers(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                              const char *what)
{
    if (peer->send_hold_time_s != 0 && peer->send_hold_time_s <= peer->hold_time_s)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->send_hold_time_s, &peer->place),
                     "%s.send_hold_time_s: %u is neither 0 nor more than hold_time_s (%u)", what,
                     peer->send_hold_time_s, peer->hold_time_s);
    if (peer->hold_time_s == 1 || peer->hold_time_s == 2)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->hold_time_s, &peer->place),
                     "%s.hold_time_s: %u is neither 0 nor at least 3", what, peer->hold_time_s);
    else if (peer->hold_time_s > 0 && peer->keepalive_s > peer->hold_time_s / 3)
        FABRIC_WARNING(loader, FABRIC_LINT_KEEPALIVE, what,
                       "Set keepalive_s to a third of hold_time_s or less.",
                       fabric_place_of(loader, &peer->keepalive_s, &peer->place),
                       "%s.keepalive_s: %u is more than a third of hold_time_s (%u); two lost "
                       "keepalives end the session",
                       what, peer->keepalive_s, peer->hold_time_s);
}

/* Each switch takes away a key that the original does not have. */
static void check_peer_switches(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                                const char *what)
{
    const struct fabric_quirks *quirks = &loader->fabric->quirks;

    if (quirks->no_md5 && peer->key_file)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->key_file, &peer->place),
                     "%s.key_file: there are no keys with quirk no_md5", what);
    if (quirks->no_bfd && peer->bfd.enabled)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->bfd.interval_ms, &peer->place),
                     "%s.bfd: there is no BFD with quirk no_bfd", what);
}

static int peer_address_compare(const void *a, const void *b)
{
    const struct fabric_bgp_peer *left = a, *right = b;

    return lpm_address_compare(&left->address, &right->address);
}

static void check_peer_duplicates(struct fabric_loader *loader,
                                  const struct fabric_route_server *server)
{
    const void **peers = fabric_sorted(loader, server->peers, server->peer_count,
                                       sizeof(*server->peers), peer_address_compare);

    for (uint32_t i = 1; peers && i < server->peer_count; i++) {
        const struct fabric_bgp_peer *peer = peers[i], *before = peers[i - 1];

        if (peer_address_compare(peer, before) == 0)
            FABRIC_ERROR(loader, fabric_place_of(loader, &peer->address, &peer->place),
                         "route_servers[%s].peers[%s].address: %s is that of peer '%s' (%s:%u)",
                         server->name, peer->name, FABRIC_ADDRESS(&peer->address), before->name,
                         before->place.file, before->place.line);
    }
}

static void check_peer(struct fabric_loader *loader, const struct fabric_route_server *server,
                       const struct fabric_bgp_peer *peer)
{
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "route_servers[%s].peers[%s]", server->name, peer->name);
    check_peer_asn(loader, server, peer, what);
    check_peer_address(loader, server, peer, what);
    check_peer_forwards(loader, server, peer);
    check_peer_timers(loader, peer, what);
    check_peer_switches(loader, peer, what);
    fabric_validate_transport(loader, server, peer, what);
}

/* The own AS number means another kind of session, with other options: all of a range are of the
 * template's kind. */
static void check_range_asns(struct fabric_loader *loader, const struct fabric_route_server *server,
                             const struct fabric_dynamic_peers *range,
                             const struct fabric_bgp_peer *model, const char *what)
{
    bool internal = model->asn == server->asn;

    for (uint32_t i = 0; i < range->range_count; i++) {
        uint32_t first = range->asn_first[i], last = range->asn_last[i];
        bool only_own = first == server->asn && last == server->asn;
        bool has_own = first <= server->asn && server->asn <= last;

        if (internal ? only_own : !has_own)
            continue;
        FABRIC_ERROR(
            loader, &range->place,
            "%s.asns: %u-%u %s the route server's own AS number %u, and template '%s' is an "
            "%s peer",
            what, first, last, internal ? "is not only" : "has", server->asn, model->name,
            internal ? "internal" : "external");
        return;
    }
}

/* The kernel asks for the key of a range from every address in it. */
static void check_range_keys(struct fabric_loader *loader, const struct fabric_route_server *server,
                             const struct fabric_dynamic_peers *range,
                             const struct fabric_bgp_peer *model, const char *what)
{
    for (uint32_t i = 0; model->key_file && i < server->peer_count; i++) {
        const struct fabric_bgp_peer *peer = &server->peers[i];

        if (!peer->key_file && lpm_prefix_contains(&range->prefix, &peer->address))
            FABRIC_ERROR(
                loader, &range->place,
                "%s: has the key of template '%s', but peer '%s' within it has none; give it "
                "a key_file, or an address outside",
                what, model->name, peer->name);
    }
}

static void check_range(struct fabric_loader *loader, const struct fabric_route_server *server,
                        uint32_t index)
{
    const struct fabric_dynamic_peers *range = &server->dynamic_peers[index];
    uint32_t route_server = (uint32_t)(server - loader->fabric->route_servers);
    const struct fabric_bgp_peer *model =
        &server->peers[fabric_dynamic_peers_template(loader->fabric, route_server, index)];
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "route_servers[%s].dynamic_peers[%s]", server->name,
             FABRIC_PREFIX(&range->prefix));
    if (range->prefix.family != model->address.family)
        FABRIC_ERROR(loader, &range->place,
                     "%s.prefix: is not of the address family of template '%s' (%s)", what,
                     model->name, FABRIC_ADDRESS(&model->address));
    if (model->transport.connect == FABRIC_CONNECT_ACTIVE)
        FABRIC_ERROR(loader, &range->place,
                     "%s.template: peer '%s' is only called (connect: active), and nobody calls "
                     "addresses of a range; take another connect",
                     what, model->name);
    if (server->peer_count >= server->peer_limit)
        FABRIC_ERROR(loader, &range->place,
                     "%s: the %u configured peers leave no room in limits.peers (%u)", what,
                     server->peer_count, server->peer_limit);
    check_range_asns(loader, server, range, model, what);
    check_range_keys(loader, server, range, model, what);
}

/* The template may be any peer of the same route server; its address is what the range replaces. */
static void check_dynamic_peers(struct fabric_loader *loader,
                                const struct fabric_route_server *server)
{
    for (uint32_t i = 0; i < server->dynamic_peer_count; i++) {
        const struct fabric_dynamic_peers *range = &server->dynamic_peers[i];
        struct fabric_nearest nearest = {0};
        char text[FABRIC_NEAREST_TEXT];
        bool found = false;

        for (uint32_t j = 0; j < server->peer_count; j++) {
            found |= strcmp(server->peers[j].name, range->template_peer) == 0;
            fabric_nearest_try(&nearest, range->template_peer, server->peers[j].name);
        }
        if (found)
            check_range(loader, server, i);
        else
            FABRIC_ERROR(loader, fabric_place_of(loader, &range->template_peer, &range->place),
                         "route_servers[%s].dynamic_peers[%s].template: there is no peer '%s'%s",
                         server->name, FABRIC_PREFIX(&range->prefix), range->template_peer,
                         fabric_nearest_text(&nearest, text));
    }
}

void fabric_validate_servers(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &loader->fabric->route_servers[i];

        check_server(loader, server);
        check_limits(loader, server);
        check_ipv6(loader, server);
        for (uint32_t j = 0; j < server->peer_count; j++)
            check_peer(loader, server, &server->peers[j]);
        check_peer_duplicates(loader, server);
        check_dynamic_peers(loader, server);
    }
}

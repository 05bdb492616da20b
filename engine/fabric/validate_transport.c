/*
 * How a session's TCP connections are made: addresses of both ends, distance, keys. What the
 * machine itself lacks (an address, an interface, TCP-AO) is told when the engine starts.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <string.h>

#include "engine/fabric/route_server.h"

#define WHAT_TEXT 240
/* IFNAMSIZ of Linux without its end. */
#define INTERFACE_NAME_MAX 15
#define TTL_MAX            255u

bool fabric_is_link_local(const struct lpm_address *address)
{
    return address->family == LPM_IPV6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* The addresses of our end stand on the machine, not in the fabric, so no subnet is asked. */
static void check_local(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                        const struct lpm_address *local, const char *what)
{
    const struct fabric_place *place = fabric_place_of(loader, local, &peer->place);

    if (local->family != peer->address.family)
        FABRIC_ERROR(loader, place, "%s: %s is not of the address family of the peer's %s", what,
                     FABRIC_ADDRESS(local), FABRIC_ADDRESS(&peer->address));
    else if (fabric_is_link_local(local) != fabric_is_link_local(&peer->address))
        FABRIC_ERROR(loader, place,
                     "%s: %s and the peer's %s must both be link-local, or neither of them", what,
                     FABRIC_ADDRESS(local), FABRIC_ADDRESS(&peer->address));
    else if (lpm_address_equal(local, &peer->address))
        FABRIC_ERROR(loader, place, "%s: %s is the peer's own", what, FABRIC_ADDRESS(local));
    else if (!fabric_is_link_local(local))
        fabric_check_routable(loader, place, what, local);
}

static void check_local_addresses(struct fabric_loader *loader,
                                  const struct fabric_route_server *server,
                                  const struct fabric_bgp_peer *peer, const char *object)
{
    const struct fabric_transport *transport = &peer->transport;
    char what[WHAT_TEXT];

    if (transport->local_address_count == 0)
        return;
    snprintf(what, sizeof(what), "%s.transport.local_addresses", object);
    if (transport->local_address_count != server->instance_count) {
        FABRIC_ERROR(loader, fabric_place_of(loader, &transport->local_addresses[0], &peer->place),
                     "%s: %u given, but route server '%s' has %u instances; each needs its own",
                     what, transport->local_address_count, server->name, server->instance_count);
        return;
    }
    for (uint32_t i = 0; i < transport->local_address_count; i++)
        check_local(loader, peer, &transport->local_addresses[i], what);
    if (transport->local_address_count == 2 &&
        lpm_address_equal(&transport->local_addresses[0], &transport->local_addresses[1]))
        FABRIC_ERROR(loader, fabric_place_of(loader, &transport->local_addresses[1], &peer->place),
                     "%s: %s stands twice; each instance has an address of its own", what,
                     FABRIC_ADDRESS(&transport->local_addresses[1]));
}

/* A link-local address means something on one link only. */
static void check_interface(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                            const char *object)
{
    const char *interface = peer->transport.interface;
    bool link_local = fabric_is_link_local(&peer->address);

    if (link_local && (!interface || peer->transport.local_address_count == 0))
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->address, &peer->place),
                     "%s.address: %s is link-local: it needs transport.interface and "
                     "transport.local_addresses, which say on which link and from where",
                     object, FABRIC_ADDRESS(&peer->address));
    if (interface && strlen(interface) > INTERFACE_NAME_MAX)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->transport.interface, &peer->place),
                     "%s.transport.interface: '%s' is no name of an interface (1 to %d characters)",
                     object, interface, INTERFACE_NAME_MAX);
}

/* RFC 5082 section 3: who asks for 255 from the other side sends 255. */
static void check_distance(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                           const char *object)
{
    if (peer->transport.ttl_security_hops && peer->transport.ttl != TTL_MAX)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->transport.ttl, &peer->place),
                     "%s.transport.ttl: %u, but ttl_security_hops wants %u in both directions; "
                     "take one of the two out",
                     object, peer->transport.ttl, TTL_MAX);
}

static void check_key(struct fabric_loader *loader, const struct fabric_bgp_peer *peer,
                      const char *object)
{
    if (!peer->key_file && peer->key_type == FABRIC_KEY_TCP_AO)
        FABRIC_ERROR(loader, fabric_place_of(loader, &peer->key_type, &peer->place),
                     "%s.key_type: there is no key_file, so the session would not be signed",
                     object);
}

void fabric_validate_transport(struct fabric_loader *loader,
                               const struct fabric_route_server *server,
                               const struct fabric_bgp_peer *peer, const char *object)
{
    check_local_addresses(loader, server, peer, object);
    check_interface(loader, peer, object);
    check_distance(loader, peer, object);
    check_key(loader, peer, object);
}

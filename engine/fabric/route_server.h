/*
 * What a route server of the fabric file is as a BGP speaker: its configuration, that of its peers,
 * and what it originates. The twin and the live engine both build their speakers from this.
 *
 * Each instance (address) of a route server has a session with each configured peer. Merged
 * instances share one speaker; with the quirk half_programming each instance is a speaker of its
 * own.
 */
#ifndef ENGINE_FABRIC_ROUTE_SERVER_H
#define ENGINE_FABRIC_ROUTE_SERVER_H

#include "engine/fabric/model.h"
#include "engine/rib/speaker.h"

/* How many speakers a route server is: 1, or its instances. Instance i belongs to speaker i %
 * count. */
unsigned fabric_route_server_speakers(const struct fabric *fabric, uint32_t route_server);

/* Without a handler: that is the caller's. */
struct speaker_config fabric_route_server_config(const struct fabric *fabric,
                                                 uint32_t route_server);

/* The address of our end of that session: transport.local_addresses of the peer; else that of the
 * instance; else, for an IPv6 peer of an IPv4 route server, fabric_route_server_address6(). family
 * 0: there is none. */
struct lpm_address fabric_route_server_local(const struct fabric *fabric, uint32_t route_server,
                                             unsigned instance, uint32_t peer);

/* The session of instance `instance` with peers[peer]. Next hops are those of the route server's
 * own addresses, whatever the session runs over. Names and addresses point into fabric. */
struct speaker_peer_config fabric_route_server_peer(const struct fabric *fabric,
                                                    uint32_t route_server, unsigned instance,
                                                    uint32_t peer);

/* The most neighbours that it may come to have: the configured ones, and where there are
 * dynamic_peers all that limits.peers lets in. */
uint32_t fabric_route_server_neighbors(const struct fabric *fabric, uint32_t route_server);

/* The most specific of its dynamic_peers that address is in; FABRIC_NONE: none, or it is that of a
 * configured peer or of an instance. */
uint32_t fabric_dynamic_peers_of(const struct fabric *fabric, uint32_t route_server,
                                 const struct lpm_address *address);
/* May a neighbour of this range have that AS number? Of the ranges in the file, what no configured peer
 * could have either is left out. */
bool fabric_dynamic_peers_take(const struct fabric *fabric, uint32_t route_server, uint32_t range,
                               uint32_t asn);
/* Index of the template in peers[]. */
uint32_t fabric_dynamic_peers_template(const struct fabric *fabric, uint32_t route_server,
                                       uint32_t range);
/* The session of a neighbour of that range: as that of its template, but never connecting by itself.
 * name becomes "nva1@10.0.1.130", and is pointed to. */
#define FABRIC_DYNAMIC_NAME 192
struct speaker_peer_config fabric_route_server_dynamic_peer(
    const struct fabric *fabric, uint32_t route_server, unsigned instance, uint32_t range,
    const struct lpm_address *address, uint32_t asn, char name[FABRIC_DYNAMIC_NAME]);

/* By which of its addresses a modelled router is in a range. */
struct fabric_dynamic_peer {
    uint32_t range;
    struct lpm_address address;
};
/* The first of the router's addresses that is in dynamic_peers of the route server, which can see its NIC;
 * whatever the router's AS number. False: none, or it is a configured peer. */
bool fabric_dynamic_peers_find(const struct fabric *fabric, uint32_t route_server, uint32_t router,
                               struct fabric_dynamic_peer *found);
/* The modelled router with this address, as the route server sees it; FABRIC_NONE: no NIC, or no model. */
uint32_t fabric_dynamic_peer_router(const struct fabric *fabric, uint32_t route_server,
                                    const struct lpm_address *address);
/* Does the modelled router ask for a session by dynamic_peers, and do these take it? They take routers in the
 * order of the file, while fabric_route_server_neighbors() has room. */
bool fabric_dynamic_peers_apply(const struct fabric *fabric, uint32_t route_server, uint32_t router,
                                struct fabric_dynamic_peer *found);
/* May the modelled router have a session with it: as a configured peer, or one that dynamic_peers take? */
bool fabric_route_server_has_router(const struct fabric *fabric, uint32_t route_server,
                                    uint32_t router);

/* AS numbers that peers cannot have: AS_TRANS, and by the switches of azure mode. NULL: it can; else
 * text, which then says what is wrong with it. */
#define FABRIC_ASN_TEXT 80
const char *fabric_asn_refused(const struct fabric *fabric, uint32_t asn,
                               char text[FABRIC_ASN_TEXT]);

/* The BGP identifier of a speaker at this address: itself, or an IPv6 one folded to 32 bits. Not 0. */
uint32_t fabric_bgp_identifier(const struct lpm_address *address);

/* What stands under `bgp:` of a peer or neighbor. */
void fabric_bgp_options_apply(const struct fabric_bgp_options *options,
                              struct speaker_peer_config *config);

/* Do two sessions with these differ in nothing? */
bool fabric_bgp_options_same(const struct fabric_bgp_options *a,
                             const struct fabric_bgp_options *b);
bool fabric_bfd_same(const struct fabric_bfd *a, const struct fabric_bfd *b);
/* Can a session that one of them made go on as the other's? All that policies say, and which key of the same kind
 * signs it, can be another while it is up. */
bool fabric_bgp_peer_same_session(const struct fabric_bgp_peer *a, const struct fabric_bgp_peer *b);

/* Makes speaker originate the route server's prefixes (fabric_originated()). Returns 0 or -errno.
 */
int fabric_route_server_originate(const struct fabric *fabric, uint32_t route_server,
                                  struct speaker *speaker);

/* Makes speaker originate these prefixes with origin IGP and an empty AS_PATH. Returns 0 or -errno.
 */
int fabric_originate_prefixes(struct speaker *speaker, const struct lpm_prefix *prefixes, size_t n);

/* The IPv6 address of an instance, for the next hop of IPv6 NLRI on IPv4 sessions: that of the
 * instance when it is IPv6; else the address in the first IPv6 prefix of RouteServerSubnet at the
 * offset that the instance's IPv4 address has in its IPv4 prefix (10.0.0.4 in 10.0.0.0/26 and
 * fd00:10::/64: fd00:10::4). family 0: the subnet has no IPv6. */
struct lpm_address fabric_route_server_address6(const struct fabric *fabric, uint32_t route_server,
                                                unsigned instance);

#endif

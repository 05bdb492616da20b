/*
 * What a VPN or ExpressRoute gateway of the fabric file is as a BGP speaker. The twin and the live engine
 * both build their speakers from this.
 *
 *                                        ┌─ instances (addresses) ─┐
 *   route server of its VNet <──iBGP──>  │   one speaker a gateway  │  <──eBGP──>  neighbors: MSEE, CPE
 *   (or an implicit one)                 └──────────────────────────┘
 *
 * Every instance has a session with every instance of the route server; they are within the process, and
 * between equal AS numbers internal: next hops of NVAs stay, and no number is prepended. What comes from a
 * gateway has its instance as next hop.
 *
 * Who is told what (spec words: docs/effective-routes.md): by source of a path, struct speaker_config.withheld;
 * by prefix, policies made here, which stand before the user's own.
 */
#ifndef ENGINE_FABRIC_GATEWAY_H
#define ENGINE_FABRIC_GATEWAY_H

#include "engine/fabric/model.h"
#include "engine/rib/policy.h"
#include "engine/rib/speaker.h"

/* From the branches of one gateway: what is beyond ends the session. */
#define FABRIC_GATEWAY_PREFIXES 4000u
/* To an ExpressRoute circuit, where the file says nothing. */
#define FABRIC_EXPRESS_ROUTE_PREFIXES 1000u

/* RIB_SOURCE_EXPRESS_ROUTE or RIB_SOURCE_VPN. */
enum rib_source fabric_gateway_source(const struct fabric_gateway *gateway);

/* The route server of its VNet. */
uint32_t fabric_gateway_server(const struct fabric *fabric, uint32_t gateway);

/* The kernel's routing table for what comes through its port: of the file, or made from its name. */
uint32_t fabric_gateway_kernel_table(const struct fabric_gateway *gateway);

/* The user's route of GatewaySubnet that takes packets for an instance of the route server somewhere else;
 * NULL: none does. */
const struct fabric_udr *fabric_gateway_captor(const struct fabric *fabric, uint32_t gateway);
/* Does that keep the gateway from its route server? Only in azure mode: the engine's own sessions follow no
 * user's route. */
bool fabric_gateway_is_cut_off(const struct fabric *fabric, uint32_t gateway);

/* What a route server withholds, by branch_to_branch and nva_reflect: struct speaker_config.withheld. */
void fabric_route_server_withheld(const struct fabric *fabric, uint32_t route_server,
                                  uint8_t withheld[RIB_SOURCES]);

/* Without a handler. */
struct speaker_config fabric_gateway_config(const struct fabric *fabric, uint32_t gateway);

/* The address space that its route server tells others, the static branches and the pools of
 * point-to-site. 0 or -errno. */
int fabric_gateway_originate(const struct fabric *fabric, uint32_t gateway,
                             struct speaker *speaker);

/* Both ends of the session between instance `instance` of the gateway and instance `server_instance` of
 * its route server. */
struct speaker_peer_config fabric_gateway_link_server(const struct fabric *fabric, uint32_t gateway,
                                                      unsigned instance, unsigned server_instance);
struct speaker_peer_config fabric_gateway_link_gateway(const struct fabric *fabric,
                                                       uint32_t gateway, unsigned instance,
                                                       unsigned server_instance);

/* A gateway's neighbors: those that it names, then routers that name it and that it does not. entry: what
 * the gateway says of it, or NULL. router: FABRIC_NONE for an address. */
struct fabric_gateway_neighbor {
    const struct fabric_neighbor *entry;
    uint32_t router;
};
uint32_t fabric_gateway_neighbor_count(const struct fabric *fabric, uint32_t gateway);
struct fabric_gateway_neighbor fabric_gateway_neighbor(const struct fabric *fabric,
                                                       uint32_t gateway, uint32_t index);
/* Has it an address that a running engine can call? A modelled box on-premises has one only where the file says. */
bool fabric_gateway_neighbor_is_real(const struct fabric *fabric, uint32_t gateway, uint32_t index);
/* The gateway's end of the session of one instance with one of these. */
struct speaker_peer_config fabric_gateway_peer(const struct fabric *fabric, uint32_t gateway,
                                               unsigned instance, uint32_t neighbor);
/* The router's end. entry: what the router says of the gateway, or NULL. */
struct speaker_peer_config fabric_gateway_mirror(const struct fabric *fabric, uint32_t gateway,
                                                 unsigned instance, uint32_t neighbor,
                                                 const struct fabric_neighbor *entry);
/* How a modelled router names the gateway; NULL: it does not. */
const struct fabric_neighbor *fabric_router_names_gateway(const struct fabric *fabric,
                                                          uint32_t router, uint32_t gateway);

/* Where a modelled router speaks BGP with those outside the fabric: the first address of its NICs; of a
 * router without NICs, its `address`, or else one of 169.254.0.0/16 by its number, as such routers have on
 * their side of a tunnel or circuit. */
struct lpm_address fabric_router_address(const struct fabric *fabric, uint32_t router);

/* Policies of a gateway's sessions: what the rules of the fabric want, then the user's, by the words of
 * `user` (another reading of the same file, or the same). NULL in *policy: none is needed. References are the
 * caller's. 0 or -errno. */
enum fabric_gateway_policy {
    FABRIC_GATEWAY_SERVER_IMPORT, /* the route server's, of what the gateway tells it */
    FABRIC_GATEWAY_SERVER_EXPORT,
    FABRIC_GATEWAY_LINK_EXPORT, /* the gateway's, of what it tells the route server */
};
int fabric_gateway_link_policy(const struct fabric *fabric, const struct fabric *user,
                               uint32_t gateway, enum fabric_gateway_policy which,
                               struct rib_policy **policy);
int fabric_gateway_peer_policy(const struct fabric *fabric, const struct fabric *user,
                               uint32_t gateway, uint32_t neighbor, bool import,
                               struct rib_policy **policy);

#endif

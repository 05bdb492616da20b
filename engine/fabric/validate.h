/*
 * Checks of what the values of a fabric mean together. Internal to the room.
 *
 * They run when every value by itself was good and what follows from them is filled in
 * (complete.c), so indices are valid and the model's own questions can be asked. Each tells its
 * problems and goes on.
 */
#ifndef ENGINE_FABRIC_VALIDATE_H
#define ENGINE_FABRIC_VALIDATE_H

#include "engine/fabric/loader.h"

void fabric_validate_vnets(struct fabric_loader *loader);    /* validate_vnet.c */
void fabric_validate_peerings(struct fabric_loader *loader); /* validate_peering.c */
void fabric_validate_tables(struct fabric_loader *loader);   /* validate_table.c */
void fabric_validate_nics(struct fabric_loader *loader);     /* validate_nic.c */
void fabric_validate_ports(struct fabric_loader *loader);    /* validate_port.c */
void fabric_validate_hosts(struct fabric_loader *loader);    /* validate_host.c */
void fabric_validate_servers(struct fabric_loader *loader);  /* validate_server.c */
void fabric_validate_routers(struct fabric_loader *loader);  /* validate_router.c */
void fabric_validate_gateways(struct fabric_loader *loader); /* validate_gateway.c */
void fabric_validate_engine(struct fabric_loader *loader);   /* validate_engine.c */
void fabric_validate_tunnels(struct fabric_loader *loader);  /* validate_router.c */
void fabric_validate_policies(struct fabric_loader *loader); /* validate_policy.c */
/* Rules that no route reaches, policies that nobody names: warnings. */
void fabric_validate_policy_use(struct fabric_loader *loader); /* validate_policy.c */
/* Do the two ends of each session know of each other? Only warnings; for a fabric without
 * errors. */
void fabric_validate_sessions(struct fabric_loader *loader); /* validate_session.c */
/* The neighbors of a router or gateway; owner: "routers[x]"; self: the router's index;
 * FABRIC_NONE: it is a gateway. */
void fabric_validate_neighbors(struct fabric_loader *loader, const char *owner, uint32_t self,
                               const struct fabric_neighbor *neighbors, uint32_t n);

/* validate_transport.c; object: "route_servers[x].peers[y]" */
void fabric_validate_transport(struct fabric_loader *loader,
                               const struct fabric_route_server *server,
                               const struct fabric_bgp_peer *peer, const char *object);
bool fabric_is_link_local(const struct lpm_address *address); /* fe80::/10 */

/* --- What they share (validate.c) ------------------------------------------------------------- */

#define FABRIC_ROUTE_SERVER_SUBNET "RouteServerSubnet"
#define FABRIC_GATEWAY_SUBNET      "GatewaySubnet"

/* The one of prefixes that contains address, or NULL. */
const struct lpm_prefix *fabric_prefixes_find(const struct fabric_prefixes *prefixes,
                                              const struct lpm_address *address);
/* "10.0.0.0/22, fd00:10::/48" for messages; cut where there is no room. */
#define FABRIC_PREFIXES_TEXT 200
char *fabric_prefixes_text(const struct fabric_prefixes *prefixes, char text[FABRIC_PREFIXES_TEXT]);

/* A range that no packet of the fabric can have as its destination. */
struct fabric_unroutable {
    const char *prefix, *why; /* "which …" */
};
/* The first such range that overlaps prefix, or NULL. */
const struct fabric_unroutable *fabric_unroutable_find(const struct lpm_prefix *prefix);

/* Tells when address lies outside the subnet or is one of its reserved addresses. what:
 * "nics[x].addresses". */
bool fabric_check_in_subnet(struct fabric_loader *loader, const struct fabric_place *place,
                            const char *what, const struct fabric_subnet *subnet,
                            const struct lpm_address *address);
/* Tells when no packet of the fabric can have address as its destination. */
bool fabric_check_routable(struct fabric_loader *loader, const struct fabric_place *place,
                           const char *what, const struct lpm_address *address);
/* Tells when a NIC of the VNet has address already. */
bool fabric_check_not_a_nic(struct fabric_loader *loader, const struct fabric_place *place,
                            const char *what, uint32_t vnet, const struct lpm_address *address);
/* Tells when the MAC is none that a single machine can have. */
bool fabric_check_mac(struct fabric_loader *loader, const struct fabric_place *place,
                      const char *what, const uint8_t mac[6]);

/* What stands at an address, as seen from a VNet. */
enum fabric_reach {
    FABRIC_REACH_OUTSIDE, /* not in the space of the VNet or of one peered with it */
    FABRIC_REACH_VACANT,  /* in it, but no NIC and no load balancer has it */
    FABRIC_REACH_TAKEN,
};
enum fabric_reach fabric_reach(const struct fabric *fabric, uint32_t vnet,
                               const struct lpm_address *address);

/* Pointers to the n objects of an array, sorted; equal ones by their place in the array. NULL:
 * no memory. */
const void **fabric_sorted(struct fabric_loader *loader, const void *array, size_t n, size_t size,
                           int (*compare)(const void *a, const void *b));

/* Finds overlaps in a list of prefixes that belong to somebody. They are sorted first. */
struct fabric_claim {
    struct lpm_prefix prefix;
    uint32_t owner;
    const void *slot; /* for the line in the file */
};
void fabric_sort_claims(struct fabric_claim *claims, size_t n);
void fabric_each_overlap(struct fabric_claim *claims, size_t n,
                         void (*visit)(void *context, const struct fabric_claim *outer,
                                       const struct fabric_claim *inner),
                         void *context);

/* validate_bgp.c: what is under `bgp:` of a session. internal: both ends have one AS number. */
void fabric_check_bgp_options(struct fabric_loader *loader,
                              const struct fabric_bgp_options *options, bool internal,
                              const struct fabric_place *place, const char *what);

#endif

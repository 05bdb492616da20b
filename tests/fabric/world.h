/*
 * Fabrics put together by hand, without a file, and a BGP that is a plain table: what the tests of
 * effective routes and of the program step stand on.
 *
 * A world is one block of memory with room for a fixed number of each object; the fabric in it
 * points into the block. Names, addresses and prefixes are given as text; several are separated by
 * blanks.
 */
#ifndef TESTS_FABRIC_WORLD_H
#define TESTS_FABRIC_WORLD_H

#include "engine/bgp/attributes.h"
#include "engine/fabric/effective.h"

#define WORLD_VNETS    640
#define WORLD_SUBNETS  1300
#define WORLD_PEERINGS 640
#define WORLD_TABLES   64
#define WORLD_ROUTES   32 /* in one table */
#define WORLD_NICS     4200
#define WORLD_SERVERS  8
#define WORLD_PEERS    64 /* of one route server */
#define WORLD_ROUTERS  64
#define WORLD_TAGS     8
#define WORLD_PREFIXES 4096
#define WORLD_TEXT     (256 * 1024)

/* One announcement that a route server accepted. */
struct world_path {
    uint32_t route_server;
    struct lpm_prefix prefix;
    struct lpm_address neighbor; /* who announced it */
    struct rib_path path;
    bool chosen; /* member of the ECMP set; else it lost */
};

struct world {
    struct fabric fabric;
    struct fabric_bgp bgp;
    struct world_path *paths;
    size_t path_count, path_capacity;
    struct bgp_attribute_table *attributes;
    struct bgp_attribute_builder *builder;

    struct fabric_vnet vnets[WORLD_VNETS];
    struct fabric_subnet subnets[WORLD_SUBNETS];
    struct fabric_peering peerings[WORLD_PEERINGS];
    struct fabric_route_table tables[WORLD_TABLES];
    struct fabric_udr routes[WORLD_TABLES][WORLD_ROUTES];
    struct fabric_nic nics[WORLD_NICS];
    struct fabric_route_server servers[WORLD_SERVERS];
    struct fabric_bgp_peer peers[WORLD_SERVERS][WORLD_PEERS];
    struct fabric_router routers[WORLD_ROUTERS];
    uint32_t router_nics[WORLD_ROUTERS];
    struct fabric_service_tag tags[WORLD_TAGS];
    struct lpm_prefix prefixes[WORLD_PREFIXES];
    struct lpm_address addresses[2 * WORLD_NICS];
    const char *strings[WORLD_PREFIXES];
    char text[WORLD_TEXT];
    size_t prefix_count, address_count, string_count, text_length;
};

/* Native mode, the documented four reserved prefixes, nothing else. */
struct world *world_create(void);
void world_destroy(struct world *world);

struct lpm_prefix world_prefix(const char *text);
struct lpm_address world_address(const char *text);

uint32_t world_add_vnet(struct world *world, const char *name, const char *space);
/* Subnets of a VNet are added one after the other, before those of the next VNet. */
uint32_t world_add_subnet(struct world *world, uint32_t vnet, const char *name,
                          const char *prefixes);
/* Access allowed and in sync, nothing else. */
struct fabric_peering *world_add_peering(struct world *world, uint32_t a, uint32_t b);
/* A spoke that uses hub's route server, forwarded traffic allowed both ways. */
struct fabric_peering *world_add_spoke(struct world *world, uint32_t hub, uint32_t spoke);
uint32_t world_add_table(struct world *world, const char *name, bool propagation);
/* next_hop is an address, or NULL for the types that have none. */
void world_add_route(struct world *world, uint32_t table, const char *prefix,
                     enum fabric_next_hop_type type, const char *next_hop);
uint32_t world_add_nic(struct world *world, uint32_t subnet, const char *name,
                       const char *addresses);
uint32_t world_add_server(struct world *world, uint32_t vnet, const char *name);
void world_add_peer(struct world *world, uint32_t server, uint32_t nic);
/* The box behind a NIC. */
uint32_t world_add_router(struct world *world, const char *name, uint32_t nic);
void world_add_tag(struct world *world, const char *name, const char *prefixes);
void world_set_strings(struct world *world, struct fabric_strings *strings, const char *text);
void world_set_overrides(struct world *world, uint32_t vnet, const char *prefixes);
void world_set_reserved(struct world *world, const char *prefixes);

/* neighbor announces prefix with itself as next hop, or with another. community may be NULL. */
void world_announce(struct world *world, uint32_t server, const char *neighbor, const char *prefix);
void world_announce_path(struct world *world, uint32_t server, const struct lpm_prefix *prefix,
                         const struct lpm_address *neighbor, const struct lpm_address *next_hop,
                         enum rib_source source, const char *community, bool chosen);
void world_withdraw(struct world *world, uint32_t server, const char *neighbor, const char *prefix);
void world_remove_path(struct world *world, size_t index);
void world_originate(struct world *world, uint32_t server, const char *prefix);

/* Base H of the documentation: a hub with a route server and two NVAs, two spokes. */
struct base_h {
    struct world *world;
    uint32_t hub, spoke1, spoke2;
    uint32_t nva_subnet, spoke1_subnet;
    uint32_t server;
    uint32_t nva1, nva2, hubvm, vm1, vm2;
};
struct base_h world_base_h(void);

/* Rows as text, one a line: "10.0.0.0/8 Active VirtualNetworkGateway
 * VirtualNetworkGateway 10.0.1.4 10.0.1.5". free() it. */
char *world_rows_text(const struct world *world, const struct fabric_row *rows, size_t n);
/* Those of a NIC. */
char *world_nic_rows(const struct world *world, uint32_t nic);

#endif

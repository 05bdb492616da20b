/* See world.h. Running out of the fixed room is a bug of the test, hence the assertions. */
#include "tests/fabric/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Text ------------------------------------------------------------------------------------- */

static const char *keep(struct world *world, const char *text, size_t length)
{
    assert(world->text_length + length + 1 <= WORLD_TEXT);
    char *kept = &world->text[world->text_length];
    memcpy(kept, text, length);
    world->text_length += length + 1;
    return kept;
}

/* The next word of *text, or NULL; *text moves behind it. */
static const char *next_word(struct world *world, const char **text)
{
    *text += strspn(*text, " ");
    size_t length = strcspn(*text, " ");
    const char *word = length ? keep(world, *text, length) : NULL;
    *text += length;
    return word;
}

struct lpm_prefix world_prefix(const char *text)
{
    struct lpm_prefix prefix;
    int error = lpm_prefix_parse(text, &prefix);
    assert(error == 0);
    (void)error;
    return prefix;
}

struct lpm_address world_address(const char *text)
{
    struct lpm_address address;
    int error = lpm_address_parse(text, &address);
    assert(error == 0);
    (void)error;
    return address;
}

static struct fabric_prefixes prefixes_of(struct world *world, const char *text)
{
    struct fabric_prefixes prefixes = {.items = &world->prefixes[world->prefix_count]};
    for (const char *word; (word = next_word(world, &text)) != NULL; prefixes.n++) {
        assert(world->prefix_count < WORLD_PREFIXES);
        world->prefixes[world->prefix_count++] = world_prefix(word);
    }
    return prefixes;
}

static struct fabric_addresses addresses_of(struct world *world, const char *text)
{
    struct fabric_addresses addresses = {.items = &world->addresses[world->address_count]};
    for (const char *word; (word = next_word(world, &text)) != NULL; addresses.n++)
        world->addresses[world->address_count++] = world_address(word);
    return addresses;
}

void world_set_strings(struct world *world, struct fabric_strings *strings, const char *text)
{
    strings->items = &world->strings[world->string_count];
    strings->n = 0;
    for (const char *word; (word = next_word(world, &text)) != NULL; strings->n++) {
        assert(world->string_count < WORLD_PREFIXES);
        world->strings[world->string_count++] = word;
    }
}

void world_set_overrides(struct world *world, uint32_t vnet, const char *prefixes)
{
    world->vnets[vnet].bgp_overrides = prefixes_of(world, prefixes);
}

void world_set_reserved(struct world *world, const char *prefixes)
{
    world->fabric.reserved = prefixes_of(world, prefixes);
}

/* --- BGP -------------------------------------------------------------------------------------- */

static bool is_at(const struct world_path *path, uint32_t server, const struct lpm_prefix *prefix)
{
    return path->route_server == server && lpm_prefix_equal(&path->prefix, prefix);
}

static bool in_choice(const struct rib_choice *choice, const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < choice->n; i++)
        if (lpm_address_equal(&choice->paths[i].next_hop, next_hop))
            return true;
    return false;
}

static bool bgp_choice(void *context, uint32_t server, const struct lpm_prefix *prefix,
                       struct rib_choice *choice)
{
    const struct world *world = context;
    choice->n = 0;
    for (size_t i = 0; i < world->path_count && choice->n < RIB_ECMP_MAX; i++)
        if (is_at(&world->paths[i], server, prefix) && world->paths[i].chosen &&
            !in_choice(choice, &world->paths[i].path.next_hop))
            choice->paths[choice->n++] = world->paths[i].path;
    return choice->n > 0;
}

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static int bgp_each(void *context, uint32_t server,
                    int (*visit)(void *visit_context, const struct lpm_prefix *prefix,
                                 const struct rib_choice *choice),
                    void *visit_context)
{
    const struct world *world = context;
    struct lpm_prefix *prefixes = calloc(world->path_count + 1, sizeof(*prefixes));
    size_t n = 0;
    int stopped = 0;
    assert(prefixes);
    for (size_t i = 0; i < world->path_count; i++)
        if (world->paths[i].route_server == server)
            prefixes[n++] = world->paths[i].prefix;
    qsort(prefixes, n, sizeof(*prefixes), compare_prefixes);
    for (size_t i = 0; i < n && !stopped; i++) {
        struct rib_choice choice;
        if ((i == 0 || !lpm_prefix_equal(&prefixes[i], &prefixes[i - 1])) &&
            bgp_choice(context, server, &prefixes[i], &choice))
            stopped = visit(visit_context, &prefixes[i], &choice);
    }
    free(prefixes);
    return stopped;
}

static int bgp_each_announcer(void *context, uint32_t server, const struct lpm_prefix *prefix,
                              int (*visit)(void *visit_context, const struct lpm_address *address),
                              void *visit_context)
{
    const struct world *world = context;
    int stopped = 0;
    for (size_t i = 0; i < world->path_count && !stopped; i++)
        if (is_at(&world->paths[i], server, prefix))
            stopped = visit(visit_context, &world->paths[i].neighbor);
    return stopped;
}

/* As the speaker says it: each next hop is in the ECMP set once. */
static enum rib_verdict verdict_of(const struct world_path *path, struct rib_choice *chosen)
{
    if (!path->chosen)
        return RIB_LOST_AS_PATH;
    if (in_choice(chosen, &path->path.next_hop))
        return RIB_DUPLICATE_NEXT_HOP;
    chosen->paths[chosen->n++] = path->path;
    return RIB_CHOSEN;
}

static int bgp_each_candidate(void *context, uint32_t server, const struct lpm_prefix *prefix,
                              int (*visit)(void *visit_context, const struct rib_path *path,
                                           enum rib_verdict verdict),
                              void *visit_context)
{
    const struct world *world = context;
    struct rib_choice chosen = {.n = 0};
    int stopped = 0;
    for (size_t i = 0; i < world->path_count && !stopped; i++)
        if (is_at(&world->paths[i], server, prefix))
            stopped =
                visit(visit_context, &world->paths[i].path, verdict_of(&world->paths[i], &chosen));
    return stopped;
}

static const struct bgp_attributes *make_attributes(struct world *world, const char *community)
{
    const struct bgp_attributes *attributes;
    bgp_builder_originate(world->builder, BGP_ORIGIN_IGP);
    if (community) {
        struct bgp_community parsed;
        int error = bgp_community_parse(community, &parsed);
        assert(error == 0);
        (void)error;
        bgp_builder_add_community(world->builder, &parsed);
    }
    int error = bgp_builder_intern(world->builder, world->attributes, &attributes);
    assert(error == 0);
    (void)error;
    return attributes;
}

void world_announce_path(struct world *world, uint32_t server, const struct lpm_prefix *prefix,
                         const struct lpm_address *neighbor, const struct lpm_address *next_hop,
                         enum rib_source source, const char *community, bool chosen)
{
    if (world->path_count == world->path_capacity) {
        world->path_capacity = world->path_capacity ? 2 * world->path_capacity : 64;
        world->paths = realloc(world->paths, world->path_capacity * sizeof(*world->paths));
        assert(world->paths);
    }
    world->paths[world->path_count++] = (struct world_path){
        .route_server = server,
        .prefix = *prefix,
        .neighbor = *neighbor,
        .path = {.attributes = make_attributes(world, community),
                 .source = source,
                 .next_hop = *next_hop},
        .chosen = chosen,
    };
}

void world_announce(struct world *world, uint32_t server, const char *neighbor, const char *prefix)
{
    struct lpm_prefix what = world_prefix(prefix);
    struct lpm_address who = world_address(neighbor);
    world_announce_path(world, server, &what, &who, &who, RIB_SOURCE_NVA, NULL, true);
}

void world_originate(struct world *world, uint32_t server, const char *prefix)
{
    struct lpm_prefix what = world_prefix(prefix);
    struct lpm_address none = {0};
    world_announce_path(world, server, &what, &none, &none, RIB_SOURCE_LOCAL, NULL, true);
}

void world_remove_path(struct world *world, size_t index)
{
    bgp_attributes_release(world->attributes, world->paths[index].path.attributes);
    /* The order decides which of two paths with one next hop is chosen, so it stays. */
    memmove(&world->paths[index], &world->paths[index + 1],
            (--world->path_count - index) * sizeof(*world->paths));
}

void world_withdraw(struct world *world, uint32_t server, const char *neighbor, const char *prefix)
{
    struct lpm_prefix what = world_prefix(prefix);
    struct lpm_address who = world_address(neighbor);
    for (size_t i = 0; i < world->path_count;)
        if (is_at(&world->paths[i], server, &what) &&
            lpm_address_equal(&world->paths[i].neighbor, &who))
            world_remove_path(world, i);
        else
            i++;
}

/* --- Objects ---------------------------------------------------------------------------------- */

struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof(*world));
    assert(world);
    world->fabric = (struct fabric){
        .name = "test",
        .vnets = world->vnets,
        .subnets = world->subnets,
        .peerings = world->peerings,
        .route_tables = world->tables,
        .nics = world->nics,
        .route_servers = world->servers,
        .routers = world->routers,
        .service_tags = world->tags,
        .ecmp = {.hash_fields = 5, .sticky_idle_ms = 60000, .sticky_forced_ms = 600000}};
    world->bgp = (struct fabric_bgp){.context = world,
                                     .choice = bgp_choice,
                                     .each = bgp_each,
                                     .each_announcer = bgp_each_announcer,
                                     .each_candidate = bgp_each_candidate};
    world->attributes = bgp_attribute_table_create();
    world->builder = bgp_builder_create();
    assert(world->attributes && world->builder);
    world_set_reserved(world, "10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16");
    return world;
}

void world_destroy(struct world *world)
{
    while (world->path_count > 0)
        world_remove_path(world, world->path_count - 1);
    bgp_builder_destroy(world->builder);
    bgp_attribute_table_destroy(world->attributes);
    free(world->paths);
    free(world);
}

uint32_t world_add_vnet(struct world *world, const char *name, const char *space)
{
    uint32_t index = world->fabric.vnets_count++;
    assert(index < WORLD_VNETS);
    world->vnets[index] = (struct fabric_vnet){
        .name = keep(world, name, strlen(name)),
        .space = prefixes_of(world, space),
        .first_subnet = world->fabric.subnets_count,
        .route_server = FABRIC_NONE,
    };
    return index;
}

uint32_t world_add_subnet(struct world *world, uint32_t vnet, const char *name,
                          const char *prefixes)
{
    uint32_t index = world->fabric.subnets_count++;
    struct fabric_vnet *owner = &world->vnets[vnet];
    assert(index < WORLD_SUBNETS);
    if (owner->subnet_count == 0)
        owner->first_subnet = index;
    assert(index == owner->first_subnet + owner->subnet_count);
    owner->subnet_count++;
    world->subnets[index] = (struct fabric_subnet){
        .name = keep(world, name, strlen(name)),
        .vnet = vnet,
        .prefixes = prefixes_of(world, prefixes),
        .route_table = FABRIC_NONE,
        .gateway_mac = FABRIC_GATEWAY_MAC,
    };
    return index;
}

struct fabric_peering *world_add_peering(struct world *world, uint32_t a, uint32_t b)
{
    assert(world->fabric.peerings_count < WORLD_PEERINGS);
    struct fabric_peering *peering = &world->peerings[world->fabric.peerings_count++];
    *peering = (struct fabric_peering){.vnets = {a, b}, .in_sync = true};
    peering->sides[0].allow_virtual_network_access = true;
    peering->sides[1].allow_virtual_network_access = true;
    return peering;
}

struct fabric_peering *world_add_spoke(struct world *world, uint32_t hub, uint32_t spoke)
{
    struct fabric_peering *peering = world_add_peering(world, hub, spoke);
    peering->sides[0].allow_gateway_transit = true;
    peering->sides[1].use_remote_gateways = true;
    peering->sides[0].allow_forwarded_traffic = true;
    peering->sides[1].allow_forwarded_traffic = true;
    return peering;
}

uint32_t world_add_table(struct world *world, const char *name, bool propagation)
{
    uint32_t index = world->fabric.route_tables_count++;
    assert(index < WORLD_TABLES);
    world->tables[index] = (struct fabric_route_table){.name = keep(world, name, strlen(name)),
                                                       .bgp_propagation = propagation,
                                                       .routes = world->routes[index]};
    return index;
}

void world_add_route(struct world *world, uint32_t table, const char *prefix,
                     enum fabric_next_hop_type type, const char *next_hop)
{
    struct fabric_route_table *owner = &world->tables[table];
    struct fabric_udr route = {.prefix = world_prefix(prefix), .type = type};
    if (next_hop)
        route.next_hop = world_address(next_hop);
    assert(owner->route_count < WORLD_ROUTES);
    uint32_t at = owner->route_count++;
    for (; at > 0 && lpm_prefix_compare(&owner->routes[at - 1].prefix, &route.prefix) > 0; at--)
        owner->routes[at] = owner->routes[at - 1];
    owner->routes[at] = route;
}

uint32_t world_add_nic(struct world *world, uint32_t subnet, const char *name,
                       const char *addresses)
{
    uint32_t index = world->fabric.nics_count++;
    assert(index < WORLD_NICS);
    world->nics[index] = (struct fabric_nic){
        .name = keep(world, name, strlen(name)),
        .vnet = world->subnets[subnet].vnet,
        .subnet = subnet,
        .addresses = addresses_of(world, addresses),
        .mac = {0x02, 0, 0, (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index},
        .port = FABRIC_NONE,
        .underlay_port = FABRIC_NONE,
        .host = FABRIC_NONE,
        .router = FABRIC_NONE,
    };
    return index;
}

uint32_t world_add_server(struct world *world, uint32_t vnet, const char *name)
{
    uint32_t index = world->fabric.route_servers_count++;
    assert(index < WORLD_SERVERS);
    world->servers[index] = (struct fabric_route_server){.name = keep(world, name, strlen(name)),
                                                         .vnet = vnet,
                                                         .asn = 65515,
                                                         .instance_count = 2,
                                                         .port = FABRIC_NONE,
                                                         .peers = world->peers[index]};
    world->vnets[vnet].route_server = index;
    return index;
}

void world_add_peer(struct world *world, uint32_t server, uint32_t nic)
{
    struct fabric_route_server *owner = &world->servers[server];
    assert(owner->peer_count < WORLD_PEERS);
    owner->peers[owner->peer_count++] =
        (struct fabric_bgp_peer){.name = world->nics[nic].name,
                                 .address = world->nics[nic].addresses.items[0],
                                 .asn = 65001,
                                 .nic = nic,
                                 .router = world->nics[nic].router};
}

uint32_t world_add_router(struct world *world, const char *name, uint32_t nic)
{
    uint32_t index = world->fabric.routers_count++;
    assert(index < WORLD_ROUTERS);
    world->router_nics[index] = nic;
    world->routers[index] = (struct fabric_router){.name = keep(world, name, strlen(name)),
                                                   .nics = &world->router_nics[index],
                                                   .nic_count = 1,
                                                   .asn = 65001};
    world->nics[nic].router = index;
    world->nics[nic].ip_forwarding = true;
    return index;
}

void world_add_tag(struct world *world, const char *name, const char *prefixes)
{
    uint32_t index = world->fabric.service_tags_count++;
    assert(index < WORLD_TAGS);
    world->tags[index] = (struct fabric_service_tag){.name = keep(world, name, strlen(name)),
                                                     .prefixes = prefixes_of(world, prefixes)};
}

/* --- Base H ----------------------------------------------------------------------------------- */

struct base_h world_base_h(void)
{
    struct world *world = world_create();
    struct base_h base = {.world = world};
    base.hub = world_add_vnet(world, "hub", "10.0.0.0/22");
    world_add_subnet(world, base.hub, "RouteServerSubnet", "10.0.0.0/26");
    base.nva_subnet = world_add_subnet(world, base.hub, "nva", "10.0.1.0/24");
    uint32_t vms = world_add_subnet(world, base.hub, "vms", "10.0.2.0/24");
    world_add_subnet(world, base.hub, "GatewaySubnet", "10.0.3.0/26");
    base.spoke1 = world_add_vnet(world, "spoke1", "10.1.0.0/16");
    base.spoke1_subnet = world_add_subnet(world, base.spoke1, "vms", "10.1.0.0/24");
    base.spoke2 = world_add_vnet(world, "spoke2", "10.2.0.0/16");
    uint32_t spoke2_subnet = world_add_subnet(world, base.spoke2, "vms", "10.2.0.0/24");
    world_add_spoke(world, base.hub, base.spoke1);
    world_add_spoke(world, base.hub, base.spoke2);
    base.nva1 = world_add_nic(world, base.nva_subnet, "nva1", "10.0.1.4");
    base.nva2 = world_add_nic(world, base.nva_subnet, "nva2", "10.0.1.5");
    base.hubvm = world_add_nic(world, vms, "hubvm", "10.0.2.4");
    base.vm1 = world_add_nic(world, base.spoke1_subnet, "vm1", "10.1.0.4");
    base.vm2 = world_add_nic(world, spoke2_subnet, "vm2", "10.2.0.4");
    world_add_router(world, "nva1-os", base.nva1);
    world_add_router(world, "nva2-os", base.nva2);
    base.server = world_add_server(world, base.hub, "rs1");
    world_add_peer(world, base.server, base.nva1);
    world_add_peer(world, base.server, base.nva2);
    world_originate(world, base.server, "10.0.0.0/22");
    world_originate(world, base.server, "10.1.0.0/16");
    world_originate(world, base.server, "10.2.0.0/16");
    return base;
}

/* --- Rows as text ----------------------------------------------------------------------------- */

static void print_row(FILE *out, const struct fabric_row *row)
{
    char text[LPM_PREFIX_TEXT];
    fprintf(out, "%s %s %s %s", lpm_prefix_format(&row->prefix, text),
            row->active ? "Active" : "Invalid", fabric_source_text(row->source),
            fabric_next_hop_type_text(row->type));
    for (unsigned i = 0; i < row->next_hop_count; i++)
        fprintf(out, " %s", lpm_address_format(&row->next_hops[i], text));
    fputc('\n', out);
}

char *world_rows_text(const struct world *world, const struct fabric_row *rows, size_t n)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    (void)world;
    assert(out);
    for (size_t i = 0; i < n; i++)
        print_row(out, &rows[i]);
    fclose(out);
    return text;
}

char *world_nic_rows(const struct world *world, uint32_t nic)
{
    struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
    struct fabric_row *rows;
    size_t n;
    int error = fabric_rows(&world->fabric, &world->bgp, &scope, &rows, &n);
    assert(error == 0);
    (void)error;
    char *text = world_rows_text(world, rows, n);
    free(rows);
    return text;
}

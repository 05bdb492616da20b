/*
 * Tables of keys: the top of the file, and its objects that stand once: engine, ecmp, internet,
 * quirks.
 */
#include "engine/fabric/schema.h"

/* --- Objects that stand once ------------------------------------------------------------------ */

/* A list of words that become a set. */
static bool read_bmp_routes(struct fabric_loader *loader, const struct fabric_key *key,
                            const struct fabric_node *node, void *object,
                            const struct fabric_path *path)
{
    static const struct fabric_word routes[] = {{"pre_policy", FABRIC_BMP_PRE_POLICY},
                                                {"post_policy", FABRIC_BMP_POST_POLICY},
                                                {"adj_rib_out", FABRIC_BMP_ADJ_RIB_OUT},
                                                {"loc_rib", FABRIC_BMP_LOC_RIB},
                                                {NULL, 0}};
    static const struct fabric_key route_key = {
        .type = FABRIC_TYPE_WORD, .size = sizeof(uint32_t), .words = routes};
    struct fabric_bmp *bmp = object;
    uint32_t route, all = 0;
    char text[FABRIC_PATH_TEXT];

    (void)key;
    if (node->kind != FABRIC_NODE_SEQUENCE)
        return fabric_expected(loader, node, path, "a list");
    if (node->n == 0) {
        FABRIC_ERROR(loader, &node->place,
                     "%s: nothing is to be told; take the collector out, or the key",
                     fabric_path_format(path, text));
        return false;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (!fabric_read_scalar(loader, &route_key, node->items[i], &route, path))
            return false;
        all |= route;
    }
    bmp->routes = all;
    return true;
}

static const struct fabric_key bmp_keys[] = {
    {.name = "collector",
     .type = FABRIC_TYPE_SOCKET,
     .required = true,
     FABRIC_FIELD(fabric_bmp, collector)},
    {.name = "routes",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_bmp_routes,
     .shape = "list of: pre_policy, post_policy, adj_rib_out, loc_rib",
     .otherwise = "pre_policy, post_policy"},
    {.name = "statistics_interval_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 86400,
     FABRIC_FIELD(fabric_bmp, statistics_interval_s),
     .fallback = "60"},
};
static const struct fabric_schema bmp_schema = {
    .title = "engine.bmp", .word = "collector", FABRIC_KEYS(bmp_keys), FABRIC_OF(fabric_bmp)};

static const struct fabric_key events_keys[] = {
    {.name = "file",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_events, file),
     .otherwise = "none"},
    {.name = "ring",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 1000000,
     FABRIC_FIELD(fabric_events, ring),
     .fallback = "1000"},
    {.name = "route_count_jump",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_events, route_count_jump),
     .fallback = "1000"},
    {.name = "route_count_jump_percent",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 100000,
     FABRIC_FIELD(fabric_events, route_count_jump_percent),
     .fallback = "50"},
    {.name = "withdraw_storm",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_events, withdraw_storm),
     .fallback = "1000"},
};
static const struct fabric_schema events_schema = {
    .title = "engine.events", .word = "events", FABRIC_KEYS(events_keys)};

static const struct fabric_key mrt_keys[] = {
    {.name = "file", .type = FABRIC_TYPE_STRING, .required = true, FABRIC_FIELD(fabric_mrt, file)},
    {.name = "interval_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 604800,
     FABRIC_FIELD(fabric_mrt, interval_s),
     .fallback = "900"},
};
static const struct fabric_schema mrt_schema = {
    .title = "engine.mrt", .word = "mrt", FABRIC_KEYS(mrt_keys)};

static const struct fabric_key engine_keys[] = {
    {.name = "cores",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = FABRIC_CORE_MAX,
     FABRIC_ITEMS(fabric_engine, cores, core_count),
     .otherwise = "all but the first"},
    {.name = "control_socket",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_engine, control_socket),
     .otherwise = "none"},
    {.name = "metrics_listen",
     .type = FABRIC_TYPE_SOCKET,
     FABRIC_FIELD(fabric_engine, metrics_listen),
     .otherwise = "none"},
    {.name = "bmp",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &bmp_schema,
     FABRIC_ITEMS(fabric_engine, bmp, bmp_count),
     .otherwise = "none"},
    {.name = "events",
     .type = FABRIC_TYPE_OBJECT,
     .object = &events_schema,
     FABRIC_FIELD(fabric_engine, events),
     .present_offset = offsetof(struct fabric_engine, events.present)},
    {.name = "mrt",
     .type = FABRIC_TYPE_OBJECT,
     .object = &mrt_schema,
     FABRIC_FIELD(fabric_engine, mrt),
     .present_offset = offsetof(struct fabric_engine, mrt.present)},
    {.name = "verify",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_engine, verify),
     .fallback = "false"},
};
const struct fabric_schema fabric_schema_engine = {
    .title = "engine", .word = "engine", FABRIC_KEYS(engine_keys)};

static const struct fabric_key sticky_keys[] = {
    {.name = "idle_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 86400000,
     FABRIC_FIELD(fabric_ecmp, sticky_idle_ms),
     .fallback = "60000"},
    {.name = "forced_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 86400000,
     FABRIC_FIELD(fabric_ecmp, sticky_forced_ms),
     .fallback = "600000"},
};
static const struct fabric_schema sticky_schema = {
    .title = "ecmp.sticky", .word = "sticky", FABRIC_KEYS(sticky_keys)};

static const struct fabric_word balances[] = {{"hrw", false}, {"strict", true}, {NULL, 0}};
static const struct fabric_word hashes[] = {
    {"5-tuple", 5}, {"3-tuple", 3}, {"2-tuple", 2}, {"flow-label", 6}, {NULL, 0}};
static const struct fabric_key ecmp_keys[] = {
    {.name = "balance",
     .type = FABRIC_TYPE_WORD,
     .words = balances,
     FABRIC_FIELD(fabric_ecmp, strict),
     .fallback = "hrw"},
    {.name = "hash",
     .type = FABRIC_TYPE_WORD,
     .words = hashes,
     FABRIC_FIELD(fabric_ecmp, hash_fields),
     .fallback = "5-tuple"},
    {.name = "sticky",
     .type = FABRIC_TYPE_OBJECT,
     .object = &sticky_schema,
     .present_offset = offsetof(struct fabric_ecmp, sticky)},
};
const struct fabric_schema fabric_schema_ecmp = {
    .title = "ecmp", .word = "ecmp", FABRIC_KEYS(ecmp_keys)};

static const struct fabric_key internet_keys[] = {
    {.name = "port",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_PORTS,
     FABRIC_FIELD(fabric_internet, port),
     .otherwise = "none"},
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_internet, next_hop),
     .otherwise = "none"},
    {.name = "mac",
     .type = FABRIC_TYPE_MAC,
     FABRIC_FIELD(fabric_internet, mac),
     .otherwise = "that of `next_hop`, else 02:00:00:00:00:fe"},
    {.name = "source_nat",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_internet, source_nat),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_internet = {.title = "internet",
                                                     .word = "internet",
                                                     FABRIC_KEYS(internet_keys),
                                                     FABRIC_OF(fabric_internet)};

/* Switches have no default here: the mode sets them all before the file's own are read. */
#define QUIRK(quirk)                                                                               \
    {                                                                                              \
        .name = #quirk, .type = FABRIC_TYPE_BOOLEAN, FABRIC_FIELD(fabric_quirks, quirk),           \
        .otherwise = "false; true in azure mode"                                                   \
    }
static const struct fabric_word reflections[] = {
    {"always", FABRIC_REFLECT_ALWAYS},
    {"b2b", FABRIC_REFLECT_B2B},
    {"never", FABRIC_REFLECT_NEVER},
    {NULL, 0},
};
static const struct fabric_key quirk_keys[] = {
    QUIRK(peer_limit),
    QUIRK(count_mode),
    QUIRK(damping),
    QUIRK(half_programming),
    QUIRK(own_route_to_originator),
    QUIRK(single_er_path),
    QUIRK(independent_hash),
    QUIRK(outer_hash),
    QUIRK(transparent_ttl),
    QUIRK(silent_drops),
    QUIRK(two_octet_asn),
    QUIRK(no_ipv6),
    QUIRK(no_md5),
    QUIRK(no_bfd),
    {.name = "nva_reflect",
     .type = FABRIC_TYPE_WORD,
     .words = reflections,
     FABRIC_FIELD(fabric_quirks, nva_reflect),
     .fallback = "always"},
};
const struct fabric_schema fabric_schema_quirks = {
    .title = "quirks", .word = "quirks", FABRIC_KEYS(quirk_keys)};

/* --- The top ---------------------------------------------------------------------------------- */

/* azure mode is the sum of all quirks. nva_reflect has a default of its own in either mode. */
static void quirks_by_mode(struct fabric *fabric)
{
    bool on = fabric->mode == FABRIC_AZURE;

    fabric->quirks = (struct fabric_quirks){
        .peer_limit = on,
        .count_mode = on,
        .damping = on,
        .half_programming = on,
        .own_route_to_originator = on,
        .single_er_path = on,
        .independent_hash = on,
        .outer_hash = on,
        .transparent_ttl = on,
        .silent_drops = on,
        .two_octet_asn = on,
        .no_ipv6 = on,
        .no_md5 = on,
        .no_bfd = on,
    };
}

/* Stands above `quirks` in the table, so that the file's own switches come after those of the
 * mode. */
static bool read_mode(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    static const struct fabric_word modes[] = {
        {"native", FABRIC_NATIVE}, {"azure", FABRIC_AZURE}, {NULL, 0}};
    static const struct fabric_key mode_key = {
        .type = FABRIC_TYPE_WORD, .size = sizeof(enum fabric_mode), .words = modes};
    struct fabric *fabric = object;

    (void)key;
    if (!fabric_read_scalar(loader, &mode_key, node, &fabric->mode, path))
        return false;
    quirks_by_mode(fabric);
    return true;
}

/* The objects of a section were collected by name before (top.c), so that they can be referred
 * to. */
static bool read_section(struct fabric_loader *loader, const struct fabric_key *key,
                         const struct fabric_node *node, void *object,
                         const struct fabric_path *path)
{
    void *array = *(void **)(void *)((char *)object + key->offset);

    (void)node;
    return fabric_fill(loader, key->object, &loader->objects[key->section], array, path);
}

/* Files named here were merged before anything is read (load.c). */
static bool read_include(struct fabric_loader *loader, const struct fabric_key *key,
                         const struct fabric_node *node, void *object,
                         const struct fabric_path *path)
{
    (void)loader;
    (void)key;
    (void)node;
    (void)object;
    (void)path;
    return true;
}

#define SECTION(key, number, schema)                                                               \
    {                                                                                              \
        .name = #key, .type = FABRIC_TYPE_OBJECTS, .object = schema, .handler = read_section,      \
        .section = number, FABRIC_ITEMS(fabric, key, key##_count), .otherwise = "none"             \
    }
static const struct fabric_key top_keys[] = {
    {.name = "fabric", .type = FABRIC_TYPE_NAME, FABRIC_FIELD(fabric, name), .fallback = "fabric"},
    {.name = "include",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_include,
     .shape = "list of files or directories",
     .otherwise = "none"},
    {.name = "mode",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_mode,
     .shape = "one of: native, azure",
     .otherwise = "native"},
    {.name = "quirks",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_quirks,
     FABRIC_FIELD(fabric, quirks)},
    {.name = "engine",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_engine,
     FABRIC_FIELD(fabric, engine)},
    {.name = "ecmp",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_ecmp,
     FABRIC_FIELD(fabric, ecmp)},
    {.name = "internet",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_internet,
     FABRIC_FIELD(fabric, internet),
     .present_offset = offsetof(struct fabric, internet.present)},
    {.name = "reserved_prefixes",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric, reserved.items, reserved.n),
     .otherwise = "none beyond the documented four"},
    SECTION(vnets, FABRIC_VNETS, &fabric_schema_vnet),
    SECTION(peerings, FABRIC_PEERINGS, &fabric_schema_peering),
    SECTION(route_tables, FABRIC_ROUTE_TABLES, &fabric_schema_route_table),
    SECTION(service_tags, FABRIC_SERVICE_TAGS, &fabric_schema_service_tag),
    SECTION(hosts, FABRIC_HOSTS, &fabric_schema_host),
    SECTION(nics, FABRIC_NICS, &fabric_schema_nic),
    SECTION(ports, FABRIC_PORTS, &fabric_schema_port),
    SECTION(route_servers, FABRIC_ROUTE_SERVERS, &fabric_schema_route_server),
    SECTION(gateways, FABRIC_GATEWAYS, &fabric_schema_gateway),
    SECTION(load_balancers, FABRIC_LOAD_BALANCERS, &fabric_schema_load_balancer),
    SECTION(policies, FABRIC_POLICIES, &fabric_schema_policy),
    SECTION(routers, FABRIC_ROUTERS, &fabric_schema_router),
    SECTION(tunnels, FABRIC_TUNNELS, &fabric_schema_tunnel),
};
const struct fabric_schema fabric_schema_top = {
    .title = "", .word = "fabric", FABRIC_KEYS(top_keys)};

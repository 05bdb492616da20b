/*
 * Keys that are read and checked, but that nothing acts upon yet: the one place that knows them.
 * Whoever makes one work takes its line away.
 */
#include "engine/fabric/schema.h"

#include <string.h>

static const struct {
    const char *object, *key;
} without_effect[] = {
    {"", "gateways"},
    {"", "hosts"},
    {"", "load_balancers"},
    {"", "policies"},
    {"", "tunnels"},
    {"engine", "control_socket"},
    {"engine", "metrics_listen"},
    {"engine", "bmp"},
    {"ecmp", "sticky"},
    {"internet", "next_hop"},
    {"internet", "source_nat"},
    {"quirks", "count_mode"},
    {"quirks", "damping"},
    {"quirks", "half_programming"},
    {"quirks", "single_er_path"},
    {"quirks", "silent_drops"},
    {"nics", "host"},
    {"nics", "underlay"},
    {"ports", "address"},
    {"route_servers", "port"},
    {"route_servers", "dynamic_peers"},
    {"route_servers.limits", "prefixes"},
    {"route_servers.peers", "key_file"},
    {"route_servers.peers", "bfd"},
    {"route_servers.peers", "import"},
    {"route_servers.peers", "export"},
    {"route_servers.peers.max_prefixes", "count"},
    {"route_servers.peers.max_prefixes", "warn_percent"},
    {"route_servers.peers.max_prefixes", "action"},
    {"route_servers.peers.max_prefixes", "idle_minutes"},
    {"neighbors", "router"},
    {"neighbors", "gateway"},
    {"neighbors", "address"},
    {"neighbors", "tunnel"},
    {"neighbors", "import"},
    {"neighbors", "export"},
    {"routers", "role"},
    {"routers", "static"},
    {"routers", "stateful"},
    {"routers", "source_nat"},
    {"routers", "health"},
    {"routers", "hosts"},
};
#define WITHOUT_EFFECT_COUNT (sizeof(without_effect) / sizeof(*without_effect))
_Static_assert(WITHOUT_EFFECT_COUNT <= 64, "one bit each in no_effect_told");

void fabric_warn_no_effect(struct fabric_loader *loader, const char *object, const char *key,
                           const struct fabric_place *place)
{
    for (unsigned i = 0; i < WITHOUT_EFFECT_COUNT; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if ((loader->no_effect_told & bit) || strcmp(without_effect[i].key, key) != 0 ||
            strcmp(without_effect[i].object, object) != 0)
            continue;
        loader->no_effect_told |= bit;
        FABRIC_WARNING(loader, place,
                       "'%s%s%s' is read and checked but has no effect in this version", object,
                       object[0] ? "." : "", key);
        return;
    }
}

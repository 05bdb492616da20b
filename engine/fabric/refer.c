/*
 * References: names of other objects into indices. The objects of every section were collected and
 * sorted by name before anything refers to them (top.c), so a name is found by halving and an
 * unknown one can be held against all that are known.
 */
#include "engine/fabric/schema.h"

#include <string.h>

/* So many problems get a search for what was meant; it looks at every name of a section. */
#define FABRIC_NEAREST_SEARCHES 50u

static const char *name_of(const struct fabric_node *node)
{
    return fabric_node_get(node, "name")->text;
}

const char *fabric_section_text(unsigned section)
{
    static const char *const names[] = {
        [FABRIC_VNETS] = "VNet",
        [FABRIC_ROUTE_TABLES] = "route table",
        [FABRIC_SERVICE_TAGS] = "service tag",
        [FABRIC_HOSTS] = "host",
        [FABRIC_PORTS] = "port",
        [FABRIC_POLICIES] = "policy",
        [FABRIC_TUNNELS] = "tunnel",
        [FABRIC_ROUTERS] = "router",
        [FABRIC_NICS] = "NIC",
        [FABRIC_ROUTE_SERVERS] = "route server",
        [FABRIC_GATEWAYS] = "gateway",
        [FABRIC_LOAD_BALANCERS] = "load balancer",
        [FABRIC_SUBNETS] = "subnet",
    };

    return names[section];
}

/* The nodes were sorted by name when they were collected. */
static uint32_t find_in_section(const struct fabric_objects *objects, const char *name)
{
    uint32_t low = 0, high = objects->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(name, name_of(objects->nodes[middle]));

        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return FABRIC_NONE;
}

/* "vnet/subnet". */
static uint32_t find_subnet(const struct fabric *fabric, const char *text)
{
    const char *slash = strchr(text, '/');
    char vnet_name[128];
    uint32_t vnet;

    if (!slash || (size_t)(slash - text) >= sizeof(vnet_name))
        return FABRIC_NONE;
    memcpy(vnet_name, text, (size_t)(slash - text));
    vnet_name[slash - text] = '\0';
    vnet = fabric_find_vnet(fabric, vnet_name);
    return vnet == FABRIC_NONE ? FABRIC_NONE : fabric_find_subnet(fabric, vnet, slash + 1);
}

/* Looks at every name that there is; see FABRIC_NEAREST_SEARCHES. */
static void nearest_in_section(const struct fabric_loader *loader, unsigned section,
                               const char *text, struct fabric_nearest *nearest)
{
    if (section == FABRIC_SUBNETS) {
        for (uint32_t i = 0; i < loader->fabric->subnets_count; i++)
            fabric_nearest_try(nearest, text, loader->fabric->subnets[i].full_name);
        return;
    }
    for (uint32_t i = 0; i < loader->objects[section].n; i++)
        fabric_nearest_try(nearest, text, name_of(loader->objects[section].nodes[i]));
}

uint32_t fabric_refer(struct fabric_loader *loader, unsigned section,
                      const struct fabric_node *node, const struct fabric_path *path)
{
    struct fabric_nearest nearest = {0};
    char path_text[FABRIC_PATH_TEXT], nearest_text[FABRIC_NEAREST_TEXT], found[FABRIC_FOUND_TEXT];
    uint32_t index;

    if (node->kind != FABRIC_NODE_SCALAR || fabric_node_is_empty(node)) {
        fabric_expected(loader, node, path, "a name");
        return FABRIC_NONE;
    }
    index = section == FABRIC_SUBNETS ? find_subnet(loader->fabric, node->text)
                                      : find_in_section(&loader->objects[section], node->text);
    if (index != FABRIC_NONE)
        return index;
    if (loader->problems->n < FABRIC_NEAREST_SEARCHES)
        nearest_in_section(loader, section, node->text, &nearest);
    FABRIC_ERROR(
        loader, &node->place, "%s: there is no %s %s%s%s", fabric_path_format(path, path_text),
        fabric_section_text(section), fabric_node_found(node, found),
        section == FABRIC_SUBNETS && !nearest.name ? " (subnets are written vnet/subnet)" : "",
        fabric_nearest_text(&nearest, nearest_text));
    return FABRIC_NONE;
}

/*
 * Reading the whole file, in two rounds.
 *
 * The first collects the named objects of every section, sorts them by name and allocates their
 * arrays; so in the second, which fills them, every reference can be turned into an index at once,
 * whatever the order of the file. Subnets stand within their VNets in the file and in one array in
 * the model, VNet by VNet.
 */
#include "engine/fabric/schema.h"

/* Room behind the file's own objects for what gateways and route servers bring along (bring_along.c). Notes of lines go by
 * place in the array, so it cannot grow later. */
static size_t spare_room(unsigned section, const struct fabric_node *top)
{
    const struct fabric_node *gateways = fabric_node_get(top, "gateways");
    const struct fabric_node *servers = fabric_node_get(top, "route_servers");
    size_t n = gateways && gateways->kind == FABRIC_NODE_SEQUENCE ? gateways->n : 0;

    if (section == FABRIC_NICS)
        return n * FABRIC_GATEWAY_INSTANCES_MAX +
               (servers && servers->kind == FABRIC_NODE_SEQUENCE ? servers->n : 0);
    return section == FABRIC_ROUTE_SERVERS ? n : 0;
}

/* After this the section's objects have names and places in their array, but nothing else. */
static bool collect_section(struct fabric_loader *loader, const struct fabric_key *key,
                            const struct fabric_node *top)
{
    struct fabric_objects *objects = &loader->objects[key->section];
    struct fabric_path path = {.key = key->name, .index = FABRIC_NONE};
    char *fabric = (char *)loader->fabric;
    char *array;

    fabric_collect(loader, key->object, fabric_node_get(top, key->name), &path, objects);
    array = fabric_loader_array(loader, objects->n + spare_room(key->section, top), key->size);
    if (!array)
        return false;
    *(void **)(void *)(fabric + key->offset) = array;
    *(uint32_t *)(void *)(fabric + key->count_offset) = objects->n;
    /* VNets and subnets are looked up by name while the rest is read; the nodes' own text does
     * until then. */
    for (uint32_t i = 0; key->object->named && i < objects->n; i++)
        *(const char **)(void *)(array + i * key->size) =
            fabric_node_get(objects->nodes[i], "name")->text;
    return true;
}

/* Collects the subnets of each VNet, and counts them. */
static bool collect_subnet_lists(struct fabric_loader *loader, struct fabric_objects *lists)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < loader->fabric->vnets_count; i++) {
        struct fabric_vnet *vnet = &loader->fabric->vnets[i];
        const struct fabric_node *node = loader->objects[FABRIC_VNETS].nodes[i];
        struct fabric_path vnets = {.key = "vnets", .name = vnet->name, .index = i};
        struct fabric_path path = {.parent = &vnets, .key = "subnets", .index = FABRIC_NONE};

        fabric_collect(loader, &fabric_schema_subnet, fabric_node_get(node, "subnets"), &path,
                       &lists[i]);
        vnet->first_subnet = n;
        vnet->subnet_count = lists[i].n;
        n += lists[i].n;
    }
    loader->subnets.n = n;
    loader->subnets.nodes = fabric_arena_array(&loader->tree, n, sizeof(*loader->subnets.nodes));
    loader->fabric->subnets = fabric_loader_array(loader, n, sizeof(*loader->fabric->subnets));
    loader->fabric->subnets_count = n;
    return loader->subnets.nodes && loader->fabric->subnets;
}

/* Puts the subnets of all VNets into one array and names them "vnet/subnet". */
static bool collect_subnets(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;
    struct fabric_objects *lists =
        fabric_arena_array(&loader->tree, fabric->vnets_count, sizeof(*lists));

    if (!lists || !collect_subnet_lists(loader, lists))
        return false;
    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        const struct fabric_vnet *vnet = &fabric->vnets[i];

        for (uint32_t j = 0; j < vnet->subnet_count; j++) {
            struct fabric_subnet *subnet = &fabric->subnets[vnet->first_subnet + j];

            loader->subnets.nodes[vnet->first_subnet + j] = lists[i].nodes[j];
            subnet->vnet = i;
            subnet->name = fabric_node_get(lists[i].nodes[j], "name")->text;
            subnet->full_name =
                fabric_arena_print(loader->arena, "%s/%s", vnet->name, subnet->name);
            if (!subnet->full_name)
                return false;
        }
    }
    return true;
}

/* A failure in the first round that is no problem told can only be memory. */
void fabric_read_top(struct fabric_loader *loader, const struct fabric_node *top)
{
    const struct fabric_schema *schema = &fabric_schema_top;
    struct fabric_path path = {.index = FABRIC_NONE};
    bool good = true;

    for (unsigned i = 0; i < schema->key_count && good; i++)
        if (schema->keys[i].type == FABRIC_TYPE_OBJECTS)
            good = collect_section(loader, &schema->keys[i], top);
    good = good && collect_subnets(loader);
    /* Names that are missing or stand twice would make every reference to them look wrong. */
    if (good && loader->problems->errors > 0)
        return;
    if (good)
        fabric_read_object(loader, schema, top, loader->fabric, &path);
    else
        loader->out_of_memory = true;
}

/*
 * Tables of keys: hosts, NICs and ports.
 */
#include "engine/fabric/schema.h"

#include <stdlib.h>
#include <string.h>

static const struct fabric_key host_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_host, name)},
    {.name = "vtep",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_host, vtep)},
};
const struct fabric_schema fabric_schema_host = {.title = "hosts",
                                                 .word = "host",
                                                 FABRIC_KEYS(host_keys),
                                                 FABRIC_OF(fabric_host),
                                                 .named = true};

static const struct fabric_key underlay_keys[] = {
    {.name = "port",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_PORTS,
     FABRIC_FIELD(fabric_nic, underlay_port)},
    {.name = "vni",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 16777215,
     FABRIC_FIELD(fabric_nic, vni),
     .otherwise = "made from the VNet's name"},
};
static const struct fabric_schema underlay_schema = {
    .title = "nics.underlay", .word = "underlay", FABRIC_KEYS(underlay_keys)};

static const struct fabric_key nic_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_nic, name)},
    {.name = "subnet",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_SUBNETS,
     FABRIC_FIELD(fabric_nic, subnet)},
    {.name = "addresses",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_ITEMS(fabric_nic, addresses.items, addresses.n)},
    {.name = "mac",
     .type = FABRIC_TYPE_MAC,
     FABRIC_FIELD(fabric_nic, mac),
     .otherwise = "made from the name"},
    {.name = "ip_forwarding",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_nic, ip_forwarding),
     .fallback = "false"},
    {.name = "port",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_PORTS,
     FABRIC_FIELD(fabric_nic, port),
     .otherwise = "none"},
    {.name = "vlan",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 4094,
     FABRIC_FIELD(fabric_nic, vlan),
     .otherwise = "untagged"},
    {.name = "underlay", .type = FABRIC_TYPE_OBJECT, .object = &underlay_schema},
    {.name = "host",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_HOSTS,
     FABRIC_FIELD(fabric_nic, host),
     .otherwise = "that of its port"},
};
const struct fabric_schema fabric_schema_nic = {
    .title = "nics", .word = "NIC", FABRIC_KEYS(nic_keys), FABRIC_OF(fabric_nic), .named = true};

static int option_compare(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(*left, *right);
}

/* A driver's own options pass through as "key=value,key=value", so neither may hold the
 * separators. */
static bool read_port_options(struct fabric_loader *loader, const struct fabric_key *key,
                              const struct fabric_node *node, void *object,
                              const struct fabric_path *path)
{
    struct fabric_port *port = object;
    const char *options[FABRIC_MAPPING_KEYS_MAX];
    const char *joined = NULL;

    (void)key;
    if (node->kind != FABRIC_NODE_MAPPING || node->n == 0)
        return fabric_expected(loader, node, path, "a mapping of the driver's options");
    for (uint32_t i = 0; i < node->n; i += 2) {
        const struct fabric_node *name = node->items[i], *value = node->items[i + 1];

        if (value->kind != FABRIC_NODE_SCALAR || strpbrk(name->text, ",=") ||
            strpbrk(value->text, ","))
            return fabric_expected(loader, value, path,
                                   "a value without a comma under a name without ',' and '='");
        options[i / 2] = fabric_arena_print(&loader->tree, "%s=%s", name->text, value->text);
        if (!options[i / 2]) {
            loader->out_of_memory = true;
            return false;
        }
    }
    qsort(options, node->n / 2, sizeof(*options), option_compare);
    for (uint32_t i = 0; i < node->n / 2; i++)
        joined = fabric_arena_print(loader->arena, "%s%s%s", joined ? joined : "",
                                    joined ? "," : "", options[i]);
    port->options = joined;
    loader->out_of_memory |= joined == NULL;
    return joined != NULL;
}

static const struct fabric_key port_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_port, name)},
    {.name = "device",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_port, device)},
    {.name = "options",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_port_options,
     .shape = "mapping of the driver's options",
     .otherwise = "none"},
    {.name = "queues",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 128,
     FABRIC_FIELD(fabric_port, queues),
     .otherwise = "one per worker, where the device can"},
    {.name = "mtu",
     .type = FABRIC_TYPE_NUMBER,
     .least = 576,
     .most = 9216,
     FABRIC_FIELD(fabric_port, mtu),
     .otherwise = "1500"},
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_port, address),
     .otherwise = "none"},
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_port, next_hop),
     .otherwise = "other hosts are on the link"},
    {.name = "host",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_HOSTS,
     FABRIC_FIELD(fabric_port, host),
     .otherwise = "that whose vtep is its address, or of the NICs on it; else every host has one"},
};
const struct fabric_schema fabric_schema_port = {.title = "ports",
                                                 .word = "port",
                                                 FABRIC_KEYS(port_keys),
                                                 FABRIC_OF(fabric_port),
                                                 .named = true};

/*
 * See interface.h.
 *
 *   main table                          table of er1 (fabric_gateway_kernel_table())
 *     10.0.1.4 via 10.0.0.1 dev fp-rs1    10.0.0.0/16 via 10.0.3.1 dev fp-er1
 *
 *   rules   from 10.0.3.4: table of er1;  from 10.0.3.5: the same;  came in by fp-er1: the same
 *
 * Addresses have full length, so that even neighbours within the subnet are behind the gateway, as they
 * are for every guest. Other routes of the machine are left alone, those to the same prefix too: ours have a
 * metric of their own interface, and the machine's, with a lower one, stays in force. A gateway forwards, so its
 * prefixes must not lead others of the machine into the fabric, nor what came from its NIC to another
 * gateway's branches: hence the table of its own. A rule that outlives a killed engine leads to an empty table
 * (its routes went with the interface) and is taken over by the next one.
 */
#include "engine/live/interface.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/fabric/effective.h"
#include "engine/fabric/gateway.h"
#include "engine/fabric/placement.h"
#include "engine/live/log.h"
#include "engine/live/netlink.h"

#define METRIC        4096u  /* above what others choose without being asked */
#define RULE_PRIORITY 17900u /* before the main table, after the local one */

/* The kernel's end of one port. */
struct kernel_end {
    const struct fabric *fabric;
    const char *kind, *owner; /* "route server", "rs1" */
    uint32_t port;
    const struct fabric_nic *nic; /* the first, if several share the port */
    const struct lpm_address *addresses;
    uint32_t address_count;
    uint32_t table;
    int netlink;
    unsigned index; /* the kernel's, of the interface */
    char name[IF_NAMESIZE];
};

/* --- What an interface gets ------------------------------------------------------------------- */

/* The first address after the network's own, of the subnet's first prefix of that family. */
static bool gateway_of(const struct kernel_end *end, uint8_t family, struct lpm_address *gateway)
{
    const struct fabric_subnet *subnet = &end->fabric->subnets[end->nic->subnet];

    for (uint32_t i = 0; i < subnet->prefixes.n; i++) {
        const struct lpm_prefix *prefix = &subnet->prefixes.items[i];

        if (prefix->family != family)
            continue;
        gateway->family = family;
        memcpy(gateway->bytes, prefix->bytes, sizeof(gateway->bytes));
        gateway->bytes[family == LPM_IPV4 ? 3 : 15] |= 1;
        return true;
    }
    return false;
}

static struct lpm_address source_of(const struct kernel_end *end, uint8_t family)
{
    for (uint32_t i = 0; i < end->address_count; i++)
        if (end->addresses[i].family == family)
            return end->addresses[i];
    return (struct lpm_address){0};
}

/* A prefix of a family that the subnet has not is reached otherwise, or not at all: that is the
 * file's to say. */
static int set_route(const struct kernel_end *end, const struct lpm_prefix *prefix, bool there)
{
    struct live_netlink_route route = {
        .prefix = *prefix,
        .source = source_of(end, prefix->family),
        .interface = end->index,
        .table = end->table,
        .metric = METRIC + end->index,
    };

    if (!gateway_of(end, prefix->family, &route.gateway))
        return 0;
    return there ? live_netlink_add_route(end->netlink, &route)
                 : live_netlink_remove_route(end->netlink, &route);
}

struct prefixes {
    struct lpm_prefix *items; /* in order */
    size_t n;
};

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

/* The peers of a route server, and the ranges in which it takes more. */
static int list_peers(const struct fabric_route_server *server, struct prefixes *prefixes)
{
    prefixes->items = calloc((size_t)server->peer_count + server->dynamic_peer_count + 1,
                             sizeof(*prefixes->items));
    if (!prefixes->items)
        return -ENOMEM;
    for (uint32_t i = 0; i < server->peer_count; i++) {
        const struct lpm_address *peer = &server->peers[i].address;
        struct lpm_prefix *prefix = &prefixes->items[prefixes->n++];

        prefix->family = peer->family;
        prefix->length = peer->family == LPM_IPV4 ? 32 : 128;
        memcpy(prefix->bytes, peer->bytes, sizeof(prefix->bytes));
    }
    for (uint32_t i = 0; i < server->dynamic_peer_count; i++)
        prefixes->items[prefixes->n++] = server->dynamic_peers[i].prefix;
    qsort(prefixes->items, prefixes->n, sizeof(*prefixes->items), compare_prefixes);
    return 0;
}

/* What the branches of a gateway are told of the fabric. Zero: nothing. */
static int list_prefixes(const struct fabric *fabric, uint32_t gateway, struct prefixes *prefixes)
{
    return fabric_originated(fabric, fabric_gateway_server(fabric, gateway), &prefixes->items,
                             &prefixes->n);
}

static bool has(const struct prefixes *prefixes, const struct lpm_prefix *prefix)
{
    return prefixes->n > 0 && bsearch(prefix, prefixes->items, prefixes->n,
                                      sizeof(*prefixes->items), compare_prefixes) != NULL;
}

static int add_routes(const struct kernel_end *end, const struct prefixes *prefixes)
{
    int status = 0;

    for (size_t i = 0; !status && i < prefixes->n; i++)
        status = set_route(end, &prefixes->items[i], true);
    return status;
}

/* Another prefix of the subnet has another gateway, by which all routes lead then. */
static bool same_way(const struct kernel_end *a, const struct kernel_end *b, uint8_t family)
{
    struct lpm_address x = {0}, y = {0};

    return gateway_of(a, family, &x) == gateway_of(b, family, &y) && lpm_address_equal(&x, &y);
}

/* From those of before, which are there. Routes that stay are not away for a moment. */
static int exchange_routes(const struct kernel_end *before, const struct prefixes *were,
                           const struct kernel_end *end, const struct prefixes *are)
{
    int status = 0;

    for (size_t i = 0; !status && i < are->n; i++)
        if (!has(were, &are->items[i]) || !same_way(before, end, are->items[i].family))
            status = set_route(end, &are->items[i], true);
    for (size_t i = 0; !status && i < were->n; i++) {
        struct lpm_address ignored;

        if (!has(are, &were->items[i]) || !gateway_of(end, were->items[i].family, &ignored))
            status = set_route(before, &were->items[i], false);
    }
    return status;
}

static int each_rule(const struct kernel_end *end,
                     int (*act)(int netlink, const struct live_netlink_rule *rule))
{
    const uint8_t families[] = {LPM_IPV4, LPM_IPV6};
    int status = 0;

    for (uint32_t i = 0; !status && i < end->address_count; i++) {
        const struct live_netlink_rule rule = {.family = end->addresses[i].family,
                                               .source = end->addresses[i],
                                               .table = end->table,
                                               .priority = RULE_PRIORITY};
        status = act(end->netlink, &rule);
    }
    for (unsigned i = 0; !status && i < 2; i++) {
        const struct live_netlink_rule rule = {.family = families[i],
                                               .interface = end->name,
                                               .table = end->table,
                                               .priority = RULE_PRIORITY};
        status = act(end->netlink, &rule);
        /* A kernel without IPv6. */
        if (status == -EAFNOSUPPORT || status == -EOPNOTSUPP)
            status = 0;
    }
    return status;
}

/* --- Which interface -------------------------------------------------------------------------- */

/* Value of "key=value" among a port's options. */
static bool option_of(const struct fabric_port *port, const char *key, char *value, size_t room)
{
    const size_t n = strlen(key);

    for (const char *at = port->options; at && *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");

        if (length > n && strncmp(at, key, n) == 0 && at[n] == '=') {
            snprintf(value, room, "%.*s", (int)(length - n - 1), at + n + 1);
            return true;
        }
        at += length;
    }
    return false;
}

/* Of another kind of port the far end is not the engine's: its owner sets it up. */
static bool is_own(const struct fabric_port *port)
{
    char path[32];

    if (strncmp(port->device, "net_tap", strlen("net_tap")) == 0)
        return true;
    return (strncmp(port->device, "virtio_user", strlen("virtio_user")) == 0 ||
            strncmp(port->device, "net_virtio_user", strlen("net_virtio_user")) == 0) &&
           option_of(port, "path", path, sizeof(path)) && strcmp(path, "/dev/vhost-net") == 0;
}

/* What goes wrong is the caller's to say. */
static int find_interface(struct kernel_end *end)
{
    const struct fabric_port *port = &end->fabric->ports[end->port];

    if (option_of(port, "iface", end->name, sizeof(end->name)))
        end->index = if_nametoindex(end->name);
    return end->index ? 0 : -ENODEV;
}

static int set_up(const struct kernel_end *end)
{
    int status = live_netlink_set_up(end->netlink, end->index, end->nic->mac);

    for (uint32_t i = 0; !status && i < end->address_count; i++)
        status = live_netlink_add_address(end->netlink, end->index, &end->addresses[i]);
    return status;
}

static int explain(const struct kernel_end *end, int status, char error[DP_ERROR_TEXT])
{
    if (status == -ENODEV)
        snprintf(error, DP_ERROR_TEXT,
                 "%s %s: its port %s has no interface of this machine: give it options: "
                 "{iface: NAME}",
                 end->kind, end->owner, end->fabric->ports[end->port].name);
    else if (status)
        snprintf(error, DP_ERROR_TEXT, "%s %s: cannot set up interface %s: %s", end->kind,
                 end->owner, end->name, strerror(-status));
    return status;
}

static bool is_ours(const struct fabric_placement *placement, const struct fabric *fabric,
                    uint32_t port)
{
    return port != FABRIC_NONE && fabric_placement_has_port(placement, port) &&
           is_own(&fabric->ports[port]);
}

/* --- Route servers and gateways --------------------------------------------------------------- */

static const struct fabric_nic *nic_of_server(const struct fabric *fabric, uint32_t port)
{
    for (uint32_t i = fabric->nics_count; i-- > 0;)
        if (fabric->nics[i].port == port)
            return &fabric->nics[i];
    return NULL;
}

static struct kernel_end server_end(const struct fabric *fabric, uint32_t index, int netlink)
{
    const struct fabric_route_server *server = &fabric->route_servers[index];

    return (struct kernel_end){
        .fabric = fabric,
        .kind = "route server",
        .owner = server->name,
        .port = server->port,
        .nic = nic_of_server(fabric, server->port),
        .addresses = server->addresses,
        .address_count = server->instance_count,
        .table = RT_TABLE_MAIN,
        .netlink = netlink,
    };
}

static int open_server(const struct fabric *fabric, uint32_t index, int netlink,
                       char error[DP_ERROR_TEXT])
{
    struct kernel_end end = server_end(fabric, index, netlink);
    struct prefixes peers = {0};
    int status = end.nic ? find_interface(&end) : -ENODEV;

    if (!status)
        status = set_up(&end);
    if (!status)
        status = list_peers(&fabric->route_servers[index], &peers);
    if (!status)
        status = add_routes(&end, &peers);
    free(peers.items);
    return explain(&end, status, error);
}

static struct kernel_end gateway_end(const struct fabric *fabric, uint32_t index, int netlink)
{
    const struct fabric_gateway *gateway = &fabric->gateways[index];

    return (struct kernel_end){
        .fabric = fabric,
        .kind = "gateway",
        .owner = gateway->name,
        .port = gateway->port,
        .nic = &fabric->nics[gateway->first_nic],
        .addresses = gateway->addresses.items,
        .address_count = gateway->addresses.n,
        .table = fabric_gateway_kernel_table(gateway),
        .netlink = netlink,
    };
}

static int open_gateway(const struct fabric *fabric, uint32_t index, int netlink,
                        char error[DP_ERROR_TEXT])
{
    struct prefixes prefixes = {0};
    struct kernel_end end = gateway_end(fabric, index, netlink);
    int status = find_interface(&end);

    if (!status)
        status = set_up(&end);
    if (!status)
        status = list_prefixes(fabric, index, &prefixes);
    if (!status)
        status = add_routes(&end, &prefixes);
    free(prefixes.items);
    if (!status)
        status = each_rule(&end, live_netlink_add_rule);
    return explain(&end, status, error);
}

static int open_all(const struct fabric *fabric, const struct fabric_placement *placement,
                    int netlink, char error[DP_ERROR_TEXT])
{
    int status = 0;

    for (uint32_t i = 0; !status && i < fabric->route_servers_count; i++)
        if (is_ours(placement, fabric, fabric->route_servers[i].port))
            status = open_server(fabric, i, netlink, error);
    for (uint32_t i = 0; !status && i < fabric->gateways_count; i++)
        if (is_ours(placement, fabric, fabric->gateways[i].port))
            status = open_gateway(fabric, i, netlink, error);
    return status;
}

int live_interfaces_open(const struct fabric *fabric, char error[DP_ERROR_TEXT])
{
    struct fabric_placement placement;
    int netlink = live_netlink_open(), status = fabric_placement_open(&placement, fabric);

    if (!status && netlink < 0)
        status = netlink;
    if (!status)
        status = open_all(fabric, &placement, netlink, error);
    if (netlink >= 0)
        close(netlink);
    if (placement.port_host)
        fabric_placement_close(&placement);
    return status;
}

static int follow_gateway(const struct fabric *before, const struct fabric *fabric, uint32_t index,
                          int netlink)
{
    /* Which gateways there are does not change, but their numbers may. */
    const uint32_t former = fabric_find_gateway(before, fabric->gateways[index].name);
    struct kernel_end end = gateway_end(fabric, index, netlink), was;
    struct prefixes were = {0}, are = {0};
    int status = former == FABRIC_NONE ? -ENOENT : find_interface(&end);

    if (status)
        return status;
    was = gateway_end(before, former, netlink);
    was.index = end.index;
    status = list_prefixes(before, former, &were);
    if (!status)
        status = list_prefixes(fabric, index, &are);
    if (!status)
        status = exchange_routes(&was, &were, &end, &are);
    free(were.items);
    free(are.items);
    return status;
}

static int follow_server(const struct fabric *before, const struct fabric *fabric, uint32_t index,
                         int netlink)
{
    struct kernel_end was = server_end(before, index, netlink);
    struct kernel_end end = server_end(fabric, index, netlink);
    struct prefixes were = {0}, are = {0};
    int status = end.nic && was.nic ? find_interface(&end) : -ENODEV;

    was.index = end.index;
    if (!status)
        status = list_peers(&before->route_servers[index], &were);
    if (!status)
        status = list_peers(&fabric->route_servers[index], &are);
    if (!status)
        status = exchange_routes(&was, &were, &end, &are);
    free(were.items);
    free(are.items);
    return status;
}

static void note(const char *kind, const char *name, int failed)
{
    if (failed)
        live_log("%s %s: the kernel's routes into the fabric stay behind: %s", kind, name,
                 strerror(-failed));
}

void live_interfaces_follow(const struct fabric *before, const struct fabric *fabric)
{
    struct fabric_placement placement;
    int netlink = live_netlink_open(), status = fabric_placement_open(&placement, fabric);

    for (uint32_t i = 0; !status && netlink >= 0 && i < fabric->route_servers_count; i++)
        if (is_ours(&placement, fabric, fabric->route_servers[i].port))
            note("route server", fabric->route_servers[i].name,
                 follow_server(before, fabric, i, netlink));
    for (uint32_t i = 0; !status && netlink >= 0 && i < fabric->gateways_count; i++)
        if (is_ours(&placement, fabric, fabric->gateways[i].port))
            note("gateway", fabric->gateways[i].name, follow_gateway(before, fabric, i, netlink));
    if (netlink >= 0)
        close(netlink);
    if (placement.port_host)
        fabric_placement_close(&placement);
}

void live_interfaces_close(const struct fabric *fabric)
{
    struct fabric_placement placement;
    int netlink = live_netlink_open(), status = fabric_placement_open(&placement, fabric);

    for (uint32_t i = 0; !status && netlink >= 0 && i < fabric->gateways_count; i++) {
        struct kernel_end end = gateway_end(fabric, i, netlink);

        if (is_ours(&placement, fabric, end.port) &&
            option_of(&fabric->ports[end.port], "iface", end.name, sizeof(end.name)))
            each_rule(&end, live_netlink_remove_rule);
    }
    if (netlink >= 0)
        close(netlink);
    if (placement.port_host)
        fabric_placement_close(&placement);
}

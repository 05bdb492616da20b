/*
 * See interface.h. Speaks rtnetlink: ioctl() knows one IPv4 address an interface.
 *
 *   fp-rs1   10.0.0.4/32, 10.0.0.5/32     10.0.1.4 via 10.0.0.1 dev fp-rs1 onlink   (each peer)
 *
 * Addresses have full length, so that even neighbours within RouteServerSubnet are behind the gateway,
 * as they are for every guest. Other routes of the machine are left alone, those to the same prefix
 * too: ours have a metric of their own interface, and the machine's, with a lower one, stays in force.
 */
#include "engine/live/interface.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/fabric/placement.h"

#define ATTRIBUTES  160
#define ANSWER_MOST 4096
#define METRIC      4096u /* above what others choose without being asked */

/* One request, written from its header on. */
struct request {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
    } body;
    uint8_t attributes[ATTRIBUTES];
};

struct server_interface {
    int netlink;
    unsigned index; /* the kernel's, of the interface */
    const struct fabric *fabric;
    const struct fabric_route_server *server;
    const struct fabric_nic *nic;
};

/* --- Netlink ---------------------------------------------------------------------------------- */

static void begin(struct request *request, uint16_t type, uint16_t flags, size_t body)
{
    memset(request, 0, sizeof(*request));
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
}

/* Fits: requests here have a handful of addresses. */
static void add(struct request *request, uint16_t type, const void *bytes, size_t n)
{
    struct rtattr *attribute =
        (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(n);
    memcpy(RTA_DATA(attribute), bytes, n);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + attribute->rta_len;
}

/* 0 or -errno, as the kernel answers. */
static int ask(int netlink, const struct request *request)
{
    union {
        struct nlmsghdr header;
        uint8_t bytes[ANSWER_MOST];
    } answer;
    struct nlmsgerr error;
    ssize_t n;

    if (send(netlink, request, request->header.nlmsg_len, 0) < 0)
        return -errno;
    do
        n = recv(netlink, &answer, sizeof(answer), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((size_t)n < NLMSG_LENGTH(sizeof(error)) || answer.header.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    memcpy(&error, NLMSG_DATA(&answer.header), sizeof(error));
    return error.error;
}

static size_t width_of(uint8_t family)
{
    return family == LPM_IPV4 ? 4 : 16;
}

static uint8_t kernel_family(uint8_t family)
{
    return family == LPM_IPV4 ? AF_INET : AF_INET6;
}

/* --- What the interface gets ------------------------------------------------------------------ */

static int set_link(const struct server_interface *interface)
{
    struct request request;

    begin(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
    request.body.link.ifi_index = (int)interface->index;
    request.body.link.ifi_flags = request.body.link.ifi_change = IFF_UP;
    add(&request, IFLA_ADDRESS, interface->nic->mac, sizeof(interface->nic->mac));
    return ask(interface->netlink, &request);
}

/* Nobody else can have the address, so nobody is asked (IFA_F_NODAD): sockets are bound at once. */
static int add_address(const struct server_interface *interface, const struct lpm_address *address)
{
    const size_t width = width_of(address->family);
    struct request request;

    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(request.body.address));
    request.body.address.ifa_family = kernel_family(address->family);
    request.body.address.ifa_prefixlen = (uint8_t)(8 * width);
    request.body.address.ifa_index = interface->index;
    if (address->family == LPM_IPV6)
        request.body.address.ifa_flags = IFA_F_NODAD;
    add(&request, IFA_LOCAL, address->bytes, width);
    add(&request, IFA_ADDRESS, address->bytes, width);
    return ask(interface->netlink, &request);
}

/* The first address after the network's own, of the subnet's first prefix of that family. */
static bool gateway_of(const struct server_interface *interface, uint8_t family,
                       uint8_t gateway[16])
{
    const struct fabric_subnet *subnet = &interface->fabric->subnets[interface->nic->subnet];

    for (uint32_t i = 0; i < subnet->prefixes.n; i++) {
        const struct lpm_prefix *prefix = &subnet->prefixes.items[i];

        if (prefix->family != family)
            continue;
        memcpy(gateway, prefix->bytes, 16);
        gateway[width_of(family) - 1] |= 1;
        return true;
    }
    return false;
}

/* A peer of a family that the subnet has not is reached otherwise, or not at all: that is the
 * file's to say. */
static int add_route(const struct server_interface *interface, const struct lpm_prefix *prefix)
{
    const struct fabric_route_server *server = interface->server;
    const size_t width = width_of(prefix->family);
    const uint32_t metric = METRIC + interface->index;
    struct request request;
    uint8_t gateway[16];

    if (!gateway_of(interface, prefix->family, gateway))
        return 0;
    begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(request.body.route));
    request.body.route = (struct rtmsg){
        .rtm_family = kernel_family(prefix->family),
        .rtm_dst_len = prefix->length,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
        .rtm_flags = RTNH_F_ONLINK,
    };
    add(&request, RTA_DST, prefix->bytes, width);
    add(&request, RTA_GATEWAY, gateway, width);
    add(&request, RTA_OIF, &interface->index, sizeof(interface->index));
    add(&request, RTA_PRIORITY, &metric, sizeof(metric));
    if (server->addresses[0].family == prefix->family)
        add(&request, RTA_PREFSRC, server->addresses[0].bytes, width);
    return ask(interface->netlink, &request);
}

static int add_routes(const struct server_interface *interface)
{
    const struct fabric_route_server *server = interface->server;
    int status = 0;

    for (uint32_t i = 0; !status && i < server->peer_count; i++) {
        const struct lpm_address *peer = &server->peers[i].address;
        struct lpm_prefix prefix = {.family = peer->family,
                                    .length = (uint8_t)(8 * width_of(peer->family))};

        memcpy(prefix.bytes, peer->bytes, sizeof(prefix.bytes));
        status = add_route(interface, &prefix);
    }
    for (uint32_t i = 0; !status && i < server->dynamic_peer_count; i++)
        status = add_route(interface, &server->dynamic_peers[i].prefix);
    return status;
}

static int set_up(const struct server_interface *interface)
{
    int status = set_link(interface);

    for (uint32_t i = 0; !status && i < interface->server->instance_count; i++)
        status = add_address(interface, &interface->server->addresses[i]);
    return status ? status : add_routes(interface);
}

/* --- Which interface -------------------------------------------------------------------------- */

/* Of "iface=NAME" among a port's options. */
static unsigned interface_of(const struct fabric_port *port, char name[IF_NAMESIZE])
{
    const char *options = port->options ? port->options : "";
    const char *at = strncmp(options, "iface=", 6) == 0 ? options : strstr(options, ",iface=");

    if (!at)
        return 0;
    at = strchr(at, '=') + 1;
    snprintf(name, IF_NAMESIZE, "%.*s", (int)strcspn(at, ","), at);
    return if_nametoindex(name);
}

static const struct fabric_nic *nic_of(const struct fabric *fabric, uint32_t port)
{
    for (uint32_t i = fabric->nics_count; i-- > 0;)
        if (fabric->nics[i].port == port)
            return &fabric->nics[i];
    return NULL;
}

static int open_server(const struct fabric *fabric, const struct fabric_route_server *server,
                       char error[DP_ERROR_TEXT])
{
    const struct fabric_port *port = &fabric->ports[server->port];
    char name[IF_NAMESIZE] = "";
    struct server_interface interface = {.fabric = fabric,
                                         .server = server,
                                         .nic = nic_of(fabric, server->port),
                                         .index = interface_of(port, name)};
    int status = 0;

    if (!interface.nic || interface.index == 0) {
        snprintf(error, DP_ERROR_TEXT,
                 "route server %s: its port %s has no interface of this machine: give it options: "
                 "{iface: NAME}",
                 server->name, port->name);
        return -ENODEV;
    }
    interface.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    status = interface.netlink < 0 ? -errno : set_up(&interface);
    if (status)
        snprintf(error, DP_ERROR_TEXT, "route server %s: cannot set up interface %s: %s",
                 server->name, name, strerror(-status));
    if (interface.netlink >= 0)
        close(interface.netlink);
    return status;
}

int live_interfaces_open(const struct fabric *fabric, char error[DP_ERROR_TEXT])
{
    struct fabric_placement placement;
    int status = fabric_placement_open(&placement, fabric);

    for (uint32_t i = 0; !status && i < fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &fabric->route_servers[i];

        /* Of another kind of port the far end is not the engine's: its owner sets it up. */
        if (server->port != FABRIC_NONE && fabric_placement_has_port(&placement, server->port) &&
            strncmp(fabric->ports[server->port].device, "net_tap", strlen("net_tap")) == 0)
            status = open_server(fabric, server, error);
    }
    if (placement.port_host)
        fabric_placement_close(&placement);
    return status;
}

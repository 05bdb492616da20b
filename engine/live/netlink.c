#include "engine/live/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define ATTRIBUTES  160
#define ANSWER_MOST 4096

/* One request, written from its header on. */
struct request {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
        struct fib_rule_hdr rule;
    } body;
    uint8_t attributes[ATTRIBUTES];
};

int live_netlink_open(void)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return netlink < 0 ? -errno : netlink;
}

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

int live_netlink_set_up(int netlink, unsigned interface, const uint8_t mac[6])
{
    struct request request;

    begin(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
    request.body.link.ifi_index = (int)interface;
    request.body.link.ifi_flags = request.body.link.ifi_change = IFF_UP;
    add(&request, IFLA_ADDRESS, mac, 6);
    return ask(netlink, &request);
}

/* Nobody else can have the address, so nobody is asked (IFA_F_NODAD): sockets are bound at once. */
int live_netlink_add_address(int netlink, unsigned interface, const struct lpm_address *address)
{
    const size_t width = width_of(address->family);
    struct request request;

    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(request.body.address));
    request.body.address.ifa_family = kernel_family(address->family);
    request.body.address.ifa_prefixlen = (uint8_t)(8 * width);
    request.body.address.ifa_index = interface;
    if (address->family == LPM_IPV6)
        request.body.address.ifa_flags = IFA_F_NODAD;
    add(&request, IFA_LOCAL, address->bytes, width);
    add(&request, IFA_ADDRESS, address->bytes, width);
    return ask(netlink, &request);
}

static int ask_route(int netlink, uint16_t type, uint16_t flags,
                     const struct live_netlink_route *route)
{
    const struct lpm_prefix *prefix = &route->prefix;
    const size_t width = width_of(prefix->family);
    struct request request;

    begin(&request, type, flags, sizeof(request.body.route));
    request.body.route = (struct rtmsg){
        .rtm_family = kernel_family(prefix->family),
        .rtm_dst_len = prefix->length,
        .rtm_table = RT_TABLE_UNSPEC, /* RTA_TABLE has it in full */
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
        .rtm_flags = RTNH_F_ONLINK,
    };
    add(&request, RTA_DST, prefix->bytes, width);
    add(&request, RTA_GATEWAY, route->gateway.bytes, width);
    add(&request, RTA_OIF, &route->interface, sizeof(route->interface));
    add(&request, RTA_TABLE, &route->table, sizeof(route->table));
    add(&request, RTA_PRIORITY, &route->metric, sizeof(route->metric));
    if (route->source.family == prefix->family)
        add(&request, RTA_PREFSRC, route->source.bytes, width);
    return ask(netlink, &request);
}

int live_netlink_add_route(int netlink, const struct live_netlink_route *route)
{
    return ask_route(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

int live_netlink_remove_route(int netlink, const struct live_netlink_route *route)
{
    int status = ask_route(netlink, RTM_DELROUTE, 0, route);
    return status == -ESRCH ? 0 : status;
}

static int ask_rule(int netlink, uint16_t type, uint16_t flags,
                    const struct live_netlink_rule *rule)
{
    const size_t width = width_of(rule->family);
    struct request request;

    begin(&request, type, flags, sizeof(request.body.rule));
    request.body.rule = (struct fib_rule_hdr){
        .family = kernel_family(rule->family),
        .src_len = rule->source.family ? (uint8_t)(8 * width) : 0,
        .table = RT_TABLE_UNSPEC,
        .action = FR_ACT_TO_TBL,
    };
    if (rule->source.family)
        add(&request, FRA_SRC, rule->source.bytes, width);
    if (rule->interface)
        add(&request, FRA_IIFNAME, rule->interface, strlen(rule->interface) + 1);
    add(&request, FRA_TABLE, &rule->table, sizeof(rule->table));
    add(&request, FRA_PRIORITY, &rule->priority, sizeof(rule->priority));
    return ask(netlink, &request);
}

int live_netlink_add_rule(int netlink, const struct live_netlink_rule *rule)
{
    int status = ask_rule(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
    return status == -EEXIST ? 0 : status;
}

int live_netlink_remove_rule(int netlink, const struct live_netlink_rule *rule)
{
    int status = ask_rule(netlink, RTM_DELRULE, 0, rule);
    return status == -ENOENT ? 0 : status;
}

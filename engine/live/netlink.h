/*
 * The few requests of rtnetlink that an interface of the engine's own needs: MAC, addresses, routes, and the
 * rules by which the kernel finds them. ioctl() knows one IPv4 address an interface, and no rules.
 *
 * Control thread. Each function waits for the kernel's answer and returns 0 or -errno as it says.
 */
#ifndef ENGINE_LIVE_NETLINK_H
#define ENGINE_LIVE_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lpm/lpm.h"

/* A descriptor, which the caller closes. */
int live_netlink_open(void);

int live_netlink_set_up(int netlink, unsigned interface, const uint8_t mac[6]);
/* With full length: whatever else is near is behind a gateway. */
int live_netlink_add_address(int netlink, unsigned interface, const struct lpm_address *address);

struct live_netlink_route {
    struct lpm_prefix prefix;
    struct lpm_address gateway; /* taken to be on the link */
    struct lpm_address source;  /* family 0: the kernel chooses */
    unsigned interface;
    uint32_t table, metric;
};
/* Replaces one to the same prefix with the same table and metric. */
int live_netlink_add_route(int netlink, const struct live_netlink_route *route);
/* Content when there is none. */
int live_netlink_remove_route(int netlink, const struct live_netlink_route *route);

/* Packets from `source`, or those that came in by `interface`, look in `table` first. */
struct live_netlink_rule {
    uint8_t family;
    struct lpm_address source; /* family 0: any */
    const char *interface;     /* NULL: any */
    uint32_t table, priority;
};
/* Both are content when it is so already. */
int live_netlink_add_rule(int netlink, const struct live_netlink_rule *rule);
int live_netlink_remove_rule(int netlink, const struct live_netlink_rule *rule);

#endif

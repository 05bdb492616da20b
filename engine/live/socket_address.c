#include "engine/live/socket_address.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

/* A link-local address is complete only with the link, which is the device. */
socklen_t live_to_socket_address(const struct live_endpoint *endpoint, union socket_address *out)
{
    memset(out, 0, sizeof(*out));
    if (endpoint->address.family == LPM_IPV4) {
        out->ip4.sin_family = AF_INET;
        out->ip4.sin_port = htons(endpoint->port);
        memcpy(&out->ip4.sin_addr, endpoint->address.bytes, 4);
        return sizeof(out->ip4);
    }
    out->ip6.sin6_family = AF_INET6;
    out->ip6.sin6_port = htons(endpoint->port);
    memcpy(&out->ip6.sin6_addr, endpoint->address.bytes, 16);
    if (endpoint->interface && IN6_IS_ADDR_LINKLOCAL(&out->ip6.sin6_addr))
        out->ip6.sin6_scope_id = if_nametoindex(endpoint->interface);
    return sizeof(out->ip6);
}

void live_from_socket_address(const union socket_address *in, struct lpm_address *out)
{
    memset(out, 0, sizeof(*out));
    if (in->any.sa_family == AF_INET) {
        out->family = LPM_IPV4;
        memcpy(out->bytes, &in->ip4.sin_addr, 4);
    } else if (in->any.sa_family == AF_INET6) {
        out->family = LPM_IPV6;
        memcpy(out->bytes, &in->ip6.sin6_addr, 16);
    }
}

int live_set_number(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int live_bind_to_device(int fd, const char *interface)
{
    if (!interface)
        return 0;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0
               ? -errno
               : 0;
}

int live_bind_to(int fd, const struct live_endpoint *local)
{
    int error = live_bind_to_device(fd, local->interface);
    if (error)
        return error;
    union socket_address address;
    socklen_t length = live_to_socket_address(local, &address);
    return bind(fd, &address.any, length) < 0 ? -errno : 0;
}

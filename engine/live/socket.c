/*
 * See socket.h. Both kinds of socket are made alike: options, device, address, in this order,
 * because a device that is bound after the address would leave a moment in which any device is
 * heard.
 */
#include "engine/live/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 128
#define BGP_TTL        255

union socket_address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_storage storage;
};

static socklen_t to_socket_address(const struct live_endpoint *endpoint, union socket_address *out)
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
    return sizeof(out->ip6);
}

static void from_socket_address(const union socket_address *in, struct lpm_address *out)
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

static int set_number(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Options that both ends of a session want. The traffic class is a courtesy: its failure is none.
 */
static int set_session_options(int fd, uint8_t family)
{
    int error = set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error)
        return error;
    if (family == LPM_IPV4) {
        set_number(fd, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6);
        return set_number(fd, IPPROTO_IP, IP_TTL, BGP_TTL);
    }
    set_number(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6);
    return set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, BGP_TTL);
}

static int bind_to(int fd, const struct live_endpoint *local)
{
    /* Replies leave by this device too, whatever the routing table says: the management link stays
     * the way. */
    if (local->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, local->interface,
                                       (socklen_t)strlen(local->interface)) < 0)
        return -errno;
    union socket_address address;
    socklen_t length = to_socket_address(local, &address);
    return bind(fd, &address.any, length) < 0 ? -errno : 0;
}

/* A socket with every option set and bound to local, or -errno. */
static int make_socket(const struct live_endpoint *local)
{
    bool ip4 = local->address.family == LPM_IPV4;
    int fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = set_session_options(fd, local->address.family);
    /* Sessions of a former run linger in TIME_WAIT and must not keep the new one from listening. */
    if (!error)
        error = set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!error && !ip4)
        error = set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error)
        error = bind_to(fd, local);
    if (!error)
        return fd;
    close(fd);
    return error;
}

int live_socket_listen(const struct live_endpoint *local)
{
    int fd = make_socket(local);
    if (fd < 0)
        return fd;
    if (listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int live_socket_connect(const struct live_endpoint *local, const struct live_endpoint *remote)
{
    if (local->address.family != remote->address.family)
        return -EAFNOSUPPORT;
    int fd = make_socket(local);
    if (fd < 0)
        return fd;
    union socket_address address;
    socklen_t length = to_socket_address(remote, &address);
    if (connect(fd, &address.any, length) == 0 || errno == EINPROGRESS)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int live_socket_accept(int listener, struct lpm_address *source)
{
    union socket_address address;
    socklen_t length = sizeof(address);
    int fd;
    do {
        fd = accept4(listener, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    /* TTL, class and TCP_NODELAY come from the listening socket. */
    from_socket_address(&address, source);
    return fd;
}

int live_socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}

/*
 * See socket.h. Both kinds of socket are made alike: options, device, address, in this order,
 * because a device that is bound after the address would leave a moment in which any device is
 * heard.
 */
#include "engine/live/socket.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/live/socket_address.h"

#define LISTEN_BACKLOG 128
#define TTL_MAX        255
/* The largest saved SYN: both headers with all their options. */
#define SYN_BYTES 128

/* RFC 5082: a sender at most so many hops away began with 255. */
static int least_ttl(const struct live_socket_options *options)
{
    return options->ttl_security_hops ? TTL_MAX + 1 - options->ttl_security_hops : 0;
}

static int set_ttl(int fd, uint8_t family, const struct live_socket_options *options)
{
    bool ip4 = family == LPM_IPV4;
    int error = ip4 ? live_set_number(fd, IPPROTO_IP, IP_TTL, options->ttl)
                    : live_set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, options->ttl);
    if (error || !options->ttl_security_hops)
        return error;
    return ip4 ? live_set_number(fd, IPPROTO_IP, IP_MINTTL, least_ttl(options))
               : live_set_number(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least_ttl(options));
}

/* Options that both ends of a session want. The traffic class is a courtesy: its failure is none.
 */
static int set_session_options(int fd, uint8_t family, const struct live_socket_options *options)
{
    int error = live_set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error)
        return error;
    if (family == LPM_IPV4)
        live_set_number(fd, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6);
    else
        live_set_number(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6);
    return set_ttl(fd, family, options);
}

int live_socket_make(const struct live_endpoint *local, const struct live_socket_options *options)
{
    bool ip4 = local->address.family == LPM_IPV4;
    int fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = set_session_options(fd, local->address.family, options);
    /* Sessions of a former run linger in TIME_WAIT and must not keep the new one from listening. */
    if (!error)
        error = live_set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!error && !ip4)
        error = live_set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error)
        error = live_bind_to(fd, local);
    if (!error)
        return fd;
    close(fd);
    return error;
}

int live_socket_listen(int fd)
{
    /* Only for its TTL, so a kernel that does not save it is no reason to fail. */
    live_set_number(fd, IPPROTO_TCP, TCP_SAVE_SYN, 1);
    return listen(fd, LISTEN_BACKLOG) == 0 ? 0 : -errno;
}

int live_socket_connect(int fd, const struct live_endpoint *remote)
{
    union socket_address address;
    socklen_t length = live_to_socket_address(remote, &address);
    return connect(fd, &address.any, length) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

/* The saved SYN begins with its IP header. Reading it also frees the kernel's copy. */
static uint8_t syn_ttl(int fd, uint8_t family)
{
    uint8_t bytes[SYN_BYTES];
    socklen_t length = sizeof(bytes);
    if (getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, bytes, &length) < 0 || length < 20)
        return 0;
    return family == LPM_IPV4 ? bytes[8] : bytes[7];
}

int live_socket_accept(int listener, struct lpm_address *source, uint8_t *ttl)
{
    union socket_address address;
    socklen_t length = sizeof(address);
    int fd;
    do {
        fd = accept4(listener, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    live_from_socket_address(&address, source);
    *ttl = syn_ttl(fd, source->family);
    return fd;
}

int live_socket_adopt(int fd, uint8_t family, const struct live_socket_options *options)
{
    /* Class and TCP_NODELAY come from the listening socket. */
    int error = set_ttl(fd, family, options);
    return error ? error : live_bind_to_device(fd, options->interface);
}

bool live_socket_near_enough(const struct live_socket_options *options, uint8_t ttl)
{
    return ttl == 0 || ttl >= least_ttl(options);
}

int live_socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}

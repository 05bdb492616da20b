/*
 * TCP sockets of the kernel, made the way BGP wants them: non-blocking, no delay, network-control
 * class, with the TTL that the peer's distance asks for.
 */
#ifndef ENGINE_LIVE_SOCKET_H
#define ENGINE_LIVE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "lpm/lpm.h"

struct live_endpoint {
    struct lpm_address address;
    uint16_t port;         /* 0: any */
    const char *interface; /* bound to this device (a VRF's name is one too); NULL: to none */
};

/* What the session of a socket wants of it. */
struct live_socket_options {
    uint8_t ttl; /* of what is sent */
    /* RFC 5082: packets that crossed more hops than this are dropped by the kernel; 0: any
     * distance. */
    uint8_t ttl_security_hops;
    const char *interface; /* as above, for an accepted socket */
};

/* --- Making, each returns a file descriptor or -errno ----------------------------------------- */

/* Bound to local, with every option set. To be listened on or connected. */
int live_socket_make(const struct live_endpoint *local, const struct live_socket_options *options);
/* Takes one waiting connection; *source is who opened it, *ttl with what TTL its SYN came (0:
 * unknown). */
int live_socket_accept(int listener, struct lpm_address *source, uint8_t *ttl);

/* --- Using, each returns 0 or -errno ---------------------------------------------------------- */

int live_socket_listen(int fd);
/* Starts to connect; the socket is writable when it is settled, live_socket_error() says how. */
int live_socket_connect(int fd, const struct live_endpoint *remote);
/* Options on a socket that came from live_socket_accept(). */
int live_socket_adopt(int fd, uint8_t family, const struct live_socket_options *options);
/* What became of a connect. */
int live_socket_error(int fd);

/* May a peer with these options be where a packet with this TTL came from? */
bool live_socket_near_enough(const struct live_socket_options *options, uint8_t ttl);

#endif

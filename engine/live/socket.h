/*
 * TCP sockets of the kernel, made the way BGP wants them: non-blocking, TTL 255 (multihop, and good
 * for a peer that checks it by RFC 5082), no delay, network-control class.
 */
#ifndef ENGINE_LIVE_SOCKET_H
#define ENGINE_LIVE_SOCKET_H

#include <stdint.h>

#include "lpm/lpm.h"

struct live_endpoint {
    struct lpm_address address;
    uint16_t port;         /* 0: any */
    const char *interface; /* bound to this device; NULL: to none */
};

/* Each returns a file descriptor or -errno. */
int live_socket_listen(const struct live_endpoint *local);
/* Starts to connect; the socket is writable when it is settled, live_socket_error() says how. */
int live_socket_connect(const struct live_endpoint *local, const struct live_endpoint *remote);
/* Takes one waiting connection; *source is who opened it. */
int live_socket_accept(int listener, struct lpm_address *source);

/* What became of a connect: 0 or -errno. */
int live_socket_error(int fd);

#endif

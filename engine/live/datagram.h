/*
 * UDP sockets of the kernel for BFD: non-blocking, sending with TTL 255, and telling the TTL of
 * what comes (RFC 5881 section 5).
 */
#ifndef ENGINE_LIVE_DATAGRAM_H
#define ENGINE_LIVE_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "engine/live/socket.h"

/* A file descriptor, bound to local, or -errno. */
int live_datagram_open(const struct live_endpoint *local);
/* 0 or -errno. What the kernel cannot send now is lost, as on the network. */
int live_datagram_send(int fd, const struct live_endpoint *remote, const uint8_t *bytes, size_t n);

/* Nothing that BFD sends is longer; of a longer one the beginning is kept. */
#define LIVE_DATAGRAM_SIZE  256
#define LIVE_DATAGRAM_BURST 32
struct live_datagrams {
    unsigned n;
    struct live_datagram {
        struct lpm_address source;
        int ttl; /* 0: the kernel did not tell */
        size_t n;
        uint8_t bytes[LIVE_DATAGRAM_SIZE];
    } items[LIVE_DATAGRAM_BURST];
};
/* Takes what waits, up to a burst, in one system call. datagrams->n is 0 when nothing does. */
void live_datagram_receive(int fd, struct live_datagrams *datagrams);

#endif

/*
 * ICMP echo, for health probes: a socket that is connected to who is asked, so that the kernel keeps
 * what others send away from it.
 *
 * Taken is a ping socket where net.ipv4.ping_group_range lets this process have one, else a raw
 * socket, which needs CAP_NET_RAW.
 */
#ifndef ENGINE_LIVE_ECHO_H
#define ENGINE_LIVE_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "lpm/lpm.h"

struct live_echo {
    int fd;
    bool raw;       /* the kernel delivers more than our answers, and IPv4 with its header */
    uint8_t family; /* LPM_IPV4 or LPM_IPV6 */
    uint16_t identifier, sequence;
    uint64_t cookie; /* comes back in the answer: what an echo was not asked with answers nothing */
};

/* Opens a non-blocking socket to address; sends nothing. 0 or -errno. */
int live_echo_open(struct live_echo *echo, const struct lpm_address *address);
/* Sends the request, with a cookie nobody can guess. 0 or -errno. */
int live_echo_send(struct live_echo *echo, uint16_t identifier, uint16_t sequence);
/* Takes what waits. True: the answer was among it. */
bool live_echo_answered(const struct live_echo *echo);

#endif

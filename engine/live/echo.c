/*
 *   type, code, checksum, identifier, sequence (RFC 792, RFC 4443 section 4.1), then the cookie
 */
#include "engine/live/echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/live/socket_address.h"

#define ECHO_REQUEST4 8
#define ECHO_REPLY4   0
#define ECHO_REQUEST6 128
#define ECHO_REPLY6   129
#define HEADER_BYTES  8u
#define ECHO_BYTES    (HEADER_BYTES + 8u)
/* Messages taken in one turn: whoever floods has the kernel drop, not the loop stand. */
#define MESSAGES_MAX 32u

int live_echo_open(struct live_echo *echo, const struct lpm_address *address)
{
    struct live_endpoint remote = {.address = *address};
    union socket_address to;
    socklen_t length = live_to_socket_address(&remote, &to);
    int protocol = address->family == LPM_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    *echo = (struct live_echo){.family = address->family};
    echo->fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (echo->fd < 0 && (errno == EACCES || errno == EPERM)) {
        echo->raw = true;
        echo->fd = socket(to.any.sa_family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    }
    if (echo->fd < 0)
        return -errno;
    if (connect(echo->fd, &to.any, length) == 0)
        return 0;
    int error = -errno;
    close(echo->fd);
    return error;
}

/* One's complement sum (RFC 1071). The kernel fills in that of ICMPv6, which needs its addresses. */
static uint16_t checksum(const uint8_t *bytes, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

int live_echo_send(struct live_echo *echo, uint16_t identifier, uint16_t sequence)
{
    uint8_t bytes[ECHO_BYTES] = {echo->family == LPM_IPV4 ? ECHO_REQUEST4 : ECHO_REQUEST6};
    if (getrandom(&echo->cookie, sizeof(echo->cookie), 0) != sizeof(echo->cookie))
        return -EIO;
    echo->identifier = identifier;
    echo->sequence = sequence;
    put16(bytes + 4, identifier);
    put16(bytes + 6, sequence);
    memcpy(bytes + HEADER_BYTES, &echo->cookie, sizeof(echo->cookie));
    if (echo->family == LPM_IPV4)
        put16(bytes + 2, checksum(bytes, sizeof(bytes)));
    return send(echo->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A ping socket's identifier is the kernel's, which has looked at it already. */
static bool is_answer(const struct live_echo *echo, const uint8_t *bytes, size_t n)
{
    if (echo->raw && echo->family == LPM_IPV4) {
        size_t header = n > 0 ? (size_t)(bytes[0] & 0x0f) * 4 : 0;
        if (n < header)
            return false;
        bytes += header;
        n -= header;
    }
    return n >= ECHO_BYTES && bytes[0] == (echo->family == LPM_IPV4 ? ECHO_REPLY4 : ECHO_REPLY6) &&
           bytes[1] == 0 &&
           (!echo->raw || ((uint16_t)(bytes[4] << 8 | bytes[5])) == echo->identifier) &&
           ((uint16_t)(bytes[6] << 8 | bytes[7])) == echo->sequence &&
           memcmp(bytes + HEADER_BYTES, &echo->cookie, sizeof(echo->cookie)) == 0;
}

bool live_echo_answered(const struct live_echo *echo)
{
    uint8_t bytes[256];
    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        ssize_t n = recv(echo->fd, bytes, sizeof(bytes), 0);
        if (n < 0)
            return false;
        if (is_answer(echo, bytes, (size_t)n))
            return true;
    }
    return false;
}

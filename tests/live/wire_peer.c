/*
 * See wire_peer.h. OPEN and KEEPALIVE come from the engine's encoder, whose golden bytes have tests
 * of their own; UPDATEs are written byte by byte here.
 */
#include "tests/live/wire_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/bgp/message.h"

#define PREFIXES_PER_MESSAGE 400

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in ip4(const char *address, uint16_t port)
{
    struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &out.sin_addr);
    return out;
}

static int bound_socket(const char *local, uint16_t port)
{
    struct sockaddr_in address = ip4(local, port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool wire_peer_connect(struct wire_peer *peer, const char *local, const char *remote, uint16_t port,
                       int receive_buffer)
{
    struct sockaddr_in address = ip4(remote, port);
    peer->held = 0;
    peer->fd = bound_socket(local, 0);
    if (peer->fd < 0)
        return false;
    if (receive_buffer)
        setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    if (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    wire_peer_close(peer);
    return false;
}

int wire_peer_listen(const char *local, uint16_t port)
{
    int listener = bound_socket(local, port);
    if (listener >= 0 && listen(listener, 4) == 0)
        return listener;
    if (listener >= 0)
        close(listener);
    return -1;
}

bool wire_peer_accept(struct wire_peer *peer, int listener, int timeout_ms)
{
    peer->held = 0;
    struct pollfd ready = {listener, POLLIN, 0};
    peer->fd = poll(&ready, 1, timeout_ms) == 1 ? accept(listener, NULL, NULL) : -1;
    close(listener);
    return peer->fd >= 0;
}

void wire_peer_close(struct wire_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

bool wire_peer_send(struct wire_peer *peer, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        ssize_t sent = send(peer->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

size_t wire_peer_open(uint32_t asn, uint16_t hold_time_s, uint8_t bytes[256])
{
    struct bgp_open open = {.version = 4,
                            .asn = asn,
                            .hold_time_s = hold_time_s,
                            .identifier = 0x0a000104,
                            .multiprotocol = true,
                            .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
                            .four_octet_as = true};
    return bgp_open_encode(&open, bytes, 256);
}

bool wire_peer_keepalive(struct wire_peer *peer)
{
    uint8_t bytes[BGP_HEADER_SIZE];
    return wire_peer_send(peer, bytes, bgp_keepalive_encode(bytes, sizeof(bytes)));
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

/* ORIGIN IGP, AS_PATH of 4-octet ASes, NEXT_HOP: written out, so that the engine's encoder is not
 * its own judge. */
static uint8_t *put_attributes(uint8_t *at, uint32_t asn, unsigned path, const char *next_hop)
{
    uint32_t as_wire = htonl(asn);
    struct in_addr hop;
    inet_pton(AF_INET, next_hop, &hop);
    at = put(at, "\x40\x01\x01\x00", 4);
    uint8_t path_head[] = {0x40, 2, (uint8_t)(2 + 4 * path), 2, (uint8_t)path};
    at = put(at, path_head, sizeof(path_head));
    for (unsigned i = 0; i < path; i++)
        at = put(at, &as_wire, 4);
    at = put(at, "\x40\x03\x04", 3);
    return put(at, &hop, 4);
}

static uint8_t *put_prefixes(uint8_t *at, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        uint8_t prefix[4] = {24, (uint8_t)(20 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i};
        at = put(at, prefix, 4);
    }
    return at;
}

static uint8_t *put16(uint8_t *at, size_t value)
{
    uint16_t wire = htons((uint16_t)value);
    return put(at, &wire, 2);
}

size_t wire_peer_update(uint8_t bytes[4096], uint32_t asn, unsigned path, const char *next_hop,
                        unsigned first, unsigned n)
{
    memset(bytes, 0xff, 16);
    bytes[18] = BGP_UPDATE;
    uint8_t *at = put16(bytes + 19, path == 0 ? 4 * (size_t)n : 0);
    if (path == 0) {
        at = put16(put_prefixes(at, first, n), 0);
    } else {
        uint8_t *end = put_attributes(at + 2, asn, path, next_hop);
        put16(at, (size_t)(end - at - 2));
        at = put_prefixes(end, first, n);
    }
    put16(bytes + 16, (size_t)(at - bytes));
    return (size_t)(at - bytes);
}

bool wire_peer_announce(struct wire_peer *peer, uint32_t asn, const char *next_hop, unsigned n)
{
    uint8_t bytes[BGP_MESSAGE_MAX];
    for (unsigned first = 0; first < n; first += PREFIXES_PER_MESSAGE) {
        unsigned some = n - first < PREFIXES_PER_MESSAGE ? n - first : PREFIXES_PER_MESSAGE;
        if (!wire_peer_send(peer, bytes, wire_peer_update(bytes, asn, 1, next_hop, first, some)))
            return false;
    }
    return true;
}

/* Takes a whole message out of what is held. */
static bool take(struct wire_peer *peer, struct wire_message *message)
{
    if (peer->held < BGP_HEADER_SIZE)
        return false;
    size_t length = (size_t)peer->bytes[16] << 8 | peer->bytes[17];
    if (length > sizeof(message->bytes) || length < BGP_HEADER_SIZE || peer->held < length)
        return false;
    memcpy(message->bytes, peer->bytes, length);
    message->length = length;
    message->type = peer->bytes[18];
    peer->held -= length;
    memmove(peer->bytes, peer->bytes + length, peer->held);
    return true;
}

bool wire_peer_read(struct wire_peer *peer, struct wire_message *message, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    while (!take(peer, message)) {
        int64_t left = deadline - now_ms();
        struct pollfd ready = {peer->fd, POLLIN, 0};
        if (left < 0 || poll(&ready, 1, (int)left) != 1)
            return false;
        ssize_t n = recv(peer->fd, peer->bytes + peer->held, sizeof(peer->bytes) - peer->held, 0);
        if (n <= 0) {
            *message = (struct wire_message){0};
            return true;
        }
        peer->held += (size_t)n;
    }
    return true;
}

bool wire_peer_expect(struct wire_peer *peer, uint8_t type, struct wire_message *message,
                      int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    while (now_ms() < deadline && wire_peer_read(peer, message, (int)(deadline - now_ms()))) {
        if (message->type == type)
            return true;
        if (message->type == 0)
            return false;
    }
    return false;
}

bool wire_peer_handshake(struct wire_peer *peer, uint32_t asn, uint16_t hold_time_s)
{
    struct wire_message message;
    uint8_t bytes[256];
    return wire_peer_send(peer, bytes, wire_peer_open(asn, hold_time_s, bytes)) &&
           wire_peer_expect(peer, BGP_OPEN, &message, 5000) && wire_peer_keepalive(peer) &&
           wire_peer_expect(peer, BGP_KEEPALIVE, &message, 5000);
}

unsigned wire_message_prefixes(const struct wire_message *message)
{
    const uint8_t *bytes = message->bytes;
    if (message->type != BGP_UPDATE)
        return 0;
    size_t withdrawn = (size_t)bytes[19] << 8 | bytes[20];
    size_t at = 21 + withdrawn;
    at += 2 + ((size_t)bytes[at] << 8 | bytes[at + 1]);
    unsigned n = 0;
    for (; at < message->length; n++)
        at += 1 + (bytes[at] + 7u) / 8;
    return n;
}

unsigned wire_message_withdrawn(const struct wire_message *message)
{
    const uint8_t *bytes = message->bytes;
    if (message->type != BGP_UPDATE)
        return 0;
    size_t end = 21 + ((size_t)bytes[19] << 8 | bytes[20]);
    unsigned n = 0;
    for (size_t at = 21; at < end; n++)
        at += 1 + (bytes[at] + 7u) / 8;
    return n;
}

/*
 * A BGP peer of a test: one TCP connection, messages written and read by hand. It knows just enough
 * to bring a session up and to see what the engine says; nothing is hidden from the test.
 */
#ifndef TESTS_LIVE_WIRE_PEER_H
#define TESTS_LIVE_WIRE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_peer {
    int fd;      /* -1: none */
    size_t held; /* bytes read beyond the last message */
    uint8_t bytes[8192];
};

struct wire_message {
    uint8_t type; /* enum bgp_message_type; 0: end of file or reset */
    size_t length;
    uint8_t bytes[4096];
};

/* Connects from local to remote ("127.1.2.4"); receive_buffer 0: the kernel's own choice. */
bool wire_peer_connect(struct wire_peer *peer, const char *local, const char *remote, uint16_t port,
                       int receive_buffer);
/* Listens at local; returns the socket or -1. */
int wire_peer_listen(const char *local, uint16_t port);
/* Waits for one connection, then stops listening. */
bool wire_peer_accept(struct wire_peer *peer, int listener, int timeout_ms);
void wire_peer_close(struct wire_peer *peer);

bool wire_peer_send(struct wire_peer *peer, const void *bytes, size_t n);
/* An OPEN of asn with this hold time, IPv4 unicast, 4-octet AS. Writes it to bytes; returns its
 * length. */
size_t wire_peer_open(uint32_t asn, uint16_t hold_time_s, uint8_t bytes[256]);
bool wire_peer_keepalive(struct wire_peer *peer);
/* n /24s from 20.0.0.0 on, path {asn}, this next hop; in messages of 400. */
bool wire_peer_announce(struct wire_peer *peer, uint32_t asn, const char *next_hop, unsigned n);

/* The UPDATE for n /24s from 20.0.0.0 + first * 256 on, n at most 400; returns its length. path:
 * how often asn stands in AS_PATH, at least 1; 0: they are withdrawn. */
size_t wire_peer_update(uint8_t bytes[4096], uint32_t asn, unsigned path, const char *next_hop,
                        unsigned first, unsigned n);

/* The next message; false when none came in time. */
bool wire_peer_read(struct wire_peer *peer, struct wire_message *message, int timeout_ms);
/* Reads, and throws away, until one of this type comes. */
bool wire_peer_expect(struct wire_peer *peer, uint8_t type, struct wire_message *message,
                      int timeout_ms);
/* OPEN and KEEPALIVE both ways, after the connection is there. */
bool wire_peer_handshake(struct wire_peer *peer, uint32_t asn, uint16_t hold_time_s);

/* How many IPv4 prefixes an UPDATE announces. */
unsigned wire_message_prefixes(const struct wire_message *message);
/* How many it withdraws. */
unsigned wire_message_withdrawn(const struct wire_message *message);

#endif

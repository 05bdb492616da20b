/*
 * BFD Control packets on the wire (RFC 5880 section 4.1), without authentication.
 */
#ifndef ENGINE_BGP_BFD_PACKET_H
#define ENGINE_BGP_BFD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UDP destination ports: RFC 5881 section 4, RFC 5883 section 5. */
#define BFD_PORT_SINGLE_HOP 3784u
#define BFD_PORT_MULTIHOP   4784u
/* Sent with, and of single-hop sessions demanded of what comes (RFC 5881 section 5). */
#define BFD_TTL 255

#define BFD_PACKET_SIZE 24u

/* By their numbers on the wire. */
enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };
/* "AdminDown", "Down", "Init", "Up" */
const char *bfd_state_text(enum bfd_state state);

/* Why a session last left Up; by their numbers on the wire. */
enum bfd_diagnostic {
    BFD_NO_DIAGNOSTIC,
    BFD_DETECTION_TIME_EXPIRED,
    BFD_ECHO_FAILED,
    BFD_NEIGHBOR_SIGNALED_DOWN,
    BFD_FORWARDING_PLANE_RESET,
    BFD_PATH_DOWN,
    BFD_CONCATENATED_PATH_DOWN,
    BFD_ADMINISTRATIVELY_DOWN,
    BFD_REVERSE_CONCATENATED_PATH_DOWN,
};
/* In the RFC's words; numbers that it reserves are "Reserved". */
const char *bfd_diagnostic_text(unsigned diagnostic);

/* Why a packet was not taken, in the order of RFC 5880 section 6.8.6; counted by these. */
enum bfd_discard {
    BFD_TAKEN,
    BFD_BAD_TTL, /* before anything else is looked at (RFC 5082) */
    BFD_BAD_VERSION,
    BFD_BAD_LENGTH,
    BFD_ZERO_MULTIPLIER,
    BFD_MULTIPOINT,
    BFD_NO_MY_DISCRIMINATOR,
    BFD_NO_YOUR_DISCRIMINATOR, /* zero, which only Down and AdminDown allow */
    BFD_UNKNOWN_SESSION,       /* no session of that discriminator and these addresses */
    BFD_AUTHENTICATED,         /* none of our sessions is */
    BFD_SESSION_IS_OFF,        /* ours is AdminDown */
    BFD_DISCARDS
};
/* "taken", "ttl", "version", ...: names for counters. */
const char *bfd_discard_name(enum bfd_discard discard);

struct bfd_packet {
    enum bfd_state state;
    uint8_t diagnostic; /* may be one that is reserved */
    bool poll, final, demand;
    bool control_plane_independent;
    uint8_t multiplier;
    uint32_t my_discriminator, your_discriminator;
    uint32_t desired_min_tx_us, required_min_rx_us, required_min_echo_rx_us;
};

/* Reads a packet and makes the checks of section 6.8.6 that need no session. Anything but BFD_TAKEN
 * leaves *packet undefined. Bytes after the packet's own length are no fault. */
enum bfd_discard bfd_packet_decode(const uint8_t *bytes, size_t n, struct bfd_packet *packet);
/* Fields have to be in range: state to 3, diagnostic to 31. */
void bfd_packet_encode(const struct bfd_packet *packet, uint8_t bytes[BFD_PACKET_SIZE]);

#endif

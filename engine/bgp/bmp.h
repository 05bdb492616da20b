/*
 * BGP Monitoring Protocol (RFC 7854, RFC 8671, RFC 9069): messages to bytes. Written only, as a
 * monitored router does; a collector says nothing.
 *
 *   common header (6) | per-peer header (42) | what the type has
 *
 * Pure: no state but what the caller passes. All encoders write one whole message of at most capacity
 * bytes and return its size, or 0 when it does not fit.
 */
#ifndef ENGINE_BGP_BMP_H
#define ENGINE_BGP_BMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/family.h"
#include "engine/bgp/message.h"
#include "lpm/lpm.h"

#define BMP_COMMON_SIZE 6u
#define BMP_PEER_SIZE   42u
/* What stands before the UPDATE of a Route Monitoring message. */
#define BMP_ROUTE_SIZE (BMP_COMMON_SIZE + BMP_PEER_SIZE)

enum bmp_type {
    BMP_ROUTE_MONITORING,
    BMP_STATISTICS_REPORT,
    BMP_PEER_DOWN,
    BMP_PEER_UP,
    BMP_INITIATION,
    BMP_TERMINATION,
};

enum bmp_peer_type {
    BMP_PEER_GLOBAL,
    BMP_PEER_DISTINGUISHED, /* RD Instance Peer */
    BMP_PEER_LOCAL,         /* Local Instance Peer: the distinguisher is the sender's own number */
    BMP_PEER_LOC_RIB,       /* no peer: the Loc-RIB (RFC 9069) */
};

/* Flags of the per-peer header. V follows from the address; A is never set, as AS numbers have four
 * octets in every message of ours. */
#define BMP_FLAG_POST_POLICY 0x40u /* L */
#define BMP_FLAG_ADJ_RIB_OUT 0x10u /* O (RFC 8671) */

/* The per-peer header (RFC 7854 section 4.2). */
struct bmp_peer {
    enum bmp_peer_type type;
    uint8_t flags; /* BMP_FLAG_... */
    uint64_t distinguisher;
    struct lpm_address address; /* family 0, as the Loc-RIB has it: all zero */
    uint32_t asn, identifier;   /* host order */
    uint64_t time_us;           /* since 1970; 0: not known */
};

/* Texts longer than this are cut. */
#define BMP_TEXT_MAX 1024u

/* sysDescr and sysName (RFC 7854 section 4.3). */
size_t bmp_initiation_encode(const char *description, const char *name, uint8_t *bytes,
                             size_t capacity);

enum bmp_termination_reason { BMP_TERMINATION_ADMINISTRATIVE, BMP_TERMINATION_UNSPECIFIED };
/* text may be NULL. */
size_t bmp_termination_encode(enum bmp_termination_reason reason, const char *text, uint8_t *bytes,
                              size_t capacity);

struct bmp_peer_up {
    struct lpm_address local_address; /* family 0: all zero */
    uint16_t local_port, remote_port;
    const uint8_t *sent, *received; /* the two OPENs, whole messages */
    size_t sent_size, received_size;
    const char *name; /* of the table for the Loc-RIB, else a line for people; NULL: none */
};
size_t bmp_peer_up_encode(const struct bmp_peer *peer, const struct bmp_peer_up *up, uint8_t *bytes,
                          size_t capacity);

enum bmp_peer_down_reason {
    BMP_DOWN_SENT = 1, /* with the NOTIFICATION that was sent */
    BMP_DOWN_SILENT,   /* closed by this end without one; with the event of the state machine */
    BMP_DOWN_RECEIVED, /* with the NOTIFICATION that was received */
    BMP_DOWN_LOST,     /* closed by the other end, or by the network, without one */
    BMP_DOWN_DECONFIGURED,
    BMP_DOWN_LOC_RIB, /* RFC 9069; with the name of the table */
};
#define BMP_EVENT_NONE              0u
#define BMP_EVENT_SEND_HOLD_EXPIRED 29u /* RFC 9687 */
struct bmp_peer_down {
    enum bmp_peer_down_reason reason;
    struct bgp_error error; /* of the NOTIFICATION */
    uint16_t event;
    const char *name;
};
size_t bmp_peer_down_encode(const struct bmp_peer *peer, const struct bmp_peer_down *down,
                            uint8_t *bytes, size_t capacity);

/* Route Monitoring: writes what stands before an UPDATE of this size, BMP_ROUTE_SIZE bytes. The UPDATE is
 * written behind it by bgp_update_begin() and its kin. */
void bmp_route_header(const struct bmp_peer *peer, size_t update_size, uint8_t *bytes);

/* Types of RFC 7854 section 4.8 and RFC 8671 section 6.2 that are counted here. */
enum bmp_statistic {
    BMP_STATISTIC_ADJ_RIB_IN = 7,
    BMP_STATISTIC_LOC_RIB = 8,
    BMP_STATISTIC_ADJ_RIB_IN_FAMILY = 9,
    BMP_STATISTIC_LOC_RIB_FAMILY = 10,
    BMP_STATISTIC_TREATED_AS_WITHDRAW = 11, /* UPDATEs, 32 bits */
    BMP_STATISTIC_ADJ_RIB_OUT = 15,         /* post-policy */
    BMP_STATISTIC_ADJ_RIB_OUT_FAMILY = 17,
};
/* A Statistics Report: begin, add, end. What does not fit is told by the end. */
struct bmp_statistics_writer {
    uint8_t *bytes;
    size_t at, capacity;
    uint32_t n;
    bool full;
};
void bmp_statistics_begin(struct bmp_statistics_writer *writer, const struct bmp_peer *peer,
                          uint8_t *bytes, size_t capacity);
/* family counts for the types that are told by family. */
void bmp_statistics_add(struct bmp_statistics_writer *writer, enum bmp_statistic type,
                        enum bgp_family family, uint64_t value);
size_t bmp_statistics_end(struct bmp_statistics_writer *writer);

#endif

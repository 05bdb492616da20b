/*
 * A BGP session with one peer (RFC 4271 section 8), sans-I/O: the caller owns sockets and clock.
 *
 *     connected, closed, input, tick  -->  struct bgp_session  -->  handler: state, updates, wishes
 *     output (bytes are pulled)       <--                      <--  handler.fill_updates
 *
 * Up to two TCP connections may be there at once, one of each direction; collision detection (6.8)
 * leaves one. Time is monotonic milliseconds, given with every call.
 *
 * No queue of messages: OPEN, KEEPALIVE, NOTIFICATION and ROUTE-REFRESH go through a small fixed
 * buffer; UPDATEs are asked for by handler.fill_updates at the moment the transport has room.
 *
 * Transport's side of the contract
 * - After handler.connect: bgp_session_connected(BGP_OUTGOING) or bgp_session_closed(BGP_OUTGOING).
 *   What is left of an earlier outgoing connection is dropped without a word.
 * - One connection per direction: a further incoming one is refused by the transport, or, where
 *   bgp_session_gives_way(), takes the place of the former by bgp_session_connected() (the former
 *   then counts as lost).
 * - After handler.output_ready: call bgp_session_output() until it returns 0.
 * - handler.close may come from within bgp_session_connected(): the connection is not wanted.
 * - After handler.close: send what bgp_session_output() still gives, close; a bgp_session_closed()
 *   is welcome but not needed. It must not come later than the next bgp_session_connected() of
 *   that direction.
 * - Bytes that have come are given before bgp_session_tick() is called, so that a late caller does
 *   not take its own lateness for a silent peer.
 * - A peer that does not read can hold up what is queued: the transport closes all the same after a
 *   time of its own.
 *
 * Threads: one. Handler functions run within bgp_session_* calls and may call only the functions
 * under "Questions" and bgp_session_updates_pending(), bgp_session_stop() and bgp_session_reset().
 */
#ifndef ENGINE_BGP_SESSION_H
#define ENGINE_BGP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/attributes.h"
#include "engine/bgp/family.h"
#include "engine/bgp/message.h"

enum bgp_state {
    BGP_IDLE,
    BGP_CONNECT,
    BGP_ACTIVE,
    BGP_OPEN_SENT,
    BGP_OPEN_CONFIRM,
    BGP_ESTABLISHED,
};
/* "Idle", "Connect", ... */
const char *bgp_state_text(enum bgp_state state);

/* Who opened the TCP connection: we (outgoing) or the peer (incoming). */
enum bgp_direction { BGP_OUTGOING, BGP_INCOMING };
const char *bgp_direction_text(enum bgp_direction direction);

struct bgp_session;

/* Routes of one family out of one UPDATE. Withdrawals come first. */
struct bgp_routes {
    enum bgp_family family;
    struct bgp_nlri withdrawn;
    struct bgp_nlri announced;
    /* Of announced; NULL when nothing is. Next hop: attributes->next_hop. Take a reference
     * (bgp_attributes_hold()) to keep it beyond the call. */
    const struct bgp_attributes *attributes;
};

/* Every function but fill_updates may be NULL. */
struct bgp_session_handler {
    void *context;
    /* Told after the session has entered state. reason is a line for people. Leaving
     * BGP_ESTABLISHED means: the peer's routes are gone, but for the families of
     * bgp_session_retained(), and what was sent to it is void. */
    void (*state_changed)(void *context, enum bgp_state state, const char *reason);
    /* Only while Established. May be told up to three times for one message. */
    void (*routes)(void *context, const struct bgp_routes *routes);
    void (*end_of_rib)(void *context, enum bgp_family family);
    /* The peer wants everything of family again (RFC 2918). */
    void (*refresh_requested)(void *context, enum bgp_family family);
    /* The peer begins, or ends, to say everything of family again (BoRR, EoRR: RFC 7313). */
    void (*refresh_marker)(void *context, enum bgp_family family, bool begins);
    /* Writes whole UPDATE messages (markers of a refresh may stand between them), as many as fit
     * in capacity, and returns their size; 0: none are waiting. capacity is at least bgp_session_encoding()->message_max. Only while
     * Established. */
    size_t (*fill_updates)(void *context, uint8_t *bytes, size_t capacity);
    void (*connect)(void *context);
    void (*close)(void *context, enum bgp_direction direction);
    /* Edge from nothing to something to send. */
    void (*output_ready)(void *context, enum bgp_direction direction);
    /* Are there bytes of the peer that bgp_session_input() was not given yet? Asked before the hold time
     * is said to be over: a process that was stopped for longer than that, or is behind with its reading,
     * must not lay it at the peer's door. NULL: no. */
    bool (*input_waits)(void *context, enum bgp_direction direction);
    /* Something worth a line in the log that changes no state: a malformed attribute, say. */
    void (*notice)(void *context, const char *line);
};

/* Graceful restart as we offer it (RFC 4724, RFC 8538, RFC 9494). All zero: not at all. */
struct bgp_restart_config {
    bool offered;
    uint16_t time_s;       /* how long the peer is to keep our routes, at most BGP_RESTART_TIME_MAX;
                              0: we only keep the peer's */
    bool forwarding;       /* what we announced stays true while we are away (F bits) */
    uint32_t long_lived_s; /* stale time, both as offered and as the most that we keep routes for;
                              at most BGP_STALE_TIME_MAX; 0: not offered */
};
#define BGP_RESTART_TIME_MAX 4095u
#define BGP_STALE_TIME_MAX   0xffffffu

struct bgp_session_config {
    uint32_t local_asn;
    uint32_t peer_asn;
    uint32_t identifier;  /* ours, host order, not 0 */
    bool passive;         /* never connect */
    uint16_t hold_time_s; /* offered: 0 or >= 3 */
    uint16_t keepalive_s; /* 0: a third of the negotiated hold time; never more than that third */
    /* A peer that takes nothing for so long is cut off (RFC 9687). 0: 480, or twice the negotiated
     * hold time where that is more. Without a hold time: never. */
    uint16_t send_hold_time_s;
    uint16_t connect_retry_s; /* 0: 120 */
    /* Pause in Idle after a failure; doubled with each failure in a row up to the maximum. 0:
     * 1,000 and 60,000. All waits get jitter (RFC 4271 section 10). */
    uint32_t idle_hold_ms;
    uint32_t idle_hold_max_ms;
    uint32_t families;            /* offered, BGP_FAMILY_BIT()s; 0: all */
    bool two_octet_as;            /* do not offer 4-octet AS numbers */
    bool extended_messages;       /* offer RFC 8654 */
    bool accept_as_set;           /* else RFC 9774: routes with AS_SET are treated as withdrawn */
    bool extended_next_hop;       /* offer RFC 8950: IPv4 routes with IPv6 next hops */
    struct bgp_add_path add_path; /* offered (RFC 7911); families that are not offered: no effect */
    enum bgp_role role; /* ours (RFC 9234), offered to an external peer; none: no check either */
    bool role_strict;   /* refuse a peer that does not say its role */
    struct bgp_restart_config restart;
    uint64_t seed; /* of the jitter; sessions of a speaker get different ones */
    struct bgp_attribute_table
        *attributes; /* where received sets are interned; outlives the session */
};

/* --- Life ------------------------------------------------------------------------------------- */

/* Copies config and handler. -EINVAL for a value out of range, -ENOMEM. State is Idle until start.
 */
int bgp_session_create(const struct bgp_session_config *config,
                       const struct bgp_session_handler *handler, struct bgp_session **session);
/* At once, without a word to peer or handler. NULL is allowed. */
void bgp_session_destroy(struct bgp_session *session);

/* Idle -> Connect (or Active when passive). Also ends a pause in Idle early. No effect in other
 * states. */
void bgp_session_start(struct bgp_session *session, uint64_t now_ms);
/* Cease with this subcode on every connection; stays in Idle until start. message: shutdown
 * communication (RFC 9003), may be NULL. */
void bgp_session_stop(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                      uint64_t now_ms);
/* The same, but starts again by itself after the Idle pause (BGP_CEASE_RESET, prefix limit, ...).
 */
void bgp_session_reset(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                       uint64_t now_ms);
/* The same with a pause of this length (BGP_PAUSE_FOREVER: until start), whatever came before. */
#define BGP_PAUSE_FOREVER UINT64_MAX
void bgp_session_suspend(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                         uint64_t pause_ms, uint64_t now_ms);
/* What the restart of this end looks like to the peer: connections close without a word, and after
 * pause_ms the session begins anew, with the R bit. Every family is retained. */
void bgp_session_abandon(struct bgp_session *session, uint64_t pause_ms, uint64_t now_ms);
/* Does our OPEN say that this end has restarted (R bit of RFC 4724)? No until told. */
void bgp_session_set_restarting(struct bgp_session *session, bool restarting);

/* --- Transport -------------------------------------------------------------------------------- */

void bgp_session_connected(struct bgp_session *session, enum bgp_direction direction,
                           uint64_t now_ms);
/* The connection is gone or could not be opened. reason for people, may be NULL. */
void bgp_session_closed(struct bgp_session *session, enum bgp_direction direction,
                        const char *reason, uint64_t now_ms);
/* Bytes arrived, split anywhere. */
void bgp_session_input(struct bgp_session *session, enum bgp_direction direction,
                       const uint8_t *bytes, size_t n, uint64_t now_ms);
/* Gives up to capacity bytes to send; 0: nothing more. Any capacity works; from message_max
 * upwards UPDATEs are written straight into bytes. */
size_t bgp_session_output(struct bgp_session *session, enum bgp_direction direction, uint8_t *bytes,
                          size_t capacity, uint64_t now_ms);
void bgp_session_tick(struct bgp_session *session, uint64_t now_ms);
/* When tick is wanted next; UINT64_MAX: never. */
uint64_t bgp_session_deadline(const struct bgp_session *session);

/* There is something for fill_updates: raises output_ready when the session is Established. */
void bgp_session_updates_pending(struct bgp_session *session);
/* Asks the peer for all its routes again. -ENOTCONN when not Established, -EOPNOTSUPP when it
 * cannot, -EAGAIN when the fixed buffer is full: what waits there says so already. */
int bgp_session_request_refresh(struct bgp_session *session, enum bgp_family family);

/* --- Questions -------------------------------------------------------------------------------- */

enum bgp_state bgp_session_state(const struct bgp_session *session);
const struct bgp_session_config *bgp_session_config(const struct bgp_session *session);
/* True when peer_asn is local_asn. */
bool bgp_session_internal(const struct bgp_session *session);
/* Should a further incoming connection take the place of the one that is there? If not, the
 * transport refuses it. */
bool bgp_session_gives_way(const struct bgp_session *session);

/* Valid while Established (all zero before the first time). */
struct bgp_negotiated {
    uint32_t peer_identifier;
    uint16_t hold_time_s;
    uint32_t keepalive_ms;
    uint32_t families;
    bool four_octet_as, route_refresh, enhanced_refresh, extended_messages, extended_next_hop;
    struct bgp_add_path add_path; /* families in which we receive, and send, path identifiers */
    enum bgp_role peer_role;      /* as the peer says, where we have a role too */
    bool graceful_restart;        /* both ends have the capability */
    bool restart_notification;    /* both ends: after a NOTIFICATION too (RFC 8538) */
    bool peer_restarted;          /* R bit of the peer */
    uint16_t restart_time_s;      /* the peer's */
    uint32_t restart_families;    /* whose routes we keep while the peer restarts */
    uint32_t forwarding_families; /* of these, where the peer kept forwarding through its restart */
    uint32_t long_lived_families; /* where RFC 9494 follows */
    uint32_t long_lived_forwarding;
    uint32_t stale_time_s[BGP_FAMILY_COUNT]; /* of RFC 9494: the peer's, at most ours */
    enum bgp_direction direction;            /* of the connection that won */
};
#define BGP_CAPABILITY_TEXT 64
/* The capability at index that both ends have, in words for people ("four-octet-as", "add-path
 * receive IPv4 unicast"); false: there are no more. */
bool bgp_negotiated_capability(const struct bgp_negotiated *negotiated, unsigned index,
                               char text[BGP_CAPABILITY_TEXT]);
const struct bgp_negotiated *bgp_session_negotiated(const struct bgp_session *session);
/* What bgp_update_begin() wants to know of this peer. */
const struct bgp_encoding *bgp_session_encoding(const struct bgp_session *session);

struct bgp_session_counters {
    uint64_t messages_in[BGP_MESSAGE_TYPES], messages_out[BGP_MESSAGE_TYPES]; /* by type */
    uint64_t bytes_in, bytes_out;
    uint64_t established;          /* times */
    uint64_t treated_as_withdraw;  /* UPDATEs (RFC 7606) */
    uint64_t attributes_discarded; /* attributes (RFC 7606) */
    uint32_t malformed[256];       /* attributes found wrong, by type */
};
const struct bgp_session_counters *bgp_session_counters(const struct bgp_session *session);
/* The last NOTIFICATION; code 0 when there was none. */
const struct bgp_error *bgp_session_last_sent(const struct bgp_session *session);
const struct bgp_error *bgp_session_last_received(const struct bgp_session *session);
/* How the last Established connection ended. */
enum bgp_end {
    BGP_END_NONE,      /* there was none, or it is Established still */
    BGP_END_SENT,      /* with bgp_session_last_sent() */
    BGP_END_RECEIVED,  /* with bgp_session_last_received() */
    BGP_END_LOST,      /* closed by the peer, or by the network, without a NOTIFICATION */
    BGP_END_SEND_HOLD, /* by the send hold timer (RFC 9687), which says nothing to the peer */
    BGP_END_SILENT,    /* by this end in any other way, without a NOTIFICATION */
};
enum bgp_end bgp_session_end(const struct bgp_session *session);
/* The OPEN of the Established connection as it was sent, or received: a whole message of *n octets. NULL
 * when not Established, or memory was short. */
const uint8_t *bgp_session_open_message(const struct bgp_session *session, bool sent, size_t *n);
/* Families whose routes may be kept as stale after the session that has just ended (RFC 4724
 * section 4.2); 0 while Established. */
uint32_t bgp_session_retained(const struct bgp_session *session);
/* End of the pause in Idle: 0 when there is none, BGP_PAUSE_FOREVER when only a start ends it. */
uint64_t bgp_session_pause_end(const struct bgp_session *session);
/* Failures in a row, which the pause in Idle grows with. */
unsigned bgp_session_failures(const struct bgp_session *session);
/* When the hold time of the Established connection runs out; BGP_PAUSE_FOREVER: never. */
uint64_t bgp_session_hold_end(const struct bgp_session *session);
/* Why the session last left a state; never NULL. */
const char *bgp_session_last_reason(const struct bgp_session *session);
/* When the state was entered. */
uint64_t bgp_session_since(const struct bgp_session *session);

#endif

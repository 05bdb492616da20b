/*
 * One BFD session (RFC 5880), sans-I/O: packets and time in, packets and changes of state out.
 *
 *     input(packet), tick  -->  struct bfd_session  -->  output(packet), changed(from, to)
 *
 * Asynchronous mode, active role, without authentication. No Echo: we say that we take none
 * (Required Min Echo RX Interval 0), so the peer may send none. Demand mode is never asked for by
 * us; when the peer asks, we cease to send periodically, as section 6.8.7 demands, and answer its
 * polls; its own packets keep the detection time running as ever.
 *
 * Time is monotonic microseconds, given with every call. What is known of a session is bounded and
 * small: nothing is queued, a packet is made from the present state at the moment it is pulled.
 *
 * Caller's side of the contract: packets that have come are given by bfd_session_input() before
 * bfd_session_tick() is called, so that a late caller does not take its own lateness for a silent
 * peer. When bfd_session_deadline() has come: tick, then pull output until it says false.
 *
 * Threads: one. `changed` is told within start, stop, input and tick, and may call none of them.
 */
#ifndef ENGINE_BGP_BFD_H
#define ENGINE_BGP_BFD_H

#include "engine/bgp/bfd_packet.h"

struct bfd_session;

struct bfd_change {
    enum bfd_state from, to;
    enum bfd_diagnostic diagnostic; /* ours, why */
    /* Up was left because the path or the peer failed. Not so when one of the two ends was taken out
     * of service (RFC 5882 section 3.2), nor when the peer says by another discriminator that it
     * has begun a new session: that it says so shows that the path is there. */
    bool failed;
};

struct bfd_session_config {
    uint32_t discriminator; /* ours, not 0, unique among the sessions of this system */
    uint32_t interval_us;   /* that we want to send at and can receive at; not 0 */
    uint8_t multiplier;     /* detection: so many intervals without a packet; not 0 */
    uint64_t seed;          /* of the jitter */
    void (*changed)(void *context, const struct bfd_change *change); /* may be NULL */
    void *context;
};

/* --- Life ------------------------------------------------------------------------------------- */

/* Copies config. The session is AdminDown and silent until start. -EINVAL for a value out of range,
 * -ENOMEM. */
int bfd_session_create(const struct bfd_session_config *config, struct bfd_session **session);
void bfd_session_destroy(struct bfd_session *session); /* NULL is allowed */

/* AdminDown -> Down after delay_us: begins to send, once a second until the peer answers. No effect
 * in other states. */
void bfd_session_start(struct bfd_session *session, uint64_t now_us, uint64_t delay_us);
/* -> AdminDown, with diagnostic Administratively Down. It goes on sending for a detection time, so
 * that the peer hears of it (section 6.8.16). */
void bfd_session_stop(struct bfd_session *session, uint64_t now_us);

/* --- Packets and time ------------------------------------------------------------------------- */

/* A packet that belongs to this session (the caller has looked at discriminators and addresses).
 * Returns BFD_TAKEN or BFD_SESSION_IS_OFF. */
enum bfd_discard bfd_session_input(struct bfd_session *session, const struct bfd_packet *packet,
                                   uint64_t now_us);
/* Notices that the detection time, or the delay of a start, has passed. */
void bfd_session_tick(struct bfd_session *session, uint64_t now_us);
/* The next packet that is due; false: none is. */
bool bfd_session_output(struct bfd_session *session, uint64_t now_us, struct bfd_packet *packet);
/* When tick or output is wanted next, now or in the past for at once; UINT64_MAX: never. */
uint64_t bfd_session_deadline(const struct bfd_session *session);

/* --- Questions -------------------------------------------------------------------------------- */

struct bfd_info {
    enum bfd_state state, remote_state;
    uint8_t diagnostic, remote_diagnostic;
    uint32_t discriminator, remote_discriminator;
    uint8_t multiplier, remote_multiplier;
    uint32_t desired_min_tx_us, required_min_rx_us;               /* ours, as sent */
    uint32_t remote_desired_min_tx_us, remote_required_min_rx_us; /* as last received */
    uint64_t transmit_us;  /* negotiated: what we send at, before jitter; 0: we may not send */
    uint64_t detection_us; /* negotiated: so long may the peer be silent; 0: not known yet */
    bool polling, remote_demand;
    uint64_t since_us;                  /* when the state was entered */
    uint64_t packets_in, packets_out;   /* taken, and sent */
    uint64_t went_up, went_down;        /* times */
    enum bfd_diagnostic last_down;      /* why Up was last left; no diagnostic: never */
    enum bfd_diagnostic remote_at_down; /* what the peer had said by then */
};
void bfd_session_info(const struct bfd_session *session, struct bfd_info *info);
enum bfd_state bfd_session_state(const struct bfd_session *session);
uint32_t bfd_session_discriminator(const struct bfd_session *session);

#endif

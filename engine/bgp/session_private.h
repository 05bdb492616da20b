/*
 * A session's furniture, shared by session.c (life, timers, questions), session_connection.c (one
 * TCP connection: its bytes, its beginning and end) and session_message.c (what a message does).
 *
 *     struct bgp_session
 *       base             what goes on beside connections: stopped, pausing, connecting, waiting
 *       connections[2]   by direction; each is a state machine of its own from OpenSent on
 *
 * The state that the world sees is that of the furthest connection, or else that of base.
 * Invariants: at most one connection is Established; a connection that is closing has state Idle
 * and only its output is still of interest.
 */
#ifndef ENGINE_BGP_SESSION_PRIVATE_H
#define ENGINE_BGP_SESSION_PRIVATE_H

#include "engine/bgp/bytes.h"
#include "engine/bgp/session.h"

#define NEVER UINT64_MAX

/* RFC 4271 10: while we wait for an OPEN. */
#define OPEN_HOLD_MS 240000u
/* By which the hold time is prolonged while bytes of the peer wait to be read, and the send hold time where the clock
 * was looked at later than that; and what is left of that time, at least, when something begins to wait. */
#define HOLD_LATE_MS 1000u
/* RFC 9687: the send hold time is at least this, and at least twice the hold time, unless set. */
#define SEND_HOLD_MIN_MS 480000u
/* Once Established that long, earlier failures are forgotten. */
#define STABLE_MS 60000u

/* So many times in a row a peer that left is let in as soon as it is back. */
#define FREE_RETURNS 3u

/* Room for a NOTIFICATION is never given to anything else. */
#define NOTIFICATION_SIZE (BGP_HEADER_SIZE + 2 + BGP_ERROR_DATA_MAX)
#define CONTROL_SIZE      768u

#define REASON_SIZE 512u

enum session_base { BASE_STOPPED, BASE_PAUSING, BASE_CONNECT, BASE_ACTIVE };

/* How the last connection of a session came to its end, which says how soon there may be another. */
enum session_fall {
    FALL_EARLY, /* lost before the peer had said a word: our next attempt waits for its timer */
    FALL_LEFT, /* the peer went, and said nothing against us: it may be back at once, while we wait for
                   the pause before we call. Not more often in a row than FREE_RETURNS */
    FALL_FAULT, /* something is wrong at one end: a pause in Idle */
};

struct connection {
    enum bgp_state state; /* Idle: none, or closing */
    bool closing;
    bool output_told; /* output_ready was raised and output not yet drained */
    struct bgp_open peer;
    uint32_t hold_ms, keepalive_ms;
    uint64_t hold_deadline, keepalive_deadline, send_hold_deadline;
    /* OPEN, KEEPALIVE, NOTIFICATION, ROUTE-REFRESH: [control_at, control_size) is to be sent. */
    uint8_t control[CONTROL_SIZE];
    size_t control_at, control_size;
    struct bytes_buffer input;    /* a message that has not come whole */
    struct bytes_buffer opens[2]; /* the OPEN that was received, and the one that was sent */
    struct bytes_buffer staged;   /* UPDATEs that did not fit the caller's buffer */
    size_t staged_at;
};

struct bgp_session {
    struct bgp_session_config config;
    struct bgp_session_handler handler;
    enum bgp_state state; /* as last told */
    enum session_base base;
    bool connecting; /* handler.connect is not answered yet */
    uint64_t now_ms, since_ms, established_ms;
    uint64_t idle_deadline, connect_deadline;
    unsigned failures; /* in a row */
    bool restarting;   /* our end has restarted: the R bit of the next OPEN */
    uint32_t retained; /* families, see bgp_session_retained() */
    uint64_t random;
    struct connection connections[2];
    struct bgp_update_reader *reader;
    struct bgp_negotiated negotiated;
    struct bgp_encoding encoding;
    struct bgp_session_counters counters;
    struct bgp_error last_sent, last_received;
    enum bgp_end end;
    char reason[REASON_SIZE];
};

/* --- session.c -------------------------------------------------------------------------------- */

/* Writes the reason that the next change of state is told with. */
void session_reason(struct bgp_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line to handler.notice. */
void session_notice(struct bgp_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Works out the state and tells it when it changed. */
void session_settle(struct bgp_session *session);
/* The last connection has ended. */
void session_fall(struct bgp_session *session, enum session_fall fall);
/* Starts the connect retry timer. */
void session_wait_to_connect(struct bgp_session *session);
/* Between three quarters and the whole of ms (RFC 4271 section 10). */
uint64_t session_jitter(struct bgp_session *session, uint64_t ms);
/* There is a session now: an attempt to open a second connection is dropped. */
void session_stop_connecting(struct bgp_session *session);

/* --- session_capability.c --------------------------------------------------------------------- */

/* Our role towards this peer: none towards an internal one. */
enum bgp_role session_role(const struct bgp_session *session);
/* False with *error and detail: the peer's role does not fit ours. */
bool session_role_acceptable(const struct bgp_session *session, const struct bgp_open *open,
                             struct bgp_error *error, char *detail, size_t size);
/* We receive where the peer sends, and the other way round (RFC 7911 section 4). */
struct bgp_add_path session_agreed_add_path(const struct bgp_session *session,
                                            const struct bgp_open *open);

/* --- session_connection.c --------------------------------------------------------------------- */

static inline struct connection *session_other(struct bgp_session *session,
                                               enum bgp_direction direction)
{
    return &session->connections[direction == BGP_OUTGOING ? BGP_INCOMING : BGP_OUTGOING];
}

/* Forgets everything, buffers too. */
void connection_clear(struct connection *connection);
/* Queues a small message; false when there is no room. */
bool connection_queue(struct bgp_session *session, enum bgp_direction direction,
                      const uint8_t *bytes, size_t n);
void connection_queue_keepalive(struct bgp_session *session, enum bgp_direction direction);
/* Drops what is queued: nothing more is said. */
void connection_mute(struct connection *connection);
/* Raises output_ready when it is not raised. */
void connection_output_ready(struct bgp_session *session, enum bgp_direction direction);
/* Sends a NOTIFICATION and ends the connection. detail says what was found, may be NULL. */
void connection_fail(struct bgp_session *session, enum bgp_direction direction,
                     const struct bgp_error *cause, const char *detail);
/* Ends a live connection for the reason set before; close: the transport has to close it. */
void connection_end(struct bgp_session *session, enum bgp_direction direction, bool close,
                    enum session_fall fall);
void connection_restart_hold(struct bgp_session *session, struct connection *connection);
void connection_restart_keepalive(struct bgp_session *session, struct connection *connection);
void connection_tick(struct bgp_session *session, enum bgp_direction direction);

/* --- session_message.c ------------------------------------------------------------------------ */

/* What we say in our OPEN. */
struct bgp_open session_open(const struct bgp_session *session);
/* One whole message with a checked header. */
void session_take_message(struct bgp_session *session, enum bgp_direction direction,
                          const uint8_t *bytes, const struct bgp_header *header);

/* --- session_restart.c ------------------------------------------------------------------------ */

struct bgp_graceful session_graceful(const struct bgp_session *session);
struct bgp_long_lived session_long_lived(const struct bgp_session *session);
/* Fills in what concerns restarts of session->negotiated, whose families are there. */
void session_agree_on_restart(struct bgp_session *session, const struct bgp_open *open);
/* The Established connection is about to end, for this error (of either end; NULL: without a word):
 * notes which of the peer's routes may be kept. */
void session_retain(struct bgp_session *session, const struct bgp_error *error);

#endif

/*
 * One TCP connection of a session: how it begins and ends, the bytes that come and go, its timers.
 *
 * Output is given in this order, so that messages are never torn:
 *
 *     staged UPDATEs that were begun   >   control messages   >   new UPDATEs from fill_updates
 *
 * Staged bytes exist only when the caller's buffer was smaller than a message may be.
 */
#include "engine/bgp/session_private.h"

#include <assert.h>

void connection_clear(struct connection *connection)
{
    bytes_buffer_free(&connection->input);
    bytes_buffer_free(&connection->staged);
    bytes_buffer_free(&connection->opens[0]);
    bytes_buffer_free(&connection->opens[1]);
    *connection = (struct connection){
        .state = BGP_IDLE,
        .hold_deadline = NEVER,
        .keepalive_deadline = NEVER,
        .send_hold_deadline = NEVER,
    };
}

/* --- Timers ----------------------------------------------------------------------------------- */

void connection_restart_hold(struct bgp_session *session, struct connection *connection)
{
    connection->hold_deadline =
        connection->hold_ms == 0 ? NEVER : session->now_ms + connection->hold_ms;
}

/* Jitter keeps the keepalives of a thousand peers from falling into one millisecond. */
void connection_restart_keepalive(struct bgp_session *session, struct connection *connection)
{
    connection->keepalive_deadline =
        connection->keepalive_ms == 0
            ? NEVER
            : session->now_ms + session_jitter(session, connection->keepalive_ms);
}

/* Runs from OpenConfirm on while there are keepalives that a living peer would take. */
static void restart_send_hold(struct bgp_session *session, struct connection *connection)
{
    uint64_t send_hold = (uint64_t)connection->hold_ms * 2;
    if (send_hold < SEND_HOLD_MIN_MS) {
        send_hold = SEND_HOLD_MIN_MS;
    }
    if (session->config.send_hold_time_s != 0) {
        send_hold = (uint64_t)session->config.send_hold_time_s * 1000;
    }
    if (connection->state < BGP_OPEN_CONFIRM || connection->hold_ms == 0) {
        connection->send_hold_deadline = NEVER;
        return;
    }
    connection->send_hold_deadline = session->now_ms + send_hold;
}

/* What waits is read within one turn of the shell; should it be no message, the time is over then. */
static bool hears_late(struct bgp_session *session, enum bgp_direction direction)
{
    const struct bgp_session_handler *handler = &session->handler;
    if (handler->input_waits == NULL || !handler->input_waits(handler->context, direction)) {
        return false;
    }
    session->connections[direction].hold_deadline = session->now_ms + HOLD_LATE_MS;
    return true;
}

static void hold_expired(struct bgp_session *session, enum bgp_direction direction)
{
    struct bgp_error error;
    if (hears_late(session, direction)) {
        return;
    }
    bgp_error_set(&error, BGP_ERROR_HOLD_TIMER, 0, NULL, 0);
    connection_fail(session, direction, &error, "nothing heard from the peer for the hold time");
}

void connection_mute(struct connection *connection)
{
    connection->control_at = connection->control_size = 0;
    bytes_buffer_free(&connection->staged);
    connection->staged_at = 0;
}

/* The peer takes nothing, so it gets no NOTIFICATION either (RFC 9687 section 4.3). */
static void send_hold_expired(struct bgp_session *session, enum bgp_direction direction)
{
    struct connection *connection = &session->connections[direction];
    if (!connection->output_told) { /* nothing waits: it was our turn to say something */
        restart_send_hold(session, connection);
        return;
    }
    /* Whoever looks at its clock this late was away, and has not tried to send meanwhile. */
    if (session->now_ms - connection->send_hold_deadline > HOLD_LATE_MS) {
        connection->send_hold_deadline = session->now_ms + HOLD_LATE_MS;
        return;
    }
    connection_mute(connection);
    bgp_error_set(&session->last_sent, BGP_ERROR_SEND_HOLD, 0, NULL, 0);
    if (connection->state == BGP_ESTABLISHED) {
        session_retain(session, &session->last_sent);
        session->end = BGP_END_SEND_HOLD;
    }
    session_reason(session, "Send Hold Timer Expired (8/0): the peer has stopped reading");
    connection_end(session, direction, true, FALL_FAULT);
}

/* At most one thing a tick: the first two end the connection, and with it the other timers. */
void connection_tick(struct bgp_session *session, enum bgp_direction direction)
{
    struct connection *connection = &session->connections[direction];
    if (connection->hold_deadline <= session->now_ms) {
        hold_expired(session, direction);
    } else if (connection->send_hold_deadline <= session->now_ms) {
        send_hold_expired(session, direction);
    } else if (connection->keepalive_deadline <= session->now_ms) {
        connection_queue_keepalive(session, direction);
    }
}

/* --- Beginning and end ------------------------------------------------------------------------ */

/* Told to close without a word. */
static void refuse(struct bgp_session *session, enum bgp_direction direction)
{
    session->connections[direction].closing = true;
    if (session->handler.close != NULL) {
        session->handler.close(session->handler.context, direction);
    }
}

/* An outgoing connection that comes after the peer's OPEN on the other one could only collide. */
static bool welcome(struct bgp_session *session, enum bgp_direction direction)
{
    bool running = session->base == BASE_CONNECT || session->base == BASE_ACTIVE;
    return running && (direction == BGP_INCOMING ||
                       (!session->config.passive &&
                        session_other(session, direction)->state < BGP_OPEN_CONFIRM));
}

/* A connection is gone without a word. */
static void lose(struct bgp_session *session, enum bgp_direction direction, enum session_fall fall)
{
    enum bgp_state state = session->connections[direction].state;
    if (state == BGP_ESTABLISHED) {
        session_retain(session, NULL);
        session->end = BGP_END_LOST;
    }
    connection_end(session, direction, false, state > BGP_OPEN_SENT ? fall : FALL_EARLY);
}

/* A peer that opens a second connection has lost the first: its machine died without a word. RFC
 * 4724 section 5 says so for an Established session whose peer offered graceful restart; before its
 * OPEN there is nothing yet that a newcomer could harm. */
bool bgp_session_gives_way(const struct bgp_session *session)
{
    enum bgp_state state = session->connections[BGP_INCOMING].state;
    return state == BGP_OPEN_SENT ||
           (state == BGP_ESTABLISHED && session->negotiated.restart_families != 0);
}

/* Each connection sends its OPEN at once, the incoming one too: waiting for the peer's
 * (DelayOpen) saves nothing, and both OPENs are what a collision is decided by. */
void bgp_session_connected(struct bgp_session *session, enum bgp_direction direction,
                           uint64_t now_ms)
{
    struct connection *connection = &session->connections[direction];
    session->now_ms = now_ms;
    if (connection->state != BGP_IDLE) {
        session_reason(session, "the %s connection was replaced by a new one",
                       bgp_direction_text(direction));
        /* A pause would have the newcomer refused. */
        bool gives_way = direction == BGP_INCOMING && bgp_session_gives_way(session);
        lose(session, direction, gives_way ? FALL_EARLY : FALL_FAULT);
    }
    connection_clear(connection);
    if (direction == BGP_OUTGOING) {
        session->connecting = false;
    }
    if (!welcome(session, direction)) {
        refuse(session, direction);
        return;
    }
    if (direction == BGP_OUTGOING) {
        session->connect_deadline = NEVER;
    }
    struct bgp_open open = session_open(session);
    uint8_t bytes[192];
    size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
    assert(n > 0);
    /* Short of memory, nobody can be shown it: that is all. */
    bytes_buffer_append(&connection->opens[true], bytes, n);
    connection->state = BGP_OPEN_SENT;
    connection->hold_ms = OPEN_HOLD_MS;
    connection_restart_hold(session, connection);
    session_reason(session, "%s connection opened", bgp_direction_text(direction));
    session_settle(session);
    if (connection->state == BGP_OPEN_SENT) {
        connection_queue(session, direction, bytes, n);
    }
}

/* The state is told before the transport is asked to close, so that routes are gone by the time
 * the socket is. */
void connection_end(struct bgp_session *session, enum bgp_direction direction, bool close,
                    enum session_fall fall)
{
    struct connection *connection = &session->connections[direction];
    connection->state = BGP_IDLE;
    connection->closing = close;
    connection->hold_deadline = connection->keepalive_deadline = NEVER;
    connection->send_hold_deadline = NEVER;
    bytes_buffer_free(&connection->input);
    if (!close) {
        connection_clear(connection);
    }
    if (session_other(session, direction)->state == BGP_IDLE) {
        session_fall(session, fall);
    } else if (direction == BGP_OUTGOING &&
               session_other(session, direction)->state == BGP_OPEN_SENT) {
        session_wait_to_connect(session); /* the incoming one may yet come to nothing */
    }
    session_settle(session);
    if (close && session->handler.close != NULL) {
        session->handler.close(session->handler.context, direction);
    }
}

/* Must the peer's routes go, and ours with the peer, even where both ends agreed to keep them after
 * a NOTIFICATION (RFC 8538 section 3.1)? Not after a mere reset, nor when the other end got lost. */
static bool is_final(const struct bgp_error *error)
{
    if (error->code != BGP_ERROR_CEASE) {
        return false;
    }
    return error->subcode == BGP_CEASE_MAX_PREFIXES || error->subcode == BGP_CEASE_SHUTDOWN ||
           error->subcode == BGP_CEASE_DECONFIGURED || error->subcode == BGP_CEASE_REJECTED ||
           error->subcode == BGP_CEASE_BFD_DOWN;
}

/* Queued behind whatever message is half sent; the peer would read a NOTIFICATION in the middle
 * of another message as part of it. */
void connection_fail(struct bgp_session *session, enum bgp_direction direction,
                     const struct bgp_error *cause, const char *detail)
{
    uint8_t bytes[NOTIFICATION_SIZE];
    char text[BGP_ERROR_TEXT];
    struct bgp_error error = *cause;
    if (session->connections[direction].state == BGP_ESTABLISHED) {
        if (session->negotiated.restart_notification && is_final(cause)) {
            bgp_error_harden(&error);
        }
        session_retain(session, &error);
        session->end = BGP_END_SENT;
    }
    size_t n = bgp_notification_encode(&error, bytes, sizeof bytes);
    session->last_sent = error;
    connection_queue(session, direction, bytes, n);
    session_reason(session, "sent NOTIFICATION %s%s%s", bgp_error_format(&error, text),
                   detail != NULL ? ": " : "", detail != NULL ? detail : "");
    connection_end(session, direction, true, FALL_FAULT);
}

void bgp_session_closed(struct bgp_session *session, enum bgp_direction direction,
                        const char *reason, uint64_t now_ms)
{
    struct connection *connection = &session->connections[direction];
    session->now_ms = now_ms;
    if (connection->state != BGP_IDLE) {
        session_reason(session, "%s connection closed%s%s", bgp_direction_text(direction),
                       reason != NULL ? ": " : " by the peer", reason != NULL ? reason : "");
        lose(session, direction, FALL_LEFT);
        return;
    }
    connection_clear(connection);
    if (direction == BGP_OUTGOING && session->connecting) {
        session->connecting = false;
        session->base = BASE_ACTIVE;
        session_reason(session, "could not connect%s%s", reason != NULL ? ": " : "",
                       reason != NULL ? reason : "");
        session_settle(session);
    }
}

/* --- Bytes out -------------------------------------------------------------------------------- */

/* Told once until the output has been drained: the speaker may announce a million routes, the
 * transport hears of it once. */
void connection_output_ready(struct bgp_session *session, enum bgp_direction direction)
{
    struct connection *connection = &session->connections[direction];
    if (connection->output_told) {
        return;
    }
    connection->output_told = true;
    /* Until now the peer had taken all there was, whatever the clock says of the time since. */
    if (connection->send_hold_deadline < session->now_ms + HOLD_LATE_MS) {
        connection->send_hold_deadline = session->now_ms + HOLD_LATE_MS;
    }
    if (session->handler.output_ready != NULL) {
        session->handler.output_ready(session->handler.context, direction);
    }
}

/* What was sent is moved out of the way here and not after each drain, because most buffers are
 * drained whole. */
bool connection_queue(struct bgp_session *session, enum bgp_direction direction,
                      const uint8_t *bytes, size_t n)
{
    struct connection *connection = &session->connections[direction];
    size_t kept_free = bytes[18] == BGP_NOTIFICATION ? 0 : NOTIFICATION_SIZE;
    if (connection->control_at > 0) {
        connection->control_size -= connection->control_at;
        memmove(connection->control, connection->control + connection->control_at,
                connection->control_size);
        connection->control_at = 0;
    }
    if (connection->control_size + n + kept_free > CONTROL_SIZE) {
        return false;
    }
    memcpy(connection->control + connection->control_size, bytes, n);
    connection->control_size += n;
    session->counters.messages_out[bytes[18]]++;
    if (connection->send_hold_deadline == NEVER) {
        restart_send_hold(session, connection);
    }
    connection_output_ready(session, direction);
    return true;
}

void connection_queue_keepalive(struct bgp_session *session, enum bgp_direction direction)
{
    uint8_t bytes[BGP_HEADER_SIZE];
    struct connection *connection = &session->connections[direction];
    size_t n = bgp_keepalive_encode(bytes, sizeof bytes);
    /* When the peer does not read, some that wait say all that more would. */
    if (connection->control_size - connection->control_at < CONTROL_SIZE / 4) {
        connection_queue(session, direction, bytes, n);
    }
    connection_restart_keepalive(session, connection);
}

/* Moves what is left of [*at, size) into bytes. */
static size_t drain(const uint8_t *from, size_t *at, size_t size, uint8_t *bytes, size_t capacity)
{
    size_t n = size - *at < capacity ? size - *at : capacity;
    if (n > 0) {
        memcpy(bytes, from + *at, n);
        *at += n;
    }
    return n;
}

/* Asks the speaker; what it wrote counts and stands for a keepalive (RFC 4271 section 4.4). */
static size_t fill(struct bgp_session *session, struct connection *connection, uint8_t *bytes,
                   size_t capacity)
{
    size_t n = session->handler.fill_updates(session->handler.context, bytes, capacity);
    assert(n <= capacity);
    for (size_t at = 0; at + BGP_HEADER_SIZE <= n; at += bytes_get16(bytes + at + 16)) {
        assert(bytes_get16(bytes + at + 16) >= BGP_HEADER_SIZE);
        session->counters.messages_out[bytes[at + 18]]++;
    }
    if (n > 0 && connection->state == BGP_ESTABLISHED) {
        connection_restart_keepalive(session, connection);
    }
    return n;
}

/* For callers with a small buffer. */
static size_t fill_staged(struct bgp_session *session, struct connection *connection,
                          uint8_t *bytes, size_t capacity)
{
    size_t most = session->encoding.message_max;
    connection->staged.size = connection->staged_at = 0;
    if (bytes_buffer_reserve(&connection->staged, most) != 0) {
        return 0; /* asked again at the next edge */
    }
    connection->staged.size = fill(session, connection, connection->staged.bytes, most);
    return drain(connection->staged.bytes, &connection->staged_at, connection->staged.size, bytes,
                 capacity);
}

/* New UPDATEs come last so that keepalives overtake a million routes, and are asked for only when
 * a whole message fits. An empty answer is the edge: from here on output_ready is told again. */
size_t bgp_session_output(struct bgp_session *session, enum bgp_direction direction, uint8_t *bytes,
                          size_t capacity, uint64_t now_ms)
{
    struct connection *connection = &session->connections[direction];
    session->now_ms = now_ms;
    if (capacity == 0) {
        return 0;
    }
    size_t n = drain(connection->staged.bytes, &connection->staged_at, connection->staged.size,
                     bytes, capacity);
    n += drain(connection->control, &connection->control_at, connection->control_size, bytes + n,
               capacity - n);
    if (connection->state == BGP_ESTABLISHED) {
        if (capacity - n >= session->encoding.message_max) {
            n += fill(session, connection, bytes + n, capacity - n);
        } else if (n == 0) {
            n = fill_staged(session, connection, bytes, capacity);
        }
    }
    if (n == 0) {
        connection->output_told = false;
        bytes_buffer_free(&connection->staged);
        connection->staged_at = 0;
    } else {
        session->counters.bytes_out += n;
        restart_send_hold(session, connection);
    }
    return n;
}

/*
 * Sessions: life, the part of the state machine that is beside connections (start, stop, connect
 * retry, pause in Idle), timers, questions. See session_private.h for the structure.
 *
 *     STOPPED --start--> CONNECT <--retry/refused--> ACTIVE
 *        ^                  |  connection: OpenSent -> OpenConfirm -> Established
 *        |                  v
 *        +---stop---     PAUSING --(idle hold time)--> CONNECT
 *                           +------(the peer left)---> ACTIVE
 */
#include "engine/bgp/session_private.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    DEFAULT_CONNECT_RETRY_S = 120,
    DEFAULT_IDLE_HOLD_MS = 1000,
    DEFAULT_IDLE_HOLD_MAX_MS = 60000,
};

const char *bgp_state_text(enum bgp_state state)
{
    static const char *const texts[] = {
        [BGP_IDLE] = "Idle",
        [BGP_CONNECT] = "Connect",
        [BGP_ACTIVE] = "Active",
        [BGP_OPEN_SENT] = "OpenSent",
        [BGP_OPEN_CONFIRM] = "OpenConfirm",
        [BGP_ESTABLISHED] = "Established",
    };
    return texts[state];
}

const char *bgp_direction_text(enum bgp_direction direction)
{
    return direction == BGP_OUTGOING ? "outgoing" : "incoming";
}

/* --- Telling ---------------------------------------------------------------------------------- */

void session_reason(struct bgp_session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(session->reason, sizeof session->reason, format, arguments);
    va_end(arguments);
}

void session_notice(struct bgp_session *session, const char *format, ...)
{
    char line[REASON_SIZE];
    if (session->handler.notice == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    session->handler.notice(session->handler.context, line);
}

/* RFC 4271 has a state machine for each connection. People want one answer for a peer: how far
 * the furthest has come. */
static enum bgp_state worked_out_state(const struct bgp_session *session)
{
    static const enum bgp_state by_base[] = {
        [BASE_STOPPED] = BGP_IDLE,
        [BASE_PAUSING] = BGP_IDLE,
        [BASE_CONNECT] = BGP_CONNECT,
        [BASE_ACTIVE] = BGP_ACTIVE,
    };
    enum bgp_state state = by_base[session->base];
    for (unsigned i = 0; i < 2; i++) {
        if (session->connections[i].state > state) {
            state = session->connections[i].state;
        }
    }
    return state;
}

/* The only place that tells a state, so no change is told twice and none is lost. Called after a
 * change is complete: the handler may ask anything, and may stop or reset the session. */
void session_settle(struct bgp_session *session)
{
    enum bgp_state state = worked_out_state(session);
    if (state == session->state) {
        return;
    }
    session->state = state;
    session->since_ms = session->now_ms;
    if (session->handler.state_changed != NULL) {
        session->handler.state_changed(session->handler.context, state, session->reason);
    }
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* splitmix64: the same seed gives the same waits, so the twin repeats itself. */
static uint64_t session_random(struct bgp_session *session)
{
    uint64_t value = session->random += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Peers that were cut off by one event would otherwise all come back at one instant. */
uint64_t session_jitter(struct bgp_session *session, uint64_t ms)
{
    return ms - session_random(session) % (ms / 4 + 1);
}

/* A passive session never opens a connection, so it has nothing to wait for. */
void session_wait_to_connect(struct bgp_session *session)
{
    session->connect_deadline =
        session->config.passive
            ? NEVER
            : session->now_ms +
                  session_jitter(session, (uint64_t)session->config.connect_retry_s * 1000);
}

/* The timer is set first: an attempt that gets no answer at all is given up for the next one. The
 * handler of the state may have stopped the session, hence the second look at connecting. */
static void want_connection(struct bgp_session *session)
{
    session->base = BASE_CONNECT;
    session->connecting = true;
    session_wait_to_connect(session);
    session_settle(session);
    if (session->connecting && session->handler.connect != NULL) {
        session->handler.connect(session->handler.context);
    }
}

/* Leaving an attempt open would end in a collision that is known to be lost. */
void session_stop_connecting(struct bgp_session *session)
{
    session->connect_deadline = NEVER;
    if (!session->connecting) {
        return;
    }
    session->connecting = false;
    if (session->handler.close != NULL) {
        session->handler.close(session->handler.context, BGP_OUTGOING);
    }
}

static void begin(struct bgp_session *session)
{
    session->idle_deadline = NEVER;
    if (session->config.passive) {
        session->base = BASE_ACTIVE;
        session_settle(session);
    } else {
        want_connection(session);
    }
}

/* RFC 4271 section 8.1.1, DampPeerOscillations: a peer that is set up wrongly is asked again and
 * again, but ever more seldom. */
static uint64_t next_pause(struct bgp_session *session)
{
    uint64_t pause = session->config.idle_hold_ms;
    for (unsigned i = 0; i < session->failures && pause < session->config.idle_hold_max_ms; i++) {
        pause *= 2;
    }
    if (pause > session->config.idle_hold_max_ms) {
        pause = session->config.idle_hold_max_ms;
    }
    session->failures++;
    return session_jitter(session, pause);
}

static void pause_in_idle(struct bgp_session *session)
{
    session->base = BASE_PAUSING;
    session->idle_deadline = session->now_ms + next_pause(session);
    session_stop_connecting(session);
}

/* Through Idle, where routes go and resources are released (RFC 4271 section 8.2.2, Event 18), to Active: a daemon
 * that was started anew is back sooner than a pause is over, and may not call again for minutes. Who is told
 * of Idle may have stopped the session. */
static void wait_for_return(struct bgp_session *session)
{
    uint64_t pause = next_pause(session);
    session->base = BASE_PAUSING;
    session_stop_connecting(session);
    session_settle(session);
    if (session->base != BASE_PAUSING || session->idle_deadline != NEVER) {
        return;
    }
    session->base = BASE_ACTIVE;
    session->connect_deadline = session->config.passive ? NEVER : session->now_ms + pause;
}

/* A pause that was already decided (stop, reset) stays as it is. A connection lost in OpenSent
 * says little about the peer, so the next attempt waits for its timer only (RFC 4271 section
 * 8.2.2, Event 18). */
void session_fall(struct bgp_session *session, enum session_fall fall)
{
    if (session->base == BASE_STOPPED || session->base == BASE_PAUSING) {
        return;
    }
    if (session->established_ms != NEVER) {
        if (session->now_ms - session->established_ms >= STABLE_MS) {
            session->failures = 0;
        }
        session->established_ms = NEVER;
    }
    if (fall == FALL_LEFT && session->failures < FREE_RETURNS) {
        wait_for_return(session);
    } else if (fall != FALL_EARLY) {
        pause_in_idle(session);
    } else if (!session->connecting) {
        session->base = BASE_ACTIVE;
        session_wait_to_connect(session);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Hold times of 1 and 2 would have every peer refuse our OPEN. */
static bool config_valid(const struct bgp_session_config *config)
{
    return config->local_asn != 0 && config->peer_asn != 0 && config->identifier != 0 &&
           config->hold_time_s != 1 && config->hold_time_s != 2 && config->attributes != NULL &&
           config->restart.time_s <= BGP_RESTART_TIME_MAX &&
           config->restart.long_lived_s <= BGP_STALE_TIME_MAX &&
           (config->families & ~BGP_FAMILIES_ALL) == 0 && config->role < BGP_ROLE_UNKNOWN;
}

static void fill_defaults(struct bgp_session_config *config)
{
    if (config->connect_retry_s == 0) {
        config->connect_retry_s = DEFAULT_CONNECT_RETRY_S;
    }
    if (config->idle_hold_ms == 0) {
        config->idle_hold_ms = DEFAULT_IDLE_HOLD_MS;
    }
    if (config->idle_hold_max_ms == 0) {
        config->idle_hold_max_ms = DEFAULT_IDLE_HOLD_MAX_MS;
    }
    if (config->families == 0) {
        config->families = BGP_FAMILIES_ALL;
    }
}

int bgp_session_create(const struct bgp_session_config *config,
                       const struct bgp_session_handler *handler, struct bgp_session **session)
{
    if (!config_valid(config) || handler->fill_updates == NULL) {
        return -EINVAL;
    }
    struct bgp_session *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return -ENOMEM;
    }
    made->reader = bgp_update_reader_create();
    if (made->reader == NULL) {
        free(made);
        return -ENOMEM;
    }
    made->config = *config;
    fill_defaults(&made->config);
    made->handler = *handler;
    made->random = config->seed;
    made->idle_deadline = made->connect_deadline = made->established_ms = NEVER;
    made->encoding.message_max = BGP_MESSAGE_MAX;
    for (unsigned i = 0; i < 2; i++) {
        connection_clear(&made->connections[i]);
    }
    session_reason(made, "not started");
    *session = made;
    return 0;
}

void bgp_session_destroy(struct bgp_session *session)
{
    if (session == NULL) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        connection_clear(&session->connections[i]);
    }
    bgp_update_reader_destroy(session->reader);
    free(session);
}

void bgp_session_start(struct bgp_session *session, uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->base != BASE_STOPPED && session->base != BASE_PAUSING) {
        return;
    }
    session->failures = 0;
    session_reason(session, "started");
    begin(session);
}

/* Ends every connection with a Cease; base says what comes after. */
static void cease(struct bgp_session *session, uint8_t subcode, const char *message)
{
    struct bgp_error error;
    bgp_error_set_shutdown(&error, subcode, message);
    for (unsigned i = 0; i < 2; i++) {
        if (session->connections[i].state != BGP_IDLE) {
            connection_fail(session, (enum bgp_direction)i, &error, NULL);
        }
    }
}

/* base is set before the connections end, so that their end starts nothing. */
void bgp_session_stop(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                      uint64_t now_ms)
{
    session->now_ms = now_ms;
    session->base = BASE_STOPPED;
    session->idle_deadline = session->established_ms = NEVER;
    session->failures = 0;
    session_stop_connecting(session);
    session_reason(session, "stopped");
    cease(session, cease_subcode, message);
    session_settle(session);
}

/* The pause is decided first, for the same reason as in bgp_session_stop(). */
void bgp_session_reset(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                       uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->base == BASE_STOPPED || session->base == BASE_PAUSING) {
        return;
    }
    session_reason(session, "reset");
    session_fall(session, FALL_FAULT);
    cease(session, cease_subcode, message);
    session_settle(session);
}

void bgp_session_suspend(struct bgp_session *session, uint8_t cease_subcode, const char *message,
                         uint64_t pause_ms, uint64_t now_ms)
{
    bgp_session_reset(session, cease_subcode, message, now_ms);
    if (session->base == BASE_PAUSING) {
        session->idle_deadline = pause_ms == BGP_PAUSE_FOREVER ? NEVER : now_ms + pause_ms;
    }
}

/* --- Timers ----------------------------------------------------------------------------------- */

/* Connections first: the end of one may set the timers that are looked at next. */
void bgp_session_tick(struct bgp_session *session, uint64_t now_ms)
{
    session->now_ms = now_ms;
    for (unsigned i = 0; i < 2; i++) {
        if (session->connections[i].state != BGP_IDLE) {
            connection_tick(session, (enum bgp_direction)i);
        }
    }
    if (session->idle_deadline <= now_ms) {
        session_reason(session, "pause in Idle is over");
        begin(session);
    }
    if (session->connect_deadline <= now_ms) {
        session_reason(session, "connect retry timer expired");
        want_connection(session);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t bgp_session_deadline(const struct bgp_session *session)
{
    uint64_t deadline = earlier(session->idle_deadline, session->connect_deadline);
    for (unsigned i = 0; i < 2; i++) {
        const struct connection *connection = &session->connections[i];
        if (connection->state != BGP_IDLE) {
            deadline = earlier(deadline, connection->hold_deadline);
            deadline = earlier(deadline, connection->keepalive_deadline);
            deadline = earlier(deadline, connection->send_hold_deadline);
        }
    }
    return deadline;
}

/* --- Wishes of the speaker -------------------------------------------------------------------- */

/* In other states there is nobody to send to; entering Established makes the speaker ask again. */
void bgp_session_updates_pending(struct bgp_session *session)
{
    if (session->state == BGP_ESTABLISHED) {
        connection_output_ready(session, session->negotiated.direction);
    }
}

int bgp_session_request_refresh(struct bgp_session *session, enum bgp_family family)
{
    if (session->state != BGP_ESTABLISHED) {
        return -ENOTCONN;
    }
    if (!session->negotiated.route_refresh ||
        !(session->negotiated.families & BGP_FAMILY_BIT(family))) {
        return -EOPNOTSUPP;
    }
    const struct bgp_family_info *info = bgp_family_info(family);
    struct bgp_refresh refresh = {.afi = info->afi, .safi = info->safi};
    uint8_t bytes[32];
    size_t n = bgp_refresh_encode(&refresh, bytes, sizeof bytes);
    return connection_queue(session, session->negotiated.direction, bytes, n) ? 0 : -EAGAIN;
}

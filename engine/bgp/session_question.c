/* What may be asked of a session at any time: it changes nothing and hands out no copies. */
#include "engine/bgp/session_private.h"

enum bgp_state bgp_session_state(const struct bgp_session *session)
{
    return session->state;
}

const struct bgp_session_config *bgp_session_config(const struct bgp_session *session)
{
    return &session->config;
}

bool bgp_session_internal(const struct bgp_session *session)
{
    return session->config.peer_asn == session->config.local_asn;
}

const struct bgp_negotiated *bgp_session_negotiated(const struct bgp_session *session)
{
    return &session->negotiated;
}

const struct bgp_encoding *bgp_session_encoding(const struct bgp_session *session)
{
    return &session->encoding;
}

const struct bgp_session_counters *bgp_session_counters(const struct bgp_session *session)
{
    return &session->counters;
}

enum bgp_end bgp_session_end(const struct bgp_session *session)
{
    return session->state == BGP_ESTABLISHED ? BGP_END_NONE : session->end;
}

const uint8_t *bgp_session_open_message(const struct bgp_session *session, bool sent, size_t *n)
{
    const struct bytes_buffer *open =
        &session->connections[session->negotiated.direction].opens[sent];
    *n = session->state == BGP_ESTABLISHED ? open->size : 0;
    return *n > 0 ? open->bytes : NULL;
}

const struct bgp_error *bgp_session_last_sent(const struct bgp_session *session)
{
    return &session->last_sent;
}

const struct bgp_error *bgp_session_last_received(const struct bgp_session *session)
{
    return &session->last_received;
}

uint32_t bgp_session_retained(const struct bgp_session *session)
{
    return session->retained;
}

uint64_t bgp_session_pause_end(const struct bgp_session *session)
{
    return session->base == BASE_PAUSING ? session->idle_deadline : 0;
}

unsigned bgp_session_failures(const struct bgp_session *session)
{
    return session->failures;
}

uint64_t bgp_session_hold_end(const struct bgp_session *session)
{
    return session->state == BGP_ESTABLISHED
               ? session->connections[session->negotiated.direction].hold_deadline
               : NEVER;
}

const char *bgp_session_last_reason(const struct bgp_session *session)
{
    return session->reason;
}

uint64_t bgp_session_since(const struct bgp_session *session)
{
    return session->since_ms;
}

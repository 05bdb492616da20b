/*
 * See report.h: the rows about sessions.
 */
#include "engine/live/report_session.h"

#include "engine/bgp/session.h"
#include "engine/live/bfd.h"
#include "engine/live/peer.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* What both ends have, in the session's own words. */
static json_t *capabilities(const struct bgp_session *bgp)
{
    json_t *list = json_array();
    char text[BGP_CAPABILITY_TEXT];
    for (unsigned i = 0; bgp_negotiated_capability(bgp_session_negotiated(bgp), i, text); i++)
        json_array_append_new(list, json_string(text));
    return list;
}

/* What was agreed on; of the last time when the session is down now. */
static void add_agreed(json_t *row, const struct bgp_session *bgp)
{
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(bgp);
    if (bgp_session_counters(bgp)->established == 0)
        return;
    json_object_set_new(row, "hold_time_s", number(negotiated->hold_time_s));
    json_object_set_new(row, "keepalive_ms", number(negotiated->keepalive_ms));
    json_object_set_new(row, "capabilities", capabilities(bgp));
}

static void add_error(json_t *row, const char *key, const struct bgp_error *error)
{
    char text[BGP_ERROR_TEXT];
    if (error->code)
        json_object_set_new(row, key, json_string(bgp_error_format(error, text)));
}

static const char *key_text(const struct live_peer *peer)
{
    if (peer->neighbor->key.length == 0)
        return "none";
    return peer->neighbor->key.type == FABRIC_KEY_MD5 ? "md5" : "tcp_ao";
}

static void add_identity(json_t *row, const struct live *live, const struct live_peer *peer)
{
    const struct controller_peer *session = peer->peer;
    const struct speaker_peer_config *config = speaker_peer_config(session->peer);
    char address[LPM_ADDRESS_TEXT];
    json_object_set_new(row, session->gateway == FABRIC_NONE ? "route_server" : "gateway",
                        json_string(live_session_owner(live, session)));
    json_object_set_new(row, "instance", number(session->instance));
    json_object_set_new(row, "peer", json_string(config->name));
    json_object_set_new(row, "address",
                        json_string(lpm_address_format(&config->peer_address, address)));
    json_object_set_new(row, "asn", number(config->asn));
    json_object_set_new(row, "key", json_string(key_text(peer)));
}

static void set_seconds_left(json_t *row, const char *key, uint64_t end_ms, uint64_t now_ms)
{
    double left = end_ms > now_ms ? (double)(end_ms - now_ms) / 1000.0 : 0;
    json_object_set_new(row, key, end_ms == UINT64_MAX ? json_string("forever") : json_real(left));
}

/* What is waited for: the end of a pause in Idle, or the peer's next word. */
static void add_waits(json_t *row, const struct bgp_session *bgp, uint64_t now_ms)
{
    uint64_t pause_ms = bgp_session_pause_end(bgp), hold_ms = bgp_session_hold_end(bgp);
    if (pause_ms != 0)
        set_seconds_left(row, "idle_seconds_left", pause_ms, now_ms);
    if (hold_ms != UINT64_MAX)
        set_seconds_left(row, "hold_seconds_left", hold_ms, now_ms);
    json_object_set_new(row, "failures_in_a_row", number(bgp_session_failures(bgp)));
}

static void add_limit(json_t *row, const struct speaker_peer_config *config,
                      const struct speaker_peer_counters *counters)
{
    json_object_set_new(row, "refused_prefixes", number(counters->refused));
    if (config->ceiling.limit > 0) {
        json_object_set_new(row, "advertised_limit", number(config->ceiling.limit));
        json_object_set_new(row, "kept_back", number(counters->kept_back));
    }
    if (config->limit.limit == 0)
        return;
    json_object_set_new(row, "limit_prefixes", number(config->limit.limit));
    json_object_set_new(row, "limit_counted", number(counters->counted));
    json_object_set_new(row, "limit_near", json_boolean(counters->limit_near));
}

/* Of the family that has most of them; of both when they are alike. */
static void add_stale(json_t *row, const struct speaker_peer *peer, uint64_t now_ms)
{
    struct speaker_retention most = {0};
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct speaker_retention kept = speaker_peer_retention(peer, family);
        if (kept.kind != SPEAKER_RETAIN_NONE && kept.stale >= most.stale)
            most = kept;
    }
    if (most.kind == SPEAKER_RETAIN_NONE)
        return;
    struct speaker_peer_counters counters;
    speaker_peer_counters(peer, &counters);
    json_t *stale = json_object();
    json_object_set_new(stale, "why", json_string(speaker_retention_text(most.kind)));
    json_object_set_new(stale, "prefixes", number(counters.stale));
    set_seconds_left(stale, "seconds_left", most.ends_ms, now_ms);
    json_object_set_new(row, "stale", stale);
}

json_t *live_report_session(const struct live *live, const struct live_peer *peer, uint64_t now_ms)
{
    const struct controller_peer *session = peer->peer;
    const struct bgp_session *bgp = speaker_peer_session(session->peer);
    struct speaker_peer_counters counters;
    speaker_peer_counters(session->peer, &counters);
    json_t *row = json_object();
    add_identity(row, live, peer);
    json_object_set_new(row, "state", json_string(bgp_state_text(bgp_session_state(bgp))));
    json_object_set_new(row, "since_seconds",
                        json_real((double)(now_ms - bgp_session_since(bgp)) / 1000.0));
    json_object_set_new(row, "learned", number(counters.held));
    json_object_set_new(row, "advertised", number(counters.advertised));
    json_object_set_new(row, "updates_in", number(counters.updates_in));
    json_object_set_new(row, "updates_out", number(counters.updates_out));
    json_object_set_new(row, "established", number(bgp_session_counters(bgp)->established));
    json_object_set_new(row, "reason", json_string(bgp_session_last_reason(bgp)));
    add_agreed(row, bgp);
    add_waits(row, bgp, now_ms);
    add_limit(row, speaker_peer_config(session->peer), &counters);
    add_stale(row, session->peer, now_ms);
    add_error(row, "last_error_sent", bgp_session_last_sent(bgp));
    add_error(row, "last_error_received", bgp_session_last_received(bgp));
    if (session->bfd)
        json_object_set_new(row, "bfd", live_bfd_report(session));
    return row;
}

/*
 * libFuzzer: a whole session. The input is a script of steps: bytes arrive in pieces, connections
 * come and go, time passes, the operator stops and starts. Messages get a good header, so that the
 * fuzzer does not spend its time on markers; one step sends raw bytes all the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    const uint8_t *at, *end;
    uint64_t now_ms;
    bool fill;
};

static uint8_t next(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

static void take_routes(void *context, const struct bgp_routes *routes)
{
    struct bgp_nlri announced = routes->announced, withdrawn = routes->withdrawn;
    struct lpm_prefix prefix;
    (void)context;
    while (bgp_nlri_next(&announced, &prefix)) {
        assert(routes->attributes != NULL && routes->attributes->next_hop.family != 0);
    }
    while (bgp_nlri_next(&withdrawn, &prefix)) {
    }
}

static size_t fill_updates(void *context, uint8_t *bytes, size_t capacity)
{
    struct script *script = context;
    if (!script->fill) {
        return 0;
    }
    script->fill = false;
    return bgp_end_of_rib_encode(BGP_IPV4_UNICAST, bytes, capacity);
}

static void send_message(struct script *script, struct bgp_session *session,
                         enum bgp_direction direction, uint8_t type)
{
    size_t body = next(script), split = next(script);
    size_t left = (size_t)(script->end - script->at);
    body = body < left ? body : left;
    size_t n = body + BGP_HEADER_SIZE;
    uint8_t *bytes = malloc(n);
    memset(bytes, 0xff, 16);
    bytes[16] = (uint8_t)(n >> 8);
    bytes[17] = (uint8_t)n;
    bytes[18] = type;
    memcpy(bytes + BGP_HEADER_SIZE, script->at, body);
    script->at += body;
    split = split < n ? split : n;
    bgp_session_input(session, direction, bytes, split, script->now_ms);
    bgp_session_input(session, direction, bytes + split, n - split, script->now_ms);
    free(bytes);
}

static void send_open(struct script *script, struct bgp_session *session,
                      enum bgp_direction direction)
{
    uint8_t bytes[128];
    struct bgp_open open = {.version = 4,
                            .asn = 65001,
                            .hold_time_s = 30,
                            .identifier = 2 + next(script) % 3,
                            .multiprotocol = true,
                            .families = BGP_FAMILIES_ALL,
                            .four_octet_as = true,
                            .route_refresh = true};
    size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
    bgp_session_input(session, direction, bytes, n, script->now_ms);
}

static void send_keepalive(struct script *script, struct bgp_session *session,
                           enum bgp_direction direction)
{
    uint8_t bytes[BGP_HEADER_SIZE];
    size_t n = bgp_keepalive_encode(bytes, sizeof bytes);
    bgp_session_input(session, direction, bytes, n, script->now_ms);
}

static void step(struct script *script, struct bgp_session *session)
{
    uint8_t what = next(script), bytes[300];
    enum bgp_direction direction = what & 0x80 ? BGP_INCOMING : BGP_OUTGOING;
    size_t left, n;
    switch (what & 15) {
    case 0:
        bgp_session_start(session, script->now_ms);
        break;
    case 1:
        bgp_session_connected(session, direction, script->now_ms);
        break;
    case 2:
        bgp_session_closed(session, direction, NULL, script->now_ms);
        break;
    case 3:
        send_open(script, session, direction);
        break;
    case 4:
        send_keepalive(script, session, direction);
        break;
    case 5:
        bgp_session_output(session, direction, bytes, 1 + next(script), script->now_ms);
        break;
    case 6:
        script->now_ms += (uint64_t)next(script) * 100;
        bgp_session_tick(session, script->now_ms);
        break;
    case 7:
        bgp_session_stop(session, next(script), "bye", script->now_ms);
        break;
    case 8:
        bgp_session_reset(session, next(script), NULL, script->now_ms);
        break;
    case 9:
        script->fill = true;
        bgp_session_updates_pending(session);
        break;
    case 10:
        bgp_session_request_refresh(session, BGP_IPV4_UNICAST);
        break;
    case 11:
        n = next(script);
        left = (size_t)(script->end - script->at);
        n = n < left ? n : left;
        bgp_session_input(session, direction, script->at, n, script->now_ms);
        script->at += n;
        break;
    default:
        send_message(script, session, direction, (what >> 4 & 7) == 0 ? BGP_UPDATE : what >> 4 & 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, data + size, 1000, false};
    struct bgp_attribute_table *table = bgp_attribute_table_create();
    struct bgp_session_config config = {
        .local_asn = 65515,
        .peer_asn = 65001,
        .identifier = 3,
        .hold_time_s = 90,
        .connect_retry_s = 5,
        .attributes = table,
    };
    struct bgp_session_handler handler = {
        .context = &script, .routes = take_routes, .fill_updates = fill_updates};
    struct bgp_session *session;
    if (bgp_session_create(&config, &handler, &session) != 0) {
        abort();
    }
    while (script.at < script.end) {
        step(&script, session);
        assert(bgp_session_deadline(session) > 0);
    }
    assert(bgp_attribute_table_count(table) == 0);
    bgp_session_destroy(session);
    bgp_attribute_table_destroy(table);
    return 0;
}

/*
 * A peer's session: how it is set up, what follows when it comes up or goes down, and the way in and out
 * for its bytes.
 */
#include "engine/rib/outbound.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- Session's handler ------------------------------------------------------------------------ */

static void peer_up(struct speaker_peer *peer)
{
    struct speaker *speaker = peer->speaker;

    peer->established = true;
    peer->families = bgp_session_negotiated(peer->session)->families;
    peer->extended_next_hop = bgp_session_negotiated(peer->session)->extended_next_hop;
    peer->selections = peer->config.transparent && !peer->internal
                           ? peer->families
                           : bgp_session_encoding(peer->session)->add_path;
    speaker->n_selecting += peer->selections != 0;
    speaker->established[speaker->n_established++] = peer;
    peer->long_lived = bgp_session_negotiated(peer->session)->long_lived_families;
    rib_group_join(peer);
    rib_retain_on_return(peer);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (peer->families & BGP_FAMILY_BIT(family))
            peer->tables[family].end_of_rib_due = true;
    rib_walk_begin(peer, peer->families, RIB_WALK_MARK);
    rib_monitor_session(peer);
}

/* What whoever is told of the loss may ask about is right from here on; it costs the same whatever the
 * session has learned and said. */
static void peer_lost(struct speaker_peer *peer)
{
    struct speaker *speaker = peer->speaker;
    unsigned at = 0;

    peer->established = false;
    speaker->n_selecting -= peer->selections != 0;
    while (speaker->established[at] != peer)
        at++;
    speaker->established[at] = speaker->established[--speaker->n_established];
    rib_retain_foresee(peer);
}

static void clean_up(struct speaker_peer *peer)
{
    rib_monitor_session(peer);
    rib_forget_advertised(peer);
    rib_group_leave(peer);
    rib_limit_forget(peer);
    rib_retain_on_loss(peer);
}

static void on_state(void *context, enum bgp_state state, const char *reason)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    bool lost = state != BGP_ESTABLISHED && peer->established;
    char line[640];

    if (state == BGP_ESTABLISHED && !peer->established)
        peer_up(peer);
    else if (lost)
        peer_lost(peer);
    /* The session knows the codes, this room knows the numbers behind them. */
    if (peer->fault != 0) {
        snprintf(line, sizeof(line), "%s: %s", peer->fault_text, reason);
        reason = line;
    }
    if (handler->peer_changed != NULL)
        handler->peer_changed(handler->context, peer, state, reason);
    /* Next-hop groups have been swapped in there, and nobody's packets wait for the rest. */
    if (lost)
        clean_up(peer);
}

static void on_routes(void *context, const struct bgp_routes *routes)
{
    rib_import(context, routes);
}

static void on_end_of_rib(void *context, enum bgp_family family)
{
    rib_retain_on_end_of_rib(context, family);
}

static void on_refresh(void *context, enum bgp_family family)
{
    rib_refresh_wanted(context, family);
}

static void on_marker(void *context, enum bgp_family family, bool begins)
{
    rib_retain_on_marker(context, family, begins);
}

static void on_connect(void *context)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    if (handler->connect != NULL)
        handler->connect(handler->context, peer);
}

static void on_close(void *context, enum bgp_direction direction)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    if (handler->close != NULL)
        handler->close(handler->context, peer, direction);
}

static void on_output_ready(void *context, enum bgp_direction direction)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    peer->undrained[direction] = true;
    if (handler->output_ready != NULL)
        handler->output_ready(handler->context, peer, direction);
}

static bool on_input_waits(void *context, enum bgp_direction direction)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    return handler->input_waits != NULL && handler->input_waits(handler->context, peer, direction);
}

static void on_notice(void *context, const char *line)
{
    struct speaker_peer *peer = context;
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
}

/* Jitter must differ from session to session and be the same in every run: from the configuration.
 */
static uint64_t seed_of(const struct speaker_peer *peer)
{
    const struct speaker_peer_config *config = &peer->config;
    uint64_t seed = XXH3_64bits(config->name, strlen(config->name));

    seed =
        XXH3_64bits_withSeed(config->peer_address.bytes, sizeof(config->peer_address.bytes), seed);
    seed = XXH3_64bits_withSeed(config->local_address.bytes, sizeof(config->local_address.bytes),
                                seed);
    return seed ^ config->identifier;
}

int rib_peer_open_session(struct speaker_peer *peer)
{
    const struct speaker_peer_config *config = &peer->config;
    const struct bgp_session_config session = {
        .local_asn = peer->speaker->config.asn,
        .peer_asn = config->asn,
        .identifier = config->identifier,
        .passive = config->passive,
        .extended_messages = config->extended_messages,
        .hold_time_s = config->hold_time_s,
        .keepalive_s = config->keepalive_s,
        .send_hold_time_s = config->send_hold_time_s,
        .connect_retry_s = config->connect_retry_s,
        .extended_next_hop = config->extended_next_hop,
        .add_path = {.receive = config->add_path_receive ? BGP_FAMILIES_ALL : 0,
                     .send = config->add_path_send ? BGP_FAMILIES_ALL : 0},
        .role = config->role,
        .role_strict = config->role_strict,
        .restart = config->restart,
        .seed = seed_of(peer),
        .attributes = peer->speaker->attributes,
    };
    const struct bgp_session_handler handler = {
        .context = peer,
        .state_changed = on_state,
        .routes = on_routes,
        .end_of_rib = on_end_of_rib,
        .refresh_requested = on_refresh,
        .refresh_marker = on_marker,
        .fill_updates = rib_fill_updates,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
        .input_waits = on_input_waits,
        .notice = on_notice,
    };

    return bgp_session_create(&session, &handler, &peer->session);
}

/* --- Transport -------------------------------------------------------------------------------- */

void speaker_connected(struct speaker *speaker, struct speaker_peer *peer,
                       enum bgp_direction direction, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    peer->undrained[direction] = false; /* bytes of an earlier connection are void */
    bgp_session_connected(peer->session, direction, now_ms);
    rib_finish(speaker);
}

void speaker_closed(struct speaker *speaker, struct speaker_peer *peer,
                    enum bgp_direction direction, const char *reason, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    peer->undrained[direction] = false;
    bgp_session_closed(peer->session, direction, reason, now_ms);
    rib_finish(speaker);
}

void speaker_input(struct speaker *speaker, struct speaker_peer *peer, enum bgp_direction direction,
                   const uint8_t *bytes, size_t n, uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    bgp_session_input(peer->session, direction, bytes, n, now_ms);
    rib_finish(speaker);
}

size_t speaker_output(struct speaker *speaker, struct speaker_peer *peer,
                      enum bgp_direction direction, uint8_t *bytes, size_t capacity,
                      uint64_t now_ms)
{
    size_t n;

    speaker->now_ms = now_ms;
    n = bgp_session_output(peer->session, direction, bytes, capacity, now_ms);
    if (n == 0 && capacity > 0)
        peer->undrained[direction] = false;
    rib_finish(speaker);
    return n;
}

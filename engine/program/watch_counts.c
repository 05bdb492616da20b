/*
 * The alerts that come of counts: four samples a second for each session, the oldest compared with
 * the newest. So an alert comes within a second of its cause, at a cost that does not grow with the
 * number of routes (but for the comparison of two instances, which is made when they stand still).
 */
#include <stdio.h>

#include "engine/program/watch_private.h"

#define JUMP_LEAST 10u /* a per cent of little is no jump */

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* Every sample becomes the present: what was said is not said again. */
static void start_over(struct watch_peer *state, const struct speaker_peer_counters *counters)
{
    for (unsigned i = 0; i < WATCH_SAMPLES; i++) {
        state->held[i] = counters->held;
        state->withdrawn[i] = counters->withdrawn;
    }
}

static void check_counts(struct watch *watch, const struct controller_peer *peer,
                         struct watch_peer *state, const struct speaker_peer_counters *counters,
                         uint64_t now_ms)
{
    const struct fabric_events *limits = &watch->fabric->engine.events;
    size_t before = state->held[state->at], jump = distance(before, counters->held);
    uint64_t withdrawn = counters->withdrawn - state->withdrawn[state->at];
    char cause[EVENT_CAUSE];
    bool said = false;
    if (withdrawn > limits->withdraw_storm) {
        snprintf(cause, sizeof(cause), "%llu prefixes withdrawn within a second",
                 (unsigned long long)withdrawn);
        watch_say(watch, EVENT_WITHDRAW_STORM, peer, now_ms, cause);
        said = true;
    }
    if (state->steady &&
        (jump > limits->route_count_jump ||
         (jump >= JUMP_LEAST && jump * 100 > before * (size_t)limits->route_count_jump_percent))) {
        snprintf(cause, sizeof(cause), "from %zu to %zu prefixes within a second", before,
                 counters->held);
        watch_say(watch, EVENT_ROUTE_COUNT_JUMP, peer, now_ms, cause);
        said = true;
    }
    if (said)
        start_over(state, counters);
}

static void check_limit(struct watch *watch, const struct controller_peer *peer,
                        struct watch_peer *state, const struct speaker_peer_counters *counters,
                        uint64_t now_ms)
{
    const struct fabric_max_prefixes *limit =
        &watch->fabric->route_servers[peer->route_server].peers[peer->index].max_prefixes;
    bool near = counters->limit_near;
    char cause[EVENT_CAUSE];
    if (near && !state->near_limit) {
        snprintf(cause, sizeof(cause), "%zu prefixes, and the limit is %u",
                 (size_t)counters->counted, limit->limit);
        watch_say(watch, EVENT_LIMIT_NEAR, peer, now_ms, cause);
    }
    state->near_limit = near;
}

/* What the neighbor of a gateway is told: near its limit, and beyond it. */
static void check_ceiling(struct watch *watch, struct controller_peer *peer, uint64_t now_ms)
{
    const struct speaker_ceiling *ceiling = &speaker_peer_config(peer->peer)->ceiling;
    struct speaker_peer_counters counters;
    struct event event = {
        .time_ms = now_ms, .kind = EVENT_LIMIT_NEAR, .route_server = FABRIC_NONE, .peer = peer};
    speaker_peer_counters(peer->peer, &counters);
    unsigned level = counters.kept_back > 0 ? 2 : counters.ceiling_near;
    unsigned before = peer->ceiling_level;
    peer->ceiling_level = (uint8_t)level;
    if (level <= before)
        return;
    snprintf(event.gateway, sizeof(event.gateway), "%s",
             watch->fabric->gateways[peer->gateway].name);
    snprintf(event.cause, sizeof(event.cause), "it is told %zu prefixes, and the limit is %u%s",
             counters.advertised, ceiling->limit, level > 1 ? ": others are kept back" : "");
    event_log_add(watch->log, &event);
}

static void sample(struct watch *watch, size_t i, uint64_t now_ms)
{
    const struct controller_peer *peer = controller_peer(watch->controller, i);
    struct watch_peer *state = &watch->peers[peer->number];
    struct speaker_peer_counters counters;
    speaker_peer_counters(peer->peer, &counters);
    counters.held -= counters.as_loop; /* echoes of what this route server said itself */
    unsigned newest = (state->at + WATCH_SAMPLES - 1) % WATCH_SAMPLES;
    state->still = peer->established && counters.held == state->held[newest] ? state->still + 1 : 0;
    if (!peer->established) {
        state->steady = false;
        start_over(state, &counters);
    }
    check_counts(watch, peer, state, &counters, now_ms);
    check_limit(watch, peer, state, &counters, now_ms);
    watch_say_due(watch, peer, now_ms);
    if (state->still >= WATCH_SAMPLES)
        state->steady = true;
    state->held[state->at] = counters.held;
    state->withdrawn[state->at] = counters.withdrawn;
    state->updates = counters.updates_in;
    state->at = (state->at + 1) % WATCH_SAMPLES;
}

/* The sessions of one neighbour with both instances. While a table is loading they differ, which
 * means nothing. */
static bool differ(struct watch *watch, size_t a, size_t b)
{
    const struct controller_peer *one = controller_peer(watch->controller, a);
    const struct controller_peer *other = controller_peer(watch->controller, b);
    if (one->established != other->established)
        return true;
    struct watch_peer *state = &watch->peers[one->number], *beside = &watch->peers[other->number];
    if (!one->established || state->still < 2 || beside->still < 2)
        return false;
    uint64_t updates = state->updates + beside->updates;
    /* Anew only after new UPDATEs: it takes as long as there are prefixes. */
    if (state->compared_updates != updates) {
        state->differed = !speaker_same_learned(one->peer, other->peer);
        state->compared_updates = updates;
    }
    return state->differed;
}

static void compare(struct watch *watch, size_t a, size_t b, uint64_t now_ms)
{
    const struct controller_peer *one = controller_peer(watch->controller, a);
    const struct controller_peer *other = controller_peer(watch->controller, b);
    struct watch_peer *state = &watch->peers[one->number];
    /* Said once it has held for three ticks: sessions never come up at the very same time. */
    state->mismatch = differ(watch, a, b) ? state->mismatch + 1 : 0;
    if (state->mismatch == 0)
        state->mismatch_said = false;
    if (state->mismatch < 3 || state->mismatch_said)
        return;
    state->mismatch_said = true;
    if (one->established != other->established)
        watch_say(watch, EVENT_INSTANCE_MISMATCH, one->established ? other : one, now_ms,
                  "no session with this instance, but with the other one");
    else
        watch_say(watch, EVENT_INSTANCE_MISMATCH, one, now_ms,
                  "announces other prefixes to this instance than to the other one");
}

void watch_tick(struct watch *watch, uint64_t now_ms)
{
    size_t n = controller_peer_count(watch->controller);
    if (now_ms < watch->due_ms)
        return;
    watch->due_ms = now_ms + WATCH_TICK_MS;
    for (size_t i = 0; i < n; i++)
        sample(watch, i, now_ms);
    for (size_t i = 0; i < controller_gateway_peer_count(watch->controller); i++)
        check_ceiling(watch, controller_gateway_peer(watch->controller, i), now_ms);
    /* Sessions of the second instance stand behind all of the first, in the same order; those of an
     * accepted neighbour beside each other. */
    for (size_t i = 0; i < n; i++) {
        const struct controller_peer *peer = controller_peer(watch->controller, i);
        const struct fabric_route_server *server =
            &watch->fabric->route_servers[peer->route_server];
        if (peer->instance == 0 && server->instance_count == 2)
            compare(watch, i, i + (peer->accepted ? 1 : server->peer_count), now_ms);
    }
}

/*
 * How many prefixes a peer may announce, and a speaker hold (spec of the route server: warn, drop
 * what is too much, or close and stay closed for a time).
 *
 * Counting: "unique" is the number of prefixes held. The other way, that of the real service, counts
 * every prefix that is said while the peer says something, on top of what was held when it began: to
 * say again what is held counts double. "While" ends with a second of silence.
 *
 * What is held may always be replaced; only a new prefix can be too much. Near the limit that costs
 * a search for each prefix, below it nothing.
 */
#include "engine/rib/internal.h"

#include <stdio.h>

#define BURST_SILENCE_MS 1000u

/* Do stale prefixes of the family count? Not those of a lost session: they do not stand in the way
 * of those that take their place. During a refresh the peer is there, and so is what it said. */
static bool stale_counts(const struct rib_peer_tables *tables)
{
    return tables->retention == SPEAKER_RETAIN_REFRESH;
}

static size_t held(const struct speaker_peer *peer)
{
    size_t n = 0;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        const struct rib_peer_tables *tables = &peer->tables[family];

        n += tables->learned.count - (stale_counts(tables) ? 0 : tables->stale.count);
    }
    return n;
}

void rib_limit_begin(struct speaker_peer *peer)
{
    struct rib_limit_state *state = &peer->limit;
    uint64_t now_ms = peer->speaker->now_ms;

    if (now_ms - state->said_ms >= BURST_SILENCE_MS || state->said_ms == 0) {
        state->burst_held = held(peer);
        state->burst_said = 0;
    }
    state->said_ms = now_ms;
}

void rib_limit_forget(struct speaker_peer *peer)
{
    uint64_t refused = peer->limit.refused;

    peer->limit = (struct rib_limit_state){.refused = refused};
}

size_t rib_limit_count(const struct speaker_peer *peer)
{
    if (!peer->config.limit.count_azure)
        return held(peer);
    return peer->limit.burst_said > 0 ? peer->limit.burst_held + peer->limit.burst_said
                                      : held(peer);
}

static void notice(struct speaker_peer *peer, const char *line)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
}

/* Different prefixes that the speaker has. */
static size_t table_size(const struct speaker *speaker)
{
    size_t n = 0;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        n += speaker->tables[family].used;
    return n;
}

/* Is this when to warn? Once when the share is reached, and again only after a tenth of it is gone: a
 * number that wavers there does not fill the log. */
bool rib_comes_near(uint64_t count, unsigned limit, unsigned percent, bool *near)
{
    uint64_t share = (uint64_t)limit * percent;
    bool was_near = *near;

    if (limit == 0 || percent == 0)
        return false;
    if (count * 100u >= share)
        *near = true;
    else if (count * 1000u < share * 9u)
        *near = false;
    return *near && !was_near;
}

/* What the route server has of all its peers; told to the one that reached it. */
static void warn_of_speaker(struct speaker_peer *peer)
{
    struct speaker *speaker = peer->speaker;
    const struct speaker_config *config = &speaker->config;
    uint64_t count = table_size(speaker);
    char line[160];

    if (!rib_comes_near(count, config->prefix_limit, config->prefix_warn_percent,
                        &speaker->limit_near))
        return;
    snprintf(line, sizeof(line),
             "the route server's prefix limit is near: %llu of %u (of all peers, own ones too), "
             "warned at %u %%",
             (unsigned long long)count, config->prefix_limit, config->prefix_warn_percent);
    notice(peer, line);
}

void rib_limit_warn(struct speaker_peer *peer)
{
    const struct speaker_prefix_limit *limit = &peer->config.limit;
    uint64_t count = rib_limit_count(peer);
    char line[160];

    warn_of_speaker(peer);
    if (!rib_comes_near(count, limit->limit, limit->warn_percent, &peer->limit.near))
        return;
    snprintf(line, sizeof(line), "prefix limit is near: %llu of %u (%s), warned at %u %%",
             (unsigned long long)count, limit->limit,
             limit->count_azure ? "held and said again" : "unique", limit->warn_percent);
    notice(peer, line);
}

/* --- The speaker's own limit ------------------------------------------------------------------ */

static bool speaker_is_full(struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    struct speaker *speaker = peer->speaker;
    unsigned limit = speaker->config.prefix_limit;

    return limit > 0 && table_size(speaker) >= limit &&
           rib_table_find(&speaker->tables[bgp_family_of(prefix)], prefix) == RIB_NO_ENTRY;
}

/* --- One prefix ------------------------------------------------------------------------------- */

/* Is it among those that held() counts? */
static bool is_held(const struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    enum bgp_family family = bgp_family_of(prefix);
    const struct rib_peer_tables *tables = &peer->tables[family];
    uint32_t id = rib_table_find(&peer->speaker->tables[family], prefix);

    return id != RIB_NO_ENTRY && rib_bitset_test(&tables->learned, id) &&
           (stale_counts(tables) || !rib_bitset_test(&tables->stale, id));
}

static bool refuse(struct speaker_peer *peer, const char *which, size_t limit)
{
    char line[160];

    if (peer->limit.refused++ == 0 || !peer->limit.refusal_told) {
        snprintf(line, sizeof(line),
                 "%s of %zu prefixes is reached: what is too much is dropped, the session stays",
                 which, limit);
        notice(peer, line);
    }
    peer->limit.refusal_told = true;
    return false;
}

static bool close_session(struct speaker_peer *peer, size_t count)
{
    char text[sizeof(peer->fault_text)];

    snprintf(text, sizeof(text), "prefix limit exceeded: %zu held, %u allowed", count,
             peer->config.limit.limit);
    rib_fault(peer, BGP_CEASE_MAX_PREFIXES, text);
    return false;
}

/* The count is at the limit: the next prefix is too much, unless it is counted already. */
static bool at_limit(struct speaker_peer *peer, const struct lpm_prefix *prefix, size_t count)
{
    const struct speaker_prefix_limit *limit = &peer->config.limit;
    bool known = is_held(peer, prefix);

    if (known && (!limit->count_azure || limit->action != SPEAKER_LIMIT_CLOSE))
        return true;
    switch (limit->action) {
    case SPEAKER_LIMIT_CLOSE:
        return close_session(peer, count + 1);
    case SPEAKER_LIMIT_DROP_EXCESS:
        return refuse(peer, "the peer's limit", limit->limit);
    case SPEAKER_LIMIT_WARN:
        break;
    }
    return true;
}

bool rib_limit_admits(struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    unsigned limit = peer->config.limit.limit;
    size_t count = limit > 0 ? rib_limit_count(peer) : 0;

    if (limit > 0 && count >= limit && !at_limit(peer, prefix, count))
        return false;
    if (speaker_is_full(peer, prefix))
        return refuse(peer, "the route server's limit", peer->speaker->config.prefix_limit);
    peer->limit.burst_said++;
    return true;
}

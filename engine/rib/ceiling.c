/*
 * How many prefixes a peer is told at most (spec of the route server: the provider's edge of a circuit takes
 * 1,000 and then drops the connection).
 *
 *   to be announced, no room ──> kept_back        something is withdrawn ──> as many as there is room for
 *                                                                             are pending again
 *
 * Who is first stays: what the peer has may change, and what is kept back comes in the order of ids. A kept
 * back id is neither pending nor advertised, and stays in use by its paths alone: who takes its last path away
 * withholds it (mark.c), which takes it out of kept_back as well.
 */
#include "engine/rib/outbound.h"

#include <stdio.h>

static size_t told(const struct speaker_peer *peer)
{
    size_t n = 0;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        n += peer->tables[family].advertised.count;
    return n;
}

static size_t kept_back(const struct speaker_peer *peer)
{
    size_t n = 0;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        n += peer->tables[family].kept_back.count;
    return n;
}

bool rib_ceiling_has_room(const struct speaker_peer *peer, unsigned coming)
{
    const struct speaker_ceiling *ceiling = &peer->config.ceiling;

    return !ceiling->truncate || told(peer) + coming < ceiling->limit;
}

static void say(struct speaker_peer *peer, const char *what)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    char line[160];

    snprintf(line, sizeof(line), "it is told %zu of at most %u prefixes: %s", told(peer),
             peer->config.ceiling.limit, what);
    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
}

void rib_ceiling_keep_back(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
        rib_bitset_clear(&tables->pending[turn], id);
    if (rib_bitset_set(&tables->kept_back, id) < 0)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    if (!peer->ceiling_reached)
        say(peer, "what is too much is kept back, the session stays");
    peer->ceiling_reached = true;
}

static void release(struct speaker_peer *peer, enum bgp_family family, size_t room)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    for (uint32_t id = rib_bitset_next(&tables->kept_back, 0); id != RIB_BITSET_END && room > 0;
         id = rib_bitset_next(&tables->kept_back, id + 1), room--) {
        rib_bitset_clear(&tables->kept_back, id);
        if (rib_bitset_set(&tables->pending[RIB_REFLECTED], id) < 0)
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    }
}

void rib_ceiling_settle(struct speaker_peer *peer)
{
    const struct speaker_ceiling *ceiling = &peer->config.ceiling;
    const size_t count = told(peer);

    if (ceiling->limit == 0)
        return;
    if (rib_comes_near(count, ceiling->limit, ceiling->warn_percent, &peer->ceiling_near))
        say(peer, "the limit is near");
    if (count >= ceiling->limit)
        return;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        release(peer, family, ceiling->limit - count);
    if (kept_back(peer) == 0 && !rib_pending(peer))
        peer->ceiling_reached = false;
}

void rib_ceiling_forget(struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        rib_bitset_empty(&peer->tables[family].kept_back);
    peer->ceiling_near = peer->ceiling_reached = false;
}

void rib_ceiling_count(const struct speaker_peer *peer, struct speaker_peer_counters *counters)
{
    counters->kept_back = kept_back(peer);
    counters->ceiling_near = peer->ceiling_near;
}

/*
 * Saying everything again: route refresh (RFC 2918) and its markers (RFC 7313), and what is held
 * back while this speaker comes back from a restart (RFC 4724 section 4.1).
 *
 *   request -> BEGIN: BoRR goes first -> RUNNING: the table goes out -> EoRR
 *                ^                          |
 *                +---- asked for again -----+
 *
 * A request costs a walk over the table, so one that comes while an earlier one is under way waits
 * for its end: a peer that floods them gets one refresh after the other, as fast as it reads.
 */
#include "engine/rib/outbound.h"

#include <errno.h>

/* --- Route refresh ---------------------------------------------------------------------------- */

static void begin(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    tables->refresh = RIB_REFRESH_BEGIN;
    tables->refresh_again = false;
    tables->passed = false;
    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
        tables->cursor[turn] = 0;
    /* What was sent before the marker must not count as sent after it. */
    rib_batch_drop(peer);
    rib_walk_begin(peer, BGP_FAMILY_BIT(family), RIB_WALK_MARK);
}

void rib_refresh_wanted(struct speaker_peer *peer, enum bgp_family family)
{
    if (peer->tables[family].refresh == RIB_REFRESH_NONE)
        begin(peer, family);
    else
        peer->tables[family].refresh_again = true;
}

static size_t marker(enum bgp_family family, enum bgp_refresh_subtype subtype, uint8_t *bytes,
                     size_t capacity)
{
    const struct bgp_family_info *info = bgp_family_info(family);
    struct bgp_refresh refresh = {
        .afi = info->afi, .safi = info->safi, .subtype = (uint8_t)subtype};

    return bgp_refresh_encode(&refresh, bytes, capacity);
}

size_t rib_refresh_write_begin(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    bool enhanced = bgp_session_negotiated(peer->session)->enhanced_refresh;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        if (tables->refresh != RIB_REFRESH_BEGIN)
            continue;
        tables->refresh = RIB_REFRESH_RUNNING;
        if (enhanced)
            return marker(family, BGP_REFRESH_BEGIN, bytes, capacity);
    }
    return 0;
}

size_t rib_refresh_write_end(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    bool enhanced = bgp_session_negotiated(peer->session)->enhanced_refresh;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        if (tables->refresh != RIB_REFRESH_RUNNING || rib_held_back(peer->speaker) ||
            (rib_still_to_say(tables) && !tables->passed))
            continue;
        tables->refresh = RIB_REFRESH_NONE;
        if (tables->refresh_again)
            begin(peer, family);
        if (enhanced)
            return marker(family, BGP_REFRESH_END, bytes, capacity);
    }
    return 0;
}

int speaker_peer_request_refresh(struct speaker *speaker, struct speaker_peer *peer,
                                 uint64_t now_ms)
{
    int result = -ENOTCONN;

    speaker->now_ms = now_ms;
    for (enum bgp_family family = 0; peer->established && family < BGP_FAMILY_COUNT; family++)
        if (peer->families & BGP_FAMILY_BIT(family))
            result = bgp_session_request_refresh(peer->session, family);
    rib_finish(speaker);
    return result;
}

/* --- Coming back ------------------------------------------------------------------------------ */

void speaker_begin_restart(struct speaker *speaker, uint64_t until_ms)
{
    speaker->held_back_until_ms = until_ms;
    for (unsigned i = 1; i < speaker->n_peers; i++)
        bgp_session_set_restarting(speaker->peers[i]->session, true);
}

/* Has the peer said all that it will say? One that has restarted itself is not waited for, nor one
 * that will not say so (RFC 4724 section 4.1). */
static bool has_said_all(const struct speaker_peer *peer)
{
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(peer->session);

    if (!peer->established)
        return false;
    if (!negotiated->graceful_restart || negotiated->peer_restarted)
        return true;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (peer->families & BGP_FAMILY_BIT(family) && !peer->tables[family].end_of_rib_received)
            return false;
    return true;
}

static bool all_have_said_all(const struct speaker *speaker)
{
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (!has_said_all(speaker->peers[i]))
            return false;
    return true;
}

void rib_release_held_back(struct speaker *speaker)
{
    if (!rib_held_back(speaker) ||
        (speaker->now_ms < speaker->held_back_until_ms && !all_have_said_all(speaker)))
        return;
    speaker->held_back_until_ms = 0;
    for (unsigned i = 1; i < speaker->n_peers; i++) {
        bgp_session_set_restarting(speaker->peers[i]->session, false);
        if (speaker->peers[i]->established)
            bgp_session_updates_pending(speaker->peers[i]->session);
    }
}

void speaker_peer_abandon(struct speaker *speaker, struct speaker_peer *peer, uint64_t pause_ms,
                          uint64_t now_ms)
{
    speaker->now_ms = now_ms;
    peer->own_restart = true;
    bgp_session_abandon(peer->session, pause_ms, now_ms);
    rib_finish(speaker);
}

/*
 * Stale routes: what a peer announced, and has not confirmed since its session was lost or since it
 * began to say everything again.
 *
 *                    loss, graceful          restart time is over
 *     NONE ------------------------> RESTART --------------------> LONG_LIVED   (RFC 9494)
 *      |  \  BoRR (RFC 7313)            |                              |
 *      |   ------------> REFRESH        | End-of-RIB, time is over, or the peer did not keep
 *      |                    |           | forwarding (RFC 4724)        |
 *      | loss               | EoRR      v                              |
 *      +------------------------------> SWEEP <------------------------+
 *
 * A stale id is a bit beside the one in learned; an announcement or a withdrawal clears it. SWEEP
 * removes what is still stale; LONG_LIVED makes it the last choice. Both walk at most WORK_SLICE ids
 * a call, so that the loss of a full table holds up nobody: speaker_deadline() asks for the rest. What
 * is stale when the next loss comes is doomed: it is removed in the same way while the rest is kept.
 * At the loss itself a long table is not walked at all, not even to mark it: what will become of it is
 * foreseen, the loss is due, and the next tick, or the peer's return, makes its routes stale.
 *
 * Of a peer that may say several paths to a prefix each path is stale for itself: each has the generation
 * in which it was said, and a loss begins the next one. A peer that comes back with path identifiers, and
 * had none when it was lost, begins it then: what it says with an identifier confirms no other path.
 *
 * Invariants: stale and doomed are parts of learned without an id in common; in NONE stale is empty.
 */
#include "engine/rib/internal.h"

#include <errno.h>
#include <stdio.h>

/* Near a millisecond of removing and deciding. */
#define WORK_SLICE 2048u
/* What the call that brings the news does at once. The next news may be that the same neighbour's last
 * session is lost, and next-hop groups wait for that: longer tables wait for the tick. */
#define SHORT_TABLE 64u
/* For a peer that says no End-of-RIB, because it knows nothing of restarts: after our own restart
 * its routes are given this long to come again. */
#define SILENT_STALE_MS 30000u
#define DEFAULT_STALE_S 360u
/* How long routes stay while our own instance is away, where nothing else is said. */
#define DEFAULT_RESTART_S 120u

const char *speaker_retention_text(enum speaker_retention_kind kind)
{
    static const char *const texts[] = {
        [SPEAKER_RETAIN_NONE] = "none",       [SPEAKER_RETAIN_SWEEP] = "sweep",
        [SPEAKER_RETAIN_RESTART] = "restart", [SPEAKER_RETAIN_LONG_LIVED] = "long-lived",
        [SPEAKER_RETAIN_REFRESH] = "refresh",
    };

    return (unsigned)kind < sizeof(texts) / sizeof(texts[0]) ? texts[kind] : "unknown";
}

static void set_kind(struct rib_peer_tables *tables, enum speaker_retention_kind kind,
                     uint64_t ends_ms)
{
    tables->retention = kind;
    tables->retention_ends_ms = ends_ms;
    tables->stale_cursor = 0;
}

static uint64_t after_s(const struct speaker_peer *peer, uint32_t seconds)
{
    return peer->speaker->now_ms + (uint64_t)seconds * 1000u;
}

/* --- The walk --------------------------------------------------------------------------------- */

static bool has_work(const struct rib_peer_tables *tables)
{
    return tables->doomed.count > 0 || tables->retention == SPEAKER_RETAIN_SWEEP ||
           (tables->retention == SPEAKER_RETAIN_LONG_LIVED &&
            tables->stale_cursor != RIB_BITSET_END);
}

/* Removes up to *budget doomed ids. */
static void bury(struct speaker_peer *peer, enum bgp_family family, unsigned *budget)
{
    struct rib_bitset *doomed = &peer->tables[family].doomed;

    for (uint32_t id = rib_bitset_next(doomed, 0); id != RIB_BITSET_END && *budget > 0; --*budget) {
        rib_stale_remove(peer, family, id);
        id = rib_bitset_next(doomed, id + 1);
    }
    if (doomed->count == 0)
        rib_bitset_free(doomed);
}

/* Walks up to *budget stale ids. */
static void walk_stale(struct speaker_peer *peer, enum bgp_family family, unsigned *budget)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    bool sweeps = tables->retention == SPEAKER_RETAIN_SWEEP;
    uint32_t id = rib_bitset_next(&tables->stale, tables->stale_cursor);

    for (; id != RIB_BITSET_END && *budget > 0; --*budget) {
        if (sweeps)
            rib_stale_remove(peer, family, id);
        else
            rib_stale_demote(peer, family, id);
        id = rib_bitset_next(&tables->stale, id + 1);
    }
    tables->stale_cursor = id;
    if (id == RIB_BITSET_END && (sweeps || tables->stale.count == 0))
        set_kind(tables, SPEAKER_RETAIN_NONE, UINT64_MAX);
}

static void walk(struct speaker_peer *peer, enum bgp_family family, unsigned *budget)
{
    const struct rib_peer_tables *tables = &peer->tables[family];

    if (tables->doomed.count > 0)
        bury(peer, family, budget);
    if (has_work(tables) && tables->doomed.count == 0)
        walk_stale(peer, family, budget);
}

static void walk_all(struct speaker_peer *peer, unsigned *budget)
{
    for (enum bgp_family family = 0; family<BGP_FAMILY_COUNT && * budget> 0; family++)
        if (has_work(&peer->tables[family]))
            walk(peer, family, budget);
}

static void remove_all(struct rib_bitset *set, const struct rib_bitset *what)
{
    for (uint32_t word = rib_bitset_next_word(what, 0); word != RIB_BITSET_END;
         word = rib_bitset_next_word(what, word + 1))
        rib_bitset_remove_word(set, word, rib_bitset_word(what, word));
}

static void remove_stale_now(struct speaker_peer *peer, enum bgp_family family)
{
    unsigned all = UINT32_MAX;

    set_kind(&peer->tables[family], SPEAKER_RETAIN_SWEEP, UINT64_MAX);
    walk_stale(peer, family, &all);
}

/* What is still stale goes: the set is about to mean something else. Where single paths to a prefix are
 * stale, or without memory, it goes at once. */
static void doom_stale(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    if (tables->stale_by_path || rib_bitset_add_all(&tables->doomed, &tables->stale) < 0) {
        remove_all(&tables->doomed, &tables->stale);
        remove_stale_now(peer, family);
        return;
    }
    rib_bitset_free(&tables->stale);
    set_kind(tables, SPEAKER_RETAIN_NONE, UINT64_MAX);
}

/* What single paths are stale already are so with all others of the peer's from now on. */
static void forget_generations(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    for (uint32_t id = rib_bitset_next(&tables->stale, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(&tables->stale, id + 1)) {
        struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
        struct rib_stored_path *paths = rib_entry_paths(entry);

        for (unsigned i = 0; i < entry->n_paths; i++)
            if (paths[i].peer == peer->index)
                paths[i].flags =
                    (uint8_t)((paths[i].flags & ~RIB_PATH_GENERATION) | tables->generation);
    }
}

static bool says_paths(const struct speaker_peer *peer, enum bgp_family family)
{
    return bgp_session_negotiated(peer->session)->add_path.receive & BGP_FAMILY_BIT(family);
}

/* All that was learned and is not doomed is stale from now on, path by path where several may have been
 * said. Without memory for the marks, it all
 * goes: false. */
static bool make_stale(struct speaker_peer *peer, enum bgp_family family, bool by_path)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    unsigned all = UINT32_MAX;

    if (tables->stale_by_path) {
        bury(peer, family, &all); /* the next generation would take some of it for confirmed */
        forget_generations(peer, family);
    }
    tables->stale_by_path = by_path;
    if (tables->stale_by_path)
        tables->generation ^= RIB_PATH_GENERATION;
    if (rib_bitset_add_all(&tables->stale, &tables->learned) == 0) {
        remove_all(&tables->stale, &tables->doomed);
        return true;
    }
    for (uint32_t id = rib_bitset_next(&tables->learned, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(&tables->learned, id + 1))
        rib_paths_remove(peer, family, id);
    set_kind(tables, SPEAKER_RETAIN_NONE, UINT64_MAX);
    return false;
}

/* Does with the routes of a lost session what was foreseen. */
static void settle_loss(struct speaker_peer *peer)
{
    if (!peer->loss_due)
        return;
    peer->loss_due = false;
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];
        enum speaker_retention_kind kind = tables->retention;
        uint64_t ends_ms = tables->retention_ends_ms;

        if (kind == SPEAKER_RETAIN_NONE)
            continue;
        if (tables->stale_goes && tables->stale.count > 0)
            doom_stale(peer, family);
        if (make_stale(peer, family, tables->said_paths))
            set_kind(tables, kind, ends_ms);
    }
}

static void sweep(struct speaker_peer *peer, enum bgp_family family)
{
    set_kind(&peer->tables[family], SPEAKER_RETAIN_SWEEP, UINT64_MAX);
}

/* --- The session goes ------------------------------------------------------------------------- */

/* The stale time of RFC 9494 begins, or else the routes go. */
static void live_long_or_go(struct speaker_peer *peer, enum bgp_family family)
{
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(peer->session);
    uint32_t time_s = negotiated->stale_time_s[family];

    if (!peer->own_restart && negotiated->long_lived_families & BGP_FAMILY_BIT(family) &&
        time_s > 0)
        set_kind(&peer->tables[family], SPEAKER_RETAIN_LONG_LIVED, after_s(peer, time_s));
    else
        sweep(peer, family);
}

static void keep(struct speaker_peer *peer, enum bgp_family family)
{
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(peer->session);
    uint32_t time_s = negotiated->restart_time_s;

    if (peer->own_restart)
        time_s = peer->config.restart.time_s > 0 ? peer->config.restart.time_s : DEFAULT_RESTART_S;
    else if (!(negotiated->restart_families & BGP_FAMILY_BIT(family)))
        time_s = 0;
    if (time_s > 0)
        set_kind(&peer->tables[family], SPEAKER_RETAIN_RESTART, after_s(peer, time_s));
    else
        live_long_or_go(peer, family);
}

/* What becomes of the family's routes. What was stale already is gone for good at the second loss in a
 * row (RFC 4724 section 4.2), but for long-lived routes, whose time goes on (RFC 9494 section 4.2). */
static void foresee(struct speaker_peer *peer, enum bgp_family family, bool kept)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    uint64_t ends_ms = tables->retention_ends_ms;
    bool lives_long = kept && tables->retention == SPEAKER_RETAIN_LONG_LIVED;

    tables->end_of_rib_received = false;
    tables->said_paths = says_paths(peer, family);
    tables->stale_goes = kept && !lives_long;
    if (tables->learned.count == 0)
        set_kind(tables, SPEAKER_RETAIN_NONE, UINT64_MAX);
    else if (lives_long)
        set_kind(tables, SPEAKER_RETAIN_LONG_LIVED, ends_ms);
    else if (kept)
        keep(peer, family);
    else
        sweep(peer, family);
}

void rib_retain_foresee(struct speaker_peer *peer)
{
    uint32_t kept = bgp_session_retained(peer->session);

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        foresee(peer, family, kept & BGP_FAMILY_BIT(family));
}

void rib_retain_on_loss(struct speaker_peer *peer)
{
    unsigned budget = SHORT_TABLE;
    size_t learned = 0;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        learned += peer->tables[family].learned.count;
    peer->loss_due = true;
    if (learned > SHORT_TABLE)
        return;
    settle_loss(peer);
    walk_all(peer, &budget);
}

void rib_retain_nothing(struct speaker_peer *peer)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    bool was_retained = speaker_peer_retained(peer);
    unsigned budget = WORK_SLICE;

    settle_loss(peer);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (peer->tables[family].retention != SPEAKER_RETAIN_NONE)
            sweep(peer, family);
    if (was_retained && handler->peer_changed != NULL)
        handler->peer_changed(handler->context, peer, bgp_session_state(peer->session),
                              bgp_session_last_reason(peer->session));
    walk_all(peer, &budget);
}

/* --- The session comes back ------------------------------------------------------------------- */

/* Did the peer, or did we, keep what the stale routes stand for? */
static bool was_preserved(const struct speaker_peer *peer, enum bgp_family family)
{
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(peer->session);
    uint32_t forwarding = negotiated->forwarding_families;

    if (peer->tables[family].retention == SPEAKER_RETAIN_LONG_LIVED)
        forwarding |= negotiated->long_lived_forwarding;
    if (peer->own_restart)
        forwarding = negotiated->families;
    return forwarding & BGP_FAMILY_BIT(family);
}

/* Everything learned is stale or doomed here, so all of it is of the generation that ends. */
static void begin_generation(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    if (tables->stale_by_path || !says_paths(peer, family))
        return;
    tables->stale_by_path = true;
    tables->generation ^= RIB_PATH_GENERATION;
}

void rib_retain_on_return(struct speaker_peer *peer)
{
    bool silent = !bgp_session_negotiated(peer->session)->graceful_restart;
    uint32_t stale_s = peer->config.stale_time_s > 0 ? peer->config.stale_time_s : DEFAULT_STALE_S;
    unsigned budget = WORK_SLICE;

    settle_loss(peer);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];
        bool waits = tables->retention == SPEAKER_RETAIN_RESTART;

        begin_generation(peer, family);
        if (!waits && tables->retention != SPEAKER_RETAIN_LONG_LIVED)
            continue;
        if (!was_preserved(peer, family))
            sweep(peer, family);
        else if (waits)
            set_kind(tables, SPEAKER_RETAIN_RESTART,
                     silent ? peer->speaker->now_ms + SILENT_STALE_MS : after_s(peer, stale_s));
    }
    peer->own_restart = false;
    walk_all(peer, &budget);
}

void rib_retain_on_end_of_rib(struct speaker_peer *peer, enum bgp_family family)
{
    enum speaker_retention_kind kind = peer->tables[family].retention;
    unsigned budget = WORK_SLICE;

    peer->tables[family].end_of_rib_received = true;
    if (kind != SPEAKER_RETAIN_RESTART && kind != SPEAKER_RETAIN_LONG_LIVED)
        return;
    sweep(peer, family);
    walk_all(peer, &budget);
}

/* --- Enhanced refresh ------------------------------------------------------------------------- */

/* While End-of-RIB is awaited the markers mean nothing (RFC 7313 section 4). */
void rib_retain_on_marker(struct speaker_peer *peer, enum bgp_family family, bool begins)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    uint32_t stale_s = peer->config.stale_time_s > 0 ? peer->config.stale_time_s : DEFAULT_STALE_S;
    unsigned budget = WORK_SLICE;

    if (tables->retention == SPEAKER_RETAIN_RESTART ||
        tables->retention == SPEAKER_RETAIN_LONG_LIVED)
        return;
    if (begins) {
        if (tables->retention == SPEAKER_RETAIN_SWEEP)
            doom_stale(peer, family);
        if (make_stale(peer, family, says_paths(peer, family)) && tables->stale.count > 0)
            set_kind(tables, SPEAKER_RETAIN_REFRESH, after_s(peer, stale_s));
    } else if (tables->retention == SPEAKER_RETAIN_REFRESH) {
        sweep(peer, family);
        walk_all(peer, &budget);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

static void expire(struct speaker_peer *peer, enum bgp_family family)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    if (tables->retention == SPEAKER_RETAIN_RESTART && !peer->established)
        live_long_or_go(peer, family);
    else
        sweep(peer, family);
}

/* Says what became of the routes, and to the handler that the neighbour may be out of reach now. */
static void tell(struct speaker_peer *peer, const char *line)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;

    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
    if (handler->peer_changed != NULL && !peer->established)
        handler->peer_changed(handler->context, peer, bgp_session_state(peer->session), line);
}

static void tell_expired(struct speaker_peer *peer, enum bgp_family family)
{
    const struct rib_peer_tables *tables = &peer->tables[family];
    char line[160];

    snprintf(line, sizeof(line), "%s: time is over, %zu stale routes %s",
             bgp_family_info(family)->name, tables->stale.count,
             tables->retention == SPEAKER_RETAIN_LONG_LIVED ? "become the last choice" : "go");
    tell(peer, line);
}

void rib_retain_tick(struct speaker *speaker)
{
    unsigned budget = WORK_SLICE;

    for (unsigned i = 1; i < speaker->n_peers; i++) {
        struct speaker_peer *peer = speaker->peers[i];

        settle_loss(peer);
        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
            if (peer->tables[family].retention_ends_ms > speaker->now_ms)
                continue;
            expire(peer, family);
            tell_expired(peer, family);
        }
        walk_all(peer, &budget);
    }
}

uint64_t rib_retain_deadline(const struct speaker_peer *peer)
{
    uint64_t deadline = peer->loss_due ? peer->speaker->now_ms : UINT64_MAX;

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        const struct rib_peer_tables *tables = &peer->tables[family];
        uint64_t wanted = has_work(tables) ? peer->speaker->now_ms : tables->retention_ends_ms;

        deadline = wanted < deadline ? wanted : deadline;
    }
    return deadline;
}

/* --- Questions -------------------------------------------------------------------------------- */

size_t rib_stale_count(const struct speaker_peer *peer, enum bgp_family family)
{
    const struct rib_peer_tables *tables = &peer->tables[family];

    if (peer->loss_due && tables->retention != SPEAKER_RETAIN_NONE)
        return tables->learned.count;
    return tables->stale.count + tables->doomed.count;
}

bool speaker_peer_retained(const struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        enum speaker_retention_kind kind = peer->tables[family].retention;

        if (kind == SPEAKER_RETAIN_RESTART || kind == SPEAKER_RETAIN_LONG_LIVED)
            return true;
    }
    return false;
}

struct speaker_retention speaker_peer_retention(const struct speaker_peer *peer,
                                                enum bgp_family family)
{
    const struct rib_peer_tables *tables = &peer->tables[family];

    return (struct speaker_retention){
        .kind = tables->retention,
        .stale = rib_stale_count(peer, family),
        .ends_ms = tables->retention_ends_ms,
        .end_of_rib_received = tables->end_of_rib_received,
    };
}

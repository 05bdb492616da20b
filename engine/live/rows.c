/*
 * See rows.h. What is asked about is named, not pointed at: between two pieces a NIC may go, and a session may
 * come to be another neighbour's; then its list ends.
 *
 *   section: a list of rows ── sources: which prefixes may have some ── listing: in order
 *
 * A NIC has one list, of the prefixes of all speakers. A peer has one for each instance, in which the rows of one
 * session come after those of another: a gateway may have several with a neighbor.
 */
#include "engine/live/rows.h"

#include <stdlib.h>
#include <string.h>

#include "engine/fabric/view.h"
#include "engine/live/peer.h"
#include "engine/program/document.h"
#include "engine/program/listing.h"

/* How many prefixes a turn gathers: well under a millisecond. */
#define GATHERED_A_TURN 4096u
#define SECTIONS        FABRIC_GATEWAY_INSTANCES_MAX
#define SECTIONS_SAID   2u /* there or not */

struct rows {
    struct live_stream stream;
    struct live *live;
    char *nic;          /* NULL: of a peer */
    char *owner, *peer; /* a route server or gateway, and its peer */
    bool of_gateway;
    bool advertised;
    unsigned section; /* of a peer: the instance */
    bool open;        /* the section's list has begun */
    bool some;        /* row of it was written */
    struct program_listing *listing;
    bool gathered;
    size_t source; /* a NIC's speakers, a peer's sessions: one after the other */
    struct speaker_cursor cursor;
};

static json_t *wrong(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static void end_rows(struct live_stream *stream)
{
    struct rows *rows = (struct rows *)stream;
    program_listing_destroy(rows->listing);
    free(rows->nic);
    free(rows->owner);
    free(rows->peer);
    free(rows);
}

/* --- Where prefixes come from ----------------------------------------------------------------- */

/* A session that the question is about. */
static bool is_asked_for(const struct rows *rows, const struct controller_peer *session)
{
    return session->instance == rows->section &&
           (session->gateway != FABRIC_NONE) == rows->of_gateway &&
           strcmp(live_session_owner(rows->live, session), rows->owner) == 0 &&
           strcmp(speaker_peer_config(session->peer)->name, rows->peer) == 0;
}

/* The next from rows->source on, or NULL. */
static const struct controller_peer *session_at(struct rows *rows)
{
    const struct live *live = rows->live;
    for (; rows->source < live->peer_count + live->gateway_peer_count; rows->source++) {
        const struct live_peer *peer = live_peer_at(live, rows->source);
        if (is_asked_for(rows, peer->peer))
            return peer->peer;
    }
    return NULL;
}

/* Returns how many prefixes came; 0: of this source there are no more. */
static size_t gather_some(struct rows *rows, struct lpm_prefix *prefixes)
{
    struct controller *controller = rows->live->plane.controller;
    const struct controller_peer *session;
    if (rows->nic)
        return rows->source < controller_speaker_count(controller)
                   ? speaker_prefixes(controller_speaker(controller, rows->source), NULL,
                                      SPEAKER_HELD, &rows->cursor, prefixes, GATHERED_A_TURN)
                   : 0;
    session = session_at(rows);
    return session ? speaker_prefixes(session->speaker, session->peer,
                                      rows->advertised ? SPEAKER_ADVERTISED : SPEAKER_LEARNED,
                                      &rows->cursor, prefixes, GATHERED_A_TURN)
                   : 0;
}

/* What a NIC has of the fabric itself. */
static int gather_view(struct rows *rows)
{
    const struct fabric *fabric = rows->live->fabric;
    uint32_t nic = fabric_find_nic(fabric, rows->nic);
    struct fabric_view view;
    if (nic == FABRIC_NONE)
        return 0;
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    int error = fabric_view_open(&view, fabric, &scope);
    if (error)
        return error;
    for (size_t i = 0; i < view.system_count && !error; i++)
        error = program_listing_add(rows->listing, &view.system[i].prefix);
    for (uint32_t i = 0; view.table && i < view.table->route_count && !error; i++)
        error = program_listing_add(rows->listing, &view.table->routes[i].prefix);
    fabric_view_close(&view);
    return error;
}

/* One turn's; an error ends the answer half way, which the client sees. */
static int gather(struct rows *rows)
{
    struct lpm_prefix prefixes[GATHERED_A_TURN];
    size_t n = gather_some(rows, prefixes);
    int error = 0;
    for (size_t i = 0; i < n && !error; i++)
        error = program_listing_add(rows->listing, &prefixes[i]);
    if (n > 0)
        return error;
    rows->cursor = (struct speaker_cursor){0};
    rows->gathered =
        !rows->nic || ++rows->source >= controller_speaker_count(rows->live->plane.controller);
    return 0;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static bool renew_listing(struct rows *rows, struct live_text *text)
{
    program_listing_destroy(rows->listing);
    rows->listing = program_listing_create();
    text->failed |= !rows->listing;
    return rows->listing != NULL;
}

static void write_row(struct rows *rows, struct live_text *text, json_t *row)
{
    if (rows->some)
        live_text_add(text, ",", 1);
    rows->some = true;
    live_text_json(text, row);
}

static void write_all(struct rows *rows, struct live_text *text, json_t *list)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        write_row(rows, text, json_incref(row));
    }
    json_decref(list);
}

static void write_peer_rows(struct rows *rows, const struct controller_peer *session,
                            const struct lpm_prefix *prefix, struct live_text *text)
{
    const struct program_question question = {.advertised = rows->advertised};
    json_t *list = json_array();
    program_session_rows_at(&question, session->speaker, session->peer, prefix, list);
    write_all(rows, text, list);
}

static void write_nic_rows(struct rows *rows, const struct fabric_view *view,
                           const struct lpm_prefix *prefix, struct live_text *text)
{
    struct fabric_row at[3];
    unsigned n =
        fabric_view_rows_at(view, controller_bgp(rows->live->plane.controller), prefix, at);
    for (unsigned i = 0; i < n; i++)
        write_row(rows, text, program_row_json(&at[i]));
}

/* The next prefix, while there is room in the piece. */
static bool take_prefix(struct rows *rows, const struct live_text *text, struct lpm_prefix *prefix,
                        bool *more)
{
    *more = true;
    if (text->n >= LIVE_PIECE_BYTES || text->failed)
        return false;
    *more = program_listing_next(rows->listing, prefix);
    return *more;
}

static bool write_nic_piece(struct rows *rows, struct live_text *text)
{
    const struct fabric *fabric = rows->live->fabric;
    uint32_t nic = fabric_find_nic(fabric, rows->nic);
    struct fabric_view view;
    struct lpm_prefix prefix;
    bool more = true;
    if (nic == FABRIC_NONE)
        return false;
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    if (fabric_view_open(&view, fabric, &scope) != 0) {
        text->failed = true;
        return false;
    }
    while (take_prefix(rows, text, &prefix, &more))
        write_nic_rows(rows, &view, &prefix, text);
    fabric_view_close(&view);
    return more;
}

/* The rest of one session's, then the next session. */
static bool write_peer_piece(struct rows *rows, struct live_text *text)
{
    const struct controller_peer *session = session_at(rows);
    struct lpm_prefix prefix;
    bool more = session != NULL;
    while (session && take_prefix(rows, text, &prefix, &more))
        write_peer_rows(rows, session, &prefix, text);
    if (more || !session)
        return more;
    rows->source++;
    rows->gathered = false;
    return session_at(rows) != NULL && renew_listing(rows, text);
}

/* --- Sections --------------------------------------------------------------------------------- */

/* The rows before a list: its name, and of the first what begins the answer. */
static void begin_section(struct rows *rows, struct live_text *text)
{
    if (rows->nic) {
        live_text_print(text, "{\"answer\":{\"nic\":");
        live_text_json(text, json_string(rows->nic));
        live_text_print(text, ",\"value\":[");
    } else {
        live_text_print(text, "%s\"RouteServiceRole_IN_%u\":[",
                        rows->section == 0 ? "{\"answer\":{" : ",", rows->section);
    }
    rows->open = true;
    rows->some = rows->gathered = false;
    rows->source = 0;
    rows->cursor = (struct speaker_cursor){0};
    if (renew_listing(rows, text) && rows->nic && gather_view(rows) != 0)
        text->failed = true;
}

static bool next_section(struct rows *rows)
{
    for (rows->section++; rows->section < SECTIONS; rows->section++) {
        rows->source = 0;
        if (rows->section < SECTIONS_SAID || session_at(rows))
            return true;
    }
    return false;
}

static enum live_stream_state end_section(struct rows *rows, struct live_text *text)
{
    program_listing_destroy(rows->listing);
    rows->listing = NULL;
    rows->open = false;
    live_text_print(text, "]");
    if (!rows->nic && next_section(rows))
        return LIVE_STREAM_MORE;
    live_text_print(text, "}}\n");
    return LIVE_STREAM_OVER;
}

static enum live_stream_state next_piece(struct live_stream *stream, struct live_text *text)
{
    struct rows *rows = (struct rows *)stream;
    if (!rows->open) {
        begin_section(rows, text);
    } else if (!rows->gathered) {
        if (gather(rows) != 0)
            text->failed = true;
    } else if (!(rows->nic ? write_nic_piece(rows, text) : write_peer_piece(rows, text)) &&
               !text->failed) {
        return end_section(rows, text);
    }
    return LIVE_STREAM_MORE;
}

/* --- Questions -------------------------------------------------------------------------------- */

static struct rows *make(struct live *live, json_t **result)
{
    struct rows *rows = calloc(1, sizeof(*rows));
    if (!rows) {
        *result = wrong("not enough memory");
        return NULL;
    }
    rows->stream = (struct live_stream){.next = next_piece, .end = end_rows};
    rows->live = live;
    return rows;
}

static struct live_stream *made(struct rows *rows, bool whole, json_t **result)
{
    if (whole)
        return &rows->stream;
    *result = wrong("not enough memory");
    end_rows(&rows->stream);
    return NULL;
}

struct live_stream *live_rows_of_nic(struct live *live, const char *nic, json_t **result)
{
    if (!nic || fabric_find_nic(live->fabric, nic) == FABRIC_NONE) {
        *result = wrong("'nic' is the name of a NIC");
        return NULL;
    }
    struct rows *rows = make(live, result);
    if (!rows)
        return NULL;
    rows->nic = strdup(nic);
    return made(rows, rows->nic != NULL, result);
}

static bool has_session(struct rows *rows)
{
    bool any = false;
    for (rows->section = 0; rows->section < SECTIONS && !any; rows->section++) {
        rows->source = 0;
        any = session_at(rows) != NULL;
    }
    rows->section = 0;
    return any;
}

struct live_stream *live_rows_of_peer(struct live *live, const char *owner, const char *peer,
                                      bool advertised, json_t **result)
{
    bool is_server = owner && fabric_find_route_server(live->fabric, owner) != FABRIC_NONE;
    if (!owner || !peer ||
        (!is_server && fabric_find_gateway(live->fabric, owner) == FABRIC_NONE)) {
        *result = wrong("'route_server' and 'peer' are the names of a route server, or a gateway, "
                        "and its peer");
        return NULL;
    }
    struct rows *rows = make(live, result);
    if (!rows)
        return NULL;
    rows->owner = strdup(owner);
    rows->peer = strdup(peer);
    rows->of_gateway = !is_server;
    rows->advertised = advertised;
    if (!rows->owner || !rows->peer || has_session(rows))
        return made(rows, rows->owner && rows->peer, result);
    *result = wrong("it has no such peer");
    end_rows(&rows->stream);
    return NULL;
}

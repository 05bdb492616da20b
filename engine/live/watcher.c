/*
 * See watcher.h. Of each row the hash of what was told last is kept, by the row's place in its table: a place that
 * comes to be another thing's is a row that differs.
 */
#include "engine/live/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/fabric/view.h"
#include "engine/live/control_groups.h"
#include "engine/live/events.h"
#include "engine/live/report.h"
#include "engine/program/document.h"
#include "engine/program/events.h"

/* Fewer than the clients that there may be: others can ask still. */
#define WATCHERS_MOST    8u
#define INTERVAL_DEFAULT 1000
#define INTERVAL_LEAST   100
#define INTERVAL_MOST    3600000
#define LAST_MOST        1000
/* Looked at in a turn: well under a millisecond. */
#define ROWS_A_TURN   32u
#define EVENTS_A_TURN 256u

struct live_watcher {
    struct live_stream stream;
    struct live *live;
    struct live_watcher *next;
    const struct table *table; /* NULL: events */
    uint64_t interval_ms, due_ms;
    bool in_round; /* it looks at rows, `row` next */
    uint32_t row, digest_count;
    uint64_t *digests; /* 0: not told, or gone */
    uint64_t event;    /* number of the last one that was looked at */
    bool routes_only;
    char *nic; /* whose rows go with the events of routes, or NULL */
};

/* --- Tables ----------------------------------------------------------------------------------- */

struct table {
    const char *what;
    uint32_t (*count)(const struct live *live);
    json_t *(*row)(const struct live *live, uint32_t i); /* NULL: there is none at this place */
    const char *const
        *passing; /* keys that change by themselves, and are no reason to tell the row */
};

static uint32_t session_count(const struct live *live)
{
    return (uint32_t)(live->peer_count + live->gateway_peer_count);
}

static uint32_t group_count(const struct live *live)
{
    return program_group_limit(controller_program(live->plane.controller));
}

static uint32_t port_count(const struct live *live)
{
    return live->plane.engine ? live->fabric->ports_count : 0;
}

static const char *const nothing[] = {NULL};
static const char *const of_sessions[] = {"since_seconds",
                                          "hold_seconds_left",
                                          "idle_seconds_left",
                                          "seconds_left",
                                          "packets_in",
                                          "packets_out",
                                          NULL};
static const char *const of_groups[] = {"packets", "bytes", NULL};

static const struct table tables[] = {
    {"peers", session_count, live_report_session_at, of_sessions},
    {"groups", group_count, live_group_row, of_groups},
    {"counters", live_report_nic_count, live_report_nic, nothing},
    {"ports", port_count, live_report_port, nothing},
};

static bool is_passing(const struct table *table, const char *key)
{
    const char *const *passing = table->passing;
    while (*passing && strcmp(*passing, key) != 0)
        passing++;
    return *passing != NULL;
}

/* Keys stand in the order in which they were set, which is the same whenever a row is made. */
static uint64_t digest(const struct table *table, const json_t *value, uint64_t seed)
{
    size_t i;
    const char *key;
    json_t *part;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, part)
        {
            if (is_passing(table, key))
                continue;
            seed = XXH3_64bits_withSeed(key, strlen(key) + 1, seed);
            seed = digest(table, part, seed);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, part)
        {
            seed = digest(table, part, seed);
        }
    } else if (json_is_string(value)) {
        seed = XXH3_64bits_withSeed(json_string_value(value), json_string_length(value) + 1, seed);
    } else {
        const struct {
            json_int_t type, integer;
            double real;
        } number = {json_typeof(value), json_integer_value(value), json_real_value(value)};
        seed = XXH3_64bits_withSeed(&number, sizeof(number), seed);
    }
    return seed;
}

/* Never 0. */
static uint64_t digest_of(const struct table *table, const json_t *row)
{
    uint64_t made = digest(table, row, 0);
    return made ? made : 1;
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* Takes the reference. */
static void write_line(struct live_text *text, json_t *document)
{
    live_text_json(text, json_pack("{s:o}", "answer", document));
    live_text_add(text, "\n", 1);
}

static json_t *now_json(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return json_real((double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1e3);
}

/* A place without a thing: it is said where one was told before. */
static void look_at(struct live_watcher *watcher, uint32_t i, struct live_text *text)
{
    json_t *row = watcher->table->row(watcher->live, i);
    uint64_t now = row ? digest_of(watcher->table, row) : 0;
    if (now == watcher->digests[i]) {
        json_decref(row);
        return;
    }
    if (!row)
        row = json_pack("{s:I, s:b}", "group", (json_int_t)i, "gone", true);
    watcher->digests[i] = now;
    json_object_set_new(row, "time", now_json());
    write_line(text, row);
}

static bool make_digests(struct live_watcher *watcher, uint32_t count)
{
    if (count <= watcher->digest_count)
        return true;
    uint64_t *grown = realloc(watcher->digests, count * sizeof(*grown));
    if (!grown)
        return false;
    memset(grown + watcher->digest_count, 0, (count - watcher->digest_count) * sizeof(*grown));
    watcher->digests = grown;
    watcher->digest_count = count;
    return true;
}

/* Rows that a smaller table has no more are forgotten: what comes in their place is told. */
static enum live_stream_state next_rows(struct live_stream *stream, struct live_text *text)
{
    struct live_watcher *watcher = (struct live_watcher *)stream;
    uint32_t count = watcher->table->count(watcher->live);
    uint64_t now_ms = live_now();
    if (!watcher->in_round && now_ms < watcher->due_ms)
        return LIVE_STREAM_WAITS;
    if (!make_digests(watcher, count)) {
        text->failed = true;
        return LIVE_STREAM_MORE;
    }
    if (!watcher->in_round) {
        watcher->in_round = true;
        watcher->row = 0;
        watcher->due_ms = now_ms + watcher->interval_ms;
    }
    for (unsigned n = 0; n < ROWS_A_TURN && watcher->row < count; n++)
        look_at(watcher, watcher->row++, text);
    watcher->in_round = watcher->row < count;
    if (!watcher->in_round && count < watcher->digest_count)
        memset(watcher->digests + count, 0, (watcher->digest_count - count) * sizeof(uint64_t));
    return watcher->in_round ? LIVE_STREAM_MORE : LIVE_STREAM_WAITS;
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool is_of_route(const struct event *event)
{
    return event->kind == EVENT_ROUTE_CHOSEN || event->kind == EVENT_ROUTE_GONE;
}

/* The NIC's rows at the prefix, as they are now; false: the event is of a route server that it does not
 * follow, or there is no such NIC any more. */
static bool add_rows(const struct live_watcher *watcher, const struct event *event, json_t *line)
{
    const struct fabric *fabric = watcher->live->fabric;
    uint32_t nic = fabric_find_nic(fabric, watcher->nic);
    struct fabric_view view;
    struct fabric_row rows[3];
    if (nic == FABRIC_NONE)
        return false;
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    if (fabric_view_open(&view, fabric, &scope) != 0)
        return false;
    bool follows = view.route_server == event->route_server;
    json_t *list = json_array();
    unsigned n = fabric_view_rows_at(&view, controller_bgp(watcher->live->plane.controller),
                                     &event->prefix, rows);
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, program_row_json(&rows[i]));
    fabric_view_close(&view);
    json_object_set_new(line, "nic", json_string(watcher->nic));
    json_object_set_new(line, "value", list);
    return follows;
}

static void tell_event(const struct live_watcher *watcher, const struct event *event,
                       struct live_text *text)
{
    if (watcher->routes_only && !is_of_route(event))
        return;
    json_t *line = live_event_json(watcher->live, event);
    if (watcher->nic && !add_rows(watcher, event, line))
        json_decref(line);
    else
        write_line(text, line);
}

static enum live_stream_state next_events(struct live_stream *stream, struct live_text *text)
{
    struct live_watcher *watcher = (struct live_watcher *)stream;
    const struct event_log *log = controller_events(watcher->live->plane.controller);
    uint64_t count = event_log_count(log), oldest = event_log_oldest(log);
    if (watcher->event + 1 < oldest) {
        write_line(text, json_pack("{s:o, s:I}", "time", now_json(), "lost",
                                   (json_int_t)(oldest - watcher->event - 1)));
        watcher->event = oldest - 1;
    }
    for (unsigned n = 0;
         n < EVENTS_A_TURN && watcher->event < count && text->n < LIVE_PIECE_BYTES && !text->failed;
         n++)
        tell_event(watcher, event_log_at(log, ++watcher->event), text);
    return watcher->event < count ? LIVE_STREAM_MORE : LIVE_STREAM_WAITS;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void end_watcher(struct live_stream *stream)
{
    struct live_watcher *watcher = (struct live_watcher *)stream;
    struct live_watcher **link = &watcher->live->watchers;
    while (*link && *link != watcher)
        link = &(*link)->next;
    if (*link)
        *link = watcher->next;
    free(watcher->digests);
    free(watcher->nic);
    free(watcher);
}

static const struct table *find_table(const char *what)
{
    for (size_t i = 0; what && i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strcmp(tables[i].what, what) == 0)
            return &tables[i];
    return NULL;
}

/* A number of the request, or what stands for none; -1: it is out of range. */
static json_int_t number_of(const json_t *request, const char *key, json_int_t least,
                            json_int_t most, json_int_t otherwise)
{
    const json_t *value = json_object_get(request, key);
    json_int_t number = value ? json_integer_value(value) : otherwise;
    bool fits = !value || (json_is_integer(value) && number >= least && number <= most);
    return fits ? number : -1;
}

/* What is wrong with the request, or NULL. */
static const char *judge(const struct live *live, const json_t *request)
{
    const char *what = json_string_value(json_object_get(request, "what"));
    const json_t *nic = json_object_get(request, "nic");
    bool of_events = what && (strcmp(what, "events") == 0 || strcmp(what, "routes") == 0);
    unsigned watchers = 0;
    for (const struct live_watcher *other = live->watchers; other; other = other->next)
        watchers++;
    if (!of_events && !find_table(what))
        return "'what' is one of: peers, routes, events, groups, counters, ports";
    if (of_events && !live->events)
        return "the fabric file has no engine.events, so no event is kept";
    if (number_of(request, "interval_ms", INTERVAL_LEAST, INTERVAL_MOST, INTERVAL_DEFAULT) < 0)
        return "'interval_ms' is a number from 100 to 3600000";
    if (number_of(request, "last", 0, LAST_MOST, 0) < 0)
        return "'last' is a number from 0 to 1000";
    if (nic && (strcmp(what, "routes") != 0 || !json_is_string(nic) ||
                fabric_find_nic(live->fabric, json_string_value(nic)) == FABRIC_NONE))
        return "'nic' is the name of a NIC, whose routes are to be watched";
    return watchers < WATCHERS_MOST ? NULL : "8 clients watch already";
}

static struct live_watcher *make(struct live *live, const json_t *request)
{
    const char *what = json_string_value(json_object_get(request, "what"));
    const char *nic = json_string_value(json_object_get(request, "nic"));
    struct live_watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher)
        return NULL;
    watcher->live = live;
    watcher->table = find_table(what);
    watcher->stream =
        (struct live_stream){.next = watcher->table ? next_rows : next_events, .end = end_watcher};
    watcher->interval_ms = (uint64_t)number_of(request, "interval_ms", INTERVAL_LEAST,
                                               INTERVAL_MOST, INTERVAL_DEFAULT);
    watcher->routes_only = strcmp(what, "routes") == 0;
    if (!watcher->table) {
        const struct event_log *log = controller_events(live->plane.controller);
        uint64_t last = (uint64_t)number_of(request, "last", 0, LAST_MOST, 0);
        uint64_t count = event_log_count(log), oldest = event_log_oldest(log);
        watcher->event = count > last ? count - last : 0;
        if (watcher->event + 1 < oldest)
            watcher->event = oldest - 1;
    }
    if (!nic || (watcher->nic = strdup(nic)))
        return watcher;
    free(watcher);
    return NULL;
}

struct live_stream *live_watcher_open(struct live *live, const json_t *request, json_t **result)
{
    const char *error = judge(live, request);
    struct live_watcher *watcher = error ? NULL : make(live, request);
    if (!watcher) {
        *result = json_pack("{s:s}", "error", error ? error : "not enough memory");
        return NULL;
    }
    watcher->next = live->watchers;
    live->watchers = watcher;
    return &watcher->stream;
}

/* --- Waking ----------------------------------------------------------------------------------- */

/* Who is woken may go, and no other. */
void live_watchers_settle(struct live *live)
{
    struct live_watcher *next;
    for (struct live_watcher *watcher = live->watchers; watcher; watcher = next) {
        next = watcher->next;
        if (!watcher->table &&
            watcher->event < event_log_count(controller_events(live->plane.controller)))
            live_stream_wake(&watcher->stream);
    }
}

void live_watchers_housekeeping(struct live *live, uint64_t now_ms)
{
    struct live_watcher *next;
    for (struct live_watcher *watcher = live->watchers; watcher; watcher = next) {
        next = watcher->next;
        if (watcher->table && !watcher->in_round && now_ms >= watcher->due_ms)
            live_stream_wake(&watcher->stream);
    }
}

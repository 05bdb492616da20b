/* See control_request.h. Nothing of a request is done unless all of it is understood. */
#include "engine/live/control_request.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bgp/message.h"
#include "engine/live/apply.h"
#include "engine/live/control_capture.h"
#include "engine/live/control_groups.h"
#include "engine/live/control_trace.h"
#include "engine/live/events.h"
#include "engine/live/log.h"
#include "engine/live/report.h"
#include "engine/live/rows.h"
#include "engine/live/stream.h"
#include "engine/live/watcher.h"

#define EVENTS_MOST    1000
#define EVENTS_DEFAULT 100
/* How long an instance that is restarted stays away: as long as a process takes to start. */
#define RESTART_PAUSE_MS 1000u

static json_t *wrong(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static json_t *answer(json_t *document)
{
    return json_pack("{s:o}", "answer", document);
}

static json_t *show_events(struct live *live, const json_t *request)
{
    const json_t *last = json_object_get(request, "last");
    json_int_t n = last ? json_integer_value(last) : EVENTS_DEFAULT;
    if (!live->events)
        return wrong("the fabric file has no engine.events, so no event is kept");
    if ((last && !json_is_integer(last)) || n < 1 || n > EVENTS_MOST)
        return wrong("'last' is a number from 1 to 1000");
    return answer(json_pack("{s:o}", "events", live_events_last(live, (unsigned)n)));
}

/* error without words: memory was out. */
static json_t *answer_or(json_t *document, const char *error)
{
    return document ? answer(document) : wrong(error ? error : "not enough memory");
}

static json_t *show(struct live *live, const json_t *request)
{
    static const struct {
        const char *what;
        json_t *(*show)(struct live *live, const json_t *request, const char **error);
    } documents[] = {{"groups", live_show_groups},
                     {"ports", live_show_ports},
                     {"counters", live_show_counters},
                     {"flow", live_show_flow}};
    const char *what = json_string_value(json_object_get(request, "what"));
    const char *error = NULL;
    for (size_t i = 0; what && i < sizeof(documents) / sizeof(documents[0]); i++)
        if (strcmp(documents[i].what, what) == 0) {
            json_t *document = documents[i].show(live, request, &error);
            return answer_or(document, error);
        }
    if (what && strcmp(what, "peers") == 0)
        return answer(json_pack("{s:o}", "sessions", live_report_sessions(live)));
    if (what && strcmp(what, "events") == 0)
        return show_events(live, request);
    if (!what || strcmp(what, "report") != 0)
        return wrong("'what' is one of: report, peers, learned, advertised, routes, groups, ports, "
                     "counters, flow, events");
    json_t *state = live_report_state(live);
    json_t *report = live_report(live, state);
    json_decref(state);
    return answer(report);
}

static json_t *refresh(struct live *live, const json_t *request)
{
    const char *peer = json_string_value(json_object_get(request, "peer"));
    size_t sessions, asked;
    if (!peer)
        return wrong("'peer' is the name of a peer");
    asked = controller_refresh_peer(live->plane.controller, peer, live_now(), &sessions);
    if (sessions == 0)
        return wrong("there is no such peer");
    live_log("control: asked %zu of %zu sessions with %s for their routes again", asked, sessions,
             peer);
    return answer(
        json_pack("{s:I, s:I}", "sessions", (json_int_t)sessions, "asked", (json_int_t)asked));
}

static json_t *restart(struct live *live, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "route_server"));
    const json_t *instance = json_object_get(request, "instance");
    uint32_t server = name ? fabric_find_route_server(live->fabric, name) : FABRIC_NONE;
    if (server == FABRIC_NONE)
        return wrong("'route_server' is the name of a route server");
    json_int_t number = json_integer_value(instance);
    if (!json_is_integer(instance) || number < 0 ||
        number >= live->fabric->route_servers[server].instance_count)
        return wrong("'instance' is the number of one of its instances, from 0 on");
    size_t sessions = controller_restart_instance(live->plane.controller, server, (unsigned)number,
                                                  RESTART_PAUSE_MS, live_now());
    live_log("control: instance %s/%lld restarts, %zu sessions", name, (long long)number, sessions);
    return answer(json_pack("{s:I}", "sessions", (json_int_t)sessions));
}

/* The stop itself is for the end of the turn: the answer comes first. */
static json_t *shut_down(struct live *live, const json_t *request)
{
    const json_t *message = json_object_get(request, "message");
    size_t n = json_string_length(message);
    if (message && (!json_is_string(message) || n > BGP_SHUTDOWN_TEXT_MAX))
        return wrong("'message' is a text of at most 255 octets (RFC 9003)");
    memcpy(live->shutdown_message, n > 0 ? json_string_value(message) : "", n + 1);
    live->stop_asked = true;
    return answer(
        json_pack("{s:I}", "sessions", (json_int_t)(live->peer_count + live->gateway_peer_count)));
}

static json_t *set(struct live *live, const json_t *request)
{
    const char *error = NULL;
    json_t *document = live_set_member(live, request, &error);
    return answer_or(document, error);
}

static json_t *perform(struct live *live, const json_t *request)
{
    static const struct {
        const char *name;
        json_t *(*perform)(struct live *live, const json_t *request);
    } commands[] = {{"show", show},
                    {"set", set},
                    {"refresh", refresh},
                    {"restart", restart},
                    {"shutdown", shut_down}};
    const char *name = json_string_value(json_object_get(request, "command"));
    for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].perform(live, request);
    return wrong(
        "'command' is one of: show, watch, apply, set, refresh, restart, capture, trace-packet, "
        "shutdown");
}

/* Those that may be long. NULL and no *result: it is one of the others. */
static struct live_stream *show_rows(struct live *live, const json_t *request, json_t **result)
{
    const char *what = json_string_value(json_object_get(request, "what"));
    bool advertised = what && strcmp(what, "advertised") == 0;
    if (what && strcmp(what, "routes") == 0)
        return live_rows_of_nic(live, json_string_value(json_object_get(request, "nic")), result);
    if (!what || (!advertised && strcmp(what, "learned") != 0))
        return NULL;
    return live_rows_of_peer(live, json_string_value(json_object_get(request, "route_server")),
                             json_string_value(json_object_get(request, "peer")), advertised,
                             result);
}

/* What takes longer than a turn. NULL with *result: the answer. */
static struct live_stream *open_stream(struct live *live, const json_t *request,
                                       struct live_descriptors *descriptors, json_t **result)
{
    static const struct {
        const char *name;
        struct live_stream *(*open)(struct live *live, const json_t *request, json_t **result);
    } streams[] = {{"apply", live_apply_open},
                   {"show", show_rows},
                   {"trace-packet", live_trace_open},
                   {"watch", live_watcher_open}};
    const char *name = json_string_value(json_object_get(request, "command"));
    struct live_stream *stream = NULL;
    for (size_t i = 0; name && i < sizeof(streams) / sizeof(streams[0]); i++)
        if (strcmp(streams[i].name, name) == 0)
            stream = streams[i].open(live, request, result);
    if (name && strcmp(name, "capture") == 0)
        stream = live_capture_open(live, request, descriptors, result);
    if (!stream && !*result)
        *result = perform(live, request);
    return stream;
}

json_t *live_control_perform(struct live *live, const char *line, size_t n,
                             struct live_descriptors *descriptors, struct live_stream **stream)
{
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    json_t *result = NULL;
    *stream = NULL;
    if (!json_is_object(request))
        result = wrong("a request is one JSON object on a line of its own");
    else if (live->stopping || live->stop_asked)
        result = wrong("the engine is stopping");
    else
        *stream = open_stream(live, request, descriptors, &result);
    json_decref(request);
    return result;
}

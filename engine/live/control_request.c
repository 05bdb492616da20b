/* See control_request.h. Nothing of a request is done unless all of it is understood. */
#include "engine/live/control_request.h"

#include <stdlib.h>
#include <string.h>

#include "engine/bgp/message.h"
#include "engine/live/control_groups.h"
#include "engine/live/events.h"
#include "engine/live/log.h"
#include "engine/live/report.h"
#include "engine/program/document.h"

/* An answer is made in one go, and no session is served meanwhile. */
#define PREFIXES_MOST  20000u
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

static size_t held_by(const struct live_peer *peers, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct speaker_peer_counters counters;
        speaker_peer_counters(peers[i].peer->peer, &counters);
        n += counters.held;
    }
    return n;
}

static size_t prefixes_held(const struct live *live)
{
    return held_by(live->peers, live->peer_count) +
           held_by(live->gateway_peers, live->gateway_peer_count);
}

static json_t *show_routes(struct live *live, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "nic"));
    uint32_t nic = name ? fabric_find_nic(live->fabric, name) : FABRIC_NONE;
    struct fabric_row *rows;
    size_t n;
    if (nic == FABRIC_NONE)
        return wrong("'nic' is the name of a NIC");
    if (prefixes_held(live) > PREFIXES_MOST)
        return wrong("more than 20,000 prefixes are held, too many to show at once");
    struct fabric_scope scope = fabric_scope_of(live->fabric, nic);
    if (fabric_rows(live->fabric, controller_bgp(live->plane.controller), &scope, &rows, &n) != 0)
        return wrong("not enough memory");
    json_t *document = program_rows_json(name, rows, n);
    free(rows);
    return answer(document);
}

#define INSTANCES FABRIC_GATEWAY_INSTANCES_MAX

/* What is asked about one neighbour. */
struct session_question {
    struct program_question question;
    uint32_t route_server, gateway; /* one of them; FABRIC_NONE */
    const char *peer;
    json_t *instances[INSTANCES];
};

static void take_session(struct session_question *asked, const struct controller_peer *session)
{
    bool is_of = asked->gateway != FABRIC_NONE ? session->gateway == asked->gateway
                                               : session->gateway == FABRIC_NONE &&
                                                     session->route_server == asked->route_server;
    if (!is_of || session->instance >= INSTANCES ||
        strcmp(speaker_peer_config(session->peer)->name, asked->peer) != 0)
        return;
    json_t **rows = &asked->instances[session->instance];
    *rows = *rows ? *rows : json_array();
    program_session_rows(&asked->question, session->speaker, session->peer, *rows);
}

/* The first two instances are said, there or not. */
static json_t *instances_json(const struct session_question *asked)
{
    json_t *document = json_object();
    for (unsigned i = 0; i < INSTANCES; i++) {
        char key[32];
        snprintf(key, sizeof(key), "RouteServiceRole_IN_%u", i);
        if (asked->instances[i] || i < 2)
            json_object_set_new(document, key,
                                asked->instances[i] ? asked->instances[i] : json_array());
    }
    return document;
}

static json_t *show_session(struct live *live, const json_t *request, bool advertised)
{
    const char *server = json_string_value(json_object_get(request, "route_server"));
    struct session_question asked = {
        .question = {.advertised = advertised},
        .route_server = server ? fabric_find_route_server(live->fabric, server) : FABRIC_NONE,
        .gateway = server ? fabric_find_gateway(live->fabric, server) : FABRIC_NONE,
        .peer = json_string_value(json_object_get(request, "peer")),
    };
    bool any = false;
    if ((asked.route_server == FABRIC_NONE && asked.gateway == FABRIC_NONE) || !asked.peer)
        return wrong("'route_server' and 'peer' are the names of a route server, or a gateway, and "
                     "its peer");
    if (asked.route_server != FABRIC_NONE)
        asked.gateway = FABRIC_NONE;
    if (prefixes_held(live) > PREFIXES_MOST)
        return wrong("more than 20,000 prefixes are held, too many to show at once");
    for (size_t i = 0; i < live->peer_count; i++)
        take_session(&asked, live->peers[i].peer);
    for (size_t i = 0; i < live->gateway_peer_count; i++)
        take_session(&asked, live->gateway_peers[i].peer);
    for (unsigned i = 0; i < INSTANCES; i++)
        any |= asked.instances[i] != NULL;
    return any ? answer(instances_json(&asked)) : wrong("it has no such peer");
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
    if (what && strcmp(what, "routes") == 0)
        return show_routes(live, request);
    if (what && (strcmp(what, "learned") == 0 || strcmp(what, "advertised") == 0))
        return show_session(live, request, strcmp(what, "advertised") == 0);
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
    return wrong("'command' is one of: show, set, refresh, restart, shutdown");
}

json_t *live_control_perform(struct live *live, const char *line, size_t n)
{
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    json_t *result;
    if (!json_is_object(request))
        result = wrong("a request is one JSON object on a line of its own");
    else if (live->stopping || live->stop_asked)
        result = wrong("the engine is stopping");
    else
        result = perform(live, request);
    json_decref(request);
    return result;
}

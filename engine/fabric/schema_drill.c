/*
 * Tables of keys: the drill file.
 *
 * Each kind of event is a key of its own, of which an event has exactly one; so they are handled
 * here rather than by field, and say what the event is in words on the way.
 */
#include "engine/fabric/drill_loader.h"

#include <stdio.h>
#include <string.h>

/* --- Probes ----------------------------------------------------------------------------------- */

enum { ICMP = 1, TCP = 6, UDP = 17 }; /* protocol numbers of IANA */

static const struct fabric_word protocols[] = {
    {"tcp", TCP}, {"udp", UDP}, {"icmp", ICMP}, {NULL, 0}};
static const struct fabric_key probe_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_drill_probe, name)},
    {.name = "from",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_drill_probe, from)},
    {.name = "to",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_drill_probe, to)},
    {.name = "flows",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = FABRIC_DRILL_FLOWS_MAX,
     FABRIC_FIELD(fabric_drill_probe, flows),
     .fallback = "1"},
    {.name = "packets_per_second",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 1000000000,
     FABRIC_FIELD(fabric_drill_probe, packets_per_second),
     .fallback = "1000"},
    {.name = "protocol",
     .type = FABRIC_TYPE_WORD,
     .words = protocols,
     FABRIC_FIELD(fabric_drill_probe, protocol),
     .fallback = "tcp"},
    {.name = "destination_port",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 65535,
     FABRIC_FIELD(fabric_drill_probe, destination_port),
     .fallback = "443"},
    {.name = "start_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill_probe, start_ms),
     .fallback = "0"},
    {.name = "end_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill_probe, end_ms),
     .otherwise = "the end of the drill"},
};
static const struct fabric_schema probe_schema = {.title = "probes",
                                                  .word = "probe",
                                                  FABRIC_KEYS(probe_keys),
                                                  FABRIC_OF(fabric_drill_probe),
                                                  .named = true};

/* --- Events ----------------------------------------------------------------------------------- */

static const char *const kind_texts[] = {
    [FABRIC_DRILL_NONE] = "",
    [FABRIC_DRILL_STOP] = "stop",
    [FABRIC_DRILL_KILL] = "kill",
    [FABRIC_DRILL_SILENCE] = "silence",
    [FABRIC_DRILL_RESTART] = "restart",
    [FABRIC_DRILL_CUT] = "cut",
    [FABRIC_DRILL_HEAL] = "heal",
    [FABRIC_DRILL_HEALTH_DOWN] = "health_down",
    [FABRIC_DRILL_HEALTH_UP] = "health_up",
    [FABRIC_DRILL_ANNOUNCE] = "announce",
    [FABRIC_DRILL_WITHDRAW] = "withdraw",
    [FABRIC_DRILL_FLAP] = "flap",
    [FABRIC_DRILL_SET] = "set",
    [FABRIC_DRILL_ADD] = "add",
    [FABRIC_DRILL_REMOVE] = "remove",
};

/* Bytes of a path and of a value that the words of an event show. */
#define SHOWN_MOST 160
#define VALUE_MOST 40

/* Takes the kind that the key stands for; an event is of one. */
static bool take_kind(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, struct fabric_drill_event *event)
{
    unsigned kind = FABRIC_DRILL_STOP;

    while (strcmp(kind_texts[kind], key->name) != 0)
        kind++;
    if (event->kind != FABRIC_DRILL_NONE) {
        FABRIC_ERROR(loader, &node->place, "one event cannot %s and %s: give each its own entry",
                     kind_texts[event->kind], key->name);
        return false;
    }
    event->kind = (enum fabric_drill_kind)kind;
    return true;
}

static bool say(struct fabric_loader *loader, struct fabric_drill_event *event, const char *text)
{
    event->what = text;
    loader->out_of_memory |= text == NULL;
    return text != NULL;
}

static bool read_target(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path)
{
    static const struct fabric_key text_key = {.name = "target", .type = FABRIC_TYPE_STRING};
    struct fabric_drill_event *event = object;

    return take_kind(loader, key, node, event) &&
           fabric_read_scalar(loader, &text_key, node, &event->target, path) &&
           say(loader, event, fabric_arena_print(loader->arena, "%s %s", key->name, event->target));
}

#define ROUTER_KEY                                                                                 \
    {                                                                                              \
        .name = "router", .type = FABRIC_TYPE_NAME, .required = true,                              \
        FABRIC_FIELD(fabric_drill_event, router)                                                   \
    }

static const struct fabric_key cut_keys[] = {
    ROUTER_KEY,
    {.name = "route_server",
     .type = FABRIC_TYPE_NAME,
     FABRIC_FIELD(fabric_drill_event, route_server),
     .otherwise = "none"},
    {.name = "other_router",
     .type = FABRIC_TYPE_NAME,
     FABRIC_FIELD(fabric_drill_event, other_router),
     .otherwise = "none"},
};
static const struct fabric_schema cut_schema = {
    .title = "events.cut", .word = "link", FABRIC_KEYS(cut_keys)};

static bool read_cut(struct fabric_loader *loader, const struct fabric_key *key,
                     const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_drill_event *event = object;

    if (!take_kind(loader, key, node, event) ||
        !fabric_read_object(loader, &cut_schema, node, event, path))
        return false;
    if (!event->route_server == !event->other_router) {
        FABRIC_ERROR(loader, &node->place,
                     "%s needs the other end of the link: route_server or other_router", key->name);
        return false;
    }
    return say(loader, event,
               fabric_arena_print(loader->arena, "%s %s - %s", key->name, event->router,
                                  event->route_server ? event->route_server : event->other_router));
}

static const struct fabric_key health_keys[] = {
    ROUTER_KEY,
    {.name = "check",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_drill_event, check)},
};
static const struct fabric_schema health_schema = {
    .title = "events.health_down", .word = "check", FABRIC_KEYS(health_keys)};

static bool read_health(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path)
{
    struct fabric_drill_event *event = object;

    return take_kind(loader, key, node, event) &&
           fabric_read_object(loader, &health_schema, node, event, path) &&
           say(loader, event,
               fabric_arena_print(loader->arena, "%s %s of %s", key->name, event->check,
                                  event->router));
}

static const struct fabric_key routes_keys[] = {
    ROUTER_KEY,
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric_drill_event, prefixes.items, prefixes.n),
     .otherwise = "none"},
    {.name = "blocks",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &fabric_schema_block,
     FABRIC_ITEMS(fabric_drill_event, blocks, block_count),
     .otherwise = "none"},
};
static const struct fabric_schema routes_schema = {
    .title = "events.announce", .word = "announcement", FABRIC_KEYS(routes_keys)};

static bool read_routes(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path)
{
    struct fabric_drill_event *event = object;
    char more[40] = "";

    if (!take_kind(loader, key, node, event) ||
        !fabric_read_object(loader, &routes_schema, node, event, path))
        return false;
    fabric_blocks_add(loader, event->blocks, event->block_count, &event->prefixes);
    if (event->prefixes.n == 0 && event->block_count > 0)
        return false; /* was said of the blocks */
    if (event->prefixes.n == 0) {
        FABRIC_ERROR(loader, &node->place, "%s needs prefixes, or blocks of them", key->name);
        return false;
    }
    if (event->prefixes.n > 1)
        snprintf(more, sizeof(more), " and %u more", event->prefixes.n - 1);
    return say(loader, event,
               fabric_arena_print(loader->arena, "%s %s by %s%s", key->name,
                                  FABRIC_PREFIX(&event->prefixes.items[0]), event->router, more));
}

static const struct fabric_key flap_keys[] = {
    ROUTER_KEY,
    {.name = "times",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 1000,
     FABRIC_FIELD(fabric_drill_event, times),
     .fallback = "1"},
    {.name = "period_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 2,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill_event, period_ms),
     .fallback = "1000"},
};
static const struct fabric_schema flap_schema = {
    .title = "events.flap", .word = "flap", FABRIC_KEYS(flap_keys)};

static bool read_flap(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_drill_event *event = object;

    return take_kind(loader, key, node, event) &&
           fabric_read_object(loader, &flap_schema, node, event, path) &&
           say(loader, event,
               fabric_arena_print(loader->arena, "flap %s %u times every %u ms", event->router,
                                  event->times, event->period_ms));
}

/* Beginning of a text, as messages may show it. */
static const char *shown(struct fabric_loader *loader, const char *text, size_t most)
{
    size_t fit = fabric_text_fit(text, most);
    char cut[SHOWN_MOST + 1], printable[FABRIC_PRINTABLE_BYTES(SHOWN_MOST)];

    snprintf(cut, sizeof(cut), "%.*s", (int)fit, text);
    fabric_printable(cut, printable);
    return fabric_arena_print(loader->arena, "%s%s", printable, text[fit] ? "…" : "");
}

static const char *describe_change(struct fabric_loader *loader, enum fabric_drill_kind kind,
                                   const struct fabric_node *node)
{
    const struct fabric_node *value = node->items[1];
    const char *path = shown(loader, node->items[0]->text, SHOWN_MOST);
    const char *text =
        value->kind == FABRIC_NODE_SCALAR ? shown(loader, value->text, VALUE_MOST) : "…";

    if (!path || !text)
        return NULL;
    return fabric_arena_print(loader->arena, "%s %s%s%s%s", kind_texts[kind], path,
                              kind == FABRIC_DRILL_SET ? ": " : "",
                              kind == FABRIC_DRILL_SET ? text : "", node->n > 2 ? ", …" : "");
}

/* What is to change is read when the stage is made (drill.c); here are its words. */
static bool read_change(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path)
{
    struct fabric_drill_event *event = object;

    if (!take_kind(loader, key, node, event))
        return false;
    if (node->kind != FABRIC_NODE_MAPPING || node->n == 0)
        return fabric_expected(loader, node, path, "a mapping from paths to values");
    event->change = node;
    return say(loader, event, describe_change(loader, event->kind, node));
}

#define EVENT_KEY(key_name, function, words)                                                       \
    {                                                                                              \
        .name = key_name, .type = FABRIC_TYPE_HANDLED, .handler = function, .shape = words,        \
        .otherwise = "one of them"                                                                 \
    }
#define EVENT_OF(key_name, function, schema)                                                       \
    {                                                                                              \
        .name = key_name, .type = FABRIC_TYPE_HANDLED, .handler = function, .shape = "mapping",    \
        .otherwise = "one of them", .object = &(schema)                                            \
    }
#define EVENT_LIKE(key_name, function, like) EVENT_KEY(key_name, function, "mapping, as " like)

static const struct fabric_key event_keys[] = {
    {.name = "at_ms",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 0,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill_event, at_ms)},
    EVENT_KEY("stop", read_target, "a router, a route server or one instance of it"),
    EVENT_KEY("kill", read_target, "a router, a route server or one instance of it"),
    EVENT_KEY("silence", read_target, "a router, a route server or one instance of it"),
    EVENT_KEY("restart", read_target, "a router, a route server or one instance of it"),
    EVENT_OF("cut", read_cut, cut_schema),
    EVENT_LIKE("heal", read_cut, "cut"),
    EVENT_OF("health_down", read_health, health_schema),
    EVENT_LIKE("health_up", read_health, "health_down"),
    EVENT_OF("announce", read_routes, routes_schema),
    EVENT_LIKE("withdraw", read_routes, "announce"),
    EVENT_OF("flap", read_flap, flap_schema),
    EVENT_KEY("set", read_change, "mapping: path, value"),
    EVENT_KEY("add", read_change, "mapping: path, list"),
    EVENT_KEY("remove", read_change, "mapping: path, list of names"),
};
static const struct fabric_schema event_schema = {
    .title = "events", .word = "event", FABRIC_KEYS(event_keys), FABRIC_OF(fabric_drill_event)};

/* --- Expectations ----------------------------------------------------------------------------- */

/* A number that may be left out. */
static bool read_given(struct fabric_loader *loader, const struct fabric_key *key,
                       const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_given *given = (void *)((char *)object + key->offset);
    const struct fabric_key number = {.name = key->name,
                                      .type = FABRIC_TYPE_NUMBER,
                                      .most = UINT32_MAX,
                                      .size = sizeof(given->value)};

    given->given = fabric_read_scalar(loader, &number, node, &given->value, path);
    return given->given;
}

static bool read_after(struct fabric_loader *loader, const struct fabric_key *key,
                       const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_drill_expect *expect = object;
    const struct fabric_key number = {.name = key->name,
                                      .type = FABRIC_TYPE_NUMBER,
                                      .most = FABRIC_DRILL_MS_MAX,
                                      .size = sizeof(expect->after_ms)};

    expect->has_after = fabric_read_scalar(loader, &number, node, &expect->after_ms, path);
    return expect->has_after;
}

/* None at all is something to expect too. */
static bool read_next_hops(struct fabric_loader *loader, const struct fabric_key *key,
                           const struct fabric_node *node, void *object,
                           const struct fabric_path *path)
{
    struct fabric_drill_expect *expect = object;
    const struct fabric_key list = {
        .name = key->name,
        .type = FABRIC_TYPE_ADDRESS,
        FABRIC_ITEMS(fabric_drill_expect, next_hops.items, next_hops.n)};

    expect->has_next_hops = true;
    return fabric_read_list(loader, &list, node, object, path);
}

#define GIVEN_KEY(key_name, field)                                                                 \
    {                                                                                              \
        .name = key_name, .type = FABRIC_TYPE_HANDLED, .handler = read_given, .shape = "number",   \
        FABRIC_FIELD(fabric_drill_expect, field), .otherwise = "anything"                          \
    }

static const struct fabric_key expect_keys[] = {
    {.name = "nic", /* an instance of a gateway has one too: "er1/0" */
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_drill_expect, nic),
     .otherwise = "one of nic, probe, alert"},
    {.name = "after_ms",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_after,
     .shape = "number 0-86400000",
     .otherwise = "nic: the end; alert: any event"},
    {.name = "prefix",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_FIELD(fabric_drill_expect, prefix),
     .otherwise = "required with nic"},
    {.name = "next_hops",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_next_hops,
     .shape = "list: address",
     .otherwise = "anything"},
    {.name = "next_hop_type",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_drill_expect, next_hop_type),
     .otherwise = "anything"},
    {.name = "probe",
     .type = FABRIC_TYPE_NAME,
     FABRIC_FIELD(fabric_drill_expect, probe),
     .otherwise = "one of nic, probe, alert"},
    GIVEN_KEY("lost_ms_max", lost_ms_max),
    GIVEN_KEY("lost_max", lost_max),
    GIVEN_KEY("moved_max", moved_max),
    GIVEN_KEY("moved_needlessly", moved_needlessly),
    {.name = "alert",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_drill_expect, alert),
     .otherwise = "one of nic, probe, alert"},
    {.name = "within_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill_expect, within_ms),
     .fallback = "1000"},
};
static const struct fabric_schema expect_schema = {.title = "expect",
                                                   .word = "expectation",
                                                   FABRIC_KEYS(expect_keys),
                                                   FABRIC_OF(fabric_drill_expect)};

/* --- The top ---------------------------------------------------------------------------------- */

static const struct fabric_key top_keys[] = {
    {.name = "drill", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_drill, name)},
    {.name = "seed",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_drill, seed),
     .fallback = "1"},
    {.name = "duration_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = FABRIC_DRILL_MS_MAX,
     FABRIC_FIELD(fabric_drill, duration_ms),
     .otherwise = "until all has converged"},
    {.name = "probes",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &probe_schema,
     FABRIC_ITEMS(fabric_drill, probes, probe_count),
     .otherwise = "none"},
    {.name = "events",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &event_schema,
     FABRIC_ITEMS(fabric_drill, events, event_count),
     .otherwise = "none"},
    {.name = "expect",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &expect_schema,
     FABRIC_ITEMS(fabric_drill, expects, expect_count),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_drill = {
    .title = "", .word = "drill", FABRIC_KEYS(top_keys)};

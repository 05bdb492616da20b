/* See events.h. Event number n stands at ring[(n - 1) % size]. */
#include "engine/program/events.h"

#include <stdlib.h>

#include "engine/program/controller.h"

struct event_log {
    event_listener *listener;
    void *context;
    uint64_t count;
    unsigned size;
    struct event ring[];
};

static const char *const kinds[EVENT_KINDS] = {
    [EVENT_SESSION_UP] = "session-up",
    [EVENT_SESSION_DOWN] = "session-down",
    [EVENT_SESSION_STATE] = "session-state",
    [EVENT_ROUTE_CHOSEN] = "route-chosen",
    [EVENT_ROUTE_GONE] = "route-gone",
    [EVENT_BACKEND_UP] = "backend-up",
    [EVENT_BACKEND_DOWN] = "backend-down",
    [EVENT_MEMBER_SET] = "member-set",
    [EVENT_PORT_UP] = "port-up",
    [EVENT_PORT_DOWN] = "port-down",
    [EVENT_PEER_DOWN] = "peer-down",
    [EVENT_NEW_DEFAULT_ROUTE] = "new-default-route",
    [EVENT_NEW_SUPERNET] = "new-supernet",
    [EVENT_ROUTE_COUNT_JUMP] = "route-count-jump",
    [EVENT_WITHDRAW_STORM] = "withdraw-storm",
    [EVENT_SELF_LOOP] = "self-loop",
    [EVENT_NEXT_HOP_UNREACHABLE] = "next-hop-unreachable",
    [EVENT_LIMIT_NEAR] = "limit-near",
    [EVENT_INSTANCE_MISMATCH] = "instance-mismatch",
};

const char *event_kind_text(enum event_kind kind)
{
    return kinds[kind];
}

bool event_is_alert(enum event_kind kind)
{
    return kind >= EVENT_PEER_DOWN;
}

struct event_log *event_log_create(unsigned size, event_listener *listener, void *context)
{
    struct event_log *log = calloc(1, sizeof(*log) + size * sizeof(struct event));
    if (!log)
        return NULL;
    log->size = size;
    log->listener = listener;
    log->context = context;
    return log;
}

void event_log_destroy(struct event_log *log)
{
    free(log);
}

void event_log_add(struct event_log *log, struct event *event)
{
    struct event *place = &log->ring[log->count++ % log->size];
    event->number = log->count;
    if (event->peer) {
        const struct speaker_peer_config *config = speaker_peer_config(event->peer->peer);
        snprintf(event->peer_name, sizeof(event->peer_name), "%s", config->name);
        event->peer_address = config->peer_address;
    }
    *place = *event;
    if (log->listener)
        log->listener(log->context, place);
}

uint64_t event_log_count(const struct event_log *log)
{
    return log->count;
}

uint64_t event_log_oldest(const struct event_log *log)
{
    return log->count > log->size ? log->count - log->size + 1 : 1;
}

const struct event *event_log_at(const struct event_log *log, uint64_t number)
{
    if (number == 0 || number > log->count || log->count - number >= log->size)
        return NULL;
    return &log->ring[(number - 1) % log->size];
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_peer(json_t *object, const struct event *event)
{
    char address[LPM_ADDRESS_TEXT];
    json_object_set_new(object, "instance", json_integer(event->peer->instance));
    json_object_set_new(object, "peer", json_string(event->peer_name));
    json_object_set_new(object, "address",
                        json_string(lpm_address_format(&event->peer_address, address)));
}

static void add_backend(json_t *object, const struct event *event)
{
    json_object_set_new(object, "load_balancer", json_string(event->balancer));
    json_object_set_new(object, "nic", json_string(event->nic));
}

static void add_member(json_t *object, const struct event *event)
{
    char text[LPM_ADDRESS_TEXT];
    json_object_set_new(object, "group",
                        event->group ? json_integer(event->group) : json_string("all"));
    json_object_set_new(object, "next_hop",
                        json_string(lpm_address_format(&event->next_hops[0], text)));
}

static void add_route(json_t *object, const struct event *event)
{
    char text[LPM_PREFIX_TEXT];
    json_object_set_new(object, "prefix", json_string(lpm_prefix_format(&event->prefix, text)));
    if (event->next_hop_count > 0) {
        json_t *list = json_array();
        for (unsigned i = 0; i < event->next_hop_count && i < EVENT_NEXT_HOPS; i++)
            json_array_append_new(list,
                                  json_string(lpm_address_format(&event->next_hops[i], text)));
        json_object_set_new(object, "next_hops", list);
        json_object_set_new(object, "next_hop_count", json_integer(event->next_hop_count));
    }
    if (event->as_path[0])
        json_object_set_new(object, "as_path", json_string(event->as_path));
}

json_t *event_json(const struct fabric *fabric, const struct event *event, int64_t offset_ms)
{
    json_t *object = json_object();
    json_object_set_new(object, "number", json_integer((json_int_t)event->number));
    json_object_set_new(object, "time",
                        json_real((double)((int64_t)event->time_ms + offset_ms) / 1000.0));
    json_object_set_new(object, "event", json_string(event_kind_text(event->kind)));
    json_object_set_new(object, "alert", json_boolean(event_is_alert(event->kind)));
    if (event->kind == EVENT_MEMBER_SET)
        add_member(object, event);
    else if (event->kind == EVENT_PORT_UP || event->kind == EVENT_PORT_DOWN)
        json_object_set_new(object, "port", json_string(event->port));
    else if (event->gateway[0])
        json_object_set_new(object, "gateway", json_string(event->gateway));
    else if (event->route_server != FABRIC_NONE)
        json_object_set_new(object, "route_server",
                            json_string(fabric->route_servers[event->route_server].name));
    else
        add_backend(object, event);
    if (event->peer)
        add_peer(object, event);
    if (event->prefix.family)
        add_route(object, event);
    json_object_set_new(object, "cause", json_string(event->cause));
    return object;
}

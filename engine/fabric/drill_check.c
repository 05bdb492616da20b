/*
 * What the values of a drill mean together, and whether what it names is there: at the time of an
 * event, which may follow changes of the fabric.
 */
#include "engine/fabric/drill_loader.h"
#include "engine/fabric/route_server.h"

#include <stdio.h>
#include <string.h>

/* --- Names ------------------------------------------------------------------------------------ */

struct fabric_drill_target fabric_drill_find(const struct fabric *fabric, const char *target)
{
    struct fabric_drill_target found = {.router = fabric_find_router(fabric, target),
                                        .route_server = FABRIC_NONE};
    const char *slash = strrchr(target, '/');
    char name[128];

    if (found.router != FABRIC_NONE)
        return found;
    snprintf(name, sizeof(name), "%.*s", slash ? (int)(slash - target) : 120, target);
    found.route_server = fabric_find_route_server(fabric, name);
    if (found.route_server == FABRIC_NONE)
        return found;
    found.count = fabric->route_servers[found.route_server].instance_count;
    if (!slash)
        return found;
    found.first = (unsigned)(slash[1] - '0');
    if (slash[2] != '\0' || found.first >= found.count)
        found.route_server = FABRIC_NONE;
    found.count = 1;
    return found;
}

uint64_t fabric_drill_done_ms(const struct fabric_drill_event *event)
{
    return event->at_ms + (uint64_t)event->times * event->period_ms;
}

/* The kinds of names that a drill uses. */
enum { ROUTERS = 1, ROUTE_SERVERS = 2, NICS = 4, HOSTS = 8 };

static void try_all(const struct fabric *fabric, unsigned names, const char *text,
                    struct fabric_nearest *nearest)
{
    for (uint32_t i = 0; names & ROUTERS && i < fabric->routers_count; i++)
        fabric_nearest_try(nearest, text, fabric->routers[i].name);
    for (uint32_t i = 0; names & ROUTE_SERVERS && i < fabric->route_servers_count; i++)
        fabric_nearest_try(nearest, text, fabric->route_servers[i].name);
    for (uint32_t i = 0; names & NICS && i < fabric->nics_count; i++)
        fabric_nearest_try(nearest, text, fabric->nics[i].name);
    for (uint32_t i = 0; names & HOSTS && i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].host_count; j++)
            fabric_nearest_try(nearest, text, fabric->routers[i].hosts[j].name);
}

static void tell_unknown(struct fabric_loader *loader, const struct fabric_place *place,
                         const struct fabric *fabric, unsigned names, const char *what,
                         const char *text)
{
    struct fabric_nearest nearest = {0};
    char nearest_text[FABRIC_NEAREST_TEXT];

    try_all(fabric, names, text, &nearest);
    FABRIC_ERROR(loader, place, "the fabric has no %s '%s' at that time%s", what, text,
                 fabric_nearest_text(&nearest, nearest_text));
}

/* --- Events ----------------------------------------------------------------------------------- */

/* Which routers have a session with each other is more than their names say; the drill tells. */
static void check_link(struct fabric_loader *loader, const struct fabric *fabric,
                       const struct fabric_drill_event *event)
{
    uint32_t router = fabric_find_router(fabric, event->router), server;

    if (event->other_router) {
        if (fabric_find_router(fabric, event->other_router) == FABRIC_NONE)
            tell_unknown(loader, &event->place, fabric, ROUTERS, "router", event->other_router);
        return;
    }
    server = fabric_find_route_server(fabric, event->route_server);
    if (server == FABRIC_NONE)
        tell_unknown(loader, &event->place, fabric, ROUTE_SERVERS, "route server",
                     event->route_server);
    else if (router != FABRIC_NONE && !fabric_route_server_has_router(fabric, server, router))
        FABRIC_ERROR(loader, &event->place,
                     "the route server '%s' has no peer that the router '%s' answers for",
                     event->route_server, event->router);
}

static void check_health(struct fabric_loader *loader, const struct fabric *fabric,
                         const struct fabric_drill_event *event)
{
    uint32_t router = fabric_find_router(fabric, event->router);
    struct fabric_nearest nearest = {0};
    char text[FABRIC_NEAREST_TEXT];

    if (router == FABRIC_NONE)
        return;
    for (uint32_t i = 0; i < fabric->routers[router].health_count; i++) {
        const char *name = fabric->routers[router].health[i].name;

        if (strcmp(name, event->check) == 0)
            return;
        fabric_nearest_try(&nearest, event->check, name);
    }
    FABRIC_ERROR(loader, &event->place, "the router '%s' has no health check '%s'%s", event->router,
                 event->check, fabric_nearest_text(&nearest, text));
}

static void check_event(struct fabric_loader *loader, const struct fabric *fabric,
                        const struct fabric_drill_event *event)
{
    if (event->kind == FABRIC_DRILL_NONE)
        FABRIC_ERROR(loader, &event->place,
                     "an event needs one of: stop, kill, silence, restart, cut, heal, health_down, "
                     "health_up, announce, withdraw, flap, set, add, remove");
    if (fabric_drill_done_ms(event) > FABRIC_DRILL_MS_MAX)
        FABRIC_ERROR(loader, &event->place,
                     "%u times %u ms from %u ms on are more than the %u ms that a drill may last",
                     event->times, event->period_ms, event->at_ms, FABRIC_DRILL_MS_MAX);
    if (event->target) {
        struct fabric_drill_target found = fabric_drill_find(fabric, event->target);

        if (found.router == FABRIC_NONE && found.route_server == FABRIC_NONE)
            tell_unknown(loader, &event->place, fabric, ROUTERS | ROUTE_SERVERS,
                         "router, route server or instance", event->target);
    }
    if (event->router && fabric_find_router(fabric, event->router) == FABRIC_NONE)
        tell_unknown(loader, &event->place, fabric, ROUTERS, "router", event->router);
    if (event->kind == FABRIC_DRILL_CUT || event->kind == FABRIC_DRILL_HEAL)
        check_link(loader, fabric, event);
    if (event->check)
        check_health(loader, fabric, event);
}

/* --- Probes ----------------------------------------------------------------------------------- */

/* The stage in force at a time. */
static const struct fabric *stage_at(const struct fabric_drill *drill, uint32_t at_ms)
{
    uint32_t stage = 0;

    for (uint32_t i = 0; i < drill->event_count && drill->events[i].at_ms <= at_ms; i++)
        stage = drill->events[i].stage;
    return drill->stages[stage];
}

static bool has_address(const struct fabric *fabric, const struct lpm_address *address)
{
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        if (fabric_address_owner(fabric, i, address) != FABRIC_NONE)
            return true;
    return false;
}

static bool is_host(const struct fabric *fabric, const char *name)
{
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].host_count; j++)
            if (strcmp(fabric->routers[i].hosts[j].name, name) == 0)
                return true;
    return false;
}

static void check_ends(struct fabric_loader *loader, const struct fabric_drill_probe *probe,
                       const struct fabric *fabric)
{
    struct lpm_address address;

    if (fabric_find_nic(fabric, probe->from) == FABRIC_NONE && !is_host(fabric, probe->from) &&
        (lpm_address_parse(probe->from, &address) != 0 || !has_address(fabric, &address)))
        tell_unknown(loader, &probe->place, fabric, NICS | HOSTS, "NIC, address of a NIC, or host",
                     probe->from);
    if (fabric_find_nic(fabric, probe->to) == FABRIC_NONE &&
        lpm_address_parse(probe->to, &address) != 0 && !is_host(fabric, probe->to))
        tell_unknown(loader, &probe->place, fabric, NICS | HOSTS, "NIC, address or host",
                     probe->to);
}

static void check_probes(struct fabric_loader *loader, const struct fabric_drill *drill)
{
    uint64_t flows = 0;

    for (uint32_t i = 0; i < drill->probe_count; i++) {
        const struct fabric_drill_probe *probe = &drill->probes[i];

        flows += probe->flows;
        check_ends(loader, probe, stage_at(drill, probe->start_ms));
        if (probe->end_ms && probe->end_ms <= probe->start_ms)
            FABRIC_ERROR(loader, &probe->place, "the probe '%s' ends before it starts",
                         probe->name);
    }
    if (flows > FABRIC_DRILL_FLOWS_MAX)
        FABRIC_ERROR(loader, &drill->place, "the probes have more than %u flows together",
                     FABRIC_DRILL_FLOWS_MAX);
}

/* --- Expectations ----------------------------------------------------------------------------- */

static void add_text(struct fabric_loader *loader, struct fabric_drill_expect *expect,
                     const char *more)
{
    expect->text =
        fabric_arena_print(loader->arena, "%s%s", expect->text ? expect->text : "", more);
    loader->out_of_memory |= expect->text == NULL;
}

static void check_type(struct fabric_loader *loader, const struct fabric_drill_expect *expect)
{
    struct fabric_nearest nearest = {0};
    char text[FABRIC_NEAREST_TEXT];

    for (unsigned type = FABRIC_VNET_LOCAL; type <= FABRIC_SERVICE_ENDPOINT; type++) {
        const char *known = fabric_next_hop_type_text((enum fabric_next_hop_type)type);

        if (strcmp(known, expect->next_hop_type) == 0)
            return;
        fabric_nearest_try(&nearest, expect->next_hop_type, known);
    }
    FABRIC_ERROR(loader, &expect->place, "there is no next hop type '%s'%s", expect->next_hop_type,
                 fabric_nearest_text(&nearest, text));
}

static bool is_named_before(const struct fabric_addresses *list, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (lpm_address_equal(&list->items[i], &list->items[index]))
            return true;
    return false;
}

static void check_route(struct fabric_loader *loader, const struct fabric_drill *drill,
                        struct fabric_drill_expect *expect)
{
    const struct fabric *fabric =
        stage_at(drill, expect->has_after ? expect->after_ms : FABRIC_DRILL_MS_MAX);
    char text[200];

    if (fabric_find_nic(fabric, expect->nic) == FABRIC_NONE)
        tell_unknown(loader, &expect->place, fabric, NICS, "NIC", expect->nic);
    if (expect->prefix.family == 0 || (!expect->has_next_hops && !expect->next_hop_type))
        FABRIC_ERROR(loader, &expect->place,
                     "an expectation of a NIC needs prefix, and next_hops or next_hop_type");
    if (expect->next_hop_type)
        check_type(loader, expect);
    if (expect->has_after)
        snprintf(text, sizeof(text), "after %u ms ", expect->after_ms);
    else
        snprintf(text, sizeof(text), "at the end ");
    add_text(loader, expect, text);
    snprintf(text, sizeof(text), "%s has %s", expect->nic, FABRIC_PREFIX(&expect->prefix));
    add_text(loader, expect, text);
    if (expect->next_hop_type) {
        snprintf(text, sizeof(text), " %.40s", expect->next_hop_type);
        add_text(loader, expect, text);
    }
    for (uint32_t i = 0; i < expect->next_hops.n; i++) {
        if (is_named_before(&expect->next_hops, i))
            FABRIC_ERROR(loader, &expect->place, "next_hops names %s twice",
                         FABRIC_ADDRESS(&expect->next_hops.items[i]));
        snprintf(text, sizeof(text), "%s%s", i ? ", " : " via ",
                 FABRIC_ADDRESS(&expect->next_hops.items[i]));
        add_text(loader, expect, text);
    }
    if (expect->has_next_hops && expect->next_hops.n == 0)
        add_text(loader, expect, " via no next hop");
}

static void add_bound(struct fabric_loader *loader, struct fabric_drill_expect *expect,
                      const struct fabric_given *bound, const char *before, const char *behind,
                      unsigned *bounds)
{
    char text[80];

    if (!bound->given)
        return;
    snprintf(text, sizeof(text), "%s%s %u %s", *bounds ? ", " : " ", before, bound->value, behind);
    add_text(loader, expect, text);
    ++*bounds;
}

static void check_fate(struct fabric_loader *loader, const struct fabric_drill *drill,
                       struct fabric_drill_expect *expect)
{
    struct fabric_nearest nearest = {0};
    char text[FABRIC_NEAREST_TEXT];
    unsigned bounds = 0;
    bool known = false;

    for (uint32_t i = 0; i < drill->probe_count; i++) {
        known |= strcmp(drill->probes[i].name, expect->probe) == 0;
        fabric_nearest_try(&nearest, expect->probe, drill->probes[i].name);
    }
    if (!known)
        FABRIC_ERROR(loader, &expect->place, "the drill has no probe '%s'%s", expect->probe,
                     fabric_nearest_text(&nearest, text));
    add_text(loader, expect, "probe ");
    add_text(loader, expect, expect->probe);
    add_bound(loader, expect, &expect->lost_ms_max, "is lost for at most", "ms", &bounds);
    add_bound(loader, expect, &expect->lost_max, "loses at most", "packets", &bounds);
    add_bound(loader, expect, &expect->moved_max, "at most", "flows move", &bounds);
    add_bound(loader, expect, &expect->moved_needlessly, "at most", "flows move needlessly",
              &bounds);
    if (bounds == 0)
        FABRIC_ERROR(loader, &expect->place,
                     "an expectation of a probe needs one of: lost_ms_max, lost_max, moved_max, "
                     "moved_needlessly");
}

/* Names of alerts are checked by who raises them (sim/drill.c): they are none of the fabric's. */
static void check_alert(struct fabric_loader *loader, struct fabric_drill_expect *expect)
{
    char text[80];

    snprintf(text, sizeof(text), "alert %.40s", expect->alert);
    add_text(loader, expect, text);
    snprintf(text, sizeof(text), " within %u ms of ", expect->within_ms);
    add_text(loader, expect, text);
    snprintf(text, sizeof(text), expect->has_after ? "%u ms" : "an event", expect->after_ms);
    add_text(loader, expect, text);
}

static void check_expects(struct fabric_loader *loader, const struct fabric_drill *drill)
{
    for (uint32_t i = 0; i < drill->expect_count; i++) {
        struct fabric_drill_expect *expect = &drill->expects[i];

        if (!!expect->nic + !!expect->probe + !!expect->alert != 1)
            FABRIC_ERROR(loader, &expect->place,
                         "an expectation needs exactly one of: nic, probe, alert");
        else if (expect->nic)
            check_route(loader, drill, expect);
        else if (expect->probe)
            check_fate(loader, drill, expect);
        else
            check_alert(loader, expect);
    }
}

/* A drill that ends before something is due would not do what it says. */
static void check_duration(struct fabric_loader *loader, const struct fabric_drill *drill)
{
    const struct fabric_place *late = NULL;

    for (uint32_t i = 0; i < drill->event_count; i++)
        if (fabric_drill_done_ms(&drill->events[i]) > drill->duration_ms)
            late = &drill->events[i].place;
    for (uint32_t i = 0; i < drill->expect_count; i++)
        if (drill->expects[i].after_ms > drill->duration_ms)
            late = &drill->expects[i].place;
    if (drill->duration_ms && late)
        FABRIC_ERROR(loader, late, "the drill is over before that: duration_ms is %u",
                     drill->duration_ms);
}

void fabric_drill_check(struct fabric_loader *loader, struct fabric_drill *drill)
{
    for (uint32_t i = 0; i < drill->event_count; i++)
        check_event(loader, drill->stages[drill->events[i].stage], &drill->events[i]);
    for (uint32_t i = 0; i < drill->event_count && loader->problems->errors == 0; i++)
        fabric_drill_check_speakers(loader, drill, &drill->events[i]);
    check_duration(loader, drill);
    check_probes(loader, drill);
    check_expects(loader, drill);
}

/*
 * From single flows to findings: one for each kind of fault and NIC where it happens.
 */
#include "engine/cli/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/survey.h"

#define TEXT        512
#define OBJECT_TEXT 160

struct fault {
    const char *rule;
    uint32_t place; /* where */
    unsigned flows;
    char message[TEXT];
};

struct faults {
    const struct fabric *fabric;
    struct fault *items;
    size_t n, capacity;
};

static const struct {
    const char *rule, *remedy;
} remedies[] = {
    {"loop", "Give the subnet a route table that sends this traffic where it should go, or turn "
             "bgp_propagation off there"},
    {"blackhole", "Take away the route that attracts this traffic, or give the place where it is "
                  "dropped a way onwards"},
    {"asymmetry", "Make both directions pass one router: source_nat, a load balancer in front, or "
                  "the native mode's symmetric hash"},
};

static const char *remedy_of(const char *rule)
{
    size_t i = 0;
    while (strcmp(remedies[i].rule, rule) != 0)
        i++;
    return remedies[i].remedy;
}

/* --- One flow ----------------------------------------------------------------------------------- */

static const struct path_hop *last_hop(const struct path *path)
{
    return &path->hops[path->hop_count - 1];
}

static bool has_reason(const struct path *path, enum dp_reason reason)
{
    return strcmp(path->reason, dp_reason_name(reason)) == 0;
}

/* A drop that nobody can have wanted: a next hop that leads nowhere, or traffic that a router
 * attracted and that then finds no way, but for a None route that a user wrote. */
static bool is_black_hole(const struct path *path)
{
    const struct fabric_row *row = path->hop_count ? last_hop(path)->row : NULL;
    if (last_hop(path)->depth > 0 || has_reason(path, DP_REASON_NO_MEMBER) ||
        has_reason(path, DP_REASON_RECEIVER_NOT_FORWARDING) ||
        has_reason(path, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED))
        return true;
    if (has_reason(path, DP_REASON_NEXT_HOP_UNREACHABLE))
        return row && (row->next_hop_count > 0 || path->hop_count > 1);
    if (has_reason(path, DP_REASON_NO_ROUTE) || has_reason(path, DP_REASON_NULL_ROUTE))
        return path->hop_count > 1 && !(row && row->source == FABRIC_SOURCE_USER);
    return false;
}

static const char *rule_of(const struct path *path)
{
    if (path->verdict == PATH_LOOP)
        return "loop";
    if (path->verdict != PATH_DROPPED)
        return NULL;
    if (strcmp(path->reason, "no-session") == 0)
        return "asymmetry";
    return is_black_hole(path) ? "blackhole" : NULL;
}

/* Who sent last, or where a router dropped it. */
static uint32_t place_of(const struct path *path)
{
    return path->end < PATH_INTERNET ? path->end : last_hop(path)->place;
}

/* "vm1, nva1, nva2"; what a tunnel carries outside is left out. */
static void list_hops(const struct fabric *fabric, const struct path *path, char text[TEXT])
{
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < path->hop_count && at < TEXT / 2; i++)
        if (path->hops[i].depth == 0)
            at += (size_t)snprintf(text + at, TEXT - at, "%s%s", i ? ", " : "",
                                   place_object(fabric, path->hops[i].place));
}

static void describe(struct fault *fault, const struct fabric *fabric,
                     const struct survey_flow *flow, const struct path *path)
{
    char source[LPM_ADDRESS_TEXT], destination[LPM_ADDRESS_TEXT], hops[TEXT];
    lpm_address_format(&flow->source, source);
    lpm_address_format(&flow->destination, destination);
    list_hops(fabric, path, hops);
    if (path == flow->back)
        snprintf(fault->message, TEXT, "answers to %s from %s do not arrive (%s by way of %s)",
                 source, destination, path->reason ? path->reason : "a loop", hops);
    else if (path->verdict == PATH_LOOP)
        snprintf(fault->message, TEXT,
                 "packets from %s to %s go round until their TTL is used up, by %s", source,
                 destination, hops);
    else
        snprintf(fault->message, TEXT, "packets from %s to %s are dropped (%s by way of %s)",
                 source, destination, path->reason, hops);
}

/* --- All flows ---------------------------------------------------------------------------------- */

static struct fault *fault_at(struct faults *faults, const char *rule, uint32_t place)
{
    for (size_t i = 0; i < faults->n; i++)
        if (faults->items[i].place == place && faults->items[i].rule == rule)
            return &faults->items[i];
    if (faults->n == faults->capacity) {
        size_t capacity = faults->capacity ? faults->capacity * 2 : 16;
        struct fault *items = reallocarray(faults->items, capacity, sizeof(*items));
        if (!items)
            return NULL;
        faults->items = items;
        faults->capacity = capacity;
    }
    faults->items[faults->n] = (struct fault){.rule = rule, .place = place};
    return &faults->items[faults->n++];
}

static int judge(void *context, const struct survey_flow *flow)
{
    struct faults *faults = context;
    const struct path *path = rule_of(flow->out) || !flow->back ? flow->out : flow->back;
    const char *rule = rule_of(path);
    struct fault *fault;
    if (!rule)
        return 0;
    fault = fault_at(faults, rule, place_of(path));
    if (!fault)
        return -ENOMEM;
    if (fault->flows++ == 0)
        describe(fault, faults->fabric, flow, path);
    return 0;
}

/* "nics[nva1]", and where that stands in the file. */
static const struct fabric_place *object_of(const struct fabric *fabric, uint32_t place,
                                            char text[OBJECT_TEXT])
{
    uint32_t router;
    if (place_kind(fabric, place, &router, NULL) == PLACE_NIC) {
        snprintf(text, OBJECT_TEXT, "nics[%s]", fabric->nics[place].name);
        return &fabric->nics[place].place;
    }
    snprintf(text, OBJECT_TEXT, "routers[%s]", fabric->routers[router].name);
    return &fabric->routers[router].place;
}

static void hand_over(const struct faults *faults,
                      void (*take)(void *context, const struct fabric_problem *problem),
                      void *context)
{
    for (size_t i = 0; i < faults->n; i++) {
        const struct fault *fault = &faults->items[i];
        char object[OBJECT_TEXT], message[TEXT + 256];
        const struct fabric_place *place = object_of(faults->fabric, fault->place, object);
        snprintf(message, sizeof(message), "%s: %s", object, fault->message);
        if (fault->flows > 1)
            snprintf(message, sizeof(message), "%s: %s, and %u more", object, fault->message,
                     fault->flows - 1);
        struct fabric_problem problem = {
            .file = place->file,
            .line = place->line,
            .rule = fault->rule,
            .message = message,
            .object = object,
            .remedy = remedy_of(fault->rule),
        };
        take(context, &problem);
    }
}

int faults_find(struct twin *twin,
                void (*take)(void *context, const struct fabric_problem *problem), void *context)
{
    struct faults faults = {.fabric = twin->fabric};
    struct path_finder *finder = path_finder_create(twin->fabric, twin->sim, twin->forwarding);
    int error = finder ? survey_run(twin->fabric, finder, judge, &faults) : -ENOMEM;
    if (!error)
        hand_over(&faults, take, context);
    free(faults.items);
    path_finder_free(finder);
    return error;
}

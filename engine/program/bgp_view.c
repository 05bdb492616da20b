/*
 *   view ── servers[route server] ─┬─ speakers[0..2]
 *                                  └─ standing[]  what NICs follow of each; NULL: its choice
 */
#include "engine/program/bgp_view.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/rules.h"

#define SPEAKERS_MAX 2

struct server {
    struct speaker *speakers[SPEAKERS_MAX];
    const struct program_standing *standing[SPEAKERS_MAX];
    bool away[SPEAKERS_MAX];
    unsigned count;
};

struct program_bgp_view {
    struct fabric_bgp bgp;
    struct server *servers;
};

/* --- One prefix ------------------------------------------------------------------------------- */

static bool has_next_hop(const struct rib_choice *choice, const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < choice->n; i++)
        if (lpm_address_equal(&choice->paths[i].next_hop, next_hop))
            return true;
    return false;
}

static void merge(struct rib_choice *choice, const struct rib_choice *other)
{
    for (unsigned i = 0; i < other->n && choice->n < RIB_ECMP_MAX; i++)
        if (!has_next_hop(choice, &other->paths[i].next_hop))
            choice->paths[choice->n++] = other->paths[i];
}

static bool choice_of(const struct server *server, unsigned index, const struct lpm_prefix *prefix,
                      struct rib_choice *choice)
{
    if (server->standing[index])
        return program_standing_choice(server->standing[index], prefix, choice);
    return speaker_learned_choice(server->speakers[index], prefix, choice);
}

static bool view_choice(void *context, uint32_t route_server, const struct lpm_prefix *prefix,
                        struct rib_choice *choice)
{
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    choice->n = 0;
    if (server->count > 0 && !choice_of(server, 0, prefix, choice))
        choice->n = 0;
    for (unsigned i = 1; i < server->count; i++) {
        struct rib_choice other;
        if (choice_of(server, i, prefix, &other))
            merge(choice, &other);
    }
    return choice->n > 0;
}

/* Merged instances are one speaker, and choose alike. */
static unsigned view_instance_for(void *context, uint32_t route_server, unsigned instance)
{
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    if (server->count < 2)
        return instance;
    return server->away[instance] && !server->away[1 - instance] ? 1 - instance : instance;
}

static bool view_instance_choice(void *context, uint32_t route_server, unsigned instance,
                                 const struct lpm_prefix *prefix, struct rib_choice *choice)
{
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    unsigned from = view_instance_for(context, route_server, instance);
    return server->count > 0 && choice_of(server, from % server->count, prefix, choice);
}

/* With merged instances, or for NICs that all of them program, the first that waits says why. */
static const char *view_waits(void *context, uint32_t route_server, const struct lpm_prefix *prefix)
{
    static const char *const rules[] = {
        [PROGRAM_WAITS_NOT] = NULL,
        [PROGRAM_WAITS_DAMPING] = FABRIC_RULE_DAMPING,
        [PROGRAM_WAITS_FAILBACK] = FABRIC_RULE_FAILBACK_HOLD_DOWN,
    };
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    const char *rule = NULL;
    for (unsigned i = 0; i < server->count && !rule; i++)
        if (server->standing[i])
            rule = rules[program_standing_waits(server->standing[i], prefix)];
    return rule;
}

struct announcers {
    int (*visit)(void *visit_context, const struct lpm_address *address);
    void *visit_context;
};

static int visit_announcer(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    const struct announcers *announcers = context;
    if (!path->peer || rib_verdict_filtered(verdict))
        return 0;
    return announcers->visit(announcers->visit_context,
                             &speaker_peer_config(path->peer)->peer_address);
}

static int view_each_announcer(void *context, uint32_t route_server,
                               const struct lpm_prefix *prefix,
                               int (*visit)(void *visit_context, const struct lpm_address *address),
                               void *visit_context)
{
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    struct announcers announcers = {visit, visit_context};
    int stopped = 0;
    for (unsigned i = 0; i < server->count && !stopped; i++)
        stopped = speaker_each_learned_candidate(server->speakers[i], prefix, visit_announcer,
                                                 &announcers);
    return stopped;
}

static int view_each_candidate(void *context, uint32_t route_server,
                               const struct lpm_prefix *prefix,
                               int (*visit)(void *visit_context, const struct rib_path *path,
                                            enum rib_verdict verdict),
                               void *visit_context)
{
    const struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    int stopped = 0;
    for (unsigned i = 0; i < server->count && !stopped; i++)
        stopped = speaker_each_learned_candidate(server->speakers[i], prefix, visit, visit_context);
    return stopped;
}

/* --- All prefixes ----------------------------------------------------------------------------- */

/* What several speakers have a choice for. */
struct prefix_list {
    struct lpm_prefix *items;
    size_t n, capacity;
};

static int list_prefix(void *context, const struct lpm_prefix *prefix)
{
    struct prefix_list *list = context;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        void *grown = realloc(list->items, capacity * sizeof(*list->items));
        if (!grown)
            return -ENOMEM;
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->n++] = *prefix;
    return 0;
}

static int list_choice(void *context, const struct lpm_prefix *prefix,
                       const struct rib_choice *choice)
{
    (void)choice;
    return list_prefix(context, prefix);
}

static int compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

/* What has just gone may stand still. */
static int list_speaker(const struct server *server, unsigned index, struct prefix_list *list)
{
    int error = speaker_each_learned_choice(server->speakers[index], list_choice, list);
    if (!error && server->standing[index])
        error = program_standing_each(server->standing[index], list_prefix, list);
    return error;
}

static int each_merged(struct program_bgp_view *view, uint32_t route_server,
                       int (*visit)(void *visit_context, const struct lpm_prefix *prefix,
                                    const struct rib_choice *choice),
                       void *visit_context)
{
    const struct server *server = &view->servers[route_server];
    struct prefix_list list = {0};
    int stopped = 0;
    for (unsigned i = 0; i < server->count && !stopped; i++)
        stopped = list_speaker(server, i, &list);
    if (!stopped && list.n > 0)
        qsort(list.items, list.n, sizeof(*list.items), compare);
    for (size_t i = 0; i < list.n && !stopped; i++) {
        struct rib_choice choice;
        if (i > 0 && lpm_prefix_equal(&list.items[i], &list.items[i - 1]))
            continue;
        if (view_choice(view, route_server, &list.items[i], &choice))
            stopped = visit(visit_context, &list.items[i], &choice);
    }
    free(list.items);
    return stopped;
}

static int view_each(void *context, uint32_t route_server,
                     int (*visit)(void *visit_context, const struct lpm_prefix *prefix,
                                  const struct rib_choice *choice),
                     void *visit_context)
{
    struct program_bgp_view *view = context;
    const struct server *server = &view->servers[route_server];
    if (server->count == 1 && !server->standing[0])
        return speaker_each_learned_choice(server->speakers[0], visit, visit_context);
    return each_merged(view, route_server, visit, visit_context);
}

/* --- Life ------------------------------------------------------------------------------------- */

struct program_bgp_view *program_bgp_view_create(const struct fabric *fabric)
{
    struct program_bgp_view *view = calloc(1, sizeof(*view));
    if (!view)
        return NULL;
    view->servers = calloc((size_t)fabric->route_servers_count + 1, sizeof(*view->servers));
    if (!view->servers) {
        free(view);
        errno = ENOMEM;
        return NULL;
    }
    view->bgp = (struct fabric_bgp){
        .context = view,
        .choice = view_choice,
        .instance_choice = view_instance_choice,
        .instance_for = view_instance_for,
        .each = view_each,
        .each_announcer = view_each_announcer,
        .each_candidate = view_each_candidate,
        .waits = view_waits,
    };
    return view;
}

void program_bgp_view_destroy(struct program_bgp_view *view)
{
    if (!view)
        return;
    free(view->servers);
    free(view);
}

int program_bgp_view_add(struct program_bgp_view *view, uint32_t route_server,
                         struct speaker *speaker)
{
    struct server *server = &view->servers[route_server];
    if (server->count == SPEAKERS_MAX)
        return -ENOSPC;
    server->speakers[server->count++] = speaker;
    return 0;
}

void program_bgp_view_follow(struct program_bgp_view *view, uint32_t route_server, unsigned index,
                             const struct program_standing *standing)
{
    view->servers[route_server].standing[index] = standing;
}

void program_bgp_view_set_away(struct program_bgp_view *view, uint32_t route_server,
                               unsigned instance, bool away)
{
    view->servers[route_server].away[instance] = away;
}

bool program_bgp_view_is_away(const struct program_bgp_view *view, uint32_t route_server,
                              unsigned instance)
{
    return view->servers[route_server].away[instance];
}

const struct fabric_bgp *program_bgp_view(const struct program_bgp_view *view)
{
    return &view->bgp;
}

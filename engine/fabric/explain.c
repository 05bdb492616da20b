/*
 * The explanation of one prefix. It does not decide anew: whether a class has a row, and which one
 * is Active, is asked of the view that makes the rows, and only the reason is worked out here.
 *
 *   user route ──> only-class | class-precedence
 *   BGP paths  ──> rule of the route server, or of a filter, or as above
 *   system     ──> rule that took it away, or system-order, or as above
 */
#include "engine/fabric/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/rules.h"
#include "engine/fabric/view.h"

const char *fabric_verdict_text(enum fabric_verdict verdict)
{
    switch (verdict) {
    case FABRIC_INSTALLED:
        return "installed";
    case FABRIC_LOST:
        return "lost";
    case FABRIC_FILTERED:
        break;
    }
    return "filtered";
}

struct explaining {
    const struct fabric_view *view;
    const struct fabric_bgp *bgp;
    struct lpm_prefix prefix;
    struct fabric_row rows[3];
    unsigned row_count;
    const char *waits; /* NICs do not follow the route server's choice yet; NULL: they do */
    struct rib_choice standing; /* then: what they follow */
    struct fabric_explanation *explanation;
    size_t capacity;
};

static struct fabric_candidate *add(struct explaining *explaining)
{
    struct fabric_explanation *explanation = explaining->explanation;
    if (explanation->n == explaining->capacity) {
        size_t capacity = explaining->capacity ? 2 * explaining->capacity : 8;
        void *candidates =
            realloc(explanation->candidates, capacity * sizeof(struct fabric_candidate));
        if (!candidates)
            return NULL;
        explanation->candidates = candidates;
        void *paths = realloc(explanation->paths, capacity * sizeof(struct rib_path));
        if (!paths)
            return NULL;
        explanation->paths = paths;
        explaining->capacity = capacity;
    }
    struct fabric_candidate *candidate = &explanation->candidates[explanation->n++];
    *candidate = (struct fabric_candidate){.row = {.prefix = explaining->prefix}};
    return candidate;
}

static const struct fabric_row *row_of(const struct explaining *explaining,
                                       enum fabric_source source)
{
    for (unsigned i = 0; i < explaining->row_count; i++)
        if (explaining->rows[i].source == source)
            return &explaining->rows[i];
    return NULL;
}

/* The candidate is behind the row of its class: precedence between the classes decides. */
static void decide_by_class(const struct explaining *explaining, struct fabric_candidate *candidate)
{
    bool active = explaining->rows[0].source == candidate->source;
    candidate->verdict = active ? FABRIC_INSTALLED : FABRIC_LOST;
    candidate->rule =
        explaining->row_count == 1 ? FABRIC_RULE_ONLY_CLASS : FABRIC_RULE_CLASS_PRECEDENCE;
    candidate->row.active = active;
}

static int explain_user(struct explaining *explaining)
{
    const struct fabric_row *row = row_of(explaining, FABRIC_SOURCE_USER);
    if (!row)
        return 0;
    struct fabric_candidate *candidate = add(explaining);
    if (!candidate)
        return -ENOMEM;
    candidate->source = FABRIC_SOURCE_USER;
    candidate->via = explaining->view->table->name;
    candidate->row = *row;
    decide_by_class(explaining, candidate);
    return 0;
}

/* --- BGP -------------------------------------------------------------------------------------- */

/* The route server's own reason, or NULL for a path that it chose. */
static const char *server_rule(enum rib_verdict verdict, enum fabric_verdict *outcome)
{
    static const char *const rules[] = {
        [RIB_FILTERED_AS_LOOP] = FABRIC_RULE_AS_LOOP,
        [RIB_FILTERED_POLICY] = FABRIC_RULE_POLICY,
        [RIB_FILTERED_SUMMARISED] = FABRIC_RULE_SUMMARISED,
        [RIB_FILTERED_NEXT_HOP] = FABRIC_RULE_NEXT_HOP,
        [RIB_FILTERED_MARTIAN] = FABRIC_RULE_MARTIAN,
        [RIB_FILTERED_AS_PATH_LENGTH] = FABRIC_RULE_MAX_AS_PATH,
        [RIB_FILTERED_COMMUNITIES] = FABRIC_RULE_MAX_COMMUNITIES,
        [RIB_FILTERED_FIRST_AS] = FABRIC_RULE_FIRST_AS,
        [RIB_FILTERED_REFLECTION_LOOP] = FABRIC_RULE_REFLECTION_LOOP,
        [RIB_FILTERED_ROUTE_LEAK] = FABRIC_RULE_ROUTE_LEAK,
        [RIB_LOST_SHUTDOWN] = FABRIC_RULE_GRACEFUL_SHUTDOWN,
        [RIB_LOST_WEIGHT] = FABRIC_RULE_WEIGHT,
        [RIB_LOST_LOCAL_PREF] = FABRIC_RULE_LOCAL_PREFERENCE,
        [RIB_LOST_PREFERENCE] = FABRIC_RULE_HUB_ROUTING_PREFERENCE,
        [RIB_LOST_AS_PATH] = FABRIC_RULE_AS_PATH_LENGTH,
        [RIB_LOST_ORIGIN] = FABRIC_RULE_ORIGIN,
        [RIB_LOST_MED] = FABRIC_RULE_MED,
        [RIB_DUPLICATE_NEXT_HOP] = FABRIC_RULE_DUPLICATE_NEXT_HOP,
        [RIB_LOST_LIMIT] = FABRIC_RULE_ECMP_LIMIT,
        [RIB_LOST_STALE] = FABRIC_RULE_STALE,
    };
    *outcome = rules[verdict] && !rib_verdict_filtered(verdict) ? FABRIC_LOST : FABRIC_FILTERED;
    return rules[verdict];
}

static unsigned programming_instance(const struct explaining *explaining)
{
    const struct fabric_view *view = explaining->view;
    const struct fabric_bgp *bgp = explaining->bgp;
    unsigned own = view->instance - 1;
    return bgp->instance_for ? bgp->instance_for(bgp->context, view->route_server, own) : own;
}

/* Which filter between route server and NIC keeps this chosen path out? NULL: none. In the order in
 * which the view asks. */
static const char *filter_rule(const struct explaining *explaining, const struct rib_path *path)
{
    const struct fabric_view *view = explaining->view;
    const struct lpm_prefix *prefix = &explaining->prefix;
    if (!view->propagation)
        return FABRIC_RULE_PROPAGATION_OFF;
    if (prefix->family == LPM_IPV6 && view->fabric->quirks.no_ipv6)
        return FABRIC_RULE_NO_IPV6;
    if (fabric_import_suppressed(view->fabric, view->vnet, prefix))
        return FABRIC_RULE_VNET_IMPORT_FILTER;
    if (fabric_view_keeps_out(view, prefix))
        return FABRIC_RULE_SERVICE_ENDPOINT;
    if (fabric_view_keeps_own_out(view, explaining->bgp, prefix))
        return FABRIC_RULE_OWN_ANNOUNCEMENT;
    if (view->subnet != FABRIC_NONE &&
        fabric_import_rejected(view->fabric, view->subnet, prefix, path))
        return FABRIC_RULE_SUBNET_IMPORT_FILTER;
    if (view->instance != 0 && path->peer &&
        speaker_peer_config(path->peer)->instance != programming_instance(explaining))
        return FABRIC_RULE_HALF_PROGRAMMING;
    return NULL;
}

static const char *via_of(const struct explaining *explaining, const struct rib_path *path)
{
    if (path->peer)
        return speaker_peer_config(path->peer)->name;
    return explaining->view->fabric->route_servers[explaining->view->route_server].name;
}

static int explain_path(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    struct explaining *explaining = context;
    struct fabric_candidate *candidate = add(explaining);
    if (!candidate)
        return -ENOMEM;
    bool own = path->source == RIB_SOURCE_LOCAL;
    explaining->explanation->paths[explaining->explanation->n - 1] = *path;
    candidate->source = FABRIC_SOURCE_BGP;
    candidate->via = via_of(explaining, path);
    candidate->row = (struct fabric_row){.prefix = explaining->prefix,
                                         .source = FABRIC_SOURCE_BGP,
                                         .type = FABRIC_VIRTUAL_NETWORK_GATEWAY,
                                         .vnet = FABRIC_NONE,
                                         .next_hop_count = own ? 0 : 1,
                                         .next_hops = {path->next_hop}};
    /* Not for NICs, whatever else stands there: the fabric has system routes for it. */
    candidate->verdict = FABRIC_FILTERED;
    candidate->rule = own ? FABRIC_RULE_ORIGINATED : server_rule(verdict, &candidate->verdict);
    if (!candidate->rule)
        candidate->rule = filter_rule(explaining, path);
    if (!candidate->rule)
        decide_by_class(explaining, candidate);
    return 0;
}

static bool stands(const struct explaining *explaining, const struct rib_path *path)
{
    for (unsigned i = 0; i < explaining->standing.n; i++)
        if (lpm_address_equal(&explaining->standing.paths[i].next_hop, &path->next_hop))
            return true;
    return false;
}

/* Of a prefix that waits: what it waits for has lost for now, and what stands has been told. */
static int explain_waiting(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    struct explaining *explaining = context;
    if (!rib_verdict_filtered(verdict) && stands(explaining, path))
        return 0;
    int error = explain_path(explaining, path, verdict);
    struct fabric_explanation *explanation = explaining->explanation;
    if (!error && verdict == RIB_CHOSEN && path->source != RIB_SOURCE_LOCAL) {
        explanation->candidates[explanation->n - 1].verdict = FABRIC_LOST;
        explanation->candidates[explanation->n - 1].rule = explaining->waits;
    }
    return error;
}

/* These are as they were chosen; the route server may not even have them any more. */
static int explain_standing(struct explaining *explaining)
{
    int error = 0;
    if (!fabric_view_choice(explaining->view, explaining->bgp, &explaining->prefix,
                            &explaining->standing))
        explaining->standing.n = 0;
    for (unsigned i = 0; i < explaining->standing.n && !error; i++)
        error = explain_path(explaining, &explaining->standing.paths[i], RIB_CHOSEN);
    return error;
}

static int explain_bgp(struct explaining *explaining)
{
    const struct fabric_bgp *bgp = explaining->bgp;
    uint32_t server = explaining->view->route_server;
    if (server == FABRIC_NONE)
        return 0;
    explaining->waits = bgp->waits ? bgp->waits(bgp->context, server, &explaining->prefix) : NULL;
    if (explaining->waits && bgp->each_candidate) {
        int failed = explain_standing(explaining);
        return failed ? failed
                      : bgp->each_candidate(bgp->context, server, &explaining->prefix,
                                            explain_waiting, explaining);
    }
    if (bgp->each_candidate)
        return bgp->each_candidate(bgp->context, server, &explaining->prefix, explain_path,
                                   explaining);
    struct rib_choice choice;
    if (!bgp->choice(bgp->context, server, &explaining->prefix, &choice))
        return 0;
    int error = 0;
    for (unsigned i = 0; i < choice.n && !error; i++)
        error = explain_path(explaining, &choice.paths[i], RIB_CHOSEN);
    return error;
}

/* --- System ----------------------------------------------------------------------------------- */

static void decide_system(const struct explaining *explaining,
                          const struct fabric_system_route *route,
                          struct fabric_candidate *candidate)
{
    const struct fabric_row *row = row_of(explaining, FABRIC_SOURCE_DEFAULT);
    candidate->verdict = FABRIC_FILTERED;
    if (route->rule) {
        candidate->rule = route->rule;
    } else if (row && row->type == route->type && row->vnet == route->vnet) {
        decide_by_class(explaining, candidate);
    } else if (!row) {
        candidate->rule = FABRIC_RULE_DEFAULT_OVERRIDDEN;
    } else {
        candidate->verdict = FABRIC_LOST;
        candidate->rule = FABRIC_RULE_SYSTEM_ORDER;
    }
}

static int explain_system_route(void *context, const struct fabric_system_route *route)
{
    struct explaining *explaining = context;
    if (!lpm_prefix_equal(&route->prefix, &explaining->prefix))
        return 0;
    struct fabric_candidate *candidate = add(explaining);
    if (!candidate)
        return -ENOMEM;
    candidate->source = FABRIC_SOURCE_DEFAULT;
    candidate->via = route->via;
    candidate->row.source = FABRIC_SOURCE_DEFAULT;
    candidate->row.type = route->type;
    candidate->row.vnet = route->vnet;
    decide_system(explaining, route, candidate);
    return 0;
}

/* --- All -------------------------------------------------------------------------------------- */

/* Arrays have stopped moving: now the candidates can point into paths. */
static void link_paths(struct fabric_explanation *explanation)
{
    for (size_t i = 0; i < explanation->n; i++)
        if (explanation->candidates[i].source == FABRIC_SOURCE_BGP)
            explanation->candidates[i].path = &explanation->paths[i];
}

int fabric_explain(const struct fabric *fabric, const struct fabric_bgp *bgp,
                   const struct fabric_scope *scope, const struct lpm_prefix *prefix,
                   struct fabric_explanation *explanation)
{
    struct fabric_view view;
    *explanation = (struct fabric_explanation){0};
    int error = fabric_view_open(&view, fabric, scope);
    if (error)
        return error;
    struct explaining explaining = {
        .view = &view, .bgp = bgp, .prefix = *prefix, .explanation = explanation};
    explaining.row_count = fabric_view_rows_at(&view, bgp, prefix, explaining.rows);
    error = explain_user(&explaining);
    if (!error)
        error = explain_bgp(&explaining);
    if (!error)
        error = fabric_each_system_route(fabric, view.vnet, view.subnet, explain_system_route,
                                         &explaining);
    link_paths(explanation);
    fabric_view_close(&view);
    if (error)
        fabric_explanation_free(explanation);
    return error;
}

void fabric_explanation_free(struct fabric_explanation *explanation)
{
    free(explanation->candidates);
    free(explanation->paths);
    *explanation = (struct fabric_explanation){0};
}

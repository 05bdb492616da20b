/*
 * Making a view, and the questions about it that need no BGP.
 */
#include "engine/fabric/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- System routes ---------------------------------------------------------------------------- */

struct gathering {
    struct fabric_view *view;
    size_t capacity;
};

static int gather_system(void *context, const struct fabric_system_route *route)
{
    struct gathering *gathering = context;
    struct fabric_view *view = gathering->view;
    if (route->rule)
        return 0;
    if (view->system_count == gathering->capacity) {
        size_t capacity = gathering->capacity ? 2 * gathering->capacity : 16;
        void *grown = realloc(view->system, capacity * sizeof(*view->system));
        if (!grown)
            return -ENOMEM;
        view->system = grown;
        gathering->capacity = capacity;
    }
    view->system[view->system_count++] = *route;
    return 0;
}

static int compare_system(const void *a, const void *b)
{
    const struct fabric_system_route *left = a, *right = b;
    int order = lpm_prefix_compare(&left->prefix, &right->prefix);
    if (order != 0)
        return order;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return (left->vnet > right->vnet) - (left->vnet < right->vnet);
}

/* Keeps the first by rank of each prefix. */
static void sort_system(struct fabric_view *view)
{
    size_t kept = 0;
    qsort(view->system, view->system_count, sizeof(*view->system), compare_system);
    for (size_t i = 0; i < view->system_count; i++)
        if (i == 0 || !lpm_prefix_equal(&view->system[i].prefix, &view->system[kept - 1].prefix))
            view->system[kept++] = view->system[i];
    view->system_count = kept;
}

static int open_system(struct fabric_view *view)
{
    struct gathering gathering = {.view = view};
    int error =
        fabric_each_system_route(view->fabric, view->vnet, view->subnet, gather_system, &gathering);
    if (!error)
        sort_system(view);
    return error;
}

/* Spaces and service endpoints are what BGP may not override. The prefix order puts a covering
 * prefix before what it covers, so comparing with the last one kept is enough. */
static int open_kept_out(struct fabric_view *view)
{
    view->kept_out = calloc(view->system_count + 1, sizeof(*view->kept_out));
    if (!view->kept_out)
        return -ENOMEM;
    for (size_t i = 0; i < view->system_count; i++) {
        const struct fabric_system_route *route = &view->system[i];
        if (route->kind > FABRIC_SYSTEM_SERVICE)
            continue;
        size_t n = view->kept_out_count;
        if (n == 0 || !lpm_prefix_covers(&view->kept_out[n - 1], &route->prefix))
            view->kept_out[view->kept_out_count++] = route->prefix;
    }
    return 0;
}

/* --- The scope's own router ------------------------------------------------------------------- */

static int own_add(struct fabric_view *view, uint32_t nic)
{
    const struct fabric_addresses *addresses = &view->fabric->nics[nic].addresses;
    if (addresses->n == 0)
        return 0;
    void *grown = realloc(view->own, (view->own_count + addresses->n) * sizeof(*view->own));
    if (!grown)
        return -ENOMEM;
    view->own = grown;
    memcpy(&view->own[view->own_count], addresses->items, addresses->n * sizeof(*view->own));
    view->own_count += addresses->n;
    return 0;
}

/* Instances of one gateway announce alike. */
static int open_own_nic(struct fabric_view *view, uint32_t nic)
{
    uint32_t index = fabric_nic_gateway(view->fabric, nic);
    if (index == FABRIC_NONE)
        return own_add(view, nic);
    const struct fabric_gateway *gateway = &view->fabric->gateways[index];
    int error = 0;
    view->own_is_gateway = true;
    for (uint32_t i = 0; i < gateway->addresses.n && !error; i++)
        error = own_add(view, gateway->first_nic + i);
    return error;
}

static int open_own(struct fabric_view *view, const struct fabric_scope *scope)
{
    if (scope->router == FABRIC_NONE && scope->nic == FABRIC_NONE)
        return 0;
    if (scope->router == FABRIC_NONE)
        return open_own_nic(view, scope->nic);
    const struct fabric_router *router = &view->fabric->routers[scope->router];
    int error = 0;
    for (uint32_t i = 0; i < router->nic_count && !error; i++)
        error = own_add(view, router->nics[i]);
    return error;
}

/* --- Life ------------------------------------------------------------------------------------- */

int fabric_view_open_plain(struct fabric_view *view, const struct fabric *fabric, uint32_t vnet)
{
    *view = (struct fabric_view){
        .fabric = fabric,
        .vnet = vnet,
        .subnet = FABRIC_NONE,
        .route_server = fabric_route_server_for(fabric, vnet),
        .propagation = true,
    };
    int error = open_system(view);
    if (!error)
        error = open_kept_out(view);
    if (error)
        fabric_view_close(view);
    return error;
}

/* Of the plain view's, those that hang on no VNet's space. */
static int open_shared_system(struct fabric_view *view)
{
    const struct fabric_prefixes *reserved = &view->fabric->reserved;
    view->system = calloc((size_t)reserved->n + 1, sizeof(*view->system));
    if (!view->system)
        return -ENOMEM;
    view->system[view->system_count++] =
        (struct fabric_system_route){.prefix = fabric_default_prefix(LPM_IPV4),
                                     .kind = FABRIC_SYSTEM_INTERNET,
                                     .type = FABRIC_INTERNET,
                                     .vnet = FABRIC_NONE,
                                     .via = "internet"};
    for (uint32_t i = 0; i < reserved->n; i++)
        view->system[view->system_count++] =
            (struct fabric_system_route){.prefix = reserved->items[i],
                                         .kind = FABRIC_SYSTEM_RESERVED,
                                         .type = FABRIC_NULL,
                                         .vnet = FABRIC_NONE,
                                         .via = "reserved"};
    sort_system(view);
    return 0;
}

int fabric_view_open_shared(struct fabric_view *view, const struct fabric *fabric,
                            uint32_t route_server, uint32_t instance, uint32_t vnet)
{
    *view = (struct fabric_view){
        .fabric = fabric,
        .vnet = vnet,
        .subnet = FABRIC_NONE,
        .route_server = route_server,
        .instance = instance,
        .propagation = true,
    };
    int error = open_shared_system(view);
    if (error)
        fabric_view_close(view);
    return error;
}

int fabric_view_open(struct fabric_view *view, const struct fabric *fabric,
                     const struct fabric_scope *scope)
{
    const struct fabric_subnet *subnet = &fabric->subnets[scope->subnet];
    *view = (struct fabric_view){
        .fabric = fabric,
        .vnet = subnet->vnet,
        .subnet = scope->subnet,
        .route_server = fabric_route_server_for(fabric, subnet->vnet),
        .instance = scope->instance,
        .propagation = true,
    };
    if (subnet->route_table != FABRIC_NONE) {
        view->table = &fabric->route_tables[subnet->route_table];
        view->propagation = view->table->bgp_propagation;
    }
    int error = open_system(view);
    if (!error)
        error = open_kept_out(view);
    if (!error)
        error = open_own(view, scope);
    if (error)
        fabric_view_close(view);
    return error;
}

void fabric_view_close(struct fabric_view *view)
{
    free(view->system);
    free(view->kept_out);
    free(view->own);
    *view = (struct fabric_view){.vnet = FABRIC_NONE};
}

/* --- Questions -------------------------------------------------------------------------------- */

static int compare_to_user_route(const void *key, const void *element)
{
    const struct fabric_udr *route = element;
    return lpm_prefix_compare(key, &route->prefix);
}

const struct fabric_udr *fabric_view_user_route(const struct fabric_view *view,
                                                const struct lpm_prefix *prefix)
{
    if (!view->table || view->table->route_count == 0)
        return NULL;
    return bsearch(prefix, view->table->routes, view->table->route_count,
                   sizeof(*view->table->routes), compare_to_user_route);
}

/* Which nothing overrides. */
static bool is_inside_service(const struct fabric_view *view, const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < view->system_count; i++)
        if (view->system[i].kind == FABRIC_SYSTEM_SERVICE &&
            lpm_prefix_covers(&view->system[i].prefix, prefix))
            return true;
    return false;
}

bool fabric_view_keeps_out(const struct fabric_view *view, const struct lpm_prefix *prefix)
{
    /* Only the last one at or before prefix can cover it: none of them covers another. */
    size_t low = 0, high = view->kept_out_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lpm_prefix_compare(&view->kept_out[middle], prefix) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || !lpm_prefix_covers(&view->kept_out[low - 1], prefix))
        return false;
    return !fabric_bgp_overrides(view->fabric, view->vnet, prefix) ||
           is_inside_service(view, prefix);
}

bool fabric_view_filters_paths(const struct fabric_view *view)
{
    if (view->subnet == FABRIC_NONE)
        return false;
    const struct fabric_subnet *subnet = &view->fabric->subnets[view->subnet];
    return subnet->reject_express_route || subnet->reject_vpn || subnet->reject_nva ||
           subnet->reject_communities.n > 0 || subnet->reject_prefixes.n > 0;
}

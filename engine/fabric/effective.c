/*
 * Rows: the three classes at one prefix, and the list of all.
 *
 * The order in struct fabric_row rows[3] is that of precedence (User, BGP, System), so the first
 * one found is Active and the others are Invalid.
 */
#include "engine/fabric/effective.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/view.h"

/* --- Scope ------------------------------------------------------------------------------------ */

static bool strings_equal(const struct fabric_strings *a, const struct fabric_strings *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

/* Do NICs of the two subnets, of one VNet, have equal rows? */
static bool subnets_alike(const struct fabric_subnet *a, const struct fabric_subnet *b)
{
    return a->route_table == b->route_table && a->reject_express_route == b->reject_express_route &&
           a->reject_vpn == b->reject_vpn && a->reject_nva == b->reject_nva &&
           strings_equal(&a->service_endpoints, &b->service_endpoints) &&
           strings_equal(&a->reject_communities, &b->reject_communities) &&
           strings_equal(&a->reject_prefixes, &b->reject_prefixes);
}

/* Subnets that decide alike are one scope: the first of them in the VNet stands for all. */
static uint32_t first_alike(const struct fabric *fabric, uint32_t subnet)
{
    const struct fabric_vnet *vnet = &fabric->vnets[fabric->subnets[subnet].vnet];
    uint32_t first = vnet->first_subnet;
    while (first < subnet && !subnets_alike(&fabric->subnets[first], &fabric->subnets[subnet]))
        first++;
    return first;
}

static bool is_peer_address(const struct fabric_route_server *server,
                            const struct lpm_address *address)
{
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (lpm_address_equal(&server->peers[i].address, address))
            return true;
    for (uint32_t i = 0; i < server->dynamic_peer_count; i++)
        if (lpm_prefix_contains(&server->dynamic_peers[i].prefix, address))
            return true;
    return false;
}

/* A NIC that speaks BGP with the route server of its own rows, whether or not the file says what
 * box is behind it. */
static bool is_peer(const struct fabric *fabric, const struct fabric_nic *nic)
{
    uint32_t server = fabric_route_server_for(fabric, nic->vnet);
    for (uint32_t i = 0; server != FABRIC_NONE && i < nic->addresses.n; i++)
        if (is_peer_address(&fabric->route_servers[server], &nic->addresses.items[i]))
            return true;
    return false;
}

/* NICs take turns, in the order of their names. */
static uint32_t programmed_by(const struct fabric *fabric, uint32_t nic)
{
    uint32_t server = fabric_route_server_for(fabric, fabric->nics[nic].vnet);
    if (!fabric->quirks.half_programming || server == FABRIC_NONE ||
        fabric->route_servers[server].instance_count < 2)
        return 0;
    return 1 + nic % fabric->route_servers[server].instance_count;
}

struct fabric_scope fabric_scope_of(const struct fabric *fabric, uint32_t nic)
{
    const struct fabric_nic *model = &fabric->nics[nic];
    struct fabric_scope scope = {
        .subnet = first_alike(fabric, model->subnet),
        .router = FABRIC_NONE,
        .nic = FABRIC_NONE,
        .instance = programmed_by(fabric, nic),
    };
    /* A gateway that followed its own announcement would send to itself, whatever the mode. */
    if (fabric_nic_gateway(fabric, nic) != FABRIC_NONE)
        scope.nic = nic;
    if (fabric->quirks.own_route_to_originator || scope.nic != FABRIC_NONE)
        return scope;
    scope.router = model->router;
    if (model->router == FABRIC_NONE && is_peer(fabric, model))
        scope.nic = nic;
    return scope;
}

/* --- Rows at one prefix ----------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
    return lpm_address_compare(a, b);
}

/* The VPN gateway that the VNet uses; none beside an ExpressRoute gateway, and none in the gateway's own
 * subnet. Without one the packets are dropped. */
static void take_gateway(const struct fabric_view *view, struct fabric_row *row)
{
    const struct fabric *fabric = view->fabric;
    const struct fabric_gateway *vpn = NULL;
    for (uint32_t i = 0; view->route_server != FABRIC_NONE && i < fabric->gateways_count; i++) {
        const struct fabric_gateway *gateway = &fabric->gateways[i];
        if (gateway->vnet != fabric->route_servers[view->route_server].vnet)
            continue;
        if (!gateway->vpn)
            return;
        vpn = gateway;
    }
    for (uint32_t i = 0; vpn && i < vpn->addresses.n; i++)
        if (vpn->addresses.items[i].family == row->prefix.family)
            row->next_hops[row->next_hop_count++] = vpn->addresses.items[i];
    qsort(row->next_hops, row->next_hop_count, sizeof(*row->next_hops), compare_addresses);
}

static bool user_row(const struct fabric_view *view, const struct lpm_prefix *prefix,
                     struct fabric_row *row)
{
    const struct fabric_udr *route = fabric_view_user_route(view, prefix);
    if (!route)
        return false;
    *row = (struct fabric_row){
        .prefix = *prefix,
        .source = FABRIC_SOURCE_USER,
        .type = route->type,
        .vnet = route->type == FABRIC_VNET_LOCAL ? view->vnet : FABRIC_NONE,
    };
    if (route->type == FABRIC_VIRTUAL_APPLIANCE) {
        row->next_hops[0] = route->next_hop;
        row->next_hop_count = 1;
    } else if (route->type == FABRIC_VIRTUAL_NETWORK_GATEWAY) {
        take_gateway(view, row);
    }
    return true;
}

bool fabric_view_owns(const struct fabric_view *view, const struct lpm_address *address)
{
    for (size_t i = 0; i < view->own_count; i++)
        if (lpm_address_equal(&view->own[i], address))
            return true;
    return false;
}

struct own_search {
    const struct fabric_view *view;
};

static int find_own(void *context, const struct lpm_address *address)
{
    const struct own_search *search = context;
    return fabric_view_owns(search->view, address);
}

bool fabric_view_announces(const struct fabric_view *view, const struct fabric_bgp *bgp,
                           const struct lpm_prefix *prefix)
{
    struct own_search search = {view};
    return view->route_server != FABRIC_NONE && view->own_count > 0 &&
           bgp->each_announcer(bgp->context, view->route_server, prefix, find_own, &search) != 0;
}

static int compare_paths(const void *a, const void *b)
{
    const struct rib_path *const *left = a, *const *right = b;
    return lpm_address_compare(&(*left)->next_hop, &(*right)->next_hop);
}

/* What a route server originates itself is the address space of VNets: those that the NIC reaches
 * are system rows, the others are not reached through the route server, which forwards nothing. */
static bool usable(const struct fabric_view *view, const struct lpm_prefix *prefix,
                   const struct rib_path *path)
{
    return path->source != RIB_SOURCE_LOCAL &&
           (view->subnet == FABRIC_NONE ||
            !fabric_import_rejected(view->fabric, view->subnet, prefix, path));
}

/* Shares in proportion to bandwidth, the largest WEIGHT_MAX: fine enough for a percent, and a set keeps its
 * group while the smallest digits of bandwidths move. Where one path says none, all count alike. */
#define WEIGHT_MAX 256
static void take_weights(const struct rib_path *const *paths, unsigned n, struct fabric_row *row)
{
    float most = 0;
    for (unsigned i = 0; i < n; i++) {
        if (paths[i]->bandwidth <= 0)
            return;
        most = paths[i]->bandwidth > most ? paths[i]->bandwidth : most;
    }
    for (unsigned i = 0; i < n; i++) {
        float share = paths[i]->bandwidth / most * WEIGHT_MAX;
        row->weights[i] = share < 1 ? 1 : (uint16_t)(share + 0.5f);
    }
}

/* One neighbour that wants packets dropped is enough: the others would bring it what it cannot bear. */
static void take_next_hops(const struct fabric_view *view, const struct rib_choice *choice,
                           struct fabric_row *row)
{
    const struct rib_path *paths[RIB_ECMP_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < choice->n; i++)
        if (usable(view, &row->prefix, &choice->paths[i])) {
            if (choice->paths[i].discard)
                row->type = FABRIC_NULL;
            paths[n++] = &choice->paths[i];
        }
    qsort(paths, n, sizeof(*paths), compare_paths);
    row->next_hop_count = n;
    for (unsigned i = 0; i < n; i++)
        row->next_hops[i] = paths[i]->next_hop;
    if (n > 1)
        take_weights(paths, n, row);
}

bool fabric_view_choice(const struct fabric_view *view, const struct fabric_bgp *bgp,
                        const struct lpm_prefix *prefix, struct rib_choice *choice)
{
    if (view->instance == 0 || !bgp->instance_choice)
        return bgp->choice(bgp->context, view->route_server, prefix, choice);
    return bgp->instance_choice(bgp->context, view->route_server, view->instance - 1, prefix,
                                choice);
}

/* Two appliances that announce the same would hand packets to and fro. A gateway's route that was chosen before
 * what the scope's own router says is for that router too: it may do no more than pass the route on. */
static bool keeps_own_out(const struct fabric_view *view, const struct fabric_bgp *bgp,
                          const struct lpm_prefix *prefix, const struct rib_choice *choice)
{
    if (!fabric_view_announces(view, bgp, prefix))
        return false;
    for (unsigned i = 0; i < choice->n; i++)
        if (choice->paths[i].source == RIB_SOURCE_NVA ||
            fabric_view_owns(view, &choice->paths[i].next_hop))
            return true;
    return view->own_is_gateway;
}

bool fabric_view_keeps_own_out(const struct fabric_view *view, const struct fabric_bgp *bgp,
                               const struct lpm_prefix *prefix)
{
    struct rib_choice choice;
    return view->route_server != FABRIC_NONE && fabric_view_choice(view, bgp, prefix, &choice) &&
           keeps_own_out(view, bgp, prefix, &choice);
}

static bool bgp_row(const struct fabric_view *view, const struct fabric_bgp *bgp,
                    const struct lpm_prefix *prefix, struct fabric_row *row)
{
    struct rib_choice choice;
    if (view->route_server == FABRIC_NONE || !view->propagation)
        return false;
    if (prefix->family == LPM_IPV6 && view->fabric->quirks.no_ipv6)
        return false;
    if (fabric_view_keeps_out(view, prefix))
        return false;
    if (!fabric_view_choice(view, bgp, prefix, &choice))
        return false;
    if (keeps_own_out(view, bgp, prefix, &choice))
        return false;
    *row = (struct fabric_row){
        .prefix = *prefix,
        .source = FABRIC_SOURCE_BGP,
        .type = FABRIC_VIRTUAL_NETWORK_GATEWAY,
        .vnet = FABRIC_NONE,
    };
    take_next_hops(view, &choice, row);
    if (row->next_hop_count == 0)
        return false;
    if (row->type == FABRIC_NULL)
        row->next_hop_count = 0;
    return true;
}

bool fabric_view_default_overridden(const struct fabric_view *view, const struct fabric_bgp *bgp,
                                    uint8_t family)
{
    struct fabric_row row;
    struct lpm_prefix any = fabric_default_prefix(family);
    return fabric_view_user_route(view, &any) || bgp_row(view, bgp, &any, &row);
}

static int compare_to_system(const void *key, const void *element)
{
    const struct fabric_system_route *route = element;
    return lpm_prefix_compare(key, &route->prefix);
}

static bool system_row(const struct fabric_view *view, const struct fabric_bgp *bgp,
                       const struct lpm_prefix *prefix, struct fabric_row *row)
{
    if (view->system_count == 0)
        return false;
    const struct fabric_system_route *route =
        bsearch(prefix, view->system, view->system_count, sizeof(*view->system), compare_to_system);
    if (!route)
        return false;
    if (route->kind == FABRIC_SYSTEM_RESERVED &&
        fabric_view_default_overridden(view, bgp, prefix->family))
        return false;
    *row = (struct fabric_row){
        .prefix = *prefix,
        .source = FABRIC_SOURCE_DEFAULT,
        .type = route->type,
        .vnet = route->vnet,
    };
    return true;
}

unsigned fabric_view_rows_at(const struct fabric_view *view, const struct fabric_bgp *bgp,
                             const struct lpm_prefix *prefix, struct fabric_row rows[3])
{
    unsigned n = 0;
    n += user_row(view, prefix, &rows[n]);
    n += bgp_row(view, bgp, prefix, &rows[n]);
    n += system_row(view, bgp, prefix, &rows[n]);
    if (n > 0)
        rows[0].active = true;
    return n;
}

unsigned fabric_rows_at(const struct fabric *fabric, const struct fabric_bgp *bgp,
                        const struct fabric_scope *scope, const struct lpm_prefix *prefix,
                        struct fabric_row rows[3])
{
    struct fabric_view view;
    if (fabric_view_open(&view, fabric, scope) != 0)
        return 0;
    unsigned n = fabric_view_rows_at(&view, bgp, prefix, rows);
    fabric_view_close(&view);
    return n;
}

/* --- All rows --------------------------------------------------------------------------------- */

/* Every prefix at which there may be a row, in any order, with duplicates. */
struct prefix_list {
    struct lpm_prefix *items;
    size_t n, capacity;
};

static int list_add(struct prefix_list *list, const struct lpm_prefix *prefix)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        void *grown = realloc(list->items, capacity * sizeof(*list->items));
        if (!grown)
            return -ENOMEM;
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->n++] = *prefix;
    return 0;
}

static int list_bgp(void *context, const struct lpm_prefix *prefix, const struct rib_choice *choice)
{
    (void)choice;
    return list_add(context, prefix);
}

static int list_candidates(const struct fabric_view *view, const struct fabric_bgp *bgp,
                           struct prefix_list *list)
{
    int error = 0;
    for (size_t i = 0; i < view->system_count && !error; i++)
        error = list_add(list, &view->system[i].prefix);
    for (uint32_t i = 0; view->table && i < view->table->route_count && !error; i++)
        error = list_add(list, &view->table->routes[i].prefix);
    if (!error && view->route_server != FABRIC_NONE && view->propagation)
        error = bgp->each(bgp->context, view->route_server, list_bgp, list);
    return error;
}

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static int reserve_rows(struct fabric_row **rows, size_t n, size_t *capacity)
{
    if (n + 3 <= *capacity)
        return 0;
    size_t wanted = *capacity ? 2 * *capacity : 32;
    void *grown = realloc(*rows, wanted * sizeof(**rows));
    if (!grown)
        return -ENOMEM;
    *rows = grown;
    *capacity = wanted;
    return 0;
}

int fabric_view_rows(const struct fabric_view *view, const struct fabric_bgp *bgp,
                     struct fabric_row **rows, size_t *n)
{
    struct prefix_list list = {0};
    size_t capacity = 0;
    *rows = NULL;
    *n = 0;
    int error = list_candidates(view, bgp, &list);
    if (error)
        goto cleanup;
    qsort(list.items, list.n, sizeof(*list.items), compare_prefixes);
    for (size_t i = 0; i < list.n; i++) {
        if (i > 0 && lpm_prefix_equal(&list.items[i], &list.items[i - 1]))
            continue;
        error = reserve_rows(rows, *n, &capacity);
        if (error)
            goto cleanup;
        *n += fabric_view_rows_at(view, bgp, &list.items[i], *rows + *n);
    }
cleanup:
    free(list.items);
    if (error) {
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return error;
}

int fabric_rows(const struct fabric *fabric, const struct fabric_bgp *bgp,
                const struct fabric_scope *scope, struct fabric_row **rows, size_t *n)
{
    struct fabric_view view;
    int error = fabric_view_open(&view, fabric, scope);
    if (error)
        return error;
    error = fabric_view_rows(&view, bgp, rows, n);
    fabric_view_close(&view);
    return error;
}

void fabric_dependents(const struct fabric *fabric, const struct lpm_prefix *prefix,
                       void (*visit)(void *context, const struct lpm_prefix *prefix), void *context)
{
    visit(context, prefix);
    for (uint32_t i = 0; prefix->length == 0 && i < fabric->reserved.n; i++)
        if (fabric->reserved.items[i].family == prefix->family &&
            fabric->reserved.items[i].length > 0)
            visit(context, &fabric->reserved.items[i]);
}

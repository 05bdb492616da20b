/*
 * A view: one scope made ready for questions. What the model says about it (system routes, route
 * table, what BGP may not bring in) is gathered and sorted once, so that the rows at a prefix cost
 * a few binary searches and one question to BGP, however many peerings the VNet has. Used within
 * this room and by the program step, which asks for every changed prefix.
 *
 *   struct fabric_view
 *     system[]     one system route a prefix, in prefix order; reserved ones among them
 *     kept_out[]   no BGP route equal to or inside one of these; in prefix order, none inside
 * another table        the user's routes, in prefix order own[]        addresses under which the
 * scope's own router speaks BGP
 *
 * The model does not change under a view, so a view never goes stale; BGP is asked each time.
 */
#ifndef ENGINE_FABRIC_VIEW_H
#define ENGINE_FABRIC_VIEW_H

#include "engine/fabric/effective.h"
#include "engine/fabric/system.h"

struct fabric_view {
    const struct fabric *fabric;
    uint32_t vnet;
    uint32_t subnet;                        /* FABRIC_NONE: the plain view */
    uint32_t route_server;                  /* or FABRIC_NONE */
    const struct fabric_route_table *table; /* or NULL */
    uint32_t instance;                      /* as in struct fabric_scope */
    bool propagation;
    struct fabric_system_route *system;
    size_t system_count;
    struct lpm_prefix *kept_out;
    size_t kept_out_count;
    struct lpm_address *own;
    size_t own_count;
    bool own_is_gateway;
};

/* The view of a scope. 0 or -ENOMEM. */
int fabric_view_open(struct fabric_view *view, const struct fabric *fabric,
                     const struct fabric_scope *scope);
/* The plain view of a VNet: that of a subnet with no route table, service endpoint, import filter
 * or router in it. */
int fabric_view_open_plain(struct fabric_view *view, const struct fabric *fabric, uint32_t vnet);
/* What the scopes have in common that follow a route server (FABRIC_NONE: none), and, where it is
 * not 0, one instance of it (struct fabric_scope), whatever their VNet: BGP's rows,
 * the Internet and the reserved prefixes, without any address space. vnet is the one that next hops are seen from. */
int fabric_view_open_shared(struct fabric_view *view, const struct fabric *fabric,
                            uint32_t route_server, uint32_t instance, uint32_t vnet);
void fabric_view_close(struct fabric_view *view);

/* As fabric_rows_at() and fabric_rows(). */
unsigned fabric_view_rows_at(const struct fabric_view *view, const struct fabric_bgp *bgp,
                             const struct lpm_prefix *prefix, struct fabric_row rows[3]);
int fabric_view_rows(const struct fabric_view *view, const struct fabric_bgp *bgp,
                     struct fabric_row **rows, size_t *n);

/* May a BGP row be missing or other here than in another view of the VNet because of the subnet's import filter? The
 * other reason that no prefix tells is the scope's own router: own_count, fabric_view_announces(). */
bool fabric_view_filters_paths(const struct fabric_view *view);
/* Is prefix equal to or inside something that BGP may not override here? */
bool fabric_view_keeps_out(const struct fabric_view *view, const struct lpm_prefix *prefix);
/* The ECMP set that the view's NICs follow: of the instance that programs them. */
bool fabric_view_choice(const struct fabric_view *view, const struct fabric_bgp *bgp,
                        const struct lpm_prefix *prefix, struct rib_choice *choice);
/* Is it an address under which the scope's own router speaks BGP? */
bool fabric_view_owns(const struct fabric_view *view, const struct lpm_address *address);
/* Does the scope's own router announce prefix to the route server? */
bool fabric_view_announces(const struct fabric_view *view, const struct fabric_bgp *bgp,
                           const struct lpm_prefix *prefix);
/* Is BGP's row at prefix kept out of the scope because its own router announces the prefix? */
bool fabric_view_keeps_own_out(const struct fabric_view *view, const struct fabric_bgp *bgp,
                               const struct lpm_prefix *prefix);
/* Is the active default route of the family another than the system's? */
bool fabric_view_default_overridden(const struct fabric_view *view, const struct fabric_bgp *bgp,
                                    uint8_t family);
/* The user's route to exactly prefix, or NULL. */
const struct fabric_udr *fabric_view_user_route(const struct fabric_view *view,
                                                const struct lpm_prefix *prefix);

#endif

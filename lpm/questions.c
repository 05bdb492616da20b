/*
 * Questions about a FIB: which prefix decides, what is there, how much is it.
 */
#include "lpm/core.h"

#include <string.h>

static uint32_t table_routes(const struct lpm_table *table)
{
    return atomic_load_explicit(&table->routes, memory_order_acquire);
}

struct lpm_view lpm_view_of(const struct lpm_fib *fib)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    uint32_t fallback = atomic_load_explicit(&layer->table->fallback, memory_order_acquire);

    return (struct lpm_view){
        .layer = layer,
        .window = layer->table->window,
        .overs = lpm_layer_overs(layer),
        .routes = table_routes(layer->table),
        .fallback = layer->fallback == LPM_ENTRY_INHERIT ? fallback : layer->fallback,
    };
}

static uint32_t view_get(const struct lpm_view *view, lpm_key key, unsigned length)
{
    struct lpm_over over;

    if (length == 0)
        return view->fallback;
    if (lpm_overs_get(&view->overs, key, length, &over))
        return over.leaf;
    return lpm_routes_get(view->window, view->routes, key, length);
}

static struct lpm_route make_route(enum lpm_family family, lpm_key key, unsigned length,
                                   uint32_t leaf)
{
    struct lpm_route route = {
        .prefix = {.family = (uint8_t)family, .length = (uint8_t)length},
        .leaf = leaf,
    };

    lpm_key_bytes(key, route.prefix.bytes);
    return route;
}

/* The longest prefix that base and overrides show, shorter than below. A removal sends the search on
 * to shorter ones: at most as often as there are lengths. */
static uint32_t longest(const struct lpm_view *view, lpm_key key, unsigned below, unsigned *length)
{
    for (;;) {
        lpm_key cut = below > 128 ? key : lpm_key_cut(key, below);
        struct lpm_over over;
        unsigned base_length = 0;
        uint32_t leaf = lpm_routes_longest(view->window, view->routes, key, below, &base_length);
        bool has = lpm_overs_longest(&view->overs, cut, below, &over);

        if (!has || base_length > over.length) {
            *length = base_length;
            return leaf;
        }
        *length = over.length;
        if (over.leaf != LPM_NO_ROUTE)
            return over.leaf;
        below = over.length;
    }
}

bool lpm_explain(const struct lpm_fib *fib, const struct lpm_address *address,
                 struct lpm_route *route)
{
    struct lpm_view view = lpm_view_of(fib);
    lpm_key key = lpm_key_of(address->bytes);
    unsigned length = 0;
    uint32_t leaf;

    if (address->family != fib->family)
        return false;
    leaf = longest(&view, key, 129, &length);
    if (leaf == LPM_NO_ROUTE) {
        leaf = view.fallback;
        length = 0;
    }
    if (leaf == LPM_NO_ROUTE)
        return false;
    *route = make_route((enum lpm_family)fib->family, key, length, leaf);
    lpm_prefix_mask(&route->prefix);
    return true;
}

uint32_t lpm_get(const struct lpm_fib *fib, const struct lpm_prefix *prefix)
{
    struct lpm_view view = lpm_view_of(fib);

    if (prefix->family != fib->family ||
        prefix->length > lpm_family_bits((enum lpm_family)fib->family))
        return LPM_NO_ROUTE;
    return view_get(&view, lpm_key_of(prefix->bytes), prefix->length);
}

struct each {
    enum lpm_family family;
    struct lpm_overs overs;
    size_t next; /* of the overrides */
    int (*visit)(void *context, const struct lpm_route *route);
    void *context;
};

static int visit_one(const struct each *each, lpm_key key, unsigned length, uint32_t leaf)
{
    struct lpm_route route = make_route(each->family, key, length, leaf);

    return leaf ? each->visit(each->context, &route) : 0;
}

/* A route of the base, after the overrides that come before it; an override of this very prefix
 * stands in for it. */
static int visit_route(void *context, lpm_key key, unsigned length, uint32_t leaf)
{
    struct each *each = context;

    while (each->next < each->overs.count) {
        struct lpm_over over = lpm_over_at(&each->overs, each->next);
        int order = lpm_key_compare(over.key, over.length, key, length);
        int result;

        if (order > 0)
            break;
        each->next++;
        result = visit_one(each, over.key, over.length, over.leaf);
        if (result || order == 0)
            return result;
    }
    return visit_one(each, key, length, leaf);
}

int lpm_each(const struct lpm_fib *fib, int (*visit)(void *context, const struct lpm_route *route),
             void *context)
{
    struct lpm_view view = lpm_view_of(fib);
    struct each each = {.family = (enum lpm_family)fib->family,
                        .overs = view.overs,
                        .visit = visit,
                        .context = context};
    int result = visit_one(&each, 0, 0, view.fallback);

    if (result == 0)
        result = lpm_routes_each(view.window, view.routes, visit_route, &each);
    while (result == 0 && each.next < each.overs.count) {
        struct lpm_over over = lpm_over_at(&each.overs, each.next++);

        result = visit_one(&each, over.key, over.length, over.leaf);
    }
    return result;
}

enum lpm_family lpm_fib_family(const struct lpm_fib *fib)
{
    return (enum lpm_family)fib->family;
}

const struct lpm_fib *lpm_fib_base(const struct lpm_fib *fib)
{
    const struct lpm_fib *base = lpm_fib_layer(fib)->table->fib;

    return base == fib ? NULL : base;
}

/* Each override against the base: it adds a route, replaces one, hides one, or does nothing. */
size_t lpm_fib_routes(const struct lpm_fib *fib)
{
    struct lpm_view view = lpm_view_of(fib);
    const struct lpm_table *table = view.layer->table;
    bool below = atomic_load_explicit(&table->fallback, memory_order_relaxed) != 0;
    size_t count = table->count + (size_t)(view.fallback != 0) - below;

    for (size_t i = 0; i < view.overs.count; i++) {
        struct lpm_over over = lpm_over_at(&view.overs, i);

        below = lpm_routes_get(view.window, view.routes, over.key, over.length) != 0;
        count += (size_t)(over.leaf != LPM_NO_ROUTE) - below;
    }
    return count;
}

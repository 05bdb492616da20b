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
        .window = layer->window,
        .over = layer->over,
        .routes = table_routes(layer->table),
        .fallback = layer->fallback == LPM_ENTRY_INHERIT ? fallback : layer->fallback,
    };
}

static uint32_t view_get(const struct lpm_view *view, lpm_key key, unsigned length)
{
    uint32_t value;

    if (length == 0)
        return view->fallback;
    value = lpm_routes_get(view->window, view->over, key, length);
    if (value)
        return value == LPM_ROUTE_GONE ? LPM_NO_ROUTE : value;
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

static const struct lpm_routes_node *descend(const char *window, uint32_t *node, unsigned chunk)
{
    const struct lpm_routes_node *at = *node ? lpm_routes_at(window, *node) : NULL;

    *node = at ? lpm_routes_child(at, chunk) : 0;
    return at;
}

bool lpm_explain(const struct lpm_fib *fib, const struct lpm_address *address,
                 struct lpm_route *route)
{
    struct lpm_view view = lpm_view_of(fib);
    lpm_key key = lpm_key_of(address->bytes);
    uint32_t over = view.over;
    uint32_t routes = view.routes;
    uint32_t best = view.fallback;
    unsigned length = 0;

    if (address->family != fib->family)
        return false;
    for (unsigned depth = 0; (over || routes) && depth < 128; depth += LPM_STRIDE) {
        unsigned chunk = lpm_key_chunk(key, depth);
        const struct lpm_routes_node *above = descend(view.window, &over, chunk);
        const struct lpm_routes_node *below = descend(view.window, &routes, chunk);

        for (unsigned rest = 1; rest <= LPM_STRIDE; rest++) {
            unsigned number = (LPM_SLOTS | chunk) >> (LPM_STRIDE - rest);
            uint32_t value = lpm_routes_merged(below, above, number);

            if (value) {
                best = value;
                length = depth + rest;
            }
        }
    }
    if (best == LPM_NO_ROUTE)
        return false;
    *route = make_route(fib->family, key, length, best);
    lpm_prefix_mask(&route->prefix);
    return true;
}

uint32_t lpm_get(const struct lpm_fib *fib, const struct lpm_prefix *prefix)
{
    struct lpm_view view = lpm_view_of(fib);

    if (prefix->family != fib->family || prefix->length > lpm_family_bits(fib->family))
        return LPM_NO_ROUTE;
    return view_get(&view, lpm_key_of(prefix->bytes), prefix->length);
}

struct each {
    enum lpm_family family;
    int (*visit)(void *context, const struct lpm_route *route);
    void *context;
};

static int visit_one(void *context, lpm_key key, unsigned length, uint32_t value)
{
    const struct each *each = context;
    struct lpm_route route = make_route(each->family, key, length, value);

    return each->visit(each->context, &route);
}

int lpm_each(const struct lpm_fib *fib, int (*visit)(void *context, const struct lpm_route *route),
             void *context)
{
    struct lpm_view view = lpm_view_of(fib);
    struct each each = {.family = fib->family, .visit = visit, .context = context};
    int result = view.fallback ? visit_one(&each, 0, 0, view.fallback) : 0;

    if (result)
        return result;
    return lpm_routes_each(view.window, view.routes, view.over, visit_one, &each);
}

enum lpm_family lpm_fib_family(const struct lpm_fib *fib)
{
    return fib->family;
}

const struct lpm_fib *lpm_fib_base(const struct lpm_fib *fib)
{
    const struct lpm_fib *base = lpm_fib_layer(fib)->table->fib;

    return base == fib ? NULL : base;
}

struct tally {
    const struct lpm_view *view;
    size_t count;
};

/* Each override against the base: it adds a route, replaces one, hides one, or does nothing. */
static int tally_override(void *context, lpm_key key, unsigned length, uint32_t value)
{
    struct tally *tally = context;
    bool below = lpm_routes_get(tally->view->window, tally->view->routes, key, length) != 0;

    tally->count += (size_t)(value != LPM_ROUTE_GONE) - below;
    return 0;
}

size_t lpm_fib_routes(const struct lpm_fib *fib)
{
    struct lpm_view view = lpm_view_of(fib);
    const struct lpm_table *table = view.layer->table;
    bool below = atomic_load_explicit(&table->fallback, memory_order_relaxed) != 0;
    struct tally tally = {.view = &view, .count = table->count};

    tally.count += (size_t)(view.fallback != 0) - below;
    lpm_routes_each(view.window, view.over, 0, tally_override, &tally);
    return tally.count;
}

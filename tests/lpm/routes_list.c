#include "tests/lpm/routes_list.h"

#include <stdlib.h>

static int append(void *context, const struct lpm_route *route)
{
    struct routes_list *list = context;

    list->routes[list->count++] = *route;
    return 0;
}

struct routes_list routes_list_of(const struct lpm_fib *fib)
{
    struct routes_list list = {.routes = calloc(lpm_fib_routes(fib) + 1, sizeof(*list.routes))};

    lpm_each(fib, append, &list);
    return list;
}

struct expectation {
    const struct lpm_fib *fib;
    const struct routes_list *list;
    size_t next;
};

static int visit_expected(void *context, const struct lpm_route *route)
{
    struct expectation *expectation = context;
    const struct lpm_route *expected = &expectation->list->routes[expectation->next];

    if (expectation->next == expectation->list->count ||
        !lpm_prefix_equal(&expected->prefix, &route->prefix) || expected->leaf != route->leaf ||
        lpm_get(expectation->fib, &route->prefix) != route->leaf)
        return -1;
    expectation->next++;
    return 0;
}

bool routes_list_is_shown(const struct routes_list *list, const struct lpm_fib *fib)
{
    struct expectation expectation = {.fib = fib, .list = list};

    return lpm_each(fib, visit_expected, &expectation) == 0 && expectation.next == list->count &&
           lpm_fib_routes(fib) == list->count;
}

struct difference {
    struct lpm_prefix prefix;
    uint32_t leaf_a, leaf_b;
};

struct differences {
    struct difference *items;
    size_t count;
    size_t seen; /* of them, by visit */
};

/* Both lists are in prefix order: the next prefix is the lesser of the two that come next. */
static struct differences expect(const struct routes_list *a, const struct routes_list *b)
{
    struct differences all = {0};
    size_t i = 0, j = 0;

    all.items = calloc(a->count + b->count + 1, sizeof(*all.items));
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1
                    : j == b->count
                        ? -1
                        : lpm_prefix_compare(&a->routes[i].prefix, &b->routes[j].prefix);
        struct difference item = {order <= 0 ? a->routes[i].prefix : b->routes[j].prefix, 0, 0};

        if (order <= 0)
            item.leaf_a = a->routes[i++].leaf;
        if (order >= 0)
            item.leaf_b = b->routes[j++].leaf;
        if (item.leaf_a != item.leaf_b)
            all.items[all.count++] = item;
    }
    return all;
}

static int visit_difference(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                            uint32_t leaf_b)
{
    struct differences *all = context;
    const struct difference *expected = &all->items[all->seen];

    if (all->seen == all->count || !lpm_prefix_equal(prefix, &expected->prefix) ||
        leaf_a != expected->leaf_a || leaf_b != expected->leaf_b)
        return -1;
    all->seen++;
    return 0;
}

bool routes_lists_differ_so(const struct routes_list *list_a, const struct lpm_fib *a,
                            const struct routes_list *list_b, const struct lpm_fib *b)
{
    struct differences all = expect(list_a, list_b);
    int result = lpm_diff(a, b, visit_difference, &all);

    free(all.items);
    return result == 0 && all.seen == all.count;
}

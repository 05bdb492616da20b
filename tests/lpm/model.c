#include "tests/lpm/model.h"

#include <stdlib.h>
#include <string.h>

static struct lpm_change *find_row(const struct model_fib *fib, const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < fib->count; i++) {
        if (lpm_prefix_equal(&fib->rows[i].prefix, prefix))
            return &fib->rows[i];
    }
    return NULL;
}

void model_apply(struct model_fib *fib, const struct lpm_change *change)
{
    struct lpm_change *row = find_row(fib, &change->prefix);
    bool keep = change->kind == LPM_SET || (change->kind == LPM_REMOVE && fib->base);

    if (row && !keep) {
        *row = fib->rows[--fib->count];
        return;
    }
    if (!keep)
        return;
    if (!row) {
        if (fib->count == fib->room) {
            fib->room = fib->room ? fib->room * 2 : 16;
            fib->rows = realloc(fib->rows, fib->room * sizeof(*fib->rows));
        }
        row = &fib->rows[fib->count++];
    }
    *row = *change;
}

void model_clear(struct model_fib *fib)
{
    free(fib->rows);
    memset(fib, 0, sizeof(*fib));
}

bool model_lookup(const struct model_fib *fib, const struct lpm_address *address,
                  struct lpm_route *route)
{
    bool found = false;

    for (const struct model_fib *at = fib; at; at = at->base) {
        for (size_t i = 0; i < at->count; i++) {
            const struct lpm_change *row = &at->rows[i];

            if (row->kind != LPM_SET || !lpm_prefix_contains(&row->prefix, address) ||
                (found && route->prefix.length >= row->prefix.length) ||
                (at != fib && find_row(fib, &row->prefix)))
                continue;
            *route = (struct lpm_route){.prefix = row->prefix, .leaf = row->leaf};
            found = true;
        }
    }
    return found;
}

uint32_t model_get(const struct model_fib *fib, const struct lpm_prefix *prefix)
{
    for (const struct model_fib *at = fib; at; at = at->base) {
        const struct lpm_change *row = find_row(at, prefix);

        if (row)
            return row->kind == LPM_SET ? row->leaf : LPM_NO_ROUTE;
    }
    return LPM_NO_ROUTE;
}

static int compare_routes(const void *left, const void *right)
{
    const struct lpm_route *a = left;
    const struct lpm_route *b = right;

    return lpm_prefix_compare(&a->prefix, &b->prefix);
}

struct lpm_route *model_routes(const struct model_fib *fib, size_t *count)
{
    size_t room = fib->count + (fib->base ? fib->base->count : 0) + 1;
    struct lpm_route *routes = calloc(room, sizeof(*routes));

    *count = 0;
    for (const struct model_fib *at = fib; at; at = at->base) {
        for (size_t i = 0; i < at->count; i++) {
            const struct lpm_change *row = &at->rows[i];

            if (row->kind == LPM_SET && (at == fib || !find_row(fib, &row->prefix)))
                routes[(*count)++] = (struct lpm_route){.prefix = row->prefix, .leaf = row->leaf};
        }
    }
    qsort(routes, *count, sizeof(*routes), compare_routes);
    return routes;
}

void model_detach(struct model_fib *fib)
{
    size_t count;
    struct lpm_route *routes = model_routes(fib, &count);

    model_clear(fib);
    for (size_t i = 0; i < count; i++) {
        struct lpm_change change = {LPM_SET, routes[i].prefix, routes[i].leaf};

        model_apply(fib, &change);
    }
    free(routes);
}

uint64_t model_random(struct model_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t model_below(struct model_random *random, uint32_t bound)
{
    return (uint32_t)((model_random(random) >> 32) * bound >> 32);
}

/*
 * The array is only appended to; when it is full it is sorted and rid of duplicates, and grows only
 * if that did not free half of it. So n changes cost O(n log n) whatever repeats in them.
 */
#include "engine/program/pending.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct program_pending_item *left = a, *right = b;
    if (left->route_server != right->route_server)
        return left->route_server < right->route_server ? -1 : 1;
    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

void program_pending_sort(struct program_pending *pending)
{
    size_t kept = 0;
    if (pending->n > 0)
        qsort(pending->items, pending->n, sizeof(*pending->items), compare);
    for (size_t i = 0; i < pending->n; i++)
        if (i == 0 || compare(&pending->items[i], &pending->items[kept - 1]) != 0)
            pending->items[kept++] = pending->items[i];
    pending->n = kept;
}

static int make_room(struct program_pending *pending)
{
    program_pending_sort(pending);
    if (pending->n < pending->capacity / 2)
        return 0;
    size_t capacity = pending->capacity ? 2 * pending->capacity : 256;
    void *grown = realloc(pending->items, capacity * sizeof(*pending->items));
    if (!grown)
        return pending->n < pending->capacity ? 0 : -ENOMEM;
    pending->items = grown;
    pending->capacity = capacity;
    return 0;
}

int program_pending_add(struct program_pending *pending, uint32_t route_server,
                        const struct lpm_prefix *prefix)
{
    if (pending->n == pending->capacity) {
        int error = make_room(pending);
        if (error)
            return error;
    }
    pending->items[pending->n++] =
        (struct program_pending_item){.route_server = route_server, .prefix = *prefix};
    return 0;
}

void program_pending_free(struct program_pending *pending)
{
    free(pending->items);
    *pending = (struct program_pending){0};
}

/*
 * A sorted array. A question is a binary search for each length that occurs and can match: few, because address
 * spaces come in few lengths.
 */
#include "engine/program/special.h"

#include <errno.h>
#include <stdlib.h>

/* --- Making ----------------------------------------------------------------------------------- */

static int add(struct program_special *special, const struct lpm_prefix *prefix, bool inside,
               uint32_t first, uint32_t count)
{
    if (special->n == special->capacity) {
        size_t capacity = special->capacity ? 2 * special->capacity : 64;
        void *grown = realloc(special->entries, capacity * sizeof(*special->entries));
        if (!grown)
            return -ENOMEM;
        special->entries = grown;
        special->capacity = capacity;
    }
    special->entries[special->n++] = (struct program_special_entry){*prefix, inside, first, count};
    return 0;
}

static bool has_system(const struct fabric_view *view, const struct fabric_system_route *route)
{
    for (size_t i = 0; i < view->system_count; i++)
        if (view->system[i].kind == route->kind &&
            lpm_prefix_equal(&view->system[i].prefix, &route->prefix))
            return true;
    return false;
}

int program_special_add_vnet(struct program_special *special, const struct fabric_view *plain,
                             const struct fabric_view *shared, uint32_t first, uint32_t count)
{
    int error = 0;
    for (size_t i = 0; i < plain->system_count && !error; i++)
        if (plain->system[i].kind < FABRIC_SYSTEM_INTERNET ||
            !has_system(shared, &plain->system[i]))
            error = add(special, &plain->system[i].prefix, false, first, count);
    for (size_t i = 0; i < shared->system_count && !error; i++)
        if (!has_system(plain, &shared->system[i]))
            error = add(special, &shared->system[i].prefix, false, first, count);
    for (size_t i = 0; i < plain->kept_out_count && !error; i++)
        error = add(special, &plain->kept_out[i], true, first, count);
    return error;
}

/* A user's default route takes the reserved rows away, where BGP has none. */
static int add_reserved(struct program_special *special, const struct fabric_view *view,
                        uint8_t family, uint32_t scope)
{
    const struct fabric_prefixes *reserved = &view->fabric->reserved;
    int error = 0;
    for (uint32_t i = 0; i < reserved->n && !error; i++)
        if (reserved->items[i].family == family)
            error = add(special, &reserved->items[i], false, scope, 1);
    return error;
}

int program_special_add_scope(struct program_special *special, const struct fabric_view *view,
                              uint32_t scope)
{
    int error = 0;
    for (uint32_t i = 0; view->table && i < view->table->route_count && !error; i++) {
        const struct lpm_prefix *prefix = &view->table->routes[i].prefix;
        error = add(special, prefix, false, scope, 1);
        if (!error && prefix->length == 0)
            error = add_reserved(special, view, prefix->family, scope);
    }
    /* Prefixes of services keep BGP out as space does; what the VNet says already does no harm. */
    for (size_t i = 0; i < view->system_count && !error; i++)
        if (view->system[i].kind == FABRIC_SYSTEM_SERVICE)
            error = add(special, &view->system[i].prefix, true, scope, 1);
    return error;
}

static int compare(const void *a, const void *b)
{
    const struct program_special_entry *left = a, *right = b;
    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

static unsigned family_of(const struct lpm_prefix *prefix)
{
    return prefix->family == LPM_IPV6;
}

void program_special_sort(struct program_special *special)
{
    if (special->n > 0)
        qsort(special->entries, special->n, sizeof(*special->entries), compare);
    for (size_t i = 0; i < special->n; i++) {
        const struct program_special_entry *entry = &special->entries[i];
        special->lengths[family_of(&entry->prefix)][entry->prefix.length] = true;
        if (entry->inside)
            special->inside_lengths[family_of(&entry->prefix)][entry->prefix.length] = true;
    }
}

void program_special_free(struct program_special *special)
{
    free(special->entries);
    *special = (struct program_special){0};
}

/* --- Asking ----------------------------------------------------------------------------------- */

static size_t first_at(const struct program_special *special, const struct lpm_prefix *prefix)
{
    size_t low = 0, high = special->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lpm_prefix_compare(&special->entries[middle].prefix, prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The entries at this very prefix; of one around the prefix asked for only those that count inside. */
static int each_at(const struct program_special *special, const struct lpm_prefix *prefix,
                   bool around, int (*visit)(void *context, uint32_t first, uint32_t count),
                   void *context)
{
    int stopped = 0;
    for (size_t i = first_at(special, prefix);
         i < special->n && lpm_prefix_equal(&special->entries[i].prefix, prefix) && !stopped; i++)
        if (!around || special->entries[i].inside)
            stopped = visit(context, special->entries[i].first, special->entries[i].count);
    return stopped;
}

int program_special_each(const struct program_special *special, const struct lpm_prefix *prefix,
                         int (*visit)(void *context, uint32_t first, uint32_t count), void *context)
{
    unsigned family = family_of(prefix);
    int stopped = 0;
    for (unsigned length = 0; length < prefix->length && !stopped; length++) {
        struct lpm_prefix around = *prefix;
        if (!special->inside_lengths[family][length])
            continue;
        around.length = (uint8_t)length;
        lpm_prefix_mask(&around);
        stopped = each_at(special, &around, true, visit, context);
    }
    if (!stopped && special->lengths[family][prefix->length])
        stopped = each_at(special, prefix, false, visit, context);
    return stopped;
}

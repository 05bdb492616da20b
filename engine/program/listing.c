/* See listing.h. */
#include "engine/program/listing.h"

#include <errno.h>
#include <stdlib.h>

#define RUN 4096u /* prefixes: sorted in well under a millisecond */

struct run {
    struct lpm_prefix *items;
    size_t n, at;
};

struct program_listing {
    struct run *runs; /* once merging has begun: a heap by what each gives next */
    size_t n, capacity;
    bool merging, given;
    struct lpm_prefix last; /* that was given */
};

static int compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

struct program_listing *program_listing_create(void)
{
    return calloc(1, sizeof(struct program_listing));
}

void program_listing_destroy(struct program_listing *listing)
{
    if (!listing)
        return;
    for (size_t i = 0; i < listing->n; i++)
        free(listing->runs[i].items);
    free(listing->runs);
    free(listing);
}

static int add_run(struct program_listing *listing)
{
    if (listing->n == listing->capacity) {
        size_t capacity = listing->capacity ? 2 * listing->capacity : 16;
        void *grown = realloc(listing->runs, capacity * sizeof(*listing->runs));
        if (!grown)
            return -ENOMEM;
        listing->runs = grown;
        listing->capacity = capacity;
    }
    struct lpm_prefix *items = malloc(RUN * sizeof(*items));
    if (!items)
        return -ENOMEM;
    listing->runs[listing->n++] = (struct run){.items = items};
    return 0;
}

static void sort(struct run *run)
{
    qsort(run->items, run->n, sizeof(*run->items), compare);
}

int program_listing_add(struct program_listing *listing, const struct lpm_prefix *prefix)
{
    struct run *last = listing->n > 0 ? &listing->runs[listing->n - 1] : NULL;
    if (!last || last->n == RUN) {
        int error = add_run(listing);
        if (error)
            return error;
        last = &listing->runs[listing->n - 1];
    }
    last->items[last->n++] = *prefix;
    if (last->n == RUN)
        sort(last);
    return 0;
}

/* --- Merging ---------------------------------------------------------------------------------- */

static const struct lpm_prefix *head(const struct run *run)
{
    return &run->items[run->at];
}

static void sink(struct program_listing *listing, size_t at)
{
    for (;;) {
        size_t least = at, child = 2 * at + 1;
        for (size_t i = child; i < child + 2 && i < listing->n; i++)
            if (lpm_prefix_compare(head(&listing->runs[i]), head(&listing->runs[least])) < 0)
                least = i;
        if (least == at)
            return;
        struct run kept = listing->runs[at];
        listing->runs[at] = listing->runs[least];
        listing->runs[least] = kept;
        at = least;
    }
}

static void begin(struct program_listing *listing)
{
    listing->merging = true;
    if (listing->n > 0 && listing->runs[listing->n - 1].n < RUN)
        sort(&listing->runs[listing->n - 1]);
    for (size_t i = listing->n / 2; i-- > 0;)
        sink(listing, i);
}

static struct lpm_prefix take(struct program_listing *listing)
{
    struct run *first = &listing->runs[0];
    struct lpm_prefix prefix = *head(first);
    if (++first->at == first->n) {
        free(first->items);
        *first = listing->runs[--listing->n];
    }
    sink(listing, 0);
    return prefix;
}

bool program_listing_next(struct program_listing *listing, struct lpm_prefix *prefix)
{
    if (!listing->merging)
        begin(listing);
    while (listing->n > 0) {
        *prefix = take(listing);
        if (listing->given && lpm_prefix_equal(prefix, &listing->last))
            continue;
        listing->given = true;
        listing->last = *prefix;
        return true;
    }
    return false;
}

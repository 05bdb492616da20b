/*
 * Overrides: finding in them, and making an array from another.
 */
#include "lpm/over.h"

#include <stdlib.h>

size_t lpm_overs_find(const struct lpm_overs *overs, lpm_key key, unsigned length)
{
    size_t low = 0;
    size_t high = overs->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct lpm_over over = lpm_over_at(overs, middle);

        if (lpm_key_compare(over.key, over.length, key, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool lpm_overs_get(const struct lpm_overs *overs, lpm_key key, unsigned length,
                   struct lpm_over *over)
{
    size_t at = lpm_overs_find(overs, key, length);

    if (at == overs->count)
        return false;
    *over = lpm_over_at(overs, at);
    return over->key == key && over->length == length;
}

/* What covers key begins at or before it. From the last override that does, the search goes on to
 * ever shorter ones: the next candidate has no more bits than that one and key have in common. */
bool lpm_overs_longest(const struct lpm_overs *overs, lpm_key key, unsigned below,
                       struct lpm_over *over)
{
    size_t at = lpm_overs_find(overs, key, below);

    while (at > 0) {
        lpm_key differ;
        unsigned common;

        *over = lpm_over_at(overs, at - 1);
        differ = over->key ^ key;
        if (lpm_key_cut(differ, over->length) == 0)
            return true;
        common = lpm_key_leading(differ);
        at = lpm_overs_find(overs, lpm_key_cut(key, common), common + 1);
    }
    return false;
}

bool lpm_overs_intersect(const struct lpm_overs *overs, lpm_key key, unsigned length)
{
    size_t at = lpm_overs_find(overs, key, length);
    struct lpm_over over;

    if (at < overs->count && lpm_over_at(overs, at).key <= lpm_key_last(key, length))
        return true;
    return lpm_overs_longest(overs, key, length, &over);
}

/* --- Editing ----------------------------------------------------------------------------------- */

static int compare_changes(const void *left, const void *right)
{
    const struct lpm_over_change *a = left;
    const struct lpm_over_change *b = right;
    int order = lpm_key_compare(a->key, a->length, b->key, b->length);

    if (order)
        return order;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Sorts, and leaves the last change of each prefix. */
static size_t tidy(struct lpm_over_change *changes, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(changes, n, sizeof(*changes), compare_changes);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && changes[kept - 1].key == changes[i].key &&
            changes[kept - 1].length == changes[i].length)
            kept--;
        changes[kept++] = changes[i];
    }
    return kept;
}

static void put(uint32_t *words, unsigned width, const struct lpm_over_change *change)
{
    for (unsigned i = 0; i + 1 < width; i++)
        words[i] = (uint32_t)(change->key >> (96 - 32 * i));
    words[width - 1] = (uint32_t)change->length << 24 | change->leaf;
}

size_t lpm_overs_edit(const struct lpm_overs *from, struct lpm_over_change *changes, size_t n,
                      uint32_t *words)
{
    unsigned width = from->width;
    size_t at = 0;
    size_t count = 0;

    n = tidy(changes, n);
    for (size_t i = 0; i < n; i++) {
        size_t next = lpm_overs_find(from, changes[i].key, changes[i].length);
        struct lpm_over here;

        if (next > at)
            memcpy(words + count * width, from->words + at * width,
                   (next - at) * width * sizeof(uint32_t));
        count += next - at;
        at = next;
        if (at < from->count) {
            here = lpm_over_at(from, at);
            at += here.key == changes[i].key && here.length == changes[i].length;
        }
        if (!changes[i].inherit)
            put(words + count++ * width, width, &changes[i]);
    }
    if (at < from->count)
        memcpy(words + count * width, from->words + at * width,
               (from->count - at) * width * sizeof(uint32_t));
    return count + (from->count - at);
}

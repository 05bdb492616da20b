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

static void put(uint32_t *words, unsigned width, lpm_key key, unsigned length, uint32_t leaf)
{
    for (unsigned i = 0; i + 1 < width; i++)
        words[i] = (uint32_t)(key >> (96 - 32 * i));
    words[width - 1] = (uint32_t)length << 24 | leaf;
}

/* Overrides first .. last - 1, which may be of another width; words may be where they are, if they
 * get no wider. Returns the end of what was written. */
static uint32_t *put_run(uint32_t *words, unsigned width, const struct lpm_overs *from,
                         size_t first, size_t last)
{
    size_t count = last - first;

    if (count > 0 && width == from->width) {
        memcpy(words, from->words + first * width, count * width * sizeof(uint32_t));
        return words + count * width;
    }
    for (; first < last; first++, words += width) {
        struct lpm_over over = lpm_over_at(from, first);

        put(words, width, over.key, over.length, over.leaf);
    }
    return words;
}

/* The longest of overs, but at least LPM_OVER_HALF. */
static unsigned longest_of(const struct lpm_overs *overs)
{
    unsigned longest = LPM_OVER_HALF;

    for (size_t i = 0; i < overs->count; i++) {
        unsigned length = overs->words[(i + 1) * overs->width - 1] >> 24;

        longest = length > longest ? length : longest;
    }
    return longest;
}

static void narrow(struct lpm_overs *overs, uint32_t *words)
{
    if (overs->width != LPM_OVER_WORDS6 || longest_of(overs) > LPM_OVER_HALF)
        return;
    put_run(words, LPM_OVER_WORDS6_HALF, overs, 0, overs->count);
    overs->width = LPM_OVER_WORDS6_HALF;
}

void lpm_overs_edit(const struct lpm_overs *from, struct lpm_over_change *changes, size_t n,
                    uint32_t *words, struct lpm_overs *to)
{
    unsigned width = to->width;
    uint32_t *end = words;
    size_t at = 0;

    n = tidy(changes, n);
    for (size_t i = 0; i < n; i++) {
        const struct lpm_over_change *change = &changes[i];
        size_t next = lpm_overs_find(from, change->key, change->length);
        struct lpm_over here;

        end = put_run(end, width, from, at, next);
        at = next;
        if (at < from->count) {
            here = lpm_over_at(from, at);
            at += here.key == change->key && here.length == change->length;
        }
        if (change->inherit)
            continue;
        put(end, width, change->key, change->length, change->leaf);
        end += width;
    }
    end = put_run(end, width, from, at, from->count);
    to->words = words;
    to->count = (size_t)(end - words) / width;
    narrow(to, words);
}

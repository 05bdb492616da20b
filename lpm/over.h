/*
 * Overrides of a derived FIB: a sorted array, packed.
 *
 * An override is a few 32-bit words, compared from the first to the last: the address in host order,
 * then length << 24 | leaf, with leaf 0 for a removal. So the array is in prefix order. Of an IPv4
 * address there is one word; of an IPv6 address there are four, but in an array without an override
 * longer than 64 bits only the upper two. So equal sets are equal bytes, and an override takes 8, 20
 * or 12 bytes. The prefix of length 0 is kept elsewhere (see core.h: fallback).
 *
 * An array never changes once made; an edit makes another.
 */
#ifndef LPM_OVER_H
#define LPM_OVER_H

#include "lpm/routes.h"

#define LPM_OVER_WORDS4      2
#define LPM_OVER_WORDS6      5
#define LPM_OVER_WORDS6_HALF 3 /* none is longer than LPM_OVER_HALF */
#define LPM_OVER_HALF        64

struct lpm_overs {
    const uint32_t *words;
    size_t count;
    unsigned width; /* words of one override */
};

struct lpm_over {
    lpm_key key;
    unsigned length;
    uint32_t leaf; /* 0: removed */
};

/* Prefixes of the base that changed. */
struct lpm_region {
    lpm_key key;
    unsigned length;
    bool others; /* prefixes inside it changed too */
    bool comes;  /* a route came or went here, not only its leaf */
};

/* For overrides up to longest. */
static inline unsigned lpm_over_width(enum lpm_family family, unsigned longest)
{
    if (family == LPM_IPV4)
        return LPM_OVER_WORDS4;
    return longest > LPM_OVER_HALF ? LPM_OVER_WORDS6 : LPM_OVER_WORDS6_HALF;
}

static inline size_t lpm_overs_bytes(const struct lpm_overs *overs)
{
    return overs->count * overs->width * sizeof(uint32_t);
}

static inline struct lpm_over lpm_over_at(const struct lpm_overs *overs, size_t i)
{
    const uint32_t *words = overs->words + i * overs->width;
    uint32_t last = words[overs->width - 1];
    lpm_key key = (lpm_key)words[0] << 96;

    if (overs->width != LPM_OVER_WORDS4)
        key |= (lpm_key)words[1] << 64;
    if (overs->width == LPM_OVER_WORDS6)
        key |= (lpm_key)words[2] << 32 | words[3];
    return (struct lpm_over){.key = key, .length = last >> 24, .leaf = last & LPM_LEAF_MAX};
}

/* Place of the first override that is not before key/length in prefix order. */
size_t lpm_overs_find(const struct lpm_overs *overs, lpm_key key, unsigned length);
/* The override of this very prefix. False: there is none. */
bool lpm_overs_get(const struct lpm_overs *overs, lpm_key key, unsigned length,
                   struct lpm_over *over);
/* The longest override that is shorter than below and covers key, which has no bit set from below
 * on. False: there is none. */
bool lpm_overs_longest(const struct lpm_overs *overs, lpm_key key, unsigned below,
                       struct lpm_over *over);
/* Does an override cover the prefix or lie inside it? */
bool lpm_overs_intersect(const struct lpm_overs *overs, lpm_key key, unsigned length);

/* Writes to words (room for from->count + n overrides of to->width) what from becomes by changes to
 * prefixes longer than 0, applied in order; tells in to how many overrides that is, and the width that
 * they have in the end, which may be less. Sorts the changes. */
struct lpm_over_change {
    lpm_key key;
    uint32_t place; /* in the order of the caller: the last of one prefix wins */
    uint32_t leaf;  /* 0: removed */
    uint8_t length;
    bool inherit; /* no override any more */
};
void lpm_overs_edit(const struct lpm_overs *from, struct lpm_over_change *changes, size_t n,
                    uint32_t *words, struct lpm_overs *to);

#endif

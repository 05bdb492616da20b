/*
 * Ranges: what a derived FIB shows where it differs from its base, as readers search it.
 *
 * The address space is cut into ranges; each has a value:
 *
 *      a leaf               of an override, and the base has no longer route here
 *      LPM_ENTRY_INHERIT    the base decides: no override reaches here, or a longer route of the base
 *                           lies inside of it
 *      LPM_VALUE_COVER | i  a removal, or an override of which it is not known, and not to be worked
 *                           out, where longer routes of the base are: the base's longest match if
 *                           that is longer than covers[i], else the leaf of covers[i], else the same
 *                           with what that lies in
 *      LPM_VALUE_DEEP | i   IPv6: cut again, by the lower halves of the addresses, in deeps[i]
 *
 * Ranges are searched by a static B+ tree (Khuong and Morin, "Array Layouts for Comparison-Based
 * Searching", 2017). A key is the last address of a range, or of all ranges below a node; the number of
 * keys that are less than an address is the place to go on to (line.h). A node is one cache line for
 * IPv4 and two for IPv6; most FIBs need no more than the root and its bottoms, so that two nodes find a
 * range, and what these have in place of offsets is that they always stand in the same place:
 *
 *      struct lpm_ranges | root | bottoms: keys, then their values | nodes between, by level | ...
 *
 * The root has the number of levels between in place of its first key, so it has 16 bottoms or nodes
 * below it. Nodes between have 16 keys.
 *
 * Keys are 32 bits for IPv4 and the upper 64 bits for IPv6. A node that is not full is padded with
 * the highest key, which is less than no address. Ranges are never changed once published: they are
 * replaced, when a route of the base comes or goes inside of an override (follow.c). No range has a
 * leaf of the base, so that its routes may change theirs with nothing to do here.
 */
#ifndef LPM_RANGES_H
#define LPM_RANGES_H

#include "lpm/line.h"
#include "lpm/node.h"
#include "lpm/over.h"

#define LPM_VALUE_COVER 0x20000000u
#define LPM_VALUE_DEEP  0x10000000u
#define LPM_VALUE_SLOW  (LPM_VALUE_COVER | LPM_VALUE_DEEP)
#define LPM_VALUE_ASKED 0x08000000u /* with COVER: all of the outermost override is asked about */
#define LPM_VALUE_INDEX 0x07ffffffu

#define LPM_FANOUT 16
#define LPM_LEVELS 5 /* between root and bottoms, for 16^6 bottoms */

#define LPM_KEYS_ALL  0xffffu /* words of a node that are keys, by bit */
#define LPM_KEYS_ROOT 0xfffeu

#define LPM_BOTTOM4_RANGES 8
#define LPM_BOTTOM6_RANGES 10
#define LPM_BOTTOM4_KEYS   ((1u << LPM_BOTTOM4_RANGES) - 1)
#define LPM_BOTTOM6_KEYS   ((1u << LPM_BOTTOM6_RANGES) - 1)

/* An override. Nothing in it comes from the base, so that what is asked comes from one state of the
 * routes. */
struct lpm_cover {
    uint32_t leaf; /* 0: removed, what is around it shows */
    uint32_t length;
    uint32_t around; /* the cover that it lies in, or LPM_COVER_NONE */
};

#define LPM_COVER_NONE UINT32_MAX

struct lpm_deep {
    uint32_t first; /* in lows and values */
    uint32_t count;
};

/* Where the tables of the slow values begin. */
struct lpm_slow {
    uint32_t covers_at; /* struct lpm_cover */
    uint32_t deeps_at;  /* struct lpm_deep */
    uint32_t lows_at;   /* first lower halves, uint64_t */
    uint32_t values_at; /* their values */
};

/* "At" is in bytes from here. One cache line, which a search by root and bottoms alone does not read. */
struct lpm_ranges {
    uint32_t levels_at[LPM_LEVELS]; /* that above the bottoms first */
    uint32_t slow_at;               /* struct lpm_slow; 0: no slow values */
    /* The writer's. */
    uint32_t size; /* of everything */
    struct lpm_memory *memory;
    struct lpm_rcu_head rcu;
} __attribute__((aligned(LPM_LINE)));

/* What ranges show: where overrides decide, and where a base's routes inside of them. */
struct lpm_ranges_source {
    struct lpm_memory *memory;
    struct lpm_overs overs;
    uint32_t routes; /* of the base */
    /* Outermost overrides that ask the base, whatever is inside: all those that ask here (NULL:
     * none), ... */
    const struct lpm_ranges *asking;
    /* ... and those that one of these lies inside of, sorted, none inside another. */
    const struct lpm_region *changed;
    size_t changed_count;
};

/* NULL when there is no memory. */
struct lpm_ranges *lpm_ranges_make(const struct lpm_ranges_source *source);
/* For ranges that no reader has seen; NULL is allowed. */
void lpm_ranges_free(struct lpm_ranges *ranges);
/* After a grace period. */
void lpm_ranges_defer(struct lpm_ranges *ranges);

/* --- Searching (readers) ----------------------------------------------------------------------- */

static inline const char *lpm_ranges_place(const struct lpm_ranges *ranges, uint32_t at)
{
    return (const char *)ranges + at;
}

/* Of IPv4. */
struct lpm_node4 {
    uint32_t keys[LPM_FANOUT]; /* the first of a root is the number of levels between */
};
struct lpm_bottom4 {
    uint32_t keys[LPM_BOTTOM4_RANGES];
    uint32_t values[LPM_BOTTOM4_RANGES];
};

/* Of IPv6. */
struct lpm_node6 {
    uint64_t keys[LPM_FANOUT];
};
struct lpm_bottom6 {
    uint64_t keys[LPM_BOTTOM6_RANGES];
    uint32_t values[LPM_BOTTOM6_RANGES];
    uint32_t padding[2];
};

static inline const struct lpm_node4 *lpm_ranges_root4(const struct lpm_ranges *ranges)
{
    return (const struct lpm_node4 *)(const void *)(ranges + 1);
}

static inline const struct lpm_node6 *lpm_ranges_root6(const struct lpm_ranges *ranges)
{
    return (const struct lpm_node6 *)(const void *)(ranges + 1);
}

/* A node of a level between; the one to go on to below it is node * LPM_FANOUT + keys before the
 * address. */
static inline const struct lpm_node4 *lpm_ranges_node4(const struct lpm_ranges *ranges,
                                                       uint32_t level, uint32_t node)
{
    return (const struct lpm_node4 *)(const void *)lpm_ranges_place(ranges,
                                                                    ranges->levels_at[level]) +
           node;
}

static inline const struct lpm_node6 *lpm_ranges_node6(const struct lpm_ranges *ranges,
                                                       uint32_t level, uint32_t node)
{
    return (const struct lpm_node6 *)(const void *)lpm_ranges_place(ranges,
                                                                    ranges->levels_at[level]) +
           node;
}

static inline const struct lpm_bottom4 *lpm_ranges_bottom4(const struct lpm_ranges *ranges,
                                                           uint32_t node)
{
    return (const struct lpm_bottom4 *)(const void *)(lpm_ranges_root4(ranges) + 1) + node;
}

static inline const struct lpm_bottom6 *lpm_ranges_bottom6(const struct lpm_ranges *ranges,
                                                           uint32_t node)
{
    return (const struct lpm_bottom6 *)(const void *)(lpm_ranges_root6(ranges) + 1) + node;
}

/* For the writer: is address inside of an outermost override that asks the base all over? */
bool lpm_ranges_ask(const struct lpm_ranges *ranges, enum lpm_family family, lpm_key address);

/* A leaf or LPM_ENTRY_INHERIT, for any value. routes: the base's, as the writer has them. */
uint32_t lpm_ranges_settle(const struct lpm_ranges *ranges, uint32_t value, lpm_key address,
                           const char *window, const _Atomic uint32_t *routes);

/* The value at address, LPM_ENTRY_INHERIT or a leaf. */
uint32_t lpm_ranges_look_up(const struct lpm_ranges *ranges, enum lpm_family family,
                            lpm_key address, const char *window, const _Atomic uint32_t *routes);

#endif

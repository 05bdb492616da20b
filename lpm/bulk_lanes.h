/*
 * What the stages of a bulk lookup (bulk.h) hand on to each other.
 */
#ifndef LPM_BULK_LANES_H
#define LPM_BULK_LANES_H

#include "lpm/lookup.h"

/* A variant may name its processor, and its own ways to count the keys that are less than an address. */
#ifndef LPM_PROCESSOR
#define LPM_PROCESSOR
#define LPM_LINE_BEFORE  lpm_line_before
#define LPM_LINES_BEFORE lpm_lines_before
#endif

#define LPM_STAGE LPM_PROCESSOR static inline __attribute__((always_inline))
/* For what is rare, so that it takes no registers from the straight way. */
#define LPM_STAGE_APART LPM_PROCESSOR static __attribute__((noinline))

/* Lanes of a burst. Not of bytes, which might be anything else in memory to the compiler. A loop that
 * fills a list writes every lane to its end, and moves the end for those that it lists: free of
 * branches. It counts in a variable of its own, as a count in memory would be waited for in every turn. */
struct lpm_list {
    unsigned count;
    uint16_t lanes[LPM_LANES + 1]; /* one more, which a lane that is not listed is written to */
};

/* One burst under way. */
struct lpm_lanes {
    const struct lpm_layer *layer[LPM_LANES];
    const struct lpm_node *node[LPM_LANES];
    struct lpm_list touched;      /* by their layer */
    uint32_t fallback[LPM_LANES]; /* of several bases, the base's */
    uint32_t slot[LPM_LANES];     /* of the direct table */
    uint32_t bit[LPM_LANES];      /* of the touched ones */
    uint64_t high[LPM_LANES];     /* where it is needed: the address */
    uint64_t low[LPM_LANES];
    uint64_t small;   /* bit: the base was found without a direct table */
    uint64_t settled; /* bit: the layer has decided */
};

#endif

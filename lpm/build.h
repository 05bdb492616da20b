/*
 * From the writer's routes to the readers' nodes.
 *
 * A build walks two trees in step: the routes that the result shall show, and a reference: an earlier
 * set of routes with the entry that shows them. Wherever the reference was built from the very same
 * routes under the same inherited leaf, its entry is shared instead of built. So an update costs what
 * it changes.
 */
#ifndef LPM_BUILD_H
#define LPM_BUILD_H

#include "lpm/node.h"

#include <limits.h>

/* IPv4's 2^18 and IPv6's direct table: the entries of all prefixes of this length. */
#define LPM_DIRECT_BITS 18
#define LPM_DIRECT_SIZE (1u << LPM_DIRECT_BITS)

/* What is known of one place (the slot of a node, or the root). All zero: nothing there. */
struct lpm_place {
    uint32_t routes;    /* routes below, or 0 */
    uint32_t entry;     /* what they were built to */
    uint32_t inherited; /* leaf of the longest prefix that covers the place */
};

struct lpm_build {
    struct lpm_memory *memory;
    unsigned buckets_from; /* at places of this depth and below them there may be buckets */
    bool narrow;           /* nodes may be */
};

/* Of a base. Buckets are anywhere without a direct table. With one never at its slots, which name nodes
 * (direct.h), and for IPv4 nowhere: a route of up to 24 bits is one node away from its slot. */
static inline struct lpm_build lpm_build_of(struct lpm_memory *memory, enum lpm_family family,
                                            bool direct)
{
    unsigned below_slots = family == LPM_IPV4 ? UINT_MAX : LPM_DIRECT_BITS + LPM_STRIDE;

    return (struct lpm_build){
        .memory = memory,
        .buckets_from = direct ? below_slots : 0,
        .narrow = family == LPM_IPV4,
    };
}

/* Builds the entry of one place of a base: at depth, showing routes under inherited. Returns an entry
 * with one reference, or LPM_ENTRY_FAILED. */
uint32_t lpm_build_base(const struct lpm_build *build, unsigned depth, uint32_t routes,
                        uint32_t inherited, struct lpm_place reference);

#endif

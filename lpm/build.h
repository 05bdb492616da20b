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

#include <stdatomic.h>

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
    /* Where the reference has its entries at depth LPM_DIRECT_BITS, if not under its root. */
    const _Atomic uint32_t *direct;
};

/* Builds the entry of one place of a base: at depth, with these bits above it, showing routes under
 * inherited. Returns an entry with one reference, or LPM_ENTRY_FAILED. */
uint32_t lpm_build_base(const struct lpm_build *build, unsigned depth, uint32_t prefix,
                        uint32_t routes, uint32_t inherited, struct lpm_place reference);

#endif

/*
 * Leaf pushing: what the 64 slots under one node of routes show, but for the routes further below.
 */
#ifndef LPM_SPREAD_H
#define LPM_SPREAD_H

#include "lpm/routes.h"

struct lpm_spread {
    uint32_t leaf[LPM_SLOTS];
};

/* routes: NULL is none. inherited: the leaf of the longest prefix that covers all slots. */
void lpm_spread_routes(struct lpm_spread *spread, const struct lpm_routes_node *routes,
                       uint32_t inherited);
/* Bit c: slot c differs from the one before it; bit 0 always. */
uint64_t lpm_spread_edges(const uint32_t slots[LPM_SLOTS]);

#endif

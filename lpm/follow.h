/*
 * How the layers over a base follow a route that comes or goes inside of their overrides.
 *
 * A change of the base is prepared, then committed; so is this part of it:
 *
 *      lpm_follow_begin, _note for each route, _prepare     may fail; _abandon undoes them
 *      lpm_follow_before, the stores of the base, lpm_follow_after
 */
#ifndef LPM_FOLLOW_H
#define LPM_FOLLOW_H

#include "lpm/core.h"

struct lpm_follow {
    struct lpm_table *table;
    struct lpm_followed *layers; /* those concerned */
    size_t count, room;
    bool comes, goes; /* a route, and perhaps inside of an override */
};

void lpm_follow_begin(struct lpm_follow *follow, struct lpm_table *table);
/* A route of the base comes (1) or goes (-1). */
void lpm_follow_note(struct lpm_follow *follow, lpm_key key, unsigned length, long routes);
/* regions: all that changes, sorted, none inside another; routes: what the base shall have. 0 or
 * -ENOMEM. */
int lpm_follow_prepare(struct lpm_follow *follow, const struct lpm_region *regions, size_t n,
                       uint32_t routes);
void lpm_follow_abandon(struct lpm_follow *follow);
/* The stores that must be seen before those of the base; waits until they are, if need be. */
void lpm_follow_before(struct lpm_follow *follow);
/* Those that must not; the same. */
void lpm_follow_after(struct lpm_follow *follow);

#endif

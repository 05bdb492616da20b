/*
 * Random fabrics and random BGP, small enough that prefixes meet in every way: equal, inside,
 * around.
 */
#ifndef TESTS_FABRIC_RANDOM_WORLD_H
#define TESTS_FABRIC_RANDOM_WORLD_H

#include "tests/fabric/world.h"

struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *chance);
/* 0 .. n - 1 */
unsigned chance_below(struct chance *chance, unsigned n);
bool chance_one_in(struct chance *chance, unsigned n);

/* From the environment (FABRIC_SEED) or the clock; printed by the tests when they fail. */
uint64_t chance_seed(void);

struct world *random_world(struct chance *chance);
/* One announcement, withdrawal or change at random; which prefix and route server it was. False:
 * nothing to do (no route server). */
bool random_bgp_change(struct world *world, struct chance *chance, uint32_t *server,
                       struct lpm_prefix *prefix);
/* An address that the fabric knows something about. */
struct lpm_address random_address(const struct world *world, struct chance *chance, uint8_t family);

#endif

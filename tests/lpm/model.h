/*
 * The oracle: FIBs as plain lists, searched from end to end.
 *
 * Slow and obvious on purpose. A model FIB is paired with the real one, changed by the same calls,
 * and compared with it.
 */
#ifndef TESTS_LPM_MODEL_H
#define TESTS_LPM_MODEL_H

#include "lpm/lpm.h"

struct model_fib {
    struct model_fib *base;  /* NULL: this is a base */
    struct lpm_change *rows; /* LPM_SET or LPM_REMOVE, at most one a prefix */
    size_t count;
    size_t room;
};

void model_apply(struct model_fib *fib, const struct lpm_change *change);
void model_clear(struct model_fib *fib);
/* The winning route, or false. */
bool model_lookup(const struct model_fib *fib, const struct lpm_address *address,
                  struct lpm_route *route);
uint32_t model_get(const struct model_fib *fib, const struct lpm_prefix *prefix);
/* All that fib shows, in prefix order; the caller frees it. */
struct lpm_route *model_routes(const struct model_fib *fib, size_t *count);
/* The derived FIB becomes a base with what it shows. */
void model_detach(struct model_fib *fib);

/* A small generator of its own, so that a seed names a run on any machine. */
struct model_random {
    uint64_t state;
};
uint64_t model_random(struct model_random *random);
uint32_t model_below(struct model_random *random, uint32_t bound);

#endif

/*
 * What must become of a packet, by a walk over the oracle's rows in the order of decide.c: slow,
 * and without FIB, group or bucket.
 */
#ifndef TESTS_PROGRAM_WALK_H
#define TESTS_PROGRAM_WALK_H

#include "tests/program/lab.h"

/* Empty when verdict is what must be; else what is wrong with it. down: next hops of BGP that are
 * out. */
const char *walk_check(const struct lab *lab, uint32_t nic, const struct lpm_address *source,
                       const struct lpm_address *destination, const struct lpm_address *down,
                       size_t down_count, const struct dp_verdict *verdict);

#endif

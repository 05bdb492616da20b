/*
 * A full table and a day of updates, drawn from a seed, for those who have none at hand.
 */
#ifndef BENCH_SYNTHETIC_H
#define BENCH_SYNTHETIC_H

#include "bench/table.h"

/* n routes (0: as many as a full table of 2026 has), no prefix twice, in prefix order. Returns 0 or
 * -ENOMEM. */
int bench_synthetic_table(enum lpm_family family, size_t n, struct bench_table *table);

/* As many updates as the table has routes. Some prefixes change all the time and most hardly ever;
 * one update in 36 is a withdrawal, and what was withdrawn comes back. Returns 0 or -ENOMEM. */
int bench_synthetic_updates(const struct bench_table *table, struct bench_updates *updates);

#endif

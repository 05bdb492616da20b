/*
 * The table that is measured, and the updates that are applied to it: from files, or drawn.
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "bench/bench.h"
#include "lpm/lpm.h"

/* Next hops are leaves 1 .. BENCH_NEXT_HOPS; private routes have BENCH_PRIVATE_LEAF and more. */
#define BENCH_NEXT_HOPS    100
#define BENCH_PRIVATE_LEAF 200

/* More lines than any table of this decade has are taken for a mistake. */
#define BENCH_ROUTES_MAX ((size_t)16 << 20)

struct bench_table {
    enum lpm_family family;
    struct lpm_route *routes;
    size_t n;
};

struct bench_updates {
    struct lpm_change *changes;
    size_t n;
};

/* The leaf of a prefix: one of BENCH_NEXT_HOPS with log-uniform skew (a few next hops have most
 * routes); 7 of 10 prefixes take that of their block (a /18, for IPv6 a /30), so that neighbours
 * are often alike, as in real tables. version tells later announcements of a prefix apart. */
uint32_t bench_next_hop(const struct lpm_prefix *prefix, uint64_t version);

/* The first 64 bits of an address as a number. */
uint64_t bench_high_bits(const uint8_t bytes[16]);

/* Reads a table: a prefix a line. family 0 takes the family of the first line; a prefix of the
 * other family is an error. Leaves are bench_next_hop(). */
int bench_table_load(const char *path, unsigned family, struct bench_table *table,
                     struct bench_error *error);
/* Keeps n routes of the table, drawn evenly; all when it has no more. */
void bench_table_sample(struct bench_table *table, size_t n);
/* What options ask for: the file or the synthetic table, of so many routes. */
int bench_table_open(const struct bench_options *options, struct bench_table *table,
                     struct bench_error *error);
void bench_table_free(struct bench_table *table);

/* Reads updates: "A prefix" announces, "W prefix" withdraws. Each announcement brings a next hop of
 * its own, so hardly any is without effect. */
int bench_updates_load(const char *path, enum lpm_family family, struct bench_updates *updates,
                       struct bench_error *error);
/* What options ask for: the file or synthetic updates of the table. */
int bench_updates_open(const struct bench_options *options, const struct bench_table *table,
                       struct bench_updates *updates, struct bench_error *error);
void bench_updates_free(struct bench_updates *updates);

#endif

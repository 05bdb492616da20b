/*
 * The judge of all answers: a plain binary trie, a bit a level, too simple to be wrong.
 */
#ifndef BENCH_ORACLE_H
#define BENCH_ORACLE_H

#include "bench/keys.h"
#include "lpm/lpm.h"

struct bench_oracle;

struct bench_oracle *bench_oracle_create(void); /* NULL with errno */
/* Applies LPM_SET or LPM_REMOVE. Returns 0 or -ENOMEM. */
int bench_oracle_change(struct bench_oracle *oracle, const struct lpm_change *change);
/* A trie with the routes of table; NULL with errno. */
struct bench_oracle *bench_oracle_of(const struct bench_table *table);
/* Leaf of the longest prefix that covers address, or LPM_NO_ROUTE. */
uint32_t bench_oracle_lookup(const struct bench_oracle *oracle, const struct lpm_address *address);
/* The leaf of every prefix that covers address, by length, LPM_NO_ROUTE where there is none; for
 * those who want to change some of them before the longest decides. */
void bench_oracle_matches(const struct bench_oracle *oracle, const struct lpm_address *address,
                          uint32_t leaves[129]);
/* The leaf of each key, allocated; NULL with errno. */
uint32_t *bench_oracle_answers(const struct bench_oracle *oracle, const struct bench_keys *keys);
void bench_oracle_destroy(struct bench_oracle *oracle);

#endif

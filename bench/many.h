/*
 * Many FIBs over one base, and traffic that names a FIB with every packet.
 *
 * Two worlds. In the first, a host of a fabric: the base is the table (a full one), and each FIB
 * has 50 private routes of its own: its VNet, subnets in it, user-defined routes elsewhere in the
 * private space (10/8 and 172.16/12; for IPv6 fd00::/40 and fd80::/28) and a few in public space.
 * In the second, small tables that differ little: each FIB changes 20 routes of the base, of which
 * it removes 5.
 */
#ifndef BENCH_MANY_H
#define BENCH_MANY_H

#include "bench/clock.h"
#include "bench/keys.h"
#include "bench/oracle.h"
#include "bench/random.h"

#define BENCH_PRIVATE_ROUTES 50
#define BENCH_SMALL_CHANGES  20

struct bench_many {
    const struct bench_table *table;
    struct lpm *lpm;
    struct lpm_fib *base;
    struct lpm_fib **fibs;
    size_t n;
    struct lpm_change *changes; /* per_fib of each FIB, one FIB after the other */
    size_t per_fib;
    size_t bytes_base, bytes_base_lookup;       /* of the base alone */
    size_t bytes_derived, bytes_derived_lookup; /* that all FIBs add to it */
    double derive_us;                           /* to derive one FIB, on average */
};

enum bench_world { BENCH_WORLD_PRIVATE, BENCH_WORLD_SMALL };

/* Derives n FIBs from a base with the routes of table, which must outlive *many. Returns 0 or
 * -ENOMEM. */
int bench_many_create(enum bench_world world, const struct bench_table *table, size_t n,
                      struct bench_many *many);
void bench_many_destroy(struct bench_many *many);

/* Keys and, with each, the FIB that it is looked up in. */
struct bench_traffic {
    const struct bench_keys *keys;
    const struct lpm_fib **fibs;
    uint32_t *indexes; /* the same, as places in many->fibs */
};
/* Draws a FIB for every key, or for every 32 keys in a row (locality 32). Returns 0 or -ENOMEM. */
int bench_traffic_draw(const struct bench_many *many, const struct bench_keys *keys,
                       unsigned locality, struct bench_traffic *traffic);
void bench_traffic_free(struct bench_traffic *traffic);

/* Looks up all and returns the sum of the leaves. */
uint64_t bench_traffic_run(const struct bench_traffic *traffic);
/* How many of a sample of the answers are not what the base and the FIB's changes say. */
size_t bench_traffic_wrong(const struct bench_many *many, const struct bench_oracle *oracle,
                           const struct bench_traffic *traffic);

/* A random address in the private space of FIBs, seldom in this FIB's own part of it. */
void bench_private_address(enum lpm_family family, struct bench_random *random,
                           struct lpm_address *address);

#endif

/*
 * The addresses that are looked up.
 *
 *      U             uniform over all addresses (IPv6: over 2000::/3); flatters who decides early
 *      P             a uniformly drawn prefix of the table, then random host bits
 *      Z             Zipf(1) over a million flows, which were drawn as P
 *      half-private  P, but for every other key, on average, an address in the private space of
 *                    bench/many.h
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include "bench/random.h"
#include "bench/table.h"

enum bench_key_kind { BENCH_KEYS_U, BENCH_KEYS_P, BENCH_KEYS_Z, BENCH_KEYS_PRIVATE };

struct bench_keys {
    enum lpm_family family;
    size_t n;
    union {
        void *any;
        uint32_t *v4; /* host byte order */
        uint8_t (*v6)[16];
    };
};

const char *bench_keys_name(enum bench_key_kind kind);

/* Draws n keys for table, from a fixed seed. Returns 0 or -ENOMEM. */
int bench_keys_draw(enum bench_key_kind kind, const struct bench_table *table, size_t n,
                    struct bench_keys *keys);
void bench_keys_free(struct bench_keys *keys);

/* A random address in prefix. */
void bench_address_in(const struct lpm_prefix *prefix, struct bench_random *random,
                      struct lpm_address *address);
/* Key i as an address. */
struct lpm_address bench_keys_address(const struct bench_keys *keys, size_t i);
/* The bytes from key i on, for the engines. */
const void *bench_keys_at(const struct bench_keys *keys, size_t i);

#endif

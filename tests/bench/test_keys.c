/*
 * Keys come as their definitions say, and the oracle answers as a scan over all prefixes does.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/keys.h"
#include "bench/oracle.h"
#include "bench/random.h"
#include "bench/synthetic.h"
#include "tests/bench/support.h"

#define KEYS 100000

static struct bench_keys draw(enum bench_key_kind kind, const struct bench_table *table)
{
    struct bench_keys keys;

    cr_assert_eq(bench_keys_draw(kind, table, KEYS, &keys), 0);
    return keys;
}

Test(keys, u_is_uniform_over_all_of_ipv4)
{
    struct bench_table table = table_of("10.0.0.0/8\n");
    struct bench_keys keys = draw(BENCH_KEYS_U, &table);
    unsigned counts[16] = {0};

    for (size_t i = 0; i < keys.n; i++)
        counts[keys.v4[i] >> 28]++;
    for (unsigned i = 0; i < 16; i++)
        cr_assert(counts[i] > KEYS / 16 * 9 / 10 && counts[i] < KEYS / 16 * 11 / 10);
    bench_keys_free(&keys);
    bench_table_free(&table);
}

Test(keys, u_of_ipv6_lies_in_global_unicast_space)
{
    struct bench_table table = table_of("2001:db8::/32\n");
    struct bench_keys keys = draw(BENCH_KEYS_U, &table);
    bool seen[32] = {false};

    for (size_t i = 0; i < keys.n; i++) {
        cr_assert_eq(keys.v6[i][0] >> 5, 1);
        seen[keys.v6[i][0] & 31] = true;
    }
    for (unsigned i = 0; i < 32; i++)
        cr_assert(seen[i]);
    bench_keys_free(&keys);
    bench_table_free(&table);
}

/* Three prefixes of very different size are hit alike, and host bits take all values. */
Test(keys, p_is_uniform_over_prefixes_whatever_their_length)
{
    struct bench_table table = table_of("10.0.0.0/8\n192.0.2.0/27\n203.0.113.7/32\n");
    struct bench_keys keys = draw(BENCH_KEYS_P, &table);
    unsigned counts[3] = {0}, hosts = 0;

    for (size_t i = 0; i < keys.n; i++) {
        struct lpm_address address = bench_keys_address(&keys, i);
        unsigned of = 0;
        while (of < 3 && !lpm_prefix_contains(&table.routes[of].prefix, &address))
            of++;
        cr_assert_lt(of, 3, "a key outside of all prefixes");
        counts[of]++;
        if (of == 1)
            hosts |= 1u << (keys.v4[i] & 31);
    }
    for (unsigned i = 0; i < 3; i++)
        cr_assert(counts[i] > KEYS / 3 * 9 / 10 && counts[i] < KEYS / 3 * 11 / 10);
    cr_assert_eq(hosts, 0xffffffffu);
    bench_keys_free(&keys);
    bench_table_free(&table);
}

/* Under Zipf(1) the first 2^k of 2^20 ranks get about k/20 of the draws. */
Test(keys, ranks_of_z_follow_zipf)
{
    struct bench_random random = {.state = 1};
    unsigned first = 0, thousand = 0;

    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t rank = bench_zipf(bench_random_next(&random), 1 << 20);
        cr_assert_lt(rank, 1 << 20);
        first += rank == 0;
        thousand += rank < 1023;
    }
    cr_assert_float_eq((double)first / KEYS, 1 / 20.0, 0.005);
    cr_assert_float_eq((double)thousand / KEYS, 10 / 20.0, 0.01);
}

Test(keys, z_comes_in_flows)
{
    struct bench_table table = table_of("10.0.0.0/8\n");
    struct bench_keys keys = draw(BENCH_KEYS_Z, &table);
    unsigned same = 0;

    for (size_t i = 1; i < keys.n; i++)
        same += keys.v4[i] == keys.v4[0] || keys.v4[i] == keys.v4[i - 1];
    /* Two keys in a row are of one flow with a chance of about 0.8 %; in P, nearly never. */
    cr_assert_gt(same, KEYS / 400);
    bench_keys_free(&keys);
    bench_table_free(&table);
}

Test(keys, half_private_is_half_private)
{
    struct bench_table table = table_of("192.0.2.0/24\n");
    struct bench_keys keys = draw(BENCH_KEYS_PRIVATE, &table);
    unsigned private = 0;

    for (size_t i = 0; i < keys.n; i++)
    private += keys.v4[i] >> 24 == 10;
    cr_assert(private > KEYS * 48 / 100 && private < KEYS * 52 / 100);
    bench_keys_free(&keys);
    bench_table_free(&table);
}

Test(keys, are_the_same_in_every_run)
{
    struct bench_table table;

    cr_assert_eq(bench_synthetic_table(LPM_IPV6, 1000, &table), 0);
    for (int kind = BENCH_KEYS_U; kind <= BENCH_KEYS_PRIVATE; kind++) {
        struct bench_keys first = draw((enum bench_key_kind)kind, &table);
        struct bench_keys second = draw((enum bench_key_kind)kind, &table);
        cr_assert_eq(memcmp(first.v6, second.v6, KEYS * 16), 0);
        bench_keys_free(&first);
        bench_keys_free(&second);
    }
    bench_table_free(&table);
}

/* --- Oracle ----------------------------------------------------------------------------------- */

static uint32_t scan(const struct bench_table *table, const bool *gone,
                     const struct lpm_address *address)
{
    uint32_t leaf = LPM_NO_ROUTE;
    int longest = -1;

    for (size_t i = 0; i < table->n; i++) {
        const struct lpm_prefix *prefix = &table->routes[i].prefix;
        if (gone[i] || prefix->length <= longest || !lpm_prefix_contains(prefix, address))
            continue;
        longest = prefix->length;
        leaf = table->routes[i].leaf;
    }
    return leaf;
}

static void check_oracle(enum lpm_family family)
{
    struct bench_random random = {.state = 5};
    struct bench_table table;
    static bool gone[2000];

    memset(gone, 0, sizeof(gone));
    cr_assert_eq(bench_synthetic_table(family, 2000, &table), 0);
    struct bench_oracle *oracle = bench_oracle_of(&table);
    struct bench_keys keys = draw(BENCH_KEYS_P, &table);
    for (size_t i = 0; i < 4000; i++) {
        struct lpm_address address = bench_keys_address(&keys, i);
        size_t place = bench_random_below(&random, table.n);
        struct lpm_change change = {LPM_REMOVE, table.routes[place].prefix, 0};
        cr_assert_eq(bench_oracle_lookup(oracle, &address), scan(&table, gone, &address));
        if (i % 8 != 0)
            continue;
        cr_assert_eq(bench_oracle_change(oracle, &change), 0);
        gone[place] = true;
    }
    bench_keys_free(&keys);
    bench_oracle_destroy(oracle);
    bench_table_free(&table);
}

Test(oracle, answers_as_a_scan_over_all_prefixes)
{
    check_oracle(LPM_IPV4);
    check_oracle(LPM_IPV6);
}

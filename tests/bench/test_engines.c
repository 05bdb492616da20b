/*
 * Every engine and every variant of it gives the oracle's answers: on tables with a default route,
 * host routes and nested prefixes, after updates, and through many FIBs.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/eal.h"
#include "bench/engine.h"
#include "bench/many.h"
#include "bench/oracle.h"
#include "bench/synthetic.h"
#include "lpm/rcu.h"
#include "tests/bench/support.h"

#define ROUTES 3000
#define KEYS   (BENCH_BURST * 128)

static void start(void)
{
    struct bench_error error = {.text = ""};

    lpm_rcu_register_thread();
    cr_assert_eq(bench_eal_start((size_t)768 << 20, &error), 0, "%s", error.text);
}

static void stop(void)
{
    lpm_rcu_unregister_thread();
}

TestSuite(engines, .init = start, .fini = stop);

static void check_variants(const struct bench_engine *engine, void *instance,
                           const struct bench_oracle *oracle, const struct bench_keys *keys)
{
    uint32_t *right = bench_oracle_answers(oracle, keys);
    static uint32_t leaves[KEYS];

    for (unsigned i = 0; engine->variant(instance, i); i++) {
        uint64_t sum = 0;
        if (!engine->select(instance, i))
            continue;
        engine->answers(instance, keys->any, keys->n, leaves);
        for (size_t k = 0; k < keys->n; k++) {
            cr_assert_eq(leaves[k], right[k], "%s, key %zu: %u, not %u",
                         engine->variant(instance, i), k, leaves[k], right[k]);
            sum += right[k];
        }
        cr_assert_eq(engine->run(instance, keys->any, keys->n), sum);
    }
    free(right);
}

static void check_engine(const struct bench_engine *engine, const struct bench_table *table,
                         const struct bench_updates *updates)
{
    struct bench_oracle *oracle = bench_oracle_of(table);
    struct bench_keys keys[3];
    void *instance;

    cr_assert_eq(engine->build(table, &instance), 0, "%s", engine->name);
    for (int kind = BENCH_KEYS_U; kind <= BENCH_KEYS_Z; kind++) {
        cr_assert_eq(bench_keys_draw((enum bench_key_kind)kind, table, KEYS, &keys[kind]), 0);
        check_variants(engine, instance, oracle, &keys[kind]);
    }
    for (size_t i = 0; engine->changes && i < updates->n; i++) {
        cr_assert_eq(engine->update(instance, &updates->changes[i], 1), 0, "%s", engine->name);
        bench_oracle_change(oracle, &updates->changes[i]);
    }
    check_variants(engine, instance, oracle, &keys[BENCH_KEYS_P]);
    for (unsigned i = 0; i < 3; i++)
        bench_keys_free(&keys[i]);
    engine->destroy(instance);
    bench_oracle_destroy(oracle);
}

static void check_family(enum lpm_family family, const struct bench_table *table)
{
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    unsigned n = bench_engines(family, false, engines);
    struct bench_updates updates;

    cr_assert_eq(bench_synthetic_updates(table, &updates), 0);
    for (unsigned i = 0; i < n; i++)
        check_engine(engines[i], table, &updates);
    bench_updates_free(&updates);
}

static void check_synthetic(enum lpm_family family)
{
    struct bench_table table;

    cr_assert_eq(bench_synthetic_table(family, ROUTES, &table), 0);
    check_family(family, &table);
    bench_table_free(&table);
}

Test(engines, agree_with_the_oracle_on_ipv4)
{
    check_synthetic(LPM_IPV4);
}

Test(engines, agree_with_the_oracle_on_ipv6)
{
    check_synthetic(LPM_IPV6);
}

Test(engines, agree_on_default_host_and_nested_routes)
{
    struct bench_table table4 = table_of("0.0.0.0/0\n10.0.0.0/8\n10.0.0.0/16\n10.0.0.0/24\n"
                                         "10.0.0.0/30\n10.0.0.1/32\n255.255.255.255/32\n");
    struct bench_table table6 = table_of("::/0\n2001:db8::/32\n2001:db8::/48\n2001:db8::/64\n"
                                         "2001:db8::/127\n2001:db8::1/128\nffff::/16\n");

    check_family(LPM_IPV4, &table4);
    check_family(LPM_IPV6, &table6);
    bench_table_free(&table4);
    bench_table_free(&table6);
}

Test(engines, of_peers_are_not_quick_when_they_load_slowly)
{
    const struct bench_engine *engines[BENCH_ENGINES_MAX];
    unsigned n = bench_engines(LPM_IPV4, true, engines);

    cr_assert_eq(n, 2);
    cr_assert_eq(engines[0], &bench_engine_lpm);
    cr_assert_eq(engines[1], &bench_engine_fib);
}

/* --- Many FIBs -------------------------------------------------------------------------------- */

static void check_many(enum bench_world world, enum lpm_family family)
{
    struct bench_table table;
    struct bench_many many;
    struct bench_keys keys;
    struct bench_traffic traffic;

    cr_assert_eq(bench_synthetic_table(family, ROUTES, &table), 0);
    struct bench_oracle *oracle = bench_oracle_of(&table);
    cr_assert_eq(bench_many_create(world, &table, 20, &many), 0);
    cr_assert_eq(bench_keys_draw(BENCH_KEYS_PRIVATE, &table, BENCH_BURST * 1024, &keys), 0);
    cr_assert_eq(bench_traffic_draw(&many, &keys, 32, &traffic), 0);
    cr_assert_eq(bench_traffic_wrong(&many, oracle, &traffic), 0);
    for (size_t i = 1; i < keys.n; i++)
        cr_assert(i % 32 == 0 || traffic.fibs[i] == traffic.fibs[i - 1]);

    /* The check can fail: the same traffic against FIBs that have changed. */
    struct lpm_change change = {.kind = LPM_SET, .leaf = 4711};
    change.prefix = (struct lpm_prefix){.family = (uint8_t)family, .length = 0};
    for (size_t i = 0; i < many.n; i++)
        cr_assert_eq(lpm_update(many.fibs[i], &change, 1), 0);
    cr_assert_gt(bench_traffic_wrong(&many, oracle, &traffic), 0);

    bench_traffic_free(&traffic);
    bench_keys_free(&keys);
    bench_many_destroy(&many);
    bench_oracle_destroy(oracle);
    bench_table_free(&table);
}

Test(engines, agree_with_the_oracle_through_many_fibs)
{
    check_many(BENCH_WORLD_PRIVATE, LPM_IPV4);
    check_many(BENCH_WORLD_PRIVATE, LPM_IPV6);
    check_many(BENCH_WORLD_SMALL, LPM_IPV4);
}

/*
 * DPDK's rte_fib6: a table of 2^24 entries, then tables of 256 for each byte more, 4-byte next
 * hops.
 */
#include "bench/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_fib6.h>
#include <rte_memory.h>

#include "bench/eal.h"
#include "bench/words.h"

#define TBL8_MIN 4096
#define TBL8_MAX ((size_t)1 << 21)

struct instance {
    struct rte_fib6 *fib;
    size_t tbl8s;
    size_t heap_bytes;
};

static const struct {
    const char *name;
    enum rte_fib6_lookup_type type;
} variants[] = {
    {"rte_fib6-scalar", RTE_FIB6_LOOKUP_TRIE_SCALAR},
    {"rte_fib6-avx512", RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512},
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* Routes as in engine_fib.c: a quarter more than the table has. */
static int fill(struct instance *instance, const struct bench_table *table, size_t tbl8s)
{
    struct rte_fib6_conf config = {
        .type = RTE_FIB6_TRIE,
        .default_nh = LPM_NO_ROUTE,
        .max_routes = (int)(table->n + table->n / 4 + 4096),
        .trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = (uint32_t)tbl8s},
    };

    instance->tbl8s = tbl8s;
    instance->fib = rte_fib6_create("fingerpost_bench6", SOCKET_ID_ANY, &config);
    if (!instance->fib)
        return -rte_errno;
    for (size_t i = 0; i < table->n; i++) {
        const struct lpm_prefix *prefix = &table->routes[i].prefix;
        int result =
            rte_fib6_add(instance->fib, prefix->bytes, prefix->length, table->routes[i].leaf);
        if (result < 0)
            return result;
    }
    return 0;
}

static void destroy(void *context)
{
    struct instance *instance = context;

    rte_fib6_free(instance->fib);
    free(instance);
}

/* DPDK 22.11 counts more second-level tables than it uses (a full table of 246,000 routes wants
 * room for 400,000), so the room grows from what such a table needs until loading succeeds. */
static int build(const struct bench_table *table, void **context)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    size_t before = bench_eal_used();
    int result = -ENOSPC;

    if (!instance)
        return -ENOMEM;
    for (size_t tbl8s = TBL8_MIN + table->n * 13 / 8; result == -ENOSPC && tbl8s < TBL8_MAX;
         tbl8s += tbl8s / 2) {
        rte_fib6_free(instance->fib);
        result = fill(instance, table, tbl8s);
    }
    instance->heap_bytes = bench_eal_used() - before;
    *context = instance;
    if (result < 0)
        destroy(instance);
    return result;
}

static const char *variant(void *context, unsigned i)
{
    (void)context;
    return i < VARIANTS ? variants[i].name : NULL;
}

static bool select_variant(void *context, unsigned i)
{
    struct instance *instance = context;

    return rte_fib6_select_lookup(instance->fib, variants[i].type) == 0;
}

static uint64_t run(void *context, const void *keys, size_t n)
{
    struct instance *instance = context;
    uint8_t(*addresses)[16] = bench_no_const(keys);
    uint64_t hops[BENCH_BURST], sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_fib6_lookup_bulk(instance->fib, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += hops[k];
    }
    return sum;
}

static void burst(void *context, const void *keys, uint64_t hops[BENCH_BURST], unsigned n)
{
    struct instance *instance = context;

    rte_fib6_lookup_bulk(instance->fib, bench_no_const(keys), hops, (int)n);
}

static void answers(void *context, const void *keys, size_t n, uint32_t *leaves)
{
    struct instance *instance = context;
    uint8_t(*addresses)[16] = bench_no_const(keys);
    uint64_t hops[BENCH_BURST];

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_fib6_lookup_bulk(instance->fib, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            leaves[i + k] = (uint32_t)hops[k];
    }
}

/* Counted as in engine_fib.c. */
static void bytes(void *context, struct bench_bytes *bytes)
{
    struct instance *instance = context;

    bytes->lookup = (((size_t)1 << 24) + instance->tbl8s * 256) * sizeof(uint32_t);
    bytes->writer = instance->heap_bytes - bytes->lookup;
}

static int update(void *context, const struct lpm_change *changes, size_t n)
{
    struct instance *instance = context;

    for (size_t i = 0; i < n; i++) {
        const struct lpm_prefix *prefix = &changes[i].prefix;
        int result =
            changes[i].kind == LPM_SET
                ? rte_fib6_add(instance->fib, prefix->bytes, prefix->length, changes[i].leaf)
                : rte_fib6_delete(instance->fib, prefix->bytes, prefix->length);
        if (result < 0 && result != -ENOENT)
            return result;
    }
    return 0;
}

const struct bench_engine bench_engine_fib6 = {
    .name = "rte_fib6",
    .family = LPM_IPV6,
    .peer = true,
    .changes = true,
    .build = build,
    .destroy = destroy,
    .variant = variant,
    .select = select_variant,
    .run = run,
    .answers = answers,
    .burst = burst,
    .bytes = bytes,
    .update = update,
};

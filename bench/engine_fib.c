/*
 * DPDK's rte_fib: DIR-24-8 with 4-byte next hops, a table of 2^24 entries and second-level tables
 * of 256.
 */
#include "bench/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_memory.h>

#include "bench/eal.h"
#include "bench/words.h"

/* A full table has hardly a prefix beyond /24, but a day of updates brings some. */
#define TBL8_MIN 4096

struct instance {
    struct rte_fib *fib;
    size_t tbl8s;
    size_t heap_bytes;
};

/* The macro is what DPDK itself takes where there is no AVX-512. */
static const struct {
    const char *name;
    enum rte_fib_lookup_type type;
} variants[] = {
    {"rte_fib-scalar", RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO},
    {"rte_fib-avx512", RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512},
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* 4 bytes a next hop: the trie's leaves have 24 bits, which the smaller sizes do not hold. Room for
 * a quarter more routes than the table has, for what the updates announce. */
static int fill(struct instance *instance, const struct bench_table *table, size_t tbl8s)
{
    struct rte_fib_conf config = {
        .type = RTE_FIB_DIR24_8,
        .default_nh = LPM_NO_ROUTE,
        .max_routes = (int)(table->n + table->n / 4 + 4096),
        .dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = (uint32_t)tbl8s},
    };

    instance->tbl8s = tbl8s;
    instance->fib = rte_fib_create("fingerpost_bench", SOCKET_ID_ANY, &config);
    if (!instance->fib)
        return -rte_errno;
    for (size_t i = 0; i < table->n; i++) {
        const struct lpm_prefix *prefix = &table->routes[i].prefix;
        int result = rte_fib_add(instance->fib, bench_word(prefix->bytes), prefix->length,
                                 table->routes[i].leaf);
        if (result < 0)
            return result;
    }
    return 0;
}

static void destroy(void *context)
{
    struct instance *instance = context;

    rte_fib_free(instance->fib);
    free(instance);
}

/* The number of second-level tables that a table needs is known once it has been loaded. */
static int build(const struct bench_table *table, void **context)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    size_t before = bench_eal_used();
    int result = -ENOSPC;

    if (!instance)
        return -ENOMEM;
    for (size_t tbl8s = TBL8_MIN; result == -ENOSPC && tbl8s <= 1 << 20; tbl8s *= 4) {
        rte_fib_free(instance->fib);
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

/* Fails where the CPU, or the width that EAL was started with, does not allow it. */
static bool select_variant(void *context, unsigned i)
{
    struct instance *instance = context;

    return rte_fib_select_lookup(instance->fib, variants[i].type) == 0;
}

/* The sum is of 64-bit words as DPDK writes them: turning them into leaves is not its work. */
static uint64_t run(void *context, const void *keys, size_t n)
{
    struct instance *instance = context;
    uint32_t *addresses = bench_no_const(keys); /* DPDK's prototype forgets const */
    uint64_t hops[BENCH_BURST], sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_fib_lookup_bulk(instance->fib, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += hops[k];
    }
    return sum;
}

static void burst(void *context, const void *keys, uint64_t hops[BENCH_BURST], unsigned n)
{
    struct instance *instance = context;

    rte_fib_lookup_bulk(instance->fib, bench_no_const(keys), hops, (int)n);
}

static void answers(void *context, const void *keys, size_t n, uint32_t *leaves)
{
    struct instance *instance = context;
    uint32_t *addresses = bench_no_const(keys);
    uint64_t hops[BENCH_BURST];

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_fib_lookup_bulk(instance->fib, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            leaves[i + k] = (uint32_t)hops[k];
    }
}

/* Second-level tables count as configured: DPDK allocates them all at once. The rest of what its
 * heap handed out is rte_rib, from which it works out what a change uncovers. */
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
        uint32_t address = bench_word(prefix->bytes);
        int result = changes[i].kind == LPM_SET
                         ? rte_fib_add(instance->fib, address, prefix->length, changes[i].leaf)
                         : rte_fib_delete(instance->fib, address, prefix->length);
        if (result < 0 && result != -ENOENT) /* a withdrawal of what is not there */
            return result;
    }
    return 0;
}

const struct bench_engine bench_engine_fib = {
    .name = "rte_fib",
    .family = LPM_IPV4,
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

/*
 * DPDK's rte_lpm6: a table of 2^24 entries, then tables of 256 for each byte more. It has no
 * default route; that is kept beside it.
 */
#include "bench/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lpm6.h>
#include <rte_memory.h>

#include "bench/eal.h"
#include "bench/words.h"

#define TBL8_MIN 4096
#define TBL8_MAX ((size_t)1 << 20)

struct instance {
    struct rte_lpm6 *lpm;
    uint32_t fallback; /* leaf of ::/0 */
    size_t tbl8s;
    size_t heap_bytes;
};

static int fill(struct instance *instance, const struct bench_table *table, size_t tbl8s)
{
    struct rte_lpm6_config config = {.max_rules = (uint32_t)table->n + 1,
                                     .number_tbl8s = (uint32_t)tbl8s};

    instance->tbl8s = tbl8s;
    instance->lpm = rte_lpm6_create("fingerpost_bench6", SOCKET_ID_ANY, &config);
    if (!instance->lpm)
        return -rte_errno;
    for (size_t i = 0; i < table->n; i++) {
        const struct lpm_prefix *prefix = &table->routes[i].prefix;
        int result = 0;
        if (prefix->length == 0)
            instance->fallback = table->routes[i].leaf;
        else
            result =
                rte_lpm6_add(instance->lpm, prefix->bytes, prefix->length, table->routes[i].leaf);
        if (result < 0)
            return result;
    }
    return 0;
}

static void destroy(void *context)
{
    struct instance *instance = context;

    rte_lpm6_free(instance->lpm);
    free(instance);
}

static int build(const struct bench_table *table, void **context)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    size_t before = bench_eal_used();
    int result = -ENOSPC;

    if (!instance)
        return -ENOMEM;
    for (size_t tbl8s = TBL8_MIN + table->n / 4; result == -ENOSPC && tbl8s < TBL8_MAX;
         tbl8s *= 2) {
        rte_lpm6_free(instance->lpm);
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
    return i == 0 ? "rte_lpm6-bulk" : NULL;
}

static bool select_variant(void *context, unsigned i)
{
    (void)context;
    return i == 0;
}

static inline uint32_t leaf_of(const struct instance *instance, int32_t hop)
{
    return hop >= 0 ? (uint32_t)hop : instance->fallback;
}

static uint64_t run(void *context, const void *keys, size_t n)
{
    struct instance *instance = context;
    uint8_t(*addresses)[16] = bench_no_const(keys);
    int32_t hops[BENCH_BURST];
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_lpm6_lookup_bulk_func(instance->lpm, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += leaf_of(instance, hops[k]);
    }
    return sum;
}

static void answers(void *context, const void *keys, size_t n, uint32_t *leaves)
{
    struct instance *instance = context;
    uint8_t(*addresses)[16] = bench_no_const(keys);
    int32_t hops[BENCH_BURST];

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        rte_lpm6_lookup_bulk_func(instance->lpm, addresses + i, hops, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            leaves[i + k] = leaf_of(instance, hops[k]);
    }
}

static void bytes(void *context, struct bench_bytes *bytes)
{
    struct instance *instance = context;

    bytes->lookup = (((size_t)1 << 24) + instance->tbl8s * 256) * sizeof(uint32_t);
    bytes->writer = instance->heap_bytes - bytes->lookup;
}

const struct bench_engine bench_engine_rte_lpm6 = {
    .name = "rte_lpm6",
    .family = LPM_IPV6,
    .peer = true,
    .build = build,
    .destroy = destroy,
    .variant = variant,
    .select = select_variant,
    .run = run,
    .answers = answers,
    .bytes = bytes,
};

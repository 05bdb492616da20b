/*
 * DPDK's rte_lpm: DIR-24-8 too, with 24-bit next hops and inline lookups.
 *
 * Loading takes minutes for a full table (22.11 searches its rules one by one), hence loads_slowly.
 * It has no default route; that is kept beside it.
 */
#include "bench/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lpm.h>
#include <rte_memory.h>

#include "bench/eal.h"
#include "bench/words.h"

/* One for each /24 with something longer inside; a full table has next to none. */
#define TBL8S 4096

enum { BULK, X4, VARIANTS };
static const char *const names[VARIANTS] = {"rte_lpm-bulk", "rte_lpm-x4"};

struct instance {
    struct rte_lpm *lpm;
    uint32_t fallback; /* leaf of 0.0.0.0/0 */
    unsigned variant;
    size_t heap_bytes;
};

static int fill(struct instance *instance, const struct bench_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct lpm_prefix *prefix = &table->routes[i].prefix;
        int result = 0;
        if (prefix->length == 0)
            instance->fallback = table->routes[i].leaf;
        else
            result = rte_lpm_add(instance->lpm, bench_word(prefix->bytes), prefix->length,
                                 table->routes[i].leaf);
        if (result < 0)
            return result;
    }
    return 0;
}

static void destroy(void *context)
{
    struct instance *instance = context;

    rte_lpm_free(instance->lpm);
    free(instance);
}

static int build(const struct bench_table *table, void **context)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    struct rte_lpm_config config = {.max_rules = (uint32_t)table->n + 1, .number_tbl8s = TBL8S};
    size_t before = bench_eal_used();
    int result;

    if (!instance)
        return -ENOMEM;
    instance->lpm = rte_lpm_create("fingerpost_bench", SOCKET_ID_ANY, &config);
    result = instance->lpm ? fill(instance, table) : -rte_errno;
    instance->heap_bytes = bench_eal_used() - before;
    *context = instance;
    if (result < 0)
        destroy(instance);
    return result;
}

static const char *variant(void *context, unsigned i)
{
    (void)context;
    return i < VARIANTS ? names[i] : NULL;
}

/* Both read the same table; which one runs is a branch a burst. */
static bool select_variant(void *context, unsigned i)
{
    struct instance *instance = context;

    instance->variant = i;
    return true;
}

/* One burst, in words whose low 24 bits are the leaf. */
static inline void look_up(const struct instance *instance, const uint32_t *addresses,
                           uint32_t hops[BENCH_BURST])
{
    if (instance->variant == X4) {
        for (unsigned k = 0; k < BENCH_BURST; k += 4)
            rte_lpm_lookupx4(instance->lpm, _mm_loadu_si128((const __m128i *)(addresses + k)),
                             hops + k, instance->fallback);
        return;
    }
    rte_lpm_lookup_bulk(instance->lpm, addresses, hops, BENCH_BURST);
    for (unsigned k = 0; k < BENCH_BURST; k++)
        hops[k] = hops[k] & RTE_LPM_LOOKUP_SUCCESS ? hops[k] & 0xffffff : instance->fallback;
}

static uint64_t run(void *context, const void *keys, size_t n)
{
    const uint32_t *addresses = keys;
    uint32_t hops[BENCH_BURST];
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        look_up(context, addresses + i, hops);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += hops[k];
    }
    return sum;
}

static void answers(void *context, const void *keys, size_t n, uint32_t *leaves)
{
    const uint32_t *addresses = keys;

    for (size_t i = 0; i < n; i += BENCH_BURST)
        look_up(context, addresses + i, leaves + i);
}

static void bytes(void *context, struct bench_bytes *bytes)
{
    struct instance *instance = context;

    bytes->lookup = (RTE_LPM_TBL24_NUM_ENTRIES + TBL8S * 256) * sizeof(struct rte_lpm_tbl_entry);
    bytes->writer = instance->heap_bytes - bytes->lookup;
}

const struct bench_engine bench_engine_rte_lpm = {
    .name = "rte_lpm",
    .family = LPM_IPV4,
    .peer = true,
    .loads_slowly = true,
    .build = build,
    .destroy = destroy,
    .variant = variant,
    .select = select_variant,
    .run = run,
    .answers = answers,
    .bytes = bytes,
};

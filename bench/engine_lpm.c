/*
 * Fingerpost's trie: one base.
 */
#include "bench/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/words.h"
#include "lpm/rcu.h"

#define VARIANTS_MAX 8

struct instance {
    struct lpm *lpm;
    struct lpm_fib *fib;
    /* The bulk lookup takes a FIB with each address; here they are all the same. */
    const struct lpm_fib *fibs[BENCH_BURST];
};

static void destroy(void *context)
{
    struct instance *instance = context;

    lpm_release(instance->fib);
    if (instance->lpm)
        lpm_destroy(instance->lpm);
    free(instance);
}

/* A set of tables of its own for each instance, so that its bytes are those of this table alone. */
static int build(const struct bench_table *table, void **context)
{
    struct instance *instance = calloc(1, sizeof(*instance));
    int result;

    if (!instance)
        return -ENOMEM;
    instance->lpm = lpm_create();
    result = instance->lpm ? lpm_base_create(instance->lpm, table->family, table->routes, table->n,
                                             &instance->fib)
                           : -errno;
    if (result < 0) {
        destroy(instance);
        return result;
    }
    for (unsigned i = 0; i < BENCH_BURST; i++)
        instance->fibs[i] = instance->fib;
    *context = instance;
    return 0;
}

/* Variant 0 is what the library chooses by itself; then those that it can run here. */
static const char *name_at(unsigned i)
{
    const char *const *names = lpm_variants();

    for (unsigned at = 1; *names && at < i; at++)
        names++;
    return *names;
}

static const char *variant(void *context, unsigned i)
{
    static char names[VARIANTS_MAX][32];

    (void)context;
    if (i == 0)
        return "fingerpost";
    if (i >= VARIANTS_MAX || !name_at(i))
        return NULL;
    snprintf(names[i], sizeof(names[i]), "fingerpost-%s", name_at(i));
    return names[i];
}

static bool select_variant(void *context, unsigned i)
{
    (void)context;
    return lpm_force_variant(i == 0 ? NULL : name_at(i)) == 0;
}

/* Summing is part of the run for every engine: it makes sure that the leaves are really written and
 * read, and it is the checksum. */
static uint64_t run4(const struct instance *instance, const uint32_t *keys, size_t n)
{
    uint32_t leaves[BENCH_BURST];
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        lpm_lookup_bulk4(instance->fibs, keys + i, leaves, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += leaves[k];
    }
    return sum;
}

static uint64_t run6(const struct instance *instance, const uint8_t (*keys)[16], size_t n)
{
    uint32_t leaves[BENCH_BURST];
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        lpm_lookup_bulk6(instance->fibs, keys + i, leaves, BENCH_BURST);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += leaves[k];
    }
    return sum;
}

static uint64_t run(void *context, const void *keys, size_t n)
{
    struct instance *instance = context;

    if (lpm_fib_family(instance->fib) == LPM_IPV4)
        return run4(instance, keys, n);
    return run6(instance, keys, n);
}

static void answers(void *context, const void *keys, size_t n, uint32_t *leaves)
{
    struct instance *instance = context;
    const uint32_t *keys4 = keys;
    uint8_t(*keys6)[16] = bench_no_const(keys);
    bool is_ipv4 = lpm_fib_family(instance->fib) == LPM_IPV4;

    for (size_t i = 0; i < n; i += BENCH_BURST) {
        if (is_ipv4)
            lpm_lookup_bulk4(instance->fibs, keys4 + i, leaves + i, BENCH_BURST);
        else
            lpm_lookup_bulk6(instance->fibs, (const uint8_t(*)[16])keys6 + i, leaves + i,
                             BENCH_BURST);
    }
}

/* What is kept free for reuse was needed for building and counts as beside the table. */
static void bytes(void *context, struct bench_bytes *bytes)
{
    struct instance *instance = context;
    struct lpm_bytes all;

    lpm_bytes(instance->lpm, &all);
    bytes->lookup = all.lookup;
    bytes->writer = all.writer + all.deferred + all.free;
}

static int update(void *context, const struct lpm_change *changes, size_t n)
{
    struct instance *instance = context;
    int result = lpm_update(instance->fib, changes, n);

    /* The updating thread is a reader too, and must not hold up its own grace period. */
    lpm_rcu_quiescent();
    lpm_rcu_poll();
    return result;
}

const struct bench_engine bench_engine_lpm = {
    .name = "fingerpost",
    .changes = true,
    .build = build,
    .destroy = destroy,
    .variant = variant,
    .select = select_variant,
    .run = run,
    .answers = answers,
    .bytes = bytes,
    .update = update,
    .reader_begin = lpm_rcu_register_thread,
    .reader_quiescent = lpm_rcu_quiescent,
    .reader_end = lpm_rcu_unregister_thread,
};

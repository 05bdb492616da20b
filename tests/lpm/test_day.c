/*
 * Long runs of updates on large tables, against plain arrays instead of the linear model.
 */
#include "lpm/rcu.h"
#include "tests/lpm/model.h"
#include "tests/lpm/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* --- Every prefix under one /16 (IPv6: /112) --------------------------------------------------- */

#define LEVELS    17 /* 16 .. 32, or 112 .. 128 */
#define ADDRESSES 65536u
#define PREFIXES  (2 * ADDRESSES) /* numbered as a binary heap: 1 .. PREFIXES - 1 */

struct block {
    struct lpm *lpm;
    struct lpm_fib *fib;
    enum lpm_family family;
    struct model_random random;
    uint32_t *order;                  /* prefix numbers, shuffled */
    uint32_t leaf_of[PREFIXES];       /* 0: not there */
    uint32_t expected[2 * ADDRESSES]; /* leaf that each number inherits or has */
};

static struct lpm_prefix numbered_prefix(enum lpm_family family, uint32_t number)
{
    unsigned level = 31u - (unsigned)__builtin_clz(number);
    uint32_t address = (number << (16 - level)) & (ADDRESSES - 1);
    struct lpm_prefix prefix = {.family = (uint8_t)family, .bytes = {10, 77}};
    unsigned last = family == LPM_IPV4 ? 3 : 15;

    prefix.length = (uint8_t)((last - 1) * 8 + level);
    prefix.bytes[last - 1] = (uint8_t)(address >> 8);
    prefix.bytes[last] = (uint8_t)address;
    return prefix;
}

static void shuffle(struct block *block)
{
    for (uint32_t i = PREFIXES - 2; i > 0; i--) {
        uint32_t other = model_below(&block->random, i + 1);
        uint32_t number = block->order[i];

        block->order[i] = block->order[other];
        block->order[other] = number;
    }
}

static void compare_all(struct block *block)
{
    struct lpm_address address = {.family = (uint8_t)block->family, .bytes = {10, 77}};
    unsigned last = block->family == LPM_IPV4 ? 3 : 15;

    for (uint32_t number = 1; number < PREFIXES; number++)
        block->expected[number] =
            block->leaf_of[number] ? block->leaf_of[number] : block->expected[number / 2];
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        address.bytes[last - 1] = (uint8_t)(i >> 8);
        address.bytes[last] = (uint8_t)i;
        cr_assert_eq(lpm_lookup(block->fib, &address), block->expected[ADDRESSES + i]);
    }
    cr_assert(lpm_validate(block->lpm));
}

/* All numbers in a new order, set or removed, some hundreds at a time. */
static void sweep(struct block *block, enum lpm_change_kind kind)
{
    struct lpm_change changes[600];
    uint32_t done = 0;

    shuffle(block);
    for (unsigned batch = 0; done < PREFIXES - 1; batch++) {
        uint32_t n = 1 + model_below(&block->random, 600);

        if (n > PREFIXES - 1 - done)
            n = PREFIXES - 1 - done;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t number = block->order[done + i];

            changes[i] = (struct lpm_change){kind, numbered_prefix(block->family, number), number};
            block->leaf_of[number] = kind == LPM_SET ? number : 0;
        }
        cr_assert_eq(lpm_update(block->fib, changes, n), 0);
        done += n;
        if (batch % 100 == 50)
            compare_all(block);
    }
    compare_all(block);
}

static void run_block(enum lpm_family family)
{
    struct block *block = calloc(1, sizeof(*block));
    struct lpm_bytes bytes;

    block->family = family;
    block->random.state = 16;
    block->lpm = lpm_create();
    block->order = calloc(PREFIXES, sizeof(*block->order));
    for (uint32_t i = 0; i < PREFIXES - 1; i++)
        block->order[i] = i + 1;
    cr_assert_eq(lpm_base_create(block->lpm, family, NULL, 0, &block->fib), 0);
    sweep(block, LPM_SET);
    sweep(block, LPM_REMOVE);
    cr_assert_eq(lpm_fib_routes(block->fib), 0);
    lpm_release(block->fib);
    lpm_rcu_barrier();
    lpm_bytes(block->lpm, &bytes);
    cr_assert_eq(bytes.lookup + bytes.writer + bytes.deferred, 0);
    lpm_destroy(block->lpm);
    free(block->order);
    free(block);
}

Test(lpm_day, every_prefix_of_one_ipv4_block_comes_and_goes)
{
    run_block(LPM_IPV4);
}

Test(lpm_day, every_prefix_of_one_ipv6_block_comes_and_goes)
{
    run_block(LPM_IPV6);
}

/* --- A day of updates -------------------------------------------------------------------------- */

#define POOL    12000
#define UPDATES WORLD_STEPS(120000)

static int compare_prefixes(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

/* Prefixes of a table's usual lengths, in clusters, each once. */
static size_t draw_pool(enum lpm_family family, struct model_random *random,
                        struct lpm_prefix pool[POOL])
{
    const unsigned lengths4[] = {24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 16, 12, 9, 28, 32};
    const unsigned lengths6[] = {48, 48, 48, 48, 44, 40, 36, 32, 32, 29, 20, 56, 64, 127, 128, 3};
    struct lpm_prefix last = {.family = (uint8_t)family, .bytes = {0x20}};
    size_t kept = 1;

    for (size_t i = 0; i < POOL; i++) {
        struct lpm_prefix *prefix = &pool[i];
        uint64_t bits = model_random(random);

        *prefix = last;
        if (bits % 16 == 0)
            memcpy(prefix->bytes + 1, &bits, family == LPM_IPV4 ? 3 : 7);
        else
            prefix->bytes[family == LPM_IPV4 ? 2 : 5] ^= (uint8_t)(bits >> 8);
        last = *prefix;
        prefix->length =
            (uint8_t)(family == LPM_IPV4 ? lengths4[bits >> 32 & 15] : lengths6[bits >> 32 & 15]);
        lpm_prefix_mask(prefix);
    }
    qsort(pool, POOL, sizeof(*pool), compare_prefixes);
    for (size_t i = 1; i < POOL; i++) {
        if (!lpm_prefix_equal(&pool[i], &pool[kept - 1]))
            pool[kept++] = pool[i];
    }
    return kept;
}

static int stop_at_first(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                         uint32_t leaf_b)
{
    (void)context, (void)prefix, (void)leaf_a, (void)leaf_b;
    return 1;
}

/* Announcements and withdrawals as they come, alone and in batches. */
static void apply_day(struct lpm_fib *fib, struct model_random *random,
                      const struct lpm_prefix *pool, size_t n, uint32_t *leaves)
{
    struct lpm_change changes[300];

    for (size_t done = 0; done < UPDATES;) {
        size_t batch = model_below(random, 4) ? 1 : 1 + model_below(random, 300);

        for (size_t i = 0; i < batch; i++) {
            uint32_t which = model_below(random, (uint32_t)n);
            bool announce = model_below(random, 5) > 0;

            leaves[which] = announce ? 1 + model_below(random, 100) : 0;
            changes[i] =
                (struct lpm_change){announce ? LPM_SET : LPM_REMOVE, pool[which], leaves[which]};
        }
        cr_assert_eq(lpm_update(fib, changes, batch), 0);
        lpm_rcu_poll();
        done += batch;
    }
}

static void run_day(enum lpm_family family)
{
    struct lpm_prefix *pool = calloc(POOL, sizeof(*pool));
    struct lpm_route *routes = calloc(POOL, sizeof(*routes));
    uint32_t *leaves = calloc(POOL, sizeof(*leaves));
    struct model_random random = {1393421};
    struct lpm_fib *lived, *built;
    struct lpm_fib_bytes lived_bytes, built_bytes;
    struct lpm *lpm = lpm_create();
    size_t n = draw_pool(family, &random, pool), count = 0;

    cr_assert_gt(n, 5000);
    cr_assert_eq(lpm_base_create(lpm, family, NULL, 0, &lived), 0);
    apply_day(lived, &random, pool, n, leaves);
    for (size_t i = 0; i < n; i++) {
        if (leaves[i])
            routes[count++] = (struct lpm_route){pool[i], leaves[i]};
    }
    cr_assert_eq(lpm_base_create(lpm, family, routes, count, &built), 0);
    cr_assert(lpm_validate(lpm));
    cr_assert_eq(lpm_fib_routes(lived), count);
    cr_assert_eq(lpm_diff(lived, built, stop_at_first, NULL), 0);
    for (size_t i = 0; i < 100000; i++) {
        struct lpm_address address = {.family = (uint8_t)family};
        uint64_t bits = model_random(&random);

        memcpy(address.bytes, pool[bits % n].bytes, sizeof(address.bytes));
        address.bytes[family == LPM_IPV4 ? 3 : 9] ^= (uint8_t)(bits >> 32);
        cr_assert_eq(lpm_lookup(lived, &address), lpm_lookup(built, &address));
    }
    lpm_fib_bytes(lived, &lived_bytes);
    lpm_fib_bytes(built, &built_bytes);
    cr_assert_eq(lived_bytes.lookup, built_bytes.lookup);
    cr_assert_eq(lived_bytes.writer, built_bytes.writer);
    lpm_release(lived);
    lpm_release(built);
    lpm_destroy(lpm);
    free(pool), free(routes), free(leaves);
}

Test(lpm_day, ipv4_updates_end_where_a_build_of_the_end_state_begins)
{
    run_day(LPM_IPV4);
}

Test(lpm_day, ipv6_updates_end_where_a_build_of_the_end_state_begins)
{
    run_day(LPM_IPV6);
}

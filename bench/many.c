/*
 * Many FIBs over one base.
 */
#include "bench/many.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/engine.h"
#include "lpm/rcu.h"

#define CHANGES_SEED 777
#define TRAFFIC_SEED 4242
/* The oracle for many FIBs looks through all changes of a FIB, so it judges a sample. */
#define CHECK_EVERY 61 /* of the keys; odd, so that all places in a burst have their turn */

/* --- Private routes --------------------------------------------------------------------------- */

/* Where private routes lie, and how long they are. */
struct private_space {
    struct lpm_prefix vnets, others, public;
    uint8_t vnet_length, subnet_length;
    uint8_t route_min, route_max;
};

static const struct private_space space4 = {
    .vnets = {.family = LPM_IPV4, .length = 8, .bytes = {10}},
    .others = {.family = LPM_IPV4, .length = 12, .bytes = {172, 16}},
    .public = {.family = LPM_IPV4, .length = 0},
    .vnet_length = 16,
    .subnet_length = 24,
    .route_min = 19,
    .route_max = 24,
};
static const struct private_space space6 = {
    .vnets = {.family = LPM_IPV6, .length = 40, .bytes = {0xfd}},
    .others = {.family = LPM_IPV6, .length = 28, .bytes = {0xfd, 0x80}},
    .public = {.family = LPM_IPV6, .length = 3, .bytes = {0x20}},
    .vnet_length = 48,
    .subnet_length = 64,
    .route_min = 44,
    .route_max = 60,
};

static const struct private_space *space_of(enum lpm_family family)
{
    return family == LPM_IPV4 ? &space4 : &space6;
}

void bench_private_address(enum lpm_family family, struct bench_random *random,
                           struct lpm_address *address)
{
    bench_address_in(&space_of(family)->vnets, random, address);
}

static struct lpm_prefix prefix_in(const struct lpm_prefix *outer, unsigned length,
                                   struct bench_random *random)
{
    struct lpm_prefix prefix = {.family = outer->family, .length = (uint8_t)length};
    struct lpm_address address;

    bench_address_in(outer, random, &address);
    memcpy(prefix.bytes, address.bytes, sizeof(prefix.bytes));
    lpm_prefix_mask(&prefix);
    return prefix;
}

/* Half are the VNet and its subnets, a quarter lies elsewhere among the VNets, an eighth in other
 * private space, an eighth in public space. */
static void draw_private(enum lpm_family family, struct bench_random *random,
                         struct lpm_change *changes)
{
    const struct private_space *space = space_of(family);
    struct lpm_prefix vnet = prefix_in(&space->vnets, space->vnet_length, random);
    unsigned span = space->route_max - space->route_min + 1u;

    for (unsigned i = 0; i < BENCH_PRIVATE_ROUTES; i++) {
        unsigned length = space->route_min + (unsigned)bench_random_below(random, span);
        struct lpm_change *change = &changes[i];
        change->kind = LPM_SET;
        change->leaf = BENCH_PRIVATE_LEAF + (uint32_t)bench_random_below(random, BENCH_NEXT_HOPS);
        if (i == 0)
            change->prefix = vnet;
        else if (i < BENCH_PRIVATE_ROUTES / 2)
            change->prefix = prefix_in(&vnet, space->subnet_length, random);
        else if (i < BENCH_PRIVATE_ROUTES * 3 / 4)
            change->prefix = prefix_in(&space->vnets, length, random);
        else if (i < BENCH_PRIVATE_ROUTES * 7 / 8)
            change->prefix = prefix_in(&space->others, length, random);
        else
            change->prefix = prefix_in(&space->public, length, random);
    }
}

/* Every fourth change takes a route of the base away, so that the next shorter one decides. */
static void draw_small(const struct bench_table *table, struct bench_random *random,
                       struct lpm_change *changes)
{
    for (unsigned i = 0; i < BENCH_SMALL_CHANGES; i++) {
        struct lpm_change *change = &changes[i];
        change->prefix = table->routes[bench_random_below(random, table->n)].prefix;
        change->kind = i % 4 == 3 ? LPM_REMOVE : LPM_SET;
        change->leaf = BENCH_PRIVATE_LEAF + (uint32_t)bench_random_below(random, BENCH_NEXT_HOPS);
    }
}

/* --- FIBs ------------------------------------------------------------------------------------- */

/* After a barrier, so that what waits for a grace period is not taken for what the FIBs need. What
 * is kept free is left out: it is there for the next change and not because of these FIBs. */
static void count_bytes(const struct bench_many *many, size_t *lookup, size_t *all)
{
    struct lpm_bytes bytes;

    lpm_rcu_barrier();
    lpm_bytes(many->lpm, &bytes);
    *lookup = bytes.lookup;
    *all = bytes.lookup + bytes.writer + bytes.deferred;
}

static int derive_all(enum bench_world world, struct bench_many *many)
{
    struct bench_random random = {.state = CHANGES_SEED};

    for (size_t i = 0; i < many->n; i++) {
        struct lpm_change *changes = &many->changes[i * many->per_fib];
        if (world == BENCH_WORLD_PRIVATE)
            draw_private(many->table->family, &random, changes);
        else
            draw_small(many->table, &random, changes);
        int result = lpm_derive(many->base, changes, many->per_fib, &many->fibs[i]);
        if (result < 0)
            return result;
    }
    return 0;
}

static int create(enum bench_world world, struct bench_many *many)
{
    const struct bench_table *table = many->table;
    size_t all, lookup;
    int result;

    if (!many->lpm || !many->fibs || !many->changes)
        return -ENOMEM;
    result = lpm_base_create(many->lpm, table->family, table->routes, table->n, &many->base);
    if (result < 0)
        return result;
    count_bytes(many, &many->bytes_base_lookup, &many->bytes_base);
    uint64_t start_ns = bench_cpu_ns();
    result = derive_all(world, many);
    many->derive_us = (double)(bench_cpu_ns() - start_ns) / 1e3 / (double)many->n;
    count_bytes(many, &lookup, &all);
    many->bytes_derived_lookup = lookup - many->bytes_base_lookup;
    many->bytes_derived = all - many->bytes_base;
    return result;
}

int bench_many_create(enum bench_world world, const struct bench_table *table, size_t n,
                      struct bench_many *many)
{
    size_t per_fib = world == BENCH_WORLD_PRIVATE ? BENCH_PRIVATE_ROUTES : BENCH_SMALL_CHANGES;
    int result;

    *many = (struct bench_many){
        .table = table,
        .lpm = lpm_create(),
        .fibs = calloc(n, sizeof(*many->fibs)),
        .n = n,
        .changes = calloc(n * per_fib, sizeof(*many->changes)),
        .per_fib = per_fib,
    };
    result = create(world, many);
    if (result < 0)
        bench_many_destroy(many);
    return result;
}

void bench_many_destroy(struct bench_many *many)
{
    for (size_t i = 0; many->fibs && i < many->n; i++)
        lpm_release(many->fibs[i]);
    lpm_release(many->base);
    if (many->lpm)
        lpm_destroy(many->lpm);
    free(many->fibs);
    free(many->changes);
    *many = (struct bench_many){0};
}

/* --- Traffic ---------------------------------------------------------------------------------- */

int bench_traffic_draw(const struct bench_many *many, const struct bench_keys *keys,
                       unsigned locality, struct bench_traffic *traffic)
{
    struct bench_random random = {.state = TRAFFIC_SEED};
    uint32_t index = 0;

    traffic->keys = keys;
    traffic->fibs = bench_memory(keys->n * sizeof(*traffic->fibs));
    traffic->indexes = bench_memory(keys->n * sizeof(*traffic->indexes));
    if (!traffic->fibs || !traffic->indexes) {
        bench_traffic_free(traffic);
        return -ENOMEM;
    }
    for (size_t i = 0; i < keys->n; i++) {
        if (i % locality == 0)
            index = (uint32_t)bench_random_below(&random, many->n);
        traffic->indexes[i] = index;
        traffic->fibs[i] = many->fibs[index];
    }
    return 0;
}

void bench_traffic_free(struct bench_traffic *traffic)
{
    free(traffic->fibs);
    free(traffic->indexes);
    *traffic = (struct bench_traffic){0};
}

static void look_up(const struct bench_traffic *traffic, size_t i, uint32_t leaves[BENCH_BURST])
{
    if (traffic->keys->family == LPM_IPV4)
        lpm_lookup_bulk4(traffic->fibs + i, traffic->keys->v4 + i, leaves, BENCH_BURST);
    else
        lpm_lookup_bulk6(traffic->fibs + i, (const uint8_t(*)[16])traffic->keys->v6 + i, leaves,
                         BENCH_BURST);
}

uint64_t bench_traffic_run(const struct bench_traffic *traffic)
{
    uint32_t leaves[BENCH_BURST];
    uint64_t sum = 0;

    for (size_t i = 0; i < traffic->keys->n; i += BENCH_BURST) {
        look_up(traffic, i, leaves);
        for (unsigned k = 0; k < BENCH_BURST; k++)
            sum += leaves[k];
    }
    return sum;
}

/* What the base has for address, with the FIB's changes applied in their order; the longest
 * decides. */
static uint32_t right_answer(const struct bench_many *many, const struct bench_oracle *oracle,
                             uint32_t index, const struct lpm_address *address)
{
    const struct lpm_change *changes = &many->changes[index * many->per_fib];
    uint32_t leaves[129];
    unsigned length = 128;

    bench_oracle_matches(oracle, address, leaves);
    for (size_t i = 0; i < many->per_fib; i++)
        if (lpm_prefix_contains(&changes[i].prefix, address))
            leaves[changes[i].prefix.length] =
                changes[i].kind == LPM_SET ? changes[i].leaf : LPM_NO_ROUTE;
    while (length > 0 && leaves[length] == LPM_NO_ROUTE)
        length--;
    return leaves[length];
}

size_t bench_traffic_wrong(const struct bench_many *many, const struct bench_oracle *oracle,
                           const struct bench_traffic *traffic)
{
    size_t wrong = 0;

    for (size_t i = 0; i < traffic->keys->n; i += CHECK_EVERY) {
        struct lpm_address address = bench_keys_address(traffic->keys, i);
        uint32_t leaves[BENCH_BURST];

        look_up(traffic, i / BENCH_BURST * BENCH_BURST, leaves);
        wrong +=
            leaves[i % BENCH_BURST] != right_answer(many, oracle, traffic->indexes[i], &address);
    }
    return wrong;
}

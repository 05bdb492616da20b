/*
 * A synthetic Internet table.
 *
 * Two things about a table decide how fast it is searched and how large it becomes: how long the
 * prefixes are and how they lie together. Lengths follow the histograms below, counted over full
 * tables as route collectors saw them in May 2026. For the second: registries hand out allocations,
 * and an allocation appears as some of its parts, next to each other. So the table is a sequence of
 * allocations at random places; each is announced in runs of prefixes of one length that follow one
 * another, often under a covering prefix. Runs have a geometric length.
 *
 * What is drawn twice is dropped, so drawing goes on until enough are different.
 */
#include "bench/synthetic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/random.h"

#define TABLE_SEED   4711
#define UPDATES_SEED 815

#define FULL_ROUTES4 1040000
#define FULL_ROUTES6 246000

#define WITHDRAWALS 36 /* one update in so many */

/* Routes of each length, in units of a hundred-thousandth. */
struct length_share {
    uint8_t length;
    uint32_t share;
};
static const struct length_share shares4[] = {
    {8, 2},     {9, 1},     {10, 4},     {11, 9},     {12, 28},    {13, 56},
    {14, 115},  {15, 204},  {16, 1308},  {17, 801},   {18, 1284},  {19, 2448},
    {20, 4377}, {21, 5033}, {22, 10912}, {23, 10349}, {24, 63069},
};
static const struct length_share shares6[] = {
    {20, 6},    {22, 2},     {24, 17},   {26, 7},     {28, 65},   {29, 2208}, {30, 336},
    {31, 139},  {32, 10863}, {33, 2196}, {34, 2111},  {35, 746},  {36, 3828}, {37, 491},
    {38, 1087}, {39, 743},   {40, 9382}, {41, 689},   {42, 1188}, {43, 590},  {44, 10099},
    {45, 1832}, {46, 2291},  {47, 3625}, {48, 45459},
};

struct shape {
    enum lpm_family family;
    const struct length_share *shares;
    size_t shares_n;
    uint32_t shares_sum;
    unsigned allocation_min, allocation_max; /* lengths of allocations */
    unsigned run_mean;                       /* prefixes in a run */
};

static struct shape shape_of(enum lpm_family family)
{
    struct shape shape = {.family = family};

    if (family == LPM_IPV4) {
        shape.shares = shares4;
        shape.shares_n = sizeof(shares4) / sizeof(shares4[0]);
        shape.allocation_min = 11;
        shape.allocation_max = 22;
        shape.run_mean = 4;
    } else {
        shape.shares = shares6;
        shape.shares_n = sizeof(shares6) / sizeof(shares6[0]);
        shape.allocation_min = 28;
        shape.allocation_max = 34;
        shape.run_mean = 6;
    }
    for (size_t i = 0; i < shape.shares_n; i++)
        shape.shares_sum += shape.shares[i].share;
    return shape;
}

static unsigned draw_length(const struct shape *shape, struct bench_random *random)
{
    uint64_t at = bench_random_below(random, shape->shares_sum);
    size_t i = 0;

    while (at >= shape->shares[i].share)
        at -= shape->shares[i++].share;
    return shape->shares[i].length;
}

/* The first 64 bits of a random place in the space that is routed: unicast but for 10/8 and 127/8,
 * or one of the blocks of 2000::/3 that registries have. */
static uint64_t draw_place(const struct shape *shape, struct bench_random *random)
{
    static const uint16_t blocks6[] = {0x2a00, 0x2800, 0x2a00, 0x2400,
                                       0x2600, 0x2001, 0x2a10, 0x2c00};
    uint64_t bits = bench_random_next(random);

    if (shape->family == LPM_IPV6)
        return (uint64_t)(blocks6[bits & 7] | (bits >> 3 & 0xf)) << 48 |
               bench_random_next(random) >> 16;
    uint64_t first;
    do
        first = 1 + bench_random_below(random, 223);
    while (first == 10 || first == 127);
    return first << 56 | bits >> 8;
}

static void put_route(struct bench_table *table, enum lpm_family family, uint64_t high,
                      unsigned length)
{
    struct lpm_route *route = &table->routes[table->n++];

    *route = (struct lpm_route){.prefix = {.family = (uint8_t)family, .length = (uint8_t)length}};
    for (unsigned i = 0; i < (family == LPM_IPV4 ? 4 : 8); i++)
        route->prefix.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
    lpm_prefix_mask(&route->prefix);
    route->leaf = bench_next_hop(&route->prefix, 0);
}

/* One run: prefixes of one length, side by side inside a random allocation. */
static void put_run(const struct shape *shape, struct bench_random *random, size_t room,
                    struct bench_table *table)
{
    unsigned length = draw_length(shape, random);
    unsigned span = shape->allocation_max - shape->allocation_min + 1;
    unsigned outer = shape->allocation_min + (unsigned)bench_random_below(random, span);
    uint64_t place = draw_place(shape, random);
    size_t end = table->n + room;

    if (outer >= length) {
        put_route(table, shape->family, place, length);
        return;
    }
    place &= ~UINT64_C(0) << (64 - outer);
    uint64_t slots = UINT64_C(1) << (length - outer);
    uint64_t slot = bench_random_below(random, slots);
    do
        put_route(table, shape->family, place | slot++ << (64 - length), length);
    while (slot < slots && table->n < end && bench_random_below(random, shape->run_mean) > 0);
}

static int compare_routes(const void *a, const void *b)
{
    const struct lpm_route *left = a, *right = b;

    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

static void sort_and_drop_doubles(struct bench_table *table)
{
    size_t kept = 0;

    qsort(table->routes, table->n, sizeof(*table->routes), compare_routes);
    for (size_t i = 0; i < table->n; i++)
        if (kept == 0 ||
            !lpm_prefix_equal(&table->routes[kept - 1].prefix, &table->routes[i].prefix))
            table->routes[kept++] = table->routes[i];
    table->n = kept;
}

int bench_synthetic_table(enum lpm_family family, size_t n, struct bench_table *table)
{
    struct shape shape = shape_of(family);
    struct bench_random random = {.state = TABLE_SEED + (unsigned)family};

    if (n == 0)
        n = family == LPM_IPV4 ? FULL_ROUTES4 : FULL_ROUTES6;
    *table = (struct bench_table){.family = family, .routes = calloc(n, sizeof(*table->routes))};
    if (!table->routes)
        return -ENOMEM;
    while (table->n < n) {
        while (table->n < n)
            put_run(&shape, &random, n - table->n, table);
        sort_and_drop_doubles(table);
    }
    return 0;
}

/* --- Updates ---------------------------------------------------------------------------------- */

int bench_synthetic_updates(const struct bench_table *table, struct bench_updates *updates)
{
    struct bench_random random = {.state = UPDATES_SEED};
    struct bench_random order = {.state = UPDATES_SEED + 1};
    uint64_t offset = bench_random_next(&order);

    updates->n = table->n;
    updates->changes = calloc(updates->n, sizeof(*updates->changes));
    if (!updates->changes)
        return -ENOMEM;
    for (size_t i = 0; i < updates->n; i++) {
        struct lpm_change *change = &updates->changes[i];
        /* The rank of a prefix says how restless it is; a hash, where in the table it stands. */
        uint64_t rank = bench_zipf(bench_random_next(&random), table->n);
        uint64_t place = (bench_mix(rank + offset) >> 32) * table->n >> 32;

        change->prefix = table->routes[place].prefix;
        change->kind = bench_random_below(&random, WITHDRAWALS) == 0 ? LPM_REMOVE : LPM_SET;
        change->leaf = change->kind == LPM_SET ? bench_next_hop(&change->prefix, i + 1) : 0;
    }
    return 0;
}

/*
 * bench share: what many FIBs over one base cost, how fast they are, and what a change of the base
 * costs under them.
 *
 * A change of the base is measured with three routes, each of which gets other leaves: one whose
 * place no FIB overrides; one that every FIB has an override inside of, each another; and one that
 * every FIB has an override around. Then a route comes and goes inside of the latter, which all FIBs
 * have to be told of once: the first time is measured apart.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/engine.h"
#include "bench/lines.h"
#include "bench/many.h"
#include "bench/run.h"
#include "lpm/rcu.h"

#define BASE_CHANGES    101
#define CHANGE_SEED     31
#define BUDGET_NS       5000000000u
#define BUDGET_QUICK_NS 200000000u

#define SMALL_FIBS   4000
#define SMALL_ROUTES 10000

/* A place is what one entry of the trie's direct table covers, or for IPv6 a part of it. */
#define PLACE_BITS4 18
#define PLACE_BITS6 40
#define MARKS       ((size_t)1 << 24) /* a power of two */

struct world {
    struct bench_run *run;
    struct bench_many many;
    const char *work;
    double change_us, change_overridden_us, change_covered_us;
    double come_first_us, come_us;
};

/* --- Places that FIBs override ---------------------------------------------------------------- */

static unsigned place_bits(enum lpm_family family)
{
    return family == LPM_IPV4 ? PLACE_BITS4 : PLACE_BITS6;
}

/* The mark of the n-th place from where a prefix begins. */
static size_t mark_of(const struct lpm_prefix *prefix, uint64_t n)
{
    unsigned bits = place_bits((enum lpm_family)prefix->family);

    return bench_mix((bench_high_bits(prefix->bytes) >> (64 - bits)) + n) & (MARKS - 1);
}

/* Marks are kept by hash, a byte each: a collision only means that a route is not picked. */
static uint8_t *mark_overridden(const struct bench_many *many)
{
    unsigned bits = place_bits(many->table->family);
    uint8_t *marks = calloc(MARKS, 1);

    for (size_t i = 0; marks && i < many->n * many->per_fib; i++) {
        const struct lpm_prefix *prefix = &many->changes[i].prefix;
        uint64_t places = prefix->length < bits ? UINT64_C(1) << (bits - prefix->length) : 1;
        for (uint64_t n = 0; n < places; n++)
            marks[mark_of(prefix, n)] = 1;
    }
    return marks;
}

/* A route of the base, no host route, that fits into one place that no FIB overrides; NULL when
 * none is found. */
static const struct lpm_route *pick_route(const struct bench_many *many, const uint8_t *marks,
                                          struct bench_random *random)
{
    unsigned host = many->table->family == LPM_IPV4 ? 32 : 128;

    for (unsigned tries = 0; tries < 100000; tries++) {
        const struct lpm_route *route =
            &many->table->routes[bench_random_below(random, many->table->n)];
        if (route->prefix.length >= place_bits(many->table->family) &&
            route->prefix.length < host && !marks[mark_of(&route->prefix, 0)])
            return route;
    }
    return NULL;
}

/* --- Changes of the base ---------------------------------------------------------------------- */

/* By the clock on the wall: a change that no FIB overrides is too short to be seen by the CPU
 * clock. The median takes care of the changes during which another program had the CPU. Waiting for
 * readers and giving memory back is not part of what a change takes: readers see it when
 * lpm_update() returns. */
static int timed_change(const struct bench_many *many, const struct lpm_prefix *prefix,
                        uint32_t leaf, double *us)
{
    struct lpm_change change = {leaf ? LPM_SET : LPM_REMOVE, *prefix, leaf};
    uint64_t start = bench_now_ns();
    int result = lpm_update(many->base, &change, 1);

    *us = (double)(bench_now_ns() - start) / 1e3;
    lpm_rcu_quiescent();
    lpm_rcu_poll();
    return result;
}

/* Changes and restores, until it has been done often enough or has taken long enough; the median of
 * both kinds. A NULL route is drawn anew each time. */
static int median_change(const struct world *world, const struct lpm_route *fixed,
                         const uint8_t *marks, double *median_us)
{
    struct bench_random random = {.state = CHANGE_SEED};
    uint64_t start_ns = bench_now_ns();
    uint64_t budget_ns = world->run->options->quick ? BUDGET_QUICK_NS : BUDGET_NS;
    double us[2 * BASE_CHANGES];
    unsigned n = 0;

    while (n < 2 * BASE_CHANGES && (n == 0 || bench_now_ns() - start_ns < budget_ns)) {
        const struct lpm_route *route = fixed ? fixed : pick_route(&world->many, marks, &random);
        if (!route)
            return 0; /* the table has no such route: stays unknown */
        int result =
            timed_change(&world->many, &route->prefix, BENCH_PRIVATE_LEAF - 1 - n % 4 / 2, &us[n]);
        if (result == 0)
            result = timed_change(&world->many, &route->prefix, route->leaf, &us[n + 1]);
        if (result < 0)
            return result;
        n += 2;
    }
    *median_us = bench_summarize(us, n).median;
    return 0;
}

/* Gives every FIB an override of its own: the first half of route, or what it is a half of. */
static int override_all(struct bench_many *many, const struct lpm_route *route, bool around)
{
    struct lpm_change change = {LPM_SET, route->prefix, 0};
    int result = 0;

    change.prefix.length = (uint8_t)(around ? change.prefix.length - 1 : change.prefix.length + 1);
    lpm_prefix_mask(&change.prefix);
    for (size_t i = 0; result == 0 && i < many->n; i++) {
        change.leaf = BENCH_PRIVATE_LEAF + (uint32_t)i;
        result = lpm_update(many->fibs[i], &change, 1);
        if (i % 256 == 0) {
            lpm_rcu_quiescent();
            lpm_rcu_poll();
        }
    }
    lpm_rcu_barrier();
    return result;
}

/* Changes of a route that all FIBs have overridden. */
static int overridden_change(struct world *world, const struct lpm_route *route, bool around,
                             const uint8_t *marks, double *median_us)
{
    int result = override_all(&world->many, route, around);

    return result < 0 ? result : median_change(world, route, marks, median_us);
}

/* The second half of route comes and goes; the first is overridden. */
static int coming_change(struct world *world, const struct lpm_route *route)
{
    struct lpm_prefix half = route->prefix;
    double us[BASE_CHANGES];
    int result;

    half.bytes[half.length / 8] |= (uint8_t)(0x80 >> half.length % 8);
    half.length++;
    if (lpm_get(world->many.base, &half) != LPM_NO_ROUTE)
        return 0; /* nothing would come: stays unknown */
    result = timed_change(&world->many, &half, BENCH_PRIVATE_LEAF - 1, &world->come_first_us);
    for (unsigned i = 0; result == 0 && i < BASE_CHANGES; i++)
        result = timed_change(&world->many, &half, i % 2 ? BENCH_PRIVATE_LEAF - 1 : 0, &us[i]);
    if (result == 0)
        world->come_us = bench_summarize(us, BASE_CHANGES).median;
    return result;
}

/* From the second measurement on they change the FIBs, so they come after all others. */
static int measure_changes(struct world *world)
{
    struct bench_random random = {.state = CHANGE_SEED};
    uint8_t *marks = mark_overridden(&world->many);
    const struct lpm_route *route;
    int result;

    world->change_us = world->change_overridden_us = world->change_covered_us = -1;
    world->come_first_us = world->come_us = -1;
    bench_run_say(world->run, "%zu FIBs: changes of the base", world->many.n);
    if (!marks)
        return -ENOMEM;
    result = median_change(world, NULL, marks, &world->change_us);
    route = pick_route(&world->many, marks, &random);
    if (result == 0 && route)
        result = overridden_change(world, route, false, marks, &world->change_overridden_us);
    if (result == 0 && route)
        result = overridden_change(world, route, true, marks, &world->change_covered_us);
    if (result == 0 && route)
        result = coming_change(world, route);
    free(marks);
    return result;
}

/* --- Worlds ----------------------------------------------------------------------------------- */

static json_t *unless_unknown(double us)
{
    return us < 0 ? json_null() : json_real(us);
}

/* Turns rows about lookups, from row `first` on, into rows about sharing. */
static void finish_rows(const struct world *world, size_t first, json_t *rows)
{
    const struct bench_many *many = &world->many;
    double fibs = (double)many->n;

    for (size_t i = first; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_object_del(row, "ratio_to_best_peer");
        json_object_set_new(row, "work", json_string(world->work));
        json_object_set_new(row, "bytes_base", json_integer((json_int_t)many->bytes_base));
        json_object_set_new(row, "bytes_base_lookup",
                            json_integer((json_int_t)many->bytes_base_lookup));
        json_object_set_new(row, "bytes_per_fib", json_real((double)many->bytes_derived / fibs));
        json_object_set_new(row, "bytes_per_fib_lookup",
                            json_real((double)many->bytes_derived_lookup / fibs));
        json_object_set_new(row, "derive_us", json_real(many->derive_us));
        json_object_set_new(row, "base_change_us", unless_unknown(world->change_us));
        json_object_set_new(row, "base_change_overridden_us",
                            unless_unknown(world->change_overridden_us));
        json_object_set_new(row, "base_change_covered_us",
                            unless_unknown(world->change_covered_us));
        json_object_set_new(row, "base_come_first_us", unless_unknown(world->come_first_us));
        json_object_set_new(row, "base_come_us", unless_unknown(world->come_us));
    }
}

static int measure_world(struct world *world, const enum bench_key_kind *kinds, unsigned kinds_n,
                         json_t *rows)
{
    static const unsigned localities[] = {1, 32};
    size_t first = json_array_size(rows);
    int result = 0;

    for (unsigned i = 0; result == 0 && i < 2 * kinds_n; i++)
        result = bench_run_traffic(world->run, &world->many, kinds[i / 2], localities[i % 2], false,
                                   rows);
    if (result == 0)
        result = measure_changes(world);
    if (result == 0)
        finish_rows(world, first, rows);
    return result;
}

static int full_table(struct bench_run *run, size_t fibs, json_t *rows)
{
    static const enum bench_key_kind kinds[] = {BENCH_KEYS_PRIVATE, BENCH_KEYS_P, BENCH_KEYS_Z};
    struct world world = {.run = run, .work = "private-routes"};

    bench_run_say(run, "deriving %zu FIBs", fibs);
    int result = bench_many_create(BENCH_WORLD_PRIVATE, &run->table, fibs, &world.many);

    if (result < 0)
        return result;
    result = measure_world(&world, kinds, 3, rows);
    bench_many_destroy(&world.many);
    return result;
}

/* The same run over a table of 10,000 routes drawn from the full one. */
static int small_tables(struct bench_run *run, size_t fibs, json_t *rows)
{
    static const enum bench_key_kind kinds[] = {BENCH_KEYS_P, BENCH_KEYS_Z};
    struct bench_run small = *run;
    struct world world = {.run = &small, .work = "small-tables"};
    int result = -ENOMEM;

    small.oracle = NULL;
    small.table.routes = malloc(run->table.n * sizeof(*small.table.routes));
    if (small.table.routes) {
        memcpy(small.table.routes, run->table.routes, run->table.n * sizeof(*small.table.routes));
        bench_table_sample(&small.table, SMALL_ROUTES);
        small.oracle = bench_oracle_of(&small.table);
    }
    if (small.oracle)
        result = bench_many_create(BENCH_WORLD_SMALL, &small.table, fibs, &world.many);
    if (result == 0) {
        result = measure_world(&world, kinds, 2, rows);
        bench_many_destroy(&world.many);
    }
    bench_oracle_destroy(small.oracle);
    bench_table_free(&small.table);
    return result;
}

int bench_share(const struct bench_options *options, json_t *rows, struct bench_error *error)
{
    static const size_t all[] = {1, 100, 1000, 10000};
    const size_t *fibs = options->fibs ? &options->fibs : all;
    size_t n = options->fibs ? 1 : sizeof(all) / sizeof(all[0]);
    struct bench_run run;
    int result = bench_run_begin(options, &run, error);

    if (result == 0) {
        for (size_t i = 0; result == 0 && i < n; i++)
            result = full_table(&run, fibs[i], rows);
        if (result == 0)
            result = small_tables(&run, options->fibs ? options->fibs : SMALL_FIBS, rows);
        if (result < 0)
            bench_fail(error, result, "%s", strerror(-result));
    }
    bench_run_end(&run);
    return result;
}

/*
 * Tables and updates, from files or drawn.
 */
#include "bench/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lines.h"
#include "bench/random.h"
#include "bench/synthetic.h"

#define SAMPLE_SEED 11

uint64_t bench_high_bits(const uint8_t bytes[16])
{
    uint64_t high = 0;

    for (unsigned i = 0; i < 8; i++)
        high = high << 8 | bytes[i];
    return high;
}

uint32_t bench_next_hop(const struct lpm_prefix *prefix, uint64_t version)
{
    uint64_t high = bench_high_bits(prefix->bytes);
    uint64_t own = bench_mix(high * 131 + prefix->length + version * 0x51ed27);
    uint64_t block = high >> (prefix->family == LPM_IPV4 ? 46 : 34);
    bool alone = own % 10 >= 7 || version > 0;

    return 1 + (uint32_t)bench_zipf(bench_mix(alone ? own : block), BENCH_NEXT_HOPS);
}

/* --- Files ------------------------------------------------------------------------------------ */

static int parse_prefix(const struct bench_lines *lines, const char *text, unsigned family,
                        struct lpm_prefix *prefix, struct bench_error *error)
{
    int result = lpm_prefix_parse(text, prefix);

    if (result == -EDOM)
        return bench_lines_complain(lines, error, "'%s' has bits set beyond its length", text);
    if (result != 0)
        return bench_lines_complain(lines, error, "'%s' is not a prefix such as 192.0.2.0/24",
                                    text);
    if (family != 0 && prefix->family != family)
        return bench_lines_complain(lines, error, "'%s' is not an IPv%u prefix", text, family);
    return 0;
}

/* Makes room for one more element: doubles. */
static int grow(void **items, size_t size, size_t n, const struct bench_lines *lines,
                struct bench_error *error)
{
    if (n >= BENCH_ROUTES_MAX)
        return bench_lines_complain(lines, error, "more than %zu lines", BENCH_ROUTES_MAX);
    if (n & (n - 1))
        return 0; /* a power of two is where the last room ends */
    void *larger = realloc(*items, (n ? 2 * n : 1) * size);
    if (!larger)
        return bench_fail(error, -ENOMEM, "out of memory");
    *items = larger;
    return 0;
}

/* The first line settles the family for the rest, unless the caller has. */
static int read_routes(struct bench_lines *lines, unsigned family, struct bench_table *table,
                       struct bench_error *error)
{
    char *line;
    int result;

    while ((result = bench_lines_next(lines, &line, error)) > 0) {
        void *routes = table->routes;
        result = grow(&routes, sizeof(*table->routes), table->n, lines, error);
        table->routes = routes;
        if (result < 0)
            return result;
        struct lpm_route *route = &table->routes[table->n];
        result = parse_prefix(lines, line, family, &route->prefix, error);
        if (result < 0)
            return result;
        route->leaf = bench_next_hop(&route->prefix, 0);
        family = route->prefix.family;
        table->n++;
    }
    if (result == 0 && table->n == 0)
        return bench_lines_complain(lines, error, "the table holds no prefix");
    table->family = (enum lpm_family)family;
    return result;
}

int bench_table_load(const char *path, unsigned family, struct bench_table *table,
                     struct bench_error *error)
{
    struct bench_lines *lines = bench_lines_open(path, error);
    int result;

    *table = (struct bench_table){0};
    if (!lines)
        return -errno;
    result = read_routes(lines, family, table, error);
    bench_lines_close(lines);
    if (result < 0)
        bench_table_free(table);
    return result;
}

static int read_update(struct bench_lines *lines, const char *line, enum lpm_family family,
                       struct lpm_change *change, struct bench_error *error)
{
    if ((line[0] != 'A' && line[0] != 'W') || line[1] != ' ')
        return bench_lines_complain(lines, error, "'%s' is neither 'A prefix' nor 'W prefix'",
                                    line);
    change->kind = line[0] == 'A' ? LPM_SET : LPM_REMOVE;
    return parse_prefix(lines, line + 2, family, &change->prefix, error);
}

static int read_updates(struct bench_lines *lines, enum lpm_family family,
                        struct bench_updates *updates, struct bench_error *error)
{
    char *line;
    int result;

    while ((result = bench_lines_next(lines, &line, error)) > 0) {
        void *changes = updates->changes;
        result = grow(&changes, sizeof(*updates->changes), updates->n, lines, error);
        updates->changes = changes;
        if (result < 0)
            return result;
        struct lpm_change *change = &updates->changes[updates->n];
        *change = (struct lpm_change){0};
        result = read_update(lines, line, family, change, error);
        if (result < 0)
            return result;
        updates->n++;
        change->leaf = change->kind == LPM_SET ? bench_next_hop(&change->prefix, updates->n) : 0;
    }
    if (result == 0 && updates->n == 0)
        return bench_lines_complain(lines, error, "the file holds no update");
    return result;
}

int bench_updates_load(const char *path, enum lpm_family family, struct bench_updates *updates,
                       struct bench_error *error)
{
    struct bench_lines *lines = bench_lines_open(path, error);
    int result;

    *updates = (struct bench_updates){0};
    if (!lines)
        return -errno;
    result = read_updates(lines, family, updates, error);
    bench_lines_close(lines);
    if (result < 0)
        bench_updates_free(updates);
    return result;
}

/* --- By options ------------------------------------------------------------------------------- */

void bench_table_sample(struct bench_table *table, size_t n)
{
    struct bench_random random = {.state = SAMPLE_SEED};
    size_t kept = 0;

    if (n >= table->n)
        return;
    /* Selection sampling (Knuth, TAOCP 2, algorithm S): each route with chance wanted / left. */
    for (size_t i = 0; i < table->n && kept < n; i++)
        if (bench_random_below(&random, table->n - i) < n - kept)
            table->routes[kept++] = table->routes[i];
    table->n = n;
}

int bench_table_open(const struct bench_options *options, struct bench_table *table,
                     struct bench_error *error)
{
    int result = 0;

    if (options->table) {
        result = bench_table_load(options->table, options->family, table, error);
        if (result == 0 && options->routes > 0)
            bench_table_sample(table, options->routes);
        return result;
    }
    enum lpm_family family = options->family == 6 ? LPM_IPV6 : LPM_IPV4;
    if (bench_synthetic_table(family, options->routes, table) < 0)
        result = bench_fail(error, -ENOMEM, "out of memory");
    return result;
}

int bench_updates_open(const struct bench_options *options, const struct bench_table *table,
                       struct bench_updates *updates, struct bench_error *error)
{
    if (options->updates)
        return bench_updates_load(options->updates, table->family, updates, error);
    if (bench_synthetic_updates(table, updates) < 0)
        return bench_fail(error, -ENOMEM, "out of memory");
    return 0;
}

void bench_table_free(struct bench_table *table)
{
    free(table->routes);
    *table = (struct bench_table){0};
}

void bench_updates_free(struct bench_updates *updates)
{
    free(updates->changes);
    *updates = (struct bench_updates){0};
}

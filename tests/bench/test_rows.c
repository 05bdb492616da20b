/*
 * The rows have the fields that programs rely on, and what they say hangs together.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "tests/bench/support.h"

static const struct bench_options small = {.routes = 2000, .keys = 4096, .quick = true};

static json_t *measure(int (*work)(const struct bench_options *options, json_t *rows,
                                   struct bench_error *error),
                       const struct bench_options *options)
{
    struct bench_error error = {.text = ""};
    json_t *rows = json_array();

    cr_assert_eq(work(options, rows, &error), 0, "%s", error.text);
    cr_assert_gt(json_array_size(rows), 0);
    return rows;
}

/* Each letter is the type of the field after it: s string, i integer, n number, ? number or null. */
static void expect_fields(const json_t *rows, const char *const *fields)
{
    size_t at;
    json_t *row;

    json_array_foreach(rows, at, row)
    {
        for (const char *const *field = fields; *field; field++) {
            const json_t *value = json_object_get(row, *field + 1);
            bool right = **field == 's'   ? json_is_string(value)
                         : **field == 'i' ? json_is_integer(value)
                         : **field == 'n' ? json_is_number(value)
                                          : json_is_number(value) || json_is_null(value);
            cr_assert(right, "row %zu: %s", at, *field + 1);
        }
    }
}

static void expect_nothing_wrong(const json_t *rows)
{
    size_t at;
    json_t *row;

    json_array_foreach(rows, at, row)
        cr_assert_eq(json_integer_value(json_object_get(row, "wrong")), 0, "row %zu", at);
}

static double real(const json_t *row, const char *field)
{
    return json_number_value(json_object_get(row, field));
}

static const char *const lookup_fields[] = {
    "swork",
    "ifamily",
    "iroutes",
    "skeys",
    "ifibs",
    "sengine",
    "nmlps_median",
    "nmlps_min",
    "nmlps_max",
    "ibytes",
    "iwrong",
    "ibytes_writer",
    "?ratio_to_best_peer",
    NULL,
};

static void check_lookup(unsigned family)
{
    struct bench_options options = small;
    size_t at;
    json_t *row;
    bool best = false;

    options.family = family;
    json_t *rows = measure(bench_lookup, &options);
    expect_fields(rows, lookup_fields);
    expect_nothing_wrong(rows);
    json_array_foreach(rows, at, row)
    {
        cr_assert_eq(real(row, "family"), family);
        cr_assert(real(row, "mlps_min") <= real(row, "mlps_median"));
        cr_assert(real(row, "mlps_median") <= real(row, "mlps_max"));
        best = best || real(row, "ratio_to_best_peer") == 1;
    }
    cr_assert(best, "one of the peers is the best peer");
    json_decref(rows);
}

Test(rows, of_lookup_have_their_fields)
{
    check_lookup(4);
    check_lookup(6);
}

Test(rows, of_lookup_with_many_fibs_have_the_same_fields_and_no_peer)
{
    struct bench_options options = small;
    size_t at;
    json_t *row;

    options.fibs = 30;
    json_t *rows = measure(bench_lookup, &options);
    expect_fields(rows, lookup_fields);
    expect_nothing_wrong(rows);
    json_array_foreach(rows, at, row)
    {
        cr_assert_eq(real(row, "fibs"), 30);
        cr_assert(json_is_null(json_object_get(row, "ratio_to_best_peer")));
    }
    json_decref(rows);
}

Test(rows, of_share_have_their_fields)
{
    static const char *const fields[] = {
        "swork",
        "ifibs",
        "skeys",
        "ilocality",
        "ibytes_base",
        "nmlps_median",
        "?base_change_us",
        "?base_change_overridden_us",
        "?base_change_covered_us",
        "?base_come_first_us",
        "?base_come_us",
        "nbytes_per_fib",
        "iwrong",
        NULL,
    };
    struct bench_options options = small;

    options.fibs = 20;
    json_t *rows = measure(bench_share, &options);
    expect_fields(rows, fields);
    expect_nothing_wrong(rows);
    cr_assert_gt(real(json_array_get(rows, 0), "base_change_us"), 0);
    cr_assert_gt(real(json_array_get(rows, 0), "base_change_overridden_us"), 0);
    cr_assert_gt(real(json_array_get(rows, 0), "base_change_covered_us"), 0);
    cr_assert_gt(real(json_array_get(rows, 0), "base_come_first_us"), 0);
    cr_assert_gt(real(json_array_get(rows, 0), "base_come_us"), 0);
    json_decref(rows);
}

/* Nothing can be overridden inside a host route, and no place is left where no FIB overrides. */
Test(rows, of_share_know_no_base_change_where_the_table_has_no_such_route)
{
    char *path = write_text("192.0.2.1/32\n203.0.113.9/32\n");
    struct bench_options options = small;

    options.table = path;
    options.fibs = 3;
    json_t *rows = measure(bench_share, &options);
    expect_nothing_wrong(rows);
    cr_assert(json_is_null(json_object_get(json_array_get(rows, 0), "base_change_us")));
    json_decref(rows);
    remove_file(path);
}

Test(rows, of_update_have_their_fields, .timeout = 110)
{
    static const char *const fields[] = {
        "swork",    "sengine", "nupdates_per_s",      "?p50_us",
        "?p999_us", "?max_us", "?ratio_to_best_peer", NULL,
    };
    static const char *const works[] = {"day", "build", "readers-100k", "readers-flat-out"};
    json_t *rows = measure(bench_update, &small);
    size_t at;
    json_t *row;

    expect_fields(rows, fields);
    expect_nothing_wrong(rows);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        unsigned found = 0;
        json_array_foreach(rows, at, row) found +=
            strcmp(json_string_value(json_object_get(row, "work")), works[i]) == 0;
        cr_assert_geq(found, 2, "%s: ours and a peer's", works[i]);
    }
    json_decref(rows);
}

Test(rows, of_a_file_that_is_wrong_are_none)
{
    char *path = write_text("10.0.0.0/8\nrubbish\n");
    struct bench_options options = {.table = path, .quick = true};
    struct bench_error error = {.text = ""};
    json_t *rows = json_array();

    cr_assert_eq(bench_lookup(&options, rows, &error), -EINVAL);
    cr_assert_not_null(strstr(error.text, ":2: 'rubbish' is not a prefix"), "%s", error.text);
    cr_assert_eq(json_array_size(rows), 0);
    json_decref(rows);
    remove_file(path);
}

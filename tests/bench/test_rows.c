/*
 * The rows have the fields that programs rely on, and what they say hangs together.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
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

static const char *const forward_fields[] = {
    "swork",
    "ifamily",
    "iroutes",
    "ifibs",
    "inics",
    "iframes",
    "nframe_bytes",
    "nmpps",
    "nmpps_min",
    "nmpps_max",
    "nmpps_l3fwd",
    "nns_per_packet",
    "nratio_l3fwd",
    "?mpps_testpmd_mac",
    "?ratio_testpmd_mac",
    NULL,
};

static const json_t *row_of(const json_t *rows, const char *work)
{
    const json_t *found = NULL;
    size_t at;
    json_t *row;

    json_array_foreach(rows, at, row) if (strcmp(json_string_value(json_object_get(row, "work")),
                                                 work) == 0) found = row;
    cr_assert_not_null(found, "no row of %s", work);
    return found;
}

static void expect_stages(const json_t *row, bool long_way)
{
    static const char *const express[] = {"receive", "admit", "look-up", "forward", "transmit"},
                             *const tunnel[] = {"receive", "long-way", "transmit"};
    const char *const *stages = long_way ? tunnel : express;
    const size_t n =
        long_way ? sizeof(tunnel) / sizeof(tunnel[0]) : sizeof(express) / sizeof(express[0]);

    for (size_t i = 0; i < n; i++)
        cr_assert_gt(real(json_object_get(row, "stages_ns"), stages[i]), 0, "%s: %s",
                     json_string_value(json_object_get(row, "work")), stages[i]);
}

/* How much faster two are than one is the machine's affair; that they are two workers is not. */
static void expect_scaling(const json_t *rows)
{
    cpu_set_t cpus;

    sched_getaffinity(0, sizeof(cpus), &cpus);
    if (CPU_COUNT(&cpus) < 2)
        return;
    cr_assert_eq(real(row_of(rows, "two-workers"), "workers"), 2);
    cr_assert_gt(real(row_of(rows, "two-workers"), "scaling"), 0);
    cr_assert_gt(real(row_of(rows, "two-workers"), "scaling_l3fwd"), 0);
}

/* Every frame that is fed comes out, whatever the work. */
Test(rows, of_forward_have_their_fields, .timeout = 110)
{
    static const struct {
        const char *name;
        int fibs, nics;
    } works[] = {{"single-fib", 1, 1},    {"ecmp8-1000-fibs", 1000, 1000},
                 {"full-table", 1, 1},    {"ipv6", 1, 1},
                 {"vxlan", 1, 1},         {"vxlan-in", 1, 1},
                 {"10000-nics", 1, 10000}};
    const struct bench_options options = {.routes = 2000, .keys = 512, .quick = true};
    json_t *rows = measure(bench_forward, &options);

    expect_fields(rows, forward_fields);
    expect_nothing_wrong(rows);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        const json_t *row = row_of(rows, works[i].name);
        cr_assert_eq(real(row, "fibs"), works[i].fibs);
        cr_assert_eq(real(row, "nics"), works[i].nics);
        expect_stages(row, strcmp(works[i].name, "vxlan-in") == 0);
    }
    expect_scaling(rows);
    json_decref(rows);
}

/* A capture of one datagram of 198.51.100.1 to 192.0.2.1, and of a frame that is no IP. */
/* clang-format off */
static const unsigned char capture[] = {
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 42, 0, 0, 0,
    2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 0,
    0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x8e, 0x9b, 198, 51, 100, 1, 192, 0, 2, 1,
    0, 53, 0, 53, 0, 8, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 42, 0, 0, 0,
    2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 6,
    0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
};
/* clang-format on */

Test(rows, of_forward_take_the_frames_of_a_capture)
{
    char *table = write_text("192.0.2.0/24\n"), *path = write_file(capture, sizeof(capture));
    struct bench_options options = {.table = table, .keys = 512, .quick = true, .pcap = path};
    json_t *rows = measure(bench_forward, &options);
    cr_assert_eq(json_array_size(rows), 1, "single-fib; ipv6 is not of the table's family");
    cr_assert_eq(real(row_of(rows, "single-fib"), "frames"), 1);
    cr_assert_eq(real(row_of(rows, "single-fib"), "frame_bytes"), 42);
    cr_assert_eq(real(row_of(rows, "single-fib"), "unforwarded"), 0);
    json_decref(rows);
    remove_file(path);
    remove_file(table);
}

Test(rows, of_forward_are_none_of_what_is_no_capture)
{
    char *path = write_text("no capture");
    struct bench_options options = {.routes = 2000, .keys = 512, .quick = true, .pcap = path};
    struct bench_error error = {.text = ""};
    json_t *rows = json_array();

    cr_assert_eq(bench_forward(&options, rows, &error), -EINVAL);
    cr_assert_not_null(strstr(error.text, "unknown file format"), "%s", error.text);
    options.work = "teleport";
    cr_assert_eq(bench_forward(&options, rows, &error), -EINVAL);
    cr_assert_not_null(strstr(error.text, "no work 'teleport'"), "%s", error.text);
    cr_assert_eq(json_array_size(rows), 0);
    json_decref(rows);
    remove_file(path);
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

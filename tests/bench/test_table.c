/*
 * Tables and updates: read, refused, drawn.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/synthetic.h"
#include "bench/table.h"
#include "tests/bench/support.h"

static void expect_table_error(const char *text, unsigned family, const char *message)
{
    char *path = write_text(text);
    struct bench_table table;
    struct bench_error error = {.text = ""};

    cr_assert_eq(bench_table_load(path, family, &table, &error), -EINVAL, "'%s' was taken", text);
    cr_assert_eq(strncmp(error.text, path, strlen(path)), 0, "the file is not named: %s",
                 error.text);
    cr_assert_str_eq(error.text + strlen(path), message);
    cr_assert_null(table.routes);
    remove_file(path);
}

Test(table, is_read_in_the_order_of_the_file_with_a_leaf_for_each)
{
    struct bench_table table = table_of("10.0.0.0/8\n# half\n0.0.0.0/0\n192.0.2.1/32\n");
    static const char *const texts[] = {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32"};

    cr_assert_eq(table.family, LPM_IPV4);
    cr_assert_eq(table.n, 3);
    for (size_t i = 0; i < 3; i++) {
        char text[LPM_PREFIX_TEXT];
        cr_assert_str_eq(lpm_prefix_format(&table.routes[i].prefix, text), texts[i]);
        cr_assert(table.routes[i].leaf >= 1 && table.routes[i].leaf <= BENCH_NEXT_HOPS);
    }
    bench_table_free(&table);
}

Test(table, takes_its_family_from_the_first_line)
{
    struct bench_table table = table_of("2001:db8::/32\n::/0\n");

    cr_assert_eq(table.family, LPM_IPV6);
    cr_assert_eq(table.n, 2);
    bench_table_free(&table);
}

Test(table, names_the_line_of_what_is_wrong)
{
    expect_table_error("10.0.0.0/8\n10.0.0.0\n", 0,
                       ":2: '10.0.0.0' is not a prefix such as 192.0.2.0/24");
    expect_table_error("10.0.0.0/33\n", 0,
                       ":1: '10.0.0.0/33' is not a prefix such as 192.0.2.0/24");
    expect_table_error("\n10.0.0.1/8\n", 0, ":2: '10.0.0.1/8' has bits set beyond its length");
    expect_table_error("10.0.0.0/8\n2001:db8::/32\n", 0,
                       ":2: '2001:db8::/32' is not an IPv4 prefix");
    expect_table_error("10.0.0.0/8\n", 6, ":1: '10.0.0.0/8' is not an IPv6 prefix");
    expect_table_error("# nothing\n", 0, ":1: the table holds no prefix");
    expect_table_error("", 0, ":0: the table holds no prefix");
    expect_table_error("\x1b[2Jx\n", 0, ":1: '?[2Jx' is not a prefix such as 192.0.2.0/24");
    expect_table_error("%n%s%n\n", 0, ":1: '%n%s%n' is not a prefix such as 192.0.2.0/24");
}

Test(updates, are_read_in_order)
{
    char *path = write_text("A 10.0.0.0/8\nW 10.0.0.0/8\nA 10.0.0.0/8\n");
    struct bench_updates updates;
    struct bench_error error = {.text = ""};

    cr_assert_eq(bench_updates_load(path, LPM_IPV4, &updates, &error), 0, "%s", error.text);
    cr_assert_eq(updates.n, 3);
    cr_assert_eq(updates.changes[0].kind, LPM_SET);
    cr_assert_eq(updates.changes[1].kind, LPM_REMOVE);
    cr_assert_eq(updates.changes[2].kind, LPM_SET);
    bench_updates_free(&updates);
    remove_file(path);
}

Test(updates, name_the_line_of_what_is_wrong)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"A 10.0.0.0/8\nB 10.0.0.0/8\n", ":2: 'B 10.0.0.0/8' is neither 'A prefix' nor 'W prefix'"},
        {"A\n", ":1: 'A' is neither 'A prefix' nor 'W prefix'"},
        {"W 10.0.0.0/8 again\n", ":1: '10.0.0.0/8 again' is not a prefix such as 192.0.2.0/24"},
        {"A 2001:db8::/32\n", ":1: '2001:db8::/32' is not an IPv4 prefix"},
        {"\n", ":1: the file holds no update"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = write_text(cases[i].text);
        struct bench_updates updates;
        struct bench_error error = {.text = ""};
        cr_assert_eq(bench_updates_load(path, LPM_IPV4, &updates, &error), -EINVAL);
        cr_assert_str_eq(error.text + strlen(path), cases[i].message);
        cr_assert_null(updates.changes);
        remove_file(path);
    }
}

Test(table, sample_keeps_so_many_different_routes_in_order)
{
    struct bench_table table;

    cr_assert_eq(bench_synthetic_table(LPM_IPV4, 5000, &table), 0);
    bench_table_sample(&table, 700);
    cr_assert_eq(table.n, 700);
    for (size_t i = 1; i < table.n; i++)
        cr_assert_lt(lpm_prefix_compare(&table.routes[i - 1].prefix, &table.routes[i].prefix), 0);
    bench_table_sample(&table, 5000);
    cr_assert_eq(table.n, 700);
    bench_table_free(&table);
}

/* --- Synthetic -------------------------------------------------------------------------------- */

static void check_synthetic(enum lpm_family family, unsigned usual, double share)
{
    struct bench_table table, again;
    size_t of_usual_length = 0, adjacent_alike = 0;

    cr_assert_eq(bench_synthetic_table(family, 100000, &table), 0);
    cr_assert_eq(bench_synthetic_table(family, 100000, &again), 0);
    cr_assert_eq(table.n, 100000);
    for (size_t i = 0; i < table.n; i++) {
        struct lpm_prefix masked = table.routes[i].prefix;
        lpm_prefix_mask(&masked);
        cr_assert(lpm_prefix_equal(&masked, &table.routes[i].prefix));
        cr_assert(lpm_prefix_equal(&again.routes[i].prefix, &masked), "a seed gives one table");
        of_usual_length += masked.length == usual;
        if (i == 0)
            continue;
        cr_assert_lt(lpm_prefix_compare(&table.routes[i - 1].prefix, &masked), 0);
        adjacent_alike += table.routes[i].leaf == table.routes[i - 1].leaf;
    }
    cr_assert_float_eq((double)of_usual_length / 1e5, share, 0.12);
    cr_assert_gt(adjacent_alike, 20000, "next hops cluster");
    bench_table_free(&table);
    bench_table_free(&again);
}

Test(synthetic, table_has_the_lengths_of_a_real_one_and_no_prefix_twice)
{
    check_synthetic(LPM_IPV4, 24, 0.63);
    check_synthetic(LPM_IPV6, 48, 0.45);
}

Test(synthetic, updates_are_of_the_tables_prefixes_and_seldom_withdraw)
{
    struct bench_table table;
    struct bench_updates updates;
    size_t withdrawals = 0;

    cr_assert_eq(bench_synthetic_table(LPM_IPV4, 20000, &table), 0);
    cr_assert_eq(bench_synthetic_updates(&table, &updates), 0);
    cr_assert_eq(updates.n, table.n);
    for (size_t i = 0; i < updates.n; i++)
        withdrawals += updates.changes[i].kind == LPM_REMOVE;
    cr_assert(withdrawals > updates.n / 60 && withdrawals < updates.n / 20, "%zu", withdrawals);
    bench_updates_free(&updates);
    bench_table_free(&table);
}

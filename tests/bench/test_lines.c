/*
 * Lines of plain and compressed files, whole and damaged.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lines.h"
#include "tests/bench/support.h"

/* Reads all lines of a file, joined by '|'. Returns the last result. */
static int read_all(const char *path, char joined[256], struct bench_error *error)
{
    struct bench_lines *lines = bench_lines_open(path, error);
    char *line;
    int result;

    joined[0] = '\0';
    if (!lines)
        return -errno;
    while ((result = bench_lines_next(lines, &line, error)) > 0) {
        if (joined[0])
            strcat(joined, "|");
        strcat(joined, line);
    }
    bench_lines_close(lines);
    return result;
}

static size_t compress_text(const char *text, uint8_t *out, size_t room)
{
    size_t n = 0;

    cr_assert_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text,
                                         strlen(text), out, &n, room),
                 LZMA_OK);
    return n;
}

Test(lines, are_trimmed_and_empty_ones_and_comments_left_out)
{
    char *path = write_text("# a table\n\n  10.0.0.0/8\t\r\n\n#\n192.0.2.0/24 \nlast");
    struct bench_error error;
    char joined[256];

    cr_assert_eq(read_all(path, joined, &error), 0);
    cr_assert_str_eq(joined, "10.0.0.0/8|192.0.2.0/24|last");
    remove_file(path);
}

Test(lines, of_a_compressed_file_are_the_same)
{
    uint8_t packed[1024];
    size_t n = compress_text("10.0.0.0/8\n10.1.0.0/16\n", packed, sizeof(packed));
    char *path = write_file(packed, n);
    struct bench_error error;
    char joined[256];

    cr_assert_eq(read_all(path, joined, &error), 0, "%s", error.text);
    cr_assert_str_eq(joined, "10.0.0.0/8|10.1.0.0/16");
    remove_file(path);
}

/* Cut at every length and with every byte turned over, a compressed file ends in lines or in an
 * error. */
Test(lines, of_a_damaged_compressed_file_end_in_an_error_not_in_a_crash)
{
    uint8_t packed[1024], damaged[1024];
    size_t n = compress_text("10.0.0.0/8\n10.1.0.0/16\n", packed, sizeof(packed));
    struct bench_error error;
    char joined[256];

    for (size_t i = 0; i < n; i++) {
        char *path = write_file(packed, i);
        cr_assert(i < 6 || read_all(path, joined, &error) < 0, "cut to %zu bytes", i);
        remove_file(path);

        memcpy(damaged, packed, n);
        damaged[i] ^= 0xff;
        path = write_file(damaged, n);
        cr_assert(i < 6 || read_all(path, joined, &error) < 0, "byte %zu turned over", i);
        remove_file(path);
    }
}

Test(lines, that_are_too_long_or_not_text_are_named)
{
    char longer[BENCH_LINE_MAX + 8];
    struct bench_error error;
    char joined[256];

    memset(longer, 'x', sizeof(longer));
    memcpy(longer, "a\nb\n", 4);
    char *path = write_file(longer, sizeof(longer));
    cr_assert_eq(read_all(path, joined, &error), -EINVAL);
    cr_assert_not_null(strstr(error.text, ":3: is longer than 127 characters"), "%s", error.text);
    remove_file(path);

    path = write_file("a\nb\0c\n", 6);
    cr_assert_eq(read_all(path, joined, &error), -EINVAL);
    cr_assert_not_null(strstr(error.text, ":2: holds a zero byte"), "%s", error.text);
    remove_file(path);
}

Test(lines, of_what_cannot_be_read_are_an_error)
{
    struct bench_error error;
    char joined[256];

    cr_assert_eq(read_all("/nonexistent/table", joined, &error), -ENOENT);
    cr_assert_not_null(strstr(error.text, "/nonexistent/table: No such file"), "%s", error.text);
    cr_assert_lt(read_all("/tmp", joined, &error), 0, "a directory is not a file of lines");
}

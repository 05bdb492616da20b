#include "tests/bench/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *write_file(const void *bytes, size_t n)
{
    char *path = strdup("/tmp/fingerpost-bench-XXXXXX");
    int file = mkstemp(path);

    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, n), (ssize_t)n);
    close(file);
    return path;
}

char *write_text(const char *text)
{
    return write_file(text, strlen(text));
}

void remove_file(char *path)
{
    unlink(path);
    free(path);
}

struct bench_table table_of(const char *text)
{
    char *path = write_text(text);
    struct bench_table table;
    struct bench_error error = {.text = ""};

    cr_assert_eq(bench_table_load(path, 0, &table, &error), 0, "%s", error.text);
    remove_file(path);
    return table;
}

/*
 * What the tests of bench share: files that go away, a table by its text.
 */
#ifndef TESTS_BENCH_SUPPORT_H
#define TESTS_BENCH_SUPPORT_H

#include <stddef.h>

#include "bench/table.h"

/* Writes n bytes to a new file and returns its path, which remove_file() removes and frees. */
char *write_file(const void *bytes, size_t n);
char *write_text(const char *text);
void remove_file(char *path);

/* Loads a table from text; the test fails when it cannot. */
struct bench_table table_of(const char *text);

#endif

/*
 * The lines of a text file, plain or xz-compressed, one at a time.
 */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

#include <stdio.h>

#include "bench/bench.h"

/* Longer lines are an error: no prefix is that long. */
#define BENCH_LINE_MAX 128

struct bench_lines;

/* Opens path. NULL with *error filled. */
struct bench_lines *bench_lines_open(const char *path, struct bench_error *error);
/* Returns 1 and the next line that is neither empty nor a comment ('#'), without blanks at its
 * ends; 0 at the end; -errno with *error filled. The line is good until the next call. */
int bench_lines_next(struct bench_lines *lines, char **line, struct bench_error *error);
/* Fills *error with "path:number: message" for the line read last, and returns -EINVAL. */
int bench_lines_complain(const struct bench_lines *lines, struct bench_error *error,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));
void bench_lines_close(struct bench_lines *lines);

/* "message" into *error; returns result. */
int bench_fail(struct bench_error *error, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

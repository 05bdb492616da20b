/*
 * What must hold, where no test framework is there to be told: plain programs, fuzz targets, and helpers
 * that both kinds of tests use. The process ends at once, so that a fuzzer keeps its input and a
 * debugger the stack.
 */
#ifndef TESTS_MUST_H
#define TESTS_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif

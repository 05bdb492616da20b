/*
 * Error lines for people: what was wrong, where, and what would be right.
 */
#ifndef DATAPLANE_ERROR_H
#define DATAPLANE_ERROR_H

#include "dataplane/dataplane.h"

/* Writes the line, cut to DP_ERROR_TEXT, and returns code: "return dp_fail(error, -EINVAL, ...)".
 */
int __attribute__((format(printf, 3, 4)))
dp_fail(char error[DP_ERROR_TEXT], int code, const char *format, ...);

#endif

/*
 * Error lines for people.
 */
#include "dataplane/error.h"

#include <stdarg.h>
#include <stdio.h>

int dp_fail(char error[DP_ERROR_TEXT], int code, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(error, DP_ERROR_TEXT, format, list);
    va_end(list);
    return code;
}

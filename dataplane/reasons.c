/*
 * Names and help lines of the drop reasons: the one list in dataplane.h, spelled out.
 */
#include "dataplane/dataplane.h"

#include <assert.h>

static const struct {
    const char *name, *help;
} reasons[DP_REASON_COUNT] = {
#define DP_REASON_TEXT(symbol, name, help) {name, help},
    DP_REASONS(DP_REASON_TEXT)
#undef DP_REASON_TEXT
};

const char *dp_reason_name(enum dp_reason reason)
{
    assert(reason < DP_REASON_COUNT);
    return reasons[reason].name;
}

const char *dp_reason_help(enum dp_reason reason)
{
    assert(reason < DP_REASON_COUNT);
    return reasons[reason].help;
}

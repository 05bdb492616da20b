/* The scenarios in a plain program, for sanitizers that do not get along with Criterion. */
#include <stdio.h>

#include "tests/live/scenarios.h"

static const struct {
    const char *name;
    bool (*run)(void);
} scenarios[] = {
#define LIVE_ROW(name) {#name, name},
    LIVE_SCENARIOS(LIVE_ROW)
#undef LIVE_ROW
};

int main(void)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        bool holds = scenarios[i].run();
        printf("%s %s\n", holds ? "ok    " : "FAILED", scenarios[i].name);
        fflush(stdout);
        failures += !holds;
    }
    return failures > 0;
}

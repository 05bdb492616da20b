/* The scenarios as Criterion cases. */
#include <criterion/criterion.h>

#include "tests/live/scenarios.h"

#define LIVE_TEST(name)                                                                            \
    Test(live, name)                                                                               \
    {                                                                                              \
        cr_assert(name());                                                                         \
    }
LIVE_SCENARIOS(LIVE_TEST)

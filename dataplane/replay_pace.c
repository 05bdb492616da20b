/*
 * See replay_pace.h. A trace that is looped begins again one mean gap after its last frame.
 *
 * Sleeping costs some 60 us beyond what was asked for; what is due sooner is waited for awake.
 */
#include "dataplane/replay_pace.h"

#include <stdbool.h>
#include <time.h>

#include "lpm/rcu.h"

#define SECOND       1000000000ull
#define AWAKE_NS     100000u
#define SLEEP_NS_MAX SECOND /* so that a clock that jumps costs no more */

uint64_t dp_pace_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t due(const struct dp_pace *pace, uint64_t frame)
{
    const uint64_t round = frame / pace->frames, last = pace->frames - 1;
    uint64_t span;

    if (!pace->times)
        return pace->rate > 0 ? (uint64_t)((double)frame * (double)SECOND / pace->rate) : 0;
    span = pace->times[last] - pace->times[0];
    span += last > 0 ? span / last : 0;
    return round * span + pace->times[frame % pace->frames] - pace->times[0];
}

static void sleep_for(uint64_t nanoseconds)
{
    const uint64_t most = nanoseconds < SLEEP_NS_MAX ? nanoseconds : SLEEP_NS_MAX;
    const struct timespec time = {.tv_sec = (time_t)(most / SECOND),
                                  .tv_nsec = (long)(most % SECOND)};

    lpm_rcu_offline();
    nanosleep(&time, NULL);
    lpm_rcu_online();
}

unsigned dp_pace_wait(const struct dp_pace *pace, uint64_t frame, unsigned most)
{
    unsigned n = 1;

    if (!pace->times && pace->rate <= 0)
        return most;
    for (;;) {
        const uint64_t passed = dp_pace_now() - pace->began, wanted = due(pace, frame);

        if (passed >= wanted) {
            while (n < most && due(pace, frame + n) <= passed)
                n++;
            return n;
        }
        if (wanted - passed > AWAKE_NS)
            sleep_for(wanted - passed - AWAKE_NS);
    }
}

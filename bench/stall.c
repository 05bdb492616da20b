/* See stall.h. */
#include "bench/stall.h"

#include <rte_cycles.h>

#define LONG_NS   UINT64_C(10000) /* far above a burst's time, and far below what is looked for */
#define ASK_EVERY 1024u           /* rounds */
#define FINE      16u             /* below, a bucket a nanosecond */

/* 16 buckets to each doubling: 16 .. 31 are one each, of 32 .. 63 two share one, and so on. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned shift = ns < FINE ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 4;
    unsigned bucket = shift * FINE + (unsigned)(ns >> shift);
    return bucket < BENCH_STALL_BUCKETS ? bucket : BENCH_STALL_BUCKETS - 1;
}

static uint64_t bound_of(unsigned bucket)
{
    if (bucket < 2 * FINE)
        return bucket;
    unsigned shift = bucket / FINE - 1;
    return ((uint64_t)(bucket - shift * FINE + 1) << shift) - 1;
}

void bench_stall_begin(struct bench_stall *stall)
{
    *stall = (struct bench_stall){.ns_a_tick = 1e9 / (double)rte_get_tsc_hz()};
    bench_absence_ns(&stall->absence);
    stall->before = rte_rdtsc();
}

void bench_stall_round(struct bench_stall *stall)
{
    uint64_t gap_ns = (uint64_t)((double)(rte_rdtsc() - stall->before) * stall->ns_a_tick);
    uint64_t ns = gap_ns;

    stall->rounds++;
    if (gap_ns > LONG_NS || stall->rounds % ASK_EVERY == 0) {
        uint64_t taken = bench_absence_ns(&stall->absence);
        if (gap_ns > LONG_NS)
            ns -= taken < ns ? taken : ns;
    }
    stall->over += ns > BENCH_STALL_OVER_NS;
    stall->counts[bucket_of(ns)]++;
    if (ns > stall->most_ns)
        stall->most_ns = ns;
    if (gap_ns > stall->gap_most_ns)
        stall->gap_most_ns = gap_ns;
    stall->before = rte_rdtsc();
}

uint64_t bench_stall_ns(const struct bench_stall *stall, unsigned of_1000)
{
    uint64_t wanted = stall->rounds * of_1000 / 1000, seen = 0;

    for (unsigned i = 0; i < BENCH_STALL_BUCKETS; i++) {
        seen += stall->counts[i];
        if (seen > wanted || (seen == wanted && seen > 0))
            return bound_of(i) < stall->most_ns ? bound_of(i) : stall->most_ns;
    }
    return stall->most_ns;
}

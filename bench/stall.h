/*
 * How long a thread that goes round and round takes for a round, when what other programs and the kernel take
 * away from it is left out.
 *
 * The clock of each round is the time stamp counter. Only after a long round, and now and then, the thread asks
 * the kernel how much CPU time it had; what is missing to the time that has passed since it last asked was not the
 * round's fault. Interrupts that the kernel counts as the thread's own time stay in.
 */
#ifndef BENCH_STALL_H
#define BENCH_STALL_H

#include <stdint.h>

#include "bench/clock.h"

#define BENCH_STALL_BUCKETS 1024u /* 16 to each doubling of nanoseconds */

#define BENCH_STALL_OVER_NS UINT64_C(50000) /* what nothing that the engine does may take */

struct bench_stall {
    double ns_a_tick;
    uint64_t before; /* ticks, when the last round ended */
    struct bench_absence absence;
    uint64_t rounds;
    uint64_t over; /* rounds above BENCH_STALL_OVER_NS, what was taken away left out */
    uint64_t most_ns, gap_most_ns; /* without and with what was taken away */
    uint64_t counts[BENCH_STALL_BUCKETS];
};

/* From now on, on the calling thread. */
void bench_stall_begin(struct bench_stall *stall);
/* After each round. */
void bench_stall_round(struct bench_stall *stall);
/* The time that so many of 1,000 rounds did not exceed, as its bucket's upper bound. */
uint64_t bench_stall_ns(const struct bench_stall *stall, unsigned of_1000);

#endif

/*
 * The ceiling of a forwarder that is fed from a capture: DPDK's testpmd, which only rewrites MACs,
 * as a process of its own on the same file and the same kinds of devices.
 */
#ifndef BENCH_TESTPMD_H
#define BENCH_TESTPMD_H

#include "bench/clock.h"
#include "bench/feed.h"

/* Is dpdk-testpmd (Debian's package dpdk-dev) there? */
bool bench_testpmd_installed(void);

/* Runs it for so many milliseconds on the last CPU of cpus, and gives its packets a second of time on
 * that CPU, in millions; 0 where it says nothing that can be read. 0 or -errno with *error. */
int bench_testpmd_measure(const struct bench_feed *feed, const struct bench_cpus *cpus,
                          unsigned milliseconds, double *mpps, struct bench_error *error);

#endif

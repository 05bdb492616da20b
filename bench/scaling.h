/*
 * How a forwarder scales from one core to two: two workers with a feed and devices each, over one forwarding
 * state, beside the reference on the same two cores. How much of a second core a machine gives is its own affair
 * (two virtual CPUs may be one core's two threads), so the one says what the other is worth.
 */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

#include "bench/fabric.h"
#include "bench/run.h"

struct bench_scaling {
    const char *work;
    struct bench_fabric_shape shape; /* with two workers */
    unsigned frames;                 /* of each feed */
};

/* Measures and appends a row; EAL runs, and run has its table. Where the process has one CPU only there is no
 * row. 0, or -errno with *error filled. */
int bench_scaling_measure(struct bench_run *run, const struct bench_scaling *scaling, json_t *rows,
                          struct bench_error *error);

#endif

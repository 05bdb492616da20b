/*
 * bench reconfig: what a worker at full rate loses, and how long it is held up, while the engine changes what it
 * reads. On two CPUs: one worker, one control thread.
 *
 *   nothing   the control thread sleeps: what the machine itself does to the worker
 *   apply     NICs, VNets, peerings, users' routes and policies of peers come and go, by the code of
 *             `fingerpost apply`, as fast as it can
 *   load      the NVAs announce many prefixes at once
 *   updates   one of them withdraws and announces all of its prefixes, as fast as the route server takes it
 *
 * The fabric is that of bench converge (converge_fabric.h). What changes in `apply` and `load` is about no frame;
 * in `updates` flows go to the other NVA and back, and none is lost either.
 */
#ifndef ENGINE_CLI_RECONFIG_H
#define ENGINE_CLI_RECONFIG_H

#include "bench/bench.h"

/* As the functions of bench.h. A row's `wrong` counts frames that were lost, came late or went where none of their
 * flow went. */
int reconfig_bench(const struct bench_options *options, json_t *rows, struct bench_error *error);

#endif

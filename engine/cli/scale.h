/*
 * fingerpost bench fabric: what a large fabric costs the engine: its start, one route, the loss of one peer.
 */
#ifndef ENGINE_CLI_SCALE_H
#define ENGINE_CLI_SCALE_H

#include "bench/bench.h"

/* Appends the rows of works "start", "route-change" and "peer-loss"; as the functions of bench.h. */
int scale_bench(const struct bench_options *options, json_t *rows, struct bench_error *error);

#endif

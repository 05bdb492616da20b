/*
 * bench converge: how long the engine takes from the moment that it knows of a dead next hop until
 * no packet can take it any more.
 *
 * Two NVAs announce the same prefixes to a route server, so every FIB leads to both; then one of
 * them dies, and what is timed is the engine's own code, without a network; and a worker forwards to both meanwhile:
 *
 *   detected ──> last next-hop group swapped (engine_us) ──> last FIB entry written (fib_us)
 *      └──────────> last frame to the dead one (dead_path_ms)
 *
 * It stands here and not in bench/, as it drives the controller, which bench/ may not know.
 */
#ifndef ENGINE_CLI_CONVERGE_H
#define ENGINE_CLI_CONVERGE_H

#include "bench/bench.h"

/* As the functions of bench.h: appends a row for each event and size. A row's `wrong` counts
 * decisions about sample packets that were not as they must be. */
int converge_bench(const struct bench_options *options, json_t *rows, struct bench_error *error);

#endif

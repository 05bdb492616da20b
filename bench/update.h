/*
 * Applying updates, and what each call took.
 */
#ifndef BENCH_UPDATE_H
#define BENCH_UPDATE_H

#include "bench/engine.h"
#include "bench/run.h"

/* One pass over all updates. */
struct bench_pass {
    double updates_per_s;           /* of CPU time */
    double p50_us, p999_us, max_us; /* of a call, which is what each update in it waits */
};

/* Applies updates to instance, `batch` a call. Returns 0 or -errno. */
int bench_pass_run(const struct bench_engine *engine, void *instance,
                   const struct bench_updates *updates, size_t batch, struct bench_pass *pass);

/* Appends the rows about readers while updates are applied. Returns 0 or -errno. */
int bench_readers(struct bench_run *run, const struct bench_updates *updates, json_t *rows);

#endif

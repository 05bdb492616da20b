/*
 * One pass over a day of updates.
 *
 * How long a call takes is read off the clock on the wall, because reading the thread's CPU clock
 * is a system call and as long as the call itself. When another program had the CPU in between, the
 * call seems slow; so for each call that seems slow the CPU clock is asked how long the thread was
 * really off, and that is taken off. Whatever makes the thread wait makes a call slow, so none is
 * missed.
 */
#include "bench/update.h"

#include <errno.h>
#include <stdlib.h>

#define SLOW_NS 10000

struct stopwatch {
    uint64_t now_ns; /* at the end of the last call */
    struct bench_absence absence;
};

/* Time since the last lap, without what the thread was off the CPU. */
static uint64_t lap(struct stopwatch *watch)
{
    uint64_t now_ns = bench_now_ns();
    uint64_t ns = now_ns - watch->now_ns;

    if (ns >= SLOW_NS) {
        uint64_t off_ns = bench_absence_ns(&watch->absence);
        ns = off_ns < ns ? ns - off_ns : 0;
        now_ns = bench_now_ns();
    }
    watch->now_ns = now_ns;
    return ns;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static void summarize(uint32_t *call_ns, size_t calls, struct bench_pass *pass)
{
    qsort(call_ns, calls, sizeof(*call_ns), compare);
    pass->p50_us = call_ns[calls / 2] / 1e3;
    pass->p999_us = call_ns[calls - 1 - calls / 1000] / 1e3;
    pass->max_us = call_ns[calls - 1] / 1e3;
}

int bench_pass_run(const struct bench_engine *engine, void *instance,
                   const struct bench_updates *updates, size_t batch, struct bench_pass *pass)
{
    size_t calls = (updates->n + batch - 1) / batch;
    uint32_t *call_ns = bench_memory(calls * sizeof(*call_ns));
    int result = call_ns ? 0 : -ENOMEM;
    uint64_t start_ns = bench_cpu_ns();
    struct stopwatch watch = {bench_now_ns(), {bench_now_ns(), start_ns}};

    for (size_t i = 0; result == 0 && i < calls; i++) {
        size_t first = i * batch;
        size_t n = updates->n - first < batch ? updates->n - first : batch;
        result = engine->update(instance, updates->changes + first, n);
        uint64_t ns = lap(&watch);
        call_ns[i] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
    uint64_t ran_ns = bench_cpu_ns() - start_ns;
    if (result == 0) {
        pass->updates_per_s = (double)updates->n * 1e9 / (double)ran_ns;
        summarize(call_ns, calls, pass);
    }
    free(call_ns);
    return result;
}

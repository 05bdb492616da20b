/*
 * The list of engines.
 */
#include "bench/engine.h"

static const struct bench_engine *const all[] = {
    &bench_engine_lpm,  &bench_engine_fib,      &bench_engine_rte_lpm,
    &bench_engine_fib6, &bench_engine_rte_lpm6,
};

unsigned bench_engines(enum lpm_family family, bool quick,
                       const struct bench_engine *engines[BENCH_ENGINES_MAX])
{
    unsigned n = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && n < BENCH_ENGINES_MAX; i++) {
        bool fits = all[i]->family == 0 || all[i]->family == (unsigned)family;
        if (fits && !(quick && all[i]->loads_slowly))
            engines[n++] = all[i];
    }
    return n;
}

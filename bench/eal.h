/*
 * DPDK's environment, as the peers need it: memory, and leave to use AVX-512.
 */
#ifndef BENCH_EAL_H
#define BENCH_EAL_H

#include "bench/bench.h"

/* Starts EAL on the calling thread with room for so many bytes of tables; on 2 MB pages when enough
 * are free. Later calls do nothing. Returns 0 or -errno with *error filled. */
int bench_eal_start(size_t bytes, struct bench_error *error);
/* True when EAL's memory is on huge pages. */
bool bench_eal_huge(void);
/* Bytes that DPDK's heaps have handed out. */
size_t bench_eal_used(void);

#endif

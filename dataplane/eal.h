/*
 * DPDK's environment abstraction layer (EAL), started at most once per process and never asked of
 * the user. Control thread only.
 */
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

struct rte_mempool;

struct dp_eal_request {
    size_t pool_bytes;    /* packet buffers and rings that the caller is about to make */
    bool shares_memory;   /* with another program, which takes few regions (vhost-user) */
    const char *pci_port; /* name of a port that is a PCI device; NULL: none is */
    bool quiet;           /* keep EAL's and the drivers' log lines off stderr, from now on */
};

/* Starts EAL, or only applies `quiet` when it runs already. The calling thread keeps its CPU
 * affinity. A failure is final for the process: EAL cannot be started twice. -EBUSY: it runs
 * without PCI, which a port needs now. */
int dp_eal_start(const struct dp_eal_request *request, char error[DP_ERROR_TEXT]);

/* A pool of n packet buffers that each hold frame_bytes (at most DP_FRAME_MAX) in one segment.
 * Every buffer carries a struct dp_note (dataplane/stages.h). NULL: no memory. */
#define DP_FRAME_MAX 65407u /* DPDK counts a buffer with its headroom in 16 bits */
struct rte_mempool *dp_pool_create(unsigned n, uint32_t frame_bytes);
size_t dp_pool_bytes(unsigned n, uint32_t frame_bytes); /* estimate, for pool_bytes */

/* The first error that a driver logged since dp_eal_forget_error(); "" when there is none. */
const char *dp_eal_error(void);
void dp_eal_forget_error(void);

/* A number that this process has not used yet, for names of devices, pools and rings. */
unsigned dp_eal_serial(void);

#endif

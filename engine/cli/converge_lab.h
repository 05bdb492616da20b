/*
 * Modelled NVAs around a controller, with BGP and BFD between them, on a clock of its own: what
 * the shells of the live engine and the twin do, without a socket, and with a stop-watch around the
 * engine's part of a failure.
 *
 *   nva speakers ──links (bytes, BFD datagrams)── controller ──> program ──> forwarding
 *
 * One thread, which is registered as a reader (of sample packets) while the lab is open.
 */
#ifndef ENGINE_CLI_CONVERGE_LAB_H
#define ENGINE_CLI_CONVERGE_LAB_H

#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"
#include "bench/worker.h"
#include "engine/cli/converge_fabric.h"
#include "engine/program/controller.h"

struct converge_lab;

enum converge_event {
    CONVERGE_BFD_DOWN,     /* the NVA falls silent; its BFD sessions' detection times expire */
    CONVERGE_SESSION_DOWN, /* the NVA's kernel closes the connections of its BGP sessions */
    /* Only where the size has ports. */
    CONVERGE_PORT_DOWN,   /* the link of the NVA's port goes down */
    CONVERGE_MEMBER_DOWN, /* an operator takes it out of every group: set member all NVA down */
    CONVERGE_PROBE_DOWN,  /* the first backend of the load balancer answers its probes no more */
    CONVERGE_EVENTS
};

struct converge_sample {
    double swap_us; /* of CPU time: from the detection to the last next-hop group */
    double fib_us;  /* to the last FIB entry */
    /* From the detection to the last frame for the dead one, of time that passed: 0 if none was later. Where the
     * lab forwards. */
    double dead_path_ms;
    unsigned entries;
    size_t wrong; /* sample packets that went where they must not, and frames that were lost */
};

/* Builds the fabric and lets both NVAs announce their prefixes, until all is programmed. NULL with
 * the error filled. */
struct converge_lab *converge_lab_open(const struct converge_size *size, struct bench_error *error);
/* From now on a worker forwards between all NICs and the prefixes (bench/worker.h). Where the size has ports. 0 or
 * -errno with the error filled. */
int converge_lab_forward(struct converge_lab *lab, struct bench_error *error);
/* NULL before converge_lab_forward(). */
struct bench_worker *converge_lab_worker(const struct converge_lab *lab);
void converge_lab_close(struct converge_lab *lab); /* NULL is allowed */

/* The first NVA dies, or the backend. Then it comes back, until all is as it was. 0 or -errno with the error
 * filled. */
int converge_lab_fail(struct converge_lab *lab, enum converge_event event,
                      struct converge_sample *sample, struct bench_error *error);

/* The first NVA announces one prefix more (announce) or takes it back. */
int converge_lab_change(struct converge_lab *lab, bool announce, struct converge_sample *sample,
                        struct bench_error *error);

/* CPU time of the engine so far, the NVAs' left out: reading the file, making everything, taking in and programming
 * the routes. */
double converge_lab_engine_us(const struct converge_lab *lab);

void converge_lab_size(const struct converge_lab *lab, struct program_size *size);

#endif

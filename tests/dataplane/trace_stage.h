/*
 * A stage for traces: two workers that walk the same frames, of which one is traced. Their transmit queues are rings
 * that the test empties, so that no device is needed.
 *
 *      vm: port 0      peer: port 1, by its MAC      nva1: port 2, by its MAC      nva2: port 3, in a tunnel
 */
#ifndef TESTS_DATAPLANE_TRACE_STAGE_H
#define TESTS_DATAPLANE_TRACE_STAGE_H

#include "dataplane/trace_lane.h"
#include "dataplane/trace_steps.h"
#include "dataplane/worker.h"
#include "tests/dataplane/lab.h"

#define STAGE_PORTS  4
#define STAGE_QUEUE  64
#define STAGE_VNI    100
#define STAGE_OWN    "192.0.2.1" /* tunnel end point of port 3 */
#define STAGE_REMOTE "192.0.2.7"

enum { PLAIN, TRACED, WORKERS };

extern struct lab lab;
extern struct frame frame;
extern struct dp_port ports[STAGE_PORTS];
extern struct dp_worker workers[WORKERS];
extern struct rte_mempool *pool;
extern struct dp_trace *trace;        /* ended with the stage, where it is not NULL */
extern struct dp_trace_record record; /* what was taken last */
extern unsigned stages_seen;          /* in records that were taken: a bit each */

void open_stage(void);
void close_stage(void);

struct dp_trace_config any_packet(void);
struct dp_trace *begin(const struct dp_trace_config *config);

struct rte_mbuf *buffer_of_frame(void);
/* As a worker does it with a burst. generous: nothing is too often. */
void walk(unsigned worker, unsigned port, struct rte_mbuf **mbufs, unsigned n, bool generous);
void send_frame(unsigned worker, unsigned port);
/* What left by a port, oldest first; NULL: no more. The caller's to free. */
struct rte_mbuf *take_sent(unsigned worker, unsigned port);
/* Returns how many frames there were. */
unsigned empty_queues(unsigned worker);
/* Makes `frame` one of a tunnel for port 3, its own from and to these MACs. */
void put_in_tunnel(const uint8_t source[6], const uint8_t destination[6]);

/* The record's step; NULL: it has none. */
const struct dp_trace_step *step_of(enum dp_trace_stage stage);
/* The next record of `trace`; false: there is none. */
bool take(void);
/* Sends `frame`, and takes its record, which must be there. */
void trace_frame(unsigned port);

#endif

/*
 * The lab's fabric on running workers: traces in by pcap devices, traces out.
 */
#ifndef TESTS_DATAPLANE_LIVE_H
#define TESTS_DATAPLANE_LIVE_H

#include "tests/dataplane/lab.h"

#define LIVE_PORTS 4

struct live {
    struct lab *lab;
    unsigned port_count;
    unsigned workers; /* 0: 1 */
    void (*midway)(struct lab *lab); /* when all frames are through: until `more` others have left */
    unsigned more;
    struct trace *in[LIVE_PORTS];
    unsigned frames_in;
    struct frames out[LIVE_PORTS];
    struct frames announced[LIVE_PORTS]; /* of these, what nobody had asked for: by ARP or advertisement */
    struct dp_counters counters;
    struct dp_port_status status[LIVE_PORTS];
};

/* Opens a trace per port; live_send() adds to them. */
void live_open(struct live *live, struct lab *lab, unsigned port_count);
void live_send(struct live *live, unsigned port, const struct frame *frame);
/* Runs an engine until every frame was received and its fate counted, stops it, reads what came
 * out. */
void live_run(struct live *live);
void live_close(struct live *live);

#endif

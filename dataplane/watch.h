/*
 * What is observed, as workers see it. Internal; DPDK types.
 *
 *   forwarding->watch ==> struct dp_watch ──> captures[], traces[]     replaced whole, NULL: nothing
 *
 * A worker reads the pointer once for each burst into path->watch, and asks that at the four places
 * of a burst where a frame can be seen whole:
 *
 *   express admit/forward   what is observed is left to the long way       dp_watch_wants()
 *   walk begins             copies of what a NIC sent                      dp_watch_received()
 *   walk ends               its fate is known: kept, or let go             dp_watch_finished()
 *   transmit                copies before, the device's answer after       dp_watch_leaving(), _left()
 *
 * What is traced is taken out of the burst before all of them, to be a burst of its own: see trace_walk.c.
 */
#ifndef DATAPLANE_WATCH_H
#define DATAPLANE_WATCH_H

#include <pthread.h>

#include "dataplane/stages.h"

struct dp_capture_slot;

struct dp_watch {
    unsigned capture_count;
    struct dp_capture *captures[DP_CAPTURES_MOST];
    unsigned trace_count;
    struct dp_trace *traces[DP_TRACES_MOST];
    bool traces_drops; /* one of them wants only what is dropped */
    struct lpm_rcu_head head;
};

/* Control thread. Publishes what is observed now, but for `without`, a capture or a trace (NULL: none), in
 * *room, allocated by the caller; with the others, where they are not NULL. There must be a place for
 * those. What was published before is freed when nobody reads it. */
void dp_watch_publish(struct dp_forwarding *forwarding, struct dp_watch *room, const void *without,
                      struct dp_capture *capture, struct dp_trace *trace);

/* Copies in hand, by capture, and by place in the burst or the transmit buffer. */
struct dp_watch_copies {
    struct dp_capture_slot *of[DP_CAPTURES_MOST][DP_TX_BUFFER];
};
_Static_assert(DP_BURST <= DP_TX_BUFFER, "a burst's copies find room");

/* Is something of the NIC observed? nic 0: of frames that are nobody's. */
bool dp_watch_wants(const struct dp_watch *watch, uint32_t nic);

/* burst is classified, and its frames begin with their Ethernet header. */
void dp_watch_received(const struct dp_path *path, const struct dp_burst *burst,
                       struct dp_watch_copies *copies);
/* All its verdicts stand. */
void dp_watch_finished(const struct dp_path *path, const struct dp_burst *burst,
                       struct dp_watch_copies *copies);
void dp_watch_leaving(const struct dp_path *path, const struct dp_tx *tx,
                      struct dp_watch_copies *copies);
/* The first `sent` of tx were taken; its notes are still there. */
void dp_watch_left(const struct dp_path *path, const struct dp_tx *tx, unsigned sent,
                   struct dp_watch_copies *copies);

/* --- A capture from inside: capture.c and capture_file.c --------------------------------------- */

/* A copy of a frame, and what is known of it besides its bytes. */
struct dp_capture_slot {
    uint64_t cycles;
    uint32_t nic, other; /* other: where it goes, or whence it came; 0: nowhere */
    uint32_t wire_bytes, bytes;
    uint16_t port, queue; /* DPDK's */
    bool out;
    uint8_t action, reason; /* enum dp_action, enum dp_reason */
    uint8_t frame[];
};

/* From one thread to one other. It has room for every slot of its lane, so there always is some. (DPDK's
 * ring would do, but orders its accesses by barriers that ThreadSanitizer does not know.) */
struct dp_capture_ring {
    _Atomic uint32_t head __attribute__((aligned(DP_CACHE_LINE))); /* written by who puts */
    _Atomic uint32_t tail __attribute__((aligned(DP_CACHE_LINE))); /* written by who takes */
    struct dp_capture_slot *slots[DP_CAPTURE_RING];
};
void dp_capture_put(struct dp_capture_ring *ring, struct dp_capture_slot *slot);
struct dp_capture_slot *dp_capture_take(struct dp_capture_ring *ring); /* NULL: it is empty */

/*
 * One worker's way to the thread of the capture, and back:
 *
 *      worker ──filled──> thread        no slot is idle or spare: the frame is missed
 *        ^ idle             │
 *        └─────────spare────┘
 */
struct dp_capture_lane {
    struct dp_capture_ring filled, spare;
    _Atomic uint64_t missed;
    /* The worker's own: slots that were filled and not wanted. */
    unsigned idle_n;
    struct dp_capture_slot *idle[DP_CAPTURE_RING];
    void *room; /* of the slots; cost memory once they are touched */
    size_t room_bytes;
};

struct dp_capture {
    struct dp_capture_config config;
    struct dp_forwarding *forwarding;
    struct dp_capture_lane *lanes;
    unsigned lane_count;
    struct rte_mempool *blocks; /* of the thread */
    uint32_t snap_bytes;
    pthread_t thread;
    /* Control thread. */
    bool published;
    uint64_t stamp; /* of the grace period after which no worker has it */
    /* Between the two threads. */
    _Atomic int end;       /* enum dp_capture_end */
    _Atomic bool silent;   /* no worker adds to the rings any more */
    _Atomic bool finished; /* the last that the thread does */
    _Atomic int error;
    _Atomic uint64_t packets, bytes, missed;
};

/* The thread: takes copies from the rings to the file until the end, then closes it. */
void *dp_capture_write(void *capture);
/* Room behind a frame for the rest of the block that it becomes, and how many blocks go in one write. */
#define DP_CAPTURE_BLOCK_BYTES 320u
#define DP_CAPTURE_BATCH       32u

#endif

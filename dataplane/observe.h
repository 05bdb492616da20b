/*
 * Looking at the packets of running workers: capture to a file. Part of the programming interface; no
 * DPDK type appears here. Control thread only.
 *
 *   worker ──copy──> ring ──> thread of the capture ──pcapng──> file
 *
 * While nothing is observed a worker asks one pointer per burst whether anything is. While something
 * is, frames from and to the NICs concerned take the long way (see express.h); all others go on as
 * they did. Nothing that is observed is changed, held up or counted otherwise.
 */
#ifndef DATAPLANE_OBSERVE_H
#define DATAPLANE_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

struct dp_engine;

/* --- Capture ---------------------------------------------------------------------------------- */

#define DP_NIC_ANY       UINT32_MAX
#define DP_CAPTURES_MOST 4u /* at a time */
/* Ring of a capture, for each worker: what comes faster than the file takes it is missed. */
#define DP_CAPTURE_RING 1024u

/* A NIC's frame is captured once on its way in, with what became of it, and once on its way out:
 *
 *   in    as the NIC sent it (from a tunnel: the inner frame), when its fate is known
 *   out   as it goes to the NIC, with all headers, when a transmit queue took it or refused it
 *   drop  those of `in` that were dropped; and those that a transmit queue refused (tx-full), as they
 *         would have gone out. The NIC is the sender's, as in the counters. */
enum dp_capture_direction {
    DP_CAPTURE_BOTH, /* in and out */
    DP_CAPTURE_IN,
    DP_CAPTURE_OUT,
    DP_CAPTURE_DROP,
};
struct dp_capture_config {
    uint32_t nic; /* DP_NIC_ANY: all, frames of no NIC too */
    enum dp_capture_direction direction;
    unsigned reason;       /* DP_CAPTURE_DROP: an enum dp_reason; DP_REASON_COUNT: any */
    uint32_t snap_bytes;   /* of a frame at most; 0: all of it */
    uint64_t packets_most; /* 0: no such limit */
    uint64_t bytes_most;   /* of the file */
    uint32_t seconds_most;
    int file; /* a regular file, open for writing: emptied first. The capture's own from a successful
               * start on */
};

enum dp_capture_end {
    DP_CAPTURE_RUNNING,
    DP_CAPTURE_STOPPED, /* dp_capture_stop() */
    DP_CAPTURE_PACKETS, /* a limit was reached */
    DP_CAPTURE_BYTES,
    DP_CAPTURE_SECONDS,
    DP_CAPTURE_FAILED, /* the file could not be written: see error */
};
struct dp_capture_status {
    uint64_t packets, bytes; /* in the file; bytes with the file's own headers */
    uint64_t missed;         /* the ring was full, or no buffer was free */
    enum dp_capture_end end;
    int error; /* errno of DP_CAPTURE_FAILED */
};
struct dp_capture;

/* Begins at once. Every packet has a comment: its NIC, direction and fate, by name; its interface is
 * that of the DPDK device, as DPDK 22.11 has one interface for each device and no way to say another.
 * -EBUSY: DP_CAPTURES_MOST run. -EINVAL, -ENOMEM, or the errno of starting a thread. */
int dp_capture_start(struct dp_engine *engine, const struct dp_capture_config *config,
                     struct dp_capture **capture);
/* From now on nothing more is captured; what was is still written. Does not wait. */
void dp_capture_stop(struct dp_capture *capture);
/* Some times a second, while it runs: how far it is. true: the file is whole and closed. */
bool dp_capture_poll(struct dp_capture *capture, struct dp_capture_status *status);
/* Ends it if it has not ended, which waits, for a file that takes nothing 2 s at most; the file is then
 * whole up to some packet all the same. Before dp_engine_stop(). */
void dp_capture_free(struct dp_capture *capture);

#endif

/*
 * When the frames of a replay are due: at once, at a rate, or as they were recorded. Internal to the
 * replay.
 */
#ifndef DATAPLANE_REPLAY_PACE_H
#define DATAPLANE_REPLAY_PACE_H

#include <stdint.h>

struct dp_pace {
    double rate; /* packets a second; 0: times say */
    const uint64_t
        *times;      /* of the trace's frames in nanoseconds, never going back; NULL: rate says */
    uint64_t frames; /* of the trace */
    uint64_t began;  /* nanoseconds of the monotonic clock at frame 0 */
};

uint64_t dp_pace_now(void);
/* How many of the next `most` frames, of which the first is number `frame` since frame 0, may go now.
 * Waits until it is one at least. The calling thread is a registered reader, and offline meanwhile. */
unsigned dp_pace_wait(const struct dp_pace *pace, uint64_t frame, unsigned most);

#endif

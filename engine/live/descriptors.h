/*
 * File descriptors that a client of the control socket passes along with a line (SCM_RIGHTS, unix(7)). What the
 * client may open, the engine then writes for it, with no right of its own in play.
 */
#ifndef ENGINE_LIVE_DESCRIPTORS_H
#define ENGINE_LIVE_DESCRIPTORS_H

#include <uv.h>

/* Of the line that is being put together. All but the first are closed as they come, and counted. */
struct live_descriptors {
    int first; /* of n > 0; -1: somebody took it */
    unsigned n;
};

/* Takes what came with the last octets that were read from pipe, which was made for passing (ipc). 0 or
 * -errno. */
int live_descriptors_receive(struct live_descriptors *descriptors, uv_pipe_t *pipe);
/* The first is the caller's from now on. */
int live_descriptors_take(struct live_descriptors *descriptors);
/* Closes what nobody took. */
void live_descriptors_forget(struct live_descriptors *descriptors);

#endif

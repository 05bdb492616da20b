/*
 * libuv hands a descriptor that was passed only to a handle of its own, whatever the descriptor is of. So one is
 * made for each, asked for its number, of which a copy is kept, and closed.
 */
#include "engine/live/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void keep_copy(struct live_descriptors *descriptors, const uv_pipe_t *holder)
{
    uv_os_fd_t fd;
    if (descriptors->n++ == 0)
        descriptors->first =
            uv_fileno((const uv_handle_t *)holder, &fd) == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

int live_descriptors_receive(struct live_descriptors *descriptors, uv_pipe_t *pipe)
{
    while (uv_pipe_pending_count(pipe) > 0) {
        uv_pipe_t *holder = malloc(sizeof(*holder));
        if (!holder)
            return -ENOMEM;
        uv_pipe_init(pipe->loop, holder, 0);
        int error = uv_accept((uv_stream_t *)pipe, (uv_stream_t *)holder);
        if (!error)
            keep_copy(descriptors, holder);
        uv_close((uv_handle_t *)holder, on_closed);
        if (error)
            return error;
    }
    return 0;
}

int live_descriptors_take(struct live_descriptors *descriptors)
{
    int fd = descriptors->first;
    descriptors->first = -1;
    return fd;
}

void live_descriptors_forget(struct live_descriptors *descriptors)
{
    if (descriptors->n > 0 && descriptors->first >= 0)
        close(descriptors->first);
    *descriptors = (struct live_descriptors){.first = -1};
}

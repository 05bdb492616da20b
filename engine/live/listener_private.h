/* What the files of listening sockets share. */
#ifndef ENGINE_LIVE_LISTENER_PRIVATE_H
#define ENGINE_LIVE_LISTENER_PRIVATE_H

#include "engine/live/listener.h"

bool live_endpoint_equal(const struct live_endpoint *a, const struct live_endpoint *b);
/* One that is filled in but for its socket, with the keys of the neighbors that call there. -errno: error. */
int live_listener_open(struct live_listener *listener, const struct live_neighbors *neighbors,
                       char error[LIVE_ERROR_TEXT]);
/* Frees it, once the loop has let go of its handle. */
void live_listener_close(struct live_listener *listener);

/* listener_keys.c: the keys of all neighbors that connect here, on its socket or the one that will be; and the
 * same in place of the keys of a former reading. */
int live_listener_set_keys(const struct live_listener *listener,
                           const struct live_neighbors *neighbors, int fd);
void live_listener_follow_keys(struct live_listener *listener, const struct live_neighbors *former);

#endif

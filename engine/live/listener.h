/* Listening sockets: one per route-server address. Only configured peers get beyond accept(). */
#ifndef ENGINE_LIVE_LISTENER_H
#define ENGINE_LIVE_LISTENER_H

#include <stddef.h>

#include "engine/live/context.h"

#define LIVE_ERROR_TEXT 512

/* Opens one per instance of every route server. -errno: error says which address, and what would be
 * right; those already open are closed by live_listeners_close(). */
int live_listeners_open(struct live *live, char error[LIVE_ERROR_TEXT]);
void live_listeners_close(struct live *live);
/* Accepts again where a listener paused for want of file descriptors. */
void live_listeners_housekeeping(struct live *live);

#endif

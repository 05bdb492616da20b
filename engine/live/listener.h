/* Listening sockets: one per local address and device. Only configured peers, and addresses of
 * dynamic_peers, get beyond accept(). */
#ifndef ENGINE_LIVE_LISTENER_H
#define ENGINE_LIVE_LISTENER_H

#include <stddef.h>

#include "engine/live/context.h"

#define LIVE_ERROR_TEXT 512

/* Opens one per instance of every route server, and those that single peers ask for. Keys are on
 * them before they listen. -errno: error says which address, and what would be
 * right; those already open are closed by live_listeners_close(). */
int live_listeners_open(struct live *live, char error[LIVE_ERROR_TEXT]);
/* The one that takes connections to local; NULL: none. */
struct live_listener *live_listener_find(struct live *live, const struct live_endpoint *local);
/* The peer's key has changed; for a template, that of its ranges too. */
void live_listener_rekey(struct live_listener *listener, const struct live_peer *peer);
/* A connection was refused: a line in the log, one a minute however many there are. */
void live_listener_refused(struct live_listener *listener, const struct lpm_address *source,
                           const char *why, uint64_t now_ms);
void live_listeners_close(struct live *live);
/* Accepts again where a listener paused for want of file descriptors. */
void live_listeners_housekeeping(struct live *live);

#endif

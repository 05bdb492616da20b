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
/* Opens those that another reading wants and that are not open, with the keys of its neighbors; whom they take
 * connections of is still what runs to say. -errno: error. Then follow() keeps what that reading wants, live->neighbors
 * being of it by now, with all keys, and closes the others; or drop() closes what was opened. Both free wanted. */
struct live_wanted;
int live_listeners_prepare(struct live *live, const struct live_neighbors *neighbors,
                           struct live_wanted **wanted, char error[LIVE_ERROR_TEXT]);
void live_listeners_follow(struct live *live, struct live_wanted *wanted,
                           const struct live_neighbors *former);
void live_listeners_drop(struct live *live, struct live_wanted *wanted); /* NULL is allowed */
/* The one that takes connections to local; NULL: none. */
struct live_listener *live_listener_find(struct live *live, const struct live_endpoint *local);
/* The same listener, if there still is one: which is only compared. */
struct live_listener *live_listener_still(struct live *live, const struct live_listener *listener);
/* The peer's key has changed; for a template, that of its ranges too. */
void live_listener_rekey(struct live_listener *listener, const struct live_peer *peer);
/* A connection was refused: a line in the log, one a minute however many there are. */
void live_listener_refused(struct live_listener *listener, const struct lpm_address *source,
                           const char *why, uint64_t now_ms);
void live_listeners_close(struct live *live);
/* Accepts again where a listener paused for want of file descriptors. */
void live_listeners_housekeeping(struct live *live);

#endif

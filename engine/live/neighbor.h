/*
 * What the fabric file says about the TCP connections of each configured peer: the endpoint of our
 * side, socket options, and the key, which can be read again while the engine runs.
 */
#ifndef ENGINE_LIVE_NEIGHBOR_H
#define ENGINE_LIVE_NEIGHBOR_H

#include <stddef.h>

#include "engine/live/context.h"

/* Makes live->neighbors and reads their keys. -errno: error names the file and what would be
 * right. */
int live_neighbors_create(struct live *live, char *error, size_t error_size);
/* Overwrites the keys. */
void live_neighbors_destroy(struct live *live);

struct live_neighbor *live_neighbor(struct live *live, uint32_t route_server, uint32_t index);
/* Of any session, a gateway's too; and where that listens. */
struct live_neighbor *live_neighbor_of(struct live *live, const struct controller_peer *session);
struct live_endpoint live_neighbor_listens_of(const struct live *live,
                                              const struct controller_peer *session);

/* Where the session of this instance listens. */
struct live_endpoint live_neighbor_listens(const struct live *live, uint32_t route_server,
                                           unsigned instance, uint32_t index);
/* The device that this neighbour's connections are bound to, or NULL. */
const char *live_neighbor_interface(const struct live *live, const struct controller_peer *session);
struct live_socket_options live_neighbor_options(const struct live_neighbor *neighbor);

/* Reads every key_file again. A key that changed is set on listening sockets and on the open
 * connections of that peer: a session lives on when the peer changes its key before the hold time
 * is over. A file that cannot be used leaves the former key in force, and a line in the log. */
void live_neighbors_reload(struct live *live);

#endif

/*
 * What the fabric file says about the TCP connections of each configured peer: the endpoint of our
 * side, socket options, and the key, which can be read again while the engine runs.
 */
#ifndef ENGINE_LIVE_NEIGHBOR_H
#define ENGINE_LIVE_NEIGHBOR_H

#include <stddef.h>

#include "engine/live/context.h"

/* The peers of a reading's route servers, with their keys, which are read now. -errno: error names the file and what would be right. */
int live_neighbors_make(struct live_neighbors *neighbors, const struct fabric *fabric, char *error,
                        size_t error_size);
/* Overwrites the keys. What was not made is passed over. */
void live_neighbors_free(struct live_neighbors *neighbors);
/* The same for the engine's first reading, and for its gateways. */
int live_neighbors_create(struct live *live, char *error, size_t error_size);
void live_neighbors_destroy(struct live *live);

struct live_neighbor *live_neighbor(const struct live_neighbors *neighbors, uint32_t route_server,
                                    uint32_t index);
/* That of the same name in another reading; NULL: none. */
struct live_neighbor *live_neighbor_named(const struct live_neighbors *neighbors,
                                          uint32_t route_server, const char *name);
/* Of any session, a gateway's too; and where that listens. */
struct live_neighbor *live_neighbor_of(struct live *live, const struct controller_peer *session);
struct live_endpoint live_neighbor_listens_of(const struct live *live,
                                              const struct controller_peer *session);

/* Where the session of this instance listens. */
struct live_endpoint live_neighbor_listens(const struct live *live, const struct fabric *fabric,
                                           uint32_t route_server, unsigned instance,
                                           uint32_t index);
/* The device that this neighbour's connections are bound to, or NULL. */
const char *live_neighbor_interface(const struct live *live, const struct controller_peer *session);
const char *live_neighbor_device(const struct fabric *fabric, uint32_t route_server,
                                 uint32_t index);
struct live_socket_options live_neighbor_options(const struct live_neighbor *neighbor);

/* The key of this session's neighbor has changed: it is set on the listening socket and on open connections. */
void live_neighbor_rekey(struct live_peer *peer);
/* Of every session whose neighbor had another key in the reading before. */
void live_neighbors_rekey(struct live *live, const struct live_neighbors *former);
/* Reads every key_file again. A key that changed is set on listening sockets and on the open
 * connections of that peer: a session lives on when the peer changes its key before the hold time
 * is over. A file that cannot be used leaves the former key in force, and a line in the log. */
void live_neighbors_reload(struct live *live);

#endif

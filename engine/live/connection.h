/*
 * One TCP connection of a peer: bytes from the socket to the speaker, and back as the socket takes
 * them. UPDATEs are made when there is room to send them, so a slow reader costs one buffer and no
 * queue.
 *
 *   opening ──> open ──> parting ──> gone
 *                 └─────────────────────^   (lost: end of file, reset)
 *
 * A parting connection is closed as far as the session knows. It still sends its last words (the
 * NOTIFICATION that says why), ends its direction, and reads into the void until the peer has
 * closed too: a close with unread bytes would reset the connection and could destroy the
 * NOTIFICATION on its way. The time for that is LIVE_PARTING_MS.
 */
#ifndef ENGINE_LIVE_CONNECTION_H
#define ENGINE_LIVE_CONNECTION_H

#include "engine/live/context.h"

/* Both take fd over. A connection of that direction that is there already: of an incoming one, the
 * newcomer is refused unless bgp_session_gives_way(); of an outgoing one, the former is dropped. */
void live_connection_accepted(struct live_peer *peer, int fd);
/* The same where the first n bytes have been read already. */
void live_connection_taken_over(struct live_peer *peer, int fd, const uint8_t *bytes, size_t n);
void live_connection_opening(struct live_peer *peer, int fd);

/* The peer's key has changed: this connection signs by the new one from here on. */
void live_connection_rekey(struct live_connection *connection);

/* Has the kernel bytes of the peer that were not read yet? */
bool live_connection_has_input(const struct live_connection *connection);
/* Its two ends' TCP ports, for who asks about the session; 0: not known (any more). */
void live_connection_ports(const struct live_connection *connection, uint16_t *local,
                           uint16_t *remote);

/* Wishes of the session, from within its own calls: done by live_connection_work(). */
void live_connection_wants_output(struct live_connection *connection);
void live_connection_wants_close(struct live_connection *connection);
/* May free the connection. */
void live_connection_work(struct live_connection *connection);
/* Closes without further words when its time is over, or `now`. Frees it then. */
void live_connection_cut(struct live_connection *connection, uint64_t now_ms, bool now);

#endif

/*
 * The transport side of one session: what its speaker wishes (connect, close, send) is listed here
 * by handler functions and done in live_peers_work(), outside of the speaker's own calls.
 */
#ifndef ENGINE_LIVE_PEER_H
#define ENGINE_LIVE_PEER_H

#include "engine/live/context.h"

/* One struct live_peer per session of the controller; of gateways', those whose neighbor has an address. */
int live_peers_create(struct live *live);
void live_peers_destroy(struct live *live);
/* Of route servers', then of gateways': i below the sum of both counts. */
struct live_peer *live_peer_at(const struct live *live, size_t i);
/* Room for n sessions more than there are, and for those that an apply which is under way may bring. -ENOMEM. */
int live_peers_reserve(struct live *live, size_t n);
/* One for each session that the controller has now, for which there is room; those of sessions that it has no more say
 * their last words, and are then forgotten by live_peers_housekeeping(). */
void live_peers_follow(struct live *live, uint64_t now_ms);
void live_peers_housekeeping(struct live *live, uint64_t now_ms);
/* The same for the sessions of a neighbour that the controller has just accepted, the first of which is
 * at that index; starts them. */
void live_peers_accept(struct live *live, size_t first, uint64_t now_ms);
/* The name of the route server or gateway whose session it is. */
const char *live_session_owner(const struct live *live, const struct controller_peer *session);
/* The other end. */
const struct lpm_address *live_peer_address(const struct live_peer *peer);
/* Fills the transport part of shell. */
void live_peers_shell(struct controller_shell *shell);

/* Lists peer for live_peers_work(). */
void live_peer_list(struct live_peer *peer);
/* Connects, sends and closes what was asked for. */
void live_peers_work(struct live *live);
/* Cuts connections whose last words took too long; all of them when `all`. */
void live_peers_cut(struct live *live, uint64_t now_ms, bool all);

#endif

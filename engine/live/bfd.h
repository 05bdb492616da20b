/*
 * BFD on kernel UDP: sockets and timer of the controller's BFD sessions.
 *
 *   port 3784, 4784 of an address that has BFD peers ──> live_bfd_serve() ──> bfd_table_input()
 *   one socket a session (source ports from 49152) <──        │          <── bfd_table_output()
 *   timerfd, in microseconds ──────────────────────>──────────┘──> controller_bfd_settle()
 *
 * BFD goes first: it is served when a socket or the timer is ready, and again between any two pieces
 * of other work (live_bfd_breathe()) that come to a millisecond. What waits in the sockets is always
 * taken before time is looked at, so that a long turn of our own is not taken for a silent peer.
 */
#ifndef ENGINE_LIVE_BFD_H
#define ENGINE_LIVE_BFD_H

#include <jansson.h>

#include "engine/live/context.h"

struct live_bfd;

/* After the controller was made. Opens nothing when no peer has BFD. -errno: error says which
 * address, and what would be right; live_bfd_close() takes back what was opened. */
int live_bfd_open(struct live *live, char error[DP_ERROR_TEXT]);
/* Another reading of the fabric: prepare() listens where its sessions will want it (-errno: error names the peer);
 * follow() has the sockets of the controller's sessions as they are now and no others, also where prepare() was in vain.
 * What a retired session still says goes on until forget(). */
int live_bfd_prepare(struct live *live, const struct fabric *fabric, char error[DP_ERROR_TEXT]);
void live_bfd_follow(struct live *live);
void live_bfd_forget(struct live *live, const struct controller_peer *peer);
/* The handles live on until the loop has let go of them: live_bfd_free() then. NULLs are fine. */
void live_bfd_close(struct live_bfd *bfd);
void live_bfd_free(struct live_bfd *bfd);

/* Takes what came, sends what is due, closes BGP sessions whose BFD failed. Not within a call of a
 * speaker. */
void live_bfd_serve(struct live *live);
/* The same, if the last time is a millisecond ago or something is due. */
void live_bfd_breathe(struct live *live);

/* Sets the timer, at the end of a turn: other work may have begun or ended sessions. */
void live_bfd_settle(struct live *live);

/* Fills the BFD part of shell. */
void live_bfd_shell(struct controller_shell *shell);

/* {"state", ...} of one session, NULL for one that has no BFD; and what is of all together. */
json_t *live_bfd_report(const struct controller_peer *peer);
json_t *live_bfd_report_all(const struct live *live);

#endif

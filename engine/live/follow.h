/*
 * What the sockets have to do when another reading of the fabric takes the place of the one that runs: keys, listening
 * sockets, BFD's, and the peers themselves.
 *
 *   live_follow_prepare()  whatever can fail: keys are read, sockets are opened
 *   controller_apply_…()   sessions end and come
 *   live_follow_take()     each session has its sockets; what nobody wants is closed; new sessions start
 *
 * Control thread.
 */
#ifndef ENGINE_LIVE_FOLLOW_H
#define ENGINE_LIVE_FOLLOW_H

#include "engine/live/context.h"

struct live_follow;

/* fabric must live as long as *follow, which either of the others ends. -errno: error says what and where; nothing is
 * left open. */
int live_follow_prepare(struct live *live, const struct fabric *fabric, struct live_follow **follow,
                        char *error, size_t error_size);
/* live->fabric and the controller's are that reading by now; former is the one before. */
void live_follow_take(struct live *live, struct live_follow *follow, const struct fabric *former);
void live_follow_drop(struct live *live, struct live_follow *follow); /* NULL is allowed */

#endif

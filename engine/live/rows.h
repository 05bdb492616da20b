/*
 * "show routes", "learned" and "advertised" over the control socket, as long as the tables may be: prefixes are
 * gathered a slice a turn and put in order, then the rows at each follow, a piece a turn (stream.h). A
 * prefix that changes meanwhile is shown as it is when its turn comes. Memory: 20 octets a prefix, and one piece.
 */
#ifndef ENGINE_LIVE_ROWS_H
#define ENGINE_LIVE_ROWS_H

#include "engine/live/context.h"
#include "engine/live/stream.h"

/* {"answer": {"nic", "value": [rows]}}. NULL with *result: what is wrong. */
struct live_stream *live_rows_of_nic(struct live *live, const char *nic, json_t **result);
/* {"answer": {"RouteServiceRole_IN_0": [rows], "RouteServiceRole_IN_1": [rows]}}, and of a gateway with more instances
 * theirs. owner: a route server or gateway. */
struct live_stream *live_rows_of_peer(struct live *live, const char *owner, const char *peer,
                                      bool advertised, json_t **result);

#endif

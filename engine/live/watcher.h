/*
 * "watch" over the control socket: a stream without an end (stream.h), a line for each thing that changed.
 *
 *   peers, groups, counters, ports   every row at first, then, at most once an interval, the rows that differ from
 *                                    what was told last. A client that reads slowly gets the latest, and
 *                                    nothing of what was between.
 *   events, routes                   each event as it comes (of routes: those of prefixes). A client that is
 *                                    slower than the ring of events is told how many it lost.
 *
 * A watcher costs eight octets a row, and one piece. Rows are looked at some dozens a turn, so that a table of
 * thousands holds up nobody. Control thread only.
 */
#ifndef ENGINE_LIVE_WATCHER_H
#define ENGINE_LIVE_WATCHER_H

#include "engine/live/context.h"
#include "engine/live/stream.h"

/* {"command": "watch", "what": ..., "interval_ms": n, "last": n, "nic": ...}. NULL with *result: what is wrong. */
struct live_stream *live_watcher_open(struct live *live, const json_t *request, json_t **result);
/* Wakes those who wait for events, where there are new ones: at the end of a turn. */
void live_watchers_settle(struct live *live);
/* Wakes those whose interval is over; from time to time. */
void live_watchers_housekeeping(struct live *live, uint64_t now_ms);

#endif

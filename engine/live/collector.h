/*
 * BMP collectors (engine.bmp): a TCP connection to each, opened again for as long as the engine runs, that
 * carries what rib/monitor.h makes of every route server's speaker.
 *
 *   speakers ──> one struct rib_monitor each ──pull──> one chunk ──> socket of the collector
 *
 * The next chunk is pulled when the collector has taken the former, at most one in a turn of the loop and
 * after all that concerns BGP: one that hangs costs its chunk and marks, one that floods or resets is left
 * alone for a while, and neither holds up a session.
 */
#ifndef ENGINE_LIVE_COLLECTOR_H
#define ENGINE_LIVE_COLLECTOR_H

#include <jansson.h>

#include "engine/live/context.h"

/* Begins to connect; nothing where the file has no engine.bmp. After the controller is there. Returns 0
 * or -errno. */
int live_collectors_open(struct live *live);
/* Gives those that can take it what is due; while the engine stops, what is left and a Termination. At the
 * end of each turn. */
void live_collectors_settle(struct live *live);
/* Does one of them still wait for the last words? */
bool live_collectors_busy(const struct live *live);
/* Drops all connections, before the controller goes and the loop ends. */
void live_collectors_close(struct live *live);
/* After the loop has ended. */
void live_collectors_free(struct live *live);

/* Rows of "bmp" in the report; a new reference. */
json_t *live_collectors_report(const struct live *live);

#endif

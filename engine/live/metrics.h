/*
 * Metrics by HTTP (engine.metrics_listen), in Prometheus' text format: GET /metrics.
 *
 *   client ──> libmicrohttpd (its epoll descriptor in the loop) ──pull──> metrics_scrape_next(), a piece a turn
 *
 * On the control thread, because everything that is told belongs to it and no lock is shared. A scrape is made as
 * the client takes it, a piece of some kilobytes in a turn of the loop (or one metric of all sessions, whose rows may
 * change places), between which sessions have theirs: it
 * holds up nobody, however many NICs there are and however slowly it is read.
 */
#ifndef ENGINE_LIVE_METRICS_H
#define ENGINE_LIVE_METRICS_H

#include "engine/live/context.h"

/* Takes the address, and listens; nothing where the file has no engine.metrics_listen. Nobody is answered before
 * the loop runs. 0 or -errno with error, which names the line of the file. */
int live_metrics_open(struct live *live, char *error, size_t size);
/* Drops who takes too long over one request; from time to time. */
void live_metrics_housekeeping(struct live *live, uint64_t now_ms);
/* Drops everyone and stops to listen; before the loop ends and what is told goes away. */
void live_metrics_close(struct live *live);
/* After the loop has ended. */
void live_metrics_free(struct live *live);

#endif

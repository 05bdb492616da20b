/*
 * What one collector is told of: every route server, by a struct rib_monitor each while the
 * collector is connected.
 */
#ifndef ENGINE_LIVE_COLLECTOR_WATCH_H
#define ENGINE_LIVE_COLLECTOR_WATCH_H

#include "engine/live/context.h"

struct live_watch;

/* Nothing is watched yet. NULL: no memory. */
struct live_watch *live_watch_create(struct live *live);
void live_watch_free(struct live_watch *watch); /* NULL is allowed; after live_watch_end() */

/* The collector is there: begins with everything (routes: FABRIC_BMP_...). 0 or -ENOMEM. */
int live_watch_begin(struct live_watch *watch, uint32_t routes);
/* It is gone. Returns how many messages it had. NULL is allowed. */
uint64_t live_watch_end(struct live_watch *watch);

/* Whole messages of what is due; a speaker with a large table does not hold up the others'. */
size_t live_watch_pull(struct live_watch *watch, uint8_t *bytes, size_t capacity);
bool live_watch_pending(const struct live_watch *watch);
/* Memory was short: the collector has to begin anew. */
bool live_watch_failed(const struct live_watch *watch);
/* Statistics are due. */
void live_watch_report(struct live_watch *watch);
/* Messages since live_watch_begin(); prefixes whose change has yet to be told. */
uint64_t live_watch_messages(const struct live_watch *watch);
size_t live_watch_waiting(const struct live_watch *watch);

#endif

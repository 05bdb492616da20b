/* The event log of a running engine: JSON lines in the file that engine.events names. */
#ifndef ENGINE_LIVE_EVENTS_H
#define ENGINE_LIVE_EVENTS_H

#include <stdio.h>

#include <jansson.h>

#include "engine/live/context.h"

/* Opens the file and begins to watch; nothing where the file has no engine.events. Returns 0 or
 * -errno with error. After the controller is there, before it starts. */
int live_events_open(struct live *live, char *error, size_t size);
/* Hands what was written to the kernel: once a turn, not once an event. */
void live_events_settle(struct live *live);
void live_events_close(struct live *live);
struct event;
/* As in the file; where somebody watches. */
json_t *live_event_json(const struct live *live, const struct event *event);
/* The last n events; an empty list where nobody watches. */
json_t *live_events_last(const struct live *live, unsigned n);
/* As many stand in the report. */
#define LIVE_REPORT_EVENTS 20u

#endif

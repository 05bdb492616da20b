/*
 * A traced packet as a JSON object: docs/live.md has its keys. Control thread only.
 */
#ifndef ENGINE_LIVE_TRACE_ROW_H
#define ENGINE_LIVE_TRACE_ROW_H

#include "engine/live/context.h"

/* Names are those of the fabric that is in force: NICs, ports and groups that have gone since have null. */
json_t *live_trace_row(const struct live *live, const struct dp_trace_record *record);

#endif

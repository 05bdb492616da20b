/* Rows about sessions, for report.c. */
#ifndef ENGINE_LIVE_REPORT_SESSION_H
#define ENGINE_LIVE_REPORT_SESSION_H

#include <jansson.h>

#include "engine/live/context.h"

/* A new reference, or NULL when memory is out. */
json_t *live_report_session(const struct live *live, const struct live_peer *peer, uint64_t now_ms);

#endif

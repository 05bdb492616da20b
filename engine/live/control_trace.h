/*
 * Traces over the control socket: {"command": "trace-packet"}.
 *
 *   client ──request──> engine: {"answer": {"tracing": true, …}}
 *                        │ {"answer": {"time": …, "stages": […]}}   one for each packet (trace_row.h)
 *                        │ until a limit, or the client says anything or goes
 *                        └─ {"answer": {"packets": n, "missed": n, "ended": …}}
 *
 * A client that reads slowly has the rings of the workers fill up, and is told how many packets were missed.
 */
#ifndef ENGINE_LIVE_CONTROL_TRACE_H
#define ENGINE_LIVE_CONTROL_TRACE_H

#include "engine/live/context.h"
#include "engine/live/stream.h"

/* NULL with *result: what is wrong. */
struct live_stream *live_trace_open(struct live *live, const json_t *request, json_t **result);
/* Another reading is in force: traces of a NIC that it has no more end ("nic-gone"). */
void live_traces_follow(struct live *live);
/* Ends all and tells their clients: before the ports close. */
void live_traces_close(struct live *live);

#endif

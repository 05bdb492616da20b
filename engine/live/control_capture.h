/*
 * Captures over the control socket: {"command": "capture"} with the descriptor of a file (descriptors.h).
 *
 *   client ──request, descriptor──> engine: {"answer": {"capturing": …}}
 *                                     │ packets to the file, until a limit, or the client says anything or goes
 *                                     └────: {"answer": {"packets": n, "missed": n, "bytes": n, "ended": …}}
 *
 * The capture outlives a client that has gone by as long as it takes to end, and no longer.
 */
#ifndef ENGINE_LIVE_CONTROL_CAPTURE_H
#define ENGINE_LIVE_CONTROL_CAPTURE_H

#include "engine/live/context.h"
#include "engine/live/descriptors.h"
#include "engine/live/stream.h"

/* NULL with *result: what is wrong. */
struct live_stream *live_capture_open(struct live *live, const json_t *request,
                                      struct live_descriptors *descriptors, json_t **result);
/* Another reading is in force: captures of a NIC that it has no more end ("nic-gone"). */
void live_captures_follow(struct live *live);
/* Ends all and tells their clients, which waits: before the ports close. */
void live_captures_close(struct live *live);

/* The id in the data plane of the NIC that the request names, 0 with *error: what NICs there are. "internet" is one,
 * unless the file has a NIC of that name. Without "nic": DP_NIC_ANY. */
uint32_t live_observed_nic(const struct live *live, const json_t *request, char error[512]);
/* false: an apply took it away. */
bool live_observed_nic_is_there(const struct live *live, uint32_t nic);
/* Its "reason", without the key DP_REASON_COUNT. false with *error: what reasons there are. */
bool live_observed_reason(const json_t *request, unsigned *reason, char error[512]);
/* A number from 1 to most; as it is without the key. */
bool live_observed_number(const json_t *request, const char *key, json_int_t most,
                          json_int_t *number, char error[512]);

#endif

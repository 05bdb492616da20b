/*
 * What the engine says about itself: one JSON document, and the same document as text for people.
 *
 *   {"fabric", "seconds", "longest_slice_ms", "late_ms_most", "received", "forwarded", "answered", "dropped": {reason: n},
 *    "sessions":  [{"route_server" or "gateway", "instance", "peer", "address", "asn", "state", "since_seconds",
 * "learned", "advertised", "updates_in", "updates_out", "established", "reason", "key",
 * "hold_time_s", "keepalive_ms", "capabilities": [], "last_error_sent", "last_error_received", "bfd": {"state",
 * "since_seconds", "diagnostic", "discriminator", "remote_state", "remote_diagnostic",
 * "remote_discriminator", "transmit_ms", "detection_ms", "packets_in", "packets_out", "went_up",
 * "went_down", "last_down"}}], "bfd": {"taken", "discarded": {reason: n}, "send_errors",
 * "late_ms_most"}, "nics": [{"nic",
 * "received", "forwarded", "answered", "self_loop", "dropped": {reason: n}}], "next_hops":
 * [{"next_hop", "packets", "bytes"}], "ports":     [{"port", "link_up", "rx_packets", "tx_packets",
 * "rx_missed", "rx_errors", "tx_errors", "queues": [{"queue", "rx_packets", "rx_bytes", "tx_packets",
 * "tx_bytes", "tx_refused"}]}], "programmed": {"scopes", "fibs", "derived_fibs",
 * "groups", "routes", "damped", "held_down"},
 *    "bmp": [{"collector", "state": "waiting|connecting|connected|ending|closed", "since_seconds", "connections",
 * "messages", "bytes", "waiting_prefixes", "reason"}],
 *    "events": [the last 20, as in the event log]}
 *
 * Both "bfd" are there only with BFD, "bmp" with collectors. Frames that no NIC owns are in the row
 * of "nics" whose "nic" is null; with --host, those of NICs elsewhere in the row "other hosts".
 */
#ifndef ENGINE_LIVE_REPORT_H
#define ENGINE_LIVE_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "engine/live/context.h"

/* What a stop takes away: sessions, ports, and what is programmed. Both functions give a new
 * reference, or NULL when memory is out. */
json_t *live_report_state(const struct live *live);
/* The document: counters as they are now, and a state as it was given by live_report_state(), kept
 * by the caller. */
json_t *live_report(const struct live *live, json_t *state);

/* The rows of "sessions" alone, of "ports"; the counters of all, with "nics". */
json_t *live_report_sessions(const struct live *live);
json_t *live_report_ports(const struct live *live);
json_t *live_report_counters(const struct live *live);
/* One row of each: of the sessions, those of route servers, then those of gateways. Of a port NULL where there is none. */
json_t *live_report_session_at(const struct live *live, uint32_t i);
json_t *live_report_port(const struct live *live, uint32_t i);
uint32_t live_report_nic_count(const struct live *live);
json_t *live_report_nic(const struct live *live, uint32_t i);

void live_report_print(FILE *file, const json_t *report);

#endif

/*
 * What several commands print: effective routes, events, and what became of a trace.
 */
#ifndef ENGINE_CLI_REPORT_H
#define ENGINE_CLI_REPORT_H

#include <jansson.h>

#include "dataplane/dataplane.h"
#include "engine/cli/flows.h"
#include "engine/bgp/attributes.h"
#include "engine/fabric/effective.h"

/* A list of texts, all kinds of communities in it. */
json_t *report_communities_json(const struct bgp_attributes *attributes);

/* Prints a document to standard output, and drops it. */
void report_json(json_t *document);

/* A row of event_json() but for its time, as a line: "peer-down rs1/0 nva1: Idle: …". */
void report_event(const json_t *row);

/* "10.0.1.4, 10.0.1.5", cut with … when it does not fit. Returns text. */
char *report_next_hops(const struct fabric_row *row, char *text, size_t capacity);
/* As a table, one line per ECMP member. */
void report_rows(const struct fabric_row *rows, size_t n, unsigned indent);

/* received = forwarded + answered + each drop reason; Mpps. */
void report_counters(const struct dp_replay_report *report, unsigned indent);
/* Packets, bytes and flows by next hop. */
void report_members(const struct dp_forwarding *forwarding, const struct flow_share *shares,
                    size_t n, unsigned indent);
/* Flows by how many packets they have. */
void report_flow_sizes(const struct flow_size sizes[FLOW_SIZES], unsigned indent);
json_t *report_replay_json(const struct dp_forwarding *forwarding,
                           const struct dp_replay_report *report, const struct flow_share *shares,
                           size_t n, const struct flow_size sizes[FLOW_SIZES]);

#endif

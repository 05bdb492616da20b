/*
 * What a running engine can be asked over its control socket.
 *
 *   {"command": "show", "what": "report"}              the document of SIGUSR2 (report.h)
 *   {"command": "show", "what": "peers"}               {"sessions": [...]} of it
 *   {"command": "show", "what": "routes", "nic": "vm1"}   effective routes
 *   {"command": "show", "what": "learned", "route_server": "rs1", "peer": "nva1"}   and "advertised"; as routes
 *   {"command": "show", "what": "events", "last": n}   {"events": [...]}: at most 1,000, 100 by default
 *   {"command": "show", "what": "groups", "group": 12}   {"groups": [...]}; without a group (or the name of a load
 *                                                      balancer) all of them, up to 20,000 members
 *   {"command": "show", "what": "ports"}               {"ports": [...]} of the report
 *   {"command": "show", "what": "counters"}            totals, "nics", "members" of groups, "ports"
 *   {"command": "show", "what": "flow", "nic": "vm1", "destination": "10.9.0.4", "source": "...",
 *    "protocol": "tcp" or 6, "source_port": n, "destination_port": n}   what the packet path decides of it
 *   {"command": "watch", "what": "peers" or "groups", "counters", "ports", "events", "routes", "interval_ms": n,
 *    "last": n, "nic": "vm1"}                        no end: a line {"answer": row} for each that changed (watcher.h)
 *   {"command": "set", "group": 12, "next_hop": "10.0.1.4", "state": "down"}   {"groups": n}; group: a number, the
 *                                                      name of a load balancer, or "all"
 *   {"command": "apply", "path": "/etc/fabric.yaml", "dry_run": true}   see apply.h
 *   {"command": "refresh", "peer": "nva1"}             asks the peer for all its routes again (RFC 2918)
 *   {"command": "restart", "route_server": "rs1", "instance": 0}
 *   {"command": "capture", "nic": "vm1", "direction": "both", "reason": "no-route", "count": n, "seconds": n,
 *    "bytes": n, "snap_bytes": n}                      two answers, with a file's descriptor: control_capture.h
 *   {"command": "trace-packet", "nic": "vm1", "source": prefix, "destination": prefix, "protocol": "tcp" or 6,
 *    "source_port": n, "destination_port": n, "drops": true, "reason": "no-route", "count": n, "seconds": n}
 *                                                      one answer for each packet, and a last one: control_trace.h
 *   {"command": "shutdown", "message": "..."}          stops the engine; the message is optional
 *
 * The answer is {"answer": document} or {"error": "what is wrong"}.
 */
#ifndef ENGINE_LIVE_CONTROL_REQUEST_H
#define ENGINE_LIVE_CONTROL_REQUEST_H

#include "engine/live/context.h"

struct live_descriptors;
struct live_stream;

/* Does what one line asks for, with the descriptors that came with it, of which it takes what it needs. The answer is a new reference, NULL when memory is out; or it comes from
 * *stream, which is the caller's to end, and NULL else. The line may be anything. */
json_t *live_control_perform(struct live *live, const char *line, size_t n,
                             struct live_descriptors *descriptors, struct live_stream **stream);

#endif

/*
 * What a running engine can be asked over its control socket.
 *
 *   {"command": "show", "what": "report"}              the document of SIGUSR2 (report.h)
 *   {"command": "show", "what": "peers"}               {"sessions": [...]} of it
 *   {"command": "show", "what": "routes", "nic": "vm1"}   effective routes; not beyond 20,000 prefixes
 *   {"command": "show", "what": "learned", "route_server": "rs1", "peer": "nva1"}   and "advertised"; as routes
 *   {"command": "show", "what": "events", "last": n}   {"events": [...]}: at most 1,000, 100 by default
 *   {"command": "refresh", "peer": "nva1"}             asks the peer for all its routes again (RFC 2918)
 *   {"command": "restart", "route_server": "rs1", "instance": 0}
 *   {"command": "shutdown", "message": "..."}          stops the engine; the message is optional
 *
 * The answer is {"answer": document} or {"error": "what is wrong"}.
 */
#ifndef ENGINE_LIVE_CONTROL_REQUEST_H
#define ENGINE_LIVE_CONTROL_REQUEST_H

#include "engine/live/context.h"

/* Does what one line asks for; the answer is a new reference, NULL when memory is out. The line may be
 * anything. */
json_t *live_control_perform(struct live *live, const char *line, size_t n);

#endif

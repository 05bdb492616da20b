/*
 * Health probes of load balancers' backends over the kernel's network: ICMP echoes and TCP
 * connections. When they leave and what follows is engine/program/probes.h's.
 */
#ifndef ENGINE_LIVE_PROBE_H
#define ENGINE_LIVE_PROBE_H

#include "engine/live/context.h"

/* Fills in the controller's callback for backends that come and go: a line in the log. */
void live_probes_shell(struct controller_shell *shell);
/* After the controller was made; nothing to do without load balancers. Tries whether ICMP may be
 * sent at all where a probe wants it. 0 or -errno, with error filled in. */
int live_probes_open(struct live *live, char error[DP_ERROR_TEXT]);
/* The end of a turn: sets the timer for what is due next. */
void live_probes_settle(struct live *live);
/* Another reading of the fabric: prepare() makes room for its probes (-errno; error says what would be right); once it is in
 * force, follow() gives up what is under way, which is asked again. */
int live_probes_prepare(struct live *live, const struct fabric *fabric, char error[DP_ERROR_TEXT]);
void live_probes_follow(struct live *live);
/* Closes every socket; before the loop is closed. */
void live_probes_close(struct live *live);
/* After the loop is closed. */
void live_probes_free(struct live *live);

#endif

/*
 * Everything behind the sockets: tables, forwarding state, controller, ports and workers, opened
 * and closed in the one order that works.
 *
 *   lpm <── forwarding <── controller (speakers, program)
 *               ^── engine (workers read)              stops before what it reads goes away
 */
#ifndef ENGINE_LIVE_PLANE_H
#define ENGINE_LIVE_PLANE_H

#include <stdbool.h>

#include "dataplane/dataplane.h"
#include "engine/fabric/model.h"
#include "engine/program/controller.h"
#include "lpm/lpm.h"

struct live_plane {
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct controller *controller;
    struct dp_engine *engine; /* NULL: the file has no ports */
    unsigned workers;
    const struct fabric
        *fabric; /* the reading by which NICs were found behind ports; NULL: look anew */
    bool *links; /* by port: as the log has them; NULL: none was looked at */
};

/* Programs the file's own routes. No port is open and no session runs yet. On failure nothing is
 * left and error says what was wrong. */
int live_plane_create(struct live_plane *plane, const struct fabric *fabric,
                      const struct controller_shell *shell, bool verbose,
                      char error[DP_ERROR_TEXT]);
/* Opens the ports and lets packets through. */
int live_plane_start(struct live_plane *plane, const struct fabric *fabric, bool verbose,
                     char error[DP_ERROR_TEXT]);
/* Looks at the ports' links: who is behind one that went down leaves every group, and is back with the link; the log
 * and the event log say so. From time to time. */
void live_plane_watch(struct live_plane *plane, const struct fabric *fabric, uint64_t now_ms);
/* Stops the workers; counters can still be read. */
void live_plane_stop(struct live_plane *plane);
void live_plane_destroy(struct live_plane *plane);

#endif

/* The two pictures of a drill's page, as SVG within it. */
#ifndef ENGINE_CLI_DRILL_PICTURE_H
#define ENGINE_CLI_DRILL_PICTURE_H

#include "engine/cli/drill_report.h"

/* Events, losses of each probe, sessions that were down, alerts, over time. */
void drill_timeline(FILE *to, const struct fabric_drill *drill, const struct drill_report *report);
/* VNets with their NICs, peerings, route servers, routers. */
void drill_map(FILE *to, const struct fabric *fabric);

#endif

/*
 * What a drill came to, as JSON, as text for a terminal, and as one HTML page for a change request.
 */
#ifndef ENGINE_CLI_DRILL_REPORT_H
#define ENGINE_CLI_DRILL_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "engine/sim/drill.h"

/* The document of --json. */
json_t *drill_json(const struct fabric_drill *drill, const struct drill_report *report);
void drill_text(const struct fabric_drill *drill, const struct drill_report *report);
/* Self-contained: style and pictures in the page, nothing fetched. fabric: as it was to begin with. */
void drill_html(FILE *to, const struct fabric *fabric, const struct fabric_drill *drill,
                const struct drill_report *report);

#endif

/*
 * What policy said of a route, for people and for programs.
 */
#ifndef ENGINE_CLI_POLICY_H
#define ENGINE_CLI_POLICY_H

#include <jansson.h>

#include "engine/rib/speaker.h"

#define POLICY_TEXT 256

/* "from-nva rule 2 (hub.yaml:12)", "from-nva (no rule matched)", "none (RFC 8212 wants one)"; empty where
 * there is no policy. Returns text. */
char *policy_text(const struct rib_policy_verdict *verdict, char text[POLICY_TEXT]);
/* {"name", "rule", "file", "line", "accepted", "changed"}; JSON null where there is no policy. */
json_t *policy_json(const struct rib_policy_verdict *verdict);

#endif

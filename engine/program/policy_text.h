/*
 * What policy said of a route, for people and for programs.
 */
#ifndef ENGINE_PROGRAM_POLICY_TEXT_H
#define ENGINE_PROGRAM_POLICY_TEXT_H

#include <jansson.h>

#include "engine/rib/speaker.h"

#define PROGRAM_POLICY_TEXT 256

/* "from-nva rule 2 (hub.yaml:12)", "from-nva (no rule matched)", "none (RFC 8212 wants one)"; empty where
 * there is no policy. Returns text. */
char *program_policy_text(const struct rib_policy_verdict *verdict, char text[PROGRAM_POLICY_TEXT]);
/* {"name", "rule", "file", "line", "accepted", "changed"}; JSON null where there is no policy. */
json_t *program_policy_json(const struct rib_policy_verdict *verdict);

#endif

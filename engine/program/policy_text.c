/*
 * Verdicts of policies as text and JSON.
 */
#include "engine/program/policy_text.h"

#include <stdio.h>

char *program_policy_text(const struct rib_policy_verdict *verdict, char text[PROGRAM_POLICY_TEXT])
{
    const struct rib_policy_place *place = &verdict->place;
    text[0] = '\0';
    if (verdict->missing)
        snprintf(text, PROGRAM_POLICY_TEXT, "none (RFC 8212 wants one)");
    else if (place->policy && place->rule == 0)
        snprintf(text, PROGRAM_POLICY_TEXT, "%s (no rule matched)", place->policy);
    else if (place->policy && place->file)
        snprintf(text, PROGRAM_POLICY_TEXT, "%s rule %u (%s:%u)", place->policy, place->rule,
                 place->file, place->line);
    else if (place->policy)
        snprintf(text, PROGRAM_POLICY_TEXT, "%s rule %u", place->policy, place->rule);
    return text;
}

json_t *program_policy_json(const struct rib_policy_verdict *verdict)
{
    const struct rib_policy_place *place = &verdict->place;
    if (!place->policy && !verdict->missing)
        return json_null();
    return json_pack("{s:s?, s:o, s:s?, s:o, s:b, s:b}", "name", place->policy, "rule",
                     place->rule ? json_integer(place->rule) : json_null(), "file", place->file,
                     "line", place->line ? json_integer(place->line) : json_null(), "accepted",
                     verdict->accepted, "changed", verdict->changed);
}

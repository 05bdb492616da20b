/*
 * Parts of `fingerpost diff` that have a file of their own. Only diff*.c includes this.
 */
#ifndef ENGINE_CLI_DIFF_PARTS_H
#define ENGINE_CLI_DIFF_PARTS_H

#include <jansson.h>

#include "engine/cli/twin.h"
#include "engine/fabric/outline.h"

/* Appends to list what differs between two files: {"object", "change", "keys", "file", "line"}. 0 or -ENOMEM. */
int diff_objects(const struct fabric_outline *before, const struct fabric_outline *after,
                 json_t *list);

/* Appends what routers have learned otherwise: {"router", "prefix", "before", "after"}, these two being
 * lists of "65515-65001 from rs1". Routers are the same when their names are. 0 or -ENOMEM. */
int diff_learned(struct twin *before, struct twin *after, json_t *list);

/* The whole document, for people. */
void diff_print(const json_t *document);

#endif

/* What the files of the drill's loader share. Internal to the room. */
#ifndef ENGINE_FABRIC_DRILL_LOADER_H
#define ENGINE_FABRIC_DRILL_LOADER_H

#include "engine/fabric/drill.h"
#include "engine/fabric/edit.h"
#include "engine/fabric/schema.h"

/* The whole drill file. */
extern const struct fabric_schema fabric_schema_drill;
/* As fabric_schema_each(), for docs/drill.md. */
void fabric_drill_schema_each(void (*visit)(void *context, const char *object, const char *key,
                                            const char *type, const char *fallback),
                              void *context);

/* drill_changes.c. Does each path of a change lead to what can change? Before the stages are made, which takes its
 * time. */
void fabric_drill_check_changes(struct fabric_loader *loader, const struct fabric_drill *drill);
/* Of an event that changes the fabric: does every BGP speaker stay where it is? */
void fabric_drill_check_speakers(struct fabric_loader *loader, const struct fabric_drill *drill,
                                 const struct fabric_drill_event *event);
/* Checks what the values of a drill mean together, and names against the stages (drill_check.c). */
void fabric_drill_check(struct fabric_loader *loader, struct fabric_drill *drill);

#endif

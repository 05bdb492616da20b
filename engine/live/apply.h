/*
 * Another reading of the fabric file in place of the one that runs ("apply" over the control socket).
 *
 *   path ──> read and checked, by a thread of its own ──> compared with what runs: the plan
 *        ──> dry run: that is all
 *        ──> policies set, FIBs and groups made aside, a slice a turn ──> swapped, peers told
 *
 * The engine reads the file itself, by its own rights, and only regular files: what the plan shows is what is
 * applied, and who may not open the control socket can have nothing read. All or nothing: a file with errors, a
 * change that needs a restart, or want of memory leaves everything as it is. One at a time.
 */
#ifndef ENGINE_LIVE_APPLY_H
#define ENGINE_LIVE_APPLY_H

#include "engine/live/context.h"
#include "engine/live/stream.h"

/* {"path": "/…", "dry_run": bool}. The answer: {"path", "dry_run", "applied", "plan": [{"change": "added|removed|changed",
 * "object": "nics[vm1]", "keys", "way": "applied|policy|nothing|restart", "file", "line"}], "seconds"}; or
 * {"error", "errors": [{"file", "line", "message"}]}. NULL with *result: the answer. */
struct live_stream *live_apply_open(struct live *live, const json_t *request, json_t **result);
/* A slice of what is under way; once a turn. Is there more, so that the loop must not sleep? */
bool live_apply_turn(struct live *live);
/* Ends what is under way, as it was never begun; before the loop ends. */
void live_apply_close(struct live *live);
/* What was applied last; after everything that reads it. */
void live_apply_free(struct live *live);

#endif

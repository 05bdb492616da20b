/*
 * Lint rules that only the converged twin can judge: what peers announce and how it is taken. Those
 * that the file alone shows are engine/fabric/lint.h's.
 */
#ifndef ENGINE_CLI_LINT_H
#define ENGINE_CLI_LINT_H

#include "engine/cli/twin.h"
#include "engine/fabric/lint.h"

/* Calls take for each finding; the problem is the callee's for the call. Returns 0 or -ENOMEM. */
int lint_twin(struct twin *twin, fabric_lint_take *take, void *context);

#endif

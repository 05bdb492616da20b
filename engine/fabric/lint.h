/*
 * Lint: what a fabric that is valid had better not have, as far as the file alone says. Each rule is
 * a support case that someone had; docs/fabric-file.md lists them with the rules that loading a file
 * checks and those that only the converged twin shows.
 *
 * Pure. Told are warnings with a rule, an object, a remedy and a place, as the loader's are.
 */
#ifndef ENGINE_FABRIC_LINT_H
#define ENGINE_FABRIC_LINT_H

#include "engine/fabric/load.h"
#include "engine/fabric/model.h"

typedef void fabric_lint_take(void *context, const struct fabric_problem *problem);

/* Calls take for each finding, in the order of rules, then of names; the problem is the callee's for
 * the call. */
void fabric_lint(const struct fabric *fabric, fabric_lint_take *take, void *context);

/* Makes one finding, for rules that are checked elsewhere. message is formatted. */
void fabric_lint_tell(fabric_lint_take *take, void *context, const struct fabric_place *place,
                      const char *rule, const char *object, const char *remedy, const char *format,
                      ...) __attribute__((format(printf, 7, 8)));

#endif

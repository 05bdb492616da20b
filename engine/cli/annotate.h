/*
 * Errors and findings in the forms that code hosts read, so that a check can gate a pull request.
 */
#ifndef ENGINE_CLI_ANNOTATE_H
#define ENGINE_CLI_ANNOTATE_H

#include "engine/cli/check.h"

/* GitHub's workflow commands: "::warning file=F,line=N,title=T::message" lines. */
void annotate_github(const struct checking *checking);
/* One SARIF 2.1.0 document (OASIS). */
void annotate_sarif(const struct checking *checking);

#endif

/*
 * What is wrong with a fabric, as lists of JSON objects: for `check`, which shows them, and `diff`,
 * which compares those of two fabrics.
 */
#ifndef ENGINE_CLI_CHECK_H
#define ENGINE_CLI_CHECK_H

#include <jansson.h>

#include "engine/cli/command.h"
#include "engine/cli/twin.h"
#include "engine/fabric/load.h"

/* Arrays; findings have rule, object, message, remedy, file and line. */
struct checking {
    json_t *errors, *findings;
};

/* Adds what loading the file said. */
void check_problems(struct checking *checking, const struct fabric_problems *problems);
/* Adds what the converged twin shows. Returns 0, or the exit code with everything said. */
int check_twin(const struct cli_command *command, struct checking *checking, struct twin *twin);

#endif

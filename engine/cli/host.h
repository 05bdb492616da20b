/*
 * Which host of the fabric a command stands on: `--host NAME`.
 */
#ifndef ENGINE_CLI_HOST_H
#define ENGINE_CLI_HOST_H

#include "engine/cli/command.h"
#include "engine/fabric/model.h"

/* Takes the name (NULL: none given); the only host needs none. 0, or CLI_BAD_USE with everything
 * said. */
int cli_stand_on(const struct cli_command *command, struct fabric *fabric, const char *name);

#endif

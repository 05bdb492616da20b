/* MRT files that the fabric file gives to modelled routers. */
#ifndef ENGINE_CLI_FEED_H
#define ENGINE_CLI_FEED_H

#include "engine/cli/twin.h"

/* Reads the files of every router with a table and hands the routes to the twin, which has not run
 * yet. Returns 0, or the exit code with the error said. */
int twin_feed(const struct cli_command *command, struct twin *twin);

#endif

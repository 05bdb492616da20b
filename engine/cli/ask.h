/*
 * One request to a running engine over its control socket.
 */
#ifndef ENGINE_CLI_ASK_H
#define ENGINE_CLI_ASK_H

#include <jansson.h>

#include "engine/cli/command.h"

/* Takes request (engine/live/control_request.h). path: --socket, NULL for the default. The answer's
 * document is a new reference; NULL after an error that was said. */
json_t *cli_ask(const struct cli_command *command, const char *path, json_t *request);

/* The same of a request whose answer may take as long as it likes. */
json_t *cli_ask_and_wait(const struct cli_command *command, const char *path, json_t *request);

/* The same of a request whose answers do not end, a line each: `take` is given each as it comes, until it returns
 * false: CLI_FINE. CLI_FOUND: the engine ended it. CLI_BAD_USE after an error that was said. */
int cli_follow(const struct cli_command *command, const char *path, json_t *request,
               bool (*take)(void *context, const json_t *answer), void *context);

/* A connection to the engine; -1 after an error that was said. */
int cli_connect(const struct cli_command *command, const char *path);

/* Values of such a document's objects: "" and 0 where the key is missing. */
const char *ask_text(const json_t *row, const char *key);
long long ask_count(const json_t *row, const char *key);

#endif

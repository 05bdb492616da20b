/*
 * A request to a running engine that is answered by more than one line, and may be ended from here.
 */
#ifndef ENGINE_CLI_CONVERSATION_H
#define ENGINE_CLI_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "engine/cli/command.h"

struct cli_conversation {
    int fd;
    bool ending; /* Ctrl-C came, or cli_conversation_end() was called */
    char *bytes; /* read, and not yet a whole line */
    size_t n, room;
};

/* Takes request. path: --socket, NULL for the default. descriptor goes with it; -1: none. From now on SIGINT and
 * SIGTERM end nothing but the conversation. false after an error that was said. */
bool cli_conversation_open(struct cli_conversation *conversation, const struct cli_command *command,
                           const char *path, json_t *request, int descriptor);
/* The next answer's document, a new reference; NULL with *over: none will come, said if it was an error; else
 * none came for so long. */
json_t *cli_conversation_hear(struct cli_conversation *conversation,
                              const struct cli_command *command, int timeout_ms, bool *over);
/* Asks the engine for the end; its last words still come. */
void cli_conversation_end(struct cli_conversation *conversation);
void cli_conversation_close(struct cli_conversation *conversation);

#endif

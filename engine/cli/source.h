/*
 * Fabric files from disk: the reader that fabric_load() asks, and problems as people and programs
 * see them.
 */
#ifndef ENGINE_CLI_SOURCE_H
#define ENGINE_CLI_SOURCE_H

#include <stdio.h>

#include "engine/fabric/drill.h"
#include "engine/fabric/load.h"
#include "engine/fabric/outline.h"

/* Loads a file or a directory of files. problems as fabric_load(). */
struct fabric *source_load(const char *path, struct fabric_problems *problems);

/* The same as fabric_load_outlined(). Any thread. */
struct fabric *source_load_outlined(const char *path, struct fabric_outline **outline,
                                    struct fabric_problems *problems);

/* Prints them to standard error, and frees them. */
void source_say_problems(struct fabric_problems *problems);

/* The same for commands that need a good file: prints errors and warnings to standard error,
 * "file:line: …". NULL: there were errors, all said. */
struct fabric *source_load_or_say(const char *path);

/* The same for a drill of that fabric. */
struct fabric_drill *source_load_drill_or_say(const char *path, const char *fabric_path);

/* Opens a file or directory for reading. Returns the descriptor or -errno; -ENOTSUP for anything
 * else (a FIFO, a device): what never ends must not be waited for. */
int source_open(const char *path);

/* "file:line: kind message"; line 0 is the file as a whole. */
void source_say(FILE *to, const char *file, unsigned line, const char *kind, const char *message);

#endif

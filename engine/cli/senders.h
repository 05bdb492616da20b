/*
 * The map of a replay: which NIC sent a frame, by its source address.
 *
 * A text file with lines of PREFIX NIC ("10.1.0.0/16 vm1"); '#' begins a comment. The longest
 * prefix wins.
 */
#ifndef ENGINE_CLI_SENDERS_H
#define ENGINE_CLI_SENDERS_H

#include "engine/cli/twin.h"

/* For dp_replay_config; their leaves are NIC ids. */
struct senders {
    struct lpm_fib *fib4, *fib6;
};

/* Reads the file. Returns 0; or the exit code, said with file and line. */
int senders_load(const struct cli_command *command, struct twin *twin, const char *path,
                 struct senders *senders);
/* Before the twin is closed. */
void senders_release(struct senders *senders);

#endif

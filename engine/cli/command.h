/*
 * The commands of fingerpost. Each is one file; main.c finds it by name.
 *
 * Exit codes: 0 fine, 1 the command found something, 2 wrong use or bad input. With --json one JSON
 * document goes to standard output and nothing else; messages go to standard error.
 */
#ifndef ENGINE_CLI_COMMAND_H
#define ENGINE_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

enum { CLI_FINE = 0, CLI_FOUND = 1, CLI_BAD_USE = 2 };

struct cli_command {
    const char *name;
    const char *summary; /* one line */
    const char *help;    /* after the usage line: arguments, options, an example */
    const char *usage;   /* what follows "fingerpost " */
    /* argv[0] is the command's name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_advertised, cli_apply, cli_bench, cli_capture, cli_check,
    cli_demo, cli_diff, cli_drill, cli_events, cli_learned, cli_mrt, cli_refresh, cli_replay,
    cli_restart, cli_routes, cli_run, cli_set, cli_show, cli_shutdown, cli_trace, cli_trace_packet, cli_watch;

/* Prints usage and help to standard output. */
void cli_help(const struct cli_command *command);

/* One option of a command; the list ends with name NULL. --help and --json are understood
 * everywhere. */
struct cli_option {
    const char *name;   /* without the dashes */
    const char **value; /* takes a value; NULL for a flag */
    bool *flag;
};
/* Reads options and exactly `n` arguments into arguments[]. Returns -1 to go on, or the exit code:
 * help was asked for and printed, or something was wrong and said. */
int cli_arguments(const struct cli_command *command, int argc, char **argv,
                  const struct cli_option *options, const char **arguments, int n);

/* Prints text that may hold what others wrote: control characters as \xNN, so that it stays one line and moves no
 * cursor. */
void cli_print(FILE *to, const char *text);

/* "fingerpost COMMAND: message" on standard error, through cli_print(); returns CLI_BAD_USE. */
int cli_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

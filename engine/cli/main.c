/*
 * fingerpost: finds the command and runs it.
 */
#include <stdio.h>
#include <string.h>

#include "engine/cli/command.h"

static const struct cli_command *const commands[] = {
    &cli_check,      &cli_routes,   &cli_trace,  &cli_diff,    &cli_drill,        &cli_learned,
    &cli_advertised, &cli_mrt,      &cli_events, &cli_replay,  &cli_run,          &cli_show,
    &cli_watch,      &cli_apply,    &cli_set,    &cli_capture, &cli_trace_packet, &cli_refresh,
    &cli_restart,    &cli_shutdown, &cli_demo,   &cli_bench,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void overview(FILE *to)
{
    fputs("fingerpost: a route server, a VNet fabric, a data plane and their digital twin\n\n"
          "usage: fingerpost COMMAND …\n\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n'fingerpost COMMAND --help' tells more. Exit codes: 0 fine, 1 the command found\n"
          "something, 2 wrong use or bad input.\n",
          to);
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void help(const struct cli_command *about)
{
    if (about)
        cli_help(about);
    else
        overview(stdout);
}

static int no_command(const char *name)
{
    if (*name)
        fprintf(stderr, "fingerpost: there is no command '%s'\n\n", name);
    overview(stderr);
    return CLI_BAD_USE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct cli_command *command = find(name);
    int code = CLI_FINE;
    if (command)
        code = command->run(argc - 1, argv + 1);
    else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        help(argc > 2 ? find(argv[2]) : NULL);
    else if (strcmp(name, "--version") == 0)
        printf("fingerpost %s\n", FINGERPOST_VERSION);
    else
        code = no_command(name);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "fingerpost: standard output cannot be written\n");
        return CLI_BAD_USE;
    }
    return code;
}

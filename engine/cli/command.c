/*
 * What all commands share: reading options (getopt_long underneath), help, errors.
 */
#include "engine/cli/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX   16
#define MESSAGE_BYTES 1024

void cli_help(const struct cli_command *command)
{
    printf("fingerpost %s\n\n%s.\n\n%s", command->usage, command->summary, command->help);
}

void cli_print(FILE *to, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            fprintf(to, "\\x%02x", *c);
        else
            fputc(*c, to);
}

int cli_error(const struct cli_command *command, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    fprintf(stderr, "fingerpost %s: ", command->name);
    cli_print(stderr, message);
    fputc('\n', stderr);
    return CLI_BAD_USE;
}

static unsigned long_options(const struct cli_option *options, struct option *longs)
{
    unsigned n = 0;
    for (; options[n].name && n < OPTIONS_MAX; n++)
        longs[n] = (struct option){.name = options[n].name,
                                   .has_arg = options[n].value ? required_argument : no_argument,
                                   .val = 256 + (int)n};
    longs[n] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
    longs[n + 1] = (struct option){0};
    return n;
}

int cli_arguments(const struct cli_command *command, int argc, char **argv,
                  const struct cli_option *options, const char **arguments, int n)
{
    struct option longs[OPTIONS_MAX + 2];
    unsigned count = long_options(options, longs);
    optind = 1;
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        if (found == 'h') {
            cli_help(command);
            return CLI_FINE;
        }
        if (found == ':')
            return cli_error(command, "option '%s' needs a value; see 'fingerpost %s --help'",
                             argv[optind - 1], command->name);
        if (found < 256 || (unsigned)found >= 256 + count)
            return cli_error(command, "unknown option '%s'; see 'fingerpost %s --help'",
                             argv[optind - 1], command->name);
        const struct cli_option *option = &options[found - 256];
        if (option->value)
            *option->value = optarg;
        else
            *option->flag = true;
    }
    if (argc - optind != n)
        return cli_error(command, "usage: fingerpost %s", command->usage);
    for (int i = 0; i < n; i++)
        arguments[i] = argv[optind + i];
    return -1;
}

/*
 * fingerpost mrt: tables and updates in MRT files.
 */
#include "engine/cli/mrt.h"

#include <string.h>

static int run(int argc, char **argv)
{
    static const struct cli_command *const parts[] = {&cli_mrt_show, &cli_mrt_dump};
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (strcmp(parts[i]->name + strlen("mrt "), name) == 0)
            return parts[i]->run(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        cli_help(&cli_mrt);
        return CLI_FINE;
    }
    return cli_error(&cli_mrt, "usage: fingerpost %s", cli_mrt.usage);
}

const struct cli_command cli_mrt = {
    .name = "mrt",
    .summary = "Show BGP tables and updates of MRT files, and write such files",
    .usage = "mrt show FILE … | mrt dump FABRIC --out FILE …",
    .help =
        "  show   what a table (TABLE_DUMP_V2) or a file of updates (BGP4MP) says\n"
        "  dump   the twin's BGP tables as such a file\n\n"
        "'fingerpost mrt show --help' and 'fingerpost mrt dump --help' tell more. A table can\n"
        "also be given to a modelled router: routers.table in docs/fabric-file.md. The running\n"
        "engine writes such files by engine.mrt.\n",
    .run = run,
};

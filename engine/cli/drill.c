/*
 * fingerpost drill: failures and changes of a fabric in the twin, on virtual time, and what became of
 * the traffic meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/drill_report.h"
#include "engine/cli/report.h"
#include "engine/cli/source.h"
#include "engine/cli/twin.h"

struct wishes {
    const char *html; /* file; NULL: none */
    bool json;
};

static int write_html(const char *path, const struct fabric_drill *drill,
                      const struct fabric *fabric, const struct drill_report *report)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return cli_error(&cli_drill, "%s: %s", path, strerror(errno));
    drill_html(file, fabric, drill, report);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return cli_error(&cli_drill, "%s: cannot be written", path);
    return 0;
}

static int show(const struct wishes *wishes, const struct fabric_drill *drill,
                const struct fabric *fabric, const struct drill_report *report)
{
    if (wishes->html && write_html(wishes->html, drill, fabric, report))
        return CLI_BAD_USE;
    if (wishes->json)
        report_json(drill_json(drill, report));
    else
        drill_text(drill, report);
    return report->held ? CLI_FINE : CLI_FOUND;
}

static int play(const struct wishes *wishes, struct fabric_drill *drill, struct drill_run *run)
{
    char error[DP_ERROR_TEXT];
    struct twin twin;
    struct fabric *fabric = drill->stages[0];
    drill->stages[0] = NULL; /* the twin's from here on */
    int code = twin_watch_growing(&cli_drill, fabric, drill->stages, drill->stage_count,
                                  drill_listen, run, &twin);
    if (code)
        return code;
    if (drill_play(run, twin.sim, twin.forwarding, error))
        code = cli_error(&cli_drill, "%s", error);
    else
        code = show(wishes, drill, fabric, drill_report(run));
    twin_close(&twin);
    return code;
}

static int run(int argc, char **argv)
{
    struct wishes wishes = {0};
    const char *paths[2];
    char error[DP_ERROR_TEXT];
    const struct cli_option options[] = {
        {.name = "html", .value = &wishes.html}, {.name = "json", .flag = &wishes.json}, {0}};
    int code = cli_arguments(&cli_drill, argc, argv, options, paths, 2);
    if (code >= 0)
        return code;
    struct fabric_drill *drill = source_load_drill_or_say(paths[1], paths[0]);
    if (!drill)
        return CLI_BAD_USE;
    struct drill_run *drill_run = drill_create(drill, error);
    code = drill_run ? play(&wishes, drill, drill_run) : cli_error(&cli_drill, "%s", error);
    drill_destroy(drill_run);
    fabric_drill_free(drill);
    return code;
}

const struct cli_command cli_drill = {
    .name = "drill",
    .summary = "Run failures and changes in the twin and follow what becomes of the traffic",
    .usage = "drill FABRIC DRILL [--json] [--html FILE]",
    .help = "FABRIC   a fabric file, or a directory of them\n"
            "DRILL    a drill file: events, probes, expectations; docs/drill.md has its keys\n\n"
            "  --json        {\"events\": [{\"at_ms\", \"what\", \"converged_ms\", "
            "\"routes_changed\",\n"
            "                \"groups_changed\"}], \"flows\": [{\"name\", \"sent\", \"lost\", "
            "\"lost_ms\",\n"
            "                \"moved\", \"moved_needlessly\"}], \"alerts\": [...],\n"
            "                \"expectations\": [{\"text\", \"held\"}]}\n"
            "  --html FILE   one page with timeline, losses and expectations, that needs nothing "
            "else\n\n"
            "All of it runs on a virtual clock: minutes take milliseconds, and the same files give "
            "the\n"
            "same output. Exit code 1 when an expectation does not hold.\n\n"
            "Example: fingerpost drill docs/examples/hub-spoke.yaml "
            "docs/examples/drills/failover.yaml\n",
    .run = run,
};

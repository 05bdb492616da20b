/*
 * fingerpost apply: another fabric file in place of the one that a running engine has.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/ask.h"
#include "engine/cli/command.h"
#include "engine/cli/report.h"

static const char *sign_of(const char *change)
{
    return strcmp(change, "added") == 0 ? "+" : strcmp(change, "removed") == 0 ? "-" : "~";
}

static void print_change(const json_t *row)
{
    const char *way = ask_text(row, "way"), *keys = ask_text(row, "keys");
    printf("%s ", sign_of(ask_text(row, "change")));
    cli_print(stdout, ask_text(row, "object"));
    if (*keys) {
        fputs(": ", stdout);
        cli_print(stdout, keys);
    }
    if (strcmp(way, "nothing") == 0)
        fputs("   (only the twin knows of it)", stdout);
    else if (strcmp(way, "policy") == 0)
        fputs("   (routes are judged anew; sessions stay)", stdout);
    else if (strcmp(way, "reset") == 0)
        fputs("   (its sessions end, and begin anew)", stdout);
    putchar('\n');
}

/* Returns how many changes need a restart, each of which is said with its line. */
static size_t print_plan(const json_t *answer)
{
    size_t i, refused = 0;
    json_t *row;
    json_array_foreach(json_object_get(answer, "plan"), i, row)
    {
        print_change(row);
    }
    fflush(stdout);
    json_array_foreach(json_object_get(answer, "plan"), i, row)
    {
        if (strcmp(ask_text(row, "way"), "restart") != 0)
            continue;
        refused++;
        cli_print(stderr, ask_text(row, "file"));
        fprintf(stderr, ":%lld: ", ask_count(row, "line"));
        cli_print(stderr, ask_text(row, "object"));
        fprintf(stderr, ": was %s, which a running engine cannot do; restart it\n",
                ask_text(row, "change"));
    }
    return refused;
}

static size_t count_refused(const json_t *answer)
{
    size_t i, refused = 0;
    json_t *row;
    json_array_foreach(json_object_get(answer, "plan"), i, row)
    {
        refused += strcmp(ask_text(row, "way"), "restart") == 0;
    }
    return refused;
}

static int print_answer(json_t *answer)
{
    size_t refused = print_plan(answer);
    size_t changes = json_array_size(json_object_get(answer, "plan"));
    if (refused > 0)
        cli_error(&cli_apply, "%zu of %zu changes need a restart; nothing was applied", refused,
                  changes);
    else if (json_is_true(json_object_get(answer, "applied")))
        printf("%zu changes applied in %.3f s\n", changes,
               json_real_value(json_object_get(answer, "seconds")));
    else
        printf("%zu changes; nothing was applied\n", changes);
    json_decref(answer);
    return refused > 0 ? CLI_FOUND : CLI_FINE;
}

static int run(int argc, char **argv)
{
    const char *file, *path = NULL;
    bool json = false, dry_run = false;
    const struct cli_option options[] = {{.name = "dry-run", .flag = &dry_run},
                                         {.name = "socket", .value = &path},
                                         {.name = "json", .flag = &json},
                                         {0}};
    char absolute[PATH_MAX];
    int code = cli_arguments(&cli_apply, argc, argv, options, &file, 1);
    if (code >= 0)
        return code;
    if (!realpath(file, absolute))
        return cli_error(&cli_apply, "%s: %s", file, strerror(errno));
    json_t *answer = cli_ask_and_wait(
        &cli_apply, path,
        json_pack("{s:s, s:s, s:b}", "command", "apply", "path", absolute, "dry_run", dry_run));
    if (!answer)
        return CLI_BAD_USE;
    if (!json)
        return print_answer(answer);
    code = count_refused(answer) > 0 ? CLI_FOUND : CLI_FINE;
    report_json(answer);
    return code;
}

const struct cli_command cli_apply = {
    .name = "apply",
    .summary = "Change the fabric of a running engine to what a file says, without loss",
    .usage = "apply FABRIC [--dry-run] [--socket PATH] [--json]",
    .help =
        "FABRIC   the fabric file that is to be in force; the engine reads it itself\n\n"
        "  --dry-run       show what would change, and change nothing\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n"
        "  --json          the plan as one JSON document\n\n"
        "What was added (+), removed (-) and changed (~) is shown, then applied: all of it or\n"
        "nothing. What did not change loses no packet and no session. VNets, subnets, peerings,\n"
        "NICs, route tables, service tags, reserved prefixes, policies, load balancers and peers\n"
        "of route servers can change; where anything else did, nothing is applied, and exit code\n"
        "1 says so: restart the engine then. Exit code 2: the file has errors.\n\n"
        "Example: sudo fingerpost apply /etc/fingerpost/fabric.yaml --dry-run\n",
    .run = run,
};

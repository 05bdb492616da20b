/*
 * fingerpost check: reads a fabric file, runs it in the twin, and says what is wrong with it.
 *
 * Errors make a file unusable. Findings are what a good design does not have: warnings of the
 * loader, and sessions that do not come up in the twin. Notices (rule "no-effect") name keys that
 * this version reads but does not act on; they do not count as findings.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/source.h"
#include "engine/cli/twin.h"

#define RULE_NO_EFFECT "no-effect"

struct checking {
    json_t *errors, *findings, *notices;
};

static json_t *finding_json(const char *rule, const struct fabric_place *place, const char *object,
                            const char *message)
{
    return json_pack("{s:s, s:s*, s:s, s:s, s:i}", "rule", rule, "object", object, "message",
                     message, "file", place->file, "line", (int)place->line);
}

static void take_problems(struct checking *checking, const struct fabric_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct fabric_problem *problem = &problems->items[i];
        struct fabric_place place = {.file = problem->file, .line = problem->line};
        const char *rule = problem->rule ? problem->rule : "warning";
        if (problem->error)
            json_array_append_new(checking->errors,
                                  json_pack("{s:s, s:i, s:s}", "file", place.file, "line",
                                            (int)place.line, "message", problem->message));
        else
            json_array_append_new(strcmp(rule, RULE_NO_EFFECT) == 0 ? checking->notices
                                                                    : checking->findings,
                                  finding_json(rule, &place, NULL, problem->message));
    }
}

static void take_sessions(struct checking *checking, struct twin *twin)
{
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        const struct fabric_route_server *server = &twin->fabric->route_servers[peer->route_server];
        const struct fabric_bgp_peer *neighbor = &server->peers[peer->index];
        char message[256];
        if (peer->established || neighbor->router == FABRIC_NONE)
            continue;
        snprintf(message, sizeof(message), "the session of %s/%u with %s does not come up: %s",
                 server->name, peer->instance, neighbor->name,
                 bgp_session_last_reason(speaker_peer_session(peer->peer)));
        json_array_append_new(checking->findings,
                              finding_json("session", &neighbor->place, neighbor->name, message));
    }
}

/* Runs the fabric, which it takes over, in the twin. Returns 0 or the exit code of a failure. */
static int run_twin(struct checking *checking, struct fabric *fabric)
{
    struct twin twin;
    int code = twin_raise(&cli_check, fabric, &twin);
    if (code)
        return code;
    take_sessions(checking, &twin);
    twin_close(&twin);
    return 0;
}

static void print_list(json_t *list, const char *prefix)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        source_say(stdout, json_string_value(json_object_get(item, "file")),
                   (unsigned)json_integer_value(json_object_get(item, "line")), prefix,
                   json_string_value(json_object_get(item, "message")));
}

static void print_text(const struct checking *checking, const char *path)
{
    print_list(checking->errors, "error: ");
    print_list(checking->findings, "warning: ");
    print_list(checking->notices, "note: ");
    if (json_array_size(checking->errors) + json_array_size(checking->findings) == 0)
        printf("%s: nothing to complain about\n", path);
}

static int run(int argc, char **argv)
{
    const char *path;
    bool json = false;
    const struct cli_option options[] = {{.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_check, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;

    struct checking checking = {json_array(), json_array(), json_array()};
    struct fabric_problems problems = {0};
    struct fabric *fabric = source_load(path, &problems);
    take_problems(&checking, &problems);
    fabric_problems_free(&problems);
    code = fabric ? run_twin(&checking, fabric) : CLI_BAD_USE;
    if (code == 0 && json_array_size(checking.findings) > 0)
        code = CLI_FOUND;
    if (!json)
        print_text(&checking, path);
    json_t *document = json_pack("{s:o, s:o, s:o}", "errors", checking.errors, "findings",
                                 checking.findings, "notices", checking.notices);
    if (json && document) {
        json_dumpf(document, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(document);
    return code;
}

const struct cli_command cli_check = {
    .name = "check",
    .summary = "Say what is wrong with a fabric file",
    .usage = "check FABRIC [--json]",
    .help = "FABRIC   a fabric file, or a directory of them\n\n"
            "  --json   print {\"errors\": …, \"findings\": …, \"notices\": …}\n\n"
            "Every line names the file and the line and says what would be right. Exit code: 0\n"
            "nothing found, 1 findings, 2 errors (no other command takes the file then).\n\n"
            "Example: fingerpost check docs/examples/hub-spoke.yaml\n",
    .run = run,
};

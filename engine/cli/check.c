/*
 * fingerpost check: reads a fabric file, runs it in the twin, and says what is wrong with it.
 *
 * Errors make a file unusable. Findings are what a good design does not have: warnings of the
 * loader, keys that this version reads but does not act on, lint rules (engine/fabric/lint.c, lint.c),
 * sessions that do not come up in the twin, and packets that loop there or get lost (faults.c).
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/cli/check.h"

#include "engine/cli/annotate.h"
#include "engine/cli/check_gateways.h"
#include "engine/cli/faults.h"
#include "engine/cli/lint.h"
#include "engine/cli/report.h"
#include "engine/cli/source.h"
#include "engine/sim/circuit.h"

static json_t *finding_json(const struct fabric_problem *problem)
{
    return json_pack("{s:s, s:s*, s:s, s:s*, s:s, s:i}", "rule",
                     problem->rule ? problem->rule : "warning", "object", problem->object,
                     "message", problem->message, "remedy", problem->remedy, "file", problem->file,
                     "line", (int)problem->line);
}

void check_problems(struct checking *checking, const struct fabric_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct fabric_problem *problem = &problems->items[i];
        if (problem->error)
            json_array_append_new(checking->errors,
                                  json_pack("{s:s, s:i, s:s}", "file", problem->file, "line",
                                            (int)problem->line, "message", problem->message));
        else
            json_array_append_new(checking->findings, finding_json(problem));
    }
}

static void take_sessions(struct checking *checking, struct twin *twin)
{
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        const struct fabric_route_server *server = &twin->fabric->route_servers[peer->route_server];
        const struct fabric_bgp_peer *neighbor = &server->peers[peer->index];
        char message[256], object[160];
        if (peer->established || controller_peer_router(twin->fabric, peer) == FABRIC_NONE)
            continue;
        snprintf(object, sizeof(object), "route_servers[%s].peers[%s]", server->name,
                 speaker_peer_config(peer->peer)->name);
        snprintf(message, sizeof(message), "%s: the session with instance %u does not come up: %s",
                 object, peer->instance,
                 sim_session_keys_differ(twin->sim, i)
                     ? "key_file is not the one that the router names"
                     : bgp_session_last_reason(speaker_peer_session(peer->peer)));
        struct fabric_problem problem = {
            .file = neighbor->place.file,
            .line = neighbor->place.line,
            .rule = "session",
            .object = object,
            .message = message,
            .remedy =
                "make the peer and the router at its NIC agree on addresses, AS numbers, keys and "
                "each other's names",
        };
        json_array_append_new(checking->findings, finding_json(&problem));
    }
}

/* A session between routers, told at the end whose reason says more than "idle". */
static void take_circuit(struct checking *checking, const struct twin *twin, size_t index)
{
    const struct sim_circuit *circuit = sim_circuit(twin->sim, index);
    const struct fabric_router *router = &twin->fabric->routers[circuit->ends[0].router];
    const struct fabric_router *other = &twin->fabric->routers[circuit->ends[1].router];
    const struct speaker_peer *peer = sim_circuit_peer(twin->sim, index, 0);
    char message[320], object[160];
    if (!sim_circuit_has_session(circuit) || !peer ||
        bgp_session_state(speaker_peer_session(peer)) == BGP_ESTABLISHED)
        return;
    const char *lost = sim_circuit_lost(twin->sim, index);
    snprintf(object, sizeof(object), "routers[%s]", router->name);
    snprintf(message, sizeof(message), "%s: the session with router '%s' does not come up: %s%s",
             object, other->name, lost ? "its packets do not arrive, " : "",
             lost ? lost : bgp_session_last_reason(speaker_peer_session(peer)));
    struct fabric_problem problem = {
        .file = circuit->ends[0].neighbor->place.file,
        .line = circuit->ends[0].neighbor->place.line,
        .rule = "session",
        .object = object,
        .message = message,
        .remedy = "make the two agree on AS numbers, and see that packets get from one to the "
                  "other and back (fingerpost trace)",
    };
    json_array_append_new(checking->findings, finding_json(&problem));
}

static void take_finding(void *context, const struct fabric_problem *problem)
{
    struct checking *checking = context;
    json_array_append_new(checking->findings, finding_json(problem));
}

int check_twin(const struct cli_command *command, struct checking *checking, struct twin *twin)
{
    take_sessions(checking, twin);
    fabric_lint(twin->fabric, take_finding, checking);
    if (lint_twin(twin, take_finding, checking))
        return cli_error(command, "no memory to look at the routes of the twin");
    for (size_t i = 0; i < sim_circuit_count(twin->sim); i++)
        take_circuit(checking, twin, i);
    check_gateways(twin, take_finding, checking);
    if (faults_find(twin, take_finding, checking))
        return cli_error(command, "no memory to follow packets through the twin");
    return 0;
}

/* Runs the fabric, which it takes over, in the twin. Returns 0 or the exit code of a failure. */
static int run_twin(struct checking *checking, struct fabric *fabric)
{
    struct twin twin;
    int code = twin_raise(&cli_check, fabric, &twin);
    if (code)
        return code;
    code = check_twin(&cli_check, checking, &twin);
    twin_close(&twin);
    return code;
}

static void print_list(json_t *list, const char *prefix)
{
    size_t i;
    json_t *item, *remedy;
    json_array_foreach(list, i, item)
    {
        source_say(stdout, json_string_value(json_object_get(item, "file")),
                   (unsigned)json_integer_value(json_object_get(item, "line")), prefix,
                   json_string_value(json_object_get(item, "message")));
        remedy = json_object_get(item, "remedy");
        if (remedy)
            printf("    %s\n", json_string_value(remedy));
    }
}

static void print_text(const struct checking *checking, const char *path)
{
    print_list(checking->errors, "error: ");
    print_list(checking->findings, "warning: ");
    if (json_array_size(checking->errors) + json_array_size(checking->findings) == 0)
        printf("%s: nothing to complain about\n", path);
}

/* How the answer is written. */
struct form {
    bool json, github, sarif;
};

static void print_json(const struct checking *checking)
{
    report_json(
        json_pack("{s:O, s:O}", "errors", checking->errors, "findings", checking->findings));
}

static void print_form(const struct checking *checking, const char *path, const struct form *form)
{
    if (form->json)
        print_json(checking);
    else if (form->sarif)
        annotate_sarif(checking);
    else if (form->github)
        annotate_github(checking);
    else
        print_text(checking, path);
}

static int check(const char *path, const struct form *form)
{
    struct checking checking = {json_array(), json_array()};
    struct fabric_problems problems = {0};
    struct fabric *fabric = source_load(path, &problems);
    int code;
    check_problems(&checking, &problems);
    fabric_problems_free(&problems);
    code = fabric ? run_twin(&checking, fabric) : CLI_BAD_USE;
    if (code == 0 && json_array_size(checking.findings) > 0)
        code = CLI_FOUND;
    print_form(&checking, path, form);
    json_decref(checking.errors);
    json_decref(checking.findings);
    return code;
}

static int run(int argc, char **argv)
{
    const char *path;
    struct form form = {0};
    const struct cli_option options[] = {{.name = "json", .flag = &form.json},
                                         {.name = "github", .flag = &form.github},
                                         {.name = "sarif", .flag = &form.sarif},
                                         {0}};
    int code = cli_arguments(&cli_check, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if (form.json + form.github + form.sarif > 1)
        return cli_error(&cli_check, "--json, --github and --sarif exclude each other");
    return check(path, &form);
}

const struct cli_command cli_check = {
    .name = "check",
    .summary = "Say what is wrong with a fabric file",
    .usage = "check FABRIC [--json | --github | --sarif]",
    .help = "FABRIC   a fabric file, or a directory of them\n\n"
            "  --json     print {\"errors\": …, \"findings\": …}\n"
            "  --github   print GitHub's annotations, which show at the lines of a pull request\n"
            "  --sarif    print SARIF 2.1.0, which code scanning takes\n\n"
            "Every line names the file and the line and says what would be right. Exit code: 0\n"
            "nothing found, 1 findings, 2 errors (no other command takes the file then).\n\n"
            "Example: fingerpost check docs/examples/hub-spoke.yaml\n",
    .run = run,
};

/*
 * fingerpost events: the event log of the twin, as it converges and as a router of it fails.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/failing.h"
#include "engine/cli/report.h"
#include "engine/cli/source.h"
#include "engine/cli/twin.h"
#include "engine/program/events.h"

/* The slowest alert comes a second after its cause. */
#define ALERTS_MS 1250u

struct listening {
    const struct fabric *fabric;
    bool alerts, json;
    json_t *rows; /* with json */
};

static void on_event(void *context, const struct event *event)
{
    struct listening *listening = context;
    if (listening->alerts && !event_is_alert(event->kind))
        return;
    json_t *row = event_json(listening->fabric, event, 0);
    if (listening->json) {
        json_array_append_new(listening->rows, row);
        return;
    }
    printf("%10.3f  ", json_real_value(json_object_get(row, "time")));
    report_event(row);
    json_decref(row);
}

struct plan {
    const char *router, *how; /* router NULL: nothing fails */
    bool restart;
};

static int fail(const struct plan *plan, struct twin *twin)
{
    enum sim_failure failure;
    uint32_t router = failing_find_router(&cli_events, twin->fabric, plan->router);
    if (router == FABRIC_NONE)
        return CLI_BAD_USE;
    if (!failing_parse(plan->how ? plan->how : "kill", &failure))
        return cli_error(&cli_events, "--fail-how: '%s' is not kill, stop or silence", plan->how);
    if (sim_router_fail(twin->sim, router, failure))
        return cli_error(&cli_events, "router '%s' has no BGP session to fail", plan->router);
    if (!twin_settle(&cli_events, twin) || sim_run(twin->sim, ALERTS_MS))
        return CLI_BAD_USE;
    if (!plan->restart)
        return CLI_FINE;
    bool restarted = sim_router_restart(twin->sim, router) == 0 && twin_settle(&cli_events, twin) &&
                     sim_run(twin->sim, ALERTS_MS) == 0;
    return restarted ? CLI_FINE : CLI_BAD_USE;
}

static int listen_to(const char *path, const struct plan *plan, struct listening *listening)
{
    struct twin twin;
    struct fabric *fabric = source_load_or_say(path);
    if (!fabric)
        return CLI_BAD_USE;
    listening->fabric = fabric;
    listening->rows = json_array();
    int code = twin_watch(&cli_events, fabric, on_event, listening, &twin);
    if (code == 0) {
        code = sim_run(twin.sim, ALERTS_MS) ? CLI_BAD_USE : CLI_FINE;
        if (code == CLI_FINE && plan->router)
            code = fail(plan, &twin);
        if (code == CLI_FINE && listening->json)
            report_json(json_pack("{s:O}", "events", listening->rows));
        twin_close(&twin);
    }
    json_decref(listening->rows);
    return code;
}

static int run(int argc, char **argv)
{
    struct listening listening = {0};
    struct plan plan = {0};
    const char *path;
    const struct cli_option options[] = {
        {.name = "fail", .value = &plan.router},    {.name = "fail-how", .value = &plan.how},
        {.name = "restart", .flag = &plan.restart}, {.name = "alerts", .flag = &listening.alerts},
        {.name = "json", .flag = &listening.json},  {0}};
    int code = cli_arguments(&cli_events, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if (!plan.router && (plan.how || plan.restart))
        return cli_error(&cli_events, "--fail-how and --restart want --fail ROUTER");
    return listen_to(path, &plan, &listening);
}

const struct cli_command cli_events = {
    .name = "events",
    .summary = "List what happens in the control plane of the twin, with causes and alerts",
    .usage = "events FABRIC [--alerts] [--fail ROUTER [--fail-how HOW] [--restart]] [--json]",
    .help = "FABRIC   a fabric file, or a directory of them\n\n"
            "  --alerts        only alerts: peer-down, new-default-route, …; see docs/live.md\n"
            "  --fail ROUTER   once all has converged, this router fails\n"
            "  --fail-how HOW  kill (default), stop (a clean end with Cease) or silence\n"
            "  --restart       and then comes back\n"
            "  --json          {\"events\": [{\"number\", \"time\", \"event\", \"alert\", "
            "\"cause\", …}]}\n\n"
            "Times are seconds of virtual time. The running engine writes the same events: "
            "engine.events\n"
            "in docs/fabric-file.md.\n\n"
            "Example: fingerpost events docs/examples/hub-spoke.yaml --fail nva1-os --alerts\n",
    .run = run,
};

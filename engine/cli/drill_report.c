/*
 * The report as JSON and as text.
 */
#include "engine/cli/drill_report.h"

#include <inttypes.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/report.h"
#include "engine/cli/table.h"

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *event_row(const struct drill_event *event)
{
    return json_pack("{s:i, s:s, s:I, s:b, s:I, s:I, s:o}", "at_ms", (int)event->model->at_ms,
                     "what", event->model->what, "converged_ms", (json_int_t)event->converged_ms,
                     "settled", (int)event->settled, "routes_changed",
                     (json_int_t)event->routes_changed, "groups_changed",
                     (json_int_t)event->groups_changed, "note", text_or_null(event->note));
}

static json_t *flow_row(const struct fabric_drill_probe *probe, const struct traffic_fate *fate)
{
    json_t *losses = json_array();
    for (size_t i = 0; i < fate->loss_count; i++)
        json_array_append_new(losses, json_pack("{s:i, s:i}", "at_ms", (int)fate->losses[i].at_ms,
                                                "flows", (int)fate->losses[i].flows));
    return json_pack(
        "{s:s, s:i, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:o, s:o}", "name", probe->name, "flows",
        (int)probe->flows, "sent", (json_int_t)fate->sent, "lost", (json_int_t)fate->lost,
        "lost_ms", (json_int_t)fate->lost_ms, "longest_ms", (json_int_t)fate->longest_ms,
        "flows_lost", (int)fate->flows_lost, "moved", (json_int_t)fate->moved, "moved_needlessly",
        (json_int_t)fate->moved_needlessly, "reason", text_or_null(fate->reason), "losses", losses);
}

json_t *drill_json(const struct fabric_drill *drill, const struct drill_report *report)
{
    json_t *events = json_array(), *flows = json_array(), *expectations = json_array();
    for (uint32_t i = 0; i < drill->event_count; i++)
        json_array_append_new(events, event_row(&report->events[i]));
    for (uint32_t i = 0; i < drill->probe_count; i++)
        json_array_append_new(flows, flow_row(&drill->probes[i], traffic_fate(report->traffic, i)));
    for (uint32_t i = 0; i < drill->expect_count; i++) {
        const struct drill_expectation *expectation = &report->expectations[i];
        json_array_append_new(
            expectations, json_pack("{s:s, s:b, s:o}", "text", expectation->model->text, "held",
                                    (int)expectation->held, "found",
                                    text_or_null(expectation->held ? NULL : expectation->found)));
    }
    return json_pack("{s:s, s:I, s:i, s:o, s:o, s:O, s:O, s:o}", "drill", drill->name, "seed",
                     (json_int_t)drill->seed, "end_ms", (int)report->end_ms, "events", events,
                     "flows", flows, "alerts", report->alerts, "sessions", report->sessions,
                     "expectations", expectations);
}

/* --- Text ------------------------------------------------------------------------------------- */

/* '|' parts the cells of a table. */
static char *cell(const char *text, char *out, size_t capacity)
{
    snprintf(out, capacity, "%.*s", (int)fabric_text_fit(text, capacity - 1), text);
    for (char *c = out; *c; c++)
        if (*c == '|' || *c == '\n')
            *c = '/';
    return out;
}

static void print_events(const struct fabric_drill *drill, const struct drill_report *report)
{
    struct table table;
    char what[200];
    if (drill->event_count == 0 ||
        table_begin(&table, ">at ms|event|>converged ms|>routes|>groups|"))
        return;
    for (uint32_t i = 0; i < drill->event_count; i++) {
        const struct drill_event *event = &report->events[i];
        table_row(&table, "%u|%s|%s%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%s", event->model->at_ms,
                  cell(event->model->what, what, sizeof(what)), event->settled ? "" : "> ",
                  event->converged_ms, event->routes_changed, event->groups_changed,
                  event->note ? event->note : "");
    }
    table_end(&table, stdout, 0);
    putchar('\n');
}

static void print_flows(const struct fabric_drill *drill, const struct drill_report *report)
{
    struct table table;
    if (drill->probe_count == 0 ||
        table_begin(&table, "probe|>flows|>sent|>lost|>lost ms|>longest ms|>flows lost|>moved|"
                            ">needlessly|last reason"))
        return;
    for (uint32_t i = 0; i < drill->probe_count; i++) {
        const struct traffic_fate *fate = traffic_fate(report->traffic, i);
        table_row(&table,
                  "%s|%u|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%u|%" PRIu64 "|%" PRIu64
                  "|%s",
                  drill->probes[i].name, drill->probes[i].flows, fate->sent, fate->lost,
                  fate->lost_ms, fate->longest_ms, fate->flows_lost, fate->moved,
                  fate->moved_needlessly, fate->reason ? fate->reason : "");
    }
    table_end(&table, stdout, 0);
    putchar('\n');
}

static void print_alerts(const struct drill_report *report)
{
    size_t i;
    json_t *row;
    if (json_array_size(report->alerts) == 0)
        return;
    printf("Alerts\n");
    json_array_foreach(report->alerts, i, row)
    {
        printf("%8" JSON_INTEGER_FORMAT "  ", json_integer_value(json_object_get(row, "at_ms")));
        report_event(row);
    }
    putchar('\n');
}

static void print_expectations(const struct fabric_drill *drill, const struct drill_report *report)
{
    for (uint32_t i = 0; i < drill->expect_count; i++) {
        const struct drill_expectation *expectation = &report->expectations[i];
        printf("%s  ", expectation->held ? "held  " : "FAILED");
        cli_print(stdout, expectation->model->text);
        if (!expectation->held)
            printf(": %s", expectation->found);
        putchar('\n');
    }
}

void drill_text(const struct fabric_drill *drill, const struct drill_report *report)
{
    printf("%s: %u events in %u ms of virtual time, seed %u\n\n", drill->name, drill->event_count,
           report->end_ms, drill->seed);
    print_events(drill, report);
    print_flows(drill, report);
    print_alerts(report);
    print_expectations(drill, report);
    if (report->log_lost)
        printf("%zu more sessions and alerts are not shown\n", report->log_lost);
}

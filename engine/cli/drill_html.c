/*
 * The page: what came of it first, then the pictures, then every figure.
 */
#include <inttypes.h>

#include "engine/cli/drill_picture.h"
#include "engine/cli/drill_report.h"
#include "engine/cli/html.h"

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;"
    "color:#1c2733;background:#fff}"
    "h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;text-align:left;"
    "border-bottom:1px solid #d9e0e7;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".held{color:#17703a}.failed{color:#b3261e;font-weight:600}"
    "svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:#1c2733}"
    ".fine{fill:#dcefe2}.lost,.down{fill:#d4483b}.alert{fill:#e0a100}"
    ".event{stroke:#2b5c9b;stroke-dasharray:3 3}"
    ".vnet{fill:#eef4fb;stroke:#2b5c9b}.site{fill:#f6f1e7;stroke:#8a6d3b}"
    ".peering{stroke:#2b5c9b;stroke-width:1.5}.session{stroke:#8a6d3b;stroke-dasharray:5 3}"
    "svg .name{font-weight:600}svg .server{fill:#17703a}svg .router{fill:#8a3b78}"
    "@media(prefers-color-scheme:dark){body{background:#10161d;color:#dfe7ee}"
    "svg text{fill:#dfe7ee}.fine{fill:#1d3a29}.vnet{fill:#16222f}.site{fill:#2a2418}"
    "th,td{border-color:#2c3946}.held{color:#6fd08f}.failed{color:#ff8a80}"
    "svg .server{fill:#6fd08f}svg .router{fill:#e0a0d0}}";

static void cell(FILE *to, const char *text)
{
    fputs("<td>", to);
    html_text(to, text ? text : "");
    fputs("</td>", to);
}

static void number(FILE *to, uint64_t value)
{
    fprintf(to, "<td class=\"n\">%" PRIu64 "</td>", value);
}

static void expectations(FILE *to, const struct fabric_drill *drill,
                         const struct drill_report *report)
{
    if (drill->expect_count == 0)
        return;
    fputs("<h2>Expectations</h2>\n<table>\n", to);
    for (uint32_t i = 0; i < drill->expect_count; i++) {
        const struct drill_expectation *expectation = &report->expectations[i];
        fprintf(to, "<tr><td class=\"%s</td>",
                expectation->held ? "held\">held" : "failed\">failed");
        cell(to, expectation->model->text);
        cell(to, expectation->held ? "" : expectation->found);
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void events(FILE *to, const struct fabric_drill *drill, const struct drill_report *report)
{
    if (drill->event_count == 0)
        return;
    fputs("<h2>Events</h2>\n<table>\n<tr><th class=\"n\">#</th><th class=\"n\">at ms</th><th>event"
          "</th><th class=\"n\">converged in ms</th><th class=\"n\">FIB entries changed</th>"
          "<th class=\"n\">groups swapped</th><th></th></tr>\n",
          to);
    for (uint32_t i = 0; i < drill->event_count; i++) {
        const struct drill_event *event = &report->events[i];
        fputs("<tr>", to);
        number(to, i + 1);
        number(to, event->model->at_ms);
        cell(to, event->model->what);
        number(to, event->converged_ms);
        number(to, event->routes_changed);
        number(to, event->groups_changed);
        cell(to, event->note ? event->note : event->settled ? "" : "more was under way");
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void flows(FILE *to, const struct fabric_drill *drill, const struct drill_report *report)
{
    if (drill->probe_count == 0)
        return;
    fputs("<h2>Flows</h2>\n<table>\n<tr><th>probe</th><th class=\"n\">flows</th><th class=\"n\">"
          "packets sent</th><th class=\"n\">lost</th><th class=\"n\">unluckiest flow lost ms</th>"
          "<th class=\"n\">longest outage ms</th><th class=\"n\">flows that lost</th>"
          "<th class=\"n\">moved</th><th class=\"n\">needlessly</th><th>last reason</th></tr>\n",
          to);
    for (uint32_t i = 0; i < drill->probe_count; i++) {
        const struct traffic_fate *fate = traffic_fate(report->traffic, i);
        fputs("<tr>", to);
        cell(to, drill->probes[i].name);
        number(to, drill->probes[i].flows);
        number(to, fate->sent);
        number(to, fate->lost);
        number(to, fate->lost_ms);
        number(to, fate->longest_ms);
        number(to, fate->flows_lost);
        number(to, fate->moved);
        number(to, fate->moved_needlessly);
        cell(to, fate->reason);
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void log_of(FILE *to, const char *title, const json_t *rows)
{
    size_t i;
    json_t *row;
    if (json_array_size(rows) == 0)
        return;
    fprintf(to,
            "<h2>%s</h2>\n<table>\n<tr><th class=\"n\">at ms</th><th>event</th><th>peer</th>"
            "<th>prefix</th><th>cause</th></tr>\n",
            title);
    json_array_foreach(rows, i, row)
    {
        fputs("<tr>", to);
        number(to, (uint64_t)json_integer_value(json_object_get(row, "at_ms")));
        cell(to, json_string_value(json_object_get(row, "event")));
        cell(to, json_string_value(json_object_get(row, "peer")));
        cell(to, json_string_value(json_object_get(row, "prefix")));
        cell(to, json_string_value(json_object_get(row, "cause")));
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void verdict(FILE *to, const struct fabric_drill *drill, const struct drill_report *report)
{
    unsigned failed = 0;
    for (uint32_t i = 0; i < drill->expect_count; i++)
        failed += !report->expectations[i].held;
    if (failed)
        fprintf(to, "<p class=\"failed\">%u of %u expectations failed</p>\n", failed,
                drill->expect_count);
    else if (drill->expect_count)
        fprintf(to, "<p class=\"held\">All %u expectations held</p>\n", drill->expect_count);
}

void drill_html(FILE *to, const struct fabric *fabric, const struct fabric_drill *drill,
                const struct drill_report *report)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
          "name=\"viewport\" content=\"width=device-width\">\n<title>",
          to);
    html_print(to, "Drill %s of %s", drill->name, fabric->name ? fabric->name : "");
    fprintf(to, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
    html_print(to, "Drill %s of %s", drill->name, fabric->name ? fabric->name : "");
    fprintf(to, "</h1>\n<p>%u events in %u ms of virtual time, seed %u, in the digital twin.</p>\n",
            drill->event_count, report->end_ms, drill->seed);
    verdict(to, drill, report);
    fputs(
        "<h2>Timeline</h2>\n<p>Numbers are those of the events. Time is not to scale: quiet spans "
        "are shortened.</p>\n",
        to);
    drill_timeline(to, drill, report);
    expectations(to, drill, report);
    events(to, drill, report);
    flows(to, drill, report);
    log_of(to, "Alerts", report->alerts);
    log_of(to, "Sessions", report->sessions);
    fputs("<h2>Topology</h2>\n", to);
    drill_map(to, fabric);
    fputs("</body>\n</html>\n", to);
}

/*
 * Time runs from left to right, but not evenly: a drill of minutes has all its news in a few
 * milliseconds. Between two news the picture moves on by the logarithm of the time between them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/drill_picture.h"
#include "engine/cli/html.h"

#define LEFT     150.0
#define WIDTH    820.0
#define ROW      34.0
#define BAR      26.0
#define SESSIONS 64u /* rows of sessions at most */

struct scale {
    uint32_t *times; /* sorted, no duplicates; the first is 0, the last the end */
    double *places;
    size_t n;
};

/* --- The scale -------------------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static size_t gather(const struct fabric_drill *drill, const struct drill_report *report,
                     uint32_t *times)
{
    size_t n = 0, i;
    json_t *row;
    times[n++] = 0;
    times[n++] = report->end_ms;
    for (uint32_t at = 0; at < drill->event_count; at++)
        times[n++] = drill->events[at].at_ms;
    for (uint32_t at = 0; at < drill->probe_count; at++) {
        const struct traffic_fate *fate = traffic_fate(report->traffic, at);
        for (size_t j = 0; j < fate->loss_count; j++)
            times[n++] = fate->losses[j].at_ms;
    }
    json_array_foreach(report->sessions, i, row) times[n++] =
        (uint32_t)json_integer_value(json_object_get(row, "at_ms"));
    json_array_foreach(report->alerts, i, row) times[n++] =
        (uint32_t)json_integer_value(json_object_get(row, "at_ms"));
    return n;
}

static size_t count_times(const struct fabric_drill *drill, const struct drill_report *report)
{
    size_t n = 2 + drill->event_count + json_array_size(report->sessions) +
               json_array_size(report->alerts);
    for (uint32_t i = 0; i < drill->probe_count; i++)
        n += traffic_fate(report->traffic, i)->loss_count;
    return n;
}

static bool make_scale(struct scale *scale, const struct fabric_drill *drill,
                       const struct drill_report *report)
{
    size_t n = count_times(drill, report);
    scale->times = calloc(n, sizeof(*scale->times));
    scale->places = calloc(n, sizeof(*scale->places));
    if (!scale->times || !scale->places)
        return false;
    n = gather(drill, report, scale->times);
    qsort(scale->times, n, sizeof(*scale->times), compare_times);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || scale->times[i] != scale->times[scale->n - 1])
            scale->times[scale->n++] = scale->times[i];
    for (size_t i = 1; i < scale->n; i++)
        scale->places[i] = scale->places[i - 1] + log2(2.0 + scale->times[i] - scale->times[i - 1]);
    double all = scale->n > 1 ? scale->places[scale->n - 1] : 1;
    for (size_t i = 0; i < scale->n; i++)
        scale->places[i] = LEFT + WIDTH * scale->places[i] / all;
    return true;
}

/* Of a time that was gathered. */
static double place_of(const struct scale *scale, uint32_t at_ms)
{
    const uint32_t *found =
        bsearch(&at_ms, scale->times, scale->n, sizeof(*scale->times), compare_times);
    return found ? scale->places[found - scale->times] : LEFT;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void label(FILE *to, double y, const char *text)
{
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 8, y + BAR * 0.7);
    html_print(to, "%.24s", text);
    fputs("</text>\n", to);
}

static void bar(FILE *to, const char *class, double from, double until, double y, double height,
                const char *title)
{
    double width = until - from > 1 ? until - from : 1;
    fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
            class, from, y, width, height);
    html_text(to, title);
    fputs("</title></rect>\n", to);
}

/* The last row of losses is always one of none: at the probe's end nothing is lost any more. */
static void probe_row(FILE *to, const struct scale *scale, const struct fabric_drill_probe *probe,
                      const struct traffic_fate *fate, double y)
{
    char title[160];
    label(to, y, probe->name);
    bar(to, "fine", LEFT, LEFT + WIDTH, y, BAR, "no loss");
    for (size_t i = 0; i + 1 < fate->loss_count; i++) {
        const struct traffic_loss *loss = &fate->losses[i];
        uint32_t next_ms = fate->losses[i + 1].at_ms;
        double height = BAR * loss->flows / probe->flows;
        snprintf(title, sizeof(title), "%u of %u flows lost from %u to %u ms", loss->flows,
                 probe->flows, loss->at_ms, next_ms);
        if (loss->flows)
            bar(to, "lost", place_of(scale, loss->at_ms), place_of(scale, next_ms),
                y + BAR - height, height, title);
    }
}

static void session_name(const json_t *row, char *name, size_t capacity)
{
    const char *owner = json_object_get(row, "gateway") ? "gateway" : "route_server";
    const char *server = json_string_value(json_object_get(row, owner));
    const char *peer = json_string_value(json_object_get(row, "peer"));
    snprintf(name, capacity, "%.40s/%d %.60s", server ? server : "",
             (int)json_integer_value(json_object_get(row, "instance")), peer ? peer : "");
}

static bool is_down(const json_t *row)
{
    return strcmp(json_string_value(json_object_get(row, "event")),
                  event_kind_text(EVENT_SESSION_DOWN)) == 0;
}

/* From each row on that says down to the next of the session. */
static void session_row(FILE *to, const struct scale *scale, const struct drill_report *report,
                        const char *name, double y)
{
    uint32_t down_ms = UINT32_MAX;
    char other[128], title[200];
    size_t n = json_array_size(report->sessions);
    label(to, y, name);
    bar(to, "fine", LEFT, LEFT + WIDTH, y + BAR / 3, BAR / 3, "up");
    for (size_t i = 0; i <= n; i++) {
        const json_t *row = i < n ? json_array_get(report->sessions, i) : NULL;
        uint32_t at_ms =
            row ? (uint32_t)json_integer_value(json_object_get(row, "at_ms")) : report->end_ms;
        if (row)
            session_name(row, other, sizeof(other));
        if (row && strcmp(other, name) != 0)
            continue;
        snprintf(title, sizeof(title), "down from %u to %u ms", down_ms, at_ms);
        if (down_ms != UINT32_MAX)
            bar(to, "down", place_of(scale, down_ms), place_of(scale, at_ms), y + BAR / 3, BAR / 3,
                title);
        down_ms = row && is_down(row) ? at_ms : UINT32_MAX;
    }
}

/* The sessions that changed, in the order in which they first did. Returns how many. */
static unsigned session_rows(FILE *to, const struct scale *scale, const struct drill_report *report,
                             double y)
{
    char(*names)[128] = calloc(SESSIONS, sizeof(*names));
    unsigned n = 0;
    size_t i;
    json_t *row;
    if (!names)
        return 0;
    json_array_foreach(report->sessions, i, row)
    {
        unsigned known = 0;
        if (n == SESSIONS)
            break;
        session_name(row, names[n], sizeof(names[n]));
        while (known < n && strcmp(names[known], names[n]) != 0)
            known++;
        n += known == n;
    }
    for (unsigned at = 0; at < n; at++)
        session_row(to, scale, report, names[at], y + ROW * at);
    free(names);
    return n;
}

static void alert_row(FILE *to, const struct scale *scale, const struct drill_report *report,
                      double y)
{
    size_t i;
    json_t *row;
    label(to, y, "alerts");
    json_array_foreach(report->alerts, i, row)
    {
        uint32_t at_ms = (uint32_t)json_integer_value(json_object_get(row, "at_ms"));
        const char *cause = json_string_value(json_object_get(row, "cause"));
        double x = place_of(scale, at_ms);
        fprintf(to, "<path class=\"alert\" d=\"M%.1f %.1f l6 12 l-12 0 z\"><title>", x, y + 6);
        html_print(to, "%u ms %s: %s", at_ms, json_string_value(json_object_get(row, "event")),
                   cause ? cause : "");
        fputs("</title></path>\n", to);
    }
}

/* Numbered as in the table below. */
static void event_marks(FILE *to, const struct scale *scale, const struct fabric_drill *drill,
                        double height)
{
    for (uint32_t i = 0; i < drill->event_count; i++) {
        const struct fabric_drill_event *event = &drill->events[i];
        double x = place_of(scale, event->at_ms);
        fprintf(to,
                "<line class=\"event\" x1=\"%.1f\" y1=\"22\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.1f\" y=\"14\" text-anchor=\"middle\">%u<title>",
                x, x, height, x, i + 1);
        html_print(to, "%u ms: %s", event->at_ms, event->what);
        fputs("</title></text>\n", to);
    }
}

void drill_timeline(FILE *to, const struct fabric_drill *drill, const struct drill_report *report)
{
    struct scale scale = {0};
    double y = 28;
    char *rows = NULL;
    size_t length = 0;
    FILE *inside = make_scale(&scale, drill, report) ? open_memstream(&rows, &length) : NULL;
    if (inside) {
        for (uint32_t i = 0; i < drill->probe_count; i++, y += ROW)
            probe_row(inside, &scale, &drill->probes[i], traffic_fate(report->traffic, i), y);
        y += ROW * session_rows(inside, &scale, report, y);
        alert_row(inside, &scale, report, y);
        y += ROW;
        event_marks(inside, &scale, drill, y);
    }
    if (inside && fclose(inside) == 0)
        fprintf(to,
                "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"timeline\">\n%s</svg>\n",
                LEFT + WIDTH + 20, y + 6, rows);
    free(rows);
    free(scale.times);
    free(scale.places);
}

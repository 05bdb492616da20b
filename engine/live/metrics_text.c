/* See metrics_text.h. */
#include "engine/live/metrics_text.h"

#include <inttypes.h>

void metric_head(FILE *out, const char *name, enum metric_kind kind, const char *help)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_SUMMARY] = "summary"};
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

/* The three that would end the value or the line; all else of UTF-8 stands as it is. */
static void write_value(FILE *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*value == '"' || *value == '\\')
            fputc('\\', out);
        fputc(*value, out);
    }
}

static void write_series(FILE *out, const char *name, const char *suffix,
                         const struct metric_label *labels, unsigned n)
{
    char before = '{';
    fprintf(out, "%s%s", name, suffix);
    for (unsigned i = 0; i < n; i++) {
        if (!labels[i].name)
            continue;
        fprintf(out, "%c%s=\"", before, labels[i].name);
        write_value(out, labels[i].value);
        fputc('"', out);
        before = ',';
    }
    fputs(before == ',' ? "} " : " ", out);
}

void metric_count(FILE *out, const char *name, const char *suffix,
                  const struct metric_label *labels, unsigned n, uint64_t value)
{
    write_series(out, name, suffix, labels, n);
    fprintf(out, "%" PRIu64 "\n", value);
}

void metric_real(FILE *out, const char *name, const char *suffix, const struct metric_label *labels,
                 unsigned n, double value)
{
    write_series(out, name, suffix, labels, n);
    fprintf(out, "%.9g\n", value);
}

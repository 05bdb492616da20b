/*
 * Lines of the Prometheus text format, version 0.0.4:
 *
 *   # HELP fingerpost_nic_received_packets_total Frames that came from the NIC.
 *   # TYPE fingerpost_nic_received_packets_total counter
 *   fingerpost_nic_received_packets_total{nic="vm1"} 42
 *
 * Names of metrics and labels are the program's own; values of labels may be any text.
 */
#ifndef ENGINE_LIVE_METRICS_TEXT_H
#define ENGINE_LIVE_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_SUMMARY };

struct metric_label {
    const char *name, *value; /* NULL name: there is no such label */
};

/* What stands before the samples of a metric; help has no backslash and no end of line. */
void metric_head(FILE *out, const char *name, enum metric_kind kind, const char *help);
/* One sample: name, suffix ("", "_sum", "_count") and labels, then the value. */
void metric_count(FILE *out, const char *name, const char *suffix,
                  const struct metric_label *labels, unsigned n, uint64_t value);
void metric_real(FILE *out, const char *name, const char *suffix, const struct metric_label *labels,
                 unsigned n, double value);

#endif

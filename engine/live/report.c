/*
 * See report.h. The text is made from the JSON document, so that the two never disagree.
 * json_..._new() takes the reference it is given, and takes NULL: where memory is out, a key is
 * missing and nothing else happens.
 */
#include "engine/live/report.h"

#include <stdlib.h>
#include <string.h>

#include "engine/live/bfd.h"
#include "engine/live/collector.h"
#include "engine/live/events.h"
#include "engine/live/peer.h"
#include "engine/live/report_session.h"
#include "engine/program/balancer_json.h"

/* --- Document --------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *live_report_session_at(const struct live *live, uint32_t i)
{
    return live_report_session(live, live_peer_at(live, i), live_now());
}

json_t *live_report_sessions(const struct live *live)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < live->peer_count + live->gateway_peer_count; i++)
        json_array_append_new(rows, live_report_session_at(live, i));
    return rows;
}

/* Reasons that never happened are left out: a reader takes them as 0. */
static void add_counters(json_t *row, const struct dp_counters *counters)
{
    json_object_set_new(row, "received", number(counters->received));
    json_object_set_new(row, "forwarded", number(counters->forwarded));
    json_object_set_new(row, "answered", number(counters->answered));
    json_object_set_new(row, "self_loop", number(counters->self_loop));
    json_t *dropped = json_object();
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++) {
        if (counters->dropped[reason])
            json_object_set_new(dropped, dp_reason_name(reason), number(counters->dropped[reason]));
    }
    json_object_set_new(row, "dropped", dropped);
}

static json_t *nic_row(const struct live *live, uint32_t id, json_t *name)
{
    struct dp_counters counters;
    dp_counters_nic(live->plane.forwarding, id, &counters);
    json_t *row = json_object();
    json_object_set_new(row, "nic", name);
    add_counters(row, &counters);
    return row;
}

/* In the order of the fabric, then the Internet, what other hosts decided, and frames that belong to nobody. */
uint32_t live_report_nic_count(const struct live *live)
{
    return live->fabric->nics_count + live->fabric->internet.present + (live->fabric->here != 0) +
           1;
}

json_t *live_report_nic(const struct live *live, uint32_t i)
{
    const struct fabric *fabric = live->fabric;
    uint32_t other = i - fabric->nics_count;
    if (i < fabric->nics_count)
        return nic_row(live, program_nic_id(controller_program(live->plane.controller), i),
                       json_string(fabric->nics[i].name));
    if (fabric->internet.present && other-- == 0)
        return nic_row(live, DP_NIC_INTERNET, json_string("internet"));
    if (fabric->here != 0 && other-- == 0)
        return nic_row(live, program_underlay_id(), json_string("other hosts"));
    return nic_row(live, 0, json_null());
}

static json_t *nic_rows(const struct live *live)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < live_report_nic_count(live); i++)
        json_array_append_new(rows, live_report_nic(live, i));
    return rows;
}

/* Every next hop that ever was a member of a group: numbers are never given again. */
static json_t *next_hop_rows(const struct live *live)
{
    json_t *rows = json_array();
    struct lpm_address address;
    for (uint32_t i = 1; dp_next_hop_address(live->plane.forwarding, i, &address); i++) {
        struct dp_next_hop_counters counters;
        char text[LPM_ADDRESS_TEXT];
        dp_counters_next_hop(live->plane.forwarding, i, &counters);
        json_t *row = json_object();
        json_object_set_new(row, "next_hop", json_string(lpm_address_format(&address, text)));
        json_object_set_new(row, "packets", number(counters.packets));
        json_object_set_new(row, "bytes", number(counters.bytes));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *queue_rows(const struct live *live, unsigned port)
{
    json_t *rows = json_array();
    for (unsigned i = 0; i < dp_engine_port_queues(live->plane.engine, port); i++) {
        struct dp_queue_status status;
        if (dp_engine_queue_status(live->plane.engine, port, i, &status) != 0)
            continue;
        json_t *row = json_object();
        json_object_set_new(row, "queue", number(i));
        json_object_set_new(row, "rx_packets", number(status.rx_packets));
        json_object_set_new(row, "rx_bytes", number(status.rx_bytes));
        json_object_set_new(row, "tx_packets", number(status.tx_packets));
        json_object_set_new(row, "tx_bytes", number(status.tx_bytes));
        json_object_set_new(row, "tx_refused", number(status.tx_refused));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *live_report_port(const struct live *live, uint32_t i)
{
    struct dp_port_status status;
    if (dp_engine_port_status(live->plane.engine, i, &status) != 0)
        return NULL;
    json_t *row = json_object();
    json_object_set_new(row, "port", json_string(status.name));
    json_object_set_new(row, "link_up", json_boolean(status.link_up));
    json_object_set_new(row, "spread", json_string(dp_spread_name(status.spread)));
    json_object_set_new(row, "rx_packets", number(status.rx_packets));
    json_object_set_new(row, "tx_packets", number(status.tx_packets));
    json_object_set_new(row, "rx_missed", number(status.rx_missed));
    json_object_set_new(row, "rx_errors", number(status.rx_errors));
    json_object_set_new(row, "tx_errors", number(status.tx_errors));
    json_object_set_new(row, "queues", queue_rows(live, i));
    return row;
}

json_t *live_report_ports(const struct live *live)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; live->plane.engine && i < live->fabric->ports_count; i++)
        json_array_append_new(rows, live_report_port(live, i));
    return rows;
}

static json_t *programmed(const struct live *live)
{
    struct program_size size;
    program_size(controller_program(live->plane.controller), &size);
    json_t *object = json_object();
    json_object_set_new(object, "scopes", number(size.scopes));
    json_object_set_new(object, "fibs", number(size.fibs));
    json_object_set_new(object, "derived_fibs", number(size.derived_fibs));
    json_object_set_new(object, "groups", number(size.groups));
    json_object_set_new(object, "routes", number(size.routes));
    struct controller_pace pace = controller_pace(live->plane.controller);
    json_object_set_new(object, "damped", number(pace.damped));
    json_object_set_new(object, "held_down", number(pace.held_down));
    return object;
}

static json_t *balancer_rows(const struct live *live)
{
    const struct program *program = controller_program(live->plane.controller);
    json_t *rows = json_array();
    for (uint32_t i = 0; i < live->fabric->load_balancers_count; i++)
        json_array_append_new(rows, program_balancer_json(program, live->fabric, i));
    return rows;
}

json_t *live_report_state(const struct live *live)
{
    json_t *state = json_object();
    json_object_set_new(state, "sessions", live_report_sessions(live));
    if (live->bfd)
        json_object_set_new(state, "bfd", live_bfd_report_all(live));
    if (live->collectors)
        json_object_set_new(state, "bmp", live_collectors_report(live));
    if (live->fabric->load_balancers_count > 0)
        json_object_set_new(state, "load_balancers", balancer_rows(live));
    json_object_set_new(state, "ports", live_report_ports(live));
    json_object_set_new(state, "programmed", programmed(live));
    json_object_set_new(state, "events", live_events_last(live, LIVE_REPORT_EVENTS));
    return state;
}

json_t *live_report_counters(const struct live *live)
{
    struct dp_counters total;
    dp_counters_total(live->plane.forwarding, &total);
    json_t *document = json_object();
    add_counters(document, &total);
    json_object_set_new(document, "nics", nic_rows(live));
    return document;
}

json_t *live_report(const struct live *live, json_t *state)
{
    json_t *counters = live_report_counters(live);
    json_t *report = json_object();
    json_object_set_new(report, "fabric",
                        json_string(live->fabric->name ? live->fabric->name : ""));
    json_object_set_new(report, "seconds",
                        json_real((double)(live_now() - live->started_ms) / 1000.0));
    json_object_set_new(report, "longest_slice_ms",
                        json_real((double)live->slice_longest_ns / 1e6));
    json_object_set_new(report, "late_ms_most", json_real((double)live->late.most_ns / 1e6));
    json_object_update(report, counters);
    json_decref(counters);
    json_object_set_new(report, "next_hops", next_hop_rows(live));
    json_object_update(report, state);
    return report;
}

/* --- Text ------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "-";
}

static long long count_of(const json_t *row, const char *key)
{
    return (long long)json_integer_value(json_object_get(row, key));
}

static void print_dropped(FILE *file, const json_t *row)
{
    const char *reason;
    json_t *n;
    json_object_foreach(json_object_get(row, "dropped"), reason, n)
    {
        fprintf(file, " %s %lld", reason, (long long)json_integer_value(n));
    }
}

static void print_sessions(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    fprintf(file, "%-20s %-16s %-16s %8s %-12s %8s %10s\n", "SERVER", "PEER", "ADDRESS", "ASN",
            "STATE", "LEARNED", "ADVERTISED");
    json_array_foreach(rows, i, row)
    {
        char instance[64];
        const char *owner = json_object_get(row, "gateway") ? "gateway" : "route_server";
        snprintf(instance, sizeof(instance), "%s/%lld", text_of(row, owner),
                 count_of(row, "instance"));
        fprintf(file, "%-20s %-16s %-16s %8lld %-12s %8lld %10lld\n", instance,
                text_of(row, "peer"), text_of(row, "address"), count_of(row, "asn"),
                text_of(row, "state"), count_of(row, "learned"), count_of(row, "advertised"));
    }
}

static double real_of(const json_t *row, const char *key)
{
    return json_real_value(json_object_get(row, key));
}

static void print_bfd(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const json_t *bfd = json_object_get(row, "bfd");
        if (bfd)
            fprintf(file,
                    "BFD %s/%lld %s: %s, peer %s, every %.1f ms, detection %.1f ms, up %lld times, "
                    "last down: %s\n",
                    text_of(row, "route_server"), count_of(row, "instance"), text_of(row, "peer"),
                    text_of(bfd, "state"), text_of(bfd, "remote_state"),
                    real_of(bfd, "transmit_ms"), real_of(bfd, "detection_ms"),
                    count_of(bfd, "went_up"), text_of(bfd, "last_down"));
    }
}

static void print_collectors(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        fprintf(file, "BMP %s: %s, connected %lld times, %lld messages, %lld bytes; %s\n",
                text_of(row, "collector"), text_of(row, "state"), count_of(row, "connections"),
                count_of(row, "messages"), count_of(row, "bytes"), text_of(row, "reason"));
    }
}

static void print_nics(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    fprintf(file, "%-20s %12s %12s %10s  %s\n", "NIC", "RECEIVED", "FORWARDED", "ANSWERED",
            "DROPPED");
    json_array_foreach(rows, i, row)
    {
        bool unowned = json_is_null(json_object_get(row, "nic"));
        if (unowned && count_of(row, "received") == 0)
            continue;
        fprintf(file, "%-20s %12lld %12lld %10lld ", unowned ? "(none)" : text_of(row, "nic"),
                count_of(row, "received"), count_of(row, "forwarded"), count_of(row, "answered"));
        print_dropped(file, row);
        fputc('\n', file);
    }
}

static void print_next_hops(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    if (json_array_size(rows) == 0)
        return;
    fprintf(file, "%-20s %12s %14s\n", "NEXT HOP", "PACKETS", "BYTES");
    json_array_foreach(rows, i, row)
    {
        fprintf(file, "%-20s %12lld %14lld\n", text_of(row, "next_hop"), count_of(row, "packets"),
                count_of(row, "bytes"));
    }
}

static void print_balancers(FILE *file, const json_t *rows)
{
    size_t i, j;
    json_t *row, *backend;
    json_array_foreach(rows, i, row)
    {
        fprintf(file, "load balancer %s, frontend %s:", text_of(row, "name"),
                text_of(row, "frontend"));
        json_array_foreach(json_object_get(row, "backends"), j, backend)
        {
            fprintf(file, "%s %s %s", j ? "," : "", text_of(backend, "nic"),
                    text_of(backend, "state"));
        }
        fputc('\n', file);
    }
}

static void print_ports(FILE *file, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        fprintf(file, "port %-15s %s, rx %lld, tx %lld, missed %lld, errors %lld/%lld\n",
                text_of(row, "port"), json_is_true(json_object_get(row, "link_up")) ? "up" : "down",
                count_of(row, "rx_packets"), count_of(row, "tx_packets"),
                count_of(row, "rx_missed"), count_of(row, "rx_errors"), count_of(row, "tx_errors"));
    }
}

void live_report_print(FILE *file, const json_t *report)
{
    const json_t *size = json_object_get(report, "programmed");
    fprintf(file, "fabric %s, %.1f s; at most %.1f ms of work between two looks at the timers\n",
            text_of(report, "fabric"), json_real_value(json_object_get(report, "seconds")),
            json_real_value(json_object_get(report, "longest_slice_ms")));
    print_sessions(file, json_object_get(report, "sessions"));
    print_bfd(file, json_object_get(report, "sessions"));
    print_collectors(file, json_object_get(report, "bmp"));
    print_nics(file, json_object_get(report, "nics"));
    print_next_hops(file, json_object_get(report, "next_hops"));
    print_balancers(file, json_object_get(report, "load_balancers"));
    print_ports(file, json_object_get(report, "ports"));
    fprintf(file, "received %lld = forwarded %lld + answered %lld + dropped:",
            count_of(report, "received"), count_of(report, "forwarded"),
            count_of(report, "answered"));
    print_dropped(file, report);
    fprintf(file, "\n%lld routes in %lld FIBs (%lld derived), %lld next-hop groups\n",
            count_of(size, "routes"), count_of(size, "fibs"), count_of(size, "derived_fibs"),
            count_of(size, "groups"));
}

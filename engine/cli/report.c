/*
 * Tables for people and documents for programs, from the same figures.
 */
#include "engine/cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/table.h"
#include "engine/program/document.h"

void report_json(json_t *document)
{
    if (!document)
        return;
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void print_next_hops(const json_t *hops)
{
    for (size_t i = 0; i < json_array_size(hops); i++)
        printf("%s%s", i ? ", " : " via ", json_string_value(json_array_get(hops, i)));
}

void report_event(const json_t *row)
{
    const char *server = json_string_value(json_object_get(row, "route_server"));
    const char *gateway = json_string_value(json_object_get(row, "gateway"));
    const char *balancer = json_string_value(json_object_get(row, "load_balancer"));
    const char *nic = json_string_value(json_object_get(row, "nic"));
    const char *peer = json_string_value(json_object_get(row, "peer"));
    const char *prefix = json_string_value(json_object_get(row, "prefix"));
    const char *next_hop = json_string_value(json_object_get(row, "next_hop"));
    const char *port = json_string_value(json_object_get(row, "port"));
    printf("%-21s %s", json_string_value(json_object_get(row, "event")),
           server     ? server
           : gateway  ? gateway
           : balancer ? balancer
           : next_hop ? next_hop
           : port     ? port
                      : "");
    if (nic)
        printf(" %s", nic);
    if (peer)
        printf("/%d %s", (int)json_integer_value(json_object_get(row, "instance")), peer);
    if (prefix)
        printf(" %s", prefix);
    print_next_hops(json_object_get(row, "next_hops"));
    fputs(": ", stdout);
    cli_print(stdout, json_string_value(json_object_get(row, "cause")));
    putchar('\n');
}

/* --- Effective routes ------------------------------------------------------------------------- */

char *report_next_hops(const struct fabric_row *row, char *text, size_t capacity)
{
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < row->next_hop_count; i++) {
        char address[LPM_ADDRESS_TEXT];
        int n = snprintf(text + at, capacity - at, "%s%s", i ? ", " : "",
                         lpm_address_format(&row->next_hops[i], address));
        if (n < 0 || at + (size_t)n >= capacity) {
            snprintf(text + at, capacity - at, "…");
            break;
        }
        at += (size_t)n;
    }
    return text;
}

static void row_lines(struct table *table, const struct fabric_row *row)
{
    char prefix[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT];
    unsigned lines = row->next_hop_count ? row->next_hop_count : 1;
    for (unsigned i = 0; i < lines; i++)
        table_row(table, "%s|%s|%s|%s|%s", fabric_source_text(row->source), program_row_state(row),
                  lpm_prefix_format(&row->prefix, prefix), fabric_next_hop_type_text(row->type),
                  row->next_hop_count ? lpm_address_format(&row->next_hops[i], address) : "");
}

void report_rows(const struct fabric_row *rows, size_t n, unsigned indent)
{
    struct table table;
    if (table_begin(&table, "Source|State|Address Prefix|Next Hop Type|Next Hop IP"))
        return;
    for (size_t i = 0; i < n; i++)
        row_lines(&table, &rows[i]);
    table_end(&table, stdout, indent);
}

/* --- Replay ----------------------------------------------------------------------------------- */

static double mpps(const struct dp_replay_report *report)
{
    return report->seconds > 0 ? (double)report->counters.received / report->seconds / 1e6 : 0;
}

void report_counters(const struct dp_replay_report *report, unsigned indent)
{
    const struct dp_counters *counters = &report->counters;
    struct table table;
    if (table_begin(&table, "|>packets|"))
        return;
    table_row(&table, "received|%" PRIu64 "|", counters->received);
    table_row(&table, "forwarded|%" PRIu64 "|", counters->forwarded);
    if (counters->self_loop)
        table_row(&table, "  back to the sender|%" PRIu64 "|the next hop is the sending NIC",
                  counters->self_loop);
    table_row(&table, "answered|%" PRIu64 "|", counters->answered);
    for (unsigned i = 0; i < DP_REASON_COUNT; i++)
        if (counters->dropped[i])
            table_row(&table, "dropped: %s|%" PRIu64 "|%s", dp_reason_name(i), counters->dropped[i],
                      dp_reason_help(i));
    table_end(&table, stdout, indent);
    printf("%*s%.3f s, %.2f Mpps (trace read, looked up, rewritten and written on one core)\n",
           (int)indent, "", report->seconds, mpps(report));
}

static const char *next_hop_text(const struct dp_forwarding *forwarding, uint32_t next_hop,
                                 char text[LPM_ADDRESS_TEXT])
{
    struct lpm_address address;
    if (next_hop && dp_next_hop_address(forwarding, next_hop, &address))
        return lpm_address_format(&address, text);
    return "(direct)";
}

void report_members(const struct dp_forwarding *forwarding, const struct flow_share *shares,
                    size_t n, unsigned indent)
{
    char text[LPM_ADDRESS_TEXT], backend[LPM_ADDRESS_TEXT];
    struct table table;
    if (table_begin(&table, "Next hop|>packets|>bytes|>flows"))
        return;
    for (size_t i = 0; i < n; i++)
        table_row(&table, "%s%s%s|%" PRIu64 "|%" PRIu64 "|%" PRIu64,
                  next_hop_text(forwarding, shares[i].next_hop, text),
                  shares[i].backend ? ", backend " : "",
                  shares[i].backend ? next_hop_text(forwarding, shares[i].backend, backend) : "",
                  shares[i].packets, shares[i].bytes, shares[i].flows);
    table_end(&table, stdout, indent);
}

static uint64_t size_least(unsigned power)
{
    return UINT64_C(1) << power;
}

void report_flow_sizes(const struct flow_size sizes[FLOW_SIZES], unsigned indent)
{
    struct table table;
    if (table_begin(&table, ">Packets a flow|>flows|>packets|>bytes"))
        return;
    for (unsigned i = 0; i < FLOW_SIZES; i++)
        if (sizes[i].flows && i == 0)
            table_row(&table, "1|%" PRIu64 "|%" PRIu64 "|%" PRIu64, sizes[i].flows,
                      sizes[i].packets, sizes[i].bytes);
        else if (sizes[i].flows)
            table_row(&table, "%" PRIu64 "-%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64,
                      size_least(i), 2 * (size_least(i) - 1) + 1, sizes[i].flows, sizes[i].packets,
                      sizes[i].bytes);
    table_end(&table, stdout, indent);
}

static json_t *flow_sizes_json(const struct flow_size sizes[FLOW_SIZES])
{
    json_t *list = json_array();
    for (unsigned i = 0; i < FLOW_SIZES; i++)
        if (sizes[i].flows)
            json_array_append_new(
                list, json_pack("{s:I, s:I, s:I, s:I, s:I}", "least", (json_int_t)size_least(i),
                                "most", (json_int_t)(2 * (size_least(i) - 1) + 1), "flows",
                                (json_int_t)sizes[i].flows, "packets", (json_int_t)sizes[i].packets,
                                "bytes", (json_int_t)sizes[i].bytes));
    return list;
}

static json_t *members_json(const struct dp_forwarding *forwarding, const struct flow_share *shares,
                            size_t n)
{
    char text[LPM_ADDRESS_TEXT];
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (!shares[i].next_hop && !shares[i].backend)
            continue;
        json_t *member = json_pack(
            "{s:s, s:I, s:I, s:I}", "next_hop", next_hop_text(forwarding, shares[i].next_hop, text),
            "packets", (json_int_t)shares[i].packets, "bytes", (json_int_t)shares[i].bytes, "flows",
            (json_int_t)shares[i].flows);
        if (shares[i].backend)
            json_object_set_new(member, "backend",
                                json_string(next_hop_text(forwarding, shares[i].backend, text)));
        json_array_append_new(list, member);
    }
    return list;
}

json_t *report_replay_json(const struct dp_forwarding *forwarding,
                           const struct dp_replay_report *report, const struct flow_share *shares,
                           size_t n, const struct flow_size sizes[FLOW_SIZES])
{
    const struct dp_counters *counters = &report->counters;
    json_t *dropped = json_object();
    for (unsigned i = 0; i < DP_REASON_COUNT; i++)
        if (counters->dropped[i])
            json_object_set_new(dropped, dp_reason_name(i),
                                json_integer((json_int_t)counters->dropped[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:f, s:f, s:o, s:o}", "received",
                     (json_int_t)counters->received, "forwarded", (json_int_t)counters->forwarded,
                     "answered", (json_int_t)counters->answered, "self_loop",
                     (json_int_t)counters->self_loop, "dropped", dropped, "seconds",
                     report->seconds, "mpps", mpps(report), "members",
                     members_json(forwarding, shares, n), "flow_sizes", flow_sizes_json(sizes));
}

/* --- Communities ------------------------------------------------------------------------------ */

json_t *report_communities_json(const struct bgp_attributes *attributes)
{
    static const enum bgp_community_kind kinds[] = {BGP_COMMUNITY, BGP_EXTENDED_COMMUNITY,
                                                    BGP_LARGE_COMMUNITY};
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (unsigned j = 0; j < bgp_community_count(attributes, kinds[i]); j++) {
            struct bgp_community community = bgp_community_at(attributes, kinds[i], j);
            char text[BGP_COMMUNITY_TEXT];
            json_array_append_new(list, json_string(bgp_community_format(&community, text)));
        }
    return list;
}

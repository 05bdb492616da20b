/*
 * fingerpost show: what a running engine does.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/ask.h"
#include "engine/cli/command.h"
#include "engine/cli/report.h"
#include "engine/cli/show.h"
#include "engine/cli/table.h"
#include "engine/live/report.h"

/* --- Control plane ---------------------------------------------------------------------------- */

static void print_peers(const json_t *answer)
{
    struct table table;
    size_t i;
    json_t *row;
    if (table_begin(&table, "Server|Peer|Address|>ASN|State|>Learned|>Advertised|Reason"))
        return;
    json_array_foreach(json_object_get(answer, "sessions"), i, row)
    {
        table_row(&table, "%s/%lld|%s|%s|%lld|%s|%lld|%lld|%s",
                  ask_text(row, json_object_get(row, "gateway") ? "gateway" : "route_server"),
                  ask_count(row, "instance"), ask_text(row, "peer"), ask_text(row, "address"),
                  ask_count(row, "asn"), ask_text(row, "state"), ask_count(row, "learned"),
                  ask_count(row, "advertised"), ask_text(row, "reason"));
    }
    table_end(&table, stdout, 0);
}

static void print_events(const json_t *answer)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(answer, "events"), i, row)
    {
        printf("%.3f  ", json_real_value(json_object_get(row, "time")));
        report_event(row);
    }
}

static void print_routes(const json_t *answer)
{
    struct table table;
    size_t i, j;
    json_t *row, *hop;
    if (table_begin(&table, "Source|State|Address Prefix|Next Hop Type|Next Hop IP"))
        return;
    json_array_foreach(json_object_get(answer, "value"), i, row)
    {
        const json_t *hops = json_object_get(row, "nextHopIpAddress");
        const char *prefix =
            json_string_value(json_array_get(json_object_get(row, "addressPrefix"), 0));
        if (json_array_size(hops) == 0)
            table_row(&table, "%s|%s|%s|%s|", ask_text(row, "source"), ask_text(row, "state"),
                      prefix ? prefix : "", ask_text(row, "nextHopType"));
        json_array_foreach(hops, j, hop)
        {
            table_row(&table, "%s|%s|%s|%s|%s", ask_text(row, "source"), ask_text(row, "state"),
                      prefix ? prefix : "", ask_text(row, "nextHopType"), json_string_value(hop));
        }
    }
    table_end(&table, stdout, 0);
}

static void print_session_rows(const json_t *answer)
{
    struct table table;
    const char *key;
    const json_t *rows;
    json_t *row;
    size_t i;
    if (table_begin(&table, "Instance|Network|Next Hop|AS path|Origin|Verdict"))
        return;
    json_object_foreach((json_t *)(uintptr_t)answer, key, rows)
    {
        json_array_foreach(rows, i, row)
        {
            table_row(&table, "%s|%s|%s|%s|%s|%s", key + strlen("RouteServiceRole_"),
                      ask_text(row, "network"), ask_text(row, "nextHop"), ask_text(row, "asPath"),
                      ask_text(row, "origin"), ask_text(row, "verdict"));
        }
    }
    table_end(&table, stdout, 0);
}

/* --- Command ---------------------------------------------------------------------------------- */

static void print_report(const json_t *answer)
{
    live_report_print(stdout, answer);
}

static const struct {
    const char *what;
    int arguments; /* with itself */
    void (*print)(const json_t *answer);
} documents[] = {
    {"report", 1, print_report},           {"peers", 1, print_peers},
    {"routes", 2, print_routes},           {"learned", 3, print_session_rows},
    {"advertised", 3, print_session_rows}, {"groups", 1, show_print_groups},
    {"ports", 1, show_print_ports},        {"counters", 1, show_print_counters},
    {"flow", 3, show_print_flow},          {"events", 1, print_events},
};
#define DOCUMENT_COUNT (sizeof(documents) / sizeof(documents[0]))

/* What is not known goes to the engine, which says what there is. */
static size_t find(const char *what)
{
    size_t i = 0;
    while (i < DOCUMENT_COUNT && strcmp(documents[i].what, what) != 0)
        i++;
    return i < DOCUMENT_COUNT ? i : 0;
}

/* Of a flow. NULL: not given. */
struct flow_options {
    const char *source, *protocol, *source_port, *destination_port, *inner;
};

/* A number, or the text as it is: the engine says what is wrong with it. */
static json_t *word(const char *text)
{
    char *end;
    unsigned long value = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (text && *text >= '0' && *text <= '9' && *end == '\0' && value <= INT32_MAX)
        return json_integer((json_int_t)value);
    return text ? json_string(text) : NULL;
}

/* "SOURCE,DESTINATION,PROTOCOL,SPORT,DPORT", as much of it as there is. */
static json_t *inner_of(const char *text)
{
    static const char *const keys[] = {"source", "destination", "protocol", "source_port",
                                       "destination_port"};
    json_t *inner = text ? json_pack("{s:s}", "protocol", "tcp") : NULL;
    char part[64];
    for (size_t i = 0; text && *text && i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t n = strcspn(text, ",");
        snprintf(part, sizeof(part), "%.*s", (int)(n < sizeof(part) ? n : sizeof(part)), text);
        json_object_set_new(inner, keys[i], word(part));
        text += n + (text[n] == ',');
    }
    return inner;
}

static json_t *flow_request(const char *const arguments[3], const struct flow_options *flow)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:o*, s:o*, s:o*, s:o*}", "command", "show",
                     "what", "flow", "nic", arguments[1], "destination", arguments[2], "source",
                     flow->source, "protocol", word(flow->protocol ? flow->protocol : "tcp"),
                     "source_port", word(flow->source_port), "destination_port",
                     word(flow->destination_port ? flow->destination_port : "443"), "inner",
                     inner_of(flow->inner));
}

/* Takes "what" and what follows it. */
static json_t *request_of(const char *const arguments[3], const char *group)
{
    bool of_peer = documents[find(arguments[0])].arguments == 3;
    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*}", "command", "show", "what", arguments[0],
                     "nic", of_peer ? NULL : arguments[1], "route_server",
                     of_peer ? arguments[1] : NULL, "peer", arguments[2], "group", group);
}

static int run_show(int argc, char **argv)
{
    const char *arguments[3] = {NULL, NULL, NULL}, *path = NULL, *group = NULL;
    struct flow_options flow = {0};
    bool json = false;
    const struct cli_option options[] = {{.name = "socket", .value = &path},
                                         {.name = "json", .flag = &json},
                                         {.name = "group", .value = &group},
                                         {.name = "source", .value = &flow.source},
                                         {.name = "proto", .value = &flow.protocol},
                                         {.name = "sport", .value = &flow.source_port},
                                         {.name = "dport", .value = &flow.destination_port},
                                         {.name = "inner", .value = &flow.inner},
                                         {0}};
    size_t document = find(argc > 1 ? argv[1] : "");
    int code =
        cli_arguments(&cli_show, argc, argv, options, arguments, documents[document].arguments);
    if (code >= 0)
        return code;
    bool is_flow = documents[document].print == show_print_flow;
    json_t *answer = cli_ask(
        &cli_show, path, is_flow ? flow_request(arguments, &flow) : request_of(arguments, group));
    if (!answer)
        return CLI_BAD_USE;
    if (json) {
        report_json(answer);
        return CLI_FINE;
    }
    documents[document].print(answer);
    json_decref(answer);
    return CLI_FINE;
}

const struct cli_command cli_show = {
    .name = "show",
    .summary =
        "Show what a running engine does: its report, its peers, its groups, its last events",
    .usage = "show report|peers|groups|ports|counters|events|routes NIC|learned RS PEER|\n"
             "                       advertised RS PEER|flow NIC DST [--socket PATH] [--json]",
    .help =
        "  report          sessions, counters, ports, groups: the document of docs/live.md\n"
        "  peers           BGP sessions only\n"
        "  routes NIC      its effective routes, as 'fingerpost routes' has them of the twin\n"
        "  learned RS PEER     what a peer announced to a route server or gateway, as 'fingerpost "
        "learned'\n"
        "  advertised RS PEER  what it was sent\n"
        "  groups          next-hop groups: members, who is in and why not, buckets, packets\n"
        "  ports           ports and their queues\n"
        "  counters        packets of NICs, of members of groups, of queues; drops by reason\n"
        "  flow NIC DST    why a flow goes where it goes: route, group, hash, bucket, member; by\n"
        "                  the packet path's own decision\n"
        "  events          the last 100 events (engine.events in the fabric file)\n\n"
        "  --group G       of 'groups': this number, or load balancer, only\n"
        "  --source A      of 'flow': source address (default: the NIC's own)\n"
        "  --proto P       of 'flow': tcp (default), udp, sctp, icmp or a number up to 255\n"
        "  --sport N       of 'flow': source port (default 0), or identifier of an echo request\n"
        "  --dport N       of 'flow': destination port (default 443)\n"
        "  --inner SRC,DST[,P[,SPORT[,DPORT]]]\n"
        "                  of 'flow': what a VXLAN packet (--proto udp --dport 4789) carries\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n"
        "  --json          the same as one JSON document\n\n"
        "Example: sudo fingerpost show peers --socket /run/fingerpost.sock\n",
    .run = run_show,
};

/*
 * fingerpost trace: the ways of a packet through the converged twin, there and back.
 *
 * ECMP spreads flows by a hash of their addresses and ports. So, unless the user names the source
 * port, many flows that differ in it are walked, and those that went alike are one path with a share.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/report.h"
#include "engine/cli/twin.h"
#include "engine/sim/path.h"

#define FLOWS          4096u
#define PORT_FIRST     1024u
#define PORT_STEP      15u /* FLOWS steps end below 65,536 */
#define TTL            64u
#define PATHS_MOST     4096u
#define NUMBER_MOST    65535u
#define PROTOCOL_MOST  255u
#define NO_SOURCE_PORT UINT32_MAX

/* Paths of one direction, each with the number of flows that took it. */
struct paths {
    struct path *items;
    unsigned *flows;
    size_t n;
    unsigned total;
};

struct tracing {
    struct twin twin;
    struct path_finder *finder;
    uint32_t from;
    struct path_flow flow;
    uint32_t source_port; /* NO_SOURCE_PORT: many */
    struct paths out, back;
    bool symmetric;
};

/* --- Arguments ---------------------------------------------------------------------------------- */

static bool parse_number(const char *text, unsigned long most, unsigned long *number)
{
    char *rest;
    errno = 0;
    *number = strtoul(text, &rest, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *rest == '\0' && *number <= most;
}

static bool parse_protocol(const char *text, uint8_t family, uint8_t *protocol)
{
    static const struct {
        const char *name;
        uint8_t number;
    } known[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};
    unsigned long number;
    *protocol = family == LPM_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    if (strcmp(text, "icmp") == 0)
        return true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        *protocol = known[i].number;
        if (strcmp(text, known[i].name) == 0)
            return true;
    }
    if (!parse_number(text, PROTOCOL_MOST, &number))
        return false;
    *protocol = (uint8_t)number;
    return true;
}

/* Places that have address: how many, and the last of them. VNets may use the same space. */
static unsigned places_with(const struct fabric *fabric, const struct lpm_address *address,
                            uint32_t *place)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        const struct fabric_addresses *own = &fabric->nics[i].addresses;
        for (uint32_t j = 0; j < own->n; j++)
            if (lpm_address_equal(&own->items[j], address)) {
                *place = i;
                n++;
            }
    }
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].host_count; j++)
            if (lpm_address_equal(&fabric->routers[i].hosts[j].address, address)) {
                *place = place_of_host(fabric, i, j);
                n++;
            }
    return n;
}

/* SRC or DST: a NIC or host, whose address is chosen later, or an address. */
struct end {
    uint32_t place;             /* FABRIC_NONE: nothing has that name */
    struct lpm_address address; /* family 0: the place's, of a family that both have */
};

static bool read_end(const struct fabric *fabric, const char *text, struct end *end)
{
    *end = (struct end){.place = place_find(fabric, text)};
    if (end->place != FABRIC_NONE)
        return true;
    return lpm_address_parse(text, &end->address) == 0;
}

static int read_source(struct tracing *tracing, const char *text, struct end *end)
{
    const struct fabric *fabric = tracing->twin.fabric;
    if (!read_end(fabric, text, end))
        return twin_find_nic(&cli_trace, fabric, text) == FABRIC_NONE ? CLI_BAD_USE : 0;
    if (end->place != FABRIC_NONE)
        return 0;
    switch (places_with(fabric, &end->address, &end->place)) {
    case 0:
        return cli_error(
            &cli_trace, "no NIC and no host has the address %s, so nothing can send from it", text);
    case 1:
        return 0;
    default:
        return cli_error(
            &cli_trace, "several NICs or hosts have the address %s: name the one that sends", text);
    }
}

/* Addresses of one family for both ends: that of the one that was given, else IPv4 before IPv6. */
static int choose_addresses(struct tracing *tracing, const struct end *from, const struct end *to)
{
    static const uint8_t families[] = {LPM_IPV4, LPM_IPV6};
    const struct fabric *fabric = tracing->twin.fabric;
    for (unsigned i = 0; i < 2; i++) {
        struct lpm_address source = from->address, destination = to->address;
        if (!source.family)
            source = place_address(fabric, from->place, families[i]);
        if (!destination.family)
            destination = place_address(fabric, to->place, families[i]);
        if (source.family != families[i] || destination.family != families[i])
            continue;
        tracing->flow.source = source;
        tracing->flow.destination = destination;
        return 0;
    }
    return cli_error(&cli_trace, "source and destination have no address family in common");
}

static int read_ends(struct tracing *tracing, const char *source, const char *destination)
{
    struct end from, to;
    int code = read_source(tracing, source, &from);
    if (code)
        return code;
    if (!read_end(tracing->twin.fabric, destination, &to))
        return cli_error(&cli_trace, "'%s' is neither a NIC or host of the fabric nor an address",
                         destination);
    tracing->from = from.place;
    return choose_addresses(tracing, &from, &to);
}

static int read_flow(struct tracing *tracing, const char *protocol, const char *source_port,
                     const char *destination_port)
{
    unsigned long number;
    if (!parse_protocol(protocol, tracing->flow.source.family, &tracing->flow.protocol))
        return cli_error(&cli_trace, "--proto %s: tcp, udp, sctp, icmp or a number up to 255",
                         protocol);
    if (!parse_number(destination_port, NUMBER_MOST, &number))
        return cli_error(&cli_trace, "--dport %s: a number up to 65535", destination_port);
    tracing->flow.destination_port = (uint16_t)number;
    tracing->source_port = NO_SOURCE_PORT;
    if (!source_port)
        return 0;
    if (!parse_number(source_port, NUMBER_MOST, &number))
        return cli_error(&cli_trace, "--sport %s: a number up to 65535", source_port);
    tracing->source_port = (uint32_t)number;
    return 0;
}

/* --- Walking ------------------------------------------------------------------------------------ */

static int paths_init(struct paths *paths)
{
    paths->items = calloc(PATHS_MOST, sizeof(*paths->items));
    paths->flows = calloc(PATHS_MOST, sizeof(*paths->flows));
    return paths->items && paths->flows ? 0 : -ENOMEM;
}

static void paths_free(struct paths *paths)
{
    free(paths->items);
    free(paths->flows);
}

/* There are at most as many paths as flows, hence room for all. */
static void paths_add(struct paths *paths, const struct path *path)
{
    size_t at = 0;
    while (at < paths->n && !path_equal(&paths->items[at], path))
        at++;
    if (at == paths->n)
        paths->items[paths->n++] = *path;
    paths->flows[at]++;
    paths->total++;
}

/* The answer to what arrived, as the receiver sees who sent it. */
static struct path_flow answer_to(const struct path_flow *flow,
                                  const struct path_sessions *sessions)
{
    return (struct path_flow){
        .source = sessions->destination,
        .destination = sessions->source,
        .protocol = flow->protocol,
        .source_port = flow->destination_port,
        .destination_port = flow->source_port,
        .ttl = TTL,
    };
}

static int walk_flow(struct tracing *tracing, const struct path_flow *flow)
{
    struct path_sessions sessions, back_sessions;
    struct path out, back;
    int error = path_walk(tracing->finder, tracing->from, flow, NULL, &sessions, &out);
    if (error)
        return error;
    paths_add(&tracing->out, &out);
    if (out.verdict != PATH_DELIVERED || out.end == PATH_INTERNET)
        return 0;
    const struct path_flow answer = answer_to(flow, &sessions);
    error = path_walk(tracing->finder, out.end, &answer, &sessions, &back_sessions, &back);
    if (error)
        return error;
    paths_add(&tracing->back, &back);
    if (!path_mirrors(&sessions, &back_sessions))
        tracing->symmetric = false;
    return 0;
}

static int walk_all(struct tracing *tracing)
{
    struct path_flow flow = tracing->flow;
    unsigned n = tracing->source_port == NO_SOURCE_PORT ? FLOWS : 1;
    int error = paths_init(&tracing->out);
    if (!error)
        error = paths_init(&tracing->back);
    tracing->symmetric = true;
    for (unsigned i = 0; i < n && !error; i++) {
        flow.source_port = (uint16_t)(n == 1 ? tracing->source_port : PORT_FIRST + i * PORT_STEP);
        error = walk_flow(tracing, &flow);
    }
    return error;
}

/* --- Names -------------------------------------------------------------------------------------- */

static const char *nic_name(const struct fabric *fabric, uint32_t nic)
{
    return nic < fabric->nics_count ? fabric->nics[nic].name : NULL;
}

/* --- As JSON ------------------------------------------------------------------------------------ */

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static const char *matched(const struct path_hop *hop, char text[LPM_PREFIX_TEXT])
{
    const struct lpm_prefix *prefix = hop->row ? &hop->row->prefix : &hop->prefix;
    return prefix->family ? lpm_prefix_format(prefix, text) : NULL;
}

static const char *source_of(const struct path_hop *hop)
{
    if (hop->row)
        return fabric_source_text(hop->row->source);
    return hop->prefix.family ? guest_source_text(hop->source) : NULL;
}

static json_t *hop_json(const struct fabric *fabric, const struct path_hop *hop)
{
    char prefix[LPM_PREFIX_TEXT], next_hop[LPM_ADDRESS_TEXT];
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "node", place_name(fabric, hop->place), "nic",
        text_or_null(nic_name(fabric, hop->nic)), "matched", text_or_null(matched(hop, prefix)),
        "source", text_or_null(source_of(hop)), "next_hop_type",
        text_or_null(hop->row ? fabric_next_hop_type_text(hop->row->type) : NULL), "next_hop",
        text_or_null(hop->next_hop.family ? lpm_address_format(&hop->next_hop, next_hop) : NULL),
        "tunnel",
        text_or_null(hop->tunnel == FABRIC_NONE ? NULL : fabric->tunnels[hop->tunnel].name));
    if (hop->backend)
        json_object_set_new(object, "backend", json_string(hop->backend->name));
    return object;
}

/* Where it ended is a hop too, that matched nothing. */
static json_t *end_json(const struct fabric *fabric, uint32_t end)
{
    return json_pack("{s:s, s:o, s:n, s:n, s:n, s:n, s:n}", "node", place_name(fabric, end), "nic",
                     text_or_null(nic_name(fabric, end)), "matched", "source", "next_hop_type",
                     "next_hop", "tunnel");
}

/* What a tunnel's outer packets do stands within the hop that sends into the tunnel. */
static json_t *hops_json(const struct fabric *fabric, const struct path *path)
{
    json_t *hops = json_array(), *last = NULL;
    for (unsigned i = 0; i < path->hop_count; i++) {
        json_t *hop = hop_json(fabric, &path->hops[i]);
        if (path->hops[i].depth == 0 || !last) {
            json_array_append_new(hops, hop);
            last = hop;
            continue;
        }
        if (!json_object_get(last, "underlay"))
            json_object_set_new(last, "underlay", json_array());
        json_array_append_new(json_object_get(last, "underlay"), hop);
    }
    if (path->end != FABRIC_NONE)
        json_array_append_new(hops, end_json(fabric, path->end));
    return hops;
}

static json_t *path_json(const struct fabric *fabric, const struct paths *paths, size_t i)
{
    const struct path *path = &paths->items[i];
    char source[LPM_ADDRESS_TEXT];
    return json_pack("{s:f, s:s, s:o, s:i, s:s, s:o}", "share",
                     (double)paths->flows[i] / (double)paths->total, "verdict",
                     path_verdict_text(path->verdict), "reason", text_or_null(path->reason), "ttl",
                     (int)path->ttl, "source_at_end", lpm_address_format(&path->source, source),
                     "hops", hops_json(fabric, path));
}

static json_t *paths_json(const struct fabric *fabric, const struct paths *paths)
{
    json_t *list = json_array();
    for (size_t i = 0; i < paths->n; i++)
        json_array_append_new(list, path_json(fabric, paths, i));
    return list;
}

/* Where nothing comes back, as from the internet, there is no saying whether it would mirror. */
static void show_json(const struct tracing *tracing)
{
    const struct fabric *fabric = tracing->twin.fabric;
    json_t *document = json_pack("{s:o}", "paths", paths_json(fabric, &tracing->out));
    json_object_set_new(document, "reverse",
                        tracing->back.n
                            ? json_pack("{s:o}", "paths", paths_json(fabric, &tracing->back))
                            : json_null());
    json_object_set_new(document, "symmetric",
                        tracing->back.n ? json_boolean(tracing->symmetric) : json_null());
    report_json(document);
}

/* --- As text ------------------------------------------------------------------------------------ */

static void show_hop(const struct fabric *fabric, const struct path_hop *hop)
{
    char prefix[LPM_PREFIX_TEXT], next_hop[LPM_ADDRESS_TEXT];
    const char *by = matched(hop, prefix);
    printf("    %*s%s", (int)(2 * hop->depth), "", place_name(fabric, hop->place));
    if (by)
        printf("  by %s %s", by, source_of(hop));
    if (hop->row)
        printf(" %s", fabric_next_hop_type_text(hop->row->type));
    if (hop->next_hop.family)
        printf(" to %s", lpm_address_format(&hop->next_hop, next_hop));
    if (hop->backend)
        printf(" (backend %s)", hop->backend->name);
    if (hop->tunnel != FABRIC_NONE)
        printf(" in tunnel %s, whose packets go by", fabric->tunnels[hop->tunnel].name);
    putchar('\n');
}

static void show_path(const struct fabric *fabric, const struct path *path,
                      const struct lpm_address *source)
{
    char text[LPM_ADDRESS_TEXT];
    for (unsigned hop = 0; hop < path->hop_count; hop++)
        show_hop(fabric, &path->hops[hop]);
    if (path->end != FABRIC_NONE)
        printf("    %s", place_name(fabric, path->end));
    if (path->end != FABRIC_NONE && !lpm_address_equal(source, &path->source))
        printf(", which sees %s", lpm_address_format(&path->source, text));
    if (path->end != FABRIC_NONE)
        putchar('\n');
}

static void show_paths(const struct fabric *fabric, const struct paths *paths,
                       const struct lpm_address *source)
{
    for (size_t i = 0; i < paths->n; i++) {
        const struct path *path = &paths->items[i];
        printf("  %.1f %% %s", 100.0 * (double)paths->flows[i] / (double)paths->total,
               path_verdict_text(path->verdict));
        if (path->reason)
            printf(": %s", path->reason);
        printf(path->verdict == PATH_LOOP ? " until the TTL is used up\n" : ", TTL %u\n",
               (unsigned)path->ttl);
        show_path(fabric, path, source);
    }
}

static void show_text(const struct tracing *tracing)
{
    const struct fabric *fabric = tracing->twin.fabric;
    char source[LPM_ADDRESS_TEXT], destination[LPM_ADDRESS_TEXT];
    printf("%s to %s\n", lpm_address_format(&tracing->flow.source, source),
           lpm_address_format(&tracing->flow.destination, destination));
    show_paths(fabric, &tracing->out, &tracing->flow.source);
    if (!tracing->back.n)
        return;
    printf("and back\n");
    show_paths(fabric, &tracing->back, &tracing->flow.destination);
    printf(tracing->symmetric ? "Both directions pass the same routers.\n"
                              : "Asymmetric: some flows come back through other routers.\n");
}

/* --- The command -------------------------------------------------------------------------------- */

static bool all_delivered(const struct paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        if (paths->items[i].verdict != PATH_DELIVERED)
            return false;
    return true;
}

static int trace(struct tracing *tracing, bool json)
{
    int error;
    tracing->finder =
        path_finder_create(tracing->twin.fabric, tracing->twin.sim, tracing->twin.forwarding);
    error = tracing->finder ? walk_all(tracing) : -ENOMEM;
    if (error)
        return cli_error(&cli_trace, "%s", strerror(-error));
    if (json)
        show_json(tracing);
    else
        show_text(tracing);
    return all_delivered(&tracing->out) && all_delivered(&tracing->back) ? CLI_FINE : CLI_FOUND;
}

static int run(int argc, char **argv)
{
    const char *arguments[3], *protocol = "tcp", *source_port = NULL, *destination_port = "443";
    bool json = false;
    const struct cli_option options[] = {{.name = "proto", .value = &protocol},
                                         {.name = "sport", .value = &source_port},
                                         {.name = "dport", .value = &destination_port},
                                         {.name = "json", .flag = &json},
                                         {0}};
    int code = cli_arguments(&cli_trace, argc, argv, options, arguments, 3);
    if (code >= 0)
        return code;
    struct tracing tracing = {.flow = {.ttl = TTL}};
    code = twin_open(&cli_trace, arguments[0], &tracing.twin);
    if (code)
        return code;
    code = read_ends(&tracing, arguments[1], arguments[2]);
    if (!code)
        code = read_flow(&tracing, protocol, source_port, destination_port);
    if (!code)
        code = trace(&tracing, json);
    paths_free(&tracing.out);
    paths_free(&tracing.back);
    path_finder_free(tracing.finder);
    twin_close(&tracing.twin);
    return code;
}

const struct cli_command cli_trace = {
    .name = "trace",
    .summary = "Show every way of a packet through the fabric, there and back",
    .usage = "trace FABRIC SRC DST [--proto P] [--sport N] [--dport N] [--json]",
    .help =
        "FABRIC   a fabric file, or a directory of them\n"
        "SRC      a NIC of it, or an address that a NIC has\n"
        "DST      a NIC of it, or any address\n\n"
        "  --proto P   tcp (the default), udp, sctp, icmp or a protocol number\n"
        "  --sport N   this source port; without it, 4,096 flows that differ in it, put together\n"
        "              where they go alike, with their share\n"
        "  --dport N   destination port, 443 unless it is given\n"
        "  --json      the same as one JSON document\n\n"
        "The fabric is run in the twin until BGP has converged; each hop is the decision that the\n"
        "data plane makes at that NIC, and the effective route that it went by. Modelled routers\n"
        "send on by their own forwarding: TTL, source_nat, stateful. A NIC that may forward and\n"
        "has no router in the file is taken to send back what it gets.\n\n"
        "Exit code: 0 when all flows arrive and come back, 1 when some are dropped or loop.\n\n"
        "Example: fingerpost trace docs/examples/hub-spoke.yaml vm1 vm2\n",
    .run = run,
};

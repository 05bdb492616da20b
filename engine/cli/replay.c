/*
 * fingerpost replay: forwards a trace by the FIB of one NIC, through the real data plane.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/failing.h"
#include "engine/cli/host.h"
#include "engine/cli/report.h"
#include "engine/cli/senders.h"
#include "engine/cli/source.h"
#include "engine/cli/twin.h"
#include "engine/fabric/placement.h"

struct replaying {
    const char *nic, *map, *host, *in, *out, *rounds, *rate, *router, *at, *how;
    bool source_check, json;
};

static int parse_rounds(const char *text, uint64_t *rounds)
{
    char *end;
    errno = 0;
    *rounds = strtoull(text, &end, 10);
    if (errno || *end != '\0' || *text < '0' || *text > '9' || *rounds == 0 || *rounds > UINT32_MAX)
        return cli_error(&cli_replay, "--loop: '%s' is not a number from 1 to %u", text,
                         UINT32_MAX);
    return 0;
}

/* "recorded", or packets a second: 5000, 250k, 1.5M. */
static int parse_rate(const char *text, struct dp_replay_config *config)
{
    char *end;
    config->as_recorded = strcmp(text, "recorded") == 0;
    if (config->as_recorded)
        return 0;
    double rate = *text >= '0' && *text <= '9' ? strtod(text, &end) : 0;
    if (rate > 0 && (*end == 'k' || *end == 'M'))
        rate *= *end++ == 'k' ? 1e3 : 1e6;
    if (!(rate >= 0.001 && rate <= 1e10) || *end != '\0')
        return cli_error(
            &cli_replay,
            "--rate: '%s' is not recorded, nor packets a second such as 5000, 250k or 1.5M", text);
    config->packets_per_second = rate;
    return 0;
}

static int parse_pace(const struct replaying *replaying, struct dp_replay_config *config)
{
    int code = replaying->rounds ? parse_rounds(replaying->rounds, &config->rounds) : 0;
    if (code == 0 && replaying->rate)
        code = parse_rate(replaying->rate, config);
    return code;
}

static int parse_packet(const char *text, uint64_t *packet)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end != '\0' || *text == '-' || *text == '\0')
        return cli_error(&cli_replay, "--fail-at: '%s' is not a packet number such as 5000", text);
    *packet = value;
    return 0;
}

static void print_moves(const struct failing *failing, const struct dp_replay_report *report)
{
    uint32_t lost[FAILING_NEXT_HOPS];
    struct flow_moves moves;
    if (flow_moves(report->records, report->record_count, report->split, lost,
                   failing_next_hops(failing, lost), &moves))
        return;
    printf("  %s failed before packet %llu; converged in %llu ms of virtual time\n"
           "  %llu flows seen on both sides, %llu moved, %llu of them needlessly\n",
           failing->twin->fabric->routers[failing->router].name,
           (unsigned long long)failing->at_packet, (unsigned long long)failing->converged_ms,
           (unsigned long long)moves.seen, (unsigned long long)moves.moved,
           (unsigned long long)moves.moved_needlessly);
}

static int print_report(const struct replaying *replaying, const struct failing *failing,
                        const struct dp_replay_report *report)
{
    const struct dp_forwarding *forwarding = failing->twin->forwarding;
    struct flow_size sizes[FLOW_SIZES];
    struct flow_share *shares;
    size_t n;
    int error = flow_sizes(report->records, report->record_count, sizes);
    if (!error)
        error = flow_shares(report->records, report->record_count, &shares, &n);
    if (error)
        return cli_error(&cli_replay, "%s", strerror(-error));
    if (replaying->json) {
        report_json(report_replay_json(forwarding, report, shares, n, sizes));
    } else {
        report_counters(report, 2);
        report_members(forwarding, shares, n, 2);
        report_flow_sizes(sizes, 2);
        if (failing->failed)
            print_moves(failing, report);
    }
    free(shares);
    return CLI_FINE;
}

static int plan_failure(const struct replaying *replaying, struct failing *failing)
{
    if (!replaying->router && (replaying->at || replaying->how))
        return cli_error(&cli_replay, "--fail-at and --fail-how say when and how, --fail must say "
                                      "who");
    if (!replaying->router)
        return 0;
    failing->router = failing_find_router(&cli_replay, failing->twin->fabric, replaying->router);
    if (failing->router == FABRIC_NONE)
        return CLI_BAD_USE;
    if (!failing_parse(replaying->how ? replaying->how : "kill", &failing->failure))
        return cli_error(&cli_replay, "--fail-how: '%s' is not kill, stop or silence",
                         replaying->how);
    return parse_packet(replaying->at ? replaying->at : "0", &failing->at_packet);
}

/* Who sends: the map, and the NIC for what it does not cover. */
static int plan_senders(const struct replaying *replaying, struct twin *twin,
                        struct senders *senders, struct dp_replay_config *config)
{
    if (replaying->nic) {
        uint32_t nic = twin_find_nic(&cli_replay, twin->fabric, replaying->nic);
        if (nic == FABRIC_NONE)
            return CLI_BAD_USE;
        config->nic = program_nic_id(controller_program(sim_controller(twin->sim)), nic);
    }
    if (!replaying->map)
        return 0;
    int code = senders_load(&cli_replay, twin, replaying->map, senders);
    config->senders4 = senders->fib4;
    config->senders6 = senders->fib6;
    return code;
}

static int replay(const struct replaying *replaying, struct twin *twin)
{
    struct failing failing = {.command = &cli_replay, .twin = twin, .router = FABRIC_NONE};
    struct dp_replay_config config = {
        .in = replaying->in, .out = replaying->out, .source_check = replaying->source_check};
    struct dp_replay_report report = {0};
    struct senders senders = {0};
    int code = plan_failure(replaying, &failing);
    if (code == 0)
        code = parse_pace(replaying, &config);
    if (code == 0)
        code = plan_senders(replaying, twin, &senders, &config);
    if (code == 0)
        code = failing_replay(&failing, &config, &report);
    if (code == 0 && replaying->router && !failing.failed)
        code = cli_error(&cli_replay, "%s was not failed: the trace ends before packet %llu",
                         replaying->router, (unsigned long long)failing.at_packet);
    if (code == 0)
        code = print_report(replaying, &failing, &report);
    free(report.records);
    senders_release(&senders);
    return code;
}

/* Which host sends: as told, else the NIC's own. Without either all are in one, and nothing leaves in a
 * tunnel. */
static int choose_host(const struct replaying *replaying, struct fabric *fabric)
{
    struct fabric_placement placement;
    uint32_t nic = replaying->nic ? fabric_find_nic(fabric, replaying->nic) : FABRIC_NONE;
    if (replaying->host)
        return cli_stand_on(&cli_replay, fabric, replaying->host);
    if (nic == FABRIC_NONE || fabric->hosts_count == 0)
        return CLI_FINE;
    if (fabric_placement_open(&placement, fabric))
        return cli_error(&cli_replay, "%s", strerror(ENOMEM));
    fabric_stand_on(fabric, fabric_placement_nic_host(&placement, nic));
    fabric_placement_close(&placement);
    return CLI_FINE;
}

static int open_twin(const struct replaying *replaying, const char *path, struct twin *twin)
{
    struct fabric *fabric = source_load_or_say(path);
    if (!fabric)
        return CLI_BAD_USE;
    int code = choose_host(replaying, fabric);
    if (code) {
        fabric_free(fabric);
        return code;
    }
    return twin_raise(&cli_replay, fabric, twin);
}

static int run(int argc, char **argv)
{
    const char *path;
    struct replaying replaying = {0};
    const struct cli_option options[] = {{.name = "nic", .value = &replaying.nic},
                                         {.name = "map", .value = &replaying.map},
                                         {.name = "host", .value = &replaying.host},
                                         {.name = "in", .value = &replaying.in},
                                         {.name = "out", .value = &replaying.out},
                                         {.name = "source-check", .flag = &replaying.source_check},
                                         {.name = "loop", .value = &replaying.rounds},
                                         {.name = "rate", .value = &replaying.rate},
                                         {.name = "fail", .value = &replaying.router},
                                         {.name = "fail-at", .value = &replaying.at},
                                         {.name = "fail-how", .value = &replaying.how},
                                         {.name = "json", .flag = &replaying.json},
                                         {0}};
    int code = cli_arguments(&cli_replay, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if ((!replaying.nic && !replaying.map) || !replaying.in)
        return cli_error(&cli_replay,
                         "--in FILE and --nic NIC (or --map FILE) are needed; usage: fingerpost %s",
                         cli_replay.usage);
    struct twin twin;
    code = open_twin(&replaying, path, &twin);
    if (code)
        return code;
    code = replay(&replaying, &twin);
    twin_close(&twin);
    return code;
}

const struct cli_command cli_replay = {
    .name = "replay",
    .summary = "Forward a packet trace by the FIB of a NIC, and report",
    .usage = "replay FABRIC --nic NIC --in FILE [--out FILE] [--map FILE] [--source-check]\n"
             "                  [--host NAME] [--loop N] [--rate RATE]\n"
             "                  [--fail ROUTER [--fail-at N] [--fail-how HOW]] [--json]",
    .help =
        "FABRIC   a fabric file, or a directory of them\n\n"
        "  --nic NIC        whose packets the trace holds: every frame counts as sent by it,\n"
        "                   whatever its MACs, VLAN tags or source address\n"
        "  --map FILE       who sent a frame, by its source address: lines of PREFIX NIC, the\n"
        "                   longest prefix wins; what none covers was sent by --nic\n"
        "  --host NAME      on which host the packets are sent (default: that of --nic); what "
        "goes\n"
        "                   to NICs of others leaves in VXLAN\n"
        "  --in FILE        pcap or pcapng of Ethernet frames\n"
        "  --out FILE       pcap of what is forwarded, in order, as it would leave\n"
        "  --source-check   drop packets whose source is not the NIC's own\n"
        "  --loop N         the trace N times over (default 1)\n"
        "  --rate RATE      packets a second, such as 5000, 250k or 1.5M; or 'recorded': as far\n"
        "                   apart as they were captured (default: as fast as possible)\n"
        "  --fail ROUTER    fail this modelled router ...\n"
        "  --fail-at N      ... just before packet number N, from 0, of all loops (default 0)\n"
        "  --fail-how HOW   kill: its daemon dies and its kernel closes the sessions (default);\n"
        "                   stop: the daemon takes its leave; silence: nothing gets through to it\n"
        "                   or from it, which BFD or else the hold time notices\n"
        "  --json           the report as one JSON document\n\n"
        "The fabric is run in the twin until BGP has converged; no port of the file is opened.\n"
        "received = forwarded + answered + every drop reason. Two runs give equal files but for\n"
        "the time stamps. A frame that its capture cut is written as short as it came, with the\n"
        "length that it would have; bytes are counted as on the wire.\n\n"
        "Example: fingerpost replay docs/examples/hub-spoke.yaml --nic vm1 --in a.pcap --out "
        "b.pcap\n",
    .run = run,
};

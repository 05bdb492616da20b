/*
 * fingerpost demo: the main job in one go. A fabric converges in the twin, a generated trace is
 * forwarded by the FIB of one of its VMs through the DPDK pcap device, an NVA is killed half way,
 * and what happened is shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cli/command.h"
#include "engine/cli/failing.h"
#include "engine/cli/report.h"
#include "engine/cli/trace.h"
#include "engine/cli/twin.h"

#define DEMO_FLOWS   4000u
#define DEMO_PACKETS 60000u
#define DEMO_SEED    1u

struct demo {
    const char *path;
    struct twin twin;
    uint32_t nic;
    struct fabric_row *rows;
    size_t row_count;
    struct failing failing;
    struct dp_replay_report report;
    char folder[64], in[96], out[96];
};

static void step(const char *text)
{
    static unsigned number;
    printf("\n%u. %s\n\n", ++number, text);
    fflush(stdout);
}

/* --- Choosing --------------------------------------------------------------------------------- */

static int read_rows(struct demo *demo)
{
    struct fabric_scope scope = fabric_scope_of(demo->twin.fabric, demo->nic);
    free(demo->rows);
    demo->rows = NULL;
    return fabric_rows(demo->twin.fabric, controller_bgp(sim_controller(demo->twin.sim)), &scope,
                       &demo->rows, &demo->row_count);
}

/* The first Active BGP row with several next hops. */
static const struct fabric_row *shared_row(const struct demo *demo)
{
    for (size_t i = 0; i < demo->row_count; i++)
        if (demo->rows[i].active && demo->rows[i].source == FABRIC_SOURCE_BGP &&
            demo->rows[i].next_hop_count > 1)
            return &demo->rows[i];
    return NULL;
}

/* A VM (no router's NIC), in a spoke rather than beside the route server, whose routes are shared
 * among NVAs. */
static int choose_nic(struct demo *demo)
{
    const struct fabric *fabric = demo->twin.fabric;
    uint32_t chosen = FABRIC_NONE;
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        demo->nic = i;
        if (fabric->nics[i].router != FABRIC_NONE || read_rows(demo) || !shared_row(demo))
            continue;
        bool spoke = fabric->vnets[fabric->nics[i].vnet].route_server == FABRIC_NONE;
        if (chosen == FABRIC_NONE || spoke)
            chosen = i;
        if (spoke)
            break;
    }
    if (chosen == FABRIC_NONE)
        return cli_error(&cli_demo,
                         "%s: no VM has a BGP route with several next hops; try "
                         "docs/examples/hub-spoke.yaml",
                         demo->path);
    demo->nic = chosen;
    return read_rows(demo) ? cli_error(&cli_demo, "out of memory") : 0;
}

/* The router behind the first next hop of the shared route. */
static int choose_router(struct demo *demo)
{
    const struct fabric *fabric = demo->twin.fabric;
    const struct fabric_row *row = shared_row(demo);
    demo->failing = (struct failing){.command = &cli_demo,
                                     .twin = &demo->twin,
                                     .router = FABRIC_NONE,
                                     .failure = SIM_KILL,
                                     .at_packet = DEMO_PACKETS / 2};
    uint32_t nic = fabric_resolve_address(fabric, fabric->nics[demo->nic].vnet, &row->next_hops[0]);
    if (nic != FABRIC_NONE)
        demo->failing.router = fabric->nics[nic].router;
    if (demo->failing.router == FABRIC_NONE)
        return cli_error(&cli_demo, "%s: no modelled router stands behind the first next hop",
                         demo->path);
    return 0;
}

/* --- Running ---------------------------------------------------------------------------------- */

static int make_trace(struct demo *demo)
{
    snprintf(demo->folder, sizeof(demo->folder), "/tmp/fingerpost-demo-XXXXXX");
    if (!mkdtemp(demo->folder)) {
        demo->folder[0] = '\0';
        return cli_error(&cli_demo, "no folder in /tmp: %s", strerror(errno));
    }
    snprintf(demo->in, sizeof(demo->in), "%s/in.pcap", demo->folder);
    snprintf(demo->out, sizeof(demo->out), "%s/out.pcap", demo->folder);
    struct trace_request request = {.fabric = demo->twin.fabric,
                                    .nic = demo->nic,
                                    .rows = demo->rows,
                                    .row_count = demo->row_count,
                                    .flows = DEMO_FLOWS,
                                    .packets = DEMO_PACKETS,
                                    .seed = DEMO_SEED};
    int error = trace_write(&request, demo->in);
    return error ? cli_error(&cli_demo, "%s: %s", demo->in, strerror(-error)) : 0;
}

static int forward(struct demo *demo)
{
    struct dp_replay_config config = {
        .nic = program_nic_id(controller_program(sim_controller(demo->twin.sim)), demo->nic),
        .in = demo->in,
        .out = demo->out,
        .source_check = true,
    };
    return failing_replay(&demo->failing, &config, &demo->report);
}

static int print_shares(const struct demo *demo, const char *title, size_t from, size_t to)
{
    struct flow_share *shares;
    size_t n;
    if (flow_shares(demo->report.records + from, to - from, &shares, &n))
        return cli_error(&cli_demo, "out of memory");
    printf("   %s\n", title);
    report_members(demo->twin.forwarding, shares, n, 5);
    free(shares);
    return 0;
}

/* Returns the exit code: a flow that moved needlessly is a failure of what is shown here. */
static int print_outcome(const struct demo *demo)
{
    const struct dp_counters *counters = &demo->report.counters;
    uint32_t lost[FAILING_NEXT_HOPS];
    struct flow_moves moves;
    uint64_t accounted = counters->forwarded + counters->answered;
    for (unsigned i = 0; i < DP_REASON_COUNT; i++)
        accounted += counters->dropped[i];
    report_counters(&demo->report, 3);
    printf("   received = forwarded + answered + dropped: %" PRIu64 " = %" PRIu64 "\n\n",
           counters->received, accounted);
    if (print_shares(demo, "before the failure", 0, demo->failing.at_packet) ||
        print_shares(demo, "after it", demo->failing.at_packet, counters->received) ||
        flow_moves(demo->report.records, demo->report.record_count, demo->report.split, lost,
                   failing_next_hops(&demo->failing, lost), &moves))
        return CLI_BAD_USE;
    printf("\n   %" PRIu64 " flows went through an NVA on both sides of the failure, %" PRIu64
           " of them moved\n   flows moved that need not have moved: %" PRIu64 "\n",
           moves.seen, moves.moved, moves.moved_needlessly);
    return accounted == counters->received && moves.moved_needlessly == 0 && demo->failing.failed
               ? CLI_FINE
               : CLI_FOUND;
}

static void print_next(const struct demo *demo)
{
    const char *nic = demo->twin.fabric->nics[demo->nic].name;
    step("Try next");
    printf("   build/fingerpost routes %s %s --explain 0.0.0.0/0\n", demo->path, nic);
    printf("   build/fingerpost check %s\n", demo->path);
    printf("   build/fingerpost replay %s --nic %s --in YOUR.pcap --out OUT.pcap\n", demo->path,
           nic);
    printf("   sudo ./demo live        (real BIRD daemons, real interfaces, in namespaces)\n"
           "   build/fingerpost --help\n");
}

static int show(struct demo *demo)
{
    const struct fabric *fabric = demo->twin.fabric;
    char text[160];
    int code = choose_nic(demo);
    if (!code)
        code = choose_router(demo);
    if (code)
        return code;
    const char *nic = fabric->nics[demo->nic].name;
    const char *router = fabric->routers[demo->failing.router].name;
    snprintf(text, sizeof(text), "Effective routes of %s, BGP converged", nic);
    step(text);
    report_rows(demo->rows, demo->row_count, 3);
    code = make_trace(demo);
    if (code)
        return code;
    snprintf(text, sizeof(text), "%u packets of %u flows from %s; %s is killed half way",
             DEMO_PACKETS, DEMO_FLOWS, nic, router);
    step(text);
    code = forward(demo);
    if (code)
        return code;
    code = print_outcome(demo);
    snprintf(text, sizeof(text),
             "Effective routes of %s after the failure (converged in %" PRIu64
             " ms of virtual time)",
             nic, demo->failing.converged_ms);
    step(text);
    if (read_rows(demo) == 0)
        report_rows(demo->rows, demo->row_count, 3);
    print_next(demo);
    return code;
}

static void clean_up(struct demo *demo)
{
    if (demo->folder[0]) {
        unlink(demo->in);
        unlink(demo->out);
        rmdir(demo->folder);
    }
    free(demo->report.records);
    free(demo->rows);
    twin_close(&demo->twin);
}

static int run(int argc, char **argv)
{
    struct demo demo = {0};
    const struct cli_option options[] = {{0}};
    int code = cli_arguments(&cli_demo, argc, argv, options, &demo.path, 1);
    if (code >= 0)
        return code;
    code = twin_open(&cli_demo, demo.path, &demo.twin);
    if (code)
        return code;
    printf("%s: %u VNets, %u NICs, %u route servers, %u modelled routers\n", demo.path,
           demo.twin.fabric->vnets_count, demo.twin.fabric->nics_count,
           demo.twin.fabric->route_servers_count, demo.twin.fabric->routers_count);
    code = show(&demo);
    clean_up(&demo);
    return code;
}

const struct cli_command cli_demo = {
    .name = "demo",
    .summary = "Show the main job: converge, forward, fail an NVA, report",
    .usage = "demo FABRIC",
    .help = "FABRIC   a fabric file with a VM whose routes lead to several modelled NVAs\n\n"
            "Needs no privileges, no NIC and no huge pages. Exit code 1 when a flow moved that\n"
            "need not have, or a packet is not accounted for.\n\n"
            "Example: fingerpost demo docs/examples/hub-spoke.yaml\n",
    .run = run,
};

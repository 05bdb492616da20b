/*
 * fingerpost run: the live engine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/message.h"
#include "engine/cli/command.h"
#include "engine/cli/host.h"
#include "engine/cli/source.h"
#include "engine/fabric/gateway.h"
#include "engine/live/live.h"

/* What the file asks for and a running engine does not do is said, not passed over. */
static void warn_of_twin_only(const struct fabric *fabric)
{
    if (fabric->internet.present && fabric->internet.source_nat.family != 0)
        fprintf(stderr, "fingerpost run: internet.source_nat: only the twin translates; here "
                        "packets keep their "
                        "source\n");
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        for (uint32_t j = 0; j < fabric_gateway_neighbor_count(fabric, i); j++)
            if (!fabric_gateway_neighbor_is_real(fabric, i, j))
                fprintf(stderr,
                        "fingerpost run: gateway '%s': router '%s' has no address, so only the "
                        "twin has a session with it; give it one (routers.address)\n",
                        fabric->gateways[i].name,
                        fabric->routers[fabric_gateway_neighbor(fabric, i, j).router].name);
}

static int run(int argc, char **argv)
{
    const char *path, *port = NULL, *host = NULL;
    struct live_options live = {0};
    const struct cli_option options[] = {
        {.name = "bgp-port", .value = &port},
        {.name = "host", .value = &host},
        {.name = "verbose", .flag = &live.verbose},
        {.name = "json", .flag = &live.json},
        {.name = "restarted", .flag = &live.restarted},
        {.name = "shutdown-message", .value = &live.shutdown_message},
        {0}};
    int code = cli_arguments(&cli_run, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if (port) {
        char *end;
        unsigned long value = strtoul(port, &end, 10);
        if (*end != '\0' || value < 1 || value > 65535)
            return cli_error(&cli_run, "--bgp-port: '%s' is not a TCP port, 1 to 65535", port);
        live.bgp_port = (uint16_t)value;
    }
    if (live.shutdown_message && strlen(live.shutdown_message) > BGP_SHUTDOWN_TEXT_MAX)
        return cli_error(&cli_run, "--shutdown-message: longer than %u octets (RFC 9003)",
                         BGP_SHUTDOWN_TEXT_MAX);
    struct fabric_problems problems;
    struct fabric_outline *outline;
    struct fabric *fabric = source_load_outlined(path, &outline, &problems);
    source_say_problems(&problems);
    if (!fabric)
        return CLI_BAD_USE;
    if (cli_stand_on(&cli_run, fabric, host)) {
        fabric_outline_free(outline);
        fabric_free(fabric);
        return CLI_BAD_USE;
    }
    warn_of_twin_only(fabric);
    live.path = path;
    live.outline = outline;
    live.read = source_load_outlined;
    code = live_run(fabric, &live);
    fabric_outline_free(outline);
    fabric_free(fabric);
    return code;
}

const struct cli_command cli_run = {
    .name = "run",
    .summary = "Run the live engine: BGP with real peers, packets on real ports",
    .usage = "run FABRIC [--host NAME] [--bgp-port N] [--restarted] [--shutdown-message TEXT]\n"
             "                      [--verbose] [--json]",
    .help =
        "FABRIC   a fabric file with ports, or a directory of them\n\n"
        "  --host NAME    which of the file's hosts this is: its ports are opened, its NICs\n"
        "                 forwarded for, and the others reached by VXLAN (docs/live.md)\n"
        "  --bgp-port N   listen and connect on this TCP port (default 179)\n"
        "  --restarted    this process follows one that died: peers that kept its routes are told\n"
        "                 so, and hear of others' routes once these have said theirs again\n"
        "  --shutdown-message TEXT   told to peers' people when the engine stops (RFC 9003)\n"
        "  --verbose      DPDK's own log lines too\n"
        "  --json         at the end, sessions and counters as one JSON document\n\n"
        "Runs until SIGINT or SIGTERM; peers then get a Cease. SIGUSR1 prints sessions and\n"
        "counters to standard error, SIGHUP reads key files and policies again, SIGRTMIN asks\n"
        "every peer for its routes again. net_tap ports need CAP_NET_ADMIN, port 179 needs\n"
        "CAP_NET_BIND_SERVICE: run it as root, or see docs/guide.md.\n\n"
        "Example: sudo fingerpost run docs/examples/live/fabric.yaml\n",
    .run = run,
};

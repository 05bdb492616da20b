/*
 * fingerpost run: the live engine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/command.h"
#include "engine/cli/source.h"
#include "engine/live/live.h"

/* Keys that guard a session and that this version does not act on: running without them would let in what they keep out.
 * Says the first one of a peer; true when there is one. */
static bool is_unguarded(const struct fabric_bgp_peer *peer)
{
    const char *key = NULL;
    if (peer->max_prefixes.action == FABRIC_LIMIT_DROP_EXCESS)
        key = "max_prefixes.action: drop_excess";
    if (key)
        fprintf(
            stderr,
            "%s:%u: peer '%s' has '%s', which this version does not act on: without it the session "
            "would be less guarded than the file says; take it out to run\n",
            peer->place.file, peer->place.line, peer->name, key);
    return key != NULL;
}

static bool guards_are_missing(const struct fabric *fabric)
{
    bool missing = false;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        for (uint32_t j = 0; j < fabric->route_servers[i].peer_count; j++)
            missing |= is_unguarded(&fabric->route_servers[i].peers[j]);
    return missing;
}

/* The policies of a running engine are taken from the file again; what 'run' would refuse is refused
 * now too. */
static struct fabric *reload(void *context)
{
    const char *path = context;
    struct fabric *fabric = source_load_or_say(path);
    if (fabric && guards_are_missing(fabric)) {
        fabric_free(fabric);
        return NULL;
    }
    return fabric;
}

static int run(int argc, char **argv)
{
    const char *path, *port = NULL;
    struct live_options live = {0};
    const struct cli_option options[] = {{.name = "bgp-port", .value = &port},
                                         {.name = "verbose", .flag = &live.verbose},
                                         {.name = "json", .flag = &live.json},
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
    struct fabric *fabric = source_load_or_say(path);
    if (!fabric)
        return CLI_BAD_USE;
    live.reload = reload;
    live.reload_context = (void *)(uintptr_t)path;
    code = guards_are_missing(fabric) ? CLI_BAD_USE : live_run(fabric, &live);
    fabric_free(fabric);
    return code;
}

const struct cli_command cli_run = {
    .name = "run",
    .summary = "Run the live engine: BGP with real peers, packets on real ports",
    .usage = "run FABRIC [--bgp-port N] [--verbose] [--json]",
    .help = "FABRIC   a fabric file with ports, or a directory of them\n\n"
            "  --bgp-port N   listen and connect on this TCP port (default 179)\n"
            "  --verbose      DPDK's own log lines too\n"
            "  --json         at the end, sessions and counters as one JSON document\n\n"
            "Runs until SIGINT or SIGTERM; peers then get a Cease. SIGUSR1 prints sessions and\n"
            "counters to standard error, SIGHUP reads key files and policies again. net_tap ports need CAP_NET_ADMIN, port 179 needs\n"
            "CAP_NET_BIND_SERVICE: run it as root, or see docs/guide.md.\n\n"
            "Example: sudo fingerpost run docs/examples/live/fabric.yaml\n",
    .run = run,
};

/*
 * fingerpost set, refresh, restart, shutdown: one request to a running engine over its control socket.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/ask.h"
#include "engine/cli/command.h"
#include "engine/cli/report.h"

/* --- Verbs ------------------------------------------------------------------------------------ */

/* Without an answer, or with one that is wanted as it is, there is no more to do: drops it and gives the exit code. */
static bool is_over(json_t *answer, bool json, int *code)
{
    *code = answer ? CLI_FINE : CLI_BAD_USE;
    if (answer && json)
        report_json(answer);
    return !answer || json;
}

static int finish(json_t *answer, bool json, const char *text)
{
    int code;
    if (is_over(answer, json, &code))
        return code;
    printf("%s (%lld sessions)\n", text, ask_count(answer, "sessions"));
    json_decref(answer);
    return code;
}

static int run_refresh(int argc, char **argv)
{
    const char *peer, *path = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "socket", .value = &path}, {.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_refresh, argc, argv, options, &peer, 1);
    if (code >= 0)
        return code;
    json_t *answer =
        cli_ask(&cli_refresh, path, json_pack("{s:s, s:s}", "command", "refresh", "peer", peer));
    if (answer && ask_count(answer, "asked") == 0) {
        json_decref(answer);
        cli_error(&cli_refresh, "no session with '%s' is up that knows route refresh", peer);
        return CLI_FOUND;
    }
    return finish(answer, json, "asked for its routes again");
}

const struct cli_command cli_refresh = {
    .name = "refresh",
    .summary = "Have a running engine ask a peer for all its routes again",
    .usage = "refresh PEER [--socket PATH] [--json]",
    .help =
        "PEER   a peer's name; every session with it is asked (RFC 2918)\n\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n\n"
        "Exit code 1: none of its sessions is up, or the peer cannot do it.\n\n"
        "Example: sudo fingerpost refresh nva1\n",
    .run = run_refresh,
};

static int run_restart(int argc, char **argv)
{
    const char *which, *path = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "socket", .value = &path}, {.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_restart, argc, argv, options, &which, 1);
    if (code >= 0)
        return code;
    const char *slash = strrchr(which, '/');
    if (!slash || (strcmp(slash, "/0") != 0 && strcmp(slash, "/1") != 0))
        return cli_error(&cli_restart, "'%s' is not ROUTE_SERVER/0 or ROUTE_SERVER/1", which);
    char *server = strndup(which, (size_t)(slash - which));
    json_t *request = json_pack("{s:s, s:s, s:i}", "command", "restart", "route_server",
                                server ? server : "", "instance", slash[1] - '0');
    free(server);
    return finish(cli_ask(&cli_restart, path, request), json, "restarted");
}

const struct cli_command cli_restart = {
    .name = "restart",
    .summary = "Restart one instance of a running engine's route server",
    .usage = "restart ROUTE_SERVER/INSTANCE [--socket PATH] [--json]",
    .help =
        "Its sessions close without a word, as if its process died, and are back after a second.\n"
        "What peers announced stays in force meanwhile, and peers with graceful restart keep\n"
        "what they were told.\n\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n\n"
        "Example: sudo fingerpost restart rs1/0\n",
    .run = run_restart,
};

static int run_shutdown(int argc, char **argv)
{
    const char *message = NULL, *path = NULL;
    bool json = false;
    const struct cli_option options[] = {{.name = "message", .value = &message},
                                         {.name = "socket", .value = &path},
                                         {.name = "json", .flag = &json},
                                         {0}};
    int code = cli_arguments(&cli_shutdown, argc, argv, options, NULL, 0);
    if (code >= 0)
        return code;
    json_t *request = json_pack("{s:s}", "command", "shutdown");
    if (message && json_object_set_new(request, "message", json_string(message)) != 0) {
        json_decref(request);
        return cli_error(&cli_shutdown, "--message: not UTF-8");
    }
    return finish(cli_ask(&cli_shutdown, path, request), json, "told to stop");
}

const struct cli_command cli_shutdown = {
    .name = "shutdown",
    .summary = "Stop a running engine, and tell its peers why",
    .usage = "shutdown [--message TEXT] [--socket PATH] [--json]",
    .help =
        "  --message TEXT  goes to the people at every peer (RFC 9003), at most 255 octets\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n\n"
        "Example: sudo fingerpost shutdown --message 'maintenance, back at 14:00'\n",
    .run = run_shutdown,
};

static int run_set(int argc, char **argv)
{
    const char *arguments[4], *path = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "socket", .value = &path}, {.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_set, argc, argv, options, arguments, 4);
    if (code >= 0)
        return code;
    if (strcmp(arguments[0], "member") != 0)
        return cli_error(&cli_set, "'%s': only a 'member' can be set", arguments[0]);
    json_t *answer =
        cli_ask(&cli_set, path,
                json_pack("{s:s, s:s, s:s, s:s}", "command", "set", "group", arguments[1],
                          "next_hop", arguments[2], "state", arguments[3]));
    if (is_over(answer, json, &code))
        return code;
    printf("%s is %s in %lld groups\n", arguments[2], arguments[3], ask_count(answer, "groups"));
    json_decref(answer);
    return CLI_FINE;
}

const struct cli_command cli_set = {
    .name = "set",
    .summary = "Take a next hop of a running engine out of its group, or let it in again",
    .usage = "set member GROUP NEXT_HOP up|down|drain [--socket PATH] [--json]",
    .help =
        "GROUP     the number of a next-hop group ('fingerpost show groups'), the name of a load\n"
        "          balancer, or 'all': every group, also those that are made later\n"
        "NEXT_HOP  the address of a member: an NVA, a gateway, a backend\n\n"
        "  down    it is out at once, whatever its sessions and probes say; other members' flows\n"
        "          stay where they are\n"
        "  drain   it gets no bucket of flows more, and keeps each that it has until that falls "
        "idle or\n"
        "          its time is over: as ecmp.sticky of the file says, else 60 s and 10 minutes\n"
        "  up      its sessions and probes decide again; it takes back only its own flows\n\n"
        "What was said of a single group is forgotten with the group; of 'all' it stays until it "
        "is\n"
        "said otherwise or the engine ends.\n\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n\n"
        "Example: sudo fingerpost set member all 10.0.1.4 down\n",
    .run = run_set,
};

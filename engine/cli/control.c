/*
 * fingerpost show, refresh, restart, shutdown: one request to a running engine over its control socket.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/cli/command.h"
#include "engine/cli/report.h"
#include "engine/cli/table.h"
#include "engine/live/report.h"

#define SOCKET_DEFAULT "/run/fingerpost.sock"
#define PATIENCE_S     60

static int connect_to(const struct cli_command *command, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (strlen(path) >= sizeof(address.sun_path)) {
        cli_error(command, "--socket: '%s' is longer than a socket's name may be", path);
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    }
    cli_error(command,
              "%s: %s; is an engine running whose file has engine.control_socket, and is it yours?",
              path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The engine's line, as an object; NULL when it gave none. */
static json_t *converse(int fd, const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    size_t n = line ? strlen(line) : 0;
    json_t *answer = NULL;
    if (line)
        line[n] = '\n'; /* in place of the end: it is not a text any more */
    if (line && send(fd, line, n + 1, MSG_NOSIGNAL) == (ssize_t)(n + 1))
        answer = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
    free(line);
    return answer;
}

/* Takes request. The answer is a new reference; NULL after an error that was said. */
static json_t *ask(const struct cli_command *command, const char *path, json_t *request)
{
    int fd = connect_to(command, path ? path : SOCKET_DEFAULT);
    json_t *reply = fd >= 0 ? converse(fd, request) : NULL;
    json_t *answer = json_incref(json_object_get(reply, "answer"));
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !answer)
        cli_error(command, "%s", error ? error : "the engine gave no answer");
    json_decref(request);
    json_decref(reply);
    return answer;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static long long count_of(const json_t *row, const char *key)
{
    return (long long)json_integer_value(json_object_get(row, key));
}

/* --- show ------------------------------------------------------------------------------------- */

static void print_peers(const json_t *answer)
{
    struct table table;
    size_t i;
    json_t *row;
    if (table_begin(&table, "Route server|Peer|Address|>ASN|State|>Learned|>Advertised|Reason"))
        return;
    json_array_foreach(json_object_get(answer, "sessions"), i, row)
    {
        table_row(&table, "%s/%lld|%s|%s|%lld|%s|%lld|%lld|%s", text_of(row, "route_server"),
                  count_of(row, "instance"), text_of(row, "peer"), text_of(row, "address"),
                  count_of(row, "asn"), text_of(row, "state"), count_of(row, "learned"),
                  count_of(row, "advertised"), text_of(row, "reason"));
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
            table_row(&table, "%s|%s|%s|%s|", text_of(row, "source"), text_of(row, "state"),
                      prefix ? prefix : "", text_of(row, "nextHopType"));
        json_array_foreach(hops, j, hop)
        {
            table_row(&table, "%s|%s|%s|%s|%s", text_of(row, "source"), text_of(row, "state"),
                      prefix ? prefix : "", text_of(row, "nextHopType"), json_string_value(hop));
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
                      text_of(row, "network"), text_of(row, "nextHop"), text_of(row, "asPath"),
                      text_of(row, "origin"), text_of(row, "verdict"));
        }
    }
    table_end(&table, stdout, 0);
}

static void print_answer(const char *what, const json_t *answer)
{
    if (strcmp(what, "peers") == 0)
        print_peers(answer);
    else if (strcmp(what, "routes") == 0)
        print_routes(answer);
    else if (strcmp(what, "learned") == 0 || strcmp(what, "advertised") == 0)
        print_session_rows(answer);
    else if (strcmp(what, "events") == 0)
        print_events(answer);
    else
        live_report_print(stdout, answer);
}

/* How many arguments `show` has, by the first. */
static int arguments_of(const char *what)
{
    if (strcmp(what, "learned") == 0 || strcmp(what, "advertised") == 0)
        return 3;
    return strcmp(what, "routes") == 0 ? 2 : 1;
}

/* Takes "what" and what follows it. */
static json_t *request_of(const char *const arguments[3])
{
    bool of_peer = arguments_of(arguments[0]) == 3;
    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "command", "show", "what", arguments[0], "nic",
                     of_peer ? NULL : arguments[1], "route_server", of_peer ? arguments[1] : NULL,
                     "peer", arguments[2]);
}

static int run_show(int argc, char **argv)
{
    const char *arguments[3] = {NULL, NULL, NULL}, *path = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "socket", .value = &path}, {.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_show, argc, argv, options, arguments,
                             arguments_of(argc > 1 ? argv[1] : ""));
    if (code >= 0)
        return code;
    json_t *answer = ask(&cli_show, path, request_of(arguments));
    if (!answer)
        return CLI_BAD_USE;
    if (json) {
        report_json(answer);
        return CLI_FINE;
    }
    print_answer(arguments[0], answer);
    json_decref(answer);
    return CLI_FINE;
}

const struct cli_command cli_show = {
    .name = "show",
    .summary = "Show what a running engine does: its report, its peers, its last events",
    .usage = "show report|peers|events|routes NIC|learned RS PEER|advertised RS PEER\n"
             "                       [--socket PATH] [--json]",
    .help =
        "  report          sessions, counters, ports, groups: the document of docs/live.md\n"
        "  peers           BGP sessions only\n"
        "  routes NIC      its effective routes, as 'fingerpost routes' has them of the twin\n"
        "  learned RS PEER     what a peer announced to a route server, as 'fingerpost learned'\n"
        "  advertised RS PEER  what it was sent\n"
        "  events          the last 100 events (engine.events in the fabric file)\n\n"
        "  --socket PATH   engine.control_socket of the engine (default /run/fingerpost.sock)\n"
        "  --json          the same as one JSON document\n\n"
        "Example: sudo fingerpost show peers --socket /run/fingerpost.sock\n",
    .run = run_show,
};

/* --- Verbs ------------------------------------------------------------------------------------ */

static int finish(json_t *answer, bool json, const char *text)
{
    if (!answer)
        return CLI_BAD_USE;
    if (json) {
        report_json(answer);
        return CLI_FINE;
    }
    printf("%s (%lld sessions)\n", text, count_of(answer, "sessions"));
    json_decref(answer);
    return CLI_FINE;
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
        ask(&cli_refresh, path, json_pack("{s:s, s:s}", "command", "refresh", "peer", peer));
    if (answer && count_of(answer, "asked") == 0) {
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
    return finish(ask(&cli_restart, path, request), json, "restarted");
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
    return finish(ask(&cli_shutdown, path, request), json, "told to stop");
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

/*
 * fingerpost watch: what changes in a running engine, a line each, as it happens.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/ask.h"
#include "engine/cli/command.h"
#include "engine/cli/report.h"

/* --- Lines for people ------------------------------------------------------------------------- */

static void print_peer(const json_t *row)
{
    printf("%s/%lld %s %s %s learned %lld advertised %lld; ",
           ask_text(row, json_object_get(row, "gateway") ? "gateway" : "route_server"),
           ask_count(row, "instance"), ask_text(row, "peer"), ask_text(row, "address"),
           ask_text(row, "state"), ask_count(row, "learned"), ask_count(row, "advertised"));
    cli_print(stdout, ask_text(row, "reason"));
    putchar('\n');
}

static void print_group(const json_t *row)
{
    size_t i;
    json_t *member;
    printf("group %lld %s", ask_count(row, "group"), ask_text(row, "kind"));
    if (json_object_get(row, "gone"))
        printf("gone");
    json_array_foreach(json_object_get(row, "members"), i, member)
    {
        const char *reason = ask_text(member, "reason");
        printf("%s %s %s%s%s%s %lld/%lld", i ? "," : ":", ask_text(member, "next_hop"),
               ask_text(member, "state"), *reason ? " (" : "", reason, *reason ? ")" : "",
               ask_count(member, "buckets"), ask_count(row, "buckets"));
    }
    putchar('\n');
}

static void print_counters(const json_t *row)
{
    const char *nic = ask_text(row, "nic"), *reason;
    json_t *n;
    printf("%s received %lld = forwarded %lld + answered %lld + dropped:", *nic ? nic : "(none)",
           ask_count(row, "received"), ask_count(row, "forwarded"), ask_count(row, "answered"));
    json_object_foreach(json_object_get(row, "dropped"), reason, n)
    {
        printf(" %s %lld", reason, (long long)json_integer_value(n));
    }
    putchar('\n');
}

static void print_port(const json_t *row)
{
    printf("port %s %s, rx %lld, tx %lld, missed %lld, errors %lld/%lld\n", ask_text(row, "port"),
           json_is_true(json_object_get(row, "link_up")) ? "up" : "down",
           ask_count(row, "rx_packets"), ask_count(row, "tx_packets"), ask_count(row, "rx_missed"),
           ask_count(row, "rx_errors"), ask_count(row, "tx_errors"));
}

static void print_event(const json_t *row)
{
    if (json_object_get(row, "lost"))
        printf("%lld events lost: they came faster than they were read\n", ask_count(row, "lost"));
    else
        report_event(row);
}

/* The rows of one NIC at the event's prefix. */
static void print_nic_route(const json_t *line)
{
    const json_t *rows = json_object_get(line, "value");
    size_t i, j;
    json_t *row, *hop;
    if (!rows) {
        print_event(line);
        return;
    }
    printf("%s %s", ask_text(line, "nic"), ask_text(line, "prefix"));
    if (json_array_size(rows) == 0)
        printf(" no route");
    json_array_foreach(rows, i, row)
    {
        printf("%s %s %s %s", i ? ";" : "", ask_text(row, "source"), ask_text(row, "state"),
               ask_text(row, "nextHopType"));
        json_array_foreach(json_object_get(row, "nextHopIpAddress"), j, hop)
        {
            printf("%s%s", j ? ", " : " ", json_string_value(hop));
        }
    }
    printf(" (");
    cli_print(stdout, ask_text(line, "cause"));
    printf(")\n");
}

/* --- Command ---------------------------------------------------------------------------------- */

static const struct watched {
    const char *what;
    void (*print)(const json_t *row);
} kinds[] = {
    {"peers", print_peer}, {"groups", print_group}, {"counters", print_counters},
    {"ports", print_port}, {"events", print_event}, {"routes", print_nic_route},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

struct watching {
    const struct watched *kind;
    bool json;
    unsigned long left; /* lines; 0: no end */
};

static bool take(void *context, const json_t *row)
{
    struct watching *watching = context;
    if (watching->json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(13));
        putchar('\n');
    } else {
        printf("%.3f  ", json_real_value(json_object_get(row, "time")));
        watching->kind->print(row);
    }
    /* Whoever reads it is told at once; a reader that has gone ends it. */
    if (fflush(stdout) != 0)
        return false;
    return watching->left == 0 || --watching->left > 0;
}

static const struct watched *find(const char *what)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].what, what) == 0)
            return &kinds[i];
    return NULL;
}

static bool read_number(const char *option, const char *text, unsigned long least,
                        unsigned long most, unsigned long *value)
{
    char *end;
    errno = 0;
    unsigned long given = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (!text)
        return true;
    if (*text < '0' || *text > '9' || *end || errno || given < least || given > most) {
        cli_error(&cli_watch, "--%s: '%s' is not a number from %lu to %lu", option, text, least,
                  most);
        return false;
    }
    *value = given;
    return true;
}

static int run_watch(int argc, char **argv)
{
    const char *arguments[1] = {NULL}, *path = NULL, *nic = NULL;
    const char *count = NULL, *interval = NULL, *last = NULL;
    unsigned long interval_ms = 1000, last_events = 0;
    struct watching watching = {0};
    const struct cli_option options[] = {{.name = "socket", .value = &path},
                                         {.name = "json", .flag = &watching.json},
                                         {.name = "count", .value = &count},
                                         {.name = "interval-ms", .value = &interval},
                                         {.name = "last", .value = &last},
                                         {.name = "nic", .value = &nic},
                                         {0}};
    int code = cli_arguments(&cli_watch, argc, argv, options, arguments, 1);
    if (code >= 0)
        return code;
    watching.kind = find(arguments[0]);
    if (!watching.kind)
        return cli_error(&cli_watch,
                         "'%s' is not one of: peers, routes, events, groups, counters, ports",
                         arguments[0]);
    if (!read_number("count", count, 1, 1000000000, &watching.left) ||
        !read_number("interval-ms", interval, 100, 3600000, &interval_ms) ||
        !read_number("last", last, 0, 1000, &last_events))
        return CLI_BAD_USE;
    return cli_follow(&cli_watch, path,
                      json_pack("{s:s, s:s, s:I, s:I, s:s*}", "command", "watch", "what",
                                arguments[0], "interval_ms", (json_int_t)interval_ms, "last",
                                (json_int_t)last_events, "nic", nic),
                      take, &watching);
}

const struct cli_command cli_watch = {
    .name = "watch",
    .summary = "Follow what changes in a running engine, a line for each change",
    .usage = "watch peers|routes|events|groups|counters|ports [--count N] [--interval-ms N]\n"
             "                        [--last N] [--nic NIC] [--socket PATH] [--json]",
    .help =
        "  peers, groups, counters, ports   all rows, then those that changed, at most once in\n"
        "                  --interval-ms (default 1000); who reads slowly gets the latest\n"
        "  events          each event as it comes (engine.events in the fabric file)\n"
        "  routes          the same of routes that route servers choose, or have no more\n\n"
        "  --count N       ends after so many lines; else Ctrl-C ends it\n"
        "  --last N        of 'events' and 'routes': begins with the last N events\n"
        "  --nic NIC       of 'routes': with each change the NIC's own rows at the prefix\n"
        "  --socket PATH   the engine's control socket (default /run/fingerpost.sock)\n"
        "  --json          JSON lines: the rows of 'fingerpost show', with \"time\"\n\n"
        "Example: fingerpost watch events --last 20\n",
    .run = run_watch,
};

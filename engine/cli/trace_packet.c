/*
 * fingerpost trace-packet: the stages that packets of a running engine take.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cli/command.h"
#include "engine/cli/conversation.h"
#include "engine/cli/trace_stages.h"

struct tracing {
    const char *nic, *source, *destination, *protocol, *source_port, *destination_port;
    const char *reason, *count, *seconds, *socket;
    bool drops, json;
};

/* --- The request ------------------------------------------------------------------------------ */

/* A number, where it is one: 0 and up. */
static json_t *word(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;
    return end && *end == '\0' && errno == 0 ? json_integer(value) : json_string(text);
}

static bool set_number(json_t *request, const char *key, const char *option, const char *text)
{
    json_t *value = text ? word(text) : NULL;
    if (text && !json_is_integer(value)) {
        cli_error(&cli_trace_packet, "--%s: '%s' is not a number", option, text);
        json_decref(value);
        return false;
    }
    if (text)
        json_object_set_new(request, key, value);
    return true;
}

static void set_text(json_t *request, const char *key, const char *text)
{
    if (text)
        json_object_set_new(request, key, json_string(text));
}

/* NULL after an error that was said. */
static json_t *request_of(const struct tracing *tracing)
{
    json_t *request = json_pack("{s:s}", "command", "trace-packet");
    set_text(request, "nic", tracing->nic);
    set_text(request, "source", tracing->source);
    set_text(request, "destination", tracing->destination);
    set_text(request, "reason", tracing->reason);
    if (tracing->protocol)
        json_object_set_new(request, "protocol", word(tracing->protocol));
    if (tracing->drops)
        json_object_set_new(request, "drops", json_true());
    if (set_number(request, "source_port", "sport", tracing->source_port) &&
        set_number(request, "destination_port", "dport", tracing->destination_port) &&
        set_number(request, "count", "count", tracing->count) &&
        set_number(request, "seconds", "seconds", tracing->seconds))
        return request;
    json_decref(request);
    return NULL;
}

/* --- What comes ------------------------------------------------------------------------------- */

static long long number_of(const json_t *answer, const char *key)
{
    return (long long)json_integer_value(json_object_get(answer, key));
}

static void print_end(const json_t *answer)
{
    printf("%lld packets, %lld missed; ended: %s\n", number_of(answer, "packets"),
           number_of(answer, "missed"), json_string_value(json_object_get(answer, "ended")));
}

/* The engine's first words are no packet. */
static void print_answer(const struct tracing *tracing, const json_t *answer)
{
    if (json_object_get(answer, "tracing")) {
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "tracing; Ctrl-C ends it\n");
    } else if (tracing->json) {
        json_dumpf(answer, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
        putchar('\n');
    } else if (json_object_get(answer, "stages")) {
        trace_print(answer);
    } else {
        print_end(answer);
    }
}

/* A reader that has gone ends it. */
static int converse(const struct tracing *tracing, struct cli_conversation *conversation)
{
    bool over = false, ended = false;
    while (!over && !ended) {
        json_t *answer = cli_conversation_hear(conversation, &cli_trace_packet, -1, &over);
        if (!answer)
            continue;
        ended = json_object_get(answer, "ended") != NULL;
        print_answer(tracing, answer);
        if (fflush(stdout) != 0)
            cli_conversation_end(conversation);
        json_decref(answer);
    }
    return ended ? CLI_FINE : CLI_BAD_USE;
}

static int run_trace_packet(int argc, char **argv)
{
    struct tracing tracing = {0};
    struct cli_conversation conversation;
    const struct cli_option options[] = {{.name = "nic", .value = &tracing.nic},
                                         {.name = "source", .value = &tracing.source},
                                         {.name = "destination", .value = &tracing.destination},
                                         {.name = "proto", .value = &tracing.protocol},
                                         {.name = "sport", .value = &tracing.source_port},
                                         {.name = "dport", .value = &tracing.destination_port},
                                         {.name = "drops", .flag = &tracing.drops},
                                         {.name = "reason", .value = &tracing.reason},
                                         {.name = "count", .value = &tracing.count},
                                         {.name = "seconds", .value = &tracing.seconds},
                                         {.name = "socket", .value = &tracing.socket},
                                         {.name = "json", .flag = &tracing.json},
                                         {0}};
    int code = cli_arguments(&cli_trace_packet, argc, argv, options, NULL, 0);
    if (code >= 0)
        return code;
    json_t *request = request_of(&tracing);
    if (!request ||
        !cli_conversation_open(&conversation, &cli_trace_packet, tracing.socket, request, -1))
        return CLI_BAD_USE;
    code = converse(&tracing, &conversation);
    cli_conversation_close(&conversation);
    return code;
}

const struct cli_command cli_trace_packet = {
    .name = "trace-packet",
    .summary = "Show the stages that packets of a running engine take",
    .usage = "trace-packet [--nic NIC] [--source PREFIX] [--destination PREFIX] [--proto P]\n"
             "                               [--sport N] [--dport N] [--drops] [--reason REASON] "
             "[--count N]\n"
             "                               [--seconds S] [--socket PATH] [--json]",
    .help =
        "The next packets that match are walked one by one, by the code that all packets take, "
        "and\n"
        "each stage tells what it did: port, NIC, headers, source check, route, group, hash and\n"
        "bucket, member, receiver, TTL, tunnel, ICMP error, and the queue that took it; or why\n"
        "and where it was dropped. Ctrl-C ends it.\n\n"
        "  --nic NIC             that sends them; 'internet'; without it, any\n"
        "  --source PREFIX       an address or a prefix; out of a tunnel, of the inner packet\n"
        "  --destination PREFIX  the same\n"
        "  --proto P             tcp, udp, sctp, icmp, icmpv6 or a number up to 255\n"
        "  --sport N, --dport N  ports; of an ICMP echo, its identifier\n"
        "  --drops               only what is dropped\n"
        "  --reason REASON       dropped for this reason alone, as 'show counters' has them\n"
        "  --count N             ends after so many packets (default 10)\n"
        "  --seconds S           ends after so long (default and most 3600)\n"
        "  --socket PATH         engine.control_socket of the engine (default "
        "/run/fingerpost.sock)\n"
        "  --json                a line for each packet, and a last one\n\n"
        "Each worker looks at 20,000 packets a second at most, with --drops at as many more that\n"
        "go the long way; what comes faster is missed, and told at the end. Up to 4 traces run at\n"
        "a time.\n\n"
        "Example: sudo fingerpost trace-packet --nic vm1 --destination 203.0.113.0/24 --count 1\n",
    .run = run_trace_packet,
};

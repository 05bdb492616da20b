/* See trace_stages.h. */
#include "engine/cli/trace_stages.h"

#include <stdio.h>
#include <string.h>

#include "engine/cli/ask.h"
#include "engine/cli/command.h"

static bool is_true(const json_t *row, const char *key)
{
    return json_is_true(json_object_get(row, key));
}

/* Names of the fabric file are what their writer liked. */
static void print_name(const json_t *row, const char *key)
{
    const char *name = ask_text(row, key);
    cli_print(stdout, *name ? name : "(none)");
}

/* --- Stages ----------------------------------------------------------------------------------- */

static void print_vlan(const json_t *row)
{
    if (json_is_integer(json_object_get(row, "vlan")))
        printf(", VLAN %lld", ask_count(row, "vlan"));
}

static void print_received(const json_t *row)
{
    printf("port ");
    print_name(row, "port");
    printf(" queue %lld, %lld bytes, %s to %s", ask_count(row, "queue"), ask_count(row, "bytes"),
           ask_text(row, "source_mac"), ask_text(row, "destination_mac"));
    print_vlan(row);
    printf(", ethertype 0x%04llx", (unsigned long long)ask_count(row, "ethertype"));
}

/* What a word of the engine's means; the word itself where it is not known here. */
static void print_meaning(const char *word, const char *const (*meanings)[2])
{
    for (unsigned i = 0; meanings[i][0]; i++)
        if (strcmp(word, meanings[i][0]) == 0)
            word = meanings[i][1];
    cli_print(stdout, word);
}

static void print_express(const json_t *row)
{
    static const char *const meanings[][2] = {
        {"taken", "taken: all of it in one pass"},
        {"not-plain",
         "left to the long way: something about the frame stands out, or it is captured"},
        {"no-exit", "left to the long way: something about where it goes does"},
        {"not-asked", "not asked: by this port everything goes the long way"},
        {0}};
    print_meaning(ask_text(row, "outcome"), meanings);
}

static void print_decapsulated(const json_t *row)
{
    printf("VXLAN VNI %lld from %s%s", ask_count(row, "vni"), ask_text(row, "remote"),
           is_true(row, "decided") ? ", which has decided where it goes" : "");
}

static void print_classified(const json_t *row)
{
    const char *attachment = ask_text(row, "attachment");
    printf("NIC ");
    print_name(row, "nic");
    if (*attachment)
        printf(", by its %s", attachment);
}

static void print_admitted(const json_t *row)
{
    static const char *const meanings[][2] = {
        {"own", "source is the NIC's own"},
        {"forwarded", "source may be anyone's: the NIC forwards"},
        {"foreign", "source is not the NIC's own, and it does not forward"},
        {"not-asked", "source not asked for"},
        {0}};
    print_meaning(ask_text(row, "source"), meanings);
}

static void print_route(const json_t *row)
{
    const char *prefix = ask_text(row, "prefix"), *kind = ask_text(row, "kind");
    if (!json_is_integer(json_object_get(row, "group"))) {
        printf("none");
        return;
    }
    printf("%s to group %lld", *prefix ? prefix : "(changed since)", ask_count(row, "group"));
    if (*kind)
        printf(" (%s)", kind);
    if (ask_count(row, "members") > 0)
        printf(", %lld member%s", ask_count(row, "members"),
               ask_count(row, "members") == 1 ? "" : "s");
}

static void print_address(const json_t *row)
{
    const char *prefix = ask_text(row, "prefix");
    bool anyone = *ask_text(row, "nic") || json_object_get(row, "backends");
    printf("%s in VNet ", anyone ? prefix : "nobody has it");
    print_name(row, "vnet");
    if (!anyone)
        return;
    if (json_object_get(row, "backends")) {
        printf(": frontend of the backends in group %lld", ask_count(row, "backends"));
    } else {
        printf(": NIC ");
        print_name(row, "nic");
    }
}

static void print_choice(const json_t *row)
{
    printf("%s", ask_text(row, "next_hop"));
    if (json_object_get(row, "backends")) {
        printf(", frontend of the backends in group %lld", ask_count(row, "backends"));
    } else {
        printf(", NIC ");
        print_name(row, "nic");
    }
    if (ask_count(row, "buckets") > 1)
        printf("; hash 0x%08llx, bucket %lld of %lld, among %lld",
               (unsigned long long)ask_count(row, "hash"), ask_count(row, "bucket"),
               ask_count(row, "buckets"), ask_count(row, "members"));
    else
        printf("; the only one");
}

static void print_receiver(const json_t *row)
{
    printf("NIC ");
    print_name(row, "nic");
    if (is_true(row, "ip_forwarding"))
        printf(", which forwards");
    if (is_true(row, "self_loop"))
        printf(", the sender itself");
    if (json_is_false(json_object_get(row, "access_allowed")))
        printf("; the peering allows no access");
    if (json_is_false(json_object_get(row, "forwarded_allowed")))
        printf("; the peering allows no forwarded traffic");
}

static void print_dropped(const json_t *row)
{
    printf("%s", ask_text(row, "reason"));
}

static void print_answered(const json_t *row)
{
    printf("%s", ask_text(row, "kind"));
}

static void print_icmp(const json_t *row)
{
    printf("type %lld code %lld to the sender", ask_count(row, "type"), ask_count(row, "code"));
    if (ask_count(row, "mtu") > 0)
        printf(", MTU %lld", ask_count(row, "mtu"));
}

static void print_rewritten(const json_t *row)
{
    printf("TTL %lld to %lld", ask_count(row, "ttl_before"), ask_count(row, "ttl"));
}

static void print_fragmented(const json_t *row)
{
    printf("%lld pieces of MTU %lld", ask_count(row, "pieces"), ask_count(row, "mtu"));
}

static void print_encapsulated(const json_t *row)
{
    printf("VXLAN VNI %lld to %s", ask_count(row, "vni"), ask_text(row, "remote"));
}

static void print_transmitted(const json_t *row)
{
    printf("port ");
    print_name(row, "port");
    printf(" queue %lld, %lld bytes, to %s", ask_count(row, "queue"), ask_count(row, "bytes"),
           ask_text(row, "destination_mac"));
    print_vlan(row);
    if (ask_count(row, "frames") > 1)
        printf(", %lld frames", ask_count(row, "frames"));
    if (ask_count(row, "refused") > 0)
        printf(", %lld refused", ask_count(row, "refused"));
    if (is_true(row, "handed_over"))
        printf(", by the worker that has the queue");
}

/* --- The packet ------------------------------------------------------------------------------- */

static void print_protocol(long long protocol)
{
    static const struct {
        int number;
        const char *name;
    } known[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmpv6"}, {132, "sctp"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].number == protocol) {
            printf("%s", known[i].name);
            return;
        }
    printf("protocol %lld", protocol);
}

static void print_end(const json_t *packet, const char *address, const char *port)
{
    bool six = strchr(ask_text(packet, address), ':') != NULL;
    bool has_port = json_is_integer(json_object_get(packet, port));
    printf(six && has_port ? " [%s]" : " %s", ask_text(packet, address));
    if (has_port)
        printf(":%lld", ask_count(packet, port));
}

static void print_packet(const json_t *packet)
{
    print_protocol(ask_count(packet, "protocol"));
    print_end(packet, "source", "source_port");
    printf(" ->");
    print_end(packet, "destination", "destination_port");
    if (json_object_get(packet, "ttl"))
        printf(", TTL %lld, %lld bytes", ask_count(packet, "ttl"), ask_count(packet, "length"));
    if (is_true(packet, "fragment"))
        printf(", fragment");
    if (is_true(packet, "icmp_error"))
        printf(", about a packet of the receiver's");
}

static void print_parsed(const json_t *packet)
{
    if (!json_is_object(packet)) {
        printf("no IP packet that is sound");
        return;
    }
    print_packet(packet);
    if (json_object_get(packet, "inner")) {
        printf("; inside ");
        print_packet(json_object_get(packet, "inner"));
    }
}

static const struct {
    const char *name;
    void (*print)(const json_t *row);
} stages[] = {
    {"received", print_received},       {"express", print_express},
    {"classified", print_classified},   {"decapsulated", print_decapsulated},
    {"admitted", print_admitted},       {"route", print_route},
    {"address", print_address},         {"member", print_choice},
    {"backend", print_choice},          {"receiver", print_receiver},
    {"dropped", print_dropped},         {"answered", print_answered},
    {"icmp-error", print_icmp},         {"rewritten", print_rewritten},
    {"fragmented", print_fragmented},   {"encapsulated", print_encapsulated},
    {"transmitted", print_transmitted},
};

static void print_stage(const json_t *row, const json_t *packet, size_t depth)
{
    const char *name = ask_text(row, "stage");
    printf("%*s", (int)(2 + depth), "");
    cli_print(stdout, name);
    printf(": ");
    if (strcmp(name, "parsed") == 0)
        print_parsed(packet);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
        if (strcmp(name, stages[i].name) == 0)
            stages[i].print(row);
    putchar('\n');
}

static void print_head(const json_t *row)
{
    printf("%.3f  ", json_real_value(json_object_get(row, "time")));
    print_name(row, "nic");
    printf(" -> ");
    print_name(row, "to_nic");
    printf("  %s", ask_text(row, "verdict"));
    if (*ask_text(row, "reason"))
        printf(" (%s, at %s)", ask_text(row, "reason"), ask_text(row, "dropped_at"));
    printf(" by worker %lld\n", ask_count(row, "worker"));
}

void trace_print(const json_t *row)
{
    const json_t *packet = json_object_get(row, "packet");
    size_t i;
    json_t *stage;
    print_head(row);
    json_array_foreach(json_object_get(row, "stages"), i, stage)
    {
        print_stage(stage, packet, i);
    }
}

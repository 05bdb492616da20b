/* Metrics of the data plane: NICs, groups, next hops, ports. See metrics_scrape.h. */
#include "engine/live/metrics_scrape.h"

#include <stdio.h>

#define LABEL_COUNT(labels) ((unsigned)(sizeof(labels) / sizeof((labels)[0])))

static const struct program *program_of(const struct metrics_scrape *scrape)
{
    return controller_program(scrape->live->plane.controller);
}

/* --- Totals ----------------------------------------------------------------------------------- */

static void write_total(const struct metrics_scrape *scrape, const struct metrics_family *family,
                        uint32_t row, FILE *out)
{
    (void)row;
    metric_count(out, family->name, "", NULL, 0, metrics_field(&scrape->total, family));
}

static uint32_t reasons(const struct metrics_scrape *scrape)
{
    (void)scrape;
    return DP_REASON_COUNT;
}

static void write_reason(const struct metrics_scrape *scrape, const struct metrics_family *family,
                         uint32_t row, FILE *out)
{
    const struct metric_label label = {"reason", dp_reason_name((enum dp_reason)row)};
    metric_count(out, family->name, "", &label, 1, scrape->total.dropped[row]);
}

/* --- NICs ------------------------------------------------------------------------------------- */

/* After the fabric's own, with names that no NIC can have. */
static const char *const others[] = {"(none)", "(internet)", "(other hosts)"};
#define OTHERS ((uint32_t)(sizeof(others) / sizeof(others[0])))

static uint32_t nics(const struct metrics_scrape *scrape)
{
    return scrape->fabric->nics_count + OTHERS;
}

/* The name of a row, and its counters; NULL where this fabric has no such thing. */
static const char *read_nic(const struct metrics_scrape *scrape, uint32_t row,
                            struct dp_counters *counters)
{
    const struct fabric *fabric = scrape->fabric;
    uint32_t other = row - fabric->nics_count;
    const uint32_t ids[] = {0, DP_NIC_INTERNET, program_underlay_id()};
    if ((row >= fabric->nics_count) &&
        ((other == 1 && !fabric->internet.present) || (other == 2 && fabric->here == 0)))
        return NULL;
    dp_counters_nic(scrape->live->plane.forwarding,
                    row < fabric->nics_count ? program_nic_id(program_of(scrape), row) : ids[other],
                    counters);
    return row < fabric->nics_count ? fabric->nics[row].name : others[other];
}

static void write_nic(const struct metrics_scrape *scrape, const struct metrics_family *family,
                      uint32_t row, FILE *out)
{
    struct dp_counters counters;
    const struct metric_label label = {"nic", read_nic(scrape, row, &counters)};
    if (label.value)
        metric_count(out, family->name, "", &label, 1, metrics_field(&counters, family));
}

/* Reasons that a NIC never had are left out: thousands of NICs have some thirty each. */
static void write_nic_dropped(const struct metrics_scrape *scrape,
                              const struct metrics_family *family, uint32_t row, FILE *out)
{
    struct dp_counters counters;
    const char *name = read_nic(scrape, row, &counters);
    for (unsigned reason = 0; name && reason < DP_REASON_COUNT; reason++) {
        const struct metric_label labels[] = {{"nic", name},
                                              {"reason", dp_reason_name((enum dp_reason)reason)}};
        if (counters.dropped[reason])
            metric_count(out, family->name, "", labels, LABEL_COUNT(labels),
                         counters.dropped[reason]);
    }
}

/* --- Groups and next hops --------------------------------------------------------------------- */

static uint32_t groups(const struct metrics_scrape *scrape)
{
    return program_group_limit(program_of(scrape));
}

struct member_numbers {
    uint64_t up, buckets, packets, bytes;
};

static void write_members(const struct metrics_scrape *scrape, const struct metrics_family *family,
                          uint32_t row, FILE *out)
{
    struct program_group group;
    char id[16], next_hop[LPM_ADDRESS_TEXT];
    if (!program_group(program_of(scrape), row, &group))
        return;
    snprintf(id, sizeof(id), "%u", row);
    for (unsigned i = 0; i < group.member_count; i++) {
        const struct program_member *member = &group.members[i];
        const struct metric_label labels[] = {
            {"group", id}, {"next_hop", lpm_address_format(&member->next_hop, next_hop)}};
        const struct member_numbers numbers = {
            .up = member->up && !member->cut && member->said == PROGRAM_MEMBER_UP,
            .buckets = member->buckets,
            .packets = member->counters.packets,
            .bytes = member->counters.bytes,
        };
        metric_count(out, family->name, "", labels, LABEL_COUNT(labels),
                     metrics_field(&numbers, family));
    }
}

static uint32_t next_hops(const struct metrics_scrape *scrape)
{
    return scrape->next_hop_count;
}

static void write_next_hop(const struct metrics_scrape *scrape, const struct metrics_family *family,
                           uint32_t row, FILE *out)
{
    const struct dp_forwarding *forwarding = scrape->live->plane.forwarding;
    struct dp_next_hop_counters counters;
    struct lpm_address address;
    char text[LPM_ADDRESS_TEXT];
    dp_next_hop_address(forwarding, row + 1, &address);
    const struct metric_label label = {"next_hop", lpm_address_format(&address, text)};
    dp_counters_next_hop(forwarding, row + 1, &counters);
    metric_count(out, family->name, "", &label, 1, metrics_field(&counters, family));
}

static void write_swaps(const struct metrics_scrape *scrape, const struct metrics_family *family,
                        uint32_t row, FILE *out)
{
    (void)row;
    metric_count(out, family->name, "", NULL, 0, dp_group_swaps(scrape->live->plane.forwarding));
}

/* --- Ports ------------------------------------------------------------------------------------ */

/* Ports of other hosts have no queue here, and no rows. */
static bool is_here(const struct metrics_scrape *scrape, uint32_t port)
{
    return dp_engine_port_queues(scrape->live->plane.engine, port) > 0;
}

static uint32_t ports(const struct metrics_scrape *scrape)
{
    return scrape->live->plane.engine ? scrape->fabric->ports_count : 0;
}

static void write_port_info(const struct metrics_scrape *scrape,
                            const struct metrics_family *family, uint32_t row, FILE *out)
{
    const struct fabric_port *port = &scrape->fabric->ports[row];
    const struct metric_label labels[] = {{"port", port->name},
                                          {"device", port->device},
                                          {"options", port->options ? port->options : ""}};
    if (is_here(scrape, row))
        metric_count(out, family->name, "", labels, LABEL_COUNT(labels), 1);
}

/* As it was at the last look: ports are looked at ten times a second. */
static void write_link(const struct metrics_scrape *scrape, const struct metrics_family *family,
                       uint32_t row, FILE *out)
{
    const struct metric_label label = {"port", scrape->fabric->ports[row].name};
    struct dp_port_status status;
    if (is_here(scrape, row) &&
        dp_engine_port_status(scrape->live->plane.engine, row, &status) == 0)
        metric_count(out, family->name, "", &label, 1, status.link_up);
}

static void write_port(const struct metrics_scrape *scrape, const struct metrics_family *family,
                       uint32_t row, FILE *out)
{
    const struct metric_label label = {"port", scrape->fabric->ports[row].name};
    struct dp_port_status status;
    if (is_here(scrape, row) &&
        dp_engine_port_status(scrape->live->plane.engine, row, &status) == 0)
        metric_count(out, family->name, "", &label, 1, metrics_field(&status, family));
}

static void write_queues(const struct metrics_scrape *scrape, const struct metrics_family *family,
                         uint32_t row, FILE *out)
{
    const struct dp_engine *engine = scrape->live->plane.engine;
    for (unsigned i = 0; i < dp_engine_port_queues(engine, row); i++) {
        char queue[16];
        struct dp_queue_status status;
        const struct metric_label labels[] = {{"port", scrape->fabric->ports[row].name},
                                              {"queue", queue}};
        snprintf(queue, sizeof(queue), "%u", i);
        if (dp_engine_queue_status(engine, row, i, &status) == 0)
            metric_count(out, family->name, "", labels, LABEL_COUNT(labels),
                         metrics_field(&status, family));
    }
}

/* --- Table ------------------------------------------------------------------------------------ */

#define TOTAL(name, field, help)                                                                   \
    {                                                                                              \
        "fingerpost_" name "_total", help, METRIC_COUNTER, offsetof(struct dp_counters, field),    \
            NULL, write_total, false                                                               \
    }
#define NIC(name, field, help)                                                                     \
    {                                                                                              \
        "fingerpost_nic_" name "_total", help, METRIC_COUNTER,                                     \
            offsetof(struct dp_counters, field), nics, write_nic, false                            \
    }
#define MEMBER(name, kind, field, help)                                                            \
    {                                                                                              \
        "fingerpost_group_member_" name, help, kind, offsetof(struct member_numbers, field),       \
            groups, write_members, false                                                           \
    }
#define NEXT_HOP(name, field, help)                                                                \
    {                                                                                              \
        "fingerpost_next_hop_" name "_total", help, METRIC_COUNTER,                                \
            offsetof(struct dp_next_hop_counters, field), next_hops, write_next_hop, false         \
    }
#define PORT(name, help)                                                                           \
    {                                                                                              \
        "fingerpost_port_" #name "_total", help, METRIC_COUNTER,                                   \
            offsetof(struct dp_port_status, name), ports, write_port, false                        \
    }
#define QUEUE(name, help)                                                                          \
    {                                                                                              \
        "fingerpost_port_queue_" #name "_total", help, METRIC_COUNTER,                             \
            offsetof(struct dp_queue_status, name), ports, write_queues, false                     \
    }

const struct metrics_family metrics_forwarding[] = {
    TOTAL("received_packets", received, "Frames that came from NICs."),
    TOTAL("received_bytes", received_bytes, "Bytes of these."),
    TOTAL("forwarded_packets", forwarded, "Packets that were sent on."),
    TOTAL("forwarded_bytes", forwarded_bytes, "Bytes of these."),
    TOTAL("answered_packets", answered, "ARP, neighbour discovery and echo that were answered."),
    TOTAL("self_loop_packets", self_loop, "Of those forwarded, sent back to the sending NIC."),
    {"fingerpost_dropped_packets_total", "Packets that were dropped, by reason.", METRIC_COUNTER, 0,
     reasons, write_reason, false},
    {"fingerpost_group_swaps_total", "Times that a next-hop group was swapped.", METRIC_COUNTER, 0,
     NULL, write_swaps, false},
    NIC("received_packets", received, "Frames that came from the NIC."),
    NIC("received_bytes", received_bytes, "Bytes of these."),
    NIC("forwarded_packets", forwarded, "Packets of the NIC that were sent on."),
    NIC("forwarded_bytes", forwarded_bytes, "Bytes of these."),
    NIC("answered_packets", answered, "ARP, neighbour discovery and echo of the NIC, answered."),
    NIC("self_loop_packets", self_loop, "Of those forwarded, sent back to the NIC itself."),
    {"fingerpost_nic_dropped_packets_total",
     "Packets of the NIC that were dropped, by reason; reasons that it never had are left out.",
     METRIC_COUNTER, 0, nics, write_nic_dropped, false},
    MEMBER("up", METRIC_GAUGE, up, "1: the member is in its group; 0: it is out, or draining."),
    MEMBER("buckets", METRIC_GAUGE, buckets, "Buckets of the group that the member has."),
    MEMBER("packets_total", METRIC_COUNTER, packets, "Packets that went by the member."),
    MEMBER("bytes_total", METRIC_COUNTER, bytes, "Bytes that went by the member."),
    NEXT_HOP("packets", packets, "Packets that went by the next hop, in all groups."),
    NEXT_HOP("bytes", bytes, "Bytes that went by the next hop, in all groups."),
    {"fingerpost_port_info", "1, with the port's device and its options.", METRIC_GAUGE, 0, ports,
     write_port_info, false},
    {"fingerpost_port_link_up", "1: the port's link is up.", METRIC_GAUGE, 0, ports, write_link,
     false},
    PORT(rx_packets, "Frames that the device received."),
    PORT(tx_packets, "Frames that the device sent."),
    PORT(rx_missed, "Frames for which the device, or the pool of buffers, had no room."),
    PORT(rx_errors, "Frames that the device received damaged."),
    PORT(tx_errors, "Frames that the device failed to send."),
    QUEUE(rx_packets, "Frames that workers took from the queue."),
    QUEUE(rx_bytes, "Bytes of these."),
    QUEUE(tx_packets, "Frames that workers put into the queue."),
    QUEUE(tx_bytes, "Bytes of these."),
    QUEUE(tx_refused, "Frames for which the queue, or the way to it, had no room."),
};
const unsigned metrics_forwarding_count =
    sizeof(metrics_forwarding) / sizeof(metrics_forwarding[0]);

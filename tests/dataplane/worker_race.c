/*
 * A worker forwards without end while the control thread reprograms what it reads, and captures and traces
 * come and go: for ThreadSanitizer, and worth a run without. A plain program, because Criterion does not run under
 * that sanitizer.
 *
 *      endless pcap ─> worker ─> net_null          control thread: groups, NICs, addresses, FIBs
 */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lpm/rcu.h"
#include "tests/dataplane/lab.h"

#define RUN_SECONDS 3
#define FLOWS       256

static struct lab lab;
static struct frame frame;

static void write_flows(const char *path)
{
    struct trace *trace = trace_create(path, DLT_EN10MB);

    for (unsigned i = 0; i < FLOWS; i++) {
        if (i % 2)
            frame_udp4(&frame, "10.1.0.4", "192.0.2.1", (uint16_t)i, 18);
        else
            frame_udp6(&frame, "fd00:1::4", i % 4 ? "2001:db8::1" : "fd00:1::5", (uint16_t)i, 18);
        trace_add(trace, &frame);
    }
    trace_close(trace);
}

static struct dp_engine *start(const char *path)
{
    char options[200], error[DP_ERROR_TEXT];
    struct dp_port_config ports[2] = {
        {.name = "vm", .device = "net_pcap", .options = options},
        {.name = "nvas", .device = "net_null", .options = "no-rx=1"},
    };
    unsigned core = lab_core();
    struct dp_engine_config config = {
        .ports = ports, .port_count = 2, .cores = &core, .core_count = 1, .quiet = true};
    struct dp_engine *engine;

    snprintf(options, sizeof(options), "rx_pcap=%s,infinite_rx=1", path);
    if (dp_engine_start(&config, lab.forwarding, &engine, error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return engine;
}

/* A FIB that differs in one route that no packet takes. */
static void swap_fib(unsigned round)
{
    struct lpm_fib *before = lab.fib4;
    struct lpm_route routes[2] = {{.leaf = LAB_GROUP_NVAS}, {.leaf = LAB_GROUP_NULL}};

    lpm_prefix_parse("0.0.0.0/0", &routes[0].prefix);
    lpm_prefix_parse("198.51.100.0/24", &routes[1].prefix);
    if (lpm_base_create(lab.lpm, LPM_IPV4, routes, 1 + round % 2, &lab.fib4))
        exit(1);
    for (uint32_t nic = LAB_VM; nic < LAB_NIC_COUNT; nic++)
        dp_nic_set_fibs(lab.forwarding, nic, lab.fib4, lab.fib6);
    lpm_release(before);
}

static void move_peer(unsigned round)
{
    struct dp_vnet_address address = {.nic = round % 2 ? 0 : LAB_PEER};

    lpm_address_parse("fd00:1::5", &address.address);
    dp_vnet_set_addresses(lab.forwarding, 1, &address, 1);
}

static struct dp_capture *capturing;
static uint64_t captured;

static void begin_capture(struct dp_engine *engine, unsigned round)
{
    struct dp_capture_config config = {.nic = round % 3 ? LAB_VM : DP_NIC_ANY,
                                       .direction = (enum dp_capture_direction)(round % 4),
                                       .reason = DP_REASON_COUNT,
                                       .packets_most = round % 2 ? 0 : 100};

    config.file = open(lab_path(&lab, "captured"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (config.file < 0 || dp_capture_start(engine, &config, &capturing))
        exit(1);
}

/* One begins, is asked how far it is, is stopped, ends: a step each round. Some are cut off. */
static void capture(struct dp_engine *engine, unsigned round)
{
    struct dp_capture_status status;

    if (!capturing) {
        begin_capture(engine, round);
        return;
    }
    if (round % 16 == 0)
        dp_capture_stop(capturing);
    if (!dp_capture_poll(capturing, &status) && round % 64 != 1)
        return;
    captured += status.packets;
    dp_capture_free(capturing);
    capturing = NULL;
}

static struct dp_trace *traces[2];
static uint64_t traced;

/* Two that begin and end each at its own pace, and are read now and then: of all, and of drops. */
static void trace_packets(struct dp_engine *engine, unsigned round, unsigned which)
{
    static struct dp_trace_record record;
    struct dp_trace_config config = {.nic = which ? LAB_VM : DP_NIC_ANY,
                                     .protocol = round % 2 ? 17 : DP_TRACE_ANY,
                                     .source_port = DP_TRACE_ANY,
                                     .destination_port = DP_TRACE_ANY,
                                     .drops = which,
                                     .reason = DP_REASON_COUNT};

    if (!traces[which] && dp_trace_start(engine, &config, &traces[which]))
        exit(1);
    while (round % 8 == 0 && dp_trace_take(traces[which], &record)) {
        traced++;
        if (record.nic != LAB_VM || record.step_count < 4 || (which && record.action != DP_DROP))
            exit(1);
    }
    if (round % (32 + which) != 0)
        return;
    dp_trace_free(traces[which]);
    traces[which] = NULL;
}

static void reprogram(unsigned round)
{
    if (round % 2)
        lab_fail_nva1(&lab);
    else
        lab_restore_nva1(&lab);
    lab_set_nic(&lab, LAB_VM + round % 4);
    swap_fib(round);
    move_peer(round);
    lpm_rcu_poll();
}

/* Only these may happen to the flows, whatever state they meet. */
static int check(const struct dp_counters *counters)
{
    uint64_t expected = counters->dropped[DP_REASON_NEXT_HOP_UNREACHABLE];

    printf("received %llu forwarded %llu dropped %llu\n", (unsigned long long)counters->received,
           (unsigned long long)counters->forwarded, (unsigned long long)counters_dropped(counters));
    return counters->forwarded > 0 && counters_add_up(counters) &&
                   counters_dropped(counters) == expected
               ? 0
               : 1;
}

int main(void)
{
    struct lab_options options = {.workers = 1};
    time_t end = time(NULL) + RUN_SECONDS;
    struct dp_counters counters;
    struct dp_engine *engine;
    unsigned rounds = 0;
    int result;

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_PEER] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 1};
    options.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_MAC, 1, 0};
    options.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 3};
    lab_open(&lab, &options);
    write_flows(lab_path(&lab, "flows.pcap"));
    engine = start(lab_path(&lab, "flows.pcap"));
    while (time(NULL) < end) {
        reprogram(rounds++);
        capture(engine, rounds);
        trace_packets(engine, rounds, 0);
        trace_packets(engine, rounds, 1);
        dp_counters_total(lab.forwarding, &counters);
        usleep(100);
    }
    dp_capture_free(capturing);
    dp_trace_free(traces[0]);
    dp_trace_free(traces[1]);
    dp_engine_stop(engine);
    dp_counters_total(lab.forwarding, &counters);
    printf("%u rounds, %llu packets captured, %llu traced\n", rounds, (unsigned long long)captured,
           (unsigned long long)traced);
    result = captured > 0 && traced > 0 ? check(&counters) : 1;
    lpm_rcu_barrier();
    lab_close(&lab);
    return result;
}

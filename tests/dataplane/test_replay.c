/*
 * Replay: what goes in comes out as it would leave, everything is counted once, and no file can
 * harm.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lpm/rcu.h"
#include "tests/dataplane/lab.h"

static struct lab lab;
static struct frame frame;

static void open_lab(void)
{
    struct lab_options options = {.workers = 1};

    lab_open(&lab, &options);
}

static void close_lab(void)
{
    lab_close(&lab);
}

TestSuite(replay, .init = open_lab, .fini = close_lab);

static struct dp_replay_report replay_with(struct dp_replay_config config)
{
    struct dp_replay_report report;
    char error[DP_ERROR_TEXT] = "";
    int result;

    if (!config.nic)
        config.nic = LAB_VM;
    result = dp_replay(lab.forwarding, &config, &report, error);
    cr_assert_eq(result, 0, "%s", error);
    cr_assert(counters_add_up(&report.counters));
    return report;
}

static struct dp_replay_report replay(const char *in, const char *out)
{
    return replay_with((struct dp_replay_config){.in = in, .out = out});
}

/* --- Plain forwarding ------------------------------------------------------------------------- */

/* The i-th frame of a mixed trace: both families, tags, padding. */
static void build_mixed(unsigned i)
{
    char address[64];

    if (i % 3 == 2) {
        snprintf(address, sizeof(address), "2001:db8::%x", i);
        frame_udp6(&frame, "fd00:1::4", address, (uint16_t)(1024 + i), (uint16_t)(i % 700));
    } else {
        snprintf(address, sizeof(address), "192.0.2.%u", i % 250);
        frame_udp4(&frame, "10.1.0.4", address, (uint16_t)(1024 + i), (uint16_t)(i % 700));
    }
    if (i % 5 == 4)
        frame_tag(&frame, 0x8100, 7);
    if (i % 10 == 9)
        frame_tag(&frame, 0x88a8, 9);
    if (i % 4 == 3)
        frame_add(&frame, "\0\0\0\0\0\0\0", 7);
}

/* What build_mixed(i) must become on its way to nic: by hand, with a checksum made afresh. */
static void build_expected(unsigned i, uint32_t nic)
{
    static struct frame bare;
    size_t l2, total;
    uint8_t mac[6];

    build_mixed(i);
    l2 = 14 + (i % 5 == 4 ? 4u : 0u) + (i % 10 == 9 ? 4u : 0u);
    total = frame.captured - l2 - (i % 4 == 3 ? 7u : 0u);
    lab_mac(nic, mac);
    frame_ethernet(&bare, mac, lab_gateway_mac, i % 3 == 2 ? 0x86dd : 0x0800);
    frame_add(&bare, frame.bytes + l2, total);
    bare.bytes[i % 3 == 2 ? 21 : 22]--;
    if (i % 3 != 2)
        frame_seal4(&bare, 14);
    frame = bare;
}

static void write_mixed(const char *path, unsigned n)
{
    struct trace *trace = trace_create(path, DLT_EN10MB);

    for (unsigned i = 0; i < n; i++) {
        build_mixed(i);
        trace_add(trace, &frame);
    }
    trace_close(trace);
}

Test(replay, forwards_every_packet_in_order_as_it_would_leave)
{
    const char *in = lab_path(&lab, "in.pcap"), *out = lab_path(&lab, "out.pcap");
    struct dp_replay_report report;
    struct frames frames;
    unsigned by_nic[LAB_NIC_COUNT] = {0};

    write_mixed(in, 500);
    report = replay(in, out);
    frames_read(&frames, out);
    cr_assert_eq(report.counters.received, 500);
    cr_assert_eq(report.counters.forwarded, 500);
    cr_assert_eq(frames.n, 500);
    for (unsigned i = 0; i < frames.n; i++) {
        const struct dp_replay_record *record = &report.records[i];

        cr_assert_eq(record->action, DP_FORWARD);
        cr_assert(record->nic == LAB_NVA1 || record->nic == LAB_NVA2);
        cr_assert_eq(record->group, LAB_GROUP_NVAS);
        cr_assert_neq(record->flow, 0);
        by_nic[record->nic]++;
        build_mixed(i);
        cr_assert_eq(record->bytes, frame.captured);
        build_expected(i, record->nic);
        cr_assert_eq(frames.frames[i].captured, frame.captured, "packet %u", i);
        cr_assert_arr_eq(frames.frames[i].bytes, frame.bytes, frame.captured, "packet %u", i);
    }
    cr_assert(by_nic[LAB_NVA1] > 100 && by_nic[LAB_NVA2] > 100);
    frames_free(&frames);
    free(report.records);
}

Test(replay, gives_equal_files_twice)
{
    struct frames first, second;

    write_mixed(lab_path(&lab, "in.pcap"), 300);
    free(replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "a.pcap")).records);
    free(replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "b.pcap")).records);
    frames_read(&first, lab_path(&lab, "a.pcap"));
    frames_read(&second, lab_path(&lab, "b.pcap"));
    cr_assert_eq(first.n, 300);
    cr_assert_eq(first.n, second.n);
    for (unsigned i = 0; i < first.n; i++) {
        cr_assert_eq(first.frames[i].captured, second.frames[i].captured);
        cr_assert_arr_eq(first.frames[i].bytes, second.frames[i].bytes, first.frames[i].captured);
    }
    frames_free(&first);
    frames_free(&second);
}

Test(replay, an_older_output_is_replaced)
{
    struct frames frames;

    write_mixed(lab_path(&lab, "in.pcap"), 40);
    write_mixed(lab_path(&lab, "out.pcap"), 300);
    free(replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap")).records);
    frames_read(&frames, lab_path(&lab, "out.pcap"));
    cr_assert_eq(frames.n, 40);
    frames_free(&frames);
}

Test(replay, needs_no_output)
{
    struct dp_replay_report report;

    write_mixed(lab_path(&lab, "in.pcap"), 70);
    report = replay(lab_path(&lab, "in.pcap"), NULL);
    cr_assert_eq(report.counters.forwarded, 70);
    cr_assert(report.seconds > 0);
    free(report.records);
}

Test(replay, takes_file_names_with_any_character)
{
    struct dp_replay_report report;
    struct frames frames;

    write_mixed(lab_path(&lab, "in,rx_pcap=x y:z.pcap"), 12);
    report = replay(lab_path(&lab, "in,rx_pcap=x y:z.pcap"), lab_path(&lab, "a=b,c.pcap"));
    frames_read(&frames, lab_path(&lab, "a=b,c.pcap"));
    cr_assert_eq(frames.n, 12);
    frames_free(&frames);
    free(report.records);
}

/* --- Pause ------------------------------------------------------------------------------------ */

static unsigned pauses;

static void fail_nva1(void *context)
{
    pauses++;
    lab_fail_nva1(context);
    lpm_rcu_barrier();
}

static struct dp_replay_report replay_failing_at(uint64_t packet)
{
    pauses = 0;
    lab_restore_nva1(&lab);
    return replay_with((struct dp_replay_config){.in = lab_path(&lab, "in.pcap"),
                                                 .pause_at = packet,
                                                 .on_pause = fail_nva1,
                                                 .context = &lab});
}

Test(replay, pauses_exactly_before_the_packet_named)
{
    struct dp_replay_report undisturbed;

    write_mixed(lab_path(&lab, "in.pcap"), 200);
    undisturbed = replay(lab_path(&lab, "in.pcap"), NULL);
    for (uint64_t packet = 0; packet < 200; packet += packet < 70 ? 1 : 17) {
        struct dp_replay_report report = replay_failing_at(packet);

        cr_assert_eq(pauses, 1);
        for (unsigned i = 0; i < 200; i++) {
            uint32_t expected = i < packet ? undisturbed.records[i].nic : (uint32_t)LAB_NVA2;

            cr_assert_eq(report.records[i].nic, expected, "pause at %u, packet %u",
                         (unsigned)packet, i);
        }
        free(report.records);
    }
    free(replay_failing_at(200).records);
    cr_assert_eq(pauses, 0);
    free(undisturbed.records);
}

/* --- What is not forwarded -------------------------------------------------------------------- */

Test(replay, non_ip_frames_are_counted_and_answers_not_written)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    struct dp_replay_report report;
    struct frames frames;

    frame_arp(&frame, "10.1.0.4", "10.1.0.1");
    trace_add(trace, &frame);
    frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 56);
    trace_add(trace, &frame);
    frame_echo6(&frame, "fd00:1::4", "fd00:1::1", 56);
    trace_add(trace, &frame);
    frame_solicitation(&frame, "fd00:1::4", "fd00:1::1");
    trace_add(trace, &frame);
    frame_udp4(&frame, "10.1.0.4", "198.51.100.1", 1, 1);
    trace_add(trace, &frame);
    trace_close(trace);
    report = replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));
    frames_read(&frames, lab_path(&lab, "out.pcap"));
    cr_assert_eq(frames.n, 0);
    cr_assert_eq(report.counters.dropped[DP_REASON_UNKNOWN_ETHERTYPE], 1);
    cr_assert_eq(report.counters.answered, 3);
    cr_assert_eq(report.counters.dropped[DP_REASON_NULL_ROUTE], 1);
    cr_assert_eq(report.records[0].flow, 0);
    cr_assert_eq(report.records[1].action, DP_ANSWER);
    cr_assert_eq(report.records[4].reason, DP_REASON_NULL_ROUTE);
    frames_free(&frames);
    free(report.records);
}

Test(replay, checks_the_source_only_when_asked)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    struct dp_replay_report report;

    frame_udp4(&frame, "192.0.2.77", "192.0.2.1", 1, 1);
    trace_add(trace, &frame);
    trace_close(trace);
    report = replay(lab_path(&lab, "in.pcap"), NULL);
    cr_assert_eq(report.counters.forwarded, 1);
    free(report.records);
    report = replay_with(
        (struct dp_replay_config){.in = lab_path(&lab, "in.pcap"), .source_check = true});
    cr_assert_eq(report.counters.dropped[DP_REASON_SOURCE_CHECK], 1);
    free(report.records);
}

Test(replay, a_nic_that_is_not_set_drops_everything)
{
    struct dp_replay_report report;

    write_mixed(lab_path(&lab, "in.pcap"), 10);
    report = replay_with((struct dp_replay_config){.in = lab_path(&lab, "in.pcap"), .nic = 12});
    cr_assert_eq(report.counters.dropped[DP_REASON_UNKNOWN_ATTACHMENT], 10);
    free(report.records);
}

/* --- Sizes ------------------------------------------------------------------------------------ */

static struct dp_replay_report replay_one(const struct frame *one)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);

    trace_add(trace, one);
    trace_close(trace);
    return replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));
}

/* Checks the pieces one by one and puts their payloads together. */
static size_t reassemble(const struct frames *frames, uint8_t *payload)
{
    size_t n = 0;

    for (unsigned i = 0; i < frames->n; i++) {
        const uint8_t *ip = frames->frames[i].bytes + 14;
        size_t header = (ip[0] & 0x0fu) * 4u, total = (size_t)(ip[2] << 8 | ip[3]);
        unsigned offset = (unsigned)(ip[6] << 8 | ip[7]);

        cr_assert_eq(frames->frames[i].captured, total + 14);
        cr_assert_leq(total, 1500);
        cr_assert_eq(sum16(ip, header, 0), 0xffff);
        cr_assert_eq((offset & 0x1fff) * 8, n);
        cr_assert_eq((offset & 0x2000) != 0, i + 1 < frames->n);
        memcpy(payload + n, ip + header, total - header);
        n += total - header;
    }
    return n;
}

Test(replay, fragments_what_is_too_large_and_counts_it_once)
{
    static const uint16_t payloads[] = {1473, 1480, 2000, 2960, 4000, 8972, 20000, 65000};
    static uint8_t payload[70000];

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct dp_replay_report report;
        struct frames frames;

        frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, payloads[i]);
        report = replay_one(&frame);
        frames_read(&frames, lab_path(&lab, "out.pcap"));
        cr_assert_eq(report.counters.forwarded, 1);
        cr_assert(frames.n >= 2);
        cr_assert_eq(reassemble(&frames, payload), payloads[i] + 8u);
        cr_assert_arr_eq(payload, frame.bytes + 34, payloads[i] + 8u);
        frames_free(&frames);
        free(report.records);
    }
}

Test(replay, drops_what_is_too_large_and_must_not_be_fragmented)
{
    struct dp_replay_report report;

    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, 2000);
    frame.bytes[20] = 0x40; /* DF */
    frame_seal4(&frame, 14);
    report = replay_one(&frame);
    cr_assert_eq(report.counters.dropped[DP_REASON_MTU], 1);
    free(report.records);
    frame_udp6(&frame, "fd00:1::4", "2001:db8::1", 9, 2000);
    report = replay_one(&frame);
    cr_assert_eq(report.counters.dropped[DP_REASON_MTU], 1);
    free(report.records);
}

Test(replay, forwards_jumbo_frames_whole_where_the_mtu_allows)
{
    struct dp_replay_report report;
    struct frames frames;

    lab.options.mtu = 65535;
    for (uint32_t nic = LAB_VM; nic < LAB_NIC_COUNT; nic++)
        lab_set_nic(&lab, nic);
    for (unsigned payload = 8000; payload <= 65000; payload += 19000) {
        frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, (uint16_t)payload);
        report = replay_one(&frame);
        frames_read(&frames, lab_path(&lab, "out.pcap"));
        cr_assert_eq(report.counters.forwarded, 1);
        cr_assert_eq(frames.n, 1);
        cr_assert_eq(frames.frames[0].captured, payload + 42);
        cr_assert_arr_eq(frames.frames[0].bytes + 34, frame.bytes + 34, payload + 8);
        frames_free(&frames);
        free(report.records);
    }
}

Test(replay, parses_by_captured_bytes_and_measures_by_the_wire)
{
    struct dp_replay_report report;
    struct frames frames;

    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, 1000);
    frame.captured = 96;
    report = replay_one(&frame);
    frames_read(&frames, lab_path(&lab, "out.pcap"));
    cr_assert_eq(report.counters.forwarded, 1);
    cr_assert_eq(report.counters.received_bytes, 1042);
    cr_assert_eq(report.records[0].bytes, 1042);
    cr_assert_eq(frames.frames[0].captured, 96);
    cr_assert_eq(frames.frames[0].wire, 1042);
    frames_free(&frames);
    free(report.records);
    /* Whole on its wire, but the packet claims more than the wire had. */
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, 1000);
    frame.captured = frame.wire = 96;
    report = replay_one(&frame);
    cr_assert_eq(report.counters.dropped[DP_REASON_BAD_TOTAL_LENGTH], 1);
    free(report.records);
    /* Above the MTU, and the bytes to fragment are not there. */
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 9, 2000);
    frame.captured = 96;
    report = replay_one(&frame);
    cr_assert_eq(report.counters.dropped[DP_REASON_MTU], 1);
    free(report.records);
}

/* --- Hostile frames --------------------------------------------------------------------------- */

static void add_options4(struct frame *one)
{
    static struct frame whole;

    frame_udp4(&whole, "10.1.0.4", "192.0.2.1", 5, 20);
    *one = whole;
    one->captured = 34;
    one->bytes[14] = 0x48; /* 12 bytes of options */
    one->bytes[17] = 60;
    frame_add(one, "\x07\x0b\x04\0\0\0\0\0\0\0\0\0", 12);
    frame_add(one, whole.bytes + 34, whole.captured - 34);
    frame_seal4(one, 14);
}

/* Hop-by-hop, destination options, routing, fragment, and again until UDP. */
static void add_extension_headers(struct frame *one, unsigned n)
{
    static const uint8_t kinds[] = {0, 60, 43, 44};
    static struct frame whole;

    frame_udp6(&whole, "fd00:1::4", "2001:db8::1", 5, 20);
    *one = whole;
    one->captured = 54;
    one->bytes[20] = kinds[0];
    for (unsigned i = 0; i < n; i++) {
        /* One PadN option; a fragment header that says "whole". */
        uint8_t padding = kinds[i % 4] != 44;
        uint8_t header[8] = {i + 1 < n ? kinds[(i + 1) % 4] : 17, 0, padding, padding * 4};

        frame_add(one, header, sizeof(header));
    }
    frame_add(one, whole.bytes + 54, whole.captured - 54);
    one->bytes[19] = (uint8_t)(one->captured - 54);
    one->bytes[18] = (uint8_t)((one->captured - 54) >> 8);
}

static void build_seed(unsigned kind, struct frame *one)
{
    switch (kind) {
    case 0:
        frame_udp4(one, "10.1.0.4", "192.0.2.1", 5, 20);
        break;
    case 1:
        frame_udp6(one, "fd00:1::4", "2001:db8::1", 5, 20);
        break;
    case 2:
        add_options4(one);
        break;
    case 3:
        add_extension_headers(one, 3);
        break;
    case 4:
        add_extension_headers(one, 60);
        break;
    case 5:
        frame_solicitation(one, "fe80::1", "fd00:1::1");
        break;
    case 6:
        frame_echo4(one, "10.1.0.4", "10.1.0.1", 20);
        break;
    case 7:
        frame_echo6(one, "fd00:1::4", "fd00:1::1", 20);
        break;
    case 8:
        frame_arp(one, "10.1.0.4", "10.1.0.1");
        break;
    default:
        frame_udp4(one, "10.1.0.4", "192.0.2.1", 5, 20);
        for (unsigned tag = 0; tag < kind - 8; tag++)
            frame_tag(one, tag % 2 ? 0x88a8 : 0x8100, (uint16_t)tag);
    }
}
#define SEED_COUNT 16

Test(replay, frames_cut_at_every_byte_are_counted_once)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    struct dp_replay_report report;
    uint64_t n = 0;

    for (unsigned kind = 0; kind < SEED_COUNT; kind++) {
        uint32_t whole;

        build_seed(kind, &frame);
        whole = frame.captured;
        for (uint32_t cut = 0; cut <= whole && cut < 400; cut++, n += 2) {
            frame.captured = frame.wire = cut;
            trace_add(trace, &frame);
            frame.wire = whole;
            trace_add(trace, &frame);
        }
    }
    trace_close(trace);
    report = replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));
    cr_assert_eq(report.counters.received, n);
    cr_assert(report.counters.dropped[DP_REASON_TOO_SHORT] > 100);
    cr_assert(report.counters.dropped[DP_REASON_BAD_TOTAL_LENGTH] > 100);
    cr_assert(report.counters.dropped[DP_REASON_BAD_EXTENSION_HEADER] > 0);
    cr_assert(report.counters.dropped[DP_REASON_UNKNOWN_ETHERTYPE] > 0);
    free(report.records);
}

Test(replay, random_damage_is_counted_once)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    unsigned seed = (unsigned)getpid();
    struct dp_replay_report report;

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 20000; i++) {
        build_seed((unsigned)rand() % SEED_COUNT, &frame);
        for (int damage = rand() % 4; damage > 0; damage--)
            frame.bytes[(unsigned)rand() % frame.captured] = (uint8_t)rand();
        if (rand() % 8 == 0)
            frame.captured = (unsigned)rand() % (frame.captured + 1);
        if (rand() % 2 == 0)
            frame.wire = frame.captured;
        /* Most header damage would end at the checksum. */
        if (frame.captured >= 74 && frame.bytes[12] == 8 && rand() % 2)
            frame_seal4(&frame, 14);
        trace_add(trace, &frame);
    }
    trace_close(trace);
    report = replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));
    cr_assert_eq(report.counters.received, 20000);
    cr_assert(report.counters.forwarded > 1000);
    free(report.records);
}

/* --- Files ------------------------------------------------------------------------------------ */

Test(replay, an_empty_capture_is_fine)
{
    struct dp_replay_report report;
    struct frames frames;

    trace_close(trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB));
    report = replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));
    cr_assert_eq(report.counters.received, 0);
    frames_read(&frames, lab_path(&lab, "out.pcap"));
    cr_assert_eq(frames.n, 0);
    frames_free(&frames);
    free(report.records);
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void add_block(FILE *file, uint32_t type, const void *body, uint32_t n)
{
    uint32_t padded = (n + 3) / 4 * 4, total = 12 + padded, zero = 0;

    fwrite(&type, 4, 1, file);
    fwrite(&total, 4, 1, file);
    fwrite(body, 1, n, file);
    fwrite(&zero, 1, padded - n, file);
    fwrite(&total, 4, 1, file);
}

Test(replay, reads_pcapng)
{
    static const uint32_t section[4] = {0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX};
    static const uint32_t interface[2] = {DLT_EN10MB, 262144};
    FILE *file = fopen(lab_path(&lab, "in.pcapng"), "wb");
    struct dp_replay_report report;
    uint32_t packet[5 + 32] = {0};

    frame_udp4(&frame, "10.1.0.4", "192.0.2.1", 5, 20);
    packet[3] = packet[4] = frame.captured;
    memcpy(packet + 5, frame.bytes, frame.captured);
    add_block(file, 0x0a0d0d0a, section, sizeof(section));
    add_block(file, 1, interface, sizeof(interface));
    for (unsigned i = 0; i < 5; i++)
        add_block(file, 6, packet, 20 + frame.captured);
    fclose(file);
    report = replay(lab_path(&lab, "in.pcapng"), lab_path(&lab, "out.pcap"));
    cr_assert_eq(report.counters.forwarded, 5);
    free(report.records);
}

/* The line must name the file and hold the words; nothing may be written. */
static void refuse(const char *in, const char *out, const char *named, const char *words, int code)
{
    struct dp_replay_config config = {.nic = LAB_VM, .in = in, .out = out};
    struct dp_replay_report report;
    char error[DP_ERROR_TEXT] = "";
    int result = dp_replay(lab.forwarding, &config, &report, error);

    cr_assert_eq(result, code, "%d: %s", result, error);
    cr_assert_not_null(strstr(error, named), "%s", error);
    cr_assert_not_null(strstr(error, words), "%s", error);
    cr_assert_null(strchr(error, '\n'));
    cr_assert_null(report.records);
    cr_assert_neq(access(lab_path(&lab, "out.pcap"), F_OK), 0);
}

static void refuse_input(const char *name, const char *words, int code)
{
    refuse(lab_path(&lab, name), lab_path(&lab, "out.pcap"), name, words, code);
}

Test(replay, refuses_what_is_no_capture_and_says_so)
{
    struct trace *trace;

    refuse_input("missing.pcap", "No such file", -ENOENT);
    refuse(lab.directory, lab_path(&lab, "out.pcap"), lab.directory, "Is a directory", -EISDIR);
    refuse("/dev/null", lab_path(&lab, "out.pcap"), "/dev/null", "not a regular file", -EINVAL);
    write_bytes(lab_path(&lab, "text.pcap"), "hello, world, I am no capture", 29);
    refuse_input("text.pcap", "not a capture file", -EINVAL);
    write_bytes(lab_path(&lab, "nothing.pcap"), "", 0);
    refuse_input("nothing.pcap", "not a capture file", -EINVAL);
    write_bytes(lab_path(&lab, "packed.pcap.gz"), "\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    refuse_input("packed.pcap.gz", "gunzip", -EINVAL);
    trace = trace_create(lab_path(&lab, "raw.pcap"), DLT_RAW);
    frame_udp4(&frame, "10.1.0.4", "192.0.2.1", 5, 20);
    trace_add(trace, &frame);
    trace_close(trace);
    refuse_input("raw.pcap", "Ethernet (EN10MB) is expected", -EINVAL);
}

Test(replay, refuses_a_file_that_ends_within_a_record_wherever)
{
    static uint8_t bytes[4096];
    FILE *file;
    size_t n;

    write_mixed(lab_path(&lab, "in.pcap"), 3);
    file = fopen(lab_path(&lab, "in.pcap"), "rb");
    n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (size_t cut = 1; cut < n; cut++) {
        struct dp_replay_config config = {.nic = LAB_VM, .in = lab_path(&lab, "cut.pcap")};
        struct dp_replay_report report;
        char error[DP_ERROR_TEXT];
        int result;

        write_bytes(config.in, bytes, cut);
        result = dp_replay(lab.forwarding, &config, &report, error);
        if (result == 0)
            cr_assert(report.counters.received < 3);
        else
            cr_assert_not_null(strstr(error, "cut.pcap"), "%s", error);
        cr_assert(result == 0 || result == -EINVAL);
        free(report.records);
    }
    write_bytes(lab_path(&lab, "cut.pcap"), bytes, n - 1);
    refuse_input("cut.pcap", "after packet 2", -EINVAL);
}

Test(replay, refuses_outputs_that_cannot_be_written)
{
    write_mixed(lab_path(&lab, "in.pcap"), 3);
    refuse(lab_path(&lab, "in.pcap"), lab_path(&lab, "in.pcap"), "in.pcap", "is the input",
           -EINVAL);
    refuse(lab_path(&lab, "in.pcap"), lab_path(&lab, "no/such/out.pcap"), "out.pcap",
           "No such file", -ENOENT);
    refuse(lab_path(&lab, "in.pcap"), lab.directory, lab.directory, "Is a directory", -EISDIR);
    refuse(lab_path(&lab, "in.pcap"), "/dev/full", "/dev/full", "not a regular file", -EINVAL);
    free(replay(lab_path(&lab, "in.pcap"), "/dev/null").records);
    free(replay(lab_path(&lab, "in.pcap"), NULL).records);
}

Test(replay, may_run_many_times_in_one_process)
{
    write_mixed(lab_path(&lab, "in.pcap"), 33);
    for (unsigned run = 0; run < 20; run++) {
        struct dp_replay_report report =
            replay(lab_path(&lab, "in.pcap"), lab_path(&lab, "out.pcap"));

        cr_assert_eq(report.counters.forwarded, 33);
        free(report.records);
    }
}

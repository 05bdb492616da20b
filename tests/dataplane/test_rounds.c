/*
 * Replays that go on for longer: rounds, rates, and what a cut frame says about itself afterwards.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "lpm/rcu.h"
#include "tests/dataplane/lab.h"

#define FRAMES 70u

static struct lab lab;
static struct frame frame;

static void open_lab(void)
{
    struct lab_options options = {.workers = 1, .mtu = 1500};

    options.attachments[LAB_NVA1].vlan = 101; /* nva2 has none */
    lab_open(&lab, &options);
}

static void close_lab(void)
{
    lab_close(&lab);
}

TestSuite(rounds, .init = open_lab, .fini = close_lab);

static struct dp_replay_report replay(struct dp_replay_config config)
{
    struct dp_replay_report report;
    char error[DP_ERROR_TEXT] = "";

    config.nic = LAB_VM;
    config.in = lab_path(&lab, "in.pcap");
    cr_assert_eq(dp_replay(lab.forwarding, &config, &report, error), 0, "%s", error);
    cr_assert(counters_add_up(&report.counters));
    return report;
}

/* Both families, and one in ten that goes nowhere. */
static void build(unsigned i)
{
    char address[64];

    snprintf(address, sizeof(address), i % 2 ? "2001:db8::%x" : "192.0.2.%u", i % 250);
    if (i % 10 == 0)
        snprintf(address, sizeof(address), "198.51.100.1");
    (i % 2 ? frame_udp6 : frame_udp4)(&frame, i % 2 ? "fd00:1::4" : "10.1.0.4", address,
                                      (uint16_t)(1024 + i), (uint16_t)(i * 5));
}

static void write_trace(unsigned n, unsigned apart_us)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);

    for (unsigned i = 0; i < n; i++) {
        build(i);
        trace_add_at(trace, &frame, (uint64_t)i * apart_us);
    }
    trace_close(trace);
}

Test(rounds, each_gives_what_one_alone_gives)
{
    struct dp_replay_report once, thrice;
    struct frames one, three;

    write_trace(FRAMES, 0);
    once = replay((struct dp_replay_config){.out = lab_path(&lab, "one.pcap")});
    thrice = replay((struct dp_replay_config){.out = lab_path(&lab, "three.pcap"), .rounds = 3});
    frames_read(&one, lab_path(&lab, "one.pcap"));
    frames_read(&three, lab_path(&lab, "three.pcap"));
    cr_assert_eq(one.n, 63);
    cr_assert_eq(three.n, 3 * one.n);
    for (unsigned i = 0; i < three.n; i++) {
        cr_assert_eq(three.frames[i].captured, one.frames[i % one.n].captured);
        cr_assert_arr_eq(three.frames[i].bytes, one.frames[i % one.n].bytes,
                         three.frames[i].captured);
    }
    cr_assert_eq(thrice.counters.received, 3 * FRAMES);
    cr_assert_eq(thrice.counters.dropped[DP_REASON_NULL_ROUTE], 3 * 7);
    cr_assert_eq(thrice.record_count, FRAMES);
    for (unsigned i = 0; i < FRAMES; i++) {
        cr_assert_eq(once.records[i].times, 1);
        cr_assert_eq(thrice.records[i].times, 3);
        cr_assert_eq(thrice.records[i].flow, once.records[i].flow);
        cr_assert_eq(thrice.records[i].next_hop, once.records[i].next_hop);
        cr_assert_eq(thrice.records[i].reason, once.records[i].reason);
    }
    frames_free(&one);
    frames_free(&three);
    free(once.records);
    free(thrice.records);
}

static void fail_nva1(void *context)
{
    lab_fail_nva1(context);
    lpm_rcu_barrier();
}

/* Wherever it is, what was before and what came after stay apart. */
Test(rounds, a_change_in_the_midst_of_them_parts_the_records)
{
    static const uint64_t pauses[] = {0, 1, FRAMES - 1, FRAMES, FRAMES + 33, 3 * FRAMES - 1};

    write_trace(FRAMES, 0);
    for (unsigned p = 0; p < sizeof(pauses) / sizeof(pauses[0]); p++) {
        const uint64_t at = pauses[p], after = 3 * FRAMES - at;
        struct dp_replay_report report;
        uint64_t times = 0;

        lab_restore_nva1(&lab);
        report = replay((struct dp_replay_config){
            .rounds = 3, .pause_at = at, .on_pause = fail_nva1, .context = &lab});
        cr_assert_eq(report.split, at < FRAMES ? at : FRAMES);
        cr_assert_eq(report.record_count, report.split + (after < FRAMES ? after : FRAMES));
        for (uint64_t i = 0; i < report.record_count; i++) {
            const struct dp_replay_record *record = &report.records[i];

            cr_assert_gt(record->times, 0);
            if (i >= report.split && record->action == DP_FORWARD)
                cr_assert_eq(record->nic, LAB_NVA2, "pause at %u, %u", (unsigned)at, (unsigned)i);
            times += record->times;
            if (i + 1 == report.split)
                cr_assert_eq(times, at);
        }
        cr_assert_eq(times, 3 * FRAMES);
        free(report.records);
    }
}

/* Never early, however slow the machine is. */
Test(rounds, a_rate_and_recorded_times_are_waited_for)
{
    struct dp_replay_report report;

    write_trace(FRAMES, 1000);
    report = replay((struct dp_replay_config){.packets_per_second = 2000, .rounds = 2});
    cr_assert_geq(report.seconds, (2 * FRAMES - 1) / 2000.0);
    cr_assert_eq(report.counters.received, 2 * FRAMES);
    free(report.records);
    report = replay((struct dp_replay_config){.as_recorded = true, .rounds = 2});
    cr_assert_geq(report.seconds, (2 * FRAMES - 1) / 1000.0);
    cr_assert_eq(report.counters.received, 2 * FRAMES);
    free(report.records);
}

/* A clock that was set back: the frame follows the one in front of it. */
Test(rounds, times_that_go_back_do_not)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    struct dp_replay_report report;

    for (unsigned i = 0; i < 4; i++) {
        build(i);
        trace_add_at(trace, &frame, i == 2 ? 0 : 5000 + i * 1000u);
    }
    trace_close(trace);
    report = replay((struct dp_replay_config){.as_recorded = true});
    cr_assert_geq(report.seconds, 0.003);
    cr_assert_eq(report.counters.received, 4);
    free(report.records);
}

Test(rounds, of_an_empty_trace_there_are_none)
{
    struct dp_replay_report report;

    trace_close(trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB));
    report = replay((struct dp_replay_config){.rounds = 5, .as_recorded = true});
    cr_assert_eq(report.counters.received, 0);
    cr_assert_eq(report.record_count, 0);
    free(report.records);
}

/* 60 bytes of each were captured; with nva1's tag, and without. */
Test(rounds, frames_that_were_cut_keep_the_length_that_they_had)
{
    struct trace *trace = trace_create(lab_path(&lab, "in.pcap"), DLT_EN10MB);
    struct dp_replay_report report;
    struct frames frames;
    unsigned tagged = 0;

    for (unsigned i = 1; i < FRAMES; i++) {
        build(i);
        frame_add(&frame, "padding", 7);
        if (frame.captured > 60 && i % 10 != 0)
            frame.captured = 60;
        trace_add(trace, &frame);
    }
    trace_close(trace);
    report = replay((struct dp_replay_config){.out = lab_path(&lab, "out.pcap"), .rounds = 2});
    frames_read(&frames, lab_path(&lab, "out.pcap"));
    cr_assert_eq(frames.n, 2 * 63);
    for (unsigned i = 1, n = 0; i < FRAMES; i++) {
        const bool has_tag = i % 10 && frames.frames[n].bytes[12] == 0x81;
        const unsigned l2 = has_tag ? 18 : 14, whole = l2 + (i % 2 ? 48 : 28) + i * 5;

        if (i % 10 == 0)
            continue;
        tagged += has_tag;
        cr_assert_eq(frames.frames[n].wire, whole, "frame %u", i);
        cr_assert_eq(frames.frames[n].captured, whole < l2 + 46 ? whole : l2 + 46, "frame %u", i);
        cr_assert_eq(frames.frames[n + 63].wire, whole, "frame %u again", i);
        n++;
    }
    cr_assert(tagged > 0 && tagged < 63);
    frames_free(&frames);
    free(report.records);
}

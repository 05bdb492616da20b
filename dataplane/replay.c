/*
 * Replay: a trace through the real stages, with DPDK's pcap device at both ends.
 *
 *      in.pcap ─ checked by libpcap ─> net_pcap rx ─> classify_trace ─> walk ─> sink ─> net_pcap tx
 *                                                                                 (or nothing)
 *
 * The calling thread does the worker's work. Bursts are cut so that on_pause() runs exactly between
 * two packets. Nothing here depends on time: no rate limit, one order, so two runs give equal files
 * but for the timestamps that the device writes.
 *
 * The pcap device takes file names as options of a comma-separated list; the files are opened here
 * and named /proc/self/fd/N, so that any name works and the file checked is the file read.
 *
 * A frame that the capture cut counts with its length on the wire and leaves as short as it came, its
 * record with the length that it would have. It is not fragmented: when it is above the MTU it is dropped
 * as mtu.
 *
 * Rounds. The reading device is started over for each. What becomes of a frame is the same in every one,
 * but for the change that on_pause() makes: so records need no more room than two rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/eal.h"
#include "dataplane/error.h"
#include "dataplane/pcap_check.h"
#include "dataplane/replay_output.h"
#include "dataplane/replay_pace.h"
#include "dataplane/stages.h"

#define REPLAY_BUFFERS 1024u /* a burst, its fragments, the transmit buffer, the thread's cache */
#define FRAME_FLOOR    2048u

struct replay {
    const struct dp_replay_config *config;
    struct dp_forwarding *forwarding;
    struct dp_capture_file capture;
    struct dp_output out;
    struct dp_pace pace;
    struct rte_mempool *pool;
    struct dp_port in_port, out_port;
    struct dp_tx sink;
    struct dp_path path;
    struct dp_burst burst;
    struct dp_counters before;
    uint64_t done, total; /* frames, of all rounds together */
    uint64_t nanoseconds;
    struct dp_replay_report *report;
    char *error;
};

/* --- Device ----------------------------------------------------------------------------------- */

static uint32_t buffer_bytes(const struct replay *replay)
{
    uint32_t longest = replay->capture.captured_max;

    return longest > FRAME_FLOOR ? longest : FRAME_FLOOR;
}

static int start_eal(struct replay *replay)
{
    struct dp_eal_request request = {
        .pool_bytes = dp_pool_bytes(REPLAY_BUFFERS, DP_FRAME_MAX),
        .quiet = true,
    };
    int result = dp_eal_start(&request, replay->error);

    if (result)
        return result;
    replay->pool = dp_pool_create(REPLAY_BUFFERS, buffer_bytes(replay));
    if (replay->pool)
        return 0;
    return dp_fail(replay->error, -ENOMEM, "out of memory for %u packet buffers of %u bytes",
                   REPLAY_BUFFERS, buffer_bytes(replay));
}

/* Two devices, so that the one that reads can be started over for another round. */
static int open_device(struct replay *replay, struct dp_port *port, const char *way, int file)
{
    char options[128];
    const struct dp_port_config config = {
        .name = "replay", .device = "net_pcap", .options = options, .queues = 1};

    snprintf(options, sizeof(options), "%s_pcap=/proc/self/fd/%d", way, file);
    return dp_port_open(port, &config, 1, false, replay->pool, replay->error);
}

/* Without an output there is no device, and the sink counts and frees. */
static int open_devices(struct replay *replay)
{
    int result = open_device(replay, &replay->in_port, "rx", replay->capture.file);

    if (result || replay->out.file < 0)
        return result;
    replay->sink.port = &replay->out_port;
    return open_device(replay, &replay->out_port, "tx", replay->out.file);
}

/* The device opens its file anew. */
static int begin_again(struct replay *replay)
{
    int result = rte_eth_dev_stop(replay->in_port.id);

    if (!result)
        result = rte_eth_dev_start(replay->in_port.id);
    return result
               ? dp_fail(replay->error, result, "%s: cannot be read once more", replay->config->in)
               : 0;
}

/* --- Forwarding ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

/* Names a flow in its direction; apart from dp_flow_hash(), whose two directions are one. */
static uint64_t flow_name(const struct dp_packet *packet)
{
    uint8_t rest[6] = {packet->family, packet->protocol};
    uint64_t hash = 0xcbf29ce484222325u;

    if (packet->has_ports) {
        rest[2] = (uint8_t)(packet->source_port >> 8);
        rest[3] = (uint8_t)packet->source_port;
        rest[4] = (uint8_t)(packet->destination_port >> 8);
        rest[5] = (uint8_t)packet->destination_port;
    }
    hash = mix(hash, packet->source, sizeof(packet->source));
    hash = mix(hash, packet->destination, sizeof(packet->destination));
    hash = mix(hash, rest, sizeof(rest));
    return hash ? hash : 1;
}

/* Where the record of a frame is. Each frame of the trace has one; and once more, from the pause on, as
 * far as they differ from those before it. */
static struct dp_replay_record *record_of(const struct replay *replay, uint64_t frame)
{
    const uint64_t frames = replay->capture.frames, split = replay->report->split;
    const uint64_t pause_at = replay->config->pause_at;

    if (!replay->config->on_pause || frame < pause_at)
        return &replay->report->records[frame % frames];
    return &replay->report->records[split + (frame - pause_at) % frames];
}

static void record_burst(struct replay *replay)
{
    const struct dp_burst *burst = &replay->burst;

    for (unsigned i = 0; i < burst->n; i++) {
        const struct dp_verdict *verdict = &burst->verdicts[i];
        struct dp_replay_record *record = record_of(replay, replay->done + i);

        *record = (struct dp_replay_record){.times = record->times + 1,
                                            .next_hop = verdict->next_hop,
                                            .backend = verdict->backend,
                                            .group = verdict->group,
                                            .nic = verdict->nic,
                                            .bytes = burst->frames[i].bytes,
                                            .action = verdict->action,
                                            .reason = verdict->reason,
                                            .self_loop = verdict->self_loop};
    }
    for (unsigned p = 0; p < burst->packet_count; p++)
        record_of(replay, replay->done + burst->frame_of[p])->flow = flow_name(&burst->packets[p]);
}

static int forward_burst(struct replay *replay, uint64_t until)
{
    struct rte_mbuf *mbufs[DP_BURST];
    const uint64_t room = until - replay->done, at = replay->done % replay->capture.frames;
    const uint32_t *wire = replay->capture.wire_lengths;
    const unsigned most =
        dp_pace_wait(&replay->pace, replay->done, room < DP_BURST ? (unsigned)room : DP_BURST);
    const uint16_t n = rte_eth_rx_burst(replay->in_port.id, 0, mbufs, (uint16_t)most);

    if (n == 0) {
        return dp_fail(replay->error, -EIO, "%s: changed while it was read: packet %llu is gone",
                       replay->config->in, (unsigned long long)at + 1);
    }
    dp_classify_trace(&replay->path, &replay->burst, replay->config, mbufs, wire ? wire + at : NULL,
                      n);
    dp_walk(&replay->path, &replay->burst);
    dp_egress_flush(&replay->path);
    lpm_rcu_quiescent();
    record_burst(replay);
    replay->done += n;
    return 0;
}

/* What is due between two packets: another round, the pause. The trace's time stands still for it. */
static int between(struct replay *replay)
{
    const struct dp_replay_config *config = replay->config;
    const uint64_t began = dp_pace_now();
    int result = 0;

    if (replay->done > 0 && replay->done % replay->capture.frames == 0)
        result = begin_again(replay);
    if (!result && config->on_pause && replay->done == config->pause_at)
        config->on_pause(config->context);
    replay->pace.began += dp_pace_now() - began;
    return result;
}

/* How far to go before the next of these. */
static uint64_t plan(const struct replay *replay)
{
    const struct dp_replay_config *config = replay->config;
    const uint64_t frames = replay->capture.frames;
    const uint64_t end = (replay->done / frames + 1) * frames;

    if (config->on_pause && replay->done < config->pause_at && config->pause_at < end)
        return config->pause_at;
    return end;
}

static int forward_all(struct replay *replay)
{
    int result = 0;

    lpm_rcu_register_thread();
    replay->pace.began = dp_pace_now();
    while (!result && replay->done < replay->total) {
        result = between(replay);
        const uint64_t until = plan(replay), started = dp_pace_now();

        while (!result && replay->done < until)
            result = forward_burst(replay, until);
        replay->nanoseconds += dp_pace_now() - started;
    }
    lpm_rcu_unregister_thread();
    return result;
}

/* --- Report ----------------------------------------------------------------------------------- */

static void subtract(struct dp_counters *after, const struct dp_counters *before)
{
    after->received -= before->received;
    after->received_bytes -= before->received_bytes;
    after->forwarded -= before->forwarded;
    after->forwarded_bytes -= before->forwarded_bytes;
    after->answered -= before->answered;
    after->self_loop -= before->self_loop;
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        after->dropped[reason] -= before->dropped[reason];
}

static void finish_report(struct replay *replay)
{
    struct dp_counters *counters = &replay->report->counters;

    dp_counters_total(replay->forwarding, counters);
    subtract(counters, &replay->before);
    replay->report->seconds = (double)replay->nanoseconds / 1e9;
}

static void prepare_path(struct replay *replay)
{
    replay->path.forwarding = replay->forwarding;
    replay->path.counters = dp_worker_counters(replay->forwarding, 0);
    replay->path.pool = replay->pool;
    replay->path.sink = &replay->sink;
    replay->path.options.skip_source_check = !replay->config->source_check;
    dp_counters_total(replay->forwarding, &replay->before);
}

/* Those from the pause on may differ from those before it, so they have records of their own. */
static int allocate_records(struct replay *replay)
{
    const struct dp_replay_config *config = replay->config;
    struct dp_replay_report *report = replay->report;
    const uint64_t frames = replay->capture.frames;
    const uint64_t rounds = config->rounds ? config->rounds : 1;
    uint64_t before, after;

    if (frames > 0 && rounds > UINT32_MAX)
        return dp_fail(replay->error, -EINVAL, "at most %u rounds are possible", UINT32_MAX);
    replay->total = frames * rounds;
    before =
        config->on_pause && config->pause_at < replay->total ? config->pause_at : replay->total;
    after = replay->total - before;
    report->split = before < frames ? before : frames;
    report->record_count = report->split + (after < frames ? after : frames);
    report->records = calloc(report->record_count + 1, sizeof(*report->records));
    if (report->records)
        return 0;
    return dp_fail(replay->error, -ENOMEM, "%s: out of memory for %llu packets", config->in,
                   (unsigned long long)report->record_count);
}

static void set_pace(struct replay *replay)
{
    replay->pace = (struct dp_pace){.rate = replay->config->packets_per_second,
                                    .times = replay->capture.times,
                                    .frames = replay->capture.frames};
}

/* --- Interface -------------------------------------------------------------------------------- */

static int prepare(struct replay *replay)
{
    const struct dp_replay_config *config = replay->config;
    int result =
        dp_capture_file_open(config->in, config->as_recorded, &replay->capture, replay->error);

    if (!result)
        result = allocate_records(replay);
    if (!result)
        result = start_eal(replay);
    if (!result)
        result = dp_output_open(&replay->out, config->out, replay->capture.file, replay->error);
    if (!result)
        result = open_devices(replay);
    return result;
}

static int run(struct replay *replay)
{
    struct rte_eth_stats stats = {0};
    int result = prepare(replay);

    if (result)
        return result;
    prepare_path(replay);
    set_pace(replay);
    result = forward_all(replay);
    finish_report(replay);
    if (replay->out_port.started)
        rte_eth_stats_get(replay->out_port.id, &stats);
    dp_port_close(&replay->in_port);
    dp_port_close(&replay->out_port);
    if (!result)
        result = dp_output_check(&replay->out, stats.opackets, stats.obytes,
                                 stats.oerrors + replay->sink.unsent, replay->error);
    if (!result && replay->capture.wire_lengths)
        result = dp_output_restore_lengths(&replay->out, replay->error);
    return result;
}

static void clean_up(struct replay *replay, bool failed)
{
    dp_port_close(&replay->in_port);
    dp_port_close(&replay->out_port);
    rte_mempool_free(replay->pool);
    dp_capture_file_close(&replay->capture);
    dp_output_close(&replay->out, failed);
    if (failed) {
        free(replay->report->records);
        *replay->report = (struct dp_replay_report){0};
    }
}

int dp_replay(struct dp_forwarding *forwarding, const struct dp_replay_config *config,
              struct dp_replay_report *report, char error[DP_ERROR_TEXT])
{
    struct replay *replay = calloc(1, sizeof(*replay));
    int result;

    *report = (struct dp_replay_report){0};
    if (!replay) {
        return dp_fail(error, -ENOMEM, "out of memory");
    }
    replay->config = config;
    replay->forwarding = forwarding;
    replay->report = report;
    replay->error = error;
    replay->out.file = replay->capture.file = -1;
    result = run(replay);
    clean_up(replay, result != 0);
    free(replay);
    return result;
}

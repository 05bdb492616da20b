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
 * A frame that the capture cut counts with its length on the wire and leaves as short as it came.
 * It is not fragmented: when it is above the MTU it is dropped as mtu.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/eal.h"
#include "dataplane/error.h"
#include "dataplane/pcap_check.h"
#include "dataplane/stages.h"

#define REPLAY_BUFFERS 1024u /* a burst, its fragments, the transmit buffer, the thread's cache */
#define FRAME_FLOOR    2048u
#define FILE_HEADER    24u /* of a pcap file; each record has 16 bytes more than its frame */
#define RECORD_HEADER  16u
#define NULL_DEVICE    makedev(1, 3) /* /dev/null */

struct replay {
    const struct dp_replay_config *config;
    struct dp_forwarding *forwarding;
    struct dp_capture capture;
    int out; /* open for writing; -1: none */
    bool out_is_new;
    struct rte_mempool *pool;
    struct dp_port port;
    struct dp_tx sink;
    struct dp_path path;
    struct dp_burst burst;
    struct dp_counters before;
    uint64_t done;
    uint64_t nanoseconds;
    struct dp_replay_report *report;
    char *error;
};

/* --- Output file ------------------------------------------------------------------------------ */

static int refuse_output(struct replay *replay, int code)
{
    return dp_fail(replay->error, -code, "%s: %s; a file that can be written is expected",
                   replay->config->out, strerror(code));
}

/* Where writing cannot fail for want of room, or can be checked afterwards by its size. */
static bool can_be_trusted(const struct stat *out)
{
    return S_ISREG(out->st_mode) || (S_ISCHR(out->st_mode) && out->st_rdev == NULL_DEVICE);
}

/* The device truncates the file when it opens it: too late to notice that it is the input. */
static int check_other_file(struct replay *replay)
{
    struct stat in, out;

    if (fstat(replay->capture.file, &in) || fstat(replay->out, &out))
        return refuse_output(replay, errno);
    if (!can_be_trusted(&out))
        return dp_fail(replay->error, -EINVAL, "%s: not a regular file; a file is expected",
                       replay->config->out);
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return 0;
    return dp_fail(replay->error, -EINVAL, "%s: is the input; another file is expected",
                   replay->config->out);
}

static int open_output(struct replay *replay)
{
    const char *path = replay->config->out;

    if (!path)
        return 0;
    replay->out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, 0666);
    replay->out_is_new = replay->out >= 0;
    if (replay->out < 0 && errno == EEXIST)
        replay->out = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (replay->out < 0)
        return refuse_output(replay, errno);
    return check_other_file(replay);
}

/* libpcap does not tell the device, nor the device us, that a disk is full; the size does. */
static int check_output(struct replay *replay, const struct rte_eth_stats *stats)
{
    struct stat status;
    uint64_t wanted = FILE_HEADER + stats->opackets * RECORD_HEADER + stats->obytes;

    if (replay->out < 0)
        return 0;
    if (stats->oerrors || replay->sink.unsent) {
        return dp_fail(replay->error, -EIO, "%s: %llu packets could not be written",
                       replay->config->out,
                       (unsigned long long)(stats->oerrors + replay->sink.unsent));
    }
    if (fstat(replay->out, &status) || !S_ISREG(status.st_mode) ||
        (uint64_t)status.st_size == wanted)
        return 0;
    return dp_fail(replay->error, -ENOSPC, "%s: only %llu of %llu bytes were written; disk full?",
                   replay->config->out, (unsigned long long)status.st_size,
                   (unsigned long long)wanted);
}

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

/* Without an output the device is given none, and the sink counts and frees. */
static int open_device(struct replay *replay)
{
    char options[128];
    struct dp_port_config port = {
        .name = "replay", .device = "net_pcap", .options = options, .queues = 1};
    int n = snprintf(options, sizeof(options), "rx_pcap=/proc/self/fd/%d", replay->capture.file);
    int result;

    if (replay->out >= 0)
        snprintf(options + n, sizeof(options) - (size_t)n, ",tx_pcap=/proc/self/fd/%d",
                 replay->out);
    result = dp_port_open(&replay->port, &port, 1, replay->pool, replay->error);
    if (!result && replay->out >= 0)
        replay->sink.port = &replay->port;
    return result;
}

/* --- Forwarding ------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

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

static void record_burst(struct replay *replay)
{
    const struct dp_burst *burst = &replay->burst;
    struct dp_replay_record *records = replay->report->records + replay->done;

    for (unsigned i = 0; i < burst->n; i++) {
        const struct dp_verdict *verdict = &burst->verdicts[i];

        records[i] = (struct dp_replay_record){.next_hop = verdict->next_hop,
                                               .backend = verdict->backend,
                                               .group = verdict->group,
                                               .nic = verdict->nic,
                                               .bytes = burst->frames[i].bytes,
                                               .action = verdict->action,
                                               .reason = verdict->reason,
                                               .self_loop = verdict->self_loop};
    }
    for (unsigned p = 0; p < burst->packet_count; p++)
        records[burst->frame_of[p]].flow = flow_name(&burst->packets[p]);
}

static int forward_burst(struct replay *replay, uint64_t until)
{
    struct rte_mbuf *mbufs[DP_BURST];
    uint64_t room = until - replay->done;
    const uint32_t *wire = replay->capture.wire_lengths;
    uint16_t n = rte_eth_rx_burst(replay->port.id, 0, mbufs,
                                  room < DP_BURST ? (uint16_t)room : (uint16_t)DP_BURST);

    if (n == 0) {
        return dp_fail(replay->error, -EIO, "%s: changed while it was read: packet %llu is gone",
                       replay->config->in, (unsigned long long)replay->done + 1);
    }
    dp_classify_trace(&replay->path, &replay->burst, replay->config, mbufs,
                      wire ? wire + replay->done : NULL, n);
    dp_walk(&replay->path, &replay->burst);
    dp_egress_flush(&replay->path);
    lpm_rcu_quiescent();
    record_burst(replay);
    replay->done += n;
    return 0;
}

/* How far to go before the next pause, after taking the one that is due. */
static uint64_t pause_and_plan(struct replay *replay)
{
    const struct dp_replay_config *config = replay->config;

    if (config->on_pause && replay->done == config->pause_at)
        config->on_pause(config->context);
    if (config->on_pause && replay->done < config->pause_at &&
        config->pause_at < replay->capture.frames)
        return config->pause_at;
    return replay->capture.frames;
}

static int forward_all(struct replay *replay)
{
    int result = 0;

    lpm_rcu_register_thread();
    while (!result && replay->done < replay->capture.frames) {
        uint64_t until = pause_and_plan(replay);
        uint64_t started = now_ns();

        while (!result && replay->done < until)
            result = forward_burst(replay, until);
        replay->nanoseconds += now_ns() - started;
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

static int allocate_records(struct replay *replay)
{
    struct dp_replay_report *report = replay->report;

    report->records = calloc(replay->capture.frames + 1, sizeof(*report->records));
    if (report->records)
        return 0;
    return dp_fail(replay->error, -ENOMEM, "%s: out of memory for %llu packets", replay->config->in,
                   (unsigned long long)replay->capture.frames);
}

/* --- Interface -------------------------------------------------------------------------------- */

static int run(struct replay *replay)
{
    struct rte_eth_stats stats = {0};
    int result = dp_capture_open(replay->config->in, &replay->capture, replay->error);

    if (!result)
        result = allocate_records(replay);
    if (!result)
        result = start_eal(replay);
    if (!result)
        result = open_output(replay);
    if (!result)
        result = open_device(replay);
    if (result)
        return result;
    prepare_path(replay);
    result = forward_all(replay);
    finish_report(replay);
    rte_eth_stats_get(replay->port.id, &stats);
    dp_port_close(&replay->port);
    if (!result)
        result = check_output(replay, &stats);
    return result;
}

static void clean_up(struct replay *replay, bool failed)
{
    dp_port_close(&replay->port);
    rte_mempool_free(replay->pool);
    dp_capture_close(&replay->capture);
    if (replay->out >= 0)
        close(replay->out);
    if (failed && replay->out_is_new)
        unlink(replay->config->out);
    if (failed) {
        free(replay->report->records);
        replay->report->records = NULL;
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
    replay->out = -1;
    replay->capture.file = -1;
    result = run(replay);
    clean_up(replay, result != 0);
    free(replay);
    return result;
}

/*
 * The thread of a capture: from copies in rings to blocks in a pcapng file, with DPDK's library.
 *
 * What the library of DPDK 22.11 leaves to do here:
 *   - it has no option for a comment, so the block that it makes is opened again at its end
 *   - it takes the time of a block from a clock of its own that goes wrong when frames of several
 *     workers come a little out of order; the time is written over with that of the copy
 *   - it is not made for several threads at once, hence the lock between threads of captures
 *   - what a full disk took of a block stays in the file: it is cut off again
 *
 * The thread is an RCU reader while it looks up names, and offline otherwise: a file that takes its
 * time holds up nobody.
 */
#define ALLOW_EXPERIMENTAL_API /* all of rte_pcapng is marked so in DPDK 22.11 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pcapng.h>

#include "dataplane/watch.h"

#define PAUSE_NS       1000000
#define NS_PER_SECOND  UINT64_C(1000000000)
#define COMMENT_MOST   220u
#define OPTION_COMMENT 1u
#define OPTION_END     0u
#define BLOCK_HEAD     28u /* of an enhanced packet block, up to the frame */

/* Of the library's block of statistics: head, four numbers, this comment, end of options, length. */
#define STATISTICS "packets of all interfaces; missed: no room on the way to the file"
#define STATISTICS_BYTES                                                                           \
    (20u + 4u * 12u + 4u + RTE_ALIGN_CEIL((unsigned)sizeof(STATISTICS) - 1, 4u) + 4u + 4u)

struct writer {
    struct dp_capture *capture;
    rte_pcapng_t *file;
    off_t whole; /* length of the file up to the last whole block */
    uint64_t base_cycles, base_ns, end_ns;
    unsigned n;
    struct rte_mbuf *blocks[DP_CAPTURE_BATCH];
};

/* rte_pcapng keeps its clock in variables of the library. */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

/* --- Time ------------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t time_of(const struct writer *writer, uint64_t cycles)
{
    const int64_t passed = (int64_t)(cycles - writer->base_cycles);
    const int64_t hz = (int64_t)rte_get_tsc_hz();

    return writer->base_ns + (uint64_t)(passed / hz * (int64_t)NS_PER_SECOND +
                                        passed % hz * (int64_t)NS_PER_SECOND / hz);
}

/* --- Comments --------------------------------------------------------------------------------- */

/* Of the NIC that has the id now; it may have been removed since. */
static const char *name_of(const struct dp_capture *capture, uint32_t id, char text[16])
{
    const struct dp_nic *nic = id > 0 ? dp_nic_read(capture->forwarding, id) : NULL;

    if (nic && nic->name[0])
        return nic->name;
    if (id == 0)
        return "none";
    snprintf(text, 16, "#%u", id);
    return text;
}

static const char *fate_of(const struct dp_capture_slot *slot)
{
    switch ((enum dp_action)slot->action) {
    case DP_FORWARD:
        return slot->out ? "sent" : "forwarded";
    case DP_ANSWER:
        return "answered";
    case DP_DROP:
        break;
    }
    return "dropped";
}

/* nic=vm1 direction=in verdict=dropped reason=no-route */
static size_t comment_of(const struct dp_capture *capture, const struct dp_capture_slot *slot,
                         char text[COMMENT_MOST])
{
    const bool of_sender = capture->config.direction == DP_CAPTURE_DROP || !slot->out;
    char own[16], other[16];
    int n;

    lpm_rcu_online();
    n = snprintf(text, COMMENT_MOST, "nic=%.64s direction=%s verdict=%s",
                 name_of(capture, slot->nic, own), slot->out ? "out" : "in", fate_of(slot));
    if (slot->action == DP_DROP)
        n += snprintf(text + n, COMMENT_MOST - (size_t)n, " reason=%s",
                      dp_reason_name((enum dp_reason)slot->reason));
    if (slot->other != 0)
        n += snprintf(text + n, COMMENT_MOST - (size_t)n, " %s=%.64s", of_sender ? "to" : "from",
                      name_of(capture, slot->other, other));
    lpm_rcu_offline();
    return (size_t)n;
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static void put4(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value)); /* pcapng is in the writer's byte order */
}

static uint8_t *put_option(uint8_t *at, uint16_t code, const char *value, size_t n)
{
    const uint16_t length = (uint16_t)n;

    memcpy(at, &code, sizeof(code));
    memcpy(at + 2, &length, sizeof(length));
    memset(at + 4, 0, RTE_ALIGN_CEIL(n, 4u));
    memcpy(at + 4, value, n);
    return at + 4 + RTE_ALIGN_CEIL(n, 4u);
}

/* The block ends with its own length: that goes, the comment and the end of options come, and the
 * length again, here and in the block's head. */
static bool complete_block(const struct writer *writer, struct rte_mbuf *block,
                           const struct dp_capture_slot *slot)
{
    const uint64_t time = time_of(writer, slot->cycles);
    char comment[COMMENT_MOST];
    const size_t n = comment_of(writer->capture, slot, comment);
    const uint16_t more = (uint16_t)(4 + RTE_ALIGN_CEIL(n, 4u) + 4);
    uint8_t *head, *tail = (uint8_t *)rte_pktmbuf_append(block, more);

    if (!tail || block->nb_segs != 1 || rte_pktmbuf_data_len(block) < BLOCK_HEAD + more)
        return false;
    head = rte_pktmbuf_mtod(block, uint8_t *);
    tail = put_option(tail - 4, OPTION_COMMENT, comment, n);
    tail = put_option(tail, OPTION_END, "", 0);
    put4(tail, rte_pktmbuf_data_len(block));
    put4(head + 4, rte_pktmbuf_data_len(block));
    put4(head + 12, (uint32_t)(time >> 32));
    put4(head + 16, (uint32_t)time);
    put4(head + 24, slot->wire_bytes);
    return true;
}

/* NULL: no buffer. The library wants its frame in a packet buffer, of which it reads no more than this. */
static struct rte_mbuf *block_of(const struct writer *writer, struct dp_capture_slot *slot)
{
    const struct rte_mbuf frame = {.buf_addr = slot->frame,
                                   .buf_len = (uint16_t)slot->bytes,
                                   .data_len = (uint16_t)slot->bytes,
                                   .pkt_len = slot->bytes,
                                   .nb_segs = 1,
                                   .refcnt = 1,
                                   .port = slot->port};
    struct rte_mbuf *block;

    pthread_mutex_lock(&library);
    block = rte_pcapng_copy(slot->port, slot->queue, &frame, writer->capture->blocks, UINT32_MAX,
                            rte_get_tsc_cycles(),
                            slot->out ? RTE_PCAPNG_DIRECTION_OUT : RTE_PCAPNG_DIRECTION_IN);
    pthread_mutex_unlock(&library);
    if (block && !complete_block(writer, block, slot)) {
        rte_pktmbuf_free(block);
        return NULL;
    }
    return block;
}

/* --- File ------------------------------------------------------------------------------------- */

static void end_with(struct dp_capture *capture, enum dp_capture_end end)
{
    int running = DP_CAPTURE_RUNNING;

    atomic_compare_exchange_strong(&capture->end, &running, (int)end);
}

/* Whatever ended it before: the file is not what it should be. */
static void fail(struct writer *writer, int error)
{
    atomic_store_explicit(&writer->capture->error, error ? error : EIO, memory_order_relaxed);
    atomic_store(&writer->capture->end, DP_CAPTURE_FAILED);
    if (ftruncate(writer->capture->config.file, writer->whole)) {
        /* Nothing more can be done for it. */
    }
}

/* The library says what one call to write() took. false: failed. */
static bool advance(struct writer *writer, ssize_t wrote, ssize_t wanted)
{
    if (wrote < 0 || wrote < wanted) {
        fail(writer, wrote < 0 ? rte_errno : ENOSPC);
        return false;
    }
    writer->whole += wrote;
    atomic_store_explicit(&writer->capture->bytes, (uint64_t)writer->whole, memory_order_relaxed);
    return true;
}

static void write_blocks(struct writer *writer)
{
    ssize_t wanted = 0;

    if (writer->n == 0)
        return;
    for (unsigned i = 0; i < writer->n; i++)
        wanted += (ssize_t)rte_pktmbuf_pkt_len(writer->blocks[i]);
    errno = 0;
    if (advance(writer, rte_pcapng_write_packets(writer->file, writer->blocks, (uint16_t)writer->n),
                wanted))
        dp_counter_add(&writer->capture->packets, writer->n);
    rte_pktmbuf_free_bulk(writer->blocks, writer->n);
    writer->n = 0;
}

/* --- Copies ----------------------------------------------------------------------------------- */

static bool is_running(const struct dp_capture *capture)
{
    const int end = atomic_load(&capture->end);

    /* What was captured before somebody stopped it is still written. */
    return end == DP_CAPTURE_RUNNING || end == DP_CAPTURE_STOPPED;
}

static uint64_t waiting_bytes(const struct writer *writer)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < writer->n; i++)
        bytes += rte_pktmbuf_pkt_len(writer->blocks[i]);
    return bytes;
}

static void take_copy(struct writer *writer, struct dp_capture_slot *slot)
{
    struct dp_capture *capture = writer->capture;
    const struct dp_capture_config *config = &capture->config;
    const uint64_t packets =
        atomic_load_explicit(&capture->packets, memory_order_relaxed) + writer->n;
    const bool wanted =
        is_running(capture) && (config->packets_most == 0 || packets < config->packets_most);
    struct rte_mbuf *block = wanted ? block_of(writer, slot) : NULL;

    if (!block) {
        dp_counter_add(&capture->missed, wanted);
        return;
    }
    if (config->bytes_most > 0 && (uint64_t)writer->whole + waiting_bytes(writer) +
                                          rte_pktmbuf_pkt_len(block) + STATISTICS_BYTES >
                                      config->bytes_most) {
        end_with(capture, DP_CAPTURE_BYTES);
        rte_pktmbuf_free(block);
        return;
    }
    writer->blocks[writer->n++] = block;
    if (config->packets_most > 0 && packets + 1 >= config->packets_most)
        end_with(capture, DP_CAPTURE_PACKETS);
}

/* Some of every lane, each in one write. Returns how many there were. */
static unsigned drain(struct writer *writer)
{
    struct dp_capture *capture = writer->capture;
    unsigned done = 0;

    for (unsigned i = 0; i < capture->lane_count; i++) {
        struct dp_capture_lane *lane = &capture->lanes[i];
        struct dp_capture_slot *slot;
        unsigned n = 0;

        for (; n < DP_CAPTURE_BATCH && (slot = dp_capture_take(&lane->filled)); n++) {
            take_copy(writer, slot);
            dp_capture_put(&lane->spare, slot);
        }
        write_blocks(writer);
        done += n;
    }
    return done;
}

/* --- The thread ------------------------------------------------------------------------------- */

static bool open_file(struct writer *writer)
{
    struct dp_capture *capture = writer->capture;

    writer->base_cycles = rte_get_tsc_cycles();
    writer->base_ns = clock_ns(CLOCK_REALTIME);
    writer->end_ns =
        clock_ns(CLOCK_MONOTONIC) + (uint64_t)capture->config.seconds_most * NS_PER_SECOND;
    errno = 0;
    if (ftruncate(capture->config.file, 0) == 0 && lseek(capture->config.file, 0, SEEK_SET) == 0) {
        pthread_mutex_lock(&library);
        writer->file = rte_pcapng_fdopen(capture->config.file, NULL, NULL, "fingerpost", NULL);
        pthread_mutex_unlock(&library);
    }
    if (!writer->file) {
        fail(writer, errno);
        close(capture->config.file);
        return false;
    }
    writer->whole = lseek(capture->config.file, 0, SEEK_CUR);
    atomic_store_explicit(&capture->bytes, (uint64_t)writer->whole, memory_order_relaxed);
    return true;
}

static uint64_t all_missed(const struct dp_capture *capture)
{
    uint64_t missed = atomic_load_explicit(&capture->missed, memory_order_relaxed);

    for (unsigned i = 0; i < capture->lane_count; i++)
        missed += atomic_load_explicit(&capture->lanes[i].missed, memory_order_relaxed);
    return missed;
}

/* One block of statistics says how many there are, and how many there would be: on the first
 * interface, as they are not of a single one. */
static void write_statistics(struct writer *writer)
{
    const struct dp_capture *capture = writer->capture;
    uint16_t port = rte_eth_find_next(0);
    ssize_t wrote;

    if (port >= RTE_MAX_ETHPORTS || atomic_load(&capture->end) == DP_CAPTURE_FAILED)
        return;
    pthread_mutex_lock(&library);
    wrote = rte_pcapng_write_stats(
        writer->file, port, STATISTICS, writer->base_ns, clock_ns(CLOCK_REALTIME),
        atomic_load_explicit(&capture->packets, memory_order_relaxed) + all_missed(capture),
        all_missed(capture));
    if (wrote < 0)
        rte_errno = errno; /* of write(): here the library does not say */
    pthread_mutex_unlock(&library);
    advance(writer, wrote, (ssize_t)STATISTICS_BYTES);
}

static void work(struct writer *writer)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct dp_capture *capture = writer->capture;

    for (;;) {
        /* Read before the rings are: what came before it was silent is then found in them. */
        const bool silent = atomic_load_explicit(&capture->silent, memory_order_acquire);
        const unsigned n = drain(writer);

        if (n == 0 && silent)
            return;
        if (capture->config.seconds_most > 0 && clock_ns(CLOCK_MONOTONIC) >= writer->end_ns)
            end_with(capture, DP_CAPTURE_SECONDS);
        if (n == 0)
            nanosleep(&pause, NULL);
    }
}

void *dp_capture_write(void *context)
{
    struct dp_capture *capture = context;
    struct writer writer = {.capture = capture};

    pthread_setname_np(pthread_self(), "capture");
    lpm_rcu_register_thread();
    lpm_rcu_offline();
    if (open_file(&writer)) {
        work(&writer);
        write_statistics(&writer);
        rte_pcapng_close(writer.file);
    } else {
        work(&writer);
    }
    lpm_rcu_online();
    lpm_rcu_unregister_thread();
    atomic_store_explicit(&capture->finished, true, memory_order_release);
    return NULL;
}

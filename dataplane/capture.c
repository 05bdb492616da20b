/*
 * Captures: beginning and end. What workers do is in watch.c, what the thread does in capture_file.c.
 *
 *   start    rings, pool, thread; then it is published, and workers find it with their next burst
 *   end      the thread reaches a limit, or dp_capture_stop() is called: .end says which came first
 *   poll     sees that, takes it back from the workers, and tells the thread once none can have it any
 *            more (.silent): a grace period, which nobody waits for
 *   thread   empties the rings, closes the file, says .finished
 *
 * Copies lie in ordinary memory: captures come when EAL's, which may be unable to grow, is long handed
 * out, and no device ever reads them.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/eal.h"
#include "dataplane/engine.h"
#include "dataplane/watch.h"
#include "dataplane/writer.h"

#define PATIENCE_S      2 /* for a file that takes nothing */
#define SNAP_BYTES_MOST (UINT16_MAX - RTE_PKTMBUF_HEADROOM - DP_CAPTURE_BLOCK_BYTES)

/* --- What it consists of ---------------------------------------------------------------------- */

static struct rte_mempool *make_blocks(uint32_t frame_bytes)
{
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof(name), "fingerpost_%u", dp_eal_serial());
    return rte_pktmbuf_pool_create(
        name, DP_CAPTURE_BATCH, 0, 0,
        (uint16_t)(RTE_PKTMBUF_HEADROOM + frame_bytes + DP_CAPTURE_BLOCK_BYTES), SOCKET_ID_ANY);
}

static bool make_slots(struct dp_capture_lane *lane, uint32_t frame_bytes)
{
    const size_t each =
        RTE_ALIGN_CEIL(sizeof(struct dp_capture_slot) + frame_bytes, (size_t)DP_CACHE_LINE);

    lane->room_bytes = each * DP_CAPTURE_RING;
    lane->room = dp_pages_get(lane->room_bytes);
    for (unsigned i = 0; lane->room && i < DP_CAPTURE_RING; i++)
        dp_capture_put(&lane->spare,
                       (struct dp_capture_slot *)(void *)((uint8_t *)lane->room + i * each));
    return lane->room;
}

static void destroy(struct dp_capture *capture)
{
    for (unsigned i = 0; capture->lanes && i < capture->lane_count; i++)
        dp_pages_put(capture->lanes[i].room, capture->lanes[i].room_bytes);
    free(capture->lanes);
    assert(!capture->blocks || rte_mempool_in_use_count(capture->blocks) == 0);
    rte_mempool_free(capture->blocks);
    free(capture);
}

static uint32_t snap_bytes(const struct dp_capture_config *config, uint32_t frame_bytes)
{
    const uint32_t most = frame_bytes < SNAP_BYTES_MOST ? frame_bytes : SNAP_BYTES_MOST;

    return config->snap_bytes > 0 && config->snap_bytes < most ? config->snap_bytes : most;
}

static struct dp_capture *make(struct dp_forwarding *forwarding,
                               const struct dp_capture_config *config, uint32_t frame_bytes)
{
    struct dp_capture *capture = calloc(1, sizeof(*capture));
    const size_t bytes = forwarding->config.workers * sizeof(*capture->lanes);
    bool whole = true;

    if (!capture)
        return NULL;
    capture->config = *config;
    capture->forwarding = forwarding;
    capture->snap_bytes = snap_bytes(config, frame_bytes);
    capture->lane_count = forwarding->config.workers;
    capture->lanes = aligned_alloc(DP_CACHE_LINE, bytes);
    if (capture->lanes)
        memset(capture->lanes, 0, bytes);
    for (unsigned i = 0; capture->lanes && i < capture->lane_count; i++)
        whole = make_slots(&capture->lanes[i], capture->snap_bytes) && whole;
    capture->blocks = make_blocks(capture->snap_bytes);
    if (whole && capture->lanes && capture->blocks)
        return capture;
    destroy(capture);
    return NULL;
}

/* --- What workers see ------------------------------------------------------------------------- */

/* Replaces what is observed by a copy with `added`, or without `removed`. */
static int publish(struct dp_forwarding *forwarding, struct dp_capture *added,
                   const struct dp_capture *removed)
{
    const struct dp_watch *before = atomic_load_explicit(&forwarding->watch, memory_order_relaxed);
    struct dp_watch *after;

    if (added && before && before->capture_count == DP_CAPTURES_MOST)
        return -EBUSY;
    after = calloc(1, sizeof(*after));
    if (!after)
        return -ENOMEM;
    dp_watch_publish(forwarding, after, removed, added, NULL);
    return 0;
}

/* Without memory it is tried again with the next poll. */
static void take_back(struct dp_capture *capture)
{
    if (!capture->published || publish(capture->forwarding, NULL, capture))
        return;
    capture->published = false;
    capture->stamp = lpm_rcu_stamp();
}

/* --- Interface -------------------------------------------------------------------------------- */

static int check(const struct dp_capture_config *config, const struct dp_forwarding *forwarding)
{
    struct stat status;

    if (config->nic != DP_NIC_ANY &&
        (config->nic == 0 || config->nic > forwarding->config.nic_capacity))
        return -EINVAL;
    if (config->reason > DP_REASON_COUNT || (unsigned)config->direction > DP_CAPTURE_DROP)
        return -EINVAL;
    /* Whatever may block would hold up the end. */
    return fstat(config->file, &status) == 0 && S_ISREG(status.st_mode) &&
                   (fcntl(config->file, F_GETFL) & O_ACCMODE) != O_RDONLY
               ? 0
               : -EINVAL;
}

/* All signals are for others; a file that grows too long is then an error of write() (SIGXFSZ). */
static int start_thread(struct dp_capture *capture)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&capture->thread, NULL, dp_capture_write, capture);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -result;
}

int dp_capture_start(struct dp_engine *engine, const struct dp_capture_config *config,
                     struct dp_capture **capture)
{
    struct dp_forwarding *forwarding = dp_engine_forwarding(engine);
    const struct dp_watch *watch = atomic_load_explicit(&forwarding->watch, memory_order_relaxed);
    struct dp_capture *made;
    int result = check(config, forwarding);

    if (result)
        return result;
    if (watch && watch->capture_count == DP_CAPTURES_MOST)
        return -EBUSY;
    made = make(forwarding, config, dp_engine_frame_bytes(engine));
    if (!made)
        return -ENOMEM;
    result = publish(forwarding, made, NULL);
    if (result) {
        destroy(made);
        return result;
    }
    made->published = true;
    result = start_thread(made);
    if (result) {
        take_back(made);
        lpm_rcu_barrier();
        if (!made->published) /* else workers have it still, and keep it */
            destroy(made);
        return result;
    }
    *capture = made;
    return 0;
}

void dp_capture_stop(struct dp_capture *capture)
{
    int running = DP_CAPTURE_RUNNING;

    atomic_compare_exchange_strong(&capture->end, &running, DP_CAPTURE_STOPPED);
}

static void tell(struct dp_capture *capture, struct dp_capture_status *status)
{
    *status = (struct dp_capture_status){
        .packets = atomic_load_explicit(&capture->packets, memory_order_relaxed),
        .bytes = atomic_load_explicit(&capture->bytes, memory_order_relaxed),
        .missed = atomic_load_explicit(&capture->missed, memory_order_relaxed),
        .end = (enum dp_capture_end)atomic_load(&capture->end),
        .error = atomic_load_explicit(&capture->error, memory_order_relaxed),
    };
    for (unsigned i = 0; i < capture->lane_count; i++)
        status->missed += atomic_load_explicit(&capture->lanes[i].missed, memory_order_relaxed);
}

bool dp_capture_poll(struct dp_capture *capture, struct dp_capture_status *status)
{
    const bool finished = atomic_load_explicit(&capture->finished, memory_order_acquire);

    if (atomic_load(&capture->end) != DP_CAPTURE_RUNNING && capture->published)
        take_back(capture);
    if (!capture->published) {
        lpm_rcu_flush();
        if (lpm_rcu_passed(capture->stamp))
            atomic_store_explicit(&capture->silent, true, memory_order_release);
    }
    tell(capture, status);
    return finished;
}

void dp_capture_free(struct dp_capture *capture)
{
    struct dp_capture_status status;
    struct timespec until;

    if (!capture)
        return;
    dp_capture_stop(capture);
    while (!dp_capture_poll(capture, &status) && !atomic_load(&capture->silent))
        lpm_rcu_barrier();
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    /* Stuck in a write for good (a file system that is gone): what it may still touch stays. */
    if (pthread_timedjoin_np(capture->thread, NULL, &until)) {
        pthread_detach(capture->thread);
        return;
    }
    destroy(capture);
}

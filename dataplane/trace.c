/*
 * Traces: beginning, end, and what is taken of them. What workers do is in trace_walk.c.
 *
 * Records carry cycles of the time stamp counter until they are taken, and the time of day from then on.
 */
#include "dataplane/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>

#include "dataplane/engine.h"
#include "dataplane/trace_lane.h"
#include "dataplane/watch.h"

/* --- Beginning and end ------------------------------------------------------------------------ */

static bool prefix_valid(const struct lpm_prefix *prefix)
{
    return prefix->family == 0 || (prefix->family == LPM_IPV4 && prefix->length <= 32) ||
           (prefix->family == LPM_IPV6 && prefix->length <= 128);
}

static bool config_valid(const struct dp_trace_config *config,
                         const struct dp_forwarding *forwarding)
{
    if (config->nic != DP_NIC_ANY &&
        (config->nic == 0 || config->nic > forwarding->config.nic_capacity))
        return false;
    return config->reason <= DP_REASON_COUNT && prefix_valid(&config->source) &&
           prefix_valid(&config->destination);
}

static struct dp_trace *make(struct dp_forwarding *forwarding, const struct dp_trace_config *config)
{
    const unsigned lanes = forwarding->config.workers;
    const size_t bytes = RTE_ALIGN_CEIL(
        sizeof(struct dp_trace) + lanes * sizeof(struct dp_trace_lane), (size_t)DP_CACHE_LINE);
    struct dp_trace *trace = aligned_alloc(DP_CACHE_LINE, bytes);

    if (!trace)
        return NULL;
    memset(trace, 0, bytes);
    trace->config = *config;
    trace->forwarding = forwarding;
    trace->lane_count = lanes;
    for (unsigned i = 0; i < lanes; i++) {
        trace->lanes[i].left = config->packets_most ? config->packets_most : UINT64_MAX;
        dp_limiter_init(&trace->lanes[i].picks, DP_TRACE_PER_SECOND, DP_TRACE_AT_ONCE);
        dp_limiter_init(&trace->lanes[i].rests, DP_TRACE_PER_SECOND, DP_TRACE_AT_ONCE);
    }
    return trace;
}

int dp_trace_open(struct dp_forwarding *forwarding, const struct dp_trace_config *config,
                  struct dp_trace **trace)
{
    const struct dp_watch *watch = atomic_load_explicit(&forwarding->watch, memory_order_relaxed);
    struct dp_watch *room;
    struct dp_trace *made;

    if (!config_valid(config, forwarding))
        return -EINVAL;
    if (watch && watch->trace_count == DP_TRACES_MOST)
        return -EBUSY;
    room = calloc(1, sizeof(*room));
    made = make(forwarding, config);
    if (made)
        made->parting = calloc(1, sizeof(*made->parting));
    if (!room || !made || !made->parting) {
        free(room);
        if (made)
            free(made->parting);
        free(made);
        return -ENOMEM;
    }
    dp_watch_publish(forwarding, room, NULL, NULL, made);
    *trace = made;
    return 0;
}

int dp_trace_start(struct dp_engine *engine, const struct dp_trace_config *config,
                   struct dp_trace **trace)
{
    return dp_trace_open(dp_engine_forwarding(engine), config, trace);
}

static void reclaim(struct lpm_rcu_head *head)
{
    free((char *)head - offsetof(struct dp_trace, head));
}

void dp_trace_free(struct dp_trace *trace)
{
    if (!trace)
        return;
    dp_watch_publish(trace->forwarding, trace->parting, trace, NULL, NULL);
    lpm_rcu_defer(&trace->head, reclaim);
}

/* --- Records ---------------------------------------------------------------------------------- */

static const struct dp_trace_record *oldest_of(const struct dp_trace_lane *lane)
{
    const uint32_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&lane->head, memory_order_acquire))
        return NULL;
    return &lane->records[tail % DP_TRACE_RING];
}

/* A clock that was set meanwhile moves what is taken after that, too. */
static uint64_t time_of(uint64_t cycles)
{
    const uint64_t hz = rte_get_tsc_hz(), now = rte_get_tsc_cycles();
    const uint64_t ago = now > cycles ? now - cycles : 0;
    struct timespec day;

    clock_gettime(CLOCK_REALTIME, &day);
    return (uint64_t)day.tv_sec * NS_PER_S + (uint64_t)day.tv_nsec - ago / hz * NS_PER_S -
           ago % hz * NS_PER_S / hz;
}

bool dp_trace_take(struct dp_trace *trace, struct dp_trace_record *record)
{
    struct dp_trace_lane *from = NULL;
    const struct dp_trace_record *oldest = NULL;

    for (unsigned i = 0; i < trace->lane_count; i++) {
        const struct dp_trace_record *next = oldest_of(&trace->lanes[i]);

        if (!next || (oldest && next->nanoseconds >= oldest->nanoseconds))
            continue;
        oldest = next;
        from = &trace->lanes[i];
    }
    if (!oldest)
        return false;
    *record = *oldest;
    record->nanoseconds = time_of(oldest->nanoseconds);
    /* Release: the record was read before its place may be written again. */
    atomic_store_explicit(&from->tail, atomic_load_explicit(&from->tail, memory_order_relaxed) + 1,
                          memory_order_release);
    return true;
}

uint64_t dp_trace_missed(const struct dp_trace *trace)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < trace->lane_count; i++)
        sum += atomic_load_explicit(&trace->lanes[i].missed, memory_order_relaxed);
    return sum;
}

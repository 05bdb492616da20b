/* The writer's side of struct dp_watch. */
#include "dataplane/watch.h"

#include <assert.h>
#include <stdlib.h>

#include "dataplane/trace_lane.h"

static void reclaim(struct lpm_rcu_head *head)
{
    free((char *)head - offsetof(struct dp_watch, head));
}

static void add_capture(struct dp_watch *watch, struct dp_capture *capture)
{
    assert(watch->capture_count < DP_CAPTURES_MOST);
    watch->captures[watch->capture_count++] = capture;
}

static void add_trace(struct dp_watch *watch, struct dp_trace *trace)
{
    assert(watch->trace_count < DP_TRACES_MOST);
    watch->traces[watch->trace_count++] = trace;
    watch->traces_drops |= trace->config.drops;
}

static void copy(struct dp_watch *watch, const struct dp_watch *before, const void *without)
{
    for (unsigned i = 0; i < before->capture_count; i++) {
        if (before->captures[i] != without)
            add_capture(watch, before->captures[i]);
    }
    for (unsigned i = 0; i < before->trace_count; i++) {
        if (before->traces[i] != without)
            add_trace(watch, before->traces[i]);
    }
}

void dp_watch_publish(struct dp_forwarding *forwarding, struct dp_watch *room, const void *without,
                      struct dp_capture *capture, struct dp_trace *trace)
{
    struct dp_watch *before = atomic_load_explicit(&forwarding->watch, memory_order_relaxed);

    *room = (struct dp_watch){0};
    if (before)
        copy(room, before, without);
    if (capture)
        add_capture(room, capture);
    if (trace)
        add_trace(room, trace);
    if (room->capture_count + room->trace_count == 0) {
        free(room);
        room = NULL;
    }
    lpm_rcu_publish(&forwarding->watch, room);
    if (before)
        lpm_rcu_defer(&before->head, reclaim);
}

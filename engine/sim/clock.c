/*
 * The queue is a binary heap of (time, arrival number): arrival breaks ties, which makes runs
 * repeatable.
 */
#include "engine/sim/clock.h"

#include <stdlib.h>

struct queued {
    uint64_t at_ms;
    uint64_t arrival;
    sim_action *action;
    void *context;
    uint64_t argument;
};

struct sim_clock {
    uint64_t now_ms;
    uint64_t arrivals;
    struct queued *heap;
    size_t n, capacity;
    bool failed;
};

struct sim_clock *sim_clock_create(void)
{
    return calloc(1, sizeof(struct sim_clock));
}

void sim_clock_destroy(struct sim_clock *clock)
{
    if (!clock)
        return;
    free(clock->heap);
    free(clock);
}

uint64_t sim_clock_now_ms(const struct sim_clock *clock)
{
    return clock->now_ms;
}

static bool earlier(const struct queued *a, const struct queued *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->arrival < b->arrival;
}

static void swap(struct queued *a, struct queued *b)
{
    struct queued kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(struct sim_clock *clock, size_t i)
{
    while (i > 0 && earlier(&clock->heap[i], &clock->heap[(i - 1) / 2])) {
        swap(&clock->heap[i], &clock->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct sim_clock *clock, size_t i)
{
    for (;;) {
        size_t first = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < clock->n; child++)
            if (earlier(&clock->heap[child], &clock->heap[first]))
                first = child;
        if (first == i)
            return;
        swap(&clock->heap[i], &clock->heap[first]);
        i = first;
    }
}

bool sim_clock_failed(const struct sim_clock *clock)
{
    return clock->failed;
}

void sim_clock_fail(struct sim_clock *clock)
{
    clock->failed = true;
}

void sim_clock_at(struct sim_clock *clock, uint64_t at_ms, sim_action *action, void *context,
                  uint64_t argument)
{
    if (clock->n == clock->capacity) {
        size_t capacity = clock->capacity ? clock->capacity * 2 : 64;
        struct queued *heap = realloc(clock->heap, capacity * sizeof(*heap));
        if (!heap) {
            sim_clock_fail(clock);
            return;
        }
        clock->heap = heap;
        clock->capacity = capacity;
    }
    clock->heap[clock->n] = (struct queued){
        .at_ms = at_ms > clock->now_ms ? at_ms : clock->now_ms,
        .arrival = clock->arrivals++,
        .action = action,
        .context = context,
        .argument = argument,
    };
    sift_up(clock, clock->n++);
}

void sim_clock_forget(struct sim_clock *clock, const void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < clock->n; i++)
        if (clock->heap[i].context != context)
            clock->heap[kept++] = clock->heap[i];
    clock->n = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(clock, i);
}

uint64_t sim_clock_next_ms(const struct sim_clock *clock)
{
    return clock->n ? clock->heap[0].at_ms : UINT64_MAX;
}

bool sim_clock_step(struct sim_clock *clock, uint64_t limit_ms)
{
    if (sim_clock_next_ms(clock) > limit_ms) {
        if (limit_ms > clock->now_ms)
            clock->now_ms = limit_ms;
        return false;
    }
    struct queued due = clock->heap[0];
    clock->heap[0] = clock->heap[--clock->n];
    sift_down(clock, 0);
    clock->now_ms = due.at_ms;
    due.action(due.context, due.argument);
    return true;
}

/*
 * Records are sorted by flow, then by their place in the trace; then each flow is one run.
 */
#include "engine/cli/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct step {
    uint64_t flow;
    size_t place;
    uint32_t next_hop, backend;
    uint32_t bytes, times;
};

static int by_flow_then_place(const void *left, const void *right)
{
    const struct step *a = left, *b = right;
    if (a->flow != b->flow)
        return a->flow < b->flow ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_next_hop_then_flow(const void *left, const void *right)
{
    const struct step *a = left, *b = right;
    if (a->next_hop != b->next_hop)
        return a->next_hop < b->next_hop ? -1 : 1;
    if (a->backend != b->backend)
        return a->backend < b->backend ? -1 : 1;
    return by_flow_then_place(left, right);
}

static bool is_forwarded(const struct dp_replay_record *record)
{
    return record->action == DP_FORWARD;
}

static bool is_of_flow(const struct dp_replay_record *record)
{
    return record->flow != 0;
}

/* The packets that are wanted, in the given order. *steps is malloc'ed. */
static int collect(const struct dp_replay_record *records, size_t n,
                   bool (*is_wanted)(const struct dp_replay_record *),
                   int (*order)(const void *, const void *), struct step **steps, size_t *count)
{
    *count = 0;
    *steps = malloc((n + 1) * sizeof(**steps));
    if (!*steps)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (is_wanted(&records[i]))
            (*steps)[(*count)++] = (struct step){.flow = records[i].flow,
                                                 .place = i,
                                                 .next_hop = records[i].next_hop,
                                                 .backend = records[i].backend,
                                                 .bytes = records[i].bytes,
                                                 .times = records[i].times};
    qsort(*steps, *count, sizeof(**steps), order);
    return 0;
}

static bool same_member(const struct step *a, const struct step *b)
{
    return a->next_hop == b->next_hop && a->backend == b->backend;
}

int flow_shares(const struct dp_replay_record *records, size_t n, struct flow_share **shares,
                size_t *share_count)
{
    struct step *steps;
    size_t count;
    int error = collect(records, n, is_forwarded, by_next_hop_then_flow, &steps, &count);
    if (error)
        return error;
    size_t groups = 0;
    for (size_t i = 0; i < count; i++)
        groups += i == 0 || !same_member(&steps[i], &steps[i - 1]);
    *share_count = 0;
    *shares = calloc(groups + 1, sizeof(**shares));
    if (!*shares)
        error = -ENOMEM;
    for (size_t i = 0; i < count && !error; i++) {
        bool new_hop = i == 0 || !same_member(&steps[i], &steps[i - 1]);
        if (new_hop)
            (*shares)[(*share_count)++] =
                (struct flow_share){.next_hop = steps[i].next_hop, .backend = steps[i].backend};
        struct flow_share *share = &(*shares)[*share_count - 1];
        share->packets += steps[i].times;
        share->bytes += (uint64_t)steps[i].bytes * steps[i].times;
        share->flows += new_hop || steps[i].flow != steps[i - 1].flow;
    }
    free(steps);
    return error;
}

/* What carries the flow and may be lost. */
static uint32_t carrier(const struct step *step)
{
    return step->backend ? step->backend : step->next_hop;
}

/* One flow's steps: the last before the change against the first after it. */
static void compare(const struct step *steps, size_t n, size_t at, const uint32_t *lost,
                    size_t lost_count, struct flow_moves *moves)
{
    size_t first_after = 0;
    while (first_after < n && steps[first_after].place < at)
        first_after++;
    if (first_after == 0 || first_after == n || carrier(&steps[first_after - 1]) == 0)
        return;
    uint32_t before = carrier(&steps[first_after - 1]);
    bool moved = carrier(&steps[first_after]) != before, was_lost = false;
    for (size_t i = 0; i < lost_count; i++)
        was_lost = was_lost || before == lost[i];
    moves->seen++;
    moves->moved += moved;
    moves->moved_needlessly += moved && !was_lost;
}

int flow_moves(const struct dp_replay_record *records, size_t n, size_t at, const uint32_t *lost,
               size_t lost_count, struct flow_moves *moves)
{
    struct step *steps;
    size_t count;
    *moves = (struct flow_moves){0};
    int error = collect(records, n, is_forwarded, by_flow_then_place, &steps, &count);
    if (error)
        return error;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && steps[end].flow == steps[i].flow;)
            end++;
        compare(&steps[i], end - i, at, lost, lost_count, moves);
    }
    free(steps);
    return 0;
}

static unsigned power_below(uint64_t n)
{
    unsigned power = 0;
    while (n >>= 1)
        power++;
    return power;
}

int flow_sizes(const struct dp_replay_record *records, size_t n, struct flow_size sizes[FLOW_SIZES])
{
    struct step *steps;
    size_t count;
    int error = collect(records, n, is_of_flow, by_flow_then_place, &steps, &count);
    memset(sizes, 0, FLOW_SIZES * sizeof(*sizes));
    if (error)
        return error;
    for (size_t i = 0; i < count;) {
        struct flow_size flow = {.flows = 1};
        uint64_t name = steps[i].flow;
        for (; i < count && steps[i].flow == name; i++) {
            flow.packets += steps[i].times;
            flow.bytes += (uint64_t)steps[i].bytes * steps[i].times;
        }
        struct flow_size *size = &sizes[power_below(flow.packets)];
        size->flows++;
        size->packets += flow.packets;
        size->bytes += flow.bytes;
    }
    free(steps);
    return 0;
}

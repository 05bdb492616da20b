/*
 * Records are sorted by flow, then by their place in the trace; then each flow is one run.
 */
#include "engine/cli/flows.h"

#include <errno.h>
#include <stdlib.h>

struct step {
    uint64_t flow;
    size_t place;
    uint32_t next_hop, backend;
    uint32_t bytes;
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

/* Forwarded packets of flows, in the given order. *steps is malloc'ed. */
static int collect(const struct dp_replay_record *records, size_t n,
                   int (*order)(const void *, const void *), struct step **steps, size_t *count)
{
    *count = 0;
    *steps = malloc((n + 1) * sizeof(**steps));
    if (!*steps)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (records[i].action == DP_FORWARD)
            (*steps)[(*count)++] = (struct step){.flow = records[i].flow,
                                                 .place = i,
                                                 .next_hop = records[i].next_hop,
                                                 .backend = records[i].backend,
                                                 .bytes = records[i].bytes};
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
    int error = collect(records, n, by_next_hop_then_flow, &steps, &count);
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
        share->packets++;
        share->bytes += steps[i].bytes;
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
    int error = collect(records, n, by_flow_then_place, &steps, &count);
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

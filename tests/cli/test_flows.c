/* Shares and moves of flows agree with a model that goes through the records the slow way. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/cli/flows.h"

#define RECORDS 3000u
#define FLOWS   200u
#define HOPS    4u

static void random_records(struct dp_replay_record *records, unsigned seed)
{
    srand(seed);
    for (unsigned i = 0; i < RECORDS; i++)
        records[i] = (struct dp_replay_record){
            .flow = 1 + (unsigned)rand() % FLOWS,
            .next_hop = (unsigned)rand() % HOPS,
            .bytes = 60 + (unsigned)rand() % 1400,
            .times = 1 + (unsigned)rand() % 3,
            .action = rand() % 10 ? DP_FORWARD : DP_DROP,
        };
}

Test(flows, shares_are_those_of_the_slow_count)
{
    struct dp_replay_record records[RECORDS];
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct flow_share *shares;
        size_t n;
        uint64_t packets[HOPS] = {0}, bytes[HOPS] = {0}, flows[HOPS] = {0};
        bool seen[HOPS][FLOWS + 1] = {{false}};
        random_records(records, seed);
        for (unsigned i = 0; i < RECORDS; i++) {
            const struct dp_replay_record *record = &records[i];
            if (record->action != DP_FORWARD)
                continue;
            packets[record->next_hop] += record->times;
            bytes[record->next_hop] += record->bytes * record->times;
            flows[record->next_hop] += !seen[record->next_hop][record->flow];
            seen[record->next_hop][record->flow] = true;
        }
        cr_assert_eq(flow_shares(records, RECORDS, &shares, &n), 0);
        cr_assert_eq(n, HOPS, "seed %u", seed);
        for (unsigned i = 0; i < HOPS; i++) {
            cr_assert_eq(shares[i].next_hop, i);
            cr_assert_eq(shares[i].packets, packets[i], "seed %u", seed);
            cr_assert_eq(shares[i].bytes, bytes[i], "seed %u", seed);
            cr_assert_eq(shares[i].flows, flows[i], "seed %u", seed);
        }
        free(shares);
    }
}

/* The last forwarded record of the flow before `at`, or the first from there on; -1: none. */
static int neighbor_record(const struct dp_replay_record *records, uint64_t flow, int at, int step)
{
    for (int i = step < 0 ? at - 1 : at; i >= 0 && i < (int)RECORDS; i += step)
        if (records[i].flow == flow && records[i].action == DP_FORWARD)
            return i;
    return -1;
}

Test(flows, moves_are_those_of_the_slow_count)
{
    struct dp_replay_record records[RECORDS];
    const uint32_t lost[] = {1, 3};
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct flow_moves want = {0}, got;
        int at = (int)(RECORDS / 20 * seed) - 1;
        random_records(records, seed);
        for (uint64_t flow = 1; flow <= FLOWS; flow++) {
            int before = neighbor_record(records, flow, at, -1);
            int after = neighbor_record(records, flow, at, 1);
            if (before < 0 || after < 0 || records[before].next_hop == 0)
                continue;
            bool moved = records[before].next_hop != records[after].next_hop;
            want.seen++;
            want.moved += moved;
            want.moved_needlessly += moved && records[before].next_hop == 2;
        }
        cr_assert_eq(flow_moves(records, RECORDS, (size_t)at, lost, 2, &got), 0);
        cr_assert_eq(got.seen, want.seen, "seed %u", seed);
        cr_assert_eq(got.moved, want.moved, "seed %u", seed);
        cr_assert_eq(got.moved_needlessly, want.moved_needlessly, "seed %u", seed);
    }
}

Test(flows, an_empty_trace_has_none)
{
    struct flow_share *shares;
    struct flow_moves moves;
    size_t n = 1;
    cr_assert_eq(flow_shares(NULL, 0, &shares, &n), 0);
    cr_assert_eq(n, 0);
    free(shares);
    cr_assert_eq(flow_moves(NULL, 0, 0, NULL, 0, &moves), 0);
    cr_assert_eq(moves.seen, 0);
}

Test(flows, sizes_are_those_of_the_slow_count)
{
    static struct dp_replay_record records[RECORDS];
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct flow_size sizes[FLOW_SIZES], expected[FLOW_SIZES] = {{0}};
        random_records(records, seed);
        for (unsigned i = 0; i < RECORDS; i += 7)
            records[i].flow = 0; /* no IP packet */
        for (uint64_t flow = 1; flow <= FLOWS; flow++) {
            uint64_t packets = 0, bytes = 0;
            unsigned power = 0;
            for (unsigned i = 0; i < RECORDS; i++) {
                packets += records[i].flow == flow ? records[i].times : 0;
                bytes += records[i].flow == flow ? records[i].bytes * records[i].times : 0;
            }
            while (packets >> (power + 1))
                power++;
            expected[power].flows += packets > 0;
            expected[power].packets += packets;
            expected[power].bytes += bytes;
        }
        cr_assert_eq(flow_sizes(records, RECORDS, sizes), 0);
        for (unsigned i = 0; i < FLOW_SIZES; i++) {
            cr_assert_eq(sizes[i].flows, expected[i].flows, "seed %u, %u", seed, i);
            cr_assert_eq(sizes[i].packets, expected[i].packets, "seed %u, %u", seed, i);
            cr_assert_eq(sizes[i].bytes, expected[i].bytes, "seed %u, %u", seed, i);
        }
    }
}

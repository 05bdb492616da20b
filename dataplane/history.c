/*
 * Bucket tables that remember: members that come, or that are to be drained, get or lose their buckets
 * one by one, as these fall idle.
 *
 *   pure table of the members     wanted[]    who is to have the bucket
 *   table before this one    ──>  buckets[]   who has it: the former holder, while he is a member still
 *   buckets[b] != wanted[b]                   moves when nobody used b for idle_ms, and after forced_ms
 *                                             in any case: due[b]
 *   stamps[worker][b]                         when the worker last used b, in ticks
 *
 * Linux's resilient next-hop groups are the model (nexthop buckets, with idle and unbalanced timers).
 *
 * The clock is the control thread's. dp_groups_tick() publishes the time, and a worker that uses a
 * bucket leaves that time in its stamp, if it is not there already: one store a tick and bucket. The
 * next call compares stamps with the time that workers knew meanwhile, not with its own: a control
 * thread that comes late finds the buckets that were in use to be in use.
 *
 * Moving a bucket is one store of a byte into the table that all groups with these members share, so
 * both directions of a flow move at once. A reader takes the old member or the new one.
 *
 * History is this host's: two hosts with equal members may have other tables for a while.
 */
#include "dataplane/bucket.h"

#include <stdlib.h>

/* Tables looked at in one call; the others have their turn in the next. */
#define TABLES_A_TICK 128u

/* a - b, of times that are less than 2^31 ticks apart. */
static int32_t ticks_since(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static uint32_t ticks_of(uint32_t ms)
{
    return (ms + DP_TICK_MS - 1) / DP_TICK_MS;
}

/* --- Making ----------------------------------------------------------------------------------- */

struct dp_bucket_history *dp_bucket_history_create(const struct dp_forwarding *forwarding,
                                                   uint32_t bucket_count)
{
    struct dp_bucket_history *history = calloc(1, sizeof(*history));

    if (!history)
        return NULL;
    history->wanted = calloc(bucket_count, sizeof(*history->wanted));
    history->due = calloc(bucket_count, sizeof(*history->due));
    history->stamps =
        calloc((size_t)forwarding->config.workers * bucket_count, sizeof(*history->stamps));
    if (history->wanted && history->due && history->stamps)
        return history;
    dp_bucket_history_destroy(history);
    return NULL;
}

void dp_bucket_history_destroy(struct dp_bucket_history *history)
{
    if (!history)
        return;
    free(history->wanted);
    free(history->due);
    free(history->stamps);
    free(history);
}

/* When anybody last used the bucket; 0: never. */
static uint32_t last_used(const struct dp_forwarding *forwarding,
                          const struct dp_bucket_table *table, uint32_t bucket)
{
    uint32_t latest = 0;

    for (unsigned w = 0; w < forwarding->config.workers; w++) {
        const uint32_t stamp = atomic_load_explicit(
            &table->history->stamps[w * table->bucket_count + bucket], memory_order_relaxed);

        if (stamp != 0 && (latest == 0 || ticks_since(stamp, latest) > 0))
            latest = stamp;
    }
    return latest;
}

/* Of what the table before says nothing, we take that it was used just now. */
static uint32_t used_before(const struct dp_forwarding *forwarding,
                            const struct dp_bucket_table *previous, uint32_t bucket)
{
    if (!previous->history)
        return atomic_load_explicit(&forwarding->tick, memory_order_relaxed);
    return last_used(forwarding, previous, bucket);
}

/* previous's index of a member -> table's, or DP_BUCKET_GONE. Both are sorted. */
static void map_members(const struct dp_bucket_table *previous, const struct dp_bucket_table *table,
                        uint8_t now[DP_GROUP_MEMBER_MAX])
{
    unsigned j = 0;

    for (unsigned i = 0; i < previous->member_count; i++) {
        now[i] = DP_BUCKET_GONE;
        while (j < table->member_count &&
               lpm_address_compare(&table->members[j].address, &previous->members[i].address) < 0)
            j++;
        if (j < table->member_count &&
            lpm_address_equal(&table->members[j].address, &previous->members[i].address))
            now[i] = (uint8_t)j;
    }
}

/* Does the former holder keep the bucket for a while? */
static bool keeps(const struct dp_bucket_table *table, uint8_t holder)
{
    if (holder == DP_BUCKET_GONE)
        return false;
    return table->patience.sticky || table->members[holder].draining;
}

/* The deadline of a move that was due before stands. */
static uint32_t deadline(const struct dp_forwarding *forwarding,
                         const struct dp_bucket_table *table,
                         const struct dp_bucket_table *previous, uint32_t bucket)
{
    const struct dp_bucket_history *history = previous->history;

    if (history && previous->buckets[bucket] != history->wanted[bucket])
        return history->due[bucket];
    return atomic_load_explicit(&forwarding->tick, memory_order_relaxed) +
           ticks_of(table->patience.forced_ms);
}

void dp_bucket_history_begin(const struct dp_forwarding *forwarding, struct dp_bucket_table *table,
                             const struct dp_bucket_table *previous)
{
    struct dp_bucket_history *history = table->history;
    uint8_t now[DP_GROUP_MEMBER_MAX];

    memcpy(history->wanted, table->buckets, table->bucket_count);
    if (!previous)
        return;
    map_members(previous, table, now);
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
        const uint32_t before = previous->bucket_count == table->bucket_count ? bucket : 0;
        const uint8_t holder = now[previous->buckets[before]];

        atomic_store_explicit(&history->stamps[bucket], used_before(forwarding, previous, before),
                              memory_order_relaxed);
        if (!keeps(table, holder) || holder == history->wanted[bucket])
            continue;
        table->buckets[bucket] = holder;
        history->due[bucket] = deadline(forwarding, table, previous, before);
        history->unsettled++;
    }
}

/* --- Moving ----------------------------------------------------------------------------------- */

/* known: the time that workers knew since the last call. */
static bool may_move(const struct dp_forwarding *forwarding, const struct dp_bucket_table *table,
                     uint32_t bucket, uint32_t known, uint32_t now)
{
    const uint32_t last = last_used(forwarding, table, bucket);

    return last == 0 || ticks_since(known, last) >= (int32_t)ticks_of(table->patience.idle_ms) ||
           ticks_since(now, table->history->due[bucket]) >= 0;
}

static unsigned move_buckets(const struct dp_forwarding *forwarding, struct dp_bucket_table *table,
                             uint32_t known, uint32_t now)
{
    struct dp_bucket_history *history = table->history;
    unsigned moved = 0;

    for (uint32_t bucket = 0; bucket < table->bucket_count && history->unsettled > 0; bucket++) {
        const uint8_t holder = table->buckets[bucket], wanted = history->wanted[bucket];

        if (holder == wanted || !may_move(forwarding, table, bucket, known, now))
            continue;
        dp_bucket_write(&table->buckets[bucket], wanted);
        table->held[holder]--;
        table->held[wanted]++;
        history->unsettled--;
        moved++;
    }
    return moved;
}

/* 0 stands for "never". */
static uint32_t tick_of(uint64_t now_ms)
{
    const uint32_t tick = (uint32_t)(now_ms / DP_TICK_MS);

    return tick ? tick : 1;
}

unsigned dp_groups_tick(struct dp_forwarding *forwarding, uint64_t now_ms)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    const uint32_t known = atomic_load_explicit(&forwarding->tick, memory_order_relaxed);
    const uint32_t now = tick_of(now_ms);
    unsigned moved = 0, seen = 0;

    for (unsigned i = 0; i < DP_TABLE_CHAINS && writer->unsettled > 0 && known != 0; i++) {
        struct dp_bucket_table *table = writer->tables[writer->tick_chain];

        for (; table; table = table->next) {
            if (!table->history || table->history->unsettled == 0)
                continue;
            moved += move_buckets(forwarding, table, known, now);
            writer->unsettled -= table->history->unsettled == 0;
            seen++;
        }
        writer->tick_chain = (writer->tick_chain + 1) % DP_TABLE_CHAINS;
        if (seen >= TABLES_A_TICK)
            break;
    }
    atomic_store_explicit(&forwarding->tick, now, memory_order_relaxed);
    return moved;
}

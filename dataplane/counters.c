/*
 * Counters: one set per worker, written by that worker alone, summed by whoever asks.
 *
 * The sets are sized for every NIC id that may come, in pages that cost memory only once a packet
 * of that NIC touches them. A sum taken while packets move is of no single instant; when workers
 * are idle it is exact. Counters belong to the id: they go on when a NIC is replaced, or removed
 * and its id given to another, because a worker may be adding to them at any time.
 */
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

static size_t nics_size(const struct dp_forwarding *forwarding)
{
    return ((size_t)forwarding->config.nic_capacity + 1) * sizeof(struct dp_nic_counters);
}

static size_t express_size(const struct dp_forwarding *forwarding)
{
    return ((size_t)forwarding->config.nic_capacity + 1) * sizeof(struct dp_count);
}

static size_t drops_size(const struct dp_forwarding *forwarding)
{
    return ((size_t)forwarding->config.nic_capacity + 1) * sizeof(struct dp_nic_drops);
}

int dp_workers_create(struct dp_forwarding *forwarding)
{
    forwarding->workers = calloc(forwarding->config.workers, sizeof(*forwarding->workers));
    if (!forwarding->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < forwarding->config.workers; i++) {
        struct dp_worker_counters *worker = &forwarding->workers[i];

        worker->nics = dp_pages_get(nics_size(forwarding));
        worker->drops = dp_pages_get(drops_size(forwarding));
        worker->express = dp_pages_get(express_size(forwarding));
        if (!worker->nics || !worker->drops || !worker->express)
            return -ENOMEM;
    }
    return 0;
}

void dp_workers_destroy(struct dp_forwarding *forwarding)
{
    for (unsigned i = 0; forwarding->workers && i < forwarding->config.workers; i++) {
        struct dp_worker_counters *worker = &forwarding->workers[i];

        for (unsigned chunk = 0; chunk < DP_MEMBER_CHUNKS; chunk++)
            free(atomic_load_explicit(&worker->members[chunk], memory_order_relaxed));
        dp_pages_put(worker->nics, nics_size(forwarding));
        dp_pages_put(worker->drops, drops_size(forwarding));
        dp_pages_put(worker->express, express_size(forwarding));
    }
    free(forwarding->workers);
}

/* What an earlier, failed call made is kept and used. */
int dp_workers_add_chunk(struct dp_forwarding *forwarding, uint32_t chunk)
{
    for (unsigned i = 0; i < forwarding->config.workers; i++) {
        struct dp_worker_counters *worker = &forwarding->workers[i];
        struct dp_count *counts;

        if (atomic_load_explicit(&worker->members[chunk], memory_order_relaxed))
            continue;
        counts = calloc(DP_MEMBER_PER_CHUNK, sizeof(*counts));
        if (!counts)
            return -ENOMEM;
        lpm_rcu_publish(&worker->members[chunk], counts);
    }
    return 0;
}

static uint64_t counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Adds to what is there: the total is a sum of sums. */
static void sum_nic(const struct dp_forwarding *forwarding, uint32_t nic,
                    struct dp_counters *counters)
{
    for (unsigned i = 0; i < forwarding->config.workers; i++) {
        const struct dp_nic_counters *from = &forwarding->workers[i].nics[nic];
        const struct dp_nic_drops *drops = &forwarding->workers[i].drops[nic];

        const struct dp_count *both = &forwarding->workers[i].express[nic];
        const uint64_t express = counter_read(&both->packets);
        const uint64_t express_bytes = counter_read(&both->bytes);

        counters->received += express + counter_read(&from->received);
        counters->received_bytes += express_bytes + counter_read(&from->received_bytes);
        counters->forwarded += express + counter_read(&from->forwarded);
        counters->forwarded_bytes += express_bytes + counter_read(&from->forwarded_bytes);
        counters->answered += counter_read(&from->answered);
        counters->self_loop += counter_read(&from->self_loop);
        for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
            counters->dropped[reason] += counter_read(&drops->by_reason[reason]);
    }
}

void dp_counters_nic(const struct dp_forwarding *forwarding, uint32_t nic,
                     struct dp_counters *counters)
{
    *counters = (struct dp_counters){0};
    if (nic <= forwarding->config.nic_capacity)
        sum_nic(forwarding, nic, counters);
}

void dp_counters_total(const struct dp_forwarding *forwarding, struct dp_counters *counters)
{
    const uint32_t highest =
        atomic_load_explicit(&forwarding->writer->nic_highest, memory_order_relaxed);

    *counters = (struct dp_counters){0};
    for (uint32_t nic = 0; nic <= highest; nic++)
        sum_nic(forwarding, nic, counters);
}

void dp_workers_member(const struct dp_forwarding *forwarding, uint32_t counter,
                       struct dp_next_hop_counters *counters)
{
    *counters = (struct dp_next_hop_counters){0};
    for (unsigned i = 0; i < forwarding->config.workers; i++) {
        const struct dp_count *chunk =
            lpm_rcu_dereference(&forwarding->workers[i].members[counter / DP_MEMBER_PER_CHUNK]);

        if (!chunk)
            continue;
        counters->packets += counter_read(&chunk[counter % DP_MEMBER_PER_CHUNK].packets);
        counters->bytes += counter_read(&chunk[counter % DP_MEMBER_PER_CHUNK].bytes);
    }
}

/*
 * Next hops by number, so that a verdict or a record of a replay names one in four bytes. Numbers go up and are never given again: whoever reads one later still finds its address.
 *
 * Addresses lie in chunks that are published once and never move. The writer finds the number of
 * an address by open addressing; readers only go from number to address.
 */
#include "dataplane/hash.h"
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_LEAST 64

/* number was given. */
static const struct lpm_address *address_of(const struct dp_forwarding *forwarding, uint32_t number)
{
    const struct dp_next_hop_chunk *chunk =
        lpm_rcu_dereference(&forwarding->next_hops[number / DP_NEXT_HOP_PER_CHUNK]);

    return &chunk->addresses[number % DP_NEXT_HOP_PER_CHUNK];
}

/* Acquire: the addresses up to the count were written before it was raised. */
static uint32_t count_of(const struct dp_forwarding *forwarding)
{
    return atomic_load_explicit(&forwarding->writer->next_hop_count, memory_order_acquire);
}

bool dp_next_hop_address(const struct dp_forwarding *forwarding, uint32_t next_hop,
                         struct lpm_address *address)
{
    if (next_hop == 0 || next_hop > count_of(forwarding))
        return false;
    *address = *address_of(forwarding, next_hop);
    return true;
}

/* The slot that holds the address's number, or the free one where it belongs. */
static uint32_t *find_slot(const struct dp_forwarding *forwarding,
                           const struct lpm_address *address)
{
    const struct dp_forwarding_writer *writer = forwarding->writer;
    uint64_t i = dp_hash_address(address);

    for (;; i++) {
        uint32_t *slot = &writer->next_hop_slots[i & writer->next_hop_mask];

        if (*slot == 0 || lpm_address_equal(address_of(forwarding, *slot), address))
            return slot;
    }
}

/* At half load at most, so that a probe ends soon. Readers never look here. */
static int grow_slots(struct dp_forwarding *forwarding)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    const uint32_t slots = writer->next_hop_slots ? 2 * (writer->next_hop_mask + 1) : SLOTS_LEAST;
    uint32_t *new = calloc(slots, sizeof(*new));

    if (!new)
        return -ENOMEM;
    free(writer->next_hop_slots);
    writer->next_hop_slots = new;
    writer->next_hop_mask = slots - 1;
    for (uint32_t number = 1; number <= count_of(forwarding); number++)
        *find_slot(forwarding, address_of(forwarding, number)) = number;
    return 0;
}

static int add_chunk(struct dp_forwarding *forwarding, uint32_t index)
{
    struct dp_next_hop_chunk *chunk;

    if (lpm_rcu_dereference(&forwarding->next_hops[index]))
        return 0;
    chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return -ENOMEM;
    lpm_rcu_publish(&forwarding->next_hops[index], chunk);
    return 0;
}

/* The address lands in its chunk before the count says that it is there. */
int dp_next_hop_number(struct dp_forwarding *forwarding, const struct lpm_address *address,
                       uint32_t *number)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    struct dp_next_hop_chunk *chunk;
    uint32_t *slot;
    uint32_t new;
    int error = 0;

    if (!writer->next_hop_slots || 2 * (count_of(forwarding) + 1) > writer->next_hop_mask)
        error = grow_slots(forwarding);
    if (error < 0)
        return error;
    slot = find_slot(forwarding, address);
    if (*slot == 0) {
        new = count_of(forwarding) + 1;
        if (new >= DP_NEXT_HOP_PER_CHUNK * DP_NEXT_HOP_CHUNKS)
            return -ENOSPC;
        error = add_chunk(forwarding, new / DP_NEXT_HOP_PER_CHUNK);
        if (error < 0)
            return error;
        chunk = lpm_rcu_dereference(&forwarding->next_hops[new / DP_NEXT_HOP_PER_CHUNK]);
        chunk->addresses[new % DP_NEXT_HOP_PER_CHUNK] = *address;
        atomic_store_explicit(&writer->next_hop_count, new, memory_order_release);
        *slot = new;
    }
    *number = *slot;
    return 0;
}

uint32_t dp_next_hop_find(const struct dp_forwarding *forwarding, const struct lpm_address *address)
{
    return forwarding->writer->next_hop_slots ? *find_slot(forwarding, address) : 0;
}

void dp_next_hops_destroy(struct dp_forwarding *forwarding)
{
    for (unsigned i = 0; i < DP_NEXT_HOP_CHUNKS; i++)
        free(atomic_load_explicit(&forwarding->next_hops[i], memory_order_relaxed));
    free(forwarding->writer->next_hop_slots);
}

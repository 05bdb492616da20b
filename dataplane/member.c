/*
 * Where members are counted: a slot of the workers' counters for each next hop of each group.
 *
 *   group_slots[group] ──> numbers of its slots, one for each next hop that it ever had
 *   slots[number]          next hop, group (0: free), what its counters showed when the group got it
 *   chains[next hop]       all slots of a next hop, and the free ones among them
 *
 * A slot stays its next hop's for ever: the sum over a chain is what ever went by a next hop, and a
 * frame on its way out while its group goes is still counted for the right one. It stays its
 * group's while the group lives, so that a member that leaves and comes back counts on. A new group
 * takes a free slot of the next hop and counts from what that shows.
 *
 * Control thread only; workers know the numbers from the groups.
 */
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_LEAST 64u

struct dp_member_slot {
    uint32_t next_hop, group;
    uint32_t next;      /* in the chain of all slots of the next hop; 0: the last */
    uint32_t next_free; /* in that of the free ones */
    struct dp_next_hop_counters base;
};

struct dp_member_chains {
    uint32_t first, first_free;
};

struct dp_group_slots {
    uint32_t n, room;
    uint32_t numbers[];
};

/* --- Room ------------------------------------------------------------------------------------- */

/* Items below *room are there; makes sure that `wanted` is. What is new is zero. */
static int reserve(void **items, uint32_t *room, uint32_t wanted, size_t size)
{
    uint32_t grown = *room ? *room : ROOM_LEAST;
    void *new;

    if (wanted < *room)
        return 0;
    while (grown <= wanted)
        grown *= 2;
    new = calloc(grown, size);
    if (!new)
        return -ENOMEM;
    if (*items)
        memcpy(new, *items, *room * size);
    free(*items);
    *items = new;
    *room = grown;
    return 0;
}

static int reserve_chain(struct dp_forwarding_writer *writer, uint32_t next_hop)
{
    void *items = writer->chains;
    const int error = reserve(&items, &writer->chain_room, next_hop, sizeof(*writer->chains));

    writer->chains = items;
    return error;
}

static int reserve_slot(struct dp_forwarding_writer *writer, uint32_t number)
{
    void *items = writer->slots;
    const int error = reserve(&items, &writer->slot_room, number, sizeof(*writer->slots));

    writer->slots = items;
    return error;
}

/* Room for one more slot of the group. */
static int reserve_group(struct dp_forwarding_writer *writer, uint32_t group)
{
    struct dp_group_slots *old = writer->group_slots[group], *new;
    const uint32_t room = old ? 2 * old->room : 4;

    if (old && old->n < old->room)
        return 0;
    new = calloc(1, sizeof(*new) + room * sizeof(new->numbers[0]));
    if (!new)
        return -ENOMEM;
    if (old)
        memcpy(new, old, sizeof(*old) + old->n * sizeof(old->numbers[0]));
    new->room = room;
    free(old);
    writer->group_slots[group] = new;
    return 0;
}

/* --- Slots ------------------------------------------------------------------------------------ */

static uint32_t find(const struct dp_forwarding_writer *writer, uint32_t group, uint32_t next_hop)
{
    const struct dp_group_slots *slots = writer->group_slots[group];

    for (uint32_t i = 0; slots && i < slots->n; i++) {
        if (writer->slots[slots->numbers[i]].next_hop == next_hop)
            return slots->numbers[i];
    }
    return 0;
}

/* The workers' side first: whoever meets a number in a group finds its counter. */
static int add(struct dp_forwarding *forwarding, uint32_t next_hop, uint32_t *number)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    const uint32_t new = writer->slot_count + 1;
    int error;

    if (new >= DP_MEMBER_PER_CHUNK * DP_MEMBER_CHUNKS)
        return -ENOSPC;
    error = dp_workers_add_chunk(forwarding, new / DP_MEMBER_PER_CHUNK);
    if (error == 0)
        error = reserve_slot(writer, new);
    if (error < 0)
        return error;
    writer->slots[new] =
        (struct dp_member_slot){.next_hop = next_hop, .next = writer->chains[next_hop].first};
    writer->chains[next_hop].first = new;
    writer->slot_count = new;
    *number = new;
    return 0;
}

static uint32_t take_free(struct dp_forwarding *forwarding, uint32_t next_hop)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    const uint32_t number = writer->chains[next_hop].first_free;

    if (number == 0)
        return 0;
    writer->chains[next_hop].first_free = writer->slots[number].next_free;
    dp_workers_member(forwarding, number, &writer->slots[number].base);
    return number;
}

int dp_member_counter(struct dp_forwarding *forwarding, uint32_t group, uint32_t next_hop,
                      uint32_t *counter)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    struct dp_group_slots *slots;
    int error;

    *counter = find(writer, group, next_hop);
    if (*counter != 0)
        return 0;
    error = reserve_chain(writer, next_hop);
    if (error == 0)
        error = reserve_group(writer, group);
    if (error < 0)
        return error;
    *counter = take_free(forwarding, next_hop);
    if (*counter == 0)
        error = add(forwarding, next_hop, counter);
    if (error < 0)
        return error;
    writer->slots[*counter].group = group;
    slots = writer->group_slots[group];
    slots->numbers[slots->n++] = *counter;
    return 0;
}

void dp_member_counters_release(struct dp_forwarding *forwarding, uint32_t group)
{
    struct dp_forwarding_writer *writer = forwarding->writer;
    struct dp_group_slots *slots = writer->group_slots[group];

    for (uint32_t i = 0; slots && i < slots->n; i++) {
        struct dp_member_slot *slot = &writer->slots[slots->numbers[i]];

        slot->group = 0;
        slot->next_free = writer->chains[slot->next_hop].first_free;
        writer->chains[slot->next_hop].first_free = slots->numbers[i];
    }
    free(slots);
    writer->group_slots[group] = NULL;
}

/* --- Questions -------------------------------------------------------------------------------- */

void dp_counters_next_hop(const struct dp_forwarding *forwarding, uint32_t next_hop,
                          struct dp_next_hop_counters *counters)
{
    const struct dp_forwarding_writer *writer = forwarding->writer;
    uint32_t number = next_hop < writer->chain_room ? writer->chains[next_hop].first : 0;

    *counters = (struct dp_next_hop_counters){0};
    for (; number != 0; number = writer->slots[number].next) {
        struct dp_next_hop_counters one;

        dp_workers_member(forwarding, number, &one);
        counters->packets += one.packets;
        counters->bytes += one.bytes;
    }
}

void dp_counters_member(const struct dp_forwarding *forwarding, uint32_t group,
                        const struct lpm_address *next_hop, struct dp_next_hop_counters *counters)
{
    const struct dp_forwarding_writer *writer = forwarding->writer;
    uint32_t number = 0;

    *counters = (struct dp_next_hop_counters){0};
    if (group != 0 && group <= forwarding->config.group_capacity)
        number = find(writer, group, dp_next_hop_find(forwarding, next_hop));
    if (number == 0)
        return;
    dp_workers_member(forwarding, number, counters);
    counters->packets -= writer->slots[number].base.packets;
    counters->bytes -= writer->slots[number].base.bytes;
}

/* --- Life ------------------------------------------------------------------------------------- */

int dp_members_create(struct dp_forwarding *forwarding)
{
    struct dp_forwarding_writer *writer = forwarding->writer;

    writer->group_slots =
        calloc(forwarding->config.group_capacity + 1, sizeof(*writer->group_slots));
    return writer->group_slots ? 0 : -ENOMEM;
}

void dp_members_destroy(struct dp_forwarding *forwarding)
{
    struct dp_forwarding_writer *writer = forwarding->writer;

    for (uint32_t id = 1; writer->group_slots && id <= writer->group_highest; id++)
        free(writer->group_slots[id]);
    free(writer->group_slots);
    free(writer->chains);
    free(writer->slots);
}

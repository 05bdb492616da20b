/*
 * The control thread's side of the forwarding state: what it needs to build records, and the steps
 * that its files lend each other. Readers include forwarding.h and nothing of this.
 */
#ifndef DATAPLANE_WRITER_H
#define DATAPLANE_WRITER_H

#include "dataplane/forwarding.h"

#define DP_TABLE_CHAINS 256
#define DP_TICK_MS      10u

struct dp_forwarding_writer {
    /* Group ids: handed out upwards, then from those that were given back. */
    uint32_t *free_groups;
    uint32_t free_group_count;
    uint32_t group_highest;
    uint64_t group_swaps; /* dp_group_replace() ever */

    _Atomic uint32_t nic_highest; /* ids above were never set: nothing to count there */

    /* Next hop address -> number: open addressing over numbers, 0 is free. */
    uint32_t *next_hop_slots;
    uint32_t next_hop_mask;
    _Atomic uint32_t next_hop_count; /* numbers up to here have their address */

    struct dp_bucket_table *tables[DP_TABLE_CHAINS]; /* by content */
    unsigned unsettled;                              /* tables with buckets that are to move */
    unsigned tick_chain;                             /* where dp_groups_tick() goes on */

    /* Counters of members: see member.c. Number 0 stands for none. */
    struct dp_member_slot *slots;
    uint32_t slot_room, slot_count;
    struct dp_member_chains *chains; /* by number of the next hop */
    uint32_t chain_room;
    struct dp_group_slots **group_slots; /* [group_capacity + 1]; NULL: none yet */
};

struct dp_next_hop_chunk {
    struct lpm_address addresses[DP_NEXT_HOP_PER_CHUNK];
};

static inline bool dp_family_valid(uint8_t family)
{
    return family == LPM_IPV4 || family == LPM_IPV6;
}

/* A prefix of either family, no bit set beyond its length. */
bool dp_prefix_valid(const struct lpm_prefix *prefix);

/* Zeroed pages that cost memory only once touched: counters of thousands of NICs that may never
 * come. NULL with errno. */
void *dp_pages_get(size_t size);
void dp_pages_put(void *pages, size_t size);

/* --- attachment.c ----------------------------------------------------------------------------- */

/* Makes sure that dp_attachment_claim() cannot fail: -EEXIST when another NIC has it, -ENOMEM. */
int dp_attachment_prepare(struct dp_forwarding *forwarding, const struct dp_nic *nic);
/* The NIC's record is published: frames find it from here on. */
void dp_attachment_claim(struct dp_forwarding *forwarding, const struct dp_nic *nic);
/* The NIC's record is still published. */
void dp_attachment_release(struct dp_forwarding *forwarding, const struct dp_nic *nic);
bool dp_attachment_equal(const struct dp_nic *a, const struct dp_nic *b);
void dp_attachments_destroy(struct dp_forwarding *forwarding);

/* --- next_hop.c ------------------------------------------------------------------------------- */

/* The number of a next hop, a new one when the address is new. -ENOSPC, -ENOMEM. */
int dp_next_hop_number(struct dp_forwarding *forwarding, const struct lpm_address *address,
                       uint32_t *number);
/* The number that the address has, 0: it never was a next hop. */
uint32_t dp_next_hop_find(const struct dp_forwarding *forwarding,
                          const struct lpm_address *address);
void dp_next_hops_destroy(struct dp_forwarding *forwarding);

/* --- underlay.c ------------------------------------------------------------------------------- */

/* The port's neighbour of that address, made when it is new. It stays until the end: NIC records lead
 * to it, and who once was a tunnel end point may be one again. NULL: no memory. */
struct dp_neighbor *dp_neighbor_get(struct dp_forwarding *forwarding, uint16_t port,
                                    const struct lpm_address *address);
void dp_underlays_destroy(struct dp_forwarding *forwarding);

/* --- member.c --------------------------------------------------------------------------------- */

/* The counter of a next hop as member of a group: the one that it had there before, or another.
 * -ENOSPC, -ENOMEM. */
int dp_member_counter(struct dp_forwarding *forwarding, uint32_t group, uint32_t next_hop,
                      uint32_t *counter);
/* The group's counters may be given to others: no reader has its id any more. */
void dp_member_counters_release(struct dp_forwarding *forwarding, uint32_t group);
int dp_members_create(struct dp_forwarding *forwarding);
void dp_members_destroy(struct dp_forwarding *forwarding);

/* --- vnet.c ----------------------------------------------------------------------------------- */

void dp_vnets_destroy(struct dp_forwarding *forwarding);

/* --- nic.c ------------------------------------------------------------------------------------ */

struct dp_nic *dp_nic_absent(const struct dp_forwarding *forwarding);
/* Not published under its id, which only counts. free() it. */
struct dp_nic *dp_nic_underlay(const struct dp_forwarding *forwarding, uint16_t port, uint32_t id,
                               const struct lpm_address *address, const uint8_t mac[6]);
void dp_nics_destroy(struct dp_forwarding *forwarding);

/* --- group.c ---------------------------------------------------------------------------------- */

void dp_groups_destroy(struct dp_forwarding *forwarding);

/* --- counters.c ------------------------------------------------------------------------------- */

int dp_workers_create(struct dp_forwarding *forwarding);
void dp_workers_destroy(struct dp_forwarding *forwarding);
/* Room for a chunk of members' counters, on every worker. */
int dp_workers_add_chunk(struct dp_forwarding *forwarding, uint32_t chunk);
/* Sums one over workers. */
void dp_workers_member(const struct dp_forwarding *forwarding, uint32_t counter,
                       struct dp_next_hop_counters *counters);

#endif

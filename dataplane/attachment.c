/*
 * Attachments: which NIC a frame of a port comes from (see struct dp_port_table).
 *
 * A port's table is made when the first NIC attaches to it and stays until the end: it is small,
 * and a port without NICs answers 0 by itself. VLANs and whole ports are slots by index. Source
 * MACs are open addressing with linear probing at half load at most; a slot holds a NIC id, and the
 * id's own record holds the MAC to compare. A removed slot is marked, since a probe must not end
 * at it; marks go when the array is next replaced.
 *
 * Order, for a reader that runs in between. A NIC comes: its record, then its slot. A NIC goes: its
 * slot, then its record. So a slot may lead to no record or, for a moment, to the record of the
 * NIC's next life, and the comparison with that record's own port and MAC settles either. An array
 * that is replaced holds the same ids as its successor until the next change of that port.
 *
 * The overlay, by which frames from other hosts find their NIC, is one more table of MACs: of all
 * NICs that have a VNI, whatever they hang on here.
 */
#include "dataplane/hash.h"
#include "dataplane/underlay.h"
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

#define MAC_SLOTS_LEAST 16

static bool holds_vni(const struct dp_nic *nic, uint32_t vni, const uint8_t mac[6])
{
    return nic && nic->vni == vni && memcmp(nic->mac, mac, 6) == 0;
}

uint32_t dp_port_find_mac(const struct dp_forwarding *forwarding, const struct dp_port_table *table,
                          uint16_t port, const uint8_t mac[6])
{
    const struct dp_mac_table *macs = lpm_rcu_dereference(&table->by_mac);

    if (!macs)
        return 0;
    for (uint32_t i = dp_mac_hash(0, mac);; i++) {
        const uint32_t nic =
            atomic_load_explicit(&macs->slots[i & macs->mask], memory_order_acquire);

        if (nic == 0)
            return 0;
        if (nic != DP_MAC_SLOT_REMOVED && dp_nic_holds_mac(dp_nic_read(forwarding, nic), port, mac))
            return nic;
    }
}

uint32_t dp_overlay_find(const struct dp_forwarding *forwarding, uint32_t vni, const uint8_t mac[6])
{
    const struct dp_mac_table *macs = lpm_rcu_dereference(&forwarding->overlay);

    if (!macs)
        return 0;
    for (uint32_t i = dp_mac_hash(vni, mac);; i++) {
        const uint32_t nic =
            atomic_load_explicit(&macs->slots[i & macs->mask], memory_order_acquire);

        if (nic == 0)
            return 0;
        if (nic != DP_MAC_SLOT_REMOVED && holds_vni(dp_nic_read(forwarding, nic), vni, mac))
            return nic;
    }
}

/* Where the NIC stands in its port's table: a tunnel has no place there. */
static bool port_equal(const struct dp_nic *a, const struct dp_nic *b)
{
    if (a->attachment != b->attachment)
        return false;
    if (a->attachment == DP_ATTACHMENT_NONE || a->attachment == DP_ATTACHMENT_VXLAN)
        return true;
    if (a->port != b->port || a->vlan != b->vlan)
        return false;
    return a->attachment != DP_ATTACHMENT_MAC || memcmp(a->mac, b->mac, 6) == 0;
}

/* The tunnel end point is no part of it: frames find the NIC all the same, and then look. */
bool dp_attachment_equal(const struct dp_nic *a, const struct dp_nic *b)
{
    return port_equal(a, b) && a->vni == b->vni && (a->vni == 0 || memcmp(a->mac, b->mac, 6) == 0);
}

/* The writer's own view: it needs no ordering with itself. */
static struct dp_port_table *port_table(const struct dp_forwarding *forwarding, uint16_t port)
{
    return atomic_load_explicit(&forwarding->ports[port], memory_order_relaxed);
}

static struct dp_mac_table *mac_table(struct dp_mac_table *_Atomic *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

static void mac_table_reclaim(struct lpm_rcu_head *head)
{
    free((char *)head - offsetof(struct dp_mac_table, head));
}

/* There is a free slot: half of them are. vni is 0 for a port's own table. */
static void mac_store(struct dp_mac_table *macs, const struct dp_nic *nic, uint32_t vni)
{
    uint32_t i = dp_mac_hash(vni, nic->mac);

    while (atomic_load_explicit(&macs->slots[i & macs->mask], memory_order_relaxed) != 0)
        i++;
    atomic_store_explicit(&macs->slots[i & macs->mask], nic->id, memory_order_release);
    macs->used++;
}

static bool slot_live(uint32_t slot)
{
    return slot != 0 && slot != DP_MAC_SLOT_REMOVED;
}

static uint32_t mac_live(const struct dp_mac_table *macs)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i <= macs->mask; i++)
        live += slot_live(atomic_load_explicit(&macs->slots[i], memory_order_relaxed));
    return live;
}

/* A new array at a quarter's load, so that growing costs a constant per NIC in the long run. */
static int mac_table_grow(struct dp_forwarding *forwarding, struct dp_mac_table *_Atomic *place)
{
    struct dp_mac_table *old = mac_table(place);
    const bool overlay = place == &forwarding->overlay;
    uint32_t slots = MAC_SLOTS_LEAST;
    struct dp_mac_table *new;

    while (old && slots < 4 * (mac_live(old) + 1))
        slots *= 2;
    new = calloc(1, sizeof(*new) + slots * sizeof(new->slots[0]));
    if (!new)
        return -ENOMEM;
    new->mask = slots - 1;
    for (uint32_t i = 0; old && i <= old->mask; i++) {
        const uint32_t nic = atomic_load_explicit(&old->slots[i], memory_order_relaxed);

        if (slot_live(nic)) {
            const struct dp_nic *record = dp_nic_read(forwarding, nic);

            mac_store(new, record, overlay ? record->vni : 0);
        }
    }
    lpm_rcu_publish(place, new);
    if (old)
        lpm_rcu_defer(&old->head, mac_table_reclaim);
    return 0;
}

/* Room is made before anything changes, while an error can still be returned. The room outlasts a
 * release of the NIC's old slot, which only turns one used slot into a mark. */
static int mac_prepare(struct dp_forwarding *forwarding, struct dp_mac_table *_Atomic *place,
                       const struct dp_nic *nic, uint32_t holder)
{
    const struct dp_mac_table *macs = mac_table(place);

    if (holder != 0 && holder != nic->id)
        return -EEXIST;
    if (macs && 2 * (macs->used + 1) <= macs->mask + 1)
        return 0;
    return mac_table_grow(forwarding, place);
}

/* Where a NIC with a slot of its own is found by index; NULL for the other kinds. */
static _Atomic uint32_t *indexed_slot(struct dp_port_table *table, const struct dp_nic *nic)
{
    switch (nic->attachment) {
    case DP_ATTACHMENT_PORT:
        return &table->whole;
    case DP_ATTACHMENT_VLAN:
        return &table->by_vlan[nic->vlan];
    default:
        return NULL;
    }
}

/* Not in its port's table: without a port, or behind a tunnel. */
static bool portless(const struct dp_nic *nic)
{
    return nic->attachment == DP_ATTACHMENT_NONE || nic->attachment == DP_ATTACHMENT_VXLAN;
}

static int port_prepare(struct dp_forwarding *forwarding, const struct dp_nic *nic)
{
    struct dp_port_table *table;
    _Atomic uint32_t *slot;
    uint32_t holder;

    if (portless(nic))
        return 0;
    table = port_table(forwarding, nic->port);
    if (!table) {
        table = calloc(1, sizeof(*table));
        if (!table)
            return -ENOMEM;
        lpm_rcu_publish(&forwarding->ports[nic->port], table);
    }
    slot = indexed_slot(table, nic);
    if (!slot)
        return mac_prepare(forwarding, &table->by_mac, nic,
                           dp_port_find_mac(forwarding, table, nic->port, nic->mac));
    holder = atomic_load_explicit(slot, memory_order_relaxed);
    return holder == 0 || holder == nic->id ? 0 : -EEXIST;
}

int dp_attachment_prepare(struct dp_forwarding *forwarding, const struct dp_nic *nic)
{
    int error = port_prepare(forwarding, nic);

    if (!error && nic->vni != 0)
        error = mac_prepare(forwarding, &forwarding->overlay, nic,
                            dp_overlay_find(forwarding, nic->vni, nic->mac));
    return error;
}

void dp_attachment_claim(struct dp_forwarding *forwarding, const struct dp_nic *nic)
{
    struct dp_port_table *table;
    _Atomic uint32_t *slot;

    if (nic->vni != 0)
        mac_store(mac_table(&forwarding->overlay), nic, nic->vni);
    if (portless(nic))
        return;
    table = port_table(forwarding, nic->port);
    slot = indexed_slot(table, nic);
    if (slot)
        atomic_store_explicit(slot, nic->id, memory_order_release);
    else
        mac_store(mac_table(&table->by_mac), nic, 0);
}

/* By id, not by MAC: a NIC is in an array once at most, and here for certain. */
static void mac_remove(struct dp_mac_table *macs, const struct dp_nic *nic, uint32_t vni)
{
    uint32_t i = dp_mac_hash(vni, nic->mac);

    while (atomic_load_explicit(&macs->slots[i & macs->mask], memory_order_relaxed) != nic->id)
        i++;
    atomic_store_explicit(&macs->slots[i & macs->mask], DP_MAC_SLOT_REMOVED, memory_order_release);
}

void dp_attachment_release(struct dp_forwarding *forwarding, const struct dp_nic *nic)
{
    struct dp_port_table *table;
    _Atomic uint32_t *slot;

    if (nic->vni != 0)
        mac_remove(mac_table(&forwarding->overlay), nic, nic->vni);
    if (portless(nic))
        return;
    table = port_table(forwarding, nic->port);
    slot = indexed_slot(table, nic);
    if (slot)
        atomic_store_explicit(slot, 0, memory_order_release);
    else
        mac_remove(mac_table(&table->by_mac), nic, 0);
}

void dp_attachments_destroy(struct dp_forwarding *forwarding)
{
    for (unsigned port = 0; port < DP_PORT_CAPACITY; port++) {
        struct dp_port_table *table = port_table(forwarding, (uint16_t)port);

        if (table)
            free(mac_table(&table->by_mac));
        free(table);
    }
    free(mac_table(&forwarding->overlay));
}

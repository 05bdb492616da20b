/*
 * See underlay.h. A change of an underlay port makes a record anew, with the MAC that the former one
 * had: the device stays the same.
 *
 * Neighbours. A tick is a second. An answer holds for RENEW_TICKS, then it is asked for again each
 * tick until one comes, and after FORGET_TICKS the MAC is no longer used: packets are dropped as
 * next-hop-unreachable and not sent to nobody. A neighbour that moves to another MAC says so itself
 * (gratuitous ARP, unsolicited advertisement), which any worker takes.
 */
#include "dataplane/underlay.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/hash.h"
#include "dataplane/writer.h"

#define RENEW_TICKS  20u
#define FORGET_TICKS 60u
#define PEER_SLOTS   8u

/* --- Neighbours ------------------------------------------------------------------------------- */

static struct dp_neighbor *find(const struct dp_forwarding *forwarding, uint16_t port,
                                const struct lpm_address *address)
{
    struct dp_neighbor *neighbor = lpm_rcu_dereference(&forwarding->neighbors[port]);

    while (neighbor && !lpm_address_equal(&neighbor->address, address))
        neighbor = lpm_rcu_dereference(&neighbor->next);
    return neighbor;
}

struct dp_neighbor *dp_neighbor_get(struct dp_forwarding *forwarding, uint16_t port,
                                    const struct lpm_address *address)
{
    struct dp_neighbor *neighbor = find(forwarding, port, address);

    if (neighbor)
        return neighbor;
    neighbor = calloc(1, sizeof(*neighbor));
    if (!neighbor)
        return NULL;
    neighbor->address = *address;
    atomic_init(&neighbor->next,
                atomic_load_explicit(&forwarding->neighbors[port], memory_order_relaxed));
    lpm_rcu_publish(&forwarding->neighbors[port], neighbor);
    return neighbor;
}

bool dp_neighbor_heard(const struct dp_forwarding *forwarding, uint16_t port,
                       const struct lpm_address *address, const uint8_t mac[6])
{
    struct dp_neighbor *neighbor = find(forwarding, port, address);
    uint64_t word = DP_MAC_KNOWN;

    if (!neighbor || (mac[0] & 1))
        return false;
    for (unsigned i = 0; i < 6; i++)
        word |= (uint64_t)mac[i] << (8 * i);
    atomic_store_explicit(&neighbor->mac, word, memory_order_relaxed);
    atomic_store_explicit(&neighbor->heard, true, memory_order_relaxed);
    return true;
}

bool dp_neighbor_tick(struct dp_neighbor *neighbor)
{
    unsigned silent = atomic_load_explicit(&neighbor->silent, memory_order_relaxed) + 1;

    if (atomic_exchange_explicit(&neighbor->heard, false, memory_order_relaxed))
        silent = 0;
    if (silent > FORGET_TICKS) {
        atomic_store_explicit(&neighbor->mac, 0, memory_order_relaxed);
        silent = FORGET_TICKS;
    }
    atomic_store_explicit(&neighbor->silent, silent, memory_order_relaxed);
    return silent >= RENEW_TICKS || !atomic_load_explicit(&neighbor->mac, memory_order_relaxed);
}

/* --- Peers ------------------------------------------------------------------------------------ */

bool dp_underlay_has_peer(const struct dp_underlay *underlay, const struct lpm_address *address)
{
    for (uint32_t i = (uint32_t)dp_hash_address(address);; i++) {
        const struct lpm_address *peer = &underlay->peers[i & underlay->peer_mask];

        if (peer->family == 0)
            return false;
        if (lpm_address_equal(peer, address))
            return true;
    }
}

static void add_peer(struct dp_underlay *underlay, const struct lpm_address *address)
{
    uint32_t i = (uint32_t)dp_hash_address(address);

    if (dp_underlay_has_peer(underlay, address))
        return;
    while (underlay->peers[i & underlay->peer_mask].family != 0)
        i++;
    underlay->peers[i & underlay->peer_mask] = *address;
    underlay->peer_count++;
}

/* --- The record ------------------------------------------------------------------------------- */

static bool config_valid(const struct dp_forwarding *forwarding,
                         const struct dp_underlay_config *config)
{
    const uint8_t family = config->address.family;

    if (!dp_family_valid(family) || config->nic > forwarding->config.nic_capacity ||
        (config->next_hop.family != 0 && config->next_hop.family != family))
        return false;
    for (unsigned i = 0; i < config->peer_count; i++) {
        if (config->peers[i].family != family)
            return false;
    }
    return true;
}

static struct dp_underlay *allocate(unsigned peers)
{
    uint32_t slots = PEER_SLOTS;
    struct dp_underlay *underlay;

    while (slots < 2 * (peers + 1))
        slots *= 2;
    underlay = calloc(1, sizeof(*underlay) + slots * sizeof(underlay->peers[0]));
    if (underlay)
        underlay->peer_mask = slots - 1;
    return underlay;
}

static void underlay_free(struct dp_underlay *underlay)
{
    if (underlay)
        free(underlay->self);
    free(underlay);
}

static void underlay_reclaim(struct lpm_rcu_head *head)
{
    underlay_free((struct dp_underlay *)((char *)head - offsetof(struct dp_underlay, head)));
}

static struct dp_underlay *current(const struct dp_forwarding *forwarding, uint16_t port)
{
    return atomic_load_explicit(&forwarding->underlays[port], memory_order_relaxed);
}

static void publish(struct dp_forwarding *forwarding, uint16_t port, struct dp_underlay *made)
{
    struct dp_underlay *old = current(forwarding, port);

    lpm_rcu_publish(&forwarding->underlays[port], made);
    if (old)
        lpm_rcu_defer(&old->head, underlay_reclaim);
}

void dp_underlay_invent_mac(const struct lpm_address *address, uint8_t mac[6])
{
    const uint8_t *last = address->bytes + (address->family == LPM_IPV4 ? 0 : 12);

    mac[0] = 0x02;
    mac[1] = address->family == LPM_IPV4 ? 4 : 6;
    memcpy(mac + 2, last, 4);
}

/* device_mac: NULL where there is none, or none yet. */
static int make(struct dp_forwarding *forwarding, uint16_t port,
                const struct dp_underlay_config *config, const uint8_t *device_mac,
                struct dp_underlay **made)
{
    static const uint8_t none[6];
    struct dp_underlay *underlay = allocate(config->peer_count);
    const bool fixed = memcmp(config->mac, none, sizeof(none)) != 0;
    const uint8_t *mac = fixed ? config->mac : device_mac;
    uint8_t own[6];

    if (!underlay)
        return -ENOMEM;
    if (mac)
        memcpy(own, mac, sizeof(own));
    else
        dp_underlay_invent_mac(&config->address, own);
    underlay->address = config->address;
    underlay->next_hop = config->next_hop;
    underlay->has_mac = mac != NULL;
    underlay->fixed_mac = fixed;
    underlay->self = dp_nic_underlay(forwarding, port, config->nic, &config->address, own);
    if (!underlay->self)
        goto fail;
    if (config->next_hop.family != 0) {
        underlay->router = dp_neighbor_get(forwarding, port, &config->next_hop);
        if (!underlay->router)
            goto fail;
    }
    for (unsigned i = 0; i < config->peer_count; i++) {
        add_peer(underlay, &config->peers[i]);
        if (!dp_neighbor_get(forwarding, port, &config->peers[i]))
            goto fail;
    }
    *made = underlay;
    return 0;
fail:
    underlay_free(underlay);
    return -ENOMEM;
}

int dp_underlay_set(struct dp_forwarding *forwarding, uint16_t port,
                    const struct dp_underlay_config *config)
{
    const struct dp_underlay *old;
    struct dp_underlay *made = NULL;
    int error;

    if (port >= DP_PORT_CAPACITY || (config && !config_valid(forwarding, config)))
        return -EINVAL;
    old = current(forwarding, port);
    if (config) {
        const bool of_device = old && old->has_mac && !old->fixed_mac;
        error = make(forwarding, port, config, of_device ? old->self->gateway_mac : NULL, &made);
        if (error)
            return error;
        if (config->nic > forwarding->writer->nic_highest)
            atomic_store_explicit(&forwarding->writer->nic_highest, config->nic,
                                  memory_order_relaxed);
    }
    publish(forwarding, port, made);
    return 0;
}

/* All that the record was made of is in it. */
int dp_underlay_set_mac(struct dp_forwarding *forwarding, uint16_t port, const uint8_t mac[6])
{
    const struct dp_underlay *old = current(forwarding, port);
    struct lpm_address *peers;
    struct dp_underlay *made;
    int error;

    if (!old || old->fixed_mac)
        return 0;
    peers = calloc((size_t)old->peer_count + 1, sizeof(*peers));
    if (!peers)
        return -ENOMEM;
    struct dp_underlay_config config = {
        .address = old->address, .next_hop = old->next_hop, .peers = peers, .nic = old->self->id};
    for (uint32_t i = 0; i <= old->peer_mask; i++) {
        if (old->peers[i].family != 0)
            peers[config.peer_count++] = old->peers[i];
    }
    error = make(forwarding, port, &config, mac, &made);
    if (!error)
        publish(forwarding, port, made);
    free(peers);
    return error;
}

void dp_underlays_destroy(struct dp_forwarding *forwarding)
{
    for (unsigned port = 0; port < DP_PORT_CAPACITY; port++) {
        struct dp_neighbor *neighbor =
            atomic_load_explicit(&forwarding->neighbors[port], memory_order_relaxed);

        underlay_free(current(forwarding, (uint16_t)port));
        while (neighbor) {
            struct dp_neighbor *next = atomic_load_explicit(&neighbor->next, memory_order_relaxed);

            free(neighbor);
            neighbor = next;
        }
    }
}

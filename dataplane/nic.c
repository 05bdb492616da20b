/*
 * NIC records: built whole, published by one store, reclaimed after a grace period.
 *
 * A record and its arrays are one block of memory:
 *
 *   | struct dp_nic | own4[] | subnet4[] | own6[][16] | gateway6[][16] | subnets[] | name |
 *
 * Only the two FIB pointers change in a published record: a packet reads the one of its family
 * once, so swapping them needs no new record and cannot fail.
 */
#include "dataplane/underlay.h"
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

#define MTU_DEFAULT 1500

/* How much of each array a configuration needs. */
struct nic_counts {
    size_t own4, own6, subnet4, gateway6, subnets, name;
};

/* --- Questions about a record ----------------------------------------------------------------- */

bool dp_nic_owns4(const struct dp_nic *nic, uint32_t address)
{
    for (unsigned i = 0; i < nic->own4_count; i++) {
        if (nic->own4_all[i] == address)
            return true;
    }
    return false;
}

bool dp_nic_owns6(const struct dp_nic *nic, const uint8_t address[16])
{
    for (unsigned i = 0; i < nic->own6_count; i++) {
        if (memcmp(nic->own6_all[i], address, 16) == 0)
            return true;
    }
    return false;
}

/* No gateway is 0.0.0.0, which stands for "none" in the records. */
bool dp_nic_gateway4(const struct dp_nic *nic, uint32_t address)
{
    for (unsigned i = 0; i < nic->subnet4_count; i++) {
        if (nic->subnet4_all[i].gateway == address && address != 0)
            return true;
    }
    return false;
}

bool dp_nic_gateway6(const struct dp_nic *nic, const uint8_t address[16])
{
    if (memcmp(nic->gateway_link_local, address, 16) == 0)
        return true;
    for (unsigned i = 0; i < nic->gateway6_count; i++) {
        if (memcmp(nic->gateway6_all[i], address, 16) == 0)
            return true;
    }
    return false;
}

/* Questions of ARP and neighbour discovery: rare enough for prefixes as configured. */
static bool in_subnets(const struct dp_nic *nic, const struct lpm_address *address)
{
    for (unsigned i = 0; i < nic->subnet_count; i++) {
        if (lpm_prefix_contains(&nic->subnets[i], address))
            return true;
    }
    return false;
}

bool dp_nic_neighbor4(const struct dp_nic *nic, uint32_t address)
{
    const struct lpm_address asked = {
        .family = LPM_IPV4,
        .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
                  (uint8_t)address},
    };

    return in_subnets(nic, &asked) && !dp_nic_owns4(nic, address);
}

bool dp_nic_neighbor6(const struct dp_nic *nic, const uint8_t address[16])
{
    struct lpm_address asked = {.family = LPM_IPV6};

    memcpy(asked.bytes, address, 16);
    if (dp_nic_owns6(nic, address))
        return false;
    return dp_nic_gateway6(nic, address) || in_subnets(nic, &asked);
}

/* --- Checking and building -------------------------------------------------------------------- */

static bool attachment_valid(const struct dp_nic_config *config)
{
    const struct dp_attachment *attachment = &config->attachment;

    if (attachment->kind > DP_ATTACHMENT_VXLAN || attachment->vni > DP_VNI_MAX)
        return false;
    if (attachment->kind == DP_ATTACHMENT_NONE)
        return attachment->vlan <= 4094;
    if (attachment->port >= DP_PORT_CAPACITY)
        return false;
    if (attachment->kind == DP_ATTACHMENT_VLAN)
        return attachment->vlan >= 1 && attachment->vlan <= 4094;
    if (attachment->kind == DP_ATTACHMENT_VXLAN)
        return attachment->vni != 0 && dp_family_valid(attachment->remote.family) &&
               (config->mac[0] & 1) == 0;
    /* A group address is never a source. */
    return attachment->kind != DP_ATTACHMENT_MAC || (config->mac[0] & 1) == 0;
}

static bool next_hop_valid(const struct dp_nic_config *config)
{
    return config->next_hop.family == 0 || (dp_family_valid(config->next_hop.family) &&
                                            config->attachment.kind == DP_ATTACHMENT_PORT);
}

static bool fibs_valid(const struct lpm_fib *fib4, const struct lpm_fib *fib6)
{
    return (!fib4 || lpm_fib_family(fib4) == LPM_IPV4) &&
           (!fib6 || lpm_fib_family(fib6) == LPM_IPV6);
}

/* Also counts, since it looks at every element anyway. */
static bool config_valid(const struct dp_forwarding *forwarding, const struct dp_nic_config *config,
                         struct nic_counts *counts)
{
    *counts = (struct nic_counts){.subnets = config->subnet_count};
    for (unsigned i = 0; i < config->address_count; i++) {
        if (!dp_family_valid(config->addresses[i].family))
            return false;
        counts->own4 += config->addresses[i].family == LPM_IPV4;
        counts->own6 += config->addresses[i].family == LPM_IPV6;
    }
    for (unsigned i = 0; i < config->subnet_count; i++) {
        if (!dp_prefix_valid(&config->subnet[i]))
            return false;
        counts->subnet4 += config->subnet[i].family == LPM_IPV4;
        counts->gateway6 += config->subnet[i].family == LPM_IPV6;
    }
    counts->name = config->name ? strlen(config->name) + 1 : 1;
    return config->vnet <= forwarding->config.vnet_capacity && config->address_count < UINT16_MAX &&
           config->subnet_count < UINT16_MAX && attachment_valid(config) &&
           next_hop_valid(config) && fibs_valid(config->fib4, config->fib6);
}

/* Takes size bytes of the block at *cursor. */
static void *carve(uint8_t **cursor, size_t size)
{
    void *piece = *cursor;

    *cursor += size;
    return piece;
}

/* The gateway is the first address after the network's own; a host prefix has none. Broadcast is
 * the last address, where there is room for one (RFC 3021). */
static struct dp_subnet4 subnet4_make(const struct lpm_prefix *prefix)
{
    uint32_t base = dp_load4(prefix->bytes);

    return (struct dp_subnet4){
        .gateway = prefix->length < 32 ? base + 1 : 0,
        .broadcast = prefix->length < 31 ? base | (UINT32_MAX >> prefix->length) : 0,
    };
}

/* The first of each family stands in the record's first lines too, where the decision looks. */
static void fill_addresses(struct dp_nic *nic, const struct dp_nic_config *config, uint32_t *own4,
                           uint8_t (*own6)[16])
{
    for (unsigned i = 0; i < config->address_count; i++) {
        const struct lpm_address *address = &config->addresses[i];

        if (address->family == LPM_IPV4)
            own4[nic->own4_count++] = dp_load4(address->bytes);
        else
            memcpy(own6[nic->own6_count++], address->bytes, 16);
    }
    nic->own4_all = own4;
    nic->own6_all = (const uint8_t(*)[16])own6;
    nic->own4 = nic->own4_count > 0 ? own4[0] : 0;
    if (nic->own6_count > 0)
        memcpy(nic->own6, own6[0], 16);
}

static void fill_subnets(struct dp_nic *nic, const struct dp_nic_config *config,
                         struct dp_subnet4 *subnet4, uint8_t (*gateway6)[16])
{
    for (unsigned i = 0; i < config->subnet_count; i++) {
        const struct lpm_prefix *prefix = &config->subnet[i];

        if (prefix->family == LPM_IPV4) {
            subnet4[nic->subnet4_count++] = subnet4_make(prefix);
        } else if (prefix->length < 128) {
            memcpy(gateway6[nic->gateway6_count], prefix->bytes, 16);
            gateway6[nic->gateway6_count++][15] |= 1; /* the bit is within the host part */
        }
    }
    nic->subnet4_all = subnet4;
    nic->gateway6_all = (const uint8_t(*)[16])gateway6;
    if (nic->subnet4_count > 0)
        nic->subnet4 = subnet4[0];
}

/* Modified EUI-64 (RFC 4291 appendix A). */
static void fill_link_local(struct dp_nic *nic)
{
    const uint8_t *mac = nic->gateway_mac;
    const uint8_t address[16] = {0xfe,       0x80,   0,      0,    0,    0,      0,      0,
                                 mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

    memcpy(nic->gateway_link_local, address, 16);
}

/* Does the express way send frames to it? Untagged ones at a port here, to a MAC that need not be
 * learned; and into tunnels over IPv4: one over IPv6 asks for a checksum of all that is in it. */
static bool is_express(const struct dp_nic_config *config)
{
    switch (config->attachment.kind) {
    case DP_ATTACHMENT_PORT:
    case DP_ATTACHMENT_MAC:
        return config->next_hop.family == 0;
    case DP_ATTACHMENT_VXLAN:
        return config->attachment.remote.family == LPM_IPV4;
    default:
        return false;
    }
}

static void fill_scalars(struct dp_nic *nic, uint32_t id, const struct dp_nic_config *config)
{
    nic->id = id;
    nic->vnet = config->vnet;
    nic->hash_salt = config->hash_salt;
    nic->port = config->attachment.port;
    nic->vlan = config->attachment.kind == DP_ATTACHMENT_VLAN ||
                        config->attachment.kind == DP_ATTACHMENT_NONE
                    ? config->attachment.vlan
                    : 0;
    nic->mtu = config->mtu ? config->mtu : MTU_DEFAULT;
    if (config->attachment.kind == DP_ATTACHMENT_VXLAN)
        nic->mtu = dp_vxlan_mtu(nic->mtu, config->attachment.remote.family);
    nic->attachment = (uint8_t)config->attachment.kind;
    nic->vni = config->attachment.vni;
    nic->ip_forwarding = config->ip_forwarding;
    nic->gateway = config->gateway;
    memcpy(nic->mac, config->mac, 6);
    memcpy(nic->gateway_mac, config->gateway_mac, 6);
    nic->mac_known = config->mac_known;
    if (is_express(config))
        nic->express_mtu = nic->mtu;
    nic->many_subnets4 = nic->subnet4_count > 1;
    fill_link_local(nic);
}

/* An empty FIB stands in for none: a lookup answers "no route" without a branch for it. */
static void set_fibs(const struct dp_forwarding *forwarding, struct dp_nic *nic,
                     const struct lpm_fib *fib4, const struct lpm_fib *fib6)
{
    lpm_rcu_publish(&nic->fib4, fib4 ? fib4 : forwarding->empty4);
    lpm_rcu_publish(&nic->fib6, fib6 ? fib6 : forwarding->empty6);
}

/* Cache line aligned: the packet path reads the first line of many records in a burst. */
static struct dp_nic *nic_make(const struct dp_forwarding *forwarding, uint32_t id,
                               const struct dp_nic_config *config, const struct nic_counts *counts)
{
    const size_t size = sizeof(struct dp_nic) + counts->own4 * sizeof(uint32_t) +
                        counts->subnet4 * sizeof(struct dp_subnet4) +
                        (counts->own6 + counts->gateway6) * 16 +
                        counts->subnets * sizeof(struct lpm_prefix) + counts->name;
    const size_t lines = (size + DP_CACHE_LINE - 1) / DP_CACHE_LINE;
    struct dp_nic *nic = aligned_alloc(DP_CACHE_LINE, lines * DP_CACHE_LINE);
    struct lpm_prefix *subnets;
    struct dp_subnet4 *subnet4;
    uint8_t *cursor;
    uint32_t *own4;
    char *name;

    if (!nic)
        return NULL;
    memset(nic, 0, lines * DP_CACHE_LINE);
    cursor = (uint8_t *)(nic + 1);
    own4 = carve(&cursor, counts->own4 * sizeof(*own4));
    subnet4 = carve(&cursor, counts->subnet4 * sizeof(*subnet4));
    fill_addresses(nic, config, own4, carve(&cursor, counts->own6 * 16));
    fill_subnets(nic, config, subnet4, carve(&cursor, counts->gateway6 * 16));
    subnets = carve(&cursor, counts->subnets * sizeof(*subnets));
    if (counts->subnets > 0)
        memcpy(subnets, config->subnet, counts->subnets * sizeof(*subnets));
    nic->subnets = subnets;
    nic->subnet_count = config->subnet_count;
    name = carve(&cursor, counts->name);
    memcpy(name, config->name ? config->name : "", counts->name);
    nic->name = name;
    fill_scalars(nic, id, config);
    set_fibs(forwarding, nic, config->fib4, config->fib6);
    return nic;
}

/* Who answers for a tunnel end point: its address is all of its subnet, and the MAC the gateway's. */
struct dp_nic *dp_nic_underlay(const struct dp_forwarding *forwarding, uint16_t port, uint32_t id,
                               const struct lpm_address *address, const uint8_t mac[6])
{
    struct lpm_prefix own = {.family = address->family,
                             .length = address->family == LPM_IPV4 ? 32 : 128};
    struct dp_nic_config config = {
        .name = "underlay",
        .subnet = &own,
        .subnet_count = 1,
        .mtu = UINT16_MAX, /* the port's */
        .attachment = {.kind = DP_ATTACHMENT_PORT, .port = port},
    };
    struct nic_counts counts = {.subnets = 1,
                                .subnet4 = address->family == LPM_IPV4,
                                .gateway6 = address->family == LPM_IPV6,
                                .name = sizeof("underlay")};

    memcpy(own.bytes, address->bytes, sizeof(own.bytes));
    memcpy(config.gateway_mac, mac, 6);
    return nic_make(forwarding, id, &config, &counts);
}

/* Owns nothing, leads nowhere, and has an id that no NIC has. */
struct dp_nic *dp_nic_absent(const struct dp_forwarding *forwarding)
{
    const struct dp_nic_config config = {.name = ""};
    const struct nic_counts counts = {.name = 1};

    return nic_make(forwarding, 0, &config, &counts);
}

/* --- Publication ------------------------------------------------------------------------------ */

static void nic_reclaim(struct lpm_rcu_head *head)
{
    free((char *)head - offsetof(struct dp_nic, head));
}

static struct dp_nic *nic_current(const struct dp_forwarding *forwarding, uint32_t nic)
{
    if (nic == 0 || nic > forwarding->config.nic_capacity)
        return NULL;
    return atomic_load_explicit(&forwarding->nics[nic], memory_order_relaxed);
}

/* Having a port alone, or sharing it and being known by the MAC: another NIC came or went there. */
static bool shares_otherwise(const struct dp_nic *old, const struct dp_nic *new)
{
    return old && old->port == new->port && old->attachment != new->attachment && old->vni == 0 &&
           new->vni == 0 &&
           (old->attachment == DP_ATTACHMENT_PORT || old->attachment == DP_ATTACHMENT_MAC) &&
           (new->attachment == DP_ATTACHMENT_PORT || new->attachment == DP_ATTACHMENT_MAC);
}

/* To be announced (announce.h), unless its guest sees no difference. */
static void note_move(struct dp_forwarding *forwarding, const struct dp_nic *old,
                      const struct dp_nic *new)
{
    const uint32_t count = atomic_load_explicit(&forwarding->move_count, memory_order_relaxed);

    if (old && dp_attachment_equal(old, new) && memcmp(old->mac, new->mac, 6) == 0 &&
        memcmp(old->gateway_mac, new->gateway_mac, 6) == 0)
        return;
    atomic_store_explicit(&forwarding->moves[count % DP_MOVES], new->id, memory_order_relaxed);
    atomic_store_explicit(&forwarding->move_count, count + 1, memory_order_release);
}

/* False: no memory. */
static bool find_neighbors(struct dp_forwarding *forwarding, struct dp_nic *nic,
                           const struct dp_nic_config *config)
{
    struct dp_neighbor *router = NULL;

    if (config->attachment.kind == DP_ATTACHMENT_VXLAN) {
        nic->neighbor = dp_neighbor_get(forwarding, nic->port, &config->attachment.remote);
        return nic->neighbor != NULL;
    }
    if (config->next_hop.family == 0)
        return true;
    router = dp_neighbor_get(forwarding, nic->port, &config->next_hop);
    if (router)
        atomic_store_explicit(&router->next_hop, true, memory_order_relaxed);
    nic->router = router;
    return router != NULL;
}

/* An attachment that moves is taken down before the record changes and put up after: a frame finds
 * the NIC where it was, or where it will be, or meanwhile nowhere, and never another's record. But
 * where the NIC only comes to share its port, or has it alone again, the new slot is put up first and
 * the old one goes last: either leads to it whatever its record says, so no frame finds nothing. */
int dp_nic_set(struct dp_forwarding *forwarding, uint32_t nic, const struct dp_nic_config *config)
{
    struct dp_nic *old = nic_current(forwarding, nic);
    struct nic_counts counts;
    struct dp_nic *new;
    bool moves, shares;
    int error;

    if (nic == 0 || nic > forwarding->config.nic_capacity)
        return -EINVAL;
    if (!config_valid(forwarding, config, &counts))
        return -EINVAL;
    new = nic_make(forwarding, nic, config, &counts);
    if (!new)
        return -ENOMEM;
    if (!find_neighbors(forwarding, new, config)) {
        free(new);
        return -ENOMEM;
    }
    moves = !old || !dp_attachment_equal(old, new);
    error = moves ? dp_attachment_prepare(forwarding, new) : 0;
    if (error < 0) {
        free(new);
        return error;
    }
    shares = shares_otherwise(old, new);
    if (shares)
        dp_attachment_claim(forwarding, new);
    if (old && moves && !shares)
        dp_attachment_release(forwarding, old);
    lpm_rcu_publish(&forwarding->nics[nic], new);
    if (shares)
        dp_attachment_release(forwarding, old);
    else if (moves)
        dp_attachment_claim(forwarding, new);
    if (nic > forwarding->writer->nic_highest)
        atomic_store_explicit(&forwarding->writer->nic_highest, nic, memory_order_relaxed);
    note_move(forwarding, old, new);
    if (old)
        lpm_rcu_defer(&old->head, nic_reclaim);
    return 0;
}

/* First no frame finds the NIC, then no packet does. */
int dp_nic_remove(struct dp_forwarding *forwarding, uint32_t nic)
{
    struct dp_nic *old = nic_current(forwarding, nic);

    if (!old)
        return -ENOENT;
    dp_attachment_release(forwarding, old);
    lpm_rcu_publish(&forwarding->nics[nic], NULL);
    lpm_rcu_defer(&old->head, nic_reclaim);
    return 0;
}

int dp_nic_set_fibs(struct dp_forwarding *forwarding, uint32_t nic, const struct lpm_fib *fib4,
                    const struct lpm_fib *fib6)
{
    struct dp_nic *current = nic_current(forwarding, nic);

    if (!current)
        return -ENOENT;
    if (!fibs_valid(fib4, fib6))
        return -EINVAL;
    set_fibs(forwarding, current, fib4, fib6);
    return 0;
}

bool dp_nic_next_hop_mac(const struct dp_forwarding *forwarding, uint32_t nic, uint8_t mac[6])
{
    const struct dp_nic *record = dp_nic_read(forwarding, nic);

    return record && record->router && dp_neighbor_mac(record->router, mac);
}

void dp_nics_destroy(struct dp_forwarding *forwarding)
{
    for (uint32_t nic = 1; nic <= forwarding->config.nic_capacity; nic++)
        free(nic_current(forwarding, nic));
}

bool dp_nic_explain(const struct dp_forwarding *forwarding, uint32_t nic,
                    const struct lpm_address *address, struct lpm_route *route)
{
    const struct dp_nic *record = dp_nic_read(forwarding, nic);

    if (!record)
        return false;
    return lpm_explain(
        lpm_rcu_dereference(address->family == LPM_IPV4 ? &record->fib4 : &record->fib6), address,
        route);
}

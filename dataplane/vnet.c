/*
 * VNets: the address space, and which NIC has an address.
 *
 * The map is an lpm table of host routes whose leaves are NIC ids, or above those the groups behind
 * frontends, so that the packet path resolves a whole burst with the same bulk lookup that finds
 * routes. It is a base: a base takes one address
 * in or out in constant time, and is small while it has few.
 *
 * A record is replaced when the space changes and hands its maps on; a map is made with the first
 * address of its family and goes with the VNet.
 */
#include "dataplane/writer.h"

#include <errno.h>
#include <stdlib.h>

static struct dp_vnet *vnet_current(const struct dp_forwarding *forwarding, uint32_t vnet)
{
    if (vnet == 0 || vnet > forwarding->config.vnet_capacity)
        return NULL;
    return atomic_load_explicit(&forwarding->vnets[vnet], memory_order_relaxed);
}

/* IPv4 ranges as masks, for a comparison each; IPv6 as it came. */
static void fill_space(struct dp_vnet *vnet, const struct lpm_prefix *space, unsigned count)
{
    struct lpm_prefix *space6;
    struct dp_range4 *space4;
    unsigned count4 = 0;

    for (unsigned i = 0; i < count; i++)
        count4 += space[i].family == LPM_IPV4;
    space4 = (struct dp_range4 *)(vnet + 1);
    space6 = (struct lpm_prefix *)(space4 + count4);
    for (unsigned i = 0; i < count; i++) {
        const struct lpm_prefix *prefix = &space[i];

        if (prefix->family == LPM_IPV4)
            space4[vnet->space4_count++] = (struct dp_range4){
                .base = dp_load4(prefix->bytes),
                .mask = (uint32_t)(UINT64_C(0xffffffff00000000) >> prefix->length),
            };
        else
            space6[vnet->space6_count++] = *prefix;
    }
    vnet->space4 = space4;
    vnet->space6 = space6;
}

static struct dp_vnet *vnet_make(const struct dp_forwarding *forwarding,
                                 const struct lpm_prefix *space, unsigned count,
                                 const struct dp_vnet *old)
{
    /* The larger of the two kinds for each prefix is room enough for any mixture. */
    struct dp_vnet *vnet = calloc(1, sizeof(*vnet) + count * sizeof(struct lpm_prefix));

    if (!vnet)
        return NULL;
    fill_space(vnet, space, count);
    if (old) {
        vnet->own_map4 = old->own_map4;
        vnet->own_map6 = old->own_map6;
    }
    atomic_init(&vnet->map4, vnet->own_map4 ? vnet->own_map4 : forwarding->empty4);
    atomic_init(&vnet->map6, vnet->own_map6 ? vnet->own_map6 : forwarding->empty6);
    return vnet;
}

static void vnet_reclaim(struct lpm_rcu_head *head)
{
    free((char *)head - offsetof(struct dp_vnet, head));
}

int dp_vnet_set(struct dp_forwarding *forwarding, uint32_t vnet, const struct lpm_prefix *space,
                unsigned space_count)
{
    struct dp_vnet *old = vnet_current(forwarding, vnet);
    struct dp_vnet *new;

    if (vnet == 0 || vnet > forwarding->config.vnet_capacity)
        return -EINVAL;
    for (unsigned i = 0; i < space_count; i++) {
        if (!dp_prefix_valid(&space[i]))
            return -EINVAL;
    }
    new = vnet_make(forwarding, space, space_count, old);
    if (!new)
        return -ENOMEM;
    lpm_rcu_publish(&forwarding->vnets[vnet], new);
    if (old)
        lpm_rcu_defer(&old->head, vnet_reclaim);
    return 0;
}

/* The record leaves the readers' sight before its maps are released, as lpm_release() demands. */
int dp_vnet_remove(struct dp_forwarding *forwarding, uint32_t vnet)
{
    struct dp_vnet *old = vnet_current(forwarding, vnet);

    if (!old)
        return -ENOENT;
    lpm_rcu_publish(&forwarding->vnets[vnet], NULL);
    lpm_release(old->own_map4);
    lpm_release(old->own_map6);
    lpm_rcu_defer(&old->head, vnet_reclaim);
    return 0;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* The map of a family, made when it is first needed. */
static int vnet_map(struct dp_forwarding *forwarding, struct dp_vnet *vnet, uint8_t family,
                    struct lpm_fib **map)
{
    const bool is4 = family == LPM_IPV4;
    struct lpm_fib **own = is4 ? &vnet->own_map4 : &vnet->own_map6;
    int error;

    if (!*own) {
        error = lpm_base_create(forwarding->lpm, (enum lpm_family)family, NULL, 0, own);
        if (error < 0)
            return error;
        lpm_rcu_publish(is4 ? &vnet->map4 : &vnet->map6, *own);
    }
    *map = *own;
    return 0;
}

static struct lpm_change change_to(const struct lpm_prefix *prefix, uint32_t leaf)
{
    return (struct lpm_change){
        .kind = leaf != 0 ? LPM_SET : LPM_REMOVE,
        .prefix = *prefix,
        .leaf = leaf,
    };
}

static uint32_t leaf_of(const struct dp_forwarding *forwarding,
                        const struct dp_vnet_address *address)
{
    return address->group != 0 ? forwarding->config.nic_capacity + address->group : address->nic;
}

/* Changes of one family, and those that would take them back, last first. */
struct map_batch {
    struct lpm_fib *map;
    struct lpm_change *changes, *inverse;
    size_t n;
};

/* Of several entries for one address the last one counts, so the inverse has to be applied from the
 * end: the state before the first of them comes last. */
static int batch_make(struct dp_forwarding *forwarding, struct dp_vnet *vnet, uint8_t family,
                      const struct dp_vnet_address *addresses, size_t n, struct map_batch *batch)
{
    size_t count = 0;
    int error;

    *batch = (struct map_batch){0};
    for (size_t i = 0; i < n; i++)
        count += addresses[i].address.family == family;
    if (count == 0)
        return 0;
    error = vnet_map(forwarding, vnet, family, &batch->map);
    if (error < 0)
        return error;
    batch->changes = calloc(2 * count, sizeof(*batch->changes));
    if (!batch->changes)
        return -ENOMEM;
    batch->inverse = batch->changes + count;
    for (size_t i = 0; i < n; i++) {
        const struct lpm_prefix prefix = lpm_address_prefix(&addresses[i].address);

        if (prefix.family != family)
            continue;
        batch->changes[batch->n] = change_to(&prefix, leaf_of(forwarding, &addresses[i]));
        batch->n++;
        batch->inverse[count - batch->n] = change_to(&prefix, lpm_get(batch->map, &prefix));
    }
    return 0;
}

/* Checked as a whole before anything is done, so that only memory can fail half-way. */
static bool addresses_valid(const struct dp_forwarding *forwarding,
                            const struct dp_vnet_address *addresses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!dp_family_valid(addresses[i].address.family) ||
            addresses[i].nic > forwarding->config.nic_capacity ||
            addresses[i].group > forwarding->config.group_capacity)
            return false;
    }
    return true;
}

/* All or none: when the second family fails, the first is taken back. */
int dp_vnet_set_addresses(struct dp_forwarding *forwarding, uint32_t vnet,
                          const struct dp_vnet_address *addresses, size_t n)
{
    struct dp_vnet *current = vnet_current(forwarding, vnet);
    struct map_batch four, six = {0};
    int error;

    if (!current)
        return -ENOENT;
    if (!addresses_valid(forwarding, addresses, n))
        return -EINVAL;
    error = batch_make(forwarding, current, LPM_IPV4, addresses, n, &four);
    if (error < 0)
        goto cleanup;
    error = batch_make(forwarding, current, LPM_IPV6, addresses, n, &six);
    if (error < 0)
        goto cleanup;
    if (four.n > 0)
        error = lpm_update(four.map, four.changes, four.n);
    if (error < 0 || six.n == 0)
        goto cleanup;
    error = lpm_update(six.map, six.changes, six.n);
    if (error < 0 && four.n > 0)
        lpm_update(four.map, four.inverse, four.n);
cleanup:
    free(four.changes);
    free(six.changes);
    return error;
}

void dp_vnets_destroy(struct dp_forwarding *forwarding)
{
    for (uint32_t id = 1; id <= forwarding->config.vnet_capacity; id++) {
        struct dp_vnet *vnet = vnet_current(forwarding, id);

        if (!vnet)
            continue;
        lpm_release(vnet->own_map4);
        lpm_release(vnet->own_map6);
        free(vnet);
    }
}

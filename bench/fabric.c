/* See fabric.h. Leaf n of the table and of the FIBs' own routes is group n. */
#include "bench/fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/keys.h"
#include "dataplane/loop.h"

#define GROUPS         (BENCH_PRIVATE_LEAF + BENCH_NEXT_HOPS)
#define VNI            7001
#define FIRST_RECEIVER (DP_NIC_INTERNET + 1)
#define FIRST_SENDER   (FIRST_RECEIVER + BENCH_FABRIC_RECEIVERS)

/* --- Addresses -------------------------------------------------------------------------------- */

static struct lpm_address nic_address(enum lpm_family family, uint32_t nic)
{
    struct lpm_address address = {.family = family};
    const uint8_t number[4] = {(uint8_t)(nic >> 24), (uint8_t)(nic >> 16), (uint8_t)(nic >> 8),
                               (uint8_t)nic};

    address.bytes[0] = family == LPM_IPV4 ? 10 : 0xfd;
    if (family == LPM_IPV4)
        memcpy(address.bytes + 1, number + 1, 3);
    else
        memcpy(address.bytes + 12, number, 4);
    return address;
}

static void nic_mac(uint32_t nic, uint8_t mac[6])
{
    const uint8_t bytes[6] = {0x02,        0x0f, 0, (uint8_t)(nic >> 16), (uint8_t)(nic >> 8),
                              (uint8_t)nic};
    memcpy(mac, bytes, sizeof(bytes));
}

/* --- Parts ------------------------------------------------------------------------------------ */

static int set_nic(struct bench_fabric *fabric, uint32_t nic, const struct lpm_fib *fib,
                   bool forwards, const struct dp_attachment *attachment, enum lpm_family family)
{
    struct lpm_address address = nic_address(family, nic);
    struct lpm_prefix subnet = {.family = family, .length = family == LPM_IPV4 ? 8 : 64};
    struct dp_nic_config config = {
        .name = "bench",
        .addresses = &address,
        .address_count = 1,
        .subnet = &subnet,
        .subnet_count = 1,
        .ip_forwarding = forwards,
        .attachment = *attachment,
    };

    subnet.bytes[0] = address.bytes[0];
    nic_mac(nic, config.mac);
    memcpy(config.gateway_mac, bench_gateway_mac, sizeof(config.gateway_mac));
    if (family == LPM_IPV4)
        config.fib4 = fib;
    else
        config.fib6 = fib;
    return dp_nic_set(fabric->forwarding, nic, &config);
}

/* The other host's end is of RFC 5737. Nobody is there to say its MAC, so it is said here. */
static int set_underlay(struct bench_fabric *fabric, uint16_t port, const struct lpm_address *local,
                        struct dp_attachment *attachment)
{
    static const uint8_t remote_mac[6] = {0x02, 3, 0, 0, 0, 7};
    struct lpm_address remote = {.family = LPM_IPV4, .bytes = {192, 0, 2, 7}};
    const struct dp_underlay_config config = {.address = *local, .peers = &remote, .peer_count = 1};
    uint8_t own_mac[6];

    attachment->kind = DP_ATTACHMENT_VXLAN;
    attachment->port = port;
    attachment->vni = VNI;
    attachment->remote = remote;
    dp_loop_underlay_mac(local, own_mac);
    const int result = dp_underlay_set(fabric->forwarding, port, &config);
    return result == 0 ? dp_loop_link(fabric->forwarding, port, own_mac, &remote, remote_mac)
                       : result;
}

static int set_receivers(struct bench_fabric *fabric, bool vxlan, enum lpm_family family)
{
    struct dp_attachment attachment = {.kind = DP_ATTACHMENT_MAC, .port = BENCH_FEED_OUT};
    const struct lpm_address local = {.family = LPM_IPV4, .bytes = {192, 0, 2, 1}};
    int result = vxlan ? set_underlay(fabric, BENCH_FEED_OUT, &local, &attachment) : 0;

    for (uint32_t i = 0; i < BENCH_FABRIC_RECEIVERS && result == 0; i++)
        result = set_nic(fabric, FIRST_RECEIVER + i, NULL, true, &attachment, family);
    return result;
}

/* Our end is within a route of the table: the reference, which knows no tunnels, is to have one for it. */
static int set_tunnel(struct bench_fabric *fabric, const struct bench_table *table,
                      struct dp_attachment *attachment)
{
    struct bench_tunnel *tunnel = &fabric->tunnel;
    struct bench_random random = {.state = VNI};

    if (table->family != LPM_IPV4 || table->n == 0)
        return -EINVAL;
    bench_address_in(&table->routes[table->n / 2].prefix, &random, &tunnel->local);
    dp_loop_underlay_mac(&tunnel->local, tunnel->local_mac);
    const int result = set_underlay(fabric, BENCH_FEED_IN, &tunnel->local, attachment);
    tunnel->vni = attachment->vni;
    tunnel->remote = attachment->remote;
    return result;
}

/* One NIC has the port to itself; many share it, and are told apart by their MACs. */
static int set_senders(struct bench_fabric *fabric, const struct bench_fabric_shape *shape,
                       const struct bench_table *table)
{
    const enum lpm_family family = table->family;
    struct dp_attachment attachment = {
        .kind = shape->nics == 1 ? DP_ATTACHMENT_PORT : DP_ATTACHMENT_MAC, .port = BENCH_FEED_IN};
    int result = shape->vxlan_in ? set_tunnel(fabric, table, &attachment) : 0;

    for (uint32_t i = 0; i < shape->nics && result == 0; i++) {
        const struct lpm_fib *fib =
            shape->fibs == 1 ? fabric->one : fabric->many.fibs[i % shape->fibs];
        const uint32_t nic = FIRST_SENDER + i;
        nic_mac(nic, fabric->senders[i].mac);
        fabric->senders[i].address = nic_address(family, nic);
        result = set_nic(fabric, nic, fib, shape->any_source, &attachment, family);
    }
    return result;
}

/* Group n has so many next hops in a row, from the nth on. */
static int create_groups(struct bench_fabric *fabric, unsigned members, enum lpm_family family)
{
    struct dp_member list[DP_GROUP_MEMBER_MAX] = {{.nic = 0}};
    const struct dp_group_config config = {
        .kind = DP_GROUP_MEMBERS, .members = list, .member_count = members};
    uint32_t id;
    int result = 0;

    for (uint32_t group = 1; group <= GROUPS && result == 0; group++) {
        for (uint32_t i = 0; i < members; i++) {
            const uint32_t nic = FIRST_RECEIVER + (group + i) % BENCH_FABRIC_RECEIVERS;
            list[i] = (struct dp_member){.next_hop = nic_address(family, nic), .nic = nic};
        }
        result = dp_group_create(fabric->forwarding, &config, &id);
        if (result == 0 && id != group)
            result = -EEXIST;
    }
    return result;
}

/* --- Whole ------------------------------------------------------------------------------------ */

static int create_fibs(struct bench_fabric *fabric, const struct bench_table *table, size_t fibs)
{
    if (fibs > 1) {
        int result = bench_many_create(BENCH_WORLD_PRIVATE, table, fibs, &fabric->many);
        fabric->lpm = fabric->many.lpm;
        return result;
    }
    fabric->lpm = lpm_create();
    return fabric->lpm
               ? lpm_base_create(fabric->lpm, table->family, table->routes, table->n, &fabric->one)
               : -ENOMEM;
}

static int fill(struct bench_fabric *fabric, const struct bench_table *table,
                const struct bench_fabric_shape *shape)
{
    const struct dp_forwarding_config config = {
        .workers = shape->workers > 1 ? shape->workers : 1,
        .nic_capacity = (uint32_t)(FIRST_SENDER + shape->nics),
        .vnet_capacity = 1,
        .group_capacity = GROUPS,
        .decrement_ttl = true,
        .hash_fields = 5,
    };
    int result = create_fibs(fabric, table, shape->fibs);

    if (result < 0)
        return result;
    fabric->senders = calloc(shape->nics, sizeof(*fabric->senders));
    fabric->forwarding = fabric->senders ? dp_forwarding_create(&config, fabric->lpm) : NULL;
    if (!fabric->forwarding)
        return -ENOMEM;
    fabric->nics = shape->nics;
    result = set_receivers(fabric, shape->vxlan, table->family);
    if (result == 0)
        result = create_groups(fabric, shape->members, table->family);
    return result == 0 ? set_senders(fabric, shape, table) : result;
}

int bench_fabric_create(const struct bench_table *table, const struct bench_fabric_shape *shape,
                        struct bench_fabric *fabric)
{
    *fabric = (struct bench_fabric){0};
    int result = fill(fabric, table, shape);

    if (result < 0)
        bench_fabric_destroy(fabric);
    return result;
}

void bench_fabric_destroy(struct bench_fabric *fabric)
{
    if (fabric->forwarding)
        dp_forwarding_destroy(fabric->forwarding);
    free(fabric->senders);
    if (fabric->many.lpm) {
        bench_many_destroy(&fabric->many);
    } else {
        lpm_release(fabric->one);
        if (fabric->lpm)
            lpm_destroy(fabric->lpm);
    }
    *fabric = (struct bench_fabric){0};
}

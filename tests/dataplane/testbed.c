/* See testbed.h. */
#include "tests/dataplane/testbed.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/underlay.h"
#include "lpm/rcu.h"
#include "tests/must.h"

#define WIRE_FRAMES  4096u
#define SEGMENT_ROOM 2048u
#define GIVEN_COUNT  4095u
#define MADE_COUNT   2047u

const uint8_t testbed_own_mac[6] = {0x02, 0x70, 0, 0, 0, 1};
const uint8_t testbed_host_mac[6] = {0x02, 0xaa, 0, 0, 0, 7};

/* Of the process, as EAL is. A device passes on what is in its rings and keeps nothing itself. */
static struct {
    unsigned users;
    uint16_t devices[BED_PORTS];
    struct rte_ring *in[BED_PORTS], *out[BED_PORTS];
    struct rte_mempool *given; /* what tests make */
    struct rte_mempool
        *made; /* what workers make: never one of the former, which tests know by address */
    struct rte_mbuf *taken[MADE_COUNT];
    unsigned taken_n;
} wires;

/* --- Wires -------------------------------------------------------------------------------------- */

static void lay_wire(unsigned port)
{
    const struct rte_eth_conf plain = {0};
    char name[32];
    int id;

    snprintf(name, sizeof(name), "testbed_in_%u", port);
    wires.in[port] = rte_ring_create(name, WIRE_FRAMES, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "testbed_out_%u", port);
    wires.out[port] = rte_ring_create(name, WIRE_FRAMES, SOCKET_ID_ANY, 0);
    MUST(wires.in[port] && wires.out[port]);
    snprintf(name, sizeof(name), "testbed_%u", port);
    id = rte_eth_from_rings(name, &wires.in[port], 1, &wires.out[port], 1, 0);
    MUST(id >= 0);
    wires.devices[port] = (uint16_t)id;
    MUST(rte_eth_dev_configure(wires.devices[port], 1, 1, &plain) == 0);
    MUST(rte_eth_rx_queue_setup(wires.devices[port], 0, 512, 0, NULL, wires.given) == 0);
    MUST(rte_eth_tx_queue_setup(wires.devices[port], 0, 512, 0, NULL) == 0);
    MUST(rte_eth_dev_start(wires.devices[port]) == 0);
}

static void lay_wires(void)
{
    const struct dp_eal_request request = {
        .pool_bytes = dp_pool_bytes(GIVEN_COUNT + MADE_COUNT, SEGMENT_ROOM), .quiet = true};
    char error[DP_ERROR_TEXT];

    if (wires.users++ > 0) {
        lpm_rcu_offline(); /* the writer is this thread, too */
        return;
    }
    MUST(dp_eal_start(&request, error) == 0);
    wires.given = dp_pool_create(GIVEN_COUNT, SEGMENT_ROOM);
    wires.made = dp_pool_create(MADE_COUNT, SEGMENT_ROOM);
    MUST(wires.given && wires.made);
    for (unsigned port = 0; port < BED_PORTS; port++)
        lay_wire(port);
    lpm_rcu_register_thread();
    lpm_rcu_offline();
}

static void take_wires_up(void)
{
    if (--wires.users > 0) {
        lpm_rcu_online();
        return;
    }
    lpm_rcu_unregister_thread();
    for (unsigned port = 0; port < BED_PORTS; port++) {
        rte_eth_dev_stop(wires.devices[port]);
        rte_eth_dev_close(wires.devices[port]);
        rte_ring_free(wires.in[port]);
        rte_ring_free(wires.out[port]);
    }
    rte_mempool_free(wires.given);
    rte_mempool_free(wires.made);
}

/* Not a frame: it fills a place on the wire. */
static char stopper;

void testbed_clog(unsigned port, unsigned n)
{
    const unsigned room = rte_ring_free_count(wires.out[port]);
    void *stoppers[WIRE_FRAMES];

    for (unsigned i = n; i < room; i++)
        stoppers[i - n] = &stopper;
    if (n < room)
        MUST(rte_ring_enqueue_bulk(wires.out[port], stoppers, room - n, NULL) == room - n);
}

unsigned testbed_sent(unsigned port, struct rte_mbuf **mbufs, unsigned room)
{
    unsigned n, kept = 0;

    do {
        n = rte_ring_dequeue_burst(wires.out[port], (void **)mbufs, room, NULL);
        for (unsigned i = 0; i < n; i++) {
            if ((void *)mbufs[i] != &stopper)
                mbufs[kept++] = mbufs[i];
        }
    } while (n > 0 && kept == 0);
    return kept;
}

/* --- Buffers ------------------------------------------------------------------------------------ */

static void free_memory(void *memory, void *shared)
{
    (void)memory;
    free(shared);
}

/* Headroom as ever, and no byte behind the last. */
static void give_own_memory(struct rte_mbuf *mbuf, uint32_t n)
{
    struct rte_mbuf_ext_shared_info *shared =
        malloc(sizeof(*shared) + RTE_PKTMBUF_HEADROOM + (n ? n : 1));
    char *memory = (char *)(shared + 1);

    MUST(shared);
    *shared = (struct rte_mbuf_ext_shared_info){.free_cb = free_memory, .fcb_opaque = shared};
    rte_mbuf_ext_refcnt_set(shared, 1);
    rte_pktmbuf_attach_extbuf(mbuf, memory, 0, (uint16_t)(RTE_PKTMBUF_HEADROOM + n), shared);
    mbuf->data_off = RTE_PKTMBUF_HEADROOM;
}

static struct rte_mbuf *make_segment(const uint8_t *bytes, uint32_t n, bool exact)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(wires.given);

    MUST(mbuf);
    if (exact)
        give_own_memory(mbuf, n);
    MUST(n <= rte_pktmbuf_tailroom(mbuf));
    if (n > 0)
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)n), bytes, n);
    return mbuf;
}

struct rte_mbuf *testbed_buffer(const uint8_t *bytes, uint32_t n, unsigned segments, bool exact)
{
    const unsigned least = (n + SEGMENT_ROOM - 1) / SEGMENT_ROOM;
    const unsigned count = segments > least ? segments : least > 0 ? least : 1;
    struct rte_mbuf *first = NULL;

    for (unsigned i = 0; i < count; i++) {
        const uint32_t from = n * i / count, to = n * (i + 1) / count;
        struct rte_mbuf *segment = make_segment(bytes + from, to - from, exact);

        if (!first)
            first = segment;
        else
            MUST(rte_pktmbuf_chain(first, segment) == 0);
    }
    return first;
}

unsigned testbed_buffers_in_use(void)
{
    return rte_mempool_in_use_count(wires.given) + rte_mempool_in_use_count(wires.made) -
           wires.taken_n;
}

static void give_buffers_back(void)
{
    if (wires.taken_n > 0)
        rte_mempool_put_bulk(wires.made, (void **)wires.taken, wires.taken_n);
    wires.taken_n = 0;
}

void testbed_take_buffers(struct testbed *bed)
{
    void *buffer;

    (void)bed;
    while (rte_mempool_get(wires.made, &buffer) == 0)
        wires.taken[wires.taken_n++] = buffer;
}

/* --- The fabric --------------------------------------------------------------------------------- */

struct guest {
    uint32_t nic, vnet;
    const char *name;
    const char *four, *six, *subnet4, *subnet6;
    bool ip_forwarding, without_routes;
    uint16_t mtu;
    struct dp_attachment attachment;
    const char *remote;
};
#define SPOKE "10.1.0.0/24", "fd00:1::/64"
#define HUB   "10.0.1.0/24", "fd00::1:0/112"
static const struct guest guests[] = {
    {DP_NIC_INTERNET, 0, "internet", "198.18.0.2", "2600::2", "198.18.0.0/24", "2600::/64", true,
     false, 0, .attachment = {DP_ATTACHMENT_PORT, BED_INTERNET, 0}},
    {BED_FAR4, 2, "far4", "10.0.1.6", "fd00::1:6", HUB, true, false, 0,
     .attachment = {DP_ATTACHMENT_VXLAN, BED_UNDERLAY4, .vni = BED_VNI}, .remote = "192.0.2.7"},
    {BED_FAR6, 2, "far6", "10.0.1.7", "fd00::1:7", HUB, true, false, 0,
     .attachment = {DP_ATTACHMENT_VXLAN, BED_UNDERLAY6, .vni = BED_VNI}, .remote = "2001:db8::7"},
    {BED_WEB1, 1, "web1", "10.1.0.11", "fd00:1::b", SPOKE, true, false, BED_SMALL_MTU,
     .attachment = {DP_ATTACHMENT_VLAN, BED_TAGS, BED_VLAN_WEB1}},
    {BED_WEB2, 1, "web2", "10.1.0.12", "fd00:1::c", SPOKE, true, true, 0,
     .attachment = {DP_ATTACHMENT_VLAN, BED_TAGS, BED_VLAN_WEB2}},
    {BED_CLOSED, 3, "closed", "172.16.5.4", "fd00:f:5::4", "172.16.5.0/24", "fd00:f:5::/64", false,
     false, 0, .attachment = {.kind = DP_ATTACHMENT_NONE}},
    {BED_GUARDED, 3, "guarded", "172.16.6.4", "fd00:f:6::4", "172.16.6.0/24", "fd00:f:6::/64",
     false, false, 0, .attachment = {.kind = DP_ATTACHMENT_NONE}},
    {BED_ABSENT, 1, "absent", "10.1.0.13", "fd00:1::d", SPOKE, true, false, 0,
     .attachment = {.kind = DP_ATTACHMENT_NONE}},
};

static void set_guest(struct testbed *bed, const struct guest *guest)
{
    const struct lpm_address own[] = {lab_address(guest->four), lab_address(guest->six)};
    const struct lpm_prefix subnet[] = {lab_prefix(guest->subnet4), lab_prefix(guest->subnet6)};
    const struct dp_vnet_address map[] = {{own[0], guest->nic, 0}, {own[1], guest->nic, 0}};
    struct dp_nic_config config = {
        .name = guest->name,
        .vnet = guest->vnet,
        .addresses = own,
        .address_count = 2,
        .subnet = subnet,
        .subnet_count = 2,
        .ip_forwarding = guest->ip_forwarding,
        .fib4 = guest->without_routes ? NULL : bed->lab.fib4,
        .fib6 = guest->without_routes ? NULL : bed->lab.fib6,
        .mtu = guest->mtu,
        .attachment = guest->attachment,
    };

    if (guest->remote)
        config.attachment.remote = lab_address(guest->remote);
    lab_mac(guest->nic, config.mac);
    memcpy(config.gateway_mac, lab_gateway_mac, sizeof(config.gateway_mac));
    MUST(dp_nic_set(bed->lab.forwarding, guest->nic, &config) == 0);
    if (guest->vnet != 0)
        MUST(dp_vnet_set_addresses(bed->lab.forwarding, guest->vnet, map, 2) == 0);
}

static uint32_t make_group(struct testbed *bed, const struct dp_group_config *config)
{
    uint32_t group;

    MUST(dp_group_create(bed->lab.forwarding, config, &group) == 0);
    return group;
}

/* nics[i] has next_hops[i]; of frontends, it is the group of the backends. */
static uint32_t make_members(struct testbed *bed, const char *const *next_hops,
                             const uint32_t *nics, unsigned n, bool frontend)
{
    struct dp_member members[4];

    for (unsigned i = 0; i < n; i++) {
        members[i] = (struct dp_member){.next_hop = lab_address(next_hops[i])};
        if (frontend)
            members[i].group = nics[i];
        else
            members[i].nic = nics[i];
    }
    return make_group(bed, &(struct dp_group_config){
                               .kind = DP_GROUP_MEMBERS, .members = members, .member_count = n});
}

static uint32_t make_single(struct testbed *bed, const char *next_hop, uint32_t nic, bool frontend)
{
    return make_members(bed, &next_hop, &nic, 1, frontend);
}

static uint32_t make_vnet_group(struct testbed *bed, uint32_t vnet, uint8_t peering)
{
    return make_group(
        bed, &(struct dp_group_config){.kind = DP_GROUP_VNET, .vnet = vnet, .peering = peering});
}

static void route_to(struct testbed *bed, const char *four, const char *six, uint32_t group)
{
    const struct lpm_change change4 = {LPM_SET, lab_prefix(four), group},
                            change6 = {LPM_SET, lab_prefix(six), group};

    MUST(lpm_update(bed->lab.fib4, &change4, 1) == 0);
    MUST(lpm_update(bed->lab.fib6, &change6, 1) == 0);
}

static void set_balancers(struct testbed *bed)
{
    static const char *const webs[] = {"10.1.0.11", "10.1.0.12"};
    static const uint32_t web_nics[] = {BED_WEB1, BED_WEB2};
    const uint32_t backends = make_members(bed, webs, web_nics, 2, false);
    const uint32_t nobody = make_members(bed, NULL, NULL, 0, false);
    const struct dp_vnet_address frontend = {lab_address("10.1.0.100"), 0, backends};

    MUST(dp_vnet_set_addresses(bed->lab.forwarding, 1, &frontend, 1) == 0);
    route_to(bed, "172.16.1.0/24", "fd00:f:1::/48", make_single(bed, "10.1.0.100", backends, true));
    route_to(bed, "172.16.2.0/24", "fd00:f:2::/48", nobody);
    route_to(bed, "172.16.3.0/24", "fd00:f:3::/48", make_single(bed, "10.1.0.101", nobody, true));
}

static void set_routes(struct testbed *bed)
{
    static const char *const far[] = {"10.0.1.6", "10.0.1.7"};
    static const uint32_t far_nics[] = {BED_FAR4, BED_FAR6};

    route_to(bed, "8.8.0.0/16", "2600::/16",
             make_group(bed, &(struct dp_group_config){.kind = DP_GROUP_INTERNET}));
    route_to(bed, "10.0.0.0/16", "fd00::/32", make_vnet_group(bed, 2, 0));
    set_balancers(bed);
    route_to(bed, "172.16.4.0/24", "fd00:f:4::/48", make_single(bed, "10.0.1.99", 0, false));
    route_to(bed, "172.16.5.0/24", "fd00:f:5::/48", make_vnet_group(bed, 3, DP_PEERING_NO_ACCESS));
    route_to(bed, "172.16.6.0/24", "fd00:f:6::/48",
             make_vnet_group(bed, 3, DP_PEERING_NO_FORWARDED));
    route_to(bed, "172.16.7.0/24", "fd00:f:7::/48", make_members(bed, far, far_nics, 2, false));
    route_to(bed, "172.16.8.0/24", "fd00:f:8::/48", make_single(bed, "10.1.0.5", LAB_PEER, false));
    route_to(bed, "172.16.9.0/24", "fd00:f:9::/48",
             make_single(bed, "10.1.0.13", BED_ABSENT, false));
}

static void set_underlay(struct testbed *bed, uint16_t port, const char *own, const char *remote)
{
    const struct lpm_address peer = lab_address(remote);
    const struct dp_underlay_config config = {
        .address = lab_address(own), .peers = &peer, .peer_count = 1, .nic = BED_OTHERS};

    MUST(dp_underlay_set(bed->lab.forwarding, port, &config) == 0);
    MUST(dp_underlay_set_mac(bed->lab.forwarding, port, testbed_own_mac) == 0);
}

static void open_fabric(struct testbed *bed, const struct testbed_options *options)
{
    struct lab_options lab = {.keep_ttl = options->azure,
                              .silent_drops = options->azure,
                              .hash_fields = options->hash_fields};
    const struct lpm_prefix space[] = {lab_prefix("172.16.0.0/16"), lab_prefix("fd00:f::/32")};

    lab.attachments[LAB_VM] =
        (struct dp_attachment){DP_ATTACHMENT_PORT, BED_WHOLE, .vni = BED_GUEST_VNI};
    lab.attachments[LAB_PEER] =
        (struct dp_attachment){DP_ATTACHMENT_MAC, BED_MACS, .vni = BED_GUEST_VNI};
    lab.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_MAC, BED_MACS, 0};
    lab.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_VLAN, BED_TAGS, BED_VLAN_NVA2};
    lab_open(&bed->lab, &lab);
    MUST(dp_vnet_set(bed->lab.forwarding, 3, space, 2) == 0);
    set_underlay(bed, BED_UNDERLAY4, "192.0.2.1", "192.0.2.7");
    set_underlay(bed, BED_UNDERLAY6, "2001:db8::1", "2001:db8::7");
    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
        set_guest(bed, &guests[i]);
    set_routes(bed);
}

/* --- The worker --------------------------------------------------------------------------------- */

void testbed_open(struct testbed *bed, const struct testbed_options *options)
{
    memset(bed, 0, sizeof(*bed));
    lay_wires();
    open_fabric(bed, options);
    dp_worker_prepare(&bed->worker, bed->lab.forwarding, 0, wires.made);
    bed->worker.rxs = bed->rxs;
    bed->worker.rx_count = BED_PORTS;
    bed->worker.path.txs = bed->txs;
    bed->worker.path.tx_count = BED_PORTS;
    for (unsigned port = 0; port < BED_PORTS; port++) {
        bed->ports[port] = (struct dp_port){.id = wires.devices[port], .mtu = BED_MTU};
        bed->rxs[port] = (struct dp_rx){.port = &bed->ports[port], .index = (uint16_t)port};
        bed->txs[port].port = &bed->ports[port];
    }
    testbed_reset(bed);
    lpm_rcu_online();
}

void testbed_close(struct testbed *bed)
{
    give_buffers_back();
    lpm_rcu_offline();
    lab_close(&bed->lab);
    take_wires_up();
}

void testbed_reset(struct testbed *bed)
{
    const struct lpm_address host4 = lab_address("192.0.2.7"), host6 = lab_address("2001:db8::7");

    for (unsigned port = 0; port < BED_PORTS; port++) {
        atomic_store_explicit(&bed->ports[port].link_up, true, memory_order_relaxed);
        bed->ports[port].partial_checksums = false;
    }
    MUST(dp_neighbor_heard(bed->lab.forwarding, BED_UNDERLAY4, &host4, testbed_host_mac));
    MUST(dp_neighbor_heard(bed->lab.forwarding, BED_UNDERLAY6, &host6, testbed_host_mac));
    dp_limiter_init(&bed->worker.echo, DP_ECHO_PER_SECOND, 10000);
    dp_limiter_init(&bed->worker.errors, DP_ERRORS_PER_SECOND, 10000);
    give_buffers_back();
}

void testbed_limit_answers(struct testbed *bed, unsigned n)
{
    const uint64_t interval = UINT64_C(1) << 48; /* cycles: a day */
    struct dp_limiter limiter = {.due = rte_get_tsc_cycles() + interval, .interval = interval};

    if (n > 0) {
        limiter.due -= interval;
        limiter.tolerance = interval * (n - 1);
    }
    bed->worker.echo = bed->worker.errors = limiter;
}

void testbed_receive(struct testbed *bed, unsigned port, struct rte_mbuf **mbufs, unsigned n)
{
    MUST(rte_ring_enqueue_bulk(wires.in[port], (void **)mbufs, n, NULL) == n);
    MUST(dp_worker_round(&bed->worker) == n);
}

void testbed_receive_long(struct testbed *bed, unsigned port, struct rte_mbuf **mbufs, unsigned n)
{
    dp_counter_add(&bed->rxs[port].packets, n);
    dp_worker_walk(&bed->worker, &bed->rxs[port], mbufs, n);
    dp_egress_flush(&bed->worker.path);
    lpm_rcu_quiescent();
}

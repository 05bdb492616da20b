/*
 * Tunnels to other hosts: bytes in, bytes out, of both families; nothing malformed gets through, and
 * everything is counted once.
 *
 *      port 0: underlay, 192.0.2.1 (or 2001:db8::1)      host .7: nva1, nva2 (VNI 7001)
 *      port 1: vm (VNI 7000)      port 2: peer (VNI 7000)
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/live.h"

#define GUEST_VNI 7000
#define NVA_VNI   7001
#define COUNTED   9 /* NIC id of what other hosts decided */

static struct lab lab;
static struct live live;
static struct frame frame, golden;

/* net_pcap numbers its devices. */
static const uint8_t own_mac[6] = {0x02, 0x70, 0x63, 0x61, 0x70, 0};
static const uint8_t host_mac[6] = {0x02, 0xaa, 0, 0, 0, 7};

static void set_underlay(const char *own, const char *remote, const char *next_hop)
{
    struct lpm_address peer = lab_address(remote);
    struct dp_underlay_config config = {
        .address = lab_address(own), .peers = &peer, .peer_count = 1, .nic = COUNTED};

    if (next_hop)
        config.next_hop = lab_address(next_hop);
    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, &config), 0);
}

static void open_with(const char *own, const char *remote, const char *next_hop)
{
    struct lab_options options = {.workers = 1};
    struct dp_attachment tunnel = {
        .kind = DP_ATTACHMENT_VXLAN, .port = 0, .vni = NVA_VNI, .remote = lab_address(remote)};

    options.attachments[LAB_VM] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_PORT, .port = 1, .vni = GUEST_VNI};
    options.attachments[LAB_PEER] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_PORT, .port = 2, .vni = GUEST_VNI};
    options.attachments[LAB_NVA1] = options.attachments[LAB_NVA2] = tunnel;
    lab_open(&lab, &options);
    set_underlay(own, remote, next_hop);
    live_open(&live, &lab, 3);
}

static void open_lab(void)
{
    open_with("192.0.2.1", "192.0.2.7", NULL);
}

static void close_lab(void)
{
    live_close(&live);
    lab_close(&lab);
}

TestSuite(vxlan, .init = open_lab, .fini = close_lab);
TestSuite(vxlan_with, .fini = close_lab); /* each case opens */

static uint64_t dropped(enum dp_reason reason)
{
    return live.counters.dropped[reason];
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void store16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void add_udp_vxlan(struct frame *outer, const struct frame *inner, uint16_t source_port,
                          uint32_t vni)
{
    uint8_t header[16] = {[8] = 8};

    store16(header, source_port);
    store16(header + 2, 4789);
    store16(header + 4, 16 + inner->captured);
    header[12] = (uint8_t)(vni >> 16);
    store16(header + 13, vni & 0xffff);
    frame_add(outer, header, sizeof(header));
    frame_add(outer, inner->bytes, inner->captured);
}

/* Puts `inner` into a tunnel between two end points of one family. */
static void wrap(struct frame *inner, const uint8_t to[6], const uint8_t from[6],
                 const char *source, const char *destination, uint16_t source_port, uint32_t vni)
{
    static struct frame outer;
    bool six = strchr(source, ':') != NULL;
    uint8_t ip4[20] = {0x45, [6] = 0x40, [8] = 64, [9] = 17};
    uint8_t ip6[40] = {0x60, [6] = 17, [7] = 64};

    frame_ethernet(&outer, to, from, six ? 0x86dd : 0x0800);
    store16(ip4 + 2, 36 + inner->captured);
    store16(ip6 + 4, 16 + inner->captured);
    inet_pton(AF_INET, source, ip4 + 12);
    inet_pton(AF_INET, destination, ip4 + 16);
    inet_pton(AF_INET6, source, ip6 + 8);
    inet_pton(AF_INET6, destination, ip6 + 24);
    frame_add(&outer, six ? ip6 : ip4, six ? 40 : 20);
    if (!six)
        frame_seal4(&outer, 14);
    add_udp_vxlan(&outer, inner, source_port, vni);
    *inner = outer;
}

static void set_macs(struct frame *inner, const uint8_t *destination, const uint8_t *source)
{
    memcpy(inner->bytes, destination, 6);
    memcpy(inner->bytes + 6, source, 6);
}

static void from_host(struct frame *inner, uint32_t vni)
{
    wrap(inner, own_mac, host_mac, "192.0.2.7", "192.0.2.1", 50000, vni);
}

/* From nva1, which hangs on the tunnel, to vm. */
static void build_from_nva1(const char *source, uint16_t payload)
{
    uint8_t mac[6];

    lab_mac(LAB_NVA1, mac);
    frame_udp4(&frame, source, "10.1.0.4", 7, payload);
    set_macs(&frame, lab_gateway_mac, mac);
}

/* Another host's decision: to vm, as that host's rewrite leaves it. */
static void build_decided(uint16_t payload)
{
    uint8_t mac[6];

    lab_mac(LAB_VM, mac);
    frame_udp4(&frame, "192.0.2.99", "10.1.0.4", 7, payload);
    set_macs(&frame, mac, lab_gateway_mac);
}

static void introduce_host4(void)
{
    static struct frame reply;
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 2};

    memcpy(arp + 8, host_mac, 6);
    inet_pton(AF_INET, "192.0.2.7", arp + 14);
    memcpy(arp + 18, own_mac, 6);
    inet_pton(AF_INET, "192.0.2.1", arp + 24);
    frame_ethernet(&reply, own_mac, host_mac, 0x0806);
    frame_add(&reply, arp, sizeof(arp));
    live_send(&live, 0, &reply);
}

/* An advertisement for `who`, whose MAC is the host's. */
static void introduce_host6(const char *who)
{
    static struct frame reply;
    uint8_t *ip = reply.bytes + 14;

    frame_solicitation(&reply, who, who);
    set_macs(&reply, own_mac, host_mac);
    inet_pton(AF_INET6, "2001:db8::1", ip + 24);
    ip[40] = 136;
    ip[44] = 0x60;
    ip[64] = 2;
    memcpy(ip + 66, host_mac, 6);
    store16(ip + 42, 0);
    store16(ip + 42, (uint16_t)~sum16(ip + 40, 32, sum16(ip + 8, 32, 32 + 58)));
    live_send(&live, 0, &reply);
}

/* The i-th frame out of port 0 that the engine did not send on its own: no ARP, no discovery. */
static const struct frame *sent(unsigned i)
{
    for (unsigned k = 0; k < live.out[0].n; k++) {
        const struct frame *out = &live.out[0].frames[k];
        bool arp_request = out->bytes[12] == 8 && out->bytes[13] == 6 && out->bytes[21] == 1;
        bool solicitation = out->bytes[12] == 0x86 && out->bytes[20] == 58 && out->bytes[54] == 135;

        if (!arp_request && !solicitation && i-- == 0)
            return out;
    }
    return NULL;
}

static void assert_frame(const struct frame *got, const struct frame *expected)
{
    cr_assert_not_null(got);
    cr_assert_eq(got->captured, expected->captured, "%u, not %u bytes", got->captured,
                 expected->captured);
    for (uint32_t i = 0; i < got->captured; i++)
        cr_assert_eq(got->bytes[i], expected->bytes[i], "byte %u: %02x, not %02x", i, got->bytes[i],
                     expected->bytes[i]);
}

/* What vm's frame becomes on its way to an NVA behind the tunnel. */
static void build_golden(uint32_t nva, const char *source, const char *destination,
                         const uint8_t to[6], uint16_t source_port)
{
    bool six = golden.bytes[12] == 0x86;
    uint8_t mac[6];

    lab_mac(nva, mac);
    set_macs(&golden, mac, lab_gateway_mac);
    golden.bytes[six ? 21 : 22]--;
    if (!six)
        frame_seal4(&golden, 14);
    wrap(&golden, to, own_mac, source, destination, source_port, NVA_VNI);
}

static uint16_t load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* --- Into the tunnel -------------------------------------------------------------------------- */

/* IPv4 before IPv6, since the families of one burst may overtake each other. */
Test(vxlan, encapsulates_byte_for_byte)
{
    uint16_t ports[64];
    unsigned distinct = 0;

    introduce_host4();
    for (unsigned i = 0; i < 64; i++) {
        if (i >= 32)
            frame_udp6(&frame, "fd00:1::4", "2001:db8:9::1", (uint16_t)i, (uint16_t)(20 * i));
        else
            frame_udp4(&frame, "10.1.0.4", "198.18.0.1", (uint16_t)i, (uint16_t)(20 * i));
        live_send(&live, 1, &frame);
    }
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 64);
    for (unsigned i = 0; i < 64; i++) {
        const struct frame *out = sent(i);

        cr_assert_not_null(out);
        ports[i] = load16(out->bytes + 34);
        cr_assert_geq(ports[i], 49152);
        for (unsigned k = 0; k < i; k++)
            distinct += ports[k] != ports[i];
        if (i >= 32)
            frame_udp6(&golden, "fd00:1::4", "2001:db8:9::1", (uint16_t)i, (uint16_t)(20 * i));
        else
            frame_udp4(&golden, "10.1.0.4", "198.18.0.1", (uint16_t)i, (uint16_t)(20 * i));
        build_golden(out->bytes[55], "192.0.2.1", "192.0.2.7", host_mac, ports[i]);
        assert_frame(out, &golden);
    }
    cr_assert_gt(distinct, 64 * 63 / 2 - 20); /* flows spread over source ports */
}

Test(vxlan_with, ipv6_tunnels_have_a_checksum)
{
    open_with("2001:db8::1", "2001:db8::7", NULL);
    introduce_host6("2001:db8::7");
    for (unsigned i = 0; i < 8; i++) {
        frame_udp4(&frame, "10.1.0.4", "198.18.0.1", (uint16_t)i, (uint16_t)(31 * i));
        live_send(&live, 1, &frame);
    }
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 8);
    for (unsigned i = 0; i < 8; i++) {
        const struct frame *out = sent(i);
        const uint8_t *ip = out->bytes + 14;
        uint32_t bytes = load16(ip + 4);

        cr_assert_eq(sum16(ip + 40, bytes, sum16(ip + 8, 32, bytes + 17)), 0xffff);
        frame_udp4(&golden, "10.1.0.4", "198.18.0.1", (uint16_t)i, (uint16_t)(31 * i));
        build_golden(out->bytes[14 + 40 + 16 + 5], "2001:db8::1", "2001:db8::7", host_mac,
                     load16(ip + 40));
        memcpy(golden.bytes + 60, out->bytes + 60, 2);
        assert_frame(out, &golden);
    }
}

Test(vxlan_with, a_router_is_asked_for_and_takes_all)
{
    open_with("192.0.2.1", "203.0.113.9", "192.0.2.7");
    introduce_host4();
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1);
    live_send(&live, 1, &frame);
    live_run(&live);
    golden = frame;
    build_golden(sent(0)->bytes[55], "192.0.2.1", "203.0.113.9", host_mac,
                 load16(sent(0)->bytes + 34));
    assert_frame(sent(0), &golden);
    for (unsigned k = 0; k < live.out[0].n; k++) {
        const uint8_t *bytes = live.out[0].frames[k].bytes;

        if (bytes[12] == 8 && bytes[13] == 6)
            cr_assert_eq(bytes[41], 7, "asked for another than the router");
    }
}

Test(vxlan, a_host_that_nobody_knows_is_unreachable)
{
    uint8_t request[42] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

    for (unsigned i = 0; i < 10; i++) {
        frame_udp4(&frame, "10.1.0.4", "198.18.0.1", (uint16_t)i, 1);
        live_send(&live, 1, &frame);
    }
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_NEXT_HOP_UNREACHABLE), 10);
    memset(request, 0xff, 6);
    memcpy(request + 6, own_mac, 6);
    memcpy(request + 22, own_mac, 6);
    inet_pton(AF_INET, "192.0.2.1", request + 28);
    inet_pton(AF_INET, "192.0.2.7", request + 38);
    cr_assert_geq(live.out[0].n, 1);
    cr_assert_arr_eq(live.out[0].frames[0].bytes, request, sizeof(request));
}

/* 1500 less 50: what is larger is cut before it enters the tunnel, or dropped where it says DF. */
Test(vxlan, the_tunnel_takes_its_part_of_the_mtu)
{
    unsigned bytes = 0, n;

    introduce_host4();
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1450 - 28);
    live_send(&live, 1, &frame);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1450 - 27);
    live_send(&live, 1, &frame);
    frame.bytes[20] = 0x40;
    frame_seal4(&frame, 14);
    live_send(&live, 1, &frame);
    frame_udp6(&frame, "fd00:1::4", "2001:db8:9::1", 1, 1450 - 47);
    live_send(&live, 1, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 2);
    cr_assert_eq(dropped(DP_REASON_MTU), 2);
    cr_assert_eq(sent(0)->captured, 1514);
    for (n = 1; sent(n); n++) {
        cr_assert_leq(sent(n)->captured, 1514);
        cr_assert_eq(load16(sent(n)->bytes + 34), load16(sent(0)->bytes + 34));
        bytes += load16(sent(n)->bytes + 50 + 14 + 2) - 20u;
    }
    cr_assert_eq(n, 3);
    cr_assert_eq(bytes, 1451 - 20);
}

Test(vxlan, the_class_of_traffic_is_seen_outside)
{
    introduce_host4();
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1);
    frame.bytes[15] = 0xba; /* EF, ECT(0) */
    frame_seal4(&frame, 14);
    live_send(&live, 1, &frame);
    frame_udp6(&frame, "fd00:1::4", "2001:db8:9::1", 1, 1);
    frame.bytes[14] = 0x6b;
    frame.bytes[15] = 0x90;
    live_send(&live, 1, &frame);
    live_run(&live);
    cr_assert_eq(sent(0)->bytes[15], 0xba);
    cr_assert_eq(sent(1)->bytes[15], 0xb9);
}

/* --- Out of the tunnel ------------------------------------------------------------------------ */

Test(vxlan, a_guest_on_the_tunnel_is_walked_like_any_other)
{
    uint8_t mac[6];

    build_from_nva1("198.18.0.1", 40);
    golden = frame;
    from_host(&frame, NVA_VNI);
    frame_add(&frame, "\0\0\0\0\0", 5); /* padding of the underlay */
    live_send(&live, 0, &frame);
    live_run(&live);
    lab_mac(LAB_VM, mac);
    set_macs(&golden, mac, lab_gateway_mac);
    golden.bytes[22]--;
    frame_seal4(&golden, 14);
    cr_assert_eq(live.out[1].n, 1);
    assert_frame(&live.out[1].frames[0], &golden);
    dp_counters_nic(lab.forwarding, LAB_NVA1, &live.counters);
    cr_assert_eq(live.counters.received, 1);
    cr_assert_eq(live.counters.received_bytes, golden.captured);
}

Test(vxlan, what_another_host_decided_is_delivered_as_it_is)
{
    build_decided(40);
    golden = frame;
    from_host(&frame, GUEST_VNI);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.out[1].n, 1);
    assert_frame(&live.out[1].frames[0], &golden);
    dp_counters_nic(lab.forwarding, COUNTED, &live.counters);
    cr_assert_eq(live.counters.received, 1);
    cr_assert_eq(live.counters.forwarded, 1);
    cr_assert_eq(live.counters.forwarded_bytes, golden.captured);
}

Test(vxlan, no_guest_gets_around_the_decision)
{
    uint8_t mac[6];

    build_from_nva1("198.18.0.1", 1); /* straight to vm's MAC */
    lab_mac(LAB_VM, mac);
    memcpy(frame.bytes, mac, 6);
    from_host(&frame, NVA_VNI);
    live_send(&live, 0, &frame);
    build_decided(1); /* not from the gateway's MAC */
    frame.bytes[11] ^= 1;
    from_host(&frame, GUEST_VNI);
    live_send(&live, 0, &frame);
    build_decided(1); /* from a host that is none of ours */
    wrap(&frame, own_mac, host_mac, "192.0.2.8", "192.0.2.1", 50000, GUEST_VNI);
    live_send(&live, 0, &frame);
    build_from_nva1("198.18.0.1", 1);
    wrap(&frame, own_mac, host_mac, "192.0.2.8", "192.0.2.1", 50000, NVA_VNI);
    live_send(&live, 0, &frame);
    build_decided(1); /* back into the tunnel */
    lab_mac(LAB_NVA1, frame.bytes);
    from_host(&frame, NVA_VNI);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_NOT_FOR_GATEWAY_MAC) + dropped(DP_REASON_VXLAN_UNKNOWN_VNI), 5);
    cr_assert_eq(live.counters.forwarded, 0);
}

Test(vxlan, an_unknown_vni_or_mac_is_counted_as_such)
{
    build_decided(1);
    from_host(&frame, GUEST_VNI + 100);
    live_send(&live, 0, &frame);
    build_from_nva1("198.18.0.1", 1);
    frame.bytes[11] ^= 0x40;
    from_host(&frame, NVA_VNI);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_VXLAN_UNKNOWN_VNI), 2);
    dp_counters_nic(lab.forwarding, COUNTED, &live.counters);
    cr_assert_eq(live.counters.received, 2);
}

static void send_changed(size_t at, uint8_t value)
{
    build_decided(20);
    from_host(&frame, GUEST_VNI);
    frame.bytes[at] = value;
    frame_seal4(&frame, 14);
    live_send(&live, 0, &frame);
}

Test(vxlan, malformed_tunnels_are_counted_as_such)
{
    send_changed(42, 0);    /* no VNI says the flag */
    send_changed(39, 20);   /* UDP length */
    send_changed(38, 0xff); /* the same, beyond the packet */
    send_changed(41, 1);    /* checksum that is there, and wrong */
    send_changed(20, 0x20); /* a fragment */
    build_decided(20);
    frame_tag(&frame, 0x8100, 5);
    from_host(&frame, GUEST_VNI);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_VXLAN_BAD), 6);
    cr_assert_eq(live.counters.forwarded, 0);
    cr_assert(counters_add_up(&live.counters));
}

/* A frame that ends anywhere, with lengths that agree and with those of the whole. */
Test(vxlan, a_frame_that_ends_early_never_gets_through)
{
    build_decided(3);
    from_host(&frame, GUEST_VNI);
    golden = frame;
    for (uint32_t cut = 14; cut < golden.captured; cut++) {
        frame = golden;
        frame.captured = frame.wire = cut;
        live_send(&live, 0, &frame);
        if (cut < 42)
            continue;
        store16(frame.bytes + 16, cut - 14);
        store16(frame.bytes + 38, cut - 34);
        frame_seal4(&frame, 14);
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert_eq(live.counters.received, live.frames_in);
    cr_assert_eq(live.counters.forwarded, 0);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_gt(dropped(DP_REASON_VXLAN_BAD), 10);
}

Test(vxlan_with, ipv6_tunnels_are_opened_with_checksum_and_without)
{
    open_with("2001:db8::1", "2001:db8::7", NULL);
    for (unsigned i = 0; i < 3; i++) {
        build_decided(40);
        wrap(&frame, own_mac, host_mac, "2001:db8::7", "2001:db8::1", 50000, GUEST_VNI);
        uint32_t bytes = load16(frame.bytes + 18);
        if (i > 0)
            store16(frame.bytes + 60, (uint16_t)~sum16(frame.bytes + 54, bytes,
                                                       sum16(frame.bytes + 22, 32, bytes + 17)));
        frame.bytes[90] ^= i == 2; /* and then it is wrong */
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 2);
    cr_assert_eq(dropped(DP_REASON_VXLAN_BAD), 1);
    build_decided(40);
    assert_frame(&live.out[1].frames[0], &frame);
    assert_frame(&live.out[1].frames[1], &frame);
}

/* RFC 6040, figure 4: what the underlay has marked. */
Test(vxlan, congestion_marks_are_carried_inside)
{
    static const uint8_t inner[3] = {0, 2, 1};

    for (unsigned i = 0; i < 3; i++) {
        build_decided(1);
        frame.bytes[15] = inner[i];
        frame_seal4(&frame, 14);
        from_host(&frame, GUEST_VNI);
        frame.bytes[15] = 3;
        frame_seal4(&frame, 14);
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_VXLAN_BAD), 1);
    cr_assert_eq(live.out[1].n, 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(live.out[1].frames[i].bytes[15], 3);
        cr_assert_eq(sum16(live.out[1].frames[i].bytes + 14, 20, 0), 0xffff);
    }
}

/* --- The tunnel end point itself -------------------------------------------------------------- */

Test(vxlan, a_guest_on_the_tunnel_finds_its_gateway)
{
    uint8_t mac[6];

    introduce_host4();
    lab_mac(LAB_NVA1, mac);
    frame_arp(&frame, "10.0.1.4", "10.0.1.1");
    memcpy(frame.bytes + 6, mac, 6);
    memcpy(frame.bytes + 22, mac, 6);
    from_host(&frame, NVA_VNI);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 2); /* the host's own reply is taken note of */
    const struct frame *out = sent(0);
    cr_assert_eq(out->captured, 50 + 42);
    cr_assert_arr_eq(out->bytes + 50, mac, 6);
    cr_assert_eq(out->bytes[50 + 21], 2);
    cr_assert_arr_eq(out->bytes + 50 + 22, lab_gateway_mac, 6);
}

Test(vxlan, arp_and_echo_for_its_address_are_answered)
{
    frame_arp(&frame, "192.0.2.7", "192.0.2.1");
    memcpy(frame.bytes + 6, host_mac, 6);
    memcpy(frame.bytes + 22, host_mac, 6);
    live_send(&live, 0, &frame);
    frame_echo4(&frame, "192.0.2.7", "192.0.2.1", 56);
    set_macs(&frame, own_mac, host_mac);
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1); /* the request told where its sender is */
    live_send(&live, 1, &frame);
    frame_arp(&frame, "192.0.2.7", "192.0.2.2"); /* somebody else's address */
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "192.0.2.7", "192.0.2.1", 1, 1);
    set_macs(&frame, own_mac, host_mac);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 1);
    cr_assert_eq(live.counters.answered, 3);
    cr_assert_eq(dropped(DP_REASON_UNKNOWN_ATTACHMENT), 1);
    cr_assert_arr_eq(sent(0)->bytes + 22, own_mac, 6);
    cr_assert_eq(sent(0)->bytes[21], 2);
    cr_assert_eq(sent(1)->bytes[34], 0);
    cr_assert_eq(sent(1)->captured, 98);
}

Test(vxlan_with, discovery_of_its_ipv6_address_is_answered)
{
    open_with("2001:db8::1", "2001:db8::7", NULL);
    frame_solicitation(&frame, "2001:db8::7", "2001:db8::1");
    memcpy(frame.bytes + 6, host_mac, 6);
    memcpy(frame.bytes + 80, host_mac, 6);
    store16(frame.bytes + 56, 0);
    store16(frame.bytes + 56,
            (uint16_t)~sum16(frame.bytes + 54, 32, sum16(frame.bytes + 22, 32, 32 + 58)));
    live_send(&live, 0, &frame);
    frame_solicitation(&frame, "2001:db8::9",
                       "2001:db8::2"); /* a guest's affair, if there were one */
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1);
    live_send(&live, 1, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 1);
    cr_assert_eq(dropped(DP_REASON_UNKNOWN_ATTACHMENT), 1);
    cr_assert_eq(live.counters.forwarded, 1);
    cr_assert_eq(sent(0)->bytes[54], 136);
    cr_assert_arr_eq(sent(1)->bytes, host_mac, 6);
}

/* --- Programming ------------------------------------------------------------------------------ */

Test(vxlan, vni_and_mac_are_one_nics_alone)
{
    struct dp_nic_config config = {
        .name = "twin", .vnet = 1, .attachment = {.kind = DP_ATTACHMENT_NONE, .vni = GUEST_VNI}};

    lab_mac(LAB_VM, config.mac);
    cr_assert_eq(dp_nic_set(lab.forwarding, 10, &config), -EEXIST);
    config.attachment.vni = GUEST_VNI + 1;
    cr_assert_eq(dp_nic_set(lab.forwarding, 10, &config), 0);
    config.attachment.vni = 1 << 24;
    cr_assert_eq(dp_nic_set(lab.forwarding, 10, &config), -EINVAL);
    config.attachment = (struct dp_attachment){.kind = DP_ATTACHMENT_VXLAN, .vni = 1};
    cr_assert_eq(dp_nic_set(lab.forwarding, 10, &config), -EINVAL);
    cr_assert_eq(dp_nic_remove(lab.forwarding, 10), 0);
}

Test(vxlan, many_nics_share_a_vni)
{
    struct dp_nic_config config = {.name = "n", .vnet = 1};

    for (unsigned round = 0; round < 200; round++) {
        for (uint32_t nic = 10; nic < 16; nic++) {
            config.attachment = (struct dp_attachment){.vni = 1 + (round + nic) % 3};
            memcpy(config.mac, (uint8_t[6]){2, 0, 0, 0, (uint8_t)round, (uint8_t)nic}, 6);
            cr_assert_eq(dp_nic_set(lab.forwarding, nic, &config), 0);
            cr_assert_eq(dp_overlay_find(lab.forwarding, config.attachment.vni, config.mac), nic);
            if (round > 0)
                cr_assert_eq(
                    dp_overlay_find(lab.forwarding, 1 + (round - 1 + nic) % 3,
                                    (uint8_t[6]){2, 0, 0, 0, (uint8_t)(round - 1), (uint8_t)nic}),
                    0);
        }
    }
    for (uint32_t nic = 10; nic < 16; nic++) {
        cr_assert_eq(dp_nic_remove(lab.forwarding, nic), 0);
        cr_assert_eq(dp_overlay_find(lab.forwarding, 1 + (199 + nic) % 3,
                                     (uint8_t[6]){2, 0, 0, 0, 199, (uint8_t)nic}),
                     0);
    }
}

Test(vxlan, an_underlay_must_make_sense)
{
    struct lpm_address six = lab_address("2001:db8::7");
    struct dp_underlay_config config = {.address = lab_address("192.0.2.1"), .nic = 99};

    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, &config), -EINVAL);
    config = (struct dp_underlay_config){
        .address = lab_address("192.0.2.1"), .peers = &six, .peer_count = 1};
    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, &config), -EINVAL);
    config = (struct dp_underlay_config){.address = lab_address("192.0.2.1"), .next_hop = six};
    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, &config), -EINVAL);
    cr_assert_eq(dp_underlay_set(lab.forwarding, 1024, NULL), -EINVAL);
    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, NULL), 0);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 1);
    live_send(&live, 1, &frame);
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_PORT_DOWN), 1);
}

/* --- Replay ----------------------------------------------------------------------------------- */

/* No device has told its MAC, no neighbour was asked: both are made of the addresses. */
Test(vxlan, a_replay_writes_tunnels)
{
    static const uint8_t there[6] = {2, 4, 192, 0, 2, 7}, here[6] = {2, 4, 192, 0, 2, 1};
    const char *in = lab_path(&lab, "trace.pcap"), *out = lab_path(&lab, "replayed.pcap");
    struct trace *trace = trace_create(in, DLT_EN10MB);
    struct dp_replay_config config = {.nic = LAB_VM, .in = in, .out = out};
    struct dp_replay_report report;
    char error[DP_ERROR_TEXT] = "";
    struct frames frames;

    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 100);
    trace_add(trace, &frame);
    trace_close(trace);
    cr_assert_eq(dp_replay(lab.forwarding, &config, &report, error), 0, "%s", error);
    cr_assert_eq(report.counters.forwarded, 1);
    frames_read(&frames, out);
    cr_assert_eq(frames.n, 1);
    golden = frame;
    build_golden(frames.frames[0].bytes[55], "192.0.2.1", "192.0.2.7", there,
                 load16(frames.frames[0].bytes + 34));
    memcpy(golden.bytes + 6, here, 6);
    assert_frame(&frames.frames[0], &golden);
    frames_free(&frames);
    free(report.records);
}

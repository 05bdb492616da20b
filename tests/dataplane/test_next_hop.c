/*
 * A NIC behind a router on its port: the internet's next hop is asked for, believed, and answered.
 *
 *      port 0: internet, next hop 203.0.113.1 (or fe80::1)      port 1: vm, 0.0.0.0/0 and ::/0 to the internet
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/live.h"

static struct lab lab;
static struct live live;
static struct frame frame;

static const uint8_t fabric_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t given_mac[6] = {2, 0, 0, 0, 0, 0xfe};
static const uint8_t router_mac[6] = {2, 0xcc, 0, 0, 0, 1};

static int set_internet(const char *next_hop, bool mac_known, enum dp_attachment_kind kind)
{
    struct dp_nic_config config = {.name = "internet",
                                   .ip_forwarding = true,
                                   .next_hop = lab_address(next_hop),
                                   .mac_known = mac_known,
                                   .attachment = {.kind = kind, .port = 0, .vlan = 7}};

    memcpy(config.mac, given_mac, 6);
    memcpy(config.gateway_mac, fabric_mac, 6);
    return dp_nic_set(lab.forwarding, DP_NIC_INTERNET, &config);
}

/* own: of the fabric there, NULL: none. */
static void open_with(const char *next_hop, const char *own, bool mac_known)
{
    struct lab_options options = {.workers = 1};
    struct dp_underlay_config config = {.next_hop = lab_address(next_hop), .nic = DP_NIC_INTERNET};
    const struct dp_group_config internet = {.kind = DP_GROUP_INTERNET};

    config.address.family = config.next_hop.family;
    if (own)
        config.address = lab_address(own);
    memcpy(config.mac, fabric_mac, 6);
    options.attachments[LAB_VM] = (struct dp_attachment){.kind = DP_ATTACHMENT_PORT, .port = 1};
    lab_open(&lab, &options);
    cr_assert_eq(dp_underlay_set(lab.forwarding, 0, &config), 0);
    cr_assert_eq(set_internet(next_hop, mac_known, DP_ATTACHMENT_PORT), 0);
    cr_assert_eq(dp_group_replace(lab.forwarding, LAB_GROUP_NVAS, &internet), 0);
    live_open(&live, &lab, 2);
}

static void close_lab(void)
{
    live_close(&live);
    dp_nic_remove(lab.forwarding, DP_NIC_INTERNET);
    lab_close(&lab);
}

TestSuite(next_hop, .fini = close_lab);

static void send_from_vm(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        frame_udp4(&frame, "10.1.0.4", "198.18.0.1", (uint16_t)i, 10);
        live_send(&live, 1, &frame);
    }
}

/* operation 1: whoever has `target`, 2: sender has the MAC. */
static void send_arp(uint8_t operation, const char *sender, const char *target)
{
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, operation};
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    memcpy(arp + 8, router_mac, 6);
    inet_pton(AF_INET, sender, arp + 14);
    inet_pton(AF_INET, target, arp + 24);
    frame_ethernet(&frame, operation == 1 ? everybody : fabric_mac, router_mac, 0x0806);
    frame_add(&frame, arp, sizeof(arp));
    live_send(&live, 0, &frame);
}

static bool is_arp(const struct frame *out, uint8_t operation)
{
    return out->bytes[12] == 8 && out->bytes[13] == 6 && out->bytes[21] == operation;
}

/* The first ARP frame of that operation that left by port 0; NULL: none. */
static const uint8_t *sent_arp(uint8_t operation)
{
    for (unsigned i = 0; i < live.out[0].n; i++) {
        if (is_arp(&live.out[0].frames[i], operation))
            return live.out[0].frames[i].bytes;
    }
    return NULL;
}

/* How many IPv4 packets left by port 0; all of them go to that MAC, from the fabric's. */
static unsigned count_to(const uint8_t mac[6])
{
    unsigned n = 0;

    for (unsigned i = 0; i < live.out[0].n; i++) {
        const uint8_t *bytes = live.out[0].frames[i].bytes;

        if (bytes[12] != 8 || bytes[13] != 0)
            continue;
        cr_assert_arr_eq(bytes, mac, 6);
        cr_assert_arr_eq(bytes + 6, fabric_mac, 6);
        n++;
    }
    return n;
}

Test(next_hop, is_asked_for_from_the_own_address_and_gets_the_packets)
{
    uint8_t wanted[8], mac[6];

    open_with("203.0.113.1", "203.0.113.9", false);
    cr_assert_not(dp_nic_next_hop_mac(lab.forwarding, DP_NIC_INTERNET, mac));
    send_arp(2, "203.0.113.1", "203.0.113.9");
    send_from_vm(5);
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 5);
    cr_assert_eq(count_to(router_mac), 5);
    cr_assert_not_null(sent_arp(1));
    memcpy(wanted, fabric_mac, 6);
    cr_assert_arr_eq(sent_arp(1) + 22, wanted, 6);
    inet_pton(AF_INET, "203.0.113.9", wanted);
    inet_pton(AF_INET, "203.0.113.1", wanted + 4);
    cr_assert_arr_eq(sent_arp(1) + 28, wanted, 4);
    cr_assert_arr_eq(sent_arp(1) + 38, wanted + 4, 4);
    cr_assert(dp_nic_next_hop_mac(lab.forwarding, DP_NIC_INTERNET, mac));
    cr_assert_arr_eq(mac, router_mac, 6);
}

Test(next_hop, is_asked_for_by_a_probe_where_there_is_no_own_address)
{
    static const uint8_t nobody[4];

    open_with("203.0.113.1", NULL, false);
    send_arp(2, "203.0.113.1", "0.0.0.0");
    send_arp(1, "203.0.113.1", "0.0.0.0");
    send_from_vm(1);
    live_run(&live);
    cr_assert_eq(count_to(router_mac), 1);
    cr_assert_not_null(sent_arp(1));
    cr_assert_arr_eq(sent_arp(1) + 28, nobody, 4);
    cr_assert_null(sent_arp(2), "answered for no address");
}

Test(next_hop, is_unreachable_before_it_has_told_its_mac)
{
    open_with("203.0.113.1", "203.0.113.9", false);
    send_arp(2, "203.0.113.77", "203.0.113.9"); /* somebody else's */
    send_from_vm(5);
    live_run(&live);
    cr_assert_eq(live.counters.dropped[DP_REASON_NEXT_HOP_UNREACHABLE], 5);
    cr_assert_eq(count_to(router_mac), 0);
}

Test(next_hop, has_the_given_mac_before_it_has_told_its_own)
{
    open_with("203.0.113.1", "203.0.113.9", true);
    send_from_vm(5);
    live_run(&live);
    cr_assert_eq(live.counters.forwarded, 5);
    cr_assert_eq(count_to(given_mac), 5);
}

Test(next_hop, is_answered_when_it_asks_for_the_way_back)
{
    struct dp_counters counters;

    open_with("203.0.113.1", "203.0.113.9", false);
    send_arp(1, "203.0.113.1", "203.0.113.9");
    frame_echo4(&frame, "203.0.113.1", "203.0.113.9", 8);
    memcpy(frame.bytes, fabric_mac, 6);
    memcpy(frame.bytes + 6, router_mac, 6);
    live_send(&live, 0, &frame);
    /* Nobody translates what comes back: it is a packet from the internet like any. */
    frame_udp4(&frame, "198.18.0.1", "203.0.113.9", 1, 1);
    memcpy(frame.bytes, fabric_mac, 6);
    live_send(&live, 0, &frame);
    send_from_vm(1);
    live_run(&live);
    cr_assert_not_null(sent_arp(2));
    cr_assert_arr_eq(sent_arp(2) + 22, fabric_mac, 6);
    cr_assert_eq(count_to(router_mac), 2, "the echo's answer, and vm's packet");
    cr_assert_eq(live.counters.dropped[DP_REASON_NO_ROUTE], 1);
    dp_counters_nic(lab.forwarding, DP_NIC_INTERNET, &counters);
    cr_assert_eq(counters.received, 3);
    cr_assert_eq(counters.answered, 2);
}

/* An IPv6 router takes IPv4 packets as well: it is one machine with one MAC. */
Test(next_hop, of_ipv6_is_solicited_from_the_link_local_address)
{
    static const uint8_t link_local[16] = {0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 1};
    const uint8_t *asked = NULL;
    uint8_t target[16];

    open_with("fe80::1", NULL, true);
    send_from_vm(3);
    live_run(&live);
    cr_assert_eq(count_to(given_mac), 3);
    for (unsigned i = 0; i < live.out[0].n && !asked; i++) {
        const uint8_t *bytes = live.out[0].frames[i].bytes;

        if (bytes[12] == 0x86 && bytes[13] == 0xdd && bytes[54] == 135)
            asked = bytes + 14;
    }
    cr_assert_not_null(asked);
    cr_assert_arr_eq(asked + 8, link_local, 16);
    cr_assert(icmpv6_good(asked));
    inet_pton(AF_INET6, "fe80::1", target);
    cr_assert_arr_eq(asked + 48, target, 16);
}

Test(next_hop, needs_a_port_of_its_own)
{
    open_with("203.0.113.1", NULL, true);
    cr_assert_eq(set_internet("203.0.113.1", true, DP_ATTACHMENT_VLAN), -EINVAL);
    cr_assert_eq(set_internet("203.0.113.1", true, DP_ATTACHMENT_NONE), -EINVAL);
    cr_assert_eq(set_internet("203.0.113.2", true, DP_ATTACHMENT_PORT), 0);
    send_from_vm(1);
    live_run(&live);
}

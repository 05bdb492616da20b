/* Frames of testbed.h that come by an underlay port: in tunnels, and to the tunnel's end itself. */
#include <string.h>

#include "tests/dataplane/testbed.h"
#include "tests/dataplane/testbed_frames.h"

#define ETHERNET 14u

void testbed_wrap(struct frame *inner, bool six, uint32_t vni)
{
    static struct frame outer;
    uint8_t header[16] = {0xc0, 0x01, [8] = 8};
    uint16_t sum;

    dp_store2(header + 2, DP_VXLAN_PORT);
    dp_store2(header + 4, sizeof(header) + inner->captured);
    dp_store2(header + 12, vni >> 8);
    header[14] = (uint8_t)vni;
    (six ? frame_udp6 : frame_udp4)(&outer, six ? "2001:db8::7" : "192.0.2.7",
                                    six ? "2001:db8::1" : "192.0.2.1", 0, 0);
    outer.captured -= 8;
    frame_add(&outer, header, sizeof(header));
    frame_add(&outer, inner->bytes, inner->captured);
    memcpy(outer.bytes, testbed_own_mac, 6);
    memcpy(outer.bytes + 6, testbed_host_mac, 6);
    testbed_put_lengths_right(&outer);
    if (six) {
        const uint32_t n = outer.captured - ETHERNET - 40;

        sum = sum16(outer.bytes + ETHERNET + 40, n, sum16(outer.bytes + ETHERNET + 8, 32, n + 17));
        dp_store2(outer.bytes + ETHERNET + 46, sum == 0xffff ? sum : 0xffffu - sum);
    }
    *inner = outer;
}

/* As another host sends it on to a guest of this one. */
static void decided(struct frame *frame, bool six)
{
    lab_mac(LAB_VM, frame->bytes);
    memcpy(frame->bytes + 6, lab_gateway_mac, 6);
    testbed_wrap(frame, six, BED_GUEST_VNI);
}

void testbed_tunnel4(struct frame *f)
{
    frame_udp4(f, "192.0.2.99", "10.1.0.4", 53, 40);
    testbed_from(f, BED_FAR4);
    testbed_wrap(f, false, BED_VNI);
}

void testbed_tunnel6(struct frame *f)
{
    frame_udp6(f, "2001:db8::99", "fd00:1::5", 53, 40);
    testbed_from(f, BED_FAR6);
    testbed_wrap(f, true, BED_VNI);
}

void testbed_tunnel_marked(struct frame *f)
{
    frame_udp4(f, "192.0.2.99", "10.1.0.4", 53, 40);
    f->bytes[ETHERNET + 1] = 2; /* knows ECN */
    frame_seal4(f, ETHERNET);
    testbed_from(f, BED_FAR4);
    testbed_wrap(f, false, BED_VNI);
    f->bytes[ETHERNET + 1] = 3;
    frame_seal4(f, ETHERNET);
}

void testbed_tunnel_arp(struct frame *f)
{
    frame_arp(f, "10.0.1.6", "10.0.1.1");
    testbed_from(f, BED_FAR4);
    testbed_wrap(f, false, BED_VNI);
}

void testbed_decided4(struct frame *f)
{
    frame_udp4(f, "10.0.1.6", "10.1.0.4", 53, 40);
    decided(f, false);
}

void testbed_decided6(struct frame *f)
{
    frame_udp6(f, "fd00::1:7", "fd00:1::4", 53, 40);
    decided(f, true);
}

void testbed_unknown_vni(struct frame *f)
{
    frame_udp4(f, "192.0.2.99", "10.1.0.4", 53, 40);
    testbed_from(f, BED_FAR4);
    testbed_wrap(f, false, 99);
}

void testbed_tunnel_fragment(struct frame *f)
{
    testbed_tunnel4(f);
    f->bytes[ETHERNET + 6] = 0x20;
    frame_seal4(f, ETHERNET);
}

void testbed_underlay_arp(struct frame *f)
{
    frame_arp(f, "192.0.2.7", "192.0.2.1");
    memcpy(f->bytes + 6, testbed_host_mac, 6);
    memcpy(f->bytes + ETHERNET + 8, testbed_host_mac, 6);
}

void testbed_underlay_solicitation(struct frame *f)
{
    frame_solicitation(f, "2001:db8::7", "2001:db8::1");
    memcpy(f->bytes + 6, testbed_host_mac, 6);
}

static void to_underlay(struct frame *frame)
{
    memcpy(frame->bytes, testbed_own_mac, 6);
    memcpy(frame->bytes + 6, testbed_host_mac, 6);
}

void testbed_underlay_echo4(struct frame *f)
{
    frame_echo4(f, "192.0.2.7", "192.0.2.1", 20);
    to_underlay(f);
}

void testbed_underlay_echo6(struct frame *f)
{
    frame_echo6(f, "2001:db8::7", "2001:db8::1", 20);
    to_underlay(f);
}

void testbed_underlay_other(struct frame *f)
{
    frame_udp4(f, "192.0.2.7", "192.0.2.1", 7, 20);
    to_underlay(f);
}

/* The frames of testbed.h: one of each kind that the packet path tells apart. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/dataplane/testbed.h"
#include "tests/dataplane/testbed_frames.h"
#include "tests/must.h"

#define ETHERNET 14u

static bool is_six(const struct frame *frame)
{
    return frame->bytes[12] == 0x86;
}

/* --- Parts -------------------------------------------------------------------------------------- */

void testbed_from(struct frame *frame, uint32_t nic)
{
    uint8_t mac[6];

    lab_mac(nic, mac);
    memcpy(frame->bytes + 6, mac, 6);
    if (nic == LAB_NVA2)
        frame_tag(frame, 0x8100, BED_VLAN_NVA2);
    if (nic == BED_WEB1)
        frame_tag(frame, 0x8100, BED_VLAN_WEB1);
    if (nic == BED_WEB2)
        frame_tag(frame, 0x8100, BED_VLAN_WEB2);
}

/* Makes room for n bytes at `at`. */
static void insert(struct frame *frame, size_t at, const uint8_t *bytes, size_t n)
{
    memmove(frame->bytes + at + n, frame->bytes + at, frame->captured - at);
    memcpy(frame->bytes + at, bytes, n);
    frame->captured += (uint32_t)n;
    frame->wire = frame->captured;
}

void testbed_put_lengths_right(struct frame *frame)
{
    uint8_t *ip = frame->bytes + ETHERNET;

    if (is_six(frame)) {
        dp_store2(ip + 4, frame->captured - ETHERNET - 40);
        return;
    }
    dp_store2(ip + 2, frame->captured - ETHERNET);
    frame_seal4(frame, ETHERNET);
}

static void add_options(struct frame *frame, const uint8_t *options, size_t n)
{
    insert(frame, ETHERNET + 20, options, n);
    frame->bytes[ETHERNET] = (uint8_t)(0x45 + n / 4);
    testbed_put_lengths_right(frame);
}

/* In front of whatever follows the fixed header: added last, it comes first. */
static void add_extension(struct frame *frame, uint8_t kind, const uint8_t *body, size_t n)
{
    uint8_t header[64] = {0};

    header[0] = frame->bytes[ETHERNET + 6];
    header[1] = (uint8_t)(kind == 51 ? n / 4 - 2 : kind == 44 ? 0 : n / 8 - 1);
    memcpy(header + 2, body, n - 2);
    frame->bytes[ETHERNET + 6] = kind;
    insert(frame, ETHERNET + 40, header, n);
    testbed_put_lengths_right(frame);
}

static void turn_into(struct frame *frame, uint8_t protocol)
{
    frame->bytes[ETHERNET + (is_six(frame) ? 6 : 9)] = protocol;
    testbed_put_lengths_right(frame);
}

static void set_ttl(struct frame *frame, uint8_t ttl)
{
    frame->bytes[ETHERNET + (is_six(frame) ? 7 : 8)] = ttl;
    testbed_put_lengths_right(frame);
}

/* --- Kinds -------------------------------------------------------------------------------------- */

static void udp4(struct frame *f)
{
    frame_udp4(f, "10.1.0.4", "192.0.2.99", 1000, 40);
}
static void udp6(struct frame *f)
{
    frame_udp6(f, "fd00:1::4", "2001:db8::99", 1000, 40);
}
static void to(struct frame *f, const char *destination)
{
    if (strchr(destination, ':'))
        frame_udp6(f, "fd00:1::4", destination, 1000, 60);
    else
        frame_udp4(f, "10.1.0.4", destination, 1000, 60);
}
static void from_peer(struct frame *f)
{
    frame_udp4(f, "10.1.0.5", "10.1.0.4", 1000, 60);
    testbed_from(f, LAB_PEER);
}
static void from_nva1(struct frame *f)
{
    frame_udp6(f, "2001:db8::99", "fd00:1::4", 53, 60);
    testbed_from(f, LAB_NVA1);
}
static void from_nva2(struct frame *f)
{
    frame_udp4(f, "192.0.2.99", "10.1.0.4", 53, 60);
    testbed_from(f, LAB_NVA2);
}
static void forwarded_in(struct frame *f)
{
    frame_udp4(f, "192.0.2.99", "172.16.6.4", 53, 60);
    testbed_from(f, LAB_NVA2);
}
static void without_route(struct frame *f)
{
    frame_udp4(f, "10.1.0.12", "10.1.0.4", 53, 60);
    testbed_from(f, BED_WEB2);
}
static void stacked_tags(struct frame *f)
{
    from_nva2(f);
    frame_tag(f, 0x88a8, BED_VLAN_NVA2);
}
static void tcp4(struct frame *f)
{
    frame_udp4(f, "10.1.0.4", "192.0.2.99", 4000, 40);
    f->bytes[ETHERNET + 20 + 12] = 0x50;
    turn_into(f, 6);
}
static void tcp6(struct frame *f)
{
    frame_udp6(f, "fd00:1::4", "2001:db8::99", 4000, 40);
    f->bytes[ETHERNET + 40 + 12] = 0x50;
    turn_into(f, 6);
}
static void options4(struct frame *f)
{
    static const uint8_t options[12] = {7, 11, 4, [11] = 0}; /* record route */

    udp4(f);
    add_options(f, options, sizeof(options));
}
static void fragment4(struct frame *f)
{
    udp4(f);
    dp_store2(f->bytes + ETHERNET + 6, 0x2000 | 185);
    frame_seal4(f, ETHERNET);
}
static void larger4(struct frame *f) /* than web1's link */
{
    frame_udp4(f, "10.1.0.4", "10.1.0.11", 1000, 1300);
}
static void larger6(struct frame *f)
{
    frame_udp6(f, "fd00:1::4", "fd00:1::b", 1000, 1300);
}
static void larger_with_options(struct frame *f)
{
    static const uint8_t options[8] = {0x94, 4, 0, 0, 1, 1, 1, 0}; /* router alert: copied */

    larger4(f);
    add_options(f, options, sizeof(options));
}
static void jumbo(struct frame *f)
{
    frame_udp4(f, "10.1.0.4", "10.1.0.11", 1000, 6000);
}
static void time_over4(struct frame *f)
{
    udp4(f);
    set_ttl(f, 1);
}
static void time_over6(struct frame *f)
{
    udp6(f);
    set_ttl(f, 1);
}
static const uint8_t padding_option[6] = {1, 4, 0, 0, 0, 0};
static void hop_by_hop(struct frame *f)
{
    udp6(f);
    add_extension(f, 0, padding_option, 8);
}
static void extensions(struct frame *f)
{
    static const uint8_t routing[6] = {4, 0}, authentication[14] = {0};

    tcp6(f);
    add_extension(f, 135, padding_option, 8);
    add_extension(f, 60, padding_option, 8);
    add_extension(f, 51, authentication, 16);
    add_extension(f, 43, routing, 8);
    add_extension(f, 60, padding_option, 8);
    add_extension(f, 0, padding_option, 8);
}
static void fragment6(struct frame *f)
{
    static const uint8_t more[6] = {0, 1, 0, 0, 0, 9};

    udp6(f);
    add_extension(f, 44, more, 8);
}
static void atomic_fragment6(struct frame *f)
{
    static const uint8_t whole[6] = {0, 0, 0, 0, 0, 9};

    udp6(f);
    add_extension(f, 44, whole, 8);
}
static void no_next_header(struct frame *f)
{
    udp6(f);
    turn_into(f, 59);
}
static void echo4(struct frame *f)
{
    frame_echo4(f, "10.1.0.4", "10.1.0.1", 32);
}
static void echo6(struct frame *f)
{
    frame_echo6(f, "fd00:1::4", "fd00:1::1", 32);
}
static void echo_options(struct frame *f)
{
    static const uint8_t options[4] = {1, 1, 1, 0};

    echo4(f);
    add_options(f, options, sizeof(options));
}
static void echo_extension(struct frame *f)
{
    echo6(f);
    add_extension(f, 60, padding_option, 8);
}
static void through4(struct frame *f)
{
    frame_echo4(f, "10.1.0.4", "10.1.0.5", 32);
}
static void through6(struct frame *f)
{
    frame_echo6(f, "fd00:1::4", "2001:db8::9", 32);
}
static void icmp_error4(struct frame *f)
{
    static struct frame about;

    frame_udp4(&about, "192.0.2.99", "10.1.0.4", 53, 8);
    frame_echo4(f, "10.1.0.4", "192.0.2.99", 28);
    f->bytes[ETHERNET + 20] = 3;
    f->bytes[ETHERNET + 21] = 3;
    memcpy(f->bytes + ETHERNET + 28, about.bytes + ETHERNET, 28);
}
static void arp(struct frame *f)
{
    frame_arp(f, "10.1.0.4", "10.1.0.1");
}
static void arp_tagged(struct frame *f)
{
    frame_arp(f, "10.0.1.5", "10.0.1.1");
    testbed_from(f, LAB_NVA2);
}
static void solicitation(struct frame *f)
{
    frame_solicitation(f, "fd00:1::4", "fd00:1::1");
}
static void probe(struct frame *f)
{
    frame_solicitation(f, "::", "fd00:1::77");
}
static void transit4(struct frame *f)
{
    static struct frame inner;

    frame_udp4(&inner, "10.9.0.1", "10.9.0.2", 1000, 20);
    frame_vxlan(f, "10.1.0.4", "192.0.2.99", 50000, &inner);
}
static void transit6(struct frame *f)
{
    static struct frame inner;

    frame_udp6(&inner, "fd09::1", "fd09::2", 1000, 20);
    frame_tag(&inner, 0x8100, 5);
    frame_vxlan(f, "fd00:1::4", "2001:db8::99", 50000, &inner);
}
static void answer_from_internet(struct frame *f)
{
    frame_udp4(f, "8.8.8.8", "10.1.0.4", 53, 30);
    testbed_from(f, DP_NIC_INTERNET);
}
static void ethertype(struct frame *f)
{
    udp4(f);
    f->bytes[12] = 0x88;
    f->bytes[13] = 0xcc;
}

static const struct {
    const char *name;
    void (*build)(struct frame *frame);
    unsigned port;
    const char *destination; /* instead: UDP from vm, to there */
} kinds[] = {
#define KIND(name, port)                                                                           \
    {                                                                                              \
#name, name, port                                                                          \
    }
#define TUNNEL(name, port)                                                                         \
    {                                                                                              \
#name, testbed_##name, port                                                                \
    }
    KIND(udp4, BED_WHOLE),
    KIND(udp6, BED_WHOLE),
    {"neighbor4", .destination = "10.1.0.5"},
    {"neighbor6", .destination = "fd00:1::5"},
    {"internet4", .destination = "8.8.8.8"},
    {"internet6", .destination = "2600::9"},
    {"far4", .destination = "10.0.1.6"},
    {"far6", .destination = "fd00::1:7"},
    {"far_group4", .destination = "172.16.7.9"},
    {"far_group6", .destination = "fd00:f:7::9"},
    {"frontend4", .destination = "172.16.1.9"},
    {"frontend6", .destination = "fd00:f:1::9"},
    {"frontend_address", .destination = "10.1.0.100"},
    {"nobody4", .destination = "172.16.2.9"},
    {"nobody6", .destination = "fd00:f:2::9"},
    {"no_backend", .destination = "172.16.3.9"},
    {"unreachable6", .destination = "fd00:f:4::9"},
    {"no_access", .destination = "172.16.5.4"},
    {"not_forwarding", .destination = "fd00:f:8::9"},
    {"absent", .destination = "172.16.9.9"},
    {"null_route", .destination = "198.51.100.1"},
    KIND(from_peer, BED_MACS),
    KIND(from_nva1, BED_MACS),
    KIND(from_nva2, BED_TAGS),
    KIND(forwarded_in, BED_TAGS),
    KIND(without_route, BED_TAGS),
    KIND(stacked_tags, BED_TAGS),
    KIND(tcp4, BED_WHOLE),
    KIND(tcp6, BED_WHOLE),
    KIND(options4, BED_WHOLE),
    KIND(fragment4, BED_WHOLE),
    KIND(larger4, BED_WHOLE),
    KIND(larger6, BED_WHOLE),
    KIND(larger_with_options, BED_WHOLE),
    KIND(jumbo, BED_WHOLE),
    KIND(time_over4, BED_WHOLE),
    KIND(time_over6, BED_WHOLE),
    KIND(hop_by_hop, BED_WHOLE),
    KIND(extensions, BED_WHOLE),
    KIND(fragment6, BED_WHOLE),
    KIND(atomic_fragment6, BED_WHOLE),
    KIND(no_next_header, BED_WHOLE),
    KIND(echo4, BED_WHOLE),
    KIND(echo6, BED_WHOLE),
    KIND(echo_options, BED_WHOLE),
    KIND(echo_extension, BED_WHOLE),
    KIND(through4, BED_WHOLE),
    KIND(through6, BED_WHOLE),
    KIND(icmp_error4, BED_WHOLE),
    KIND(arp, BED_WHOLE),
    KIND(arp_tagged, BED_TAGS),
    KIND(solicitation, BED_WHOLE),
    KIND(probe, BED_WHOLE),
    KIND(transit4, BED_WHOLE),
    KIND(transit6, BED_WHOLE),
    TUNNEL(tunnel4, BED_UNDERLAY4),
    TUNNEL(tunnel6, BED_UNDERLAY6),
    TUNNEL(tunnel_marked, BED_UNDERLAY4),
    TUNNEL(tunnel_arp, BED_UNDERLAY4),
    TUNNEL(decided4, BED_UNDERLAY4),
    TUNNEL(decided6, BED_UNDERLAY6),
    TUNNEL(unknown_vni, BED_UNDERLAY4),
    TUNNEL(tunnel_fragment, BED_UNDERLAY4),
    TUNNEL(underlay_arp, BED_UNDERLAY4),
    TUNNEL(underlay_solicitation, BED_UNDERLAY6),
    TUNNEL(underlay_echo4, BED_UNDERLAY4),
    TUNNEL(underlay_echo6, BED_UNDERLAY6),
    TUNNEL(underlay_other, BED_UNDERLAY4),
    KIND(answer_from_internet, BED_INTERNET),
    KIND(ethertype, BED_WHOLE),
#undef KIND
#undef TUNNEL
};

unsigned testbed_frame_kinds(void)
{
    return sizeof(kinds) / sizeof(kinds[0]);
}

const char *testbed_frame_name(unsigned kind)
{
    return kinds[kind].name;
}

unsigned testbed_frame_make(unsigned kind, struct frame *frame)
{
    MUST(kind < testbed_frame_kinds());
    if (kinds[kind].destination)
        to(frame, kinds[kind].destination);
    else
        kinds[kind].build(frame);
    return kinds[kind].port;
}

unsigned testbed_frame_named(const char *name, struct frame *frame)
{
    unsigned kind = 0;

    while (kind < testbed_frame_kinds() && strcmp(kinds[kind].name, name) != 0)
        kind++;
    return testbed_frame_make(kind, frame);
}

/*
 * What must hold of frames that leave the testbed: judged by their bytes and those of the frames that were
 * received, with nothing of the code under test.
 *
 * A packet is forwarded, answered or refused in the buffer that it came in, and its payload stays where it is in there:
 * so each can be compared with what it was made of. What the worker had to make itself is a fragment.
 */
#include <string.h>

#include "tests/dataplane/testbed.h"
#include "tests/must.h"

#define ETHERNET 14u

/* A frame that left, layer by layer. */
struct view {
    unsigned port;
    bool tunnel;
    uint16_t ethertype;
    uint32_t at, n; /* of the network header within the frame, and bytes from there on */
    const uint8_t *bytes;
};

static uint16_t load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool is_underlay(unsigned port)
{
    return port == BED_UNDERLAY4 || port == BED_UNDERLAY6;
}

/* --- Form --------------------------------------------------------------------------------------- */

static void check_ip(const uint8_t *ip, uint32_t n, uint16_t ethertype, uint32_t mtu)
{
    MUST(n <= mtu);
    if (ethertype == 0x0800) {
        const uint32_t header = (ip[0] & 15u) * 4u;

        MUST(n >= 20 && ip[0] >> 4 == 4 && header >= 20 && header <= n);
        MUST(sum16(ip, header, 0) == 0xffff);
        MUST(load16(ip + 2) == n);
    } else {
        MUST(ethertype == 0x86dd && n >= 40 && ip[0] >> 4 == 6);
        MUST(load16(ip + 4) + 40u == n);
    }
}

/* The tunnel's headers, as this host writes them. *at, *n: of the inner frame. */
static void check_tunnel(const uint8_t *frame, uint32_t *at, uint32_t *n)
{
    const uint8_t *ip = frame + ETHERNET;
    const bool six = frame[12] == 0x86;
    const uint32_t header = six ? 40 : 20;
    const uint8_t *udp = ip + header;

    MUST(memcmp(frame + 6, testbed_own_mac, 6) == 0);
    MUST(six || (ip[0] == 0x45 && ip[6] == 0x40 && ip[8] == 64));
    MUST(!six || ip[7] == 64);
    MUST(*n >= ETHERNET + header + 16 + ETHERNET);
    *n -= ETHERNET + header;
    MUST(load16(udp) >= 49152 && load16(udp + 4) == *n);
    MUST(six ? sum16(udp, *n, sum16(ip + 8, 32, *n + 17)) == 0xffff : load16(udp + 6) == 0);
    MUST(udp[8] == 8 && ((uint32_t)udp[12] << 16 | load16(udp + 13)) == BED_VNI);
    *at = ETHERNET + header + 16;
    *n -= 16;
}

static bool is_tunnel(const uint8_t *frame, uint32_t n)
{
    const uint32_t header = frame[12] == 0x86 ? 40 : 20;
    const uint8_t *ip = frame + ETHERNET;

    return n >= ETHERNET + header + 8 && ip[header == 40 ? 6 : 9] == 17 &&
           load16(ip + header + 2) == DP_VXLAN_PORT;
}

static void check_arp_reply(const uint8_t *arp, uint32_t n)
{
    static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 2};

    MUST(n == 28 && memcmp(arp, head, sizeof(head)) == 0);
}

/* Everything that a link or a receiver may ask of a frame. */
static void check_form(struct view *view, uint32_t n)
{
    uint32_t mtu = BED_MTU;

    MUST(n >= ETHERNET);
    view->at = ETHERNET;
    view->ethertype = load16(view->bytes + 12);
    if (is_underlay(view->port) && view->ethertype != 0x0806) {
        check_ip(view->bytes + ETHERNET, n - ETHERNET, view->ethertype, mtu);
        view->tunnel = is_tunnel(view->bytes, n);
    }
    view->n = n - ETHERNET;
    if (view->tunnel) {
        uint32_t at, inner = n;

        check_tunnel(view->bytes, &at, &inner);
        mtu -= at;
        view->at = at + ETHERNET;
        view->n = inner - ETHERNET;
        view->ethertype = load16(view->bytes + at + 12);
    } else if (view->port == BED_TAGS) {
        MUST(view->ethertype == 0x8100 && n >= ETHERNET + 4);
        MUST(load16(view->bytes + 14) >= BED_VLAN_NVA2 &&
             load16(view->bytes + 14) <= BED_VLAN_WEB2);
        if (load16(view->bytes + 14) == BED_VLAN_WEB1)
            mtu = BED_SMALL_MTU;
        view->at += 4;
        view->n -= 4;
        view->ethertype = load16(view->bytes + 16);
    }
    if (!is_underlay(view->port) || view->tunnel)
        MUST(memcmp(view->bytes + view->at - ETHERNET + (view->port == BED_TAGS ? -4 : 0) + 6,
                    lab_gateway_mac, 6) == 0);
    if (view->ethertype == 0x0806)
        check_arp_reply(view->bytes + view->at, view->n);
    else
        check_ip(view->bytes + view->at, view->n, view->ethertype, mtu);
}

/* --- What it was made of ------------------------------------------------------------------------ */

static bool is_six(const struct view *view)
{
    return view->ethertype == 0x86dd;
}

/* The byte of the given frame that stands `at` in the one that left: the buffer has not moved it. */
static int64_t origin(const struct rte_mbuf *mbuf, const struct testbed_given *given, uint32_t at)
{
    return (int64_t)mbuf->data_off + at - given->data_off;
}

/* Another host has done the walk: it sends what its gateway would have sent. */
static bool was_decided(const struct testbed_given *given, int64_t ip)
{
    return is_underlay(given->port) && ip >= (int64_t)(2 * ETHERNET) &&
           memcmp(given->bytes + ip - 8, lab_gateway_mac, 6) == 0;
}

/* Does to packet, which is as it came, what forwarding does. Checksums are judged by themselves. */
static void forward(const struct testbed *bed, const struct testbed_given *given,
                    const struct view *view, uint8_t *packet, int64_t ip)
{
    const uint8_t *left = view->bytes + view->at;

    if (bed->lab.forwarding->config.decrement_ttl && !was_decided(given, ip))
        packet[is_six(view) ? 7 : 8]--;
    if (!is_six(view))
        memcpy(packet + 10, left + 10, 2);
    if (is_underlay(given->port)) /* congestion */
        packet[1] |= is_six(view) ? left[1] & 0x30 : left[1] & 3;
}

/* Where a sender leaves the checksum of TCP and UDP to hardware, it is completed; behind extension headers it is
 * anywhere. */
static uint32_t compared_bytes(const struct testbed *bed, const struct testbed_given *given,
                               const struct view *view)
{
    if (!bed->ports[given->port].partial_checksums)
        return view->n;
    return is_six(view) ? 40 : (view->bytes[view->at] & 15u) * 4u;
}

static bool is_forwarded(const struct testbed *bed, const struct rte_mbuf *mbuf,
                         const struct testbed_given *given, const struct view *view)
{
    static uint8_t packet[BED_FRAME_MAX];
    const int64_t ip = origin(mbuf, given, view->at);

    if (view->ethertype == 0x0806 || ip < ETHERNET || ip + view->n > given->n)
        return false;
    memcpy(packet, given->bytes + ip, view->n);
    forward(bed, given, view, packet, ip);
    return memcmp(packet, view->bytes + view->at, compared_bytes(bed, given, view)) == 0;
}

/* --- Answers ------------------------------------------------------------------------------------ */

static void check_icmp_sum(const struct view *view)
{
    const uint8_t *ip = view->bytes + view->at;

    if (is_six(view))
        MUST(ip[6] == 58 && icmpv6_good(ip));
    else
        MUST(ip[0] == 0x45 && ip[9] == 1 && sum16(ip + 20, view->n - 20, 0) == 0xffff);
}

static bool is_error(const struct view *view)
{
    const uint8_t type = view->bytes[view->at + (is_six(view) ? 40 : 20)];

    if (is_six(view)) {
        MUST((type >= 1 && type <= 3) || type == 129 || type == 136);
        return type < 128;
    }
    MUST(type == 3 || type == 11 || type == 0);
    return type != 0;
}

/* What is quoted is what came, and as much as may be (RFC 1812 4.3.2.3, RFC 4443 2.4). */
static void check_error(const struct testbed *bed, const struct rte_mbuf *mbuf,
                        const struct testbed_given *given, const struct view *view)
{
    const uint32_t head = is_six(view) ? 48 : 28;
    const int64_t quoted = origin(mbuf, given, view->at + head);

    MUST(!bed->lab.forwarding->config.silent_drops);
    MUST(view->n > head && view->n <= (is_six(view) ? 1280u : 576u));
    MUST(quoted >= ETHERNET && quoted + view->n - head <= given->n);
    if (!is_underlay(given->port) && !bed->ports[given->port].partial_checksums)
        MUST(memcmp(view->bytes + view->at + head, given->bytes + quoted, view->n - head) == 0);
}

/* --- Whole frames ------------------------------------------------------------------------------- */

static const struct testbed_given *find_given(const struct rte_mbuf *mbuf,
                                              const struct testbed_given *given, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (given[i].mbuf == mbuf)
            return &given[i];
    }
    return NULL;
}

static void check_segments(const struct rte_mbuf *mbuf)
{
    uint32_t bytes = 0;
    unsigned count = 0;

    for (const struct rte_mbuf *segment = mbuf; segment; segment = segment->next, count++)
        bytes += segment->data_len;
    MUST(mbuf->nb_segs == count && mbuf->pkt_len == bytes);
}

enum testbed_fate testbed_check_sent(const struct testbed *bed, unsigned port,
                                     const struct rte_mbuf *mbuf, const struct testbed_given *given,
                                     unsigned n)
{
    static uint8_t copy[BED_FRAME_MAX + RTE_PKTMBUF_HEADROOM];
    const struct testbed_given *mine = find_given(mbuf, given, n);
    struct view view = {.port = port};

    check_segments(mbuf);
    MUST(mbuf->pkt_len <= sizeof(copy));
    view.bytes = rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, copy);
    check_form(&view, mbuf->pkt_len);
    if (!mine) {
        MUST(view.ethertype == 0x0800 && (load16(view.bytes + view.at + 6) & 0x3fff) != 0);
        return BED_PIECE;
    }
    if (is_forwarded(bed, mbuf, mine, &view))
        return BED_FORWARDED;
    MUST(mine->port == port); /* whoever asked is told */
    if (view.ethertype == 0x0806)
        return BED_ANSWERED;
    check_icmp_sum(&view);
    if (!is_error(&view))
        return BED_ANSWERED;
    check_error(bed, mbuf, mine, &view);
    return BED_REFUSED;
}

void testbed_check_counters(const struct testbed *bed)
{
    struct dp_counters counters;
    uint64_t received = 0, came = 0;

    for (uint32_t nic = 0; nic < BED_NIC_COUNT; nic++) {
        dp_counters_nic(bed->lab.forwarding, nic, &counters);
        MUST(counters_add_up(&counters));
        MUST(counters.self_loop <= counters.forwarded);
        received += counters.received;
    }
    for (unsigned port = 0; port < BED_PORTS; port++)
        came += bed->rxs[port].packets;
    MUST(received == came);
}

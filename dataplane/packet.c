/*
 * Parsing: from the bytes of one IP packet to struct dp_packet.
 *
 * Only what the bytes themselves say is checked here, so that one pass decides whether they are a
 * packet at all; what its addresses mean (martian, multicast, broadcast, platform) is asked in
 * decide.c, where the twin's packets, which never were bytes, pass too.
 *
 * Two lengths. captured is how many bytes are at hand; wire is how many the link delivered. A
 * capture may end early, a first buffer segment too: then headers that are missing are "too short"
 * and ports that are missing leave the flow hashed by addresses. IP lengths are held against wire.
 *
 * IPv4: the checks of RFC 1812 5.2.2 in their order, but that version and header length come before
 * the checksum: they say which bytes it is a checksum of.
 *
 * IPv6: extension headers are walked by hop (RFC 8200 4): at most EXTENSION_HEADERS_MAX of them, a
 * hop-by-hop header first or not at all and no longer than RFC 8504 5.3 lets a node ask. A real
 * fragment ends the walk, so that all fragments of a datagram name the same protocol.
 *
 * VXLAN in transit: the headers of the inner packet are read by the same code, one tunnel deep.
 */
#include "dataplane/hash.h"
#include "dataplane/plain.h"

#define IPV4_HEADER_LEAST 20
#define IPV6_HEADER       40

#define EXTENSION_HEADERS_MAX 8
#define HOP_BY_HOP_BYTES_MAX  64

/* UDP and VXLAN headers; then the inner frame. */
#define VXLAN_FLAGS    8
#define VXLAN_HEADERS  16
#define VXLAN_HAS_VNI  0x08
#define ETHERNET_BYTES 14
#define TAG_BYTES      4
#define INNER_TAGS_MAX 2

enum {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_AUTHENTICATION = 51,
    PROTOCOL_DESTINATION_OPTIONS = 60,
    PROTOCOL_MOBILITY = 135,
    PROTOCOL_HIP = 139,
    PROTOCOL_SHIM6 = 140,
};

static bool fail(enum dp_reason *reason, enum dp_reason why)
{
    *reason = why;
    return false;
}

/* --- Upper layers ----------------------------------------------------------------------------- */

static bool parse_ip(const uint8_t *bytes, size_t captured, size_t wire, uint16_t ethertype,
                     struct dp_packet *packet, enum dp_reason *reason);

/* The IP packet in an inner frame. RFC 7348 6.1 has tags removed, but not everybody does. NULL: there
 * is none. */
static const uint8_t *find_inner(const uint8_t *frame, size_t n, uint16_t *ethertype)
{
    size_t at = ETHERNET_BYTES;

    if (n < at)
        return NULL;
    *ethertype = dp_load2(frame + 12);
    for (unsigned tag = 0; tag < INNER_TAGS_MAX && dp_ethertype_is_tag(*ethertype); tag++) {
        if (n < at + TAG_BYTES)
            return NULL;
        *ethertype = dp_load2(frame + at + 2);
        at += TAG_BYTES;
    }
    return frame + at;
}

/* Lenient: whatever is wrong in there, or not at hand, only leaves the tunnel's own flow. */
static void read_vxlan(struct dp_packet *packet, const uint8_t *udp, size_t n)
{
    struct dp_packet inner = {.in_tunnel = true};
    enum dp_reason ignored;
    const uint8_t *ip;
    uint16_t ethertype;

    if (packet->in_tunnel || n < VXLAN_HEADERS || !(udp[VXLAN_FLAGS] & VXLAN_HAS_VNI))
        return;
    ip = find_inner(udp + VXLAN_HEADERS, n - VXLAN_HEADERS, &ethertype);
    if (ip && parse_ip(ip, (size_t)(udp + n - ip), SIZE_MAX, ethertype, &inner, &ignored))
        dp_packet_carry(packet, &inner);
}

void dp_packet_carry(struct dp_packet *packet, const struct dp_packet *inner)
{
    const struct dp_flow_parts parts = dp_packet_flow(inner);
    struct dp_flow *flow = &packet->inner;

    *flow = (struct dp_flow){.family = inner->family,
                             .protocol = parts.protocol,
                             .source_port = parts.source_port,
                             .destination_port = parts.destination_port,
                             .flow_label = inner->flow_label};
    memcpy(flow->source, parts.source, sizeof(flow->source));
    memcpy(flow->destination, inner->destination, sizeof(flow->destination));
}

/* Both ports or none: half a tuple would split a flow. */
static void read_ports(struct dp_packet *packet, uint8_t protocol, const uint8_t *bytes, size_t n)
{
    if (!dp_protocol_has_ports(protocol) || n < 4)
        return;
    packet->source_port = dp_load2(bytes);
    packet->destination_port = dp_load2(bytes + 2);
    packet->has_ports = true;
    if (protocol == DP_PROTOCOL_UDP && packet->destination_port == DP_VXLAN_PORT)
        read_vxlan(packet, bytes, n);
}

/* In both ends, so that request and reply are one flow. */
static void read_echo_identifier(struct dp_packet *packet, const uint8_t *bytes, size_t n)
{
    if (n < 6)
        return;
    packet->source_port = dp_load2(bytes + 4);
    packet->destination_port = packet->source_port;
    packet->has_ports = true;
}

/* An error about a packet that did not come from destination is not about a flow of its. */
static bool embeds_flow_of(const struct dp_packet *packet, const uint8_t *source, size_t size)
{
    return memcmp(source, packet->destination, size) == 0;
}

/* RFC 792 errors quote the header and at least 8 bytes behind it, ports included. The outer packet
 * may be cut anywhere, so each step asks whether its bytes are there. */
static void read_embedded4(struct dp_packet *packet, const uint8_t *bytes, size_t n)
{
    size_t header;

    if (n < IPV4_HEADER_LEAST || bytes[0] >> 4 != 4 || !embeds_flow_of(packet, bytes + 12, 4))
        return;
    header = (size_t)(bytes[0] & 15) * 4;
    if (header < IPV4_HEADER_LEAST)
        return;
    packet->icmp_error = true;
    packet->error_protocol = bytes[9];
    memcpy(packet->error_peer, bytes + 16, 4);
    if ((dp_load2(bytes + 6) & 0x3fff) != 0 || n < header)
        return;
    if (bytes[9] == DP_PROTOCOL_ICMP)
        read_echo_identifier(packet, bytes + header, n - header);
    else
        read_ports(packet, bytes[9], bytes + header, n - header);
}

/* Destination unreachable, source quench, redirect, time exceeded, parameter problem. */
static bool icmp4_is_error(uint8_t type)
{
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static void read_icmp4(struct dp_packet *packet, const uint8_t *bytes, size_t n)
{
    if (n < 1)
        return;
    packet->icmp_type = bytes[0];
    if (bytes[0] == DP_ICMP_ECHO_REQUEST || bytes[0] == 0)
        read_echo_identifier(packet, bytes, n);
    else if (icmp4_is_error(bytes[0]) && n > 8)
        read_embedded4(packet, bytes + 8, n - 8);
}

/* --- IPv6 extension headers ------------------------------------------------------------------- */

struct walk {
    const uint8_t *bytes;
    size_t captured; /* bytes at hand */
    size_t end;      /* of the packet, by its own length */
    size_t offset;   /* of the header that next names */
    uint8_t next;
    bool fragment;
};

/* ESP and "no next header" are not among them: nothing behind them can be read. */
static bool is_extension(uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_HOP_BY_HOP:
    case PROTOCOL_ROUTING:
    case PROTOCOL_FRAGMENT:
    case PROTOCOL_AUTHENTICATION:
    case PROTOCOL_DESTINATION_OPTIONS:
    case PROTOCOL_MOBILITY:
    case PROTOCOL_HIP:
    case PROTOCOL_SHIM6:
        return true;
    default:
        return false;
    }
}

/* In units of 8 bytes beyond the first 8; AH counts 4, beyond the first 8 (RFC 4302 2.2). */
static size_t extension_length(uint8_t protocol, const uint8_t *header)
{
    if (protocol == PROTOCOL_FRAGMENT)
        return 8;
    if (protocol == PROTOCOL_AUTHENTICATION)
        return ((size_t)header[1] + 2) * 4;
    return ((size_t)header[1] + 1) * 8;
}

/* Beyond the packet's own end is malformed; beyond the bytes at hand is only not seen. */
static bool walk_one(struct walk *walk, enum dp_reason *reason)
{
    const uint8_t *header = walk->bytes + walk->offset;
    size_t length;

    if (walk->next == PROTOCOL_HOP_BY_HOP && walk->offset != IPV6_HEADER)
        return fail(reason, DP_REASON_BAD_EXTENSION_HEADER);
    if (walk->offset + 8 > walk->end)
        return fail(reason, DP_REASON_BAD_EXTENSION_HEADER);
    if (walk->offset + 8 > walk->captured)
        return fail(reason, DP_REASON_TOO_SHORT);
    length = extension_length(walk->next, header);
    if (walk->next == PROTOCOL_HOP_BY_HOP && length > HOP_BY_HOP_BYTES_MAX)
        return fail(reason, DP_REASON_BAD_EXTENSION_HEADER);
    if (walk->offset + length > walk->end)
        return fail(reason, DP_REASON_BAD_EXTENSION_HEADER);
    if (walk->offset + length > walk->captured)
        return fail(reason, DP_REASON_TOO_SHORT);
    /* Offset 0 and no more to come is a whole datagram (RFC 6946). */
    walk->fragment = walk->next == PROTOCOL_FRAGMENT && (dp_load2(header + 2) & 0xfff9) != 0;
    walk->next = header[0];
    walk->offset += length;
    return true;
}

static bool walk_extensions(struct walk *walk, enum dp_reason *reason)
{
    for (unsigned count = 0; is_extension(walk->next) && !walk->fragment; count++) {
        if (count == EXTENSION_HEADERS_MAX)
            return fail(reason, DP_REASON_BAD_EXTENSION_HEADER);
        if (!walk_one(walk, reason))
            return false;
    }
    return true;
}

/* Lenient: whatever is wrong in what somebody quotes only costs the ports. */
static void read_embedded6(struct dp_packet *packet, const uint8_t *bytes, size_t n)
{
    struct walk walk = {.bytes = bytes, .captured = n, .end = n, .offset = IPV6_HEADER};
    enum dp_reason ignored;

    if (n < IPV6_HEADER || bytes[0] >> 4 != 6 || !embeds_flow_of(packet, bytes + 8, 16))
        return;
    walk.next = bytes[6];
    packet->icmp_error = true;
    packet->flow_label = dp_load4(bytes) & 0xfffff; /* of the flow, as the ports */
    memcpy(packet->error_peer, bytes + 24, 16);
    if (!walk_extensions(&walk, &ignored))
        return;
    packet->error_protocol = walk.next;
    if (walk.fragment)
        return;
    if (walk.next == DP_PROTOCOL_ICMPV6)
        read_echo_identifier(packet, bytes + walk.offset, n - walk.offset);
    else
        read_ports(packet, walk.next, bytes + walk.offset, n - walk.offset);
}

static void read_icmp6(struct dp_packet *packet, const uint8_t *bytes, size_t n)
{
    if (n < 1)
        return;
    packet->icmp_type = bytes[0];
    if (bytes[0] == DP_ICMPV6_ECHO_REQUEST || bytes[0] == 129)
        read_echo_identifier(packet, bytes, n);
    else if (bytes[0] >= 1 && bytes[0] <= 4 && n > 8)
        read_embedded6(packet, bytes + 8, n - 8);
}

/* --- Whole packets ---------------------------------------------------------------------------- */

/* Options are carried, not obeyed (RFC 7126 advises routers of today to ignore or drop them). */
static bool parse4(const uint8_t *bytes, size_t captured, size_t wire, struct dp_packet *packet,
                   enum dp_reason *reason)
{
    size_t end, header;

    if (captured < IPV4_HEADER_LEAST)
        return fail(reason, DP_REASON_TOO_SHORT);
    if (bytes[0] >> 4 != 4)
        return fail(reason, DP_REASON_BAD_VERSION);
    header = (size_t)(bytes[0] & 15) * 4;
    if (header < IPV4_HEADER_LEAST)
        return fail(reason, DP_REASON_BAD_HEADER_LENGTH);
    if (header > captured)
        return fail(reason, DP_REASON_TOO_SHORT);
    if (!dp_ipv4_checksum_right(bytes, header))
        return fail(reason, DP_REASON_BAD_CHECKSUM);
    packet->total_length = dp_load2(bytes + 2);
    if (packet->total_length < header || packet->total_length > wire)
        return fail(reason, DP_REASON_BAD_TOTAL_LENGTH);
    packet->header_length = (uint16_t)header;
    packet->family = LPM_IPV4;
    packet->ttl = bytes[8];
    packet->protocol = bytes[9];
    packet->fragment = (dp_load2(bytes + 6) & 0x3fff) != 0;
    memcpy(packet->source, bytes + 12, 4);
    memcpy(packet->destination, bytes + 16, 4);
    if (packet->fragment)
        return true;
    end = captured < packet->total_length ? captured : packet->total_length;
    if (packet->protocol == DP_PROTOCOL_ICMP)
        read_icmp4(packet, bytes + header, end - header);
    else
        read_ports(packet, packet->protocol, bytes + header, end - header);
    return true;
}

/* A payload length of 0 means no payload: jumbograms (RFC 2675) end as bad extension headers. */
static bool parse6(const uint8_t *bytes, size_t captured, size_t wire, struct dp_packet *packet,
                   enum dp_reason *reason)
{
    struct walk walk = {.bytes = bytes, .captured = captured, .offset = IPV6_HEADER};
    size_t end;

    if (captured < IPV6_HEADER)
        return fail(reason, DP_REASON_TOO_SHORT);
    if (bytes[0] >> 4 != 6)
        return fail(reason, DP_REASON_BAD_VERSION);
    packet->total_length = (uint32_t)IPV6_HEADER + dp_load2(bytes + 4);
    if (packet->total_length > wire)
        return fail(reason, DP_REASON_BAD_TOTAL_LENGTH);
    packet->family = LPM_IPV6;
    packet->ttl = bytes[7];
    packet->flow_label = dp_load4(bytes) & 0xfffff;
    memcpy(packet->source, bytes + 8, 16);
    memcpy(packet->destination, bytes + 24, 16);
    walk.next = bytes[6];
    walk.end = packet->total_length;
    if (!walk_extensions(&walk, reason))
        return false;
    packet->header_length = (uint16_t)walk.offset;
    packet->protocol = walk.next;
    packet->fragment = walk.fragment;
    if (walk.fragment)
        return true;
    end = captured < walk.end ? captured : walk.end;
    if (walk.next == DP_PROTOCOL_ICMPV6)
        read_icmp6(packet, bytes + walk.offset, end - walk.offset);
    else
        read_ports(packet, walk.next, bytes + walk.offset, end - walk.offset);
    return true;
}

static bool parse_ip(const uint8_t *bytes, size_t captured, size_t wire, uint16_t ethertype,
                     struct dp_packet *packet, enum dp_reason *reason)
{
    if (ethertype == DP_ETHERTYPE_IPV4)
        return parse4(bytes, captured, wire, packet, reason);
    if (ethertype == DP_ETHERTYPE_IPV6)
        return parse6(bytes, captured, wire, packet, reason);
    return fail(reason, DP_REASON_UNKNOWN_ETHERTYPE);
}

bool dp_packet_parse_wire(const uint8_t *bytes, size_t captured, size_t wire, uint16_t ethertype,
                          struct dp_packet *packet, enum dp_reason *reason)
{
    *packet = (struct dp_packet){0};
    return parse_ip(bytes, captured, wire, ethertype, packet, reason);
}

bool dp_packet_parse(const uint8_t *bytes, size_t n, uint16_t ethertype, struct dp_packet *packet,
                     enum dp_reason *reason)
{
    return dp_packet_parse_wire(bytes, n, SIZE_MAX, ethertype, packet, reason);
}

/*
 * flows[] are made first: five-tuple, size, protocol. Each half of the trace then has one packet of
 * every flow, in order, and random ones after that, a few flows being much busier than the rest.
 */
#include "engine/cli/trace.h"

#include <errno.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_BYTES 14u
#define PAYLOAD_MAX    1200u
#define FRAME_MAX      (ETHERNET_BYTES + 40u + 20u + PAYLOAD_MAX)
/* One frame in so many is faulty, in the four ways of enum fault. */
#define FAULT_EVERY 100u
/* Of the flows, so many in a hundred go where BGP rows lead. */
#define BGP_PERCENT        85u
#define MICROSECONDS_APART 10u

enum fault { FAULT_NONE, FAULT_TTL, FAULT_CHECKSUM, FAULT_ETHERTYPE, FAULT_LENGTH, FAULT_COUNT };

struct flow {
    struct lpm_address source, destination;
    uint8_t protocol;
    uint16_t source_port, destination_port;
    uint16_t payload;
    uint32_t sequence;
};

struct maker {
    const struct trace_request *request;
    uint64_t random;
    struct flow *flows;
    pcap_dumper_t *dumper;
    uint64_t packets;
};

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). */
static uint64_t next_random(struct maker *maker)
{
    uint64_t z = (maker->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(struct maker *maker, unsigned limit)
{
    return (unsigned)(next_random(maker) % limit);
}

/* --- Flows ------------------------------------------------------------------------------------ */

static const struct lpm_address *own_address(const struct maker *maker, uint8_t family)
{
    return fabric_nic_address(&maker->request->fabric->nics[maker->request->nic], family);
}

/* Random bits behind the prefix. */
static struct lpm_address random_within(struct maker *maker, const struct lpm_prefix *prefix)
{
    struct lpm_address address = {.family = prefix->family};
    unsigned length = prefix->family == LPM_IPV4 ? 4 : 16;
    for (unsigned i = 0; i < length; i++) {
        unsigned fixed = prefix->length >= 8 * (i + 1) ? 8
                         : prefix->length > 8 * i      ? prefix->length - 8 * i
                                                       : 0;
        uint8_t mask = (uint8_t)(0xffu << (8 - fixed));
        address.bytes[i] =
            (uint8_t)((prefix->bytes[i] & mask) | (next_random(maker) & (uint8_t)~mask));
    }
    return address;
}

/* An address that a host could have: a default route covers many that none can. */
static bool is_plain_unicast(const struct lpm_address *address)
{
    const uint8_t *b = address->bytes;
    if (address->family == LPM_IPV6)
        return (b[0] & 0xe0) == 0x20 || (b[0] & 0xfe) == 0xfc;
    return b[0] > 0 && b[0] < 224 && b[0] != 127 && !(b[0] == 169 && b[1] == 254) && b[3] != 255;
}

/* An address of a NIC that the row reaches directly, so that some flows are delivered without a hop
 * between. */
static bool neighbor_within(struct maker *maker, const struct fabric_row *row,
                            struct lpm_address *address)
{
    const struct fabric *fabric = maker->request->fabric;
    uint32_t first = below(maker, fabric->nics_count);
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        uint32_t index = (first + i) % fabric->nics_count;
        const struct fabric_nic *nic = &fabric->nics[index];
        for (uint32_t j = 0; j < nic->addresses.n && index != maker->request->nic; j++)
            if (nic->vnet == row->vnet &&
                lpm_prefix_contains(&row->prefix, &nic->addresses.items[j])) {
                *address = nic->addresses.items[j];
                return true;
            }
    }
    return false;
}

static bool destination_by(struct maker *maker, const struct fabric_row *row,
                           struct lpm_address *address)
{
    if (row->vnet != FABRIC_NONE)
        return neighbor_within(maker, row, address);
    for (unsigned tries = 0; tries < 64; tries++) {
        *address = random_within(maker, &row->prefix);
        if (is_plain_unicast(address))
            return true;
    }
    return false;
}

static const struct fabric_row *pick_row(struct maker *maker, bool bgp)
{
    const struct trace_request *request = maker->request;
    size_t first = below(maker, (unsigned)request->row_count);
    for (size_t i = 0; i < request->row_count; i++) {
        const struct fabric_row *row = &request->rows[(first + i) % request->row_count];
        if (row->active && (row->source == FABRIC_SOURCE_BGP) == bgp &&
            own_address(maker, row->prefix.family))
            return row;
    }
    return NULL;
}

static int make_flow(struct maker *maker, struct flow *flow)
{
    static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP};
    for (unsigned tries = 0; tries < 64; tries++) {
        bool bgp = below(maker, 100) < BGP_PERCENT;
        const struct fabric_row *row = pick_row(maker, bgp);
        if (!row)
            row = pick_row(maker, !bgp);
        if (!row || !destination_by(maker, row, &flow->destination))
            continue;
        flow->source = *own_address(maker, flow->destination.family);
        flow->protocol = protocols[below(maker, sizeof(protocols))];
        flow->source_port = (uint16_t)(1024 + below(maker, 64000));
        flow->destination_port = (uint16_t)(below(maker, 4) ? 443 : 1024 + below(maker, 64000));
        flow->payload = (uint16_t)below(maker, PAYLOAD_MAX);
        return 0;
    }
    return -ENOENT;
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* One's complement sum (RFC 1071). */
static uint32_t sum(uint32_t total, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i += 2)
        total += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    return n & 1 ? total + ((uint32_t)bytes[n - 1] << 8) : total;
}

static unsigned folded(uint32_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return ~total & 0xffff;
}

static unsigned put_transport(const struct flow *flow, uint8_t *at)
{
    bool tcp = flow->protocol == IPPROTO_TCP;
    unsigned header = tcp ? 20 : 8, n = header + flow->payload;
    unsigned address_bytes = flow->source.family == LPM_IPV4 ? 4 : 16;
    memset(at, 0, header);
    put16(at, flow->source_port);
    put16(at + 2, flow->destination_port);
    if (tcp) {
        put16(at + 6, flow->sequence);
        at[12] = 5 << 4;
        at[13] = 0x10; /* ACK */
        put16(at + 14, 65535);
    } else {
        put16(at + 4, n);
    }
    for (unsigned i = 0; i < flow->payload; i++)
        at[header + i] = (uint8_t)(flow->sequence + i);
    uint32_t pseudo = sum(flow->protocol + n, flow->source.bytes, address_bytes);
    pseudo = sum(pseudo, flow->destination.bytes, address_bytes);
    unsigned checksum = folded(sum(pseudo, at, n));
    put16(at + (tcp ? 16 : 6), checksum ? checksum : 0xffff);
    return n;
}

static unsigned put_ipv4(const struct flow *flow, uint8_t *at, enum fault fault)
{
    unsigned n = put_transport(flow, at + 20);
    memset(at, 0, 20);
    at[0] = 0x45;
    put16(at + 2, 20 + n + (fault == FAULT_LENGTH ? FRAME_MAX : 0));
    put16(at + 4, flow->sequence);
    put16(at + 6, 0x4000); /* do not fragment */
    at[8] = fault == FAULT_TTL ? 1 : 64;
    at[9] = flow->protocol;
    memcpy(at + 12, flow->source.bytes, 4);
    memcpy(at + 16, flow->destination.bytes, 4);
    put16(at + 10, folded(sum(0, at, 20)) ^ (fault == FAULT_CHECKSUM));
    return 20 + n;
}

static unsigned put_ipv6(const struct flow *flow, uint8_t *at, enum fault fault)
{
    unsigned n = put_transport(flow, at + 40);
    memset(at, 0, 8);
    at[0] = 0x60;
    put16(at + 4, n + (fault == FAULT_LENGTH ? FRAME_MAX : 0));
    at[6] = flow->protocol;
    at[7] = fault == FAULT_TTL ? 1 : 64;
    memcpy(at + 8, flow->source.bytes, 16);
    memcpy(at + 24, flow->destination.bytes, 16);
    return 40 + n;
}

static void write_frame(struct maker *maker, struct flow *flow)
{
    const struct fabric_nic *nic = &maker->request->fabric->nics[maker->request->nic];
    const struct fabric_subnet *subnet = &maker->request->fabric->subnets[nic->subnet];
    enum fault fault = below(maker, FAULT_EVERY) == 0
                           ? (enum fault)(FAULT_NONE + 1 + below(maker, FAULT_COUNT - 1))
                           : FAULT_NONE;
    bool v4 = flow->source.family == LPM_IPV4;
    uint8_t frame[FRAME_MAX];
    memcpy(frame, subnet->gateway_mac, 6);
    memcpy(frame + 6, nic->mac, 6);
    put16(frame + 12, fault == FAULT_ETHERTYPE ? 0x88cc : v4 ? 0x0800 : 0x86dd); /* 88cc: LLDP */
    flow->sequence++;
    unsigned n = ETHERNET_BYTES + (v4 ? put_ipv4(flow, frame + ETHERNET_BYTES, fault)
                                      : put_ipv6(flow, frame + ETHERNET_BYTES, fault));
    uint64_t us = maker->packets++ * MICROSECONDS_APART;
    struct pcap_pkthdr header = {
        .ts = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)},
        .caplen = n,
        .len = n,
    };
    pcap_dump((u_char *)maker->dumper, &header, frame);
}

/* A square law: the first tenth of the flows gets a third of the packets. */
static struct flow *busy_flow(struct maker *maker)
{
    uint64_t flows = maker->request->flows;
    uint64_t a = below(maker, (unsigned)flows), b = below(maker, (unsigned)flows);
    return &maker->flows[a * b / flows];
}

static void write_half(struct maker *maker, unsigned packets)
{
    unsigned flows = maker->request->flows;
    for (unsigned i = 0; i < packets; i++)
        write_frame(maker, i < flows ? &maker->flows[i] : busy_flow(maker));
}

static int write_all(struct maker *maker, const char *path)
{
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
    if (!pcap)
        return -ENOMEM;
    errno = 0;
    maker->dumper = pcap_dump_open(pcap, path);
    int error = maker->dumper ? 0 : errno ? -errno : -EIO;
    if (!error) {
        unsigned half = maker->request->packets / 2;
        write_half(maker, half);
        write_half(maker, maker->request->packets - half);
        error = pcap_dump_flush(maker->dumper) == 0 ? 0 : -EIO;
        pcap_dump_close(maker->dumper);
    }
    pcap_close(pcap);
    return error;
}

int trace_write(const struct trace_request *request, const char *path)
{
    struct maker maker = {.request = request, .random = request->seed};
    maker.flows = calloc(request->flows, sizeof(*maker.flows));
    int error = maker.flows ? 0 : -ENOMEM;
    for (unsigned i = 0; i < request->flows && !error; i++)
        error = request->row_count ? make_flow(&maker, &maker.flows[i]) : -ENOENT;
    if (!error)
        error = write_all(&maker, path);
    free(maker.flows);
    return error;
}

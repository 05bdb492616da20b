/*
 * Frames and traces of lab.h, byte by byte: nothing of the code under test is used to make or judge
 * them.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dataplane/lab.h"

static void store16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

uint16_t sum16(const uint8_t *bytes, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* --- Building --------------------------------------------------------------------------------- */

void frame_add(struct frame *frame, const void *bytes, size_t n)
{
    memcpy(frame->bytes + frame->captured, bytes, n);
    frame->captured += (uint32_t)n;
    frame->wire = frame->captured;
}

void frame_ethernet(struct frame *frame, const uint8_t destination[6], const uint8_t source[6],
                    uint16_t ethertype)
{
    uint8_t type[2];

    frame->captured = 0;
    store16(type, ethertype);
    frame_add(frame, destination, 6);
    frame_add(frame, source, 6);
    frame_add(frame, type, 2);
}

void frame_tag(struct frame *frame, uint16_t tpid, uint16_t vlan)
{
    memmove(frame->bytes + 16, frame->bytes + 12, frame->captured - 12);
    store16(frame->bytes + 12, tpid);
    store16(frame->bytes + 14, vlan);
    frame->captured += 4;
    frame->wire += 4;
}

void frame_seal4(struct frame *frame, size_t ip_at)
{
    uint8_t *ip = frame->bytes + ip_at;

    store16(ip + 10, 0);
    store16(ip + 10, (uint16_t)~sum16(ip, (ip[0] & 0x0fu) * 4u, 0));
}

static void start(struct frame *frame, uint16_t ethertype)
{
    uint8_t mac[6];

    lab_mac(LAB_VM, mac);
    frame_ethernet(frame, lab_gateway_mac, mac, ethertype);
}

static void add_ipv4(struct frame *frame, const char *source, const char *destination,
                     uint8_t protocol, size_t payload)
{
    uint8_t ip[20] = {0x45, [8] = 64, [9] = protocol};

    store16(ip + 2, (unsigned)(sizeof(ip) + payload));
    inet_pton(AF_INET, source, ip + 12);
    inet_pton(AF_INET, destination, ip + 16);
    frame_add(frame, ip, sizeof(ip));
    frame_seal4(frame, frame->captured - sizeof(ip));
}

static void add_ipv6(struct frame *frame, const char *source, const char *destination,
                     uint8_t protocol, size_t payload, uint8_t hop_limit)
{
    uint8_t ip[40] = {0x60, [6] = protocol, [7] = hop_limit};

    store16(ip + 4, (unsigned)payload);
    inet_pton(AF_INET6, source, ip + 8);
    inet_pton(AF_INET6, destination, ip + 24);
    frame_add(frame, ip, sizeof(ip));
}

static void add_payload(struct frame *frame, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(i * 7 + 3);

        frame_add(frame, &byte, 1);
    }
}

static void add_udp(struct frame *frame, uint16_t port, uint16_t payload)
{
    uint8_t udp[8] = {0};

    store16(udp, port);
    store16(udp + 2, 53);
    store16(udp + 4, 8u + payload);
    frame_add(frame, udp, sizeof(udp));
    add_payload(frame, payload);
}

void frame_udp4(struct frame *frame, const char *source, const char *destination, uint16_t port,
                uint16_t payload)
{
    start(frame, 0x0800);
    add_ipv4(frame, source, destination, 17, 8u + payload);
    add_udp(frame, port, payload);
}

void frame_udp6(struct frame *frame, const char *source, const char *destination, uint16_t port,
                uint16_t payload)
{
    start(frame, 0x86dd);
    add_ipv6(frame, source, destination, 17, 8u + payload, 64);
    add_udp(frame, port, payload);
}

void frame_vxlan(struct frame *frame, const char *source, const char *destination, uint16_t port,
                 const struct frame *inner)
{
    static const uint8_t vxlan[8] = {0x08, [4] = 0, 0, 100};
    const uint16_t n = (uint16_t)(sizeof(vxlan) + inner->captured);
    const bool six = strchr(source, ':') != NULL;
    uint8_t *udp;

    (six ? frame_udp6 : frame_udp4)(frame, source, destination, port, n);
    udp = frame->bytes + 14 + (six ? 40 : 20);
    store16(udp + 2, 4789);
    memcpy(udp + 8, vxlan, sizeof(vxlan));
    memcpy(udp + 16, inner->bytes, inner->captured);
}

void frame_echo4(struct frame *frame, const char *source, const char *destination, uint16_t payload)
{
    uint8_t echo[8] = {8, 0, 0, 0, 0x12, 0x34, 0, 1};
    uint8_t *message;

    start(frame, 0x0800);
    add_ipv4(frame, source, destination, 1, sizeof(echo) + payload);
    frame_add(frame, echo, sizeof(echo));
    add_payload(frame, payload);
    message = frame->bytes + 34;
    store16(message + 2, (uint16_t)~sum16(message, sizeof(echo) + payload, 0));
}

static uint16_t icmpv6_sum(const uint8_t *ip)
{
    uint32_t n = (uint32_t)(ip[4] << 8 | ip[5]);

    return sum16(ip + 40, n, sum16(ip + 8, 32, n + 58));
}

bool icmpv6_good(const uint8_t *ip)
{
    return icmpv6_sum(ip) == 0xffff;
}

void frame_echo6(struct frame *frame, const char *source, const char *destination, uint16_t payload)
{
    uint8_t echo[8] = {128, 0, 0, 0, 0x12, 0x34, 0, 1};

    start(frame, 0x86dd);
    add_ipv6(frame, source, destination, 58, sizeof(echo) + payload, 64);
    frame_add(frame, echo, sizeof(echo));
    add_payload(frame, payload);
    store16(frame->bytes + 56, (uint16_t)~icmpv6_sum(frame->bytes + 14));
}

void frame_arp(struct frame *frame, const char *sender, const char *target)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};

    lab_mac(LAB_VM, arp + 8);
    inet_pton(AF_INET, sender, arp + 14);
    inet_pton(AF_INET, target, arp + 24);
    frame_ethernet(frame, broadcast, arp + 8, 0x0806);
    frame_add(frame, arp, sizeof(arp));
}

void frame_solicitation(struct frame *frame, const char *source, const char *target)
{
    bool has_source = strcmp(source, "::") != 0;
    uint8_t message[32] = {135, [24] = 1, [25] = 1};
    size_t n = has_source ? 32 : 24;
    uint8_t *ip;

    start(frame, 0x86dd);
    inet_pton(AF_INET6, target, message + 8);
    lab_mac(LAB_VM, message + 26);
    add_ipv6(frame, source, "ff02::1:ff00:0", 58, n, 255);
    ip = frame->bytes + 14;
    memcpy(ip + 37, message + 21, 3);
    memcpy(frame->bytes, "\x33\x33\xff", 3);
    memcpy(frame->bytes + 3, message + 21, 3);
    frame_add(frame, message, n);
    store16(ip + 42, (uint16_t)~icmpv6_sum(ip));
}

/* --- Traces ----------------------------------------------------------------------------------- */

struct trace {
    pcap_t *pcap;
    pcap_dumper_t *dumper;
    unsigned n;
};

struct trace *trace_create(const char *path, int link_type)
{
    struct trace *trace = calloc(1, sizeof(*trace));

    trace->pcap = pcap_open_dead(link_type, 262144);
    trace->dumper = pcap_dump_open(trace->pcap, path);
    if (!trace->dumper) {
        fprintf(stderr, "%s\n", pcap_geterr(trace->pcap));
        abort();
    }
    return trace;
}

void trace_add_at(struct trace *trace, const struct frame *frame, uint64_t microseconds)
{
    struct pcap_pkthdr header = {.ts.tv_sec = 1700000000 + (time_t)(microseconds / 1000000),
                                 .ts.tv_usec = (suseconds_t)(microseconds % 1000000),
                                 .caplen = frame->captured,
                                 .len = frame->wire};

    pcap_dump((u_char *)trace->dumper, &header, frame->bytes);
}

void trace_add(struct trace *trace, const struct frame *frame)
{
    trace_add_at(trace, frame, (uint64_t)trace->n++ * 1000000);
}

void trace_close(struct trace *trace)
{
    pcap_dump_close(trace->dumper);
    pcap_close(trace->pcap);
    free(trace);
}

void frames_read(struct frames *frames, const char *path)
{
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, error);
    struct pcap_pkthdr *header;
    const u_char *bytes;

    *frames = (struct frames){0};
    if (!pcap) {
        fprintf(stderr, "%s: %s\n", path, error);
        abort();
    }
    while (pcap_next_ex(pcap, &header, &bytes) == 1) {
        /* Doubled at every power of two: frames are large. */
        if ((frames->n & (frames->n - 1)) == 0)
            frames->frames =
                realloc(frames->frames, (frames->n ? 2 * frames->n : 1) * sizeof(*frames->frames));
        frames->frames[frames->n].captured = 0;
        frame_add(&frames->frames[frames->n], bytes, header->caplen);
        frames->frames[frames->n++].wire = header->len;
    }
    pcap_close(pcap);
}

void frames_free(struct frames *frames)
{
    free(frames->frames);
    *frames = (struct frames){0};
}

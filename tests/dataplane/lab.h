/*
 * A small fabric and small traces, for tests of the packet path.
 *
 *      vm (10.1.0.4, fd00:1::4)  ──┐             ┌── nva1 (10.0.1.4, fd00::1:4)
 *      peer (10.1.0.5) ────────────┤   fabric    ├── nva2 (10.0.1.5, fd00::1:5)
 *                                  └─────────────┘
 *      FIBs of vm:  0.0.0.0/0, ::/0 -> {nva1, nva2}   10.1.0.0/24, fd00:1::/64 -> the NICs of VNet
 * 1 198.51.100.0/24 -> None            203.0.113.0/24 -> {nva1} alone
 */
#ifndef TESTS_DATAPLANE_LAB_H
#define TESTS_DATAPLANE_LAB_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

enum { LAB_VM = 2, LAB_PEER, LAB_NVA1, LAB_NVA2, LAB_NIC_COUNT };
enum { LAB_GROUP_NVAS = 1, LAB_GROUP_VNET, LAB_GROUP_NULL, LAB_GROUP_NVA1 };

struct lab_options {
    unsigned workers;
    bool keep_ttl, silent_drops;
    unsigned hash_fields;                            /* 0: 5 | DP_HASH_INNER */
    uint16_t mtu;                                    /* of every NIC */
    struct dp_attachment attachments[LAB_NIC_COUNT]; /* by NIC id */
};
struct lab {
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct lpm_fib *fib4, *fib6;
    char directory[64]; /* for files; removed with its files by lab_close() */
    struct lab_options options;
};
/* Aborts the test on failure. */
void lab_open(struct lab *lab, const struct lab_options *options);
void lab_close(struct lab *lab);
/* {nva1, nva2} becomes {nva2}, and back. */
void lab_fail_nva1(struct lab *lab);
void lab_restore_nva1(struct lab *lab);
void lab_set_nic(struct lab *lab, uint32_t nic);
/* A path in the lab's directory; four of them are good at a time. */
const char *lab_path(const struct lab *lab, const char *name);

/* What text says; it aborts the test where that is nothing. */
struct lpm_address lab_address(const char *text);
struct lpm_prefix lab_prefix(const char *text);

/* A core that this process may use. */
unsigned lab_core(void);

extern const uint8_t lab_gateway_mac[6];
void lab_mac(uint32_t nic, uint8_t mac[6]);

/* --- Frames ----------------------------------------------------------------------------------- */

#define FRAME_ROOM 65600

struct frame {
    uint32_t captured, wire;
    uint8_t bytes[FRAME_ROOM];
};
/* Each starts a frame over, or adds to its end. */
void frame_ethernet(struct frame *frame, const uint8_t destination[6], const uint8_t source[6],
                    uint16_t ethertype);
void frame_tag(struct frame *frame, uint16_t tpid, uint16_t vlan); /* outermost */
void frame_add(struct frame *frame, const void *bytes, size_t n);
/* Ethernet from vm to its gateway, IP, UDP and `payload` bytes, checksums right. */
void frame_udp4(struct frame *frame, const char *source, const char *destination, uint16_t port,
                uint16_t payload);
void frame_udp6(struct frame *frame, const char *source, const char *destination, uint16_t port,
                uint16_t payload);
/* A guest's own tunnel, VNI 100: `inner` in UDP to port 4789. */
void frame_vxlan(struct frame *frame, const char *source, const char *destination, uint16_t port,
                 const struct frame *inner);
void frame_echo4(struct frame *frame, const char *source, const char *destination,
                 uint16_t payload);
void frame_echo6(struct frame *frame, const char *source, const char *destination,
                 uint16_t payload);
void frame_arp(struct frame *frame, const char *sender, const char *target);
void frame_solicitation(struct frame *frame, const char *source, const char *target);
/* Writes the IPv4 header checksum again, after a change. */
void frame_seal4(struct frame *frame, size_t ip_at);
uint16_t sum16(const uint8_t *bytes, size_t n, uint32_t sum); /* not inverted */
/* Is the ICMPv6 checksum of the packet at ip right? Its message follows the fixed header. */
bool icmpv6_good(const uint8_t *ip);

/* --- Traces ----------------------------------------------------------------------------------- */

struct trace;
struct trace *trace_create(const char *path, int link_type);
void trace_add(struct trace *trace, const struct frame *frame); /* a second after the last one */
void trace_add_at(struct trace *trace, const struct frame *frame, uint64_t microseconds);
void trace_close(struct trace *trace);

struct frames {
    struct frame *frames;
    unsigned n;
};
void frames_read(struct frames *frames, const char *path);
void frames_free(struct frames *frames);

/* received = forwarded + answered + sum(dropped)? */
bool counters_add_up(const struct dp_counters *counters);
uint64_t counters_dropped(const struct dp_counters *counters);

#endif

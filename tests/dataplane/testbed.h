/*
 * A worker on ports of memory, in a fabric that has something of everything: a test puts frames in at one
 * end and takes out what leaves, all on one thread.
 *
 *   BED_WHOLE      vm                     the port is its own
 *   BED_MACS       peer, nva1             told by their MACs
 *   BED_TAGS       nva2, web1, web2       VLANs 102, 103, 104; web1's link takes 576 bytes, web2 has no route
 *   BED_UNDERLAY4  192.0.2.1              far4 behind 192.0.2.7, VNI 7001
 *   BED_UNDERLAY6  2001:db8::1            far6 behind 2001:db8::7, VNI 7001
 *   BED_INTERNET   the Internet
 *
 * To other hosts, vm and peer are in VNI 7000. Beside the lab's routes (vm's are everybody's):
 *
 *   8.8.0.0/16, 2600::/16          the Internet
 *   10.0.0.0/16, fd00::/32         the NICs of VNet 2
 *   172.16.1.0/24, 10.1.0.100      a frontend, of web1 and web2; so is fd00:f:1::/48
 *   172.16.2.0/24, fd00:f:2::/48   a group without members
 *   172.16.3.0/24, fd00:f:3::/48   a frontend without backends
 *   172.16.4.0/24, fd00:f:4::/48   a next hop that nobody has
 *   172.16.5.4, fd00:f:5::4        NIC closed, behind a peering that lets nothing through
 *   172.16.6.4, fd00:f:6::4        NIC guarded, behind one that lets nothing through that was forwarded
 *   172.16.7.0/24, fd00:f:7::/48   {far4, far6}
 *   172.16.8.0/24, fd00:f:8::/48   {peer}, which does not forward
 *   172.16.9.0/24, fd00:f:9::/48   {absent}, which hangs on no port
 */
#ifndef TESTS_DATAPLANE_TESTBED_H
#define TESTS_DATAPLANE_TESTBED_H

#include "dataplane/worker.h"
#include "tests/dataplane/lab.h"

enum { BED_WHOLE, BED_MACS, BED_TAGS, BED_UNDERLAY4, BED_UNDERLAY6, BED_INTERNET, BED_PORTS };
enum {
    BED_FAR4 = LAB_NIC_COUNT,
    BED_FAR6,
    BED_OTHERS, /* what other hosts decided is counted here */
    BED_WEB1,
    BED_WEB2,
    BED_CLOSED,
    BED_GUARDED,
    BED_ABSENT,
    BED_NIC_COUNT
};
#define BED_VLAN_NVA2 102u
#define BED_VLAN_WEB1 103u
#define BED_VLAN_WEB2 104u
#define BED_VNI       7001u
#define BED_GUEST_VNI 7000u
#define BED_MTU       1500u
#define BED_SMALL_MTU 576u
#define BED_FRAME_MAX 65000u /* that testbed_buffer() makes */

struct testbed_options {
    bool azure;
    unsigned hash_fields; /* 0: as the lab's */
};
struct testbed {
    struct lab lab;
    struct dp_port ports[BED_PORTS];
    struct dp_rx rxs[BED_PORTS];
    struct dp_tx txs[BED_PORTS];
    struct dp_worker worker;
};

/* Starts EAL when it does not run. Beds of a process share the wires of their ports: only one of them may
 * have frames on them. */
void testbed_open(struct testbed *bed, const struct testbed_options *options);
void testbed_close(struct testbed *bed);
/* As at the start: links up, neighbours known, limits unused, buffers there for fragments. */
void testbed_reset(struct testbed *bed);
/* So many echo answers, and as many ICMP errors: then none for longer than any test takes. */
void testbed_limit_answers(struct testbed *bed, unsigned n);
/* No buffer is left for what the worker has to make itself; testbed_reset() gives them back. */
void testbed_take_buffers(struct testbed *bed);
/* One end of the underlay's wire. */
extern const uint8_t testbed_own_mac[6], testbed_host_mac[6];

/* A frame as a driver would give it, in `segments` pieces (more where it is long). exact: in memory of its own
 * that ends with it, so that a sanitizer sees what reads on. */
struct rte_mbuf *testbed_buffer(const uint8_t *bytes, uint32_t n, unsigned segments, bool exact);
/* Of all buffers, the ones that are not in their pool. */
unsigned testbed_buffers_in_use(void);

/* At most DP_BURST frames that came by `port`: as a worker does it, or all of them by the long way. */
void testbed_receive(struct testbed *bed, unsigned port, struct rte_mbuf **mbufs, unsigned n);
void testbed_receive_long(struct testbed *bed, unsigned port, struct rte_mbuf **mbufs, unsigned n);
/* What was sent by `port` since the last call, in order: at most `room`. */
unsigned testbed_sent(unsigned port, struct rte_mbuf **mbufs, unsigned room);
/* Until the next testbed_sent(), the port's device takes only n frames. */
void testbed_clog(unsigned port, unsigned n);

/* --- Frames: testbed_frames.c ----------------------------------------------------------------- */

/* One of each kind, right in every byte. Returns the port that it comes by. */
unsigned testbed_frame_kinds(void);
const char *testbed_frame_name(unsigned kind);
unsigned testbed_frame_make(unsigned kind, struct frame *frame);
unsigned testbed_frame_named(const char *name, struct frame *frame);
/* Puts `inner` into a tunnel to this host, as the host of far4 (or far6) does. */
void testbed_wrap(struct frame *inner, bool six, uint32_t vni);
/* What a port's guests put in front of an IP packet: sender's MAC, and its tag. */
void testbed_from(struct frame *frame, uint32_t nic);

/* --- What must hold: testbed_check.c ------------------------------------------------------------ */

/* A frame that was received, as it was. */
struct testbed_given {
    struct rte_mbuf *mbuf;
    unsigned port;
    uint16_t data_off;
    uint32_t n;
    const uint8_t *bytes;
};
enum testbed_fate {
    BED_FORWARDED, /* the given packet itself */
    BED_PIECE,     /* a fragment of one */
    BED_ANSWERED,
    BED_REFUSED, /* an ICMP error about it */
};
/* Aborts unless the frame that left is well-formed, and what the fabric may make of the given ones. */
enum testbed_fate testbed_check_sent(const struct testbed *bed, unsigned port,
                                     const struct rte_mbuf *mbuf, const struct testbed_given *given,
                                     unsigned n);
/* Aborts unless received = forwarded + answered + dropped for each NIC, and for the ports together. */
void testbed_check_counters(const struct testbed *bed);

#endif

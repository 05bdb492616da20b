/*
 * What forwarders are fed with: frames in a capture file that DPDK's pcap device plays again and
 * again from memory, and a null device that takes what they send. Every forwarder gets the same.
 */
#ifndef BENCH_FEED_H
#define BENCH_FEED_H

#include "bench/bench.h"
#include "bench/table.h"

enum { BENCH_FEED_IN, BENCH_FEED_OUT, BENCH_FEED_PORTS };
#define BENCH_FEED_PORTS_MAX 6u

struct bench_feed {
    char directory[48], path[64];
    unsigned frames;
    size_t bytes;
    unsigned outs;                        /* null devices, from BENCH_FEED_OUT on; 0: one */
    uint16_t ports[BENCH_FEED_PORTS_MAX]; /* ids of DPDK's devices, started */
    char names[BENCH_FEED_PORTS_MAX][32];
    unsigned opened;
    struct rte_mempool *pool;
};

/* Of a capture's frames: what the shortest has that is taken, and how many are held in memory. */
#define BENCH_FRAME_LEAST 35u
#define BENCH_FRAMES_MAX  (1u << 20)

/* Who a frame comes from: its NIC's MAC and address. */
struct bench_sender {
    uint8_t mac[6];
    struct lpm_address address;
};

/* A tunnel by which frames come, over IPv4: from another host's end of it to ours. */
struct bench_tunnel {
    uint32_t vni;
    struct lpm_address remote, local;
    uint8_t local_mac[6];
};

/* 60-byte UDP frames (62 for IPv6), of random flows: sender i % senders, to random addresses of
 * random prefixes of table. With a tunnel, each is 50 bytes longer and comes by VXLAN; NULL: without. 0, or -errno with
 * *error filled. */
int bench_feed_draw(struct bench_feed *feed, const struct bench_table *table,
                    const struct bench_sender *senders, size_t senders_n,
                    const struct bench_tunnel *tunnel, unsigned frames, struct bench_error *error);
/* A frame of 60 bytes for each flow, which has its number (in host order) at BENCH_FRAME_NUMBER, and 14 bytes more that
 * nobody looks at. IPv4. 0, or -errno with *error filled. */
struct bench_flow {
    struct bench_sender sender;
    uint8_t gateway_mac[6]; /* that the sender sends to */
    struct lpm_address destination;
};
#define BENCH_FRAME_NUMBER 42u
int bench_feed_write(struct bench_feed *feed, const struct bench_flow *flows, unsigned n,
                     struct bench_error *error);
/* The whole frames of an Ethernet capture that are of this family and fit an MTU of 1500, with MACs
 * as if the sender's NIC had sent them. -ENODATA: there are none. */
int bench_feed_read(struct bench_feed *feed, const char *path, enum lpm_family family,
                    const struct bench_sender *sender, struct bench_error *error);
/* The MAC that all frames are sent to. */
extern const uint8_t bench_gateway_mac[6];

/* Starts the devices; EAL runs. */
int bench_feed_open(struct bench_feed *feed, struct bench_error *error);
/* Stops them, with their callbacks, and removes the file, whatever there is. */
void bench_feed_close(struct bench_feed *feed);

#endif

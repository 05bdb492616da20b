/* See feed.h. */
#include "bench/feed.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "bench/keys.h"
#include "bench/lines.h"

#define SEED        2026
#define ETHERNET    14u
#define FRAME_MAX   (ETHERNET + 1500u)
#define UDP_PAYLOAD 18u
#define TUNNEL      50u /* Ethernet, IPv4, UDP, VXLAN (RFC 7348 section 5) */
#define VXLAN_PORT  4789u
#define SPARE_MBUFS 8192u
#define MBUF_CACHE  256u
#define DESCRIPTORS 1024

const uint8_t bench_gateway_mac[6] = {0x02, 0, 0, 0, 0, 1};

/* --- Frames ----------------------------------------------------------------------------------- */

static void put2(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void seal4(uint8_t *ip)
{
    uint32_t sum = 0;

    put2(ip + 10, 0);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put2(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* Without a UDP checksum over IPv4; over IPv6 it is not asked for by routers. */
static unsigned udp_frame(uint8_t *frame, const struct bench_sender *sender,
                          const struct lpm_address *destination, uint64_t ports)
{
    const bool four = sender->address.family == LPM_IPV4;
    const unsigned header = four ? 20 : 40, datagram = 8 + UDP_PAYLOAD;
    uint8_t *ip = frame + ETHERNET, *udp = ip + header;

    memset(frame, 0, ETHERNET + header + datagram);
    memcpy(frame, bench_gateway_mac, 6);
    memcpy(frame + 6, sender->mac, 6);
    put2(frame + 12, four ? 0x0800 : 0x86dd);
    if (four) {
        ip[0] = 0x45;
        put2(ip + 2, header + datagram);
        ip[8] = 64;
        ip[9] = 17;
        memcpy(ip + 12, sender->address.bytes, 4);
        memcpy(ip + 16, destination->bytes, 4);
        seal4(ip);
    } else {
        ip[0] = 0x60;
        put2(ip + 4, datagram);
        ip[6] = 17;
        ip[7] = 64;
        memcpy(ip + 8, sender->address.bytes, 16);
        memcpy(ip + 24, destination->bytes, 16);
    }
    put2(udp, 1024 + (unsigned)(ports & 0x7fff));
    put2(udp + 2, 1024 + (unsigned)(ports >> 16 & 0x7fff));
    put2(udp + 4, datagram);
    return ETHERNET + header + datagram;
}

/* In front of an inner frame of so many bytes. The source port is of the inner flow, as RFC 7348 asks. */
static void tunnel_header(uint8_t *frame, const struct bench_tunnel *tunnel, unsigned inner,
                          uint64_t ports)
{
    uint8_t *ip = frame + ETHERNET, *udp = ip + 20, *vxlan = udp + 8;

    memset(frame, 0, TUNNEL);
    memcpy(frame, tunnel->local_mac, 6);
    memcpy(frame + 6, bench_gateway_mac, 6);
    put2(frame + 12, 0x0800);
    ip[0] = 0x45;
    put2(ip + 2, TUNNEL - ETHERNET + inner);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, tunnel->remote.bytes, 4);
    memcpy(ip + 16, tunnel->local.bytes, 4);
    seal4(ip);
    put2(udp, 49152 | (unsigned)(ports & 0x3fff));
    put2(udp + 2, VXLAN_PORT);
    put2(udp + 4, TUNNEL - ETHERNET - 20 + inner);
    vxlan[0] = 0x08;
    vxlan[4] = (uint8_t)(tunnel->vni >> 16);
    put2(vxlan + 5, tunnel->vni);
}

/* --- File ------------------------------------------------------------------------------------- */

static int create_file(struct bench_feed *feed, pcap_t **capture, pcap_dumper_t **dumper,
                       struct bench_error *error)
{
    *feed = (struct bench_feed){.directory = "/tmp/fingerpost-feed-XXXXXX"};
    *capture = NULL;
    *dumper = NULL;
    if (!mkdtemp(feed->directory)) {
        int result = -errno;
        feed->directory[0] = '\0';
        return bench_fail(error, result, "/tmp: %s", strerror(-result));
    }
    snprintf(feed->path, sizeof(feed->path), "%s/feed.pcap", feed->directory);
    *capture = pcap_open_dead(DLT_EN10MB, FRAME_MAX);
    *dumper = *capture ? pcap_dump_open(*capture, feed->path) : NULL;
    if (!*dumper)
        return bench_fail(error, -EIO, "%s: cannot be written", feed->path);
    return 0;
}

static int close_file(struct bench_feed *feed, pcap_t *capture, pcap_dumper_t *dumper, int result,
                      struct bench_error *error)
{
    if (dumper && pcap_dump_flush(dumper) < 0 && result == 0)
        result = bench_fail(error, -EIO, "%s: cannot be written", feed->path);
    if (dumper)
        pcap_dump_close(dumper);
    if (capture)
        pcap_close(capture);
    return result;
}

static void add(struct bench_feed *feed, pcap_dumper_t *dumper, const uint8_t *frame, unsigned n)
{
    struct pcap_pkthdr header = {.caplen = n, .len = n};

    pcap_dump((u_char *)dumper, &header, frame);
    feed->frames++;
    feed->bytes += n;
}

int bench_feed_draw(struct bench_feed *feed, const struct bench_table *table,
                    const struct bench_sender *senders, size_t senders_n,
                    const struct bench_tunnel *tunnel, unsigned frames, struct bench_error *error)
{
    const unsigned outer = tunnel ? TUNNEL : 0;
    struct bench_random random = {.state = SEED};
    struct bench_keys keys;
    pcap_dumper_t *dumper;
    pcap_t *capture;
    uint8_t frame[FRAME_MAX];
    int result = create_file(feed, &capture, &dumper, error);

    if (result == 0 && bench_keys_draw(BENCH_KEYS_P, table, frames, &keys) < 0)
        result = bench_fail(error, -ENOMEM, "out of memory");
    else if (result == 0) {
        for (unsigned i = 0; i < frames; i++) {
            struct lpm_address destination = bench_keys_address(&keys, i);
            const uint64_t ports = bench_random_next(&random);
            const unsigned inner =
                udp_frame(frame + outer, &senders[i % senders_n], &destination, ports);
            if (tunnel)
                tunnel_header(frame, tunnel, inner, ports);
            add(feed, dumper, frame, outer + inner);
        }
        bench_keys_free(&keys);
    }
    return close_file(feed, capture, dumper, result, error);
}

int bench_feed_write(struct bench_feed *feed, const struct bench_flow *flows, unsigned n,
                     struct bench_error *error)
{
    struct bench_random random = {.state = SEED};
    pcap_dumper_t *dumper;
    pcap_t *capture;
    uint8_t frame[FRAME_MAX];
    int result = create_file(feed, &capture, &dumper, error);

    for (uint32_t i = 0; i < n && result == 0; i++) {
        const unsigned bytes =
            udp_frame(frame, &flows[i].sender, &flows[i].destination, bench_random_next(&random));
        memcpy(frame, flows[i].gateway_mac, 6);
        memcpy(frame + BENCH_FRAME_NUMBER, &i, sizeof(i));
        add(feed, dumper, frame, bytes);
    }
    return close_file(feed, capture, dumper, result, error);
}

/* --- Another's capture ------------------------------------------------------------------------ */

static bool is_of(const uint8_t *frame, const struct pcap_pkthdr *header, enum lpm_family family)
{
    const unsigned type = (unsigned)frame[12] << 8 | frame[13];

    return header->caplen == header->len && header->len <= FRAME_MAX &&
           header->len >= BENCH_FRAME_LEAST && type == (family == LPM_IPV4 ? 0x0800 : 0x86dd);
}

static int copy_frames(struct bench_feed *feed, pcap_t *in, pcap_dumper_t *out,
                       enum lpm_family family, const struct bench_sender *sender)
{
    uint8_t frame[FRAME_MAX];
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int result;

    while ((result = pcap_next_ex(in, &header, &bytes)) == 1 && feed->frames < BENCH_FRAMES_MAX) {
        if (header->caplen <= ETHERNET || !is_of(bytes, header, family))
            continue;
        memcpy(frame, bytes, header->len);
        memcpy(frame, bench_gateway_mac, 6);
        memcpy(frame + 6, sender->mac, 6);
        add(feed, out, frame, header->len);
    }
    return result;
}

int bench_feed_read(struct bench_feed *feed, const char *path, enum lpm_family family,
                    const struct bench_sender *sender, struct bench_error *error)
{
    char text[PCAP_ERRBUF_SIZE];
    pcap_dumper_t *dumper;
    pcap_t *capture, *in;
    int result = create_file(feed, &capture, &dumper, error);

    if (result < 0)
        return close_file(feed, capture, dumper, result, error);
    in = pcap_open_offline(path, text);
    if (!in)
        result = bench_fail(error, -EINVAL, "%s", text);
    else if (pcap_datalink(in) != DLT_EN10MB)
        result = bench_fail(error, -EINVAL, "%s: not a capture of Ethernet frames", path);
    else if (copy_frames(feed, in, dumper, family, sender) == PCAP_ERROR)
        result = bench_fail(error, -EINVAL, "%s: %s", path, pcap_geterr(in));
    else if (feed->frames == 0)
        result = -ENODATA;
    if (in)
        pcap_close(in);
    return close_file(feed, capture, dumper, result, error);
}

/* --- Devices ---------------------------------------------------------------------------------- */

static int start_port(const struct bench_feed *feed, uint16_t id)
{
    static const struct rte_eth_conf plain;
    int result = rte_eth_dev_configure(id, 1, 1, &plain);

    if (result == 0)
        result = rte_eth_rx_queue_setup(id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, feed->pool);
    if (result == 0)
        result = rte_eth_tx_queue_setup(id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL);
    return result ? result : rte_eth_dev_start(id);
}

static int open_port(struct bench_feed *feed, unsigned port, const char *driver,
                     const char *options, struct bench_error *error)
{
    static unsigned serial; /* names of devices are the process's */
    char *name = feed->names[port];
    int result;

    snprintf(name, sizeof(feed->names[port]), "%s_feed%u", driver, serial++);
    result = rte_eal_hotplug_add("vdev", name, options);
    if (result < 0)
        return bench_fail(error, result, "DPDK's device %s: %s", driver, strerror(-result));
    feed->opened++;
    result = rte_eth_dev_get_port_by_name(name, &feed->ports[port]);
    if (result == 0)
        result = start_port(feed, feed->ports[port]);
    return result == 0
               ? 0
               : bench_fail(error, result, "DPDK's device %s: %s", driver, strerror(-result));
}

int bench_feed_open(struct bench_feed *feed, struct bench_error *error)
{
    char options[96], name[RTE_MEMPOOL_NAMESIZE];
    int result;

    snprintf(name, sizeof(name), "feed_%s", feed->directory + strlen(feed->directory) - 6);
    feed->pool = rte_pktmbuf_pool_create(name, feed->frames + SPARE_MBUFS, MBUF_CACHE, 64,
                                         RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!feed->pool)
        return bench_fail(error, -rte_errno, "%u packet buffers: %s", feed->frames + SPARE_MBUFS,
                          rte_strerror(rte_errno));
    snprintf(options, sizeof(options), "rx_pcap=%s,infinite_rx=1", feed->path);
    result = open_port(feed, BENCH_FEED_IN, "net_pcap", options, error);
    /* Without no-rx they would make up frames, which somebody would have to take. */
    for (unsigned i = 0; i < (feed->outs ? feed->outs : 1) && result == 0; i++)
        result = open_port(feed, BENCH_FEED_OUT + i, "net_null", "no-rx=1", error);
    return result;
}

void bench_feed_close(struct bench_feed *feed)
{
    for (unsigned i = 0; i < feed->opened; i++) {
        rte_eth_dev_stop(feed->ports[i]);
        rte_eth_dev_close(feed->ports[i]);
        rte_eal_hotplug_remove("vdev", feed->names[i]);
    }
    rte_mempool_free(feed->pool);
    if (feed->path[0])
        unlink(feed->path);
    if (feed->directory[0])
        rmdir(feed->directory);
    *feed = (struct bench_feed){0};
}

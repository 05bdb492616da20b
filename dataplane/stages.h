/*
 * The packet path from frame to frame: what the stages share. Internal; DPDK types.
 *
 *   rx ─> classify ──> parse ──> decide ──> finish ─┬─ drop: counted, freed
 *         (frame->nic)  walk.c    decide.c  walk.c  ├─ answer: arp.c nd.c echo.c ─┐
 *                └─ ARP, non-IP ──────────────┘     └─ forward: rewrite.c ────────┴─> egress.c ─>
 * tx
 *
 * A burst goes through each stage as a whole. Every frame of it has a verdict; a stage that ends a
 * frame's way writes it there, and only `finish` counts and frees. A frame that is to be sent
 * carries its own accounting (struct dp_note) as far as the transmit queue, because only there is
 * it known whether it left: received = forwarded + answered + dropped holds whatever happens on the
 * way.
 *
 * NIC records are borrowed from one quiescent state of the worker to the next, hence for one burst.
 */
#ifndef DATAPLANE_STAGES_H
#define DATAPLANE_STAGES_H

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "dataplane/forwarding.h"
#include "dataplane/port.h"
#include "dataplane/underlay.h"

#define DP_BURST             32u
#define DP_TX_BUFFER         64u
#define DP_VLAN_TAG_MAX      8u /* more than any network stacks: a bound for hostile frames */
#define DP_FRAGMENT_MAX      128u
#define DP_ECHO_PER_SECOND   1000u /* echo answers per worker: enough for monitoring, no amplifier */
#define DP_ECHO_AT_ONCE      100u
#define DP_ERRORS_PER_SECOND 1000u /* ICMP errors per worker: RFC 1812 4.3.2.8 asks for a bound */
#define DP_ERRORS_AT_ONCE    100u
#define DP_ETHERTYPE_ARP     0x0806u
#define DP_ETHERNET_BYTES    14u
#define DP_VLAN_TAG_BYTES    4u

/* --- What is left to count when a frame has been sent ----------------------------------------- */

enum dp_note_kind {
    DP_NOTE_NOTHING, /* a fragment whose datagram is counted with its last one */
    DP_NOTE_FORWARDED,
    DP_NOTE_EXPRESS, /* forwarded, and not yet counted as received */
    DP_NOTE_ANSWERED,
};
struct dp_note {
    uint32_t nic; /* that sent the packet */
    uint32_t bytes;
    uint32_t member; /* counter of the chosen one */
    uint8_t kind;    /* enum dp_note_kind */
    bool self_loop;
    uint32_t
        backend; /* counter of the one behind a frontend, whose count is the sum of their shares */
    uint32_t to; /* NIC that it goes to, for who observes it; 0: none, or not observed */
};

/* In the private area of the buffer, for a frame that changes workers. */
static inline struct dp_note *dp_mbuf_note(struct rte_mbuf *mbuf)
{
    return rte_mbuf_to_priv(mbuf);
}

/* --- Sending ---------------------------------------------------------------------------------- */

struct rte_ring;

/* One worker's way to one port. */
struct dp_tx {
    const struct dp_port *port; /* NULL: frames are counted as sent and freed */
    uint16_t queue;
    uint16_t n;
    struct rte_ring *ring; /* not NULL: another worker owns the queue and takes frames from here */
    /* Written by the worker, read by anyone: what the device took, and frames that it refused. */
    _Atomic uint64_t packets, bytes, unsent;
    struct rte_mbuf *mbufs[DP_TX_BUFFER];
    struct dp_note notes[DP_TX_BUFFER];
};

/* At most `rate` per second and `at_once` together (the generic cell rate algorithm). */
struct dp_limiter {
    uint64_t due, interval, tolerance; /* cycles of the time stamp counter */
};
void dp_limiter_init(struct dp_limiter *limiter, unsigned rate, unsigned at_once);
bool dp_limiter_allows(struct dp_limiter *limiter);

/* What one thread needs to walk packets. */
struct dp_watch;
struct dp_path {
    const struct dp_forwarding *forwarding;
    const struct dp_watch *watch; /* what is observed, for one burst; NULL: nothing */
    /* By which port (DPDK's number) and queue the burst came; kept only while something is observed. */
    uint16_t rx_port, rx_queue;
    struct dp_worker_counters *counters;
    struct rte_mempool *pool; /* for fragments */
    struct dp_tx *txs;        /* [tx_count], by port */
    unsigned tx_count;
    struct dp_tx *sink; /* not NULL: everything forwarded goes here, answers nowhere (replay) */
    struct dp_limiter
        *limiter; /* of echo answers; NULL: no limit (replay must not depend on time) */
    struct dp_limiter *errors; /* of ICMP errors; NULL: none are sent */
    struct dp_decide_options options; /* its trace: of the only frame on its way; see trace_walk.c */
};

/* --- A burst ---------------------------------------------------------------------------------- */

/* Where a frame is when its verdict is still open. */
enum dp_stage {
    DP_STAGE_IP, /* to be parsed and decided */
    DP_STAGE_ARP,
    DP_STAGE_DECIDED,  /* by another host: to be parsed and sent to verdict.nic */
    DP_STAGE_UNDERLAY, /* to our own tunnel end point: discovery, echo */
    DP_STAGE_TAKEN,    /* what it said is noted */
    DP_STAGE_DONE,     /* the verdict stands */
};
struct dp_frame {
    struct rte_mbuf *mbuf;
    const struct dp_nic *nic; /* NULL: none */
    uint32_t nic_id;
    uint32_t bytes;     /* on its wire; more than mbuf has when the capture was cut */
    uint16_t ethertype; /* inside the tags */
    uint8_t l2_bytes;   /* Ethernet header and tags */
    uint8_t stage;      /* enum dp_stage */
    bool l2_multicast;
    bool congested; /* the underlay has marked it: see dp_vxlan_mark() */
    uint8_t source_mac[6];
};
struct dp_burst {
    unsigned n;
    bool partial_checksums; /* of the port that it came by: see struct dp_port */
    unsigned packet_count;
    struct dp_frame frames[DP_BURST];
    struct dp_verdict verdicts[DP_BURST]; /* by frame */
    /* The IP packets among them, without gaps, as dp_decide() takes them. */
    uint8_t frame_of[DP_BURST];
    uint32_t nics[DP_BURST];
    struct dp_packet packets[DP_BURST];
    struct dp_verdict decided[DP_BURST];
};

static inline void dp_drop(struct dp_burst *burst, unsigned i, enum dp_reason reason)
{
    burst->frames[i].stage = DP_STAGE_DONE;
    burst->verdicts[i].action = DP_DROP;
    burst->verdicts[i].reason = reason;
}

/* --- Stages ----------------------------------------------------------------------------------- */

/* Of frame->mbuf: walks the tags. *vlan is the outermost tag's; 0 also for a priority tag, which names no
 * VLAN. false: the frame ends within its own header. */
bool dp_read_ethernet(struct dp_frame *frame, uint16_t *vlan);
/* Fills burst->frames from what a port received: tags, NIC, whether the frame is for us. */
void dp_classify_burst(const struct dp_path *path, struct dp_burst *burst, uint16_t port,
                       struct rte_mbuf **mbufs, unsigned n);
/* The same for a trace: config says who sent a frame, by `nic` and senders. wire may be NULL. */
void dp_classify_trace(const struct dp_path *path, struct dp_burst *burst,
                       const struct dp_replay_config *config, struct rte_mbuf **mbufs,
                       const uint32_t *wire, unsigned n);

/* What is a frame of an underlay port to us? */
enum dp_underlay_taken {
    DP_UNDERLAY_NOT,    /* nothing: it is classified as on any port */
    DP_UNDERLAY_SENDER, /* it was in a tunnel; now it begins with its inner Ethernet header, and its
                         * NIC is known */
    DP_UNDERLAY_DONE,   /* its stage says what becomes of it */
};
/* For untagged frames, with the Ethernet header read: ARP, neighbour discovery, VXLAN to us. */
enum dp_underlay_taken dp_underlay_take(const struct dp_path *path, struct dp_burst *burst,
                                        unsigned i, uint16_t port,
                                        const struct dp_underlay *underlay);
/* Its part for UDP packets to port 4789, and UDP fragments. */
enum dp_underlay_taken dp_vxlan_take(const struct dp_path *path, struct dp_burst *burst, unsigned i,
                                     uint16_t port, const struct dp_underlay *underlay,
                                     const struct dp_packet *outer);
/* Carries the mark into an IP header. false: its transport does not know ECN, it is to be dropped. */
bool dp_vxlan_mark(uint8_t *ip, uint8_t family);
/* Puts the tunnel's headers in front of a frame for nic's guest. flow spreads tunnels over the
 * underlay's paths. On false *reason says why not. */
bool dp_vxlan_push(const struct dp_path *path, const struct dp_nic *nic, struct rte_mbuf *mbuf,
                   uint32_t flow, enum dp_reason *reason);
/* A packet of DP_STAGE_UNDERLAY: the answer in its place; *taken: there is none to send, all is
 * noted. false: dropped for *reason. */
bool dp_underlay_answer(const struct dp_path *path, struct dp_frame *frame, bool *taken,
                        enum dp_reason *reason);
/* Once a second, by the one worker that polls the port's first queue: asks for neighbours. */
void dp_neighbors_tick(struct dp_path *path, uint16_t port);

/* Everything after classification. Consumes the buffers; verdicts and packets stay to be read.
 * Frames for a port may still wait in its dp_tx: dp_egress_flush(). */
void dp_walk(struct dp_path *path, struct dp_burst *burst);

/* Each makes the answer out of the request, in place: on true mbuf begins with the frame to send;
 * on false *reason says why there is none. The request begins with its network header. */
bool dp_arp_answer(const struct dp_frame *frame, enum dp_reason *reason);
bool dp_nd_answer(const struct dp_frame *frame, const struct dp_packet *packet,
                  enum dp_reason *reason);
bool dp_echo_answer(const struct dp_frame *frame, const struct dp_packet *packet,
                    struct dp_limiter *limiter, enum dp_reason *reason);

/* Writes an ARP request, DP_ARP_BYTES; for a target that is the sender itself, an announcement. */
#define DP_ARP_BYTES 28u
void dp_arp_request(uint8_t *arp, const uint8_t mac[6], const uint8_t sender[4],
                    const uint8_t target[4]);
/* Writes a neighbour advertisement, IPv6 header and DP_ADVERTISEMENT_BYTES: target is at mac. destination
 * NULL: to all nodes, unasked. */
#define DP_ADVERTISEMENT_BYTES 32u
void dp_nd_advertise(uint8_t *ip, const uint8_t mac[6], const uint8_t target[16],
                     const uint8_t *destination, bool is_router);

/* Makes the ICMP error that dropping packet for reason calls for, in place: on true mbuf begins with
 * the frame to send. false: it calls for none, or too many were sent; mbuf is then only to be freed.
 * mtu is what would have fitted, for DP_REASON_MTU. */
bool dp_icmp_error(struct dp_path *path, struct dp_frame *frame, const struct dp_packet *packet,
                   enum dp_reason reason, uint16_t mtu);

/* Puts the Ethernet header of a frame towards nic's guest in front of mbuf. false: no headroom. */
bool dp_push_ethernet(struct rte_mbuf *mbuf, const struct dp_nic *nic, const uint8_t destination[6],
                      uint16_t ethertype);
/* All that is in front of an IP packet for receiver's guest: Ethernet, and its tunnel if it has one;
 * flow as in dp_vxlan_push(). */
bool dp_push_link(const struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                  uint16_t ethertype, uint32_t flow, enum dp_reason *reason);
/* TTL or hop limit less one, IPv4 checksum with it: RFC 1624 equation 3, HC' = ~(~HC + ~m + m'), for
 * m the 16 bits that the TTL begins: m' = m - 0x100, so that ~m + m' is 0xfeff whatever m was. */
static inline void dp_decrement_ttl(uint8_t *header, uint8_t family)
{
    uint16_t checksum;
    uint32_t sum;

    if (family == LPM_IPV6) {
        header[7]--;
        return;
    }
    header[8]--;
    memcpy(&checksum, header + 10, sizeof(checksum));
    sum = (uint16_t)~checksum + (uint32_t)RTE_BE16(0xfeff); /* in any byte order (RFC 1071 2B) */
    checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
    memcpy(header + 10, &checksum, sizeof(checksum));
}
/* What is behind the first n bytes goes, in as many segments as it is. */
void dp_cut(struct rte_mbuf *mbuf, uint32_t n);
/* Makes mbuf, an answer, `bytes` long whatever the request was. false: no room. */
bool dp_answer_resize(struct rte_mbuf *mbuf, uint16_t bytes);

/* Sends mbuf, an IP packet without Ethernet header, to receiver; fragments it when it must and may.
 * On false nothing was sent, mbuf is still the caller's, and *reason says why. */
bool dp_egress_forward(struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                       const struct dp_packet *packet, const struct dp_note *note,
                       enum dp_reason *reason);
/* The largest IP packet that goes to receiver in one piece. 0: nothing does, its port is down. */
uint16_t dp_egress_mtu(const struct dp_path *path, const struct dp_nic *receiver);
/* Sends an answer back to where its request came from. */
bool dp_egress_answer(struct dp_path *path, const struct dp_nic *nic, struct rte_mbuf *mbuf,
                      const struct dp_note *note, enum dp_reason *reason);
/* Cuts mbuf into *n frames towards receiver, whose packets are at most mtu long. The original stays
 * the caller's. */
bool dp_fragment(struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                 uint16_t mtu, uint32_t flow, struct rte_mbuf *pieces[DP_FRAGMENT_MAX], unsigned *n,
                 enum dp_reason *reason);
void dp_tx_flush(struct dp_path *path, struct dp_tx *tx);
/* Counts a frame that was to be sent, and for reason was not. */
void dp_count_unsent(const struct dp_path *path, const struct dp_note *note, enum dp_reason reason);
/* Queues one frame; a full buffer is flushed. */
static inline void dp_tx_put(struct dp_path *path, struct dp_tx *tx, struct rte_mbuf *mbuf,
                             const struct dp_note *note)
{
    if (tx->n == DP_TX_BUFFER)
        dp_tx_flush(path, tx);
    tx->mbufs[tx->n] = mbuf;
    tx->notes[tx->n++] = *note;
}
void dp_egress_flush(struct dp_path *path);

#endif

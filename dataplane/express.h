/*
 * The express way: for frames about which nothing stands out, and whose way ends at one NIC, of a
 * port here or in a VXLAN tunnel over IPv4. They are read once, looked up, rewritten in place and sent, without the records that
 * the long way (classify, parse, decide, finish) makes of a frame to treat every case.
 *
 *     received ──> admit ──> look up ──> forward ──> transmit buffers
 *                    └───────────────────────┴─────> rest: untouched, for the long way
 *
 * It takes a frame only when the long way would forward it to the same NIC as the same bytes and
 * count it the same; whatever it is not sure of it leaves as it came. So it has no drop reasons and
 * no answers. Frames that it takes may overtake frames of the same burst that it leaves, and IPv4 goes
 * before IPv6; frames of one family that go the same way keep their order.
 */
#ifndef DATAPLANE_EXPRESS_H
#define DATAPLANE_EXPRESS_H

#include "dataplane/stages.h"

/* Frames of one family that wait for a leaf. */
struct dp_express_lane {
    unsigned n;
    uint8_t places[DP_BURST]; /* in the burst */
    struct rte_mbuf *mbufs[DP_BURST];
    uint8_t *ips[DP_BURST];    /* their IP headers */
    uint32_t totals[DP_BURST]; /* lengths of their IP packets */
    const struct dp_nic *senders[DP_BURST];
    const struct lpm_fib *fibs[DP_BURST];
    uint32_t leaves[DP_BURST];
};
struct dp_columns;
struct dp_express {
    const struct dp_columns *columns; /* NULL: frames are admitted one by one */
    unsigned n;                       /* 0: it was not asked about the last burst */
    struct rte_mbuf *mbufs[DP_BURST]; /* as they came */
    uint8_t *frames[DP_BURST];        /* their Ethernet headers */
    uint64_t bytes;                   /* of all of them */
    uint64_t left;                    /* a bit for each that is left to the long way */
    struct dp_express_lane four, six;
    uint32_t addresses4[DP_BURST];
    uint8_t hops4[DP_BURST][4]; /* TTL, protocol and checksum of IPv4 as they leave */
    uint8_t addresses6[DP_BURST][16];
    unsigned rest_n;
    struct rte_mbuf *rest[DP_BURST];
};

/* Three steps, in this order, on the burst that port `port` received; at most DP_BURST frames. After
 * the last, express->rest holds what was not taken. */
void dp_express_admit(const struct dp_path *path, struct dp_express *express, uint16_t port,
                      struct rte_mbuf **mbufs, unsigned n);
void dp_express_look_up(struct dp_express *express);
void dp_express_forward(struct dp_path *path, struct dp_express *express);

/* What is known of a lane's frames when they are to be sent. */
struct dp_exit {
    const struct dp_nic *receiver; /* NULL: the long way */
    uint32_t member;               /* its counter; 0: none was chosen */
};
/* Part of the last step: puts a lane's frames into transmit buffers, by their exits. */
void dp_express_send4(struct dp_path *path, struct dp_express *express,
                      const struct dp_exit exits[DP_BURST]);
void dp_express_send6(struct dp_path *path, struct dp_express *express,
                      const struct dp_exit exits[DP_BURST]);

#endif

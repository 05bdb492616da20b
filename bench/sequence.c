/* See sequence.h. */
#include "bench/sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "bench/clock.h"

#define PLACE (BENCH_FRAME_NUMBER + 4) /* of the sequence number, in host order */
#define BYTES (PLACE + 8)

/* The flow of a frame, or NULL. */
static struct bench_sequence_flow *flow_of(struct bench_sequence *sequence, struct rte_mbuf *mbuf)
{
    uint32_t number;

    if (rte_pktmbuf_data_len(mbuf) >= BYTES) {
        memcpy(&number, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, BENCH_FRAME_NUMBER), 4);
        if (number < sequence->flow_count)
            return &sequence->flows[number];
    }
    sequence->strange++;
    return NULL;
}

static uint16_t mark(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
                     uint16_t most, void *context)
{
    struct bench_sequence *sequence = context;

    (void)port, (void)queue, (void)most;
    for (uint16_t i = 0; i < n; i++) {
        struct bench_sequence_flow *flow = flow_of(sequence, mbufs[i]);
        if (!flow)
            continue;
        memcpy(rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, PLACE), &flow->in, sizeof(flow->in));
        flow->in++;
    }
    sequence->sent += n;
    return n;
}

static void check_order(struct bench_sequence *sequence, struct bench_sequence_flow *flow,
                        uint64_t place)
{
    if (place < flow->out) { /* it had been counted as lost */
        sequence->late++;
        sequence->lost--;
        return;
    }
    sequence->lost += place - flow->out;
    flow->out = place + 1;
}

static void check_way(struct bench_sequence *sequence, struct bench_sequence_flow *flow,
                      unsigned port, const uint8_t mac[6])
{
    uint64_t way = (uint64_t)(port + 1) << 48;

    memcpy(&way, mac, 6); /* the lower six bytes: x86 and arm64 are little-endian */
    sequence->moved += flow->way != way && flow->way != 0;
    flow->way = way;
}

static uint16_t check(uint16_t id, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
                      void *context)
{
    struct bench_sequence_out *out = context;
    struct bench_sequence *sequence = out->sequence;

    (void)id, (void)queue;
    for (uint16_t i = 0; i < n; i++) {
        struct bench_sequence_flow *flow = flow_of(sequence, mbufs[i]);
        uint64_t place;
        if (!flow)
            continue;
        memcpy(&place, rte_pktmbuf_mtod_offset(mbufs[i], uint8_t *, PLACE), sizeof(place));
        check_order(sequence, flow, place);
        check_way(sequence, flow, out->port, rte_pktmbuf_mtod(mbufs[i], const uint8_t *));
    }
    out->last_ns = bench_now_ns();
    return n;
}

int bench_sequence_open(struct bench_sequence *sequence, const struct bench_feed *feed,
                        unsigned flow_count)
{
    *sequence = (struct bench_sequence){.flow_count = flow_count};
    sequence->flows = calloc(flow_count, sizeof(*sequence->flows));
    if (!sequence->flows)
        return -ENOMEM;
    if (!rte_eth_add_rx_callback(feed->ports[BENCH_FEED_IN], 0, mark, sequence))
        return -ENOTSUP;
    for (unsigned i = BENCH_FEED_OUT; i < feed->opened; i++) {
        sequence->outs[i] = (struct bench_sequence_out){.sequence = sequence, .port = i};
        if (!rte_eth_add_tx_callback(feed->ports[i], 0, check, &sequence->outs[i]))
            return -ENOTSUP;
    }
    return 0;
}

void bench_sequence_close(struct bench_sequence *sequence)
{
    free(sequence->flows);
}

void bench_sequence_begin(struct bench_sequence *sequence)
{
    sequence->sent = sequence->lost = sequence->late = sequence->moved = 0;
    for (unsigned i = 0; i < sequence->flow_count; i++) {
        sequence->flows[i].out = sequence->flows[i].in;
        sequence->flows[i].way = 0;
    }
}

void bench_sequence_end(struct bench_sequence *sequence)
{
    for (unsigned i = 0; i < sequence->flow_count; i++) {
        sequence->lost += sequence->flows[i].in - sequence->flows[i].out;
        sequence->flows[i].out = sequence->flows[i].in;
    }
}

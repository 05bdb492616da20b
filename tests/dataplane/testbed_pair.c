/* See testbed_pair.h. */
#include "tests/dataplane/testbed_pair.h"

#include <string.h>

#include "tests/must.h"

#define SENT_MOST 4096u
#define AT_ONCE   64u

/* A frame that left. */
struct left {
    uint64_t port_and_length, sum;
};
static struct {
    unsigned n;
    struct left left[SENT_MOST];
} all_left[BED_WAYS];

void testbed_pair_open(struct testbed_pair *pair, const struct testbed_options *options)
{
    for (unsigned way = 0; way < BED_WAYS; way++)
        testbed_open(&pair->beds[way], options);
}

void testbed_pair_close(struct testbed_pair *pair)
{
    for (unsigned way = 0; way < BED_WAYS; way++)
        testbed_close(&pair->beds[way]);
}

/* --- One way ------------------------------------------------------------------------------------ */

static uint64_t sum_of(const struct rte_mbuf *mbuf)
{
    uint64_t sum = 0xcbf29ce484222325ull; /* FNV-1a */

    for (; mbuf; mbuf = mbuf->next) {
        const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);

        for (uint32_t i = 0; i < mbuf->data_len; i++)
            sum = (sum ^ bytes[i]) * 0x100000001b3ull;
    }
    return sum;
}

static void note_left(unsigned way, unsigned port, const struct rte_mbuf *mbuf)
{
    MUST(all_left[way].n < SENT_MOST);
    all_left[way].left[all_left[way].n++] =
        (struct left){(uint64_t)port << 32 | mbuf->pkt_len, sum_of(mbuf)};
}

static void collect(const struct testbed *bed, unsigned way, const struct testbed_given *given,
                    unsigned n, unsigned fates[BED_REFUSED + 1])
{
    struct rte_mbuf *mbufs[AT_ONCE];

    all_left[way].n = 0;
    for (unsigned port = 0, sent; port < BED_PORTS; port++) {
        while ((sent = testbed_sent(port, mbufs, AT_ONCE)) > 0) {
            for (unsigned i = 0; i < sent; i++) {
                fates[testbed_check_sent(bed, port, mbufs[i], given, n)]++;
                note_left(way, port, mbufs[i]);
                rte_pktmbuf_free(mbufs[i]);
            }
        }
    }
}

static void receive(struct testbed *bed, unsigned way, unsigned port,
                    const struct testbed_frame *frames, unsigned n, struct testbed_given *given)
{
    struct rte_mbuf *mbufs[DP_BURST];

    MUST(n <= DP_BURST);
    for (unsigned i = 0; i < n; i++) {
        const struct testbed_frame *frame = &frames[i];

        mbufs[i] = testbed_buffer(frame->bytes, frame->n, frame->segments, frame->exact);
        given[i] =
            (struct testbed_given){mbufs[i], port, mbufs[i]->data_off, frame->n, frame->bytes};
    }
    (way == BED_EXPRESS ? testbed_receive : testbed_receive_long)(bed, port, mbufs, n);
}

/* Fragments count with their datagram, and what a neighbour says is taken without an answer. */
static void check_fates(const struct testbed_outcome *outcome)
{
    const uint64_t whole = outcome->fates[BED_FORWARDED], pieces = outcome->fates[BED_PIECE];

    MUST(outcome->forwarded >= whole && outcome->forwarded - whole <= pieces);
    MUST((outcome->forwarded > whole) == (pieces > 0));
    MUST(outcome->answered >= outcome->fates[BED_ANSWERED]);
    MUST(outcome->dropped >= outcome->fates[BED_REFUSED]);
}

static struct testbed_outcome run(struct testbed *bed, unsigned way, unsigned port,
                                  const struct testbed_frame *frames, unsigned n)
{
    struct testbed_outcome outcome = {0};
    struct testbed_given given[DP_BURST];
    struct dp_counters before, after;

    dp_counters_total(bed->lab.forwarding, &before);
    receive(bed, way, port, frames, n, given);
    dp_counters_total(bed->lab.forwarding, &after);
    collect(bed, way, given, n, outcome.fates);
    outcome.forwarded = after.forwarded - before.forwarded;
    outcome.answered = after.answered - before.answered;
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++) {
        outcome.reasons[reason] = after.dropped[reason] - before.dropped[reason];
        outcome.dropped += outcome.reasons[reason];
    }
    check_fates(&outcome);
    testbed_check_counters(bed);
    MUST(testbed_buffers_in_use() == 0);
    return outcome;
}

/* --- Both ways ---------------------------------------------------------------------------------- */

static int compare_left(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct left));
}

/* Which of them goes first is left free: see dataplane/express.h. */
static void expect_same_frames(void)
{
    MUST(all_left[BED_EXPRESS].n == all_left[BED_LONG].n);
    for (unsigned way = 0; way < BED_WAYS; way++)
        qsort(all_left[way].left, all_left[way].n, sizeof(struct left), compare_left);
    MUST(memcmp(all_left[BED_EXPRESS].left, all_left[BED_LONG].left,
                all_left[BED_LONG].n * sizeof(struct left)) == 0);
}

/* All counters are numbers of one size. */
struct accounts {
    struct dp_counters nics[BED_NIC_COUNT];
};

static void read_accounts(const struct testbed *bed, struct accounts *accounts)
{
    for (uint32_t nic = 0; nic < BED_NIC_COUNT; nic++)
        dp_counters_nic(bed->lab.forwarding, nic, &accounts->nics[nic]);
}

/* What was added to each. */
static void expect_same_accounts(const struct accounts before[BED_WAYS],
                                 const struct accounts after[BED_WAYS])
{
    const uint64_t *from[BED_WAYS] = {(const uint64_t *)&before[0], (const uint64_t *)&before[1]};
    const uint64_t *to[BED_WAYS] = {(const uint64_t *)&after[0], (const uint64_t *)&after[1]};

    for (size_t i = 0; i < sizeof(struct accounts) / sizeof(uint64_t); i++)
        MUST(to[BED_EXPRESS][i] - from[BED_EXPRESS][i] == to[BED_LONG][i] - from[BED_LONG][i]);
}

struct testbed_outcome testbed_pair_try(struct testbed_pair *pair, unsigned port,
                                        const struct testbed_frame *frames, unsigned n)
{
    struct accounts before[BED_WAYS], after[BED_WAYS];
    struct testbed_outcome outcomes[BED_WAYS];

    for (unsigned way = 0; way < BED_WAYS; way++) {
        read_accounts(&pair->beds[way], &before[way]);
        outcomes[way] = run(&pair->beds[way], way, port, frames, n);
        read_accounts(&pair->beds[way], &after[way]);
    }
    expect_same_frames();
    expect_same_accounts(before, after);
    return outcomes[BED_EXPRESS];
}

uint64_t testbed_pair_try_clogged(struct testbed_pair *pair, unsigned port,
                                  const struct testbed_frame *frames, unsigned n, unsigned room)
{
    uint64_t unsent[BED_WAYS] = {0};

    for (unsigned way = 0; way < BED_WAYS; way++) {
        struct testbed *bed = &pair->beds[way];
        struct testbed_given given[DP_BURST];
        struct rte_mbuf *mbufs[AT_ONCE];
        struct dp_counters before, after;

        for (unsigned out = 0; out < BED_PORTS; out++)
            testbed_clog(out, room);
        dp_counters_total(bed->lab.forwarding, &before);
        receive(bed, way, port, frames, n, given);
        dp_counters_total(bed->lab.forwarding, &after);
        unsent[way] = after.dropped[DP_REASON_TX_FULL] - before.dropped[DP_REASON_TX_FULL];
        for (unsigned out = 0; out < BED_PORTS; out++) {
            for (unsigned sent; (sent = testbed_sent(out, mbufs, AT_ONCE)) > 0;)
                rte_pktmbuf_free_bulk(mbufs, sent);
        }
        testbed_check_counters(bed);
        MUST(testbed_buffers_in_use() == 0);
    }
    return unsent[BED_EXPRESS];
}

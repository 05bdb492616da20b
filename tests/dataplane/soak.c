/*
 * soak [SECONDS]: see soak.h. Prints what was seen; exit status 1 when a packet went where at no instant it was right.
 *
 *   pump ──> memif (client) ══ memif (server): the engine's one port ──> worker ──> the same port ──> pump
 *
 * A batch has every packet's number in its payload, and ends with a packet of a flow that nothing is ever done to. It is
 * judged when the last packet of the batch after the next is back: a worker may change the order within a burst, but
 * not that of bursts. What is not back by then was dropped.
 */
#include <inttypes.h>
#include <pthread.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lpm/rcu.h"
#include "tests/dataplane/lab.h"
#include "tests/dataplane/soak.h"

#define BATCH 32u
#define BATCHES                                                                                    \
    4u /* under way: fewer frames than the rings hold, so none is lost for want of room */
#define BURST      64u
#define FRAME_MOST 128u
#define CLIENT     "net_memif9"
#define COMPLAINTS 10u
#define WAIT_MS    20000u

struct batch {
    uint64_t number;
    uint64_t done; /* changes that were made when it was sent */
    unsigned flows[BATCH];
    bool back[BATCH];
};

struct pump {
    struct soak_state *state;
    struct test_random random;
    struct sample {
        unsigned n;
        uint8_t bytes[FRAME_MOST];
    } frames[SOAK_FLOWS + 1];
    struct rte_mempool *pool;
    uint16_t port;
    struct batch batches[BATCHES];
    uint64_t sent_batches, judged_batches;
    uint64_t forwarded, dropped, exact; /* exact: one outcome alone was right */
    uint64_t wrong;
    _Atomic bool over;
};

/* --- Judging ---------------------------------------------------------------------------------- */

static struct batch *batch_of(struct pump *pump, uint64_t number)
{
    return &pump->batches[number % BATCHES];
}

/* With the changes that were made meanwhile, the one before them first. */
static void complain(struct pump *pump, const struct batch *batch, unsigned flow, uint32_t outcome,
                     uint32_t allowed)
{
    const uint64_t done = soak_done(pump->state);

    if (pump->wrong++ >= COMPLAINTS)
        return;
    fprintf(stderr, "flow %u sent after change %" PRIu64 ": outcome %#x, right are %#x;", flow,
            batch->done, outcome, allowed);
    for (uint64_t number = batch->done; number <= done + 1 && number < batch->done + 12; number++)
        fprintf(stderr, " %s,", soak_change_name(pump->state, number));
    fprintf(stderr, " of %" PRIu64 "\n", done - batch->done);
}

static void judge(struct pump *pump, const struct batch *batch, unsigned flow, uint32_t outcome)
{
    const uint32_t allowed = soak_allowed(pump->state, flow, batch->done);

    pump->exact += (allowed & (allowed - 1)) == 0;
    if (outcome & ~allowed)
        complain(pump, batch, flow, outcome, allowed);
}

static void judge_missing(struct pump *pump)
{
    const struct batch *batch = batch_of(pump, pump->judged_batches);

    for (unsigned i = 0; i < BATCH; i++)
        if (!batch->back[i]) {
            pump->dropped++;
            judge(pump, batch, batch->flows[i], SOAK_DROPPED);
        }
    pump->judged_batches++;
    soak_release(pump->state, batch_of(pump, pump->judged_batches)->done);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void put_number(uint8_t *end, uint64_t batch, uint32_t place)
{
    memcpy(end - SOAK_PAYLOAD, &batch, sizeof(batch));
    memcpy(end - SOAK_PAYLOAD + 8, &place, sizeof(place));
}

static struct rte_mbuf *make_packet(struct pump *pump, unsigned flow, uint64_t batch,
                                    uint32_t place)
{
    const struct sample *frame = &pump->frames[flow];
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pump->pool);
    uint8_t *bytes;

    MUST(mbuf);
    bytes = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)frame->n);
    MUST(bytes);
    memcpy(bytes, frame->bytes, frame->n);
    put_number(bytes + frame->n, batch, place);
    return mbuf;
}

static void send_batch(struct pump *pump)
{
    struct batch *batch = batch_of(pump, pump->sent_batches);
    struct rte_mbuf *mbufs[BATCH];
    unsigned sent = 0;

    *batch = (struct batch){.number = pump->sent_batches, .done = soak_done(pump->state)};
    for (unsigned i = 0; i < BATCH; i++) {
        batch->flows[i] =
            i == BATCH - 1 ? SOAK_STEADY : test_random_below(&pump->random, SOAK_STEADY);
        mbufs[i] = make_packet(pump, batch->flows[i], batch->number, i);
    }
    while (sent < BATCH)
        sent += rte_eth_tx_burst(pump->port, 0, mbufs + sent, (uint16_t)(BATCH - sent));
    pump->sent_batches++;
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* Which appliance has it, and is it the packet that was sent, but for what a router does to it? */
static bool read_outcome(const struct pump *pump, unsigned flow, const struct rte_mbuf *mbuf,
                         uint32_t *outcome)
{
    const struct sample *frame = &pump->frames[flow];
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const unsigned vlan = bytes[14] << 8 | bytes[15], appliance = vlan - SOAK_VLAN_APPLIANCE;
    const unsigned ttl_at = frame->bytes[17] == 0 ? 18 + 8 : 18 + 7; /* 0x0800 or 0x86dd */
    uint8_t mac[6];

    if (rte_pktmbuf_data_len(mbuf) != frame->n || appliance >= SOAK_APPLIANCES)
        return false;
    soak_appliance_mac(appliance, mac);
    *outcome = 1u << appliance;
    return memcmp(bytes, mac, sizeof(mac)) == 0 && bytes[ttl_at] == frame->bytes[ttl_at] - 1 &&
           (ttl_at != 18 + 8 || sum16(bytes + 18, 20, 0) == 0xffff) &&
           memcmp(bytes + 18 + 12, frame->bytes + 18 + 12, frame->n - 18 - 12 - SOAK_PAYLOAD) == 0;
}

static void take(struct pump *pump, const struct rte_mbuf *mbuf)
{
    const uint8_t *end = rte_pktmbuf_mtod(mbuf, const uint8_t *) + rte_pktmbuf_data_len(mbuf);
    struct batch *batch;
    uint64_t number;
    uint32_t place, outcome = 0;

    memcpy(&number, end - SOAK_PAYLOAD, sizeof(number));
    memcpy(&place, end - SOAK_PAYLOAD + 8, sizeof(place));
    batch = batch_of(pump, number);
    if (number < pump->judged_batches || number >= pump->sent_batches || place >= BATCH ||
        batch->back[place] || !read_outcome(pump, batch->flows[place], mbuf, &outcome)) {
        if (pump->wrong++ < COMPLAINTS)
            fprintf(stderr, "a packet late, twice or damaged: batch %" PRIu64 ", %u\n", number,
                    place);
        return;
    }
    batch->back[place] = true;
    pump->forwarded++;
    judge(pump, batch, batch->flows[place], outcome);
}

static unsigned receive(struct pump *pump)
{
    struct rte_mbuf *mbufs[BURST];
    const unsigned n = rte_eth_rx_burst(pump->port, 0, mbufs, BURST);

    for (unsigned i = 0; i < n; i++) {
        take(pump, mbufs[i]);
        rte_pktmbuf_free(mbufs[i]);
    }
    return n;
}

/* The last batch but one can be judged when all of the one after the next is there. */
static bool can_judge(struct pump *pump)
{
    const uint64_t witness = pump->judged_batches + 2;

    return witness < pump->sent_batches && batch_of(pump, witness)->back[BATCH - 1];
}

static void *run_pump(void *argument)
{
    struct pump *pump = argument;
    const time_t patience = WAIT_MS / 1000;
    time_t last = time(NULL);

    while (!atomic_load(&pump->over)) {
        if (pump->sent_batches - pump->judged_batches < BATCHES)
            send_batch(pump);
        if (receive(pump) > 0)
            last = time(NULL);
        else
            sched_yield();
        while (can_judge(pump))
            judge_missing(pump);
        if (time(NULL) - last > patience) {
            fprintf(stderr, "nothing comes back\n");
            pump->wrong++;
            break;
        }
    }
    /* Whoever waits for notes to be free need not. */
    soak_release(pump->state, UINT64_MAX);
    return NULL;
}

/* --- Ports ------------------------------------------------------------------------------------ */

static struct dp_engine *start_engine(struct soak_state *state, const char *socket)
{
    char options[200], error[DP_ERROR_TEXT];
    struct dp_port_config port = {.name = "trunk", .device = "net_memif", .options = options};
    unsigned core = lab_core();
    struct dp_engine_config config = {
        .ports = &port, .port_count = 1, .cores = &core, .core_count = 1, .quiet = true};
    struct dp_engine *engine;

    snprintf(options, sizeof(options), "role=server,id=0,socket=%s,socket-abstract=no", socket);
    if (dp_engine_start(&config, soak_forwarding(state), &engine, error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return engine;
}

static void open_client(struct pump *pump, const char *socket)
{
    char options[200];
    struct rte_eth_conf conf = {0};
    struct rte_eth_link link = {0};

    snprintf(options, sizeof(options), "role=client,id=0,socket=%s,socket-abstract=no", socket);
    pump->pool = rte_pktmbuf_pool_create("pump", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                         (int)rte_socket_id());
    MUST(pump->pool && rte_eal_hotplug_add("vdev", CLIENT, options) == 0);
    MUST(rte_eth_dev_get_port_by_name(CLIENT, &pump->port) == 0);
    MUST(rte_eth_dev_configure(pump->port, 1, 1, &conf) == 0);
    MUST(rte_eth_rx_queue_setup(pump->port, 0, 1024, 0, NULL, pump->pool) == 0);
    MUST(rte_eth_tx_queue_setup(pump->port, 0, 1024, 0, NULL) == 0);
    MUST(rte_eth_dev_start(pump->port) == 0);
    for (unsigned ms = 0; ms < WAIT_MS && link.link_status != RTE_ETH_LINK_UP; ms++) {
        usleep(1000);
        rte_eth_link_get_nowait(pump->port, &link);
    }
    MUST(link.link_status == RTE_ETH_LINK_UP);
}

/* EAL's thread closes the other end, once it has heard: the engine shall not close it at the same time. */
static void wait_for_other_end(void)
{
    struct rte_eth_link link = {.link_status = RTE_ETH_LINK_UP};
    uint16_t port;

    RTE_ETH_FOREACH_DEV(port)
    {
        for (unsigned ms = 0; link.link_status == RTE_ETH_LINK_UP && ms < WAIT_MS; ms++) {
            usleep(1000);
            rte_eth_link_get_nowait(port, &link);
        }
    }
    usleep(50000);
}

static void close_client(struct pump *pump)
{
    rte_eth_dev_stop(pump->port);
    rte_eth_dev_close(pump->port);
    wait_for_other_end();
}

#ifdef __SANITIZE_THREAD__
/* A memif's ends are made and closed by the caller and by EAL's own thread in turn, which say so to each
 * other in ways that the sanitizer, to which both libraries are opaque, does not see. Workers are no threads
 * of EAL's: what they read and write themselves is watched. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:librte_net_memif.so\nrace:librte_eal.so\n";
}
#endif

/* --- The program ------------------------------------------------------------------------------ */

/* Only these may keep a packet from where it goes. */
static bool counters_are_right(const struct pump *pump)
{
    struct dp_counters counters;

    dp_counters_total(soak_forwarding(pump->state), &counters);
    return counters_add_up(&counters) && counters.received >= pump->forwarded &&
           counters_dropped(&counters) == counters.dropped[DP_REASON_NO_ROUTE] +
                                              counters.dropped[DP_REASON_NULL_ROUTE] +
                                              counters.dropped[DP_REASON_NO_MEMBER];
}

static void print(const struct pump *pump, uint64_t seed)
{
    const struct soak_tally *tally = soak_tally(pump->state);

    printf("seed %" PRIu64 "\n%" PRIu64 " packets: %" PRIu64 " forwarded, %" PRIu64
           " dropped; of %" PRIu64 " one outcome alone was right; wrong: %" PRIu64 "\n",
           seed, pump->forwarded + pump->dropped, pump->forwarded, pump->dropped, pump->exact,
           pump->wrong);
    printf("%" PRIu64 " changes; %" PRIu64 " notes of what is right\n", tally->changes,
           tally->notes);
    for (unsigned i = 0; i < SOAK_CHANGES; i++)
        printf("%10" PRIu64 "  %s\n", tally->kinds[i], soak_change_names[i]);
}

static bool run(struct pump *pump, double seconds)
{
    struct test_random random = test_random_start();
    const uint64_t seed = random.seed;
    struct timespec begin, now;
    pthread_t thread;

    pump->random = (struct test_random){.state = seed ^ 0x5eed};
    MUST(pthread_create(&thread, NULL, run_pump, pump) == 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        soak_change(pump->state, &random);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec) <
             seconds);
    atomic_store(&pump->over, true);
    pthread_join(thread, NULL);
    print(pump, seed);
    return pump->wrong == 0 && pump->forwarded > 0 && pump->dropped > 0 &&
           soak_tally(pump->state)->changes > 0;
}

static void make_samples(struct pump *pump)
{
    static struct frame frame;

    for (unsigned flow = 0; flow <= SOAK_STEADY; flow++) {
        struct sample *sample = &pump->frames[flow];

        soak_frame(flow, &frame);
        MUST(frame.captured <= FRAME_MOST);
        sample->n = frame.captured;
        memcpy(sample->bytes, frame.bytes, sample->n);
    }
}

int main(int argc, char **argv)
{
    static struct pump pump;
    const double seconds = argc > 1 ? atof(argv[1]) : 2;
    char directory[] = "/tmp/fingerpost-soak.XXXXXX", socket[64];
    struct lpm *lpm = lpm_create();
    struct dp_engine *engine;
    bool good;

    MUST(lpm && mkdtemp(directory));
    snprintf(socket, sizeof(socket), "%s/memif", directory);
    pump.state = soak_state_create(lpm);
    make_samples(&pump);
    engine = start_engine(pump.state, socket);
    open_client(&pump, socket);
    for (unsigned ms = 0; ms < WAIT_MS && !dp_engine_port_link(engine, 0); ms++)
        usleep(1000); /* what comes before is dropped */
    good = run(&pump, seconds);
    /* What is under way, on however busy a machine. */
    for (unsigned ms = 0; ms < WAIT_MS && !counters_are_right(&pump); ms++)
        usleep(1000);
    good &= counters_are_right(&pump);
    close_client(&pump);
    dp_engine_stop(engine);
    soak_state_destroy(pump.state);
    lpm_destroy(lpm);
    unlink(socket);
    rmdir(directory);
    return good ? 0 : 1;
}

/* See express.h. */
#include "dataplane/express.h"

#include "dataplane/columns.h"
#include "dataplane/express_admit.h"
#include "dataplane/watch.h"

/* --- Senders ---------------------------------------------------------------------------------- */

/* What all steps read of a burst; asks for the headers. */
static void begin(struct dp_express *express, struct rte_mbuf **mbufs, unsigned n)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *mbuf = mbufs[i];
        uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
        __builtin_prefetch(frame);
        express->mbufs[i] = mbuf;
        express->frames[i] = frame;
        bytes += rte_pktmbuf_pkt_len(mbuf);
    }
    express->n = n;
    express->bytes = bytes;
    express->left = 0;
    express->four.n = express->six.n = express->rest_n = 0;
}

/* A port that guests share: which of them has the source MAC. Each step is done for all frames before
 * the next, so that slots, ids and records come from memory side by side. Most are at the first slot
 * of their hash; the others are looked for in full. */
static void find_by_mac(const struct dp_path *path, const struct dp_port_table *table,
                        const struct dp_mac_table *macs, uint16_t port,
                        const struct dp_express *express, const struct dp_nic **senders)
{
    const struct dp_forwarding *forwarding = path->forwarding;
    uint8_t *const *frames = express->frames;
    uint32_t slots[DP_BURST];

    for (unsigned i = 0; i < express->n; i++) {
        slots[i] =
            dp_express_is_whole(express->mbufs[i]) ? dp_mac_hash(0, frames[i] + 6) & macs->mask : 0;
        __builtin_prefetch(&macs->slots[slots[i]]);
    }
    for (unsigned i = 0; i < express->n; i++) {
        const uint32_t nic = atomic_load_explicit(&macs->slots[slots[i]], memory_order_acquire);
        senders[i] = dp_nic_read(forwarding, nic);
        __builtin_prefetch(senders[i]);
        __builtin_prefetch(&path->counters->express[senders[i] ? nic : 0], 1);
    }
    for (unsigned i = 0; i < express->n; i++) {
        if (!dp_express_is_whole(express->mbufs[i]))
            senders[i] = NULL;
        else if (!dp_nic_holds_mac(senders[i], port, frames[i] + 6))
            senders[i] =
                dp_nic_read(forwarding, dp_classify(forwarding, table, port, 0, frames[i] + 6));
    }
}

/* true: all are of senders[0], or nobody's where that is NULL. */
static bool find_senders(const struct dp_path *path, uint16_t port,
                         const struct dp_express *express, const struct dp_nic **senders)
{
    const struct dp_port_table *table = dp_port_table(path->forwarding, port);
    const struct dp_mac_table *macs = table ? lpm_rcu_dereference(&table->by_mac) : NULL;
    const struct dp_nic *whole;

    if (macs) {
        find_by_mac(path, table, macs, port, express, senders);
        return false;
    }
    whole = table ? dp_nic_read(path->forwarding,
                                atomic_load_explicit(&table->whole, memory_order_acquire))
                  : NULL;
    for (unsigned i = 0; i < express->n; i++)
        senders[i] = whole;
    return true;
}

/* What is observed goes the long way, where it is seen. */
static void leave_observed(const struct dp_watch *watch, const struct dp_nic **senders, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (senders[i] && dp_watch_wants(watch, senders[i]->id))
            senders[i] = NULL;
    }
}

/* --- Admission -------------------------------------------------------------------------------- */

void dp_express_admit(const struct dp_path *path, struct dp_express *express, uint16_t port,
                      struct rte_mbuf **mbufs, unsigned n)
{
    const bool decrement_ttl = path->forwarding->config.decrement_ttl;
    const struct dp_gate gate = {.ttl_least = decrement_ttl ? 2 : 0,
                                 .check_source = !path->options.skip_source_check,
                                 .decrement_ttl = decrement_ttl};
    const struct dp_nic *senders[DP_BURST];
    unsigned done = 0;
    bool one;

    begin(express, mbufs, n);
    one = find_senders(path, port, express, senders);
    if (path->watch)
        leave_observed(path->watch, senders, n);
    if (express->columns)
        done = express->columns->admit(&gate, express, senders, one);
    for (; done < n; done++)
        dp_express_admit_one(&gate, express, done, senders[done]);
}

/* --- Lookup ----------------------------------------------------------------------------------- */

void dp_express_look_up(struct dp_express *express)
{
    if (express->four.n > 0)
        lpm_lookup_bulk4(express->four.fibs, express->addresses4, express->four.leaves,
                         express->four.n);
    if (express->six.n > 0)
        lpm_lookup_bulk6(express->six.fibs, (const uint8_t(*)[16])express->addresses6,
                         express->six.leaves, express->six.n);
}

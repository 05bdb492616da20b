/*
 * What the stages around the decision note in a trace, where path->options.trace is not NULL: see
 * trace_steps.h. Internal; DPDK types. The frame that is traced is the only one of its burst.
 */
#ifndef DATAPLANE_TRACE_NOTES_H
#define DATAPLANE_TRACE_NOTES_H

#include "dataplane/express.h"
#include "dataplane/trace_steps.h"

/* --- The long way ----------------------------------------------------------------------------- */

/* burst is classified. */
void dp_trace_classified(struct dp_trace_record *record, const struct dp_burst *burst);
/* Its frame was in a tunnel to us. */
void dp_trace_decapsulated(struct dp_trace_record *record, uint32_t vni,
                           const struct lpm_address *remote);
/* Its frame is parsed, as *packet, or NULL: it could not be. */
void dp_trace_parsed(struct dp_trace_record *record, const struct dp_packet *packet);
/* Another host has decided that it goes to receiver. */
void dp_trace_sent_on(struct dp_trace_record *record, const struct dp_packet *packet,
                      const struct dp_nic *receiver);
void dp_trace_answered(struct dp_trace_record *record, enum dp_trace_answer answer);
void dp_trace_icmp(struct dp_trace_record *record, uint8_t type, uint8_t code, uint16_t mtu);
void dp_trace_rewritten(struct dp_trace_record *record, uint8_t ttl_before, uint8_t ttl);
void dp_trace_fragmented(struct dp_trace_record *record, uint16_t mtu, unsigned pieces);
void dp_trace_encapsulated(struct dp_trace_record *record, uint32_t vni,
                           const struct lpm_address *remote);

/* --- The express way -------------------------------------------------------------------------- */

/* Its lane's only frame has found its group, NULL: none that the express way follows, and by bucket
 * and map the member, told by its counter, or the receiver's id; before it is rewritten. */
struct dp_trace_find {
    const struct dp_group *group;
    uint32_t hash, bucket, counter;
    const struct lpm_fib *map; /* of a VNet; NULL: the group is none */
    uint32_t leaf;             /* that map gave */
    const struct dp_nic *receiver;
};
void dp_trace_express_found(const struct dp_path *path, const struct dp_express_lane *lane,
                            uint8_t family, const struct dp_trace_find *find);
/* The express way is done with mbuf, or was not asked about it. */
void dp_trace_express(const struct dp_path *path, const struct dp_express *express,
                      const struct rte_mbuf *mbuf);

/* --- Transmission ----------------------------------------------------------------------------- */

/* tx is about to be sent; and the first `sent` of its frames were taken. */
void dp_trace_leaving(const struct dp_path *path, const struct dp_tx *tx);
void dp_trace_left(const struct dp_path *path, const struct dp_tx *tx, unsigned sent);

#endif

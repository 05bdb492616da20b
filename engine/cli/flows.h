/*
 * What the records of a replay say about flows: how they were shared out among next hops, and which
 * moved.
 */
#ifndef ENGINE_CLI_FLOWS_H
#define ENGINE_CLI_FLOWS_H

#include "dataplane/dataplane.h"

/* What one next hop got, and behind a load balancer's frontend one backend of it. */
struct flow_share {
    uint32_t
        next_hop; /* dp_next_hop_address(); 0: delivered without one (VNet-local, Internet, …) */
    uint32_t backend; /* likewise, of the backend; 0: the next hop is no frontend */
    uint64_t packets, bytes, flows;
};
/* Shares of records[0..n), by next hop and backend. *shares is malloc'ed. 0 or -ENOMEM. */
int flow_shares(const struct dp_replay_record *records, size_t n, struct flow_share **shares,
                size_t *share_count);

/* Flows by how many packets they have: of flow_sizes()[i], from 2^i on and below 2^(i + 1). */
#define FLOW_SIZES 64
struct flow_size {
    uint64_t flows, packets, bytes;
};
/* Of all IP packets of records[0..n), whatever became of them. 0 or -ENOMEM. */
int flow_sizes(const struct dp_replay_record *records, size_t n,
               struct flow_size sizes[FLOW_SIZES]);

/* Flows seen on both sides of a change at record `at`. */
struct flow_moves {
    uint64_t seen;  /* on both sides, by way of a next hop before */
    uint64_t moved; /* their next hop, or backend, after is another one */
    uint64_t
        moved_needlessly; /* of these: the next hop that they had was not the one that was lost */
};
/* lost: the next hops, or backends, that went away. 0 or -ENOMEM. */
int flow_moves(const struct dp_replay_record *records, size_t n, size_t at, const uint32_t *lost,
               size_t lost_count, struct flow_moves *moves);

#endif

/*
 * The oracle of the decision: the packet walk in its plainest form, one packet at a time over
 * lists.
 *
 * It remembers what was configured and asks the code under test for nothing but the hash of a flow,
 * the members of a group in order and who has a bucket, which have tests of their own.
 */
#ifndef TESTS_DATAPLANE_MODEL_H
#define TESTS_DATAPLANE_MODEL_H

#include "dataplane/dataplane.h"

#define MODEL_NICS      24
#define MODEL_VNETS     4
#define MODEL_GROUPS    24
#define MODEL_FIBS      8
#define MODEL_ROUTES    64
#define MODEL_ADDRESSES 64
#define MODEL_LIST      4

struct model_fib {
    struct lpm_fib *fib;
    struct lpm_route routes[MODEL_ROUTES]; /* no prefix twice */
    unsigned count;
};

struct model_nic {
    bool set;
    struct dp_nic_config config; /* its arrays are the two below */
    struct lpm_address addresses[MODEL_LIST];
    struct lpm_prefix subnets[MODEL_LIST];
    const struct model_fib *fib4, *fib6;
};

struct model_vnet {
    bool set;
    struct lpm_prefix space[MODEL_LIST];
    unsigned space_count;
    struct dp_vnet_address map[MODEL_ADDRESSES]; /* no address twice */
    unsigned map_count;
};

struct model_group {
    uint32_t id; /* 0: not there */
    struct dp_group_config config;
    struct dp_member members[DP_GROUP_MEMBER_MAX];
};

struct model {
    struct dp_forwarding *forwarding;
    struct dp_forwarding_config config;
    struct model_nic nics[MODEL_NICS + 1];
    struct model_vnet vnets[MODEL_VNETS + 1];
    struct model_group groups[MODEL_GROUPS];
    struct model_fib fibs4[MODEL_FIBS], fibs6[MODEL_FIBS];
};

/* What should become of a packet that nic sends. */
struct dp_verdict model_decide(const struct model *model, uint32_t nic,
                               const struct dp_packet *packet, bool skip_source_check);

/* Puts or removes (nic and group 0) an address in a VNet's map. */
void model_map_set(struct model_vnet *vnet, const struct dp_vnet_address *entry);
/* Puts or removes (leaf 0) a route. */
void model_route_set(struct model_fib *fib, const struct lpm_prefix *prefix, uint32_t leaf);

#endif

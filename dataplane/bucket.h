/*
 * Bucket tables: which member of a next-hop group a flow's hash leads to.
 *
 * Used by the control thread. A table is a pure function of its members' addresses and weights and
 * of the way of filling; groups with equal members share one, so both directions of a flow agree
 * whatever groups they meet, on any host.
 */
#ifndef DATAPLANE_BUCKET_H
#define DATAPLANE_BUCKET_H

#include "dataplane/writer.h"

struct dp_bucket_identity {
    struct lpm_address address;
    uint32_t weight; /* at least 1 */
};

struct dp_bucket_table {
    struct dp_bucket_table *next; /* in its chain of dp_forwarding_writer.tables */
    uint64_t content;             /* hash of what it is a function of */
    unsigned references;          /* groups that use it, the deferred ones included */
    bool strict;
    unsigned member_count;              /* 1 .. DP_GROUP_MEMBER_MAX */
    uint32_t bucket_count;              /* dp_bucket_count(member_count) */
    uint32_t held[DP_GROUP_MEMBER_MAX]; /* how many buckets each member has */
    struct dp_bucket_identity members[DP_GROUP_MEMBER_MAX];
    uint8_t buckets[]; /* index of a member */
};

/* The named rule. One member needs no choice. For any more the number does not depend on how many
 * there are: it names the same slice of flows before and after a member comes or goes, without
 * which surviving flows would move. 16,384 keeps the fullest of 16 members near 5 % of the mean. */
static inline uint32_t dp_bucket_count(unsigned member_count)
{
    return member_count <= 1 ? 1 : 16384;
}

/* members sorted by address, no two equal. previous: a table to start from, where most members are
 * the same (NULL: none); it changes the time taken, never the outcome. NULL: no memory. */
struct dp_bucket_table *dp_bucket_table_get(struct dp_forwarding *forwarding,
                                            const struct dp_bucket_identity *members,
                                            unsigned member_count, bool strict,
                                            const struct dp_bucket_table *previous);
/* Gives up one reference. No reader may look at the table through it any more. */
void dp_bucket_table_put(struct dp_forwarding *forwarding, struct dp_bucket_table *table);

#endif

/*
 * Bucket tables: which member of a next-hop group a flow's hash leads to.
 *
 * Used by the control thread. A table is a pure function of its members' addresses and weights and
 * of the way of filling; groups with equal members share one, so both directions of a flow agree
 * whatever groups they meet, on any host. With a history (history.c) it is on its way there, and
 * groups share it all the same: both directions agree on this host.
 */
#ifndef DATAPLANE_BUCKET_H
#define DATAPLANE_BUCKET_H

#include "dataplane/writer.h"

struct dp_bucket_identity {
    struct lpm_address address;
    uint32_t weight; /* at least 1 */
    bool draining;
};

#define DP_BUCKET_GONE UINT8_MAX /* no member */

/* See history.c. */
struct dp_bucket_history {
    uint8_t *wanted; /* [bucket_count]: who is to have it, by the pure fill */
    uint32_t *due;   /* [bucket_count]: of those that another one has: moves by then */
    uint32_t unsettled;
    _Atomic uint32_t *stamps; /* [workers][bucket_count] */
};

struct dp_bucket_table {
    struct dp_bucket_table *next; /* in its chain of dp_forwarding_writer.tables */
    uint64_t content;             /* hash of what it is a function of */
    unsigned references;          /* groups that use it, the deferred ones included */
    unsigned in_force;                  /* groups that use it, without those */
    bool strict;
    struct dp_patience patience;        /* all 0 where nothing waits */
    struct dp_bucket_history *history;  /* NULL: a pure function of the members */
    unsigned member_count;              /* 1 .. DP_GROUP_MEMBER_MAX */
    uint32_t bucket_count;              /* dp_bucket_count() */
    uint32_t held[DP_GROUP_MEMBER_MAX]; /* how many buckets each member has */
    struct dp_bucket_identity members[DP_GROUP_MEMBER_MAX];
    uint8_t buckets[]; /* index of a member */
};

/* The named rule. One member needs no choice; but whose flows are to stay when another one comes must be
 * seen in their buckets before. For any more the number does not depend on how many
 * there are: it names the same slice of flows before and after a member comes or goes, without
 * which surviving flows would move. 16,384 keeps the fullest of 16 members near 5 % of the mean. */
static inline uint32_t dp_bucket_count(unsigned member_count, bool sticky)
{
    return member_count <= 1 && !sticky ? 1 : 16384;
}

/* What a table is known by. members sorted by address, no two equal. */
struct dp_bucket_request {
    struct dp_bucket_identity members[DP_GROUP_MEMBER_MAX];
    unsigned member_count;
    bool strict;
    struct dp_patience patience;
};
/* previous: the table before (NULL: none); without a history it changes the time taken, never the outcome.
 * NULL: no memory. */
struct dp_bucket_table *dp_bucket_table_get(struct dp_forwarding *forwarding,
                                            const struct dp_bucket_request *request,
                                            const struct dp_bucket_table *previous);
/* A group that has the table is not in force any more, but readers may still look at it. */
static inline void dp_bucket_table_leave(struct dp_bucket_table *table)
{
    table->in_force--;
}
/* Gives up one reference. No reader may look at the table through it any more. */
void dp_bucket_table_put(struct dp_forwarding *forwarding, struct dp_bucket_table *table);

/* Who is looking at it is told by dp_bucket_read(). */
static inline void dp_bucket_write(uint8_t *bucket, uint8_t member)
{
    __atomic_store_n(bucket, member, __ATOMIC_RELAXED);
}

struct dp_bucket_history *dp_bucket_history_create(const struct dp_forwarding *forwarding,
                                                   uint32_t bucket_count);
void dp_bucket_history_destroy(struct dp_bucket_history *history); /* NULL is allowed */
/* table has its pure fill; gives the former holders of previous (NULL: there is none) what they keep. */
void dp_bucket_history_begin(const struct dp_forwarding *forwarding, struct dp_bucket_table *table,
                             const struct dp_bucket_table *previous);

#endif

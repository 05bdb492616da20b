/*
 * One route in place of several (RFC 4271 section 9.2.2.2): what a summary is made of, kept so that a
 * contributing route comes and goes in constant time, whatever the number of the others.
 *
 *   contributors --add, remove--> struct rib_aggregate --build--> attributes of the summary
 *
 *   ORIGIN            the worst of theirs
 *   AS_PATH           empty. An AS_SET of their ASes may not be sent (RFC 9774), and who summarises says
 *                     that it knows the way; AGGREGATOR says who that is
 *   ATOMIC_AGGREGATE  where that lost an AS of theirs, or one of them had it
 *   NEXT_HOP          theirs where all have the same; else none: who builds says which
 *   MED               theirs where all have the same; else none
 *   communities       none
 *   LOCAL_PREF        none
 *
 * The rule's own changes come on top.
 *
 * Whether all numbers of a list are alike is known without a list: they are exactly when their variance is
 * zero, n * sum(x^2) == sum(x)^2, in whole numbers. Pure; one thread.
 */
#ifndef ENGINE_RIB_AGGREGATE_H
#define ENGINE_RIB_AGGREGATE_H

#include "engine/bgp/attributes.h"

/* Of numbers below 2^32, fewer than 2^32 of them: nothing overflows. */
struct rib_agreement {
    uint64_t sum;
    unsigned __int128 squares;
};

/* All zero: nothing contributes. */
struct rib_aggregate {
    uint32_t n;          /* routes that contribute */
    uint32_t stale;      /* of these: the last choice (RFC 9494) */
    uint32_t origins[3]; /* by enum bgp_origin */
    uint32_t with_path;  /* have an AS in AS_PATH, or ATOMIC_AGGREGATE */
    uint32_t with_otc;   /* have Only to Customer (RFC 9234) */
    struct rib_agreement next_hop[5], med[2];
};

void rib_aggregate_add(struct rib_aggregate *aggregate, const struct bgp_attributes *attributes,
                       bool stale);
/* What was added before in the same way. */
void rib_aggregate_remove(struct rib_aggregate *aggregate, const struct bgp_attributes *attributes,
                          bool stale);
/* The next hop that all have; family 0: they differ, or have none. */
struct lpm_address rib_aggregate_next_hop(const struct rib_aggregate *aggregate);
/* Begins the summary's set in builder, without a next hop. with_med: where all have the same. */
void rib_aggregate_build(const struct rib_aggregate *aggregate, uint32_t asn, uint32_t identifier,
                         bool with_med, struct bgp_attribute_builder *builder);

#endif

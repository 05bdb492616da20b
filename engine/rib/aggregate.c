/*
 * The sums that a summary is made of.
 */
#include "engine/rib/aggregate.h"

#include <assert.h>
#include <string.h>

static void agree(struct rib_agreement *agreement, uint32_t number, bool comes)
{
    unsigned __int128 square = (unsigned __int128)number * number;

    agreement->sum += comes ? number : -(uint64_t)number;
    agreement->squares += comes ? square : -square;
}

/* Are all n numbers the same, and which? */
static bool agreed(const struct rib_agreement *agreement, uint32_t n, uint32_t *number)
{
    unsigned __int128 sum = agreement->sum;

    if (n == 0 || agreement->squares * n != sum * sum)
        return false;
    *number = (uint32_t)(agreement->sum / n);
    return true;
}

/* Has the path lost an AS when it is empty? */
static bool loses_path(const struct bgp_attributes *attributes)
{
    return attributes->as_path.length > 0 || attributes->flags & BGP_HAS_ATOMIC_AGGREGATE;
}

static void count(struct rib_aggregate *aggregate, const struct bgp_attributes *attributes,
                  bool stale, bool comes)
{
    uint32_t one = comes ? 1 : UINT32_MAX; /* or minus one */
    uint32_t words[4];

    aggregate->n += one;
    aggregate->stale += stale ? one : 0;
    aggregate->origins[attributes->origin] += one;
    aggregate->with_path += loses_path(attributes) ? one : 0;
    aggregate->with_otc += bgp_attributes_otc(attributes) != 0 ? one : 0;
    memcpy(words, attributes->next_hop.bytes, sizeof(words));
    for (unsigned i = 0; i < 4; i++)
        agree(&aggregate->next_hop[i], words[i], comes);
    agree(&aggregate->next_hop[4], attributes->next_hop.family, comes);
    agree(&aggregate->med[0], attributes->med, comes);
    agree(&aggregate->med[1], (attributes->flags & BGP_HAS_MED) != 0, comes);
}

void rib_aggregate_add(struct rib_aggregate *aggregate, const struct bgp_attributes *attributes,
                       bool stale)
{
    count(aggregate, attributes, stale, true);
}

void rib_aggregate_remove(struct rib_aggregate *aggregate, const struct bgp_attributes *attributes,
                          bool stale)
{
    assert(aggregate->n > 0);
    count(aggregate, attributes, stale, false);
}

struct lpm_address rib_aggregate_next_hop(const struct rib_aggregate *aggregate)
{
    struct lpm_address next_hop = {0};
    uint32_t words[4], family;

    for (unsigned i = 0; i < 4; i++)
        if (!agreed(&aggregate->next_hop[i], aggregate->n, &words[i]))
            return next_hop;
    if (!agreed(&aggregate->next_hop[4], aggregate->n, &family))
        return next_hop;
    memcpy(next_hop.bytes, words, sizeof(words));
    next_hop.family = (uint8_t)family;
    return next_hop;
}

void rib_aggregate_build(const struct rib_aggregate *aggregate, uint32_t asn, uint32_t identifier,
                         bool with_med, struct bgp_attribute_builder *builder)
{
    enum bgp_origin origin = BGP_ORIGIN_IGP;
    uint32_t med, has_med;

    if (aggregate->origins[BGP_ORIGIN_INCOMPLETE] > 0)
        origin = BGP_ORIGIN_INCOMPLETE;
    else if (aggregate->origins[BGP_ORIGIN_EGP] > 0)
        origin = BGP_ORIGIN_EGP;
    bgp_builder_originate(builder, origin);
    bgp_builder_set_aggregator(builder, asn, identifier, aggregate->with_path > 0);
    if (with_med && agreed(&aggregate->med[0], aggregate->n, &med) &&
        agreed(&aggregate->med[1], aggregate->n, &has_med) && has_med)
        bgp_builder_set_med(builder, med);
}

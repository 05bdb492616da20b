/*
 * Painting the prefixes of one node over its slots.
 */
#include "lpm/spread.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Slots of prefix number: how many, and the first. */
static unsigned number_width(unsigned number)
{
    return LPM_SLOTS >> (31 - __builtin_clz(number));
}

static unsigned number_first(unsigned number)
{
    return number * number_width(number) - LPM_SLOTS;
}

/* Numbers rise with the length, so a longer prefix paints over the shorter ones that cover it; the
 * longest, most of all, have one slot each. */
static void paint(struct lpm_spread *spread, const struct lpm_routes_node *node)
{
    const uint32_t *value = node->values;

    for (uint64_t bits = node->inner[0]; bits; bits &= bits - 1) {
        unsigned number = (unsigned)__builtin_ctzll(bits);
        unsigned width = number_width(number);
        uint32_t *slot = &spread->leaf[number_first(number)];

        for (unsigned i = 0; i < width; i++)
            slot[i] = *value;
        value++;
    }
    for (uint64_t bits = node->inner[1]; bits; bits &= bits - 1)
        spread->leaf[__builtin_ctzll(bits)] = *value++;
}

void lpm_spread_routes(struct lpm_spread *spread, const struct lpm_routes_node *routes,
                       uint32_t inherited)
{
    for (unsigned i = 0; i < LPM_SLOTS; i++)
        spread->leaf[i] = inherited;
    if (routes)
        paint(spread, routes);
}

/* Making nodes is most of what a change of a route costs, and this was half of that, slot by slot. */
uint64_t lpm_spread_edges(const uint32_t slots[LPM_SLOTS])
{
    uint64_t edges = 1;
    unsigned i = 1;

#ifdef __SSE2__
    for (; i + 4 <= LPM_SLOTS; i += 4) {
        __m128i here = _mm_loadu_si128((const __m128i *)(const void *)&slots[i]);
        __m128i before = _mm_loadu_si128((const __m128i *)(const void *)&slots[i - 1]);
        int equal = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(here, before)));

        edges |= (uint64_t)(~equal & 15) << i;
    }
#endif
    for (; i < LPM_SLOTS; i++)
        edges |= (uint64_t)(slots[i] != slots[i - 1]) << i;
    return edges;
}

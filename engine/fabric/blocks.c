/*
 * Blocks of prefixes: many routes in one line, for limits and scale to be tried with.
 */
#include "engine/fabric/loader.h"
#include "engine/fabric/schema.h"

#include <stddef.h>

static const struct fabric_key block_keys[] = {
    {.name = "within",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_FIELD(fabric_prefix_block, within)},
    {.name = "length",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = 128,
     FABRIC_FIELD(fabric_prefix_block, length)},
    {.name = "count",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = FABRIC_BLOCK_MOST,
     FABRIC_FIELD(fabric_prefix_block, count)},
};
const struct fabric_schema fabric_schema_block = {
    .title = "blocks", .word = "block", FABRIC_KEYS(block_keys), FABRIC_OF(fabric_prefix_block)};

/* The number is added to the bits just before the end of the prefix. */
static struct lpm_prefix prefix_at(const struct fabric_prefix_block *block, uint32_t number)
{
    struct lpm_prefix prefix = block->within;

    prefix.length = (uint8_t)block->length;
    for (unsigned bit = 0; bit < 32 && block->length > bit; bit++) {
        unsigned at = block->length - 1 - bit;

        if (number >> bit & 1)
            prefix.bytes[at / 8] |= (uint8_t)(0x80u >> at % 8);
    }
    return prefix;
}

static bool fits(struct fabric_loader *loader, const struct fabric_prefix_block *block)
{
    unsigned longest = block->within.family == LPM_IPV4 ? 32 : 128;
    unsigned bits = block->length - block->within.length;

    if (block->length >= block->within.length && block->length <= longest &&
        (bits >= 32 || block->count <= UINT64_C(1) << bits))
        return true;
    FABRIC_ERROR(loader, &block->place, "blocks: %s does not hold %u prefixes of length %u",
                 FABRIC_PREFIX(&block->within), block->count, block->length);
    return false;
}

void fabric_blocks_add(struct fabric_loader *loader, const struct fabric_prefix_block *blocks,
                       uint32_t n, struct fabric_prefixes *prefixes)
{
    size_t total = prefixes->n;
    struct lpm_prefix *items;

    for (uint32_t i = 0; i < n; i++) {
        if (!fits(loader, &blocks[i]))
            return;
        total += blocks[i].count;
    }
    if (n == 0)
        return;
    if (total > FABRIC_BLOCK_MOST) {
        FABRIC_ERROR(loader, &blocks[0].place, "blocks: more than %u prefixes together",
                     FABRIC_BLOCK_MOST);
        return;
    }
    items = fabric_loader_array(loader, total, sizeof(*items));
    if (!items)
        return;
    total = prefixes->n;
    for (uint32_t i = 0; i < prefixes->n; i++)
        items[i] = prefixes->items[i];
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < blocks[i].count; j++)
            items[total++] = prefix_at(&blocks[i], j);
    *prefixes = (struct fabric_prefixes){.items = items, .n = (uint32_t)total};
}

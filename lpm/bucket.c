/*
 * Making buckets: the routes below a place spread to ranges, and those laid out.
 */
#include "lpm/bucket.h"

#include "lpm/spread.h"

/* Routes that are not even looked through. Ranges may be fewer or more than routes. */
#define ROUTES_MOST (LPM_BUCKET_MOST + LPM_BUCKET_MOST / 4)

/* Positions are of 36 bits: those of the keys, and what is left of the lowest chunk. */
#define POSITION_BITS 36
#define KEY_SHIFT     (POSITION_BITS - LPM_BUCKET_BITS)
/* Prefix numbers of so many bits into the lowest chunk: 2 .. 7. */
#define LOWEST_INNER UINT64_C(0xfc)

_Static_assert(LPM_BUCKET_MOST == 30 * LPM_BUCKET_BOTTOM_MOST,
               "the keys of a great bucket's two lines are of all its bottoms");
_Static_assert((2 + 30) * LPM_LINE <= LPM_CELL_MOST, "the largest bucket is a cell");

struct ranges {
    const char *window;
    unsigned count;
    uint32_t first[LPM_BUCKET_MOST];
    uint32_t leaf[LPM_BUCKET_MOST];
};

/* --- Ranges ------------------------------------------------------------------------------------ */

/* False: more than room, or one is too long. Counts by whole nodes, so it ends soon where there are
 * too many. */
static bool routes_fit(const char *window, uint32_t routes, unsigned depth, unsigned *room)
{
    const struct lpm_routes_node *node = lpm_routes_at(window, routes);
    unsigned inner = lpm_routes_inner_count(node);
    unsigned children = (unsigned)__builtin_popcountll(node->children);

    if (inner + children > *room)
        return false;
    if (depth + LPM_STRIDE == POSITION_BITS &&
        (node->children || node->inner[1] || (node->inner[0] & ~LOWEST_INNER)))
        return false;
    *room -= inner;
    for (unsigned i = 0; i < children; i++) {
        if (!routes_fit(window, node->values[inner + i], depth + LPM_STRIDE, room))
            return false;
    }
    return true;
}

static bool add_range(struct ranges *ranges, uint64_t position, uint32_t leaf)
{
    if (ranges->count > 0 && ranges->leaf[ranges->count - 1] == leaf)
        return true;
    if (ranges->count == LPM_BUCKET_MOST)
        return false;
    ranges->first[ranges->count] = (uint32_t)(position >> KEY_SHIFT);
    ranges->leaf[ranges->count++] = leaf;
    return true;
}

/* The place that begins at position. False: too many. */
static bool find_ranges(struct ranges *ranges, uint32_t routes, uint32_t inherited, unsigned depth,
                        uint64_t position)
{
    const struct lpm_routes_node *node = lpm_routes_at(ranges->window, routes);
    unsigned shift = POSITION_BITS - LPM_STRIDE - depth;
    const uint32_t *child = node->values + lpm_routes_inner_count(node);
    struct lpm_spread spread;
    uint64_t stops;
    bool fits = true;

    lpm_spread_routes(&spread, node, inherited);
    stops = lpm_spread_edges(spread.leaf) | node->children | node->children << 1;
    for (; fits && stops; stops &= stops - 1) {
        unsigned c = (unsigned)__builtin_ctzll(stops);
        uint64_t at = position | (uint64_t)c << shift;

        if (node->children >> c & 1)
            fits = find_ranges(ranges, *child++, spread.leaf[c], depth + LPM_STRIDE, at);
        else
            fits = add_range(ranges, at, spread.leaf[c]);
    }
    return fits;
}

/* --- Layout ------------------------------------------------------------------------------------ */

static unsigned bottoms_for(unsigned count)
{
    return (count + LPM_BUCKET_BOTTOM_MOST - 1) / LPM_BUCKET_BOTTOM_MOST;
}

static enum lpm_bucket_form form_for(unsigned count)
{
    if (count <= LPM_BUCKET_SHORT_MOST)
        return LPM_BUCKET_SHORT;
    if (count <= LPM_BUCKET_BROAD_MOST)
        return LPM_BUCKET_BROAD;
    return count <= LPM_BUCKET_TALL_MOST ? LPM_BUCKET_TALL : LPM_BUCKET_GREAT;
}

static size_t size_for(unsigned count)
{
    unsigned lines[] = {
        [LPM_BUCKET_SHORT] = 1,
        [LPM_BUCKET_BROAD] = 2,
        [LPM_BUCKET_TALL] = 1 + bottoms_for(count),
        [LPM_BUCKET_GREAT] = 2 + bottoms_for(count),
    };

    return lines[form_for(count)] * LPM_BUCKET_WORDS * sizeof(uint32_t);
}

/* Last address of range i, as a key; the highest from the last range on. */
static uint32_t last_of(const struct ranges *ranges, unsigned i)
{
    return i + 1 < ranges->count ? ranges->first[i + 1] - 1 : UINT32_MAX;
}

/* Keys of the ranges from first on, each standing for as many as step. */
static void fill_keys(uint32_t *words, unsigned n, const struct ranges *ranges, unsigned first,
                      unsigned step)
{
    for (unsigned i = 0; i < n; i++)
        words[i] = last_of(ranges, first + (i + 1) * step - 1);
}

static void fill_values(uint32_t *words, unsigned n, const struct ranges *ranges, unsigned first)
{
    for (unsigned i = 0; i < n; i++)
        words[i] = ranges->leaf[first + i < ranges->count ? first + i : ranges->count - 1];
}

/* The keys of the first two lines are one array of words. */
static void fill_bottoms(uint32_t *line, const struct ranges *ranges, unsigned lines)
{
    uint32_t *bottom = line + lines * LPM_BUCKET_WORDS;

    fill_keys(line + LPM_BUCKET_HEAD, lines * LPM_BUCKET_WORDS - LPM_BUCKET_HEAD, ranges, 0,
              LPM_BUCKET_BOTTOM_MOST);
    for (unsigned at = 0; at < ranges->count; at += LPM_BUCKET_BOTTOM_MOST) {
        fill_keys(bottom, LPM_BUCKET_BOTTOM_MOST, ranges, at, 1);
        fill_values(bottom + LPM_BUCKET_BOTTOM_MOST, LPM_BUCKET_BOTTOM_MOST, ranges, at);
        bottom += LPM_BUCKET_WORDS;
    }
}

/* line: the first, of which keys and values begin behind the head. */
static void fill(uint32_t *line, const struct ranges *ranges)
{
    enum lpm_bucket_form form = form_for(ranges->count);
    unsigned values = lpm_bucket_values(form);

    if (lpm_bucket_has_bottoms(form)) {
        fill_bottoms(line, ranges, form == LPM_BUCKET_GREAT ? 2 : 1);
    } else {
        unsigned end = form == LPM_BUCKET_SHORT ? LPM_BUCKET_WORDS : 2 * LPM_BUCKET_WORDS;

        fill_keys(line + LPM_BUCKET_HEAD, values - LPM_BUCKET_HEAD, ranges, 0, 1);
        fill_values(line + values, end - values, ranges, 0);
    }
}

static uint32_t pack(struct lpm_memory *memory, const struct ranges *ranges)
{
    size_t size = size_for(ranges->count);
    uint32_t cell = lpm_memory_cell(memory, LPM_MEMORY_LOOKUP, size);
    struct lpm_node *head;

    if (!cell)
        return LPM_ENTRY_FAILED;
    head = lpm_memory_at(memory->window, cell);
    head->runs = size;
    head->references = 1;
    fill((uint32_t *)(void *)head, ranges);
    return lpm_entry_of_bucket(cell, form_for(ranges->count));
}

uint32_t lpm_bucket_make(struct lpm_memory *memory, uint32_t routes, uint32_t inherited)
{
    struct ranges ranges;
    unsigned room = ROUTES_MOST;

    ranges.window = memory->window;
    ranges.count = 0;
    if (!routes_fit(memory->window, routes, 0, &room) ||
        !find_ranges(&ranges, routes, inherited, 0, 0))
        return LPM_ENTRY_UNKNOWN;
    return ranges.count == 1 ? ranges.leaf[0] : pack(memory, &ranges);
}

bool lpm_bucket_equal(const char *window, uint32_t a, uint32_t b)
{
    const struct lpm_node *head_a = lpm_memory_at(window, lpm_entry_cell(a));
    const struct lpm_node *head_b = lpm_memory_at(window, lpm_entry_cell(b));

    return lpm_bucket_form(a) == lpm_bucket_form(b) && head_a->runs == head_b->runs &&
           memcmp(&head_a->entries, &head_b->entries, (size_t)head_a->runs - LPM_NODE_HEAD) == 0;
}

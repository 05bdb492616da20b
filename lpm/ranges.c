/*
 * Searching ranges one address at a time, and making them; the sweep that finds them is in sweep.c.
 */
#include "lpm/ranges.h"

#include "lpm/sweep.h"

#include <stdlib.h>

/* --- Searching --------------------------------------------------------------------------------- */

static const struct lpm_slow *slow_of(const struct lpm_ranges *ranges)
{
    return (const struct lpm_slow *)(const void *)lpm_ranges_place(ranges, ranges->slow_at);
}

static uint32_t settle_deep(const struct lpm_ranges *ranges, uint32_t index, uint64_t low)
{
    const struct lpm_slow *slow = slow_of(ranges);
    const struct lpm_deep *deep =
        (const struct lpm_deep *)(const void *)lpm_ranges_place(ranges, slow->deeps_at) + index;
    const uint64_t *lows = (const uint64_t *)(const void *)lpm_ranges_place(ranges, slow->lows_at);
    const uint32_t *values =
        (const uint32_t *)(const void *)lpm_ranges_place(ranges, slow->values_at);
    uint32_t at = deep->first;

    /* The first begins at 0; halve the rest. */
    for (uint32_t count = deep->count; count > 1;) {
        uint32_t half = count / 2;

        if (lows[at + half] <= low)
            at += half;
        count -= half;
    }
    return values[at];
}

/* A removal sends the search on to what is shorter: at most as often as overrides lie in each other. */
static uint32_t settle_cover(const struct lpm_ranges *ranges, uint32_t index, lpm_key address,
                             const char *window, const _Atomic uint32_t *routes)
{
    const struct lpm_cover *covers = (const struct lpm_cover *)(const void *)lpm_ranges_place(
        ranges, slow_of(ranges)->covers_at);
    uint32_t root = atomic_load_explicit(routes, memory_order_acquire);
    unsigned below = 129;

    for (; index != LPM_COVER_NONE; index = covers[index].around) {
        unsigned length = 0;
        uint32_t leaf = lpm_routes_longest(window, root, address, below, &length);

        if (length > covers[index].length)
            return leaf;
        if (covers[index].leaf != LPM_NO_ROUTE)
            return covers[index].leaf;
        below = covers[index].length;
    }
    return lpm_routes_longest(window, root, address, below, &(unsigned){0});
}

uint32_t lpm_ranges_settle(const struct lpm_ranges *ranges, uint32_t value, lpm_key address,
                           const char *window, const _Atomic uint32_t *routes)
{
    if (value & LPM_VALUE_DEEP)
        value = settle_deep(ranges, value & LPM_VALUE_INDEX, (uint64_t)address);
    if (value & LPM_VALUE_COVER)
        value = settle_cover(ranges, value & LPM_VALUE_INDEX, address, window, routes);
    return value;
}

static uint32_t find_value4(const struct lpm_ranges *ranges, uint32_t address)
{
    const uint32_t *root = lpm_ranges_root4(ranges)->keys;
    uint32_t node = lpm_line_before(root, LPM_KEYS_ROOT, address);
    const struct lpm_bottom4 *bottom;

    for (uint32_t level = root[0]; level-- > 0;)
        node = node * LPM_FANOUT +
               lpm_line_before(lpm_ranges_node4(ranges, level, node)->keys, LPM_KEYS_ALL, address);
    bottom = lpm_ranges_bottom4(ranges, node);
    return bottom->values[lpm_line_before(bottom->keys, LPM_BOTTOM4_KEYS, address)];
}

static uint32_t find_value6(const struct lpm_ranges *ranges, uint64_t high)
{
    const uint64_t *root = lpm_ranges_root6(ranges)->keys;
    uint32_t node = lpm_lines_before(root, LPM_KEYS_ROOT, high);
    const struct lpm_bottom6 *bottom;

    for (uint64_t level = root[0]; level-- > 0;)
        node = node * LPM_FANOUT +
               lpm_lines_before(lpm_ranges_node6(ranges, (uint32_t)level, node)->keys, LPM_KEYS_ALL,
                                high);
    bottom = lpm_ranges_bottom6(ranges, node);
    return bottom->values[lpm_lines_before(bottom->keys, LPM_BOTTOM6_KEYS, high)];
}

static uint32_t find_value(const struct lpm_ranges *ranges, enum lpm_family family, lpm_key address)
{
    uint64_t high = (uint64_t)(address >> 64);

    return family == LPM_IPV4 ? find_value4(ranges, (uint32_t)(high >> 32))
                              : find_value6(ranges, high);
}

uint32_t lpm_ranges_look_up(const struct lpm_ranges *ranges, enum lpm_family family,
                            lpm_key address, const char *window, const _Atomic uint32_t *routes)
{
    uint32_t value = find_value(ranges, family, address);

    return value & LPM_VALUE_SLOW ? lpm_ranges_settle(ranges, value, address, window, routes)
                                  : value;
}

bool lpm_ranges_ask(const struct lpm_ranges *ranges, enum lpm_family family, lpm_key address)
{
    uint32_t value = find_value(ranges, family, address);

    if (value & LPM_VALUE_DEEP)
        value = settle_deep(ranges, value & LPM_VALUE_INDEX, (uint64_t)address);
    return (value & LPM_VALUE_COVER) && (value & LPM_VALUE_ASKED);
}

/* --- Layout ------------------------------------------------------------------------------------ */

static size_t round_up(size_t size)
{
    return (size + LPM_LINE - 1) / LPM_LINE * LPM_LINE;
}

static size_t count_of(size_t places, size_t each)
{
    return (places + each - 1) / each;
}

/* What there is to lay out. */
struct content {
    const struct lpm_sweep *sweep;
    size_t key_bytes;  /* 4 or 8 */
    size_t per_bottom; /* ranges */
    size_t bottom_bytes;
    uint32_t levels; /* between root and bottoms */
};

static size_t node_bytes(const struct content *content)
{
    return LPM_FANOUT * content->key_bytes;
}

static size_t slow_bytes(const struct lpm_sweep *sweep)
{
    if (sweep->covers_count == 0 && sweep->deeps_count == 0)
        return 0;
    return sizeof(struct lpm_slow) + sweep->covers_count * sizeof(struct lpm_cover) +
           sweep->deeps_count * sizeof(struct lpm_deep) +
           sweep->lows_count * (sizeof(uint64_t) + sizeof(uint32_t));
}

/* Fills in where everything begins; false where that is beyond 32 bits or the levels. */
static bool lay_out(struct lpm_ranges *head, struct content *content)
{
    size_t nodes = count_of(content->sweep->count, content->per_bottom);
    size_t at = sizeof(*head) + node_bytes(content) + nodes * content->bottom_bytes;

    for (content->levels = 0; nodes > LPM_FANOUT; content->levels++) {
        if (content->levels == LPM_LEVELS)
            return false;
        nodes = count_of(nodes, LPM_FANOUT);
        head->levels_at[content->levels] = (uint32_t)at;
        at += nodes * node_bytes(content);
    }
    if (slow_bytes(content->sweep)) {
        head->slow_at = (uint32_t)at;
        at += slow_bytes(content->sweep);
    }
    head->size = (uint32_t)round_up(at);
    return at <= UINT32_MAX - LPM_LINE;
}

static char *place_of(struct lpm_ranges *ranges, uint32_t at)
{
    return (char *)ranges + at;
}

static void put_key(const struct content *content, char *where, uint64_t key)
{
    uint32_t key4 = (uint32_t)key;

    if (content->key_bytes == sizeof(key4))
        memcpy(where, &key4, sizeof(key4));
    else
        memcpy(where, &key, sizeof(key));
}

/* Last address of range i, as a key; the highest from the last range on. */
static uint64_t last_of(const struct content *content, size_t i)
{
    const struct lpm_sweep *sweep = content->sweep;

    if (i + 1 < sweep->count)
        return sweep->items[i + 1].first - 1;
    return content->key_bytes == sizeof(uint32_t) ? UINT32_MAX : UINT64_MAX;
}

/* n keys, each of which stands for span ranges, from the range first on. */
static void fill_keys(const struct content *content, char *where, size_t n, size_t first,
                      size_t span)
{
    for (size_t i = 0; i < n; i++)
        put_key(content, where + i * content->key_bytes,
                last_of(content, first + (i + 1) * span - 1));
}

static void fill_nodes(struct lpm_ranges *ranges, const struct content *content)
{
    char *root = (char *)(ranges + 1);
    size_t span = content->per_bottom;

    for (uint32_t level = 0; level < content->levels; level++, span *= LPM_FANOUT) {
        size_t keys = count_of(count_of(content->sweep->count, span), LPM_FANOUT) * LPM_FANOUT;

        fill_keys(content, place_of(ranges, ranges->levels_at[level]), keys, 0, span);
    }
    put_key(content, root, content->levels);
    fill_keys(content, root + content->key_bytes, LPM_FANOUT - 1, 0, span);
}

static void fill_bottoms(struct lpm_ranges *ranges, const struct content *content)
{
    const struct lpm_sweep *sweep = content->sweep;
    char *where = (char *)(ranges + 1) + node_bytes(content);

    for (size_t first = 0; first < sweep->count; first += content->per_bottom) {
        char *values = where + content->per_bottom * content->key_bytes;

        fill_keys(content, where, content->per_bottom, first, 1);
        for (size_t i = 0; i < content->per_bottom; i++) {
            size_t at = first + i < sweep->count ? first + i : sweep->count - 1;

            memcpy(values + i * sizeof(uint32_t), &sweep->items[at].value, sizeof(uint32_t));
        }
        where += content->bottom_bytes;
    }
}

static void *copy(struct lpm_ranges *ranges, uint32_t *at, const void *from, size_t bytes)
{
    void *to = place_of(ranges, *at);

    if (bytes)
        memcpy(to, from, bytes);
    *at += (uint32_t)bytes;
    return to;
}

/* The lower halves, of 8 bytes, come first: what is before them is whole cache lines and a header of
 * 16 bytes. */
static void fill_slow(struct lpm_ranges *ranges, const struct lpm_sweep *sweep)
{
    struct lpm_slow slow;
    uint32_t at = ranges->slow_at + (uint32_t)sizeof(slow);

    if (!ranges->slow_at)
        return;
    slow.lows_at = at;
    copy(ranges, &at, sweep->lows, sweep->lows_count * sizeof(uint64_t));
    slow.values_at = at;
    copy(ranges, &at, sweep->low_values, sweep->lows_count * sizeof(uint32_t));
    slow.covers_at = at;
    copy(ranges, &at, sweep->covers, sweep->covers_count * sizeof(struct lpm_cover));
    slow.deeps_at = at;
    copy(ranges, &at, sweep->deeps, sweep->deeps_count * sizeof(struct lpm_deep));
    memcpy(place_of(ranges, ranges->slow_at), &slow, sizeof(slow));
}

static struct lpm_ranges *pack(struct lpm_memory *memory, struct content *content)
{
    struct lpm_ranges head = {.memory = memory};
    struct lpm_ranges *ranges;

    if (!lay_out(&head, content))
        return NULL;
    ranges = lpm_memory_block(memory, LPM_MEMORY_LOOKUP, head.size);
    if (!ranges)
        return NULL;
    *ranges = head;
    fill_nodes(ranges, content);
    fill_bottoms(ranges, content);
    fill_slow(ranges, content->sweep);
    return ranges;
}

/* --- Life -------------------------------------------------------------------------------------- */

struct lpm_ranges *lpm_ranges_make(const struct lpm_ranges_source *source)
{
    bool narrow = source->overs.width == LPM_OVER_WORDS4;
    struct lpm_sweep sweep = {.memory = source->memory};
    struct content content = {
        .sweep = &sweep,
        .key_bytes = narrow ? sizeof(uint32_t) : sizeof(uint64_t),
        .per_bottom = narrow ? LPM_BOTTOM4_RANGES : LPM_BOTTOM6_RANGES,
        .bottom_bytes = narrow ? sizeof(struct lpm_bottom4) : sizeof(struct lpm_bottom6),
    };
    struct lpm_ranges *ranges = NULL;

    if (lpm_sweep_run(&sweep, source) == 0)
        ranges = pack(source->memory, &content);
    lpm_sweep_end(&sweep);
    return ranges;
}

void lpm_ranges_free(struct lpm_ranges *ranges)
{
    if (ranges)
        lpm_memory_free_block(ranges->memory, LPM_MEMORY_LOOKUP, ranges, ranges->size);
}

static void reclaim(struct lpm_rcu_head *head)
{
    struct lpm_ranges *ranges =
        (struct lpm_ranges *)(void *)((char *)head - offsetof(struct lpm_ranges, rcu));

    lpm_memory_free_deferred(ranges->memory, ranges, ranges->size);
}

void lpm_ranges_defer(struct lpm_ranges *ranges)
{
    lpm_memory_defer_block(ranges->memory, LPM_MEMORY_LOOKUP, ranges->size);
    lpm_rcu_defer_lazily(&ranges->rcu, reclaim);
}

/*
 * The sweep goes through the overrides in prefix order, in groups: an override that none covers,
 * and all inside it. With them come the base's routes inside the group, which show wherever they are
 * longer than the overrides around them:
 *
 *      override   |------------- 10.0.0.0/8 -> A -------------|
 *      base            |-- 10.1.0.0/16 -> B --|
 *      override             |- 10.1.7.0/24 gone -|
 *      range      A    B                         (B)          inherit
 *
 * A stack holds the prefixes that the sweep is inside of. Where one begins or ends, a range begins.
 * A removal shows what is below it on the stack, or what the base has around the group.
 *
 * Inside of a short override of a large base there may be very many routes. Beyond some number they
 * are not copied: the group's ranges then say to ask the base (LPM_VALUE_COVER). So a derived FIB
 * costs what its overrides cost, however many routes they lie over.
 */
#include "lpm/sweep.h"

#include <errno.h>

/* Of the base, copied into a group. Asking the base takes as long as three or four searches. */
#define COPIED_MOST 64

struct prefix {
    lpm_key key;
    uint32_t leaf;
    uint8_t length;
};

struct bound {
    lpm_key first;
    uint32_t value;
};

/* A prefix that the sweep is inside of. */
struct opened {
    lpm_key last;
    uint32_t value;
};

struct state {
    struct lpm_sweep *sweep;
    const struct lpm_overs *overs;
    const char *window;
    uint32_t routes;
    /* The group. */
    size_t next, end; /* overrides not yet among prefixes */
    struct prefix *prefixes;
    size_t prefixes_count, prefixes_room;
    size_t copied;
    bool asking; /* the base is to be asked */
    /* All groups. */
    struct opened opened[129];
    unsigned depth;
    struct bound *bounds;
    size_t bounds_count, bounds_room;
};

/* Room for one more. */
static int reserve(struct lpm_memory *memory, void **items, size_t *room, size_t count, size_t size)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *grown;

    if (count < *room)
        return 0;
    grown = lpm_memory_block(memory, LPM_MEMORY_WRITER, wanted * size);
    if (!grown)
        return -ENOMEM;
    if (count)
        memcpy(grown, *items, count * size);
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, *items, *room * size);
    *items = grown;
    *room = wanted;
    return 0;
}

#define RESERVE(memory, items, room, count)                                                        \
    reserve((memory), (void **)&(items), &(room), (count), sizeof(*(items)))

static void release(struct lpm_memory *memory, void *items, size_t room, size_t size)
{
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, items, room * size);
}

/* --- A group's prefixes ------------------------------------------------------------------------ */

static int add_prefix(struct state *state, const struct prefix *prefix)
{
    int status =
        RESERVE(state->sweep->memory, state->prefixes, state->prefixes_room, state->prefixes_count);

    if (status == 0)
        state->prefixes[state->prefixes_count++] = *prefix;
    return status;
}

static int add_over(struct state *state)
{
    struct lpm_over over = lpm_over_at(state->overs, state->next++);

    return add_prefix(
        state,
        &(struct prefix){.key = over.key, .leaf = over.leaf, .length = (uint8_t)over.length});
}

/* A route of the base, after the overrides that come before it. */
static int add_route(void *context, lpm_key key, unsigned length, uint32_t leaf)
{
    struct state *state = context;
    bool hidden = false;

    if (++state->copied > COPIED_MOST)
        return 1;
    while (state->next < state->end) {
        struct lpm_over over = lpm_over_at(state->overs, state->next);
        int order = lpm_key_compare(over.key, over.length, key, length);

        if (order > 0)
            break;
        hidden |= order == 0;
        if (add_over(state) < 0)
            return -ENOMEM;
    }
    if (hidden)
        return 0;
    return add_prefix(state, &(struct prefix){.key = key, .leaf = leaf, .length = (uint8_t)length});
}

/* Gathers the group that begins with override first. */
static int gather(struct state *state, size_t first)
{
    struct lpm_over top = lpm_over_at(state->overs, first);
    lpm_key last = lpm_key_last(top.key, top.length);
    int status;

    state->end = first;
    while (state->end < state->overs->count && lpm_over_at(state->overs, state->end).key <= last)
        state->end++;
    state->next = first;
    state->prefixes_count = state->copied = 0;
    status =
        lpm_routes_each_under(state->window, state->routes, top.key, top.length, add_route, state);
    state->asking = status > 0;
    if (state->asking) {
        state->next = first;
        state->prefixes_count = 0;
        status = 0;
    }
    while (status == 0 && state->next < state->end)
        status = add_over(state);
    return status;
}

/* --- Bounds ------------------------------------------------------------------------------------ */

static int emit(struct state *state, lpm_key first, uint32_t value)
{
    if (state->bounds_count > 0 && state->bounds[state->bounds_count - 1].first == first)
        state->bounds_count--;
    if (state->bounds_count > 0 && state->bounds[state->bounds_count - 1].value == value)
        return 0;
    if (RESERVE(state->sweep->memory, state->bounds, state->bounds_room, state->bounds_count) < 0)
        return -ENOMEM;
    state->bounds[state->bounds_count++] = (struct bound){first, value};
    return 0;
}

/* Ends what lies wholly before next. */
static int close_before(struct state *state, lpm_key next)
{
    int status = 0;

    while (status == 0 && state->depth > 0 && state->opened[state->depth - 1].last < next) {
        lpm_key last = state->opened[--state->depth].last;

        status = emit(state, last + 1,
                      state->depth ? state->opened[state->depth - 1].value : LPM_ENTRY_INHERIT);
    }
    return status;
}

/* What shows where an override takes a route away: the longest that is shorter. */
static uint32_t leaf_around(const struct state *state, const struct prefix *prefix)
{
    unsigned length;

    if (state->depth)
        return state->opened[state->depth - 1].value;
    return lpm_routes_longest(state->window, state->routes, prefix->key, prefix->length, &length);
}

static int add_cover(struct state *state, const struct prefix *prefix, uint32_t *value)
{
    struct lpm_sweep *sweep = state->sweep;
    uint32_t around = LPM_COVER_NONE;

    if (state->depth)
        around = state->opened[state->depth - 1].value & LPM_VALUE_INDEX;
    if (RESERVE(sweep->memory, sweep->covers, sweep->covers_room, sweep->covers_count) < 0)
        return -ENOMEM;
    *value = LPM_VALUE_COVER | (uint32_t)sweep->covers_count;
    sweep->covers[sweep->covers_count++] = (struct lpm_cover){prefix->leaf, prefix->length, around};
    return 0;
}

static int open_prefix(struct state *state, const struct prefix *prefix)
{
    uint32_t value = prefix->leaf;
    int status = close_before(state, prefix->key);

    if (status == 0 && state->asking)
        status = add_cover(state, prefix, &value);
    else if (status == 0 && value == LPM_NO_ROUTE)
        value = leaf_around(state, prefix);
    if (status < 0)
        return status;
    state->opened[state->depth++] =
        (struct opened){.last = lpm_key_last(prefix->key, prefix->length), .value = value};
    return emit(state, prefix->key, value);
}

/* The last address of all has none after it. */
static int close_all(struct state *state)
{
    int status = close_before(state, ~(lpm_key)0);

    state->depth = 0;
    return status;
}

static int sweep_groups(struct state *state)
{
    int status = emit(state, 0, LPM_ENTRY_INHERIT);

    for (size_t first = 0; status == 0 && first < state->overs->count; first = state->end) {
        status = gather(state, first);
        for (size_t i = 0; status == 0 && i < state->prefixes_count; i++)
            status = open_prefix(state, &state->prefixes[i]);
        if (status == 0)
            status = close_all(state);
    }
    return status;
}

/* --- Items ------------------------------------------------------------------------------------- */

static int add_item(struct lpm_sweep *sweep, uint64_t first, uint32_t value)
{
    if (RESERVE(sweep->memory, sweep->items, sweep->items_room, sweep->count) < 0)
        return -ENOMEM;
    sweep->items[sweep->count++] = (struct lpm_sweep_item){first, value};
    return 0;
}

static int add_low(struct lpm_sweep *sweep, uint64_t low, uint32_t value)
{
    if (RESERVE(sweep->memory, sweep->lows, sweep->lows_room, sweep->lows_count) < 0 ||
        RESERVE(sweep->memory, sweep->low_values, sweep->low_values_room, sweep->lows_count) < 0)
        return -ENOMEM;
    sweep->lows[sweep->lows_count] = low;
    sweep->low_values[sweep->lows_count++] = value;
    return 0;
}

/* An upper half within which bounds first .. last - 1 lie. What shows at its end shows on after it,
 * unless a bound is there. */
static int fold_deep(struct lpm_sweep *sweep, const struct bound *bounds, size_t first, size_t last)
{
    uint64_t high = (uint64_t)(bounds[first].first >> 64);
    uint32_t index = (uint32_t)sweep->deeps_count;
    uint32_t start = (uint32_t)sweep->lows_count;
    int status = 0;

    if (RESERVE(sweep->memory, sweep->deeps, sweep->deeps_room, sweep->deeps_count) < 0)
        return -ENOMEM;
    if ((uint64_t)bounds[first].first != 0)
        status = add_low(sweep, 0, bounds[first - 1].value);
    for (size_t i = first; i < last && status == 0; i++)
        status = add_low(sweep, (uint64_t)bounds[i].first, bounds[i].value);
    sweep->deeps[sweep->deeps_count++] =
        (struct lpm_deep){start, (uint32_t)(sweep->lows_count - start)};
    if (status == 0)
        status = add_item(sweep, high, LPM_VALUE_DEEP | index);
    if (status == 0 && high != UINT64_MAX)
        status = add_item(sweep, high + 1, bounds[last - 1].value);
    return status;
}

static int fold6(struct lpm_sweep *sweep, const struct bound *bounds, size_t count)
{
    int status = 0;
    size_t last;

    for (size_t i = 0; i < count && status == 0; i = last) {
        uint64_t high = (uint64_t)(bounds[i].first >> 64);

        for (last = i + 1; last < count && (uint64_t)(bounds[last].first >> 64) == high;)
            last++;
        if (sweep->count > 0 && sweep->items[sweep->count - 1].first == high)
            sweep->count--;
        if (last == i + 1 && (uint64_t)bounds[i].first == 0)
            status = add_item(sweep, high, bounds[i].value);
        else
            status = fold_deep(sweep, bounds, i, last);
    }
    return status;
}

static int fold4(struct lpm_sweep *sweep, const struct bound *bounds, size_t count)
{
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++)
        status = add_item(sweep, (uint64_t)(bounds[i].first >> 96), bounds[i].value);
    return status;
}

/* --- All of it --------------------------------------------------------------------------------- */

int lpm_sweep_run(struct lpm_sweep *sweep, const struct lpm_overs *overs, uint32_t routes)
{
    struct state state = {
        .sweep = sweep,
        .overs = overs,
        .window = sweep->memory->window,
        .routes = routes,
    };
    int status = sweep_groups(&state);

    if (status == 0 && overs->width == LPM_OVER_WORDS4)
        status = fold4(sweep, state.bounds, state.bounds_count);
    else if (status == 0)
        status = fold6(sweep, state.bounds, state.bounds_count);
    release(sweep->memory, state.prefixes, state.prefixes_room, sizeof(*state.prefixes));
    release(sweep->memory, state.bounds, state.bounds_room, sizeof(*state.bounds));
    return status;
}

void lpm_sweep_end(struct lpm_sweep *sweep)
{
    struct lpm_memory *memory = sweep->memory;

    release(memory, sweep->items, sweep->items_room, sizeof(*sweep->items));
    release(memory, sweep->covers, sweep->covers_room, sizeof(*sweep->covers));
    release(memory, sweep->deeps, sweep->deeps_room, sizeof(*sweep->deeps));
    release(memory, sweep->lows, sweep->lows_room, sizeof(*sweep->lows));
    release(memory, sweep->low_values, sweep->low_values_room, sizeof(*sweep->low_values));
}

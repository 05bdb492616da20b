/*
 * The sweep goes through the overrides in prefix order, in groups: an override that none covers,
 * and all inside it. With them come the base's routes inside the group, which decide wherever they
 * are longer than the overrides around them:
 *
 *      override   |------------- 10.0.0.0/8 -> A -------------|
 *      base            |-- 10.1.0.0/16 -> B --|
 *      override             |- 10.1.7.0/24 -> C -|
 *      range      A    inherit  C                inherit  A   inherit
 *
 * A stack holds the prefixes that the sweep is inside of. Where one begins or ends, a range begins.
 * What a removal shows is what the base has around it or what overrides are around it, whichever is
 * longer, and the base is asked for it (LPM_VALUE_COVER).
 *
 * Inside of a short override of a large base there may be very many routes. Beyond some number no
 * ranges are made for them: those of the group then say to ask the base. So a derived FIB costs what
 * its overrides cost, however many routes they lie over.
 */
#include "lpm/sweep.h"

#include <errno.h>

/* Overrides whose nodes of the base's routes are fetched before they are looked at. */
#define AHEAD 16

/* Of the base, in a group. Asking the base takes as long as three or four searches. */
#define ROUTES_MOST 64

struct prefix {
    lpm_key key;
    uint32_t leaf; /* of an override */
    uint8_t length;
    bool is_route; /* of the base, not an override */
};

struct bound {
    lpm_key first;
    uint32_t value;
};

/* A prefix that the sweep is inside of. */
struct opened {
    lpm_key last;
    uint32_t value;
    struct prefix prefix;
    uint32_t cover; /* of an override: its index, or LPM_COVER_NONE as long as it has none */
};

struct state {
    struct lpm_sweep *sweep;
    const struct lpm_ranges_source *source;
    const struct lpm_overs *overs;
    const char *window;
    uint32_t routes;
    size_t changed; /* regions of the source that lie before the group */
    size_t looked;  /* overrides whose nodes are known, of which the last are in nodes */
    uint32_t nodes[AHEAD];
    /* The group. */
    size_t next, end; /* overrides not yet among prefixes */
    struct prefix *prefixes;
    size_t prefixes_count, prefixes_room;
    size_t routes_count;
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

    (void)leaf; /* the base's to change */
    if (++state->routes_count > ROUTES_MOST)
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
    return add_prefix(state,
                      &(struct prefix){.key = key, .length = (uint8_t)length, .is_route = true});
}

/* Is the group of this outermost override to ask, as the source has it? Groups come in order, as the
 * regions are. */
static bool told_to_ask(struct state *state, const struct lpm_over *top)
{
    const struct lpm_ranges_source *source = state->source;
    lpm_key last = lpm_key_last(top->key, top->length);
    enum lpm_family family = state->overs->width == LPM_OVER_WORDS4 ? LPM_IPV4 : LPM_IPV6;

    if (source->asking && lpm_ranges_ask(source->asking, family, top->key))
        return true;
    while (state->changed < source->changed_count &&
           (!source->changed[state->changed].comes ||
            lpm_key_last(source->changed[state->changed].key,
                         source->changed[state->changed].length) < top->key))
        state->changed++;
    return state->changed < source->changed_count && source->changed[state->changed].key <= last;
}

/* Gathers the group that begins with override first. */
static int gather(struct state *state, size_t first)
{
    struct lpm_over top = lpm_over_at(state->overs, first);
    lpm_key last = lpm_key_last(top.key, top.length);
    int status = 1;

    state->end = first;
    while (state->end < state->overs->count && lpm_over_at(state->overs, state->end).key <= last)
        state->end++;
    state->next = first;
    state->prefixes_count = state->routes_count = 0;
    if (!told_to_ask(state, &top))
        status = lpm_routes_each_under(state->window, state->routes, top.key, top.length, add_route,
                                       state);
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

static int new_cover(struct state *state, uint32_t leaf, uint32_t length, uint32_t around,
                     uint32_t *cover)
{
    struct lpm_sweep *sweep = state->sweep;

    if (RESERVE(sweep->memory, sweep->covers, sweep->covers_room, sweep->covers_count) < 0 ||
        sweep->covers_count > LPM_VALUE_INDEX)
        return -ENOMEM;
    *cover = (uint32_t)sweep->covers_count;
    sweep->covers[sweep->covers_count++] = (struct lpm_cover){leaf, length, around};
    return 0;
}

/* The cover of the innermost override that the sweep is inside of; those around it get theirs first.
 * Routes of the base have none: whoever asks meets them. */
static int cover_around(struct state *state, uint32_t *cover)
{
    *cover = LPM_COVER_NONE;
    for (unsigned i = 0; i < state->depth; i++) {
        struct opened *opened = &state->opened[i];

        if (opened->prefix.is_route)
            continue;
        if (opened->cover == LPM_COVER_NONE &&
            new_cover(state, opened->prefix.leaf, opened->prefix.length, *cover, &opened->cover) <
                0)
            return -ENOMEM;
        *cover = opened->cover;
    }
    return 0;
}

/* What shows inside of prefix where nothing longer is. */
static int value_of(struct state *state, struct opened *opened)
{
    const struct prefix *prefix = &opened->prefix;
    uint32_t around;

    opened->value = prefix->is_route ? LPM_ENTRY_INHERIT : prefix->leaf;
    if (prefix->is_route || (!state->asking && prefix->leaf != LPM_NO_ROUTE))
        return 0;
    if (cover_around(state, &around) < 0 ||
        new_cover(state, prefix->leaf, prefix->length, around, &opened->cover) < 0)
        return -ENOMEM;
    opened->value = LPM_VALUE_COVER | (state->asking ? LPM_VALUE_ASKED : 0) | opened->cover;
    return 0;
}

static int open_prefix(struct state *state, const struct prefix *prefix)
{
    struct opened opened = {
        .last = lpm_key_last(prefix->key, prefix->length),
        .prefix = *prefix,
        .cover = LPM_COVER_NONE,
    };
    int status = close_before(state, prefix->key);

    if (status == 0)
        status = value_of(state, &opened);
    if (status < 0)
        return status;
    state->opened[state->depth++] = opened;
    return emit(state, prefix->key, opened.value);
}

/* The node of the base's routes where this override is. */
static uint32_t node_of(struct state *state, size_t at)
{
    for (; state->looked < at + AHEAD && state->looked < state->overs->count; state->looked++) {
        struct lpm_over over = lpm_over_at(state->overs, state->looked);
        uint32_t node = lpm_routes_find(state->window, state->routes, over.key, over.length);

        __builtin_prefetch(lpm_routes_at(state->window, node));
        state->nodes[state->looked % AHEAD] = node;
    }
    return state->nodes[at % AHEAD];
}

/* Most overrides have no other around or inside, and no longer route of the base inside: two bounds. A
 * removal of one has a cover. */
static bool is_lone(struct state *state, size_t at, const struct lpm_over *over)
{
    const struct lpm_overs *overs = state->overs;
    bool asked = state->source->asking || state->source->changed_count > 0;

    if (asked || (at + 1 < overs->count &&
                  lpm_over_at(overs, at + 1).key <= lpm_key_last(over->key, over->length)))
        return false;
    return !lpm_routes_any_under(state->window, node_of(state, at), over->key, over->length);
}

static int sweep_lone(struct state *state, const struct lpm_over *over)
{
    lpm_key last = lpm_key_last(over->key, over->length);
    uint32_t value = over->leaf;
    int status = 0;

    if (value == LPM_NO_ROUTE) {
        status = new_cover(state, LPM_NO_ROUTE, over->length, LPM_COVER_NONE, &value);
        value |= LPM_VALUE_COVER;
    }
    if (status == 0)
        status = emit(state, over->key, value);
    if (status == 0 && last != ~(lpm_key)0)
        status = emit(state, last + 1, LPM_ENTRY_INHERIT);
    return status;
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
        struct lpm_over over = lpm_over_at(state->overs, first);

        if (is_lone(state, first, &over)) {
            status = sweep_lone(state, &over);
            state->end = first + 1;
            continue;
        }
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

int lpm_sweep_run(struct lpm_sweep *sweep, const struct lpm_ranges_source *source)
{
    const struct lpm_overs *overs = &source->overs;
    struct state state = {
        .sweep = sweep,
        .source = source,
        .overs = overs,
        .window = sweep->memory->window,
        .routes = source->routes,
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

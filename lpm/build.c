/*
 * One recursive builder for bases and derived FIBs.
 *
 * Each step spreads the prefixes of one node over its 64 slots (leaf pushing), decides for every
 * slot whether it is a leaf, something shared or something to build, and packs the result. The
 * depth of the recursion is bounded by the address: 6 levels for IPv4, 22 for IPv6.
 */
#include "lpm/direct.h"

#include <string.h>

/* One place while it is being built. */
struct task {
    unsigned depth;
    uint32_t prefix; /* the bits above; right as far as the direct table needs them */
    uint32_t over;
    uint32_t routes;
    uint32_t inherited;
    bool covered; /* by an override above; always, for a base */
    struct lpm_place reference;
    /* The place as it was before, entry LPM_ENTRY_UNKNOWN if it was not. */
    struct lpm_derived before;
    uint32_t before_inherited;
    bool before_covered;
};

/* Leaves of the 64 slots of one node. */
struct spread {
    uint32_t leaf[LPM_SLOTS];
};

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
static void paint(struct spread *spread, const struct lpm_routes_node *node)
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

/* The same with overrides laid upon the routes; a removed one paints nothing. */
static void paint_over(struct spread *spread, const struct lpm_routes_node *routes,
                       const struct lpm_routes_node *over)
{
    for (unsigned half = 0; half < 2; half++) {
        uint64_t bits = over->inner[half] | (routes ? routes->inner[half] : 0);

        for (; bits; bits &= bits - 1) {
            unsigned number = half * 64 + (unsigned)__builtin_ctzll(bits);
            uint32_t leaf = lpm_routes_merged(routes, over, number);
            uint32_t *slot = &spread->leaf[number_first(number)];

            for (unsigned i = 0; leaf && i < number_width(number); i++)
                slot[i] = leaf;
        }
    }
}

static void spread_over(struct spread *spread, const struct lpm_routes_node *routes,
                        const struct lpm_routes_node *over, uint32_t inherited)
{
    for (unsigned i = 0; i < LPM_SLOTS; i++)
        spread->leaf[i] = inherited;
    if (over)
        paint_over(spread, routes, over);
    else if (routes)
        paint(spread, routes);
}

/* Slots that the prefixes of this node cover. */
static uint64_t covered_slots(const struct lpm_routes_node *node)
{
    uint64_t slots = node->inner[1]; /* numbers 64 .. 127 are the slots themselves */

    for (uint64_t bits = node->inner[0]; bits; bits &= bits - 1) {
        unsigned number = (unsigned)__builtin_ctzll(bits);

        slots |= (~UINT64_C(0) >> (64 - number_width(number))) << number_first(number);
    }
    return slots;
}

static const struct lpm_routes_node *routes_or_null(const char *window, uint32_t node)
{
    return node ? lpm_routes_at(window, node) : NULL;
}

/* The reference's own entry for slot c of the place. */
static uint32_t reference_entry(const struct lpm_build *build, const struct task *task, unsigned c)
{
    if (build->direct && task->depth + LPM_STRIDE <= LPM_DIRECT_BITS) {
        if (task->depth + LPM_STRIDE < LPM_DIRECT_BITS)
            return LPM_ENTRY_UNKNOWN;
        return lpm_direct_entry(build->memory->window, build->direct,
                                task->prefix << LPM_STRIDE | c);
    }
    if (!lpm_entry_is_node(task->reference.entry))
        return task->reference.entry;
    return lpm_node_slot(lpm_node_at(build->memory->window, task->reference.entry), c);
}

/* Everything about the slots of a place that is worked out for all of them at once. */
struct slots {
    struct spread wanted;
    struct spread known;  /* of the reference */
    struct spread before; /* if there is a before */
    uint64_t covered;
    uint64_t before_covered;
    uint64_t busy; /* have routes or overrides below them */
};

/* The references are asked only for what hangs below, so without that they need no spreading. */
static void spread_place(struct slots *slots, const struct lpm_build *build,
                         const struct task *task)
{
    const char *window = build->memory->window;
    const struct lpm_routes_node *routes = routes_or_null(window, task->routes);
    const struct lpm_routes_node *over = routes_or_null(window, task->over);
    const struct lpm_routes_node *before = routes_or_null(window, task->before.over);

    spread_over(&slots->wanted, routes, over, task->inherited);
    slots->busy = (routes ? routes->children : 0) | (over ? over->children : 0);
    slots->covered = (over ? covered_slots(over) : 0) | (task->covered ? ~UINT64_C(0) : 0);
    if (!slots->busy)
        return;
    spread_over(&slots->known, routes_or_null(window, task->reference.routes), NULL,
                task->reference.inherited);
    if (task->before.entry == LPM_ENTRY_UNKNOWN)
        return;
    spread_over(&slots->before, routes_or_null(window, task->before.routes), before,
                task->before_inherited);
    slots->before_covered = before ? covered_slots(before) : 0;
}

static uint32_t child_of(const char *window, uint32_t node, unsigned c)
{
    return node ? lpm_routes_child(lpm_routes_at(window, node), c) : 0;
}

static void slot_before(struct task *slot, const struct lpm_build *build, const struct task *task,
                        const struct slots *slots, unsigned c)
{
    const char *window = build->memory->window;
    const struct lpm_derived *before = &task->before;

    slot->before.entry = before->entry;
    if (before->entry == LPM_ENTRY_UNKNOWN)
        return;
    slot->before.over = child_of(window, before->over, c);
    slot->before.routes = child_of(window, before->routes, c);
    slot->before_inherited = slots->before.leaf[c];
    slot->before_covered = task->before_covered || (slots->before_covered >> c & 1);
    if (lpm_entry_is_node(before->entry))
        slot->before.entry = lpm_node_slot(lpm_node_at(window, before->entry), c);
}

/* Slot c of task's place. */
static struct task slot_task(const struct lpm_build *build, const struct task *task,
                             const struct slots *slots, unsigned c)
{
    const char *window = build->memory->window;
    struct task slot = {
        .depth = task->depth + LPM_STRIDE,
        .prefix = task->prefix << LPM_STRIDE | c,
        .over = child_of(window, task->over, c),
        .routes = child_of(window, task->routes, c),
        .inherited = slots->wanted.leaf[c],
        .covered = slots->covered >> c & 1,
        .reference =
            {
                .routes = child_of(window, task->reference.routes, c),
                .entry = reference_entry(build, task, c),
                .inherited = slots->known.leaf[c],
            },
    };

    slot_before(&slot, build, task, slots, c);
    return slot;
}

/* Is the place to be what it was? Overrides are compared by content: an edit copies all of them. */
static bool as_before(const struct lpm_build *build, const struct task *task)
{
    const struct lpm_derived *before = &task->before;

    return before->entry != LPM_ENTRY_UNKNOWN && task->routes == before->routes &&
           task->inherited == task->before_inherited && task->covered == task->before_covered &&
           lpm_routes_equal(build->memory->window, task->over, before->over);
}

static uint32_t build_place(const struct lpm_build *build, const struct task *task);

/* The cheapest way to an entry that shows what the task wants. */
static uint32_t settle(const struct lpm_build *build, const struct task *task)
{
    const struct lpm_place *reference = &task->reference;

    if (as_before(build, task))
        return lpm_node_retain(build->memory, task->before.entry);
    if (task->over)
        return build_place(build, task);
    if (!task->covered)
        return LPM_ENTRY_INHERIT;
    if (task->routes == reference->routes && task->inherited == reference->inherited &&
        reference->entry != LPM_ENTRY_UNKNOWN)
        return lpm_node_retain(build->memory, reference->entry);
    if (!task->routes)
        return task->inherited;
    return build_place(build, task);
}

/* Most slots have nothing below them: a leaf, with no more ado. */
static uint32_t settle_slot(const struct lpm_build *build, const struct task *task,
                            const struct slots *slots, unsigned c)
{
    struct task slot;

    if (!(slots->busy >> c & 1))
        return slots->covered >> c & 1 ? slots->wanted.leaf[c] : LPM_ENTRY_INHERIT;
    slot = slot_task(build, task, slots, c);
    return settle(build, &slot);
}

/* --- A change of the base under the same overrides --------------------------------------------- */

/* It comes to every layer that has an override near, so it pays not to work out a place anew of
 * which only one slot changed, as on the whole way down to the change. */
static bool prefixes_as_before(const struct lpm_build *build, const struct task *task)
{
    const char *window = build->memory->window;
    const struct lpm_derived *before = &task->before;
    const struct lpm_routes_node *now, *then;

    if (before->entry == LPM_ENTRY_UNKNOWN || task->over != before->over || !task->routes ||
        !before->routes || task->inherited != task->before_inherited ||
        task->covered != task->before_covered)
        return false;
    now = lpm_routes_at(window, task->routes);
    then = lpm_routes_at(window, before->routes);
    return now->inner[0] == then->inner[0] && now->inner[1] == then->inner[1] &&
           memcmp(now->values, then->values, lpm_routes_inner_count(now) * sizeof(uint32_t)) == 0;
}

/* Slots below which the routes are others. */
static uint64_t changed_children(const struct lpm_routes_node *a, const struct lpm_routes_node *b)
{
    const uint32_t *left = a->values + lpm_routes_inner_count(a);
    const uint32_t *right = b->values + lpm_routes_inner_count(b);
    uint64_t changed = 0;

    for (uint64_t bits = a->children | b->children; bits; bits &= bits - 1) {
        uint64_t bit = bits & -bits;
        uint32_t child_a = a->children & bit ? *left++ : 0;
        uint32_t child_b = b->children & bit ? *right++ : 0;

        if (child_a != child_b)
            changed |= bit;
    }
    return changed;
}

/* Leaf that slot c takes from the prefixes of this one node. */
static uint32_t slot_leaf(const struct lpm_routes_node *routes, const struct lpm_routes_node *over,
                          unsigned c, uint32_t inherited)
{
    uint32_t leaf = 0;

    for (unsigned number = LPM_SLOTS | c; number > 1 && !leaf; number >>= 1)
        leaf = lpm_routes_merged(routes, over, number);
    return leaf ? leaf : inherited;
}

/* What spread_place() does, for the changed slots alone. Returns which these are. */
static uint64_t spread_changed(struct slots *slots, const struct lpm_build *build,
                               const struct task *task)
{
    const char *window = build->memory->window;
    const struct lpm_routes_node *routes = lpm_routes_at(window, task->routes);
    const struct lpm_routes_node *over = routes_or_null(window, task->over);
    const struct lpm_routes_node *known = routes_or_null(window, task->reference.routes);
    uint64_t changed = changed_children(routes, lpm_routes_at(window, task->before.routes));

    slots->busy = routes->children | (over ? over->children : 0);
    slots->before_covered = over ? covered_slots(over) : 0;
    slots->covered = slots->before_covered | (task->covered ? ~UINT64_C(0) : 0);
    for (uint64_t bits = changed; bits; bits &= bits - 1) {
        unsigned c = (unsigned)__builtin_ctzll(bits);
        uint32_t leaf = slot_leaf(routes, over, c, task->inherited);

        slots->wanted.leaf[c] = slots->before.leaf[c] = leaf;
        slots->known.leaf[c] = slot_leaf(known, NULL, c, task->reference.inherited);
    }
    return changed;
}

static void expand(const char *window, uint32_t entry, uint32_t entries[LPM_SLOTS])
{
    const struct lpm_node *node = lpm_entry_is_node(entry) ? lpm_node_at(window, entry) : NULL;
    unsigned place = 0;

    for (unsigned c = 0; c < LPM_SLOTS; c++) {
        place += node ? node->runs >> c & 1 : 0;
        entries[c] = node ? node->entries[place - 1] : entry;
    }
}

/* --- A place ----------------------------------------------------------------------------------- */

/* Most places of a base have nothing below their slots, so the leaves are the entries. */
static uint32_t build_leaves(const struct lpm_build *build, const struct task *task)
{
    struct spread spread;

    spread_over(&spread, routes_or_null(build->memory->window, task->routes), NULL,
                task->inherited);
    return lpm_node_make(build->memory, spread.leaf);
}

static bool only_leaves(const struct lpm_build *build, const struct task *task)
{
    return task->covered && !task->over && task->routes &&
           !lpm_routes_at(build->memory->window, task->routes)->children;
}

static uint32_t build_place(const struct lpm_build *build, const struct task *task)
{
    struct slots slots;
    uint32_t entries[LPM_SLOTS];
    uint64_t changed = ~UINT64_C(0);

    if (only_leaves(build, task))
        return build_leaves(build, task);
    if (prefixes_as_before(build, task)) {
        changed = spread_changed(&slots, build, task);
        expand(build->memory->window, task->before.entry, entries);
    } else {
        spread_place(&slots, build, task);
    }
    for (unsigned c = 0; c < LPM_SLOTS; c++) {
        entries[c] = changed >> c & 1 ? settle_slot(build, task, &slots, c)
                                      : lpm_node_retain(build->memory, entries[c]);
        if (entries[c] == LPM_ENTRY_FAILED) {
            while (c-- > 0)
                lpm_node_release(build->memory, entries[c]);
            return LPM_ENTRY_FAILED;
        }
    }
    return lpm_node_make(build->memory, entries);
}

uint32_t lpm_build_base(const struct lpm_build *build, unsigned depth, uint32_t prefix,
                        uint32_t routes, uint32_t inherited, struct lpm_place reference)
{
    struct task task = {
        .depth = depth,
        .prefix = prefix,
        .routes = routes,
        .inherited = inherited,
        .covered = true,
        .reference = reference,
        .before = {.entry = LPM_ENTRY_UNKNOWN},
    };

    return settle(build, &task);
}

uint32_t lpm_build_derived(const struct lpm_build *build, uint32_t over, uint32_t routes,
                           struct lpm_place reference, struct lpm_derived before)
{
    struct task task = {
        .over = over,
        .routes = routes,
        .reference = reference,
        .before = before,
    };

    return settle(build, &task);
}

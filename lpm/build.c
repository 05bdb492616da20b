/*
 * One recursive builder, for bases.
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
    uint32_t routes;
    uint32_t inherited;
    struct lpm_place reference;
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

static void spread_routes(struct spread *spread, const struct lpm_routes_node *routes,
                          uint32_t inherited)
{
    for (unsigned i = 0; i < LPM_SLOTS; i++)
        spread->leaf[i] = inherited;
    if (routes)
        paint(spread, routes);
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

static uint32_t child_of(const char *window, uint32_t node, unsigned c)
{
    return node ? lpm_routes_child(lpm_routes_at(window, node), c) : 0;
}

static uint32_t build_place(const struct lpm_build *build, const struct task *task);

/* The cheapest way to an entry that shows what the task wants. */
static uint32_t settle(const struct lpm_build *build, const struct task *task)
{
    const struct lpm_place *reference = &task->reference;

    if (task->routes == reference->routes && task->inherited == reference->inherited &&
        reference->entry != LPM_ENTRY_UNKNOWN)
        return lpm_node_retain(build->memory, reference->entry);
    if (!task->routes)
        return task->inherited;
    return build_place(build, task);
}

/* Slot c of task's place, which has routes below it. */
static uint32_t settle_slot(const struct lpm_build *build, const struct task *task, unsigned c,
                            uint32_t inherited, uint32_t known)
{
    const char *window = build->memory->window;
    struct task slot = {
        .depth = task->depth + LPM_STRIDE,
        .prefix = task->prefix << LPM_STRIDE | c,
        .routes = child_of(window, task->routes, c),
        .inherited = inherited,
        .reference =
            {
                .routes = child_of(window, task->reference.routes, c),
                .entry = reference_entry(build, task, c),
                .inherited = known,
            },
    };

    return settle(build, &slot);
}

/* The slots are leaves but where routes lie below; the reference is asked only for those. */
static uint32_t build_place(const struct lpm_build *build, const struct task *task)
{
    const char *window = build->memory->window;
    const struct lpm_routes_node *routes = lpm_routes_at(window, task->routes);
    struct spread wanted, known;

    spread_routes(&wanted, routes, task->inherited);
    if (!routes->children)
        return lpm_node_make(build->memory, wanted.leaf);
    spread_routes(&known, routes_or_null(window, task->reference.routes),
                  task->reference.inherited);
    for (uint64_t busy = routes->children; busy; busy &= busy - 1) {
        unsigned c = (unsigned)__builtin_ctzll(busy);
        uint32_t entry = settle_slot(build, task, c, wanted.leaf[c], known.leaf[c]);

        if (entry == LPM_ENTRY_FAILED) {
            for (unsigned i = 0; i < c; i++)
                lpm_node_release(build->memory, wanted.leaf[i]);
            return LPM_ENTRY_FAILED;
        }
        wanted.leaf[c] = entry;
    }
    return lpm_node_make(build->memory, wanted.leaf);
}

uint32_t lpm_build_base(const struct lpm_build *build, unsigned depth, uint32_t prefix,
                        uint32_t routes, uint32_t inherited, struct lpm_place reference)
{
    struct task task = {
        .depth = depth,
        .prefix = prefix,
        .routes = routes,
        .inherited = inherited,
        .reference = reference,
    };

    return settle(build, &task);
}

/*
 * One recursive builder, for bases.
 *
 * Each step makes a bucket of all that is below a place if it may and it fits; or it spreads the
 * prefixes of one node over its 64 slots (leaf pushing), decides for every slot whether it is a leaf,
 * something shared or something to build, and packs the result. Which of both depends on the routes
 * below the place and what it inherits alone, so equal places have equal entries. The
 * depth of the recursion is bounded by the address: 6 levels for IPv4, 22 for IPv6.
 */
#include "lpm/build.h"

#include "lpm/bucket.h"
#include "lpm/spread.h"

/* One place while it is being built. */
struct task {
    unsigned depth;
    uint32_t routes;
    uint32_t inherited;
    struct lpm_place reference;
};

static const struct lpm_routes_node *routes_or_null(const char *window, uint32_t node)
{
    return node ? lpm_routes_at(window, node) : NULL;
}

/* The reference's own entry for slot c of the place. A bucket has none: what it shows would have to
 * be made to an entry. */
static uint32_t reference_entry(const struct lpm_build *build, const struct task *task, unsigned c)
{
    uint32_t entry = task->reference.entry;

    if (lpm_entry_is_bucket(entry))
        return LPM_ENTRY_UNKNOWN;
    if (lpm_entry_is_leaf(entry))
        return entry;
    return lpm_node_slot(lpm_node_at(build->memory->window, entry), c);
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
    if (task->depth >= build->buckets_from) {
        uint32_t entry = lpm_bucket_make(build->memory, task->routes, task->inherited);

        if (entry != LPM_ENTRY_UNKNOWN)
            return entry;
    }
    return build_place(build, task);
}

/* Slot c of task's place, which has routes below it. */
static uint32_t settle_slot(const struct lpm_build *build, const struct task *task, unsigned c,
                            uint32_t inherited, uint32_t known)
{
    const char *window = build->memory->window;
    struct task slot = {
        .depth = task->depth + LPM_STRIDE,
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
    struct lpm_spread wanted, known;

    lpm_spread_routes(&wanted, routes, task->inherited);
    if (!routes->children)
        return lpm_node_make(build->memory, wanted.leaf, build->narrow);
    lpm_spread_routes(&known, routes_or_null(window, task->reference.routes),
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
    return lpm_node_make(build->memory, wanted.leaf, build->narrow);
}

uint32_t lpm_build_base(const struct lpm_build *build, unsigned depth, uint32_t routes,
                        uint32_t inherited, struct lpm_place reference)
{
    struct task task = {
        .depth = depth,
        .routes = routes,
        .inherited = inherited,
        .reference = reference,
    };

    return settle(build, &task);
}

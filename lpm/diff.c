/*
 * In which routes do two FIBs differ?
 *
 * Each FIB shows its base's routes with its own overrides laid upon them, so up to four trees are
 * walked side by side, in prefix order:
 *
 *                 base                overrides
 *      a          table a's routes    layer a's
 *      b          table b's routes    layer b's
 *
 * Trees are never shared in part: an edit passes the nodes that it keeps on to the new root, and a
 * layer's overrides are a copy of its own. So what two FIBs have in common is a whole tree or
 * nothing, and that is known before the walk begins:
 *
 *      same layer    they do not differ, and no node is visited
 *      same table    they differ at most where one of the layers has an override: only nodes with
 *                    overrides are visited, and the base is only asked what it has there
 *      otherwise     all four trees are merged
 */
#include "lpm/core.h"

#include <errno.h>

struct diff {
    enum lpm_family family;
    struct lpm_view a, b;
    bool same_table;
    size_t *nodes; /* places visited */
    int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a, uint32_t leaf_b);
    void *context;
};

/* One FIB's trees, or what of them lies below some place: references, 0 for nothing. */
struct trees {
    uint32_t base;
    uint32_t over;
};

struct nodes {
    const struct lpm_routes_node *base;
    const struct lpm_routes_node *over;
};

/* Where the walk is: the nodes of both FIBs that hold the prefixes below key at depth. */
struct place {
    struct nodes a, b;
    lpm_key key;
    unsigned depth;
    uint64_t busy[2]; /* prefix numbers at which, or below which, they may differ */
};

static int walk_place(const struct diff *diff, struct trees a, struct trees b, lpm_key key,
                      unsigned depth);

static struct nodes nodes_of(const struct lpm_view *view, struct trees trees)
{
    return (struct nodes){
        .base = trees.base ? lpm_routes_at(view->window, trees.base) : NULL,
        .over = trees.over ? lpm_routes_at(view->window, trees.over) : NULL,
    };
}

static struct trees child_trees(struct nodes nodes, unsigned chunk)
{
    return (struct trees){
        .base = nodes.base ? lpm_routes_child(nodes.base, chunk) : 0,
        .over = nodes.over ? lpm_routes_child(nodes.over, chunk) : 0,
    };
}

/* A number and all above it, up to where another mark has been already. */
static void mark_up(uint64_t busy[2], unsigned number)
{
    for (; number > 1 && !(busy[number >> 6] >> (number & 63) & 1); number >>= 1)
        busy[number >> 6] |= UINT64_C(1) << (number & 63);
}

static void mark_node(uint64_t busy[2], const struct lpm_routes_node *node)
{
    if (!node)
        return;
    for (uint64_t bits = node->inner[0]; bits; bits &= bits - 1)
        mark_up(busy, (unsigned)__builtin_ctzll(bits));
    for (uint64_t bits = node->inner[1] | node->children; bits; bits &= bits - 1)
        mark_up(busy, LPM_SLOTS | (unsigned)__builtin_ctzll(bits));
}

static int compare_number(const struct diff *diff, const struct place *place, unsigned number)
{
    uint32_t leaf_a = lpm_routes_merged(place->a.base, place->a.over, number);
    uint32_t leaf_b = lpm_routes_merged(place->b.base, place->b.over, number);
    struct lpm_prefix prefix = {.family = (uint8_t)diff->family};
    unsigned length;

    if (leaf_a == leaf_b)
        return 0;
    lpm_key_bytes(lpm_number_key(place->key, place->depth, number, &length), prefix.bytes);
    prefix.length = (uint8_t)length;
    return diff->visit(diff->context, &prefix, leaf_a, leaf_b);
}

static int walk_child(const struct diff *diff, const struct place *place, unsigned chunk)
{
    struct trees a = child_trees(place->a, chunk);
    struct trees b = child_trees(place->b, chunk);

    if (!a.over && !b.over && (diff->same_table || (!a.base && !b.base)))
        return 0;
    return walk_place(diff, a, b, place->key | (lpm_key)chunk << (122 - place->depth),
                      place->depth + LPM_STRIDE);
}

/* Preorder: a prefix before the two halves of it. */
static int walk_number(const struct diff *diff, const struct place *place, unsigned number)
{
    int result;

    if (!(place->busy[number >> 6] >> (number & 63) & 1))
        return 0;
    result = compare_number(diff, place, number);
    if (result)
        return result;
    if (number >= LPM_SLOTS)
        return walk_child(diff, place, number - LPM_SLOTS);
    result = walk_number(diff, place, number * 2);
    return result ? result : walk_number(diff, place, number * 2 + 1);
}

static int walk_place(const struct diff *diff, struct trees a, struct trees b, lpm_key key,
                      unsigned depth)
{
    struct place place = {
        .a = nodes_of(&diff->a, a),
        .b = nodes_of(&diff->b, b),
        .key = key,
        .depth = depth,
    };
    int result;

    ++*diff->nodes;
    mark_node(place.busy, place.a.over);
    mark_node(place.busy, place.b.over);
    if (!diff->same_table) {
        mark_node(place.busy, place.a.base);
        mark_node(place.busy, place.b.base);
    }
    result = walk_number(diff, &place, 2);
    return result ? result : walk_number(diff, &place, 3);
}

int lpm_diff_counted(const struct lpm_fib *a, const struct lpm_fib *b,
                     int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                                  uint32_t leaf_b),
                     void *context, size_t *nodes)
{
    struct diff diff = {.family = a->family, .nodes = nodes, .visit = visit, .context = context};
    struct lpm_prefix everything = {.family = (uint8_t)a->family};
    int result = 0;

    *nodes = 0;
    if (a->family != b->family)
        return -EINVAL;
    diff.a = lpm_view_of(a);
    diff.b = lpm_view_of(b);
    diff.same_table = diff.a.layer->table == diff.b.layer->table;
    if (diff.a.fallback != diff.b.fallback)
        result = visit(context, &everything, diff.a.fallback, diff.b.fallback);
    if (result || diff.a.layer == diff.b.layer)
        return result;
    return walk_place(&diff, (struct trees){diff.a.routes, diff.a.over},
                      (struct trees){diff.b.routes, diff.b.over}, 0, 0);
}

int lpm_diff(const struct lpm_fib *a, const struct lpm_fib *b,
             int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                          uint32_t leaf_b),
             void *context)
{
    size_t nodes;

    return lpm_diff_counted(a, b, visit, context, &nodes);
}

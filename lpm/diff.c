/*
 * In which routes do two FIBs differ?
 *
 * Each FIB shows its base's routes with its own overrides laid upon them. Both are in prefix order,
 * the routes as a tree and the overrides as an array, so they are merged:
 *
 *                 base                overrides
 *      a          table a's routes    layer a's
 *      b          table b's routes    layer b's
 *
 * Trees are never shared in part: an edit passes the nodes that it keeps on to the new root. So what
 * two FIBs have in common is a whole tree or nothing, and that is known before the walk begins:
 *
 *      same layer    they do not differ, and nothing is visited
 *      same table    they differ at most where one of the layers has an override: the base is only
 *                    asked what it has there
 *      otherwise     both trees are walked side by side
 */
#include "lpm/core.h"

#include <errno.h>

/* One FIB. */
struct side {
    struct lpm_view view;
    size_t next; /* of its overrides */
};

struct diff {
    enum lpm_family family;
    struct side a, b;
    size_t *nodes; /* visited, of trees, or places asked for */
    int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a, uint32_t leaf_b);
    void *context;
};

/* A prefix, with the leaf that either base has for it. */
struct place {
    lpm_key key;
    unsigned length;
    uint32_t leaf_a, leaf_b;
};

/* --- Overrides --------------------------------------------------------------------------------- */

/* Passes the override of this very prefix, if there is one, and returns what the FIB shows. */
static uint32_t pass(struct side *side, const struct place *place, uint32_t leaf)
{
    struct lpm_over over;

    if (side->next == side->view.overs.count)
        return leaf;
    over = lpm_over_at(&side->view.overs, side->next);
    if (over.key != place->key || over.length != place->length)
        return leaf;
    side->next++;
    return over.leaf;
}

static int compare(struct diff *diff, const struct place *place)
{
    uint32_t leaf_a = pass(&diff->a, place, place->leaf_a);
    uint32_t leaf_b = pass(&diff->b, place, place->leaf_b);
    struct lpm_prefix prefix = {
        .family = (uint8_t)diff->family,
        .length = (uint8_t)place->length,
    };

    if (leaf_a == leaf_b)
        return 0;
    lpm_key_bytes(place->key, prefix.bytes);
    return diff->visit(diff->context, &prefix, leaf_a, leaf_b);
}

/* The first prefix that an override of either has left. */
static bool next_override(const struct diff *diff, struct place *place)
{
    const struct side *sides[] = {&diff->a, &diff->b};
    bool found = false;

    for (unsigned i = 0; i < 2; i++) {
        struct lpm_over over;

        if (sides[i]->next == sides[i]->view.overs.count)
            continue;
        over = lpm_over_at(&sides[i]->view.overs, sides[i]->next);
        if (!found || lpm_key_compare(over.key, over.length, place->key, place->length) < 0)
            *place = (struct place){.key = over.key, .length = over.length};
        found = true;
    }
    return found;
}

/* --- One table --------------------------------------------------------------------------------- */

static int diff_overrides(struct diff *diff)
{
    const struct lpm_view *view = &diff->a.view;
    struct place place;
    int result = 0;

    while (result == 0 && next_override(diff, &place)) {
        ++*diff->nodes;
        place.leaf_a = lpm_routes_get(view->window, view->routes, place.key, place.length);
        place.leaf_b = place.leaf_a;
        result = compare(diff, &place);
    }
    return result;
}

/* --- Two tables -------------------------------------------------------------------------------- */

/* The nodes of both trees that hold the prefixes below key at depth; NULL: none there. */
struct nodes {
    const struct lpm_routes_node *a, *b;
    lpm_key key;
    unsigned depth;
};

static int walk_nodes(struct diff *diff, const struct nodes *nodes);

static bool has_either(const struct nodes *nodes, unsigned number)
{
    return (nodes->a && lpm_routes_has(nodes->a, number)) ||
           (nodes->b && lpm_routes_has(nodes->b, number));
}

/* Overrides of prefixes that neither base has, up to where the walk is. */
static int catch_up(struct diff *diff, const struct place *until)
{
    struct place place;
    int result = 0;

    while (result == 0 && next_override(diff, &place) &&
           (!until || lpm_key_compare(place.key, place.length, until->key, until->length) < 0))
        result = compare(diff, &place);
    return result;
}

static int compare_number(struct diff *diff, const struct nodes *nodes, unsigned number)
{
    struct place place = {
        .leaf_a = nodes->a ? lpm_routes_inner(nodes->a, number) : 0,
        .leaf_b = nodes->b ? lpm_routes_inner(nodes->b, number) : 0,
    };
    int result;

    place.key = lpm_number_key(nodes->key, nodes->depth, number, &place.length);
    result = catch_up(diff, &place);
    return result ? result : compare(diff, &place);
}

static const struct lpm_routes_node *child_of(const struct side *side,
                                              const struct lpm_routes_node *node, unsigned chunk)
{
    uint32_t child = node ? lpm_routes_child(node, chunk) : 0;

    return child ? lpm_routes_at(side->view.window, child) : NULL;
}

static int walk_child(struct diff *diff, const struct nodes *nodes, unsigned chunk)
{
    struct nodes below = {
        .a = child_of(&diff->a, nodes->a, chunk),
        .b = child_of(&diff->b, nodes->b, chunk),
    };

    if (!below.a && !below.b)
        return 0;
    below.key = nodes->key | (lpm_key)chunk << (122 - nodes->depth);
    below.depth = nodes->depth + LPM_STRIDE;
    return walk_nodes(diff, &below);
}

/* Preorder: a prefix before the two halves of it. */
static int walk_number(struct diff *diff, const struct nodes *nodes, unsigned number)
{
    int result = has_either(nodes, number) ? compare_number(diff, nodes, number) : 0;

    if (result)
        return result;
    if (number >= LPM_SLOTS)
        return walk_child(diff, nodes, number - LPM_SLOTS);
    result = walk_number(diff, nodes, number * 2);
    return result ? result : walk_number(diff, nodes, number * 2 + 1);
}

static int walk_nodes(struct diff *diff, const struct nodes *nodes)
{
    int result;

    ++*diff->nodes;
    result = walk_number(diff, nodes, 2);
    return result ? result : walk_number(diff, nodes, 3);
}

static int diff_tables(struct diff *diff)
{
    const struct lpm_view *a = &diff->a.view;
    const struct lpm_view *b = &diff->b.view;
    struct nodes roots = {
        .a = a->routes ? lpm_routes_at(a->window, a->routes) : NULL,
        .b = b->routes ? lpm_routes_at(b->window, b->routes) : NULL,
    };
    int result = roots.a || roots.b ? walk_nodes(diff, &roots) : 0;

    return result ? result : catch_up(diff, NULL);
}

/* ------------------------------------------------------------------------------------------------ */

int lpm_diff_counted(const struct lpm_fib *a, const struct lpm_fib *b,
                     int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                                  uint32_t leaf_b),
                     void *context, size_t *nodes)
{
    struct lpm_prefix everything = {.family = a->family};
    struct diff diff = {
        .family = (enum lpm_family)a->family,
        .nodes = nodes,
        .visit = visit,
        .context = context,
    };
    int result = 0;

    *nodes = 0;
    if (a->family != b->family)
        return -EINVAL;
    diff.a.view = lpm_view_of(a);
    diff.b.view = lpm_view_of(b);
    if (diff.a.view.fallback != diff.b.view.fallback)
        result = visit(context, &everything, diff.a.view.fallback, diff.b.view.fallback);
    if (result || diff.a.view.layer == diff.b.view.layer)
        return result;
    return diff.a.view.layer->table == diff.b.view.layer->table ? diff_overrides(&diff)
                                                                : diff_tables(&diff);
}

int lpm_diff(const struct lpm_fib *a, const struct lpm_fib *b,
             int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                          uint32_t leaf_b),
             void *context)
{
    size_t nodes;

    return lpm_diff_counted(a, b, visit, context, &nodes);
}

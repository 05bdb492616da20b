/*
 * The tree bitmap: finding, comparing and walking. Editing is in routes_edit.c.
 */
#include "lpm/routes.h"

size_t lpm_routes_cell_size(const void *cell)
{
    const struct lpm_routes_node *node = cell;

    return sizeof(*node) +
           sizeof(node->values[0]) *
               (lpm_routes_inner_count(node) + (unsigned)__builtin_popcountll(node->children));
}

void lpm_key_bytes(lpm_key key, uint8_t bytes[16])
{
    for (int i = 15; i >= 0; i--, key >>= 8)
        bytes[i] = (uint8_t)key;
}

uint32_t lpm_routes_get(const char *window, uint32_t root, lpm_key key, unsigned length)
{
    unsigned last = lpm_prefix_depth(length);
    uint32_t node = root;

    for (unsigned depth = 0; node && depth < last; depth += LPM_STRIDE)
        node = lpm_routes_child(lpm_routes_at(window, node), lpm_key_chunk(key, depth));
    if (!node)
        return 0;
    return lpm_routes_inner(lpm_routes_at(window, node), lpm_prefix_number(key, length));
}

/* True when a prefix of this node covers number, or a prefix or child lies at or under it. */
static bool node_intersects(const struct lpm_routes_node *node, unsigned number)
{
    unsigned first = number;
    unsigned count = 1;

    for (unsigned above = number; above > 1; above >>= 1) {
        if (lpm_routes_has(node, above))
            return true;
    }
    for (; first < LPM_SLOTS; count *= 2) {
        first *= 2;
        for (unsigned under = first; under < first + 2 * count; under++) {
            if (lpm_routes_has(node, under))
                return true;
        }
    }
    return (node->children >> (first - LPM_SLOTS) & (~UINT64_C(0) >> (64 - count))) != 0;
}

bool lpm_routes_intersect(const char *window, uint32_t root, lpm_key key, unsigned length)
{
    unsigned last = length ? lpm_prefix_depth(length) : 0;
    uint32_t node = root;

    if (!root || length == 0)
        return root != 0;
    for (unsigned depth = 0; node && depth < last; depth += LPM_STRIDE) {
        const struct lpm_routes_node *at = lpm_routes_at(window, node);

        if (lpm_routes_best(at, lpm_key_chunk(key, depth), 0))
            return true;
        node = lpm_routes_child(at, lpm_key_chunk(key, depth));
    }
    return node && node_intersects(lpm_routes_at(window, node), lpm_prefix_number(key, length));
}

/* The form is canonical (no empty nodes), so equal sets have equal trees. */
bool lpm_routes_equal(const char *window, uint32_t a, uint32_t b)
{
    const struct lpm_routes_node *left, *right;
    unsigned inner, children;

    if (a == b || !a || !b)
        return a == b;
    left = lpm_routes_at(window, a);
    right = lpm_routes_at(window, b);
    if (left->inner[0] != right->inner[0] || left->inner[1] != right->inner[1] ||
        left->children != right->children)
        return false;
    inner = lpm_routes_inner_count(left);
    children = (unsigned)__builtin_popcountll(left->children);
    for (unsigned i = 0; i < inner; i++) {
        if (left->values[i] != right->values[i])
            return false;
    }
    for (unsigned i = inner; i < inner + children; i++) {
        if (!lpm_routes_equal(window, left->values[i], right->values[i]))
            return false;
    }
    return true;
}

/* --- Walking ----------------------------------------------------------------------------------- */

struct walk {
    const char *window;
    lpm_routes_visit *visit;
    void *context;
};

static int walk_nodes(const struct walk *walk, uint32_t base, uint32_t over, lpm_key key,
                      unsigned depth);

uint32_t lpm_routes_merged(const struct lpm_routes_node *base, const struct lpm_routes_node *over,
                           unsigned number)
{
    uint32_t value = over ? lpm_routes_inner(over, number) : 0;

    if (value)
        return value == LPM_ROUTE_GONE ? 0 : value;
    return base ? lpm_routes_inner(base, number) : 0;
}

/* Preorder: a prefix before the two halves of it. */
static int walk_number(const struct walk *walk, const struct lpm_routes_node *base,
                       const struct lpm_routes_node *over, lpm_key key, unsigned depth,
                       unsigned number)
{
    uint32_t value = lpm_routes_merged(base, over, number);
    int result = 0;

    if (value) {
        unsigned length;
        lpm_key at = lpm_number_key(key, depth, number, &length);

        result = walk->visit(walk->context, at, length, value);
    }
    if (!result && number < LPM_SLOTS)
        result = walk_number(walk, base, over, key, depth, number * 2);
    if (!result && number < LPM_SLOTS)
        return walk_number(walk, base, over, key, depth, number * 2 + 1);
    if (!result && depth + LPM_STRIDE < 128) {
        unsigned chunk = number - LPM_SLOTS;
        uint32_t below = base ? lpm_routes_child(base, chunk) : 0;
        uint32_t above = over ? lpm_routes_child(over, chunk) : 0;

        if (below || above)
            return walk_nodes(walk, below, above, key | (lpm_key)chunk << (122 - depth),
                              depth + LPM_STRIDE);
    }
    return result;
}

static int walk_nodes(const struct walk *walk, uint32_t base, uint32_t over, lpm_key key,
                      unsigned depth)
{
    const struct lpm_routes_node *below = base ? lpm_routes_at(walk->window, base) : NULL;
    const struct lpm_routes_node *above = over ? lpm_routes_at(walk->window, over) : NULL;
    int result = walk_number(walk, below, above, key, depth, 2);

    return result ? result : walk_number(walk, below, above, key, depth, 3);
}

int lpm_routes_each(const char *window, uint32_t base, uint32_t over, lpm_routes_visit *visit,
                    void *context)
{
    struct walk walk = {.window = window, .visit = visit, .context = context};

    return base || over ? walk_nodes(&walk, base, over, 0, 0) : 0;
}

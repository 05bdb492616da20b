/*
 * The tree bitmap: finding, comparing and walking. Editing is in routes_edit.c.
 */
#include "lpm/routes.h"

size_t lpm_routes_cell_size(const struct lpm_routes_node *node)
{
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

uint32_t lpm_routes_longest(const char *window, uint32_t root, lpm_key address, unsigned below,
                            unsigned *length)
{
    uint32_t best = 0;
    uint32_t node = root;

    for (unsigned depth = 0; node && depth + 1 < below; depth += LPM_STRIDE) {
        const struct lpm_routes_node *at = lpm_routes_at(window, node);
        unsigned chunk = lpm_key_chunk(address, depth);
        unsigned rest = below - 1 - depth < LPM_STRIDE ? below - 1 - depth : LPM_STRIDE;

        for (; rest > 0; rest--) {
            unsigned number = (LPM_SLOTS | chunk) >> (LPM_STRIDE - rest);

            if (!lpm_routes_has(at, number))
                continue;
            best = lpm_routes_inner(at, number);
            *length = depth + rest;
            break;
        }
        node = lpm_routes_child(at, chunk);
    }
    return best;
}

/* --- Walking ----------------------------------------------------------------------------------- */

struct walk {
    const char *window;
    lpm_routes_visit *visit;
    void *context;
};

static int walk_node(const struct walk *walk, uint32_t node, lpm_key key, unsigned depth);
static int walk_number(const struct walk *walk, const struct lpm_routes_node *at, lpm_key key,
                       unsigned depth, unsigned number);

/* What is longer than prefix number. Preorder: a prefix before the two halves of it. */
static int walk_under(const struct walk *walk, const struct lpm_routes_node *at, lpm_key key,
                      unsigned depth, unsigned number)
{
    unsigned chunk = number - LPM_SLOTS;
    uint32_t child;
    int result;

    if (number < LPM_SLOTS) {
        result = walk_number(walk, at, key, depth, number * 2);
        return result ? result : walk_number(walk, at, key, depth, number * 2 + 1);
    }
    child = lpm_routes_child(at, chunk);
    if (!child)
        return 0;
    return walk_node(walk, child, key | (lpm_key)chunk << (122 - depth), depth + LPM_STRIDE);
}

static int walk_number(const struct walk *walk, const struct lpm_routes_node *at, lpm_key key,
                       unsigned depth, unsigned number)
{
    int result = 0;

    if (lpm_routes_has(at, number)) {
        unsigned length;
        lpm_key here = lpm_number_key(key, depth, number, &length);

        result = walk->visit(walk->context, here, length, lpm_routes_inner(at, number));
    }
    return result ? result : walk_under(walk, at, key, depth, number);
}

static int walk_node(const struct walk *walk, uint32_t node, lpm_key key, unsigned depth)
{
    const struct lpm_routes_node *at = lpm_routes_at(walk->window, node);
    int result = walk_number(walk, at, key, depth, 2);

    return result ? result : walk_number(walk, at, key, depth, 3);
}

int lpm_routes_each(const char *window, uint32_t root, lpm_routes_visit *visit, void *context)
{
    struct walk walk = {.window = window, .visit = visit, .context = context};

    return root ? walk_node(&walk, root, 0, 0) : 0;
}

uint32_t lpm_routes_find(const char *window, uint32_t root, lpm_key key, unsigned length)
{
    unsigned last = lpm_prefix_depth(length);

    for (unsigned depth = 0; root && depth < last; depth += LPM_STRIDE)
        root = lpm_routes_child(lpm_routes_at(window, root), lpm_key_chunk(key, depth));
    return root;
}

int lpm_routes_each_under(const char *window, uint32_t root, lpm_key key, unsigned length,
                          lpm_routes_visit *visit, void *context)
{
    struct walk walk = {.window = window, .visit = visit, .context = context};
    unsigned depth = lpm_prefix_depth(length);
    uint32_t node = lpm_routes_find(window, root, key, length);

    if (!node)
        return 0;
    return walk_under(&walk, lpm_routes_at(window, node),
                      depth ? key >> (128 - depth) << (128 - depth) : 0, depth,
                      lpm_prefix_number(key, length));
}

/* What is longer than a number: a run of numbers for each length, and a run of children. */
bool lpm_routes_any_under(const char *window, uint32_t node, lpm_key key, unsigned length)
{
    const struct lpm_routes_node *at = lpm_routes_at(window, node);
    unsigned number = lpm_prefix_number(key, length);
    uint64_t run = 1; /* as many bits as numbers of one length */

    if (!node)
        return false;
    for (unsigned width = 1; number < LPM_SLOTS; width *= 2) {
        number *= 2;
        run |= run << width;
        if (at->inner[number / 64] >> number % 64 & run)
            return true;
    }
    return at->children >> (number - LPM_SLOTS) & run;
}

/*
 * Editing a tree bitmap: copy the path, share the rest.
 *
 *      before the edit          after it            the root in force keeps reading its own nodes;
 *          A                      A'  fresh         B is owned by both for the moment and passes to
 *         / \                    /  \               A' when the edit commits. A and C are on the
 *        B   C                  B    C' fresh       list "replaced" and are then buried one by one,
 *                                                   without what hangs below them.
 *
 * A fresh node is reached only through fresh nodes, so later changes of the same edit alter it in
 * place. All of them are on a list, so that an edit that failed half way down can be abandoned
 * without asking what it had already hung up where.
 */
#include "lpm/routes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define FAILED UINT32_MAX
#define FIRST  UINT32_MAX /* previous of the first fresh node */

/* The writable view; edits touch fresh nodes only. */
static struct lpm_routes_node *node_at(const struct lpm_memory *memory, uint32_t node)
{
    return lpm_memory_at(memory->window, node);
}

static uint32_t new_node(struct lpm_routes_edit *edit, unsigned values)
{
    uint32_t node = lpm_memory_cell(edit->memory, LPM_MEMORY_WRITER,
                                    sizeof(struct lpm_routes_node) + values * sizeof(uint32_t));
    struct lpm_routes_node *at;

    if (!node)
        return FAILED;
    at = node_at(edit->memory, node);
    memset(at, 0, sizeof(*at));
    at->previous = FIRST;
    at->link = edit->fresh;
    if (edit->fresh)
        node_at(edit->memory, edit->fresh)->previous = node;
    edit->fresh = node;
    return node;
}

static void free_fresh(const struct lpm_routes_edit *edit, uint32_t node)
{
    lpm_memory_free_cell(edit->memory, LPM_MEMORY_WRITER, node,
                         lpm_routes_cell_size(node_at(edit->memory, node)));
}

static void bury(struct lpm_memory *memory, uint32_t node)
{
    lpm_memory_bury(memory, LPM_MEMORY_WRITER, node, lpm_routes_cell_size(node_at(memory, node)));
}

static void unlink_fresh(struct lpm_routes_edit *edit, const struct lpm_routes_node *at)
{
    if (at->previous == FIRST)
        edit->fresh = at->link;
    else
        node_at(edit->memory, at->previous)->link = at->link;
    if (at->link)
        node_at(edit->memory, at->link)->previous = at->previous;
}

/* The edit has no more use for node: a fresh one goes at once, an old one when the edit commits. */
static void drop_node(struct lpm_routes_edit *edit, uint32_t node)
{
    struct lpm_routes_node *at = node_at(edit->memory, node);

    if (at->previous) {
        unlink_fresh(edit, at);
        free_fresh(edit, node);
    } else {
        at->link = edit->replaced;
        edit->replaced = node;
    }
}

static unsigned values_count(const struct lpm_routes_node *node)
{
    return lpm_routes_inner_count(node) + (unsigned)__builtin_popcountll(node->children);
}

/* A fresh copy of node with grow (-1, 0, 1) places more at place; node itself is dropped. The
 * bitmap is the caller's to adjust. */
static uint32_t recast_node(struct lpm_routes_edit *edit, uint32_t node, unsigned place, int grow)
{
    const struct lpm_routes_node *from = node_at(edit->memory, node);
    unsigned count = values_count(from);
    unsigned skip = grow < 0;
    unsigned gap = grow > 0;
    struct lpm_routes_node *to;
    uint32_t copy;

    if (grow == 0 && from->previous)
        return node;
    copy = new_node(edit, count + gap - skip);
    if (copy == FAILED)
        return FAILED;
    to = node_at(edit->memory, copy);
    to->children = from->children;
    memcpy(to->inner, from->inner, sizeof(to->inner));
    memcpy(to->values, from->values, place * sizeof(uint32_t));
    memcpy(to->values + place + gap, from->values + place + skip,
           (count - place - skip) * sizeof(uint32_t));
    drop_node(edit, node);
    return copy;
}

static unsigned inner_place(const struct lpm_routes_node *node, unsigned number)
{
    uint64_t below = (UINT64_C(1) << (number & 63)) - 1;
    unsigned place = (unsigned)__builtin_popcountll(node->inner[number >> 6] & below);

    return number < 64 ? place : place + (unsigned)__builtin_popcountll(node->inner[0]);
}

static unsigned child_place(const struct lpm_routes_node *node, unsigned chunk)
{
    uint64_t below = (UINT64_C(1) << chunk) - 1;

    return lpm_routes_inner_count(node) + (unsigned)__builtin_popcountll(node->children & below);
}

/* Puts value (0: nothing) at place, where it was or was not before. */
static uint32_t set_value(struct lpm_routes_edit *edit, uint32_t node, unsigned place, bool was,
                          uint32_t value)
{
    uint32_t copy = recast_node(edit, node, place, (value != 0) - was);

    if (copy != FAILED && value)
        node_at(edit->memory, copy)->values[place] = value;
    return copy;
}

static uint32_t set_inner(struct lpm_routes_edit *edit, uint32_t node, unsigned number,
                          uint32_t value)
{
    const struct lpm_routes_node *at = node_at(edit->memory, node);
    bool was = lpm_routes_has(at, number);
    uint32_t copy = set_value(edit, node, inner_place(at, number), was, value);
    uint64_t bit = UINT64_C(1) << (number & 63);

    if (copy != FAILED && was != (value != 0))
        node_at(edit->memory, copy)->inner[number >> 6] ^= bit;
    return copy;
}

static uint32_t set_child(struct lpm_routes_edit *edit, uint32_t node, unsigned chunk,
                          uint32_t child)
{
    const struct lpm_routes_node *at = node_at(edit->memory, node);
    bool was = at->children >> chunk & 1;
    uint32_t copy = set_value(edit, node, child_place(at, chunk), was, child);

    if (copy != FAILED && was != (child != 0))
        node_at(edit->memory, copy)->children ^= UINT64_C(1) << chunk;
    return copy;
}

/* Keeps the form canonical: a node that holds nothing is no node, so its parent drops it too. */
static uint32_t prune(struct lpm_routes_edit *edit, uint32_t node)
{
    if (node == FAILED || values_count(node_at(edit->memory, node)) != 0)
        return node;
    drop_node(edit, node);
    return 0;
}

static uint32_t set_below(struct lpm_routes_edit *edit, uint32_t node, lpm_key key, unsigned length,
                          uint32_t value, unsigned depth)
{
    unsigned chunk = lpm_key_chunk(key, depth);
    uint32_t child;

    if (!node)
        node = new_node(edit, 0);
    if (node == FAILED)
        return FAILED;
    if (depth == lpm_prefix_depth(length))
        return prune(edit, set_inner(edit, node, lpm_prefix_number(key, length), value));
    child = set_below(edit, lpm_routes_child(node_at(edit->memory, node), chunk), key, length,
                      value, depth + LPM_STRIDE);
    return child == FAILED ? FAILED : prune(edit, set_child(edit, node, chunk, child));
}

int lpm_routes_set(struct lpm_routes_edit *edit, lpm_key key, unsigned length, uint32_t value)
{
    uint32_t before = lpm_routes_get(edit->memory->window, edit->root, key, length);
    uint32_t root;

    if (before == value)
        return 0;
    assert(length >= 1);
    root = set_below(edit, edit->root, key, length, value, 0);
    if (root == FAILED)
        return -ENOMEM;
    edit->root = root;
    edit->routes += (value != 0) - (before != 0);
    return 1;
}

void lpm_routes_commit(struct lpm_routes_edit *edit)
{
    uint32_t node = edit->fresh;

    while (node) {
        struct lpm_routes_node *at = node_at(edit->memory, node);

        node = at->link;
        at->previous = 0;
    }
    node = edit->replaced;
    while (node) {
        uint32_t next = node_at(edit->memory, node)->link;

        bury(edit->memory, node);
        node = next;
    }
    edit->fresh = edit->replaced = 0;
}

void lpm_routes_abandon(struct lpm_routes_edit *edit)
{
    while (edit->fresh) {
        uint32_t node = edit->fresh;

        edit->fresh = node_at(edit->memory, node)->link;
        free_fresh(edit, node);
    }
    edit->replaced = 0;
}

void lpm_routes_release(struct lpm_memory *memory, uint32_t root)
{
    const struct lpm_routes_node *node;
    unsigned first;

    if (!root)
        return;
    node = node_at(memory, root);
    first = lpm_routes_inner_count(node);
    for (unsigned i = first; i < values_count(node); i++)
        lpm_routes_release(memory, node->values[i]);
    bury(memory, root);
}

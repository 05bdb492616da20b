/*
 * The writer's own record of routes: a tree bitmap (Eatherton, Varghese, Dittia, CCR 2004) of
 * 6-bit strides, four bytes a route and 32 a node.
 *
 * A node at depth d (a multiple of 6) holds the prefixes of lengths d+1 .. d+6 under it. Inside
 * the node, a prefix of d+r bits whose last r bits are v is number (1 << r) | v, the numbering of
 * a binary heap: 2 .. 127. So number / 2 is the next shorter prefix, and numbers in order of a
 * preorder walk are in prefix order. The prefix of length 0 is kept elsewhere (see core.h:
 * fallback).
 *
 *      struct lpm_routes_node
 *        inner[2]   bit n: prefix number n is here       children   bit c: child at chunk c is here
 *        values[]   one per bit of inner, in order, then one reference per bit of children
 *
 * Nodes are never changed once a table is built on them: an edit copies the path and shares the
 * rest, so that a failed edit leaves no trace and a reader of the old root is undisturbed. Every
 * node has one owner; an edit that commits passes the shared nodes on to the new root.
 */
#ifndef LPM_ROUTES_H
#define LPM_ROUTES_H

#include "lpm/lpm.h"
#include "lpm/memory.h"

#include <endian.h>
#include <string.h>

/* An address or prefix as a number: its first bit is the highest, whatever the family. */
typedef unsigned __int128 lpm_key;

#define LPM_STRIDE 6
#define LPM_SLOTS  64

struct lpm_routes_node {
    uint64_t children; /* with link: struct lpm_cell */
    uint32_t link;     /* during an edit: next on its list of fresh or of replaced nodes */
    uint32_t previous; /* fresh nodes: the one before on the list, else 0 */
    uint64_t inner[2];
    uint32_t values[];
};

/* An edit: from a root to a root that differs in some routes. */
struct lpm_routes_edit {
    struct lpm_memory *memory;
    uint32_t root;
    uint32_t fresh;    /* nodes made in this edit, which it may change in place */
    uint32_t replaced; /* nodes of the old root that the new one does without */
    long routes;       /* added less removed */
};

size_t lpm_routes_cell_size(const struct lpm_routes_node *node);

static inline lpm_key lpm_key_of(const uint8_t bytes[16])
{
    uint64_t half[2];

    memcpy(half, bytes, sizeof(half));
    return (lpm_key)be64toh(half[0]) << 64 | be64toh(half[1]);
}

/* Last address of a prefix. */
static inline lpm_key lpm_key_last(lpm_key key, unsigned length)
{
    return length ? key | ~(lpm_key)0 >> (length - 1) >> 1 : ~(lpm_key)0;
}

/* The first bits of key; length <= 128. */
static inline lpm_key lpm_key_cut(lpm_key key, unsigned length)
{
    return length ? key & ~(lpm_key)0 << (128 - length) : 0;
}

/* How many bits of key are 0 before the first 1. key is not 0. */
static inline unsigned lpm_key_leading(lpm_key key)
{
    uint64_t high = (uint64_t)(key >> 64);

    return high ? (unsigned)__builtin_clzll(high) : 64 + (unsigned)__builtin_clzll((uint64_t)key);
}

/* <0, 0, >0: prefix order of two prefixes. */
static inline int lpm_key_compare(lpm_key a, unsigned length_a, lpm_key b, unsigned length_b)
{
    if (a != b)
        return a < b ? -1 : 1;
    return (int)length_a - (int)length_b;
}

void lpm_key_bytes(lpm_key key, uint8_t bytes[16]);

/* The six bits at depth. */
static inline unsigned lpm_key_chunk(lpm_key key, unsigned depth)
{
    return (unsigned)((key << depth) >> 122);
}

/* Depth of the node that holds a prefix of this length, and its number there. length >= 1. */
static inline unsigned lpm_prefix_depth(unsigned length)
{
    return (length - 1) / LPM_STRIDE * LPM_STRIDE;
}

static inline unsigned lpm_prefix_number(lpm_key key, unsigned length)
{
    unsigned rest = length - lpm_prefix_depth(length);

    return 1u << rest | lpm_key_chunk(key, lpm_prefix_depth(length)) >> (LPM_STRIDE - rest);
}

/* The prefix of this number in the node at depth whose own bits are in key: its key and length. */
static inline lpm_key lpm_number_key(lpm_key key, unsigned depth, unsigned number, unsigned *length)
{
    unsigned rest = 31u - (unsigned)__builtin_clz(number);

    *length = depth + rest;
    return key | (lpm_key)(number ^ 1u << rest) << (128 - *length);
}

static inline const struct lpm_routes_node *lpm_routes_at(const char *window, uint32_t node)
{
    return (const struct lpm_routes_node *)lpm_memory_at(window, node);
}

static inline bool lpm_routes_has(const struct lpm_routes_node *node, unsigned number)
{
    return node->inner[number >> 6] >> (number & 63) & 1;
}

static inline unsigned lpm_routes_inner_count(const struct lpm_routes_node *node)
{
    return (unsigned)(__builtin_popcountll(node->inner[0]) + __builtin_popcountll(node->inner[1]));
}

/* Bits of word below position. */
static inline unsigned lpm_rank(uint64_t word, unsigned position)
{
    return (unsigned)__builtin_popcountll(word & ((UINT64_C(1) << position) - 1));
}

/* Value of prefix number, or 0. */
static inline uint32_t lpm_routes_inner(const struct lpm_routes_node *node, unsigned number)
{
    unsigned place = lpm_rank(node->inner[number >> 6], number & 63);

    if (!lpm_routes_has(node, number))
        return 0;
    if (number >= 64)
        place += (unsigned)__builtin_popcountll(node->inner[0]);
    return node->values[place];
}

/* Reference of the child at chunk, or 0. */
static inline uint32_t lpm_routes_child(const struct lpm_routes_node *node, unsigned chunk)
{
    if (!(node->children >> chunk & 1))
        return 0;
    return node->values[lpm_routes_inner_count(node) + lpm_rank(node->children, chunk)];
}

/* Value of the longest prefix in this one node that covers chunk, else otherwise. */
static inline uint32_t lpm_routes_best(const struct lpm_routes_node *node, unsigned chunk,
                                       uint32_t otherwise)
{
    for (unsigned number = LPM_SLOTS | chunk; number > 1; number >>= 1) {
        if (lpm_routes_has(node, number))
            return lpm_routes_inner(node, number);
    }
    return otherwise;
}

/* Exact match: value or 0. length >= 1. */
uint32_t lpm_routes_get(const char *window, uint32_t root, lpm_key key, unsigned length);
/* Value of the longest prefix that covers address and is shorter than below, and its length; or 0. */
uint32_t lpm_routes_longest(const char *window, uint32_t root, lpm_key address, unsigned below,
                            unsigned *length);

/* Sets (value) or drops (0) a prefix in edit->root. Returns 1 when that changed something, 0 when
 * it was so already, -ENOMEM. After an error the edit can only be abandoned. */
int lpm_routes_set(struct lpm_routes_edit *edit, lpm_key key, unsigned length, uint32_t value);
/* The new root is in force: bury what it replaced. */
void lpm_routes_commit(struct lpm_routes_edit *edit);
/* As though the edit had never been. */
void lpm_routes_abandon(struct lpm_routes_edit *edit);
/* Buries a whole tree. */
void lpm_routes_release(struct lpm_memory *memory, uint32_t root);

/* Visits all prefixes, in prefix order, until visit returns non-zero; returns that. */
typedef int lpm_routes_visit(void *context, lpm_key key, unsigned length, uint32_t value);
int lpm_routes_each(const char *window, uint32_t root, lpm_routes_visit *visit, void *context);
/* The same for those that lie inside key/length and are longer. length >= 1. */
int lpm_routes_each_under(const char *window, uint32_t root, lpm_key key, unsigned length,
                          lpm_routes_visit *visit, void *context);
/* The node that holds the prefixes of this length around key, or 0. */
uint32_t lpm_routes_find(const char *window, uint32_t root, lpm_key key, unsigned length);
/* Does that node have, or lead to, one that lies inside key/length and is longer? */
bool lpm_routes_any_under(const char *window, uint32_t node, lpm_key key, unsigned length);

#endif

/* What the two files of outlines share. */
#ifndef ENGINE_FABRIC_OUTLINE_PRIVATE_H
#define ENGINE_FABRIC_OUTLINE_PRIVATE_H

#include "engine/fabric/arena.h"
#include "engine/fabric/outline.h"

struct fabric_node;

enum fabric_outline_kind {
    FABRIC_OUTLINE_VALUE, /* no children */
    FABRIC_OUTLINE_KEYS,
    FABRIC_OUTLINE_ELEMENTS,
};

struct fabric_outline_node {
    enum fabric_outline_kind kind;
    const char *name;
    struct fabric_place place;
    uint64_t hash;                        /* of everything below */
    struct fabric_outline_node *children; /* sorted by name, each its own */
    uint32_t n;
};

struct fabric_outline {
    struct fabric_arena arena;
    struct fabric_outline_node top;
};

/* top: the merged files, checked. NULL: no memory. */
struct fabric_outline *fabric_outline_make(const struct fabric_node *top);

#endif

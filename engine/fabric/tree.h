/*
 * A YAML file as a tree of nodes that know their file and line.
 *
 *   mapping ─┬─ key scalar ── value (any node)       items[] = key, value, key, value, …
 *            └─ key scalar ── value
 *   sequence ── items[]
 *   scalar ── text
 *
 * An alias is the anchored node itself, shared, not copied; what a walk over everything would visit
 * is counted and bounded, so a file cannot make a small text stand for a huge fabric.
 */
#ifndef ENGINE_FABRIC_TREE_H
#define ENGINE_FABRIC_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/fabric/arena.h"
#include "engine/fabric/model.h"

/* What one load may take in. A fabric of 64k NICs needs about a million nodes and 10 MiB. */
#define FABRIC_FILE_BYTES_MAX   (32u << 20)
#define FABRIC_NODES_MAX        (8u << 20) /* aliases count as what they stand for */
#define FABRIC_DEPTH_MAX        32u
#define FABRIC_MAPPING_KEYS_MAX 128u
#define FABRIC_SCALAR_BYTES_MAX 4096u
#define FABRIC_ANCHORS_MAX      256u

enum fabric_node_kind { FABRIC_NODE_SCALAR, FABRIC_NODE_SEQUENCE, FABRIC_NODE_MAPPING };

struct fabric_node {
    enum fabric_node_kind kind;
    struct fabric_place place;
    bool plain;       /* scalar without quotes */
    const char *text; /* scalar */
    struct fabric_node **items;
    uint32_t n;    /* of items: values, or keys and values together */
    size_t weight; /* nodes of this subtree, shared ones as often as they occur */
};

struct fabric_loader;

/* Parses one document. Problems go to the loader; NULL: there were some (an empty file is an
 * empty mapping). file must live as long as the fabric. */
struct fabric_node *fabric_tree_parse(struct fabric_loader *loader, const char *file,
                                      const char *text, size_t length);

/* The value of key in a mapping, or NULL. */
const struct fabric_node *fabric_node_get(const struct fabric_node *mapping, const char *key);
/* The keys by which elements of lists are known in paths, where they have no other; NULL after the last. */
extern const char *const fabric_naming_keys[];
/* No value was written: "key:" or "key: ~". */
bool fabric_node_is_empty(const struct fabric_node *node);
/* "a list", "a mapping", "'text'": what stands there, for messages. text needs FABRIC_FOUND_TEXT
 * bytes. */
#define FABRIC_FOUND_TEXT 80
char *fabric_node_found(const struct fabric_node *node, char text[FABRIC_FOUND_TEXT]);

#endif

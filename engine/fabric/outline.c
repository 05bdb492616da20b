/*
 *   node ── by ── key of a mapping, or name of an element ── children, sorted by name
 *
 * Only what can be told apart by names has children: the keys of the file and of elements, and lists of
 * elements. All else is a hash.
 */
#include "engine/fabric/outline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/loader.h"
#include "engine/fabric/outline_private.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NAME_BYTES 256u

/* --- Hashes ----------------------------------------------------------------------------------- */

enum { EMPTY = 1, SCALAR, SEQUENCE, MAPPING };

static uint64_t mix(uint64_t a, uint64_t b)
{
    const uint64_t both[2] = {a, b};
    return XXH3_64bits(both, sizeof(both));
}

/* Keys of a mapping stand in any order, so theirs are added up. */
static uint64_t hash_of(const struct fabric_node *node)
{
    uint64_t hash = node->kind == FABRIC_NODE_SEQUENCE ? SEQUENCE : MAPPING;
    if (fabric_node_is_empty(node))
        return EMPTY;
    if (node->kind == FABRIC_NODE_SCALAR)
        return XXH3_64bits_withSeed(node->text, strlen(node->text), SCALAR);
    for (uint32_t i = 0; i < node->n; i++)
        if (node->kind == FABRIC_NODE_SEQUENCE)
            hash = mix(hash, hash_of(node->items[i]));
        else if (i % 2 == 1)
            hash += mix(hash_of(node->items[i - 1]), hash_of(node->items[i]));
    return hash;
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool is_scalar(const struct fabric_node *node)
{
    return node && node->kind == FABRIC_NODE_SCALAR && node->text[0] != '\0';
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The two VNets of a peering, in either order. */
static bool name_pair(const struct fabric_node *pair, char name[NAME_BYTES])
{
    if (!pair || pair->kind != FABRIC_NODE_SEQUENCE || pair->n != 2 || !is_scalar(pair->items[0]) ||
        !is_scalar(pair->items[1]))
        return false;
    const char *names[2] = {pair->items[0]->text, pair->items[1]->text};
    qsort(names, 2, sizeof(*names), compare_texts);
    return (unsigned)snprintf(name, NAME_BYTES, "%s,%s", names[0], names[1]) < NAME_BYTES;
}

static bool name_of(const struct fabric_node *element, char name[NAME_BYTES])
{
    if (element->kind != FABRIC_NODE_MAPPING)
        return false;
    for (const char *const *key = fabric_naming_keys; *key; key++) {
        const struct fabric_node *value = fabric_node_get(element, *key);
        if (is_scalar(value))
            return (unsigned)snprintf(name, NAME_BYTES, "%s", value->text) < NAME_BYTES;
    }
    return name_pair(fabric_node_get(element, "vnets"), name);
}

/* --- Making ----------------------------------------------------------------------------------- */

static int compare_nodes(const void *a, const void *b)
{
    const struct fabric_outline_node *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static bool fill(struct fabric_outline *outline, struct fabric_outline_node *made, const char *name,
                 const struct fabric_node *value, const struct fabric_place *place);

/* Sorted; false: two have the same name, or memory is out. */
static bool settle(struct fabric_outline_node *made)
{
    qsort(made->children, made->n, sizeof(*made->children), compare_nodes);
    for (uint32_t i = 1; i < made->n; i++)
        if (compare_nodes(&made->children[i - 1], &made->children[i]) == 0)
            return false;
    return true;
}

static bool fill_keys(struct fabric_outline *outline, struct fabric_outline_node *made,
                      const struct fabric_node *mapping)
{
    bool good = true;
    made->kind = FABRIC_OUTLINE_KEYS;
    made->n = mapping->n / 2;
    made->children = fabric_arena_array(&outline->arena, made->n, sizeof(*made->children));
    for (uint32_t i = 0; made->children && i < made->n && good; i++) {
        const struct fabric_node *key = mapping->items[2 * i];
        good = fill(outline, &made->children[i], key->text, mapping->items[2 * i + 1], &key->place);
    }
    return made->children && good && settle(made);
}

/* A list whose elements have no names, or not each its own, stays a hash. */
static bool fill_elements(struct fabric_outline *outline, struct fabric_outline_node *made,
                          const struct fabric_node *list)
{
    char name[NAME_BYTES];
    struct fabric_outline_node tried = *made;
    for (uint32_t i = 0; i < list->n; i++)
        if (!name_of(list->items[i], name))
            return true;
    tried.kind = FABRIC_OUTLINE_ELEMENTS;
    tried.n = list->n;
    tried.children = fabric_arena_array(&outline->arena, list->n, sizeof(*tried.children));
    if (!tried.children)
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct fabric_node *element = list->items[i];
        struct fabric_outline_node *child = &tried.children[i];
        name_of(element, name);
        if (!fill(outline, child, name, element, &element->place) ||
            !fill_keys(outline, child, element))
            return false;
    }
    if (settle(&tried))
        *made = tried;
    return true;
}

static bool fill(struct fabric_outline *outline, struct fabric_outline_node *made, const char *name,
                 const struct fabric_node *value, const struct fabric_place *place)
{
    *made = (struct fabric_outline_node){
        .name = fabric_arena_text(&outline->arena, name, strlen(name)),
        .place = *place,
        .hash = hash_of(value),
    };
    if (!made->name)
        return false;
    return value->kind != FABRIC_NODE_SEQUENCE || fill_elements(outline, made, value);
}

/* Sections that stand once have keys of their own; place: the files' names live in the fabric, the outline
 * may live longer. */
static bool fill_top(struct fabric_outline *outline, const struct fabric_node *top)
{
    if (!fill_keys(outline, &outline->top, top))
        return false;
    for (uint32_t i = 0; i < top->n; i += 2) {
        const struct fabric_node *value = top->items[i + 1];
        struct fabric_outline_node *section = NULL;
        for (uint32_t j = 0; j < outline->top.n; j++)
            if (strcmp(outline->top.children[j].name, top->items[i]->text) == 0)
                section = &outline->top.children[j];
        if (value->kind == FABRIC_NODE_MAPPING && !fill_keys(outline, section, value))
            return false;
    }
    return true;
}

/* One copy of a name for all that stands in that file. */
static bool keep_files(struct fabric_outline *outline, struct fabric_outline_node *node,
                       const char **from, const char **to)
{
    if (node->place.file && node->place.file != *from) {
        *from = node->place.file;
        *to = fabric_arena_text(&outline->arena, *from, strlen(*from));
        if (!*to)
            return false;
    }
    node->place.file = node->place.file ? *to : NULL;
    for (uint32_t i = 0; i < node->n; i++)
        if (!keep_files(outline, &node->children[i], from, to))
            return false;
    return true;
}

struct fabric_outline *fabric_outline_make(const struct fabric_node *top)
{
    struct fabric_outline *outline = calloc(1, sizeof(*outline));
    const char *from = NULL, *to = NULL;
    if (outline && fill_top(outline, top) && keep_files(outline, &outline->top, &from, &to))
        return outline;
    fabric_outline_free(outline);
    return NULL;
}

void fabric_outline_free(struct fabric_outline *outline)
{
    if (!outline)
        return;
    fabric_arena_free(&outline->arena);
    free(outline);
}

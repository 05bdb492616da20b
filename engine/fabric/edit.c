/*
 * Following a path, step by step; nodes on the way are copied, as others may be shared by aliases.
 */
#include "engine/fabric/edit.h"

#include <stdio.h>
#include <string.h>

#include "engine/fabric/loader.h"

#define STEP_BYTES                                                                                 \
    128u /* names have up to 80, prefixes and pairs of names fewer or not much more */

struct editing {
    struct fabric_loader *loader;
    const struct fabric_edit *edit;
    unsigned depth;
};

static struct fabric_node *change(struct editing *editing, const struct fabric_node *node,
                                  const char *rest);

/* --- Steps of a path -------------------------------------------------------------------------- */

/* Cuts `parts` parts off rest into step. Returns what follows them, NULL at the end; false in *good:
 * there are not so many, or they are too long. */
static const char *take_step(const char *rest, unsigned parts, char step[STEP_BYTES], bool *good)
{
    const char *end = rest;

    for (unsigned i = 0; i < parts && end; i++)
        end = strchr(end + (i > 0), '/');
    size_t length = end ? (size_t)(end - rest) : strlen(rest);
    *good = length > 0 && length < STEP_BYTES;
    snprintf(step, STEP_BYTES, "%.*s", *good ? (int)length : 0, rest);
    return end ? end + 1 : NULL;
}

static bool is_text(const struct fabric_node *node, const char *text)
{
    return node && node->kind == FABRIC_NODE_SCALAR && strcmp(node->text, text) == 0;
}

/* "hub,spoke1" or "spoke1,hub" for a list of two. */
static bool is_pair(const struct fabric_node *list, const char *text)
{
    char pair[2 * STEP_BYTES];

    if (!list || list->kind != FABRIC_NODE_SEQUENCE || list->n != 2)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        const struct fabric_node *first = list->items[i], *second = list->items[!i];

        if (first->kind != FABRIC_NODE_SCALAR || second->kind != FABRIC_NODE_SCALAR)
            return false;
        snprintf(pair, sizeof(pair), "%.100s,%.100s", first->text, second->text);
        if (strcmp(pair, text) == 0)
            return true;
    }
    return false;
}

static bool is_called(const struct fabric_node *element, const char *name)
{
    if (element->kind != FABRIC_NODE_MAPPING)
        return is_text(element, name);
    for (const char *const *key = fabric_naming_keys; *key; key++)
        if (is_text(fabric_node_get(element, *key), name))
            return true;
    return is_pair(fabric_node_get(element, "vnets"), name);
}

/* Index of the element of that name, or list->n. */
static uint32_t find_element(const struct fabric_node *list, const char *name)
{
    uint32_t i = 0;

    while (i < list->n && !is_called(list->items[i], name))
        i++;
    return i;
}

/* --- Problems --------------------------------------------------------------------------------- */

static void try_names(struct fabric_nearest *nearest, const struct fabric_node *node,
                      const char *text)
{
    for (uint32_t i = 0; i < node->n; i++) {
        const struct fabric_node *item = node->items[i];
        const struct fabric_node *name = item;

        if (node->kind == FABRIC_NODE_MAPPING && i % 2 == 1)
            continue;
        if (item->kind == FABRIC_NODE_MAPPING)
            name = fabric_node_get(item, "name");
        if (name && name->kind == FABRIC_NODE_SCALAR)
            fabric_nearest_try(nearest, text, name->text);
    }
}

static struct fabric_node *tell_missing(struct editing *editing, const struct fabric_node *node,
                                        const char *step, const struct fabric_place *place)
{
    struct fabric_nearest nearest = {0};
    char text[FABRIC_NEAREST_TEXT];

    try_names(&nearest, node, step);
    FABRIC_ERROR(editing->loader, place, "%s: there is no '%s' at that time%s", editing->edit->path,
                 step, fabric_nearest_text(&nearest, text));
    return NULL;
}

static struct fabric_node *tell(struct editing *editing, const struct fabric_node *node,
                                const char *what)
{
    char found[FABRIC_FOUND_TEXT];

    FABRIC_ERROR(editing->loader, &editing->edit->place, "%s: %s, found %s", editing->edit->path,
                 what, fabric_node_found(node, found));
    return NULL;
}

/* --- Copies ----------------------------------------------------------------------------------- */

/* A copy of node with room for `more` items behind its own. */
static struct fabric_node *copy(struct editing *editing, const struct fabric_node *node,
                                uint32_t more)
{
    struct fabric_arena *arena = &editing->loader->tree;
    struct fabric_node *made = fabric_arena_array(arena, 1, sizeof(*made));

    if (made) {
        *made = *node;
        made->items = fabric_arena_array(arena, (size_t)node->n + more, sizeof(*made->items));
    }
    if (!made || !made->items) {
        editing->loader->out_of_memory = true;
        return NULL;
    }
    for (uint32_t i = 0; i < node->n; i++)
        made->items[i] = node->items[i];
    return made;
}

static struct fabric_node *empty(struct editing *editing, enum fabric_node_kind kind,
                                 const char *text)
{
    struct fabric_node model = {
        .kind = kind, .place = editing->edit->place, .text = text, .weight = 1};

    return copy(editing, &model, 0);
}

/* Takes `count` items out at `at`. */
static void cut(struct fabric_node *node, uint32_t at, uint32_t count)
{
    for (uint32_t i = at; i + count < node->n; i++)
        node->items[i] = node->items[i + count];
    node->n -= count;
}

/* --- Lists ------------------------------------------------------------------------------------ */

static struct fabric_node *add_elements(struct editing *editing, const struct fabric_node *list)
{
    const struct fabric_node *value = editing->edit->value;

    if (list->kind != FABRIC_NODE_SEQUENCE && !fabric_node_is_empty(list))
        return tell(editing, list, "only to a list something can be added");
    if (value->kind != FABRIC_NODE_SEQUENCE)
        return tell(editing, value, "expected a list of what is to be added");
    struct fabric_node *made = copy(editing, list, value->n);
    if (!made)
        return NULL;
    made->kind = FABRIC_NODE_SEQUENCE;
    for (uint32_t i = 0; i < value->n; i++)
        made->items[made->n++] = value->items[i];
    return made;
}

/* "vm1", or [hub, spoke1] for a peering. */
static bool name_of(const struct fabric_node *node, char name[2 * STEP_BYTES])
{
    name[0] = '\0';
    if (node->kind == FABRIC_NODE_SCALAR)
        snprintf(name, 2 * STEP_BYTES, "%.200s", node->text);
    else if (node->kind == FABRIC_NODE_SEQUENCE && node->n == 2 &&
             node->items[0]->kind == FABRIC_NODE_SCALAR &&
             node->items[1]->kind == FABRIC_NODE_SCALAR)
        snprintf(name, 2 * STEP_BYTES, "%.100s,%.100s", node->items[0]->text, node->items[1]->text);
    return name[0] != '\0';
}

static struct fabric_node *remove_elements(struct editing *editing, const struct fabric_node *list)
{
    const struct fabric_node *value = editing->edit->value;
    struct fabric_node *made;

    if (list->kind != FABRIC_NODE_SEQUENCE)
        return tell(editing, list, "only from a list something can be removed");
    if (value->kind != FABRIC_NODE_SEQUENCE)
        return tell(editing, value, "expected a list of names");
    made = copy(editing, list, 0);
    for (uint32_t i = 0; made && i < value->n; i++) {
        char name[2 * STEP_BYTES];

        if (!name_of(value->items[i], name))
            return tell(editing, value->items[i], "expected the name of what is to be removed");
        uint32_t at = find_element(made, name);
        if (at == made->n)
            return tell_missing(editing, made, name, &value->items[i]->place);
        cut(made, at, 1);
    }
    return made;
}

/* --- The way ---------------------------------------------------------------------------------- */

/* What becomes of the node at the end of the path; NULL of a set with an empty value: it goes. */
static struct fabric_node *change_end(struct editing *editing, const struct fabric_node *node)
{
    switch (editing->edit->kind) {
    case FABRIC_EDIT_ADD:
        return add_elements(editing, node);
    case FABRIC_EDIT_REMOVE:
        return remove_elements(editing, node);
    default:
        return copy(editing, editing->edit->value, 0);
    }
}

static bool takes_away(const struct editing *editing, const char *rest)
{
    return !rest && editing->edit->kind == FABRIC_EDIT_SET &&
           fabric_node_is_empty(editing->edit->value);
}

/* A key that is not there is made on the way: the tables of the file know which keys there are. */
static struct fabric_node *change_mapping(struct editing *editing, const struct fabric_node *node,
                                          const char *step, const char *rest)
{
    uint32_t at = 0;

    while (at < node->n && strcmp(node->items[at]->text, step) != 0)
        at += 2;
    bool known = at < node->n;
    if (!known && (editing->edit->kind == FABRIC_EDIT_REMOVE || takes_away(editing, rest)))
        return tell_missing(editing, node, step, &editing->edit->place);
    struct fabric_node *made = copy(editing, node, 2);
    if (!made)
        return NULL;
    if (takes_away(editing, rest)) {
        cut(made, at, 2);
        return made;
    }
    if (!known) {
        char *key = fabric_arena_text(&editing->loader->tree, step, strlen(step));
        made->items[at] = key ? empty(editing, FABRIC_NODE_SCALAR, key) : NULL;
        made->items[at + 1] =
            empty(editing, rest ? FABRIC_NODE_MAPPING : FABRIC_NODE_SEQUENCE, NULL);
        made->n += 2;
        if (!made->items[at] || !made->items[at + 1]) {
            editing->loader->out_of_memory = true;
            return NULL;
        }
    }
    made->items[at + 1] = change(editing, made->items[at + 1], rest);
    return made->items[at + 1] ? made : NULL;
}

/* A prefix has a slash of its own: two parts of the path. */
static struct fabric_node *change_sequence(struct editing *editing, const struct fabric_node *node,
                                           const char *path)
{
    char step[STEP_BYTES];
    const char *rest = NULL;
    uint32_t at = node->n;
    bool good = true;

    for (unsigned parts = 1; parts <= 2 && at == node->n && good; parts++) {
        rest = take_step(path, parts, step, &good);
        at = good ? find_element(node, step) : node->n;
    }
    if (at == node->n) {
        take_step(path, 1, step, &good);
        return tell_missing(editing, node, step, &editing->edit->place);
    }
    struct fabric_node *made = copy(editing, node, 0);
    if (!made)
        return NULL;
    if (takes_away(editing, rest)) {
        cut(made, at, 1);
        return made;
    }
    made->items[at] = change(editing, made->items[at], rest);
    return made->items[at] ? made : NULL;
}

/* rest: the path from here on; NULL: this is its end. */
static struct fabric_node *change(struct editing *editing, const struct fabric_node *node,
                                  const char *rest)
{
    char step[STEP_BYTES];
    bool good;

    if (!rest)
        return change_end(editing, node);
    if (++editing->depth > FABRIC_DEPTH_MAX)
        return tell(editing, node, "the path has too many steps");
    const char *next = take_step(rest, 1, step, &good);
    if (!good)
        return tell(editing, node, "the path has an empty step, or one that is too long");
    if (node->kind == FABRIC_NODE_SEQUENCE)
        return change_sequence(editing, node, rest);
    if (node->kind == FABRIC_NODE_MAPPING)
        return change_mapping(editing, node, step, next);
    return tell(editing, node, "the path goes on where there is but a value");
}

struct fabric_node *fabric_edit_apply(struct fabric_loader *loader, const struct fabric_node *top,
                                      const struct fabric_edit *edit)
{
    struct editing editing = {.loader = loader, .edit = edit};

    return change(&editing, top, edit->path);
}

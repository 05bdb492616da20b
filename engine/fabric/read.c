/*
 * Reads objects by the tables of schema.h.
 *
 * Keys are read in the order of their table, not of the file: a line of the table may rely on
 * those above it. A problem is told and reading goes on, so that one run shows as many of them as
 * can be seen.
 */
#include "engine/fabric/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Messages --------------------------------------------------------------------------------- */

/* Appends one step, after those that lead to it. Returns how much of text is used. */
static size_t path_append(const struct fabric_path *path, char text[FABRIC_PATH_TEXT])
{
    size_t used = path->parent ? path_append(path->parent, text) : 0;
    const char *dot = used > 0 && path->key ? "." : "";

    if (path->key)
        used += (size_t)snprintf(text + used, FABRIC_PATH_TEXT - used, "%s%.80s", dot, path->key);
    if (used < FABRIC_PATH_TEXT && path->name)
        used += (size_t)snprintf(text + used, FABRIC_PATH_TEXT - used, "[%.80s]", path->name);
    else if (used < FABRIC_PATH_TEXT && path->index != FABRIC_NONE)
        used += (size_t)snprintf(text + used, FABRIC_PATH_TEXT - used, "[%u]", path->index);
    return used < FABRIC_PATH_TEXT ? used : FABRIC_PATH_TEXT - 1;
}

char *fabric_path_format(const struct fabric_path *path, char text[FABRIC_PATH_TEXT])
{
    text[0] = '\0';
    path_append(path, text);
    return text;
}

/* One wording for every wrong type, whatever the reader that met it. */
bool fabric_expected(struct fabric_loader *loader, const struct fabric_node *node,
                     const struct fabric_path *path, const char *what)
{
    char path_text[FABRIC_PATH_TEXT], found[FABRIC_FOUND_TEXT];

    fabric_path_format(path, path_text);
    FABRIC_ERROR(loader, &node->place, "%s%sexpected %s, found %s", path_text,
                 path_text[0] ? ": " : "", what, fabric_node_found(node, found));
    return false;
}

static const struct fabric_key *find_key(const struct fabric_schema *schema, const char *name)
{
    for (unsigned i = 0; i < schema->key_count; i++)
        if (strcmp(schema->keys[i].name, name) == 0)
            return &schema->keys[i];
    return NULL;
}

/* Says the key that was probably meant; when none is near, all that would do. */
static bool unknown_key(struct fabric_loader *loader, const struct fabric_schema *schema,
                        const struct fabric_node *key, const struct fabric_path *path)
{
    char path_text[FABRIC_PATH_TEXT], found[FABRIC_FOUND_TEXT], nearest_text[FABRIC_NEAREST_TEXT];
    char known[512];
    struct fabric_nearest nearest = {0};
    size_t used = 0;

    fabric_path_format(path, path_text);
    known[0] = '\0';
    for (unsigned i = 0; i < schema->key_count; i++) {
        fabric_nearest_try(&nearest, key->text, schema->keys[i].name);
        if (used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                     i == 0 ? "; known here: " : ", ", schema->keys[i].name);
    }
    FABRIC_ERROR(loader, &key->place, "%s%sunknown key %s%s", path_text, path_text[0] ? ": " : "",
                 fabric_node_found(key, found),
                 nearest.name ? fabric_nearest_text(&nearest, nearest_text) : known);
    return false;
}

/* --- Lists of values -------------------------------------------------------------------------- */

/* Before anything is stored: a list of fixed size lies inside its structure and must not run
 * over. */
static bool check_list_length(struct fabric_loader *loader, const struct fabric_key *key,
                              const struct fabric_node *list, uint32_t n,
                              const struct fabric_path *path)
{
    char path_text[FABRIC_PATH_TEXT];

    if (key->required && n == 0) {
        FABRIC_ERROR(loader, &list->place, "%s: needs at least one entry",
                     fabric_path_format(path, path_text));
        return false;
    }
    if (key->fixed_max == 0 || (n >= key->fixed_min && n <= key->fixed_max))
        return true;
    if (key->fixed_min == key->fixed_max)
        FABRIC_ERROR(loader, &list->place, "%s: expected %u entries, found %u",
                     fabric_path_format(path, path_text), key->fixed_min, n);
    else
        FABRIC_ERROR(loader, &list->place, "%s: expected %u to %u entries, found %u",
                     fabric_path_format(path, path_text), key->fixed_min, key->fixed_max, n);
    return false;
}

/* Where the items go: into the structure itself, or into an array of their own. */
static char *list_items(struct fabric_loader *loader, const struct fabric_key *key, void *object,
                        uint32_t n)
{
    char *field = (char *)object + key->offset;

    if (key->fixed_max > 0)
        return field;
    return *(void **)(void *)field = fabric_loader_array(loader, n, key->size);
}

/* Bad entries do not stop the others from being looked at. */
bool fabric_read_list(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    const struct fabric_node *one[] = {node};
    bool single = key->or_one && node->kind == FABRIC_NODE_SCALAR && !fabric_node_is_empty(node);
    const struct fabric_node *const *values =
        single ? one : (const struct fabric_node *const *)node->items;
    uint32_t n = single ? 1 : node->n;
    char *items;
    bool good = true;

    if (!single && node->kind != FABRIC_NODE_SEQUENCE && !fabric_node_is_empty(node))
        return fabric_expected(loader, node, path, "a list");
    if (!check_list_length(loader, key, node, n, path))
        return false;
    items = list_items(loader, key, object, n);
    if (!items)
        return false;
    if (key->count_offset)
        *(uint32_t *)(void *)((char *)object + key->count_offset) = n;
    fabric_note(loader, (char *)object + key->offset, &node->place);
    for (uint32_t i = 0; i < n; i++)
        good &= fabric_read_scalar(loader, key, values[i], items + i * key->size, path);
    return good;
}

/* --- Lists of objects ------------------------------------------------------------------------- */

/* Only for nodes that check_element() has let pass. */
static const char *node_name(const struct fabric_node *node)
{
    return fabric_node_get(node, "name")->text;
}

static int node_name_compare(const void *a, const void *b)
{
    const struct fabric_node *const *left = a, *const *right = b;
    int by_name = strcmp(node_name(*left), node_name(*right));

    if (by_name != 0)
        return by_name;
    /* Equal names are an error that names both places: the one told as the first must not depend on
     * qsort(). */
    by_name = strcmp((*left)->place.file, (*right)->place.file);
    return by_name ? by_name : (int)(*left)->place.line - (int)(*right)->place.line;
}

/* An element of a list of objects is a mapping and, where its kind has names, has a good one. */
static bool check_element(struct fabric_loader *loader, const struct fabric_schema *schema,
                          const struct fabric_node *node, const struct fabric_path *path)
{
    static const struct fabric_key name_key = {.name = "name", .type = FABRIC_TYPE_NAME};
    const struct fabric_node *name;
    char path_text[FABRIC_PATH_TEXT], what[80];
    const char *unused;
    struct fabric_path name_path = {.parent = path, .key = "name", .index = FABRIC_NONE};

    if (node->kind != FABRIC_NODE_MAPPING) {
        snprintf(what, sizeof(what), "a mapping (one %s)", schema->word);
        return fabric_expected(loader, node, path, what);
    }
    if (!schema->named)
        return true;
    name = fabric_node_get(node, "name");
    if (!name) {
        FABRIC_ERROR(loader, &node->place, "%s: the key 'name' is missing",
                     fabric_path_format(path, path_text));
        return false;
    }
    return fabric_read_scalar(loader, &name_key, name, &unused, &name_path);
}

/* The nodes stand in order of name, so equal ones stand side by side. */
static bool check_unique(struct fabric_loader *loader, const struct fabric_schema *schema,
                         const struct fabric_objects *objects, const struct fabric_path *path)
{
    char path_text[FABRIC_PATH_TEXT];
    bool good = true;

    for (uint32_t i = 1; schema->named && i < objects->n; i++) {
        const struct fabric_node *node = objects->nodes[i], *before = objects->nodes[i - 1];

        if (strcmp(node_name(node), node_name(before)) != 0)
            continue;
        FABRIC_ERROR(loader, &node->place, "%s: the name '%s' is used twice, first at %s:%u",
                     fabric_path_format(path, path_text), node_name(node), before->place.file,
                     before->place.line);
        good = false;
    }
    return good;
}

/* Entries that are no good are told and left out, so that what follows can rely on every node. */
bool fabric_collect(struct fabric_loader *loader, const struct fabric_schema *schema,
                    const struct fabric_node *list, const struct fabric_path *path,
                    struct fabric_objects *objects)
{
    bool good = true;

    *objects = (struct fabric_objects){0};
    if (!list || fabric_node_is_empty(list))
        return true;
    if (list->kind != FABRIC_NODE_SEQUENCE)
        return fabric_expected(loader, list, path, "a list");
    objects->nodes = fabric_arena_array(&loader->tree, list->n, sizeof(*objects->nodes));
    if (!objects->nodes) {
        loader->out_of_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < list->n; i++) {
        struct fabric_path element = {.parent = path, .index = i};

        if (check_element(loader, schema, list->items[i], &element))
            objects->nodes[objects->n++] = list->items[i];
        else
            good = false;
    }
    if (schema->named && objects->n > 0)
        qsort(objects->nodes, objects->n, sizeof(*objects->nodes), node_name_compare);
    return check_unique(loader, schema, objects, path) && good;
}

/* array has room for all nodes and is all zero. */
bool fabric_fill(struct fabric_loader *loader, const struct fabric_schema *schema,
                 const struct fabric_objects *objects, void *array, const struct fabric_path *path)
{
    bool good = true;

    for (uint32_t i = 0; i < objects->n; i++) {
        const struct fabric_node *node = objects->nodes[i];
        char *object = (char *)array + i * schema->size;
        struct fabric_path element = {
            .parent = path, .index = i, .name = schema->named ? node_name(node) : NULL};

        if (schema->has_place)
            *(struct fabric_place *)(void *)(object + schema->place_offset) = node->place;
        good &= fabric_read_object(loader, schema, node, object, &element);
    }
    return good;
}

/* Lists of objects that nobody refers to by name from elsewhere: collected and filled in one go.
 * Those of the top go through top.c. */
static bool read_objects(struct fabric_loader *loader, const struct fabric_key *key,
                         const struct fabric_node *node, void *object,
                         const struct fabric_path *path)
{
    struct fabric_objects objects;
    bool good = fabric_collect(loader, key->object, node, path, &objects);
    char *array = fabric_loader_array(loader, objects.n, key->size);

    if (!array)
        return false;
    *(void **)(void *)((char *)object + key->offset) = array;
    *(uint32_t *)(void *)((char *)object + key->count_offset) = objects.n;
    fabric_note(loader, (char *)object + key->offset, &node->place);
    good &= fabric_fill(loader, key->object, &objects, array, path);
    if (key->object->compare && good && objects.n > 1)
        qsort(array, objects.n, key->size, key->object->compare);
    return good;
}

/* --- Objects ---------------------------------------------------------------------------------- */

/* A handler, where there is one, takes the value over whole. */
static bool read_given(struct fabric_loader *loader, const struct fabric_key *key,
                       const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    char *slot = (char *)object + key->offset;

    if (key->handler)
        return key->handler(loader, key, node, object, path);
    if (key->type == FABRIC_TYPE_OBJECT) {
        if (key->present_offset)
            *(bool *)((char *)object + key->present_offset) = true;
        if (key->object->has_place)
            *(struct fabric_place *)(void *)(slot + key->object->place_offset) = node->place;
        return fabric_read_object(loader, key->object, node, slot, path);
    }
    if (key->type == FABRIC_TYPE_OBJECTS)
        return read_objects(loader, key, node, object, path);
    if (key->list)
        return fabric_read_list(loader, key, node, object, path);
    return fabric_read_scalar(loader, key, node, slot, path);
}

/* The key is not in the file: its default, or an error when there must be one. */
static bool read_absent(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *mapping, void *object,
                        const struct fabric_path *path)
{
    char path_text[FABRIC_PATH_TEXT];

    if (key->type == FABRIC_TYPE_REFERENCE && !key->list)
        *(uint32_t *)(void *)((char *)object + key->offset) = FABRIC_NONE;
    if (key->required && mapping) {
        fabric_path_format(path->parent, path_text);
        FABRIC_ERROR(loader, &mapping->place, "%s%sthe key '%s' is missing", path_text,
                     path_text[0] ? ": " : "", key->name);
        return false;
    }
    if (key->type == FABRIC_TYPE_OBJECT)
        return fabric_read_object(loader, key->object, NULL, (char *)object + key->offset, path);
    return !key->fallback || fabric_read_default(loader, key, (char *)object + key->offset);
}

/* Known keys were read by the table; here it is about the others. */
static bool check_keys(struct fabric_loader *loader, const struct fabric_schema *schema,
                       const struct fabric_node *mapping, void *object,
                       const struct fabric_path *path)
{
    bool good = true;

    for (uint32_t i = 0; i < mapping->n; i += 2) {
        const struct fabric_node *key = mapping->items[i];

        if (find_key(schema, key->text))
            continue;
        if (schema->other_key)
            schema->other_key(loader, key, mapping->items[i + 1], object, path);
        else
            good = unknown_key(loader, schema, key, path);
    }
    return good;
}

/* An absent object is read as an empty one: the defaults of its keys hold all the same. */
bool fabric_read_object(struct fabric_loader *loader, const struct fabric_schema *schema,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path)
{
    bool good = true;

    if (node && fabric_node_is_empty(node))
        node = NULL;
    if (node && node->kind != FABRIC_NODE_MAPPING)
        return fabric_expected(loader, node, path, "a mapping");
    for (unsigned i = 0; i < schema->key_count; i++) {
        const struct fabric_key *key = &schema->keys[i];
        const struct fabric_node *value = node ? fabric_node_get(node, key->name) : NULL;
        struct fabric_path key_path = {.parent = path, .key = key->name, .index = FABRIC_NONE};

        good &= value ? read_given(loader, key, value, object, &key_path)
                      : read_absent(loader, key, node, object, &key_path);
    }
    return node ? check_keys(loader, schema, node, object, path) && good : good;
}

/*
 * Loading: files into one tree, the tree into the model, the model checked.
 *
 *   fabric_load() ── read files, follow include: ──> roots[] ── merge ──> top mapping
 *                 ── fabric_read_top() ── fabric_complete() ── fabric_validate() ── fabric_settle()
 *
 * Limits on what one load takes in: bytes of a file, nodes, depth, keys and scalars in tree.h;
 * files here; kept problems in loader.h.
 */
#include "engine/fabric/load.h"

#include "engine/fabric/edit.h"
#include "engine/fabric/loader.h"
#include "engine/fabric/outline_private.h"
#include "engine/fabric/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FABRIC_FILES_MAX         4096u
#define FABRIC_INCLUDE_DEPTH_MAX 16u

/* The fabric and the memory that it lives in. fabric comes first: fabric_free() finds the rest
 * behind it. */
struct owned_fabric {
    struct fabric fabric;
    struct fabric_arena arena;
};

struct file {
    const char *path; /* simplified, so that one file has one name */
    bool open;        /* being read: including it now would be a cycle */
    bool listed;      /* nobody named it but the directory that it lies in */
};

struct files {
    struct fabric_loader *loader;
    struct file *items;
    size_t n, capacity;
    const struct fabric_node **roots; /* of files with content, in the order of inclusion */
    size_t root_count;
    unsigned depth;
};

/* --- Memory ----------------------------------------------------------------------------------- */

void *fabric_loader_array(struct fabric_loader *loader, size_t n, size_t size)
{
    void *array = fabric_arena_array(loader->arena, n, size);

    loader->out_of_memory |= array == NULL;
    return array;
}

char *fabric_loader_text(struct fabric_loader *loader, const char *text)
{
    char *copy = fabric_arena_text(loader->arena, text, strlen(text));

    loader->out_of_memory |= copy == NULL;
    return copy;
}

/* The arena is copied out first: it lies in what is freed, and holds nothing that fabric_free()
 * itself needs. */
void fabric_free(struct fabric *fabric)
{
    struct owned_fabric *owned = (struct owned_fabric *)(void *)fabric;
    struct fabric_arena arena;

    if (!fabric)
        return;
    arena = owned->arena;
    fabric_arena_free(&arena);
    free(owned);
}

/* --- Files ------------------------------------------------------------------------------------ */

/* A fabric has tens of files; a scan of their names is cheap beside reading one. */
static struct file *file_find(struct files *files, const char *path)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->items[i].path, path) == 0)
            return &files->items[i];
    return NULL;
}

/* Returns the index of a new entry, or SIZE_MAX. */
static size_t file_add(struct files *files, const char *path)
{
    struct fabric_loader *loader = files->loader;

    if (files->n == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 16;
        struct file *items = reallocarray(files->items, capacity, sizeof(*items));
        const struct fabric_node **roots;

        files->items = items ? items : files->items;
        roots = items ? reallocarray(files->roots, capacity, sizeof(*roots)) : NULL;
        files->roots = roots ? roots : files->roots;
        if (!roots) {
            loader->out_of_memory = true;
            return SIZE_MAX;
        }
        files->capacity = capacity;
    }
    files->items[files->n] = (struct file){.path = fabric_loader_text(loader, path), .open = true};
    return files->items[files->n].path ? files->n++ : SIZE_MAX;
}

static void load_path(struct files *files, const char *path, const struct fabric_place *from,
                      bool listed);

/* A name is taken relative to the folder of the file that it stands in, as C's #include does: a
 * folder of files can then be moved as it is. */
static void load_includes(struct files *files, const char *path, const struct fabric_node *root)
{
    const struct fabric_node *include = fabric_node_get(root, "include");
    const char *slash = strrchr(path, '/');
    uint32_t n = include && include->kind == FABRIC_NODE_SEQUENCE ? include->n : 0;
    struct fabric_path key_path = {.key = "include", .index = FABRIC_NONE};
    char joined[FABRIC_FILE_NAME_BYTES_MAX];

    if (include && include->kind != FABRIC_NODE_SEQUENCE && !fabric_node_is_empty(include))
        fabric_expected(files->loader, include, &key_path, "a list");
    for (uint32_t i = 0; i < n; i++) {
        const struct fabric_node *name = include->items[i];

        if (name->kind != FABRIC_NODE_SCALAR || name->text[0] == '\0' ||
            !fabric_file_join(path, slash ? (size_t)(slash - path) + 1 : 0, name->text, joined))
            fabric_expected(files->loader, name, &key_path, "the name of a file");
        else
            load_path(files, joined, &name->place, false);
    }
}

/* Nodes copy what they need of text, so the caller frees it at once. */
static void load_text(struct files *files, size_t index, const char *text, size_t length)
{
    const char *path = files->items[index].path;
    struct fabric_place place = {.file = path};
    struct fabric_path top = {.index = FABRIC_NONE};
    struct fabric_node *root;

    if (length > FABRIC_FILE_BYTES_MAX) {
        FABRIC_ERROR(files->loader, &place, "the file is larger than %u bytes",
                     FABRIC_FILE_BYTES_MAX);
        return;
    }
    root = fabric_tree_parse(files->loader, path, text, length);
    if (!root)
        return;
    if (root->kind != FABRIC_NODE_MAPPING) {
        fabric_expected(files->loader, root, &top, "keys of a fabric file");
        return;
    }
    const struct fabric_node *drill = fabric_node_get(root, "drill");
    if (drill && files->items[index].listed)
        return; /* the drills of a fabric may lie beside it */
    if (drill) {
        FABRIC_ERROR(files->loader, &drill->place,
                     "this is a drill, not a part of a fabric: fingerpost drill FABRIC %s", path);
        return;
    }
    files->roots[files->root_count++] = root;
    load_includes(files, path, root);
}

/* text: one path a line. */
static void load_directory(struct files *files, const char *path, char *text,
                           const struct fabric_place *from)
{
    struct fabric_place place = {.file = path};
    char *save = NULL;
    char *line = text ? strtok_r(text, "\n", &save) : NULL;

    if (!line)
        FABRIC_ERROR(files->loader, from ? from : &place, "the directory '%s' holds no .yaml file",
                     path);
    for (; line; line = strtok_r(NULL, "\n", &save))
        load_path(files, line, from, true);
}

/* At an include the line says who asks and the message which file; of the first file the place
 * names it already. */
static void tell_unreadable(struct files *files, const char *path, const struct fabric_place *from,
                            int error)
{
    struct fabric_place place = {.file = path};

    if (error != -ENOTSUP)
        FABRIC_ERROR(files->loader, from ? from : &place, "'%s' cannot be read: %s", path,
                     strerror(-error));
    else if (from)
        FABRIC_ERROR(files->loader, from, "'%s' is neither a file nor a directory", path);
    else
        FABRIC_ERROR(files->loader, &place, "is neither a file nor a directory");
}

/* Reads the file of entry `index` and what it includes. */
static void load_entry(struct files *files, size_t index, const struct fabric_place *from)
{
    const char *path = files->items[index].path;
    bool is_directory = false;
    size_t length = 0;
    char *text = NULL;
    int error = files->loader->reader->read(files->loader->reader->context, path, &text, &length,
                                            &is_directory);

    if (error < 0)
        tell_unreadable(files, path, from, error);
    else if (is_directory)
        load_directory(files, path, text, from);
    else
        load_text(files, index, text, length);
    free(text);
}

/* from: the line that includes it; NULL: the first. A file that is included twice is read once. */
static void load_path(struct files *files, const char *path, const struct fabric_place *from,
                      bool listed)
{
    struct file *known = file_find(files, path);
    struct fabric_place place = {.file = path};
    size_t index;

    if (known && known->open)
        FABRIC_ERROR(files->loader, from, "'%s' includes itself, directly or through others", path);
    if (known)
        return;
    if (files->n == FABRIC_FILES_MAX || files->depth == FABRIC_INCLUDE_DEPTH_MAX) {
        FABRIC_ERROR(files->loader, from ? from : &place,
                     "more than %u files, or files included more than %u deep", FABRIC_FILES_MAX,
                     FABRIC_INCLUDE_DEPTH_MAX);
        return;
    }
    index = file_add(files, path);
    if (index == SIZE_MAX)
        return;
    files->items[index].listed = listed;
    files->depth++;
    load_entry(files, index, from);
    files->depth--;
    files->items[index].open = false;
}

/* --- Merging ---------------------------------------------------------------------------------- */

/* One value for key out of all files from root `first` on: lists are joined, all else may stand
 * once. */
static struct fabric_node *merge_key(struct files *files, size_t first, const char *key)
{
    struct fabric_loader *loader = files->loader;
    const struct fabric_node *before = NULL;
    struct fabric_node *merged = fabric_arena_array(&loader->tree, 1, sizeof(*merged));
    uint32_t n = 0, used = 0;

    for (size_t i = first; merged && i < files->root_count; i++) {
        const struct fabric_node *value = fabric_node_get(files->roots[i], key);

        if (!value || (before && fabric_node_is_empty(value)))
            continue;
        if (before && !fabric_node_is_empty(before) &&
            (value->kind != FABRIC_NODE_SEQUENCE || before->kind != FABRIC_NODE_SEQUENCE)) {
            FABRIC_ERROR(loader, &value->place, "the key '%s' is given twice, first at %s:%u", key,
                         before->place.file, before->place.line);
            continue;
        }
        n += value->kind == FABRIC_NODE_SEQUENCE ? value->n : 0;
        if (!before || fabric_node_is_empty(before))
            *merged = *value;
        before = value;
    }
    if (!merged || merged->kind != FABRIC_NODE_SEQUENCE)
        return merged;
    merged->n = n;
    merged->items = fabric_arena_array(&loader->tree, n, sizeof(*merged->items));
    for (size_t i = first; merged->items && i < files->root_count; i++) {
        const struct fabric_node *value = fabric_node_get(files->roots[i], key);

        for (uint32_t j = 0; value && value->kind == FABRIC_NODE_SEQUENCE && j < value->n; j++)
            merged->items[used++] = value->items[j];
    }
    return merged->items ? merged : NULL;
}

/* All files as one mapping. */
static struct fabric_node *merge(struct files *files)
{
    struct fabric_loader *loader = files->loader;
    struct fabric_node *top = fabric_arena_array(&loader->tree, 1, sizeof(*top));
    size_t capacity = 0;

    for (size_t i = 0; i < files->root_count; i++)
        capacity += files->roots[i]->n;
    if (!top)
        return NULL;
    *top = (struct fabric_node){
        .kind = FABRIC_NODE_MAPPING,
        .place = {files->items[0].path, 1},
        .items = fabric_arena_array(&loader->tree, capacity, sizeof(*top->items))};
    for (size_t i = 0; top->items && i < files->root_count; i++) {
        const struct fabric_node *root = files->roots[i];

        for (uint32_t j = 0; j < root->n; j += 2) {
            if (fabric_node_get(top, root->items[j]->text))
                continue;
            top->items[top->n] = root->items[j];
            top->items[top->n + 1] = merge_key(files, i, root->items[j]->text);
            if (!top->items[top->n + 1])
                return NULL;
            top->n += 2;
        }
    }
    return top->items ? top : NULL;
}

/* --- The whole way ---------------------------------------------------------------------------- */

/* NULL with a problem told, or out of memory. */
static struct fabric_node *edit(struct fabric_loader *loader, struct fabric_node *top,
                                const struct fabric_edits *edits)
{
    for (size_t i = 0; top && i < edits->n; i++)
        top = fabric_edit_apply(loader, top, &edits->items[i]);
    return top;
}

/* Nothing is read into the model when a file failed: what is missing there would look like
 * mistakes elsewhere. */
static void load_all(struct fabric_loader *loader, const char *path,
                     const struct fabric_edits *edits, struct fabric_outline **outline)
{
    struct files files = {.loader = loader};
    char simple[FABRIC_FILE_NAME_BYTES_MAX];
    struct fabric_place place = {.file = path};
    struct fabric_node *top = NULL;

    if (!fabric_file_join("", 0, path, simple))
        FABRIC_ERROR(loader, &place, "the path is too long");
    else
        load_path(&files, simple, NULL, false);
    if (files.root_count > 0 && loader->problems->errors == 0) {
        top = merge(&files);
        loader->out_of_memory |= top == NULL;
        top = edit(loader, top, edits);
    }
    if ((top && top->n == 0) || (files.root_count == 0 && loader->problems->errors == 0))
        FABRIC_ERROR(
            loader, top ? &top->place : &place,
            "there is nothing in it; a fabric file begins with 'fabric: NAME' and has 'vnets:'");
    if (top && loader->problems->errors == 0)
        fabric_read_top(loader, top);
    if (top && loader->problems->errors == 0 && outline) {
        *outline = fabric_outline_make(top);
        loader->out_of_memory |= *outline == NULL;
    }
    free(files.items);
    free(files.roots);
}

/* Each step runs only when those before it found nothing wrong, and relies on that. Only errors
 * stop it; warnings are collected on the way. */
static struct fabric *load(const char *path, const struct fabric_reader *reader,
                           const struct fabric_edits *edits, struct fabric_outline **outline,
                           struct fabric_problems *problems)
{
    struct owned_fabric *owned = calloc(1, sizeof(*owned));
    struct fabric_loader loader = {.reader = reader, .problems = problems};
    struct fabric_place place = {.file = path};

    *problems = (struct fabric_problems){0};
    if (owned) {
        loader.fabric = &owned->fabric;
        loader.arena = &owned->arena;
        load_all(&loader, path, edits, outline);
        if (problems->errors == 0 && !loader.out_of_memory)
            fabric_complete(&loader);
        if (problems->errors == 0 && !loader.out_of_memory)
            fabric_validate(&loader);
        if (problems->errors == 0 && !loader.out_of_memory)
            fabric_settle(&loader);
        fabric_arena_free(&loader.tree);
        free(loader.notes);
    }
    if (!owned || loader.out_of_memory)
        FABRIC_ERROR(&loader, &place, "out of memory");
    fabric_problems_finish(&loader, path);
    if (problems->errors == 0)
        return &owned->fabric;
    fabric_free(owned ? &owned->fabric : NULL);
    return NULL;
}

struct fabric *fabric_load_edited(const char *path, const struct fabric_reader *reader,
                                  const struct fabric_edits *edits,
                                  struct fabric_problems *problems)
{
    return load(path, reader, edits, NULL, problems);
}

struct fabric *fabric_load_outlined(const char *path, const struct fabric_reader *reader,
                                    struct fabric_outline **outline,
                                    struct fabric_problems *problems)
{
    *outline = NULL;
    struct fabric *fabric = load(path, reader, &(const struct fabric_edits){0}, outline, problems);
    if (fabric)
        return fabric;
    fabric_outline_free(*outline);
    *outline = NULL;
    return NULL;
}

struct fabric *fabric_load(const char *path, const struct fabric_reader *reader,
                           struct fabric_problems *problems)
{
    return load(path, reader, &(const struct fabric_edits){0}, NULL, problems);
}

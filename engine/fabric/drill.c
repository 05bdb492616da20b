/*
 * Loading a drill:
 *
 *   text ── tree.c ──> nodes ── schema_drill.c ──> events, sorted ── changes ──> stages ── checked
 *
 * The nodes stay as long as the drill: what is set and added are nodes of this file within the
 * trees of others.
 */
#include "engine/fabric/drill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/drill_loader.h"

/* The drill and its memory. drill comes first: fabric_drill_free() finds the rest behind it. */
struct owned_drill {
    struct fabric_drill drill;
    struct fabric_arena arena, tree;
};

/* --- The file --------------------------------------------------------------------------------- */

static struct fabric_node *read_tree(struct fabric_loader *loader, const char *path)
{
    struct fabric_place place = {.file = path};
    struct fabric_path top = {.index = FABRIC_NONE};
    struct fabric_node *root = NULL;
    bool is_directory = false;
    size_t length = 0;
    char *text = NULL;
    int error = loader->reader->read(loader->reader->context, path, &text, &length, &is_directory);

    if (error == -ENOTSUP || (!error && is_directory))
        FABRIC_ERROR(loader, &place, "is not a file");
    else if (error)
        FABRIC_ERROR(loader, &place, "cannot be read: %s", strerror(-error));
    else if (length > FABRIC_FILE_BYTES_MAX)
        FABRIC_ERROR(loader, &place, "the file is larger than %u bytes", FABRIC_FILE_BYTES_MAX);
    else
        root = fabric_tree_parse(loader, path, text, length);
    free(text);
    if (root && root->kind != FABRIC_NODE_MAPPING) {
        fabric_expected(loader, root, &top, "keys of a drill file");
        return NULL;
    }
    return root;
}

/* By time, then as they stand in the file. */
static int event_compare(const void *a, const void *b)
{
    const struct fabric_drill_event *left = a, *right = b;

    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms ? -1 : 1;
    return left->place.line != right->place.line ? (left->place.line < right->place.line ? -1 : 1)
                                                 : 0;
}

static bool has_changes(const struct fabric_drill_event *event)
{
    return event->kind >= FABRIC_DRILL_SET;
}

static void read_drill(struct fabric_loader *loader, struct fabric_drill *drill, const char *path)
{
    struct fabric_path top = {.index = FABRIC_NONE};
    struct fabric_node *root = read_tree(loader, path);
    size_t changes = 0;

    if (!root || !fabric_read_object(loader, &fabric_schema_drill, root, drill, &top))
        return;
    drill->place = root->place;
    if (drill->event_count > 1)
        qsort(drill->events, drill->event_count, sizeof(*drill->events), event_compare);
    for (uint32_t i = 0; i < drill->event_count; i++)
        changes += has_changes(&drill->events[i]);
    if (drill->event_count > FABRIC_DRILL_EVENTS_MAX || changes > FABRIC_DRILL_CHANGES_MAX)
        FABRIC_ERROR(loader, &drill->place,
                     "a drill has at most %u events, %u of which change the fabric",
                     FABRIC_DRILL_EVENTS_MAX, FABRIC_DRILL_CHANGES_MAX);
    fabric_drill_check_changes(loader, drill);
}

/* --- Stages ----------------------------------------------------------------------------------- */

static size_t count_edits(const struct fabric_drill *drill)
{
    size_t n = 0;

    for (uint32_t i = 0; i < drill->event_count; i++)
        if (has_changes(&drill->events[i]))
            n += drill->events[i].change->n / 2;
    return n;
}

static void add_edits(const struct fabric_drill_event *event, struct fabric_edit *edits, size_t *n)
{
    static const enum fabric_edit_kind kinds[] = {[FABRIC_DRILL_SET] = FABRIC_EDIT_SET,
                                                  [FABRIC_DRILL_ADD] = FABRIC_EDIT_ADD,
                                                  [FABRIC_DRILL_REMOVE] = FABRIC_EDIT_REMOVE};

    for (uint32_t i = 0; i < event->change->n; i += 2) {
        const struct fabric_node *key = event->change->items[i];

        edits[(*n)++] = (struct fabric_edit){.kind = kinds[event->kind],
                                             .path = key->text,
                                             .value = event->change->items[i + 1],
                                             .place = key->place};
    }
}

/* Problems of a stage are the drill's; what the fabric file itself makes the loader warn of was said
 * of the first one. */
static void take_problems(struct fabric_loader *loader, struct fabric_problems *problems,
                          bool with_warnings)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct fabric_problem *problem = &problems->items[i];
        const struct fabric_place place = {problem->file, problem->line};

        if (problem->error)
            FABRIC_ERROR(loader, &place, "%s", problem->message);
        else if (with_warnings)
            FABRIC_WARNING(loader, problem->rule, problem->object, problem->remedy, &place, "%s",
                           problem->message);
    }
    fabric_problems_free(problems);
}

/* What is made of a router's number, as an address, stays its own while others come and go. A router that comes back
 * is who it was. */
static void number_routers(const struct fabric_drill *drill, struct fabric *stage)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < drill->stage_count; i++)
        for (uint32_t j = 0; j < drill->stages[i]->routers_count; j++)
            if (drill->stages[i]->routers[j].number >= next)
                next = drill->stages[i]->routers[j].number + 1;
    for (uint32_t i = 0; i < stage->routers_count; i++) {
        uint32_t known = FABRIC_NONE;

        for (uint32_t j = drill->stage_count; j-- > 0 && known == FABRIC_NONE;) {
            known = fabric_find_router(drill->stages[j], stage->routers[i].name);
            if (known != FABRIC_NONE)
                stage->routers[i].number = drill->stages[j]->routers[known].number;
        }
        if (known == FABRIC_NONE)
            stage->routers[i].number = next++;
    }
}

static bool load_stage(struct fabric_loader *loader, struct fabric_drill *drill,
                       const char *fabric_path, const struct fabric_edits *edits)
{
    struct fabric_problems problems;
    struct fabric *stage = fabric_load_edited(fabric_path, loader->reader, edits, &problems);

    take_problems(loader, &problems, drill->stage_count == 0);
    if (stage) {
        number_routers(drill, stage);
        drill->stages[drill->stage_count++] = stage;
    }
    return stage != NULL;
}

/* One by one, so that a problem is told of the change that makes it. */
static void load_stages(struct fabric_loader *loader, struct fabric_drill *drill,
                        const char *fabric_path)
{
    struct fabric_edit *items = fabric_loader_array(loader, count_edits(drill), sizeof(*items));
    struct fabric_edits edits = {.items = items};

    drill->stages =
        fabric_loader_array(loader, (size_t)drill->event_count + 1, sizeof(*drill->stages));
    if (!items || !drill->stages || !load_stage(loader, drill, fabric_path, &edits))
        return;
    for (uint32_t i = 0; i < drill->event_count; i++) {
        struct fabric_drill_event *event = &drill->events[i];

        if (has_changes(event)) {
            add_edits(event, items, &edits.n);
            if (!load_stage(loader, drill, fabric_path, &edits))
                return;
        }
        event->stage = drill->stage_count - 1;
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

struct fabric_drill *fabric_drill_load(const char *path, const char *fabric_path,
                                       const struct fabric_reader *reader,
                                       struct fabric_problems *problems)
{
    struct owned_drill *owned = calloc(1, sizeof(*owned));
    struct fabric_loader loader = {.reader = reader, .problems = problems};
    struct fabric_place place = {.file = path};

    *problems = (struct fabric_problems){0};
    if (owned) {
        loader.arena = &owned->arena;
        read_drill(&loader, &owned->drill, path);
        if (problems->errors == 0 && !loader.out_of_memory)
            load_stages(&loader, &owned->drill, fabric_path);
        if (problems->errors == 0 && !loader.out_of_memory)
            fabric_drill_check(&loader, &owned->drill);
        owned->tree = loader.tree;
        free(loader.notes);
    }
    if (!owned || loader.out_of_memory)
        FABRIC_ERROR(&loader, &place, "out of memory");
    fabric_problems_finish(&loader, path);
    if (problems->errors == 0)
        return &owned->drill;
    fabric_drill_free(owned ? &owned->drill : NULL);
    return NULL;
}

/* The arenas are copied out first: one of them holds the list of stages. */
void fabric_drill_free(struct fabric_drill *drill)
{
    struct owned_drill *owned = (struct owned_drill *)(void *)drill;

    if (!drill)
        return;
    for (uint32_t i = 0; i < drill->stage_count; i++)
        fabric_free(drill->stages[i]);
    fabric_arena_free(&owned->arena);
    fabric_arena_free(&owned->tree);
    free(owned);
}

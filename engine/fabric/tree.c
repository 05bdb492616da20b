/*
 * Builds the node tree from libyaml's events.
 *
 *   events ──> open[] (collections not yet ended, outermost first)
 *              └── pending[] (nodes that wait for their collection's end, children of the outer
 * below those of the inner)
 *
 * At the end of a collection its children are the top of pending[] from where it began; they are
 * copied into the node at once, so nothing is ever grown node by node and depth is a counter, not
 * recursion.
 */
#include "engine/fabric/tree.h"

#include "engine/fabric/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct open_collection {
    struct fabric_node *node;
    size_t first; /* of its children in pending */
};

struct anchor {
    struct anchor *next;
    const char *name;
    struct fabric_node *node; /* weight 0: not ended yet */
};

struct tree_builder {
    struct fabric_loader *loader;
    const char *file;
    struct open_collection open[FABRIC_DEPTH_MAX];
    unsigned depth;
    struct fabric_node **pending;
    size_t pending_count, pending_capacity;
    struct anchor *anchors;
    unsigned anchor_count;
    unsigned documents;
};

static struct fabric_place place_at(const struct tree_builder *builder, const yaml_mark_t *mark)
{
    return (struct fabric_place){.file = builder->file, .line = (unsigned)mark->line + 1};
}

/* Children wait here until their collection ends. */
static bool pending_push(struct tree_builder *builder, struct fabric_node *node)
{
    if (builder->pending_count == builder->pending_capacity) {
        size_t capacity = builder->pending_capacity ? builder->pending_capacity * 2 : 256;
        struct fabric_node **pending = reallocarray(builder->pending, capacity, sizeof(*pending));

        if (!pending) {
            builder->loader->out_of_memory = true;
            return false;
        }
        builder->pending = pending;
        builder->pending_capacity = capacity;
    }
    builder->pending[builder->pending_count++] = node;
    return true;
}

/* Counts nodes as a walk would see them, aliases in full. */
static bool take_weight(struct tree_builder *builder, size_t weight,
                        const struct fabric_place *place)
{
    builder->loader->nodes += weight;
    if (builder->loader->nodes <= FABRIC_NODES_MAX)
        return true;
    FABRIC_ERROR(builder->loader, place,
                 "the fabric has more than %u values, aliases counted as what they stand for",
                 FABRIC_NODES_MAX);
    return false;
}

static bool anchor_add(struct tree_builder *builder, const yaml_char_t *name,
                       struct fabric_node *node)
{
    struct anchor *anchor;

    if (!name)
        return true;
    if (builder->anchor_count++ == FABRIC_ANCHORS_MAX) {
        FABRIC_ERROR(builder->loader, &node->place, "a file has more than %u anchors",
                     FABRIC_ANCHORS_MAX);
        return false;
    }
    anchor = fabric_arena_array(&builder->loader->tree, 1, sizeof(*anchor));
    if (anchor)
        anchor->name = fabric_arena_print(&builder->loader->tree, "%s", (const char *)name);
    if (!anchor || !anchor->name) {
        builder->loader->out_of_memory = true;
        return false;
    }
    anchor->node = node;
    anchor->next = builder->anchors; /* the newest first: a name may be given anew */
    builder->anchors = anchor;
    return true;
}

/* Every node passes here, so limits on number and anchors hold for all kinds. */
static struct fabric_node *node_make(struct tree_builder *builder, enum fabric_node_kind kind,
                                     const yaml_event_t *event, const yaml_char_t *anchor,
                                     const yaml_char_t *tag)
{
    struct fabric_place place = place_at(builder, &event->start_mark);
    struct fabric_node *node;

    if (tag) {
        FABRIC_ERROR(builder->loader, &place,
                     "the tag '%s' is not understood; write the value without a tag",
                     (const char *)tag);
        return NULL;
    }
    if (!take_weight(builder, 1, &place))
        return NULL;
    node = fabric_arena_array(&builder->loader->tree, 1, sizeof(*node));
    if (!node) {
        builder->loader->out_of_memory = true;
        return NULL;
    }
    node->kind = kind;
    node->place = place;
    return anchor_add(builder, anchor, node) ? node : NULL;
}

static bool on_scalar(struct tree_builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct fabric_node *node = node_make(builder, FABRIC_NODE_SCALAR, event,
                                         event->data.scalar.anchor, event->data.scalar.tag);

    if (!node)
        return false;
    if (length > FABRIC_SCALAR_BYTES_MAX || memchr(value, '\0', length)) {
        FABRIC_ERROR(builder->loader, &node->place,
                     "a value must be at most %u bytes long and hold no zero byte",
                     FABRIC_SCALAR_BYTES_MAX);
        return false;
    }
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = fabric_arena_text(&builder->loader->tree, value, length);
    node->weight = 1;
    builder->loader->out_of_memory |= node->text == NULL;
    return node->text && pending_push(builder, node);
}

/* Shares the node. An anchor whose own collection has not ended would make a tree without end. */
static bool on_alias(struct tree_builder *builder, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct fabric_place place = place_at(builder, &event->start_mark);
    const struct anchor *anchor = builder->anchors;

    while (anchor && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (!anchor || anchor->node->weight == 0) {
        FABRIC_ERROR(builder->loader, &place, "the alias '*%s' %s", name,
                     anchor ? "stands inside its own anchor" : "names no anchor above it");
        return false;
    }
    return take_weight(builder, anchor->node->weight, &place) &&
           pending_push(builder, anchor->node);
}

static bool on_start(struct tree_builder *builder, enum fabric_node_kind kind,
                     const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct fabric_node *node = node_make(builder, kind, event, anchor, tag);

    if (!node)
        return false;
    if (builder->depth == FABRIC_DEPTH_MAX) {
        FABRIC_ERROR(builder->loader, &node->place, "values are nested more than %u deep",
                     FABRIC_DEPTH_MAX);
        return false;
    }
    builder->open[builder->depth++] =
        (struct open_collection){.node = node, .first = builder->pending_count};
    return true;
}

/* Keys must be scalars and stand once. Mappings are short by rule, so every pair is compared. */
static bool check_keys(struct tree_builder *builder, const struct fabric_node *mapping)
{
    bool good = true;

    if (mapping->n > 2 * FABRIC_MAPPING_KEYS_MAX) {
        FABRIC_ERROR(builder->loader, &mapping->place, "a mapping has more than %u keys",
                     FABRIC_MAPPING_KEYS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < mapping->n; i += 2) {
        const struct fabric_node *key = mapping->items[i];

        if (key->kind != FABRIC_NODE_SCALAR) {
            FABRIC_ERROR(builder->loader, &key->place, "a key must be a single word");
            return false;
        }
        for (uint32_t j = 0; j < i; j += 2) {
            if (strcmp(mapping->items[j]->text, key->text) != 0)
                continue;
            FABRIC_ERROR(builder->loader, &key->place,
                         "the key '%s' is given twice, first in line %u", key->text,
                         mapping->items[j]->place.line);
            good = false;
            break;
        }
    }
    return good;
}

/* The children leave pending[] and the collection takes their place, as a child of the one
 * around it. */
static bool on_end(struct tree_builder *builder)
{
    struct open_collection *ended = &builder->open[--builder->depth];
    struct fabric_node *node = ended->node;
    size_t n = builder->pending_count - ended->first;

    node->items = fabric_arena_array(&builder->loader->tree, n, sizeof(struct fabric_node *));
    if (!node->items) {
        builder->loader->out_of_memory = true;
        return false;
    }
    node->n = (uint32_t)n;
    node->weight = 1;
    for (size_t i = 0; i < n; i++) {
        node->items[i] = builder->pending[ended->first + i];
        node->weight += node->items[i]->weight;
    }
    builder->pending_count = ended->first;
    if (node->kind == FABRIC_NODE_MAPPING && !check_keys(builder, node))
        return false;
    return pending_push(builder, node);
}

static bool on_document(struct tree_builder *builder, const yaml_event_t *event)
{
    struct fabric_place place = place_at(builder, &event->start_mark);

    if (builder->documents++ == 0)
        return true;
    FABRIC_ERROR(builder->loader, &place,
                 "a file holds one document; use include: for several files");
    return false;
}

/* Stream events say nothing about content. */
static bool on_event(struct tree_builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(builder, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return on_alias(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(builder, FABRIC_NODE_SEQUENCE, event, event->data.sequence_start.anchor,
                        event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_start(builder, FABRIC_NODE_MAPPING, event, event->data.mapping_start.anchor,
                        event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(builder);
    default:
        return true;
    }
}

static void syntax_error(struct tree_builder *builder, const yaml_parser_t *parser)
{
    struct fabric_place place = place_at(builder, &parser->problem_mark);

    if (parser->error == YAML_MEMORY_ERROR)
        builder->loader->out_of_memory = true;
    else
        FABRIC_ERROR(builder->loader, &place, "not YAML: %s",
                     parser->problem ? parser->problem : "unreadable");
}

/* An event is freed whatever came of it; nodes keep copies. */
static bool parse_events(struct tree_builder *builder, yaml_parser_t *parser)
{
    yaml_event_t event;
    bool good = true, ended = false;

    while (good && !ended) {
        if (!yaml_parser_parse(parser, &event)) {
            syntax_error(builder, parser);
            return false;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        good = on_event(builder, &event);
        yaml_event_delete(&event);
    }
    return good;
}

/* An empty file, or one of comments only, is an empty mapping. */
static struct fabric_node *empty_mapping(struct fabric_loader *loader, const char *file)
{
    struct fabric_node *node = fabric_arena_array(&loader->tree, 1, sizeof(*node));

    if (!node) {
        loader->out_of_memory = true;
        return NULL;
    }
    *node = (struct fabric_node){.kind = FABRIC_NODE_MAPPING, .place = {file, 1}, .weight = 1};
    return node;
}

struct fabric_node *fabric_tree_parse(struct fabric_loader *loader, const char *file,
                                      const char *text, size_t length)
{
    struct tree_builder builder = {.loader = loader, .file = file};
    struct fabric_node *root = NULL;
    yaml_parser_t parser;

    if (!yaml_parser_initialize(&parser)) {
        loader->out_of_memory = true;
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    if (parse_events(&builder, &parser))
        root = builder.pending_count > 0 ? builder.pending[0] : empty_mapping(loader, file);
    if (root && fabric_node_is_empty(root))
        root = empty_mapping(loader, file);
    free(builder.pending);
    yaml_parser_delete(&parser);
    return root;
}

const char *const fabric_naming_keys[] = {"name",    "prefix", "route_server", "router", "gateway",
                                          "address", NULL};

/* Mappings are short by rule (FABRIC_MAPPING_KEYS_MAX), so a scan is enough. */
const struct fabric_node *fabric_node_get(const struct fabric_node *mapping, const char *key)
{
    for (uint32_t i = 0; i < mapping->n; i += 2)
        if (strcmp(mapping->items[i]->text, key) == 0)
            return mapping->items[i + 1];
    return NULL;
}

bool fabric_node_is_empty(const struct fabric_node *node)
{
    return node->kind == FABRIC_NODE_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

/* How much of a long text is shown: whole characters only. */
static size_t shown_length(const char *text)
{
    size_t n = strnlen(text, 60);

    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

char *fabric_node_found(const struct fabric_node *node, char text[FABRIC_FOUND_TEXT])
{
    size_t shown = node->kind == FABRIC_NODE_SCALAR ? shown_length(node->text) : 0;

    if (node->kind == FABRIC_NODE_SEQUENCE)
        snprintf(text, FABRIC_FOUND_TEXT, "a list");
    else if (node->kind == FABRIC_NODE_MAPPING)
        snprintf(text, FABRIC_FOUND_TEXT, "a mapping");
    else if (fabric_node_is_empty(node))
        snprintf(text, FABRIC_FOUND_TEXT, "nothing");
    else
        snprintf(text, FABRIC_FOUND_TEXT, "'%.*s%s'", (int)shown, node->text,
                 node->text[shown] ? "…" : "");
    return text;
}

/*
 * From two outlines to a list of changes: one walk through both, as children stand in the order of their
 * names. What differs below a key is a change of that key, but for lists of elements, whose elements are
 * looked at one by one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/outline_private.h"
#include "engine/fabric/route_server.h"

#define OBJECT_TEXT 600u

struct comparing {
    struct fabric_changes *changes;
    size_t capacity;
};

/* --- How an engine takes it ------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "nics" of "nics[vm1]". */
static bool is_section(const char *object, const char *name)
{
    size_t length = strcspn(object, "[.");
    return strlen(name) == length && strncmp(object, name, length) == 0;
}

static bool is_one_of(const char *object, const char *const *names)
{
    while (*names && !is_section(object, *names))
        names++;
    return *names != NULL;
}

/* Nothing but which policies a session has. */
static bool only_policies(const struct fabric_change *change)
{
    return change->kind == FABRIC_CHANGED &&
           (strcmp(change->keys, "import") == 0 || strcmp(change->keys, "export") == 0 ||
            strcmp(change->keys, "export, import") == 0);
}

static enum fabric_change_way way_of(const struct fabric_change *change)
{
    static const char *const applied[] = {
        "fabric",       "load_balancers", "nics",  "peerings", "reserved_prefixes",
        "route_tables", "service_tags",   "vnets", NULL};
    static const char *const nothing[] = {"include", "routers", "tunnels", NULL};
    const char *object = change->object;
    if (is_one_of(object, applied))
        return FABRIC_CHANGE_APPLIED;
    if (is_one_of(object, nothing))
        return FABRIC_CHANGE_NOTHING;
    if (is_section(object, "policies"))
        return FABRIC_CHANGE_POLICY;
    if (is_section(object, "route_servers") && strstr(object, "].peers["))
        return only_policies(change) ? FABRIC_CHANGE_POLICY : FABRIC_CHANGE_APPLIED;
    if (begins_with(object, "gateways["))
        return only_policies(change) ? FABRIC_CHANGE_POLICY : FABRIC_CHANGE_RESTART;
    return FABRIC_CHANGE_RESTART;
}

/* --- Sessions --------------------------------------------------------------------------------- */

static const struct fabric_bgp_peer *peer_of(const struct fabric *fabric, const char *object)
{
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &fabric->route_servers[i];
        for (uint32_t j = 0; j < server->peer_count; j++) {
            char name[OBJECT_TEXT];
            snprintf(name, sizeof(name), "route_servers[%s].peers[%s]", server->name,
                     server->peers[j].name);
            if (strcmp(name, object) == 0)
                return &server->peers[j];
        }
    }
    return NULL;
}

/* Keys do not tell: one may be written out with the value that it has by default. */
void fabric_changes_judge(struct fabric_changes *changes, const struct fabric *before,
                          const struct fabric *after)
{
    for (size_t i = 0; i < changes->n; i++) {
        struct fabric_change *change = &changes->items[i];
        if (change->kind != FABRIC_CHANGED || change->way != FABRIC_CHANGE_APPLIED ||
            !is_section(change->object, "route_servers"))
            continue;
        const struct fabric_bgp_peer *was = peer_of(before, change->object);
        const struct fabric_bgp_peer *is = peer_of(after, change->object);
        if (was && is && !fabric_bgp_peer_same_session(was, is))
            change->way = FABRIC_CHANGE_RESET;
    }
}

/* --- Changes ---------------------------------------------------------------------------------- */

static int add(struct comparing *comparing, enum fabric_change_kind kind, const char *object,
               const char *keys, const struct fabric_place *place)
{
    struct fabric_changes *changes = comparing->changes;
    if (changes->n == comparing->capacity) {
        size_t capacity = comparing->capacity ? 2 * comparing->capacity : 32;
        void *grown = realloc(changes->items, capacity * sizeof(*changes->items));
        if (!grown)
            return -ENOMEM;
        changes->items = grown;
        comparing->capacity = capacity;
    }
    struct fabric_change change = {
        .kind = kind, .object = strdup(object), .keys = strdup(keys), .place = *place};
    if (!change.object || !change.keys) {
        free(change.object);
        free(change.keys);
        return -ENOMEM;
    }
    change.way = way_of(&change);
    changes->items[changes->n++] = change;
    return 0;
}

/* Appends to a text of its own memory. */
static int append(char **text, const char *separator, const char *more)
{
    char *joined;
    if (asprintf(&joined, "%s%s%s", *text ? *text : "", *text ? separator : "", more) < 0)
        return -ENOMEM;
    free(*text);
    *text = joined;
    return 0;
}

/* --- The walk --------------------------------------------------------------------------------- */

/* The next of two sorted lists: what only one of them has comes with NULL for the other. */
struct pair {
    const struct fabric_outline_node *before, *after;
};

static bool next_pair(const struct fabric_outline_node *before,
                      const struct fabric_outline_node *after, uint32_t at[2], struct pair *pair)
{
    const struct fabric_outline_node *left = at[0] < before->n ? &before->children[at[0]] : NULL;
    const struct fabric_outline_node *right = at[1] < after->n ? &after->children[at[1]] : NULL;
    if (!left && !right)
        return false;
    int order = !left ? 1 : !right ? -1 : strcmp(left->name, right->name);
    pair->before = order <= 0 ? left : NULL;
    pair->after = order >= 0 ? right : NULL;
    at[0] += order <= 0;
    at[1] += order >= 0;
    return true;
}

static int compare_elements(struct comparing *comparing, const char *object,
                            const struct fabric_outline_node *before,
                            const struct fabric_outline_node *after);

static const struct fabric_outline_node no_elements = {.kind = FABRIC_OUTLINE_ELEMENTS};

/* One key of an element: a list of elements, which may be new or gone as a whole, is looked into. */
static int compare_key(struct comparing *comparing, const char *object, const struct pair *pair,
                       char **keys)
{
    const struct fabric_outline_node *before = pair->before, *after = pair->after;
    const char *name = before ? before->name : after->name;
    bool list = (!before || before->kind == FABRIC_OUTLINE_ELEMENTS) &&
                (!after || after->kind == FABRIC_OUTLINE_ELEMENTS);
    char *inner;
    if (before && after && before->hash == after->hash)
        return 0;
    if (!list)
        return append(keys, ", ", name);
    if (asprintf(&inner, "%s%s%s", object, *object ? "." : "", name) < 0)
        return -ENOMEM;
    int error = compare_elements(comparing, inner, before ? before : &no_elements,
                                 after ? after : &no_elements);
    free(inner);
    return error;
}

/* Of an element that is there before and after. */
static int compare_keys(struct comparing *comparing, const char *object,
                        const struct fabric_outline_node *before,
                        const struct fabric_outline_node *after)
{
    uint32_t at[2] = {0, 0};
    struct pair pair;
    char *keys = NULL;
    int error = 0;
    while (!error && next_pair(before, after, at, &pair))
        error = compare_key(comparing, object, &pair, &keys);
    if (!error && keys)
        error = add(comparing, FABRIC_CHANGED, object, keys, &after->place);
    free(keys);
    return error;
}

static int compare_elements(struct comparing *comparing, const char *object,
                            const struct fabric_outline_node *before,
                            const struct fabric_outline_node *after)
{
    uint32_t at[2] = {0, 0};
    struct pair pair;
    int error = 0;
    while (!error && next_pair(before, after, at, &pair)) {
        const struct fabric_outline_node *node = pair.after ? pair.after : pair.before;
        char *element;
        if (pair.before && pair.after && pair.before->hash == pair.after->hash)
            continue;
        if (asprintf(&element, "%s[%s]", object, node->name) < 0)
            return -ENOMEM;
        if (pair.before && pair.after)
            error = compare_keys(comparing, element, pair.before, pair.after);
        else
            error = add(comparing, pair.after ? FABRIC_ADDED : FABRIC_REMOVED, element, "",
                        &node->place);
        free(element);
    }
    return error;
}

/* A key of the file: a list, a mapping that stands once, or a value. */
static int compare_section(struct comparing *comparing, const struct pair *pair)
{
    const struct fabric_outline_node *before = pair->before, *after = pair->after;
    const struct fabric_outline_node *node = after ? after : before;
    char *keys = NULL;
    if (before && after && before->hash == after->hash)
        return 0;
    if (before && after && before->kind == FABRIC_OUTLINE_KEYS &&
        after->kind == FABRIC_OUTLINE_KEYS)
        return compare_keys(comparing, node->name, before, after);
    int error = compare_key(comparing, "", pair, &keys);
    if (!error && keys)
        error = add(comparing,
                    before && after ? FABRIC_CHANGED
                    : after         ? FABRIC_ADDED
                                    : FABRIC_REMOVED,
                    node->name, "", &node->place);
    free(keys);
    return error;
}

int fabric_outline_compare(const struct fabric_outline *before, const struct fabric_outline *after,
                           struct fabric_changes *changes)
{
    struct comparing comparing = {.changes = changes};
    uint32_t at[2] = {0, 0};
    struct pair pair;
    int error = 0;
    *changes = (struct fabric_changes){0};
    while (!error && next_pair(&before->top, &after->top, at, &pair))
        error = compare_section(&comparing, &pair);
    if (error)
        fabric_changes_free(changes);
    return error;
}

void fabric_changes_free(struct fabric_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        free(changes->items[i].object);
        free(changes->items[i].keys);
    }
    free(changes->items);
    *changes = (struct fabric_changes){0};
}

const char *fabric_change_kind_text(enum fabric_change_kind kind)
{
    static const char *const texts[] = {"added", "removed", "changed"};
    return texts[kind];
}

const char *fabric_change_way_text(enum fabric_change_way way)
{
    static const char *const texts[] = {"applied", "policy", "reset", "nothing", "restart"};
    return texts[way];
}

/*
 * Keys that are read and checked, but that nothing acts upon yet: the one place that knows them.
 * Whoever makes one work takes its line away.
 */
#include "engine/fabric/schema.h"

#include <string.h>

static const struct key_without_effect {
    const char *object, *key;
} without_effect[] = {
    {"internet", "next_hop"},
};
#define WITHOUT_EFFECT_COUNT (sizeof(without_effect) / sizeof(*without_effect))
_Static_assert(WITHOUT_EFFECT_COUNT <= 64, "one bit each in no_effect_told");

/* Nothing is asked for: no value, or an empty list. */
static bool is_harmless(const struct fabric_node *value)
{
    if (value->kind != FABRIC_NODE_SCALAR)
        return value->kind == FABRIC_NODE_SEQUENCE && value->n == 0;
    return fabric_node_is_empty(value);
}

/* Once a key, not once a place: a file with a thousand peers would drown what else there is to
 * say. */
void fabric_warn_no_effect(struct fabric_loader *loader, const char *object,
                           const struct fabric_node *key, const struct fabric_node *value,
                           const struct fabric_path *path)
{
    const struct fabric_path key_path = {.parent = path, .key = key->text, .index = FABRIC_NONE};
    char path_text[FABRIC_PATH_TEXT];

    for (unsigned i = 0; i < WITHOUT_EFFECT_COUNT; i++) {
        const struct key_without_effect *row = &without_effect[i];
        uint64_t bit = UINT64_C(1) << i;

        if ((loader->no_effect_told & bit) || strcmp(row->key, key->text) != 0 ||
            strcmp(row->object, object) != 0 || is_harmless(value))
            continue;
        loader->no_effect_told |= bit;
        FABRIC_WARNING(loader, FABRIC_LINT_NO_EFFECT, fabric_path_format(&key_path, path_text),
                       "Take the key out, or do not count on it.", &key->place,
                       "'%s.%s' is read and checked but has no effect in this version", object,
                       key->text);
        return;
    }
}

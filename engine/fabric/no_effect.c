/*
 * Keys that are read and checked, but that nothing acts upon yet: the one place that knows them.
 * Whoever makes one work takes its line away.
 */
#include "engine/fabric/schema.h"

#include <string.h>

static const struct key_without_effect {
    const char *object, *key;
    const char *harmless; /* the value that asks for nothing, NULL: none */
    /* Of a key that guards something: what happens without it, and what to do instead. */
    const char *unguarded, *remedy;
} without_effect[] = {
    {"engine", "metrics_listen", NULL},
    {"internet", "next_hop", NULL},
};
#define WITHOUT_EFFECT_COUNT (sizeof(without_effect) / sizeof(*without_effect))
_Static_assert(WITHOUT_EFFECT_COUNT <= 64, "one bit each in no_effect_told");

/* Nothing is asked for: no value, an empty list, or the value that stands for "off". */
static bool is_harmless(const char *harmless, const struct fabric_node *value)
{
    if (value->kind != FABRIC_NODE_SCALAR)
        return value->kind == FABRIC_NODE_SEQUENCE && value->n == 0;
    return fabric_node_is_empty(value) || (harmless && strcmp(value->text, harmless) == 0);
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
            strcmp(row->object, object) != 0 || is_harmless(row->harmless, value))
            continue;
        loader->no_effect_told |= bit;
        FABRIC_WARNING(loader, FABRIC_LINT_NO_EFFECT, fabric_path_format(&key_path, path_text),
                       row->remedy ? row->remedy : "Take the key out, or do not count on it.",
                       &key->place,
                       "'%s%s%s' is read and checked but has no effect in this version%s%s", object,
                       object[0] ? "." : "", key->text, row->unguarded ? ": " : "",
                       row->unguarded ? row->unguarded : "");
        return;
    }
}

/*
 * The tables of keys in words, for the reference (docs/fabric-file.md) and the test that holds the
 * two together.
 */
#include "engine/fabric/drill_loader.h"

#include <stdio.h>
#include <string.h>

#define TYPE_TEXT 256

/* One value of the type; the reference has room for a few words only. */
static const char *short_type(enum fabric_type type)
{
    static const char *const texts[] = {
        [FABRIC_TYPE_NAME] = "name",
        [FABRIC_TYPE_STRING] = "text",
        [FABRIC_TYPE_BOOLEAN] = "true or false",
        [FABRIC_TYPE_NUMBER] = "number",
        [FABRIC_TYPE_WORD] = "one of",
        [FABRIC_TYPE_ADDRESS] = "address",
        [FABRIC_TYPE_PREFIX] = "prefix",
        [FABRIC_TYPE_MAC] = "MAC",
        [FABRIC_TYPE_SOCKET] = "address:port",
        [FABRIC_TYPE_COMMUNITY] = "community",
        [FABRIC_TYPE_COMMUNITY_PATTERN] = "community pattern",
        [FABRIC_TYPE_PREFIX_RANGE] = "prefix range",
        [FABRIC_TYPE_NUMBER_RANGE] = "number range",
        [FABRIC_TYPE_AS_PATH] = "expression",
        [FABRIC_TYPE_REFERENCE] = "",
        [FABRIC_TYPE_NAMED] = "",
        [FABRIC_TYPE_OBJECT] = "mapping",
        [FABRIC_TYPE_OBJECTS] = "mapping",
        [FABRIC_TYPE_HANDLED] = "",
    };

    return texts[type];
}

static size_t add_words(const struct fabric_key *key, char *text, size_t used)
{
    const char *lead = key->type == FABRIC_TYPE_NUMBER ? " or " : ": ";

    for (const struct fabric_word *word = key->words; word && word->text; word++) {
        used += (size_t)snprintf(text + used, TYPE_TEXT - used, "%s%s", lead, word->text);
        lead = ", ";
    }
    return used;
}

/* "list of addresses" is left to the reader's grammar: "list: address". */
static void type_text(const struct fabric_key *key, char text[TYPE_TEXT])
{
    bool list = (key->list && !key->shape) || key->type == FABRIC_TYPE_OBJECTS;
    size_t used = (size_t)snprintf(text, TYPE_TEXT, "%s", list ? "list: " : "");

    if (key->shape)
        used += (size_t)snprintf(text + used, TYPE_TEXT - used, "%s", key->shape);
    else if (key->type == FABRIC_TYPE_REFERENCE || key->type == FABRIC_TYPE_NAMED)
        used += (size_t)snprintf(text + used, TYPE_TEXT - used, "name of a %s",
                                 fabric_section_text(key->section));
    else
        used += (size_t)snprintf(text + used, TYPE_TEXT - used, "%s", short_type(key->type));
    if (key->type == FABRIC_TYPE_NUMBER)
        used += (size_t)snprintf(text + used, TYPE_TEXT - used, " %u-%u", key->least, key->most);
    used = add_words(key, text, used);
    if (key->fixed_max > key->fixed_min)
        snprintf(text + used, TYPE_TEXT - used, " (%u or %u)", key->fixed_min, key->fixed_max);
    else if (key->fixed_max > 0)
        snprintf(text + used, TYPE_TEXT - used, " (%u)", key->fixed_max);
}

/* What the reference shows as default: words stand over the value that the loader falls back to,
 * as they say more. */
static const char *default_text(const struct fabric_key *key)
{
    if (key->required)
        return "required";
    if (key->otherwise)
        return key->otherwise;
    return key->fallback ? key->fallback : "none";
}

/* The object's own keys first, then the objects in it: the order of the reference. */
static void visit_schema(const struct fabric_schema *schema,
                         void (*visit)(void *context, const char *object, const char *key,
                                       const char *type, const char *fallback),
                         void *context)
{
    for (unsigned i = 0; i < schema->key_count; i++) {
        char type[TYPE_TEXT];

        type_text(&schema->keys[i], type);
        visit(context, schema->title, schema->keys[i].name, type, default_text(&schema->keys[i]));
    }
    for (unsigned i = 0; i < schema->key_count; i++)
        if (schema->keys[i].object)
            visit_schema(schema->keys[i].object, visit, context);
    if (schema->other_object)
        visit_schema(schema->other_object, visit, context);
}

void fabric_schema_each(void (*visit)(void *context, const char *object, const char *key,
                                      const char *type, const char *fallback),
                        void *context)
{
    visit_schema(&fabric_schema_top, visit, context);
}

void fabric_drill_schema_each(void (*visit)(void *context, const char *object, const char *key,
                                            const char *type, const char *fallback),
                              void *context)
{
    visit_schema(&fabric_schema_drill, visit, context);
}

/*
 * What a node shows, as text; see world.h.
 */
#include "tests/rib/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct lpm_prefix world_prefix(const char *text)
{
    struct lpm_prefix prefix;
    int error = lpm_prefix_parse(text, &prefix);

    assert(error == 0);
    (void)error;
    return prefix;
}

struct lpm_address world_address(const char *text)
{
    struct lpm_address address = {0};
    int error = text != NULL ? lpm_address_parse(text, &address) : 0;

    assert(error == 0);
    (void)error;
    return address;
}

__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
    size_t at = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + at, WORLD_TEXT - at, format, arguments);
    va_end(arguments);
}

static void append_attributes(char *text, const struct bgp_attributes *attributes,
                              const struct lpm_address *next_hop)
{
    char path[256], address[LPM_ADDRESS_TEXT] = "self", name[BGP_COMMUNITY_TEXT];
    unsigned n = bgp_community_count(attributes, BGP_COMMUNITY);

    bgp_as_path_format(attributes, ' ', path, sizeof(path));
    if (next_hop->family != 0)
        lpm_address_format(next_hop, address);
    append(text, "[%s] %s", path, address);
    for (unsigned i = 0; i < n; i++) {
        struct bgp_community community = bgp_community_at(attributes, BGP_COMMUNITY, i);

        append(text, " %s", bgp_community_format(&community, name));
    }
    if (attributes->flags & BGP_HAS_MED)
        append(text, " med %u", attributes->med);
    if (attributes->flags & BGP_HAS_LOCAL_PREF)
        append(text, " local-pref %u", attributes->local_pref);
}

int world_append_choice(void *context, const struct lpm_prefix *prefix,
                        const struct rib_choice *choice)
{
    char name[LPM_PREFIX_TEXT];

    append(context, "%s", lpm_prefix_format(prefix, name));
    for (unsigned i = 0; i < choice->n; i++) {
        append(context, " | ");
        append_attributes(context, choice->paths[i].attributes, &choice->paths[i].next_hop);
    }
    append(context, "\n");
    return 0;
}

static int append_learned(void *context, const struct lpm_prefix *prefix,
                          const struct rib_path *path, enum rib_verdict verdict)
{
    char name[LPM_PREFIX_TEXT];

    append(context, "%s ", lpm_prefix_format(prefix, name));
    append_attributes(context, path->attributes, &path->next_hop);
    append(context, " (%s)", rib_verdict_text(verdict));
    if (path->path_id != 0)
        append(context, " id %u", path->path_id);
    append(context, "\n");
    return 0;
}

static int append_advertised(void *context, const struct lpm_prefix *prefix,
                             const struct bgp_attributes *attributes,
                             const struct lpm_address *next_hop, uint32_t path_id)
{
    char name[LPM_PREFIX_TEXT];

    append(context, "%s ", lpm_prefix_format(prefix, name));
    append_attributes(context, attributes, next_hop);
    if (path_id != 0)
        append(context, " id %u", path_id);
    append(context, "\n");
    return 0;
}

char *world_choices(const struct node *node, char *text)
{
    text[0] = '\0';
    speaker_each_choice(node->speaker, world_append_choice, text);
    return text;
}

char *world_learned(const struct node *node, const struct speaker_peer *peer, char *text)
{
    text[0] = '\0';
    speaker_each_learned(node->speaker, peer, append_learned, text);
    return text;
}

char *world_advertised(const struct node *node, const struct speaker_peer *peer, char *text)
{
    text[0] = '\0';
    speaker_each_advertised(node->speaker, peer, append_advertised, text);
    return text;
}

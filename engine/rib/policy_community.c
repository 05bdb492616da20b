/*
 * Community patterns: a value and the bits of it that count.
 *
 *   standard   16:16         extended, 2-octet AS   name:16:32      (type 0x00)
 *   large      32:32:32      extended, 4-octet AS   name:32:16      (type 0x02)
 *
 * A pattern is read by the reader of plain communities: once with 0 in place of each "*", which gives
 * the value, and the mask from the layout above. So a name that plain communities know is known here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy_private.h"

#define PARTS_MAX 3u
#define TEXT_MAX  64u

/* The words of a community, in the order in which patterns hold them. */
static unsigned words_of(const struct bgp_community *community, uint32_t words[3])
{
    switch (community->kind) {
    case BGP_COMMUNITY:
        words[0] = community->standard;
        return 1;
    case BGP_EXTENDED_COMMUNITY:
        words[0] = (uint32_t)(community->extended >> 32);
        words[1] = (uint32_t)community->extended;
        return 2;
    case BGP_LARGE_COMMUNITY:
        break;
    }
    memcpy(words, community->large, sizeof(community->large));
    return 3;
}

static void add_form(struct rib_community_pattern *pattern, const struct bgp_community *value,
                     const uint32_t mask[3])
{
    uint32_t words[3] = {0};

    words_of(value, words);
    pattern->kind = value->kind;
    for (unsigned i = 0; i < 3; i++) {
        pattern->forms[pattern->n].mask[i] = mask[i];
        pattern->forms[pattern->n].value[i] = words[i] & mask[i];
    }
    pattern->n++;
}

/* A text cut at its colons. */
struct parts {
    char text[TEXT_MAX];
    const char *items[PARTS_MAX + 1];
    bool any[PARTS_MAX + 1]; /* the item is "*" */
    unsigned n;
};

static bool cut(const char *text, struct parts *parts)
{
    *parts = (struct parts){0};
    if (strlen(text) >= sizeof(parts->text))
        return false;
    strcpy(parts->text, text);
    for (char *at = parts->text; at != NULL; parts->n++) {
        char *colon = strchr(at, ':');

        if (parts->n == PARTS_MAX)
            return false;
        if (colon != NULL)
            *colon++ = '\0';
        parts->items[parts->n] = at;
        parts->any[parts->n] = strcmp(at, "*") == 0;
        at = colon;
    }
    return true;
}

/* Reads the parts with these numbers in place of "*". */
static int read_with(const struct parts *parts, const char *const stand_in[PARTS_MAX],
                     struct bgp_community *community)
{
    char text[2 * TEXT_MAX] = "";
    size_t used = 0;

    for (unsigned i = 0; i < parts->n; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? ":" : "",
                                 parts->any[i] ? stand_in[i] : parts->items[i]);
    return bgp_community_parse(text, community);
}

static int parse_plain(const struct parts *parts, struct rib_community_pattern *pattern)
{
    static const char *const zeros[PARTS_MAX] = {"0", "0", "0"};
    struct bgp_community community;
    uint32_t mask[3] = {0};
    int error = read_with(parts, zeros, &community);

    if (error < 0)
        return error;
    if (community.kind == BGP_COMMUNITY)
        mask[0] = (parts->any[0] ? 0 : 0xffff0000u) | (parts->any[1] ? 0 : 0xffffu);
    else
        for (unsigned i = 0; i < 3; i++)
            mask[i] = parts->any[i] ? 0 : UINT32_MAX;
    add_form(pattern, &community, mask);
    return 0;
}

/* "name:administrator:number". A free administrator may be of 2 or of 4 octets. */
static int parse_named(const struct parts *parts, struct rib_community_pattern *pattern)
{
    static const char *const narrow[PARTS_MAX] = {NULL, "0", "0"};
    static const char *const wide[PARTS_MAX] = {NULL, "65536", "0"};
    struct bgp_community community;

    if (parts->n != 3 || parts->any[0])
        return -EINVAL;
    if (read_with(parts, narrow, &community) == 0 && community.kind == BGP_EXTENDED_COMMUNITY) {
        bool four = community.extended >> 56 & 0x02;
        const uint32_t two_mask[3] = {0xffff0000u | (parts->any[1] ? 0 : 0xffffu),
                                      parts->any[2] ? 0 : UINT32_MAX, 0};
        const uint32_t four_mask[3] = {UINT32_MAX, 0xffff0000u | (parts->any[2] ? 0 : 0xffffu), 0};

        add_form(pattern, &community, four ? four_mask : two_mask);
    }
    if (parts->any[1] && read_with(parts, wide, &community) == 0 &&
        community.kind == BGP_EXTENDED_COMMUNITY) {
        const uint32_t mask[3] = {0xffff0000u, parts->any[2] ? 0 : 0xffffu, 0};

        add_form(pattern, &community, mask);
    }
    return pattern->n > 0 ? 0 : -EINVAL;
}

int rib_community_pattern_parse(const char *text, struct rib_community_pattern *pattern,
                                char error[RIB_PATTERN_ERROR])
{
    static const uint32_t exact[3] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct bgp_community community;
    struct parts parts;
    int failed = 0;

    *pattern = (struct rib_community_pattern){0};
    if (strchr(text, '*') == NULL) {
        failed = bgp_community_parse(text, &community);
        if (failed == 0)
            add_form(pattern, &community, exact);
    } else if (!cut(text, &parts)) {
        failed = -EINVAL;
    } else if (parts.any[0] || (text[0] >= '0' && text[0] <= '9')) {
        failed = parse_plain(&parts, pattern);
    } else {
        failed = parse_named(&parts, pattern);
    }
    if (failed < 0)
        snprintf(error, RIB_PATTERN_ERROR,
                 "a community is like 65001:100, no-export, rt:65001:100, 65001:1:2 (large) or "
                 "0x0123456789abcdef (extended), with * for any number");
    return failed;
}

bool rib_community_pattern_matches(const struct rib_community_pattern *pattern,
                                   const struct bgp_community *community)
{
    uint32_t words[3];
    unsigned n;

    if (community->kind != pattern->kind)
        return false;
    n = words_of(community, words);
    for (unsigned form = 0; form < pattern->n; form++) {
        unsigned i = 0;

        while (i < n && (words[i] & pattern->forms[form].mask[i]) == pattern->forms[form].value[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* Without "*" a bisection finds it: some routes carry hundreds of communities. */
static bool is_exact(const struct rib_community_pattern *pattern)
{
    unsigned n = pattern->kind == BGP_COMMUNITY ? 1 : pattern->kind == BGP_LARGE_COMMUNITY ? 3 : 2;

    for (unsigned i = 0; i < n; i++)
        if (pattern->forms[0].mask[i] != UINT32_MAX)
            return false;
    return pattern->n == 1;
}

static struct bgp_community community_of(const struct rib_community_pattern *pattern)
{
    const uint32_t *value = pattern->forms[0].value;
    struct bgp_community community = {.kind = pattern->kind};

    switch (pattern->kind) {
    case BGP_COMMUNITY:
        community.standard = value[0];
        break;
    case BGP_EXTENDED_COMMUNITY:
        community.extended = (uint64_t)value[0] << 32 | value[1];
        break;
    case BGP_LARGE_COMMUNITY:
        memcpy(community.large, value, sizeof(community.large));
        break;
    }
    return community;
}

bool rib_community_pattern_found(const struct rib_community_pattern *pattern,
                                 const struct bgp_attributes *attributes)
{
    unsigned n = bgp_community_count(attributes, pattern->kind);

    if (n > 0 && is_exact(pattern)) {
        struct bgp_community community = community_of(pattern);

        return bgp_attributes_has_community(attributes, &community);
    }
    for (unsigned i = 0; i < n; i++) {
        struct bgp_community community = bgp_community_at(attributes, pattern->kind, i);

        if (rib_community_pattern_matches(pattern, &community))
            return true;
    }
    return false;
}

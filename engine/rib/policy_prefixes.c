/*
 * Prefix lists: "is this prefix in one of these ranges?" in the time of one search, however long the
 * list is.
 *
 *   entries in prefix order, each prefix once       lengths: which lengths of prefixes inside it match
 *   parent: the nearest entry that covers it
 *
 * What a route's prefix is in, the entries that cover it are: one chain of parents. So lengths of an
 * entry take in those of its parents (at or beyond its own length; shorter prefixes are not inside it),
 * and only the lowest covering entry is looked at. It is the last entry that is not beyond the prefix
 * in order, or one of its parents.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy_private.h"

#define NO_PARENT UINT32_MAX

struct entry {
    struct lpm_prefix prefix;
    uint32_t parent;
    uint64_t lengths[3]; /* bit: a length, 0 to 128 */
};

struct rib_prefix_list {
    uint32_t n;
    struct entry entries[];
};

static void add_lengths(struct entry *entry, unsigned least, unsigned most)
{
    for (unsigned length = least; length <= most; length++)
        entry->lengths[length / 64] |= UINT64_C(1) << (length % 64);
}

static bool has_length(const struct entry *entry, unsigned length)
{
    return entry->lengths[length / 64] >> (length % 64) & 1;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

/* Entries of one prefix become one. */
static void merge(struct rib_prefix_list *list)
{
    uint32_t kept = 0;

    for (uint32_t i = 1; i < list->n; i++) {
        if (lpm_prefix_equal(&list->entries[kept].prefix, &list->entries[i].prefix))
            for (unsigned word = 0; word < 3; word++)
                list->entries[kept].lengths[word] |= list->entries[i].lengths[word];
        else
            list->entries[++kept] = list->entries[i];
    }
    list->n = kept + 1;
}

/* In prefix order an entry's parent is the one before it, or one of that one's parents. */
static void find_parents(struct rib_prefix_list *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        struct entry *entry = &list->entries[i];
        uint32_t parent = i > 0 ? i - 1 : NO_PARENT;

        while (parent != NO_PARENT &&
               !lpm_prefix_covers(&list->entries[parent].prefix, &entry->prefix))
            parent = list->entries[parent].parent;
        entry->parent = parent;
        for (unsigned length = entry->prefix.length; parent != NO_PARENT && length <= 128; length++)
            if (has_length(&list->entries[parent], length))
                add_lengths(entry, length, length);
    }
}

struct rib_prefix_list *rib_prefix_list_create(const struct rib_prefix_range *ranges, size_t n)
{
    struct rib_prefix_list *list = calloc(1, sizeof(*list) + n * sizeof(list->entries[0]));

    if (list == NULL)
        return NULL;
    list->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        list->entries[i].prefix = ranges[i].prefix;
        add_lengths(&list->entries[i], ranges[i].least, ranges[i].most);
    }
    qsort(list->entries, n, sizeof(list->entries[0]), compare_entries);
    merge(list);
    find_parents(list);
    return list;
}

void rib_prefix_list_destroy(struct rib_prefix_list *list)
{
    free(list);
}

bool rib_prefix_list_matches(const struct rib_prefix_list *list, const struct lpm_prefix *prefix)
{
    uint32_t low = 0, high = list->n, at;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (lpm_prefix_compare(&list->entries[middle].prefix, prefix) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    at = low > 0 ? low - 1 : NO_PARENT;
    while (at != NO_PARENT && !lpm_prefix_covers(&list->entries[at].prefix, prefix))
        at = list->entries[at].parent;
    return at != NO_PARENT && has_length(&list->entries[at], prefix->length);
}

/* --- Text ------------------------------------------------------------------------------------- */

/* Digits without a sign or a leading zero, at most `most`; moves *text behind them. */
static bool take_number(const char **text, uint64_t most, uint64_t *number)
{
    size_t digits = strspn(*text, "0123456789");

    if (digits == 0 || digits > 10 || (digits > 1 && (*text)[0] == '0'))
        return false;
    *number = strtoull(*text, NULL, 10);
    *text += digits;
    return *number <= most;
}

/* " ge N" or " le N": takes it where it stands. */
static bool take_bound(const char **text, const char *word, uint64_t most, uint64_t *bound)
{
    size_t n = strlen(word);

    if (strncmp(*text, word, n) != 0)
        return true;
    *text += n;
    return take_number(text, most, bound);
}

static int wrong(char error[RIB_PATTERN_ERROR], const char *what)
{
    snprintf(error, RIB_PATTERN_ERROR, "%s", what);
    return -EINVAL;
}

/* "ge" alone means up to the longest, "le" alone from the prefix itself, as in every router. */
int rib_prefix_range_parse(const char *text, struct rib_prefix_range *range,
                           char error[RIB_PATTERN_ERROR])
{
    size_t length = strcspn(text, " ");
    char prefix_text[LPM_PREFIX_TEXT];
    struct lpm_prefix prefix;
    uint64_t least, most, longest;
    int parsed = -EINVAL;

    if (length < sizeof(prefix_text)) {
        memcpy(prefix_text, text, length);
        prefix_text[length] = '\0';
        parsed = lpm_prefix_parse(prefix_text, &prefix);
    }
    if (parsed == -EDOM) {
        snprintf(error, RIB_PATTERN_ERROR, "the prefix has bits set beyond its length; it is %s",
                 lpm_prefix_format(&prefix, prefix_text));
        return -EINVAL;
    }
    if (parsed < 0)
        return wrong(error, "a prefix with optional lengths is like 10.0.0.0/8 ge 16 le 24");
    longest = prefix.family == LPM_IPV4 ? 32 : 128;
    least = prefix.length;
    text += length;
    most = *text == '\0' ? least : longest;
    if (!take_bound(&text, " ge ", longest, &least) || !take_bound(&text, " le ", longest, &most) ||
        *text != '\0')
        return wrong(error,
                     "behind the prefix stand 'ge LENGTH', 'le LENGTH' or both in this order");
    if (least < prefix.length || least > most)
        return wrong(error, "the lengths must be at least the prefix's own, and ge at most le");
    *range = (struct rib_prefix_range){prefix, (uint8_t)least, (uint8_t)most};
    return 0;
}

int rib_number_range_parse(const char *text, struct rib_number_range *range,
                           char error[RIB_PATTERN_ERROR])
{
    static const char right[] = "a range of numbers is like 5, 'ge 2', 'le 5' or 'ge 2 le 5'";
    uint64_t least = 0, most = UINT32_MAX;
    bool bounded = false;

    if (take_number(&text, UINT32_MAX, &least)) {
        most = least;
        bounded = true;
    } else {
        least = 0;
        if (strncmp(text, "ge ", 3) == 0) {
            text += 3;
            bounded = take_number(&text, UINT32_MAX, &least);
            if (!bounded || !take_bound(&text, " le ", UINT32_MAX, &most))
                return wrong(error, right);
        } else if (strncmp(text, "le ", 3) == 0) {
            text += 3;
            bounded = take_number(&text, UINT32_MAX, &most);
        }
    }
    if (!bounded || *text != '\0' || least > most)
        return wrong(error, right);
    *range = (struct rib_number_range){(uint32_t)least, (uint32_t)most};
    return 0;
}

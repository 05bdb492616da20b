/*
 * Policies, compiled: the life of struct rib_policy. policy_apply.c evaluates.
 */
#include "engine/rib/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy_private.h"

/* The arrays of a rule, so that copying and freeing them are a loop each. */
static const struct array {
    size_t items, count, size;
} arrays[] = {
#define ARRAY(items, count)                                                                        \
    {                                                                                              \
        offsetof(struct rib_policy_rule, items), offsetof(struct rib_policy_rule, count),          \
            sizeof(*((struct rib_policy_rule *)0)->items)                                          \
    }
    ARRAY(prefixes, prefix_count),
    ARRAY(communities, community_count),
    ARRAY(all_communities, all_community_count),
    ARRAY(next_hops, next_hop_count),
    ARRAY(as_path_value, as_path_value_count),
    ARRAY(remove_as, remove_as_count),
    ARRAY(replace_as, replace_as_count),
    ARRAY(prepend, prepend_count),
    ARRAY(set_communities, set_community_count),
    ARRAY(remove_communities, remove_community_count),
    ARRAY(add_communities, add_community_count),
#undef ARRAY
};
#define ARRAY_COUNT (sizeof(arrays) / sizeof(arrays[0]))

static void **items_of(struct rib_policy_rule *rule, const struct array *array)
{
    return (void **)(void *)((char *)rule + array->items);
}

static size_t count_of(const struct rib_policy_rule *rule, const struct array *array)
{
    return *(const size_t *)(const void *)((const char *)rule + array->count);
}

/* NULL with *failed set when there is no memory; NULL as well for nothing. */
static void *copy(const void *items, size_t size, bool *failed)
{
    void *made;

    if (items == NULL || size == 0)
        return NULL;
    made = malloc(size);
    if (made == NULL)
        *failed = true;
    else
        memcpy(made, items, size);
    return made;
}

/* Everything that words point to becomes the policy's own, so that it can be freed whatever fails. */
static bool copy_words(struct rib_policy_rule *words)
{
    bool failed = false;

    for (size_t i = 0; i < ARRAY_COUNT; i++) {
        void **items = items_of(words, &arrays[i]);

        *items = copy(*items, count_of(words, &arrays[i]) * arrays[i].size, &failed);
    }
    words->as_path_length = copy(words->as_path_length, sizeof(*words->as_path_length), &failed);
    words->med = copy(words->med, sizeof(*words->med), &failed);
    words->local_pref = copy(words->local_pref, sizeof(*words->local_pref), &failed);
    words->file = words->file != NULL ? copy(words->file, strlen(words->file) + 1, &failed) : NULL;
    words->as_path = NULL; /* compiled from the caller's */
    return !failed;
}

static bool has_changes(const struct rib_policy_rule *rule)
{
    return rule->set != 0 || rule->remove_as_count > 0 || rule->replace_as_count > 0 ||
           rule->prepend_count > 0 || rule->remove_community_count > 0 ||
           rule->add_community_count > 0;
}

static int compile(const struct rib_policy_rule *rule, struct rib_compiled_rule *compiled)
{
    char error[RIB_PATTERN_ERROR];

    compiled->words = *rule;
    if (!copy_words(&compiled->words))
        return -ENOMEM;
    compiled->changes = has_changes(rule) && rule->summary.family == 0;
    if (rule->prefix_count > 0) {
        compiled->prefixes = rib_prefix_list_create(rule->prefixes, rule->prefix_count);
        if (compiled->prefixes == NULL)
            return -ENOMEM;
    }
    return rule->as_path != NULL
               ? rib_as_path_pattern_create(rule->as_path, &compiled->as_path, error)
               : 0;
}

static void free_rule(struct rib_compiled_rule *rule)
{
    for (size_t i = 0; i < ARRAY_COUNT; i++)
        free(*items_of(&rule->words, &arrays[i]));
    free((void *)(uintptr_t)rule->words.as_path_length);
    free((void *)(uintptr_t)rule->words.med);
    free((void *)(uintptr_t)rule->words.local_pref);
    free((void *)(uintptr_t)rule->words.file);
    rib_prefix_list_destroy(rule->prefixes);
    rib_as_path_pattern_destroy(rule->as_path);
}

int rib_policy_create(const char *name, const struct rib_policy_rule *rules, size_t n,
                      struct rib_policy **policy)
{
    struct rib_policy *made = calloc(1, sizeof(*made) + n * sizeof(made->rules[0]));
    int error = 0;

    if (made == NULL)
        return -ENOMEM;
    made->references = 1;
    made->name = strdup(name);
    for (size_t i = 0; i < n; i++)
        made->summaries += rules[i].summary.family != 0;
    if (made->name == NULL)
        error = -ENOMEM;
    for (; error == 0 && made->rule_count < n; made->rule_count++)
        error = compile(&rules[made->rule_count], &made->rules[made->rule_count]);
    if (error < 0) {
        rib_policy_release(made);
        return error;
    }
    *policy = made;
    return 0;
}

struct rib_policy *rib_policy_hold(struct rib_policy *policy)
{
    if (policy != NULL)
        policy->references++;
    return policy;
}

void rib_policy_release(struct rib_policy *policy)
{
    if (policy == NULL || --policy->references > 0)
        return;
    for (uint32_t i = 0; i < policy->rule_count; i++)
        free_rule(&policy->rules[i]);
    free(policy->name);
    free(policy);
}

const char *rib_policy_name(const struct rib_policy *policy)
{
    return policy->name;
}

unsigned rib_policy_summaries(const struct rib_policy *policy)
{
    return policy != NULL ? policy->summaries : 0;
}

const struct rib_policy_rule *rib_policy_rule(const struct rib_policy *policy, uint32_t rule)
{
    return &policy->rules[rule].words;
}

uint64_t rib_policy_mark(const struct rib_policy *policy, uint32_t rule)
{
    return policy->rules[rule].words.summary.family != 0 ? (uintptr_t)&policy->rules[rule] : 0;
}

struct rib_policy_place rib_policy_place(const struct rib_policy *policy, uint32_t rule)
{
    if (rule >= policy->rule_count)
        return (struct rib_policy_place){.policy = policy->name};
    return (struct rib_policy_place){
        .policy = policy->name,
        .rule = rule + 1,
        .file = policy->rules[rule].words.file,
        .line = policy->rules[rule].words.line,
    };
}

/*
 * The words of policies: what is understood, what is refused and in which words, and what matches.
 * Prefix lists and AS-path expressions are held against slow ways to the same answer.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy_private.h"
#include "tests/rib/world.h"

static struct bgp_attribute_table *table;
static struct bgp_attribute_builder *builder;

static void setup(void)
{
    table = bgp_attribute_table_create();
    builder = bgp_builder_create();
}

static void teardown(void)
{
    cr_assert_eq(bgp_attribute_table_count(table), 0, "a set is still held");
    bgp_builder_destroy(builder);
    bgp_attribute_table_destroy(table);
}

TestSuite(policy_text, .init = setup, .fini = teardown);

static unsigned next_random(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static const struct bgp_attributes *with_path(const uint32_t *asns, size_t n)
{
    const struct bgp_attributes *attributes;

    bgp_builder_originate(builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(builder, asns, n);
    cr_assert_eq(bgp_builder_intern(builder, table, &attributes), 0);
    return attributes;
}

/* --- AS paths --------------------------------------------------------------------------------- */

static bool path_matches(const char *expression, const char *path)
{
    char error[RIB_PATTERN_ERROR] = "";
    struct rib_as_path_pattern *pattern;
    const struct bgp_attributes *attributes;
    uint32_t asns[32];
    int n = bgp_as_path_parse(path, asns, 32);
    bool found;

    cr_assert_geq(n, 0);
    cr_assert_eq(rib_as_path_pattern_create(expression, &pattern, error), 0, "%s: %s", expression,
                 error);
    attributes = with_path(asns, (size_t)n);
    found = rib_as_path_pattern_matches(pattern, attributes);
    bgp_attributes_release(table, attributes);
    rib_as_path_pattern_destroy(pattern);
    return found;
}

Test(policy_text, as_path_expressions_match_as_operators_expect)
{
    static const struct {
        const char *expression, *path;
        bool found;
    } cases[] = {
        {"^$", "", true},
        {"^$", "65001", false},
        {"^65001", "65001 65002", true},
        {"^65001", "650012", true}, /* characters, not numbers: _ makes the border */
        {"^65001_", "650012", false},
        {"^65001_", "65001", true},
        {"_65001_", "1 65001 2", true},
        {"_65001_", "1 65001", true},
        {"_65001_", "165001 2", false},
        {"65002$", "65001 65002", true},
        {"65002$", "65002 65001", false},
        {"_65001_65002_", "7 65001 65002 8", true},
        {"_65001_65002_", "7 65001 9 65002 8", false},
        {"^65001_.*_65009$", "65001 3 65009", true},
        {"^(65001|65002)( 65010)*$", "65002 65010 65010", true},
        {"^(65001|65002)( 65010)*$", "65003 65010", false},
        {"^[0-9]+$", "4200000001", true},
        {"^[0-9]+$", "1 2", false},
        {"^[0-9]+ [0-9]+$", "1 2", true},
        {"^6500[1-3]$", "65002", true},
        {"^6500[1-3]$", "65004", false},
        {"^6500[^1-3]$", "65004", true},
        {"^6500.$", "65009", true},
        {"65001+", "650011", true},
        {"^65?1$", "61", true},
        {"_$", "65001", true},
        {"^_", "65001", true},
        {"^_65001_$", "65001", true},
        {"()", "1", true},
        {"", "1", true},
    };

    for (size_t i = 0; i + 1 < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(path_matches(cases[i].expression, cases[i].path), cases[i].found, "%s on '%s'",
                     cases[i].expression, cases[i].path);
}

Test(policy_text, bad_as_path_expressions_say_where_and_what)
{
    static const struct {
        const char *expression, *said;
    } cases[] = {
        {"", "an expression has 1 to 256 characters; ^$ matches an empty path"},
        {"(65001", "a '(' has no ')' (at character 7)"},
        {"65001)", "a ')' has no '(' (at character 6)"},
        {"*65001", "there is nothing before it to repeat (at character 1)"},
        {"6(|+)", "there is nothing before it to repeat (at character 4)"},
        {"^65001{9}", "repeat counts in {} are not known here; \\{ is the brace of an AS set (at "
                      "character 7)"},
        {"65001-65002", "'-' stands in [] only: numbers of a path have a space between, or '_' (at "
                        "character 6)"},
        {"[65001-65010]", "[] is a set of single digits, not a range of AS numbers: write "
                          "650(0[1-9]|10) for 65001 to 65010 (at character 5)"},
        {"[9-1]", "a range in [] goes from a digit to a higher one, like [0-9] (at character 2)"},
        {"[12", "the '[' has no ']' (at character 4)"},
        {"[]", "the [] is empty (at character 2)"},
        {"1]", "a ']' has no '[' (at character 2)"},
        {"as65001", "no path has this character in it; known are digits, space , and ^ $ . _ * + ? "
                    "( ) | [ ] (at character 1)"},
        {"\\d", "\\ stands before one of ( ) [ ] { } only (at character 2)"},
        {"1\\", "\\ stands before one of ( ) [ ] { } only (at character 3)"},
    };
    char error[RIB_PATTERN_ERROR], longest[RIB_AS_PATH_PATTERN_MAX + 2];
    struct rib_as_path_pattern *pattern;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(rib_as_path_pattern_create(cases[i].expression, &pattern, error), -EINVAL,
                     "%s", cases[i].expression);
        cr_expect_str_eq(error, cases[i].said);
    }
    memset(longest, '1', sizeof(longest));
    longest[RIB_AS_PATH_PATTERN_MAX] = '\0';
    cr_expect_eq(rib_as_path_pattern_create(longest, &pattern, error), 0);
    rib_as_path_pattern_destroy(pattern);
    longest[RIB_AS_PATH_PATTERN_MAX] = '1';
    longest[RIB_AS_PATH_PATTERN_MAX + 1] = '\0';
    cr_expect_eq(rib_as_path_pattern_create(longest, &pattern, error), -EINVAL);
}

/* What doubles with every character is refused before it takes memory. */
Test(policy_text, an_expression_that_explodes_is_refused)
{
    char error[RIB_PATTERN_ERROR];
    struct rib_as_path_pattern *pattern;

    cr_assert_eq(rib_as_path_pattern_create("(0|1)*1(0|1)(0|1)(0|1)(0|1)(0|1)(0|1)(0|1)(0|1)(0|1)"
                                            "(0|1)(0|1)(0|1)$",
                                            &pattern, error),
                 -EINVAL);
    cr_assert(strstr(error, "too complex"));
    /* The classic of backtracking is nothing here. */
    cr_assert_eq(rib_as_path_pattern_create("^(1*)*(1*)*(1|11)*2$", &pattern, error), 0);
    rib_as_path_pattern_destroy(pattern);
}

Test(policy_text, as_sets_have_braces_and_commas)
{
    static const uint8_t wire[] = {2, 1, 0, 0, 0xfd, 0xe9, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8};
    struct rib_as_path_pattern *pattern;
    char error[RIB_PATTERN_ERROR];
    struct bgp_attributes *made = calloc(1, sizeof(*made) + sizeof(wire));

    memcpy(made->bytes, wire, sizeof(wire));
    made->as_path.length = sizeof(wire);
    cr_assert_eq(rib_as_path_pattern_create("^65001 \\{7,8\\}$", &pattern, error), 0, "%s", error);
    cr_expect(rib_as_path_pattern_matches(pattern, made));
    rib_as_path_pattern_destroy(pattern);
    cr_assert_eq(rib_as_path_pattern_create("_8_$", &pattern, error), 0);
    cr_expect(rib_as_path_pattern_matches(pattern, made));
    rib_as_path_pattern_destroy(pattern);
    free(made);
}

/* A random expression; in *posix the same with _ spelled out. */
static void random_expression(unsigned *state, char *text, char *posix)
{
    static const char *const atoms[] = {"1",       "2",     "12", " ", ".",      "[0-2]",
                                        "[^1]",    "^",     "$",  "_", "(1|2 )", "(1| 2)*",
                                        "(_2|1_)", "(12)?", "1+", "2*"};
    unsigned n = 1 + next_random(state, 5);

    *text = *posix = '\0';
    for (unsigned i = 0; i < n; i++) {
        const char *atom = atoms[next_random(state, sizeof(atoms) / sizeof(atoms[0]))];

        strcat(text, atom);
        for (; *atom; atom++) {
            const char one[2] = {*atom, '\0'};

            strcat(posix, *atom == '_' ? "(^|[,{}() ]|$)" : one);
        }
    }
}

Test(policy_text, as_path_expressions_agree_with_posix)
{
    unsigned state = 7, found = 0;

    for (unsigned round = 0; round < 3000; round++) {
        char text[64], posix[256], error[RIB_PATTERN_ERROR], path_text[64];
        struct rib_as_path_pattern *pattern;
        regex_t regex;

        random_expression(&state, text, posix);
        cr_assert_eq(regcomp(&regex, posix, REG_EXTENDED | REG_NOSUB), 0, "%s", posix);
        cr_assert_eq(rib_as_path_pattern_create(text, &pattern, error), 0, "%s: %s", text, error);
        for (unsigned i = 0; i < 8; i++) {
            uint32_t asns[4];
            size_t n = next_random(&state, 4);
            const struct bgp_attributes *attributes;
            bool expected, got;

            for (size_t j = 0; j < n; j++)
                asns[j] = (uint32_t[]){1, 2, 12, 21, 112, 2012}[next_random(&state, 6)];
            attributes = with_path(asns, n);
            bgp_as_path_format(attributes, ' ', path_text, sizeof(path_text));
            expected = regexec(&regex, path_text, 0, NULL, 0) == 0;
            got = rib_as_path_pattern_matches(pattern, attributes);
            bgp_attributes_release(table, attributes);
            cr_assert_eq(got, expected, "'%s' on '%s': %d", text, path_text, got);
            found += got;
        }
        rib_as_path_pattern_destroy(pattern);
        regfree(&regex);
    }
    cr_assert(found > 2000 && found < 22000, "the test tries both answers: %u", found);
}

/* --- Prefix lists ----------------------------------------------------------------------------- */

Test(policy_text, prefix_ranges)
{
    static const struct {
        const char *text;
        unsigned least, most; /* 0, 0: refused */
        const char *said;
    } cases[] = {
        {"10.0.0.0/8", 8, 8, NULL},
        {"10.0.0.0/8 ge 16", 16, 32, NULL},
        {"10.0.0.0/8 le 24", 8, 24, NULL},
        {"10.0.0.0/8 ge 16 le 24", 16, 24, NULL},
        {"fd00::/8 le 64", 8, 64, NULL},
        {"fd00::/8 ge 128", 128, 128, NULL},
        {"10.0.0.0/8 ge 4", 0, 0,
         "the lengths must be at least the prefix's own, and ge at most le"},
        {"10.0.0.0/8 ge 24 le 16", 0, 0,
         "the lengths must be at least the prefix's own, and ge at most le"},
        {"10.0.0.0/8 le 33", 0, 0,
         "behind the prefix stand 'ge LENGTH', 'le LENGTH' or both in this order"},
        {"10.0.0.0/8 le 24 ge 16", 0, 0,
         "behind the prefix stand 'ge LENGTH', 'le LENGTH' or both in this order"},
        {"10.0.0.0/8  ge 16", 0, 0,
         "behind the prefix stand 'ge LENGTH', 'le LENGTH' or both in this order"},
        {"10.0.0.1/8", 0, 0, "the prefix has bits set beyond its length; it is 10.0.0.0/8"},
        {"ten/8", 0, 0, "a prefix with optional lengths is like 10.0.0.0/8 ge 16 le 24"},
        {"", 0, 0, "a prefix with optional lengths is like 10.0.0.0/8 ge 16 le 24"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[RIB_PATTERN_ERROR] = "";
        struct rib_prefix_range range = {0};
        int result = rib_prefix_range_parse(cases[i].text, &range, error);

        cr_expect_eq(result, cases[i].said ? -EINVAL : 0, "%s", cases[i].text);
        cr_expect_eq(range.least, cases[i].least, "%s", cases[i].text);
        cr_expect_eq(range.most, cases[i].most, "%s", cases[i].text);
        cr_expect_str_eq(error, cases[i].said ? cases[i].said : "");
    }
}

Test(policy_text, number_ranges)
{
    static const struct {
        const char *text;
        int result;
        uint32_t least, most;
    } cases[] = {
        {"5", 0, 5, 5},         {"ge 2", 0, 2, UINT32_MAX},   {"le 7", 0, 0, 7},
        {"ge 2 le 7", 0, 2, 7}, {"ge 7 le 2", -EINVAL, 0, 0}, {"", -EINVAL, 0, 0},
        {"5 6", -EINVAL, 0, 0}, {"ge", -EINVAL, 0, 0},        {"4294967296", -EINVAL, 0, 0},
        {"-1", -EINVAL, 0, 0},  {"le 2 ge 1", -EINVAL, 0, 0}, {"5 le 6", -EINVAL, 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[RIB_PATTERN_ERROR];
        struct rib_number_range range = {0};

        cr_expect_eq(rib_number_range_parse(cases[i].text, &range, error), cases[i].result, "%s",
                     cases[i].text);
        cr_expect_eq(range.least, cases[i].least, "%s", cases[i].text);
        cr_expect_eq(range.most, cases[i].most, "%s", cases[i].text);
    }
}

/* Few bits, so that prefixes nest and meet. */
static struct lpm_prefix random_prefix(unsigned *state)
{
    struct lpm_prefix prefix = {.family = next_random(state, 2) ? LPM_IPV6 : LPM_IPV4};
    unsigned longest = prefix.family == LPM_IPV4 ? 32 : 128;

    prefix.bytes[0] = (uint8_t)(10 + next_random(state, 2));
    prefix.bytes[1] = (uint8_t)(next_random(state, 4) << 6);
    prefix.bytes[2] = (uint8_t)(next_random(state, 4) << 6);
    prefix.length =
        (uint8_t)(next_random(state, 3) ? next_random(state, 20) : next_random(state, longest + 1));
    lpm_prefix_mask(&prefix);
    return prefix;
}

Test(policy_text, prefix_lists_agree_with_a_linear_search)
{
    unsigned state = 3, found = 0;

    for (unsigned round = 0; round < 300; round++) {
        size_t n = 1 + next_random(&state, 40);
        struct rib_prefix_range ranges[40];
        struct rib_prefix_list *list;

        for (size_t i = 0; i < n; i++) {
            struct lpm_prefix prefix = random_prefix(&state);
            unsigned longest = prefix.family == LPM_IPV4 ? 32 : 128;
            unsigned least = prefix.length + next_random(&state, longest - prefix.length + 1);

            ranges[i] = (struct rib_prefix_range){
                prefix, (uint8_t)least,
                (uint8_t)(least + next_random(&state, longest - least + 1))};
        }
        list = rib_prefix_list_create(ranges, n);
        for (unsigned i = 0; i < 200; i++) {
            struct lpm_prefix prefix = random_prefix(&state);
            bool expected = false;

            for (size_t j = 0; j < n; j++)
                expected |= ranges[j].prefix.family == prefix.family &&
                            lpm_prefix_covers(&ranges[j].prefix, &prefix) &&
                            prefix.length >= ranges[j].least && prefix.length <= ranges[j].most;
            cr_assert_eq(rib_prefix_list_matches(list, &prefix), expected);
            found += expected;
        }
        rib_prefix_list_destroy(list);
    }
    cr_assert(found > 5000 && found < 55000, "the test tries both answers: %u", found);
}

/* --- Communities ------------------------------------------------------------------------------ */

Test(policy_text, community_patterns)
{
    static const struct {
        const char *pattern, *community;
        bool match;
    } cases[] = {
        {"65001:100", "65001:100", true},
        {"65001:100", "65001:101", false},
        {"65001:*", "65001:7", true},
        {"65001:*", "65002:7", false},
        {"*:100", "7:100", true},
        {"*:*", "7:100", true},
        {"*:*", "7:100:1", false},
        {"no-export", "65535:65281", true},
        {"65535:*", "no-export", true},
        {"65001:*:3", "65001:2:3", true},
        {"65001:*:3", "65001:2:4", false},
        {"*:*:*", "1:2:3", true},
        {"rt:65001:100", "rt:65001:100", true},
        {"rt:65001:100", "ro:65001:100", false},
        {"soo:*:100", "ro:65001:100", true},
        {"lb:65001:*", "lb:65001:125000", true},
        {"rt:65001:*", "rt:65001:100000", true},
        {"rt:65001:*", "rt:65002:1", false},
        {"rt:*:7", "rt:65001:7", true},
        {"rt:*:7", "rt:4200000001:7", true},
        {"rt:*:7", "rt:4200000001:8", false},
        {"rt:*:100000", "rt:65001:100000", true},
        {"rt:*:*", "rt:4200000001:8", true},
        {"rt:*:*", "ro:4200000001:8", false},
        {"rt:4200000001:*", "rt:4200000001:8", true},
        {"rt:4200000001:*", "rt:4200000002:8", false},
        {"0x0002fde900000064", "rt:65001:100", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[RIB_PATTERN_ERROR];
        struct rib_community_pattern pattern;
        struct bgp_community community;

        cr_assert_eq(rib_community_pattern_parse(cases[i].pattern, &pattern, error), 0, "%s",
                     cases[i].pattern);
        cr_assert_eq(bgp_community_parse(cases[i].community, &community), 0, "%s",
                     cases[i].community);
        cr_expect_eq(rib_community_pattern_matches(&pattern, &community), cases[i].match,
                     "%s on %s", cases[i].pattern, cases[i].community);
    }
}

Test(policy_text, bad_community_patterns)
{
    static const char *const texts[] = {"",     "65536:1", "65001",    "65001:",   "*",
                                        "rt:*", "*:1:2:3", "rt:1:2:*", "65001:1*", "bogus:*:1",
                                        "**:1", "*:rt:1",  "no-*"};
    char error[RIB_PATTERN_ERROR];
    struct rib_community_pattern pattern;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_eq(rib_community_pattern_parse(texts[i], &pattern, error), -EINVAL, "%s",
                     texts[i]);
}

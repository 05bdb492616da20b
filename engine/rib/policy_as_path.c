/*
 * AS-path expressions: from text to a nondeterministic automaton, by recursive descent. The
 * automaton is made deterministic in policy_automaton.c, where it also runs.
 *
 *   alternatives := sequence ('|' sequence)*
 *   sequence     := repeated*
 *   repeated     := atom ('*' | '+' | '?')*
 *   atom         := character | '.' | '[' set ']' | '(' alternatives ')' | '^' | '$' | '_' | '\' c
 *
 * A fragment has one entrance and one exit, an EMPTY node whose way on is not yet known:
 *
 *   a b     a.exit -> b              a|b    split -> a, b; both exits -> exit
 *   a*      split -> a, exit; a.exit -> split
 */
#include "engine/rib/policy_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_FRAGMENT ((struct fragment){.first = NODE_NONE})

struct fragment {
    uint16_t first, exit;
};

struct parser {
    const char *text;
    size_t at;
    struct rib_nfa *nfa;
    char *error; /* written by the first that fails */
    bool failed, out_of_memory;
};

static struct fragment parse_alternatives(struct parser *parser, unsigned depth);

static struct fragment fail(struct parser *parser, const char *what)
{
    if (!parser->failed)
        snprintf(parser->error, RIB_PATTERN_ERROR, "%s (at character %zu)", what, parser->at + 1);
    parser->failed = true;
    return NO_FRAGMENT;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static uint16_t add_node(struct parser *parser, enum rib_node_kind kind, uint32_t symbols)
{
    struct rib_nfa *nfa = parser->nfa;

    if (nfa->n == nfa->capacity) {
        unsigned capacity = nfa->capacity ? 2 * nfa->capacity : 64;
        void *nodes = realloc(nfa->nodes, capacity * sizeof(*nfa->nodes));

        if (nodes == NULL) {
            parser->out_of_memory = true;
            return NODE_NONE;
        }
        nfa->nodes = nodes;
        nfa->capacity = capacity;
    }
    nfa->nodes[nfa->n] = (struct rib_node){
        .kind = (uint8_t)kind, .symbols = symbols, .next = NODE_NONE, .other = NODE_NONE};
    return (uint16_t)nfa->n++;
}

static void link_nodes(struct parser *parser, uint16_t from, uint16_t next, uint16_t other)
{
    if (from == NODE_NONE)
        return; /* no memory: told at the end */
    parser->nfa->nodes[from].next = next;
    parser->nfa->nodes[from].other = other;
}

/* A node and its exit. */
static struct fragment single(struct parser *parser, enum rib_node_kind kind, uint32_t symbols)
{
    struct fragment made = {.first = add_node(parser, kind, symbols),
                            .exit = add_node(parser, NODE_EMPTY, 0)};

    link_nodes(parser, made.first, made.exit, NODE_NONE);
    return made;
}

static struct fragment either(struct parser *parser, struct fragment a, struct fragment b)
{
    struct fragment made = {.first = add_node(parser, NODE_EMPTY, 0),
                            .exit = add_node(parser, NODE_EMPTY, 0)};

    link_nodes(parser, made.first, a.first, b.first);
    link_nodes(parser, a.exit, made.exit, NODE_NONE);
    link_nodes(parser, b.exit, made.exit, NODE_NONE);
    return made;
}

static struct fragment repeat(struct parser *parser, struct fragment a, char how)
{
    uint16_t split = add_node(parser, NODE_EMPTY, 0), exit = add_node(parser, NODE_EMPTY, 0);

    link_nodes(parser, split, a.first, exit);
    link_nodes(parser, a.exit, how == '?' ? exit : split, NODE_NONE);
    return (struct fragment){.first = how == '+' ? a.first : split, .exit = exit};
}

/* --- Atoms ------------------------------------------------------------------------------------ */

#define SEPARATORS " ,{}()[]"

/* Number of a character of the text of a path, or -1. */
static int symbol_of(char c)
{
    const char *at;

    if (c >= '0' && c <= '9')
        return c - '0';
    at = c != '\0' ? strchr(SEPARATORS, c) : NULL;
    return at != NULL ? 10 + (int)(at - SEPARATORS) : -1;
}

static uint32_t separators(void)
{
    return RIB_ALL_SYMBOLS & ~0x3ffu;
}

/* Adds what stands at the present place of a set to *symbols: a character, or a range of digits. */
static bool take_member(struct parser *parser, uint32_t *symbols)
{
    const char *text = parser->text + parser->at;
    int first = symbol_of(text[0]), last = first;

    if (first < 0) {
        fail(parser, text[0] == '\0' ? "the '[' has no ']'" : "no path has this character in it");
        return false;
    }
    if (text[1] == '-' && text[2] != ']') {
        last = symbol_of(text[2]);
        if (first > 9 || last > 9 || last < first) {
            fail(parser, "a range in [] goes from a digit to a higher one, like [0-9]");
            return false;
        }
        parser->at += 2;
    }
    for (int symbol = first; symbol <= last; symbol++) {
        /* Who names a digit twice meant numbers: [65001-65010]. */
        if (*symbols & 1u << symbol) {
            fail(parser, "[] is a set of single digits, not a range of AS numbers: write "
                         "650(0[1-9]|10) for 65001 to 65010");
            return false;
        }
        *symbols |= 1u << symbol;
    }
    parser->at++;
    return true;
}

/* Behind the '['. */
static struct fragment parse_set(struct parser *parser)
{
    uint32_t symbols = 0;
    bool negated = parser->text[parser->at] == '^';

    parser->at += negated;
    if (parser->text[parser->at] == ']')
        return fail(parser, "the [] is empty");
    do {
        if (!take_member(parser, &symbols))
            return NO_FRAGMENT;
    } while (parser->text[parser->at] != ']');
    parser->at++;
    return single(parser, NODE_SYMBOL, negated ? RIB_ALL_SYMBOLS & ~symbols : symbols);
}

static struct fragment parse_group(struct parser *parser, unsigned depth)
{
    struct fragment inner = parse_alternatives(parser, depth + 1);

    if (parser->failed)
        return NO_FRAGMENT;
    if (parser->text[parser->at] != ')')
        return fail(parser, "a '(' has no ')'");
    parser->at++;
    return inner;
}

/* '_': nothing is read at the start and the end, one separator in between. */
static struct fragment border(struct parser *parser)
{
    struct fragment ends =
        either(parser, single(parser, NODE_BEGIN, 0), single(parser, NODE_END, 0));

    return either(parser, single(parser, NODE_SYMBOL, separators()), ends);
}

static struct fragment parse_escaped(struct parser *parser)
{
    char c = parser->text[parser->at];
    int symbol = symbol_of(c);

    if (symbol < 12) /* digits, space and comma need no escape */
        return fail(parser, "\\ stands before one of ( ) [ ] { } only");
    parser->at++;
    return single(parser, NODE_SYMBOL, 1u << symbol);
}

static struct fragment parse_character(struct parser *parser, char c)
{
    int symbol = symbol_of(c);

    if (c == '{' || c == '}')
        return fail(parser,
                    "repeat counts in {} are not known here; \\{ is the brace of an AS set");
    if (c == '-')
        return fail(parser,
                    "'-' stands in [] only: numbers of a path have a space between, or '_'");
    if (c == ']')
        return fail(parser, "a ']' has no '['");
    if (symbol < 0)
        return fail(parser, "no path has this character in it; known are digits, space , and "
                            "^ $ . _ * + ? ( ) | [ ]");
    return single(parser, NODE_SYMBOL, 1u << symbol);
}

static struct fragment parse_atom(struct parser *parser, unsigned depth)
{
    char c = parser->text[parser->at];

    if (c == '*' || c == '+' || c == '?')
        return fail(parser, "there is nothing before it to repeat");
    parser->at++;
    switch (c) {
    case '.':
        return single(parser, NODE_SYMBOL, RIB_ALL_SYMBOLS);
    case '[':
        return parse_set(parser);
    case '(':
        return parse_group(parser, depth);
    case '^':
        return single(parser, NODE_BEGIN, 0);
    case '$':
        return single(parser, NODE_END, 0);
    case '_':
        return border(parser);
    case '\\':
        return parse_escaped(parser);
    default:
        parser->at--;
        struct fragment made = parse_character(parser, c);
        parser->at++;
        return made;
    }
}

/* --- Composition ------------------------------------------------------------------------------ */

static struct fragment parse_sequence(struct parser *parser, unsigned depth)
{
    struct fragment whole = single(parser, NODE_EMPTY, 0);
    char c;

    while (!parser->failed && (c = parser->text[parser->at]) != '\0' && c != '|' && c != ')') {
        struct fragment part = parse_atom(parser, depth);

        for (; !parser->failed && strchr("*+?", parser->text[parser->at]) != NULL &&
               parser->text[parser->at] != '\0';
             parser->at++)
            part = repeat(parser, part, parser->text[parser->at]);
        link_nodes(parser, whole.exit, part.first, NODE_NONE);
        whole.exit = part.exit;
    }
    return whole;
}

static struct fragment parse_alternatives(struct parser *parser, unsigned depth)
{
    struct fragment whole = parse_sequence(parser, depth);

    while (!parser->failed && parser->text[parser->at] == '|') {
        parser->at++;
        whole = either(parser, whole, parse_sequence(parser, depth));
    }
    if (!parser->failed && depth == 0 && parser->text[parser->at] == ')')
        return fail(parser, "a ')' has no '('");
    return whole;
}

int rib_nfa_parse(const char *text, struct rib_nfa *nfa, char error[RIB_PATTERN_ERROR])
{
    struct parser parser = {.text = text, .nfa = nfa, .error = error};
    struct fragment whole;
    uint16_t match;

    *nfa = (struct rib_nfa){0};
    if (text[0] == '\0' || strlen(text) > RIB_AS_PATH_PATTERN_MAX) {
        snprintf(error, RIB_PATTERN_ERROR,
                 "an expression has 1 to %u characters; ^$ matches an "
                 "empty path",
                 RIB_AS_PATH_PATTERN_MAX);
        return -EINVAL;
    }
    whole = parse_alternatives(&parser, 0);
    match = add_node(&parser, NODE_MATCH, 0);
    if (parser.failed || parser.out_of_memory) {
        rib_nfa_free(nfa);
        return parser.failed ? -EINVAL : -ENOMEM;
    }
    link_nodes(&parser, whole.exit, match, NODE_NONE);
    nfa->first = whole.first;
    return 0;
}

void rib_nfa_free(struct rib_nfa *nfa)
{
    free(nfa->nodes);
    *nfa = (struct rib_nfa){0};
}

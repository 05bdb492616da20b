/*
 * The deterministic automaton of an AS-path expression: made once, when the policy is, and run over
 * the path without writing it out.
 *
 *   state = set of nodes that the search may stand at, the first node always among them (a match may
 *           start anywhere); nodes that wait for the end of the text stay in the set
 *   ways[state][symbol] -> state         the only step per character
 *
 * All states are made beforehand: no route can make work or memory grow. Expressions that people
 * write need some tens of states. Those that would need more than STATES_MAX (alternatives under
 * repeats can double with each character) are refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/rib/policy_private.h"

#define STATES_MAX 512u

struct rib_as_path_pattern {
    unsigned n;
    bool accepts[STATES_MAX];        /* found already, whatever follows */
    bool accepts_at_end[STATES_MAX]; /* found if the text ends here */
    uint16_t ways[][RIB_SYMBOLS];
};

/* Sets of nodes are bits. */
struct construction {
    const struct rib_nfa *nfa;
    size_t words;  /* of a set */
    uint64_t *set; /* in the making */
    uint16_t *stack;
    uint64_t *sets; /* of the states, side by side */
    uint64_t hashes[STATES_MAX];
    struct rib_as_path_pattern *pattern;
};

static bool has(const uint64_t *set, unsigned node)
{
    return set[node / 64] >> (node % 64) & 1;
}

/* --- Sets of nodes ---------------------------------------------------------------------------- */

/* Adds node and all that can be reached from it without reading. begin, end: where the text
 * stands. */
static void close_over(struct construction *made, uint16_t node, bool begin, bool end)
{
    size_t depth = 0;

    made->stack[depth++] = node;
    while (depth > 0) {
        uint16_t at = made->stack[--depth];
        const struct rib_node *found;

        if (at == NODE_NONE || has(made->set, at))
            continue;
        made->set[at / 64] |= UINT64_C(1) << (at % 64);
        found = &made->nfa->nodes[at];
        if (found->kind == NODE_EMPTY || (found->kind == NODE_BEGIN && begin) ||
            (found->kind == NODE_END && end)) {
            made->stack[depth++] = found->next;
            made->stack[depth++] = found->other;
        }
    }
}

static bool found_match(const struct construction *made)
{
    for (unsigned i = 0; i < made->nfa->n; i++)
        if (made->nfa->nodes[i].kind == NODE_MATCH && has(made->set, i))
            return true;
    return false;
}

static void clear(struct construction *made)
{
    memset(made->set, 0, made->words * sizeof(*made->set));
}

/* The set that a state moves to by reading symbol. A match may begin at the next place as well. */
static void move(struct construction *made, unsigned state, unsigned symbol)
{
    const uint64_t *from = made->sets + state * made->words;

    clear(made);
    for (unsigned i = 0; i < made->nfa->n; i++)
        if (has(from, i) && made->nfa->nodes[i].kind == NODE_SYMBOL &&
            made->nfa->nodes[i].symbols >> symbol & 1)
            close_over(made, made->nfa->nodes[i].next, false, false);
    close_over(made, made->nfa->first, false, false);
}

/* Would the text match if it ended in this state? Only in the first state it may also begin here. */
static bool matches_at_end(struct construction *made, unsigned state)
{
    const uint64_t *from = made->sets + state * made->words;

    clear(made);
    for (unsigned i = 0; i < made->nfa->n; i++)
        if (has(from, i))
            close_over(made, (uint16_t)i, state == 0, true);
    return found_match(made);
}

/* --- States ----------------------------------------------------------------------------------- */

static int too_many(char error[RIB_PATTERN_ERROR])
{
    snprintf(error, RIB_PATTERN_ERROR,
             "it is too complex (more than %u states): use fewer alternatives and dots under * and "
             "+, or several rules",
             STATES_MAX);
    return -EINVAL;
}

/* The state of the present set, made when it is new. The first one stands apart even from an equal
 * set: only there the text may begin. */
static int obtain(struct construction *made, unsigned *state, char error[RIB_PATTERN_ERROR])
{
    struct rib_as_path_pattern *pattern = made->pattern;
    size_t size = made->words * sizeof(*made->set);
    uint64_t hash = XXH3_64bits(made->set, size);

    for (unsigned i = 1; i < pattern->n; i++)
        if (made->hashes[i] == hash && memcmp(made->sets + i * made->words, made->set, size) == 0) {
            *state = i;
            return 0;
        }
    if (pattern->n == STATES_MAX)
        return too_many(error);
    *state = pattern->n++;
    made->hashes[*state] = hash;
    memcpy(made->sets + *state * made->words, made->set, size);
    pattern->accepts[*state] = found_match(made);
    pattern->accepts_at_end[*state] = matches_at_end(made, *state);
    return 0;
}

static int make_states(struct construction *made, char error[RIB_PATTERN_ERROR])
{
    struct rib_as_path_pattern *pattern = made->pattern;
    unsigned target;
    int failed;

    clear(made);
    close_over(made, made->nfa->first, true, false);
    failed = obtain(made, &target, error);
    for (unsigned state = 0; failed == 0 && state < pattern->n; state++)
        for (unsigned symbol = 0; failed == 0 && symbol < RIB_SYMBOLS; symbol++) {
            if (pattern->accepts[state])
                continue; /* nobody goes on from here */
            move(made, state, symbol);
            failed = obtain(made, &target, error);
            if (failed == 0)
                pattern->ways[state][symbol] = (uint16_t)target;
        }
    return failed;
}

static int construct(const struct rib_nfa *nfa, struct rib_as_path_pattern *pattern,
                     char error[RIB_PATTERN_ERROR])
{
    size_t words = (nfa->n + 63) / 64;
    struct construction *made = calloc(1, sizeof(*made));
    int failed = -ENOMEM;

    if (made == NULL)
        return failed;
    made->nfa = nfa;
    made->pattern = pattern;
    made->words = words;
    made->set = malloc(words * sizeof(*made->set));
    made->sets = malloc(STATES_MAX * words * sizeof(*made->sets));
    /* A node is looked into once, and leaves at most two others waiting. */
    made->stack = malloc((2 * (size_t)nfa->n + 2) * sizeof(*made->stack));
    if (made->set != NULL && made->sets != NULL && made->stack != NULL)
        failed = make_states(made, error);
    free(made->set);
    free(made->sets);
    free(made->stack);
    free(made);
    return failed;
}

int rib_as_path_pattern_create(const char *text, struct rib_as_path_pattern **pattern,
                               char error[RIB_PATTERN_ERROR])
{
    struct rib_as_path_pattern *full, *shrunk;
    struct rib_nfa nfa;
    int failed = rib_nfa_parse(text, &nfa, error);

    if (failed < 0)
        return failed;
    full = calloc(1, sizeof(*full) + STATES_MAX * sizeof(full->ways[0]));
    failed = full != NULL ? construct(&nfa, full, error) : -ENOMEM;
    rib_nfa_free(&nfa);
    if (failed < 0) {
        free(full);
        return failed;
    }
    shrunk = realloc(full, sizeof(*full) + full->n * sizeof(full->ways[0]));
    *pattern = shrunk != NULL ? shrunk : full;
    return 0;
}

void rib_as_path_pattern_destroy(struct rib_as_path_pattern *pattern)
{
    free(pattern);
}

/* --- Running ---------------------------------------------------------------------------------- */

struct run {
    const struct rib_as_path_pattern *pattern;
    unsigned state;
};

/* True when the match is found. */
static bool step(struct run *run, unsigned symbol)
{
    if (!run->pattern->accepts[run->state])
        run->state = run->pattern->ways[run->state][symbol];
    return run->pattern->accepts[run->state];
}

static bool step_number(struct run *run, uint32_t number)
{
    uint8_t digits[10];
    unsigned n = 0;

    do
        digits[n++] = (uint8_t)(number % 10);
    while ((number /= 10) > 0);
    while (n > 0)
        if (step(run, digits[--n]))
            return true;
    return false;
}

/* Symbols around the numbers of a segment, as bgp_as_path_format() writes them; 0: none. */
enum {
    SPACE = 10,
    COMMA,
    SET_OPEN,
    SET_CLOSE,
    CONFED_OPEN,
    CONFED_CLOSE,
    CONFED_SET_OPEN,
    CONFED_SET_CLOSE
};
static const struct {
    uint8_t open, close, between;
} segments[] = {
    [BGP_AS_SET] = {SET_OPEN, SET_CLOSE, COMMA},
    [BGP_AS_SEQUENCE] = {0, 0, SPACE},
    [BGP_AS_CONFED_SEQUENCE] = {CONFED_OPEN, CONFED_CLOSE, SPACE},
    [BGP_AS_CONFED_SET] = {CONFED_SET_OPEN, CONFED_SET_CLOSE, COMMA},
};

bool rib_as_path_pattern_matches(const struct rib_as_path_pattern *pattern,
                                 const struct bgp_attributes *attributes)
{
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(attributes);
    struct run run = {.pattern = pattern};
    bool first = true, found = pattern->accepts[0];
    uint32_t asn;

    while (!found && bgp_as_path_next(&cursor, &asn)) {
        unsigned kind = cursor.segment;

        if (!first)
            found = step(&run, cursor.starts ? SPACE : segments[kind].between);
        if (!found && cursor.starts && segments[kind].open)
            found = step(&run, segments[kind].open);
        found = found || step_number(&run, asn);
        if (!found && cursor.left == 0 && segments[kind].close)
            found = step(&run, segments[kind].close);
        first = false;
    }
    return found || pattern->accepts_at_end[run.state];
}

/*
 * Which changes of a base concern the layers over it.
 *
 * The ranges of a layer say where its overrides decide and where the base does, so they depend on
 * where the base has routes inside of the overrides, and on nothing else of it. So a route r of the
 * base that comes or goes concerns a layer that has an override which covers r and is shorter, and no
 * other. With thousands of layers even asking each of them takes longer than the change itself, and
 * most often none is concerned. So a table counts its layers' overrides in a hash table of marks, by
 * prefix, and a change asks for the marks of all shorter prefixes of r, by the few lengths in use.
 *
 * A mark is 8 bytes: a hash of the prefix, and how many overrides it stands for. Marks that fall
 * together only cost a needless look at the layers. Overrides as long as nearly all routes are have no
 * mark: they are only counted, and concern whoever changes a longer route.
 */
#include "lpm/core.h"

#include <errno.h>

#define MARKS_LEAST  64
#define MARKED_MOST4 23 /* bits of an override that is marked */
#define MARKED_MOST6 63

struct lpm_touch_mark {
    uint32_t print;
    uint32_t overrides; /* 0: free */
};

static unsigned marked_most(const struct lpm_table *table)
{
    return table->fib->family == LPM_IPV4 ? MARKED_MOST4 : MARKED_MOST6;
}

static uint32_t print_of(lpm_key key, unsigned length)
{
    uint64_t hash = (uint64_t)(key >> 64) * UINT64_C(0x9e3779b97f4a7c15) + length;

    hash = (hash ^ hash >> 32) + (uint64_t)key;
    return (uint32_t)(hash * UINT64_C(0xd6e8feb86659fd93) >> 32);
}

/* The mark with this print, or the free place where it would be. */
static size_t find_mark(const struct lpm_touch *touch, uint32_t print)
{
    size_t at = print & (touch->room - 1);

    while (touch->marks[at].overrides && touch->marks[at].print != print)
        at = (at + 1) & (touch->room - 1);
    return at;
}

static bool marked(const struct lpm_touch *touch, lpm_key key, unsigned length)
{
    return touch->room && touch->marks[find_mark(touch, print_of(key, length))].overrides > 0;
}

/* --- Asking ------------------------------------------------------------------------------------ */

bool lpm_touch_test(const struct lpm_table *table, lpm_key key, unsigned length)
{
    const struct lpm_touch *touch = &table->touch;

    if (touch->longer && length > marked_most(table) + 1)
        return true;
    for (unsigned word = 0; word < 2; word++) {
        for (uint64_t bits = touch->lengths[word]; bits; bits &= bits - 1) {
            unsigned shorter = word * 64 + (unsigned)__builtin_ctzll(bits);

            if (shorter < length && marked(touch, lpm_key_cut(key, shorter), shorter))
                return true;
        }
    }
    return false;
}

bool lpm_layer_needs(const struct lpm_layer *layer, lpm_key key, unsigned length)
{
    struct lpm_overs overs = lpm_layer_overs(layer);
    struct lpm_over over;

    return lpm_overs_longest(&overs, key, length, &over) &&
           !lpm_overs_get(&overs, key, length, &over);
}

/* --- Counting ---------------------------------------------------------------------------------- */

static int grow(struct lpm_memory *memory, struct lpm_touch *touch)
{
    struct lpm_touch old = *touch;
    size_t room = old.room ? old.room * 2 : MARKS_LEAST;
    struct lpm_touch_mark *marks =
        lpm_memory_block(memory, LPM_MEMORY_WRITER, room * sizeof(*marks));

    if (!marks)
        return -ENOMEM;
    touch->marks = marks;
    touch->room = room;
    for (size_t i = 0; i < old.room; i++) {
        if (old.marks[i].overrides)
            marks[find_mark(touch, old.marks[i].print)] = old.marks[i];
    }
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, old.marks, old.room * sizeof(*marks));
    return 0;
}

/* Room for some marks more, at most three quarters full. */
static int make_room(struct lpm_table *table, size_t more)
{
    struct lpm_touch *touch = &table->touch;
    int status = 0;

    while (status == 0 && (touch->count + more) * 4 > touch->room * 3)
        status = grow(&table->lpm->memory, touch);
    return status;
}

static void mark(struct lpm_touch *touch, lpm_key key, unsigned length)
{
    uint32_t print = print_of(key, length);
    struct lpm_touch_mark *at = &touch->marks[find_mark(touch, print)];

    touch->count += at->overrides == 0;
    at->print = print;
    at->overrides++;
}

/* Marks that stand behind a free place move up, so that every mark is found from its home. */
static void close_gap(struct lpm_touch *touch, size_t gap)
{
    size_t mask = touch->room - 1;

    for (size_t at = (gap + 1) & mask; touch->marks[at].overrides; at = (at + 1) & mask) {
        size_t home = touch->marks[at].print & mask;

        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        touch->marks[gap] = touch->marks[at];
        gap = at;
    }
    touch->marks[gap] = (struct lpm_touch_mark){0};
}

static void unmark(struct lpm_touch *touch, lpm_key key, unsigned length)
{
    size_t at = find_mark(touch, print_of(key, length));

    if (--touch->marks[at].overrides > 0)
        return;
    touch->count--;
    close_gap(touch, at);
}

static void count_over(struct lpm_table *table, const struct lpm_over *over, bool joins)
{
    struct lpm_touch *touch = &table->touch;

    if (over->length > marked_most(table)) {
        touch->longer += joins ? 1 : SIZE_MAX;
        return;
    }
    touch->lengths[over->length / 64] |= UINT64_C(1) << over->length % 64;
    if (joins)
        mark(touch, over->key, over->length);
    else
        unmark(touch, over->key, over->length);
}

/* All goes with the last layer, so that a table without layers holds nothing for them. */
static void drop_marks(struct lpm_table *table)
{
    lpm_memory_free_block(&table->lpm->memory, LPM_MEMORY_WRITER, table->touch.marks,
                          table->touch.room * sizeof(struct lpm_touch_mark));
    table->touch = (struct lpm_touch){0};
}

int lpm_touch_add(struct lpm_table *table, const struct lpm_layer *layer)
{
    struct lpm_overs overs = lpm_layer_overs(layer);

    if (make_room(table, overs.count) < 0) {
        if (table->layers_count == 0)
            drop_marks(table);
        return -ENOMEM;
    }
    for (size_t i = 0; i < overs.count; i++) {
        struct lpm_over over = lpm_over_at(&overs, i);

        count_over(table, &over, true);
    }
    return 0;
}

void lpm_touch_remove(struct lpm_table *table, const struct lpm_layer *layer)
{
    struct lpm_overs overs = lpm_layer_overs(layer);

    if (table->layers_count == 1) {
        drop_marks(table);
        return;
    }
    for (size_t i = 0; i < overs.count; i++) {
        struct lpm_over over = lpm_over_at(&overs, i);

        count_over(table, &over, false);
    }
}

/*
 * The sparse set against an array of booleans, at every step.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/rib/bitset.h"

#define IDS (5 * RIB_BITSET_CHUNK_BITS + 17)

static void compare(const struct rib_bitset *set, const bool *model, uint32_t from)
{
    uint32_t expected = from;

    while (expected < IDS && !model[expected])
        expected++;
    if (expected == IDS)
        expected = RIB_BITSET_END;
    cr_assert_eq(rib_bitset_next(set, from), expected, "next from %u", from);
}

Test(bitset, agrees_with_an_array_under_random_changes)
{
    static bool model[IDS];
    struct rib_bitset set = {0};
    size_t count = 0;

    srand(7);
    for (unsigned step = 0; step < 200000; step++) {
        /* Whole stretches are cleared now and then, so that chunks come and go. */
        uint32_t id = step % 3 == 0 ? (uint32_t)rand() % 100u : (uint32_t)rand() % IDS;
        bool add = (step / 20000) % 2 == 0;

        if (add)
            cr_assert_eq(rib_bitset_set(&set, id), !model[id]);
        else
            cr_assert_eq(rib_bitset_clear(&set, id), model[id]);
        count += (add && !model[id]) ? 1u : 0u;
        count -= (!add && model[id]) ? 1u : 0u;
        model[id] = add;
        cr_assert_eq(rib_bitset_test(&set, id), add);
        cr_assert_eq(set.count, count);
        if (step % 64 == 0)
            compare(&set, model, (uint32_t)rand() % IDS);
    }
    rib_bitset_free(&set);
    cr_assert_eq(rib_bitset_next(&set, 0), RIB_BITSET_END);
}

Test(bitset, is_empty_again_without_memory_when_all_are_cleared)
{
    struct rib_bitset set = {0};

    for (uint32_t id = 0; id < IDS; id += 3)
        rib_bitset_set(&set, id);
    for (uint32_t id = 0; id < IDS; id += 3)
        cr_assert(rib_bitset_clear(&set, id));
    cr_assert_eq(set.count, 0);
    for (uint32_t index = 0; index < set.n_chunks; index++)
        cr_assert_null(set.chunks[index]);
    cr_assert_not(rib_bitset_clear(&set, 3), "cleared twice");
    cr_assert_not(rib_bitset_test(&set, UINT32_MAX - 1), "beyond the chunks");
    rib_bitset_free(&set);
}

Test(bitset, takes_words_of_ids_as_it_takes_ids)
{
    struct rib_bitset words = {0}, ids = {0};

    srand(11);
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t word = (uint32_t)rand() % (IDS / 64);
        uint64_t bits = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();
        bool add = (step / 2000) % 2 == 0;

        if (step % 5 == 0)
            bits = 0;
        if (add)
            cr_assert_eq(rib_bitset_add_word(&words, word, bits), 0);
        else
            rib_bitset_remove_word(&words, word, bits);
        for (unsigned i = 0; i < 64; i++) {
            if (bits >> i & 1 && add)
                rib_bitset_set(&ids, word * 64 + i);
            else if (bits >> i & 1)
                rib_bitset_clear(&ids, word * 64 + i);
        }
        cr_assert_eq(words.count, ids.count);
        cr_assert_eq(rib_bitset_word(&words, word), rib_bitset_word(&ids, word));
        cr_assert_eq(rib_bitset_next(&words, word * 64), rib_bitset_next(&ids, word * 64));
        cr_assert_eq(rib_bitset_next_word(&words, 0),
                     words.count ? rib_bitset_next(&ids, 0) / 64 : RIB_BITSET_END);
    }
    rib_bitset_empty(&words);
    cr_assert_eq(rib_bitset_next(&words, 0), RIB_BITSET_END);
    cr_assert_eq(rib_bitset_word(&words, 0), 0);
    rib_bitset_free(&words);
    rib_bitset_free(&ids);
}

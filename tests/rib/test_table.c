/*
 * The prefix table against arrays: ids, paths in their order, the sorted walk.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/table.h"

#define PREFIXES 3000

/* A prefix per number, all different: each address with a short and with a long length. */
static struct lpm_prefix prefix_of(enum lpm_family family, unsigned number)
{
    struct lpm_prefix prefix = {.family = (uint8_t)family, .length = 24};

    if (number % 2 != 0)
        prefix.length = family == LPM_IPV4 ? 32 : 128;
    prefix.bytes[0] = 10;
    prefix.bytes[1] = (uint8_t)(number / 2 >> 8);
    prefix.bytes[2] = (uint8_t)(number / 2);
    return prefix;
}

static void random_walk(enum lpm_family family)
{
    static uint32_t ids[PREFIXES];
    struct rib_table table;
    uint32_t used = 0;

    memset(ids, 0xff, sizeof(ids));
    rib_table_init(&table, family);
    srand(11);
    for (unsigned step = 0; step < 100000; step++) {
        unsigned number = (unsigned)rand() % PREFIXES;
        struct lpm_prefix prefix = prefix_of(family, number);
        uint32_t found = rib_table_find(&table, &prefix);

        cr_assert_eq(found, ids[number], "step %u, number %u", step, number);
        if (found == RIB_NO_ENTRY) {
            ids[number] = rib_table_obtain(&table, &prefix);
            cr_assert_eq(rib_table_obtain(&table, &prefix), ids[number]);
            used++;
        } else if (rand() % 2 == 0) {
            rib_table_remove(&table, found);
            ids[number] = RIB_NO_ENTRY;
            used--;
        }
        cr_assert_eq(table.used, used);
    }
    rib_table_free(&table);
}

Test(table, finds_what_was_put_and_not_what_was_removed)
{
    random_walk(LPM_IPV4);
    random_walk(LPM_IPV6);
}

Test(table, walks_in_prefix_order)
{
    struct rib_table table;
    struct lpm_prefix before = {0};
    uint32_t *ids;
    size_t n;

    rib_table_init(&table, LPM_IPV6);
    cr_assert_null(rib_table_sorted(&table, NULL, &n));
    cr_assert_eq(n, 0);
    for (unsigned number = 0; number < PREFIXES; number++) {
        struct lpm_prefix prefix = prefix_of(LPM_IPV6, number * 31 % PREFIXES);

        cr_assert_neq(rib_table_obtain(&table, &prefix), RIB_NO_ENTRY);
    }
    ids = rib_table_sorted(&table, NULL, &n);
    cr_assert_eq(n, table.used);
    for (size_t i = 0; i < n; i++) {
        struct lpm_prefix prefix = rib_entry_prefix(&table, rib_table_entry(&table, ids[i]));

        if (i > 0)
            cr_assert_lt(lpm_prefix_compare(&before, &prefix), 0);
        before = prefix;
    }
    free(ids);
    rib_table_free(&table);
}

Test(table, keeps_an_entrys_paths_in_the_order_they_were_put)
{
    const struct lpm_prefix prefix = prefix_of(LPM_IPV4, 5);
    struct rib_table table;
    struct rib_entry *entry;
    uint16_t model[64];
    unsigned n = 0;

    srand(3);
    rib_table_init(&table, LPM_IPV4);
    entry = rib_table_entry(&table, rib_table_obtain(&table, &prefix));
    for (unsigned step = 0; step < 20000; step++) {
        unsigned position = (unsigned)rand() % (n + 1);

        if (n < 64 && (n == 0 || rand() % 2 == 0)) {
            memmove(model + position + 1, model + position, (n - position) * sizeof(*model));
            model[position] = (uint16_t)(step + 1);
            rib_entry_insert(entry, position)->peer = model[position];
            n++;
        } else {
            position %= n;
            cr_assert_eq(rib_entry_path(entry, model[position], 0),
                         rib_entry_paths(entry) + position);
            rib_entry_erase(entry, rib_entry_paths(entry) + position);
            n--;
            memmove(model + position, model + position + 1, (n - position) * sizeof(*model));
        }
        cr_assert_eq(entry->n_paths, n);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(rib_entry_paths(entry)[i].peer, model[i]);
        cr_assert(lpm_prefix_equal(
            &prefix, &(struct lpm_prefix){.family = LPM_IPV4,
                                          .length = entry->length,
                                          .bytes = {entry->address[0], entry->address[1],
                                                    entry->address[2], entry->address[3]}}));
    }
    while (n-- > 0)
        rib_entry_erase(entry, rib_entry_paths(entry) + n);
    rib_table_free(&table);
}

/* Prefixes come out in order, each once, however they went in. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/program/listing.h"

static int compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static struct lpm_prefix prefix_of(uint32_t number)
{
    bool six = number % 3 == 0;
    struct lpm_prefix prefix = {.family = six ? LPM_IPV6 : LPM_IPV4, .length = six ? 48 : 24};
    prefix.bytes[0] = six ? 0x20 : 10;
    prefix.bytes[1] = (uint8_t)(number >> 8);
    prefix.bytes[2] = (uint8_t)number;
    return prefix;
}

static void try(size_t n, uint32_t range)
{
    struct program_listing *listing = program_listing_create();
    struct lpm_prefix *all = calloc(n + 1, sizeof(*all)), got;
    uint32_t state = 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        all[i] = prefix_of((state >> 8) % range);
        cr_assert_eq(program_listing_add(listing, &all[i]), 0);
    }
    qsort(all, n, sizeof(*all), compare);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && lpm_prefix_equal(&all[i], &all[i - 1]))
            continue;
        cr_assert(program_listing_next(listing, &got));
        cr_assert(lpm_prefix_equal(&got, &all[i]), "%zu of %zu", i, n);
    }
    cr_assert_not(program_listing_next(listing, &got));
    cr_assert_not(program_listing_next(listing, &got));
    program_listing_destroy(listing);
    free(all);
}

Test(listing, gives_each_prefix_once_and_in_order)
{
    static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 8192, 50000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        try(sizes[i], 1);
        try(sizes[i], 100);
        try(sizes[i], 65536);
    }
}

Test(listing, one_that_is_given_up_half_way_costs_nothing)
{
    struct program_listing *listing = program_listing_create();
    for (uint32_t i = 0; i < 10000; i++) {
        struct lpm_prefix prefix = prefix_of(i);
        cr_assert_eq(program_listing_add(listing, &prefix), 0);
    }
    struct lpm_prefix got;
    cr_assert(program_listing_next(listing, &got));
    program_listing_destroy(listing);
    program_listing_destroy(NULL);
}

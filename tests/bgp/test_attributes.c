/* Interned sets, the builder, AS paths and communities. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

/* A table and a builder for every test here. */
struct bench {
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
};

static struct bench bench_open(void)
{
    return (struct bench){bgp_attribute_table_create(), bgp_builder_create()};
}

static void bench_close(struct bench *bench)
{
    cr_assert(bgp_attribute_table_validate(bench->table));
    cr_assert_eq(bgp_attribute_table_count(bench->table), 0, "a set was left over");
    bgp_attribute_table_destroy(bench->table);
    bgp_builder_destroy(bench->builder);
}

static const struct bgp_attributes *interned(struct bench *bench)
{
    const struct bgp_attributes *set = NULL;
    cr_assert_eq(bgp_builder_intern(bench->builder, bench->table, &set), 0);
    return set;
}

static const struct bgp_attributes *path_set(struct bench *bench, const uint32_t *asns, size_t n)
{
    bgp_builder_originate(bench->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(bench->builder, asns, n);
    return interned(bench);
}

static void assert_path(const struct bgp_attributes *set, const char *wanted)
{
    char text[256];
    cr_assert_eq(bgp_as_path_format(set, '-', text, sizeof text), strlen(wanted));
    cr_assert_str_eq(text, wanted);
}

Test(attributes, equal_sets_are_one_object)
{
    struct bench bench = bench_open();
    uint32_t path[] = {65001, 65002};
    struct lpm_address hop = address_of("10.0.1.4"), other = address_of("10.0.1.5");
    const struct bgp_attributes *sets[3];
    for (unsigned i = 0; i < 3; i++) {
        struct bgp_community a = {.standard = 1}, b = {.standard = 2};
        bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
        bgp_builder_set_as_path(bench.builder, path, 2);
        bgp_builder_set_next_hop(bench.builder, i == 2 ? &other : &hop);
        bgp_builder_add_community(bench.builder, i == 0 ? &a : &b); /* order does not matter */
        bgp_builder_add_community(bench.builder, i == 0 ? &b : &a);
        sets[i] = interned(&bench);
    }
    cr_assert_eq(sets[0], sets[1]);
    cr_assert_neq(sets[0], sets[2], "the next hop is part of a set");
    cr_assert_eq(sets[0]->references, 2);
    cr_assert_eq(bgp_attribute_table_count(bench.table), 2);
    for (unsigned i = 0; i < 3; i++) {
        bgp_attributes_release(bench.table, sets[i]);
    }
    bench_close(&bench);
}

Test(attributes, fields_say_what_was_built)
{
    struct bench bench = bench_open();
    uint32_t path[] = {65001, 4200000001, 65001};
    struct lpm_address hop = address_of("fd00::4");
    bgp_builder_originate(bench.builder, BGP_ORIGIN_EGP);
    bgp_builder_set_as_path(bench.builder, path, 3);
    bgp_builder_set_next_hop(bench.builder, &hop);
    bgp_builder_set_med(bench.builder, 7);
    const struct bgp_attributes *set = interned(&bench);
    cr_assert_eq(set->origin, BGP_ORIGIN_EGP);
    cr_assert_eq(set->as_path_length, 3);
    cr_assert_eq(set->med, 7);
    cr_assert_eq(set->local_pref, 100);
    cr_assert_eq(set->flags, BGP_HAS_MED);
    cr_assert(lpm_address_equal(&set->next_hop, &hop));
    cr_assert_eq(bgp_as_path_first(set), 65001);
    cr_assert_eq(bgp_as_path_count(set, 65001), 2);
    cr_assert_eq(bgp_as_path_count(set, 4200000001), 1);
    cr_assert_eq(bgp_as_path_count(set, 65002), 0);
    assert_path(set, "65001-4200000001-65001");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(attributes, path_edits_do_what_they_say)
{
    struct bench bench = bench_open();
    uint32_t path[] = {65001, 65002, 65001};
    const struct bgp_attributes *set = path_set(&bench, path, 3), *edited;
    bgp_builder_load(bench.builder, set);
    bgp_builder_prepend(bench.builder, 65515, 2);
    edited = interned(&bench);
    assert_path(edited, "65515-65515-65001-65002-65001");
    bgp_attributes_release(bench.table, edited);
    bgp_builder_load(bench.builder, set);
    bgp_builder_replace_as(bench.builder, 65001, 65515);
    edited = interned(&bench);
    assert_path(edited, "65515-65002-65515");
    bgp_attributes_release(bench.table, edited);
    bgp_builder_load(bench.builder, set);
    bgp_builder_remove_as(bench.builder, 65001);
    edited = interned(&bench);
    assert_path(edited, "65002");
    cr_assert_eq(edited->as_path_length, 1);
    bgp_attributes_release(bench.table, edited);
    bgp_builder_remove_as(bench.builder, 65002);
    edited = interned(&bench);
    assert_path(edited, "");
    cr_assert_eq(edited->as_path.length, 0);
    bgp_attributes_release(bench.table, edited);
    bgp_builder_load(bench.builder, set);
    edited = interned(&bench);
    cr_assert_eq(edited, set, "load and intern is the same set");
    bgp_attributes_release(bench.table, edited);
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(attributes, prepend_keeps_segments_within_255)
{
    struct bench bench = bench_open();
    uint32_t path[600];
    for (unsigned i = 0; i < 600; i++) {
        path[i] = 1000 + i;
    }
    for (unsigned n = 1; n <= 600; n += 37) {
        for (unsigned count = 1; count <= 600; count += 53) {
            bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
            bgp_builder_set_as_path(bench.builder, path, n);
            bgp_builder_prepend(bench.builder, 65515, count);
            const struct bgp_attributes *set = interned(&bench);
            struct bgp_as_path_cursor cursor = bgp_as_path_begin(set);
            uint32_t asn;
            unsigned seen = 0;
            while (bgp_as_path_next(&cursor, &asn)) {
                cr_assert_eq(asn, seen < count ? 65515 : path[seen - count]);
                seen++;
            }
            cr_assert_eq(seen, n + count);
            cr_assert_eq(set->as_path_length, n + count);
            bgp_attributes_release(bench.table, set);
        }
    }
    bench_close(&bench);
}

Test(attributes, paths_read_and_write_as_text)
{
    uint32_t asns[4];
    struct bench bench = bench_open();
    cr_assert_eq(bgp_as_path_parse("65515-65001", asns, 4), 2);
    cr_assert(asns[0] == 65515 && asns[1] == 65001);
    cr_assert_eq(bgp_as_path_parse(" 65515 65001  4294967295 ", asns, 4), 3);
    cr_assert_eq(asns[2], 4294967295);
    cr_assert_eq(bgp_as_path_parse("", asns, 4), 0);
    cr_assert_eq(bgp_as_path_parse("1 2 3 4 5", asns, 4), -ENOSPC);
    static const char *const wrong[] = {"x",  "1,2",  "0",    "4294967296",          "1-",
                                        "-1", "1--2", "1.10", "99999999999999999999"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(bgp_as_path_parse(wrong[i], asns, 4), -EINVAL, "%s", wrong[i]);
    }
    uint32_t path[] = {65515, 65001};
    const struct bgp_attributes *set = path_set(&bench, path, 2);
    char text[8];
    cr_assert_eq(bgp_as_path_format(set, ' ', text, sizeof text), 11);
    cr_assert_str_eq(text, "65515 6", "cut to what there is room for");
    cr_assert_eq(bgp_as_path_format(set, ' ', NULL, 0), 11);
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(attributes, communities_read_and_write_as_text)
{
    static const struct {
        const char *text, *canonical; /* NULL: the same */
    } cases[] = {{"65001:100", NULL},
                 {"no-export", NULL},
                 {"NO_ADVERTISE", "no-advertise"},
                 {"blackhole", NULL},
                 {"graceful-shutdown", NULL},
                 {"no-export-subconfed", NULL},
                 {"65535:65281", "no-export"},
                 {"0:0", NULL},
                 {"65001:1:2", NULL},
                 {"4200000001:4294967295:0", NULL},
                 {"rt:65001:100", NULL},
                 {"ro:65001:4294967295", NULL},
                 {"soo:65001:7", "ro:65001:7"},
                 {"rt:4200000001:7", NULL},
                 {"lb:65001:125000", NULL},
                 {"lb:65001:0", NULL},
                 {"0x4004fde947f42400", "lb:65001:125000"},
                 {"0x4004fde9bf800000", NULL}, /* less than nothing */
                 {"0x4004fde97fc00000", NULL}, /* not a number */
                 {"0x0123456789abcdef", NULL},
                 {"0x1", "0x0000000000000001"}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bgp_community community, back;
        char text[BGP_COMMUNITY_TEXT];
        cr_assert_eq(bgp_community_parse(cases[i].text, &community), 0, "%s", cases[i].text);
        bgp_community_format(&community, text);
        cr_assert_str_eq(text, cases[i].canonical != NULL ? cases[i].canonical : cases[i].text);
        cr_assert_eq(bgp_community_parse(text, &back), 0);
        cr_assert_eq(back.kind, community.kind);
    }
    static const char *const wrong[] = {"",
                                        "65001",
                                        "65536:1",
                                        "1:65536",
                                        "1:2:3:4",
                                        "no-such",
                                        "rt:1",
                                        "rt:x:1",
                                        "lb:65536:1",
                                        "lb:1",
                                        "0x",
                                        "0xg",
                                        "1:2:",
                                        "rt:70000:70000",
                                        ":1",
                                        "1::2",
                                        "no-export-",
                                        "0x00112233445566778",
                                        "1:2:4294967296"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bgp_community community;
        cr_assert_eq(bgp_community_parse(wrong[i], &community), -EINVAL, "%s", wrong[i]);
    }
}

static bool is_same_large(const void *context, const struct bgp_community *community)
{
    const struct bgp_community *wanted = context;
    return memcmp(wanted->large, community->large, sizeof community->large) == 0;
}

/* The model: a plain array of what was added. */
Test(attributes, communities_are_a_sorted_set)
{
    struct dice dice = dice_new("communities_are_a_sorted_set");
    struct bench bench = bench_open();
    for (unsigned round = 0; round < 300; round++) {
        bool held[64] = {false};
        unsigned count = 0;
        bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
        for (unsigned step = 0; step < 60; step++) {
            unsigned value = dice_below(&dice, 64);
            struct bgp_community community = {.kind = BGP_LARGE_COMMUNITY,
                                              .large = {value % 4, value / 4, 9}};
            if (dice_below(&dice, 3)) {
                bgp_builder_add_community(bench.builder, &community);
                count += !held[value];
                held[value] = true;
            } else {
                bgp_builder_drop_communities(bench.builder, BGP_LARGE_COMMUNITY, is_same_large,
                                             &community);
                count -= held[value];
                held[value] = false;
            }
        }
        const struct bgp_attributes *set = interned(&bench);
        cr_assert_eq(bgp_community_count(set, BGP_LARGE_COMMUNITY), count);
        cr_assert_eq(bgp_community_count(set, BGP_COMMUNITY), 0);
        for (unsigned value = 0; value < 64; value++) {
            struct bgp_community community = {.kind = BGP_LARGE_COMMUNITY,
                                              .large = {value % 4, value / 4, 9}};
            cr_assert_eq(bgp_attributes_has_community(set, &community), held[value]);
        }
        bgp_attributes_release(bench.table, set);
    }
    bench_close(&bench);
}

Test(attributes, table_keeps_count_through_growth_and_release)
{
    enum { SETS = 20000, STEPS = 200000 };
    struct dice dice = dice_new("table_keeps_count_through_growth_and_release");
    struct bench bench = bench_open();
    const struct bgp_attributes **held = calloc(SETS, sizeof *held);
    uint32_t *references = calloc(SETS, sizeof *references);
    size_t distinct = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned which = dice_below(&dice, SETS);
        if (dice_below(&dice, 3) || references[which] == 0) {
            uint32_t path[2] = {which + 1, 65001};
            const struct bgp_attributes *set = path_set(&bench, path, 2);
            cr_assert(references[which] == 0 || held[which] == set);
            held[which] = set;
            distinct += references[which]++ == 0;
        } else {
            bgp_attributes_release(bench.table, held[which]);
            distinct -= --references[which] == 0;
        }
        cr_assert_eq(bgp_attribute_table_count(bench.table), distinct);
        if (step % 20000 == 0) {
            cr_assert(bgp_attribute_table_validate(bench.table));
        }
    }
    cr_assert_gt(bgp_attribute_table_bytes(bench.table), distinct * 64);
    for (unsigned i = 0; i < SETS; i++) {
        while (references[i]-- > 0) {
            bgp_attributes_release(bench.table, held[i]);
        }
    }
    free(held);
    free(references);
    bench_close(&bench);
}

Test(attributes, set_too_large_for_any_message_is_refused)
{
    struct bench bench = bench_open();
    const struct bgp_attributes *set = NULL;
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
    bgp_builder_prepend(bench.builder, 65001, 17000);
    cr_assert_eq(bgp_builder_intern(bench.builder, bench.table, &set), -EMSGSIZE);
    bgp_builder_prepend(bench.builder, 65001, 4000000000u);
    cr_assert_eq(bgp_builder_intern(bench.builder, bench.table, &set), -EMSGSIZE);
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP); /* starts anew */
    set = interned(&bench);
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(attributes, communities_come_back_as_they_went_in)
{
    static const char *const texts[] = {"65001:1", "no-export", "rt:65001:5", "65001:2:3"};
    struct bench bench = bench_open();
    char text[BGP_COMMUNITY_TEXT];
    bgp_builder_originate(bench.builder, BGP_ORIGIN_INCOMPLETE);
    bgp_builder_set_origin(bench.builder, BGP_ORIGIN_IGP);
    bgp_builder_set_med(bench.builder, 9);
    bgp_builder_clear_med(bench.builder);
    for (unsigned i = 4; i-- > 0;) {
        struct bgp_community community;
        cr_assert_eq(bgp_community_parse(texts[i], &community), 0);
        bgp_builder_add_community(bench.builder, &community);
    }
    const struct bgp_attributes *set = interned(&bench), *bare;
    static const unsigned counts[] = {2, 1, 1};
    for (unsigned kind = 0, next = 0; kind < 3; kind++) {
        cr_assert_eq(bgp_community_count(set, (enum bgp_community_kind)kind), counts[kind]);
        for (unsigned i = 0; i < counts[kind]; i++) {
            struct bgp_community community =
                bgp_community_at(set, (enum bgp_community_kind)kind, i);
            cr_assert_str_eq(bgp_community_format(&community, text), texts[next++]);
        }
    }
    cr_assert(bgp_attributes_has_standard(set, BGP_NO_EXPORT));
    cr_assert(!bgp_attributes_has_standard(set, BGP_NO_ADVERTISE));
    cr_assert_eq(set->flags, 0);
    bgp_builder_load(bench.builder, set);
    for (unsigned kind = 0; kind < 3; kind++) {
        bgp_builder_clear_communities(bench.builder, (enum bgp_community_kind)kind);
    }
    bare = interned(&bench);
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
    const struct bgp_attributes *fresh = interned(&bench);
    cr_assert_eq(bare, fresh, "a cleared attribute leaves nothing behind");
    bgp_attributes_release(bench.table, set);
    bgp_attributes_release(bench.table, bare);
    bgp_attributes_release(bench.table, fresh);
    bench_close(&bench);
}

/* A set that was made of another leads back to it and keeps it; the other sets do not. */
Test(attributes, what_was_received_is_kept_by_what_was_made_of_it)
{
    struct bench bench = bench_open();
    uint32_t path[] = {65001};
    const struct bgp_attributes *received = path_set(&bench, path, 1), *made, *again, *heavier;
    bgp_builder_load(bench.builder, received);
    bgp_builder_set_med(bench.builder, 7);
    bgp_builder_set_received(bench.builder, received, 0, 0);
    made = interned(&bench);
    again = interned(&bench);
    bgp_builder_set_received(bench.builder, received, 5, 0);
    heavier = interned(&bench);
    cr_assert_eq(made, again);
    cr_assert_neq(made, heavier);
    cr_assert_eq(bgp_attributes_received(made), received);
    cr_assert_eq(bgp_attributes_received(received), received);
    cr_assert_eq(bgp_attributes_weight(heavier), 5);
    cr_assert_eq(bgp_attributes_weight(received), 0);
    bgp_attributes_release(bench.table, received);
    cr_assert_eq(bgp_attribute_table_count(bench.table), 3, "held by what was made of it");
    bgp_builder_load(bench.builder, heavier);
    received = interned(&bench);
    cr_assert_eq(bgp_attributes_weight(received), 0, "a copy is a set of its own");
    cr_assert(bgp_attribute_table_validate(bench.table));
    bgp_attributes_release(bench.table, received);
    bgp_attributes_release(bench.table, made);
    bgp_attributes_release(bench.table, again);
    bgp_attributes_release(bench.table, heavier);
    bench_close(&bench);
}

static bool is_odd(const void *context, const struct bgp_community *community)
{
    (void)context;
    return community->standard & 1;
}

Test(attributes, many_leave_in_one_pass)
{
    struct bench bench = bench_open();
    uint32_t path[] = {64512, 65001, 1, 65535, 4200000000u, 4294967295u, 65534};
    const struct bgp_attributes *set;
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(bench.builder, path, 7);
    bgp_builder_remove_private_as(bench.builder);
    for (uint32_t i = 1; i <= 5; i++)
        bgp_builder_add_community(bench.builder, &(struct bgp_community){.standard = i});
    bgp_builder_drop_communities(bench.builder, BGP_COMMUNITY, is_odd, NULL);
    set = interned(&bench);
    assert_path(set, "1-65535-4294967295");
    cr_assert_eq(bgp_community_count(set, BGP_COMMUNITY), 2);
    cr_assert(bgp_attributes_has_standard(set, 2) && bgp_attributes_has_standard(set, 4));
    bgp_builder_drop_communities(bench.builder, BGP_LARGE_COMMUNITY, is_odd, NULL);
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(attributes, marks_of_a_border_are_set_and_found)
{
    struct bench bench = bench_open();
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
    const struct bgp_attributes *plain = interned(&bench);
    bgp_builder_reflect(bench.builder, 7, 1);
    bgp_builder_reflect(bench.builder, 8, 2); /* the originator stays */
    bgp_builder_set_otc(bench.builder, 65001);
    const struct bgp_attributes *marked = interned(&bench);
    cr_assert_eq(bgp_attributes_otc(plain) | bgp_attributes_originator_id(plain), 0);
    cr_assert(!bgp_attributes_has_cluster(plain, 1));
    cr_assert_eq(bgp_attributes_originator_id(marked), 7);
    cr_assert(bgp_attributes_has_cluster(marked, 1) && bgp_attributes_has_cluster(marked, 2));
    cr_assert(!bgp_attributes_has_cluster(marked, 7));
    cr_assert_eq(bgp_attributes_otc(marked), 65001);
    bgp_attributes_release(bench.table, plain);
    bgp_attributes_release(bench.table, marked);
    bench_close(&bench);
}

Test(attributes, bandwidth_is_read_and_what_must_stay_within_the_as_goes)
{
    static const struct {
        const char *community;
        float bandwidth;
        bool stays;
    } cases[] = {{"lb:65001:125000", 125000, true},
                 {"0x0004fde947f42400", 125000, false}, /* as some send it: transitive */
                 {"0x4004fde9bf800000", 0, true},       /* less than nothing */
                 {"0x4004fde97fc00000", 0, true},       /* not a number */
                 {"0x4004fde97f800000", 0, true},       /* without end */
                 {"0x4006fde947f42400", 0, true},
                 {"rt:65001:1", 0, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench = bench_open();
        struct bgp_community community;
        cr_assert_eq(bgp_community_parse(cases[i].community, &community), 0);
        bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
        bgp_builder_add_community(bench.builder, &community);
        const struct bgp_attributes *set = interned(&bench);
        cr_assert_eq(bgp_attributes_link_bandwidth(set), cases[i].bandwidth, "%u", i);
        cr_assert_eq(bgp_attributes_has_non_transitive(set), cases[i].stays, "%u", i);
        bgp_builder_clear_non_transitive(bench.builder);
        const struct bgp_attributes *outside = interned(&bench);
        cr_assert_eq(bgp_community_count(outside, BGP_EXTENDED_COMMUNITY), !cases[i].stays, "%u",
                     i);
        bgp_attributes_release(bench.table, set);
        bgp_attributes_release(bench.table, outside);
        bench_close(&bench);
    }
}

Test(attributes, private_as_numbers_are_those_of_rfc_6996)
{
    static const uint32_t path[] = {64511,      64512,      65534,      65535,
                                    4199999999, 4200000000, 4294967294, 4294967295};
    struct bench bench = bench_open();
    bgp_builder_originate(bench.builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(bench.builder, path, 8);
    bgp_builder_replace_private_as(bench.builder, 9);
    const struct bgp_attributes *replaced = interned(&bench);
    assert_path(replaced, "64511-9-9-65535-4199999999-9-9-4294967295");
    bgp_builder_set_as_path(bench.builder, path, 8);
    bgp_builder_remove_private_as(bench.builder);
    const struct bgp_attributes *removed = interned(&bench);
    assert_path(removed, "64511-65535-4199999999-4294967295");
    bgp_attributes_release(bench.table, replaced);
    bgp_attributes_release(bench.table, removed);
    bench_close(&bench);
}

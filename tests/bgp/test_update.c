/* UPDATEs written and read: bytes from the RFCs, random round trips, 2-octet peers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

#define MARKER "ffffffffffffffffffffffffffffffff "

struct bench {
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
    struct bgp_update_reader *reader;
};

static struct bench bench_open(void)
{
    return (struct bench){bgp_attribute_table_create(), bgp_builder_create(),
                          bgp_update_reader_create()};
}

static void bench_close(struct bench *bench)
{
    cr_assert_eq(bgp_attribute_table_count(bench->table), 0, "a set was left over");
    bgp_attribute_table_destroy(bench->table);
    bgp_builder_destroy(bench->builder);
    bgp_update_reader_destroy(bench->reader);
}

static const struct bgp_attributes *interned(struct bench *bench)
{
    const struct bgp_attributes *set = NULL;
    cr_assert_eq(bgp_builder_intern(bench->builder, bench->table, &set), 0);
    return set;
}

static const struct bgp_encoding four_octets = {true, BGP_MESSAGE_MAX};
static const struct bgp_encoding two_octets = {false, BGP_MESSAGE_MAX};

static void assert_bytes(const uint8_t *bytes, size_t n, const char *hex)
{
    uint8_t wanted[512];
    size_t size = bytes_from_hex(hex, wanted, sizeof wanted);
    for (size_t i = 0; i < n && i < size; i++) {
        cr_assert_eq(bytes[i], wanted[i], "byte %zu is %02x, not %02x", i, bytes[i], wanted[i]);
    }
    cr_assert_eq(n, size, "%zu bytes, not %zu", n, size);
}

/* AS path 65001 4200000001, one community. */
static void build_example(struct bench *bench, const char *next_hop)
{
    uint32_t path[] = {65001, 4200000001};
    struct bgp_community community = {.standard = 65001u << 16 | 100};
    struct lpm_address hop = address_of(next_hop);
    bgp_builder_originate(bench->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(bench->builder, path, 2);
    bgp_builder_set_next_hop(bench->builder, &hop);
    bgp_builder_add_community(bench->builder, &community);
}

static size_t write_one(const struct bgp_encoding *encoding, const struct bgp_attributes *set,
                        const struct bgp_export *export, const char *prefix, uint8_t *bytes)
{
    struct bgp_update_writer writer;
    struct lpm_prefix route = prefix_of(prefix);
    cr_assert(bgp_update_begin(&writer, encoding, bgp_family_of(&route), set, export, bytes, 4096));
    cr_assert(bgp_update_add(&writer, &route));
    return bgp_update_end(&writer);
}

/* --- Golden bytes ----------------------------------------------------------------------------- */

Test(update, ipv4_goes_into_the_old_fields)
{
    struct bench bench = bench_open();
    uint8_t bytes[4096];
    build_example(&bench, "10.0.0.4");
    const struct bgp_attributes *set = interned(&bench);
    size_t n = write_one(&four_octets, set, NULL, "10.1.128.0/17", bytes);
    assert_bytes(bytes, n,
                 MARKER "003a 02 0000 001f 40010100 40020a 0202 0000fde9 fa56ea01"
                        "400304 0a000004 c00804 fde90064 11 0a0180");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, route_server_prepends_and_puts_itself_in)
{
    struct bench bench = bench_open();
    uint8_t bytes[4096];
    struct bgp_export export = {
        .prepend_asn = 65515, .prepend_count = 1, .next_hop = address_of("10.0.0.1")};
    build_example(&bench, "10.0.0.4");
    bgp_builder_set_med(bench.builder, 5);
    bgp_builder_set_local_pref(bench.builder, 200);
    const struct bgp_attributes *set = interned(&bench);
    size_t n = write_one(&four_octets, set, &export, "0.0.0.0/0", bytes);
    assert_bytes(bytes, n,
                 MARKER "003b 02 0000 0023 40010100 40020e 0203 0000ffeb 0000fde9 fa56ea01"
                        "400304 0a000001 c00804 fde90064 00");
    export.keep_med = true;
    export.replace_from = 65001; /* as-override */
    export.replace_to = 65515;
    n = write_one(&four_octets, set, &export, "0.0.0.0/0", bytes);
    assert_bytes(bytes, n,
                 MARKER "0042 02 0000 002a 40010100 40020e 0203 0000ffeb 0000ffeb fa56ea01"
                        "400304 0a000001 800404 00000005 c00804 fde90064 00");
    struct bgp_export internal = {.internal = true};
    n = write_one(&four_octets, set, &internal, "0.0.0.0/0", bytes);
    assert_bytes(bytes, n,
                 MARKER "0045 02 0000 002d 40010100 40020a 0202 0000fde9 fa56ea01"
                        "400304 0a000004 800404 00000005 400504 000000c8"
                        "c00804 fde90064 00");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, two_octet_peer_gets_as_trans_and_as4_path)
{
    struct bench bench = bench_open();
    uint8_t bytes[4096];
    build_example(&bench, "10.0.0.4");
    const struct bgp_attributes *set = interned(&bench);
    size_t n = write_one(&two_octets, set, NULL, "10.0.0.0/8", bytes);
    assert_bytes(bytes, n,
                 MARKER "0041 02 0000 0028 40010100 400206 0202 fde9 5ba0"
                        "400304 0a000004 c00804 fde90064"
                        "c0110a 0202 0000fde9 fa56ea01 08 0a");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, ipv6_goes_into_mp_reach_which_comes_first)
{
    struct bench bench = bench_open();
    uint8_t bytes[4096];
    build_example(&bench, "2001:db8::4");
    const struct bgp_attributes *set = interned(&bench);
    size_t n = write_one(&four_octets, set, NULL, "2001:db8:1::/48", bytes);
    assert_bytes(bytes, n,
                 MARKER "004f 02 0000 0038"
                        "900e001c 0002 01 10 20010db8000000000000000000000004 00"
                        "30 20010db80001"
                        "40010100 40020a 0202 0000fde9 fa56ea01 c00804 fde90064");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, withdrawals_and_end_of_rib)
{
    struct bgp_update_writer writer;
    struct lpm_prefix four = prefix_of("10.0.0.0/24"), six = prefix_of("2001:db8::/32");
    uint8_t bytes[4096];
    cr_assert(bgp_withdraw_begin(&writer, &four_octets, BGP_IPV4_UNICAST, bytes, sizeof bytes));
    cr_assert_eq(bgp_update_end(&writer), 0, "nothing was added");
    cr_assert(bgp_update_add(&writer, &four));
    assert_bytes(bytes, bgp_update_end(&writer), MARKER "001b 02 0004 18 0a0000 0000");
    cr_assert(bgp_withdraw_begin(&writer, &four_octets, BGP_IPV6_UNICAST, bytes, sizeof bytes));
    cr_assert(bgp_update_add(&writer, &six));
    assert_bytes(bytes, bgp_update_end(&writer),
                 MARKER "0023 02 0000 000c 900f0008 0002 01 20 20010db8");
    assert_bytes(bytes, bgp_end_of_rib_encode(BGP_IPV4_UNICAST, bytes, sizeof bytes),
                 MARKER "0017 02 0000 0000");
    assert_bytes(bytes, bgp_end_of_rib_encode(BGP_IPV6_UNICAST, bytes, sizeof bytes),
                 MARKER "001d 02 0000 0006 800f03 0002 01");
    cr_assert_eq(bgp_end_of_rib_encode(BGP_IPV6_UNICAST, bytes, 28), 0);
}

/* --- Round trips ------------------------------------------------------------------------------ */

static size_t fill_message(struct dice *dice, struct bgp_update_writer *writer,
                           struct lpm_prefix *prefixes, size_t most)
{
    size_t n = 0;
    while (n < most) {
        prefixes[n] = random_prefix(dice, writer->family);
        if (!bgp_update_add(writer, &prefixes[n])) {
            break;
        }
        n++;
    }
    return n;
}

static void check_nlri(struct bgp_nlri nlri, const struct lpm_prefix *prefixes, size_t n)
{
    struct lpm_prefix prefix;
    for (size_t i = 0; i < n; i++) {
        cr_assert(bgp_nlri_next(&nlri, &prefix));
        cr_assert(lpm_prefix_equal(&prefix, &prefixes[i]));
    }
    cr_assert(!bgp_nlri_next(&nlri, &prefix));
}

/* Decodes from a copy of exactly this size, so that a read beyond is seen. */
static enum bgp_update_outcome decode(struct bench *bench, const struct bgp_update_context *context,
                                      const uint8_t *bytes, size_t n, uint8_t **copy,
                                      struct bgp_update *update)
{
    *copy = malloc(n);
    memcpy(*copy, bytes, n);
    return bgp_update_decode(bench->reader, context, *copy, n, update);
}

Test(update, what_is_written_is_what_is_read)
{
    struct dice dice = dice_new("what_is_written_is_what_is_read");
    struct bench bench = bench_open();
    static uint8_t bytes[BGP_EXTENDED_MESSAGE_MAX];
    static struct lpm_prefix prefixes[70000];
    unsigned refused = 0;
    for (unsigned round = 0; round < 4000; round++) {
        enum bgp_family family = (enum bgp_family)dice_below(&dice, BGP_FAMILY_COUNT);
        struct bgp_update_context context = {.four_octet_as = dice_below(&dice, 2),
                                             .internal = dice_below(&dice, 2),
                                             .families = BGP_FAMILIES_ALL};
        struct bgp_encoding encoding = {
            context.four_octet_as, round % 50 == 0 ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX};
        struct bgp_export export = {.internal = context.internal, .keep_med = true};
        if (dice_below(&dice, 2)) {
            export.prepend_asn = context.four_octet_as ? 4200000001 : 65515;
            export.prepend_count = dice_below(&dice, 4) ? 1 : dice_below(&dice, 300);
        }
        random_set(&dice, bench.builder, context.internal, true, family);
        const struct bgp_attributes *held = interned(&bench), *sent, *received;
        bgp_builder_load(bench.builder, held);
        bgp_builder_export(bench.builder, &export);
        sent = interned(&bench);
        struct bgp_update_writer writer;
        if (!bgp_update_begin(&writer, &encoding, family, held, &export, bytes, sizeof bytes)) {
            refused++; /* a path of hundreds of AS numbers may be too long for 4,096 octets */
            cr_assert_gt(sent->size, 1000);
        } else {
            struct bgp_update update;
            uint8_t *copy;
            size_t n = fill_message(&dice, &writer, prefixes, 1 + dice_below(&dice, 2000));
            size_t length = bgp_update_end(&writer);
            cr_assert_gt(n, 0);
            cr_assert_leq(length, encoding.message_max);
            cr_assert_eq(decode(&bench, &context, bytes, length, &copy, &update), BGP_UPDATE_FINE);
            bool classic = family == BGP_IPV4_UNICAST;
            cr_assert_eq(update.malformed, 0);
            check_nlri(classic ? update.announced : update.mp_announced, prefixes, n);
            cr_assert_eq(bgp_update_attributes(bench.reader, !classic, bench.table, &received), 0);
            cr_assert_eq(received, sent, "round %u: another set came out", round);
            bgp_attributes_release(bench.table, received);
            free(copy);
        }
        bgp_attributes_release(bench.table, held);
        bgp_attributes_release(bench.table, sent);
    }
    cr_assert_lt(refused, 800);
    bench_close(&bench);
}

Test(update, every_capacity_is_kept)
{
    struct bench bench = bench_open();
    struct dice dice = dice_new("every_capacity_is_kept");
    for (unsigned family = 0; family < BGP_FAMILY_COUNT; family++) {
        build_example(&bench, family == BGP_IPV4_UNICAST ? "10.0.0.4" : "2001:db8::4");
        const struct bgp_attributes *set = interned(&bench);
        for (size_t capacity = 0; capacity < 300; capacity++) {
            for (unsigned withdraw = 0; withdraw < 2; withdraw++) {
                struct bgp_update_writer writer;
                uint8_t *bytes = malloc(capacity);
                bool begun = withdraw
                                 ? bgp_withdraw_begin(&writer, &four_octets,
                                                      (enum bgp_family)family, bytes, capacity)
                                 : bgp_update_begin(&writer, &four_octets, (enum bgp_family)family,
                                                    set, NULL, bytes, capacity);
                if (begun) {
                    struct lpm_prefix prefixes[400];
                    cr_assert_gt(fill_message(&dice, &writer, prefixes, 400), 0);
                    size_t length = bgp_update_end(&writer);
                    cr_assert(length > 0 && length <= capacity);
                } else {
                    cr_assert_lt(capacity, 128);
                }
                free(bytes);
            }
        }
        bgp_attributes_release(bench.table, set);
    }
    bench_close(&bench);
}

/* --- What is read ----------------------------------------------------------------------------- */

/* Decodes an UPDATE that announces, its attributes and prefixes given as hexadecimal text. */
static enum bgp_update_outcome read_hex(struct bench *bench, bool four_octet_as,
                                        const char *attributes, const char *announced,
                                        struct bgp_update *update)
{
    static uint8_t bytes[2048];
    uint8_t body[1024] = {0};
    struct bgp_update_context context = {.four_octet_as = four_octet_as,
                                         .families = BGP_FAMILIES_ALL};
    size_t n = bytes_from_hex(attributes, body + 4, sizeof body - 4);
    body[2] = (uint8_t)(n >> 8);
    body[3] = (uint8_t)n;
    n += 4;
    n += bytes_from_hex(announced, body + n, sizeof body - n);
    size_t length = message_around(BGP_UPDATE, body, n, bytes);
    return bgp_update_decode(bench->reader, &context, bytes, length, update);
}

/* The set of an IPv4 route with these attributes. */
static const struct bgp_attributes *read_set(struct bench *bench, bool four_octet_as,
                                             const char *attributes)
{
    struct bgp_update update;
    const struct bgp_attributes *set;
    cr_assert_eq(read_hex(bench, four_octet_as, attributes, "08 0a", &update), BGP_UPDATE_FINE);
    cr_assert_eq(bgp_update_attributes(bench->reader, false, bench->table, &set), 0);
    return set;
}

static void check_path(struct bench *bench, const char *attributes, const char *wanted)
{
    const struct bgp_attributes *set = read_set(bench, false, attributes);
    char text[256];
    bgp_as_path_format(set, ' ', text, sizeof text);
    cr_assert_str_eq(text, wanted);
    bgp_attributes_release(bench->table, set);
}

Test(update, as4_path_is_merged_as_rfc_6793_says)
{
#define REST "40010100 400304 0a000004 "
    struct bench bench = bench_open();
    /* A 2-octet speaker passed on 100 4200000001. */
    check_path(&bench, REST "400206 0202 0064 5ba0 c0110a 0202 00000064 fa56ea01",
               "100 4200000001");
    /* And put 300 in front. */
    check_path(&bench, REST "400208 0203 012c 0064 5ba0 c0110a 0202 00000064 fa56ea01",
               "300 100 4200000001");
    /* More in AS4_PATH than in AS_PATH: it is ignored. */
    check_path(&bench, REST "400204 0201 5ba0 c0110a 0202 00000064 fa56ea01", "23456");
    check_path(&bench, REST "400206 0202 0064 00c8", "100 200");
    check_path(&bench, REST "400200", "");
    /* Malformed: discarded. */
    check_path(&bench, REST "400204 0201 5ba0 c0110a 0302 00000064 fa56ea01", "23456");
    check_path(&bench, REST "400204 0201 5ba0 c01106 0201 00000000", "23456");
    bench_close(&bench);
}

Test(update, as4_aggregator_takes_the_place_of_as_trans)
{
    struct bench bench = bench_open();
    /* The same route from a 2-octet and a 4-octet peer is one set. */
    const struct bgp_attributes *two = read_set(
        &bench, false,
        REST "400204 0201 5ba0 c00706 5ba0 0a000009 c01106 0201 fa56ea01 c01208 fa56ea01 0a000009");
    const struct bgp_attributes *four =
        read_set(&bench, true, REST "400206 0201 fa56ea01 c00708 fa56ea01 0a000009");
    cr_assert_eq(two, four);
    /* An AGGREGATOR with an AS of its own makes both AS4_ attributes void. */
    check_path(&bench,
               REST "400204 0201 5ba0 c00706 0064 0a000009 c01106 0201 fa56ea01"
                    "c01208 fa56ea01 0a000009",
               "23456");
    bgp_attributes_release(bench.table, two);
    bgp_attributes_release(bench.table, four);
    bench_close(&bench);
}

Test(update, unknown_transitive_attribute_is_kept_and_marked_partial)
{
    struct bench bench = bench_open();
    uint8_t bytes[4096];
    /* Type 200 transitive, type 201 not; given out of order. */
    const struct bgp_attributes *set =
        read_set(&bench, true, "c0c803 010203 80c902 0405 " REST "400206 0201 0000fde9");
    size_t n = write_one(&four_octets, set, NULL, "10.0.0.0/8", bytes);
    assert_bytes(bytes, n,
                 MARKER "0033 02 0000 001a 40010100 400206 0201 0000fde9 400304 0a000004"
                        "e0c803 010203 08 0a");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, partial_bit_of_a_known_attribute_is_kept)
{
    struct bench bench = bench_open();
    const struct bgp_attributes *plain =
        read_set(&bench, true, REST "400206 0201 0000fde9 c00804 fde90064");
    const struct bgp_attributes *partial = read_set(&bench, true,
                                                    REST "400206 0201 0000fde9 e00804 fde90064"),
                                *again;
    cr_assert_neq(plain, partial);
    bgp_builder_load(bench.builder, partial);
    again = interned(&bench);
    cr_assert_eq(again, partial);
    bgp_attributes_release(bench.table, again);
    bgp_attributes_release(bench.table, plain);
    bgp_attributes_release(bench.table, partial);
    bench_close(&bench);
}

Test(update, communities_out_of_order_and_twice_are_one_set)
{
    struct bench bench = bench_open();
    const struct bgp_attributes *a =
        read_set(&bench, true, REST "400200 c0080c 00000003 00000001 00000003");
    const struct bgp_attributes *b = read_set(&bench, true, REST "400200 c00808 00000001 00000003");
    cr_assert_eq(a, b);
    cr_assert_eq(bgp_community_count(a, BGP_COMMUNITY), 2);
    bgp_attributes_release(bench.table, a);
    bgp_attributes_release(bench.table, b);
    bench_close(&bench);
}

Test(update, link_local_next_hop_is_kept_beside_the_global_one)
{
    struct bench bench = bench_open();
    struct bgp_update update;
    const struct bgp_attributes *set;
    uint8_t bytes[4096], link_local[16];
    cr_assert_eq(read_hex(&bench, true,
                          "800e2c 0002 01 20 20010db8000000000000000000000004"
                          "fe800000000000000000000000000001 00 30 20010db80001"
                          "40010100 400206 0201 0000fde9",
                          "", &update),
                 BGP_UPDATE_FINE);
    cr_assert_eq(bgp_update_attributes(bench.reader, true, bench.table, &set), 0);
    cr_assert(bgp_attributes_link_local(set, link_local));
    cr_assert_eq(link_local[0], 0xfe);
    write_one(&four_octets, set, NULL, "::/0", bytes);
    cr_assert_eq(bytes[19 + 4 + 4 + 3], 32);
    struct bgp_export export = {.next_hop = address_of("2001:db8::1")};
    write_one(&four_octets, set, &export, "::/0", bytes);
    cr_assert_eq(bytes[19 + 4 + 4 + 3], 16, "another next hop has another link-local address");
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

Test(update, bits_beyond_a_prefix_are_cleared)
{
    struct bench bench = bench_open();
    struct bgp_update update;
    struct lpm_prefix prefix;
    cr_assert_eq(read_hex(&bench, true, REST "400200", "0c 0aff", &update), BGP_UPDATE_FINE);
    cr_assert(bgp_nlri_next(&update.announced, &prefix));
    struct lpm_prefix wanted = prefix_of("10.240.0.0/12");
    cr_assert(lpm_prefix_equal(&prefix, &wanted));
    bench_close(&bench);
}

Test(update, families_that_were_not_agreed_on_are_passed_over)
{
    struct bench bench = bench_open();
    struct bgp_update update;
    uint8_t body[256], bytes[512];
    struct bgp_update_context context = {.four_octet_as = true,
                                         .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST)};
    size_t n = bytes_from_hex("0000 002d 900e001c 0002 01 10 20010db8000000000000000000000001 00"
                              "30 20010db80001 40010100 400206 0201 0000fde9",
                              body, sizeof body);
    size_t length = message_around(BGP_UPDATE, body, n, bytes);
    cr_assert_eq(bgp_update_decode(bench.reader, &context, bytes, length, &update),
                 BGP_UPDATE_FINE);
    cr_assert_eq(update.mp_announced.at, update.mp_announced.end);
    cr_assert(!update.end_of_rib);
    bench_close(&bench);
}

/* Written for a peer and read as that peer reads it: is it the set that the export promises? */
static void check_export(struct bench *bench, const struct bgp_attributes *set, bool four_octet_as,
                         bool internal)
{
    uint8_t bytes[4096];
    struct bgp_encoding encoding = {four_octet_as, BGP_MESSAGE_MAX};
    struct bgp_export export = {.internal = internal, .next_hop = address_of("10.0.0.9")};
    struct bgp_update_context context = {
        .four_octet_as = four_octet_as, .internal = internal, .families = BGP_FAMILIES_ALL};
    struct bgp_update update;
    const struct bgp_attributes *promised, *read;
    size_t n = write_one(&encoding, set, &export, "10.0.0.0/8", bytes);
    cr_assert_eq(bgp_update_decode(bench->reader, &context, bytes, n, &update), BGP_UPDATE_FINE);
    cr_assert_eq(update.malformed, 0);
    cr_assert_eq(bgp_update_attributes(bench->reader, false, bench->table, &read), 0);
    bgp_builder_load(bench->builder, set);
    bgp_builder_export(bench->builder, &export);
    promised = interned(bench);
    cr_assert_eq(read, promised);
    bgp_attributes_release(bench->table, read);
    bgp_attributes_release(bench->table, promised);
}

Test(update, every_known_attribute_reaches_every_kind_of_peer)
{
    static const char *const aggregators[] = {"c00708 0000fde9 0a000009 ",
                                              "c00708 fa56ea01 0a000009 "};
    struct bench bench = bench_open();
    for (unsigned i = 0; i < 2; i++) {
        uint8_t body[256], bytes[512];
        char hex[512];
        struct bgp_update_context context = {
            .four_octet_as = true, .internal = true, .families = BGP_FAMILIES_ALL};
        struct bgp_update update;
        const struct bgp_attributes *set;
        snprintf(hex, sizeof hex,
                 REST "40020a 0202 0000fde9 fa56ea01 800404 00000007 400504 000000c8 400600 %s"
                      "c00804 fde90064 800904 0a000001 800a08 0a000002 0a000003"
                      "c01008 0002fde900000001 c01914 0002 20010db8000000000000000000000001 0001"
                      "c0200c 000000010000000200000003 c02304 0000fde9",
                 aggregators[i]);
        size_t n = bytes_from_hex(hex, body + 4, sizeof body - 6);
        memcpy(body, (uint8_t[]){0, 0, (uint8_t)(n >> 8), (uint8_t)n}, 4);
        memcpy(body + 4 + n, (uint8_t[]){8, 10}, 2);
        n = message_around(BGP_UPDATE, body, n + 6, bytes);
        cr_assert_eq(bgp_update_decode(bench.reader, &context, bytes, n, &update), BGP_UPDATE_FINE);
        cr_assert_eq(update.malformed, 0);
        cr_assert_eq(bgp_update_attributes(bench.reader, false, bench.table, &set), 0);
        cr_assert_eq(set->flags, BGP_HAS_MED | BGP_HAS_LOCAL_PREF | BGP_HAS_ATOMIC_AGGREGATE);
        for (unsigned kind = 0; kind < 4; kind++) {
            check_export(&bench, set, kind & 1, kind & 2);
        }
        bgp_attributes_release(bench.table, set);
    }
    bench_close(&bench);
}

Test(update, ipv4_in_mp_reach_is_read_too)
{
    struct bench bench = bench_open();
    struct bgp_update update;
    const struct bgp_attributes *set;
    struct lpm_prefix prefix, wanted = prefix_of("10.1.0.0/16");
    struct lpm_address hop = address_of("10.0.0.4");
    cr_assert_eq(read_hex(&bench, true,
                          "800e0c 0001 01 04 0a000004 00 10 0a01 40010100 400206 0201 0000fde9", "",
                          &update),
                 BGP_UPDATE_FINE);
    cr_assert(bgp_nlri_next(&update.mp_announced, &prefix));
    cr_assert(lpm_prefix_equal(&prefix, &wanted));
    cr_assert_eq(bgp_update_attributes(bench.reader, true, bench.table, &set), 0);
    cr_assert(lpm_address_equal(&set->next_hop, &hop));
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

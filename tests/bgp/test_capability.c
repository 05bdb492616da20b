/* Roles (RFC 9234), several paths to a prefix (RFC 7911), IPv4 routes with IPv6 next hops (RFC
 * 8950): what OPENs agree on, and what UPDATEs look like then. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/bgp/support.h"

#define MARKER "ffffffffffffffffffffffffffffffff "

static struct bgp_open open_with_all(void)
{
    struct bgp_open open = peer_open();
    open.extended_next_hop = true;
    open.role = BGP_ROLE_RS_CLIENT;
    open.add_path = (struct bgp_add_path){.receive = BGP_FAMILIES_ALL,
                                          .send = BGP_FAMILY_BIT(BGP_IPV4_UNICAST)};
    return open;
}

Test(capability, open_is_as_the_rfcs_draw_it)
{
    uint8_t bytes[128], wanted[128];
    struct bgp_open open = open_with_all();
    size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
    size_t size = bytes_from_hex(MARKER "0048 01 04 fde9 005a 0a000002 2b 02 29"
                                        "0104 00010001 0104 00020001 0200 4104 0000fde9"
                                        "0506 0001 0001 0002 0901 02 4508 00010103 00020101",
                                 wanted, sizeof wanted);
    cr_assert_eq(n, size, "%zu bytes, not %zu", n, size);
    cr_assert_arr_eq(bytes, wanted, n);
}

Test(capability, open_survives_the_round_trip)
{
    struct dice dice = dice_new("capability_open_survives_the_round_trip");
    for (unsigned i = 0; i < 5000; i++) {
        struct bgp_open open = peer_open(), back;
        struct bgp_error error;
        uint8_t bytes[128];
        open.extended_next_hop = dice_below(&dice, 2);
        open.role = (enum bgp_role)dice_below(&dice, BGP_ROLE_UNKNOWN);
        open.add_path.receive = dice_below(&dice, BGP_FAMILIES_ALL + 1);
        open.add_path.send = dice_below(&dice, BGP_FAMILIES_ALL + 1);
        size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
        cr_assert(bgp_open_decode(bytes, n, &back, &error));
        cr_assert_eq(back.extended_next_hop, open.extended_next_hop);
        cr_assert_eq(back.role, open.role);
        cr_assert_eq(back.add_path.receive, open.add_path.receive);
        cr_assert_eq(back.add_path.send, open.add_path.send);
        cr_assert_eq(back.unknown_capabilities, 0);
    }
}

/* Decodes an OPEN of AS 65001 with these capabilities. */
static bool decode_capabilities(const char *hex, struct bgp_open *open)
{
    uint8_t body[128] = {4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 2}, bytes[256];
    struct bgp_error error;
    size_t n = bytes_from_hex(hex, body + 12, sizeof body - 12);
    body[9] = (uint8_t)(n + 2);
    body[10] = 2;
    body[11] = (uint8_t)n;
    return bgp_open_decode(bytes, message_around(BGP_OPEN, body, n + 12, bytes), open, &error);
}

Test(capability, odd_values_are_passed_over_and_odd_lengths_refused)
{
    struct bgp_open open;
    /* Of add-path: values 0 and 4, an unknown family, and one that is said twice. */
    cr_assert(decode_capabilities("4510 00010100 00010104 00010201 00020103", &open));
    cr_assert_eq(open.add_path.receive, BGP_FAMILY_BIT(BGP_IPV6_UNICAST));
    cr_assert_eq(open.add_path.send, BGP_FAMILY_BIT(BGP_IPV6_UNICAST));
    cr_assert(decode_capabilities("4508 00010103 00010102", &open));
    cr_assert_eq(open.add_path.receive, 0);
    cr_assert_eq(open.add_path.send, BGP_FAMILY_BIT(BGP_IPV4_UNICAST));
    /* Of next hops: VPN routes, a SAFI beyond an octet, IPv4 over IPv4. */
    cr_assert(decode_capabilities("0512 0001 0080 0002 0001 0101 0002 0001 0001 0001", &open));
    cr_assert(!open.extended_next_hop);
    cr_assert(decode_capabilities("0901 04 0901 04", &open));
    cr_assert_eq(open.role, BGP_ROLE_PEER);
    cr_assert(!open.roles_differ);
    cr_assert(decode_capabilities("0901 04 0901 00", &open));
    cr_assert(open.roles_differ);
    cr_assert(decode_capabilities("0901 05", &open));
    cr_assert_eq(open.role, BGP_ROLE_UNKNOWN);
    cr_assert(decode_capabilities("0901 ff", &open));
    cr_assert_eq(open.role, BGP_ROLE_UNKNOWN);
    cr_assert(!decode_capabilities("4503 000101", &open));
    cr_assert(!decode_capabilities("0505 0001000100", &open));
    cr_assert(!decode_capabilities("0902 0000", &open));
}

/* The subcode that a session with this configuration answers with; 0: it goes on. */
static uint8_t answer_to(const struct bgp_session_config *config, const struct bgp_open *open)
{
    struct solo solo;
    solo_open(&solo, config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    solo_input_open(&solo, BGP_OUTGOING, open);
    struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
    cr_assert_eq(error.code, error.code != 0 ? BGP_ERROR_OPEN : 0);
    solo_close(&solo);
    return error.subcode;
}

Test(capability, roles_must_match)
{
    /* RFC 9234 table 2, by value on the wire: provider, RS, RS client, customer, peer. */
    static const unsigned partners[] = {3, 2, 1, 0, 4};
    for (unsigned ours = 0; ours < 5; ours++) {
        for (unsigned theirs = 0; theirs < 5; theirs++) {
            struct bgp_session_config config = solo_config();
            struct bgp_open open = peer_open();
            config.role = (enum bgp_role)(ours + 1);
            open.role = (enum bgp_role)(theirs + 1);
            cr_assert_eq(answer_to(&config, &open),
                         partners[ours] == theirs ? 0 : BGP_OPEN_ROLE_MISMATCH, "%u %u", ours,
                         theirs);
        }
    }
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    config.role = BGP_ROLE_RS;
    cr_assert_eq(answer_to(&config, &open), 0); /* not said */
    config.role_strict = true;
    cr_assert_eq(answer_to(&config, &open), BGP_OPEN_ROLE_MISMATCH);
    config.role = BGP_ROLE_NONE;
    open.role = BGP_ROLE_PEER;
    cr_assert_eq(answer_to(&config, &open), 0); /* we have none: nothing to compare */
    config.role = BGP_ROLE_RS;
    config.peer_asn = open.asn = config.local_asn;
    cr_assert_eq(answer_to(&config, &open), 0); /* internal */
}

static bool agreed_on(const struct bgp_negotiated *negotiated, const char *wanted)
{
    char text[BGP_CAPABILITY_TEXT];
    for (unsigned i = 0; bgp_negotiated_capability(negotiated, i, text); i++) {
        if (strcmp(text, wanted) == 0) {
            return true;
        }
    }
    return false;
}

Test(capability, both_ends_must_want_it)
{
    struct bgp_session_config config = solo_config();
    struct bgp_open open = open_with_all();
    struct solo solo;
    config.role = BGP_ROLE_RS;
    config.extended_next_hop = true;
    config.add_path.receive = BGP_FAMILIES_ALL;
    config.add_path.send = BGP_FAMILY_BIT(BGP_IPV6_UNICAST);
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(solo.session);
    cr_assert_eq(negotiated->add_path.receive, BGP_FAMILY_BIT(BGP_IPV4_UNICAST));
    cr_assert_eq(negotiated->add_path.send, BGP_FAMILY_BIT(BGP_IPV6_UNICAST));
    cr_assert_eq(bgp_session_encoding(solo.session)->add_path, BGP_FAMILY_BIT(BGP_IPV6_UNICAST));
    cr_assert(negotiated->extended_next_hop);
    cr_assert_eq(negotiated->peer_role, BGP_ROLE_RS_CLIENT);
    cr_assert(agreed_on(negotiated, "add-path receive IPv4 unicast"));
    cr_assert(agreed_on(negotiated, "add-path send IPv6 unicast"));
    cr_assert(!agreed_on(negotiated, "add-path send IPv4 unicast"));
    cr_assert(agreed_on(negotiated, "extended-next-hop"));
    cr_assert(agreed_on(negotiated, "role of the peer rs-client"));
    cr_assert(!agreed_on(negotiated, "extended-message"));
    solo_close(&solo);
    config = solo_config(); /* what we do not offer is not agreed on, whatever the peer says */
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    negotiated = bgp_session_negotiated(solo.session);
    cr_assert_eq(negotiated->add_path.receive | negotiated->add_path.send, 0);
    cr_assert(!negotiated->extended_next_hop);
    cr_assert_eq(negotiated->peer_role, BGP_ROLE_NONE);
    solo_close(&solo);
}

/* --- UPDATE ----------------------------------------------------------------------------------- */

#define IDS_MAX 512

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
    bgp_update_reader_destroy(bench->reader);
    bgp_builder_destroy(bench->builder);
    cr_assert_eq(bgp_attribute_table_count(bench->table), 0);
    bgp_attribute_table_destroy(bench->table);
}

static const struct bgp_attributes *make_set(struct bench *bench, const char *next_hop)
{
    const struct bgp_attributes *set;
    struct lpm_address address = address_of(next_hop);
    bgp_builder_originate(bench->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(bench->builder, (uint32_t[]){65001}, 1);
    bgp_builder_set_next_hop(bench->builder, &address);
    cr_assert_eq(bgp_builder_intern(bench->builder, bench->table, &set), 0);
    return set;
}

struct sent {
    struct lpm_prefix prefix;
    uint32_t path_id;
};

static void check_nlri(struct bgp_nlri nlri, const struct sent *sent, size_t n)
{
    struct lpm_prefix prefix;
    for (size_t i = 0; i < n; i++) {
        cr_assert(bgp_nlri_next(&nlri, &prefix));
        cr_assert(lpm_prefix_equal(&prefix, &sent[i].prefix));
        cr_assert_eq(nlri.path_id, sent[i].path_id);
    }
    cr_assert(!bgp_nlri_next(&nlri, &prefix));
}

/* Fills a message with random prefixes and identifiers; returns how many. */
static size_t fill(struct dice *dice, enum bgp_family family, struct bgp_update_writer *writer,
                   struct sent sent[IDS_MAX])
{
    size_t n = 0, wanted = 1 + dice_below(dice, IDS_MAX - 1);
    while (n < wanted) {
        sent[n].prefix = random_prefix(dice, family);
        sent[n].path_id = (uint32_t)dice_roll(dice);
        if (!bgp_update_add_path(writer, &sent[n].prefix, sent[n].path_id)) {
            break;
        }
        n++;
    }
    return n;
}

static void check_announcement(struct bench *bench, struct dice *dice, enum bgp_family family,
                               const struct bgp_attributes *set, struct sent sent[IDS_MAX])
{
    const struct bgp_encoding encoding = {true, BGP_MESSAGE_MAX, BGP_FAMILIES_ALL};
    const struct bgp_update_context context = {
        .four_octet_as = true, .families = BGP_FAMILIES_ALL, .add_path = BGP_FAMILIES_ALL};
    uint8_t bytes[BGP_MESSAGE_MAX];
    struct bgp_update_writer writer;
    struct bgp_update update;
    bool classic = family == BGP_IPV4_UNICAST;
    cr_assert(bgp_update_begin(&writer, &encoding, family, set, NULL, bytes, sizeof bytes));
    size_t n = fill(dice, family, &writer, sent), length = bgp_update_end(&writer);
    cr_assert(n > 0 && length <= sizeof bytes);
    cr_assert_eq(bgp_update_decode(bench->reader, &context, bytes, length, &update),
                 BGP_UPDATE_FINE);
    check_nlri(classic ? update.announced : update.mp_announced, sent, n);
    cr_assert(bgp_withdraw_begin(&writer, &encoding, family, bytes, sizeof bytes));
    n = fill(dice, family, &writer, sent);
    length = bgp_update_end(&writer);
    cr_assert_eq(bgp_update_decode(bench->reader, &context, bytes, length, &update),
                 BGP_UPDATE_FINE);
    check_nlri(classic ? update.withdrawn : update.mp_withdrawn, sent, n);
}

Test(capability, path_identifiers_survive_the_round_trip)
{
    struct dice dice = dice_new("path_identifiers_survive_the_round_trip");
    struct bench bench = bench_open();
    static struct sent sent[IDS_MAX];
    const struct bgp_attributes *sets[] = {make_set(&bench, "10.0.0.4"),
                                           make_set(&bench, "2001:db8::4")};
    for (unsigned round = 0; round < 1000; round++) {
        enum bgp_family family = (enum bgp_family)dice_below(&dice, 2);
        check_announcement(&bench, &dice, family, sets[family], sent);
    }
    bgp_attributes_release(bench.table, sets[0]);
    bgp_attributes_release(bench.table, sets[1]);
    bench_close(&bench);
}

static enum bgp_update_outcome decode_body(struct bench *bench,
                                           const struct bgp_update_context *context,
                                           const char *hex, struct bgp_update *update)
{
    static uint8_t bytes[512];
    uint8_t body[512];
    size_t n = bytes_from_hex(hex, body, sizeof body);
    return bgp_update_decode(bench->reader, context, bytes,
                             message_around(BGP_UPDATE, body, n, bytes), update);
}

Test(capability, a_path_identifier_cut_short_resets)
{
    static const char *const bodies[] = {
        "0003 000000 0000",                          /* half an identifier */
        "0004 00000001 0000",                        /* no length behind it */
        "0006 00000001 10 0a 0000",                  /* half a prefix */
        "0005 00000001 21 0000",                     /* longer than an address */
        "0000 000c 800f09 0002 01 00000001 40 2001", /* IPv6, withdrawn */
    };
    struct bench bench = bench_open();
    const struct bgp_update_context context = {
        .four_octet_as = true, .families = BGP_FAMILIES_ALL, .add_path = BGP_FAMILIES_ALL};
    struct bgp_update update;
    for (unsigned i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        cr_assert_eq(decode_body(&bench, &context, bodies[i], &update), BGP_UPDATE_RESET, "%u", i);
    }
    cr_assert_eq(decode_body(&bench, &context, "0007 00000001 10 0a01 0000", &update),
                 BGP_UPDATE_FINE);
    bench_close(&bench);
}

#define REACH_IPV4_OVER_IPV6                                                                       \
    "0000 0028 800e18 0001 01 10 20010db8000000000000000000000004 00 10 0a01 40010100 400206 "     \
    "0201 0000fde9"
#define REACH_IPV4_OVER_IPV6_PAIR                                                                  \
    "0000 0038 800e28 0001 01 20 20010db8000000000000000000000004 "                                \
    "fe800000000000000000000000000004 00 10 0a01 40010100 400206 0201 0000fde9"

Test(capability, an_ipv4_route_has_an_ipv6_next_hop_where_agreed)
{
    struct bench bench = bench_open();
    struct bgp_update_context context = {
        .four_octet_as = true, .families = BGP_FAMILIES_ALL, .extended_next_hop = true};
    struct lpm_address hop = address_of("2001:db8::4");
    struct lpm_prefix prefix, wanted = prefix_of("10.1.0.0/16");
    struct bgp_update update;
    const struct bgp_attributes *set;
    const char *const bodies[] = {REACH_IPV4_OVER_IPV6, REACH_IPV4_OVER_IPV6_PAIR};
    for (unsigned i = 0; i < 2; i++) {
        context.extended_next_hop = true;
        cr_assert_eq(decode_body(&bench, &context, bodies[i], &update), BGP_UPDATE_FINE, "%u", i);
        cr_assert(bgp_nlri_next(&update.mp_announced, &prefix));
        cr_assert(lpm_prefix_equal(&prefix, &wanted));
        cr_assert_eq(bgp_update_attributes(bench.reader, true, bench.table, &set), 0);
        cr_assert(lpm_address_equal(&set->next_hop, &hop));
        bgp_attributes_release(bench.table, set);
        context.extended_next_hop = false;
        cr_assert_eq(decode_body(&bench, &context, bodies[i], &update), BGP_UPDATE_RESET, "%u", i);
    }
    bench_close(&bench);
}

Test(capability, an_ipv6_next_hop_is_written_for_an_ipv4_route)
{
    struct bench bench = bench_open();
    const struct bgp_encoding encoding = {true, BGP_MESSAGE_MAX, 0};
    const struct bgp_attributes *set = make_set(&bench, "2001:db8::4");
    struct lpm_prefix prefix = prefix_of("10.1.0.0/16");
    struct bgp_update_writer writer;
    uint8_t bytes[256], wanted[256];
    cr_assert(
        bgp_update_begin(&writer, &encoding, BGP_IPV4_UNICAST, set, NULL, bytes, sizeof bytes));
    cr_assert(bgp_update_add(&writer, &prefix));
    size_t n = bgp_update_end(&writer);
    size_t size = bytes_from_hex(
        MARKER "0040 02 0000 0029 900e0018 0001 01 10 20010db8000000000000000000000004 00 10 0a01 "
               "40010100 400206 0201 0000fde9",
        wanted, sizeof wanted);
    cr_assert_eq(n, size, "%zu bytes, not %zu", n, size);
    cr_assert_arr_eq(bytes, wanted, n);
    bgp_attributes_release(bench.table, set);
    bench_close(&bench);
}

/* MRT records: bytes by hand from RFC 6396 and RFC 8050, round trips, and everything cut short. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/mrt.h"
#include "tests/bgp/support.h"

struct lab {
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
    struct mrt_attribute_reader *reader;
    struct mrt_writer *writer;
};

static struct lab lab_open(void)
{
    return (struct lab){bgp_attribute_table_create(), bgp_builder_create(),
                        mrt_attribute_reader_create(), mrt_writer_create()};
}

static void lab_close(struct lab *lab)
{
    cr_assert_eq(bgp_attribute_table_count(lab->table), 0, "a set was left over");
    bgp_attribute_table_destroy(lab->table);
    bgp_builder_destroy(lab->builder);
    mrt_attribute_reader_destroy(lab->reader);
    mrt_writer_destroy(lab->writer);
}

/* The record of these bytes, which must be one. */
static struct mrt_record record_of(const uint8_t *bytes, size_t n)
{
    struct mrt_record record;
    size_t size;
    cr_assert_eq(mrt_record_decode(bytes, n, &record, &size), 0);
    cr_assert_eq(size, n);
    return record;
}

static struct mrt_record record_from_hex(const char *hex, uint8_t bytes[512])
{
    return record_of(bytes, bytes_from_hex(hex, bytes, 512));
}

static void assert_address(const struct lpm_address *address, const char *text)
{
    struct lpm_address wanted = address_of(text);
    cr_assert(lpm_address_equal(address, &wanted), "not %s", text);
}

/* Collector 10.0.0.9, view "v"; 10.0.0.1 AS 65001 with 2 octets, 2001:db8::1 AS 4200000001. */
#define PEER_INDEX                                                                                 \
    "0000000a 000d 0001 0000002d"                                                                  \
    "0a000009 0001 76 0002"                                                                        \
    "00 0a000001 0a000001 fde9"                                                                    \
    "03 0a000002 20010db8000000000000000000000001 fa56ea01"

/* 192.0.2.0/24 of peer 0: IGP, path 65001 (4 octets), next hop 10.0.0.1. */
#define ATTRIBUTES_IPV4 "40010100 4002060201 0000fde9 400304 0a000001"
#define RIB_IPV4                                                                                   \
    "0000000a 000d 0002 00000026"                                                                  \
    "00000007 18c00002 0001"                                                                       \
    "0000 00000005 0014" ATTRIBUTES_IPV4

Test(mrt, reads_a_peer_index)
{
    uint8_t bytes[512];
    struct mrt_record record = record_from_hex(PEER_INDEX, bytes);
    struct mrt_peer_index index;
    cr_assert(mrt_is_peer_index(&record));
    cr_assert_eq(mrt_peer_index_decode(&record, &index), 0);
    cr_assert_eq(index.collector, 0x0a000009);
    cr_assert_str_eq(index.view, "v");
    cr_assert_eq(index.n, 2);
    assert_address(&index.peers[0].address, "10.0.0.1");
    cr_assert_eq(index.peers[0].asn, 65001);
    assert_address(&index.peers[1].address, "2001:db8::1");
    cr_assert_eq(index.peers[1].asn, 4200000001);
    mrt_peer_index_free(&index);
}

Test(mrt, reads_a_route_of_a_table)
{
    struct lab lab = lab_open();
    uint8_t bytes[512];
    struct mrt_record record = record_from_hex(RIB_IPV4, bytes);
    struct mrt_rib rib;
    struct mrt_rib_entry entry;
    const struct bgp_attributes *set;
    struct lpm_prefix wanted = prefix_of("192.0.2.0/24");
    cr_assert_eq(mrt_rib_decode(&record, &rib), 0);
    cr_assert_eq(rib.sequence, 7);
    cr_assert(lpm_prefix_equal(&rib.prefix, &wanted));
    cr_assert(mrt_rib_next(&rib, &entry));
    cr_assert_eq(entry.originated_s, 5);
    cr_assert_eq(mrt_attributes_decode(lab.reader, rib.family, &entry, lab.table, &set), 0);
    cr_assert_eq(bgp_as_path_first(set), 65001);
    assert_address(&set->next_hop, "10.0.0.1");
    cr_assert_not(mrt_rib_next(&rib, &entry));
    bgp_attributes_release(lab.table, set);
    lab_close(&lab);
}

static const struct bgp_attributes *decode_ipv6(struct lab *lab, const char *hex)
{
    uint8_t bytes[512];
    struct mrt_rib_entry entry = {.attributes = bytes};
    const struct bgp_attributes *set = NULL;
    entry.length = (uint16_t)bytes_from_hex(hex, bytes, sizeof(bytes));
    int error = mrt_attributes_decode(lab->reader, BGP_IPV6_UNICAST, &entry, lab->table, &set);
    return error ? NULL : set;
}

/* RFC 6396 4.3.4 leaves the next hop alone in MP_REACH_NLRI; some writers leave it whole. */
Test(mrt, reads_a_next_hop_of_both_forms)
{
    struct lab lab = lab_open();
    static const char *const forms[] = {
        "40010100 40020602010000fde9 800e11 10 20010db8000000000000000000000009",
        "40010100 40020602010000fde9 800e1a 0002 01 10 20010db8000000000000000000000009 00 20 "
        "20010db8",
    };
    for (unsigned i = 0; i < 2; i++) {
        const struct bgp_attributes *set = decode_ipv6(&lab, forms[i]);
        cr_assert_not_null(set, "form %u", i);
        assert_address(&set->next_hop, "2001:db8::9");
        bgp_attributes_release(lab.table, set);
    }
    lab_close(&lab);
}

Test(mrt, takes_an_unspecified_or_missing_next_hop_for_none)
{
    struct lab lab = lab_open();
    static const char *const forms[] = {
        "40010100 400200 800e11 10 00000000000000000000000000000000",
        "40010100 400200",
    };
    for (unsigned i = 0; i < 2; i++) {
        const struct bgp_attributes *set = decode_ipv6(&lab, forms[i]);
        cr_assert_not_null(set, "form %u", i);
        cr_assert_eq(set->next_hop.family, 0);
        bgp_attributes_release(lab.table, set);
    }
    lab_close(&lab);
}

/* As BIRD dumps what its own filters set. */
Test(mrt, reads_attributes_without_flags)
{
    struct lab lab = lab_open();
    const struct bgp_attributes *set =
        decode_ipv6(&lab, "000101 02 00020602010000fde9 000404 00000007 000804 fde90063");
    cr_assert_not_null(set);
    cr_assert_eq(set->med, 7);
    cr_assert(bgp_attributes_has_standard(set, 65001u << 16 | 99));
    bgp_attributes_release(lab.table, set);
    lab_close(&lab);
}

Test(mrt, refuses_attributes_that_no_peer_could_send)
{
    static const char *const wrong[] = {
        "",                                                                       /* nothing */
        "40010100",                                                               /* no AS_PATH */
        "40020602010000fde9",                                                     /* no ORIGIN */
        "40010109 40020602010000fde9 800e111020010db8000000000000000000000009",   /* origin 9 */
        "40010100 40020602010000fde9 800e11 20 20010db8000000000000000000000009", /* cut */
        "40010100 40020602010000fde9 800e01 10",
        "40010100 40020602010000fde9 800e00",
        "40010100 4002ff0201", /* beyond the end */
        "40",
        "5001 ff",
        ("40010100 40020602010000fde9 800e111020010db8000000000000000000000009"
         "800e111020010db8000000000000000000000009"), /* twice */
    };
    struct lab lab = lab_open();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_null(decode_ipv6(&lab, wrong[i]), "case %zu", i);
    lab_close(&lab);
}

/* --- BGP4MP ----------------------------------------------------------------------------------- */

#define KEEPALIVE_BYTES "ffffffffffffffffffffffffffffffff 0013 04"

Test(mrt, reads_messages_of_every_subtype)
{
    static const struct {
        const char *hex;
        bool four_octets, sent, with_path_id;
    } cases[] = {
        {"00000001 0010 0001 00000023 fde9 fdea 0000 0001 0a000001 0a000002" KEEPALIVE_BYTES, false,
         false, false},
        {"00000001 0010 0004 00000027 0000fde9 0000fdea 0000 0001 0a000001 "
         "0a000002" KEEPALIVE_BYTES,
         true, false, false},
        {"00000001 0010 0006 00000023 fde9 fdea 0000 0001 0a000001 0a000002" KEEPALIVE_BYTES, false,
         true, false},
        {"00000001 0010 000b 00000027 0000fde9 0000fdea 0000 0001 0a000001 "
         "0a000002" KEEPALIVE_BYTES,
         true, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t bytes[512];
        struct mrt_record record = record_from_hex(cases[i].hex, bytes);
        struct mrt_message message;
        cr_assert_eq(mrt_message_decode(&record, &message), 0, "case %zu", i);
        cr_assert_eq(message.peer_asn, 65001);
        assert_address(&message.local, "10.0.0.2");
        cr_assert_eq(message.type, BGP_KEEPALIVE);
        cr_assert_eq(message.four_octet_as, cases[i].four_octets);
        cr_assert_eq(message.sent, cases[i].sent);
        cr_assert_eq(message.with_path_id, cases[i].with_path_id);
    }
}

Test(mrt, reads_a_change_of_state_with_microseconds)
{
    uint8_t bytes[512];
    char text[MRT_STATE_TEXT];
    struct mrt_record record = record_from_hex(
        "00000001 0011 0005 0000001c 0007a120 0000fde9 0000fdea 0000 0001 0a000001 0a000002"
        "0006 0001",
        bytes);
    struct mrt_message message;
    cr_assert_eq(record.microseconds, 500000);
    cr_assert_eq(mrt_message_decode(&record, &message), 0);
    cr_assert(message.is_state_change);
    cr_assert_str_eq(mrt_state_text(message.old_state, text), "Established");
    cr_assert_str_eq(mrt_state_text(message.new_state, text), "Idle");
}

Test(mrt, refuses_a_message_that_is_not_one)
{
    static const char *const wrong[] = {
        /* a length beyond the record, within it, no room for a header, a marker of zeros */
        ("00000001 0010 0001 00000023 fde9 fdea 0000 0001 0a000001 0a000002"
         "ffffffffffffffffffffffffffffffff 0014 04"),
        "00000001 0010 0001 00000024 fde9 fdea 0000 0001 0a000001 0a000002" KEEPALIVE_BYTES "00",
        "00000001 0010 0001 00000012 fde9 fdea 0000 0001 0a000001 0a000002 ffff",
        ("00000001 0010 0001 00000023 fde9 fdea 0000 0001 0a000001 0a000002"
         "00000000000000000000000000000000 0013 04"),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        uint8_t bytes[512];
        struct mrt_record record = record_from_hex(wrong[i], bytes);
        struct mrt_message message;
        cr_assert_eq(mrt_message_decode(&record, &message), -EBADMSG, "case %zu", i);
    }
}

/* --- Damage ----------------------------------------------------------------------------------- */

/* Cut at any byte, with the length put right: never a record, and never a byte outside of it (the
 * copy is as long as the record, so that the sanitizers see). */
static void cut_everywhere(const char *hex)
{
    uint8_t whole[512];
    size_t n = bytes_from_hex(hex, whole, sizeof(whole));
    for (size_t cut = MRT_HEADER_SIZE; cut < n; cut++) {
        uint8_t *bytes = malloc(cut);
        struct mrt_peer_index index;
        struct mrt_message message;
        struct mrt_record record;
        struct mrt_rib rib;
        size_t size;
        memcpy(bytes, whole, cut);
        cr_assert_eq(mrt_record_decode(bytes, cut, &record, &size), -EAGAIN);
        cr_assert_eq(size, n);
        bytes[10] = 0;
        bytes[11] = (uint8_t)(cut - MRT_HEADER_SIZE);
        int error = mrt_record_decode(bytes, cut, &record, &size);
        cr_assert(error == 0 || error == -EBADMSG);
        if (error == 0) {
            cr_assert_neq(mrt_peer_index_decode(&record, &index), 0);
            cr_assert_neq(mrt_rib_decode(&record, &rib), 0);
            cr_assert_neq(mrt_message_decode(&record, &message), 0);
        }
        free(bytes);
    }
}

Test(mrt, refuses_records_cut_at_any_byte)
{
    cut_everywhere(PEER_INDEX);
    cut_everywhere(RIB_IPV4);
    cut_everywhere(
        "00000001 0010 0001 00000023 fde9 fdea 0000 0001 0a000001 0a000002" KEEPALIVE_BYTES);
    cut_everywhere("00000001 0011 0005 0000001c 0007a120 0000fde9 0000fdea 0000 0001 0a000001"
                   "0a000002 0006 0001");
}

Test(mrt, refuses_a_record_beyond_all_bounds)
{
    uint8_t bytes[512];
    struct mrt_record record;
    size_t size, n = bytes_from_hex("00000000 000d 0002 ffffffff", bytes, sizeof(bytes));
    cr_assert_eq(mrt_record_decode(bytes, n, &record, &size), -EFBIG);
}

Test(mrt, leaves_kinds_alone_that_it_does_not_have)
{
    /* TABLE_DUMP, OSPFv2, multicast, a VPN family in RIB_GENERIC, BGP4MP of AFI 3 */
    static const char *const others[] = {
        "00000000 000c 0001 00000000",
        "00000000 000b 0000 00000000",
        "00000000 000d 0003 00000006 00000000 0000",
        "00000000 000d 0006 0000000a 00000000 0001 80 00 0000",
        "00000001 0010 0001 00000008 fde9 fdea 0000 0003",
        "00000001 0010 0063 00000000",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        uint8_t bytes[512];
        struct mrt_record record = record_from_hex(others[i], bytes);
        struct mrt_message message;
        struct mrt_rib rib;
        if (mrt_is_message(&record))
            cr_assert_eq(mrt_message_decode(&record, &message), -ENOTSUP, "case %zu", i);
        else
            cr_assert_eq(mrt_rib_decode(&record, &rib), -ENOTSUP, "case %zu", i);
    }
}

/* --- Writing ---------------------------------------------------------------------------------- */

Test(mrt, writes_a_peer_index_that_it_reads_again)
{
    struct lab lab = lab_open();
    struct mrt_peer peers[] = {{1, address_of("10.0.0.1"), 65001},
                               {2, address_of("2001:db8::1"), 4200000001}};
    struct mrt_peer_index index = {.collector = 9, .view = "rs1/0", .peers = peers, .n = 2}, back;
    const uint8_t *bytes;
    size_t n;
    mrt_write_peer_index(lab.writer, 10, &index);
    cr_assert_eq(mrt_writer_take(lab.writer, &bytes, &n), 0);
    struct mrt_record record = record_of(bytes, n);
    cr_assert_eq(record.seconds, 10);
    cr_assert_eq(mrt_peer_index_decode(&record, &back), 0);
    cr_assert_eq(back.n, 2);
    cr_assert_str_eq(back.view, "rs1/0");
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(lpm_address_equal(&back.peers[i].address, &peers[i].address));
        cr_assert_eq(back.peers[i].asn, peers[i].asn);
        cr_assert_eq(back.peers[i].identifier, peers[i].identifier);
    }
    mrt_peer_index_free(&back);
    lab_close(&lab);
}

/* Any set comes back as the very set: the table holds one object for both. */
Test(mrt, writes_any_set_so_that_it_comes_back)
{
    struct lab lab = lab_open();
    struct dice dice = dice_new("mrt");
    struct lpm_address none = {0};
    for (unsigned round = 0; round < 500; round++) {
        enum bgp_family family = dice_below(&dice, 2) ? BGP_IPV6_UNICAST : BGP_IPV4_UNICAST;
        bool with_path_id = dice_below(&dice, 2);
        struct lpm_prefix prefix = random_prefix(&dice, family);
        const struct bgp_attributes *set, *back;
        struct mrt_rib_entry entry;
        struct mrt_rib rib;
        const uint8_t *bytes;
        size_t n;
        random_set(&dice, lab.builder, true, true, family);
        if (bgp_builder_intern(lab.builder, lab.table, &set) != 0)
            continue;
        mrt_write_rib_begin(lab.writer, round, round, &prefix, with_path_id);
        for (uint16_t peer = 0; peer < 3; peer++)
            mrt_write_rib_add(lab.writer, peer, 77, 5u + peer, set, &none);
        mrt_write_rib_end(lab.writer);
        cr_assert_eq(mrt_writer_take(lab.writer, &bytes, &n), 0);
        struct mrt_record record = record_of(bytes, n);
        cr_assert_eq(mrt_rib_decode(&record, &rib), 0);
        cr_assert(lpm_prefix_equal(&rib.prefix, &prefix));
        cr_assert_eq(rib.with_path_id, with_path_id);
        for (uint16_t peer = 0; peer < 3; peer++) {
            cr_assert(mrt_rib_next(&rib, &entry));
            cr_assert_eq(entry.peer, peer);
            cr_assert_eq(entry.path_id, with_path_id ? 5u + peer : 0);
            cr_assert_eq(mrt_attributes_decode(lab.reader, family, &entry, lab.table, &back), 0);
            cr_assert_eq(back, set, "round %u", round);
            bgp_attributes_release(lab.table, back);
        }
        bgp_attributes_release(lab.table, set);
    }
    lab_close(&lab);
}

Test(mrt, writes_no_record_without_a_path)
{
    struct lab lab = lab_open();
    struct lpm_prefix prefix = prefix_of("10.0.0.0/8");
    const uint8_t *bytes;
    size_t n;
    mrt_write_rib_begin(lab.writer, 0, 0, &prefix, false);
    mrt_write_rib_end(lab.writer);
    cr_assert_eq(mrt_writer_take(lab.writer, &bytes, &n), 0);
    cr_assert_eq(n, 0);
    lab_close(&lab);
}

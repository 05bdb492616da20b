/*
 * Malformed UPDATEs and what they lead to (RFC 7606 and the documents that it builds on): one row
 * per case, all sent through a session, each followed by a clean route that must get through when
 * the session is to stand.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

enum outcome { FINE, DISCARD, WITHDRAW, RESET };

#define ORIGIN   "40010100 "
#define AS_PATH  "400206 0201 0000fde9 "
#define NEXT_HOP "400304 0a000004 "
#define ALL      ORIGIN AS_PATH NEXT_HOP
#define PREFIX   "18 0a0100 "
/* MP_REACH_NLRI of 2001:db8:1::/48 */
#define MP_REACH "800e1c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001 "

enum sorts { EXTERNAL = 1, INTERNAL = 2, BOTH = 3 };

static const struct row {
    const char *rfc, *what;
    enum sorts sorts;
    const char *attributes, *announced;
    enum outcome outcome;
    uint8_t subcode; /* with RESET */
} rows[] = {
    {"4271 6.3", "nothing wrong", BOTH, ALL, PREFIX, FINE, 0},
    /* 3 c: flags */
    {"7606 3c", "ORIGIN optional", BOTH, "c0010100 " AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 3c", "ORIGIN not transitive", BOTH, "00010100 " AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 3c", "ORIGIN partial", BOTH, "60010100 " AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 3c", "AS_PATH partial", BOTH, ORIGIN "600206 0201 0000fde9" NEXT_HOP, PREFIX, WITHDRAW,
     0},
    {"7606 3c", "NEXT_HOP optional", BOTH, ORIGIN AS_PATH "c00304 0a000004", PREFIX, WITHDRAW, 0},
    {"7606 3c", "MED transitive", BOTH, ALL "c00404 00000001", PREFIX, WITHDRAW, 0},
    {"7606 3c", "communities not transitive", BOTH, ALL "800804 fde90064", PREFIX, WITHDRAW, 0},
    {"7606 3c", "large communities well-known", BOTH, ALL "40200c 000000010000000200000003", PREFIX,
     WITHDRAW, 0},
    {"7606 3c", "MP_REACH transitive", BOTH,
     "c00e1c 0002 01 10 20010db8000000000000000000000001 00"
     "30 20010db80001" ORIGIN AS_PATH,
     "", WITHDRAW, 0},
    {"4271 4.3", "unused flag bits", BOTH, "5f0100 0100" AS_PATH NEXT_HOP, PREFIX, FINE, 0},
    {"4271 4.3", "extended length for a short one", BOTH, "50010001 00" AS_PATH NEXT_HOP, PREFIX,
     FINE, 0},
    /* 3 d: missing */
    {"7606 3d", "no ORIGIN", BOTH, AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 3d", "no AS_PATH", BOTH, ORIGIN NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 3d", "no NEXT_HOP", BOTH, ORIGIN AS_PATH, PREFIX, WITHDRAW, 0},
    {"7606 3d", "nothing at all", BOTH, "", PREFIX, WITHDRAW, 0},
    {"7606 3d", "MP_REACH without ORIGIN", BOTH, MP_REACH AS_PATH, "", WITHDRAW, 0},
    {"4760 3", "MP_REACH needs no NEXT_HOP", BOTH, MP_REACH ORIGIN AS_PATH, "", FINE, 0},
    {"4760 3", "NEXT_HOP beside MP_REACH is ignored", BOTH,
     MP_REACH ORIGIN AS_PATH "400304 00000000", "", FINE, 0},
    /* 3 g: twice */
    {"7606 3g", "ORIGIN twice", BOTH, ALL "40010102", PREFIX, DISCARD, 0},
    {"7606 3g", "an unknown one twice", BOTH, ALL "c0c800 c0c800", PREFIX, DISCARD, 0},
    {"7606 3g", "MP_REACH twice", BOTH, MP_REACH MP_REACH ORIGIN AS_PATH, "", RESET, 1},
    {"7606 3g", "MP_UNREACH twice", BOTH, ALL "800f03 000201 800f03 000201", PREFIX, RESET, 1},
    /* 3 h: the strongest counts */
    {"7606 3h", "discard and withdraw", BOTH, ALL "400601ff 800403 000000", PREFIX, WITHDRAW, 0},
    {"7606 3h", "withdraw, then reset", BOTH, ALL "800403 000000 800e02 0002", PREFIX, RESET, 1},
    /* 4: attributes that do not fit */
    {"7606 4", "attribute beyond the field", BOTH, ALL "c00808 fde90064", PREFIX, WITHDRAW, 0},
    {"7606 4", "header cut after the flags", BOTH, ALL "c0", PREFIX, WITHDRAW, 0},
    {"7606 4", "header cut in a long length", BOTH, ALL "d00801", PREFIX, WITHDRAW, 0},
    /* 5.2: nothing announced */
    {"7606 5.2", "withdraw with nothing announced", BOTH, ORIGIN "800403 000000", "", RESET, 5},
    {"7606 5.2", "discard with nothing announced", BOTH, ORIGIN AS_PATH "400601ff", "", DISCARD, 0},
    {"7606 5.2", "attributes and no routes", BOTH, ALL, "", FINE, 0},
    /* 5.3: prefixes */
    {"7606 5.3", "prefix of 33 bits", BOTH, ALL, "21 0a01000000", RESET, 10},
    {"7606 5.3", "prefix cut", BOTH, ALL, "18 0a01", RESET, 10},
    {"7606 5.3", "IPv6 prefix of 129 bits", BOTH,
     "800e27 0002 01 10 20010db8000000000000000000000001 00 81 20010db8000000000000000000000000 "
     "00" ORIGIN AS_PATH,
     "", RESET, 9},
    {"7606 5.3", "IPv6 prefix cut", BOTH,
     "800e18 0002 01 10 20010db8000000000000000000000001 00 30 2001" ORIGIN AS_PATH, "", RESET, 9},
    {"7606 5.3", "withdrawn IPv6 prefix cut", BOTH, "800f06 0002 01 40 2001", "", RESET, 9},
    /* 7.1 ORIGIN */
    {"7606 7.1", "ORIGIN empty", BOTH, "400100" AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 7.1", "ORIGIN of 2 octets", BOTH, "4001020000" AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    {"7606 7.1", "ORIGIN 3", BOTH, "40010103" AS_PATH NEXT_HOP, PREFIX, WITHDRAW, 0},
    /* 7.2 AS_PATH */
    {"7606 7.2", "segment type 0", BOTH, ORIGIN NEXT_HOP "400206 0001 0000fde9", PREFIX, WITHDRAW,
     0},
    {"7606 7.2", "segment type 5", BOTH, ORIGIN NEXT_HOP "400206 0501 0000fde9", PREFIX, WITHDRAW,
     0},
    {"7606 7.2", "empty segment", BOTH, ORIGIN NEXT_HOP "400208 0200 0201 0000fde9", PREFIX,
     WITHDRAW, 0},
    {"7606 7.2", "segment too long", BOTH, ORIGIN NEXT_HOP "400206 0202 0000fde9", PREFIX, WITHDRAW,
     0},
    {"7606 7.2", "one octet left over", BOTH, ORIGIN NEXT_HOP "400207 0201 0000fde9 02", PREFIX,
     WITHDRAW, 0},
    {"7607 2", "AS 0 in the path", BOTH, ORIGIN NEXT_HOP "40020a 0202 0000fde9 00000000", PREFIX,
     WITHDRAW, 0},
    {"9774 3", "AS_SET", BOTH, ORIGIN NEXT_HOP "40020c 0201 0000fde9 0101 0000fdea", PREFIX,
     WITHDRAW, 0},
    {"5065 5.3", "confederation segment", BOTH, ORIGIN NEXT_HOP "400206 0301 0000fde9", PREFIX,
     WITHDRAW, 0},
    {"4271 4.3", "empty AS_PATH", BOTH, ORIGIN NEXT_HOP "400200", PREFIX, FINE, 0},
    /* 7.3 NEXT_HOP */
    {"7606 7.3", "NEXT_HOP of 3 octets", BOTH, ORIGIN AS_PATH "400303 0a0000", PREFIX, WITHDRAW, 0},
    {"7606 7.3", "NEXT_HOP of 16 octets", BOTH,
     ORIGIN AS_PATH "400310 20010db8000000000000000000000001", PREFIX, WITHDRAW, 0},
    {"4271 6.3", "NEXT_HOP 0.0.0.0", BOTH, ORIGIN AS_PATH "400304 00000000", PREFIX, WITHDRAW, 0},
    {"4271 6.3", "NEXT_HOP 127.0.0.1", BOTH, ORIGIN AS_PATH "400304 7f000001", PREFIX, WITHDRAW, 0},
    {"4271 6.3", "NEXT_HOP 224.0.0.1", BOTH, ORIGIN AS_PATH "400304 e0000001", PREFIX, WITHDRAW, 0},
    {"4271 6.3", "NEXT_HOP 255.255.255.255", BOTH, ORIGIN AS_PATH "400304 ffffffff", PREFIX,
     WITHDRAW, 0},
    /* 7.4 to 7.10 */
    {"7606 7.4", "MED of 3 octets", BOTH, ALL "800403 000000", PREFIX, WITHDRAW, 0},
    {"7606 7.5", "LOCAL_PREF of 3 octets", INTERNAL, ALL "400503 000000", PREFIX, WITHDRAW, 0},
    {"7606 7.5", "LOCAL_PREF of 3 octets", EXTERNAL, ALL "400503 000000", PREFIX, FINE, 0},
    {"7606 7.6", "ATOMIC_AGGREGATE of 1 octet", BOTH, ALL "400601 00", PREFIX, DISCARD, 0},
    {"7606 7.7", "AGGREGATOR of 6 octets", BOTH, ALL "c00706 fde9 0a000001", PREFIX, DISCARD, 0},
    {"7606 7.7", "AGGREGATOR of 9 octets", BOTH, ALL "c00709 0000fde9 0a000001 00", PREFIX, DISCARD,
     0},
    {"7607 2", "AGGREGATOR with AS 0", BOTH, ALL "c00708 00000000 0a000001", PREFIX, DISCARD, 0},
    {"7606 7.8", "no communities", BOTH, ALL "c00800", PREFIX, WITHDRAW, 0},
    {"7606 7.8", "communities of 5 octets", BOTH, ALL "c00805 fde9006400", PREFIX, WITHDRAW, 0},
    {"7606 7.9", "ORIGINATOR_ID of 3 octets", INTERNAL, ALL "800903 0a0000", PREFIX, WITHDRAW, 0},
    {"7606 7.9", "ORIGINATOR_ID of 3 octets", EXTERNAL, ALL "800903 0a0000", PREFIX, FINE, 0},
    {"7606 7.10", "CLUSTER_LIST of 5 octets", INTERNAL, ALL "800a05 0a00000100", PREFIX, WITHDRAW,
     0},
    {"7606 7.10", "CLUSTER_LIST of 5 octets", EXTERNAL, ALL "800a05 0a00000100", PREFIX, FINE, 0},
    /* 7.11 MP_REACH_NLRI */
    {"7606 7.11", "MP_REACH too short", BOTH, "800e04 0002 01 00" ORIGIN AS_PATH, "", RESET, 1},
    {"7606 7.11", "next hop of 9 octets", BOTH,
     "800e0e 0002 01 09 20010db80000000000 00" ORIGIN AS_PATH, "", RESET, 1},
    {"7606 7.11", "next hop beyond the attribute", BOTH,
     "800e0d 0002 01 10 20010db800000000 00" ORIGIN AS_PATH, "", RESET, 1},
    {"4271 6.3", "next hop ::", BOTH,
     "800e1c 0002 01 10 00000000000000000000000000000000 00 30 20010db80001" ORIGIN AS_PATH, "",
     WITHDRAW, 0},
    {"4271 6.3", "next hop ::1", BOTH,
     "800e1c 0002 01 10 00000000000000000000000000000001 00 30 20010db80001" ORIGIN AS_PATH, "",
     WITHDRAW, 0},
    {"4271 6.3", "next hop ff02::1", BOTH,
     "800e1c 0002 01 10 ff020000000000000000000000000001 00 30 20010db80001" ORIGIN AS_PATH, "",
     WITHDRAW, 0},
    {"7606 7.12", "MP_UNREACH too short", BOTH, "800f02 0002", "", RESET, 1},
    {"4760 3", "a family that nobody knows", BOTH, "800e07 00aa 07 00 00 ffff" ORIGIN AS_PATH, "",
     FINE, 0},
    /* 7.14 and on */
    {"7606 7.14", "no extended communities", BOTH, ALL "c01000", PREFIX, WITHDRAW, 0},
    {"7606 7.14", "extended communities of 9 octets", BOTH, ALL "c01009 000200000000000100", PREFIX,
     WITHDRAW, 0},
    {"7606 7.15", "IPv6 communities of 19 octets", BOTH,
     ALL "c01913 00000000000000000000000000000000000000", PREFIX, WITHDRAW, 0},
    {"6793 6", "AS4_PATH between 4-octet speakers", BOTH, ALL "c01106 0201 00000001", PREFIX, FINE,
     0},
    {"9774 3", "AS_SET in AS4_PATH", BOTH, ALL "c01106 0101 00000001", PREFIX, WITHDRAW, 0},
    {"6793 6", "AS4_AGGREGATOR of 7 octets", BOTH, ALL "c01207 00000001 0a0000", PREFIX, DISCARD,
     0},
    {"8092 6", "large communities of 13 octets", BOTH, ALL "c0200d 00000001000000020000000300",
     PREFIX, WITHDRAW, 0},
    {"9234 5", "OTC of 3 octets", BOTH, ALL "c02303 000001", PREFIX, WITHDRAW, 0},
    {"7607 2", "OTC with AS 0", BOTH, ALL "c02304 00000000", PREFIX, WITHDRAW, 0},
    {"7607 2", "AS4_AGGREGATOR with AS 0", BOTH, ALL "c01208 00000000 0a000001", PREFIX, DISCARD,
     0},
    {"4271 6.3", "unknown well-known attribute", BOTH, ALL "40c800", PREFIX, RESET, 2},
};

static size_t build(const char *attributes, const char *announced, uint8_t *bytes)
{
    uint8_t body[1024] = {0};
    size_t n = bytes_from_hex(attributes, body + 4, sizeof body - 4);
    body[2] = (uint8_t)(n >> 8);
    body[3] = (uint8_t)n;
    n += 4;
    n += bytes_from_hex(announced, body + n, sizeof body - n);
    return message_around(BGP_UPDATE, body, n, bytes);
}

static void check_counters(const struct solo *solo, const struct row *row)
{
    const struct bgp_session_counters *counters = bgp_session_counters(solo->session);
    cr_assert_eq(counters->treated_as_withdraw, row->outcome == WITHDRAW, "%s", row->what);
    cr_assert_eq(solo->notices > 0, row->outcome != FINE, "%s: %s", row->what, solo->notice);
    if (row->outcome == DISCARD) {
        cr_assert_eq(counters->attributes_discarded, 1, "%s", row->what);
    }
}

static void check_row(const struct row *row, bool internal)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t bytes[2048];
    config.peer_asn = open.asn = internal ? config.local_asn : open.asn;
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    size_t n = build(row->attributes, row->announced, bytes);
    uint8_t *exact = malloc(n);
    memcpy(exact, bytes, n);
    solo_input(&solo, BGP_OUTGOING, exact, n);
    free(exact);
    bool routes = row->announced[0] != 0 || strstr(row->attributes, "0e1c") != NULL;
    if (row->outcome == RESET) {
        struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
        cr_assert_eq(bgp_session_state(solo.session), BGP_IDLE, "%s", row->what);
        cr_assert_eq(error.code, BGP_ERROR_UPDATE, "%s", row->what);
        cr_assert_eq(error.subcode, row->subcode, "%s: subcode %u", row->what, error.subcode);
        cr_assert_eq(solo.announced + solo.withdrawn, 0, "%s", row->what);
        solo_close(&solo);
        return;
    }
    cr_assert_eq(bgp_session_state(solo.session), BGP_ESTABLISHED, "%s (%s): %s", row->what,
                 row->rfc, solo.reason);
    cr_assert_eq(solo.announced, routes && row->outcome != WITHDRAW, "%s (%s): %u announced",
                 row->what, row->rfc, solo.announced);
    cr_assert_eq(solo.withdrawn, row->outcome == WITHDRAW, "%s (%s)", row->what, row->rfc);
    check_counters(&solo, row);
    unsigned before = solo.announced; /* the session is as good as new */
    solo_input(&solo, BGP_OUTGOING, bytes, build(ALL, "18 0a0200", bytes));
    cr_assert_eq(solo.announced, before + 1, "%s", row->what);
    solo_close(&solo);
}

Test(errors, malformed_updates_lead_where_the_rfcs_say)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].sorts & EXTERNAL) {
            check_row(&rows[i], false);
        }
        if (rows[i].sorts & INTERNAL) {
            check_row(&rows[i], true);
        }
    }
}

Test(errors, fields_that_do_not_fit_reset_the_session)
{
    static const char *const bodies[] = {"0001 0000", "0000 0001", "ffff ffff", "0004 18 0a0100",
                                         "0003 18 0a01 0000"};
    static const uint8_t subcodes[] = {1, 1, 1, 1, 10};
    for (unsigned i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        uint8_t body[64], bytes[128];
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        size_t n = bytes_from_hex(bodies[i], body, sizeof body);
        solo_input(&solo, BGP_OUTGOING, bytes, message_around(BGP_UPDATE, body, n, bytes));
        struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
        cr_assert_eq(error.code, BGP_ERROR_UPDATE);
        cr_assert_eq(error.subcode, subcodes[i], "%s: %u", bodies[i], error.subcode);
        solo_close(&solo);
    }
}

Test(errors, as_sets_are_accepted_where_configured)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t bytes[256];
    config.accept_as_set = true;
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    solo_input(&solo, BGP_OUTGOING, bytes,
               build(ORIGIN NEXT_HOP "400210 0201 0000fde9 0102 0000fdea 0000fdeb", PREFIX, bytes));
    cr_assert_eq(solo.announced, 1);
    cr_assert_eq(solo.last->as_path_length, 2, "a set counts as one");
    cr_assert(solo.last->flags & BGP_HAS_AS_SET);
    char text[64];
    bgp_as_path_format(solo.last, '-', text, sizeof text);
    cr_assert_str_eq(text, "65001-{65002,65003}");
    solo_close(&solo);
}

Test(errors, treat_as_withdraw_withdraws_every_field)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t bytes[256];
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    /* One prefix in MP_REACH, two in the old field, MED malformed. */
    solo_input(&solo, BGP_OUTGOING, bytes,
               build(MP_REACH ALL "800403 000000", PREFIX "18 0a0300", bytes));
    cr_assert_eq(solo.withdrawn, 3);
    cr_assert_eq(solo.announced, 0);
    cr_assert_eq(bgp_session_counters(solo.session)->malformed[4], 1);
    cr_assert_str_eq(solo.notice, "malformed attribute 4, treated as withdraw: UPDATE Message "
                                  "Error/Attribute Length Error (3/5), bytes 800403000000");
    solo_close(&solo);
}

/* A path of 2-octet ASes doubles when it is widened: what came in one message may fit in none. */
Test(errors, set_that_no_message_could_carry_is_withdrawn)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    static uint8_t body[65535], bytes[65535];
    config.extended_messages = open.extended_messages = true;
    config.two_octet_as = true;
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    size_t path = 100 * 512, n = bytes_from_hex(ORIGIN NEXT_HOP "5002 c800", body + 4, 64);
    for (unsigned i = 0; i < 100; i++) { /* segments of 255, and two octets to spare */
        uint8_t *segment = body + 4 + n + (size_t)i * 512;
        memset(segment, 1, 512);
        segment[0] = BGP_AS_SEQUENCE;
        segment[1] = 255;
    }
    cr_assert_eq(path, 0xc800);
    n += path;
    body[2] = (uint8_t)(n >> 8);
    body[3] = (uint8_t)n;
    memcpy(body + 4 + n, (uint8_t[]){24, 10, 1, 0}, 4);
    n = message_around(BGP_UPDATE, body, 4 + n + 4, bytes);
    solo_input(&solo, BGP_OUTGOING, bytes, n);
    cr_assert_eq(bgp_session_state(solo.session), BGP_ESTABLISHED, "%s", solo.reason);
    cr_assert_eq(solo.withdrawn, 1, "%s", solo.notice);
    cr_assert_eq(solo.announced, 0);
    cr_assert_eq(bgp_session_counters(solo.session)->treated_as_withdraw, 1);
    solo_close(&solo);
}

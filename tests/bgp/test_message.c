/* OPEN, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH against bytes worked out by hand from the RFCs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

#define MARKER "ffffffffffffffffffffffffffffffff "

static void assert_bytes(const uint8_t *bytes, size_t n, const char *hex)
{
    uint8_t wanted[512];
    size_t size = bytes_from_hex(hex, wanted, sizeof wanted);
    cr_assert_eq(n, size, "%zu bytes, not %zu", n, size);
    cr_assert_arr_eq(bytes, wanted, n);
}

Test(message, open_is_as_the_rfcs_draw_it)
{
    uint8_t bytes[128];
    struct bgp_open open = {
        .version = 4,
        .asn = 4200000001,
        .hold_time_s = 180,
        .identifier = 0x0a000001,
        .multiprotocol = true,
        .families = BGP_FAMILIES_ALL,
        .four_octet_as = true,
        .route_refresh = true,
        .extended_messages = true,
    };
    size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
    assert_bytes(bytes, n,
                 MARKER "0035 01 04 5ba0 00b4 0a000001 18 02 16"
                        "0104 00010001 0104 00020001 0200 0600 4104 fa56ea01");
    cr_assert_eq(bgp_open_encode(&open, bytes, n - 1), 0);
    struct bgp_open plain = {.version = 4, .asn = 65001, .hold_time_s = 90, .identifier = 1};
    n = bgp_open_encode(&plain, bytes, sizeof bytes);
    assert_bytes(bytes, n, MARKER "001d 01 04 fde9 005a 00000001 00");
}

Test(message, open_survives_the_round_trip)
{
    struct dice dice = dice_new("open_survives_the_round_trip");
    for (unsigned i = 0; i < 20000; i++) {
        struct bgp_open open = peer_open(), back;
        struct bgp_error error;
        uint8_t bytes[128];
        open.four_octet_as = dice_below(&dice, 2);
        open.asn =
            open.four_octet_as ? (uint32_t)dice_roll(&dice) | 1 : dice_below(&dice, 65535) + 1;
        open.hold_time_s = (uint16_t)(3 + dice_below(&dice, 65533));
        open.identifier = (uint32_t)dice_roll(&dice) | 1;
        open.families = dice_below(&dice, BGP_FAMILIES_ALL) + 1;
        open.route_refresh = dice_below(&dice, 2);
        open.extended_messages = dice_below(&dice, 2);
        size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
        cr_assert(bgp_open_decode(bytes, n, &back, &error));
        cr_assert_eq(back.asn, open.asn);
        cr_assert_eq(back.hold_time_s, open.hold_time_s);
        cr_assert_eq(back.identifier, open.identifier);
        cr_assert_eq(back.families, open.families);
        cr_assert_eq(back.four_octet_as, open.four_octet_as);
        cr_assert_eq(back.route_refresh, open.route_refresh);
        cr_assert_eq(back.extended_messages, open.extended_messages);
    }
}

/* The body of an OPEN without capabilities, but for its last field. */
#define OPEN_HEAD "04 fde9 005a 0a000002 "

Test(message, every_open_error_has_its_code)
{
    static const struct {
        const char *what, *body;
        int subcode; /* -1: none */
        const char *data;
    } cases[] = {
        {"fine", OPEN_HEAD "00", -1, ""},
        {"version 3", "03 fde9 005a 0a000002 00", 1, "0004"},
        {"version 5", "05 fde9 005a 0a000002 00", 1, "0004"},
        {"AS 0", "04 0000 005a 0a000002 00", 2, ""},
        {"4-octet AS 0", "04 5ba0 005a 0a000002 08 02 06 4104 00000000", 2, ""},
        {"the two AS fields differ", "04 fde9 005a 0a000002 08 02 06 4104 0000fdea", 2, ""},
        {"AS_TRANS for a small AS", "04 5ba0 005a 0a000002 08 02 06 4104 0000fdea", -1, ""},
        {"identifier 0", "04 fde9 005a 00000000 00", 3, ""},
        {"hold time 1", "04 fde9 0001 0a000002 00", 6, ""},
        {"hold time 2", "04 fde9 0002 0a000002 00", 6, ""},
        {"hold time 0", "04 fde9 0000 0a000002 00", -1, ""},
        {"hold time 3", "04 fde9 0003 0a000002 00", -1, ""},
        {"authentication parameter", OPEN_HEAD "03 01 01 00", 4, ""},
        {"unknown parameter", OPEN_HEAD "02 09 00", 4, ""},
        {"length says more", OPEN_HEAD "03 02 00", 0, ""},
        {"length says less", OPEN_HEAD "01 02 00", 0, ""},
        {"length says none", OPEN_HEAD "00 02 00", 0, ""},
        {"parameter beyond the end", OPEN_HEAD "02 02 01", 0, ""},
        {"parameter cut", OPEN_HEAD "01 02", 0, ""},
        {"capability beyond the end", OPEN_HEAD "04 02 02 01 04", 0, ""},
        {"capability cut", OPEN_HEAD "03 02 01 01", 0, ""},
        {"multiprotocol of 3 octets", OPEN_HEAD "07 02 05 0103 000100", 0, ""},
        {"4-octet AS of 2 octets", OPEN_HEAD "06 02 04 4102 fde9", 0, ""},
        {"route refresh of 1 octet", OPEN_HEAD "05 02 03 0201 00", 0, ""},
        {"unknown capabilities", OPEN_HEAD "09 02 07 4700 80 03 010203", -1, ""},
        {"two parameters", OPEN_HEAD "08 02 02 0200 02 02 4600", -1, ""},
        {"no parameters in a parameter", OPEN_HEAD "02 02 00", -1, ""},
        {"extended form", OPEN_HEAD "ff ff 0005 02 0002 0200", -1, ""},
        {"extended form, other old length", OPEN_HEAD "01 ff 0005 02 0002 0200", -1, ""},
        {"extended form, length says more", OPEN_HEAD "ff ff 0006 02 0002 0200", 0, ""},
        {"extended form, cut", OPEN_HEAD "ff ff 00", 0, ""},
        {"extended form, parameter beyond", OPEN_HEAD "ff ff 0003 02 0001", 0, ""},
        {"extended form, unknown parameter", OPEN_HEAD "ff ff 0003 01 0000", 4, ""},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t body[128], bytes[256], data[8];
        struct bgp_open open;
        struct bgp_error error = {0};
        size_t n = bytes_from_hex(cases[i].body, body, sizeof body);
        size_t length = message_around(BGP_OPEN, body, n, bytes);
        uint8_t *exact = malloc(length); /* so that a read beyond is seen */
        memcpy(exact, bytes, length);
        bool fine = bgp_open_decode(exact, length, &open, &error);
        free(exact);
        cr_assert_eq(fine, cases[i].subcode < 0, "%s", cases[i].what);
        if (!fine) {
            size_t size = bytes_from_hex(cases[i].data, data, sizeof data);
            cr_assert_eq(error.code, BGP_ERROR_OPEN, "%s", cases[i].what);
            cr_assert_eq(error.subcode, cases[i].subcode, "%s: %u", cases[i].what, error.subcode);
            cr_assert_eq(error.length, size, "%s", cases[i].what);
            cr_assert_arr_eq(error.data, data, size);
        }
    }
}

Test(message, extended_parameters_carry_more_than_255_octets)
{
    uint8_t body[1024], bytes[1100];
    struct bgp_open open;
    struct bgp_error error;
    size_t n = bytes_from_hex(OPEN_HEAD "ff ff 0196", body, sizeof body);
    for (unsigned i = 0; i < 2;
         i++) { /* two parameters of 200 octets: 100 unknown capabilities each */
        n += bytes_from_hex("02 00c8", body + n, 8);
        for (unsigned k = 0; k < 100; k++) {
            body[n++] = 0xf0;
            body[n++] = 0;
        }
    }
    size_t length = message_around(BGP_OPEN, body, n, bytes);
    cr_assert(bgp_open_decode(bytes, length, &open, &error));
    cr_assert_eq(open.unknown_capabilities, 200);
}

Test(message, without_multiprotocol_capability_it_is_ipv4)
{
    uint8_t body[64], bytes[128];
    struct bgp_open open;
    struct bgp_error error;
    size_t n = bytes_from_hex(OPEN_HEAD "00", body, sizeof body);
    cr_assert(bgp_open_decode(bytes, message_around(BGP_OPEN, body, n, bytes), &open, &error));
    cr_assert_eq(open.families, BGP_FAMILY_BIT(BGP_IPV4_UNICAST));
    n = bytes_from_hex(OPEN_HEAD "08 02 06 0104 00020001", body, sizeof body);
    cr_assert(bgp_open_decode(bytes, message_around(BGP_OPEN, body, n, bytes), &open, &error));
    cr_assert_eq(open.families, BGP_FAMILY_BIT(BGP_IPV6_UNICAST));
    n = bytes_from_hex(OPEN_HEAD "08 02 06 0104 00190046", body, sizeof body); /* EVPN */
    cr_assert(bgp_open_decode(bytes, message_around(BGP_OPEN, body, n, bytes), &open, &error));
    cr_assert_eq(open.families, 0);
}

Test(message, keepalive_and_refresh_are_as_the_rfcs_draw_them)
{
    uint8_t bytes[64];
    struct bgp_refresh refresh = {.afi = 2, .safi = 1}, back;
    struct bgp_error error;
    assert_bytes(bytes, bgp_keepalive_encode(bytes, sizeof bytes), MARKER "0013 04");
    cr_assert_eq(bgp_keepalive_encode(bytes, 18), 0);
    size_t n = bgp_refresh_encode(&refresh, bytes, sizeof bytes);
    assert_bytes(bytes, n, MARKER "0017 05 0002 00 01");
    cr_assert(bgp_refresh_decode(bytes, n, &back, &error));
    cr_assert(back.afi == 2 && back.safi == 1 && back.subtype == 0);
    cr_assert_eq(bgp_refresh_encode(&refresh, bytes, 22), 0);
}

Test(message, notification_carries_the_shutdown_communication)
{
    uint8_t bytes[256];
    char text[BGP_ERROR_TEXT];
    struct bgp_error error, back;
    bgp_error_set_shutdown(&error, BGP_CEASE_SHUTDOWN, "bye");
    size_t n = bgp_notification_encode(&error, bytes, sizeof bytes);
    assert_bytes(bytes, n, MARKER "0019 03 06 02 03 627965");
    bgp_notification_decode(bytes, n, &back);
    cr_assert_str_eq(bgp_error_format(&back, text), "Cease/Administrative Shutdown (6/2): \"bye\"");
    bgp_error_set_shutdown(&error, BGP_CEASE_COLLISION, "not for this subcode");
    cr_assert_eq(error.length, 0);
    bgp_error_set(&error, 77, 3, NULL, 0);
    cr_assert_str_eq(bgp_error_format(&error, text), "Unknown Error (77/3)");
}

Test(message, hard_reset_carries_the_error_that_it_stands_for)
{
    uint8_t bytes[512];
    char text[BGP_ERROR_TEXT];
    struct bgp_error error, back;
    bgp_error_set_shutdown(&error, BGP_CEASE_SHUTDOWN, "bye");
    bgp_error_harden(&error);
    size_t n = bgp_notification_encode(&error, bytes, sizeof bytes);
    assert_bytes(bytes, n, MARKER "001b 03 06 09 06 02 03 627965");
    bgp_notification_decode(bytes, n, &back);
    cr_assert_str_eq(bgp_error_format(&back, text),
                     "Cease/Hard Reset (6/9): Cease/Administrative Shutdown (6/2): \"bye\"");
    bgp_error_set(&error, BGP_ERROR_CEASE, BGP_CEASE_HARD_RESET, "\x06", 1);
    cr_assert_str_eq(bgp_error_format(&error, text), "Cease/Hard Reset (6/9)", "half of it");
    /* The longest text fits, also inside of a Hard Reset, and so does what is made of it. */
    char longest[256];
    memset(longest, 'x', 255);
    longest[255] = 0;
    bgp_error_set_shutdown(&error, BGP_CEASE_SHUTDOWN, longest);
    bgp_error_harden(&error);
    bgp_error_harden(&error);
    cr_assert_lt(strlen(bgp_error_format(&error, text)), BGP_ERROR_TEXT);
}

Test(message, restart_capabilities_come_back_as_they_were_said)
{
    uint8_t bytes[256];
    struct bgp_error error;
    struct bgp_open open = {
        .version = 4,
        .asn = 65515,
        .hold_time_s = 180,
        .identifier = 0x0a000001,
        .multiprotocol = true,
        .families = BGP_FAMILIES_ALL,
        .route_refresh = true,
        .enhanced_refresh = true,
        .graceful = {.offered = true,
                     .restarting = true,
                     .notification = true,
                     .time_s = 120,
                     .families = BGP_FAMILIES_ALL,
                     .forwarding = BGP_FAMILY_BIT(BGP_IPV6_UNICAST)},
        .long_lived = {.offered = true,
                       .families = BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
                       .forwarding = BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
                       .stale_time_s = {0x123456}},
    };
    struct bgp_open back;
    size_t n = bgp_open_encode(&open, bytes, sizeof bytes);
    assert_bytes(bytes, n,
                 MARKER "0044 01 04 ffeb 00b4 0a000001 27 02 25"
                        "0104 0001 00 01 0104 0002 00 01 0200 4600"
                        "400a c078 0001 01 00 0002 01 80 4707 0001 01 80 123456");
    cr_assert(bgp_open_decode(bytes, n, &back, &error));
    cr_assert(memcmp(&open.graceful, &back.graceful, sizeof back.graceful) == 0);
    cr_assert(memcmp(&open.long_lived, &back.long_lived, sizeof back.long_lived) == 0);
    cr_assert(back.enhanced_refresh);
    bytes[48] = 0x09; /* the length of the capability is no longer 2 and rows of 4 */
    cr_assert(!bgp_open_decode(bytes, n, &back, &error));
    cr_assert_eq(error.code, BGP_ERROR_OPEN);
}

Test(message, long_shutdown_is_cut_between_characters)
{
    struct bgp_error error;
    char message[300] = "";
    char text[BGP_ERROR_TEXT];
    for (unsigned i = 0; i < 140; i++) {
        strcat(message, "\xc3\xa9"); /* two octets each: 255 is no multiple */
    }
    bgp_error_set_shutdown(&error, BGP_CEASE_RESET, message);
    cr_assert_eq(error.data[0], 254);
    cr_assert_eq(error.length, 255);
    cr_assert_arr_eq(error.data + 1, message, 254);
    cr_assert_lt(strlen(bgp_error_format(&error, text)), BGP_ERROR_TEXT);
    /* A length octet that lies about what follows is not believed. */
    bgp_error_set(&error, BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN, "\xffhi", 3);
    cr_assert_str_eq(bgp_error_format(&error, text), "Cease/Administrative Shutdown (6/2)");
}

/*
 * Bytes that nobody should send. The session must never crash or read beyond its input (sanitizer
 * builds see it), and must leave no reference behind; whether it stands or falls is checked
 * elsewhere.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/bgp/support.h"

#define MESSAGE_ROOM 1024

/* A clean message of random kind, to be damaged. */
static size_t clean_message(struct dice *dice, struct bgp_attribute_table *table,
                            struct bgp_attribute_builder *builder, uint8_t *bytes)
{
    struct bgp_open open = peer_open();
    struct bgp_error error;
    struct bgp_refresh refresh = {.afi = 1, .safi = 1};
    switch (dice_below(dice, 10)) {
    case 0:
        return bgp_open_encode(&open, bytes, MESSAGE_ROOM);
    case 1:
        return bgp_keepalive_encode(bytes, MESSAGE_ROOM);
    case 2:
        bgp_error_set_shutdown(&error, BGP_CEASE_SHUTDOWN, "going down");
        return bgp_notification_encode(&error, bytes, MESSAGE_ROOM);
    case 3:
        return bgp_refresh_encode(&refresh, bytes, MESSAGE_ROOM);
    default:
        break;
    }
    enum bgp_family family = (enum bgp_family)dice_below(dice, BGP_FAMILY_COUNT);
    struct bgp_update_writer writer;
    struct bgp_encoding encoding = {true, MESSAGE_ROOM};
    const struct bgp_attributes *set = NULL;
    random_set(dice, builder, false, true, family);
    cr_assert_eq(bgp_builder_intern(builder, table, &set), 0);
    size_t n = bgp_keepalive_encode(bytes, MESSAGE_ROOM);
    if (bgp_update_begin(&writer, &encoding, family, set, NULL, bytes, MESSAGE_ROOM)) {
        unsigned prefixes = 1 + dice_below(dice, 20);
        for (unsigned i = 0; i < prefixes; i++) {
            struct lpm_prefix prefix = random_prefix(dice, family);
            bgp_update_add(&writer, &prefix);
        }
        n = bgp_update_end(&writer);
    }
    bgp_attributes_release(table, set);
    return n;
}

static void damage(struct dice *dice, uint8_t *bytes, size_t n)
{
    unsigned times = dice_below(dice, 4);
    for (unsigned i = 0; i < times; i++) {
        /* Mostly beyond the marker, where there is something to break. */
        size_t first = n > BGP_HEADER_SIZE && dice_below(dice, 20) ? BGP_HEADER_SIZE : 0;
        size_t at = first + dice_below(dice, (unsigned)(n - first));
        bytes[at] = dice_below(dice, 2) ? (uint8_t)dice_roll(dice)
                                        : bytes[at] ^ (uint8_t)(1u << dice_below(dice, 8));
    }
}

static void input_in_pieces(struct solo *solo, struct dice *dice, const uint8_t *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t piece = 1 + dice_below(dice, dice_below(dice, 2) ? 40 : 2000);
        piece = piece < n - done ? piece : n - done;
        uint8_t *exact = malloc(piece);
        memcpy(exact, bytes + done, piece);
        solo_input(solo, BGP_OUTGOING, exact, piece);
        free(exact);
        done += piece;
    }
}

/* Back to Established when the garbage led to the end. */
static void revive(struct solo *solo, unsigned depth)
{
    struct bgp_open open = peer_open();
    if (bgp_session_state(solo->session) >= BGP_OPEN_SENT) {
        return;
    }
    bgp_session_start(solo->session, solo->now_ms);
    bgp_session_connected(solo->session, BGP_OUTGOING, solo->now_ms);
    if (depth > 0) {
        solo_input_open(solo, BGP_OUTGOING, &open);
    }
    if (depth > 1) {
        solo_input_keepalive(solo, BGP_OUTGOING);
    }
}

Test(garbage, damaged_messages_never_crash)
{
    struct dice dice = dice_new("damaged_messages_never_crash");
    struct bgp_session_config config = solo_config();
    struct bgp_attribute_table *table = bgp_attribute_table_create();
    struct bgp_attribute_builder *builder = bgp_builder_create();
    struct solo solo;
    static uint8_t bytes[MESSAGE_ROOM], out[8192];
    solo_open(&solo, &config);
    for (unsigned round = 0; round < 100000; round++) {
        revive(&solo, dice_below(&dice, 8) ? 2 : dice_below(&dice, 2));
        size_t n = clean_message(&dice, table, builder, bytes);
        damage(&dice, bytes, n);
        input_in_pieces(&solo, &dice, bytes, n);
        while (solo_output(&solo, BGP_OUTGOING, out, sizeof out) > 0) {
        }
        solo.now_ms += dice_below(&dice, 3);
    }
    const struct bgp_session_counters *counters = bgp_session_counters(solo.session);
    cr_assert_gt(counters->established, 1000);
    cr_assert_gt(counters->treated_as_withdraw, 100);
    cr_assert_gt(counters->attributes_discarded, 10);
    cr_assert(bgp_attribute_table_validate(solo.table));
    solo_close(&solo);
    bgp_builder_destroy(builder);
    bgp_attribute_table_destroy(table);
}

Test(garbage, random_bodies_never_crash)
{
    struct dice dice = dice_new("random_bodies_never_crash");
    struct bgp_session_config config = solo_config();
    struct solo solo;
    static uint8_t body[300], bytes[400], out[8192];
    solo_open(&solo, &config);
    for (unsigned round = 0; round < 200000; round++) {
        revive(&solo, dice_below(&dice, 3));
        size_t n = dice_below(&dice, sizeof body);
        for (size_t i = 0; i < n; i++) { /* small numbers are lengths that fit */
            body[i] = (uint8_t)(dice_below(&dice, 3) ? dice_below(&dice, 8) : dice_roll(&dice));
        }
        n = message_around((uint8_t)(1 + dice_below(&dice, 5)), body, n, bytes);
        input_in_pieces(&solo, &dice, bytes, n);
        while (solo_output(&solo, BGP_OUTGOING, out, sizeof out) > 0) {
        }
    }
    solo_close(&solo);
}

/* An UPDATE of body octets that is full of something small; which: prefixes, attributes,
 * communities. */
static size_t crowded_update(unsigned which, size_t body, uint8_t *bytes)
{
    static uint8_t content[65535];
    size_t fields = which == 0 ? 0 : 2, n = body - 4;
    memset(content, 0, body);
    if (which == 1) {
        n = n / 3 * 3;
        for (size_t at = 0; at < n; at += 3) { /* empty, unknown, transitive */
            content[4 + at] = 0xc0;
            content[5 + at] = (uint8_t)(100 + at / 3 % 150);
        }
    } else if (which == 2) {
        n = (n - 4) / 4 * 4 + 4;
        memcpy(content + 4, (uint8_t[]){0xd0, 8, (uint8_t)((n - 4) >> 8), (uint8_t)(n - 4)}, 4);
        for (size_t at = 4; at < n;
             at += 4) { /* in descending order, so that they have to be sorted */
            content[4 + at] = (uint8_t) ~(at >> 8);
            content[5 + at] = (uint8_t)~at;
        }
    }
    content[fields] = (uint8_t)(n >> 8);
    content[fields + 1] = (uint8_t)n;
    return message_around(BGP_UPDATE, content, n + 4, bytes);
}

/* The least CPU time of several tries, in clock ticks. */
static clock_t least_time(struct solo *solo, const uint8_t *bytes, size_t n)
{
    clock_t least = CLOCKS_PER_SEC * 100;
    for (unsigned round = 0; round < 7; round++) {
        clock_t start = clock();
        for (unsigned i = 0; i < 10; i++) {
            solo_input(solo, BGP_OUTGOING, bytes, n);
        }
        clock_t took = clock() - start;
        least = took < least ? took : least;
    }
    return least;
}

Test(garbage, crowded_messages_cost_linear_time)
{
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    static uint8_t bytes[65535];
    config.extended_messages = open.extended_messages = true;
    for (unsigned which = 0; which < 3; which++) {
        struct solo solo;
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        clock_t small = least_time(&solo, bytes, crowded_update(which, 8000, bytes));
        clock_t large = least_time(&solo, bytes, crowded_update(which, 64000, bytes));
        /* Eight times the octets; the square would be 64 times the time. */
        cr_assert_lt(large, 24 * (small + CLOCKS_PER_SEC / 10000), "kind %u: %ld and %ld", which,
                     (long)small, (long)large);
        cr_assert_eq(bgp_session_state(solo.session), BGP_ESTABLISHED, "%s", solo.reason);
        solo_close(&solo);
    }
}

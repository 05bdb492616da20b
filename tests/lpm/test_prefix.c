/*
 * Addresses and prefixes as text: what is taken, what is refused, and what comes out.
 */
#include "lpm/lpm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char *const addresses[] = {
    "0.0.0.0", "10.0.0.4", "255.255.255.255", "::", "::1", "fd00::1", "2001:db8::8:800:200c:417a",
};

static const char *const bad_addresses[] = {
    "",
    "10.0.0",
    "10.0.0.0.0",
    "10.0.0.256",
    "10.0.0.1 ",
    " 1.2.3.4",
    "1.2.3.4x",
    "0x1.2.3.4",
    "010.0.0.1",
    ":",
    ":::",
    "fd00::1::2",
    "fe80::1%lo",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7",
    "host.example",
    "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
};

Test(lpm_prefix, addresses_survive_a_round_trip)
{
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        char text[LPM_ADDRESS_TEXT];
        struct lpm_address address;

        cr_assert_eq(lpm_address_parse(addresses[i], &address), 0, "%s", addresses[i]);
        cr_assert_str_eq(lpm_address_format(&address, text), addresses[i]);
    }
}

Test(lpm_prefix, addresses_are_written_in_canonical_form)
{
    char text[LPM_ADDRESS_TEXT];
    struct lpm_address address;

    cr_assert_eq(lpm_address_parse("2001:0DB8:0:0:0:0:0:1", &address), 0);
    cr_assert_str_eq(lpm_address_format(&address, text), "2001:db8::1");
}

Test(lpm_prefix, what_is_not_an_address_is_refused_and_changes_nothing)
{
    for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
        struct lpm_address address, before;

        memset(&address, 0x5a, sizeof(address));
        before = address;
        cr_assert_eq(lpm_address_parse(bad_addresses[i], &address), -EINVAL, "\"%s\"",
                     bad_addresses[i]);
        cr_assert_eq(memcmp(&address, &before, sizeof(address)), 0, "\"%s\"", bad_addresses[i]);
    }
}

Test(lpm_prefix, prefixes_survive_a_round_trip)
{
    static const char *const prefixes[] = {
        "0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32", "fd00::1/128",
    };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char text[LPM_PREFIX_TEXT];
        struct lpm_prefix prefix;

        cr_assert_eq(lpm_prefix_parse(prefixes[i], &prefix), 0, "%s", prefixes[i]);
        cr_assert_str_eq(lpm_prefix_format(&prefix, text), prefixes[i]);
    }
}

Test(lpm_prefix, the_longest_text_fits)
{
    const char *longest = "1111:2222:3333:4444:5555:6666:7777:8888/128";
    char text[LPM_PREFIX_TEXT];
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse(longest, &prefix), 0);
    cr_assert_str_eq(lpm_prefix_format(&prefix, text), longest);
}

Test(lpm_prefix, what_is_not_a_prefix_is_refused)
{
    static const char *const bad[] = {
        "",
        "/",
        "10.0.0.0",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.0/8x",
        "10.0.0.0/8/8",
        "10.0.0.0/1000",
        "10.0/8",
        "10.0.0.0/99999999999999999999",
        "::/4294967296",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lpm_prefix prefix;

        cr_assert_eq(lpm_prefix_parse(bad[i], &prefix), -EINVAL, "\"%s\"", bad[i]);
    }
}

Test(lpm_prefix, bits_beyond_the_length_are_told_apart_from_nonsense)
{
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse("10.0.0.1/8", &prefix), -EDOM);
    cr_assert_eq(lpm_prefix_parse("fd00::1/64", &prefix), -EDOM);
    cr_assert_eq(lpm_prefix_parse("128.0.0.0/0", &prefix), -EDOM);
}

static struct lpm_prefix parse(const char *text)
{
    struct lpm_prefix prefix;

    cr_assert_eq(lpm_prefix_parse(text, &prefix), 0, "%s", text);
    return prefix;
}

static bool covers(const char *outer, const char *inner)
{
    struct lpm_prefix a = parse(outer);
    struct lpm_prefix b = parse(inner);

    return lpm_prefix_covers(&a, &b);
}

Test(lpm_prefix, covering_needs_family_length_and_bits)
{
    cr_assert(covers("0.0.0.0/0", "10.0.0.0/8"));
    cr_assert(covers("10.0.0.0/8", "10.0.0.0/8"));
    cr_assert(covers("10.128.0.0/9", "10.129.0.0/16"));
    cr_assert_not(covers("10.128.0.0/9", "10.0.0.0/9"));
    cr_assert_not(covers("10.0.0.0/9", "10.0.0.0/8"));
    cr_assert_not(covers("0.0.0.0/0", "::/0"));
    cr_assert(covers("fd00::/127", "fd00::1/128"));
    cr_assert_not(covers("fd00::/127", "fd00::2/128"));
}

Test(lpm_prefix, the_order_is_family_then_address_then_shorter_first)
{
    static const char *const ordered[] = {
        "0.0.0.0/0", "0.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "::/0", "fd00::/8",
    };
    size_t count = sizeof(ordered) / sizeof(ordered[0]);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct lpm_prefix a = parse(ordered[i]);
            struct lpm_prefix b = parse(ordered[j]);
            int order = lpm_prefix_compare(&a, &b);

            cr_assert_eq((order > 0) - (order < 0), (i > j) - (i < j), "%s and %s", ordered[i],
                         ordered[j]);
            cr_assert_eq(lpm_prefix_equal(&a, &b), i == j);
        }
    }
}

Test(lpm_prefix, the_prefix_of_an_address_holds_that_address_alone)
{
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct lpm_address address, other;
        struct lpm_prefix prefix;

        cr_assert_eq(lpm_address_parse(addresses[i], &address), 0);
        prefix = lpm_address_prefix(&address);
        other = address;
        other.bytes[address.family == LPM_IPV4 ? 3 : 15] ^= 1;
        cr_assert(lpm_prefix_contains(&prefix, &address));
        cr_assert_not(lpm_prefix_contains(&prefix, &other));
        cr_assert_not(lpm_address_equal(&address, &other));
    }
}

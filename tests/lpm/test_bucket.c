/*
 * Buckets hold what they shall at every number of ranges, in every form, and on either side of what they
 * can hold.
 */
#include "lpm/bucket.h"
#include "lpm/core.h"

#include <criterion/criterion.h>
#include <string.h>

#define ROUTES_MOST 320

/* Routes of one place: number i is at its 2 * i-th address, so that between two of them there is a gap,
 * which shows nothing. */
struct place {
    enum lpm_family family;
    lpm_key key;
    unsigned length; /* of the routes */
};

static struct lpm_address address_at(const struct place *place, unsigned i)
{
    struct lpm_address address = {.family = (uint8_t)place->family};
    lpm_key key = place->key + ((lpm_key)i << (128 - place->length));

    lpm_key_bytes(key, address.bytes);
    return address;
}

static struct lpm_change change_of(const struct place *place, unsigned i, bool set)
{
    struct lpm_address address = address_at(place, 2 * i + 1);
    struct lpm_change change = {
        .kind = set ? LPM_SET : LPM_REMOVE,
        .prefix = {.family = address.family, .length = (uint8_t)place->length},
        .leaf = set ? i + 1 : 0,
    };

    memcpy(change.prefix.bytes, address.bytes, sizeof(change.prefix.bytes));
    return change;
}

static void look_up_all(const struct lpm_fib *fib, const struct place *place, unsigned n,
                        uint32_t *leaves)
{
    static const struct lpm_fib *fibs[2 * ROUTES_MOST];
    static uint32_t addresses4[2 * ROUTES_MOST];
    static uint8_t addresses6[2 * ROUTES_MOST][16];

    for (unsigned i = 0; i < n; i++) {
        struct lpm_address address = address_at(place, i);

        fibs[i] = fib;
        addresses4[i] = (uint32_t)(lpm_key_of(address.bytes) >> 96);
        memcpy(addresses6[i], address.bytes, 16);
    }
    if (place->family == LPM_IPV4)
        lpm_lookup_bulk4(fibs, addresses4, leaves, n);
    else
        lpm_lookup_bulk6(fibs, (const uint8_t(*)[16])addresses6, leaves, n);
}

/* The first `routes` are there: at all of their addresses and in all gaps, by every variant. */
static void compare(const struct lpm_fib *fib, const struct place *place, unsigned routes)
{
    unsigned n = 2 * routes + 2;
    uint32_t leaves[2 * ROUTES_MOST + 2];

    if (n > 2 * ROUTES_MOST)
        n = 2 * ROUTES_MOST;
    for (unsigned i = 0; i < n; i++) {
        struct lpm_address address = address_at(place, i);
        uint32_t shall = i % 2 && i / 2 < routes ? i / 2 + 1 : 0;

        cr_assert_eq(lpm_lookup(fib, &address), shall, "%u of %u routes", i / 2, routes);
    }
    for (const char *const *name = lpm_variants(); *name; name++) {
        cr_assert_eq(lpm_force_variant(*name), 0);
        look_up_all(fib, place, n, leaves);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(leaves[i], i % 2 && i / 2 < routes ? i / 2 + 1 : 0, "%s: %u of %u routes",
                         *name, i / 2, routes);
    }
    lpm_force_variant(NULL);
}

/* By bit: the forms of all buckets under an entry. */
static unsigned forms_under(const char *window, uint32_t entry)
{
    const struct lpm_node *node;
    unsigned forms = 0;

    if (lpm_entry_is_bucket(entry))
        return 1u << lpm_bucket_form(entry);
    if (lpm_entry_is_leaf(entry))
        return 0;
    node = lpm_node_at(window, entry);
    for (unsigned i = 0; i < lpm_node_count(node); i++)
        forms |= forms_under(window, lpm_node_entry(node, i));
    return forms;
}

/* One route more at a time, up to more than a bucket holds; then one less at a time. A FIB derived
 * from the base with a change elsewhere takes the way of many FIBs. */
static void grow_and_shrink(const struct place *place)
{
    struct lpm_change elsewhere = {LPM_SET, {.family = (uint8_t)place->family, .length = 8}, 999};
    struct lpm *lpm = lpm_create();
    struct lpm_fib *base, *derived;
    struct lpm_bytes bytes;
    unsigned forms = 0;

    lpm_rcu_register_thread();
    elsewhere.prefix.bytes[0] = 0xee;
    cr_assert_eq(lpm_base_create(lpm, place->family, NULL, 0, &base), 0);
    cr_assert_eq(lpm_derive(base, &elsewhere, 1, &derived), 0);
    for (unsigned step = 0; step < 2 * ROUTES_MOST; step++) {
        bool grows = step < ROUTES_MOST;
        unsigned i = grows ? step : 2 * ROUTES_MOST - 1 - step;
        struct lpm_change change = change_of(place, i, grows);

        cr_assert_eq(lpm_update(base, &change, 1), 0);
        compare(base, place, grows ? i + 1 : i);
        compare(derived, place, grows ? i + 1 : i);
        forms |= forms_under(lpm->memory.window, lpm_fib_layer(base)->table->root);
        cr_assert(step % 16 || lpm_validate(lpm));
        lpm_rcu_quiescent();
    }
    cr_expect_eq(forms, 1u << LPM_BUCKET_SHORT | 1u << LPM_BUCKET_BROAD | 1u << LPM_BUCKET_TALL |
                            1u << LPM_BUCKET_GREAT);
    lpm_release(derived);
    lpm_release(base);
    lpm_rcu_barrier();
    lpm_bytes(lpm, &bytes);
    cr_assert_eq(bytes.lookup + bytes.writer + bytes.deferred, 0);
    lpm_destroy(lpm);
    lpm_rcu_unregister_thread();
}

Test(bucket, holds_every_number_of_host_routes)
{
    grow_and_shrink(&(struct place){LPM_IPV4, (lpm_key)0x0a010000u << 96, 32});
}

/* The top of the address space: the last key of all is the highest there is. */
Test(bucket, ends_with_the_last_address)
{
    grow_and_shrink(
        &(struct place){LPM_IPV4, (lpm_key)(UINT32_MAX - 2 * ROUTES_MOST + 1) << 96, 32});
}

Test(bucket, holds_every_number_of_subnets)
{
    grow_and_shrink(&(struct place){LPM_IPV6, (lpm_key)0xfd00000100020000u << 64, 64});
}

/* Across the halves of an address, and at its end. */
Test(bucket, holds_long_routes)
{
    grow_and_shrink(&(struct place){LPM_IPV6, (lpm_key)0xfd00000100020003u << 64, 80});
    grow_and_shrink(&(struct place){LPM_IPV6, (lpm_key)0xfd00000100020003u << 64, 128});
}

/* Long routes far below short ones: a place may have few routes and one that is too long for keys. */
Test(bucket, leaves_out_what_is_too_long)
{
    static const char *const prefixes[] = {"2001::/16",           "2001:db8::/32",
                                           "2001:db8::/33",       "2001:db8:0:1::/64",
                                           "2001:db8:0:1::7/128", "2001:db8:ffff::/48"};
    struct lpm *lpm = lpm_create();
    struct lpm_fib *base;
    struct lpm_address address;

    lpm_rcu_register_thread();
    cr_assert_eq(lpm_base_create(lpm, LPM_IPV6, NULL, 0, &base), 0);
    for (unsigned i = 0; i < 6; i++) {
        struct lpm_change change = {.kind = LPM_SET, .leaf = i + 1};

        cr_assert_eq(lpm_prefix_parse(prefixes[i], &change.prefix), 0);
        cr_assert_eq(lpm_update(base, &change, 1), 0);
        cr_assert(lpm_validate(lpm));
    }
    for (unsigned i = 0; i < 6; i++) {
        struct lpm_prefix prefix;
        uint32_t leaf;

        cr_assert_eq(lpm_prefix_parse(prefixes[i], &prefix), 0);
        address = (struct lpm_address){.family = LPM_IPV6};
        memcpy(address.bytes, prefix.bytes, 16);
        leaf = lpm_lookup(base, &address);
        cr_assert_eq(leaf, i == 0 || i > 2 ? i + 1 : 3, "%s: %u", prefixes[i], leaf);
    }
    lpm_release(base);
    lpm_destroy(lpm);
    lpm_rcu_unregister_thread();
}

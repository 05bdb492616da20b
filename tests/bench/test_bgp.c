/*
 * What the load generator sends is what a receiver counts, and nothing else is.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bench/synthetic.h"
#include "bench/tally.h"
#include "engine/bgp/attributes.h"
#include "tests/bench/support.h"

#define ASN     4200000001u
#define ADDRESS 0x0a634001u

static struct bench_load load_of(size_t n, enum bench_sharing sharing)
{
    struct bench_table table;
    struct bench_load load;

    cr_assert_eq(bench_synthetic_table(LPM_IPV4, n, &table), 0);
    cr_assert_eq(bench_load_make(&table, 0, sharing, &load), 0);
    bench_table_free(&table);
    return load;
}

static size_t length_at(const struct bench_stream *stream, size_t at)
{
    return (size_t)stream->bytes[at + 16] << 8 | stream->bytes[at + 17];
}

/* Gives the whole stream to the tally; returns the number of messages. */
static size_t feed(struct bench_tally *tally, const struct bench_stream *stream)
{
    size_t messages = 0;

    for (size_t at = 0; at < stream->size; at += length_at(stream, at), messages++)
        bench_tally_update(tally, stream->bytes + at, length_at(stream, at));
    return messages;
}

static void expect_whole(enum bench_sharing sharing, unsigned per_update, size_t messages_min,
                         size_t messages_max)
{
    struct bench_load load = load_of(4000, sharing);
    struct bench_memo *memo = bench_memo_create();
    struct bench_tally *tally = bench_tally_create(&load, memo);
    struct bench_stream stream;
    size_t messages;

    cr_assert_eq(bench_stream_make(&load, 3, ASN, ADDRESS, per_update, &stream), 0);
    messages = feed(tally, &stream);
    cr_assert_eq(tally->held, load.n);
    cr_assert_eq(tally->fresh, load.n);
    cr_assert_eq(tally->sentinels, 1);
    cr_assert_eq(tally->sentinel_bits, UINT64_C(1) << 3);
    cr_assert_eq(tally->wrong, 0);
    cr_assert(messages >= messages_min && messages <= messages_max, "%zu messages", messages);
    bench_stream_free(&stream);
    bench_tally_destroy(tally);
    bench_memo_destroy(memo);
    bench_load_free(&load);
}

Test(bgp_load, of_five_a_set_makes_a_message_of_each_five)
{
    expect_whole(BENCH_SHARE_FIVE, UINT32_MAX, 801, 801);
}

Test(bgp_load, of_one_set_fills_messages_up_to_the_limit)
{
    expect_whole(BENCH_SHARE_ALL, 800, 6, 6);
}

Test(bgp_load, with_real_sharing_has_some_popular_sets)
{
    expect_whole(BENCH_SHARE_REAL, UINT32_MAX, 100, 3500);
}

Test(bgp_load, finds_its_prefixes_and_no_others)
{
    struct bench_load load = load_of(500, BENCH_SHARE_FIVE);
    struct lpm_prefix other = bench_sentinel(0);

    for (uint32_t i = 0; i < load.n; i++)
        cr_assert_eq(bench_load_find(&load, &load.prefixes[i]), i);
    cr_assert_eq(bench_load_find(&load, &other), BENCH_STREAM_NONE);
    cr_assert_eq(bench_sentinel_of(&other), 0);
    cr_assert_eq(bench_sentinel_of(&load.prefixes[0]), -1);
    bench_load_free(&load);
}

Test(bgp_load, leaves_out_what_a_speaker_may_not_hold)
{
    struct bench_table table = table_of("127.0.0.0/8\n169.254.7.0/24\n192.0.2.0/24\n224.1.0.0/16\n"
                                        "198.18.0.4/32\n");
    struct bench_load load;

    cr_assert_eq(bench_load_make(&table, 0, BENCH_SHARE_FIVE, &load), 0);
    cr_assert_eq(load.n, 1);
    cr_assert(lpm_prefix_equal(&load.prefixes[0], &table.routes[2].prefix));
    bench_load_free(&load);
    bench_table_free(&table);
}

/* The AS_PATH length of the first announcement of a stream. */
static unsigned path_length(const struct bench_stream *stream)
{
    const struct bgp_update_context context = {.four_octet_as = true, .families = 1};
    struct bgp_attribute_table *table = bgp_attribute_table_create();
    struct bgp_update_reader *reader = bgp_update_reader_create();
    const struct bgp_attributes *attributes;
    struct bgp_update update;
    unsigned length;

    cr_assert_eq(bgp_update_decode(reader, &context, stream->bytes, length_at(stream, 0), &update),
                 BGP_UPDATE_FINE);
    cr_assert_eq(bgp_update_attributes(reader, false, table, &attributes), 0);
    length = attributes->as_path_length;
    bgp_attributes_release(table, attributes);
    bgp_update_reader_destroy(reader);
    bgp_attribute_table_destroy(table);
    return length;
}

Test(bgp_load, of_two_senders_differs_but_for_the_length_of_its_paths)
{
    struct bench_load load = load_of(100, BENCH_SHARE_FIVE);
    struct bench_stream first, second;

    cr_assert_eq(bench_stream_make(&load, 0, ASN, ADDRESS, 800, &first), 0);
    cr_assert_eq(bench_stream_make(&load, 1, ASN + 1, ADDRESS + 1, 800, &second), 0);
    cr_assert_eq(first.size, second.size);
    cr_assert_neq(memcmp(first.bytes, second.bytes, first.size), 0);
    cr_assert_eq(path_length(&first), path_length(&second));
    bench_stream_free(&first);
    bench_stream_free(&second);
    bench_load_free(&load);
}

/* Writes the withdrawal of one prefix; returns its length. */
static size_t withdraw(const struct lpm_prefix *prefix, uint8_t bytes[BGP_MESSAGE_MAX])
{
    const struct bgp_encoding encoding = {.four_octet_as = true, .message_max = BGP_MESSAGE_MAX};
    struct bgp_update_writer writer;

    cr_assert(bgp_withdraw_begin(&writer, &encoding, BGP_IPV4_UNICAST, bytes, BGP_MESSAGE_MAX));
    cr_assert(bgp_update_add(&writer, prefix));
    return bgp_update_end(&writer);
}

Test(bgp_tally, counts_withdrawals_strangers_and_what_is_malformed)
{
    struct bench_load load = load_of(50, BENCH_SHARE_ALL);
    struct bench_memo *memo = bench_memo_create();
    struct bench_tally *tally = bench_tally_create(&load, memo);
    const struct lpm_prefix stranger = {LPM_IPV4, 24, {203, 0, 113}};
    struct bench_stream stream;
    uint8_t bytes[BGP_MESSAGE_MAX];

    cr_assert_eq(bench_stream_make(&load, 0, ASN, ADDRESS, 800, &stream), 0);
    feed(tally, &stream);
    bench_tally_forget_fresh(tally);
    cr_assert_eq(tally->fresh, 0);
    for (unsigned twice = 0; twice < 2; twice++)
        bench_tally_update(tally, bytes, withdraw(&load.prefixes[7], bytes));
    cr_assert_eq(tally->held, load.n - 1);
    cr_assert_eq(tally->wrong, 0);
    bench_tally_update(tally, bytes, withdraw(&stranger, bytes));
    cr_assert_eq(tally->wrong, 1);
    stream.bytes[BGP_HEADER_SIZE] = 0xff; /* withdrawn routes beyond the message */
    bench_tally_update(tally, stream.bytes, length_at(&stream, 0));
    cr_assert_eq(tally->wrong, 2);
    bench_stream_free(&stream);
    bench_tally_destroy(tally);
    bench_memo_destroy(memo);
    bench_load_free(&load);
}

/* A second receiver of the same stream reads from what the first has left, and counts alike. */
Test(bgp_tally, counts_what_another_has_read)
{
    struct bench_load load = load_of(3000, BENCH_SHARE_FIVE);
    struct bench_memo *memo = bench_memo_create();
    struct bench_tally *first = bench_tally_create(&load, memo);
    struct bench_tally *second = bench_tally_create(&load, memo);
    struct bench_stream stream;
    uint8_t bytes[BGP_MESSAGE_MAX];
    size_t n = withdraw(&load.prefixes[9], bytes);

    cr_assert_eq(bench_stream_make(&load, 0, ASN, ADDRESS, 800, &stream), 0);
    for (unsigned round = 0; round < 2; round++) {
        feed(first, &stream);
        feed(second, &stream);
        bench_tally_update(first, bytes, n);
        bench_tally_update(second, bytes, n);
        cr_assert_eq(first->held, load.n - 1);
        cr_assert_eq(second->held, load.n - 1);
        cr_assert_eq(second->fresh, load.n);
        cr_assert_eq(second->sentinels, 1);
        cr_assert_eq(memcmp(first->held_bits, second->held_bits, load.n / 64 * 8), 0);
        cr_assert_eq(first->wrong + second->wrong, 0);
    }
    bench_stream_free(&stream);
    bench_tally_destroy(first);
    bench_tally_destroy(second);
    bench_memo_destroy(memo);
    bench_load_free(&load);
}

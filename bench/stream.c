/*
 * Loads and streams for the route servers that are measured.
 */
#include "bench/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/random.h"
#include "engine/bgp/attributes.h"
#include "engine/bgp/message.h"

#define ORDER_SEED 1771
#define SET_SEED   90210

/* Sets of a full table with real sharing; the popular ones have most of the prefixes. */
#define POPULAR_SETS 60000u

/* Sentinels are host routes in the range for measuring networks (RFC 2544), one a sender. */
#define SENTINEL_BASE 0xc6120000u

/* --- Load ------------------------------------------------------------------------------------- */

static uint32_t high32(const struct lpm_prefix *prefix)
{
    return (uint32_t)prefix->bytes[0] << 24 | (uint32_t)prefix->bytes[1] << 16 |
           (uint32_t)prefix->bytes[2] << 8 | prefix->bytes[3];
}

static uint32_t slot_of(const struct bench_load *load, const struct lpm_prefix *prefix)
{
    return (uint32_t)bench_mix((uint64_t)high32(prefix) << 8 | prefix->length) & load->mask;
}

uint32_t bench_load_find(const struct bench_load *load, const struct lpm_prefix *prefix)
{
    for (uint32_t at = slot_of(load, prefix); load->slots[at] != 0; at = (at + 1) & load->mask)
        if (lpm_prefix_equal(&load->prefixes[load->slots[at] - 1], prefix))
            return load->slots[at] - 1;
    return BENCH_STREAM_NONE;
}

static int index_load(struct bench_load *load)
{
    size_t slots = 16;

    while (slots < 2 * load->n)
        slots *= 2;
    load->slots = calloc(slots, sizeof(*load->slots));
    if (!load->slots)
        return -ENOMEM;
    load->mask = (uint32_t)slots - 1;
    for (size_t i = 0; i < load->n; i++) {
        uint32_t at = slot_of(load, &load->prefixes[i]);

        while (load->slots[at] != 0)
            at = (at + 1) & load->mask;
        load->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

/* Speakers refuse routes to loopback and link-local addresses, and only they would not hold them. */
static bool is_routable(const struct lpm_prefix *prefix)
{
    uint32_t high = high32(prefix);

    return high >> 24 != 0 && high >> 24 != 127 && high >> 24 < 224 && high >> 16 != 0xa9fe &&
           bench_sentinel_of(prefix) < 0;
}

static void shuffle(struct lpm_prefix *prefixes, size_t n)
{
    struct bench_random random = {ORDER_SEED};

    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)bench_random_below(&random, i);
        struct lpm_prefix taken = prefixes[i - 1];

        prefixes[i - 1] = prefixes[j];
        prefixes[j] = taken;
    }
}

/* Seven of ten prefixes have the set of their /18, as neighbours mostly come from one origin by one
 * way; the others have one of the popular sets. */
static uint32_t real_set(const struct lpm_prefix *prefix)
{
    uint64_t bits = bench_mix((uint64_t)high32(prefix) << 8 | prefix->length);
    uint64_t block = bench_mix(high32(prefix) >> 14);

    return (uint32_t)bench_zipf(bits % 10 < 7 ? block : bench_mix(bits), POPULAR_SETS);
}

static uint32_t set_of(enum bench_sharing sharing, size_t i, const struct lpm_prefix *prefix)
{
    switch (sharing) {
    case BENCH_SHARE_FIVE:
        return (uint32_t)(i / 5);
    case BENCH_SHARE_REAL:
        return real_set(prefix);
    case BENCH_SHARE_ALL:
        break;
    }
    return 0;
}

static int compare_by_set(const void *a, const void *b)
{
    uint32_t left = real_set(a), right = real_set(b);

    return left != right ? (left > right) - (left < right) : lpm_prefix_compare(a, b);
}

static size_t take_prefixes(const struct bench_table *table, size_t n, struct lpm_prefix *prefixes)
{
    size_t taken = 0;

    for (size_t i = 0; i < table->n; i++)
        if (is_routable(&table->routes[i].prefix))
            prefixes[taken++] = table->routes[i].prefix;
    shuffle(prefixes, taken);
    return n > 0 && n < taken ? n : taken;
}

int bench_load_make(const struct bench_table *table, size_t n, enum bench_sharing sharing,
                    struct bench_load *load)
{
    int result = 0;

    *load = (struct bench_load){.prefixes = calloc(table->n + 1, sizeof(*load->prefixes)),
                                .sets = calloc(table->n + 1, sizeof(*load->sets))};
    if (load->prefixes && load->sets) {
        load->n = take_prefixes(table, n, load->prefixes);
        if (sharing == BENCH_SHARE_REAL)
            qsort(load->prefixes, load->n, sizeof(*load->prefixes), compare_by_set);
        for (size_t i = 0; i < load->n; i++)
            load->sets[i] = set_of(sharing, i, &load->prefixes[i]);
        result = index_load(load);
    } else {
        result = -ENOMEM;
    }
    if (result < 0)
        bench_load_free(load);
    return result;
}

void bench_load_free(struct bench_load *load)
{
    free(load->prefixes);
    free(load->sets);
    free(load->slots);
    *load = (struct bench_load){0};
}

struct lpm_prefix bench_sentinel(unsigned i)
{
    uint32_t address = SENTINEL_BASE + i;

    return (struct lpm_prefix){.family = LPM_IPV4,
                               .length = 32,
                               .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                                         (uint8_t)(address >> 8), (uint8_t)address}};
}

int bench_sentinel_of(const struct lpm_prefix *prefix)
{
    uint32_t high = high32(prefix);

    return prefix->length == 32 && high >> 16 == SENTINEL_BASE >> 16 ? (int)(high & 0xffff) : -1;
}

/* --- Stream ----------------------------------------------------------------------------------- */

struct writer {
    struct bench_stream *stream;
    size_t capacity;
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
    uint32_t asn;
    struct lpm_address next_hop;
};

static int writer_open(struct writer *writer, uint32_t asn, uint32_t address,
                       struct bench_stream *stream)
{
    *stream = (struct bench_stream){0};
    *writer = (struct writer){
        .stream = stream,
        .table = bgp_attribute_table_create(),
        .builder = bgp_builder_create(),
        .asn = asn,
        .next_hop = {.family = LPM_IPV4,
                     .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                               (uint8_t)(address >> 8), (uint8_t)address}},
    };
    return writer->table && writer->builder ? 0 : -ENOMEM;
}

static void writer_close(struct writer *writer)
{
    if (writer->builder)
        bgp_builder_destroy(writer->builder);
    if (writer->table)
        bgp_attribute_table_destroy(writer->table);
}

/* The attributes of set number `set`: three to six ASes behind the sender's own, up to three
 * communities. How long the path is depends on the set alone, so all senders offer equals. */
static int make_set(struct writer *writer, uint32_t set, const struct bgp_attributes **attributes)
{
    struct bench_random random = {SET_SEED + (uint64_t)set};
    uint32_t path[8];
    unsigned length = 3 + (unsigned)bench_random_below(&random, 4);
    unsigned communities = (unsigned)bench_random_below(&random, 4);

    path[0] = writer->asn;
    for (unsigned i = 1; i <= length; i++)
        path[i] = 1 + (uint32_t)bench_random_below(&random, i < length ? 4000 : 64000);
    bgp_builder_originate(writer->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(writer->builder, path, length + 1);
    bgp_builder_set_next_hop(writer->builder, &writer->next_hop);
    for (unsigned i = 0; i < communities; i++) {
        struct bgp_community community = {.kind = BGP_COMMUNITY,
                                          .standard = path[1] << 16 |
                                                      (uint32_t)bench_random_below(&random, 5000)};

        bgp_builder_add_community(writer->builder, &community);
    }
    /* The set's own number: no two sets are equal by chance. */
    struct bgp_community number = {.kind = BGP_COMMUNITY,
                                   .standard = 60000u << 16 | (set & 0xffff)};
    bgp_builder_add_community(writer->builder, &number);
    number.standard = 60001u << 16 | set >> 16;
    bgp_builder_add_community(writer->builder, &number);
    return bgp_builder_intern(writer->builder, writer->table, attributes);
}

static int make_room(struct writer *writer)
{
    struct bench_stream *stream = writer->stream;
    uint8_t *bytes;

    if (writer->capacity - stream->size >= BGP_MESSAGE_MAX)
        return 0;
    writer->capacity = 2 * writer->capacity + 16 * BGP_MESSAGE_MAX;
    bytes = realloc(stream->bytes, writer->capacity);
    if (!bytes)
        return -ENOMEM;
    stream->bytes = bytes;
    return 0;
}

/* One UPDATE with as many of the n prefixes as go in; returns how many, or -errno. */
static int write_update(struct writer *writer, const struct bgp_attributes *attributes,
                        const struct lpm_prefix *prefixes, size_t n)
{
    const struct bgp_encoding encoding = {.four_octet_as = true, .message_max = BGP_MESSAGE_MAX};
    struct bgp_update_writer update;
    int added = 0;
    int result = make_room(writer);

    if (result < 0)
        return result;
    if (!bgp_update_begin(&update, &encoding, BGP_IPV4_UNICAST, attributes, NULL,
                          writer->stream->bytes + writer->stream->size, BGP_MESSAGE_MAX))
        return -EMSGSIZE;
    while ((size_t)added < n && bgp_update_add(&update, &prefixes[added]))
        added++;
    writer->stream->size += bgp_update_end(&update);
    return added;
}

/* n prefixes of one set. */
static int write_set(struct writer *writer, uint32_t set, const struct lpm_prefix *prefixes,
                     size_t n, unsigned per_update)
{
    const struct bgp_attributes *attributes;
    int result = make_set(writer, set, &attributes);

    if (result < 0)
        return result;
    for (size_t done = 0; done < n && result >= 0; done += (size_t)result)
        result = write_update(writer, attributes, prefixes + done,
                              n - done < per_update ? n - done : per_update);
    bgp_attributes_release(writer->table, attributes);
    return result < 0 ? result : 0;
}

static int write_load(struct writer *writer, const struct bench_load *load, unsigned per_update)
{
    int result = 0;

    for (size_t i = 0, n; i < load->n && result == 0; i += n) {
        for (n = 1; i + n < load->n && load->sets[i + n] == load->sets[i];)
            n++;
        result = write_set(writer, load->sets[i], &load->prefixes[i], n, per_update);
    }
    return result;
}

int bench_stream_make(const struct bench_load *load, unsigned sender, uint32_t asn,
                      uint32_t address, unsigned per_update, struct bench_stream *stream)
{
    struct lpm_prefix sentinel = bench_sentinel(sender);
    struct writer writer;
    int result = writer_open(&writer, asn, address, stream);

    if (result == 0)
        result = write_load(&writer, load, per_update);
    if (result == 0)
        result = write_set(&writer, 0, &sentinel, 1, 1);
    writer_close(&writer);
    if (result < 0)
        bench_stream_free(stream);
    return result;
}

void bench_stream_free(struct bench_stream *stream)
{
    free(stream->bytes);
    *stream = (struct bench_stream){0};
}

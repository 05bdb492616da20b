/*
 * libFuzzer: every message kind by itself. The first byte says which decoder and which negotiated
 * options; the rest is the body. What decodes is encoded again and must come out the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bgp_attribute_table *table;
static struct bgp_update_reader *reader;
static struct bgp_attribute_builder *builder;

static void prepare(void)
{
    if (table == NULL) {
        table = bgp_attribute_table_create();
        reader = bgp_update_reader_create();
        builder = bgp_builder_create();
    }
}

static void fuzz_open(const uint8_t *bytes, size_t n)
{
    struct bgp_open open, back;
    struct bgp_error error;
    uint8_t again[256];
    if (bgp_open_decode(bytes, n, &open, &error)) {
        size_t length = bgp_open_encode(&open, again, sizeof again);
        assert(length > 0 && bgp_open_decode(again, length, &back, &error));
        assert(back.asn == open.asn || !open.four_octet_as);
        assert(back.identifier == open.identifier && back.hold_time_s == open.hold_time_s);
        assert(back.role == open.role && back.extended_next_hop == open.extended_next_hop);
        assert(back.add_path.receive == open.add_path.receive);
    }
}

static void fuzz_notification(const uint8_t *bytes, size_t n)
{
    struct bgp_error error;
    char text[BGP_ERROR_TEXT];
    uint8_t again[512];
    bgp_notification_decode(bytes, n, &error);
    assert(strlen(bgp_error_format(&error, text)) < BGP_ERROR_TEXT);
    assert(bgp_notification_encode(&error, again, sizeof again) > 0);
}

static void read_all(struct bgp_nlri nlri)
{
    struct lpm_prefix prefix;
    while (bgp_nlri_next(&nlri, &prefix)) {
        assert(prefix.length <= bgp_family_info(nlri.family)->length_max);
    }
}

/* A set, written and read again by a peer of the same kind, is the same set. */
static void check_again(const struct bgp_update_context *context, const struct bgp_attributes *set,
                        enum bgp_family family)
{
    static uint8_t bytes[BGP_EXTENDED_MESSAGE_MAX];
    struct bgp_encoding encoding = {context->four_octet_as, sizeof bytes, context->add_path};
    struct bgp_export export = {.internal = context->internal, .keep_med = true};
    struct bgp_update_writer writer;
    struct bgp_update update;
    struct lpm_prefix prefix = {.family = bgp_family_info(family)->lpm_family};
    const struct bgp_attributes *sent, *back;
    bgp_builder_load(builder, set);
    bgp_builder_export(builder, &export);
    if (bgp_builder_intern(builder, table, &sent) != 0) {
        return;
    }
    if (bgp_update_begin(&writer, &encoding, family, set, &export, bytes, sizeof bytes)) {
        bool added = bgp_update_add(&writer, &prefix);
        assert(added);
        size_t n = bgp_update_end(&writer);
        enum bgp_update_outcome outcome = bgp_update_decode(reader, context, bytes, n, &update);
        assert(outcome == BGP_UPDATE_FINE);
        int error = bgp_update_attributes(reader, update.announced.at == update.announced.end,
                                          table, &back);
        assert(error == 0 && back == sent);
        bgp_attributes_release(table, back);
    }
    bgp_attributes_release(table, sent);
}

static void fuzz_update(uint8_t options, const uint8_t *bytes, size_t n)
{
    struct bgp_update_context context = {
        .four_octet_as = options & 0x10,
        .internal = options & 0x20,
        .accept_as_set = options & 0x40,
        .families = options & 0x80 ? BGP_FAMILIES_ALL : BGP_FAMILY_BIT(BGP_IPV4_UNICAST),
        .add_path = options & 0x08 ? BGP_FAMILIES_ALL : 0,
        .extended_next_hop = options & 0x08,
    };
    struct bgp_update update;
    const struct bgp_attributes *sets[2] = {NULL, NULL};
    enum bgp_update_outcome outcome = bgp_update_decode(reader, &context, bytes, n, &update);
    if (outcome == BGP_UPDATE_RESET) {
        assert(update.error.code == BGP_ERROR_UPDATE);
        return;
    }
    const struct bgp_nlri *fields[] = {&update.announced, &update.mp_announced, &update.withdrawn,
                                       &update.mp_withdrawn};
    for (unsigned i = 0; i < 4; i++) {
        read_all(*fields[i]);
    }
    /* Both sets first: writing one again uses the same reader. */
    for (unsigned i = 0; i < 2 && outcome == BGP_UPDATE_FINE; i++) {
        if (fields[i]->at != fields[i]->end &&
            bgp_update_attributes(reader, i == 1, table, &sets[i]) != 0) {
            sets[i] = NULL;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (sets[i] != NULL) {
            enum bgp_family family = i == 0 ? BGP_IPV4_UNICAST : update.mp_announced.family;
            check_again(&context, sets[i], family);
            bgp_attributes_release(table, sets[i]);
        }
    }
    assert(bgp_attribute_table_count(table) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bgp_header header;
    struct bgp_refresh refresh;
    struct bgp_error error;
    size_t n = size - 1 + BGP_HEADER_SIZE;
    if (size == 0 || n > BGP_EXTENDED_MESSAGE_MAX) {
        return 0;
    }
    prepare();
    uint8_t *bytes = malloc(n);
    memset(bytes, 0xff, 16);
    bytes[16] = (uint8_t)(n >> 8);
    bytes[17] = (uint8_t)n;
    bytes[18] = data[0] & 7;
    memcpy(bytes + BGP_HEADER_SIZE, data + 1, size - 1);
    if (bgp_header_decode(bytes, BGP_EXTENDED_MESSAGE_MAX, &header, &error)) {
        switch (header.type) {
        case BGP_OPEN:
            fuzz_open(bytes, n);
            break;
        case BGP_UPDATE:
            fuzz_update(data[0], bytes, n);
            break;
        case BGP_NOTIFICATION:
            fuzz_notification(bytes, n);
            break;
        case BGP_ROUTE_REFRESH:
            bgp_refresh_decode(bytes, n, &refresh, &error);
            break;
        default:
            break;
        }
    }
    free(bytes);
    return 0;
}

/*
 * AS_PATH values: checked, walked, edited, merged, and written as text.
 *
 *     value := segment*          segment := type(1) count(1) AS*count
 *
 * A set holds its path with 4-octet AS numbers; a 2-octet peer's messages have 2-octet ones. Every
 * function here takes the width from the view, and trusts the value to be well-formed but for
 * as_path_check(), which is what makes it so.
 */
#include "engine/bgp/attribute_private.h"

#include <ctype.h>
#include <stdio.h>

#include "engine/bgp/message.h"

#define SEGMENT_MAX 255u /* AS numbers of one segment */

static uint32_t as_get(const uint8_t *at, unsigned width)
{
    return width == 4 ? bytes_get32(at) : bytes_get16(at);
}

/* AS_TRANS is what RFC 6793 has a 2-octet speaker read where the AS does not fit; the true number
 * goes beside it in AS4_PATH. */
static void as_put(uint8_t *at, unsigned width, uint32_t asn)
{
    if (width == 4) {
        bytes_put32(at, asn);
    } else {
        bytes_put16(at, asn > UINT16_MAX ? BGP_AS_TRANS : asn);
    }
}

static struct as_path_view as_path_of(const struct bgp_attributes *attributes)
{
    return (struct as_path_view){attributes->bytes + attributes->as_path.offset,
                                 attributes->as_path.length, 4};
}

/* --- Checks ----------------------------------------------------------------------------------- */

/* RFC 7607: AS 0 is reserved for "nobody" and must not be propagated. */
static bool segment_check(const uint8_t *asns, unsigned count, unsigned width)
{
    for (unsigned i = 0; i < count; i++) {
        if (as_get(asns + (size_t)i * width, width) == 0) {
            return false; /* RFC 7607 */
        }
    }
    return true;
}

/* The one function here that reads a value nobody has checked yet: each step asks for its bytes
 * first. Confederations are not supported, and their segments must not leave one (RFC 5065
 * section 5), so to us they are as wrong as an unknown type. */
bool as_path_check(const struct as_path_view *path)
{
    struct bytes_reader reader = bytes_reader(path->bytes, path->size);
    uint8_t type, count;
    while (bytes_take8(&reader, &type)) {
        if (type != BGP_AS_SET && type != BGP_AS_SEQUENCE) {
            return false; /* unknown, or of a confederation (RFC 5065 section 5) */
        }
        if (!bytes_take8(&reader, &count) || count == 0) {
            return false;
        }
        const uint8_t *asns = bytes_take(&reader, (size_t)count * path->width);
        if (asns == NULL || !segment_check(asns, count, path->width)) {
            return false;
        }
    }
    return true;
}

/* Sets are asked for apart from the check, because whether they are an error is a matter of
 * configuration (RFC 9774 deprecates them; old routes still have them). */
bool as_path_has_set(const struct as_path_view *path)
{
    for (const uint8_t *at = path->bytes, *end = at + path->size; at < end;
         at += 2 + (size_t)at[1] * path->width) {
        if (at[0] == BGP_AS_SET) {
            return true;
        }
    }
    return false;
}

/* Confederation segments would count nothing; none get here. */
unsigned as_path_length(const struct as_path_view *path)
{
    unsigned length = 0;
    for (const uint8_t *at = path->bytes, *end = at + path->size; at < end;
         at += 2 + (size_t)at[1] * path->width) {
        if (at[0] == BGP_AS_SEQUENCE) {
            length += at[1];
        } else if (at[0] == BGP_AS_SET) {
            length++;
        }
    }
    return length;
}

bool as_path_needs_four_octets(const struct as_path_view *path)
{
    for (const uint8_t *at = path->bytes, *end = at + path->size; at < end;
         at += 2 + (size_t)at[1] * path->width) {
        for (unsigned i = 0; i < at[1]; i++) {
            if (as_get(at + 2 + (size_t)i * path->width, path->width) > UINT16_MAX) {
                return true;
            }
        }
    }
    return false;
}

/* --- Edits ------------------------------------------------------------------------------------ */

/* How many of the prepended AS numbers the leading segment takes in; the rest need their own. */
static unsigned prepend_joins(const struct as_path_view *path, unsigned count)
{
    if (path->size == 0 || path->bytes[0] != BGP_AS_SEQUENCE) {
        return 0;
    }
    unsigned room = SEGMENT_MAX - path->bytes[1];
    return count < room ? count : room;
}

/* Size and edit are two passes, so that the encoder can check its room once, before it writes. */
size_t as_path_edited_size(const struct as_path_view *path, const struct as_path_edit *edit)
{
    unsigned apart = edit->prepend_count - prepend_joins(path, edit->prepend_count);
    size_t size = 2 * (size_t)((apart + SEGMENT_MAX - 1) / SEGMENT_MAX) +
                  (size_t)edit->prepend_count * edit->width;
    for (const uint8_t *at = path->bytes, *end = at + path->size; at < end;
         at += 2 + (size_t)at[1] * path->width) {
        size += 2 + (size_t)at[1] * edit->width;
    }
    return size;
}

static uint8_t *put_repeated(uint8_t *out, uint32_t asn, unsigned count, unsigned width)
{
    for (unsigned i = 0; i < count; i++) {
        as_put(out, width, asn);
        out += width;
    }
    return out;
}

/* Whole segments of the prepended AS; the foremost is the one that is not full. */
static uint8_t *put_prepended(uint8_t *out, const struct as_path_edit *edit, unsigned count)
{
    while (count > 0) {
        unsigned part = count % SEGMENT_MAX == 0 ? SEGMENT_MAX : count % SEGMENT_MAX;
        *out++ = BGP_AS_SEQUENCE;
        *out++ = (uint8_t)part;
        out = put_repeated(out, edit->prepend_asn, part, edit->width);
        count -= part;
    }
    return out;
}

/* One pass does all that a route server may do to a path, so that encoding needs no copy between
 * steps. The replacement comes before the prepend: as-override must not touch the AS that is put
 * in front. */
size_t as_path_edit(const struct as_path_view *path, const struct as_path_edit *edit, uint8_t *out)
{
    uint8_t *start = out;
    unsigned joins = prepend_joins(path, edit->prepend_count);
    out = put_prepended(out, edit, edit->prepend_count - joins);
    for (const uint8_t *at = path->bytes, *end = at + path->size; at < end;) {
        unsigned count = at[1];
        *out++ = at[0];
        *out++ = (uint8_t)(count + joins);
        out = put_repeated(out, edit->prepend_asn, joins, edit->width);
        joins = 0;
        at += 2;
        for (unsigned i = 0; i < count; i++) {
            uint32_t asn = as_get(at, path->width);
            bool replaced = edit->replace_from != 0 && asn == edit->replace_from;
            as_put(out, edit->width, replaced ? edit->replace_to : asn);
            at += path->width;
            out += edit->width;
        }
    }
    return (size_t)(out - start);
}

/* Copies the first length ASes (a set counts as one) of a path, widened; out has the room. */
static size_t as_path_copy_head(const struct as_path_view *path, unsigned length, uint8_t *out)
{
    const uint8_t *at = path->bytes;
    uint8_t *start = out;
    while (length > 0) {
        unsigned count = at[1], take = count, counts = 1;
        if (at[0] == BGP_AS_SEQUENCE) {
            take = count < length ? count : length;
            counts = take;
        }
        out[0] = at[0];
        out[1] = (uint8_t)take;
        out += 2;
        for (unsigned i = 0; i < take; i++) {
            as_put(out, 4, as_get(at + 2 + (size_t)i * path->width, path->width));
            out += 4;
        }
        at += 2 + (size_t)count * path->width;
        length -= counts;
    }
    return (size_t)(out - start);
}

/* Two sequences that meet become one, so that a merged path equals the path that was sent. */
static void join_sequences(struct bytes_buffer *out, size_t last, size_t second)
{
    uint8_t *bytes = out->bytes;
    if (second >= out->size || bytes[last] != BGP_AS_SEQUENCE || bytes[second] != BGP_AS_SEQUENCE ||
        bytes[last + 1] + bytes[second + 1] > 255) {
        return;
    }
    bytes[last + 1] = (uint8_t)(bytes[last + 1] + bytes[second + 1]);
    memmove(bytes + second, bytes + second + 2, out->size - second - 2);
    out->size -= 2;
}

/* The shorter of the two says what happened. A 2-octet speaker on the way prepended to AS_PATH
 * and passed AS4_PATH on untouched, so what AS_PATH has more is newer and goes in front. An
 * AS4_PATH that is longer than AS_PATH was left behind by a speaker that shortened the path, and
 * must not bring removed ASes back. */
int as_path_merge(const struct as_path_view *path, const struct as_path_view *as4_path,
                  struct bytes_buffer *out)
{
    unsigned total = as_path_length(path), known = as_path_length(as4_path);
    bool use = known > 0 && known <= total;
    unsigned head = use ? total - known : total;
    int error = bytes_buffer_reserve(out, path->size * 2 + as4_path->size);
    if (error != 0) {
        return error;
    }
    size_t start = out->size;
    out->size += as_path_copy_head(path, head, out->bytes + start);
    size_t second = out->size;
    if (use) {
        memcpy(out->bytes + second, as4_path->bytes, as4_path->size);
        out->size += as4_path->size;
    }
    size_t last = start;
    while (last < second && last + 2 + (size_t)out->bytes[last + 1] * 4 < second) {
        last += 2 + (size_t)out->bytes[last + 1] * 4;
    }
    if (second > start) {
        join_sequences(out, last, second);
    }
    return 0;
}

/* --- Walks ------------------------------------------------------------------------------------ */

struct bgp_as_path_cursor bgp_as_path_begin(const struct bgp_attributes *attributes)
{
    struct as_path_view path = as_path_of(attributes);
    return (struct bgp_as_path_cursor){.at = path.bytes, .end = path.bytes + path.size};
}

/* The value was checked or built by us, so a segment always has at least one AS: no loop is
 * needed to pass over empty ones. */
bool bgp_as_path_next(struct bgp_as_path_cursor *cursor, uint32_t *asn)
{
    cursor->starts = cursor->left == 0;
    if (cursor->left == 0) {
        if (cursor->at == cursor->end) {
            return false;
        }
        cursor->segment = cursor->at[0];
        cursor->left = cursor->at[1];
        cursor->at += 2;
    }
    *asn = bytes_get32(cursor->at);
    cursor->at += 4;
    cursor->left--;
    return true;
}

bool bgp_as_is_private(uint32_t asn)
{
    return (asn >= 64512 && asn <= 65534) || (asn >= 4200000000u && asn <= 4294967294u);
}

/* Paths are a handful of ASes; a walk beats any index that could be kept beside them. */
unsigned bgp_as_path_count(const struct bgp_attributes *attributes, uint32_t asn)
{
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(attributes);
    unsigned count = 0;
    uint32_t at;
    while (bgp_as_path_next(&cursor, &at)) {
        count += at == asn;
    }
    return count;
}

/* A leading set names no neighbour: nobody can say which of its members sent the route. */
uint32_t bgp_as_path_first(const struct bgp_attributes *attributes)
{
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(attributes);
    uint32_t asn;
    return bgp_as_path_next(&cursor, &asn) && cursor.segment == BGP_AS_SEQUENCE ? asn : 0;
}

/* --- Text ------------------------------------------------------------------------------------- */

/* Brackets of a segment, and what separates its members: 0 stands for the path's separator. */
static const struct {
    const char *open, *close;
    char separator;
} segment_text[] = {
    [BGP_AS_SET] = {"{", "}", ','},
    [BGP_AS_SEQUENCE] = {"", "", 0},
    [BGP_AS_CONFED_SEQUENCE] = {"(", ")", ' '},
    [BGP_AS_CONFED_SET] = {"[", "]", ','},
};

/* Appends to text like snprintf; length goes on counting when text is full. */
static void text_append(char *text, size_t capacity, size_t *length, const char *part)
{
    size_t n = strlen(part);
    if (*length < capacity) {
        size_t room = capacity - *length - 1;
        size_t copied = n < room ? n : room;
        memcpy(text + *length, part, copied);
        text[*length + copied] = '\0';
    }
    *length += n;
}

/* Goes on counting when text is full, so a caller can learn the size with no buffer at all. */
size_t bgp_as_path_format(const struct bgp_attributes *attributes, char separator, char *text,
                          size_t capacity)
{
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(attributes);
    const char between[2] = {separator, '\0'};
    size_t length = 0;
    uint32_t asn;
    if (capacity > 0) {
        text[0] = '\0';
    }
    while (bgp_as_path_next(&cursor, &asn)) {
        unsigned segment = cursor.segment;
        char inside[2] = {segment_text[segment].separator, '\0'};
        if (cursor.starts) {
            text_append(text, capacity, &length, length > 0 ? between : "");
            text_append(text, capacity, &length, segment_text[segment].open);
        } else {
            text_append(text, capacity, &length, inside[0] != 0 ? inside : between);
        }
        char number[12];
        snprintf(number, sizeof number, "%u", asn);
        text_append(text, capacity, &length, number);
        if (cursor.left == 0) {
            text_append(text, capacity, &length, segment_text[segment].close);
        }
    }
    return length;
}

/* "65515-65001" is how tables show a path and "65515 65001" is how people type it; both are
 * taken, mixed too. AS 0 and numbers beyond 32 bits are refused here, so they never reach a set. */
int bgp_as_path_parse(const char *text, uint32_t *asns, size_t capacity)
{
    size_t n = 0;
    const char *at = text + strspn(text, " \t");
    while (*at != '\0') {
        uint64_t asn = 0;
        const char *start = at;
        for (; isdigit((unsigned char)*at) && asn <= UINT32_MAX; at++) {
            asn = asn * 10 + (uint64_t)(*at - '0');
        }
        if (at == start || asn == 0 || asn > UINT32_MAX) {
            return -EINVAL;
        }
        if (n == capacity) {
            return -ENOSPC;
        }
        asns[n++] = (uint32_t)asn;
        const char *end = at;
        at += strspn(at, " \t");
        if (*at == '-') {
            at++;
            at += strspn(at, " \t");
            if (*at == '\0') {
                return -EINVAL;
            }
        } else if (at == end && *at != '\0') {
            return -EINVAL;
        }
    }
    return (int)n;
}

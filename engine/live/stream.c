/* See stream.h. */
#include "engine/live/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct live_text *text, size_t n)
{
    size_t capacity = text->capacity ? text->capacity : 1024;
    if (text->failed)
        return false;
    while (capacity - text->n < n)
        capacity *= 2;
    if (capacity == text->capacity)
        return true;
    char *grown = realloc(text->bytes, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void live_text_add(struct live_text *text, const char *bytes, size_t n)
{
    if (!make_room(text, n))
        return;
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
}

void live_text_print(struct live_text *text, const char *format, ...)
{
    char *made;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&made, format, arguments);
    va_end(arguments);
    if (n < 0) {
        text->failed = true;
        return;
    }
    live_text_add(text, made, (size_t)n);
    free(made);
}

static int add_bytes(const char *bytes, size_t n, void *context)
{
    struct live_text *text = context;
    live_text_add(text, bytes, n);
    return text->failed ? -1 : 0;
}

void live_text_json(struct live_text *text, json_t *document)
{
    if (!document || json_dump_callback(document, add_bytes, text,
                                        JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(13)))
        text->failed = true;
    json_decref(document);
}

void live_text_free(struct live_text *text)
{
    free(text->bytes);
    *text = (struct live_text){0};
}

void live_stream_wake(struct live_stream *stream)
{
    stream->wake(stream);
}

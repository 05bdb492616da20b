/*
 * Bytes in network order: a reader that never passes its end, plain stores for the writers (which
 * check their room before they write), and a buffer that grows. Inside engine/bgp only.
 */
#ifndef ENGINE_BGP_BYTES_H
#define ENGINE_BGP_BYTES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint16_t bytes_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t bytes_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t bytes_get64(const uint8_t *at)
{
    return (uint64_t)bytes_get32(at) << 32 | bytes_get32(at + 4);
}

static inline void bytes_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void bytes_put32(uint8_t *at, uint32_t value)
{
    bytes_put16(at, value >> 16);
    bytes_put16(at + 2, value);
}

static inline void bytes_put64(uint8_t *at, uint64_t value)
{
    bytes_put32(at, (uint32_t)(value >> 32));
    bytes_put32(at + 4, (uint32_t)value);
}

/* --- Reading ---------------------------------------------------------------------------------- */

struct bytes_reader {
    const uint8_t *at, *end;
};

static inline struct bytes_reader bytes_reader(const uint8_t *bytes, size_t n)
{
    return (struct bytes_reader){bytes, bytes + n};
}

static inline size_t bytes_left(const struct bytes_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *bytes_take(struct bytes_reader *reader, size_t n)
{
    if (bytes_left(reader) < n) {
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += n;
    return taken;
}

static inline bool bytes_take8(struct bytes_reader *reader, uint8_t *value)
{
    const uint8_t *taken = bytes_take(reader, 1);
    if (taken != NULL) {
        *value = taken[0];
    }
    return taken != NULL;
}

static inline bool bytes_take16(struct bytes_reader *reader, uint16_t *value)
{
    const uint8_t *taken = bytes_take(reader, 2);
    if (taken != NULL) {
        *value = bytes_get16(taken);
    }
    return taken != NULL;
}

/* --- A buffer that grows ---------------------------------------------------------------------- */

struct bytes_buffer {
    uint8_t *bytes;
    size_t size, capacity;
};

/* Room for n more bytes; size is not changed. -ENOMEM. */
static inline int bytes_buffer_reserve(struct bytes_buffer *buffer, size_t n)
{
    if (buffer->capacity - buffer->size >= n) {
        return 0;
    }
    size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
    while (capacity - buffer->size < n) {
        capacity *= 2;
    }
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

static inline int bytes_buffer_append(struct bytes_buffer *buffer, const void *bytes, size_t n)
{
    int error = bytes_buffer_reserve(buffer, n);
    if (error == 0 && n > 0) {
        memcpy(buffer->bytes + buffer->size, bytes, n);
        buffer->size += n;
    }
    return error;
}

static inline void bytes_buffer_free(struct bytes_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct bytes_buffer){0};
}

#endif

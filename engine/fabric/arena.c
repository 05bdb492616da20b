/*
 * The arena: a list of chunks with a fill mark in the newest. A piece larger than a chunk gets a
 * chunk of its own.
 */
#include "engine/fabric/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES 65536u
#define ARENA_ALIGNMENT   _Alignof(max_align_t)

struct fabric_arena_chunk {
    struct fabric_arena_chunk *older;
    size_t used, size;
    max_align_t bytes[]; /* makes the first piece aligned */
};

/* A piece that is larger than a chunk gets one of its own. What was left of the chunk before it
 * is given up: with pieces of a few hundred bytes that is little. */
static struct fabric_arena_chunk *chunk_add(struct fabric_arena *arena, size_t bytes)
{
    size_t size = bytes > ARENA_CHUNK_BYTES ? bytes : ARENA_CHUNK_BYTES;
    struct fabric_arena_chunk *chunk = calloc(1, sizeof(*chunk) + size);

    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->older = arena->newest;
    arena->newest = chunk;
    return chunk;
}

void *fabric_arena_array(struct fabric_arena *arena, size_t n, size_t size)
{
    struct fabric_arena_chunk *chunk = arena->newest;
    size_t bytes;
    char *piece;

    /* A piece of no bytes still gets an address of its own, so that NULL means one thing only. */
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes =
        bytes ? (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT : ARENA_ALIGNMENT;
    if (!chunk || chunk->size - chunk->used < bytes)
        chunk = chunk_add(arena, bytes);
    if (!chunk)
        return NULL;
    piece = (char *)chunk->bytes + chunk->used;
    chunk->used += bytes;
    return piece;
}

char *fabric_arena_text(struct fabric_arena *arena, const char *text, size_t n)
{
    char *copy = fabric_arena_array(arena, n + 1, 1);

    if (copy && n > 0)
        memcpy(copy, text, n);
    return copy;
}

/* Formats twice, first for the length: an arena cannot give back what a guess would take too
 * much. */
char *fabric_arena_print(struct fabric_arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text;
    int n;

    va_start(arguments, format);
    n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    text = n < 0 ? NULL : fabric_arena_array(arena, (size_t)n + 1, 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)n + 1, format, arguments);
    va_end(arguments);
    return text;
}

void fabric_arena_free(struct fabric_arena *arena)
{
    while (arena->newest) {
        struct fabric_arena_chunk *older = arena->newest->older;

        free(arena->newest);
        arena->newest = older;
    }
}

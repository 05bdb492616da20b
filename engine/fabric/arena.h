/*
 * An arena: memory that is given piece by piece and taken back all at once.
 *
 *   chunk <- chunk <- chunk (newest)     each: header, bytes in use, bytes free
 *
 * A fabric is built in one go and freed in one go, and the YAML tree that it is read from even
 * more so; so neither needs to know what it is made of when it goes.
 */
#ifndef ENGINE_FABRIC_ARENA_H
#define ENGINE_FABRIC_ARENA_H

#include <stddef.h>

struct fabric_arena_chunk;

/* All zero is an empty arena. */
struct fabric_arena {
    struct fabric_arena_chunk *newest;
};

/* n objects of `size` bytes, zeroed and aligned for any type; NULL when there is no memory. n
 * may be 0. */
void *fabric_arena_array(struct fabric_arena *arena, size_t n, size_t size);
/* A copy of n bytes with a final zero. */
char *fabric_arena_text(struct fabric_arena *arena, const char *text, size_t n);
/* printf() into the arena. */
char *fabric_arena_print(struct fabric_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Gives everything back; the arena is empty and can be used again. */
void fabric_arena_free(struct fabric_arena *arena);

#endif

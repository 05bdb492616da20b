/*
 * An answer over the control socket that is made piece by piece, as the client takes it: a table too long for
 * one turn of the loop, what has to be waited for, or what never ends.
 *
 *   client has taken a piece ──> next() ──> MORE: a piece of text, written; then again
 *                                     └──> WAITS: nothing yet, until live_stream_wake()
 *                                     └──> OVER: the last piece
 *   live_stream_wake() by whoever has something
 *
 * So a stream holds one piece at most, and a client that takes none is dropped as any other.
 */
#ifndef ENGINE_LIVE_STREAM_H
#define ENGINE_LIVE_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Grows as is needed; failed: memory was out. All zero is an empty text. */
struct live_text {
    char *bytes;
    size_t n, capacity;
    bool failed;
};
void live_text_add(struct live_text *text, const char *bytes, size_t n);
void live_text_print(struct live_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The document on one line without its end; takes the reference, NULL counts as failed. */
void live_text_json(struct live_text *text, json_t *document);
void live_text_free(struct live_text *text);

/* A piece is written when it is at least so large, but for the last one: bounds memory and the time of a turn. */
#define LIVE_PIECE_BYTES (64u << 10)

enum live_stream_state { LIVE_STREAM_MORE, LIVE_STREAM_WAITS, LIVE_STREAM_OVER };

/* The first member of whoever makes the answer. */
struct live_stream {
    /* Adds to text, which is empty. */
    enum live_stream_state (*next)(struct live_stream *stream, struct live_text *text);
    /* Frees it: all was taken, or the client has gone. */
    void (*end)(struct live_stream *stream);
    /* The client said something more, or no more, while it waits: it wants the end. NULL: what it says is kept for
     * later, and with its end it has gone. */
    void (*interrupt)(struct live_stream *stream);
    void (*wake)(struct live_stream *stream); /* control.c's */
    void *client;
};

/* There is something where next() said WAITS. Not within next(). */
void live_stream_wake(struct live_stream *stream);

#endif

/*
 * Lines of a text file, plain or xz.
 *
 *      file --> input --> (liblzma) --> text --> line
 *
 * The file is not trusted: the decoder's memory is bounded, a line longer than any prefix ends the
 * reading, and so does a byte that is not text. What was read is never larger than two buffers,
 * however much a small compressed file unpacks to.
 */
#include "bench/lines.h"

#include <ctype.h>
#include <errno.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES  ((size_t)64 << 10)
#define DECODER_BYTES ((uint64_t)256 << 20) /* xz -9 asks for 65 MB */

struct bench_lines {
    FILE *file;
    char *path;
    unsigned long number; /* of the line read last, from 1 */
    bool compressed;
    bool decoded; /* the compressed stream has ended */
    lzma_stream decoder;
    uint8_t input[BUFFER_BYTES];
    char text[BUFFER_BYTES];
    size_t at, end; /* of what is left in text */
    char line[BENCH_LINE_MAX];
};

int bench_fail(struct bench_error *error, int result, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(error->text, sizeof(error->text), format, list);
    va_end(list);
    return result;
}

int bench_lines_complain(const struct bench_lines *lines, struct bench_error *error,
                         const char *format, ...)
{
    char message[256];
    va_list list;

    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    /* What a file holds must not steer the terminal that shows the message. */
    for (char *at = message; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
    return bench_fail(error, -EINVAL, "%s:%lu: %s", lines->path, lines->number, message);
}

/* --- Open and close --------------------------------------------------------------------------- */

static bool begins_as_xz(FILE *file)
{
    static const uint8_t magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};
    uint8_t head[sizeof(magic)];
    size_t n = fread(head, 1, sizeof(head), file);

    rewind(file);
    return n == sizeof(head) && memcmp(head, magic, n) == 0;
}

static int prepare(struct bench_lines *lines, const char *path)
{
    lines->path = strdup(path);
    lines->file = fopen(path, "rb");
    if (!lines->path || !lines->file)
        return -errno;
    lines->compressed = begins_as_xz(lines->file);
    if (ferror(lines->file))
        return -errno;
    if (lines->compressed &&
        lzma_stream_decoder(&lines->decoder, DECODER_BYTES, LZMA_CONCATENATED) != LZMA_OK)
        return -ENOMEM;
    return 0;
}

struct bench_lines *bench_lines_open(const char *path, struct bench_error *error)
{
    struct bench_lines *lines = calloc(1, sizeof(*lines));
    int result = lines ? prepare(lines, path) : -ENOMEM;

    if (result == 0)
        return lines;
    bench_fail(error, result, "%s: %s", path, strerror(-result));
    bench_lines_close(lines);
    errno = -result;
    return NULL;
}

void bench_lines_close(struct bench_lines *lines)
{
    if (!lines)
        return;
    lzma_end(&lines->decoder);
    if (lines->file)
        fclose(lines->file);
    free(lines->path);
    free(lines);
}

/* --- Text ------------------------------------------------------------------------------------- */

static int read_failed(struct bench_lines *lines, struct bench_error *error)
{
    return bench_fail(error, -EIO, "%s: %s", lines->path, strerror(errno));
}

static int fill_plain(struct bench_lines *lines, struct bench_error *error)
{
    lines->end = fread(lines->text, 1, BUFFER_BYTES, lines->file);
    return ferror(lines->file) ? read_failed(lines, error) : 0;
}

static int fill_decoded(struct bench_lines *lines, struct bench_error *error)
{
    lzma_stream *decoder = &lines->decoder;

    decoder->next_out = (uint8_t *)lines->text;
    decoder->avail_out = BUFFER_BYTES;
    while (decoder->avail_out > 0 && !lines->decoded) {
        if (decoder->avail_in == 0) {
            decoder->next_in = lines->input;
            decoder->avail_in = fread(lines->input, 1, BUFFER_BYTES, lines->file);
            if (ferror(lines->file))
                return read_failed(lines, error);
        }
        lzma_ret result = lzma_code(decoder, feof(lines->file) ? LZMA_FINISH : LZMA_RUN);
        lines->decoded = result == LZMA_STREAM_END;
        if (result != LZMA_OK && result != LZMA_STREAM_END)
            return bench_lines_complain(
                lines, error, "the compressed data is damaged or cut short after this line");
    }
    lines->end = BUFFER_BYTES - decoder->avail_out;
    return 0;
}

static int fill(struct bench_lines *lines, struct bench_error *error)
{
    lines->at = lines->end = 0;
    return lines->compressed ? fill_decoded(lines, error) : fill_plain(lines, error);
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* Copies the next line, whatever it holds. Returns 1, 0 at the end, or -errno. */
static int take_line(struct bench_lines *lines, struct bench_error *error)
{
    size_t length = 0;

    for (;;) {
        if (lines->at == lines->end) {
            int result = fill(lines, error);
            if (result < 0)
                return result;
            if (lines->end == 0)
                break; /* the last line need not end with a newline */
        }
        char next = lines->text[lines->at++];
        lines->number += length == 0; /* at its first byte */
        if (next == '\n') {
            lines->line[length] = '\0';
            return 1;
        }
        if (next == '\0')
            return bench_lines_complain(lines, error, "holds a zero byte; this is not text");
        if (length == BENCH_LINE_MAX - 1)
            return bench_lines_complain(lines, error, "is longer than %d characters",
                                        BENCH_LINE_MAX - 1);
        lines->line[length++] = next;
    }
    lines->line[length] = '\0';
    return length > 0;
}

static char *trim(char *text)
{
    size_t length;

    while (isspace((unsigned char)*text))
        text++;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

int bench_lines_next(struct bench_lines *lines, char **line, struct bench_error *error)
{
    int result;

    while ((result = take_line(lines, error)) > 0) {
        *line = trim(lines->line);
        if (**line != '\0' && **line != '#')
            return 1;
    }
    return result;
}

/*
 *   file ──read()──> packed ──zlib | libbz2 | liblzma──> bytes of the caller
 *        └───────────── not packed ───────────────────────^
 *
 * Several packed streams one after another are one file, as the tools of all three formats have it.
 */
#include "engine/cli/input.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/cli/source.h"

#define PACKED_BYTES (64u << 10)
#define LZMA_MEMORY  (256u << 20) /* a dictionary asks for no more in sane files */

struct input {
    int descriptor;
    enum { PLAIN, GZIP, BZIP2, XZ } kind;
    bool file_ended;
    bool between;   /* no packed stream has begun, or one has just ended */
    bool opened;    /* the unpacker holds memory */
    size_t at, end; /* of packed: bytes not taken yet */
    union {
        z_stream gzip;
        bz_stream bzip2;
        lzma_stream xz;
    };
    uint8_t packed[PACKED_BYTES];
};

/* Moves what is left to the front and reads more behind it. */
static int refill(struct input *input)
{
    memmove(input->packed, input->packed + input->at, input->end - input->at);
    input->end -= input->at;
    input->at = 0;
    while (!input->file_ended && input->end < PACKED_BYTES) {
        ssize_t got =
            read(input->descriptor, input->packed + input->end, PACKED_BYTES - input->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        input->file_ended = got == 0;
        input->end += (size_t)got;
    }
    return 0;
}

static void find_kind(struct input *input)
{
    static const struct {
        const char *magic;
        size_t n;
        int kind;
    } kinds[] = {{"\x1f\x8b", 2, GZIP},
                 {"BZh", 3, BZIP2},
                 {"\xfd"
                  "7zXZ",
                  6, XZ}};
    input->kind = PLAIN;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (input->end >= kinds[i].n && memcmp(input->packed, kinds[i].magic, kinds[i].n) == 0)
            input->kind = kinds[i].kind;
}

/* --- Unpackers: begin a stream, take a step, end ---------------------------------------------- */

static void close_stream(struct input *input)
{
    if (!input->opened)
        return;
    input->opened = false;
    if (input->kind == GZIP)
        inflateEnd(&input->gzip);
    else if (input->kind == BZIP2)
        BZ2_bzDecompressEnd(&input->bzip2);
    else
        lzma_end(&input->xz);
}

static int begin_stream(struct input *input)
{
    bool fine;
    close_stream(input);
    if (input->kind == GZIP) {
        memset(&input->gzip, 0, sizeof(input->gzip));
        fine = inflateInit2(&input->gzip, 15 + 16) == Z_OK;
    } else if (input->kind == BZIP2) {
        memset(&input->bzip2, 0, sizeof(input->bzip2));
        fine = BZ2_bzDecompressInit(&input->bzip2, 0, 0) == BZ_OK;
    } else {
        input->xz = (lzma_stream)LZMA_STREAM_INIT;
        fine = lzma_stream_decoder(&input->xz, LZMA_MEMORY, 0) == LZMA_OK;
    }
    input->opened = fine;
    input->between = false;
    return fine ? 0 : -ENOMEM;
}

/* One call of an unpacker. *n: bytes given; *ended: the stream is over. */
#define STEP(stream, call, going, over, fine)                                                      \
    do {                                                                                           \
        (stream)->next_in = (void *)(input->packed + input->at);                                   \
        (stream)->avail_in = (unsigned)(input->end - input->at);                                   \
        (stream)->next_out = (void *)bytes;                                                        \
        (stream)->avail_out = (unsigned)capacity;                                                  \
        int result = (int)(call);                                                                  \
        input->at = input->end - (stream)->avail_in;                                               \
        *n = capacity - (stream)->avail_out;                                                       \
        *ended = result == (over);                                                                 \
        (fine) = result == (going) || result == (over);                                            \
    } while (0)

static int unpack(struct input *input, uint8_t *bytes, size_t capacity, size_t *n, bool *ended)
{
    bool fine;
    if (input->kind == GZIP)
        STEP(&input->gzip, inflate(&input->gzip, Z_NO_FLUSH), Z_OK, Z_STREAM_END, fine);
    else if (input->kind == BZIP2)
        STEP(&input->bzip2, BZ2_bzDecompress(&input->bzip2), BZ_OK, BZ_STREAM_END, fine);
    else
        STEP(&input->xz, lzma_code(&input->xz, LZMA_RUN), LZMA_OK, LZMA_STREAM_END, fine);
    return fine ? 0 : -EBADMSG;
}

static int read_packed(struct input *input, uint8_t *bytes, size_t capacity, size_t *n)
{
    capacity = capacity < UINT32_MAX ? capacity : UINT32_MAX;
    while (*n == 0) {
        int error = input->at < input->end ? 0 : refill(input);
        if (error)
            return error;
        if (input->at == input->end) /* cut within a stream, or done between two */
            return input->between ? 0 : -EBADMSG;
        bool ended = false;
        error = input->between ? begin_stream(input) : 0;
        if (!error)
            error = unpack(input, bytes, capacity, n, &ended);
        if (error)
            return error;
        input->between = ended;
    }
    return 0;
}

/* --- The face --------------------------------------------------------------------------------- */

int input_open(const char *path, struct input **input)
{
    struct stat about;
    int descriptor = source_open(path);
    if (descriptor < 0)
        return descriptor;
    struct input *opened = calloc(1, sizeof(*opened));
    int error = opened ? 0 : -ENOMEM;
    if (!error && (fstat(descriptor, &about) != 0 || S_ISDIR(about.st_mode)))
        error = -EISDIR;
    if (!error) {
        opened->descriptor = descriptor;
        opened->between = true;
        error = refill(opened);
    }
    if (error) {
        close(descriptor);
        free(opened);
        return error;
    }
    find_kind(opened);
    *input = opened;
    return 0;
}

int input_read(struct input *input, uint8_t *bytes, size_t capacity, size_t *n)
{
    *n = 0;
    if (input->kind != PLAIN)
        return read_packed(input, bytes, capacity, n);
    int error = input->at < input->end ? 0 : refill(input);
    if (error)
        return error;
    size_t left = input->end - input->at;
    *n = left < capacity ? left : capacity;
    memcpy(bytes, input->packed + input->at, *n);
    input->at += *n;
    return 0;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    close_stream(input);
    close(input->descriptor);
    free(input);
}

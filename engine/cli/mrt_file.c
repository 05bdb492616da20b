/*
 *   input ──> window: [at, end) not taken yet ──> record
 *
 * The window grows to the longest record of the file, MRT_RECORD_MAX at most.
 */
#include "engine/cli/mrt_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/input.h"

#define WINDOW_BYTES (256u << 10)
#define SAID_MAX     10u /* lines about damaged records; a bad file has millions */

struct mrt_file {
    const struct cli_command *command;
    const char *path;
    struct input *input;
    uint8_t *window;
    size_t capacity, at, end;
    uint64_t offset;    /* of the record at hand in the unpacked file */
    size_t record_size; /* of the record at hand */
    size_t damage, unsupported;
};

struct mrt_file *mrt_file_open(const struct cli_command *command, const char *path)
{
    struct mrt_file *file = calloc(1, sizeof(*file));
    int error = file ? input_open(path, &file->input) : -ENOMEM;
    if (!error) {
        file->command = command;
        file->path = path;
        file->capacity = WINDOW_BYTES;
        file->window = malloc(file->capacity);
        error = file->window ? 0 : -ENOMEM;
    }
    if (!error)
        return file;
    cli_error(command, "%s: %s", path,
              error == -ENOTSUP ? "not a file: a pipe or a device cannot be read as MRT"
                                : strerror(-error));
    mrt_file_close(file);
    return NULL;
}

void mrt_file_close(struct mrt_file *file)
{
    if (!file)
        return;
    input_close(file->input);
    free(file->window);
    free(file);
}

/* Makes room for a record of size bytes and reads until it is there, or the file ends. */
static int fill(struct mrt_file *file, size_t size)
{
    memmove(file->window, file->window + file->at, file->end - file->at);
    file->end -= file->at;
    file->at = 0;
    if (size > file->capacity) {
        uint8_t *larger = realloc(file->window, size);
        if (!larger)
            return -ENOMEM;
        file->window = larger;
        file->capacity = size;
    }
    while (file->end < size) {
        size_t n;
        int error =
            input_read(file->input, file->window + file->end, file->capacity - file->end, &n);
        if (error || n == 0)
            return error;
        file->end += n;
    }
    return 0;
}

static void say(struct mrt_file *file, const char *what)
{
    file->damage++;
    cli_error(file->command, "%s: byte %llu: %s", file->path, (unsigned long long)file->offset,
              what);
}

static bool cannot_go_on(struct mrt_file *file, int error)
{
    if (error == -EFBIG)
        say(file, "not an MRT record: its length is beyond all bounds");
    else if (error == -EAGAIN)
        say(file, "the file ends within a record");
    else
        say(file, error == -EBADMSG ? "the packed file is damaged or cut short" : strerror(-error));
    return false;
}

bool mrt_file_next(struct mrt_file *file, struct mrt_record *record)
{
    file->at += file->record_size;
    file->offset += file->record_size;
    file->record_size = 0;
    for (;;) {
        size_t size, before = file->end - file->at;
        int error = mrt_record_decode(file->window + file->at, before, record, &size);
        if (error == 0 || error == -EBADMSG)
            file->record_size = size;
        if (error == 0)
            return true;
        if (error == -EBADMSG) {
            mrt_file_blame(file, NULL, error);
            file->at += size;
            file->offset += size;
            continue;
        }
        int failed = error == -EAGAIN ? fill(file, size) : error;
        if (failed)
            return cannot_go_on(file, failed);
        if (file->end == 0)
            return false;
        if (file->end - file->at == before)
            return cannot_go_on(file, -EAGAIN);
    }
}

void mrt_file_blame(struct mrt_file *file, const struct mrt_record *record, int error)
{
    char kind[MRT_KIND_TEXT] = "a record";
    if (record)
        mrt_record_kind(record, kind);
    if (error == -ENOTSUP) {
        file->unsupported++;
        return;
    }
    if (file->damage++ < SAID_MAX)
        cli_error(file->command, "%s: byte %llu: %s: %s", file->path,
                  (unsigned long long)file->offset, kind,
                  error == -EBADMSG ? "malformed, left out" : strerror(-error));
}

size_t mrt_file_damage(const struct mrt_file *file)
{
    return file->damage;
}

void mrt_file_conclude(const struct mrt_file *file)
{
    if (file->damage > SAID_MAX)
        cli_error(file->command, "%s: %zu malformed records in all", file->path, file->damage);
    if (file->unsupported)
        cli_error(file->command,
                  "%s: %zu records left out: of a kind or address family that is not IPv4 or IPv6 "
                  "unicast in TABLE_DUMP_V2 or BGP4MP",
                  file->path, file->unsupported);
}

/*
 * Reads files whole, with a limit: a fabric file is written by people, and a pipe or a device must
 * not fill memory.
 */
#include "engine/cli/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cli/command.h"

#define FILE_BYTES_MAX (64u << 20)

static int read_descriptor(int descriptor, char **text, size_t *length)
{
    size_t capacity = 1 << 16, n = 0;
    char *bytes = malloc(capacity);
    while (bytes) {
        ssize_t got = read(descriptor, bytes + n, capacity - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || n > FILE_BYTES_MAX) {
            int error = got < 0 ? -errno : -EFBIG;
            free(bytes);
            return error;
        }
        if (got == 0) {
            *text = bytes;
            *length = n;
            return 0;
        }
        n += (size_t)got;
        if (n == capacity) {
            char *larger = realloc(bytes, capacity *= 2);
            if (!larger)
                free(bytes);
            bytes = larger;
        }
    }
    return -ENOMEM;
}

static int is_yaml(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* The paths of a directory's YAML files, a line each, in name order. */
static int read_directory(const char *path, char **text, size_t *length)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_yaml, alphasort);
    if (n < 0)
        return -errno;
    FILE *list = open_memstream(text, length);
    for (int i = 0; i < n; i++) {
        if (list)
            fprintf(list, "%s/%s\n", path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return list && fclose(list) == 0 ? 0 : -ENOMEM;
}

int source_open(const char *path)
{
    struct stat about;
    /* Opening a FIFO would wait for who writes to it. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return -errno;
    int error = fstat(descriptor, &about) == 0 ? 0 : -errno;
    if (!error && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        error = -ENOTSUP;
    if (error)
        close(descriptor);
    return error ? error : descriptor;
}

static int read_path(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)context;
    struct stat about;
    int descriptor = source_open(path);
    if (descriptor < 0)
        return descriptor;
    int error = fstat(descriptor, &about) == 0 ? 0 : -errno;
    if (!error) {
        *is_directory = S_ISDIR(about.st_mode);
        error = *is_directory ? read_directory(path, text, length)
                              : read_descriptor(descriptor, text, length);
    }
    close(descriptor);
    return error;
}

struct fabric *source_load(const char *path, struct fabric_problems *problems)
{
    struct fabric_reader reader = {.read = read_path};
    return fabric_load(path, &reader, problems);
}

struct fabric *source_load_outlined(const char *path, struct fabric_outline **outline,
                                    struct fabric_problems *problems)
{
    struct fabric_reader reader = {.read = read_path};
    return fabric_load_outlined(path, &reader, outline, problems);
}

void source_say(FILE *to, const char *file, unsigned line, const char *kind, const char *message)
{
    cli_print(to, file);
    if (line)
        fprintf(to, ":%u", line);
    fprintf(to, ": %s", kind);
    cli_print(to, message);
    fputc('\n', to);
}

void source_say_problems(struct fabric_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct fabric_problem *problem = &problems->items[i];
        source_say(stderr, problem->file, problem->line,
                   problem->error ? "" : "warning: ", problem->message);
    }
    fabric_problems_free(problems);
}

struct fabric *source_load_or_say(const char *path)
{
    struct fabric_problems problems = {0};
    struct fabric *fabric = source_load(path, &problems);
    source_say_problems(&problems);
    return fabric;
}

struct fabric_drill *source_load_drill_or_say(const char *path, const char *fabric_path)
{
    struct fabric_reader reader = {.read = read_path};
    struct fabric_problems problems = {0};
    struct fabric_drill *drill = fabric_drill_load(path, fabric_path, &reader, &problems);
    source_say_problems(&problems);
    return drill;
}

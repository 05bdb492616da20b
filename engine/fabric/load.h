/*
 * Reads fabric files (YAML) into a struct fabric, and says precisely what is wrong with a bad one.
 *
 * Pure: text comes from the caller through a reader, so that the live engine, the tests and the
 * fuzzers share it. Every key, its unit and default is in docs/fabric-file.md.
 */
#ifndef ENGINE_FABRIC_LOAD_H
#define ENGINE_FABRIC_LOAD_H

#include "engine/fabric/model.h"

/* One thing that is wrong, or that has no effect: "file:line: message" is how people see it. Line
 * 0: the file as a whole (it cannot be read, say). */
struct fabric_problem {
    const char *file;
    unsigned line;
    bool error; /* else a warning: the file can be used */
    /* Of a warning: the name of the rule that it comes from ("L6", "network", …; static); NULL:
     * none. docs/fabric-file.md explains them. */
    const char *rule;
    char
        *message; /* one line of printable UTF-8, whatever the file holds; so are file and object */
    /* Of every warning; an error has neither. */
    const char *object; /* what it is about: "nics[vm1]", "peerings[hub,spoke1]" */
    const char *remedy; /* what would be right: one sentence (static) */
};
struct fabric_problems {
    struct fabric_problem *items;
    size_t n;
    size_t errors;
};
void fabric_problems_free(struct fabric_problems *problems);

/* How many of the first `most` bytes of text are whole characters of UTF-8, where there is only room for so
 * many: half a character would make a JSON document invalid (printable.c). */
size_t fabric_text_fit(const char *text, size_t most);

/* Gives the whole text of a file (malloc'ed, freed by the loader), or -errno; -ENOTSUP: what stands
 * there is neither a file nor a directory (a pipe, a device). path is the first
 * one as given to fabric_load(), or one of an include, already joined to the including file's
 * folder. A directory: is_directory is set and *text is the newline-separated list of paths of
 * its .yaml files in name order. */
struct fabric_reader {
    void *context;
    int (*read)(void *context, const char *path, char **text, size_t *length, bool *is_directory);
};

/* Loads, resolves references and validates. Returns the fabric, or NULL when problems->errors >
 * 0; problems (which may hold warnings on success) is always filled and sorted by file and line;
 * free it with fabric_problems_free() before fabric_free(). Never crashes on any input; input
 * size, depth and count limits are named in load.c. */
struct fabric *fabric_load(const char *path, const struct fabric_reader *reader,
                           struct fabric_problems *problems);
void fabric_free(struct fabric *fabric);

#endif

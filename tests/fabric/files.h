/*
 * Fabric files for tests: from memory or from the source tree, and what the loader says about them
 * as text.
 */
#ifndef TESTS_FABRIC_FILES_H
#define TESTS_FABRIC_FILES_H

#include "engine/fabric/load.h"

/* A file, or a directory: then text is the list of its files. Without text: neither. The last one
 * has no path. */
struct files_file {
    const char *path, *text;
    bool is_directory;
};

/* Loads the first file. problems (may be NULL) gets one line each, "base.yaml:7: error: …";
 * free() it. */
struct fabric *files_load(const struct files_file *files, char **problems);
/* The same for one file, "base.yaml", with this text. */
struct fabric *files_load_text(const char *text, char **problems);
/* The same for a file of the source tree. */
struct fabric *files_load_path(const char *path, char **problems);
/* All that the loader says about "base.yaml" with this text; fabric_problems_free() it. */
struct fabric_problems files_problems(const char *text);
/* The text of a file of the source tree; free() it. */
char *files_read(const char *path);

/* A good file, small enough to know by heart: a hub with two NVAs, a spoke, 39 lines. */
extern const char files_base[];

/* One change of the good file (from NULL: added at its end), and exactly what the loader must
 * say then. */
struct files_edit {
    const char *from, *to;
};
struct files_case {
    struct files_edit edits[4];
    const char *problems; /* "": the file stays good and nothing is said */
};
void files_expect(const struct files_case *cases, size_t n);

#endif

/*
 * docs/fabric-file.md and docs/drill.md say what the loaders do: each key of their tables has a row
 * with its type and default under its object, and the references have no row more. The examples of
 * the docs load without a complaint.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/drill_loader.h"

struct row {
    char text[512]; /* "object | `key` | type | default |" */
    bool found;
};
struct rows {
    const char *file;
    struct row items[400];
    size_t n;
};

static struct row *row_find(struct rows *rows, const char *text)
{
    for (size_t i = 0; i < rows->n; i++)
        if (strcmp(rows->items[i].text, text) == 0)
            return &rows->items[i];
    return NULL;
}

static void row_add(struct rows *rows, const char *text)
{
    cr_assert_lt(rows->n, sizeof(rows->items) / sizeof(*rows->items));
    snprintf(rows->items[rows->n++].text, sizeof(rows->items->text), "%s", text);
}

/* The first three cells of "| `key` | type | default | meaning |". */
static void take_row(struct rows *rows, const char *object, const char *line)
{
    const char *end = line;
    char text[512];

    for (unsigned bars = 0; *end && bars < 4; end++)
        bars += *end == '|';
    snprintf(text, sizeof(text), "%s %.*s", object, (int)(end - line), line);
    row_add(rows, text);
}

/* A heading "### `object`" (or "### The top of the file") names the object of the table below
 * it. */
static void read_reference(struct rows *rows)
{
    char *text = files_read(rows->file);
    char object[128] = "";
    bool in_keys = false;
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "## ", 3) == 0)
            in_keys = strcmp(line, "## Keys") == 0;
        else if (strcmp(line, "### The top of the file") == 0)
            object[0] = '\0';
        else if (strncmp(line, "### `", 5) == 0)
            snprintf(object, sizeof(object), "%.*s", (int)strcspn(line + 5, "`"), line + 5);
        else if (in_keys && strncmp(line, "| `", 3) == 0)
            take_row(rows, object, line);
    }
    free(text);
}

static void check_key(void *context, const char *object, const char *key, const char *type,
                      const char *fallback)
{
    char wanted[512];
    struct rows *rows = context;
    struct row *row;

    snprintf(wanted, sizeof(wanted), "%s | `%s` | %s | %s |", object, key, type, fallback);
    row = row_find(rows, wanted);
    cr_expect(row != NULL, "%s lacks the row: %s", rows->file, wanted);
    if (row)
        row->found = true;
}

static void expect_no_other(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        cr_expect(rows->items[i].found, "%s has a row that the loader does not know: %s",
                  rows->file, rows->items[i].text);
}

Test(load_reference, has_every_key_with_type_and_default_and_no_other)
{
    static struct rows rows = {.file = "docs/fabric-file.md"};

    read_reference(&rows);
    fabric_schema_each(check_key, &rows);
    expect_no_other(&rows);
}

Test(load_reference, of_drills_has_every_key_with_type_and_default_and_no_other)
{
    static struct rows rows = {.file = "docs/drill.md"};

    read_reference(&rows);
    fabric_drill_schema_each(check_key, &rows);
    cr_expect_gt(rows.n, 40);
    expect_no_other(&rows);
}

static unsigned examples;

/* Drills have tests of their own (tests/system/test_drill.py): drills/NAME.yaml, NAME/drill.yaml. */
static bool is_drill(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strstr(path, "/drills/") != NULL || (slash && strncmp(slash + 1, "drill", 5) == 0);
}

static int load_example(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    const char *dot = strrchr(path, '.');
    char *problems;
    struct fabric *fabric;

    (void)about;
    (void)place;
    if (kind != FTW_F || !dot || strcmp(dot, ".yaml") != 0 || is_drill(path))
        return 0;
    fabric = files_load_path(path + strlen(SOURCE_ROOT "/"), &problems);
    cr_expect_not_null(fabric, "%s", problems);
    cr_expect(problems[0] == '\0', "an example complains: %s", problems);
    fabric_free(fabric);
    free(problems);
    examples++;
    return 0;
}

Test(load_reference, examples_load_without_errors)
{
    cr_assert_eq(nftw(SOURCE_ROOT "/docs/examples", load_example, 8, FTW_PHYS), 0);
    cr_expect_gt(examples, 15);
}

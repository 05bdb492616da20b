/*
 * A table of text for people: columns as wide as they need, headings in bold on a terminal only.
 */
#ifndef ENGINE_CLI_TABLE_H
#define ENGINE_CLI_TABLE_H

#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table {
    FILE *cells; /* being written: '|' between cells, a line a row */
    char *text;
    size_t length;
};

/* Headings: "Source|State|…"; a heading that begins with '>' sets its column to the right. */
int table_begin(struct table *table, const char *headings);
/* Adds one row: the format gives its cells with '|' between them. */
void table_row(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints to `to`, each line after indent blanks, and frees. Returns 0 or -ENOMEM. */
int table_end(struct table *table, FILE *to, unsigned indent);

#endif

/*
 * Rows are kept as text with '|' between cells until the end, when the widths are known. Widths
 * count characters of UTF-8, not bytes.
 */
#include "engine/cli/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int table_begin(struct table *table, const char *headings)
{
    table->cells = open_memstream(&table->text, &table->length);
    if (!table->cells)
        return -ENOMEM;
    fprintf(table->cells, "%s\n", headings);
    return 0;
}

void table_row(struct table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(table->cells, format, arguments);
    va_end(arguments);
    fputc('\n', table->cells);
}

static unsigned width_of(const char *cell, size_t length)
{
    unsigned width = 0;
    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)cell[i] & 0xc0) != 0x80; /* not a continuation byte */
    return width;
}

/* Calls visit(context, column, cell, length) for each cell of a line; returns the start of the next
 * line. */
static const char *each_cell(const char *line,
                             void (*visit)(void *context, unsigned column, const char *cell,
                                           size_t length, bool last),
                             void *context)
{
    for (unsigned column = 0;; column++) {
        size_t length = strcspn(line, "|\n");
        bool last = line[length] != '|';
        if (column < TABLE_COLUMNS_MAX)
            visit(context, column, line, length, last);
        line += length + (line[length] != '\0');
        if (last)
            return line;
    }
}

static void measure(void *context, unsigned column, const char *cell, size_t length, bool last)
{
    (void)last;
    unsigned *widths = context;
    if (width_of(cell, length) > widths[column])
        widths[column] = width_of(cell, length);
}

struct printing {
    FILE *to;
    const unsigned *widths;
    unsigned right;  /* bits of the columns set to the right */
    unsigned blanks; /* due before the next text: none are left at the end of a line */
};

static void print_cell(void *context, unsigned column, const char *cell, size_t length, bool last)
{
    struct printing *printing = context;
    unsigned pad = printing->widths[column] - width_of(cell, length);
    bool right = printing->right & 1u << column;
    (void)last;
    if (length > 0) {
        fprintf(printing->to, "%*s%.*s", (int)(printing->blanks + (right ? pad : 0)), "",
                (int)length, cell);
        printing->blanks = 0;
    }
    printing->blanks += 2 + (right && length > 0 ? 0 : pad);
}

/* Takes the '>' off the headings and remembers whose they were. */
static unsigned right_columns(char *headings)
{
    unsigned right = 0, column = 0;
    char *to = headings;
    for (const char *from = headings; *from != '\0'; from++) {
        bool at_start = from == headings || from[-1] == '|';
        column += *from == '|';
        if (*from == '\n') {
            memmove(to, from, strlen(from) + 1);
            break;
        }
        if (*from == '>' && at_start)
            right |= 1u << column;
        else
            *to++ = *from;
    }
    return right;
}

int table_end(struct table *table, FILE *to, unsigned indent)
{
    if (fclose(table->cells) != 0 || !table->text) {
        free(table->text);
        return -ENOMEM;
    }
    unsigned widths[TABLE_COLUMNS_MAX] = {0};
    struct printing printing = {.to = to, .widths = widths, .right = right_columns(table->text)};
    for (const char *line = table->text; *line != '\0';)
        line = each_cell(line, measure, widths);
    bool bold = isatty(fileno(to)) && !getenv("NO_COLOR");
    for (const char *line = table->text; *line != '\0';) {
        fprintf(to, "%*s%s", (int)indent, "", bold ? "\033[1m" : "");
        printing.blanks = 0;
        line = each_cell(line, print_cell, &printing);
        fputs(bold ? "\033[0m\n" : "\n", to);
        bold = false;
    }
    free(table->text);
    return 0;
}

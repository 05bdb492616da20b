/* Tables line up, also with text that is not ASCII, and figures stand to the right. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/table.h"

Test(table, columns_are_as_wide_as_they_need)
{
    struct table table;
    char *text;
    size_t length;
    FILE *to = tmpfile();
    cr_assert_not_null(to);
    cr_assert_eq(table_begin(&table, "Name|>packets|why"), 0);
    table_row(&table, "%s|%d|%s", "a", 5, "short");
    table_row(&table, "%s|%d|%s", "größer", 123456789, "");
    table_row(&table, "%s||%s", "b", "no figure");
    cr_assert_eq(table_end(&table, to, 2), 0);
    length = (size_t)ftell(to);
    rewind(to);
    text = calloc(1, length + 1);
    cr_assert_eq(fread(text, 1, length, to), length);
    cr_assert_str_eq(text, "  Name      packets  why\n"
                           "  a               5  short\n"
                           "  größer  123456789\n"
                           "  b                  no figure\n");
    free(text);
    fclose(to);
}

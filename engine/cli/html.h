/* Text into HTML and SVG. */
#ifndef ENGINE_CLI_HTML_H
#define ENGINE_CLI_HTML_H

#include <stdio.h>

/* Writes text so that it is text and nothing else wherever it stands, in attributes too; control
 * characters as \xNN. */
void html_text(FILE *to, const char *text);

/* As printf(), its result through html_text(). Cut at 1,000 bytes. */
void html_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

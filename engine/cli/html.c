/*
 * Escaping. Names come from files that others may have written.
 */
#include "engine/cli/html.h"

#include <stdarg.h>

void html_text(FILE *to, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        switch (*c) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            if (*c < 0x20 || *c == 0x7f)
                fprintf(to, "\\x%02x", *c);
            else
                fputc(*c, to);
        }
}

void html_print(FILE *to, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    html_text(to, text);
}

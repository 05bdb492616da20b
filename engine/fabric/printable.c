/*
 * Text of a file as a message may show it.
 *
 * A name or key comes from whoever wrote the file, and a message goes to a terminal, a log or a
 * JSON document. A line end in it would forge lines, an escape sequence would rule the terminal,
 * and a character that was cut in half would make the JSON document invalid. So what is no
 * printable UTF-8 is written as YAML writes it: \n, \x1b.
 */
#include "engine/fabric/loader.h"

#include <stdio.h>
#include <string.h>

/* Length and code point of the UTF-8 sequence (RFC 3629) that begins at text; 0: there is none. The
 * final zero ends a sequence that was cut, so nothing behind it is read. */
static unsigned sequence_take(const unsigned char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned n = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : 3;

    n += text[0] >= 0xf0;
    *code = n > 1 ? text[0] & (0x7fu >> n) : text[0];
    for (unsigned i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    if (text[0] > 0xf4 || *code < least[n] || *code > 0x10ffff || (*code >> 11) == 0x1b)
        return 0;
    return n;
}

size_t fabric_text_fit(const char *text, size_t most)
{
    size_t n = strnlen(text, most);

    /* The octet behind continues a character: step back to where that begins. */
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* C0, DEL and C1: the last of them begin escape sequences too. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

size_t fabric_printable(const char *text, char *out)
{
    static const char short_names[] = "\tt\nn\rr";
    const unsigned char *at = (const unsigned char *)text;
    char *start = out;

    while (*at) {
        uint32_t code;
        unsigned n = sequence_take(at, &code);
        const char *name = n == 1 ? strchr(short_names, (int)code) : NULL;

        if (n > 0 && !is_control(code)) {
            memcpy(out, at, n);
            out += n;
        } else if (name) {
            out += sprintf(out, "\\%c", name[1]);
        } else {
            out += sprintf(out, "\\x%02x", n > 0 ? (unsigned)code : *at);
        }
        at += n > 0 ? n : 1;
    }
    *out = '\0';
    return (size_t)(out - start);
}

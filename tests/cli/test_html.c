/* Text in HTML stays text. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/cli/html.h"

Test(html, no_character_of_a_text_has_a_meaning)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    html_print(out, "%s %u", "<script>alert('\"&\"')</script>\n\x1b[2J ü", 7);
    cr_assert_eq(fclose(out), 0);
    cr_assert_str_eq(text,
                     "&lt;script&gt;alert(&#39;&quot;&amp;&quot;&#39;)&lt;/script&gt;\\x0a\\x1b[2J "
                     "ü 7");
    free(text);
}

/*
 * Names of files: joined to the folder of the file that includes them, and simplified, so that one
 * file has one name and is read once. Only the text counts; links are not followed.
 */
#include "engine/fabric/loader.h"

#include <stdio.h>
#include <string.h>

/* Drops the last component of what stands in out[0..used), or adds ".." where there is none to
 * drop. */
static size_t path_up(char *out, size_t used, bool absolute)
{
    size_t start = used;

    while (start > 0 && out[start - 1] != '/')
        start--;
    if (used == (absolute ? 1u : 0u) && absolute)
        return used; /* "/.." is "/" */
    if (used == 0 || (used - start == 2 && memcmp(out + start, "..", 2) == 0)) {
        used += (size_t)sprintf(out + used, used > 0 ? "/.." : "..");
        return used;
    }
    return start > 1 ? start - 1 : start;
}

bool fabric_file_join(const char *folder, size_t folder_length, const char *name,
                      char out[FABRIC_FILE_NAME_BYTES_MAX])
{
    char joined[2 * FABRIC_FILE_NAME_BYTES_MAX];
    bool absolute;
    size_t used = 0;
    char *save = NULL;
    int n = name[0] == '/'
                ? snprintf(joined, sizeof(joined), "%s", name)
                : snprintf(joined, sizeof(joined), "%.*s%s", (int)folder_length, folder, name);

    if (n < 0 || (size_t)n >= FABRIC_FILE_NAME_BYTES_MAX - 4)
        return false;
    absolute = joined[0] == '/';
    if (absolute)
        out[used++] = '/';
    for (char *part = strtok_r(joined, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            used = path_up(out, used, absolute);
            continue;
        }
        used += (size_t)sprintf(out + used, "%s%s", used > (absolute ? 1u : 0u) ? "/" : "", part);
    }
    out[used] = '\0';
    return true;
}

/*
 * "Did you mean": the known name nearest to what was written, by edit distance (insert, delete,
 * replace, and the swap of two neighbours, the commonest slip of all).
 */
#include "engine/fabric/loader.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_COMPARED 64u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance over three rows of the usual table. */
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][NAME_MAX_COMPARED + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_length; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *spare = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b_length];
}

/* Of equally near names the first one tried stays, which is the first by name. */
void fabric_nearest_try(struct fabric_nearest *best, const char *text, const char *candidate)
{
    size_t a = strlen(text), b = strlen(candidate);
    unsigned distance;

    if (a > NAME_MAX_COMPARED || b > NAME_MAX_COMPARED)
        return;
    distance = edit_distance(text, a, candidate, b);
    /* Farther than a third of the word (but one slip is always allowed) it is another word. */
    if (distance > 1 && distance * 3 > (a > b ? a : b))
        return;
    if (!best->name || distance < best->distance) {
        best->name = candidate;
        best->distance = distance;
    }
}

char *fabric_nearest_text(const struct fabric_nearest *best, char text[FABRIC_NEAREST_TEXT])
{
    text[0] = '\0';
    if (best->name)
        snprintf(text, FABRIC_NEAREST_TEXT, "; did you mean '%s'?", best->name);
    return text;
}

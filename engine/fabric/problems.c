/*
 * Problems: collected while loading, shown to people as "file:line: message".
 *
 * A problem is one block of memory, the message and behind it the file's name, so that the list
 * outlives the fabric and every text that it was made from.
 */
#include "engine/fabric/loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool problems_grow(struct fabric_loader *loader)
{
    size_t capacity = loader->problem_capacity ? loader->problem_capacity * 2 : 16;
    struct fabric_problem *items = reallocarray(loader->problems->items, capacity, sizeof(*items));

    if (!items)
        return false;
    loader->problems->items = items;
    loader->problem_capacity = capacity;
    return true;
}

/* "message\0file\0"; NULL when there is no memory. */
__attribute__((format(printf, 2, 0))) static char *
problem_text(const char *file, const char *format, va_list arguments)
{
    va_list again;
    char *text = NULL;
    int n;

    va_copy(again, arguments);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n >= 0)
        text = malloc((size_t)n + 1 + strlen(file) + 1);
    if (text) {
        vsnprintf(text, (size_t)n + 1, format, arguments);
        strcpy(text + n + 1, file);
    }
    return text;
}

/* Without the limits of fabric_complain(). */
__attribute__((format(printf, 5, 0))) static void problem_add(struct fabric_loader *loader,
                                                              const char *rule, bool error,
                                                              const struct fabric_place *place,
                                                              const char *format, va_list arguments)
{
    struct fabric_problems *problems = loader->problems;
    char *text;

    if (problems->n == loader->problem_capacity && !problems_grow(loader)) {
        loader->out_of_memory = true;
        return;
    }
    text = problem_text(place->file, format, arguments);
    if (!text) {
        loader->out_of_memory = true;
        return;
    }
    problems->items[problems->n++] = (struct fabric_problem){.message = text,
                                                             .file = text + strlen(text) + 1,
                                                             .line = place->line,
                                                             .error = error,
                                                             .rule = rule};
}

void fabric_complain(struct fabric_loader *loader, const char *rule,
                     const struct fabric_place *place, const char *format, ...)
{
    /* Warnings must not take the room of errors. */
    size_t room = rule == NULL ? FABRIC_PROBLEMS_MAX : FABRIC_PROBLEMS_MAX / 2;
    va_list arguments;

    loader->problems->errors += rule == NULL;
    if (loader->problems->n >= room) {
        loader->hidden_problems++;
        return;
    }
    va_start(arguments, format);
    problem_add(loader, rule, rule == NULL, place, format, arguments);
    va_end(arguments);
}

static void __attribute__((format(printf, 3, 4)))
add_last(struct fabric_loader *loader, const struct fabric_place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    problem_add(loader, NULL, false, place, format, arguments);
    va_end(arguments);
}

/* Messages come last, so that the order is the same in every run. */
static int problem_compare(const void *a, const void *b)
{
    const struct fabric_problem *left = a, *right = b;
    int by_file = strcmp(left->file, right->file);

    if (by_file != 0)
        return by_file;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->error != right->error)
        return left->error ? -1 : 1;
    return strcmp(left->message, right->message);
}

/* The line about hidden problems comes after sorting: it belongs to no line and stands at the
 * end. */
void fabric_problems_finish(struct fabric_loader *loader, const char *path)
{
    struct fabric_problems *problems = loader->problems;
    const struct fabric_place place = {.file = path};

    if (problems->n > 0)
        qsort(problems->items, problems->n, sizeof(*problems->items), problem_compare);
    if (loader->hidden_problems > 0)
        add_last(loader, &place, "%zu more problems are not shown", loader->hidden_problems);
}

void fabric_problems_free(struct fabric_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        free(problems->items[i].message);
    free(problems->items);
    *problems = (struct fabric_problems){0};
}

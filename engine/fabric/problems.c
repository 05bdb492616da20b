/*
 * Problems: collected while loading, shown to people as "file:line: message".
 *
 * A problem is one block of memory, the message and behind it the file's name and the object's, so
 * that the list outlives the fabric and every text that it was made from.
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

/* "message\0file\0object\0", printable, into *problem; false: no memory. */
static bool problem_texts(struct fabric_problem *problem, const char *message, const char *file,
                          const char *object)
{
    char *text =
        malloc(FABRIC_PRINTABLE_BYTES(strlen(message)) + FABRIC_PRINTABLE_BYTES(strlen(file)) +
               FABRIC_PRINTABLE_BYTES(object ? strlen(object) : 0));

    if (!text)
        return false;
    problem->message = text;
    text += fabric_printable(message, text) + 1;
    problem->file = text;
    text += fabric_printable(file, text) + 1;
    problem->object = object ? text : NULL;
    if (object)
        fabric_printable(object, text);
    return true;
}

/* Without the limits of fabric_complain(). */
__attribute__((format(printf, 4, 0))) static void problem_add(struct fabric_loader *loader,
                                                              const struct fabric_lint *lint,
                                                              const struct fabric_place *place,
                                                              const char *format, va_list arguments)
{
    struct fabric_problems *problems = loader->problems;
    struct fabric_problem problem = {.line = place->line,
                                     .error = lint == NULL,
                                     .rule = lint ? lint->rule : NULL,
                                     .remedy = lint ? lint->remedy : NULL};
    char *message = NULL;

    if (vasprintf(&message, format, arguments) < 0)
        message = NULL; /* what it holds then is not defined */
    if (!message || (problems->n == loader->problem_capacity && !problems_grow(loader)) ||
        !problem_texts(&problem, message, place->file, lint ? lint->object : NULL))
        loader->out_of_memory = true;
    else
        problems->items[problems->n++] = problem;
    free(message);
}

void fabric_complain(struct fabric_loader *loader, const struct fabric_lint *lint,
                     const struct fabric_place *place, const char *format, ...)
{
    /* Warnings must not take the room of errors. */
    size_t room = lint ? FABRIC_PROBLEMS_MAX / 2 : FABRIC_PROBLEMS_MAX;
    va_list arguments;

    loader->problems->errors += lint == NULL;
    if (loader->problems->n >= room) {
        loader->hidden_problems++;
        return;
    }
    va_start(arguments, format);
    problem_add(loader, lint, place, format, arguments);
    va_end(arguments);
}

static void __attribute__((format(printf, 4, 5)))
add_last(struct fabric_loader *loader, const struct fabric_lint *lint,
         const struct fabric_place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    problem_add(loader, lint, place, format, arguments);
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
    const struct fabric_lint lint = {.object = path,
                                     .remedy = "Mend what is shown, then look at the file again."};

    if (problems->n > 0)
        qsort(problems->items, problems->n, sizeof(*problems->items), problem_compare);
    if (loader->hidden_problems > 0)
        add_last(loader, &lint, &place, "%zu more problems are not shown", loader->hidden_problems);
}

void fabric_problems_free(struct fabric_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        free(problems->items[i].message);
    free(problems->items);
    *problems = (struct fabric_problems){0};
}

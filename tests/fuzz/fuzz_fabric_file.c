/*
 * Fuzzing the loader: any bytes as a fabric file.
 *
 * Input: the text of a file. It can include itself under another name, so that the way through
 * several files is tried as well. What must hold: a fabric or errors, never both and never
 * neither; every problem has a file and a message; a fabric answers the model's questions
 * consistently.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/load.h"
#include "tests/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

/* "a" and "b" are the input, "d" is a directory with "a" in it, all else is not there. */
static int read_input(void *context, const char *path, char **text, size_t *length,
                      bool *is_directory)
{
    const struct input *input = context;

    *is_directory = strcmp(path, "d") == 0;
    if (!*is_directory && strcmp(path, "a") != 0 && strcmp(path, "b") != 0)
        return -ENOENT;
    *length = *is_directory ? 2 : input->size;
    *text = malloc(*length + 1);
    if (!*text)
        return -ENOMEM;
    if (*length > 0)
        memcpy(*text, *is_directory ? (const void *)"a\n" : input->data, *length);
    (*text)[*length] = '\0';
    return 0;
}

static void ask(const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        uint32_t server = fabric_route_server_for(fabric, i);

        MUST(fabric_find_vnet(fabric, fabric->vnets[i].name) == i);
        MUST(server == FABRIC_NONE || server < fabric->route_servers_count);
    }
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        for (uint32_t j = 0; j < fabric->nics[i].addresses.n; j++)
            MUST(fabric_resolve_address(fabric, fabric->nics[i].vnet,
                                        &fabric->nics[i].addresses.items[j]) == i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .size = size};
    const struct fabric_reader reader = {.context = &input, .read = read_input};
    struct fabric_problems problems;
    struct fabric *fabric = fabric_load("a", &reader, &problems);

    MUST((fabric == NULL) == (problems.errors > 0));
    for (size_t i = 0; i < problems.n; i++)
        MUST(problems.items[i].file && problems.items[i].message[0]);
    if (fabric)
        ask(fabric);
    fabric_problems_free(&problems);
    fabric_free(fabric);
    return 0;
}

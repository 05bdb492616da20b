/*
 * Files that ask for too much, and files made of random damage: an answer in bounded time and
 * memory, never a crash.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/fabric/loader.h"

static void expect_text(const char *text, const char *expected)
{
    char *problems;

    cr_expect_null(files_load_text(text, &problems));
    cr_expect_str_eq(problems, expected);
    free(problems);
}

Test(load_limits, aliases_count_as_what_they_stand_for)
{
    char text[4096] = "fabric: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
    size_t used = strlen(text);

    for (unsigned i = 1; i < 12; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "key%u: &l%u [", i, i);
        for (unsigned j = 0; j < 10; j++)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, "%s*l%u", j ? ", " : "", i - 1);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "]\n");
    }
    expect_text(text,
                "base.yaml:7: error: the fabric has more than 8388608 values, aliases counted "
                "as what they stand for\n");
}

Test(load_limits, an_alias_may_stand_for_what_was_written_before)
{
    struct fabric *fabric =
        files_load_text("vnets:\n"
                        "  - {name: a, region: &here north, address_space: [10.0.0.0/16]}\n"
                        "  - {name: b, region: *here, address_space: [10.1.0.0/16]}\n",
                        NULL);

    cr_assert_not_null(fabric);
    cr_expect_str_eq(fabric->vnets[1].region, "north");
    fabric_free(fabric);
}

Test(load_limits, depth_is_bounded)
{
    char text[256] = "fabric: ";

    memset(text + 8, '[', 64);
    expect_text(text, "base.yaml:1: error: values are nested more than 32 deep\n");
}

Test(load_limits, keys_of_a_mapping_are_bounded)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    fprintf(out, "engine:\n");
    for (unsigned i = 0; i < 200; i++)
        fprintf(out, "  key%u: 1\n", i);
    fclose(out);
    expect_text(text, "base.yaml:2: error: a mapping has more than 128 keys\n");
    free(text);
}

Test(load_limits, a_file_of_errors_shows_the_first_and_counts_the_rest)
{
    char *text = NULL, *problems, *last;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    fprintf(out, "reserved_prefixes:\n");
    for (unsigned i = 0; i < 5000; i++)
        fprintf(out, "  - 10.0.0.0/99\n");
    fclose(out);
    cr_expect_null(files_load_text(text, &problems));
    last = strstr(problems, "base.yaml:0: ");
    cr_assert_not_null(last);
    cr_expect_str_eq(last, "base.yaml:0: warning: 4500 more problems are not shown\n");
    free(problems);
    free(text);
}

Test(load_limits, includes_are_bounded_in_depth)
{
    struct files_file files[32];
    char paths[31][16], texts[31][32];
    char *problems;

    for (unsigned i = 0; i < 31; i++) {
        snprintf(paths[i], sizeof(paths[i]), "f%u.yaml", i);
        snprintf(texts[i], sizeof(texts[i]), "include: [f%u.yaml]\n", i + 1);
        files[i] = (struct files_file){paths[i], texts[i], false};
    }
    files[31] = (struct files_file){NULL, NULL, false};
    cr_expect_null(files_load(files, &problems));
    cr_expect_str_eq(
        problems, "f15.yaml:1: error: more than 4096 files, or files included more than 16 deep\n");
    free(problems);
}

/* --- Damage ----------------------------------------------------------------------------------- */

static unsigned below(unsigned n)
{
    return (unsigned)rand() % n;
}

/* Flips, drops, doubles or moves a piece of text in place; room is what the buffer holds. */
static void damage(char *text, size_t room)
{
    static const char bytes[] = "{}[]:,-#&*!|>'\"%@`~ \n\t0129azAZ./\x01\xc3\xff";
    size_t length = strlen(text);
    size_t at = below((unsigned)length), n = 1 + below(24);

    if (at + n > length)
        n = length - at;
    switch (below(4)) {
    case 0:
        text[at] = bytes[below(sizeof(bytes) - 1)];
        break;
    case 1:
        memmove(text + at, text + at + n, length - at - n + 1);
        break;
    case 2:
        if (length + n + 1 < room)
            memmove(text + at + n, text + at, length - at + 1);
        break;
    default:
        memmove(text + below((unsigned)(length - n + 1)), text + at, n);
        break;
    }
}

/* Questions of the model that walk over all of it. */
static void ask(const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        cr_assert_eq(fabric_resolve_address(fabric, fabric->nics[i].vnet,
                                            &fabric->nics[i].addresses.items[0]),
                     i);
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        cr_assert_eq(fabric_find_vnet(fabric, fabric->vnets[i].name), i);
}

static void check_damage(const char *path, unsigned rounds)
{
    char *good = files_read(path);
    char *tags = files_read("tests/fabric/every-key-tags.yaml");
    size_t room = strlen(good) + 1024;
    char *text = malloc(room);
    unsigned loaded = 0;

    for (unsigned round = 0; round < rounds; round++) {
        const struct files_file files[] = {
            {"base.yaml", text, false}, {"every-key-tags.yaml", tags, false}, {NULL, NULL, false}};
        struct fabric *fabric;

        strcpy(text, good);
        for (unsigned i = 1 + below(4); i > 0 && text[0]; i--)
            damage(text, room);
        fabric = files_load(files, NULL);
        if (fabric)
            ask(fabric);
        loaded += fabric != NULL;
        fabric_free(fabric);
    }
    fprintf(stderr, "%s: %u of %u damaged files still load\n", path, loaded, rounds);
    cr_expect(loaded > 0 && loaded < rounds);
    free(text);
    free(tags);
    free(good);
}

Test(load_limits, damaged_files_never_crash_the_loader)
{
    unsigned seed = (unsigned)time(NULL);

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    check_damage("docs/examples/hub-spoke.yaml", 2000);
    check_damage("tests/fabric/every-key.yaml", 2000);
}

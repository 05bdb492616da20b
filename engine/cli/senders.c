/*
 * Every line becomes a route of one of two bases whose leaves are NIC ids.
 */
#include "engine/cli/senders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/source.h"

struct reading {
    const struct cli_command *command;
    struct twin *twin;
    const char *path;
    unsigned line;
    struct senders *senders;
};

static int refuse(const struct reading *reading, const char *message, const char *text)
{
    cli_print(stderr, reading->path);
    fprintf(stderr, ":%u: '", reading->line);
    cli_print(stderr, text);
    fprintf(stderr, "' %s\n", message);
    return CLI_BAD_USE;
}

static int add_route(const struct reading *reading, const char *prefix_text, const char *name)
{
    struct lpm_change change = {.kind = LPM_SET};
    int wrong = lpm_prefix_parse(prefix_text, &change.prefix);
    uint32_t nic = fabric_find_nic(reading->twin->fabric, name);
    struct program *program = controller_program(sim_controller(reading->twin->sim));
    if (wrong == -EDOM)
        return refuse(reading, "has bits set beyond its length", prefix_text);
    if (wrong)
        return refuse(reading, "is not a prefix such as 10.0.0.0/8 or fd00::/8", prefix_text);
    if (nic == FABRIC_NONE)
        return refuse(reading, "is not a NIC of the fabric", name);
    struct lpm_fib *fib =
        change.prefix.family == LPM_IPV4 ? reading->senders->fib4 : reading->senders->fib6;
    if (lpm_get(fib, &change.prefix) != LPM_NO_ROUTE)
        return refuse(reading, "is there twice", prefix_text);
    change.leaf = program_nic_id(program, nic);
    int error = lpm_update(fib, &change, 1);
    return error ? refuse(reading, strerror(-error), prefix_text) : 0;
}

static int read_line(const struct reading *reading, char *text)
{
    char *rest, *comment = strchr(text, '#');
    if (comment)
        *comment = '\0';
    const char *prefix = strtok_r(text, " \t\r\n", &rest);
    const char *name = strtok_r(NULL, " \t\r\n", &rest);
    if (!prefix)
        return 0;
    if (!name || strtok_r(NULL, " \t\r\n", &rest))
        return refuse(reading, "begins a line that is not PREFIX NIC", prefix);
    return add_route(reading, prefix, name);
}

static int read_lines(struct reading *reading, FILE *file)
{
    char *text = NULL;
    size_t capacity = 0;
    int code = 0;
    for (ssize_t n; code == 0 && (n = getline(&text, &capacity, file)) >= 0;) {
        reading->line++;
        if (strlen(text) != (size_t)n)
            code = refuse(reading, "is followed by a zero byte: this is no text", text);
        else
            code = read_line(reading, text);
    }
    free(text);
    if (code == 0 && ferror(file))
        return cli_error(reading->command, "%s: %s", reading->path, strerror(errno));
    return code;
}

int senders_load(const struct cli_command *command, struct twin *twin, const char *path,
                 struct senders *senders)
{
    struct reading reading = {.command = command, .twin = twin, .path = path, .senders = senders};
    *senders = (struct senders){0};
    int descriptor = source_open(path);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;
    if (!file)
        return cli_error(command, "%s: %s", path,
                         descriptor == -ENOTSUP ? "is no file"
                                                : strerror(descriptor < 0 ? -descriptor : errno));
    int code = 0;
    if (lpm_base_create(twin->lpm, LPM_IPV4, NULL, 0, &senders->fib4) ||
        lpm_base_create(twin->lpm, LPM_IPV6, NULL, 0, &senders->fib6))
        code = cli_error(command, "no memory for %s", path);
    else
        code = read_lines(&reading, file);
    fclose(file);
    if (code)
        senders_release(senders);
    return code;
}

void senders_release(struct senders *senders)
{
    lpm_release(senders->fib4);
    lpm_release(senders->fib6);
    *senders = (struct senders){0};
}

#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/loader.h"

const char files_base[] =
    "fabric: base\n"
    "vnets:\n"
    "  - name: hub\n"
    "    region: north\n"
    "    address_space: [10.0.0.0/22, \"fd00:10::/48\"]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24, \"fd00:10:0:1::/64\"], route_table: out}\n"
    "      - {name: GatewaySubnet, prefixes: [10.0.3.0/26]}\n"
    "  - name: spoke\n"
    "    region: south\n"
    "    address_space: [10.1.0.0/16]\n"
    "    subnets:\n"
    "      - {name: vms, prefixes: [10.1.0.0/24]}\n"
    "peerings:\n"
    "  - vnets: [hub, spoke]\n"
    "    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
    "    spoke: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"
    "route_tables:\n"
    "  - name: out\n"
    "    routes:\n"
    "      - {prefix: 0.0.0.0/0, next_hop_type: Internet}\n"
    "nics:\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4, \"fd00:10:0:1::4\"], ip_forwarding: "
    "true, mac: \"02:00:00:00:00:14\", port: trunk, vlan: 12}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true, mac: "
    "\"02:00:00:00:00:15\", port: trunk, vlan: 13}\n"
    "  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4], port: p1}\n"
    "ports:\n"
    "  - {name: p1, device: net_tap, options: {iface: fp-vm1}}\n"
    "  - {name: trunk, device: \"0000:3b:00.0\"}\n"
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    peers:\n"
    "      - {name: nva1, address: 10.0.1.4, asn: 65001}\n"
    "      - {name: nva2, address: 10.0.1.5, asn: 65001}\n"
    "routers:\n"
    "  - {name: r1, nic: nva1, asn: 65001, originate: [10.0.0.0/8], neighbors: [{route_server: "
    "rs1}]}\n"
    "  - {name: r2, nic: [nva2], asn: 65001, originate: [10.0.0.0/8], neighbors: [{route_server: "
    "rs1}]}\n";

/* --- Readers ---------------------------------------------------------------------------------- */

static int read_memory(void *context, const char *path, char **text, size_t *length,
                       bool *is_directory)
{
    const struct files_file *files = context;

    for (; files->path; files++) {
        if (strcmp(files->path, path) != 0)
            continue;
        if (!files->text)
            return -ENOTSUP;
        *text = strdup(files->text);
        *length = strlen(files->text);
        *is_directory = files->is_directory;
        return 0;
    }
    return -ENOENT;
}

static int read_disk(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    FILE *file = fopen(path, "r");

    (void)context;
    (void)is_directory;
    if (!file)
        return -errno;
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    *text = malloc(*length + 1);
    cr_assert_eq(fread(*text, 1, *length, file), *length);
    (*text)[*length] = '\0';
    fclose(file);
    return 0;
}

/* --- Loading ---------------------------------------------------------------------------------- */

/* Whatever a file holds, damaged ones included: there is nothing left to escape. */
static void expect_printable(const char *text)
{
    char *printable = malloc(FABRIC_PRINTABLE_BYTES(strlen(text)));

    fabric_printable(text, printable);
    cr_expect_str_eq(printable, text);
    free(printable);
}

static struct fabric *load(const char *path, const struct fabric_reader *reader, char **text)
{
    struct fabric_problems problems;
    struct fabric *fabric = fabric_load(path, reader, &problems);
    size_t length, errors = 0;
    FILE *out = open_memstream(text, &length);

    for (size_t i = 0; i < problems.n; i++) {
        const struct fabric_problem *problem = &problems.items[i];
        const char *rule = problem->rule ? problem->rule : "";

        expect_printable(problem->message);
        expect_printable(problem->file);
        cr_expect(problem->error || (problem->object && problem->remedy), "'%s' comes alone",
                  problem->message);
        fprintf(out, "%s:%u: %s%s%s: %s\n", problem->file, problem->line,
                problem->error ? "error" : "warning", rule[0] ? " " : "", rule, problem->message);
        errors += problem->error;
    }
    fclose(out);
    cr_assert_eq(fabric == NULL, problems.errors > 0);
    cr_assert_eq(errors > 0, problems.errors > 0, "an error is counted but not shown");
    fabric_problems_free(&problems);
    return fabric;
}

static struct fabric *load_or_drop(const char *path, const struct fabric_reader *reader,
                                   char **problems)
{
    char *text = NULL;
    struct fabric *fabric = load(path, reader, &text);

    if (problems)
        *problems = text;
    else
        free(text);
    return fabric;
}

struct fabric *files_load(const struct files_file *files, char **problems)
{
    union {
        const struct files_file *files;
        void *context;
    } cast = {.files = files};
    const struct fabric_reader reader = {.context = cast.context, .read = read_memory};

    return load_or_drop(files[0].path, &reader, problems);
}

struct fabric_problems files_problems(const char *text)
{
    struct files_file files[] = {{"base.yaml", text, false}, {NULL, NULL, false}};
    const struct fabric_reader reader = {.context = files, .read = read_memory};
    struct fabric_problems problems;

    fabric_free(fabric_load(files[0].path, &reader, &problems));
    return problems;
}

struct fabric *files_load_text(const char *text, char **problems)
{
    const struct files_file files[] = {{"base.yaml", text, false}, {NULL, NULL, false}};

    return files_load(files, problems);
}

struct fabric *files_load_path(const char *path, char **problems)
{
    const struct fabric_reader reader = {.read = read_disk};
    char full[4096];

    snprintf(full, sizeof(full), "%s/%s", SOURCE_ROOT, path);
    return load_or_drop(full, &reader, problems);
}

char *files_read(const char *path)
{
    char full[4096];
    char *text = NULL;
    size_t length;
    bool is_directory;

    snprintf(full, sizeof(full), "%s/%s", SOURCE_ROOT, path);
    cr_assert_eq(read_disk(NULL, full, &text, &length, &is_directory), 0, "%s", full);
    return text;
}

/* --- Cases ------------------------------------------------------------------------------------ */

static char *edit(char *text, const struct files_edit *change)
{
    size_t from = change->from ? strlen(change->from) : 0, to = strlen(change->to);
    char *at = change->from ? strstr(text, change->from) : text + strlen(text);
    char *edited = malloc(strlen(text) + to + 1);

    cr_assert_not_null(at, "the good file does not hold '%s'", change->from);
    memcpy(edited, text, (size_t)(at - text));
    memcpy(edited + (at - text), change->to, to);
    strcpy(edited + (at - text) + to, at + from);
    free(text);
    return edited;
}

void files_expect(const struct files_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = strdup(files_base);
        char *problems;
        struct fabric *fabric;

        for (unsigned j = 0; j < 4 && cases[i].edits[j].to; j++)
            text = edit(text, &cases[i].edits[j]);
        fabric = files_load_text(text, &problems);
        cr_expect_str_eq(problems, cases[i].problems, "after '%s' got:\n%swanted:\n%s",
                         cases[i].edits[0].to, problems, cases[i].problems);
        fabric_free(fabric);
        free(problems);
        free(text);
    }
}

/*
 * fingerpost mrt dump: the tables of the twin's route servers as one MRT file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/mrt.h"
#include "engine/cli/report.h"
#include "engine/cli/twin.h"
#include "engine/rib/dump.h"

#define PIECE_PREFIXES 4096u

struct dumping {
    FILE *file;
    struct twin *twin;
    json_t *tables; /* {"view", "bytes"} */
};

static int write_table(struct dumping *dumping, const struct speaker *speaker, const char *view)
{
    uint64_t now_ms = sim_now_ms(dumping->twin->sim);
    /* The twin's clock starts at 0, and so does the dump's: equal runs, equal files. */
    struct rib_dump *dump = rib_dump_create(speaker, view, (uint32_t)(now_ms / 1000u), now_ms);
    const uint8_t *bytes;
    size_t n, total = 0;
    int error = dump ? 0 : -errno;
    while (!error && (error = rib_dump_next(dump, PIECE_PREFIXES, &bytes, &n)) == 0 && n > 0) {
        total += n;
        if (fwrite(bytes, 1, n, dumping->file) != n)
            error = -errno;
    }
    rib_dump_destroy(dump);
    json_array_append_new(dumping->tables,
                          json_pack("{s:s, s:I}", "view", view, "bytes", (json_int_t)total));
    return error;
}

/* One table a speaker: one for both instances where they are merged. */
static int write_server(struct dumping *dumping, uint32_t server)
{
    struct controller *controller = sim_controller(dumping->twin->sim);
    const struct speaker *last = NULL;
    int error = 0;
    for (size_t i = 0; !error && i < controller_peer_count(controller); i++) {
        const struct controller_peer *peer = controller_peer(controller, i);
        char view[200];
        if (peer->route_server != server || peer->speaker == last)
            continue;
        last = peer->speaker;
        snprintf(view, sizeof(view), "%s/%u", dumping->twin->fabric->route_servers[server].name,
                 peer->instance);
        error = write_table(dumping, peer->speaker, view);
    }
    return error;
}

static int write_router(struct dumping *dumping, uint32_t router)
{
    const struct speaker *speaker = sim_router_speaker(dumping->twin->sim, router);
    return speaker ? write_table(dumping, speaker, dumping->twin->fabric->routers[router].name) : 0;
}

/* node NULL: every route server. */
static int write_tables(struct dumping *dumping, const char *node)
{
    const struct fabric *fabric = dumping->twin->fabric;
    if (node && fabric_find_router(fabric, node) != FABRIC_NONE)
        return write_router(dumping, fabric_find_router(fabric, node));
    int error = 0;
    for (uint32_t i = 0; !error && i < fabric->route_servers_count; i++)
        if (!node || fabric_find_route_server(fabric, node) == i)
            error = write_server(dumping, i);
    return error;
}

static int dump(struct dumping *dumping, const char *node, const char *out)
{
    const struct fabric *fabric = dumping->twin->fabric;
    if (node && fabric_find_router(fabric, node) == FABRIC_NONE &&
        fabric_find_route_server(fabric, node) == FABRIC_NONE)
        return cli_error(&cli_mrt_dump, "the fabric has no route server or router '%s'", node);
    dumping->file = fopen(out, "we");
    if (!dumping->file)
        return cli_error(&cli_mrt_dump, "%s: %s", out, strerror(errno));
    int error = write_tables(dumping, node);
    if (fclose(dumping->file) != 0 && !error)
        error = -errno;
    if (!error)
        return CLI_FINE;
    /* Half a table must not pass for one. */
    remove(out);
    return cli_error(&cli_mrt_dump, "%s: %s; the file was removed", out, strerror(-error));
}

static void report(const char *out, json_t *tables, bool json)
{
    size_t i;
    json_t *table;
    if (json) {
        report_json(json_pack("{s:s, s:O}", "file", out, "tables", tables));
        return;
    }
    json_array_foreach(tables, i, table) printf(
        "%s: table of %s, %lld bytes\n", out, json_string_value(json_object_get(table, "view")),
        (long long)json_integer_value(json_object_get(table, "bytes")));
}

static int run(int argc, char **argv)
{
    const char *path, *out = NULL, *node = NULL;
    bool json = false;
    const struct cli_option options[] = {{.name = "out", .value = &out},
                                         {.name = "node", .value = &node},
                                         {.name = "json", .flag = &json},
                                         {0}};
    int code = cli_arguments(&cli_mrt_dump, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if (!out)
        return cli_error(&cli_mrt_dump, "--out FILE says where the table goes");
    struct twin twin;
    code = twin_open(&cli_mrt_dump, path, &twin);
    if (code)
        return code;
    struct dumping dumping = {.twin = &twin, .tables = json_array()};
    code = dump(&dumping, node, out);
    if (code == CLI_FINE)
        report(out, dumping.tables, json);
    json_decref(dumping.tables);
    twin_close(&twin);
    return code;
}

const struct cli_command cli_mrt_dump = {
    .name = "mrt dump",
    .summary = "Write the BGP tables of the converged twin as an MRT file",
    .usage = "mrt dump FABRIC --out FILE [--node NODE] [--json]",
    .help = "FABRIC   a fabric file, or a directory of them\n\n"
            "  --out FILE    where to: TABLE_DUMP_V2 (RFC 6396), which other tools read\n"
            "  --node NODE   only the table of this route server, or of a modelled router\n"
            "  --json        {\"file\", \"tables\": [{\"view\", \"bytes\"}]}\n\n"
            "Each table begins with its peers; peer 0 is the route server itself. Instances that\n"
            "are not merged have a table each. Times in the file are the twin's: from 0 on.\n\n"
            "Example: fingerpost mrt dump docs/examples/hub-spoke.yaml --out rib.mrt\n",
    .run = run,
};

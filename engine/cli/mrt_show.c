/*
 * fingerpost mrt show: what an MRT file says, as it is read: files are larger than memory. So the
 * one JSON document is written in pieces, each made by jansson:
 *
 *   {"records": [row, row, …], "kinds": {kind: n}, "damaged": n}
 */
#include <errno.h>
#include <string.h>

#include "engine/cli/mrt.h"

#define KINDS_MAX 64u

struct showing {
    struct mrt_file *file;
    bool json, summary;
    const char *peer;            /* only this one's; NULL: all */
    struct lpm_prefix prefix;    /* only this one; family 0: all */
    struct mrt_peer_index index; /* the last one */
    struct mrt_attribute_reader *attributes;
    struct bgp_update_reader *updates;
    struct bgp_attribute_table *table;
    json_t *kinds; /* kind -> records */
    size_t routes, messages, rows;
};

/* --- Output ----------------------------------------------------------------------------------- */

static void give(struct showing *showing, const char *list, json_t *row,
                 void (*print)(const json_t *row))
{
    if (showing->json) {
        json_object_set_new(row, "record", json_string(list));
        fputs(showing->rows ? ",\n" : "\n", stdout);
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(16));
    } else {
        print(row);
    }
    showing->rows++;
    json_decref(row);
}

static void print_index(const json_t *row)
{
    size_t i;
    json_t *peer;
    printf("table of %s", json_string_value(json_object_get(row, "collector")));
    const char *view = json_string_value(json_object_get(row, "view"));
    if (view && *view) {
        fputs(", view ", stdout);
        cli_print(stdout, view);
    }
    putchar('\n');
    json_array_foreach(json_object_get(row, "peers"), i, peer)
        printf("  peer %zu: %s AS %lld\n", i, json_string_value(json_object_get(peer, "address")),
               (long long)json_integer_value(json_object_get(peer, "asn")));
}

/* --- Records ---------------------------------------------------------------------------------- */

static bool is_wanted_peer(const struct showing *showing, const struct lpm_address *address)
{
    char text[LPM_ADDRESS_TEXT];
    return !showing->peer || strcmp(lpm_address_format(address, text), showing->peer) == 0;
}

static int show_index(struct showing *showing, const struct mrt_record *record)
{
    struct mrt_peer_index index;
    int error = mrt_peer_index_decode(record, &index);
    if (error)
        return error;
    mrt_peer_index_free(&showing->index);
    showing->index = index;
    give(showing, "peers", mrt_index_row(&index), print_index);
    return 0;
}

static int show_entry(struct showing *showing, const struct mrt_rib *rib,
                      const struct mrt_rib_entry *entry)
{
    const struct bgp_attributes *attributes;
    if (entry->peer >= showing->index.n)
        return -EBADMSG;
    if (!is_wanted_peer(showing, &showing->index.peers[entry->peer].address))
        return 0;
    int error =
        mrt_attributes_decode(showing->attributes, rib->family, entry, showing->table, &attributes);
    if (error)
        return error;
    showing->routes++;
    if (!showing->summary)
        give(showing, "route", mrt_route_row(&showing->index, rib, entry, attributes),
             mrt_print_route);
    bgp_attributes_release(showing->table, attributes);
    return 0;
}

static int show_rib(struct showing *showing, const struct mrt_record *record)
{
    struct mrt_rib rib;
    struct mrt_rib_entry entry;
    int error = mrt_rib_decode(record, &rib);
    if (error || (showing->prefix.family && !lpm_prefix_equal(&showing->prefix, &rib.prefix)))
        return error;
    while (mrt_rib_next(&rib, &entry)) {
        int failed = show_entry(showing, &rib, &entry);
        error = failed ? failed : error;
    }
    return error;
}

static bool row_has(const json_t *row, const char *list, const char *prefix)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(row, list), i,
                       item) if (strcmp(json_string_value(item), prefix) == 0) return true;
    return false;
}

static int show_message(struct showing *showing, const struct mrt_record *record)
{
    struct mrt_message message;
    int error = mrt_message_decode(record, &message);
    if (error)
        return error;
    if (!is_wanted_peer(showing, &message.peer))
        return 0;
    json_t *row = mrt_message_row(record, &message, showing->updates, showing->table);
    char prefix[LPM_PREFIX_TEXT];
    bool wanted = !showing->prefix.family;
    if (!wanted) {
        lpm_prefix_format(&showing->prefix, prefix);
        wanted = row_has(row, "announced", prefix) || row_has(row, "withdrawn", prefix);
    }
    showing->messages += wanted;
    if (wanted && !showing->summary)
        give(showing, "message", row, mrt_print_message);
    else
        json_decref(row);
    return 0;
}

/* A hostile file could have a kind a record. */
static void count_kind(struct showing *showing, const struct mrt_record *record)
{
    char kind[MRT_KIND_TEXT];
    mrt_record_kind(record, kind);
    json_t *n = json_object_get(showing->kinds, kind);
    if (n)
        json_integer_set(n, json_integer_value(n) + 1);
    else if (json_object_size(showing->kinds) < KINDS_MAX)
        json_object_set_new(showing->kinds, kind, json_integer(1));
}

static void show_record(struct showing *showing, const struct mrt_record *record)
{
    int error = -ENOTSUP;
    count_kind(showing, record);
    if (mrt_is_peer_index(record))
        error = show_index(showing, record);
    else if (mrt_is_rib(record))
        error = show_rib(showing, record);
    else if (mrt_is_message(record))
        error = show_message(showing, record);
    if (error)
        mrt_file_blame(showing->file, record, error);
}

static void conclude(struct showing *showing)
{
    const char *kind;
    json_t *n;
    mrt_file_conclude(showing->file);
    if (showing->json) {
        fputs("\n], \"kinds\": ", stdout);
        json_dumpf(showing->kinds, stdout, JSON_COMPACT);
        printf(", \"routes\": %zu, \"messages\": %zu, \"damaged\": %zu}\n", showing->routes,
               showing->messages, mrt_file_damage(showing->file));
        return;
    }
    if (!showing->summary)
        return;
    json_object_foreach(showing->kinds, kind, n)
        printf("%10lld  %s\n", (long long)json_integer_value(n), kind);
    printf("%zu routes, %zu messages, %zu damaged records\n", showing->routes, showing->messages,
           mrt_file_damage(showing->file));
}

/* --- The command ------------------------------------------------------------------------------ */

static int show(struct showing *showing)
{
    struct mrt_record record;
    if (showing->json)
        fputs("{\"records\": [", stdout);
    while (mrt_file_next(showing->file, &record))
        show_record(showing, &record);
    conclude(showing);
    bool nothing = json_object_size(showing->kinds) == 0;
    return mrt_file_damage(showing->file) == 0 ? CLI_FINE : nothing ? CLI_BAD_USE : CLI_FOUND;
}

static int show_file(struct showing *showing, const char *path)
{
    int code = CLI_BAD_USE;
    showing->attributes = mrt_attribute_reader_create();
    showing->updates = bgp_update_reader_create();
    showing->table = bgp_attribute_table_create();
    showing->kinds = json_object();
    if (!showing->attributes || !showing->updates || !showing->table || !showing->kinds)
        cli_error(&cli_mrt_show, "not enough memory");
    else if ((showing->file = mrt_file_open(&cli_mrt_show, path)) != NULL)
        code = show(showing);
    mrt_file_close(showing->file);
    mrt_peer_index_free(&showing->index);
    mrt_attribute_reader_destroy(showing->attributes);
    bgp_update_reader_destroy(showing->updates);
    if (showing->table)
        bgp_attribute_table_destroy(showing->table);
    json_decref(showing->kinds);
    return code;
}

static int run(int argc, char **argv)
{
    struct showing showing = {0};
    const char *path, *prefix = NULL, *peer = NULL;
    char peer_text[LPM_ADDRESS_TEXT];
    struct lpm_address address;
    const struct cli_option options[] = {{.name = "prefix", .value = &prefix},
                                         {.name = "peer", .value = &peer},
                                         {.name = "summary", .flag = &showing.summary},
                                         {.name = "json", .flag = &showing.json},
                                         {0}};
    int code = cli_arguments(&cli_mrt_show, argc, argv, options, &path, 1);
    if (code >= 0)
        return code;
    if (prefix && lpm_prefix_parse(prefix, &showing.prefix) < 0)
        return cli_error(&cli_mrt_show, "--prefix: '%s' is not a prefix, 10.0.0.0/8 say", prefix);
    if (peer && lpm_address_parse(peer, &address) < 0)
        return cli_error(&cli_mrt_show, "--peer: '%s' is not an IPv4 or IPv6 address", peer);
    if (peer)
        showing.peer = lpm_address_format(&address, peer_text);
    return show_file(&showing, path);
}

const struct cli_command cli_mrt_show = {
    .name = "mrt show",
    .summary = "Show what an MRT file says: a table or updates",
    .usage = "mrt show FILE [--prefix PREFIX] [--peer ADDRESS] [--summary] [--json]",
    .help =
        "FILE   an MRT file (RFC 6396, RFC 8050), also as .gz, .bz2 or .xz\n\n"
        "  --prefix PREFIX   only this prefix, not what it covers\n"
        "  --peer ADDRESS    only what this peer of the collector said\n"
        "  --summary         how much there is of what, and no line for each\n"
        "  --json            {\"records\": [{\"record\": \"peers|route|message\", …}], \"kinds\": "
        "{kind: n},\n"
        "                    \"routes\": n, \"messages\": n, \"damaged\": n}\n\n"
        "Damaged records are left out and said on standard error. Exit code 1: there were some;\n"
        "2: the file cannot be read, or is none.\n\n"
        "Example: fingerpost mrt show rib.20260511.0000.bz2 --prefix 193.0.0.0/21\n",
    .run = run,
};

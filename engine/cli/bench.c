/*
 * fingerpost bench: how fast the trie is on this machine, beside DPDK's tables, the packet path
 * beside l3fwd, the route server beside other people's, and how long the engine takes to route around a dead next hop.
 *
 * The work is in bench/ (that of `converge` in converge.c), which returns rows of JSON; here they
 * are printed, as they are or as a table.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "engine/cli/command.h"
#include "engine/cli/converge.h"
#include "engine/cli/converge_fabric.h"
#include "engine/cli/reconfig.h"
#include "engine/cli/scale.h"
#include "engine/cli/table.h"

#define FIBS_MAX   1000000
#define ROUTES_MAX 4000000

/* --- Cells ------------------------------------------------------------------------------------ */

static const char *text(const json_t *row, const char *field)
{
    const char *value = json_string_value(json_object_get(row, field));
    return value ? value : "";
}

static long long whole(const json_t *row, const char *field)
{
    return json_integer_value(json_object_get(row, field));
}

static double real(const json_t *row, const char *field)
{
    return json_number_value(json_object_get(row, field));
}

/* A number with so many decimals, or a dash where the row has none. */
static const char *number(const json_t *row, const char *field, int decimals, char cell[32])
{
    const json_t *value = json_object_get(row, field);
    if (json_is_number(value))
        snprintf(cell, 32, "%.*f", decimals, json_number_value(value));
    else
        snprintf(cell, 32, "-");
    return cell;
}

static const char *size(double bytes, char cell[32])
{
    static const char *const units[] = {"B", "KB", "MB", "GB"};
    unsigned unit = 0;
    for (; bytes >= 1000 && unit < 3; unit++)
        bytes /= 1000;
    snprintf(cell, 32, unit ? "%.2f %s" : "%.0f %s", bytes, units[unit]);
    return cell;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void lookup_row(struct table *table, const json_t *row)
{
    char bytes[32], writer[32], ratio[32], keys[48];
    if (whole(row, "locality") > 1)
        snprintf(keys, sizeof(keys), "%s, %lld in a row", text(row, "keys"),
                 whole(row, "locality"));
    else
        snprintf(keys, sizeof(keys), "%s", text(row, "keys"));
    table_row(table, "%s|%lld|%s|%.1f|%.1f - %.1f|%s|%s|%s", keys, whole(row, "fibs"),
              text(row, "engine"), real(row, "mlps_median"), real(row, "mlps_min"),
              real(row, "mlps_max"), size(real(row, "bytes"), bytes),
              size(real(row, "bytes_writer"), writer), number(row, "ratio_to_best_peer", 2, ratio));
}

static void update_row(struct table *table, const json_t *row)
{
    char p50[32], p999[32], max[32], ratio[32], loss[32];
    table_row(table, "%s%s|%s|%.2f|%s|%s|%s|%s|%s", text(row, "work"),
              whole(row, "batch") > 1 ? ", in batches" : "", text(row, "engine"),
              real(row, "updates_per_s") / 1e6, number(row, "p50_us", 2, p50),
              number(row, "p999_us", 1, p999), number(row, "max_us", 1, max),
              number(row, "loss_percent", 1, loss), number(row, "ratio_to_best_peer", 2, ratio));
}

static void share_row(struct table *table, const json_t *row)
{
    char base[32], each[32], change[32], overridden[32], covered[32], come[32];
    table_row(table, "%lld x %lld|%s|%lld|%.1f|%s|%s|%s|%s|%s|%s", whole(row, "fibs"),
              whole(row, "routes"), text(row, "keys"), whole(row, "locality"),
              real(row, "mlps_median"), size(real(row, "bytes_base"), base),
              size(real(row, "bytes_per_fib"), each), number(row, "base_change_us", 2, change),
              number(row, "base_change_overridden_us", 2, overridden),
              number(row, "base_change_covered_us", 2, covered),
              number(row, "base_come_us", 2, come));
}

static void forward_row(struct table *table, const json_t *row)
{
    char fwd[32], pmd[32], stages[128], scaling[32], reference[32];
    size_t used = 0;
    const char *stage;
    json_t *ns;
    json_object_foreach(json_object_get(row, "stages_ns"), stage, ns)
    {
        if (used < sizeof(stages))
            used += (size_t)snprintf(stages + used, sizeof(stages) - used, "%s%.1f",
                                     used ? " + " : "", json_number_value(ns));
    }
    table_row(table, "%s|%lld|%lld|%lld|%.1f|%.1f - %.1f|%.1f|%s|%s|%s|%s|%s", text(row, "work"),
              whole(row, "routes"), whole(row, "fibs"), whole(row, "nics"), real(row, "mpps"),
              real(row, "mpps_min"), real(row, "mpps_max"), real(row, "ns_per_packet"),
              used ? stages : "-", number(row, "ratio_l3fwd", 2, fwd),
              number(row, "ratio_testpmd_mac", 2, pmd), number(row, "scaling", 2, scaling),
              number(row, "scaling_l3fwd", 2, reference));
}

static void bgp_row(struct table *table, const json_t *row)
{
    char extra[32], slice[32], ratio[32];
    table_row(table, "%s|%lld|%s|%.3f|%.3f - %.3f|%.3f|%.0f|%s|%s|%s", text(row, "work"),
              whole(row, "prefixes"), text(row, "engine"), real(row, "seconds_median"),
              real(row, "seconds_min"), real(row, "seconds_max"), real(row, "cpu_s"),
              real(row, "rss_mb"), number(row, "bytes_per_extra_path", 0, extra),
              number(row, "longest_slice_ms", 1, slice),
              number(row, "ratio_to_best_peer", 2, ratio));
}

static void converge_row(struct table *table, const json_t *row)
{
    table_row(table, "%s|%lld|%lld|%lld|%lld|%.1f|%.1f - %.1f|%.1f|%.1f|%.2f|%lld",
              text(row, "event"), whole(row, "prefixes"), whole(row, "nics"), whole(row, "fibs"),
              whole(row, "groups"), real(row, "engine_us"), real(row, "engine_us_min"),
              real(row, "engine_us_max"), real(row, "dead_path_ms") * 1e3,
              real(row, "dead_path_ms_max") * 1e3, real(row, "fib_us") / 1e3,
              whole(row, "entries_changed"));
}

static void reconfig_row(struct table *table, const json_t *row)
{
    char lpm[32];
    table_row(table, "%s|%lld|%lld|%.0f|%s|%.1f|%lld|%lld|%lld|%.1f|%.1f|%.1f", text(row, "work"),
              whole(row, "prefixes"), whole(row, "changes"), real(row, "changes_per_s"),
              number(row, "lpm_changes_per_s", 0, lpm), real(row, "mpps"), whole(row, "sent"),
              whole(row, "lost"), whole(row, "wrong"), real(row, "worker_longest_stall_us"),
              real(row, "worker_p999_stall_us"), real(row, "worker_stalls_50us_per_s"));
}

static void scale_row(struct table *table, const json_t *row)
{
    char groups[32];
    table_row(table, "%s|%lld|%lld|%lld|%lld x %lld|%.3f|%.3f - %.3f|%s|%lld|%.0f",
              text(row, "work"), whole(row, "vnets"), whole(row, "nics"),
              whole(row, "route_tables"), whole(row, "peers"), whole(row, "prefixes"),
              real(row, "seconds") * 1e3, real(row, "seconds_min") * 1e3,
              real(row, "seconds_max") * 1e3, number(row, "groups_us", 1, groups),
              whole(row, "entries_changed"), real(row, "rss_mb"));
}

struct work {
    const char *name;
    int (*run)(const struct bench_options *options, json_t *rows, struct bench_error *error);
    const char *headings;
    void (*print)(struct table *table, const json_t *row);
};

static const struct work works[] = {
    {"lookup", bench_lookup,
     "Keys|>FIBs|Engine|>M lookups/s|>min - max|>Read|>Beside it|>To best peer", lookup_row},
    {"update", bench_update,
     "Work|Engine|>M updates/s|>p50 us|>p99.9 us|>max us|>Readers lose %|>To best peer",
     update_row},
    {"share", bench_share,
     ">FIBs x routes|Keys|>In a row|>M lookups/s|>Base|>Each FIB|>Base change "
     "us|>inside|>around|>comes",
     share_row},
    {"forward", bench_forward,
     "Work|>Routes|>FIBs|>NICs|>M packets/s|>min - max|>ns|receive + admit + look-up + forward + "
     "long-way + transmit|>To l3fwd|>To testpmd|>2 cores|>l3fwd's",
     forward_row},
    {"bgp", bench_bgp,
     "Work|>Prefixes|Engine|>Seconds|>min - max|>CPU s|>RSS MB|>B/extra path|>Slice ms|>To best "
     "peer",
     bgp_row},
    {"converge", converge_bench,
     "Event|>Prefixes|>NICs|>FIBs|>Groups|>Groups swapped us|>min - max|>Dead path us|>max|>FIBs "
     "written ms|>Entries",
     converge_row},
    {"reconfig", reconfig_bench,
     "Work|>Prefixes|>Changes|>a second|>Table alone|>M packets/s|>Sent|>Lost|>Wrong|>Longest "
     "stall "
     "us|>p99.9|>50 us a second",
     reconfig_row},
    {"fabric", scale_bench,
     "Work|>VNets|>NICs|>Route tables|>Peers x prefixes|>ms|>min - max|>Groups swapped "
     "us|>Entries|>RSS MB",
     scale_row},
};

static int print_table(const struct work *work, const json_t *rows)
{
    struct table table;
    size_t i;
    json_t *row;
    if (table_begin(&table, work->headings) < 0)
        return -ENOMEM;
    json_array_foreach(rows, i, row) work->print(&table, row);
    return table_end(&table, stdout, 0);
}

static bool any_wrong(const json_t *rows)
{
    size_t i;
    json_t *row;
    bool found = false;
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "engine"));
        if (!name)
            name = json_string_value(json_object_get(row, "event"));
        if (whole(row, "wrong") > 0)
            fprintf(stderr, "fingerpost bench: %s: %lld answers are wrong\n",
                    name ? name : text(row, "work"), whole(row, "wrong"));
        found = found || whole(row, "wrong") > 0;
    }
    return found;
}

/* --- Options ---------------------------------------------------------------------------------- */

/* Reads 1 .. max into *value; nothing when text is NULL. */
static int read_count(const char *option, const char *text, size_t max, size_t *value)
{
    char *end;
    if (!text)
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno || number < 1 || number > max)
        return cli_error(&cli_bench, "--%s: '%s' is not a number from 1 to %zu", option, text, max);
    *value = number;
    return 0;
}

static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    return NULL;
}

static int measure(const struct work *work, const struct bench_options *options, bool json)
{
    struct bench_error error;
    json_t *rows = json_array();
    int code = CLI_FINE;
    if (work->run(options, rows, &error) < 0)
        code = cli_error(&cli_bench, "%s", error.text);
    else if (any_wrong(rows))
        code = CLI_FOUND;
    if (code != CLI_BAD_USE && json) {
        json_dumpf(rows, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else if (code != CLI_BAD_USE && print_table(work, rows) < 0) {
        code = cli_error(&cli_bench, "out of memory");
    }
    json_decref(rows);
    return code;
}

static int run(int argc, char **argv)
{
    const char *name, *family = NULL, *fibs = NULL, *routes = NULL, *prefixes = NULL;
    const char *nics = NULL, *vnets = NULL;
    struct bench_options options = {.log = isatty(STDERR_FILENO) ? stderr : NULL,
                                    .self = "/proc/self/exe"};
    bool json = false;
    const struct cli_option list[] = {{.name = "table", .value = &options.table},
                                      {.name = "updates", .value = &options.updates},
                                      {.name = "family", .value = &family},
                                      {.name = "fibs", .value = &fibs},
                                      {.name = "routes", .value = &routes},
                                      {.name = "prefixes", .value = &prefixes},
                                      {.name = "nics", .value = &nics},
                                      {.name = "vnets", .value = &vnets},
                                      {.name = "peers", .value = &options.peers},
                                      {.name = "work", .value = &options.work},
                                      {.name = "pcap", .value = &options.pcap},
                                      {.name = "quick", .flag = &options.quick},
                                      {.name = "json", .flag = &json},
                                      {0}};
    int code = cli_arguments(&cli_bench, argc, argv, list, &name, 1);
    if (code >= 0)
        return code;
    const struct work *work = find_work(name);
    if (!work)
        return cli_error(&cli_bench,
                         "there is no work '%s': lookup, update, share, forward, bgp, "
                         "converge, reconfig, fabric",
                         name);
    if (family && strcmp(family, "4") != 0 && strcmp(family, "6") != 0)
        return cli_error(&cli_bench, "--family: '%s' is neither 4 nor 6", family);
    options.family = family ? (unsigned)(*family - '0') : 0;
    code = read_count("fibs", fibs, FIBS_MAX, &options.fibs);
    if (code == 0)
        code = read_count("routes", routes, ROUTES_MAX, &options.routes);
    if (code == 0)
        code = read_count("prefixes", prefixes, ROUTES_MAX, &options.routes);
    if (code == 0)
        code = read_count("nics", nics, CONVERGE_NICS_MAX, &options.nics);
    if (code == 0)
        code = read_count("vnets", vnets, CONVERGE_VNETS_MAX, &options.vnets);
    return code ? code : measure(work, &options, json);
}

const struct cli_command cli_bench = {
    .name = "bench",
    .summary = "Measure the trie, the packet path, the route server beside others, and convergence",
    .usage =
        "bench lookup|update|share [--table FILE] [--updates FILE] [--family 4|6] [--fibs N]\n"
        "                        [--routes N] [--quick] [--json]\n"
        "       fingerpost bench forward [--work NAME] [--pcap FILE] [--table FILE] [--family "
        "4|6]\n"
        "                        [--routes N] [--quick] [--json]\n"
        "       fingerpost bench bgp [--prefixes N] [--peers bird,frr,openbgpd,gobgp] [--work "
        "NAME]\n"
        "                        [--table FILE] [--quick] [--json]\n"
        "       fingerpost bench reconfig [--prefixes N] [--nics N] [--vnets N] [--work NAME] "
        "[--quick] "
        "[--json]\n"
        "       fingerpost bench converge|fabric [--prefixes N] [--nics N] [--vnets N] [--quick] "
        "[--json]",
    .help =
        "  lookup   lookups a second on keys U (uniform), P (in a random prefix) and Z (Zipf "
        "flows)\n"
        "  update   a day of BGP updates, readers beside updates, building the table\n"
        "  share    memory and speed of 1 to 10,000 FIBs over one base\n"
        "  forward  packets a second of the whole packet path on one core, beside l3fwd's work "
        "over\n"
        "           rte_fib on the same frames, and testpmd (package dpdk-dev) where installed: "
        "works\n"
        "           single-fib, ecmp8-1000-fibs, full-table, ipv6, vxlan, vxlan-in, two-workers, "
        "10000-nics\n"
        "  bgp      the route server beside other daemons, in network namespaces (as root): works\n"
        "           1to1, packed, to-30, 8-equal, best-dies, peer-death, real-table\n"
        "  converge the engine's own time from a detected failure of one of two next hops to the\n"
        "           last next-hop group, to the last FIB entry, and to the last packet that a "
        "worker\n"
        "           at full rate sends to the dead one\n"
        "  reconfig what a worker at full rate loses, and how long it is held up, while the "
        "fabric\n"
        "           changes and routes come and go: works nothing, apply, load, updates\n"
        "  fabric   the engine's own time to start a large fabric, to program one route in every "
        "FIB,\n"
        "           and to lose one of its eight BGP peers; memory\n\n"
        "  --table FILE     a prefix a line, plain or .xz; without it, a synthetic full table\n"
        "  --updates FILE   'A prefix' or 'W prefix' a line; without it, synthetic updates\n"
        "  --family 4|6     of the synthetic table, or the one that FILE must have\n"
        "  --fibs N         lookup: N FIBs of 50 private routes each over the table; share: only "
        "N\n"
        "  --routes N       only N routes of the table, drawn evenly\n"
        "  --quick          under a minute: fewer repeats, and without rte_lpm, which loads "
        "slowly\n"
        "  --prefixes N     bgp: so many prefixes (default 1,000,000; some works take 100,000);\n"
        "                   converge: only this number (default 1,000, 100,000 and 1,000,000);\n"
        "                   fabric: of each peer (default 10,000); reconfig: 100,000\n"
        "  --nics N         converge: only so many (default 1, 1,000 and 4,000); fabric: 50,000;\n"
        "                   reconfig: 100\n"
        "  --vnets N        the NICs are in so many VNets (converge, reconfig: 4, fabric: 500)\n"
        "  --peers LIST     bgp: beside these daemons (default: bird and frr where installed), "
        "and\n"
        "                   fingerpost-1000-fibs: the engine with 1,000 NICs to program\n"
        "  --work NAME      bgp, forward, reconfig: this work alone\n"
        "  --pcap FILE      forward: the frames of a capture, for single-fib, ipv6, or the work "
        "named\n"
        "  --json           the rows as one JSON document\n\n"
        "Times are CPU time, engines take turns, figures are medians; every answer is checked. "
        "Exit\n"
        "code: 0, 1 when an engine answered wrongly, 2 wrong use or bad input. DPDK's tables are\n"
        "faster on 2 MB pages: reserve 2 GB of them first (see docs/performance.md).\n\n"
        "Example: fingerpost bench lookup --family 6 --quick\n",
    .run = run,
};

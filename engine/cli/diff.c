/*
 * fingerpost diff: what a change of a fabric file would do.
 *
 * Both fabrics are run in the twin. Compared are what the files say (engine/fabric/outline.h), the Active routes of
 * every NIC, what routers have learned, the ways between the ends of the fabric (engine/sim/survey.h), and the findings
 * of `check`. NICs are the same when their names are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/check.h"
#include "engine/cli/diff_parts.h"
#include "engine/cli/report.h"
#include "engine/cli/source.h"
#include "engine/sim/survey.h"
#include "engine/program/document.h"

#define BEFORE 0
#define AFTER  1
#define TEXT   1024

/* One of the two fabrics. */
struct side {
    struct twin twin;
    struct checking checking;
    struct fabric_row *rows; /* of the NIC at hand, Active and Invalid */
    size_t row_count;
    json_t *ways; /* "vm1 to vm2 (10.2.0.4)" -> {"vm1, nva1, vm2: delivered": true, …} */
    struct fabric_outline *outline; /* what the file says */
};

struct comparing {
    struct side sides[2];
    json_t *routes, *paths, *learned, *added, *removed;
};

/* --- Routes ------------------------------------------------------------------------------------- */

static int load_rows(struct side *side, const char *nic_name)
{
    const struct fabric *fabric = side->twin.fabric;
    uint32_t nic = fabric_find_nic(fabric, nic_name);
    side->rows = NULL;
    side->row_count = 0;
    if (nic == FABRIC_NONE)
        return 0;
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    return fabric_rows(fabric, controller_bgp(sim_controller(side->twin.sim)), &scope, &side->rows,
                       &side->row_count);
}

static bool rows_equal(const struct fabric_row *a, const struct fabric_row *b)
{
    return a && b ? fabric_row_same(a, b) : a == b;
}

static json_t *row_or_null(const struct fabric_row *row)
{
    return row ? program_row_json(row) : json_null();
}

/* The next Active row from *at on, or NULL. */
static const struct fabric_row *next_active(const struct side *side, size_t *at)
{
    while (*at < side->row_count && !side->rows[*at].active)
        ++*at;
    return *at < side->row_count ? &side->rows[*at] : NULL;
}

/* Both lists are in prefix order: one walk through both. */
static void compare_rows(struct comparing *comparing, const char *nic)
{
    size_t at[2] = {0, 0};
    for (;;) {
        const struct fabric_row *before = next_active(&comparing->sides[BEFORE], &at[BEFORE]);
        const struct fabric_row *after = next_active(&comparing->sides[AFTER], &at[AFTER]);
        char prefix[LPM_PREFIX_TEXT];
        if (!before && !after)
            return;
        int order = !before ? 1 : !after ? -1 : lpm_prefix_compare(&before->prefix, &after->prefix);
        at[BEFORE] += order <= 0;
        at[AFTER] += order >= 0;
        if (order < 0)
            after = NULL;
        else if (order > 0)
            before = NULL;
        if (!rows_equal(before, after))
            json_array_append_new(
                comparing->routes,
                json_pack("{s:s, s:s, s:o, s:o}", "nic", nic, "prefix",
                          lpm_prefix_format(before ? &before->prefix : &after->prefix, prefix),
                          "before", row_or_null(before), "after", row_or_null(after)));
    }
}

static int compare_nic(struct comparing *comparing, const char *nic)
{
    int error = load_rows(&comparing->sides[BEFORE], nic);
    if (!error)
        error = load_rows(&comparing->sides[AFTER], nic);
    if (!error)
        compare_rows(comparing, nic);
    free(comparing->sides[BEFORE].rows);
    free(comparing->sides[AFTER].rows);
    return error;
}

static int compare_routes(struct comparing *comparing)
{
    const struct fabric *before = comparing->sides[BEFORE].twin.fabric;
    const struct fabric *after = comparing->sides[AFTER].twin.fabric;
    int error = 0;
    for (uint32_t i = 0; i < before->nics_count && !error; i++)
        error = compare_nic(comparing, before->nics[i].name);
    for (uint32_t i = 0; i < after->nics_count && !error; i++)
        if (fabric_find_nic(before, after->nics[i].name) == FABRIC_NONE)
            error = compare_nic(comparing, after->nics[i].name);
    return error;
}

/* --- Paths -------------------------------------------------------------------------------------- */

/* "vm1, nva1, vm2: delivered"; "vm1, nva1, vm2, which sees 10.0.1.4: delivered" */
static void path_text(const struct fabric *fabric, const struct survey_flow *flow, char text[TEXT])
{
    const struct path *path = flow->out;
    char source[LPM_ADDRESS_TEXT];
    size_t at = 0;
    for (unsigned i = 0; i < path->hop_count && at < TEXT / 2; i++)
        if (path->hops[i].depth == 0)
            at += (size_t)snprintf(text + at, TEXT - at, "%s%s", i ? ", " : "",
                                   place_object(fabric, path->hops[i].place));
    if (path->end != FABRIC_NONE)
        at += (size_t)snprintf(text + at, TEXT - at, ", %s", place_object(fabric, path->end));
    if (path->end != FABRIC_NONE && !lpm_address_equal(&flow->source, &path->source))
        at += (size_t)snprintf(text + at, TEXT - at, ", which sees %s",
                               lpm_address_format(&path->source, source));
    snprintf(text + at, TEXT - at, ": %s",
             path->reason ? path->reason : path_verdict_text(path->verdict));
}

static int remember_way(void *context, const struct survey_flow *flow)
{
    struct side *side = context;
    const struct fabric *fabric = side->twin.fabric;
    char ends[TEXT], way[TEXT], destination[LPM_ADDRESS_TEXT];
    json_t *ways;
    snprintf(ends, sizeof(ends), "%.400s to %.400s (%s)", place_object(fabric, flow->from),
             place_object(fabric, flow->to), lpm_address_format(&flow->destination, destination));
    ways = json_object_get(side->ways, ends);
    if (!ways) {
        ways = json_object();
        json_object_set_new(side->ways, ends, ways);
    }
    path_text(fabric, flow, way);
    return json_object_set_new(ways, way, json_true()) ? -ENOMEM : 0;
}

static json_t *keys_of(json_t *ways)
{
    json_t *list = json_array(), *unused;
    const char *way;
    json_object_foreach(ways, way, unused)
    {
        json_array_append_new(list, json_string(way));
    }
    return list;
}

static void compare_ways(struct comparing *comparing, const char *ends)
{
    json_t *before = json_object_get(comparing->sides[BEFORE].ways, ends);
    json_t *after = json_object_get(comparing->sides[AFTER].ways, ends);
    if (!json_equal(before, after))
        json_array_append_new(comparing->paths,
                              json_pack("{s:s, s:o, s:o}", "ends", ends, "before", keys_of(before),
                                        "after", keys_of(after)));
}

static int survey(struct side *side)
{
    struct path_finder *finder =
        path_finder_create(side->twin.fabric, side->twin.sim, side->twin.forwarding);
    int error = finder ? survey_run(side->twin.fabric, finder, remember_way, side) : -ENOMEM;
    path_finder_free(finder);
    return error;
}

static int compare_paths(struct comparing *comparing)
{
    const char *ends;
    json_t *unused;
    int error = survey(&comparing->sides[BEFORE]);
    if (!error)
        error = survey(&comparing->sides[AFTER]);
    if (error)
        return error;
    json_object_foreach(comparing->sides[BEFORE].ways, ends, unused)
    {
        compare_ways(comparing, ends);
    }
    json_object_foreach(comparing->sides[AFTER].ways, ends, unused)
    {
        if (!json_object_get(comparing->sides[BEFORE].ways, ends))
            compare_ways(comparing, ends);
    }
    return 0;
}

/* --- Findings ----------------------------------------------------------------------------------- */

/* Lines move with every edit, and are not what a finding is about. */
static bool same_finding(json_t *a, json_t *b)
{
    return json_equal(json_object_get(a, "rule"), json_object_get(b, "rule")) &&
           json_equal(json_object_get(a, "message"), json_object_get(b, "message"));
}

static void findings_only_in(json_t *findings, json_t *others, json_t *list)
{
    size_t i, j;
    json_t *finding, *other;
    json_array_foreach(findings, i, finding)
    {
        bool found = false;
        json_array_foreach(others, j, other)
        {
            found = found || same_finding(finding, other);
        }
        if (!found)
            json_array_append(list, finding);
    }
}

static void compare_findings(struct comparing *comparing)
{
    json_t *before = comparing->sides[BEFORE].checking.findings;
    json_t *after = comparing->sides[AFTER].checking.findings;
    findings_only_in(after, before, comparing->added);
    findings_only_in(before, after, comparing->removed);
}

/* --- The command -------------------------------------------------------------------------------- */

static int open_side(struct side *side, const char *path)
{
    struct fabric_problems problems = {0};
    struct fabric *fabric = source_load_outlined(path, &side->outline, &problems);
    int code;
    side->checking = (struct checking){json_array(), json_array()};
    side->ways = json_object();
    check_problems(&side->checking, &problems);
    if (!fabric)
        for (size_t i = 0; i < problems.n; i++)
            if (problems.items[i].error)
                source_say(stderr, problems.items[i].file, problems.items[i].line,
                           "error: ", problems.items[i].message);
    fabric_problems_free(&problems);
    if (!fabric)
        return CLI_BAD_USE;
    code = twin_raise(&cli_diff, fabric, &side->twin);
    return code ? code : check_twin(&cli_diff, &side->checking, &side->twin);
}

static void close_side(struct side *side)
{
    if (side->twin.fabric)
        twin_close(&side->twin);
    json_decref(side->checking.errors);
    json_decref(side->checking.findings);
    json_decref(side->ways);
    fabric_outline_free(side->outline);
}

/* Is there anything in one of its lists? */
static bool tells(json_t *document)
{
    const char *key;
    json_t *list;

    json_object_foreach(document, key, list)
    {
        if (json_array_size(list) > 0)
            return true;
    }
    return false;
}

static int compare(struct comparing *comparing, bool json)
{
    struct side *before = &comparing->sides[BEFORE], *after = &comparing->sides[AFTER];
    json_t *objects = json_array();
    int error = diff_objects(before->outline, after->outline, objects);

    if (!error)
        error = compare_routes(comparing);
    if (!error)
        error = diff_learned(&before->twin, &after->twin, comparing->learned);
    if (!error)
        error = compare_paths(comparing);
    if (error) {
        json_decref(objects);
        return cli_error(&cli_diff, "%s", strerror(-error));
    }
    compare_findings(comparing);
    json_t *document =
        json_pack("{s:o, s:O, s:O, s:O, s:O, s:O}", "objects", objects, "routes", comparing->routes,
                  "learned", comparing->learned, "paths", comparing->paths, "findings_added",
                  comparing->added, "findings_removed", comparing->removed);
    const bool found = tells(document);
    if (!json)
        diff_print(document);
    if (json)
        report_json(document);
    else
        json_decref(document);
    return found ? CLI_FOUND : CLI_FINE;
}

static int run(int argc, char **argv)
{
    const char *arguments[2];
    bool json = false;
    const struct cli_option options[] = {{.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_diff, argc, argv, options, arguments, 2);
    if (code >= 0)
        return code;
    struct comparing comparing = {
        .routes = json_array(),
        .paths = json_array(),
        .learned = json_array(),
        .added = json_array(),
        .removed = json_array(),
    };
    code = open_side(&comparing.sides[BEFORE], arguments[BEFORE]);
    if (!code)
        code = open_side(&comparing.sides[AFTER], arguments[AFTER]);
    if (!code)
        code = compare(&comparing, json);
    close_side(&comparing.sides[BEFORE]);
    close_side(&comparing.sides[AFTER]);
    json_decref(comparing.routes);
    json_decref(comparing.paths);
    json_decref(comparing.learned);
    json_decref(comparing.added);
    json_decref(comparing.removed);
    return code;
}

const struct cli_command cli_diff = {
    .name = "diff",
    .summary = "Show what a change of a fabric file would do",
    .usage = "diff FABRIC_A FABRIC_B [--json]",
    .help =
        "FABRIC_A, FABRIC_B   fabric files, or directories of them: before and after\n\n"
        "  --json   the same as one JSON document\n\n"
        "Both are run in the twin until BGP has converged. Shown are what the files say of which\n"
        "objects otherwise, the effective routes that come, go or change at each NIC, what "
        "routers\n"
        "on the other side of BGP learn otherwise, the ways that packets take between the NICs "
        "and\n"
        "to the internet where they differ (of more than 64 NICs one of each subnet and router),\n"
        "and the findings of 'check' that the change brings or takes away.\n\n"
        "Exit code: 0 nothing changes, 1 something does, 2 a file cannot be used.\n\n"
        "Example: fingerpost diff running.yaml proposed.yaml\n",
    .run = run,
};

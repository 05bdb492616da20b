/*
 * fingerpost routes: the effective routes of a NIC, as the converged twin has them.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/frontends.h"
#include "engine/program/policy_text.h"
#include "engine/cli/report.h"
#include "engine/cli/table.h"
#include "engine/cli/twin.h"
#include "engine/fabric/explain.h"
#include "engine/program/document.h"

static int show_rows(struct twin *twin, uint32_t nic, bool json)
{
    struct fabric_scope scope = fabric_scope_of(twin->fabric, nic);
    struct fabric_row *rows;
    size_t n;
    int error =
        fabric_rows(twin->fabric, controller_bgp(sim_controller(twin->sim)), &scope, &rows, &n);
    if (error)
        return cli_error(&cli_routes, "%s", strerror(-error));
    if (json) {
        json_t *document = program_rows_json(twin->fabric->nics[nic].name, rows, n);
        frontends_json(document, twin, twin->fabric->nics[nic].vnet, rows, n);
        report_json(document);
    } else {
        report_rows(rows, n, 0);
        frontends_text(twin, twin->fabric->nics[nic].vnet, rows, n);
    }
    free(rows);
    return CLI_FINE;
}

static json_t *as_path_json(const struct bgp_attributes *attributes)
{
    json_t *list = json_array();
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(attributes);
    for (uint32_t asn; bgp_as_path_next(&cursor, &asn);)
        json_array_append_new(list, json_integer(asn));
    return list;
}

static json_t *candidate_json(const struct fabric_candidate *candidate)
{
    json_t *item = program_row_json(&candidate->row);
    json_object_set_new(item, "via", json_string(candidate->via ? candidate->via : ""));
    if (candidate->path && candidate->path->peer)
        json_object_set_new(item, "instance",
                            json_integer(speaker_peer_config(candidate->path->peer)->instance));
    json_object_set_new(item, "as_path",
                        candidate->path ? as_path_json(candidate->path->attributes) : json_array());
    json_object_set_new(item, "communities",
                        candidate->path ? report_communities_json(candidate->path->attributes)
                                        : json_array());
    json_object_set_new(item, "verdict", json_string(fabric_verdict_text(candidate->verdict)));
    json_object_set_new(item, "rule", json_string(candidate->rule));
    if (candidate->path) {
        struct rib_policy_verdict policy;
        speaker_explain_import(&candidate->row.prefix, candidate->path, &policy);
        json_object_set_new(item, "policy", program_policy_json(&policy));
    }
    return item;
}

static void explain_text(const struct fabric_explanation *explanation)
{
    struct table table;
    if (table_begin(&table,
                    "Verdict|Rule|Source|Via|Instance|Next Hop Type|Next Hop IP|AS path|Policy"))
        return;
    for (size_t i = 0; i < explanation->n; i++) {
        const struct fabric_candidate *candidate = &explanation->candidates[i];
        char path[128] = "", hops[128], instance[16] = "", policy[PROGRAM_POLICY_TEXT] = "";
        struct rib_policy_verdict verdict;
        if (candidate->path)
            bgp_as_path_format(candidate->path->attributes, ' ', path, sizeof(path));
        if (candidate->path) {
            speaker_explain_import(&candidate->row.prefix, candidate->path, &verdict);
            program_policy_text(&verdict, policy);
        }
        if (candidate->path && candidate->path->peer)
            snprintf(instance, sizeof(instance), "%u",
                     speaker_peer_config(candidate->path->peer)->instance);
        table_row(&table, "%s|%s|%s|%s|%s|%s|%s|%s|%s", fabric_verdict_text(candidate->verdict),
                  candidate->rule, fabric_source_text(candidate->source),
                  candidate->via ? candidate->via : "", instance,
                  fabric_next_hop_type_text(candidate->row.type),
                  report_next_hops(&candidate->row, hops, sizeof(hops)), path, policy);
    }
    table_end(&table, stdout, 0);
}

static json_t *explain_json(const char *prefix, const struct fabric_explanation *explanation,
                            const struct fabric_row *winner)
{
    json_t *candidates = json_array();
    for (size_t i = 0; i < explanation->n; i++)
        json_array_append_new(candidates, candidate_json(&explanation->candidates[i]));
    return json_pack("{s:s, s:o, s:o}", "prefix", prefix, "winner",
                     winner ? program_row_json(winner) : json_null(), "candidates", candidates);
}

static int explain(struct twin *twin, uint32_t nic, const char *text, bool json)
{
    struct lpm_prefix prefix;
    int wrong = lpm_prefix_parse(text, &prefix);
    if (wrong == -EDOM)
        return cli_error(&cli_routes, "'%s' has bits set beyond its length", text);
    if (wrong)
        return cli_error(&cli_routes, "'%s' is not a prefix such as 10.0.0.0/8 or fd00::/8", text);
    const struct fabric_bgp *bgp = controller_bgp(sim_controller(twin->sim));
    struct fabric_scope scope = fabric_scope_of(twin->fabric, nic);
    struct fabric_explanation explanation;
    int error = fabric_explain(twin->fabric, bgp, &scope, &prefix, &explanation);
    if (error)
        return cli_error(&cli_routes, "%s", strerror(-error));
    struct fabric_row rows[3];
    unsigned n = fabric_rows_at(twin->fabric, bgp, &scope, &prefix, rows);
    if (json) {
        json_t *document = explain_json(text, &explanation, n && rows[0].active ? &rows[0] : NULL);
        frontends_json(document, twin, twin->fabric->nics[nic].vnet, rows, n);
        report_json(document);
    } else if (explanation.n == 0) {
        printf("nothing announces or defines %s\n", text);
    } else {
        explain_text(&explanation);
        frontends_text(twin, twin->fabric->nics[nic].vnet, rows, n);
    }
    fabric_explanation_free(&explanation);
    return CLI_FINE;
}

static int run(int argc, char **argv)
{
    const char *arguments[2], *prefix = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "explain", .value = &prefix}, {.name = "json", .flag = &json}, {0}};
    int code = cli_arguments(&cli_routes, argc, argv, options, arguments, 2);
    if (code >= 0)
        return code;
    struct twin twin;
    code = twin_open(&cli_routes, arguments[0], &twin);
    if (code)
        return code;
    uint32_t nic = twin_find_nic(&cli_routes, twin.fabric, arguments[1]);
    if (nic == FABRIC_NONE)
        code = CLI_BAD_USE;
    else
        code = prefix ? explain(&twin, nic, prefix, json) : show_rows(&twin, nic, json);
    twin_close(&twin);
    return code;
}

const struct cli_command cli_routes = {
    .name = "routes",
    .summary = "Show the effective routes of a NIC",
    .usage = "routes FABRIC NIC [--explain PREFIX] [--json]",
    .help =
        "FABRIC   a fabric file, or a directory of them\n"
        "NIC      the name of one of its NICs\n\n"
        "  --explain PREFIX   every candidate for this very prefix, and the rule that decided\n"
        "  --json             the same as one JSON document\n\n"
        "The fabric is run in the twin until BGP has converged. An Invalid row has the same\n"
        "prefix as a row of a higher class (User, then VirtualNetworkGateway, then Default).\n\n"
        "Example: fingerpost routes docs/examples/hub-spoke.yaml vm1 --explain 0.0.0.0/0\n",
    .run = run,
};

/*
 * fingerpost learned, fingerpost advertised: what a BGP speaker of the converged twin has from, or tells, one neighbour.
 *
 * The document is keyed by instance of the route server or gateway, as the vendor's is. Seen from a route server the
 * neighbour is a peer of its, or a gateway; seen from a router it is the route server or the gateway, with a session to
 * each instance, or another router, with one. Between gateway and route server the instances of whoever is asked count, each with a session to every
 * instance of the other.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/command.h"
#include "engine/cli/policy.h"
#include "engine/cli/report.h"
#include "engine/cli/table.h"
#include "engine/cli/twin.h"

#define INSTANCES_MAX  4u
#define INSTANCES_SAID 2u /* there or not */
#define SESSIONS_MAX   (INSTANCES_MAX * 4u)
#define WEIGHT_LEARNED 32768 /* what the vendor's tables show */
#define AS_PATH_BYTES  512

/* One session, at the end that is asked. */
struct asked_session {
    const struct speaker *speaker;
    const struct speaker_peer *peer;
    unsigned instance;
};
struct asking {
    const struct cli_command *command;
    bool advertised;
    bool all;          /* what was filtered on the way in, too */
    bool only_session; /* the sessions themselves, and not their routes */
    struct asked_session sessions[SESSIONS_MAX];
    unsigned session_count;
    const struct asked_session *session; /* at hand */
    json_t *rows;                        /* of it */
};

/* --- Finding the sessions ----------------------------------------------------------------------- */

static void add_session(struct asking *asking, unsigned instance, const struct speaker *speaker,
                        const struct speaker_peer *peer)
{
    if (asking->session_count < SESSIONS_MAX && instance < INSTANCES_MAX)
        asking->sessions[asking->session_count++] = (struct asked_session){speaker, peer, instance};
}

/* By name, or by address of the other end. */
static bool is_called(const struct speaker_peer *peer, const char *text)
{
    const struct speaker_peer_config *config = speaker_peer_config(peer);
    char address[LPM_ADDRESS_TEXT];
    return strcmp(config->name, text) == 0 ||
           strcmp(lpm_address_format(&config->peer_address, address), text) == 0;
}

static void take_peer(struct asking *asking, const struct controller_peer *peer, const char *text)
{
    if (is_called(peer->peer, text))
        add_session(asking, peer->instance, peer->speaker, peer->peer);
}

/* Sessions of one end of the links between gateways and route servers, or of a gateway with others. */
static void take_gateways(struct asking *asking, struct controller *controller, uint32_t server,
                          uint32_t gateway, const char *text)
{
    for (size_t i = 0; i < controller_link_count(controller); i++) {
        const struct controller_peer *peer =
            controller_link_end(controller, i, gateway != FABRIC_NONE);
        if (gateway != FABRIC_NONE ? peer->gateway == gateway : peer->route_server == server)
            take_peer(asking, peer, text);
    }
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++)
        if (controller_gateway_peer(controller, i)->gateway == gateway)
            take_peer(asking, controller_gateway_peer(controller, i), text);
}

static void find_from_server(struct asking *asking, struct twin *twin, uint32_t server,
                             const char *text)
{
    struct controller *controller = sim_controller(twin->sim);
    for (size_t i = 0; i < controller_peer_count(controller); i++)
        if (controller_peer(controller, i)->route_server == server)
            take_peer(asking, controller_peer(controller, i), text);
    take_gateways(asking, controller, server, FABRIC_NONE, text);
}

struct looking {
    struct asking *asking;
    const struct speaker *speaker;
    const char *name;
};

/* The sessions with a route server come in the order of its instances. */
static int take_session(void *context, struct speaker_peer *peer)
{
    struct looking *looking = context;
    if (is_called(peer, looking->name))
        add_session(looking->asking, speaker_peer_config(peer)->instance, looking->speaker, peer);
    return 0;
}

static void find_from_router(struct asking *asking, struct twin *twin, uint32_t router,
                             const char *text)
{
    struct looking looking = {asking, sim_router_speaker(twin->sim, router), text};
    if (looking.speaker)
        speaker_each_peer(looking.speaker, take_session, &looking);
}

static int find_sessions(struct asking *asking, struct twin *twin, const char *node,
                         const char *peer)
{
    uint32_t server = fabric_find_route_server(twin->fabric, node);
    uint32_t router = fabric_find_router(twin->fabric, node);
    uint32_t gateway = fabric_find_gateway(twin->fabric, node);
    if (server != FABRIC_NONE)
        find_from_server(asking, twin, server, peer);
    else if (router != FABRIC_NONE)
        find_from_router(asking, twin, router, peer);
    else if (gateway != FABRIC_NONE)
        take_gateways(asking, sim_controller(twin->sim), FABRIC_NONE, gateway, peer);
    else
        return cli_error(asking->command, "the fabric has no route server, gateway or router '%s'",
                         node);
    if (asking->session_count > 0)
        return 0;
    return cli_error(asking->command, "'%s' has no BGP neighbour '%s'", node, peer);
}

/* --- Rows --------------------------------------------------------------------------------------- */

static json_t *communities_json(const struct bgp_attributes *attributes)
{
    static const enum bgp_community_kind kinds[] = {BGP_COMMUNITY, BGP_EXTENDED_COMMUNITY,
                                                    BGP_LARGE_COMMUNITY};
    json_t *list = json_array();
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned i = 0; i < bgp_community_count(attributes, kinds[k]); i++) {
            struct bgp_community community = bgp_community_at(attributes, kinds[k], i);
            char text[BGP_COMMUNITY_TEXT];
            json_array_append_new(list, json_string(bgp_community_format(&community, text)));
        }
    return list;
}

/* What few routes have is left out where it is not there. */
static void add_attributes(json_t *row, const struct bgp_attributes *attributes, uint32_t path_id)
{
    uint32_t only_to_customer = bgp_attributes_otc(attributes);
    json_object_set_new(row, "communities", communities_json(attributes));
    if (attributes->flags & BGP_HAS_MED)
        json_object_set_new(row, "med", json_integer(attributes->med));
    if (attributes->flags & BGP_HAS_LOCAL_PREF)
        json_object_set_new(row, "localPreference", json_integer(attributes->local_pref));
    if (only_to_customer)
        json_object_set_new(row, "onlyToCustomer", json_integer(only_to_customer));
    if (path_id)
        json_object_set_new(row, "pathId", json_integer(path_id));
}

static json_t *row_json(const struct lpm_prefix *prefix, const struct lpm_address *next_hop,
                        const struct bgp_attributes *attributes)
{
    char network[LPM_PREFIX_TEXT], address[LPM_ADDRESS_TEXT], path[AS_PATH_BYTES];
    bgp_as_path_format(attributes, '-', path, sizeof(path));
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I}", "network",
                     lpm_prefix_format(prefix, network), "nextHop",
                     lpm_address_format(next_hop, address), "asPath", path, "communities",
                     report_communities_json(attributes), "med", (json_int_t)attributes->med,
                     "localPreference", (json_int_t)attributes->local_pref);
}

static void add_ends(json_t *row, const struct speaker_peer *peer)
{
    const struct speaker_peer_config *config = speaker_peer_config(peer);
    char address[LPM_ADDRESS_TEXT];
    json_object_set_new(row, "localAddress",
                        json_string(lpm_address_format(&config->local_address, address)));
    json_object_set_new(row, "sourcePeer",
                        json_string(lpm_address_format(&config->peer_address, address)));
}

/* The verdict in one text: the policy's, where that is what it comes from, with its place. */
static void add_verdict(json_t *row, const char *verdict, bool by_policy,
                        const struct rib_policy_verdict *policy)
{
    char place[POLICY_TEXT], text[POLICY_TEXT + 64];
    policy_text(policy, place);
    snprintf(text, sizeof(text), "%s%s%s", verdict, by_policy && place[0] ? " " : "",
             by_policy ? place : "");
    json_object_set_new(row, "verdict", json_string(text));
    json_object_set_new(row, "policy", policy_json(policy));
}

static int take_learned(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                        enum rib_verdict verdict)
{
    struct asking *asking = context;
    if (rib_verdict_filtered(verdict) && !asking->all)
        return 0;
    json_t *row = row_json(prefix, &path->next_hop, path->attributes);
    add_ends(row, path->peer);
    add_attributes(row, path->attributes, path->path_id);
    json_object_set_new(
        row, "origin",
        json_string(bgp_session_internal(speaker_peer_session(path->peer)) ? "IBgp" : "EBgp"));
    uint32_t weight = bgp_attributes_weight(path->attributes);
    json_object_set_new(row, "weight", json_integer(weight ? weight : WEIGHT_LEARNED));
    struct rib_policy_verdict policy;
    speaker_explain_import(prefix, path, &policy);
    add_verdict(row, rib_verdict_text(verdict), verdict == RIB_FILTERED_POLICY, &policy);
    return json_array_append_new(asking->rows, row);
}

/* The last path that the policy was asked about. */
struct export_answer {
    const struct rib_path *path;
    struct rib_path shown;
    struct rib_policy_verdict verdict;
};

static int take_answer(void *context, const struct rib_path *path,
                       const struct rib_policy_verdict *verdict)
{
    struct export_answer *answer = context;
    /* Of the paths that are all refused, the best one is shown. */
    if (answer->path && !verdict->accepted)
        return 0;
    answer->shown = *path;
    answer->path = &answer->shown;
    answer->verdict = *verdict;
    return 0;
}

static int take_advertised(void *context, const struct lpm_prefix *prefix,
                           const struct bgp_attributes *attributes,
                           const struct lpm_address *next_hop, uint32_t path_id)
{
    struct asking *asking = context;
    json_t *row = row_json(prefix, next_hop, attributes);
    add_attributes(row, attributes, path_id);
    json_object_set_new(row, "origin", json_string(bgp_origin_text(attributes->origin)));
    json_object_set_new(row, "weight", json_integer(0));
    struct export_answer answer = {.verdict = {.accepted = true}};
    speaker_explain_export(asking->session->speaker, asking->session->peer, prefix, take_answer,
                           &answer);
    char place[POLICY_TEXT];
    json_object_set_new(row, "verdict", json_string(policy_text(&answer.verdict, place)));
    json_object_set_new(row, "policy", policy_json(&answer.verdict));
    return json_array_append_new(asking->rows, row);
}

/* What policy keeps from the neighbour: as it would be without it, and why not. */
static int take_withheld(void *context, const struct lpm_prefix *prefix)
{
    struct asking *asking = context;
    struct export_answer answer = {.path = NULL};
    speaker_explain_export(asking->session->speaker, asking->session->peer, prefix, take_answer,
                           &answer);
    if (!answer.path)
        return 0;
    json_t *row = row_json(prefix, &answer.shown.next_hop, answer.shown.attributes);
    add_attributes(row, answer.shown.attributes, 0);
    json_object_set_new(row, "origin",
                        json_string(bgp_origin_text(answer.shown.attributes->origin)));
    json_object_set_new(row, "weight", json_integer(0));
    add_verdict(row, rib_verdict_text(RIB_FILTERED_POLICY), true, &answer.verdict);
    return json_array_append_new(asking->rows, row);
}

static void take_session_rows(struct asking *asking, const struct asked_session *session)
{
    asking->session = session;
    if (asking->advertised) {
        speaker_each_advertised(session->speaker, session->peer, take_advertised, asking);
        if (asking->all)
            speaker_each_withheld(session->speaker, session->peer, take_withheld, asking);
    } else
        speaker_each_learned(session->speaker, session->peer, take_learned, asking);
}

/* State and what both ends agreed on. */
static json_t *session_json(const struct asked_session *session)
{
    char capability[BGP_CAPABILITY_TEXT];
    const struct bgp_session *bgp = speaker_peer_session(session->peer);
    json_t *capabilities = json_array();
    for (unsigned i = 0; bgp_session_state(bgp) == BGP_ESTABLISHED &&
                         bgp_negotiated_capability(bgp_session_negotiated(bgp), i, capability);
         i++)
        json_array_append_new(capabilities, json_string(capability));
    return json_pack("{s:s, s:s, s:o}", "state", bgp_state_text(bgp_session_state(bgp)), "reason",
                     bgp_session_last_reason(bgp), "capabilities", capabilities);
}

/* The rows of all sessions of one instance; or its session, the first of them: they are alike. NULL: it has none. */
static json_t *instance_json(struct asking *asking, unsigned instance)
{
    json_t *session = NULL;
    asking->rows = json_array();
    bool any = false;
    for (unsigned i = 0; i < asking->session_count; i++) {
        if (asking->sessions[i].instance != instance)
            continue;
        any = true;
        if (!asking->only_session)
            take_session_rows(asking, &asking->sessions[i]);
        else if (!session)
            session = session_json(&asking->sessions[i]);
    }
    if (any && !asking->only_session)
        return asking->rows;
    json_decref(asking->rows);
    return session;
}

static json_t *document_of(struct asking *asking)
{
    json_t *document = json_object();
    for (unsigned i = 0; i < INSTANCES_MAX; i++) {
        char key[32];
        json_t *value = instance_json(asking, i);
        snprintf(key, sizeof(key), "RouteServiceRole_IN_%u", i);
        if (!value && i < INSTANCES_SAID)
            value = asking->only_session ? json_null() : json_array();
        if (value)
            json_object_set_new(document, key, value);
    }
    return document;
}

/* --- Printing ----------------------------------------------------------------------------------- */

static const char *field(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

static void print_sessions(json_t *document)
{
    const char *key;
    json_t *session, *capability;
    size_t i;
    json_object_foreach(document, key, session)
    {
        if (json_is_null(session))
            continue;
        printf("%s: %s\n", key + strlen("RouteServiceRole_"), field(session, "state"));
        if (json_array_size(json_object_get(session, "capabilities")) == 0)
            printf("  %s\n", field(session, "reason"));
        json_array_foreach(json_object_get(session, "capabilities"), i, capability)
            printf("  %s\n", json_string_value(capability));
    }
}

static void print_table(json_t *document)
{
    struct table table;
    const char *key;
    json_t *rows, *row;
    size_t i;
    if (table_begin(&table, "Instance|Network|Next Hop|AS path|Origin|Verdict"))
        return;
    json_object_foreach(document, key, rows) json_array_foreach(rows, i, row) table_row(
        &table, "%s|%s|%s|%s|%s|%s", key + strlen("RouteServiceRole_"), field(row, "network"),
        field(row, "nextHop"), field(row, "asPath"), field(row, "origin"), field(row, "verdict"));
    table_end(&table, stdout, 0);
}

static int answer(struct asking *asking, int argc, char **argv)
{
    const char *arguments[3];
    bool json = false;
    const struct cli_option options[] = {{.name = "all", .flag = &asking->all},
                                         {.name = "session", .flag = &asking->only_session},
                                         {.name = "json", .flag = &json},
                                         {0}};
    int code = cli_arguments(asking->command, argc, argv, options, arguments, 3);
    if (code >= 0)
        return code;
    struct twin twin;
    code = twin_open(asking->command, arguments[0], &twin);
    if (code)
        return code;
    code = find_sessions(asking, &twin, arguments[1], arguments[2]);
    if (code == 0) {
        json_t *document = document_of(asking);
        if (!json && asking->only_session)
            print_sessions(document);
        else if (!json)
            print_table(document);
        else
            report_json(json_incref(document));
        json_decref(document);
    }
    twin_close(&twin);
    return code;
}

static int run_learned(int argc, char **argv)
{
    struct asking asking = {.command = &cli_learned};
    return answer(&asking, argc, argv);
}

static int run_advertised(int argc, char **argv)
{
    struct asking asking = {.command = &cli_advertised, .advertised = true};
    return answer(&asking, argc, argv);
}

#define ARGUMENTS_HELP                                                                                 \
    "FABRIC   a fabric file, or a directory of them\n"                                                 \
    "NODE     a route server or a router\n"                                                            \
    "PEER     its neighbour: a name or address of a peer, a route server or a router\n\n"              \
    "  --all      also what was filtered: by policy, with its rule, or for an own AS in the "          \
    "path\n"                                                                                           \
    "  --session  no routes, but the session itself: its state, what both ends agreed on\n"            \
    "  --json     {\"RouteServiceRole_IN_0\": [{\"network\", \"nextHop\", \"asPath\", …}], …}\n\n" \
    "The fabric is run in the twin until BGP has converged. There is a list for each instance "        \
    "of\n"                                                                                             \
    "the route server.\n\n"

const struct cli_command cli_learned = {
    .name = "learned",
    .summary = "Show what a route server or router has learned from a neighbour",
    .usage = "learned FABRIC NODE PEER [--all] [--session] [--json]",
    .help = ARGUMENTS_HELP "Example: fingerpost learned docs/examples/hub-spoke.yaml rs1 nva1\n",
    .run = run_learned,
};

const struct cli_command cli_advertised = {
    .name = "advertised",
    .summary = "Show what a route server or router advertises to a neighbour",
    .usage = "advertised FABRIC NODE PEER [--all] [--session] [--json]",
    .help = ARGUMENTS_HELP "Example: fingerpost advertised docs/examples/hub-spoke.yaml rs1 nva1\n",
    .run = run_advertised,
};

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
#include "engine/cli/report.h"
#include "engine/cli/table.h"
#include "engine/cli/twin.h"
#include "engine/program/document.h"

#define INSTANCES_MAX  4u
#define INSTANCES_SAID 2u /* there or not */
#define SESSIONS_MAX   (INSTANCES_MAX * 4u)

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
    json_t *rows; /* of the instance at hand */
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

/* --- Documents ---------------------------------------------------------------------------------- */

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
    const struct program_question question = {asking->advertised, asking->all};
    json_t *session = NULL;
    asking->rows = json_array();
    bool any = false;
    for (unsigned i = 0; i < asking->session_count; i++) {
        if (asking->sessions[i].instance != instance)
            continue;
        any = true;
        if (!asking->only_session)
            program_session_rows(&question, asking->sessions[i].speaker, asking->sessions[i].peer,
                                 asking->rows);
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

static void print_row(struct table *table, const char *key, const json_t *row, bool with_peer)
{
    const char *peer =
        field(row, "sourcePeer")[0] ? field(row, "sourcePeer") : field(row, "peerAddress");
    table_row(table, "%s%s%s|%s|%s|%s|%s|%s", key + strlen("RouteServiceRole_"),
              with_peer ? "|" : "", with_peer ? peer : "", field(row, "network"),
              field(row, "nextHop"), field(row, "asPath"), field(row, "origin"),
              field(row, "verdict"));
}

/* One instance may have several sessions with a gateway: then each row says which it is of. */
static void print_table(const struct asking *asking, json_t *document)
{
    struct table table;
    const char *key;
    json_t *rows, *row;
    size_t i;
    bool with_peer =
        asking->session_count > 1 && asking->sessions[0].instance == asking->sessions[1].instance;
    if (table_begin(&table, with_peer ? "Instance|Peer|Network|Next Hop|AS path|Origin|Verdict"
                                      : "Instance|Network|Next Hop|AS path|Origin|Verdict"))
        return;
    json_object_foreach(document, key, rows) json_array_foreach(rows, i, row)
        print_row(&table, key, row, with_peer);
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
            print_table(asking, document);
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
    "NODE     a route server, gateway or router\n"                                                     \
    "PEER     its neighbour: a name or address of a peer, or a route server, gateway or "              \
    "router\n\n"                                                                                       \
    "  --all      also what was filtered: by policy, with its rule, or for an own AS in the "          \
    "path\n"                                                                                           \
    "  --session  no routes, but the session itself: its state, what both ends agreed on\n"            \
    "  --json     {\"RouteServiceRole_IN_0\": [{\"network\", \"nextHop\", \"asPath\", …}], …}\n\n" \
    "The fabric is run in the twin until BGP has converged. There is a list for each instance "        \
    "of\n"                                                                                             \
    "the route server or gateway.\n\n"

const struct cli_command cli_learned = {
    .name = "learned",
    .summary = "Show what a route server, gateway or router has learned from a neighbour",
    .usage = "learned FABRIC NODE PEER [--all] [--session] [--json]",
    .help = ARGUMENTS_HELP "Example: fingerpost learned docs/examples/hub-spoke.yaml rs1 nva1\n",
    .run = run_learned,
};

const struct cli_command cli_advertised = {
    .name = "advertised",
    .summary = "Show what a route server, gateway or router advertises to a neighbour",
    .usage = "advertised FABRIC NODE PEER [--all] [--session] [--json]",
    .help = ARGUMENTS_HELP "Example: fingerpost advertised docs/examples/hub-spoke.yaml rs1 nva1\n",
    .run = run_advertised,
};

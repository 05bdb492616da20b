/*
 * Choosing ends and flows.
 */
#include "engine/sim/survey.h"

#include <errno.h>
#include <stdlib.h>

#define TCP         6
#define PORT_FIRST  20000u
#define PORT_SERVER 443u
#define TTL         64u

struct survey {
    const struct fabric *fabric;
    struct path_finder *finder;
    int (*visit)(void *context, const struct survey_flow *flow);
    void *context;
    uint32_t *ends;
    uint32_t count;
};

/* --- Ends --------------------------------------------------------------------------------------- */

static bool alike(const struct fabric *fabric, uint32_t a, uint32_t b)
{
    const struct fabric_nic *left = &fabric->nics[a], *right = &fabric->nics[b];
    return left->subnet == right->subnet && left->router == right->router &&
           left->ip_forwarding == right->ip_forwarding;
}

static bool has_its_like(const struct survey *survey, uint32_t nic)
{
    for (uint32_t i = 0; i < survey->count; i++)
        if (alike(survey->fabric, survey->ends[i], nic))
            return true;
    return false;
}

static int choose_ends(struct survey *survey)
{
    const struct fabric *fabric = survey->fabric;
    const bool all = fabric->nics_count <= SURVEY_NICS_ALL;
    const uint32_t first_host = place_of_host(fabric, 0, 0);
    const uint32_t hosts = place_of_host(fabric, fabric->routers_count, 0) - first_host;
    survey->ends = calloc(fabric->nics_count + hosts + 1, sizeof(*survey->ends));
    if (!survey->ends)
        return -ENOMEM;
    for (uint32_t nic = 0; nic < fabric->nics_count; nic++)
        if (fabric_nic_gateway(fabric, nic) == FABRIC_NONE && (all || !has_its_like(survey, nic)))
            survey->ends[survey->count++] = nic;
    for (uint32_t host = 0; host < hosts; host++)
        survey->ends[survey->count++] = first_host + host;
    return 0;
}

/* --- Flows -------------------------------------------------------------------------------------- */

/* Would another flow have gone another way? */
static bool spreads(const struct path *path)
{
    for (unsigned i = 0; i < path->hop_count; i++)
        if (path->hops[i].spread || path->hops[i].backend ||
            (path->hops[i].row && path->hops[i].row->next_hop_count > 1))
            return true;
    return false;
}

/* Walks one flow there and back; *spread says whether others may differ. */
static int walk(const struct survey *survey, struct survey_flow *flow, uint16_t port, bool *spread)
{
    struct path out, back;
    struct path_sessions sessions;
    struct path_flow packet = {flow->source, flow->destination, TCP, port, PORT_SERVER, TTL};
    int error = path_walk(survey->finder, flow->from, &packet, NULL, &sessions, &out);
    if (error)
        return error;
    *spread = spreads(&out);
    flow->out = &out;
    flow->back = NULL;
    if (out.verdict == PATH_DELIVERED && out.end != PATH_INTERNET) {
        packet =
            (struct path_flow){sessions.destination, sessions.source, TCP, PORT_SERVER, port, TTL};
        error = path_walk(survey->finder, out.end, &packet, &sessions, NULL, &back);
        if (error)
            return error;
        *spread = *spread || spreads(&back);
        flow->back = &back;
    }
    return survey->visit(survey->context, flow);
}

static int walk_flows(const struct survey *survey, uint32_t from, uint32_t to,
                      const struct lpm_address *destination)
{
    struct survey_flow flow = {.from = from, .to = to, .destination = *destination};
    bool spread = true;
    int result = 0;
    flow.source = place_address(survey->fabric, from, destination->family);
    if (flow.source.family == 0)
        return 0;
    for (unsigned i = 0; i < SURVEY_FLOWS && spread && result == 0; i++)
        result = walk(survey, &flow, (uint16_t)(PORT_FIRST + i), &spread);
    return result;
}

static int walk_to_end(const struct survey *survey, uint32_t from, uint32_t to)
{
    static const uint8_t families[] = {LPM_IPV4, LPM_IPV6};
    int result = 0;
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        const struct lpm_address address = place_address(survey->fabric, to, families[i]);
        if (address.family)
            result = walk_flows(survey, from, to, &address);
    }
    return result;
}

static int walk_to_internet(const struct survey *survey, uint32_t from)
{
    static const char *const addresses[] = {SURVEY_INTERNET4, SURVEY_INTERNET6};
    int result = 0;
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        struct lpm_address address;
        result = lpm_address_parse(addresses[i], &address);
        if (result == 0)
            result = walk_flows(survey, from, PATH_INTERNET, &address);
    }
    return result;
}

int survey_run(const struct fabric *fabric, struct path_finder *finder,
               int (*visit)(void *context, const struct survey_flow *flow), void *context)
{
    struct survey survey = {.fabric = fabric, .finder = finder, .visit = visit, .context = context};
    int result = choose_ends(&survey);
    for (uint32_t i = 0; i < survey.count && result == 0; i++) {
        for (uint32_t j = 0; j < survey.count && result == 0; j++)
            if (i != j)
                result = walk_to_end(&survey, survey.ends[i], survey.ends[j]);
        if (result == 0)
            result = walk_to_internet(&survey, survey.ends[i]);
    }
    free(survey.ends);
    return result;
}

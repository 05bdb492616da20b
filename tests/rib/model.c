/*
 * The naive model; see model.h.
 */
#include "tests/rib/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_pool[POOL] = {
    "0.0.0.0/0",      "10.0.0.0/8",     "10.0.0.0/16", "10.0.0.0/24", "10.1.2.3/32",
    "192.168.0.0/16", "192.168.7.0/24", "::/0",        "fd00:1::/32", "fd00:1::/64"};
const struct model_neighbour model_neighbours[NEIGHBOURS] = {
    {65001, RIB_SOURCE_NVA, "10.0.1.10", "fd00::10"},
    {65001, RIB_SOURCE_NVA, "10.0.1.11", "fd00::11"},
    {65002, RIB_SOURCE_VPN, "10.0.1.12", "fd00::12"},
    {65003, RIB_SOURCE_EXPRESS_ROUTE, "10.0.1.13", "fd00::13"},
    {SERVER_ASN, RIB_SOURCE_VPN, "10.0.1.14", "fd00::14"}, /* iBGP */
};

const struct model_session model_sessions[SESSIONS] = {
    {0, "10.0.0.4", "fd00::4"}, {0, "10.0.0.5", "fd00::5"}, {1, "10.0.0.4", "fd00::4"},
    {2, "10.0.0.4", NULL},      {3, "10.0.0.4", "fd00::4"}, {4, "10.0.0.4", "fd00::4"},
};

struct candidate {
    bool there;
    enum rib_verdict verdict;
    unsigned class, length, tie;
    uint32_t path[20];
    const char *next_hop;
    const struct route *route;
};

static bool has_community(const struct route *route, uint32_t community)
{
    for (unsigned i = 0; route->communities[i] != 0; i++)
        if (route->communities[i] == community)
            return true;
    return false;
}

static void make_candidate(const struct model *model, unsigned session, unsigned p,
                           struct candidate *candidate)
{
    const struct model_neighbour *neighbour = &model_neighbours[model_sessions[session].neighbour];
    const struct route *route = &model->routes[model_sessions[session].neighbour][p];
    const bool er = neighbour->source == RIB_SOURCE_EXPRESS_ROUTE;
    unsigned n = 0, own = 0;

    memset(candidate, 0, sizeof(*candidate));
    candidate->there = model->up[session] && model->present[model_sessions[session].neighbour][p];
    candidate->route = route;
    if (neighbour->asn != SERVER_ASN)
        candidate->path[n++] = neighbour->asn;
    for (unsigned i = 0; route->as_path[i] != 0; i++)
        candidate->path[n++] = route->as_path[i];
    for (unsigned i = 0; i < n; i++)
        own += candidate->path[i] == SERVER_ASN;
    candidate->length = n;
    candidate->next_hop = route->next_hop;
    if (route->next_hop == NULL)
        candidate->next_hop = p < FIRST_IPV6 ? neighbour->address : neighbour->address6;
    candidate->class = model->preference == RIB_PREFER_EXPRESS_ROUTE ? !er
                       : model->preference == RIB_PREFER_VPN_GATEWAY ? er
                                                                     : 0;
    candidate->tie = model->preference == RIB_PREFER_AS_PATH && !er;
    candidate->verdict = own > 0 ? RIB_FILTERED_AS_LOOP : RIB_CHOSEN;
    if (own == 0 && (strcmp(candidate->next_hop, "10.0.0.5") == 0 ||
                     strcmp(candidate->next_hop, "fd00::5") == 0))
        candidate->verdict = RIB_FILTERED_NEXT_HOP;
}

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->class != b->class)
        return a->class < b->class;
    if (a->length != b->length)
        return a->length < b->length;
    return a->tie < b->tie;
}

static enum rib_verdict loss(const struct candidate *loser, const struct candidate *winner)
{
    if (loser->class == winner->class && loser->length != winner->length)
        return RIB_LOST_AS_PATH;
    return RIB_LOST_PREFERENCE;
}

/* A neighbour's sessions count as one: the first of them stands for it. */
static bool was_best(const struct model *model, unsigned p, unsigned s)
{
    const int best = model->best[p];

    return best >= 0 && best != (int)OWN &&
           model_sessions[best].neighbour == model_sessions[s].neighbour;
}

/* Works out all candidates of a prefix, their verdicts, and the best. order: sessions of the ECMP
 * set, the best first. Returns their number. */
static unsigned decide(struct model *model, unsigned p, struct candidate candidates[SESSIONS],
                       unsigned order[SESSIONS])
{
    const bool own = model->present[NEIGHBOURS][p];
    int best = -1;
    unsigned n = 0;

    for (unsigned s = 0; s < SESSIONS; s++) {
        make_candidate(model, s, p, &candidates[s]);
        if (!candidates[s].there || candidates[s].verdict != RIB_CHOSEN)
            continue;
        if (best < 0 || better(&candidates[s], &candidates[best]) ||
            (!better(&candidates[best], &candidates[s]) && was_best(model, p, s) &&
             !was_best(model, p, (unsigned)best)))
            best = (int)s;
    }
    model->best[p] = own ? (int)OWN : best;
    if (best >= 0 && !own)
        order[n++] = (unsigned)best;
    for (unsigned s = 0; s < SESSIONS; s++) {
        bool duplicate = false;

        if (!candidates[s].there || candidates[s].verdict != RIB_CHOSEN || (int)s == best) {
            if (own && (int)s == best)
                candidates[s].verdict = RIB_LOST_PREFERENCE;
            continue;
        }
        if (own || better(&candidates[best], &candidates[s])) {
            candidates[s].verdict =
                own ? RIB_LOST_PREFERENCE : loss(&candidates[s], &candidates[best]);
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            duplicate |= strcmp(candidates[order[i]].next_hop, candidates[s].next_hop) == 0;
        if (duplicate)
            candidates[s].verdict = RIB_DUPLICATE_NEXT_HOP;
        else
            order[n++] = s;
    }
    return n;
}

/* --- Expected text ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
    size_t at = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + at, WORLD_TEXT - at, format, arguments);
    va_end(arguments);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static void append_route(char *text, const uint32_t *prepend, const uint32_t *path,
                         const char *next_hop, const struct route *route)
{
    uint32_t communities[8];
    unsigned n = 0;
    const char *blank = "";

    append(text, "[");
    for (; *prepend != 0; prepend++, blank = " ")
        append(text, "%s%u", blank, *prepend);
    for (; *path != 0; path++, blank = " ")
        append(text, "%s%u", blank, *path);
    append(text, "] %s", next_hop);
    for (; route->communities[n] != 0; n++)
        communities[n] = route->communities[n];
    qsort(communities, n, sizeof(*communities), compare_numbers);
    for (unsigned i = 0; i < n; i++) {
        struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = communities[i]};
        char name[BGP_COMMUNITY_TEXT];

        append(text, " %s", bgp_community_format(&community, name));
    }
}

static void expect_advertised(const struct model *model, unsigned p,
                              const struct candidate candidates[SESSIONS], unsigned s, char *text)
{
    static const uint32_t none[] = {0}, prepend[] = {SERVER_ASN, 0};
    const struct model_neighbour *to = &model_neighbours[model_sessions[s].neighbour];
    const bool internal = to->asn == SERVER_ASN;
    const char *self = p < FIRST_IPV6 ? model_sessions[s].local : model_sessions[s].local6;
    const int best = model->best[p];
    const struct route *route;

    if (!model->up[s] || best < 0)
        return;
    if (best == (int)OWN) {
        if (self == NULL)
            return;
        append(text, "%s ", model_pool[p]);
        append_route(text, internal ? none : prepend, none, self, &model->routes[NEIGHBOURS][p]);
    } else {
        route = candidates[best].route;
        if (model_sessions[best].neighbour == model_sessions[s].neighbour ||
            has_community(route, BGP_NO_ADVERTISE) ||
            (!internal && (self == NULL || has_community(route, BGP_NO_EXPORT))))
            return;
        append(text, "%s ", model_pool[p]);
        append_route(text, internal ? none : prepend, candidates[best].path,
                     internal ? candidates[best].next_hop : self, route);
    }
    append(text, "%s\n", internal ? " local-pref 100" : "");
}

void model_expect(struct model *model, struct expected *expected)
{
    static const uint32_t none[] = {0};

    memset(expected, 0, sizeof(*expected));
    for (unsigned p = 0; p < POOL; p++) {
        struct candidate candidates[SESSIONS];
        unsigned order[SESSIONS];
        unsigned n = decide(model, p, candidates, order);

        if (n > 0 || model->best[p] == (int)OWN)
            append(expected->choices, "%s", model_pool[p]);
        if (model->best[p] == (int)OWN) {
            append(expected->choices, " | ");
            append_route(expected->choices, none, none, "self", &model->routes[NEIGHBOURS][p]);
        }
        for (unsigned i = 0; i < n; i++) {
            append(expected->choices, " | ");
            append_route(expected->choices, none, candidates[order[i]].path,
                         candidates[order[i]].next_hop, candidates[order[i]].route);
            append(expected->choices, "%s",
                   model_neighbours[model_sessions[order[i]].neighbour].asn == SERVER_ASN
                       ? " local-pref 100"
                       : "");
        }
        if (n > 0 || model->best[p] == (int)OWN)
            append(expected->choices, "\n");
        for (unsigned s = 0; s < SESSIONS; s++) {
            expect_advertised(model, p, candidates, s, expected->advertised[s]);
            if (!candidates[s].there)
                continue;
            expected->held[s]++;
            expected->loops[s] += candidates[s].verdict == RIB_FILTERED_AS_LOOP;
            append(expected->learned[s], "%s ", model_pool[p]);
            append_route(expected->learned[s], none, candidates[s].path, candidates[s].next_hop,
                         candidates[s].route);
            append(expected->learned[s], "%s (%s)\n",
                   model_neighbours[model_sessions[s].neighbour].asn == SERVER_ASN
                       ? " local-pref 100"
                       : "",
                   rib_verdict_text(candidates[s].verdict));
        }
    }
}

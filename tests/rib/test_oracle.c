/*
 * The speaker against a model that keeps lists and works everything out anew, under random changes
 * that travel as real messages. After every settled step: choices, the changes told, Adj-RIB-In with
 * verdicts, Adj-RIB-Out as the server says and as the neighbours hold it, counters.
 *
 * What the model keeps between steps is what the rules make depend on the past: the best path of each
 * prefix (RFC 5004).
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/world.h"

#define SERVER_ASN 65515u
#define NEIGHBOURS 5u
#define SESSIONS   6u
#define POOL       10u
#define STEPS      1200u

/* In prefix order: the model walks it so. */
static const char *const pool[POOL] = {
    "0.0.0.0/0",      "10.0.0.0/8",     "10.0.0.0/16", "10.0.0.0/24", "10.1.2.3/32",
    "192.168.0.0/16", "192.168.7.0/24", "::/0",        "fd00:1::/32", "fd00:1::/64"};
#define FIRST_IPV6 7u

static const struct neighbour {
    uint32_t asn;
    enum rib_source source;
    const char *address, *address6;
} neighbours[NEIGHBOURS] = {
    {65001, RIB_SOURCE_NVA, "10.0.1.10", "fd00::10"},
    {65001, RIB_SOURCE_NVA, "10.0.1.11", "fd00::11"},
    {65002, RIB_SOURCE_VPN, "10.0.1.12", "fd00::12"},
    {65003, RIB_SOURCE_EXPRESS_ROUTE, "10.0.1.13", "fd00::13"},
    {SERVER_ASN, RIB_SOURCE_VPN, "10.0.1.14", "fd00::14"}, /* iBGP */
};

/* Sessions in the order in which the server ranks them: by address of the peer, then its own. The first
 * neighbour has one with either instance; the third takes no IPv6 from the server. */
static const struct session {
    unsigned neighbour;
    const char *local, *local6;
} sessions[SESSIONS] = {
    {0, "10.0.0.4", "fd00::4"}, {0, "10.0.0.5", "fd00::5"}, {1, "10.0.0.4", "fd00::4"},
    {2, "10.0.0.4", NULL},      {3, "10.0.0.4", "fd00::4"}, {4, "10.0.0.4", "fd00::4"},
};

/* --- Model --------------------------------------------------------------------------------------- */

#define OWN SESSIONS /* index of the server's own route among candidates */

struct model {
    enum rib_preference preference;
    bool present[NEIGHBOURS + 1][POOL]; /* the last row: the server's own */
    struct route routes[NEIGHBOURS + 1][POOL];
    bool up[SESSIONS];
    int best[POOL]; /* session, OWN, or -1 */
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
    const struct neighbour *neighbour = &neighbours[sessions[session].neighbour];
    const struct route *route = &model->routes[sessions[session].neighbour][p];
    const bool er = neighbour->source == RIB_SOURCE_EXPRESS_ROUTE;
    unsigned n = 0, own = 0;

    memset(candidate, 0, sizeof(*candidate));
    candidate->there = model->up[session] && model->present[sessions[session].neighbour][p];
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

    return best >= 0 && best != (int)OWN && sessions[best].neighbour == sessions[s].neighbour;
}

/* Works out all candidates of a prefix, their verdicts, and the best. order: sessions of the ECMP set,
 * the best first. Returns their number. */
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

/* --- Expected text ------------------------------------------------------------------------------- */

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

struct expected {
    char choices[WORLD_TEXT];
    char learned[SESSIONS][WORLD_TEXT];
    char advertised[SESSIONS][WORLD_TEXT];
    size_t held[SESSIONS], loops[SESSIONS];
};

static void expect_advertised(const struct model *model, unsigned p,
                              const struct candidate candidates[SESSIONS], unsigned s, char *text)
{
    static const uint32_t none[] = {0}, prepend[] = {SERVER_ASN, 0};
    const struct neighbour *to = &neighbours[sessions[s].neighbour];
    const bool internal = to->asn == SERVER_ASN;
    const char *self = p < FIRST_IPV6 ? sessions[s].local : sessions[s].local6;
    const int best = model->best[p];
    const struct route *route;

    if (!model->up[s] || best < 0)
        return;
    if (best == (int)OWN) {
        if (self == NULL)
            return;
        append(text, "%s ", pool[p]);
        append_route(text, internal ? none : prepend, none, self, &model->routes[NEIGHBOURS][p]);
    } else {
        route = candidates[best].route;
        if (sessions[best].neighbour == sessions[s].neighbour ||
            has_community(route, BGP_NO_ADVERTISE) ||
            (!internal && (self == NULL || has_community(route, BGP_NO_EXPORT))))
            return;
        append(text, "%s ", pool[p]);
        append_route(text, internal ? none : prepend, candidates[best].path,
                     internal ? candidates[best].next_hop : self, route);
    }
    append(text, "%s\n", internal ? " local-pref 100" : "");
}

static void expect(struct model *model, struct expected *expected)
{
    static const uint32_t none[] = {0};

    memset(expected, 0, sizeof(*expected));
    for (unsigned p = 0; p < POOL; p++) {
        struct candidate candidates[SESSIONS];
        unsigned order[SESSIONS];
        unsigned n = decide(model, p, candidates, order);

        if (n > 0 || model->best[p] == (int)OWN)
            append(expected->choices, "%s", pool[p]);
        if (model->best[p] == (int)OWN) {
            append(expected->choices, " | ");
            append_route(expected->choices, none, none, "self", &model->routes[NEIGHBOURS][p]);
        }
        for (unsigned i = 0; i < n; i++) {
            append(expected->choices, " | ");
            append_route(expected->choices, none, candidates[order[i]].path,
                         candidates[order[i]].next_hop, candidates[order[i]].route);
            append(expected->choices, "%s",
                   neighbours[sessions[order[i]].neighbour].asn == SERVER_ASN ? " local-pref 100"
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
            append(expected->learned[s], "%s ", pool[p]);
            append_route(expected->learned[s], none, candidates[s].path, candidates[s].next_hop,
                         candidates[s].route);
            append(expected->learned[s], "%s (%s)\n",
                   neighbours[sessions[s].neighbour].asn == SERVER_ASN ? " local-pref 100" : "",
                   rib_verdict_text(candidates[s].verdict));
        }
    }
}

/* --- Steps --------------------------------------------------------------------------------------- */

struct run {
    struct world *world;
    struct node *server;
    struct node *nodes[NEIGHBOURS];
    struct link *links[SESSIONS];
    struct model model;
    unsigned seed, step;
};

static void build(struct run *run)
{
    struct speaker_config server = {.name = "rs",
                                    .asn = SERVER_ASN,
                                    .preference = run->model.preference,
                                    .prepend_own_asn = true,
                                    .reflect = true};

    run->world = world_create();
    run->server = world_node(run->world, &server);
    run->server->check_changes = true;
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        struct speaker_config config = {.asn = neighbours[i].asn, .prepend_own_asn = true};

        run->nodes[i] = world_node(run->world, &config);
    }
    /* Not in their rank, which must not come from the order of configuration. */
    for (unsigned i = 0; i < SESSIONS; i++) {
        unsigned s = (i * 5 + 3) % SESSIONS;
        const struct neighbour *neighbour = &neighbours[sessions[s].neighbour];
        struct speaker_peer_config near = world_end(sessions[s].local, neighbour->asn);
        struct speaker_peer_config far = world_end(neighbour->address, SERVER_ASN);

        near.source = neighbour->source;
        near.local_address6 = world_address(sessions[s].local6);
        far.local_address6 = world_address(neighbour->address6);
        run->links[s] =
            world_link(run->world, run->server, near, run->nodes[sessions[s].neighbour], far);
        run->model.up[s] = true;
    }
    for (unsigned p = 0; p < POOL; p++)
        run->model.best[p] = -1;
    world_start(run->world);
}

static unsigned below(unsigned n)
{
    return (unsigned)rand() % n;
}

static struct route random_route(unsigned p)
{
    static const char *const next_hops[2][4] = {
        {"10.0.1.100", "10.0.1.101", "10.0.0.5", "10.0.1.10"},
        {"fd00::100", "fd00::101", "fd00::5", "fd00::10"}};
    static const uint32_t asns[] = {64900, 64901, 64902, 65002, SERVER_ASN};
    static const uint32_t communities[] = {BGP_NO_ADVERTISE, BGP_NO_EXPORT, 65001u << 16 | 1,
                                           65517u << 16 | 12001};
    struct route route = {.prefix = pool[p]};
    unsigned length = below(4);

    for (unsigned i = 0; i < length; i++)
        route.as_path[i] = asns[below(20) == 0 ? 4 : below(4)];
    if (below(3) == 0)
        route.next_hop = next_hops[p >= FIRST_IPV6][below(4)];
    for (unsigned i = 0, n = 0; i < 4; i++)
        if (below(6) == 0)
            route.communities[n++] = communities[i];
    return route;
}

static void step_route(struct run *run, unsigned i)
{
    struct node *node = i == NEIGHBOURS ? run->server : run->nodes[i];
    unsigned p = below(POOL);

    if (run->model.present[i][p] && below(2) == 0) {
        run->model.present[i][p] = false;
        world_withdraw(node, pool[p]);
        return;
    }
    run->model.routes[i][p] = random_route(p);
    if (i == NEIGHBOURS) {
        run->model.routes[i][p].next_hop = NULL;
        run->model.routes[i][p].as_path[0] = 0;
    }
    run->model.present[i][p] = true;
    world_originate(node, &run->model.routes[i][p]);
}

static void take_step(struct run *run)
{
    unsigned kind = below(100), s = below(SESSIONS);

    run->world->chunk = below(4) == 0 ? 1 + below(60) : 65536;
    if (kind < 8) {
        run->links[s]->ends[1].paused = false; /* a session that reads nothing does not come up */
        run->model.up[s] = !run->model.up[s];
        if (run->model.up[s])
            world_mend(run->world, run->links[s]);
        else
            world_cut(run->world, run->links[s]);
    } else if (kind < 14) {
        run->links[s]->ends[1].paused ^= true;
    } else if (kind < 25) {
        step_route(run, NEIGHBOURS);
    } else {
        step_route(run, below(NEIGHBOURS));
    }
    world_settle(run->world);
}

/* The neighbour holds what the server says it sent; its own filters are of no interest here. */
static void check_far_end(const struct run *run, unsigned s, const char *advertised)
{
    static char text[WORLD_TEXT], plain[WORLD_TEXT];
    char *to = plain;

    world_learned(run->nodes[sessions[s].neighbour], run->links[s]->ends[1].peer, text);
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == ' ' && from[1] == '(')
            from = strchr(from, '\n');
        *to++ = *from;
    }
    *to = '\0';
    cr_assert_str_eq(plain, advertised, "seed %u, step %u: held by the neighbour of session %u",
                     run->seed, run->step, s);
}

static void check_session(const struct run *run, const struct expected *expected, unsigned s)
{
    static char text[WORLD_TEXT];
    struct speaker_peer_counters counters;
    const struct end *end = &run->links[s]->ends[0];

    cr_assert_eq(end->state == BGP_ESTABLISHED, run->model.up[s], "seed %u, step %u, session %u",
                 run->seed, run->step, s);
    world_learned(run->server, end->peer, text);
    cr_assert_str_eq(text, expected->learned[s], "seed %u, step %u: learned in session %u",
                     run->seed, run->step, s);
    speaker_peer_counters(end->peer, &counters);
    cr_assert_eq(counters.held, expected->held[s]);
    cr_assert_eq(counters.as_loop, expected->loops[s]);
    if (run->links[s]->ends[1].paused)
        return;
    world_advertised(run->server, end->peer, text);
    cr_assert_str_eq(text, expected->advertised[s], "seed %u, step %u: advertised in session %u",
                     run->seed, run->step, s);
    check_far_end(run, s, text);
}

static void check(struct run *run)
{
    static struct expected expected;
    static char text[WORLD_TEXT];

    expect(&run->model, &expected);
    cr_assert_str_eq(world_choices(run->server, text), expected.choices, "seed %u, step %u",
                     run->seed, run->step);
    cr_assert(world_changes_told(run->server), "seed %u, step %u: a change was not told", run->seed,
              run->step);
    for (unsigned s = 0; s < SESSIONS; s++)
        check_session(run, &expected, s);
    cr_assert(speaker_validate(run->server->speaker), "seed %u, step %u", run->seed, run->step);
}

static void run_model(unsigned seed)
{
    static struct run run;

    memset(&run, 0, sizeof(run));
    run.seed = seed;
    run.model.preference = (enum rib_preference)(seed % 3);
    srand(seed);
    build(&run);
    for (run.step = 0; run.step < STEPS; run.step++) {
        take_step(&run);
        check(&run);
    }
    world_destroy(run.world);
}

Test(oracle, agrees_under_random_changes_preferring_express_route)
{
    run_model(3);
}

Test(oracle, agrees_under_random_changes_preferring_vpn)
{
    run_model(4);
}

Test(oracle, agrees_under_random_changes_preferring_the_as_path)
{
    run_model(5);
}

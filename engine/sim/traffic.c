/*
 *   walk: for each probe that sends ── find its ends ── for each flow ── path_walk() ──> way
 *
 * Ways are interned in ways[], as most flows share one of few. Members of the groups that ways use
 * are remembered from each walk for the next, which compares with them.
 */
#include "engine/sim/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL        64u
#define PORT_FIRST 1024u
#define PORT_COUNT 64512u
#define WAY_NONE   UINT32_MAX

struct flow {
    uint16_t source_port, destination_port;
    bool lost;        /* now */
    bool interrupted; /* it left its good way, and has not got through since */
    uint32_t good;    /* the last way that got through */
    uint32_t since_ms;
    uint64_t lost_ms;
};

/* The members of a group, as of the last walk. */
struct members {
    uint32_t group;
    unsigned n;
    struct lpm_address items[DP_GROUP_MEMBER_MAX];
};
struct member_sets {
    struct members *items;
    size_t n;
};

struct probe {
    const struct fabric_drill_probe *model;
    struct flow *flows;
    struct traffic_fate fate;
    uint32_t lost_flows; /* now */
    size_t loss_capacity;
};

struct traffic {
    const struct fabric_drill *drill;
    struct probe *probes;
    struct path *ways;
    size_t way_count, way_capacity;
    struct member_sets known; /* of the last walk */
};

/* --- Flows ------------------------------------------------------------------------------------ */

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Ports are a permutation of all that there are, so that no two flows are one; when they are used up,
 * the next destination port is taken. */
static void make_flows(struct probe *probe, uint64_t seed)
{
    unsigned step, first;
    for (const char *c = probe->model->name; *c; c++)
        seed = seed * 31 + (unsigned char)*c;
    do
        step = (unsigned)(next_random(&seed) % PORT_COUNT);
    while (common_divisor(step, PORT_COUNT) != 1);
    first = (unsigned)(next_random(&seed) % PORT_COUNT);
    for (uint32_t i = 0; i < probe->model->flows; i++)
        probe->flows[i] = (struct flow){
            .source_port = (uint16_t)(PORT_FIRST + (first + (uint64_t)step * i) % PORT_COUNT),
            .destination_port = (uint16_t)(probe->model->destination_port + i / PORT_COUNT),
            .good = WAY_NONE,
        };
}

struct traffic *traffic_create(const struct fabric_drill *drill)
{
    struct traffic *traffic = calloc(1, sizeof(*traffic));
    if (!traffic)
        return NULL;
    traffic->drill = drill;
    traffic->probes = calloc((size_t)drill->probe_count + 1, sizeof(*traffic->probes));
    for (uint32_t i = 0; traffic->probes && i < drill->probe_count; i++) {
        struct probe *probe = &traffic->probes[i];
        probe->model = &drill->probes[i];
        probe->flows = calloc(probe->model->flows, sizeof(*probe->flows));
        if (!probe->flows) {
            traffic_destroy(traffic);
            return NULL;
        }
        make_flows(probe, drill->seed);
    }
    if (traffic->probes)
        return traffic;
    free(traffic);
    return NULL;
}

void traffic_destroy(struct traffic *traffic)
{
    if (!traffic)
        return;
    for (uint32_t i = 0; i < traffic->drill->probe_count; i++) {
        free(traffic->probes[i].flows);
        free(traffic->probes[i].fate.losses);
    }
    free(traffic->probes);
    free(traffic->ways);
    free(traffic->known.items);
    free(traffic);
}

const struct traffic_fate *traffic_fate(const struct traffic *traffic, uint32_t i)
{
    return &traffic->probes[i].fate;
}

/* --- Counting --------------------------------------------------------------------------------- */

/* Packets of the probe that leave before ms, its start being 0. */
static uint64_t packets_before(const struct probe *probe, uint64_t ms)
{
    return (ms * probe->model->packets_per_second + 999) / 1000;
}

/* Of the first n packets, those of flow i. */
static uint64_t share_of(const struct probe *probe, uint64_t n, uint32_t i)
{
    return n > i ? (n - i - 1) / probe->model->flows + 1 : 0;
}

static uint64_t flow_packets(const struct probe *probe, uint32_t i, uint32_t from_ms,
                             uint32_t to_ms)
{
    const uint32_t start_ms = probe->model->start_ms;
    return share_of(probe, packets_before(probe, to_ms - start_ms), i) -
           share_of(probe, packets_before(probe, from_ms - start_ms), i);
}

static void end_loss(struct probe *probe, uint32_t i, uint32_t now_ms)
{
    struct flow *flow = &probe->flows[i];
    struct traffic_fate *fate = &probe->fate;
    const uint64_t outage_ms = now_ms - flow->since_ms;
    flow->lost = false;
    probe->lost_flows--;
    fate->lost += flow_packets(probe, i, flow->since_ms, now_ms);
    fate->flows_lost += flow->lost_ms == 0 && outage_ms > 0;
    flow->lost_ms += outage_ms;
    if (fate->lost_ms < flow->lost_ms)
        fate->lost_ms = flow->lost_ms;
    if (fate->longest_ms < outage_ms)
        fate->longest_ms = outage_ms;
}

static void begin_loss(struct probe *probe, struct flow *flow, uint32_t now_ms)
{
    flow->lost = true;
    flow->since_ms = now_ms;
    probe->lost_flows++;
}

static int note_losses(struct probe *probe, uint32_t now_ms)
{
    struct traffic_fate *fate = &probe->fate;
    uint32_t before = fate->loss_count ? fate->losses[fate->loss_count - 1].flows : 0;
    if (probe->lost_flows == before)
        return 0;
    if (fate->loss_count == probe->loss_capacity) {
        size_t capacity = probe->loss_capacity ? 2 * probe->loss_capacity : 16;
        void *grown = realloc(fate->losses, capacity * sizeof(*fate->losses));
        if (!grown)
            return -ENOMEM;
        fate->losses = grown;
        probe->loss_capacity = capacity;
    }
    fate->losses[fate->loss_count++] = (struct traffic_loss){now_ms, probe->lost_flows};
    return 0;
}

/* --- Ways ------------------------------------------------------------------------------------- */

static bool same_hop(const struct path_hop *a, const struct path_hop *b)
{
    return a->place == b->place && a->nic == b->nic && a->tunnel == b->tunnel &&
           lpm_address_equal(&a->next_hop, &b->next_hop);
}

/* The same NICs and next hops. */
static bool same_way(const struct path *a, const struct path *b)
{
    if (a->hop_count != b->hop_count || a->end != b->end)
        return false;
    for (unsigned i = 0; i < a->hop_count; i++)
        if (!same_hop(&a->hops[i], &b->hops[i]))
            return false;
    return true;
}

/* Is what there is of `part` the beginning of `way`? */
static bool begins(const struct path *way, const struct path *part)
{
    if (part->hop_count > way->hop_count)
        return false;
    for (unsigned i = 0; i < part->hop_count; i++)
        if (!same_hop(&way->hops[i], &part->hops[i]))
            return false;
    return true;
}

/* The groups as well: they say who else could have been chosen. */
static bool identical(const struct path *a, const struct path *b)
{
    if (a->verdict != b->verdict || a->reason != b->reason || !same_way(a, b))
        return false;
    for (unsigned i = 0; i < a->hop_count; i++)
        if (a->hops[i].group != b->hops[i].group)
            return false;
    return true;
}

static int intern(struct traffic *traffic, const struct path *path, uint32_t *index)
{
    for (size_t i = traffic->way_count; i-- > 0;)
        if (identical(&traffic->ways[i], path)) {
            *index = (uint32_t)i;
            return 0;
        }
    if (traffic->way_count == traffic->way_capacity) {
        size_t capacity = traffic->way_capacity ? 2 * traffic->way_capacity : 16;
        void *grown = realloc(traffic->ways, capacity * sizeof(*traffic->ways));
        if (!grown)
            return -ENOMEM;
        traffic->ways = grown;
        traffic->way_capacity = capacity;
    }
    traffic->ways[traffic->way_count] = *path;
    *index = (uint32_t)traffic->way_count++;
    return 0;
}

/* --- Members ---------------------------------------------------------------------------------- */

static struct members *find_members(const struct member_sets *sets, uint32_t group)
{
    for (size_t i = 0; i < sets->n; i++)
        if (sets->items[i].group == group)
            return &sets->items[i];
    return NULL;
}

static int take_members(struct member_sets *sets, const struct dp_forwarding *forwarding,
                        uint32_t group)
{
    struct dp_group_info info;
    if (group == 0 || find_members(sets, group) || dp_group_info(forwarding, group, &info) != 0 ||
        info.kind != DP_GROUP_MEMBERS)
        return 0;
    void *grown = realloc(sets->items, (sets->n + 1) * sizeof(*sets->items));
    if (!grown)
        return -ENOMEM;
    sets->items = grown;
    struct members *members = &sets->items[sets->n++];
    members->group = group;
    members->n = info.member_count;
    for (unsigned i = 0; i < info.member_count; i++)
        members->items[i] = info.members[i].next_hop;
    return 0;
}

/* The sets of all groups that any way uses. A group that is no more is left out. */
static int take_all_members(const struct traffic *traffic, const struct dp_forwarding *forwarding,
                            struct member_sets *sets)
{
    int error = 0;
    for (size_t i = 0; i < traffic->way_count && !error; i++)
        for (unsigned j = 0; j < traffic->ways[i].hop_count && !error; j++)
            error = take_members(sets, forwarding, traffic->ways[i].hops[j].group);
    return error;
}

static bool has_member(const struct member_sets *sets, uint32_t group,
                       const struct lpm_address *next_hop)
{
    const struct members *members = find_members(sets, group);
    for (unsigned i = 0; members && i < members->n; i++)
        if (lpm_address_equal(&members->items[i], next_hop))
            return true;
    return false;
}

/* --- Moves ------------------------------------------------------------------------------------ */

/* A flow that got through by `before` and now does by `after`, and never failed in between. */
static bool is_needless(const struct traffic *traffic, const struct dp_forwarding *forwarding,
                        const struct path *before, const struct path *after)
{
    unsigned i = 0;
    while (i < before->hop_count && i < after->hop_count &&
           same_hop(&before->hops[i], &after->hops[i]))
        i++;
    if (i == before->hop_count || i == after->hop_count)
        return false;
    const struct path_hop *old = &before->hops[i], *new = &after->hops[i];
    struct member_sets now = {0};
    bool needless = false;
    if (old->nic == new->nic && take_members(&now, forwarding, new->group) == 0)
        needless = has_member(&now, new->group, &old->next_hop) &&
                   has_member(&traffic->known, old->group, &new->next_hop);
    free(now.items);
    return needless;
}

static void compare(struct traffic *traffic, const struct dp_forwarding *forwarding,
                    struct probe *probe, struct flow *flow, uint32_t way)
{
    const struct path *after = &traffic->ways[way];
    if (flow->good == WAY_NONE) {
        flow->good = way;
        return;
    }
    const struct path *before = &traffic->ways[flow->good];
    if (after->verdict != PATH_DELIVERED) {
        flow->interrupted |= !begins(before, after);
        return;
    }
    if (way != flow->good && !same_way(before, after)) {
        probe->fate.moved++;
        probe->fate.moved_needlessly +=
            !flow->interrupted && is_needless(traffic, forwarding, before, after);
    }
    flow->good = way;
    flow->interrupted = false;
}

/* --- Ends of a probe -------------------------------------------------------------------------- */

struct ends {
    uint32_t place; /* NIC or host that sends; FABRIC_NONE: none does */
    struct lpm_address source, destination;
    const char *missing; /* why nothing is sent */
};

static uint32_t owner_of(const struct fabric *fabric, const struct lpm_address *address)
{
    for (uint32_t nic = 0; nic < fabric->nics_count; nic++)
        if (fabric_nic_has(&fabric->nics[nic], address))
            return nic;
    return FABRIC_NONE;
}

/* The address of that family by which text is reached; family 0: it has none. */
static struct lpm_address address_of(const struct fabric *fabric, const char *text, uint8_t family)
{
    const uint32_t place = place_find(fabric, text);
    struct lpm_address address;
    if (place != FABRIC_NONE)
        return place_address(fabric, place, family);
    if (lpm_address_parse(text, &address) != 0)
        address.family = 0;
    return address.family == family ? address : (struct lpm_address){0};
}

/* IPv4 before IPv6, as everywhere that the user leaves it open. */
static struct ends find_ends(const struct fabric *fabric, const struct fabric_drill_probe *probe)
{
    static const uint8_t families[] = {LPM_IPV4, LPM_IPV6};
    for (unsigned i = 0; i < 2; i++) {
        struct ends ends = {.source = address_of(fabric, probe->from, families[i]),
                            .destination = address_of(fabric, probe->to, families[i])};
        if (!ends.source.family || !ends.destination.family)
            continue;
        ends.place = place_find(fabric, probe->from);
        if (ends.place == FABRIC_NONE)
            ends.place = owner_of(fabric, &ends.source);
        ends.missing = "no-source";
        return ends;
    }
    return (struct ends){.place = FABRIC_NONE,
                         .missing = place_find(fabric, probe->to) == FABRIC_NONE ? "no-destination"
                                                                                 : "no-source"};
}

/* --- Walking ---------------------------------------------------------------------------------- */

static bool sends_at(const struct probe *probe, uint32_t now_ms)
{
    return now_ms >= probe->model->start_ms &&
           (probe->model->end_ms == 0 || now_ms < probe->model->end_ms);
}

/* A source that is not there, or is silent itself, sends into the void. */
static int walk_flow(struct path_finder *finder, const struct fabric *fabric, const struct sim *sim,
                     const struct ends *ends, const struct probe *probe, const struct flow *flow,
                     struct path *path)
{
    const struct path_flow packet = {
        .source = ends->source,
        .destination = ends->destination,
        .protocol = probe->model->protocol,
        .source_port = flow->source_port,
        .destination_port = flow->destination_port,
        .ttl = TTL,
    };
    uint32_t router;
    place_kind(fabric, ends->place, &router, NULL);
    if (ends->place == FABRIC_NONE ||
        (router != FABRIC_NONE && sim_router_is_silent(sim, router))) {
        *path = (struct path){
            .verdict = PATH_DROPPED,
            .reason = router != FABRIC_NONE ? "router-silent" : ends->missing,
            .end = FABRIC_NONE,
        };
        return 0;
    }
    return path_walk(finder, ends->place, &packet, NULL, NULL, path);
}

static int walk_probe(struct traffic *traffic, struct probe *probe, struct path_finder *finder,
                      const struct fabric *fabric, const struct sim *sim,
                      const struct dp_forwarding *forwarding, uint32_t now_ms)
{
    const struct ends ends = find_ends(fabric, probe->model);
    struct path path;
    int error = 0;
    for (uint32_t i = 0; i < probe->model->flows && !error; i++) {
        struct flow *flow = &probe->flows[i];
        uint32_t way;
        error = walk_flow(finder, fabric, sim, &ends, probe, flow, &path);
        if (!error)
            error = intern(traffic, &path, &way);
        if (error)
            break;
        bool lost = path.verdict != PATH_DELIVERED;
        if (lost)
            probe->fate.reason = path.reason ? path.reason : path_verdict_text(path.verdict);
        if (flow->lost && !lost)
            end_loss(probe, i, now_ms);
        else if (!flow->lost && lost)
            begin_loss(probe, flow, now_ms);
        compare(traffic, forwarding, probe, flow, way);
    }
    return error ? error : note_losses(probe, now_ms);
}

/* The probe has ended: what is lost now is lost no longer. */
static int end_probe(struct probe *probe, uint32_t now_ms)
{
    uint32_t end_ms = probe->model->end_ms;
    if (end_ms == 0 || end_ms > now_ms)
        end_ms = now_ms;
    for (uint32_t i = 0; i < probe->model->flows; i++)
        if (probe->flows[i].lost)
            end_loss(probe, i, end_ms);
    if (end_ms > probe->model->start_ms)
        probe->fate.sent = packets_before(probe, end_ms - probe->model->start_ms);
    return note_losses(probe, end_ms);
}

int traffic_walk(struct traffic *traffic, const struct fabric *fabric, struct sim *sim,
                 const struct dp_forwarding *forwarding, uint32_t now_ms)
{
    struct path_finder *finder = path_finder_create(fabric, sim, forwarding);
    struct member_sets sets = {0};
    int error = finder ? 0 : -ENOMEM;
    if (finder)
        path_finder_skip_rows(finder);
    for (uint32_t i = 0; i < traffic->drill->probe_count && !error; i++) {
        struct probe *probe = &traffic->probes[i];
        if (sends_at(probe, now_ms))
            error = walk_probe(traffic, probe, finder, fabric, sim, forwarding, now_ms);
        else if (probe->model->end_ms != 0 && now_ms >= probe->model->end_ms)
            error = end_probe(probe, now_ms);
    }
    path_finder_free(finder);
    if (!error)
        error = take_all_members(traffic, forwarding, &sets);
    free(traffic->known.items);
    traffic->known = sets;
    return error;
}

/* Routers and hosts stand behind the NICs, in an order that stays. */
static uint32_t place_in(const struct fabric *from, const struct fabric *to, uint32_t place)
{
    if (place < from->nics_count)
        return fabric_find_nic(to, from->nics[place].name);
    return place >= PLACE_INTERNET ? place : place - from->nics_count + to->nics_count;
}

void traffic_follow(struct traffic *traffic, const struct fabric *from, const struct fabric *to)
{
    for (size_t i = 0; i < traffic->way_count; i++) {
        struct path *way = &traffic->ways[i];
        way->end = place_in(from, to, way->end);
        for (unsigned j = 0; j < way->hop_count; j++) {
            way->hops[j].nic = place_in(from, to, way->hops[j].nic);
            way->hops[j].place = place_in(from, to, way->hops[j].place);
        }
    }
}

uint32_t traffic_next_ms(const struct traffic *traffic, uint32_t now_ms)
{
    uint32_t next_ms = UINT32_MAX;
    for (uint32_t i = 0; i < traffic->drill->probe_count; i++) {
        const struct fabric_drill_probe *model = traffic->probes[i].model;
        if (model->start_ms > now_ms && model->start_ms < next_ms)
            next_ms = model->start_ms;
        if (model->end_ms > now_ms && model->end_ms < next_ms)
            next_ms = model->end_ms;
    }
    return next_ms;
}

int traffic_finish(struct traffic *traffic, uint32_t now_ms)
{
    int error = 0;
    for (uint32_t i = 0; i < traffic->drill->probe_count && !error; i++)
        error = end_probe(&traffic->probes[i], now_ms);
    return error;
}

/*
 * Walking one packet: the fabric's step by dp_decide(), the router's step by pass.c.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/sim/walk.h"

const char *path_verdict_text(enum path_verdict verdict)
{
    static const char *const texts[] = {"delivered", "dropped", "loop"};
    return texts[verdict];
}

struct path_finder *path_finder_create(const struct fabric *fabric, struct sim *sim,
                                       const struct dp_forwarding *forwarding)
{
    struct path_finder *finder = calloc(1, sizeof(*finder));
    if (!finder)
        return NULL;
    finder->fabric = fabric;
    finder->sim = sim;
    finder->controller = sim_controller(sim);
    finder->program = controller_program(sim_controller(sim));
    finder->forwarding = forwarding;
    finder->rows = calloc(fabric->nics_count + 1, sizeof(*finder->rows));
    if (finder->rows)
        return finder;
    free(finder);
    return NULL;
}

void path_finder_free(struct path_finder *finder)
{
    if (!finder)
        return;
    for (uint32_t nic = 0; nic < finder->fabric->nics_count; nic++)
        free(finder->rows[nic].items);
    free(finder->rows);
    free(finder);
}

void path_finder_skip_rows(struct path_finder *finder)
{
    finder->without_rows = true;
}

/* --- Rows --------------------------------------------------------------------------------------- */

static int rows_of(struct path_finder *finder, uint32_t nic, const struct rows **rows)
{
    struct rows *known = &finder->rows[nic];
    struct fabric_scope scope = fabric_scope_of(finder->fabric, nic);
    *rows = known;
    if (known->items)
        return 0;
    return fabric_rows(finder->fabric, controller_bgp(finder->controller), &scope, &known->items,
                       &known->n);
}

/* The longest Active row that holds the destination, as the FIB finds it. */
static int find_row(struct path_finder *finder, struct path_hop *hop,
                    const struct lpm_address *destination)
{
    const struct rows *rows;
    int error = rows_of(finder, hop->nic, &rows);
    if (error)
        return error;
    for (size_t i = 0; i < rows->n; i++) {
        const struct fabric_row *row = &rows->items[i];
        if (!row->active || !lpm_prefix_contains(&row->prefix, destination))
            continue;
        if (!hop->row || row->prefix.length >= hop->row->prefix.length)
            hop->row = row;
    }
    return 0;
}

/* --- Packets ------------------------------------------------------------------------------------ */

struct lpm_address walk_address(const struct dp_packet *packet, const uint8_t bytes[16])
{
    struct lpm_address address = {.family = packet->family};
    memcpy(address.bytes, bytes, sizeof(address.bytes));
    return address;
}

/* Protocols of which the flow hash takes the ports, or an echo's identifier in their place. */
static bool has_ports(uint8_t protocol)
{
    enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132 }; /* RFC 5237 registry */
    return protocol == TCP || protocol == UDP || protocol == SCTP || protocol == ICMP ||
           protocol == ICMPV6;
}

void walk_packet(struct walk *walk, const struct path_flow *flow)
{
    struct dp_packet *packet = &walk->packet;
    *packet = (struct dp_packet){
        .family = flow->destination.family,
        .protocol = flow->protocol,
        .ttl = flow->ttl,
        .has_ports = has_ports(flow->protocol),
        .source_port = flow->source_port,
        .destination_port = flow->destination_port,
        .header_length = flow->destination.family == LPM_IPV4 ? 20 : 40,
        .total_length = 100,
    };
    memcpy(packet->source, flow->source.bytes, sizeof(packet->source));
    memcpy(packet->destination, flow->destination.bytes, sizeof(packet->destination));
    if (flow->inner)
        dp_packet_carry(packet, flow->inner);
}

/* --- The fabric's step -------------------------------------------------------------------------- */

void walk_end(struct walk *walk, enum path_verdict verdict, const char *reason, uint32_t at)
{
    walk->path->verdict = verdict;
    walk->path->reason = reason;
    walk->path->ttl = verdict == PATH_LOOP ? 0 : walk->packet.ttl;
    walk->path->end = at;
    walk->path->source = walk_address(&walk->packet, walk->packet.source);
}

static int decide(struct walk *walk, struct path_hop *hop, struct dp_verdict *verdict)
{
    const struct path_finder *finder = walk->finder;
    const uint32_t id = program_nic_id(finder->program, walk->at);
    const struct lpm_address destination = walk_address(&walk->packet, walk->packet.destination);
    *hop = (struct path_hop){.nic = walk->at,
                             .place = walk->at,
                             .router = FABRIC_NONE,
                             .tunnel = FABRIC_NONE,
                             .depth = walk->depth};
    const struct dp_decide_options options = {.user = finder->without_rows};
    dp_decide(finder->forwarding, &id, &walk->packet, verdict, 1, &options);
    hop->group = verdict->group;
    if (verdict->backend && verdict->nic)
        hop->backend = &finder->fabric->nics[program_nic_of(finder->program, verdict->nic)];
    if (verdict->next_hop)
        dp_next_hop_address(finder->forwarding, verdict->next_hop, &hop->next_hop);
    else if (verdict->action == DP_FORWARD && verdict->nic == DP_NIC_INTERNET)
        hop->next_hop = finder->fabric->internet.next_hop;
    if (verdict->group == 0 || finder->without_rows)
        return 0;
    return find_row(walk->finder, hop, &destination);
}

/* What next hop type Internet leads through may have one address for all. */
static void leave(struct walk *walk)
{
    const struct lpm_address *outside = &walk->finder->fabric->internet.source_nat;
    if (outside->family == walk->packet.family)
        memcpy(walk->packet.source, outside->bytes, sizeof(walk->packet.source));
    walk_end(walk, PATH_DELIVERED, NULL, PATH_INTERNET);
}

/* The fabric takes the packet that NIC walk->at sends. */
static int fabric_step(struct walk *walk)
{
    struct path_hop hop;
    struct dp_verdict verdict;
    int error = decide(walk, &hop, &verdict);
    if (error)
        return error;
    if (!walk_add(walk, &hop))
        return 0;
    if (verdict.action == DP_DROP) {
        walk_end(walk, PATH_DROPPED, dp_reason_name(verdict.reason), FABRIC_NONE);
        return 0;
    }
    if (!walk->finder->fabric->quirks.transparent_ttl && verdict.action == DP_FORWARD)
        walk->packet.ttl--;
    if (verdict.action == DP_ANSWER)
        walk_end(walk, PATH_DELIVERED, NULL, walk->at);
    else if (verdict.nic == DP_NIC_INTERNET)
        leave(walk);
    else
        return walk_receive(walk, program_nic_of(walk->finder->program, verdict.nic));
    return 0;
}

/* --- The walk ----------------------------------------------------------------------------------- */

static bool same_decision(const struct path_hop *a, const struct path_hop *b)
{
    return a->place == b->place && a->nic == b->nic && a->row == b->row && a->group == b->group &&
           a->router == b->router && a->tunnel == b->tunnel && a->backend == b->backend &&
           lpm_prefix_equal(&a->prefix, &b->prefix) &&
           lpm_address_equal(&a->next_hop, &b->next_hop);
}

/* Has this packet been decided about alike before? Then it will again, until the TTL is used up. */
static bool repeats(const struct walk *walk, const struct path_hop *hop)
{
    for (unsigned i = walk->first; i < walk->path->hop_count; i++)
        if (walk->path->hops[i].depth == hop->depth &&
            (hop->group != 0 || hop->router != FABRIC_NONE || hop->prefix.family != 0) &&
            same_decision(&walk->path->hops[i], hop))
            return true;
    return false;
}

bool walk_add(struct walk *walk, const struct path_hop *hop)
{
    struct path *path = walk->path;
    if (repeats(walk, hop) || path->hop_count == PATH_HOPS_MAX) {
        walk_end(walk, PATH_LOOP, NULL, FABRIC_NONE);
        return false;
    }
    path->hops[path->hop_count++] = *hop;
    return true;
}

int walk_on(struct walk *walk)
{
    int more = 1;
    while (more > 0) {
        uint32_t router, host;
        switch (place_kind(walk->finder->fabric, walk->at, &router, &host)) {
        case PLACE_NIC:
            more = fabric_step(walk);
            break;
        case PLACE_ROUTER:
            more = walk_arrive(walk, router, FABRIC_NONE);
            break;
        case PLACE_HOST:
            more = walk_leave_host(walk, router);
            break;
        default:
            walk_end(walk, PATH_DROPPED, dp_reason_name(DP_REASON_NO_ROUTE), FABRIC_NONE);
            more = 0;
        }
    }
    return more;
}

int path_walk(struct path_finder *finder, uint32_t from, const struct path_flow *flow,
              const struct path_sessions *known, struct path_sessions *made, struct path *path)
{
    struct walk walk = {.finder = finder, .known = known, .made = made, .path = path, .at = from};
    walk_packet(&walk, flow);
    memset(path, 0, sizeof(*path));
    if (made)
        made->n = 0;
    int error = walk_on(&walk);
    if (made) {
        made->source = walk_address(&walk.packet, walk.packet.source);
        made->destination = walk_address(&walk.packet, walk.packet.destination);
        made->target = flow->destination;
    }
    return error;
}

/* --- Comparing ---------------------------------------------------------------------------------- */

bool path_equal(const struct path *a, const struct path *b)
{
    if (a->verdict != b->verdict || a->reason != b->reason || a->ttl != b->ttl ||
        a->end != b->end || a->hop_count != b->hop_count ||
        !lpm_address_equal(&a->source, &b->source))
        return false;
    for (unsigned i = 0; i < a->hop_count; i++)
        if (a->hops[i].depth != b->hops[i].depth || !same_decision(&a->hops[i], &b->hops[i]))
            return false;
    return true;
}

bool path_mirrors(const struct path_sessions *out, const struct path_sessions *back)
{
    if (out->n != back->n)
        return false;
    for (unsigned i = 0; i < out->n; i++)
        if (out->items[i].router != back->items[out->n - 1 - i].router)
            return false;
    return true;
}

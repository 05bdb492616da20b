/*
 * Walking one packet: the fabric's step by dp_decide(), the guest's step by guest.c.
 */
#include "engine/sim/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/guest.h"

struct rows {
    struct fabric_row *items; /* NULL: not asked yet */
    size_t n;
};

struct path_finder {
    const struct fabric *fabric;
    const struct sim *sim;
    struct controller *controller;
    const struct program *program;
    const struct dp_forwarding *forwarding;
    struct rows *rows; /* by NIC, filled as they are needed */
    bool without_rows;
};

/* One walk. */
struct walk {
    struct path_finder *finder;
    const struct path_sessions *known;
    struct path_sessions *made;
    struct path *path;
    struct dp_packet packet;
    uint32_t at; /* NIC that sends */
};

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

static struct lpm_address address_of(const struct dp_packet *packet, const uint8_t bytes[16])
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

static struct dp_packet packet_of(const struct path_flow *flow)
{
    struct dp_packet packet = {
        .family = flow->destination.family,
        .protocol = flow->protocol,
        .ttl = flow->ttl,
        .has_ports = has_ports(flow->protocol),
        .source_port = flow->source_port,
        .destination_port = flow->destination_port,
        .header_length = flow->destination.family == LPM_IPV4 ? 20 : 40,
        .total_length = 100,
    };
    memcpy(packet.source, flow->source.bytes, sizeof(packet.source));
    memcpy(packet.destination, flow->destination.bytes, sizeof(packet.destination));
    return packet;
}

/* --- The fabric's step -------------------------------------------------------------------------- */

static void end(struct walk *walk, enum path_verdict verdict, const char *reason, uint32_t at)
{
    walk->path->verdict = verdict;
    walk->path->reason = reason;
    walk->path->ttl = verdict == PATH_LOOP ? 0 : walk->packet.ttl;
    walk->path->end = at;
}

static int decide(struct walk *walk, struct path_hop *hop, struct dp_verdict *verdict)
{
    const struct path_finder *finder = walk->finder;
    const uint32_t id = program_nic_id(finder->program, walk->at);
    const struct lpm_address destination = address_of(&walk->packet, walk->packet.destination);
    *hop = (struct path_hop){.nic = walk->at};
    dp_decide(finder->forwarding, &id, &walk->packet, verdict, 1, NULL);
    hop->group = verdict->group;
    if (verdict->next_hop)
        dp_next_hop_address(finder->forwarding, verdict->next_hop, &hop->next_hop);
    if (verdict->group == 0 || finder->without_rows)
        return 0;
    return find_row(walk->finder, hop, &destination);
}

/* --- The guest's step --------------------------------------------------------------------------- */

static const struct path_session *session_of(const struct path_sessions *sessions, uint32_t router)
{
    for (unsigned i = 0; sessions && i < sessions->n; i++)
        if (sessions->items[i].router == router)
            return &sessions->items[i];
    return NULL;
}

static void remember(struct walk *walk, uint32_t router, const struct lpm_address *inside,
                     const struct lpm_address *outside)
{
    struct path_sessions *made = walk->made;
    if (made && made->n < PATH_HOPS_MAX)
        made->items[made->n++] = (struct path_session){router, *inside, *outside};
}

/* Puts the inside address back into what comes back to a translated one. */
static bool undo_translation(struct walk *walk, uint32_t router)
{
    const struct path_session *session = session_of(walk->known, router);
    const struct lpm_address destination = address_of(&walk->packet, walk->packet.destination);
    if (!session || !lpm_address_equal(&session->outside, &destination) ||
        lpm_address_equal(&session->outside, &session->inside))
        return false;
    memcpy(walk->packet.destination, session->inside.bytes, sizeof(walk->packet.destination));
    return true;
}

/* The router takes the packet at NIC `in` and sends it on. False: it ended there. */
static bool pass_router(struct walk *walk, uint32_t router, uint32_t in, bool translated)
{
    const struct fabric *fabric = walk->finder->fabric;
    const struct fabric_router *model = &fabric->routers[router];
    const struct lpm_address destination = address_of(&walk->packet, walk->packet.destination);
    struct lpm_address inside = address_of(&walk->packet, walk->packet.source), outside = inside;
    if (model->stateful && walk->known && !session_of(walk->known, router)) {
        end(walk, PATH_DROPPED, "no-session", in);
        return false;
    }
    if (walk->packet.ttl <= 1) {
        end(walk, PATH_DROPPED, dp_reason_name(DP_REASON_TTL_EXPIRED), in);
        return false;
    }
    walk->packet.ttl--;
    walk->at = guest_output(fabric, router, in, &destination);
    if (model->source_nat && !translated && !walk->known)
        outside = guest_address(fabric, walk->at, walk->packet.family);
    if (outside.family == 0)
        outside = inside;
    memcpy(walk->packet.source, outside.bytes, sizeof(walk->packet.source));
    remember(walk, router, &inside, &outside);
    return true;
}

/* A NIC that may forward and that no modelled router has: its guest is taken to send back what it is
 * given, by the same NIC. */
static bool pass_guest(struct walk *walk, uint32_t in)
{
    if (walk->packet.ttl <= 1) {
        end(walk, PATH_DROPPED, dp_reason_name(DP_REASON_TTL_EXPIRED), in);
        return false;
    }
    walk->packet.ttl--;
    walk->at = in;
    return true;
}

/* True: the packet goes on from walk->at. */
static bool receive(struct walk *walk, uint32_t receiver)
{
    const struct fabric *fabric = walk->finder->fabric;
    const uint32_t router = fabric->nics[receiver].router;
    const struct lpm_address destination = address_of(&walk->packet, walk->packet.destination);
    bool translated = false;
    if (router != FABRIC_NONE && sim_router_is_silent(walk->finder->sim, router)) {
        end(walk, PATH_DROPPED, "router-silent", receiver);
        return false;
    }
    if (guest_owns(fabric, receiver, &destination)) {
        if (router != FABRIC_NONE)
            translated = undo_translation(walk, router);
        if (!translated) {
            end(walk, PATH_DELIVERED, NULL, receiver);
            return false;
        }
    }
    return router == FABRIC_NONE ? pass_guest(walk, receiver)
                                 : pass_router(walk, router, receiver, translated);
}

/* --- The walk ----------------------------------------------------------------------------------- */

/* Has this NIC decided alike before? Then it will again, until the TTL is used up. */
static bool repeats(const struct path *path, const struct path_hop *hop)
{
    for (unsigned i = 0; i < path->hop_count; i++) {
        const struct path_hop *before = &path->hops[i];
        if (before->nic == hop->nic && before->row == hop->row &&
            before->group == hop->group && hop->group != 0 &&
            lpm_address_equal(&before->next_hop, &hop->next_hop))
            return true;
    }
    return false;
}

/* One decision and what the receiver does. Returns 1 to go on, 0 at the end, -ENOMEM. */
static int step(struct walk *walk)
{
    struct path *path = walk->path;
    struct path_hop hop;
    struct dp_verdict verdict;
    int error = decide(walk, &hop, &verdict);
    if (error)
        return error;
    if (repeats(path, &hop) || path->hop_count == PATH_HOPS_MAX) {
        end(walk, PATH_LOOP, NULL, FABRIC_NONE);
        return 0;
    }
    path->hops[path->hop_count++] = hop;
    if (verdict.action == DP_DROP) {
        end(walk, PATH_DROPPED, dp_reason_name(verdict.reason), FABRIC_NONE);
        return 0;
    }
    if (!walk->finder->fabric->quirks.transparent_ttl && verdict.action == DP_FORWARD)
        walk->packet.ttl--;
    if (verdict.action == DP_ANSWER || verdict.nic == DP_NIC_INTERNET) {
        end(walk, PATH_DELIVERED, NULL, verdict.action == DP_ANSWER ? walk->at : PATH_INTERNET);
        return 0;
    }
    return receive(walk, program_nic_of(walk->finder->program, verdict.nic));
}

int path_walk(struct path_finder *finder, uint32_t from, const struct path_flow *flow,
              const struct path_sessions *known, struct path_sessions *made, struct path *path)
{
    struct walk walk = {finder, known, made, path, packet_of(flow), from};
    int more = 1;
    memset(path, 0, sizeof(*path));
    if (made)
        made->n = 0;
    while (more > 0)
        more = step(&walk);
    if (made)
        made->source = address_of(&walk.packet, walk.packet.source);
    return more;
}

/* --- Comparing ---------------------------------------------------------------------------------- */

bool path_equal(const struct path *a, const struct path *b)
{
    if (a->verdict != b->verdict || a->reason != b->reason || a->ttl != b->ttl ||
        a->end != b->end || a->hop_count != b->hop_count)
        return false;
    for (unsigned i = 0; i < a->hop_count; i++)
        if (a->hops[i].nic != b->hops[i].nic || a->hops[i].row != b->hops[i].row ||
            !lpm_address_equal(&a->hops[i].next_hop, &b->hops[i].next_hop))
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

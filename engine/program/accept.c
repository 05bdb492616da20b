/*
 * Neighbours that the fabric file does not name (dynamic_peers): found again, added while there is room
 * for more, or put in the place of one that is away. See controller_accept().
 *
 * A neighbour is its sessions with all instances of the route server, side by side in memory and in peers[]. A speaker
 * cannot lose a peer, so what is not used any more waits for the next neighbour; there are
 * limits.peers of them at most, whoever comes and goes.
 */
#include <errno.h>

#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"

/* Who wants in. */
struct applicant {
    uint32_t route_server, range, index, asn;
    const struct lpm_address *address;
};

static unsigned instance_count(const struct controller *controller, uint32_t route_server)
{
    return controller->fabric->route_servers[route_server].instance_count;
}

/* Begins an accepted neighbour of that route server: its session with the first instance. */
static bool begins_neighbor(const struct controller_peer *peer, uint32_t route_server)
{
    return peer->accepted && peer->route_server == route_server && peer->instance == 0;
}

static struct controller_peer *find_address(struct controller *controller,
                                            const struct applicant *applicant)
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (begins_neighbor(peer, applicant->route_server) &&
            lpm_address_equal(&speaker_peer_config(peer->peer)->peer_address, applicant->address))
            return peer;
    }
    return NULL;
}

/* Each session is looked at: one that could not follow the others for want of memory shows. */
static bool is_same(const struct controller_peer *first, unsigned n,
                    const struct applicant *applicant)
{
    for (unsigned i = 0; i < n; i++) {
        const struct speaker_peer_config *config = speaker_peer_config(first[i].peer);
        if (config->asn != applicant->asn || first[i].index != applicant->index ||
            !lpm_address_equal(&config->peer_address, applicant->address))
            return false;
    }
    return true;
}

static bool is_idle(const struct controller_peer *first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!speaker_peer_idle(first[i].peer))
            return false;
    return true;
}

/* When the last of its sessions went. */
static uint64_t away_since(const struct controller_peer *first, unsigned n)
{
    uint64_t since = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t entered = bgp_session_since(speaker_peer_session(first[i].peer));
        since = entered > since ? entered : since;
    }
    return since;
}

static struct controller_peer *longest_away(struct controller *controller, uint32_t route_server)
{
    unsigned n = instance_count(controller, route_server);
    struct controller_peer *longest = NULL;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (begins_neighbor(peer, route_server) && is_idle(peer, n) &&
            (!longest || away_since(peer, n) < away_since(longest, n)))
            longest = peer;
    }
    return longest;
}

static struct speaker_peer *template_of(const struct controller *controller,
                                        const struct controller_peer *peer)
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        const struct controller_peer *other = controller->peers[i];
        if (!other->accepted && other->route_server == peer->route_server &&
            other->instance == peer->instance && other->index == peer->index)
            return other->peer;
    }
    return NULL; /* never: the sessions of configured peers are all there */
}

/* Makes this session, new or not, the applicant's. */
static int take(struct controller *controller, struct controller_peer *peer,
                const struct applicant *applicant, uint64_t now_ms)
{
    char name[FABRIC_DYNAMIC_NAME];
    struct speaker_peer_config config = fabric_route_server_dynamic_peer(
        controller->fabric, applicant->route_server, peer->instance, applicant->range,
        applicant->address, applicant->asn, name);
    config.user = peer;
    int error = peer->peer ? speaker_peer_replace(peer->speaker, peer->peer, &config)
                           : speaker_peer_add(peer->speaker, &config, &peer->peer);
    if (error)
        return error;
    peer->index = applicant->index;
    peer->established = peer->retained = false;
    speaker_peer_share_policies(peer->speaker, peer->peer, template_of(controller, peer), now_ms);
    if (controller->watch)
        watch_forget(controller->watch, peer);
    return 0;
}

static int add(struct controller *controller, const struct applicant *applicant, uint64_t now_ms,
               struct controller_peer **added)
{
    struct server *server = &controller->servers[applicant->route_server];
    unsigned n = instance_count(controller, applicant->route_server);
    int error = controller_make_room(controller, n);
    struct controller_peer *first = error ? NULL : calloc(n, sizeof(*first));
    if (!first)
        return -ENOMEM;
    const uint32_t neighbor = controller_free_neighbor(controller, applicant->route_server);
    for (unsigned i = 0; i < n && !error; i++) {
        first[i] = (struct controller_peer){
            .controller = controller,
            .speaker = server->speakers[i % server->speaker_count],
            .route_server = applicant->route_server,
            .instance = i,
            .neighbor = neighbor,
            .number = controller->made_count + i,
            .accepted = true,
            .gateway = FABRIC_NONE,
        };
        error = take(controller, &first[i], applicant, now_ms);
        server->closed |=
            error &&
            i > 0; /* what the speaker has by now cannot be taken back, nor used by another */
    }
    for (unsigned i = 0; i < n; i++)
        controller->made[controller->made_count++] = i == 0 ? first : NULL;
    if (error)
        return error;
    for (unsigned i = 0; i < n; i++)
        controller->peers[controller->peer_count++] = &first[i];
    server->accepted++;
    *added = first;
    return 0;
}

static int replace(struct controller *controller, struct controller_peer *first,
                   const struct applicant *applicant, uint64_t now_ms)
{
    const struct lpm_address former = speaker_peer_config(first->peer)->peer_address;
    unsigned n = instance_count(controller, applicant->route_server);
    int error = 0;
    for (unsigned i = 0; i < n && !error; i++)
        error = take(controller, &first[i], applicant, now_ms);
    /* That it is gone need not be remembered, or a range would fill the memory, one by one. */
    if (controller->program && !controller_knows(controller, &former)) {
        int swapped = controller_next_hop_state(controller, &former, true);
        error = error || swapped >= 0 ? error : swapped;
    }
    return error;
}

uint32_t controller_peer_router(const struct fabric *fabric, const struct controller_peer *peer)
{
    if (peer->accepted)
        return fabric_dynamic_peer_router(fabric, peer->route_server,
                                          &speaker_peer_config(peer->peer)->peer_address);
    return fabric->route_servers[peer->route_server].peers[peer->index].router;
}

static bool has_room(const struct controller *controller, uint32_t route_server)
{
    const struct server *server = &controller->servers[route_server];
    return !server->closed &&
           controller->fabric->route_servers[route_server].peer_count + server->accepted <
               fabric_route_server_neighbors(controller->fabric, route_server);
}

int controller_accept(struct controller *controller, uint32_t route_server, uint32_t range,
                      const struct lpm_address *address, uint32_t asn, uint64_t now_ms,
                      size_t *first, bool *known)
{
    const struct applicant applicant = {
        .route_server = route_server,
        .range = range,
        .index = fabric_dynamic_peers_template(controller->fabric, route_server, range),
        .asn = asn,
        .address = address,
    };
    unsigned n = instance_count(controller, route_server);
    struct controller_peer *peer = find_address(controller, &applicant);
    int error = 0;
    *known = peer && is_same(peer, n, &applicant);
    if (peer && !*known && !is_idle(peer, n))
        return -EBUSY;
    if (!peer && has_room(controller, route_server)) {
        error = add(controller, &applicant, now_ms, &peer);
    } else if (!*known) {
        peer = peer ? peer : longest_away(controller, route_server);
        error = peer ? replace(controller, peer, &applicant, now_ms) : -ENOSPC;
    }
    for (*first = 0; !error && controller->peers[*first] != peer;)
        ++*first;
    return error;
}

/*
 * The peers of route servers, when another reading of the fabric takes the place of the one that runs.
 *
 *   of both readings, with the same session ──> stays, whatever its place in the file
 *   of the former one alone ──────────────────> Cease / Peer De-configured; it is out of sight
 *   of the new one alone ─────────────────────> added, and waits for controller_start()
 *
 * What makes a session cannot change while it is up: a peer of the same name with another address, AS number or
 * timer is one that goes and another that comes. Policies are none of that. A speaker cannot lose a peer, so one that
 * goes is out of sight, and idle; once its shell has let go of it, it is the next one that comes.
 *
 * In two steps, as all or nothing must hold beyond the sessions: prepare() does whatever can fail, take() the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/policies.h"
#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"

/* --- Names ------------------------------------------------------------------------------------ */

static uint32_t peer_named(const struct fabric_route_server *server, const char *name)
{
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (strcmp(server->peers[i].name, name) == 0)
            return i;
    return FABRIC_NONE;
}

const struct fabric_bgp_peer *controller_peer_in(const struct fabric *with,
                                                 const struct fabric *fabric,
                                                 const struct controller_peer *peer)
{
    const struct fabric_route_server *before = &fabric->route_servers[peer->route_server];
    uint32_t server = fabric_find_route_server(with, before->name);
    if (server == FABRIC_NONE)
        return NULL;
    uint32_t index = peer_named(&with->route_servers[server], before->peers[peer->index].name);
    return index == FABRIC_NONE ? NULL : &with->route_servers[server].peers[index];
}

static bool is_taken(const struct controller *controller, uint32_t route_server, uint32_t neighbor)
{
    for (size_t i = 0; i < controller->peer_count; i++)
        if (controller->peers[i]->route_server == route_server &&
            controller->peers[i]->neighbor == neighbor)
            return true;
    return false;
}

uint32_t controller_free_neighbor(const struct controller *controller, uint32_t route_server)
{
    uint32_t neighbor = 0;
    while (is_taken(controller, route_server, neighbor))
        neighbor++;
    return neighbor;
}

/* --- Sessions --------------------------------------------------------------------------------- */

bool controller_same_addresses(const struct controller *controller, const struct fabric *with,
                               const struct controller_peer *peer, uint32_t index)
{
    const struct speaker_peer_config was = fabric_route_server_peer(
        controller->fabric, peer->route_server, peer->instance, peer->index);
    const struct speaker_peer_config is =
        fabric_route_server_peer(with, peer->route_server, peer->instance, index);
    return lpm_address_equal(&was.local_address, &is.local_address) &&
           lpm_address_equal(&was.local_address6, &is.local_address6);
}

/* What will be in force. */
struct controller_coming {
    struct controller_peer *
        *peers;        /* the places of all configured sessions in the reading that comes */
    uint32_t *indices; /* of those that stay: they are theirs once nothing can fail any more */
    size_t n;
    struct fabric_policies *policies; /* of those that are new */
};

/* The session that the peer has already; NULL: it has none. */
static struct controller_peer *kept_of(const struct controller *controller,
                                       const struct fabric *with, uint32_t route_server,
                                       unsigned instance, uint32_t index)
{
    const struct fabric_bgp_peer *now = &with->route_servers[route_server].peers[index];
    const struct fabric_route_server *before = &controller->fabric->route_servers[route_server];
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (!peer->accepted && peer->route_server == route_server && peer->instance == instance &&
            strcmp(before->peers[peer->index].name, now->name) == 0)
            return fabric_bgp_peer_same_session(&before->peers[peer->index], now) &&
                           controller_same_addresses(controller, with, peer, index)
                       ? peer
                       : NULL;
    }
    return NULL;
}

/* --- Going ------------------------------------------------------------------------------------ */

/* Its routes go with the session. That its next hop was out, if it was, is not to be remembered; and the BFD
 * session is the next one's of that path. */
static int let_go(struct controller *controller, struct controller_peer *peer, uint64_t now_ms)
{
    const struct lpm_address address = *controller_peer_address(peer);
    if (peer->bfd)
        bfd_table_retire(controller->bfd, peer->bfd, now_ms * 1000);
    speaker_peer_stop(peer->speaker, peer->peer, BGP_CEASE_DECONFIGURED, now_ms);
    peer->bfd = NULL;
    if (controller_knows(controller, &address))
        return 0;
    int swapped = program_next_hop_state(controller->program, &address, true);
    return swapped < 0 ? swapped : 0;
}

/* --- Coming ----------------------------------------------------------------------------------- */

static int find_or_add(struct controller *controller, const struct fabric *with,
                       struct controller_coming *coming, uint32_t route_server, unsigned instance,
                       uint32_t index)
{
    struct controller_peer **peer = &coming->peers[coming->n];
    coming->indices[coming->n] = index;
    *peer = kept_of(controller, with, route_server, instance, index);
    if (*peer) {
        coming->n++;
        return 0;
    }
    int error = controller_add_peer(controller, with, route_server, instance, index, peer);
    if (error)
        return error;
    coming->n++;
    (*peer)->gone = (*peer)->coming = true; /* out of sight until nothing can fail any more */
    return 0;
}

static int find_all(struct controller *controller, const struct fabric *with,
                    struct controller_coming *coming)
{
    int error = 0;
    for (uint32_t i = 0; i < with->route_servers_count; i++)
        for (unsigned j = 0; j < with->route_servers[i].instance_count; j++)
            for (uint32_t k = 0; k < with->route_servers[i].peer_count && !error; k++)
                error = find_or_add(controller, with, coming, i, j, k);
    return error;
}

static size_t count_sessions(const struct fabric *with)
{
    size_t n = 0;
    for (uint32_t i = 0; i < with->route_servers_count; i++)
        n += (size_t)with->route_servers[i].instance_count * with->route_servers[i].peer_count;
    return n;
}

/* --- All -------------------------------------------------------------------------------------- */

static bool is_coming(const struct controller_coming *coming, const struct controller_peer *peer)
{
    for (size_t i = 0; i < coming->n; i++)
        if (coming->peers[i] == peer)
            return true;
    return false;
}

/* Sessions of one neighbour have one number: that of its first, if it is there. */
static void number_neighbor(struct controller *controller, struct controller_peer *peer)
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        const struct controller_peer *other = controller->peers[i];
        if (!other->accepted && other->neighbor != FABRIC_NONE &&
            other->route_server == peer->route_server && other->index == peer->index) {
            peer->neighbor = other->neighbor;
            return;
        }
    }
    peer->neighbor = controller_free_neighbor(controller, peer->route_server);
}

/* Its template has another place. */
static void keep_accepted(struct controller *controller, const struct fabric *with,
                          struct controller_peer *peer)
{
    const struct fabric_bgp_peer *template = controller_peer_in(with, controller->fabric, peer);
    const struct fabric_bgp_peer *peers = with->route_servers[peer->route_server].peers;
    peer->index = template ? (uint32_t)(template - peers) : 0;
    controller->peers[controller->peer_count++] = peer;
}

/* Those that stay, with their numbers, then those that come, and then those that the file does not name. Returns how
 * many stay. */
static size_t put_in_place(struct controller *controller, const struct fabric *with,
                           const struct controller_coming *coming,
                           struct controller_peer *const *former, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < coming->n; i++) {
        struct controller_peer *peer = coming->peers[i];
        peer->index = coming->indices[i];
        if (peer->coming) {
            peer->neighbor = FABRIC_NONE;
        } else {
            coming->peers[i] = coming->peers[kept];
            coming->peers[kept++] = peer;
        }
    }
    controller->peer_count = coming->n;
    for (size_t i = 0; i < n; i++)
        if (former[i]->accepted)
            keep_accepted(controller, with, former[i]);
    return kept;
}

/* From here on the peer is one like the others. */
static void let_come(struct controller *controller, const struct fabric *with,
                     const struct controller_coming *coming, struct controller_peer *peer,
                     uint64_t now_ms)
{
    number_neighbor(controller, peer);
    peer->gone = peer->coming = false;
    if (controller->watch)
        watch_forget(controller->watch, peer);
    controller_give_policies(peer, coming->policies,
                             &with->route_servers[peer->route_server].peers[peer->index], now_ms);
}

/* Of a path that is free now: the session that had it, if one had, is let go. */
static int add_bfd_sessions(struct controller *controller, const struct fabric *with)
{
    int error = 0;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        int failed = peer->accepted || peer->bfd ? 0 : controller_add_bfd(peer, with);
        error = error ? error : failed;
    }
    return error;
}

static int compare_places(const void *a, const void *b)
{
    const struct controller_peer *x = *(struct controller_peer *const *)a;
    const struct controller_peer *y = *(struct controller_peer *const *)b;
    if (x->accepted != y->accepted)
        return x->accepted ? 1 : -1;
    if (x->accepted)
        return x->number < y->number ? -1 : 1;
    if (x->route_server != y->route_server)
        return x->route_server < y->route_server ? -1 : 1;
    if (x->instance != y->instance)
        return x->instance < y->instance ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

void controller_peers_drop(struct controller_coming *coming)
{
    if (!coming)
        return;
    for (size_t i = 0; coming->peers && i < coming->n; i++)
        coming->peers[i]->coming = false;
    fabric_policies_destroy(coming->policies);
    free(coming->peers);
    free(coming->indices);
    free(coming);
}

int controller_peers_take(struct controller *controller, const struct fabric *with,
                          struct controller_coming *coming, uint64_t now_ms)
{
    struct controller_peer **former = controller->peers;
    const size_t n = controller->peer_count;
    int error = 0;
    controller->peers = coming->peers;
    for (size_t i = put_in_place(controller, with, coming, former, n); i < coming->n; i++)
        let_come(controller, with, coming, coming->peers[i], now_ms);
    /* All of them before the first one's routes go: their numbers are others' by now. */
    for (size_t i = 0; i < n; i++)
        if (!former[i]->accepted && !is_coming(coming, former[i]))
            former[i]->gone = true;
    for (size_t i = 0; i < n; i++)
        if (!former[i]->accepted && former[i]->gone) {
            int failed = let_go(controller, former[i], now_ms);
            error = error ? error : failed;
        }
    int failed = add_bfd_sessions(controller, with);
    error = error ? error : failed;
    free(former);
    coming->peers = NULL;
    controller_peers_drop(coming);
    qsort(controller->peers, controller->peer_count, sizeof(struct controller_peer *),
          compare_places);
    return error;
}

int controller_peers_prepare(struct controller *controller, const struct fabric *with,
                             struct controller_coming **made)
{
    const size_t sessions = count_sessions(with);
    struct controller_coming *coming = calloc(1, sizeof(*coming));
    *made = NULL;
    if (!coming)
        return -ENOMEM;
    coming->peers = calloc(sessions + controller->peer_capacity + controller->peer_count + 1,
                           sizeof(struct controller_peer *));
    coming->indices = calloc(sessions + 1, sizeof(*coming->indices));
    int error =
        coming->peers && coming->indices ? controller_make_room(controller, sessions) : -ENOMEM;
    if (!error)
        error = fabric_policies_create(with, &coming->policies);
    if (!error)
        error = find_all(controller, with, coming);
    if (!error && controller->watch)
        error = watch_make_room(controller->watch, with);
    if (error)
        controller_peers_drop(coming);
    else
        *made = coming;
    return error;
}

/* See follow.h. */
#include "engine/live/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/live/bfd.h"
#include "engine/live/candidate.h"
#include "engine/live/interface.h"
#include "engine/live/listener.h"
#include "engine/live/neighbor.h"
#include "engine/live/peer.h"
#include "engine/live/probe.h"

struct live_follow {
    struct live_neighbors neighbors;
    struct live_wanted *wanted;
};

static size_t session_count(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        n += (size_t)fabric->route_servers[i].instance_count * fabric->route_servers[i].peer_count;
    return n;
}

static int prepare(struct live *live, struct live_follow *follow, const struct fabric *fabric,
                   char *error, size_t error_size)
{
    char why[LIVE_ERROR_TEXT] = "not enough memory for its sessions";
    live->coming_count = session_count(fabric);
    int status = live_peers_reserve(live, 0);
    if (!status)
        status = live_neighbors_make(&follow->neighbors, fabric, why, sizeof(why));
    if (!status)
        status = live_listeners_prepare(live, &follow->neighbors, &follow->wanted, why);
    if (!status)
        status = live_bfd_prepare(live, fabric, why);
    if (!status)
        status = live_probes_prepare(live, fabric, why);
    if (status)
        snprintf(error, error_size, "%s", why);
    return status;
}

int live_follow_prepare(struct live *live, const struct fabric *fabric, struct live_follow **made,
                        char *error, size_t error_size)
{
    struct live_follow *follow = calloc(1, sizeof(*follow));
    *made = NULL;
    if (!follow)
        return -ENOMEM;
    int status = prepare(live, follow, fabric, error, error_size);
    if (status)
        live_follow_drop(live, follow);
    else
        *made = follow;
    return status;
}

void live_follow_drop(struct live *live, struct live_follow *follow)
{
    if (!follow)
        return;
    live->coming_count = 0;
    live_listeners_drop(live, follow->wanted);
    live_bfd_follow(live);
    live_neighbors_free(&follow->neighbors);
    free(follow);
}

/* Last words are said by the sockets, ways and keys that were; then all is the new reading's. */
void live_follow_take(struct live *live, struct live_follow *follow, const struct fabric *former)
{
    struct live_neighbors neighbors = live->neighbors;
    live_peers_work(live);
    live->neighbors = follow->neighbors;
    live_listeners_follow(live, follow->wanted, &neighbors);
    live_peers_follow(live, live_now());
    live->coming_count = 0;
    live_neighbors_rekey(live, &neighbors);
    live_candidates_follow(live);
    live_bfd_follow(live);
    live_probes_follow(live);
    live_interfaces_follow(former, live->fabric);
    live_neighbors_free(&neighbors);
    free(follow);
    controller_start(live->plane.controller, live_now());
}

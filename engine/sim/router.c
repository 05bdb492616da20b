/*
 * The router's side of a session is the mirror of the route server's: its address is the NIC
 * address that the route server peers with, its neighbour the route server's instance.
 */
#include "engine/sim/router.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"

/* Between routers, as between a route server and its peers by default. */
#define HOLD_TIME_S 180
#define KEEPALIVE_S 60

static void on_choice_changed(void *context, const struct lpm_prefix *prefix)
{
    const struct sim_router *router = context;
    (void)prefix;
    ++*router->changes;
}

static void on_connect(void *context, struct speaker_peer *peer)
{
    (void)context;
    const struct sim_router_session *session = speaker_peer_user(peer);
    sim_link_connect(session->link, session->end);
}

static void on_close(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context;
    const struct sim_router_session *session = speaker_peer_user(peer);
    sim_link_close(session->link, session->end, direction);
}

static void on_output_ready(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context;
    const struct sim_router_session *session = speaker_peer_user(peer);
    sim_link_output_ready(session->link, session->end, direction);
}

/* The router's first address of a family, over the NICs that it owns. */
static struct lpm_address own_address(const struct fabric *fabric,
                                      const struct fabric_router *router, enum lpm_family family)
{
    for (uint32_t i = 0; i < router->nic_count; i++) {
        const struct lpm_address *address =
            fabric_nic_address(&fabric->nics[router->nics[i]], family);
        if (address)
            return *address;
    }
    return (struct lpm_address){0};
}

/* Towards a route server. The IPv6 next hop is the peering address itself, or the first IPv6 address
 * that the router owns. What one instance says the other one is not told: it would be dropped there as a
 * loop, or where AS paths are left alone, come back as though it were the router's own. */
static struct speaker_peer_config server_config(const struct sim_router_session *session)
{
    const struct fabric *fabric = session->router->fabric;
    const struct fabric_router *model = &fabric->routers[session->router->index];
    const struct controller_peer *remote = session->remote;
    const struct speaker_peer_config mirror =
        remote->accepted ? *speaker_peer_config(remote->peer)
                         : fabric_route_server_peer(fabric, remote->route_server, remote->instance,
                                                    remote->index);
    const struct fabric_route_server *server = &fabric->route_servers[remote->route_server];
    struct speaker_peer_config config = {
        .name = server->name,
        .instance = remote->instance,
        .source = RIB_SOURCE_NVA,
        .local_address = mirror.peer_address,
        .local_address6 = mirror.peer_address.family == LPM_IPV6
                              ? mirror.peer_address
                              : own_address(fabric, model, LPM_IPV6),
        .peer_address = mirror.local_address,
        .horizon = remote->route_server + 1,
        .asn = server->asn,
        .hold_time_s = mirror.hold_time_s,
        .keepalive_s = mirror.keepalive_s,
    };
    return config;
}

static struct lpm_address address_or_none(const struct sim_circuit_end *end, uint8_t family)
{
    const struct lpm_address *address = sim_circuit_address(end, family);
    return address ? *address : (struct lpm_address){0};
}

/* A provider edge keeps private AS numbers from boxes on-premises; the cloud's side is told all. */
static void heed_role(const struct sim_router_session *session, struct speaker_peer_config *config)
{
    const struct fabric *fabric = session->router->fabric;
    const uint32_t other = session->circuit->ends[!session->end].router;
    if (fabric->routers[session->router->index].role && fabric->routers[other].nic_count == 0 &&
        config->private_as == RIB_PRIVATE_AS_KEPT)
        config->private_as = RIB_PRIVATE_AS_REMOVED;
}

/* Towards another router. */
static struct speaker_peer_config circuit_config(const struct sim_router_session *session)
{
    const struct fabric *fabric = session->router->fabric;
    const struct sim_circuit_end *own = &session->circuit->ends[session->end];
    const struct sim_circuit_end *far = &session->circuit->ends[!session->end];
    const struct fabric_router *other = &fabric->routers[far->router];
    return (struct speaker_peer_config){
        .name = other->name,
        .source = RIB_SOURCE_NVA,
        .local_address = own->addresses[0],
        .local_address6 = address_or_none(own, LPM_IPV6),
        .peer_address = far->addresses[0],
        .asn = session->neighbor->asn ? session->neighbor->asn : other->asn,
        .hold_time_s = HOLD_TIME_S,
        .keepalive_s = KEEPALIVE_S,
    };
}

/* Towards a gateway, with what the router says of it. */
static struct speaker_peer_config gateway_config(const struct sim_router_session *session)
{
    const struct controller_peer *remote = session->remote;
    return fabric_gateway_mirror(session->router->fabric, remote->gateway, remote->instance,
                                 remote->index, session->neighbor);
}

static bool is_to_gateway(const struct sim_router_session *session)
{
    return session->remote && session->remote->gateway != FABRIC_NONE;
}

static struct speaker_peer_config session_config(const struct sim_router_session *session)
{
    const struct fabric_router *model = &session->router->fabric->routers[session->router->index];
    if (is_to_gateway(session))
        return gateway_config(session);
    struct speaker_peer_config config =
        session->remote ? server_config(session) : circuit_config(session);
    config.identifier = 0x0a000000u + session->router->number + 1;
    config.restart = (struct bgp_restart_config){.offered = model->restart_seconds > 0,
                                                 .time_s = model->restart_seconds,
                                                 .forwarding = true};
    config.as_override = session->neighbor->as_override;
    config.prepend = session->neighbor->prepend;
    fabric_bgp_options_apply(&session->neighbor->bgp, &config);
    if (session->circuit)
        heed_role(session, &config);
    return config;
}

static void set_policies(struct sim_router *router, const struct sim_router_session *session)
{
    const struct fabric_neighbor *neighbor = session->neighbor;
    if (neighbor)
        speaker_peer_set_policies(router->speaker, session->peer,
                                  fabric_policy_named(router->policies, neighbor->import_policy),
                                  fabric_policy_named(router->policies, neighbor->export_policy),
                                  sim_clock_now_ms(router->clock));
}

void sim_router_follow_policies(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count && router->speaker; i++)
        set_policies(router, router->sessions[i]);
}

static int add_session(struct sim_router *router, struct sim_router_session *session)
{
    struct speaker_peer_config config = session_config(session);
    config.user = session;
    struct speaker_peer *peer;
    int error = speaker_peer_add(router->speaker, &config, &peer);
    if (error)
        return error;
    session->peer = peer;
    set_policies(router, session);
    sim_link_attach(session->link, session->end, router->speaker, peer);
    return 0;
}

static int add_sessions(struct sim_router *router)
{
    int error = 0;
    for (unsigned i = 0; i < router->session_count && !error; i++)
        error = add_session(router, router->sessions[i]);
    return error;
}

/* --- BFD -------------------------------------------------------------------------------------- */

static struct sim_bfd_port *port_of(void *context, void *user)
{
    (void)context;
    struct sim_router_session *session = user;
    return &session->bfd_port;
}

static void on_bfd_changed(void *context, void *user, const struct bfd_change *change)
{
    (void)context;
    struct sim_router_session *session = user;
    session->bfd_failed |= change->failed;
    session->bfd_came_up = change->to == BFD_UP;
}

/* Between routers a path that is back is used at once, as daemons do; a route server waits for its own retry. */
static void follow_bfd(struct sim_router_session *session)
{
    struct sim_router *router = session->router;
    const uint64_t now_ms = sim_clock_now_ms(router->clock);
    const bool up = session->bfd_came_up && session->circuit &&
                    bgp_session_state(speaker_peer_session(session->peer)) < BGP_OPEN_SENT;
    if (session->bfd_failed) {
        speaker_peer_reset(router->speaker, session->peer, BGP_CEASE_BFD_DOWN, now_ms);
    } else if (up) {
        speaker_peer_stop(router->speaker, session->peer, BGP_CEASE_BFD_DOWN, now_ms);
        speaker_peer_start(router->speaker, session->peer, now_ms);
    }
    if (session->bfd_failed || up)
        router->touched(router->touched_context, router->speaker);
    session->bfd_failed = session->bfd_came_up = false;
}

static void settle_bfd(void *context)
{
    struct sim_router *router = context;
    for (unsigned i = 0; i < router->session_count; i++)
        if (router->sessions[i]->bfd_failed || router->sessions[i]->bfd_came_up)
            follow_bfd(router->sessions[i]);
}

/* Towards a route server: its session in the mirror. NULL: none is wanted. */
static const struct fabric_bfd *server_bfd(const struct sim_router_session *session,
                                           struct bfd_path *path)
{
    const struct controller_peer *remote = session->remote;
    if (!remote->bfd)
        return NULL;
    const struct bfd_path *mirror = bfd_table_path(controller_bfd(remote->controller), remote->bfd);
    *path = (struct bfd_path){mirror->remote, mirror->local, mirror->multihop};
    return &session->router->fabric->route_servers[remote->route_server].peers[remote->index].bfd;
}

/* Towards another router: its packets go where those of BGP do, so what cuts these is noticed by them. */
static const struct fabric_bfd *circuit_bfd(const struct sim_router_session *session,
                                            struct bfd_path *path)
{
    const struct fabric_bfd *bfd = &session->neighbor->bfd;
    const struct sim_circuit_end *ends = session->circuit->ends;
    *path = (struct bfd_path){ends[session->end].addresses[0], ends[!session->end].addresses[0],
                              bfd->multihop};
    return bfd->enabled ? bfd : NULL;
}

static int add_bfd(struct sim_router_session *session)
{
    struct sim_router *router = session->router;
    struct bfd_path path;
    const struct fabric_bfd *bfd =
        session->remote ? server_bfd(session, &path) : circuit_bfd(session, &path);
    session->bfd = NULL;
    session->bfd_failed = session->bfd_came_up = false;
    if (!bfd)
        return 0;
    session->bfd_port = (struct sim_bfd_port){
        .bfd = &router->bfd,
        .wire = sim_link_wire(session->link),
        .end = session->end,
        .path = path,
    };
    sim_bfd_attach(&session->bfd_port);
    int error = bfd_table_add(router->bfd.table, &session->bfd_port.path, bfd->interval_ms * 1000,
                              (uint8_t)bfd->multiplier, session, &session->bfd);
    if (!error)
        bfd_table_start(router->bfd.table, session->bfd, sim_clock_now_ms(router->clock) * 1000, 0);
    return error;
}

static int open_bfd(struct sim_router *router)
{
    /* Any seed but those of the other tables: the same in every run. */
    const struct bfd_table_config config = {router->number + 1, on_bfd_changed, router};
    router->bfd = (struct sim_bfd){
        .clock = router->clock,
        .table = bfd_table_create(&config),
        .port_of = port_of,
        .settle = settle_bfd,
        .context = router,
        .armed_ms = UINT64_MAX,
    };
    if (!router->bfd.table)
        return -ENOMEM;
    for (unsigned i = 0; i < router->session_count; i++) {
        int error = add_bfd(router->sessions[i]);
        if (error)
            return error;
    }
    return 0;
}

static void close_bfd(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count; i++)
        sim_wire_attach(sim_link_wire(router->sessions[i]->link), router->sessions[i]->end, NULL,
                        NULL);
    sim_bfd_forget(&router->bfd);
    bfd_table_destroy(router->bfd.table);
    router->bfd.table = NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static int start_peer(void *context, struct speaker_peer *peer)
{
    struct sim_router *router = context;
    speaker_peer_start(router->speaker, peer, sim_clock_now_ms(router->clock));
    return 0;
}

static int stop_peer(void *context, struct speaker_peer *peer)
{
    struct sim_router *router = context;
    speaker_peer_stop(router->speaker, peer, BGP_CEASE_SHUTDOWN, sim_clock_now_ms(router->clock));
    return 0;
}

int sim_router_start(struct sim_router *router)
{
    const struct fabric_router *model = &router->fabric->routers[router->index];
    struct speaker_config config = {
        .name = model->name,
        .asn = model->asn,
        .preference = RIB_PREFER_AS_PATH,
        .prepend_own_asn = true,
        .reflect = true,
        .handler = {.context = router,
                    .choice_changed = on_choice_changed,
                    .connect = on_connect,
                    .close = on_close,
                    .output_ready = on_output_ready},
    };
    router->speaker = speaker_create(&config);
    if (!router->speaker)
        return -errno;
    int error = sim_router_originate(router);
    if (!error)
        error = add_sessions(router);
    if (!error)
        error = open_bfd(router);
    if (error) {
        sim_router_kill(router);
        return error;
    }
    sim_bfd_run(&router->bfd);
    return speaker_each_peer(router->speaker, start_peer, router);
}

void sim_router_cease(struct sim_router *router)
{
    if (!router->speaker)
        return;
    bfd_table_stop_all(router->bfd.table, sim_clock_now_ms(router->clock) * 1000);
    sim_bfd_run(&router->bfd);
    speaker_each_peer(router->speaker, stop_peer, router);
}

/* Sessions that ended let go of links that others may have by now. */
void sim_router_kill(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count + router->ended_count; i++)
        sim_router_detach(router->sessions[i]);
    close_bfd(router);
    speaker_destroy(router->speaker);
    router->speaker = NULL;
}

int sim_router_add_session(struct sim_router *router, struct sim_router_session *session)
{
    int error = add_session(router, session);
    if (!error)
        error = add_bfd(session);
    if (error)
        return error;
    sim_bfd_run(&router->bfd);
    speaker_peer_start(router->speaker, session->peer, sim_clock_now_ms(router->clock));
    return 0;
}

void sim_router_detach(struct sim_router_session *session)
{
    if (!session->ended || session->peer)
        sim_link_detach(session->link, session->end);
    if (session->ended)
        session->peer = NULL;
}

void sim_router_end_session(struct sim_router *router, struct sim_router_session *session)
{
    const uint64_t now_ms = sim_clock_now_ms(router->clock);
    session->ended = true;
    if (!router->speaker)
        session->peer = NULL;
    if (!session->peer)
        return;
    if (session->bfd) {
        bfd_table_retire(router->bfd.table, session->bfd, now_ms * 1000);
        sim_bfd_run(&router->bfd);
        sim_wire_attach(sim_link_wire(session->link), session->end, NULL, NULL);
    }
    speaker_peer_stop(router->speaker, session->peer, BGP_CEASE_DECONFIGURED, now_ms);
    router->touched(router->touched_context, router->speaker);
}

void sim_router_destroy(struct sim_router *router)
{
    if (!router)
        return;
    sim_router_kill(router);
    for (unsigned i = 0; i < router->session_count + router->ended_count; i++)
        free(router->sessions[i]);
    free(router->sessions);
    free(router->changed);
    free(router->unhealthy);
    sim_feed_destroy(router->feed);
    free(router);
}

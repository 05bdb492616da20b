/*
 * The router's side of a session is the mirror of the route server's: its address is the NIC
 * address that the route server peers with, its neighbour the route server's instance.
 */
#include "engine/sim/router.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/route_server.h"

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
    sim_link_connect(session->link, 1);
}

static void on_close(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context;
    const struct sim_router_session *session = speaker_peer_user(peer);
    sim_link_close(session->link, 1, direction);
}

static void on_output_ready(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context;
    const struct sim_router_session *session = speaker_peer_user(peer);
    sim_link_output_ready(session->link, 1, direction);
}

/* The router's first address of a family, over the NICs that it owns. */
static struct lpm_address own_address(const struct fabric *fabric,
                                      const struct fabric_router *router, enum lpm_family family)
{
    for (uint32_t i = 0; i < router->nic_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[router->nics[i]];
        for (uint32_t j = 0; j < nic->addresses.n; j++)
            if (nic->addresses.items[j].family == family)
                return nic->addresses.items[j];
    }
    return (struct lpm_address){0};
}

/* The IPv6 next hop is the peering address itself, or the first IPv6 address that the router owns.
 */
static struct speaker_peer_config session_config(const struct sim_router_session *session)
{
    const struct fabric *fabric = session->router->fabric;
    const struct fabric_router *model = &fabric->routers[session->router->index];
    const struct controller_peer *remote = session->remote;
    struct speaker_peer_config mirror =
        fabric_route_server_peer(fabric, remote->route_server, remote->instance, remote->index);
    const struct fabric_route_server *server = &fabric->route_servers[remote->route_server];
    struct speaker_peer_config config = {
        .name = server->name,
        .source = RIB_SOURCE_NVA,
        .local_address = mirror.peer_address,
        .local_address6 = mirror.peer_address.family == LPM_IPV6
                              ? mirror.peer_address
                              : own_address(fabric, model, LPM_IPV6),
        .peer_address = mirror.local_address,
        .identifier = 0x0a000000u + session->router->index + 1,
        .asn = server->asn,
        .hold_time_s = mirror.hold_time_s,
        .keepalive_s = mirror.keepalive_s,
        .restart = {.offered = model->restart_seconds > 0,
                    .time_s = model->restart_seconds,
                    .forwarding = true},
        .as_override = session->neighbor->as_override,
        .prepend = session->neighbor->prepend,
    };
    fabric_bgp_options_apply(&session->neighbor->bgp, &config);
    return config;
}

static int add_sessions(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count; i++) {
        struct sim_router_session *session = &router->sessions[i];
        struct speaker_peer_config config = session_config(session);
        config.user = session;
        struct speaker_peer *peer;
        int error = speaker_peer_add(router->speaker, &config, &peer);
        if (error)
            return error;
        session->peer = peer;
        speaker_peer_set_policies(
            router->speaker, peer,
            fabric_policy_named(router->policies, session->neighbor->import_policy),
            fabric_policy_named(router->policies, session->neighbor->export_policy),
            sim_clock_now_ms(router->clock));
        sim_link_attach(session->link, 1, router->speaker, peer);
    }
    return 0;
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
}

static void settle_bfd(void *context)
{
    struct sim_router *router = context;
    for (unsigned i = 0; i < router->session_count; i++) {
        struct sim_router_session *session = &router->sessions[i];
        if (!session->bfd_failed)
            continue;
        session->bfd_failed = false;
        speaker_peer_reset(router->speaker, session->peer, BGP_CEASE_BFD_DOWN,
                           sim_clock_now_ms(router->clock));
        router->touched(router->touched_context, router->speaker);
    }
}

/* The far end's session in the mirror. */
static int add_bfd(struct sim_router_session *session)
{
    struct sim_router *router = session->router;
    const struct controller_peer *remote = session->remote;
    const struct fabric_bfd *bfd =
        &router->fabric->route_servers[remote->route_server].peers[remote->index].bfd;
    const struct bfd_session *added;
    if (!remote->bfd)
        return 0;
    const struct bfd_path *path = bfd_table_path(controller_bfd(remote->controller), remote->bfd);
    session->bfd_failed = false;
    session->bfd_port = (struct sim_bfd_port){
        .bfd = &router->bfd,
        .wire = sim_link_wire(session->link),
        .end = 1,
        .path = {path->remote, path->local, path->multihop},
    };
    sim_bfd_attach(&session->bfd_port);
    int error = bfd_table_add(router->bfd.table, &session->bfd_port.path, bfd->interval_ms * 1000,
                              (uint8_t)bfd->multiplier, session, &added);
    if (!error)
        bfd_table_start(router->bfd.table, added, sim_clock_now_ms(router->clock) * 1000, 0);
    return error;
}

static int open_bfd(struct sim_router *router)
{
    /* Any seed but those of the other tables: the same in every run. */
    const struct bfd_table_config config = {router->index + 1, on_bfd_changed, router};
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
        int error = add_bfd(&router->sessions[i]);
        if (error)
            return error;
    }
    return 0;
}

static void close_bfd(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count; i++)
        sim_wire_attach(sim_link_wire(router->sessions[i].link), 1, NULL, NULL);
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

int sim_router_remember(struct sim_router *router, const struct lpm_prefix *prefix, bool announced)
{
    unsigned i = 0;
    while (i < router->changed_count && !lpm_prefix_equal(&router->changed[i].prefix, prefix))
        i++;
    if (i == router->changed_count) {
        void *grown = realloc(router->changed, (i + 1) * sizeof(*router->changed));
        if (!grown)
            return -ENOMEM;
        router->changed = grown;
        router->changed_count++;
    }
    router->changed[i] = (struct sim_router_route){*prefix, announced};
    return 0;
}

/* What the file says, and what was said since. */
static int originate(struct sim_router *router, const struct fabric_router *model)
{
    int error =
        fabric_originate_prefixes(router->speaker, model->originate.items, model->originate.n);
    if (!error && router->feed)
        error = sim_feed_announce(router->feed, router->speaker, router->fed);
    for (unsigned i = 0; i < router->changed_count && !error; i++) {
        const struct sim_router_route *route = &router->changed[i];
        error = route->announced ? fabric_originate_prefixes(router->speaker, &route->prefix, 1)
                                 : speaker_withdraw(router->speaker, &route->prefix);
        error = error == -ENOENT ? 0 : error;
    }
    return error;
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
    int error = originate(router, model);
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

void sim_router_kill(struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count; i++)
        sim_link_detach(router->sessions[i].link, 1);
    close_bfd(router);
    speaker_destroy(router->speaker);
    router->speaker = NULL;
}

/*
 * controller ─┬─ servers[]  one per route server ── speakers[1..2]
 *             ├─ peers[]    route server x instance x neighbour; user pointers of the speakers' peers
 *             ├─ gateways   speakers of VPN and ExpressRoute gateways, and their links
 *             ├─ view       struct fabric_bgp over the speakers
 *             ├─ program    FIBs and groups
 *             ├─ probes     health of load balancers' backends
 *             └─ watch      events
 *
 * Speakers' handlers run within speaker_* calls and must not call back, so changes are only noted
 * here; the data plane is touched by program_next_hop_state() at once (it asks no speaker) and by
 * controller_flush().
 */
#include "engine/program/controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/policies.h"
#include "engine/fabric/route_server.h"
#include "engine/program/controller_private.h"

/* How long after its BGP session a BFD session begins. */
#define BFD_DELAY_US 500000u

void controller_note_flush(struct controller *controller)
{
    if (controller->flush_noted)
        return;
    controller->flush_noted = true;
    controller->shell.flush_wanted(controller->shell.context);
}

void controller_prefix_changed(struct controller *controller, uint32_t route_server,
                               const struct lpm_prefix *prefix)
{
    int error = program_prefix_changed(controller->program, route_server, prefix);
    if (controller->next && !error)
        error = program_prefix_changed(controller->next, route_server, prefix);
    if (error)
        controller->error = error;
}

static void on_choice_changed(void *context, const struct lpm_prefix *prefix)
{
    struct server *server = ((const struct place *)context)->server;
    struct controller *controller = server->controller;
    if (!controller->program)
        return; /* still being made: program_create() reads every choice */
    controller_pace_note(server, ((const struct place *)context)->speaker, prefix);
    controller_prefix_changed(controller, server->index, prefix);
    if (controller->watch)
        watch_route(controller->watch, server->index, ((const struct place *)context)->speaker,
                    prefix);
    for (unsigned i = 0; i < 2; i++)
        controller_instance_check(controller, server->index, i);
    controller_note_flush(controller);
}

static const struct lpm_address *address_of(const struct controller_peer *peer)
{
    return &speaker_peer_config(peer->peer)->peer_address;
}

/* Does any instance of the route server still hold a session with this neighbour, as far as BFD
 * knows too? One that restarts gracefully goes on forwarding meanwhile. */
static bool neighbor_reachable(const struct controller_peer *peer)
{
    const struct controller *controller = peer->controller;
    for (size_t i = 0; i < controller->peer_count; i++) {
        const struct controller_peer *other = controller->peers[i];
        if (other->route_server == peer->route_server && other->neighbor == peer->neighbor &&
            (other->established || other->retained) && !other->bfd_failed)
            return true;
    }
    return false;
}

int controller_next_hop_state(struct controller *controller, const struct lpm_address *next_hop,
                              bool up)
{
    int swapped = program_next_hop_state(controller->program, next_hop, up);
    int made = controller->next ? program_next_hop_state(controller->next, next_hop, up) : 0;
    return swapped < 0 || made >= 0 ? swapped : made;
}

/* Swaps the groups when the neighbour came or went. */
static void note_reachability(const struct controller_peer *peer, bool was_reachable)
{
    struct controller *controller = peer->controller;
    bool is_reachable = neighbor_reachable(peer);
    if (!controller->program || was_reachable == is_reachable)
        return;
    /* Nothing is faster than damping: what may not change yet goes on into the dark. */
    if (controller->fabric->quirks.damping)
        return;
    int error = controller_next_hop_state(controller, address_of(peer), is_reachable);
    if (error < 0)
        controller->error = error;
    controller_note_flush(controller);
}

/* Daemons set their end of BFD up anew when BGP comes up (FRR at that moment, BIRD just before) and
 * say nothing on the session that was: one that was Up by then would be taken for a failure. So BFD
 * is off without a BGP session, and waits until the peer has got there too. */
static void follow_session(const struct controller_peer *peer, uint64_t now_us)
{
    struct bfd_table *table = peer->controller->bfd;
    if (!peer->bfd)
        return;
    if (peer->established)
        bfd_table_start(table, peer->bfd, now_us, BFD_DELAY_US);
    else
        bfd_table_stop(table, peer->bfd, now_us);
}

static void on_peer_changed(void *context, struct speaker_peer *speaker_peer, enum bgp_state state,
                            const char *reason)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    struct controller *controller = peer->controller;
    if (peer->link) {
        gateways_changed(peer, state);
        return;
    }
    bool was_reachable = neighbor_reachable(peer), was_up = peer->established;
    peer->established = state == BGP_ESTABLISHED;
    peer->retained = speaker_peer_retained(speaker_peer);
    peer->bfd_failed = false;
    follow_session(peer, bgp_session_since(speaker_peer_session(speaker_peer)) * 1000);
    if (!peer->gone)
        note_reachability(peer, was_reachable);
    if (controller->watch)
        watch_session(controller->watch, peer, was_up, state, reason);
    if (controller->shell.peer_changed)
        controller->shell.peer_changed(controller->shell.context, peer, state, reason);
}

/* Only the groups are swapped here: several peers may fail in one turn, and none shall wait for
 * another's routes. */
static void on_bfd_changed(void *context, void *user, const struct bfd_change *change)
{
    struct controller *controller = context;
    struct controller_peer *peer = user;
    if (change->failed && !peer->bfd_failed) {
        bool was_reachable = neighbor_reachable(peer);
        peer->bfd_failed = peer->bfd_close_due = controller->bfd_close_due = true;
        note_reachability(peer, was_reachable);
    }
    if (controller->shell.bfd_changed)
        controller->shell.bfd_changed(controller->shell.context, peer, change);
}

/* One swap, whatever leads there; what cannot be swapped is told by the next flush, and tried again by
 * the next probe. */
static int on_backend(void *context, uint32_t balancer, uint32_t backend, bool up, uint64_t now_ms)
{
    struct controller *controller = context;
    uint32_t nic = controller->fabric->load_balancers[balancer].backends[backend];
    int swapped = program_backend_state(controller->program, balancer, backend, up);
    if (swapped >= 0 && controller->next) {
        int made = program_backend_state(controller->next, balancer, backend, up);
        swapped = made < 0 ? made : swapped;
    }
    if (swapped < 0) {
        controller->error = swapped;
        controller_note_flush(controller);
        return swapped;
    }
    if (controller->watch)
        watch_backend(controller->watch, balancer, nic, up, now_ms);
    if (controller->shell.backend_changed)
        controller->shell.backend_changed(controller->shell.context, balancer, nic, up);
    return 0;
}

static void on_notice(void *context, struct speaker_peer *speaker_peer, const char *line)
{
    struct server *server = ((const struct place *)context)->server;
    const struct controller_shell *shell = &server->controller->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (shell->notice && !peer->link)
        shell->notice(shell->context, peer, line);
}

static void on_connect(void *context, struct speaker_peer *speaker_peer)
{
    struct server *server = ((const struct place *)context)->server;
    const struct controller_shell *shell = &server->controller->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_connect(peer);
    else
        shell->connect(shell->context, peer);
}

static void on_close(void *context, struct speaker_peer *speaker_peer, enum bgp_direction direction)
{
    struct server *server = ((const struct place *)context)->server;
    const struct controller_shell *shell = &server->controller->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_close(peer);
    else
        shell->close(shell->context, peer, direction);
}

static void on_output_ready(void *context, struct speaker_peer *speaker_peer,
                            enum bgp_direction direction)
{
    struct server *server = ((const struct place *)context)->server;
    const struct controller_shell *shell = &server->controller->shell;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    if (peer->link)
        gateways_output_ready(peer);
    else
        shell->output_ready(shell->context, peer, direction);
}

static bool on_input_waits(void *context, struct speaker_peer *speaker_peer,
                           enum bgp_direction direction)
{
    struct server *server = ((const struct place *)context)->server;
    const struct controller_shell *shell = &server->controller->shell;
    return shell->input_waits &&
           shell->input_waits(shell->context, speaker_peer_user(speaker_peer), direction);
}

/* An instance without an address of the peer's family has no session with it. */
static int add_bfd(struct controller_peer *peer, const struct fabric *fabric)
{
    struct bfd_table *table = peer->controller->bfd;
    const struct fabric_bfd *bfd =
        &fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    const struct bfd_path path = {
        fabric_route_server_local(fabric, peer->route_server, peer->instance, peer->index),
        *address_of(peer), bfd->multihop};
    if (!bfd->enabled || path.local.family != path.remote.family)
        return 0;
    return bfd_table_add(table, &path, bfd->interval_ms * 1000, (uint8_t)bfd->multiplier, peer,
                         &peer->bfd);
}

int controller_make_room(struct controller *controller, size_t n)
{
    void *grown = realloc(controller->made,
                          (controller->made_count + n + 1) * sizeof(struct controller_peer *));
    if (!grown)
        return -ENOMEM;
    controller->made = grown;
    return 0;
}

int controller_add_peer(struct controller *controller, const struct fabric *fabric,
                        uint32_t route_server, unsigned instance, uint32_t index,
                        struct controller_peer **added)
{
    struct server *server = &controller->servers[route_server];
    struct controller_peer *peer = calloc(1, sizeof(*peer));
    if (!peer)
        return -ENOMEM;
    *peer = (struct controller_peer){
        .controller = controller,
        .speaker = server->speakers[instance % server->speaker_count],
        .route_server = route_server,
        .instance = instance,
        .index = index,
        .gateway = FABRIC_NONE,
        .number = controller->made_count,
    };
    struct speaker_peer_config config =
        fabric_route_server_peer(fabric, route_server, instance, index);
    config.user = peer;
    int error = speaker_peer_add(peer->speaker, &config, &peer->peer);
    if (error) {
        free(peer);
        return error;
    }
    controller->made[controller->made_count++] = peer;
    *added = peer;
    return add_bfd(peer, fabric);
}

static int add_peers(struct controller *controller, struct server *server)
{
    const struct fabric_route_server *model = &controller->fabric->route_servers[server->index];
    int error = controller_make_room(controller, (size_t)model->instance_count * model->peer_count);
    for (unsigned instance = 0; instance < model->instance_count && !error; instance++) {
        for (uint32_t i = 0; i < model->peer_count && !error; i++) {
            struct controller_peer **peer = &controller->peers[controller->peer_count];
            error = controller_add_peer(controller, controller->fabric, server->index, instance, i,
                                        peer);
            if (!error) {
                (*peer)->neighbor = i;
                controller->peer_count++;
            }
        }
    }
    return error;
}

static int open_server(struct controller *controller, uint32_t index)
{
    struct server *server = &controller->servers[index];
    server->controller = controller;
    server->index = index;
    server->speaker_count = fabric_route_server_speakers(controller->fabric, index);
    struct speaker_config config = fabric_route_server_config(controller->fabric, index);
    config.handler = (struct speaker_handler){
        .choice_changed = on_choice_changed,
        .peer_changed = on_peer_changed,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
        .input_waits = on_input_waits,
        .notice = on_notice,
    };
    for (unsigned i = 0; i < server->speaker_count; i++) {
        config.handler.context = &server->places[i];
        server->speakers[i] = speaker_create(&config);
        if (!server->speakers[i])
            return -errno;
        server->places[i] = (struct place){server, server->speakers[i]};
        int error = fabric_route_server_originate(controller->fabric, index, server->speakers[i]);
        if (error)
            return error;
    }
    return add_peers(controller, server);
}

static int open_servers(struct controller *controller, char error[DP_ERROR_TEXT])
{
    const struct fabric *fabric = controller->fabric;
    size_t peers = 0;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        peers += (size_t)fabric->route_servers[i].instance_count *
                 fabric_route_server_neighbors(fabric, i);
    controller->servers = calloc(fabric->route_servers_count + 1, sizeof(*controller->servers));
    controller->peers = calloc(peers + 1, sizeof(struct controller_peer *));
    controller->peer_capacity = peers;
    const struct bfd_table_config bfd = {controller->shell.seed, on_bfd_changed, controller};
    controller->bfd = bfd_table_create(&bfd);
    if (!controller->servers || !controller->peers || !controller->bfd) {
        snprintf(error, DP_ERROR_TEXT, "no memory for %zu BGP sessions", peers);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        int failed = open_server(controller, i);
        if (failed) {
            snprintf(error, DP_ERROR_TEXT, "route server '%s' cannot be set up (errno %d)",
                     fabric->route_servers[i].name, -failed);
            return failed;
        }
    }
    return 0;
}

int controller_set_policies(struct controller *controller, const struct fabric *with,
                            uint64_t now_ms, unsigned *missing)
{
    struct fabric_policies *policies = NULL;
    int error = fabric_policies_create(with, &policies);
    *missing = 0;
    if (!error)
        error = gateways_set_policies(controller->gateways, with, now_ms);
    if (error) {
        fabric_policies_destroy(policies);
        return error;
    }
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        const struct fabric_bgp_peer *model = controller_peer_in(with, controller->fabric, peer);
        if (model)
            speaker_peer_set_policies(peer->speaker, peer->peer,
                                      fabric_policy_named(policies, model->import_policy),
                                      fabric_policy_named(policies, model->export_policy), now_ms);
        else
            ++*missing;
    }
    fabric_policies_destroy(policies);
    return 0;
}

static void on_gateways_busy(void *context)
{
    controller_note_flush(context);
}

static struct speaker *speaker_of_server(void *context, uint32_t route_server, unsigned instance)
{
    const struct controller *controller = context;
    const struct server *server = &controller->servers[route_server];
    return server->speakers[instance % server->speaker_count];
}

static int make_view(struct controller *controller)
{
    controller->view = program_bgp_view_create(controller->fabric);
    if (!controller->view)
        return -ENOMEM;
    for (uint32_t i = 0; i < controller->fabric->route_servers_count; i++)
        for (unsigned j = 0; j < controller->servers[i].speaker_count; j++) {
            int error =
                program_bgp_view_add(controller->view, i, controller->servers[i].speakers[j]);
            if (error)
                return error;
        }
    return 0;
}

struct controller *controller_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                                     bool with_ports, const struct controller_shell *shell,
                                     char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory for the control plane");
    struct controller *controller = calloc(1, sizeof(*controller));
    if (!controller)
        return NULL;
    controller->fabric = fabric;
    controller->shell = *shell;
    unsigned missing;
    int failed = open_servers(controller, error);
    if (!failed)
        failed = gateways_create(controller, fabric, &controller->shell, speaker_of_server,
                                 on_gateways_busy, controller, &controller->gateways, error);
    if (!failed)
        failed = controller_set_policies(controller, fabric, 0, &missing);
    if (!failed)
        failed = make_view(controller);
    if (!failed)
        failed = controller_pace_open(controller);
    if (failed)
        goto fail;
    controller->program =
        program_create(fabric, program_bgp_view(controller->view), forwarding, with_ports, error);
    if (!controller->program) {
        failed = -errno;
        goto fail;
    }
    if (fabric->load_balancers_count > 0) {
        controller->probes = probes_create(fabric, on_backend, controller);
        failed = controller->probes ? 0 : -errno;
        if (failed)
            goto fail;
    }
    return controller;
fail:
    controller_destroy(controller);
    errno = -failed;
    return NULL;
}

void controller_destroy(struct controller *controller)
{
    if (!controller)
        return;
    controller_apply_cancel(controller);
    program_destroy(controller->program);
    program_bgp_view_destroy(controller->view);
    controller_pace_close(controller);
    gateways_destroy(controller->gateways);
    for (uint32_t i = 0; controller->servers && i < controller->fabric->route_servers_count; i++)
        for (unsigned j = 0; j < controller->servers[i].speaker_count; j++)
            speaker_destroy(controller->servers[i].speakers[j]);
    bfd_table_destroy(controller->bfd);
    probes_destroy(controller->probes);
    watch_destroy(controller->watch);
    for (size_t i = 0; i < controller->made_count; i++)
        free(controller->made[i]);
    free(controller->servers);
    free(controller->peers);
    free(controller->made);
    free(controller);
}

static size_t server_speaker_count(const struct controller *controller)
{
    size_t n = 0;
    for (uint32_t i = 0; i < controller->fabric->route_servers_count; i++)
        n += controller->servers[i].speaker_count;
    return n;
}

void controller_begin_restart(struct controller *controller, uint64_t until_ms)
{
    /* Gateways tell the route servers what they have at once. */
    for (size_t i = 0; i < server_speaker_count(controller); i++)
        speaker_begin_restart(controller_speaker(controller, i), until_ms);
}

size_t controller_request_refresh(struct controller *controller, uint64_t now_ms)
{
    size_t asked = 0;
    for (size_t i = 0; i < controller->peer_count; i++)
        asked += speaker_peer_request_refresh(controller->peers[i]->speaker,
                                              controller->peers[i]->peer, now_ms) == 0;
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++) {
        struct controller_peer *peer = controller_gateway_peer(controller, i);
        asked += speaker_peer_request_refresh(peer->speaker, peer->peer, now_ms) == 0;
    }
    return asked;
}

/* Asks one session, if it is with the neighbour of this name. */
static void refresh_named(struct controller_peer *peer, const char *name, uint64_t now_ms,
                          size_t *sessions, size_t *asked)
{
    if (strcmp(speaker_peer_config(peer->peer)->name, name) != 0)
        return;
    ++*sessions;
    *asked += speaker_peer_request_refresh(peer->speaker, peer->peer, now_ms) == 0;
}

size_t controller_refresh_peer(struct controller *controller, const char *name, uint64_t now_ms,
                               size_t *sessions)
{
    size_t asked = 0;
    *sessions = 0;
    for (size_t i = 0; i < controller->peer_count; i++)
        refresh_named(controller->peers[i], name, now_ms, sessions, &asked);
    for (size_t i = 0; i < controller_gateway_peer_count(controller); i++)
        refresh_named(controller_gateway_peer(controller, i), name, now_ms, sessions, &asked);
    return asked;
}

size_t controller_restart_instance(struct controller *controller, uint32_t route_server,
                                   unsigned instance, uint64_t pause_ms, uint64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (peer->route_server != route_server || peer->instance != instance)
            continue;
        speaker_peer_abandon(peer->speaker, peer->peer, pause_ms, now_ms);
        n++;
    }
    return n;
}

void controller_start(struct controller *controller, uint64_t now_ms)
{
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (!peer->started)
            speaker_peer_start(peer->speaker, peer->peer, now_ms);
        peer->started = true;
    }
    gateways_start(controller->gateways, now_ms);
}

/* BFD first: AdminDown tells the peer that what follows is no failure of the path. */
void controller_stop(struct controller *controller, const char *message, uint64_t now_ms)
{
    bfd_table_stop_all(controller->bfd, now_ms * 1000);
    for (size_t i = 0; i < controller->peer_count; i++)
        speaker_peer_shut_down(controller->peers[i]->speaker, controller->peers[i]->peer,
                               BGP_CEASE_SHUTDOWN, message, now_ms);
    gateways_stop(controller->gateways, now_ms);
}

struct bfd_table *controller_bfd(struct controller *controller)
{
    return controller->bfd;
}

unsigned controller_bfd_settle(struct controller *controller, uint64_t now_ms)
{
    unsigned n = 0;
    if (!controller->bfd_close_due)
        return 0;
    controller->bfd_close_due = false;
    for (size_t i = 0; i < controller->peer_count; i++) {
        struct controller_peer *peer = controller->peers[i];
        if (!peer->bfd_close_due)
            continue;
        peer->bfd_close_due = false;
        speaker_peer_reset(peer->speaker, peer->peer, BGP_CEASE_BFD_DOWN, now_ms);
        /* A session that had no connection changes no state; what is to come is a new one. */
        peer->bfd_failed = false;
        n++;
    }
    return n;
}

int controller_flush(struct controller *controller)
{
    /* What is noted meanwhile is applied just below. */
    controller->flush_noted = true;
    bool quiet = gateways_pump(controller->gateways);
    controller->flush_noted = false;
    if (!quiet)
        controller_note_flush(controller);
    int error = controller->error;
    controller->error = 0;
    int changed = program_flush(controller->program);
    if (program_flush_due(controller->program))
        controller_note_flush(controller);
    return error ? error : changed;
}

void controller_tick_groups(struct controller *controller, uint64_t now_ms)
{
    program_tick(controller->program, now_ms);
}

int controller_set_member(struct controller *controller, uint32_t group,
                          const struct lpm_address *next_hop, enum program_member_state state,
                          uint64_t now_ms)
{
    int swapped = program_set_member(controller->program, group, next_hop, state);
    /* What is said is said there, too, and groups that stay are the same; those that are new follow here. */
    if (swapped >= 0 && group == 0 && controller->next) {
        int made = program_set_member(controller->next, group, next_hop, state);
        swapped = made < 0 && made != -ESRCH ? made : swapped;
    }
    if (swapped >= 0 && controller->watch)
        watch_member(controller->watch, group, next_hop, state, now_ms);
    return swapped;
}

int controller_port_state(struct controller *controller, uint32_t port, bool up, uint64_t now_ms)
{
    int swapped = program_port_state(controller->program, port, up);
    if (swapped >= 0 && controller->watch)
        watch_port(controller->watch, port, up, swapped, now_ms);
    return swapped;
}

int controller_watch(struct controller *controller,
                     void (*listener)(void *context, const struct event *event), void *context)
{
    controller->watch = watch_create(controller, controller->fabric, listener, context);
    return controller->watch ? 0 : -ENOMEM;
}

void controller_watch_tick(struct controller *controller, uint64_t now_ms)
{
    if (controller->watch)
        watch_tick(controller->watch, now_ms);
}

const struct event_log *controller_events(const struct controller *controller)
{
    return controller->watch ? watch_log(controller->watch) : NULL;
}

size_t controller_peer_count(const struct controller *controller)
{
    return controller->peer_count;
}

size_t controller_peer_capacity(const struct controller *controller)
{
    return controller->peer_capacity;
}

size_t controller_peer_numbers(const struct controller *controller)
{
    return controller->made_count;
}

struct controller_peer *controller_peer(struct controller *controller, size_t i)
{
    return controller->peers[i];
}

size_t controller_gateway_peer_count(const struct controller *controller)
{
    return gateways_peer_count(controller->gateways);
}

struct controller_peer *controller_gateway_peer(struct controller *controller, size_t i)
{
    return gateways_peer(controller->gateways, i);
}

size_t controller_link_count(const struct controller *controller)
{
    return gateways_link_count(controller->gateways);
}

const struct controller_peer *controller_link_end(const struct controller *controller, size_t i,
                                                  unsigned end)
{
    return gateways_link_end(controller->gateways, i, end);
}

struct speaker *controller_gateway_speaker(struct controller *controller, uint32_t gateway)
{
    return gateways_speaker(controller->gateways, gateway);
}

size_t controller_speaker_count(const struct controller *controller)
{
    return server_speaker_count(controller) + controller->fabric->gateways_count;
}

struct speaker *controller_speaker(struct controller *controller, size_t i)
{
    uint32_t server = 0;
    size_t of_servers = server_speaker_count(controller);
    if (i >= of_servers)
        return gateways_speaker(controller->gateways, (uint32_t)(i - of_servers));
    for (; i >= controller->servers[server].speaker_count; server++)
        i -= controller->servers[server].speaker_count;
    return controller->servers[server].speakers[i];
}

struct probes *controller_probes(struct controller *controller)
{
    return controller->probes;
}

const struct fabric *controller_fabric(const struct controller *controller)
{
    return controller->fabric;
}

struct program *controller_program(struct controller *controller)
{
    return controller->program;
}

const struct fabric_bgp *controller_bgp(struct controller *controller)
{
    return program_bgp_view(controller->view);
}

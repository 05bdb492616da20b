/*
 * What speakers, BFD and probes say, passed on to the program, the watch and the shell.
 *
 * Speakers' handlers run within speaker_* calls and must not call back, so changes are only noted
 * here; the data plane is touched by program_next_hop_state() at once (it asks no speaker) and by
 * controller_flush().
 */
#include <string.h>

#include "engine/program/controller_private.h"

/* How long after its BGP session a BFD session begins. */
#define BFD_DELAY_US 500000u

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
    int error = controller_next_hop_state(controller, controller_peer_address(peer), is_reachable);
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

void controller_session_changed(struct controller_peer *peer, const char *gateway, bool was_up,
                                enum bgp_state state, const char *reason)
{
    const struct controller *controller = peer->controller;
    if (controller->watch)
        watch_session(controller->watch, peer, gateway, was_up, state, reason);
    if (controller->shell.peer_changed)
        controller->shell.peer_changed(controller->shell.context, peer, state, reason);
}

static void on_peer_changed(void *context, struct speaker_peer *speaker_peer, enum bgp_state state,
                            const char *reason)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
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
    controller_session_changed(peer, NULL, was_up, state, reason);
}

/* Only the groups are swapped here: several peers may fail in one turn, and none shall wait for
 * another's routes. */
void controller_on_bfd_changed(void *context, void *user, const struct bfd_change *change)
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

/* Of a backend of the fabric that is in force; the one that is to come may have it elsewhere, or not at all. */
static int next_backend_state(struct controller *controller, uint32_t balancer, uint32_t backend,
                              bool up)
{
    const struct fabric *fabric = controller->fabric, *with = controller->next_fabric;
    const struct fabric_load_balancer *was = &fabric->load_balancers[balancer];
    for (uint32_t i = 0; i < with->load_balancers_count; i++) {
        const struct fabric_load_balancer *is = &with->load_balancers[i];
        for (uint32_t j = 0; j < is->backend_count && strcmp(is->name, was->name) == 0; j++)
            if (strcmp(with->nics[is->backends[j]].name,
                       fabric->nics[was->backends[backend]].name) == 0)
                return program_backend_state(controller->next, i, j, up);
    }
    return 0;
}

/* One swap, whatever leads there; what cannot be swapped is told by the next flush, and tried again by
 * the next probe. */
int controller_on_backend(void *context, uint32_t balancer, uint32_t backend, bool up,
                          uint64_t now_ms)
{
    struct controller *controller = context;
    uint32_t nic = controller->fabric->load_balancers[balancer].backends[backend];
    int swapped = program_backend_state(controller->program, balancer, backend, up);
    if (swapped >= 0 && controller->next) {
        int made = next_backend_state(controller, balancer, backend, up);
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

/* --- What carries a session: a link, or the shell ---------------------------------------------- */

static void on_notice(void *context, struct speaker_peer *speaker_peer, const char *line)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    const struct controller_shell *shell = &peer->controller->shell;
    if (shell->notice && !peer->link)
        shell->notice(shell->context, peer, line);
}

static void on_connect(void *context, struct speaker_peer *speaker_peer)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    const struct controller_shell *shell = &peer->controller->shell;
    if (peer->link)
        gateways_connect(peer);
    else
        shell->connect(shell->context, peer);
}

static void on_close(void *context, struct speaker_peer *speaker_peer, enum bgp_direction direction)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    const struct controller_shell *shell = &peer->controller->shell;
    if (peer->link)
        gateways_close(peer);
    else
        shell->close(shell->context, peer, direction);
}

static void on_output_ready(void *context, struct speaker_peer *speaker_peer,
                            enum bgp_direction direction)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    const struct controller_shell *shell = &peer->controller->shell;
    if (peer->link)
        gateways_output_ready(peer);
    else
        shell->output_ready(shell->context, peer, direction);
}

static bool on_input_waits(void *context, struct speaker_peer *speaker_peer,
                           enum bgp_direction direction)
{
    (void)context;
    struct controller_peer *peer = speaker_peer_user(speaker_peer);
    const struct controller_shell *shell = &peer->controller->shell;
    return !peer->link && shell->input_waits && shell->input_waits(shell->context, peer, direction);
}

void controller_handle_carriers(struct speaker_handler *handler)
{
    handler->notice = on_notice;
    handler->connect = on_connect;
    handler->close = on_close;
    handler->output_ready = on_output_ready;
    handler->input_waits = on_input_waits;
}

struct speaker_handler controller_handler(void)
{
    struct speaker_handler handler = {
        .choice_changed = on_choice_changed,
        .peer_changed = on_peer_changed,
    };
    controller_handle_carriers(&handler);
    return handler;
}

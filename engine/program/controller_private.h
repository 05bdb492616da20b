/* What the controller's files share. */
#ifndef ENGINE_PROGRAM_CONTROLLER_PRIVATE_H
#define ENGINE_PROGRAM_CONTROLLER_PRIVATE_H

#include "engine/program/bgp_view.h"
#include "engine/program/controller.h"
#include "engine/program/gateways.h"
#include "engine/program/watch.h"

struct fabric_policies;

/* What a speaker's handler is told by: whose it is. */
struct place {
    struct server *server;
    const struct speaker *speaker;
};

struct server {
    struct controller *controller;
    uint32_t index;
    struct speaker *speakers[2];
    struct program_standing *standing[2]; /* what NICs follow of them; NULL: their choices */
    struct place places[2];               /* of the speakers */
    unsigned speaker_count;
    uint32_t accepted;     /* neighbours that the file does not name */
    bool closed;           /* no more of these: memory was out in the middle of one */
    size_t held_before[2]; /* by the sessions of an instance, when it left (handover.c) */
};

struct controller {
    const struct fabric *fabric;
    struct controller_shell shell;
    struct server *servers;
    struct controller_peer **peers; /* as controller_peer() gives them */
    size_t peer_count, peer_capacity;
    struct controller_peer **made; /* by number; accepted ones as one allocation, at the first's */
    size_t made_count;
    struct gateways *gateways;
    struct program_bgp_view *view;
    struct program *program;
    struct program
        *next; /* that is made to take its place (controller_apply_begin()); NULL: none */
    const struct fabric *next_fabric;
    unsigned next_slices; /* since all that was there at its begin is in it */
    struct bfd_table *bfd;
    bool bfd_close_due; /* of any peer */
    struct probes *probes;
    struct watch *watch; /* NULL: nobody watches */
    bool flush_noted;
    int error; /* of a note that could not be taken; told by the next flush */
};

static inline const struct lpm_address *controller_peer_address(const struct controller_peer *peer)
{
    return &speaker_peer_config(peer->peer)->peer_address;
}

/* news.c: what the speakers of route servers are given, with a struct place as context; and what BFD and the probes
 * are. */
struct speaker_handler controller_handler(void);
/* The part of it that speakers of gateways have too: what carries their sessions. Their peers' user is a struct
 * controller_peer. */
void controller_handle_carriers(struct speaker_handler *handler);
/* What is said of a session, a route server's (gateway NULL) or a gateway's. */
void controller_session_changed(struct controller_peer *peer, const char *gateway, bool was_up,
                                enum bgp_state state, const char *reason);
void controller_on_bfd_changed(void *context, void *user, const struct bfd_change *change);
int controller_on_backend(void *context, uint32_t balancer, uint32_t backend, bool up,
                          uint64_t now_ms);

/* servers.c: all route servers of the fabric, with speakers and sessions. 0, or -errno and why. */
int controller_open_servers(struct controller *controller, char error[DP_ERROR_TEXT]);
/* Room for n more in made[], then one session of a configured neighbour, number and all; in place of one that is gone
 * where there is one. Without BFD, which comes by itself. -ENOMEM, or what the speaker says. */
int controller_make_room(struct controller *controller, size_t n);
int controller_add_peer(struct controller *controller, const struct fabric *fabric,
                        uint32_t route_server, unsigned instance, uint32_t index,
                        struct controller_peer **added);
int controller_add_bfd(struct controller_peer *peer, const struct fabric *fabric);
/* Those that the file gives a peer. */
void controller_give_policies(struct controller_peer *peer, const struct fabric_policies *policies,
                              const struct fabric_bgp_peer *model, uint64_t now_ms);

/* Does a session of any route server have the address at its far end? */
bool controller_knows(const struct controller *controller, const struct lpm_address *address);

/* apply_peers.c. How `with` has a configured peer that `fabric` has; NULL: it does not. */
const struct fabric_bgp_peer *controller_peer_in(const struct fabric *with,
                                                 const struct fabric *fabric,
                                                 const struct controller_peer *peer);
/* Are our end's addresses of the session, of which IPv6 prefixes of a subnet may make another, those of the index-th
 * peer that `with` has? */
bool controller_same_addresses(const struct controller *controller, const struct fabric *with,
                               const struct controller_peer *peer, uint32_t index);
/* The lowest number that no neighbour of the route server has: below its limit, however often they change. */
uint32_t controller_free_neighbor(const struct controller *controller, uint32_t route_server);
/* The peers that `with` has, where that takes the place of what is in force: prepare() makes what is new, out of sight
 * (0 or -errno, and nothing is different); take() puts it in force, with its policies, and frees it: sessions that
 * the reading does not have, or with another session, end, and new ones wait for controller_start(). take() fails
 * only for want of memory, to swap a next hop or for a session of BFD, which then is missing. */
struct controller_coming;
int controller_peers_prepare(struct controller *controller, const struct fabric *with,
                             struct controller_coming **coming);
int controller_peers_take(struct controller *controller, const struct fabric *with,
                          struct controller_coming *coming, uint64_t now_ms);
void controller_peers_drop(struct controller_coming *coming); /* NULL is allowed */

/* There is something for controller_flush(). */
void controller_note_flush(struct controller *controller);
/* pace.c: makes what NICs follow of a route server's speakers, where damping or a hold-down is wanted. 0 or
 * -ENOMEM. */
int controller_pace_open(struct controller *controller);
void controller_pace_close(struct controller *controller);
/* From the speaker's handler. */
void controller_pace_note(const struct server *server, const struct speaker *speaker,
                          const struct lpm_prefix *prefix);

/* program_prefix_changed() of what is in force and of what is made to take its place. */
void controller_prefix_changed(struct controller *controller, uint32_t route_server,
                               const struct lpm_prefix *prefix);
/* program_next_hop_state() of what is in force and of what is made to take its place. */
int controller_next_hop_state(struct controller *controller, const struct lpm_address *next_hop,
                              bool up);
/* An instance that is away may have all that it had: to be asked when it has learned something. */
void controller_instance_check(struct controller *controller, uint32_t route_server,
                               unsigned instance);

#endif

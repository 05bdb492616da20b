/*
 * The control plane of one fabric: its route servers as BGP speakers, the fabric's view of what
 * they chose, and the program step behind. The live engine and the twin share it whole; each adds a
 * transport and a clock.
 *
 *   shell (live: libuv sockets, sim: virtual links)
 *     | speaker_input/connected/closed/tick            ^ connect, close, output_ready
 *   speakers, 1 or 2 a route server ──> struct fabric_bgp ──> program ──> data plane
 *     ^ sessions within the process, carried by controller_flush()
 *   speakers, 1 a gateway <── the shell, for their neighbors
 *
 * A session that goes down takes its neighbour's next hop out of every group at once (unless the
 * other instance still has a session with that neighbour); the prefixes follow at
 * controller_flush(). Where a peer has BFD, its failure counts as the session's at the moment it is
 * noticed: first every group is swapped, then, in controller_bfd_settle(), the BGP sessions are
 * closed, which is work that grows with the number of routes. BFD begins a moment after its BGP
 * session is Established, and ends with it.
 *
 * Control thread only.
 */
#ifndef ENGINE_PROGRAM_CONTROLLER_H
#define ENGINE_PROGRAM_CONTROLLER_H

#include "engine/bgp/bfd_table.h"
#include "engine/fabric/effective.h"
#include "engine/program/probes.h"
#include "engine/program/program.h"

struct controller;
struct event;
struct event_log;

/* What a session of a route server or gateway is about. speaker_peer_user() of its speaker's peers points to
 * one of these; `shell` is free for the shell's own data. */
struct controller_peer {
    struct controller *controller;
    struct speaker *speaker;
    struct speaker_peer *peer;
    uint32_t route_server; /* index in fabric.route_servers; FABRIC_NONE: a gateway's session */
    uint32_t
        gateway; /* whose session it is; FABRIC_NONE: a route server's with a peer of its own */
    struct controller_link *link; /* between the two, within the process: no business of shells */
    unsigned instance;
    uint32_t index; /* in its peers[]; of an accepted neighbour: that of its template; of a gateway:
                       fabric_gateway_neighbor() */
    uint32_t
        neighbor;  /* the same for the sessions of one neighbour: index, or from peer_count on */
    bool accepted; /* by controller_accept(): speaker_peer_config() says who it is */
    size_t number; /* of the session, below controller_peer_numbers(): for what is kept beside it */
    bool started;
    /* The file has it no more, but its speaker cannot lose it. With shell NULL it may become another. */
    bool gone;
    bool coming; /* not yet in force */
    bool established;
    bool retained; /* not established, but its routes are in force still (graceful restart) */
    const struct bfd_session *bfd; /* NULL: the peer has none */
    bool bfd_failed;               /* since the BGP session last changed its state */
    bool bfd_close_due;            /* the same, and controller_bfd_settle() was not called yet */
    /* Of a gateway's, as alerted: 1 near what it is told at most, 2 beyond. */
    uint8_t ceiling_level;
    void *shell;
};

/* The shell's side; connect() and what follows as in struct speaker_handler, and under its rules of reentrancy.
 */
struct controller_shell {
    void *context;
    /* There is something for controller_flush(): told once until that is called, and by that where
     * it leaves the rest of much for another time. */
    void (*flush_wanted)(void *context);
    void (*peer_changed)(void *context, struct controller_peer *peer, enum bgp_state state,
                         const char *reason);
    /* A line for the log: a malformed attribute, say. */
    void (*notice)(void *context, struct controller_peer *peer, const char *line);
    void (*connect)(void *context, struct controller_peer *peer);
    void (*close)(void *context, struct controller_peer *peer, enum bgp_direction direction);
    void (*output_ready)(void *context, struct controller_peer *peer, enum bgp_direction direction);
    /* May be NULL. */
    bool (*input_waits)(void *context, struct controller_peer *peer, enum bgp_direction direction);
    /* For the log; may be NULL. */
    void (*bfd_changed)(void *context, struct controller_peer *peer,
                        const struct bfd_change *change);
    /* A load balancer's backend came or went by its probes. For the log; may be NULL. */
    void (*backend_changed)(void *context, uint32_t balancer, uint32_t nic, bool up);
    uint64_t seed; /* of BFD's discriminators and jitter: where strangers may send, a secret one */
};

/* Makes speakers, peers and originated prefixes, and programs the fabric's static routes. No
 * session starts yet. fabric and forwarding are borrowed. Returns NULL with errno; error names the
 * object. */
struct controller *controller_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                                     bool with_ports, const struct controller_shell *shell,
                                     char error[DP_ERROR_TEXT]);
/* Stops nothing politely: call controller_stop() and send the output first where peers should hear
 * of it. */
void controller_destroy(struct controller *controller);

/* Before controller_start(): this process follows one that died. See speaker_begin_restart(). */
void controller_begin_restart(struct controller *controller, uint64_t until_ms);
/* Starts every session that is not started; those of gateways with neighbors where `shell` is set. */
void controller_start(struct controller *controller, uint64_t now_ms);
/* Asks every peer that can for all its routes again (RFC 2918). Returns how many were asked. */
size_t controller_request_refresh(struct controller *controller, uint64_t now_ms);
/* The same of the peer of this name, at every route server that has one; *sessions: how many it has. */
size_t controller_refresh_peer(struct controller *controller, const char *name, uint64_t now_ms,
                               size_t *sessions);
/* The process of an instance of a route server ends: to be said before its sessions do. Until it holds what it held
 * before, the NICs that it alone programs (quirk half_programming) are programmed by the other instance. */
void controller_instance_leaves(struct controller *controller, uint32_t route_server,
                                unsigned instance);
/* One instance of a route server goes down without a word, as a process that dies does, and is back after
 * pause_ms (speaker_peer_abandon()). Returns how many sessions it has. */
size_t controller_restart_instance(struct controller *controller, uint32_t route_server,
                                   unsigned instance, uint64_t pause_ms, uint64_t now_ms);
/* Cease / Administrative Shutdown to every peer, with this shutdown communication (RFC 9003); NULL: none. */
void controller_stop(struct controller *controller, const char *message, uint64_t now_ms);

/* Carries what route servers and gateways have to say to each other, and applies what changed to the data
 * plane. Moves deadlines of speakers. Returns how many FIB entries changed, or -errno (call again). */
int controller_flush(struct controller *controller);

/* NICs may follow what route servers choose later than it is chosen: by the quirk damping, or a route server's
 * failback_hold_down_s. When controller_tick() is wanted next; UINT64_MAX: never. Whatever a speaker is given may
 * move it. */
uint64_t controller_deadline(const struct controller *controller);
void controller_tick(struct controller *controller, uint64_t now_ms);
/* Prefixes whose choice is not followed yet, and whether any prefix could not change at once (damping). */
struct controller_pace {
    size_t damped, held_down;
    bool is_damping;
};
struct controller_pace controller_pace(const struct controller *controller);

/* The BFD sessions, for the shell's datagrams and timer (user pointers: struct controller_peer).
 * Whatever a speaker is given may move bfd_table_deadline(). After the shell has given the table
 * what came and pulled what goes, it calls controller_bfd_settle(). */
struct bfd_table *controller_bfd(struct controller *controller);
/* Closes the BGP sessions of peers whose BFD session failed, with Cease / BFD Down (RFC 9384); they
 * start again by themselves, whether or not BFD does (RFC 5882 section 4.3). Returns how many. */
unsigned controller_bfd_settle(struct controller *controller, uint64_t now_ms);

/* The probes of load balancers' backends, for the shell to send and to hear the answers of (probes.h).
 * A backend that they find down leaves its load balancer's group at once. */
struct probes *controller_probes(struct controller *controller);

/* program_tick(). */
void controller_tick_groups(struct controller *controller, uint64_t now_ms);
/* program_set_member(), and an event of it. */
int controller_set_member(struct controller *controller, uint32_t group,
                          const struct lpm_address *next_hop, enum program_member_state state,
                          uint64_t now_ms);

/* program_port_state(), and an event of it. */
int controller_port_state(struct controller *controller, uint32_t port, bool up, uint64_t now_ms);

/* Writes an event log from now on, with the thresholds of fabric.engine.events; listener (events.h)
 * may be NULL. Once, before controller_start(). -ENOMEM. */
int controller_watch(struct controller *controller,
                     void (*listener)(void *context, const struct event *event), void *context);
/* Compares counts of prefixes for alerts: to be called some four times a second while there is a
 * watch. */
void controller_watch_tick(struct controller *controller, uint64_t now_ms);
/* NULL: nobody watches. */
const struct event_log *controller_events(const struct controller *controller);

/* Lets a neighbour in that the file does not name: one with this address, in dynamic_peers[range] of the
 * route server, and this AS number (fabric_dynamic_peers_take()). *first becomes the index of its
 * session with the first instance; the others follow. They have the settings and policies of the
 * template, but no BFD. A neighbour that is there already is given again: `true` in *known. Else the
 * sessions are new or those of a neighbour that has been away the longest, and not started; the shell's
 * data in them are the shell's to renew.
 * Sessions are never more than limits.peers has room for: -ENOSPC when each is in use. -EBUSY: the
 * address has a session with another AS number, or in another range, that is not over. -ENOMEM. Not
 * within a call of a speaker. */
int controller_accept(struct controller *controller, uint32_t route_server, uint32_t range,
                      const struct lpm_address *address, uint32_t asn, uint64_t now_ms,
                      size_t *first, bool *known);

/* Every session: of configured neighbours, grouped by route server, then instance; then of accepted ones,
 * each neighbour's together. They do not move; their places may, when the fabric changes. */
size_t controller_peer_count(const struct controller *controller);
/* The most that there will ever be by controller_accept(). */
size_t controller_peer_capacity(const struct controller *controller);
/* Numbers of sessions are below. A change of the fabric may raise it. */
size_t controller_peer_numbers(const struct controller *controller);
struct controller_peer *controller_peer(struct controller *controller, size_t i);
/* The modelled router of fabric (the controller's, or another reading) that a route server's session is with;
 * FABRIC_NONE: none. */
uint32_t controller_peer_router(const struct fabric *fabric, const struct controller_peer *peer);
/* Sessions of gateways with their neighbors: neighbor by neighbor, of each its instances. Those whose
 * `shell` is set before controller_start() are started. */
size_t controller_gateway_peer_count(const struct controller *controller);
struct controller_peer *controller_gateway_peer(struct controller *controller, size_t i);
/* Sessions between gateways and route servers; end 0 is the route server's. */
size_t controller_link_count(const struct controller *controller);
const struct controller_peer *controller_link_end(const struct controller *controller, size_t i,
                                                  unsigned end);
struct speaker *controller_gateway_speaker(struct controller *controller, uint32_t gateway);
/* Every speaker, for ticks and deadlines: the route servers', then the gateways'. */
size_t controller_speaker_count(const struct controller *controller);
struct speaker *controller_speaker(struct controller *controller, size_t i);

/* Follows another reading of the fabric: VNets, subnets, peerings, NICs, users' routes, load balancers and peers of
 * route servers may be others; route servers themselves, gateways and routers are the same, with the same NICs. Sessions
 * of peers that stay stay, and are told what the route servers and gateways announce otherwise. Sessions that the new
 * reading does not have end with a Cease (`gone`; the shell sets `shell` to NULL when it is done with it), and those
 * that it has more wait for controller_start(), before which the shell puts its data into them. `with` must outlive
 * the controller or the next apply; the reading before need not once this is done.
 *
 * begin() makes FIBs and groups aside; each step() is a slice of work, near two milliseconds, and what happens
 * meanwhile reaches both what is in force and what is made. The last one swaps. begin(): 0 or -errno with
 * error: -EBUSY: one is under way; -EINVAL: a session would have another address; -ENOSPC: the forwarding has no
 * room. step(): 1: call again; 0: done;
 * -errno with error: over, and everything is as it was, but for -ENOMEM while peers are told. Moves deadlines
 * of speakers. */
int controller_apply_begin(struct controller *controller, const struct fabric *with,
                           char error[DP_ERROR_TEXT]);
int controller_apply_step(struct controller *controller, uint64_t now_ms,
                          char error[DP_ERROR_TEXT]);
void controller_apply_cancel(struct controller *controller); /* no effect when none is under way */
/* The same at once, and of more: gateways and the neighbors of these may come and go (and policies are set by the
 * caller, before controller_start()). Every reading that there was must outlive the controller. */
int controller_apply(struct controller *controller, const struct fabric *with, uint64_t now_ms,
                     char error[DP_ERROR_TEXT]);

/* Takes the policies of another reading of the fabric file: for each peer, found by the names of its route
 * server and its own, those that `with` gives it, from now on. Sessions stay; routes are judged anew and
 * what that changes is told and programmed (controller_flush()). Only policies are taken over. All or
 * nothing: -ENOMEM leaves everything as it was. A peer that `with` does not have keeps what it has;
 * *missing says how many there are. */
int controller_set_policies(struct controller *controller, const struct fabric *with,
                            uint64_t now_ms, unsigned *missing);

/* The reading that is in force. */
const struct fabric *controller_fabric(const struct controller *controller);
struct program *controller_program(struct controller *controller);
const struct fabric_bgp *controller_bgp(struct controller *controller);

#endif

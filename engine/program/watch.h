/*
 * Watches the control plane: writes its event log, and raises the alerts.
 *
 *   controller ──session, route changes──> watch ──> event log
 *   shell ──────watch_tick() ~4 a second──> counts of each peer, compared with those of a second ago
 *
 *   peer-down              a session left Established
 *   new-default-route      a neighbour announces 0.0.0.0/0, 0.0.0.0/1, 128.0.0.0/1, ::/0, ::/1 or
 *                          8000::/1 that it did not announce before
 *   new-supernet           the first route ever to a prefix of /8 or wider (IPv6: /16 or wider)
 *   route-count-jump       a peer that was steady has so many more or fewer prefixes within a second
 *   withdraw-storm         a peer withdraws so many prefixes within a second
 *   self-loop              a NIC would be sent its packets back: its own route leads to itself, and what is behind
 *                          it sends no other way (hairpin.h)
 *   next-hop-unreachable   no NIC of the VNet, or of one peered with it, has the next hop
 *   limit-near             a peer's prefixes reach the share of its limit at which to warn
 *   instance-mismatch      a neighbour has a session with one instance only, or tells the two
 *                          different prefixes
 *
 * Nothing of it runs, and no memory is taken, where nobody watches. Control thread only.
 */
#ifndef ENGINE_PROGRAM_WATCH_H
#define ENGINE_PROGRAM_WATCH_H

#include "engine/program/controller.h"
#include "engine/program/events.h"

struct watch;

/* Thresholds are those of fabric.engine.events. The controller's peers are known by their number. */
struct watch *watch_create(struct controller *controller, const struct fabric *fabric,
                           event_listener *listener, void *context); /* NULL with errno */
void watch_destroy(struct watch *watch);                             /* NULL is allowed */
const struct event_log *watch_log(const struct watch *watch);

/* The fabric that is to come: the same route servers and gateways. All routes are looked at by both, a slice each step(),
 * which returns whether there is more; what is wrong with next hops by the new one and was not by the one before is said
 * by the first tick after take(). Then, or with drop(), that is over. begin(): -ENOMEM. watch may be NULL. */
int watch_follow_begin(struct watch *watch, const struct fabric *fabric);
bool watch_follow_step(struct watch *watch);
void watch_follow_take(struct watch *watch);
void watch_follow_drop(struct watch *watch);

/* Room for the sessions that the controller has by now, and the neighbours that fabric lets route servers have. -ENOMEM. */
int watch_make_room(struct watch *watch, const struct fabric *fabric);

/* This session is another neighbour's from now on. */
void watch_forget(struct watch *watch, const struct controller_peer *peer);

/* From the handlers of the speakers. gateway: the name of the gateway whose session it is; NULL: a route server's.
 * was_up: before this change. */
void watch_session(struct watch *watch, const struct controller_peer *peer, const char *gateway,
                   bool was_up, enum bgp_state state, const char *reason);
void watch_route(struct watch *watch, uint32_t route_server, const struct speaker *speaker,
                 const struct lpm_prefix *prefix);
/* A load balancer's backend (NIC) came or went by its probes. */
void watch_backend(struct watch *watch, uint32_t balancer, uint32_t nic, bool up, uint64_t now_ms);
/* An operator said this of a member; group 0: of every group. */
void watch_member(struct watch *watch, uint32_t group, const struct lpm_address *next_hop,
                  enum program_member_state state, uint64_t now_ms);
/* The link of a port went down, or came back, and so many groups were swapped for it. */
void watch_port(struct watch *watch, uint32_t port, bool up, int swapped, uint64_t now_ms);
/* Any number of times a second; looks at the counts every WATCH_TICK_MS. */
#define WATCH_TICK_MS 250u
void watch_tick(struct watch *watch, uint64_t now_ms);

#endif

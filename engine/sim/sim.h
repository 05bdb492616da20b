/*
 * The twin: a fabric run on a virtual clock. Its route servers are the engine's own controller; its
 * NVAs are the engine's own BGP speaker with the configuration that `routers:` gives; between them
 * are virtual links.
 *
 *   controller (route servers) ──links── routers (modelled NVAs)
 *        └─> program ─> dp_forwarding: the same FIBs and groups that a live engine has
 *
 * One thread; deterministic: equal inputs give equal runs. Not a word to any socket, clock or port.
 */
#ifndef ENGINE_SIM_SIM_H
#define ENGINE_SIM_SIM_H

#include "engine/fabric/model.h"
#include "engine/program/controller.h"

struct sim;

/* Builds speakers and links; no session runs yet. fabric and forwarding are borrowed. Returns NULL
 * with errno; error says what is in the way. */
struct sim *sim_create(const struct fabric *fabric, struct dp_forwarding *forwarding,
                       char error[DP_ERROR_TEXT]);
void sim_destroy(struct sim *sim);

uint64_t sim_now_ms(const struct sim *sim);
struct controller *sim_controller(struct sim *sim);
/* The speaker of a modelled router; NULL while it is down or when it has no BGP neighbours. */
struct speaker *sim_router_speaker(struct sim *sim, uint32_t router);

/* Gives a router routes out of MRT files, announced at once and after each restart; its changes are
 * played in their time, whether the router runs or not. The feed becomes the sim's, even on failure.
 * Once a router. -ENOMEM. */
struct sim_feed;
int sim_set_feed(struct sim *sim, uint32_t router, struct sim_feed *feed);

/* Writes an event log (controller_watch()); before anything has run. */
int sim_watch(struct sim *sim, void (*listener)(void *context, const struct event *event),
              void *context);

/* Runs until every session that can come up has, and nothing more is under way: no bytes, no route
 * to send, nothing to program, no update of a feed to play, no prefix in a damping window, so that what
 * happens next is not held back by the start. Returns 0; -ETIMEDOUT after limit_ms of
 * virtual time beyond the last update; -errno of what failed. */
int sim_settle(struct sim *sim, uint64_t limit_ms);

/* Runs for duration_ms of virtual time, whatever is under way at its end. */
int sim_run(struct sim *sim, uint64_t duration_ms);

/* The same, an instant at a time: does all that is due at the next one, unless that lies after limit_ms,
 * and returns 1; 0 when there is nothing up to limit_ms, which is then the present; -errno. */
int sim_step(struct sim *sim, uint64_t limit_ms);
/* As sim_settle() asks, but for damping windows that hold nothing back: has everything that can come up
 * come up, and is nothing under way? */
bool sim_settled(struct sim *sim);
/* Does action(context, argument) at that time (now, when it has passed). */
void sim_at(struct sim *sim, uint64_t at_ms, void (*action)(void *context, uint64_t argument),
            void *context, uint64_t argument);

/* In words, an error that one of these returned: engine.verify makes it -EUCLEAN where what is programmed differs
 * from what would be made anew. */
const char *sim_error_text(const struct sim *sim, int error);

/* How much has ever changed of what decides where packets go: who sees none of these move sees every
 * packet go as the one before it. */
struct sim_changes {
    uint64_t entries; /* of FIBs */
    uint64_t groups;  /* swapped in place */
    uint64_t others;  /* routes of modelled routers, failures */
};
struct sim_changes sim_changes(const struct sim *sim);

/* Another reading of the fabric from now on, as controller_apply(), with its policies. Routers, tunnels, gateways and
 * who is whose neighbor may be others, too: what is new starts, what is no more ends with a Cease, and sessions of both
 * readings stay, unless their options differ: then the router's daemon restarts. A router of both has the same NICs;
 * route servers are the same. It counts the effective routes that are others now as entries that changed. Every
 * fabric that the sim ever had must outlive it. 0 or -errno with error. */
int sim_apply(struct sim *sim, const struct fabric *with, char error[DP_ERROR_TEXT]);

/* --- Failures (failure.c) -------------------------------------------------------------------- */

enum sim_failure {
    SIM_STOP,    /* its daemon ends cleanly: CEASE, then the connections close */
    SIM_KILL,    /* kill -9: its kernel closes the connections */
    SIM_SILENCE, /* nothing gets through to it or from it any more */
};
/* Of a modelled router. -ESRCH: it runs no daemon that could end. */
int sim_router_fail(struct sim *sim, uint32_t router, enum sim_failure failure);
/* The daemon starts again, or the silence ends. */
int sim_router_restart(struct sim *sim, uint32_t router);
/* No packet gets through the router either. */
bool sim_router_is_silent(const struct sim *sim, uint32_t router);

/* The router announces prefix, or withdraws it, from now on: after a restart too, whatever the file
 * says. */
int sim_router_announce(struct sim *sim, uint32_t router, const struct lpm_prefix *prefix,
                        bool announced);

/* Of one instance of a route server: its sessions; what was programmed stays in force while another
 * instance holds it. -ENOENT: it has no sessions. */
int sim_instance_fail(struct sim *sim, uint32_t route_server, unsigned instance,
                      enum sim_failure failure);
int sim_instance_restart(struct sim *sim, uint32_t route_server, unsigned instance);
bool sim_instance_is_running(const struct sim *sim, uint32_t route_server, unsigned instance);

/* Does session i of the route servers (controller_peer()) carry nothing because its ends have different keys? */
bool sim_session_keys_differ(const struct sim *sim, size_t i);
/* Cuts or heals the links that a router's sessions with a route server run over. Packets of others do not
 * go there. -ENOENT: it has none. */
int sim_session_cut(struct sim *sim, uint32_t router, uint32_t route_server, bool cut);
/* The same between two routers. */
int sim_routers_cut(struct sim *sim, uint32_t a, uint32_t b, bool cut);

/* A health check of a router (an index of its health[]) fails or recovers; checks are well at the
 * start. Prefixes of its when_down are withdrawn while any check that has them is down; also over a
 * restart of the router. 0 or -errno. */
int sim_router_health(struct sim *sim, uint32_t router, uint32_t check, bool up);

/* --- Sessions between routers ------------------------------------------------------------------- */

/* What joins two routers (circuit.h). */
struct sim_circuit;
size_t sim_circuit_count(const struct sim *sim);
const struct sim_circuit *sim_circuit(const struct sim *sim, size_t i);
size_t sim_circuit_index(const struct sim *sim, const struct sim_circuit *circuit);
/* Why the packets of its session do not get through, of a circuit that has one; NULL: they do. */
const char *sim_circuit_lost(const struct sim *sim, size_t i);
/* The session at an end (0 or 1) of a circuit, while its router runs; NULL: there is none. */
const struct speaker_peer *sim_circuit_peer(const struct sim *sim, size_t i, unsigned end);

#endif

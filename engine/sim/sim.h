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

/* Runs until every session that can come up has, and nothing more is under way: no bytes, no route
 * to send, nothing to program, no update of a feed to play. Returns 0; -ETIMEDOUT after limit_ms of
 * virtual time beyond the last update; -errno of what failed. */
int sim_settle(struct sim *sim, uint64_t limit_ms);

/* Runs for duration_ms of virtual time, whatever is under way at its end. */
int sim_run(struct sim *sim, uint64_t duration_ms);

/* Writes an event log (controller_watch()); before anything has run. */
int sim_watch(struct sim *sim, void (*listener)(void *context, const struct event *event),
              void *context);

/* Failures of a modelled router. */
enum sim_failure {
    SIM_STOP,    /* its daemon ends cleanly: CEASE, then the connections close */
    SIM_KILL,    /* kill -9: its kernel closes the connections */
    SIM_SILENCE, /* nothing gets through to it or from it any more */
};
int sim_router_fail(struct sim *sim, uint32_t router, enum sim_failure failure);
/* The daemon starts again, or the silence ends. */
int sim_router_restart(struct sim *sim, uint32_t router);

#endif

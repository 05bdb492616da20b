/*
 * The gateways of a fabric in its control plane: a speaker each, their sessions with route servers, which
 * stay within the process, and those with neighbors outside, which the shell carries.
 *
 *   route server's speaker ── ends[0]  link  ends[1] ── gateway's speaker ── peers[] ── shell
 *
 * A link is a TCP connection without the network: what one speaker has to send is given to the other, by
 * gateways_pump(), which is called where no speaker is in the middle of something. Internal to this room.
 */
#ifndef ENGINE_PROGRAM_GATEWAYS_H
#define ENGINE_PROGRAM_GATEWAYS_H

#include "engine/program/controller.h"

struct gateways;
/* Told when there is something for gateways_pump(); may be within a speaker's call. */
typedef void gateways_busy(void *context);
/* The speaker of an instance of a route server. */
typedef struct speaker *gateways_server(void *context, uint32_t route_server, unsigned instance);

/* Makes speakers, what they originate, and sessions; none starts. 0 or -errno; error
 * names the gateway. */
int gateways_create(struct controller *controller, const struct fabric *fabric,
                    gateways_server *server, gateways_busy *busy, void *context,
                    struct gateways **gateways, char error[DP_ERROR_TEXT]);
/* The fabric from now on, with the same route servers: gateways and neighbors that it has no more say so to the
 * others and go, new ones wait for gateways_start(). All or nothing. 0 or -errno. */
int gateways_follow(struct gateways *gateways, const struct fabric *fabric, uint64_t now_ms);
/* The same, with the same gateways and neighbors at the same places. */
void gateways_take(struct gateways *gateways, const struct fabric *fabric);
/* Before the route servers' speakers. NULL is allowed. */
void gateways_destroy(struct gateways *gateways);

/* The user's policies, as `with` gives them. All or nothing. 0 or -ENOMEM. */
int gateways_set_policies(struct gateways *gateways, const struct fabric *with, uint64_t now_ms);

/* Starts links, and those sessions with neighbors that the shell carries, unless they are started. */
void gateways_start(struct gateways *gateways, uint64_t now_ms);
void gateways_stop(struct gateways *gateways, uint64_t now_ms);
/* Carries bytes until there are none left. False: there are, but others should have a turn. */
bool gateways_pump(struct gateways *gateways);

/* The wishes of a route server's speaker for its end of a link. */
void gateways_connect(struct controller_peer *peer);
void gateways_close(struct controller_peer *peer);
void gateways_output_ready(struct controller_peer *peer);
void gateways_changed(struct controller_peer *peer, enum bgp_state state);

size_t gateways_peer_count(const struct gateways *gateways);
struct controller_peer *gateways_peer(struct gateways *gateways, size_t i);
size_t gateways_link_count(const struct gateways *gateways);
const struct controller_peer *gateways_link_end(const struct gateways *gateways, size_t i,
                                                unsigned end);
struct speaker *gateways_speaker(const struct gateways *gateways, uint32_t gateway);

#endif

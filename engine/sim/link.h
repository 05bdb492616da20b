/*
 * A virtual link: what TCP between two speakers is to them, on the virtual clock.
 *
 *   end 0 (route server instance) <── connection 0: opened by end 0 ──> end 1 (router)
 *                                 <── connection 1: opened by end 1 ──>
 *
 * Bytes arrive in order after the link's delay. A connection carries one chunk at a time each way,
 * so a speaker is asked for more only when the other end has taken what was sent, as a full socket
 * buffer would have it.
 */
#ifndef ENGINE_SIM_LINK_H
#define ENGINE_SIM_LINK_H

#include "engine/rib/speaker.h"
#include "engine/sim/clock.h"
#include "engine/sim/wire.h"

struct sim_link;

/* Told after an end's speaker was given something: its deadline may have moved. */
typedef void sim_link_touched(void *context, struct speaker *speaker);

struct sim_link *sim_link_create(struct sim_clock *clock, uint32_t delay_ms,
                                 sim_link_touched *touched, void *context); /* NULL with errno */
void sim_link_destroy(struct sim_link *link);

/* Puts a speaker's peer at an end (0 or 1). */
void sim_link_attach(struct sim_link *link, unsigned end, struct speaker *speaker,
                     struct speaker_peer *peer);
/* The process at this end is gone: its kernel closes its connections, later ones are refused. */
void sim_link_detach(struct sim_link *link, unsigned end);
/* Why nothing crosses a link. It is cut while there is any reason: nobody is told. Healed: what was
 * under way arrives (datagrams do not). */
enum {
    SIM_LINK_SILENT = 1,      /* the box at end 0; shifted by one: at end 1 */
    SIM_LINK_UNREACHABLE = 4, /* what it runs over does not deliver */
    SIM_LINK_DOWN = 8,        /* somebody took it down */
    SIM_LINK_KEYS = 16,       /* its ends sign with different keys: TCP alone, not datagrams */
};
void sim_link_cut(struct sim_link *link, unsigned reason, bool cut);
bool sim_link_is_cut(const struct sim_link *link);
bool sim_link_is_cut_for(const struct sim_link *link, unsigned reason);
/* The same link for datagrams. */
struct sim_wire *sim_link_wire(struct sim_link *link);

/* The three wishes of struct speaker_handler, of the speaker at `end`. */
void sim_link_connect(struct sim_link *link, unsigned end);
void sim_link_close(struct sim_link *link, unsigned end, enum bgp_direction direction);
void sim_link_output_ready(struct sim_link *link, unsigned end, enum bgp_direction direction);

/* No bytes are under way. */
bool sim_link_quiet(const struct sim_link *link);

#endif

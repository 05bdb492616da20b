/*
 * The probes of a drill: flows that send all the time, on the virtual clock, through the decision
 * that the packet path makes.
 *
 *   probe ── flows[] ──> way now ── lost since
 *              └──────> the last way that got through, to tell whether the flow moved
 *
 * Packets are not walked one by one: between two changes of the forwarding state every packet of a
 * flow goes as the one before it, so flows are walked at each change, and packets are counted.
 * Packet k of a probe leaves at k / packets_per_second after its start and belongs to flow
 * k mod flows.
 *
 * A flow moves when it gets through on another way than before: by other NICs or next hops. It moved
 * needlessly when at the first hop that differs both next hops were members of the group before and
 * are now: neither had failed, neither had returned.
 */
#ifndef ENGINE_SIM_TRAFFIC_H
#define ENGINE_SIM_TRAFFIC_H

#include "engine/fabric/drill.h"
#include "engine/sim/path.h"

/* From at_ms on (to the next one of these) so many flows of a probe lose their packets. */
struct traffic_loss {
    uint32_t at_ms;
    uint32_t flows;
};

/* What became of one probe. Times since the drill began. */
struct traffic_fate {
    uint64_t sent, lost; /* packets */
    uint64_t lost_ms;    /* of the flow that was lost for longest: all its outages together */
    uint64_t longest_ms; /* one outage of one flow */
    uint32_t flows_lost; /* that lost anything */
    uint64_t moved, moved_needlessly;
    const char *reason; /* of the last loss; NULL: none */
    struct traffic_loss *losses;
    size_t loss_count;
};

struct traffic;

/* The flows of the drill's probes, by its seed. The drill is borrowed. NULL with ENOMEM. */
struct traffic *traffic_create(const struct fabric_drill *drill);
void traffic_destroy(struct traffic *traffic); /* NULL is allowed */

/* Something may have changed at now_ms: walks every flow that sends then. fabric is the one that runs.
 * Returns 0 or -ENOMEM. */
int traffic_walk(struct traffic *traffic, const struct fabric *fabric, struct sim *sim,
                 const struct dp_forwarding *forwarding, uint32_t now_ms);
/* The fabric changed, and with it the indices of NICs: ways that were taken before are known in the new
 * one by the names of their NICs. Before the next traffic_walk(). */
void traffic_follow(struct traffic *traffic, const struct fabric *from, const struct fabric *to);
/* The next time at which a probe starts or ends, after now_ms; UINT32_MAX: none. */
uint32_t traffic_next_ms(const struct traffic *traffic, uint32_t now_ms);
/* Everything has been sent. 0 or -ENOMEM. */
int traffic_finish(struct traffic *traffic, uint32_t now_ms);

/* Of probe i of the drill. */
const struct traffic_fate *traffic_fate(const struct traffic *traffic, uint32_t i);

#endif

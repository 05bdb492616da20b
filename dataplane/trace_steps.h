/*
 * Writing a trace's record: what the stages call where somebody asks (options.trace of the path). Internal;
 * no DPDK type, for the decision.
 */
#ifndef DATAPLANE_TRACE_STEPS_H
#define DATAPLANE_TRACE_STEPS_H

#include <string.h>

#include "dataplane/forwarding.h"

/* The next step, all zero. The last slot is for what does not fit, and never counted. */
static inline struct dp_trace_step *dp_trace_add(struct dp_trace_record *record,
                                                 enum dp_trace_stage stage)
{
    struct dp_trace_step *step = &record->steps[record->step_count];

    if (record->step_count < DP_TRACE_STEPS - 1)
        record->step_count++;
    memset(step, 0, sizeof(*step));
    step->stage = (uint8_t)stage;
    return step;
}

/* The last step that was added. */
static inline struct dp_trace_step *dp_trace_last(struct dp_trace_record *record)
{
    return &record->steps[record->step_count > 0 ? record->step_count - 1 : 0];
}

static inline const struct dp_trace_step *dp_trace_find(const struct dp_trace_record *record,
                                                        enum dp_trace_stage stage)
{
    for (unsigned i = 0; i < record->step_count; i++) {
        if (record->steps[i].stage == stage)
            return &record->steps[i];
    }
    return NULL;
}

/* At the stage of the last step. A packet is dropped once: who finds it done says it again. */
static inline void dp_trace_drop(struct dp_trace_record *record, enum dp_reason reason)
{
    if (dp_trace_find(record, DP_TRACE_DROPPED))
        return;
    record->action = DP_DROP;
    record->reason = (uint8_t)reason;
    record->dropped = dp_trace_last(record)->stage;
    dp_trace_add(record, DP_TRACE_DROPPED)->reason = (uint8_t)reason;
}

/* Of what was dropped: nobody was told, after all. */
static inline void dp_trace_untold(struct dp_trace_record *record)
{
    while (record->step_count > 0 && dp_trace_last(record)->stage != DP_TRACE_DROPPED)
        record->step_count--;
}

/* The step of a lookup in fib, of an address that gave leaf. */
void dp_trace_route(struct dp_trace_record *record, const struct lpm_fib *fib,
                    const uint8_t *address, uint8_t family, uint32_t leaf);
/* Of the last step, a ROUTE: what its leaf stands for. NULL: nothing does. */
void dp_trace_group(struct dp_trace_record *record, const struct dp_group *group);
/* The step of a lookup in a VNet's addresses. */
void dp_trace_address(struct dp_trace_record *record, const struct dp_forwarding *forwarding,
                      const struct lpm_fib *map, uint32_t vnet, const uint8_t *address,
                      uint8_t family, uint32_t leaf);
/* The step of a choice in group: who has the bucket is told by its counter. */
void dp_trace_choice(struct dp_trace_record *record, enum dp_trace_stage stage,
                     const struct dp_group *group, uint32_t hash, uint32_t bucket,
                     uint32_t counter);
/* NULL: nobody is there. */
void dp_trace_receiver(struct dp_trace_record *record, const struct dp_nic *receiver,
                       uint8_t peering, bool self_loop);
void dp_trace_admit(struct dp_trace_record *record, const struct dp_nic *sender, bool asked);

/* --- The decision, of its one packet: decide.c ------------------------------------------------- */

struct dp_decision;
void dp_trace_admitted(const struct dp_decision *decision);
void dp_trace_looked_up(const struct dp_decision *decision);
void dp_trace_followed(const struct dp_decision *decision);
void dp_trace_waited(const struct dp_decision *decision);
void dp_trace_decided(const struct dp_decision *decision);

#endif

/* What the files of the drill share. */
#ifndef ENGINE_SIM_DRILL_PRIVATE_H
#define ENGINE_SIM_DRILL_PRIVATE_H

#include "engine/sim/drill.h"

/* Until the next event, what happens is put down to events[first..first + n). */
struct drill_window {
    uint32_t first, n;
    uint32_t at_ms;
    uint32_t still_ms; /* since then nothing has moved */
    struct sim_changes before;
};

struct drill_run {
    const struct fabric_drill *drill;
    const struct fabric *fabric; /* the stage in force */
    struct sim *sim;
    const struct dp_forwarding *forwarding;
    struct traffic *traffic;
    struct drill_report report;
    struct drill_window window;
    struct sim_changes seen; /* when flows were last walked */
    uint64_t origin_ms;      /* of the drill, on the twin's clock; UINT64_MAX: not begun */
    bool can_settle;         /* it had settled to begin with */
    bool session_changed;    /* since the last look */
    uint32_t pending;        /* things that an event has yet to do */
    int error;
};

/* Does what the event says (drill_act.c). -errno with error. */
int drill_act(struct drill_run *run, struct drill_event *event, char error[DP_ERROR_TEXT]);
/* Looks whether an expectation of a NIC holds now; of probes and alerts, at the end (drill_judge.c). */
void drill_judge(struct drill_run *run, struct drill_expectation *expectation);

#endif

/*
 * Failures of the lab's first NVA, or first backend, one after the other, each with its return; and the worker
 * that shows when the last frame went there.
 *
 *   detected ──> groups swapped ──> last frame for the dead one, which a burst under way may still send ──> FIBs
 */
#include "engine/cli/converge_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "engine/cli/converge_probe.h"

#define FLOWS  4096u
#define STRIDE 7919u /* odd: flows meet NICs and prefixes in ever other pairs */

static uint64_t begin_clocks(struct converge_lab *lab)
{
    lab->struck_ns = bench_now_ns();
    return bench_cpu_ns();
}

/* --- What happens ----------------------------------------------------------------------------- */

/* Returns when the turn began in which the last instance noticed. What goes to the other NVA in
 * that turn is engine's work too, and stays in. */
static uint64_t fall_silent(struct converge_lab *lab)
{
    uint64_t begin_ns = 0;
    lab->dead = true;
    while (lab->swapped_ns == 0) {
        converge_jump(lab);
        converge_ask_backends(lab);
        converge_bfd_from_nvas(lab);
        begin_ns = begin_clocks(lab);
        converge_bfd_to_nvas(lab);
    }
    return begin_ns;
}

static uint64_t close_connections(struct converge_lab *lab)
{
    lab->dead = true;
    uint64_t begin_ns = begin_clocks(lab);
    for (size_t i = 0; i < lab->link_count; i++)
        if (converge_is_first(lab->links[i].peer))
            speaker_closed(lab->links[i].peer->speaker, lab->links[i].peer->peer, BGP_OUTGOING,
                           "closed by the peer", converge_now_ms(lab));
    return begin_ns;
}

/* The probe's timeout is over before begin_ns, as BFD's detection time is. */
static uint64_t go_mute(struct converge_lab *lab)
{
    uint64_t begin_ns = 0;
    unsigned entries = 0;
    lab->mute = true;
    while (lab->swapped_ns == 0) {
        converge_turn(lab, &entries);
        converge_jump(lab);
        begin_ns = begin_clocks(lab);
        converge_ask_backends(lab);
    }
    return begin_ns;
}

static int set_port(struct converge_lab *lab, bool up)
{
    return controller_port_state(lab->controller, CONVERGE_PORT_NVA, up, converge_now_ms(lab));
}

static int set_member(struct converge_lab *lab, enum program_member_state state)
{
    return controller_set_member(
        lab->controller, 0,
        &lab->fabric->nics[fabric_find_nic(lab->fabric, CONVERGE_FIRST_NVA)].addresses.items[0],
        state, converge_now_ms(lab));
}

/* What is one call of the engine's: it has swapped the groups on return. */
static uint64_t call(struct converge_lab *lab, enum converge_event event)
{
    uint64_t begin_ns = begin_clocks(lab);
    int status =
        event == CONVERGE_PORT_DOWN ? set_port(lab, false) : set_member(lab, PROGRAM_MEMBER_DOWN);
    lab->swapped_ns = status < 0 ? 0 : bench_cpu_ns();
    return begin_ns;
}

static uint64_t strike(struct converge_lab *lab, enum converge_event event)
{
    lab->swapped_ns = 0;
    switch (event) {
    case CONVERGE_BFD_DOWN:
        return fall_silent(lab);
    case CONVERGE_SESSION_DOWN:
        return close_connections(lab);
    case CONVERGE_PROBE_DOWN:
        return go_mute(lab);
    default:
        return call(lab, event);
    }
}

/* From the groups on: closes what BFD declared dead, then slices and flushes until the speakers
 * have nothing more that is due. */
static int finish(struct converge_lab *lab, struct converge_sample *sample)
{
    int busy = 1;
    controller_bfd_settle(lab->controller, converge_now_ms(lab));
    while (busy > 0)
        busy = converge_engine_turn(lab, &sample->entries);
    return busy;
}

/* --- The return ------------------------------------------------------------------------------- */

/* What the peer's host was told while it was dead is lost; its own end finds that out now. */
static void reconnect(struct converge_lab *lab)
{
    for (size_t i = 0; i < lab->link_count; i++) {
        struct converge_link *link = &lab->links[i];
        if (!converge_is_first(link->peer))
            continue;
        link->open = link->closing = false;
        speaker_closed(link->nva->speaker, link->nva_peer, BGP_INCOMING, "reset",
                       converge_now_ms(lab));
    }
    lab->dead = false;
}

static int answer_again(struct converge_lab *lab)
{
    unsigned entries = 0;
    int busy = 0;
    lab->mute = false;
    while (busy >= 0 && !program_backend_is_up(controller_program(lab->controller), 0, 0)) {
        busy = converge_turn(lab, &entries);
        converge_jump(lab);
    }
    return busy < 0 ? busy : 0;
}

static int come_back(struct converge_lab *lab, enum converge_event event, struct bench_error *error)
{
    unsigned entries = 0;
    int status = 0;
    if (lab->dead)
        reconnect(lab);
    else if (event == CONVERGE_PROBE_DOWN)
        status = answer_again(lab);
    else
        status =
            event == CONVERGE_PORT_DOWN ? set_port(lab, true) : set_member(lab, PROGRAM_MEMBER_UP);
    if (status >= 0)
        return converge_settle(lab, &entries, error);
    snprintf(error->text, sizeof(error->text), "what failed does not come back: %s",
             strerror(-status));
    return status;
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Of every four flows one goes to the load balancer. */
static struct bench_flow flow_of(const struct converge_lab *lab, uint32_t i)
{
    const struct fabric *fabric = lab->fabric;
    const struct fabric_nic *nic =
        &fabric->nics[fabric_find_nic(fabric, CONVERGE_FIRST_SENDER) + i * STRIDE % lab->size.nics];
    struct bench_flow flow = {.sender = {.address = nic->addresses.items[0]}};
    memcpy(flow.sender.mac, nic->mac, sizeof(flow.sender.mac));
    memcpy(flow.gateway_mac, fabric->subnets[nic->subnet].gateway_mac, sizeof(flow.gateway_mac));
    if (i % 4 == 3) {
        flow.destination = fabric->load_balancers[0].frontend;
        return flow;
    }
    struct lpm_prefix prefix = converge_prefix((size_t)i * STRIDE % lab->size.prefixes);
    flow.destination.family = LPM_IPV4;
    memcpy(flow.destination.bytes, prefix.bytes, 4);
    flow.destination.bytes[3] = 1;
    return flow;
}

int converge_lab_forward(struct converge_lab *lab, struct bench_error *error)
{
    _Static_assert(CONVERGE_PORTS - 1 <= BENCH_WORKER_OUTS_MAX, "a device for each port");
    struct bench_flow *flows = calloc(FLOWS, sizeof(*flows));
    const struct bench_worker_config config = {.forwarding = lab->forwarding,
                                               .flows = flows,
                                               .flow_count = FLOWS,
                                               .outs = CONVERGE_PORTS - 1};
    if (!flows) {
        snprintf(error->text, sizeof(error->text), "no memory for flows");
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < FLOWS; i++)
        flows[i] = flow_of(lab, i);
    int status = bench_worker_start(&config, &lab->worker, error);
    free(flows);
    return status;
}

struct bench_worker *converge_lab_worker(const struct converge_lab *lab)
{
    return lab->worker;
}

/* Nothing is lost here: what goes to the dead one after the failure is handed to its port. */
static void look_at_frames(struct converge_lab *lab, enum converge_event event,
                           struct converge_sample *sample)
{
    unsigned port = event == CONVERGE_PROBE_DOWN ? CONVERGE_PORT_BACKEND : CONVERGE_PORT_NVA;
    uint64_t last_ns = bench_worker_last_ns(lab->worker, port);
    struct bench_worker_report report;
    bench_worker_end(lab->worker, &report);
    if (last_ns > lab->struck_ns)
        sample->dead_path_ms = (double)(last_ns - lab->struck_ns) / 1e6;
    sample->wrong += report.lost + report.late + (last_ns == 0);
}

/* --- All of it -------------------------------------------------------------------------------- */

int converge_lab_fail(struct converge_lab *lab, enum converge_event event,
                      struct converge_sample *sample, struct bench_error *error)
{
    const bool backend = event == CONVERGE_PROBE_DOWN;
    const struct converge_probe probe = {
        .forwarding = lab->forwarding,
        .fabric = lab->fabric,
        .program = controller_program(lab->controller),
        .prefixes = lab->size.prefixes,
        .first_sender = fabric_find_nic(lab->fabric, CONVERGE_FIRST_SENDER),
        .senders = (uint32_t)lab->size.nics,
        .first_receiver =
            fabric_find_nic(lab->fabric, backend ? CONVERGE_FIRST_BACKEND : CONVERGE_FIRST_NVA),
        .to_frontend = backend};
    *sample = (struct converge_sample){.wrong = converge_probe_shared(&probe)};
    if (lab->worker)
        bench_worker_begin(lab->worker);
    uint64_t begin_ns = strike(lab, event);
    uint64_t first_ns = bench_cpu_ns() - begin_ns;
    if (lab->swapped_ns == 0) {
        snprintf(error->text, sizeof(error->text), "what is dead is still in the groups");
        return -EPROTO;
    }
    sample->swap_us = (double)(lab->swapped_ns - begin_ns) / 1e3;
    sample->wrong += converge_probe_moved(&probe);
    begin_ns = bench_cpu_ns();
    int status = finish(lab, sample);
    sample->fib_us = (double)(first_ns + bench_cpu_ns() - begin_ns) / 1e3;
    sample->wrong += converge_probe_moved(&probe);
    if (lab->worker)
        look_at_frames(lab, event, sample);
    if (status == 0)
        return come_back(lab, event, error);
    snprintf(error->text, sizeof(error->text), "the failure cannot be programmed: %s",
             strerror(-status));
    return status;
}

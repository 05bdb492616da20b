/*
 *   targets[] ── one for each backend of each load balancer, in their order
 */
#include "engine/program/probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct target {
    uint32_t balancer, backend;
    const struct fabric_load_balancer *model;
    struct lpm_address address;
    bool up;
    bool waiting; /* for an answer to `sequence` */
    uint32_t sequence;
    unsigned failures, successes; /* in a row */
    uint64_t sent_ms;
    uint64_t due_ms; /* waiting: when it counts as failed; else: when the next one leaves */
};

struct probes {
    const struct fabric *fabric;
    struct target *targets;
    size_t n;
    uint32_t sequence;
    probes_change *changed;
    void *context;
};

static struct lpm_address address_of(const struct fabric *fabric,
                                     const struct fabric_load_balancer *balancer, uint32_t backend)
{
    const struct fabric_addresses *own = &fabric->nics[balancer->backends[backend]].addresses;
    for (uint32_t i = 0; i < own->n; i++)
        if (own->items[i].family == balancer->frontend.family)
            return own->items[i];
    return (struct lpm_address){0};
}

static size_t count_targets(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        n += fabric->load_balancers[i].backend_count;
    return n;
}

/* Of all backends, each taken to be up. */
static struct target *list_targets(const struct fabric *fabric)
{
    struct target *targets = calloc(count_targets(fabric) + 1, sizeof(*targets));
    size_t n = 0;
    for (uint32_t i = 0; targets && i < fabric->load_balancers_count; i++) {
        const struct fabric_load_balancer *model = &fabric->load_balancers[i];
        for (uint32_t j = 0; j < model->backend_count; j++)
            targets[n++] = (struct target){.balancer = i,
                                           .backend = j,
                                           .model = model,
                                           .address = address_of(fabric, model, j),
                                           .up = true};
    }
    return targets;
}

struct probes *probes_create(const struct fabric *fabric, probes_change *changed, void *context)
{
    struct probes *probes = calloc(1, sizeof(*probes));
    if (!probes)
        return NULL;
    probes->fabric = fabric;
    probes->changed = changed;
    probes->context = context;
    probes->n = count_targets(fabric);
    probes->targets = list_targets(fabric);
    if (probes->targets)
        return probes;
    free(probes);
    errno = ENOMEM;
    return NULL;
}

/* --- Another reading -------------------------------------------------------------------------- */

struct probes_coming {
    const struct fabric *fabric;
    struct target *targets;
};

static const char *nic_of(const struct fabric *fabric, const struct target *target)
{
    return fabric->nics[target->model->backends[target->backend]].name;
}

static const struct target *find(const struct probes *probes, const struct fabric *with,
                                 const struct target *target)
{
    for (size_t i = 0; i < probes->n; i++)
        if (strcmp(probes->targets[i].model->name, target->model->name) == 0 &&
            strcmp(nic_of(probes->fabric, &probes->targets[i]), nic_of(with, target)) == 0)
            return &probes->targets[i];
    return NULL;
}

static bool same_question(const struct target *a, const struct target *b)
{
    return lpm_address_equal(&a->address, &b->address) &&
           a->model->probe_tcp == b->model->probe_tcp &&
           a->model->probe_port == b->model->probe_port;
}

/* What it answered to another question says nothing of this one, but that it is up or down until it says more. */
static void take_after(struct target *target, const struct target *former)
{
    target->up = former->up;
    if (!same_question(target, former))
        return;
    target->failures = former->failures;
    target->successes = former->successes;
    target->sent_ms = former->sent_ms;
    target->due_ms = former->waiting ? 0 : former->due_ms;
}

struct probes_coming *probes_prepare(const struct fabric *with)
{
    struct probes_coming *coming = calloc(1, sizeof(*coming));
    struct target *targets = coming ? list_targets(with) : NULL;
    if (!targets) {
        free(coming);
        return NULL;
    }
    *coming = (struct probes_coming){with, targets};
    return coming;
}

void probes_take(struct probes *probes, struct probes_coming *coming)
{
    const size_t n = count_targets(coming->fabric);
    for (size_t i = 0; i < n; i++) {
        const struct target *former = find(probes, coming->fabric, &coming->targets[i]);
        if (former)
            take_after(&coming->targets[i], former);
    }
    free(probes->targets);
    probes->fabric = coming->fabric;
    probes->targets = coming->targets;
    probes->n = n;
    free(coming);
}

void probes_drop(struct probes_coming *coming)
{
    if (coming)
        free(coming->targets);
    free(coming);
}

void probes_destroy(struct probes *probes)
{
    if (!probes)
        return;
    free(probes->targets);
    free(probes);
}

/* --- Judging ---------------------------------------------------------------------------------- */

static void set_state(const struct probes *probes, struct target *target, bool up, uint64_t now_ms)
{
    if (target->up != up &&
        probes->changed(probes->context, target->balancer, target->backend, up, now_ms) == 0)
        target->up = up;
}

/* Counters stop where they have said what they can say, so that they never overflow. They may be beyond it, where
 * another reading of the fabric asks for less. */
static void judge(const struct probes *probes, struct target *target, bool answered,
                  uint64_t now_ms)
{
    const struct fabric_load_balancer *model = target->model;
    const uint64_t interval_ms = UINT64_C(1000) * model->probe_interval_s;
    target->waiting = false;
    if (answered) {
        target->failures = 0;
        target->successes += target->successes < model->probe_successes;
        target->due_ms = target->sent_ms + interval_ms;
        if (target->successes >= model->probe_successes)
            set_state(probes, target, true, now_ms);
        return;
    }
    target->successes = 0;
    target->failures += target->failures < model->probe_failures;
    if (target->failures >= model->probe_failures)
        set_state(probes, target, false, now_ms);
    target->due_ms = target->sent_ms + interval_ms - (target->up ? model->probe_timeout_ms : 0);
}

uint64_t probes_deadline(const struct probes *probes)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < probes->n; i++)
        if (probes->targets[i].due_ms < deadline_ms)
            deadline_ms = probes->targets[i].due_ms;
    return deadline_ms;
}

void probes_tick(struct probes *probes, uint64_t now_ms)
{
    for (size_t i = 0; i < probes->n; i++)
        if (probes->targets[i].waiting && probes->targets[i].due_ms <= now_ms)
            judge(probes, &probes->targets[i], false, now_ms);
}

bool probes_next(struct probes *probes, uint64_t now_ms, struct probe_order *order)
{
    for (size_t i = 0; i < probes->n; i++) {
        struct target *target = &probes->targets[i];
        if (target->waiting || target->due_ms > now_ms)
            continue;
        target->waiting = true;
        target->sequence = ++probes->sequence;
        target->sent_ms = now_ms;
        target->due_ms = now_ms + target->model->probe_timeout_ms;
        *order = (struct probe_order){
            .target = (uint32_t)i,
            .sequence = target->sequence,
            .balancer = target->balancer,
            .backend = target->backend,
            .address = target->address,
            .tcp = target->model->probe_tcp,
            .port = target->model->probe_port,
            .timeout_ms = target->model->probe_timeout_ms,
        };
        return true;
    }
    return false;
}

void probes_result(struct probes *probes, uint32_t target, uint32_t sequence, bool answered,
                   uint64_t now_ms)
{
    struct target *asked = &probes->targets[target];
    if (target < probes->n && asked->waiting && asked->sequence == sequence)
        judge(probes, asked, answered, now_ms);
}

void probes_skip(struct probes *probes, uint32_t target, uint32_t sequence)
{
    struct target *asked = &probes->targets[target];
    if (target >= probes->n || !asked->waiting || asked->sequence != sequence)
        return;
    asked->waiting = false;
    asked->due_ms = asked->sent_ms + UINT64_C(1000) * asked->model->probe_interval_s;
}

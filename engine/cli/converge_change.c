/* See converge_change.h. */
#include "engine/cli/converge_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "engine/cli/converge_fabric.h"
#include "engine/cli/converge_private.h"
#include "engine/fabric/load.h"
#include "engine/fabric/route_server.h"

#define CHUNK ((size_t)16384) /* some thousand prefixes */

static int complain(struct bench_error *error, const char *what, int status)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", what, strerror(-status));
    return status;
}

/* --- Another reading -------------------------------------------------------------------------- */

static bool same_policy(unsigned a, unsigned b)
{
    const char *one = converge_fabric_policy(a), *other = converge_fabric_policy(b);
    return one == other || (one && other && strcmp(one, other) == 0);
}

/* In the order of engine/live/apply.c: policies once nothing refuses the rest. */
static int take(struct converge_lab *lab, const struct fabric *with, bool policies,
                char why[DP_ERROR_TEXT])
{
    unsigned missing, entries = 0;
    int status = controller_apply_begin(lab->controller, with, why);
    if (status)
        return status;
    if (policies)
        status = controller_set_policies(lab->controller, with, converge_now_ms(lab), &missing);
    if (status) {
        controller_apply_cancel(lab->controller);
        return status;
    }
    while ((status = controller_apply_step(lab->controller, converge_now_ms(lab), why)) > 0) {
        status = converge_engine_turn(lab, &entries);
        if (status < 0) {
            controller_apply_cancel(lab->controller);
            return status;
        }
    }
    return status;
}

int converge_lab_apply(struct converge_lab *lab, unsigned reading, struct bench_error *error)
{
    char why[DP_ERROR_TEXT] = "";
    struct converge_size size = lab->size;
    unsigned entries = 0;
    size.reading = reading;
    struct fabric *with = converge_fabric_make(&size, error);
    if (!with)
        return -EINVAL;
    int status = take(lab, with, !same_policy(lab->size.reading, reading), why);
    if (controller_fabric(lab->controller) != with) {
        fabric_free(with);
        return complain(error, why, status < 0 ? status : -EPROTO);
    }
    fabric_free(lab->fabric);
    lab->fabric = with;
    lab->size = size;
    return status < 0 ? complain(error, why, status) : converge_settle(lab, &entries, error);
}

/* --- More routes ------------------------------------------------------------------------------ */

/* Both NVAs of the first pair. */
static int originate(struct converge_lab *lab, const struct lpm_prefix *list, size_t n,
                     bool announce)
{
    int status = 0;
    for (unsigned i = 0; i < CONVERGE_NVAS && status == 0; i++) {
        struct speaker *nva = lab->nvas[i].speaker;
        if (announce)
            status = fabric_originate_prefixes(nva, list, n);
        for (size_t j = 0; !announce && j < n && status == 0; j++)
            status = speaker_withdraw(nva, &list[j]);
    }
    return status;
}

int converge_lab_announce(struct converge_lab *lab, size_t n, bool announce,
                          struct bench_error *error)
{
    const size_t first = lab->nva_count / 2 * lab->size.prefixes;
    struct lpm_prefix *list = malloc(n * sizeof(*list));
    unsigned entries = 0;
    if (!list)
        return complain(error, "prefixes", -ENOMEM);
    for (size_t i = 0; i < n; i++)
        list[i] = converge_prefix(first + i);
    int status = originate(lab, list, n, announce);
    free(list);
    return status ? complain(error, "prefixes", status) : converge_settle(lab, &entries, error);
}

/* --- Updates without end ---------------------------------------------------------------------- */

enum pass { WITHDRAW, ANNOUNCE, PASSES };

struct converge_updates {
    struct converge_recording passes[PASSES];
    enum pass pass; /* under way */
    size_t at;      /* bytes of each session that were given */
};

static int record(struct converge_lab *lab, struct converge_recording *recording, enum pass pass)
{
    struct lpm_prefix *list = malloc(lab->size.prefixes * sizeof(*list));
    struct bench_error ignored;
    unsigned entries = 0;
    int status = list ? 0 : -ENOMEM;
    for (size_t i = 0; i < lab->size.prefixes && status == 0; i++) {
        list[i] = converge_prefix(i);
        if (pass == WITHDRAW)
            status = speaker_withdraw(lab->nvas[0].speaker, &list[i]);
    }
    if (status == 0 && pass == ANNOUNCE)
        status = fabric_originate_prefixes(lab->nvas[0].speaker, list, lab->size.prefixes);
    free(list);
    if (status)
        return status;
    lab->recording = recording;
    status = converge_settle(lab, &entries, &ignored);
    lab->recording = NULL;
    return status ? status : recording->error;
}

struct converge_updates *converge_updates_record(struct converge_lab *lab,
                                                 struct bench_error *error)
{
    struct converge_updates *updates = calloc(1, sizeof(*updates));
    int status = updates ? 0 : -ENOMEM;
    for (enum pass pass = WITHDRAW; pass < PASSES && status == 0; pass++)
        status = record(lab, &updates->passes[pass], pass);
    if (status == 0)
        return updates;
    complain(error, "updates cannot be recorded", status);
    converge_updates_free(updates);
    return NULL;
}

void converge_updates_free(struct converge_updates *updates)
{
    if (!updates)
        return;
    for (unsigned pass = 0; pass < PASSES; pass++)
        for (unsigned i = 0; i < CONVERGE_RECORDED; i++)
            free(updates->passes[pass].sessions[i].bytes);
    free(updates);
}

/* Returns whether anything was left to give. */
static bool give(struct converge_lab *lab, const struct converge_updates *updates)
{
    bool gave = false;
    for (size_t i = 0, session = 0; i < lab->link_count && session < CONVERGE_RECORDED; i++) {
        const struct controller_peer *peer = lab->links[i].peer;
        if (!converge_is_first(peer))
            continue;
        const struct converge_bytes *all = &updates->passes[updates->pass].sessions[session++];
        if (updates->at >= all->n)
            continue;
        size_t n = all->n - updates->at < CHUNK ? all->n - updates->at : CHUNK;
        speaker_input(peer->speaker, peer->peer, BGP_OUTGOING, all->bytes + updates->at, n,
                      converge_now_ms(lab));
        gave = true;
    }
    return gave;
}

int converge_updates_step(struct converge_lab *lab, struct converge_updates *updates, size_t *n,
                          struct bench_error *error)
{
    unsigned entries = 0;
    int busy = 1;
    uint64_t begin_ns = bench_cpu_ns();
    const bool gave = give(lab, updates);
    lab->engine_ns += bench_cpu_ns() - begin_ns;
    *n = 0;
    while (busy > 0)
        busy = converge_engine_turn(lab, &entries);
    if (busy < 0)
        return complain(error, "updates cannot be programmed", busy);
    updates->at += CHUNK;
    if (!gave) {
        updates->at = 0;
        updates->pass = (updates->pass + 1) % PASSES;
        *n = lab->size.prefixes;
    }
    return 0;
}

int converge_updates_finish(struct converge_lab *lab, struct converge_updates *updates,
                            struct bench_error *error)
{
    unsigned entries = 0;
    int status = 0;
    while (status == 0 && (updates->pass != WITHDRAW || updates->at > 0)) {
        size_t n;
        status = converge_updates_step(lab, updates, &n, error);
    }
    return status ? status : converge_settle(lab, &entries, error);
}

/*
 * lab ─┬─ controller        its shell is here: handlers only note what is to be done
 *      ├─ nvas[]            a speaker each, with a session to each instance
 *      ├─ nva_bfd           the far ends of all BFD sessions
 *      └─ links[]           one a session of the controller, in its order
 *
 * The clock is virtual: it stands while there are bytes to move, then jumps to the next deadline.
 * What is timed is not virtual: the CPU time of the engine's calls between the detection and the
 * last FIB entry, in the order in which the live engine makes them. The NVAs' work, and bytes that
 * go to them, are left out of it.
 */
#include "engine/cli/converge_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "engine/cli/converge_fabric.h"
#include "engine/fabric/load.h"
#include "engine/fabric/route_server.h"
#include "lpm/rcu.h"

/* --- One route -------------------------------------------------------------------------------- */

int converge_lab_change(struct converge_lab *lab, bool announce, struct converge_sample *sample,
                        struct bench_error *error)
{
    struct speaker *nva = lab->nvas[0].speaker;
    struct lpm_prefix prefix = converge_prefix(lab->nva_count / 2 * lab->size.prefixes);
    uint64_t begin_ns = lab->engine_ns;
    *sample = (struct converge_sample){0};
    int status =
        announce ? fabric_originate_prefixes(nva, &prefix, 1) : speaker_withdraw(nva, &prefix);
    if (status)
        snprintf(error->text, sizeof(error->text), "no memory for one more prefix");
    else
        status = converge_settle(lab, &sample->entries, error);
    sample->fib_us = (double)(lab->programmed_ns - begin_ns) / 1e3;
    return status;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int open_nva(struct converge_nva *nva, size_t first, size_t prefixes)
{
    const struct speaker_config config = {
        .name = "nva",
        .asn = 65001,
        .prepend_own_asn = true,
        .handler = {.close = converge_on_nva_close},
    };
    struct lpm_prefix *list = malloc((prefixes + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < prefixes; i++)
        list[i] = converge_prefix(first + i);
    nva->speaker = speaker_create(&config);
    int error = nva->speaker ? fabric_originate_prefixes(nva->speaker, list, prefixes) : -ENOMEM;
    free(list);
    return error;
}

/* The mirror of the controller's end. */
static int open_session(struct converge_link *link)
{
    const struct fabric *fabric = link->lab->fabric;
    const struct controller_peer *peer = link->peer;
    struct speaker_peer_config theirs =
        fabric_route_server_peer(fabric, peer->route_server, peer->instance, peer->index);
    const struct speaker_peer_config config = {
        .name = fabric->route_servers[peer->route_server].name,
        .source = RIB_SOURCE_NVA,
        .local_address = theirs.peer_address,
        .peer_address = theirs.local_address,
        .identifier = 0x0a000001u + peer->index,
        .asn = fabric->route_servers[peer->route_server].asn,
        .passive = true,
        .hold_time_s = theirs.hold_time_s,
        .user = link,
    };
    return speaker_peer_add(link->nva->speaker, &config, &link->nva_peer);
}

static int open_link(struct converge_lab *lab, struct converge_link *link,
                     struct controller_peer *peer)
{
    struct bfd_table *table = controller_bfd(lab->controller);
    const struct fabric_bfd *bfd =
        &lab->fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    const struct bfd_path *path = bfd_table_path(table, peer->bfd);
    const struct bfd_path mirrored = {path->remote, path->local, path->multihop};
    const struct bfd_session *session;
    *link = (struct converge_link){.lab = lab, .peer = peer, .nva = &lab->nvas[peer->index]};
    peer->shell = link;
    lab->link_count++;
    int error = open_session(link);
    if (!error)
        error = bfd_table_add(lab->nva_bfd, &mirrored, bfd->interval_ms * 1000,
                              (uint8_t)bfd->multiplier, link, &session);
    if (error)
        return error;
    bfd_table_start(lab->nva_bfd, session, lab->now_us, 0);
    speaker_peer_start(link->nva->speaker, link->nva_peer, converge_now_ms(lab));
    return 0;
}

static int open_links(struct converge_lab *lab)
{
    size_t n = controller_peer_count(lab->controller);
    lab->links = calloc(n + 1, sizeof(*lab->links));
    int error = lab->links ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && !error; i++)
        error = open_link(lab, &lab->links[i], controller_peer(lab->controller, i));
    return error;
}

static void on_nva_bfd(void *context, void *user, const struct bfd_change *change)
{
    (void)context, (void)user, (void)change;
}

static int open_parts(struct converge_lab *lab, const struct converge_size *size,
                      char error[DP_ERROR_TEXT])
{
    struct controller_shell shell = {.context = lab, .seed = 1};
    const struct bfd_table_config bfd = {.seed = 2, .changed = on_nva_bfd, .context = lab};
    const struct dp_forwarding_config config = program_forwarding_config(lab->fabric, 1);
    lab->lpm = lpm_create();
    if (lab->lpm)
        lab->forwarding = dp_forwarding_create(&config, lab->lpm);
    lab->nva_bfd = bfd_table_create(&bfd);
    converge_lab_shell(&shell);
    uint64_t begin_ns = bench_cpu_ns();
    if (lab->forwarding && lab->nva_bfd)
        lab->controller =
            controller_create(lab->fabric, lab->forwarding, size->ports, &shell, error);
    lab->engine_ns += bench_cpu_ns() - begin_ns;
    int status = lab->controller ? 0 : -ENOMEM;
    for (unsigned i = 0; i < lab->nva_count && !status; i++)
        status = open_nva(&lab->nvas[i], i / 2 * size->prefixes, size->prefixes);
    return status ? status : open_links(lab);
}

struct converge_lab *converge_lab_open(const struct converge_size *size, struct bench_error *error)
{
    char why[DP_ERROR_TEXT] = "no memory";
    struct converge_lab *lab = calloc(1, sizeof(*lab));
    if (!lab) {
        snprintf(error->text, sizeof(error->text), "%s", why);
        return NULL;
    }
    lab->size = *size;
    lab->nva_count = size->nvas;
    lab->now_us = 1000000u;
    lpm_rcu_register_thread();
    uint64_t begin_ns = bench_cpu_ns();
    lab->fabric = converge_fabric_make(size, error);
    lab->engine_ns = bench_cpu_ns() - begin_ns;
    if (!lab->fabric)
        goto fail;
    if (open_parts(lab, size, why) != 0) {
        snprintf(error->text, sizeof(error->text), "%zu prefixes, %zu NICs: %s", size->prefixes,
                 size->nics, why);
        goto fail;
    }
    controller_start(lab->controller, converge_now_ms(lab));
    unsigned entries = 0;
    if (converge_settle(lab, &entries, error) == 0)
        return lab;
fail:
    converge_lab_close(lab);
    return NULL;
}

void converge_lab_close(struct converge_lab *lab)
{
    if (!lab)
        return;
    bench_worker_stop(lab->worker);
    controller_destroy(lab->controller);
    for (unsigned i = 0; i < lab->nva_count; i++)
        speaker_destroy(lab->nvas[i].speaker);
    bfd_table_destroy(lab->nva_bfd);
    dp_forwarding_destroy(lab->forwarding);
    if (lab->lpm)
        lpm_destroy(lab->lpm);
    fabric_free(lab->fabric);
    lpm_rcu_unregister_thread();
    free(lab->links);
    free(lab);
}

double converge_lab_engine_us(const struct converge_lab *lab)
{
    return (double)lab->engine_ns / 1e3;
}

void converge_lab_size(const struct converge_lab *lab, struct program_size *size)
{
    program_size(controller_program(lab->controller), size);
}

/*
 * What goes on in a lab: the controller's shell, the links, BFD, and time.
 */
#include "engine/cli/converge_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "lpm/rcu.h"

/* Of virtual time, above the longest pause that a session which failed often makes. */
#define SETTLE_MS    3600000u
#define BFD_TTL_SENT 255

uint64_t converge_now_ms(const struct converge_lab *lab)
{
    return lab->now_us / 1000u;
}

bool converge_is_first(const struct controller_peer *peer)
{
    return peer->index == 0;
}

static bool is_cut(const struct converge_link *link)
{
    return link->lab->dead && converge_is_first(link->peer);
}

/* --- The controller's shell ------------------------------------------------------------------- */

static void on_flush_wanted(void *context)
{
    struct converge_lab *lab = context;
    lab->flush_wanted = true;
}

/* The controller swaps groups before it tells of a change, so this is the moment after. */
static void note_swap(struct converge_lab *lab)
{
    for (size_t i = 0; i < lab->link_count; i++) {
        const struct controller_peer *peer = lab->links[i].peer;
        if (converge_is_first(peer) && (peer->established || peer->retained) && !peer->bfd_failed)
            return;
    }
    if (lab->dead && lab->swapped_ns == 0)
        lab->swapped_ns = bench_cpu_ns();
}

static void on_peer_changed(void *context, struct controller_peer *peer, enum bgp_state state,
                            const char *reason)
{
    (void)peer, (void)state, (void)reason;
    note_swap(context);
}

static void on_bfd_changed(void *context, struct controller_peer *peer,
                           const struct bfd_change *change)
{
    (void)peer, (void)change;
    note_swap(context);
}

static void on_backend_changed(void *context, uint32_t balancer, uint32_t nic, bool up)
{
    (void)balancer, (void)nic;
    struct converge_lab *lab = context;
    if (!up && lab->mute && lab->swapped_ns == 0)
        lab->swapped_ns = bench_cpu_ns();
}

static void on_connect(void *context, struct controller_peer *peer)
{
    (void)context;
    struct converge_link *link = peer->shell;
    link->connect_wanted = true;
}

static void on_close(void *context, struct controller_peer *peer, enum bgp_direction direction)
{
    (void)context, (void)direction;
    struct converge_link *link = peer->shell;
    link->closing = true;
}

/* Every link is asked for output in every turn. */
static void on_output_ready(void *context, struct controller_peer *peer,
                            enum bgp_direction direction)
{
    (void)context, (void)peer, (void)direction;
}

void converge_on_nva_close(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context, (void)direction;
    struct converge_link *link = speaker_peer_user(peer);
    link->closing = true;
}

void converge_lab_shell(struct controller_shell *shell)
{
    shell->flush_wanted = on_flush_wanted;
    shell->peer_changed = on_peer_changed;
    shell->connect = on_connect;
    shell->close = on_close;
    shell->output_ready = on_output_ready;
    shell->bfd_changed = on_bfd_changed;
    shell->backend_changed = on_backend_changed;
}

/* --- Links ------------------------------------------------------------------------------------ */

static void hang_up(struct converge_link *link, const char *reason)
{
    struct converge_lab *lab = link->lab;
    link->open = link->closing = false;
    speaker_closed(link->peer->speaker, link->peer->peer, BGP_OUTGOING, reason,
                   converge_now_ms(lab));
    speaker_closed(link->nva->speaker, link->nva_peer, BGP_INCOMING, reason, converge_now_ms(lab));
}

static void dial(struct converge_link *link)
{
    struct converge_lab *lab = link->lab;
    link->connect_wanted = false;
    if (is_cut(link)) {
        speaker_closed(link->peer->speaker, link->peer->peer, BGP_OUTGOING, "no answer",
                       converge_now_ms(lab));
        return;
    }
    link->open = true;
    link->closing = false;
    speaker_connected(link->nva->speaker, link->nva_peer, BGP_INCOMING, converge_now_ms(lab));
    speaker_connected(link->peer->speaker, link->peer->peer, BGP_OUTGOING, converge_now_ms(lab));
}

static void keep(struct converge_recording *recording, unsigned instance, const uint8_t *bytes,
                 size_t n)
{
    struct converge_bytes *kept = &recording->sessions[instance];
    if (kept->n + n > kept->capacity) {
        size_t capacity = 2 * (kept->capacity + n);
        uint8_t *grown = realloc(kept->bytes, capacity);
        if (!grown) {
            recording->error = -ENOMEM;
            return;
        }
        kept->bytes = grown;
        kept->capacity = capacity;
    }
    memcpy(kept->bytes + kept->n, bytes, n);
    kept->n += n;
}

/* Moves a chunk each way; false: there was nothing to move. */
static bool carry(struct converge_link *link)
{
    struct converge_lab *lab = link->lab;
    const struct controller_peer *peer = link->peer;
    uint64_t now = converge_now_ms(lab);
    uint64_t begin_ns = bench_cpu_ns();
    size_t to_nva = speaker_output(peer->speaker, peer->peer, BGP_OUTGOING, lab->chunk,
                                   CONVERGE_CHUNK_BYTES, now);
    lab->engine_ns += bench_cpu_ns() - begin_ns;
    if (to_nva)
        speaker_input(link->nva->speaker, link->nva_peer, BGP_INCOMING, lab->chunk, to_nva, now);
    size_t from_nva = speaker_output(link->nva->speaker, link->nva_peer, BGP_INCOMING, lab->chunk,
                                     CONVERGE_CHUNK_BYTES, now);
    if (from_nva && lab->recording && converge_is_first(peer)) {
        keep(lab->recording, peer->instance, lab->chunk, from_nva);
        return true;
    }
    begin_ns = bench_cpu_ns();
    if (from_nva)
        speaker_input(peer->speaker, peer->peer, BGP_OUTGOING, lab->chunk, from_nva, now);
    lab->engine_ns += bench_cpu_ns() - begin_ns;
    return to_nva + from_nva > 0;
}

/* True: something went on. */
static bool link_turn(struct converge_link *link)
{
    if (link->connect_wanted) {
        dial(link);
        return true;
    }
    if (!link->open)
        return false;
    if (!is_cut(link) && carry(link))
        return true;
    if (!link->closing)
        return false;
    hang_up(link, "closed");
    return true;
}

/* --- BFD -------------------------------------------------------------------------------------- */

void converge_bfd_to_nvas(struct converge_lab *lab)
{
    struct bfd_table *table = controller_bfd(lab->controller);
    struct bfd_datagram datagram;
    while (bfd_table_output(table, lab->now_us, &datagram)) {
        const struct controller_peer *peer = datagram.user;
        const struct bfd_path *path = bfd_table_path(table, peer->bfd);
        const struct bfd_path mirrored = {path->remote, path->local, path->multihop};
        if (!is_cut(peer->shell))
            bfd_table_input(lab->nva_bfd, &mirrored, BFD_TTL_SENT, datagram.bytes,
                            sizeof(datagram.bytes), lab->now_us);
    }
}

void converge_bfd_from_nvas(struct converge_lab *lab)
{
    struct bfd_table *table = controller_bfd(lab->controller);
    struct bfd_datagram datagram;
    while (bfd_table_output(lab->nva_bfd, lab->now_us, &datagram)) {
        const struct converge_link *link = datagram.user;
        if (!is_cut(link))
            bfd_table_input(table, bfd_table_path(table, link->peer->bfd), BFD_TTL_SENT,
                            datagram.bytes, sizeof(datagram.bytes), lab->now_us);
    }
}

/* --- Probes ----------------------------------------------------------------------------------- */

void converge_ask_backends(struct converge_lab *lab)
{
    struct probes *probes = controller_probes(lab->controller);
    uint64_t now = converge_now_ms(lab);
    struct probe_order order;
    if (!probes)
        return;
    probes_tick(probes, now);
    while (probes_next(probes, now, &order))
        if (!lab->mute || order.backend != 0)
            probes_result(probes, order.target, order.sequence, true, now);
}

/* --- Time ------------------------------------------------------------------------------------- */

static bool tick(struct converge_lab *lab, struct speaker *speaker)
{
    if (speaker_deadline(speaker) > converge_now_ms(lab))
        return false;
    speaker_tick(speaker, converge_now_ms(lab));
    return true;
}

/* The route servers' own work that is due: timers, slices of a large change, the flush. *entries
 * counts what the flush changed. Returns whether there was any, or -errno. */
int converge_engine_turn(struct converge_lab *lab, unsigned *entries)
{
    bool busy = lab->flush_wanted;
    uint64_t begin_ns = bench_cpu_ns();
    int changed = 0;
    for (size_t i = 0; i < controller_speaker_count(lab->controller); i++)
        busy |= tick(lab, controller_speaker(lab->controller, i));
    if (lab->flush_wanted) {
        lab->flush_wanted = false;
        changed = controller_flush(lab->controller);
        if (changed < 0)
            return changed;
        *entries += (unsigned)changed;
    }
    lpm_rcu_quiescent();
    lpm_rcu_poll();
    lab->engine_ns += bench_cpu_ns() - begin_ns;
    if (changed > 0)
        lab->programmed_ns = lab->engine_ns;
    return busy;
}

int converge_turn(struct converge_lab *lab, unsigned *entries)
{
    bool busy = false;
    converge_bfd_from_nvas(lab);
    converge_bfd_to_nvas(lab);
    converge_ask_backends(lab);
    busy |= controller_bfd_settle(lab->controller, converge_now_ms(lab)) > 0;
    for (size_t i = 0; i < lab->link_count; i++)
        busy |= link_turn(&lab->links[i]);
    for (unsigned i = 0; i < lab->nva_count; i++)
        busy |= tick(lab, lab->nvas[i].speaker);
    int more = converge_engine_turn(lab, entries);
    return more < 0 ? more : busy || more;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t us_of(uint64_t deadline)
{
    return deadline > UINT64_MAX / 1000u ? UINT64_MAX : deadline * 1000u;
}

/* To the next deadline; speakers count in milliseconds, and no turn is to find nothing due. */
void converge_jump(struct converge_lab *lab)
{
    uint64_t next = sooner(bfd_table_deadline(controller_bfd(lab->controller)),
                           bfd_table_deadline(lab->nva_bfd));
    for (size_t i = 0; i < controller_speaker_count(lab->controller); i++)
        next = sooner(next, us_of(speaker_deadline(controller_speaker(lab->controller, i))));
    for (unsigned i = 0; i < lab->nva_count; i++)
        next = sooner(next, us_of(speaker_deadline(lab->nvas[i].speaker)));
    if (controller_probes(lab->controller))
        next = sooner(next, us_of(probes_deadline(controller_probes(lab->controller))));
    lab->now_us = next > lab->now_us && next != UINT64_MAX ? next : lab->now_us + 1000u;
}

static bool all_up(const struct converge_lab *lab)
{
    for (size_t i = 0; i < lab->link_count; i++) {
        const struct controller_peer *peer = lab->links[i].peer;
        if (!peer->established || bfd_session_state(peer->bfd) != BFD_UP)
            return false;
    }
    return true;
}

int converge_settle(struct converge_lab *lab, unsigned *entries, struct bench_error *error)
{
    uint64_t limit_us = lab->now_us + SETTLE_MS * UINT64_C(1000);
    int busy;
    while ((busy = converge_turn(lab, entries)) >= 0 && (busy || !all_up(lab))) {
        if (lab->now_us > limit_us) {
            busy = -ETIMEDOUT;
            break;
        }
        if (!busy)
            converge_jump(lab);
    }
    if (busy < 0)
        snprintf(error->text, sizeof(error->text), "the NVAs' routes cannot be programmed: %s",
                 strerror(-busy));
    return busy;
}

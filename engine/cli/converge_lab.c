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
#include "engine/cli/converge_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/cli/converge_fabric.h"
#include "engine/cli/converge_probe.h"
#include "engine/fabric/load.h"
#include "engine/fabric/route_server.h"
#include "lpm/rcu.h"

#define CHUNK_BYTES 65536u
/* Of virtual time, above the longest pause that a session which failed often makes. */
#define SETTLE_MS    3600000u
#define BFD_TTL_SENT 255

struct nva {
    struct speaker *speaker;
};

struct link {
    struct converge_lab *lab;
    struct controller_peer *peer; /* the route server's end */
    struct nva *nva;
    struct speaker_peer *nva_peer;
    bool connect_wanted, open;
    bool closing; /* an end wants it closed once it has said its last words */
};

struct converge_lab {
    struct fabric *fabric;
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct controller *controller;
    struct nva nvas[CONVERGE_NVAS_MAX];
    size_t nva_count;
    struct bfd_table *nva_bfd;
    struct link *links;
    size_t link_count;
    size_t prefixes;
    uint64_t now_us;
    bool dead; /* the first NVA: nothing comes from it or gets to it */
    bool flush_wanted;
    uint64_t engine_ns;     /* spent by the engine */
    uint64_t programmed_ns; /* the same, when the last flush that changed something was done */
    uint64_t swapped_ns;    /* when its next hop had left every group; 0: not yet */
    uint8_t chunk[CHUNK_BYTES];
};

static uint64_t now_ms(const struct converge_lab *lab)
{
    return lab->now_us / 1000u;
}

/* Other programs cost nothing that is ours: what is measured here never sleeps. */
static uint64_t cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static bool is_first(const struct controller_peer *peer)
{
    return peer->index == 0;
}

static bool is_cut(const struct link *link)
{
    return link->lab->dead && is_first(link->peer);
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
        if (is_first(peer) && (peer->established || peer->retained) && !peer->bfd_failed)
            return;
    }
    if (lab->dead && lab->swapped_ns == 0)
        lab->swapped_ns = cpu_ns();
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

static void on_connect(void *context, struct controller_peer *peer)
{
    (void)context;
    struct link *link = peer->shell;
    link->connect_wanted = true;
}

static void on_close(void *context, struct controller_peer *peer, enum bgp_direction direction)
{
    (void)context, (void)direction;
    struct link *link = peer->shell;
    link->closing = true;
}

/* Every link is asked for output in every turn. */
static void on_output_ready(void *context, struct controller_peer *peer,
                            enum bgp_direction direction)
{
    (void)context, (void)peer, (void)direction;
}

static void on_nva_close(void *context, struct speaker_peer *peer, enum bgp_direction direction)
{
    (void)context, (void)direction;
    struct link *link = speaker_peer_user(peer);
    link->closing = true;
}

/* --- Links ------------------------------------------------------------------------------------ */

static void hang_up(struct link *link, const char *reason)
{
    struct converge_lab *lab = link->lab;
    link->open = link->closing = false;
    speaker_closed(link->peer->speaker, link->peer->peer, BGP_OUTGOING, reason, now_ms(lab));
    speaker_closed(link->nva->speaker, link->nva_peer, BGP_INCOMING, reason, now_ms(lab));
}

static void dial(struct link *link)
{
    struct converge_lab *lab = link->lab;
    link->connect_wanted = false;
    if (is_cut(link)) {
        speaker_closed(link->peer->speaker, link->peer->peer, BGP_OUTGOING, "no answer",
                       now_ms(lab));
        return;
    }
    link->open = true;
    link->closing = false;
    speaker_connected(link->nva->speaker, link->nva_peer, BGP_INCOMING, now_ms(lab));
    speaker_connected(link->peer->speaker, link->peer->peer, BGP_OUTGOING, now_ms(lab));
}

/* Moves a chunk each way; false: there was nothing to move. */
static bool carry(struct link *link)
{
    struct converge_lab *lab = link->lab;
    const struct controller_peer *peer = link->peer;
    uint64_t now = now_ms(lab);
    uint64_t begin_ns = cpu_ns();
    size_t to_nva =
        speaker_output(peer->speaker, peer->peer, BGP_OUTGOING, lab->chunk, CHUNK_BYTES, now);
    lab->engine_ns += cpu_ns() - begin_ns;
    if (to_nva)
        speaker_input(link->nva->speaker, link->nva_peer, BGP_INCOMING, lab->chunk, to_nva, now);
    size_t from_nva = speaker_output(link->nva->speaker, link->nva_peer, BGP_INCOMING, lab->chunk,
                                     CHUNK_BYTES, now);
    begin_ns = cpu_ns();
    if (from_nva)
        speaker_input(peer->speaker, peer->peer, BGP_OUTGOING, lab->chunk, from_nva, now);
    lab->engine_ns += cpu_ns() - begin_ns;
    return to_nva + from_nva > 0;
}

/* True: something went on. */
static bool link_turn(struct link *link)
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

static void bfd_to_nvas(struct converge_lab *lab)
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

static void bfd_from_nvas(struct converge_lab *lab)
{
    struct bfd_table *table = controller_bfd(lab->controller);
    struct bfd_datagram datagram;
    while (bfd_table_output(lab->nva_bfd, lab->now_us, &datagram)) {
        const struct link *link = datagram.user;
        if (!is_cut(link))
            bfd_table_input(table, bfd_table_path(table, link->peer->bfd), BFD_TTL_SENT,
                            datagram.bytes, sizeof(datagram.bytes), lab->now_us);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

static bool tick(struct converge_lab *lab, struct speaker *speaker)
{
    if (speaker_deadline(speaker) > now_ms(lab))
        return false;
    speaker_tick(speaker, now_ms(lab));
    return true;
}

/* The route servers' own work that is due: timers, slices of a large change, the flush. *entries
 * counts what the flush changed. Returns whether there was any, or -errno. */
static int engine_turn(struct converge_lab *lab, unsigned *entries)
{
    bool busy = lab->flush_wanted;
    uint64_t begin_ns = cpu_ns();
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
    lab->engine_ns += cpu_ns() - begin_ns;
    if (changed > 0)
        lab->programmed_ns = lab->engine_ns;
    return busy;
}

/* Everything that is due now, once. Returns as engine_turn(). */
static int turn(struct converge_lab *lab, unsigned *entries)
{
    bool busy = false;
    bfd_from_nvas(lab);
    bfd_to_nvas(lab);
    busy |= controller_bfd_settle(lab->controller, now_ms(lab)) > 0;
    for (size_t i = 0; i < lab->link_count; i++)
        busy |= link_turn(&lab->links[i]);
    for (unsigned i = 0; i < lab->nva_count; i++)
        busy |= tick(lab, lab->nvas[i].speaker);
    int more = engine_turn(lab, entries);
    return more < 0 ? more : busy || more;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_us(const struct speaker *speaker)
{
    uint64_t deadline = speaker_deadline(speaker);
    return deadline > UINT64_MAX / 1000u ? UINT64_MAX : deadline * 1000u;
}

/* To the next deadline; speakers count in milliseconds, and no turn is to find nothing due. */
static void jump(struct converge_lab *lab)
{
    uint64_t next = sooner(bfd_table_deadline(controller_bfd(lab->controller)),
                           bfd_table_deadline(lab->nva_bfd));
    for (size_t i = 0; i < controller_speaker_count(lab->controller); i++)
        next = sooner(next, deadline_us(controller_speaker(lab->controller, i)));
    for (unsigned i = 0; i < lab->nva_count; i++)
        next = sooner(next, deadline_us(lab->nvas[i].speaker));
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

static int settle(struct converge_lab *lab, unsigned *entries, struct bench_error *error)
{
    uint64_t limit_us = lab->now_us + SETTLE_MS * UINT64_C(1000);
    int busy;
    while ((busy = turn(lab, entries)) >= 0 && (busy || !all_up(lab))) {
        if (lab->now_us > limit_us) {
            busy = -ETIMEDOUT;
            break;
        }
        if (!busy)
            jump(lab);
    }
    if (busy < 0)
        snprintf(error->text, sizeof(error->text), "the NVAs' routes cannot be programmed: %s",
                 strerror(-busy));
    return busy;
}

/* --- Failure ---------------------------------------------------------------------------------- */

/* Returns when the turn began in which the last instance noticed. What goes to the other NVA in
 * that turn is engine's work too, and stays in. */
static uint64_t fall_silent(struct converge_lab *lab)
{
    uint64_t begin_ns = 0;
    while (lab->swapped_ns == 0) {
        jump(lab);
        bfd_from_nvas(lab);
        begin_ns = cpu_ns();
        bfd_to_nvas(lab);
    }
    return begin_ns;
}

static uint64_t close_connections(struct converge_lab *lab)
{
    uint64_t begin_ns = cpu_ns();
    for (size_t i = 0; i < lab->link_count; i++)
        if (is_first(lab->links[i].peer))
            speaker_closed(lab->links[i].peer->speaker, lab->links[i].peer->peer, BGP_OUTGOING,
                           "closed by the peer", now_ms(lab));
    return begin_ns;
}

/* From the groups on: closes what BFD declared dead, then slices and flushes until the speakers
 * have nothing more that is due. */
static int finish(struct converge_lab *lab, struct converge_sample *sample)
{
    int busy = 1;
    controller_bfd_settle(lab->controller, now_ms(lab));
    while (busy > 0)
        busy = engine_turn(lab, &sample->entries);
    return busy;
}

/* What the peer's host was told while it was dead is lost; its own end finds that out now. */
static int come_back(struct converge_lab *lab, struct bench_error *error)
{
    for (size_t i = 0; i < lab->link_count; i++) {
        struct link *link = &lab->links[i];
        if (!is_first(link->peer))
            continue;
        link->open = link->closing = false;
        speaker_closed(link->nva->speaker, link->nva_peer, BGP_INCOMING, "reset", now_ms(lab));
    }
    lab->dead = false;
    unsigned entries = 0;
    return settle(lab, &entries, error);
}

int converge_lab_fail(struct converge_lab *lab, enum converge_event event,
                      struct converge_sample *sample, struct bench_error *error)
{
    struct converge_probe probe = {lab->forwarding, lab->fabric,
                                   controller_program(lab->controller), lab->prefixes};
    *sample = (struct converge_sample){.wrong = converge_probe_shared(&probe)};
    lab->dead = true;
    lab->swapped_ns = 0;
    uint64_t begin_ns = event == CONVERGE_BFD_DOWN ? fall_silent(lab) : close_connections(lab);
    uint64_t first_ns = cpu_ns() - begin_ns;
    if (lab->swapped_ns == 0) {
        snprintf(error->text, sizeof(error->text), "the dead NVA is still in the groups");
        return -EPROTO;
    }
    sample->swap_us = (double)(lab->swapped_ns - begin_ns) / 1e3;
    sample->wrong += converge_probe_moved(&probe);
    begin_ns = cpu_ns();
    int status = finish(lab, sample);
    sample->fib_us = (double)(first_ns + cpu_ns() - begin_ns) / 1e3;
    sample->wrong += converge_probe_moved(&probe);
    if (status == 0)
        return come_back(lab, error);
    snprintf(error->text, sizeof(error->text), "the failure cannot be programmed: %s",
             strerror(-status));
    return status;
}

/* --- One route -------------------------------------------------------------------------------- */

int converge_lab_change(struct converge_lab *lab, bool announce, struct converge_sample *sample,
                        struct bench_error *error)
{
    struct speaker *nva = lab->nvas[0].speaker;
    struct lpm_prefix prefix = converge_prefix(lab->nva_count * lab->prefixes);
    uint64_t begin_ns = lab->engine_ns;
    *sample = (struct converge_sample){0};
    int status =
        announce ? fabric_originate_prefixes(nva, &prefix, 1) : speaker_withdraw(nva, &prefix);
    if (status)
        snprintf(error->text, sizeof(error->text), "no memory for one more prefix");
    else
        status = settle(lab, &sample->entries, error);
    sample->fib_us = (double)(lab->programmed_ns - begin_ns) / 1e3;
    return status;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int open_nva(struct nva *nva, size_t first, size_t prefixes)
{
    const struct speaker_config config = {
        .name = "nva",
        .asn = 65001,
        .prepend_own_asn = true,
        .handler = {.close = on_nva_close},
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
static int open_session(struct link *link)
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

static int open_link(struct converge_lab *lab, struct link *link, struct controller_peer *peer)
{
    struct bfd_table *table = controller_bfd(lab->controller);
    const struct fabric_bfd *bfd =
        &lab->fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    const struct bfd_path *path = bfd_table_path(table, peer->bfd);
    const struct bfd_path mirrored = {path->remote, path->local, path->multihop};
    const struct bfd_session *session;
    *link = (struct link){.lab = lab, .peer = peer, .nva = &lab->nvas[peer->index]};
    peer->shell = link;
    lab->link_count++;
    int error = open_session(link);
    if (!error)
        error = bfd_table_add(lab->nva_bfd, &mirrored, bfd->interval_ms * 1000,
                              (uint8_t)bfd->multiplier, link, &session);
    if (error)
        return error;
    bfd_table_start(lab->nva_bfd, session, lab->now_us, 0);
    speaker_peer_start(link->nva->speaker, link->nva_peer, now_ms(lab));
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
    const struct controller_shell shell = {
        .context = lab,
        .flush_wanted = on_flush_wanted,
        .peer_changed = on_peer_changed,
        .connect = on_connect,
        .close = on_close,
        .output_ready = on_output_ready,
        .bfd_changed = on_bfd_changed,
        .seed = 1,
    };
    const struct bfd_table_config bfd = {.seed = 2, .changed = on_nva_bfd, .context = lab};
    const struct dp_forwarding_config config = program_forwarding_config(lab->fabric, 1);
    lab->lpm = lpm_create();
    if (lab->lpm)
        lab->forwarding = dp_forwarding_create(&config, lab->lpm);
    lab->nva_bfd = bfd_table_create(&bfd);
    uint64_t begin_ns = cpu_ns();
    if (lab->forwarding && lab->nva_bfd)
        lab->controller = controller_create(lab->fabric, lab->forwarding, false, &shell, error);
    lab->engine_ns += cpu_ns() - begin_ns;
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
    lab->prefixes = size->prefixes;
    lab->nva_count = size->nvas;
    lab->now_us = 1000000u;
    lpm_rcu_register_thread();
    uint64_t begin_ns = cpu_ns();
    lab->fabric = converge_fabric_make(size, error);
    lab->engine_ns = cpu_ns() - begin_ns;
    if (!lab->fabric)
        goto fail;
    if (open_parts(lab, size, why) != 0) {
        snprintf(error->text, sizeof(error->text), "%zu prefixes, %zu NICs: %s", size->prefixes,
                 size->nics, why);
        goto fail;
    }
    controller_start(lab->controller, now_ms(lab));
    unsigned entries = 0;
    if (settle(lab, &entries, error) == 0)
        return lab;
fail:
    converge_lab_close(lab);
    return NULL;
}

void converge_lab_close(struct converge_lab *lab)
{
    if (!lab)
        return;
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

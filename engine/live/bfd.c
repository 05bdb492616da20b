/*
 * Serving BFD: its timer, its log, its report. See bfd.h; sockets are bfd_socket.c's.
 */
#include "engine/live/bfd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "engine/live/bfd_private.h"
#include "engine/live/log.h"

/* Bursts taken from one socket in one turn: a flood has the kernel drop, not the loop stand. */
#define BURSTS_MAX 8u
#define BREATHE_NS 1000000u
/* Lines about one session in the log: a peer may change its mind with every packet. */
#define LINES_PER_SECOND 4u

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000u;
}

/* --- Serving ---------------------------------------------------------------------------------- */

static void take(struct live_bfd *bfd, const struct live_bfd_listener *listener)
{
    struct bfd_table *table = controller_bfd(bfd->live->plane.controller);
    unsigned bursts = 0;
    do {
        live_datagram_receive(listener->fd, &bfd->datagrams);
        for (unsigned i = 0; i < bfd->datagrams.n; i++) {
            const struct live_datagram *datagram = &bfd->datagrams.items[i];
            struct bfd_path path = {listener->local, datagram->source, listener->multihop};
            bfd_table_input(table, &path, datagram->ttl, datagram->bytes, datagram->n, now_us());
        }
    } while (bfd->datagrams.n == LIVE_DATAGRAM_BURST && ++bursts < BURSTS_MAX);
}

static void send_due(struct live_bfd *bfd)
{
    struct controller *controller = bfd->live->plane.controller;
    struct bfd_datagram datagram;
    while (bfd_table_output(controller_bfd(controller), now_us(), &datagram)) {
        const struct controller_peer *peer = datagram.user;
        const struct live_bfd_sender *sender = &bfd->senders[peer->number];
        struct live_endpoint remote = {datagram.path->remote, live_bfd_port_of(datagram.path),
                                       sender->interface[0] ? sender->interface : NULL};
        /* No way to the peer, or a full queue: the same as a packet lost, and counted. */
        if (sender->fd < 0 ||
            live_datagram_send(sender->fd, &remote, datagram.bytes, sizeof(datagram.bytes)) != 0)
            bfd->send_errors++;
    }
}

static void set_timer(struct live_bfd *bfd)
{
    uint64_t due_us = bfd_table_deadline(controller_bfd(bfd->live->plane.controller));
    if (due_us == bfd->timer_us)
        return;
    bfd->timer_us = due_us;
    struct itimerspec timer = {0}; /* zero: off */
    if (due_us != UINT64_MAX) {
        timer.it_value.tv_sec = (time_t)(due_us / 1000000u);
        timer.it_value.tv_nsec = (long)(due_us % 1000000u) * 1000 + 1;
    }
    /* Monotonic time, as uv_hrtime() has it. */
    timerfd_settime(bfd->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

void live_bfd_serve(struct live *live)
{
    struct live_bfd *bfd = live->bfd;
    if (!bfd)
        return;
    uint64_t begin_us = now_us();
    if (begin_us > bfd->timer_us && begin_us - bfd->timer_us > bfd->late_us_most)
        bfd->late_us_most = begin_us - bfd->timer_us;
    for (size_t i = 0; i < bfd->listener_count; i++)
        take(bfd, bfd->listeners[i]);
    send_due(bfd);
    bfd->served_ns = uv_hrtime();
    /* Last: closing a session can be long work. */
    controller_bfd_settle(live->plane.controller, live_now());
    set_timer(bfd);
}

void live_bfd_settle(struct live *live)
{
    if (live->bfd)
        set_timer(live->bfd);
}

void live_bfd_breathe(struct live *live)
{
    const struct live_bfd *bfd = live->bfd;
    if (!bfd)
        return;
    uint64_t now_ns = uv_hrtime();
    if (now_ns - bfd->served_ns >= BREATHE_NS || now_ns / 1000u >= bfd->timer_us)
        live_bfd_serve(live);
}

static void on_timer(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct live_bfd *bfd = poll->data;
    uint64_t expirations;
    /* Read only so that it is not ready any more; it may have been set anew and have nothing. */
    ssize_t n = read(bfd->timer_fd, &expirations, sizeof(expirations));
    (void)n;
    live_bfd_serve(bfd->live);
}

void live_bfd_on_datagram(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    const struct live_bfd_listener *listener = poll->data;
    live_bfd_serve(listener->live);
}

/* --- Log -------------------------------------------------------------------------------------- */

static void on_changed(void *context, struct controller_peer *controller_peer,
                       const struct bfd_change *change)
{
    struct live *live = context;
    struct live_peer *peer = controller_peer->shell;
    if (!peer || live->stopping || (change->from != BFD_UP && change->to != BFD_UP))
        return;
    if (change->to == BFD_ADMIN_DOWN)
        return; /* it follows its BGP session, which has a line of its own */
    uint64_t second = live_now() / 1000u;
    if (peer->bfd_lines_second != second) {
        peer->bfd_lines_second = second;
        peer->bfd_lines = 0;
    }
    if (peer->bfd_lines++ >= LINES_PER_SECOND)
        return;
    if (change->to == BFD_UP)
        live_log("%s BFD Up", peer->label);
    else
        live_log("%s BFD %s: %s%s", peer->label, bfd_state_text(change->to),
                 bfd_diagnostic_text(change->diagnostic),
                 change->failed ? "" : " (no failure: the BGP session stays)");
}

void live_bfd_shell(struct controller_shell *shell)
{
    shell->bfd_changed = on_changed;
    /* Without randomness from the kernel it would be guessable, not wrong. */
    if (getrandom(&shell->seed, sizeof(shell->seed), 0) != sizeof(shell->seed))
        shell->seed = uv_hrtime();
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int open_timer(struct live_bfd *bfd, char error[DP_ERROR_TEXT])
{
    bfd->timer_us = UINT64_MAX;
    bfd->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int status =
        bfd->timer_fd < 0 ? -errno : uv_poll_init(&bfd->live->loop, &bfd->timer, bfd->timer_fd);
    if (status) {
        snprintf(error, DP_ERROR_TEXT, "cannot make a timer for BFD: %s", strerror(-status));
        return status;
    }
    bfd->timer_open = true;
    bfd->timer.data = bfd;
    return uv_poll_start(&bfd->timer, UV_READABLE, on_timer);
}

int live_bfd_make(struct live *live, char error[DP_ERROR_TEXT])
{
    struct live_bfd *bfd = calloc(1, sizeof(*bfd));
    if (!bfd)
        return -ENOMEM;
    live->bfd = bfd;
    bfd->live = live;
    bfd->timer_fd = -1;
    int status = open_timer(bfd, error);
    if (status && !bfd->timer_open) { /* the loop has nothing of it */
        if (bfd->timer_fd >= 0)
            close(bfd->timer_fd);
        live->bfd = NULL;
        free(bfd);
    }
    return status;
}

int live_bfd_open(struct live *live, char error[DP_ERROR_TEXT])
{
    if (bfd_table_count(controller_bfd(live->plane.controller)) == 0)
        return 0;
    int status = live_bfd_make(live, error);
    return status ? status : live_bfd_open_sockets(live->bfd, error);
}

/* --- Closing ---------------------------------------------------------------------------------- */

void live_bfd_close(struct live_bfd *bfd)
{
    if (!bfd)
        return;
    for (size_t i = 0; i < bfd->listener_count; i++)
        live_bfd_close_listener(bfd->listeners[i]);
    bfd->listener_count = 0;
    for (size_t i = 0; i < bfd->sender_count; i++)
        if (bfd->senders[i].fd >= 0)
            close(bfd->senders[i].fd);
    if (bfd->timer_open)
        uv_close((uv_handle_t *)&bfd->timer, NULL);
    if (bfd->timer_fd >= 0)
        close(bfd->timer_fd);
}

void live_bfd_free(struct live_bfd *bfd)
{
    if (!bfd)
        return;
    free(bfd->listeners);
    free(bfd->senders);
    free(bfd);
}

/* --- Report ----------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *milliseconds(uint64_t microseconds)
{
    return json_real((double)microseconds / 1000.0);
}

json_t *live_bfd_report(const struct controller_peer *peer)
{
    struct bfd_info info;
    if (!peer->bfd)
        return NULL;
    bfd_session_info(peer->bfd, &info);
    json_t *row = json_object();
    json_object_set_new(row, "state", json_string(bfd_state_text(info.state)));
    json_object_set_new(row, "since_seconds", json_real((double)(now_us() - info.since_us) / 1e6));
    json_object_set_new(row, "diagnostic", json_string(bfd_diagnostic_text(info.diagnostic)));
    json_object_set_new(row, "discriminator", number(info.discriminator));
    json_object_set_new(row, "remote_state", json_string(bfd_state_text(info.remote_state)));
    json_object_set_new(row, "remote_diagnostic",
                        json_string(bfd_diagnostic_text(info.remote_diagnostic)));
    json_object_set_new(row, "remote_discriminator", number(info.remote_discriminator));
    json_object_set_new(row, "transmit_ms", milliseconds(info.transmit_us));
    json_object_set_new(row, "detection_ms", milliseconds(info.detection_us));
    json_object_set_new(row, "packets_in", number(info.packets_in));
    json_object_set_new(row, "packets_out", number(info.packets_out));
    json_object_set_new(row, "went_up", number(info.went_up));
    json_object_set_new(row, "went_down", number(info.went_down));
    json_object_set_new(row, "last_down", json_string(bfd_diagnostic_text(info.last_down)));
    return row;
}

json_t *live_bfd_report_all(const struct live *live)
{
    if (!live->bfd)
        return NULL;
    const struct bfd_table *table = controller_bfd(live->plane.controller);
    json_t *object = json_object(), *discarded = json_object();
    for (unsigned i = BFD_TAKEN + 1; i < BFD_DISCARDS; i++) {
        uint64_t n = bfd_table_datagrams(table, (enum bfd_discard)i);
        if (n)
            json_object_set_new(discarded, bfd_discard_name((enum bfd_discard)i), number(n));
    }
    json_object_set_new(object, "taken", number(bfd_table_datagrams(table, BFD_TAKEN)));
    json_object_set_new(object, "discarded", discarded);
    json_object_set_new(object, "send_errors", number(live->bfd->send_errors));
    json_object_set_new(object, "late_ms_most", milliseconds(live->bfd->late_us_most));
    return object;
}

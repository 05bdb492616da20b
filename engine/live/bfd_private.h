/*
 * What the files of BFD's sockets share.
 *
 *   live_bfd ─┬─ listeners[]   (local address, port) of sessions, each once
 *             ├─ senders[]     by number of the controller's session
 *             └─ timer         when bfd_table_output() is wanted next
 */
#ifndef ENGINE_LIVE_BFD_PRIVATE_H
#define ENGINE_LIVE_BFD_PRIVATE_H

#include <net/if.h>

#include "engine/live/bfd.h"
#include "engine/live/datagram.h"

struct live_bfd_listener {
    uv_poll_t poll;
    struct live *live;
    int fd;
    struct lpm_address local;
    bool multihop;
    bool wanted; /* by a session of the reading that is in force */
};

/* Of one session: its socket has a source port of its own. */
struct live_bfd_sender {
    int fd;                      /* -1: none */
    char interface[IF_NAMESIZE]; /* "": any */
};

struct live_bfd {
    struct live *live;
    uv_poll_t timer;
    int timer_fd;
    bool timer_open;
    uint64_t timer_us; /* what the timer is set to */
    uint64_t served_ns;
    uint64_t late_us_most, send_errors;
    struct live_bfd_listener **listeners;
    size_t listener_count;
    struct live_bfd_sender *senders;
    size_t sender_count;
    unsigned next_port; /* offset from SOURCE_PORT_FIRST */
    struct live_datagrams datagrams;
};

static inline uint16_t live_bfd_port_of(const struct bfd_path *path)
{
    return path->multihop ? BFD_PORT_MULTIHOP : BFD_PORT_SINGLE_HOP;
}

/* bfd.c: with its timer, and no socket. -errno: error, and there is none. */
int live_bfd_make(struct live *live, char error[DP_ERROR_TEXT]);
void live_bfd_on_datagram(uv_poll_t *poll, int status, int events);

/* bfd_socket.c: all that the controller's sessions want and have not. -errno: error names the peer. */
int live_bfd_open_sockets(struct live_bfd *bfd, char error[DP_ERROR_TEXT]);
/* Frees it, once the loop has let go of its handle. */
void live_bfd_close_listener(struct live_bfd_listener *listener);

#endif

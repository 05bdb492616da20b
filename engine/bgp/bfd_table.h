/*
 * The BFD sessions of one system: which session a packet belongs to, and whose turn is next.
 *
 *   datagram ──> decode ──> by your discriminator, else by addresses ──> session ──> changed
 *   datagram <── the session whose deadline is nearest (a heap)
 *
 * Sans-I/O like its sessions; see bfd.h for time and for the order of calls. A datagram that comes
 * costs one look-up, one that goes O(log n); nothing is queued. Sessions live as long as the table.
 *
 * Threads: one. `changed` is told within start, stop, input and output, and may call none of them.
 */
#ifndef ENGINE_BGP_BFD_TABLE_H
#define ENGINE_BGP_BFD_TABLE_H

#include "engine/bgp/bfd.h"
#include "lpm/lpm.h"

struct bfd_table;

/* Between which addresses, and of which kind: RFC 5881 or RFC 5883. */
struct bfd_path {
    struct lpm_address local, remote;
    bool multihop;
};

struct bfd_table_config {
    uint64_t seed; /* of discriminators and jitter: hard to guess where strangers may send */
    void (*changed)(void *context, void *user, const struct bfd_change *change);
    void *context;
};

struct bfd_table *bfd_table_create(const struct bfd_table_config *config); /* NULL with errno */
void bfd_table_destroy(struct bfd_table *table);                           /* NULL is allowed */

/* Adds a session, which waits for bfd_table_start(). user is given to `changed` and with datagrams.
 * -EEXIST: there is one of that path; -ENOSPC: there are BFD_TABLE_MAX; -EINVAL; -ENOMEM. */
#define BFD_TABLE_MAX 65536u
int bfd_table_add(struct bfd_table *table, const struct bfd_path *path, uint32_t interval_us,
                  uint8_t multiplier, void *user, const struct bfd_session **session);
/* One session of this table, as bfd_session_start() and bfd_session_stop(). */
void bfd_table_start(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us,
                     uint64_t delay_us);
void bfd_table_stop(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us);
/* Stops it for good: bfd_table_add() may make another one of its path from now on, whereby this one ends to be. */
void bfd_table_retire(struct bfd_table *table, const struct bfd_session *session, uint64_t now_us);
void bfd_table_stop_all(struct bfd_table *table, uint64_t now_us);

/* A datagram that came to path->local from path->remote, to the port of path->multihop; ttl: its
 * TTL or hop limit, 0 when it is not known. */
enum bfd_discard bfd_table_input(struct bfd_table *table, const struct bfd_path *path, int ttl,
                                 const uint8_t *bytes, size_t n, uint64_t now_us);

struct bfd_datagram {
    void *user;                  /* of the session that sends it */
    const struct bfd_path *path; /* its */
    uint8_t bytes[BFD_PACKET_SIZE];
};
/* Runs the timers that are due, and gives the next datagram; false: nothing more is due. After all
 * that has come was given by bfd_table_input(). */
bool bfd_table_output(struct bfd_table *table, uint64_t now_us, struct bfd_datagram *datagram);
/* When bfd_table_output() is wanted next; UINT64_MAX: never. */
uint64_t bfd_table_deadline(const struct bfd_table *table);

/* Of a session of this table. */
const struct bfd_path *bfd_table_path(const struct bfd_table *table,
                                      const struct bfd_session *session);
size_t bfd_table_count(const struct bfd_table *table);
/* How many datagrams were not taken, for this reason (BFD_TAKEN: how many were). */
uint64_t bfd_table_datagrams(const struct bfd_table *table, enum bfd_discard discard);

#endif

/*
 * A collector's view of a speaker (BMP: RFC 7854, RFC 8671, RFC 9069), sans-I/O: whole messages are pulled
 * when the collector's connection has room for them.
 *
 *   speaker's tables --marks--> struct rib_monitor --rib_monitor_output()--> bytes of one collector
 *
 * First every session that is up is told, with what its tables hold, in slices, then End-of-RIB, then
 * changes. What is to be said is looked up at the moment of saying: the latest state wins, and a collector
 * that does not read costs two bits for each prefix, peer and kind of route, and four octets for each
 * prefix, never a queue of messages. Nothing of this is on the way of an UPDATE but the setting of a bit.
 *
 * A monitor is made when a collector's connection is there, and destroyed when it is gone. The session
 * of a peer with another instance of a route server is another peer to the collector: they are told
 * apart by the distinguisher.
 */
#ifndef ENGINE_RIB_MONITOR_H
#define ENGINE_RIB_MONITOR_H

#include "engine/rib/speaker.h"

/* What the collector is told. */
#define RIB_MONITOR_PRE_POLICY 0x1u /* Adj-RIB-In as it was received */
#define RIB_MONITOR_POST_POLICY                                                                    \
    0x2u /* Adj-RIB-In, as import policy left it, without what was filtered */
#define RIB_MONITOR_ADJ_RIB_OUT 0x4u /* what was sent to the peer, after policy */
#define RIB_MONITOR_LOC_RIB     0x8u /* the one best path of each prefix, own routes too */

/* No message is longer. */
#define RIB_MONITOR_MESSAGE_MAX (48u + BGP_EXTENDED_MESSAGE_MAX)

/* How a peer's session is described to a collector. */
struct rib_monitored {
    uint64_t distinguisher; /* 0: it needs none */
    uint16_t local_port, remote_port;
    char name[200]; /* for people; "": none */
};

struct rib_monitor_config {
    uint32_t routes;   /* RIB_MONITOR_... */
    int64_t offset_ms; /* from the speaker's time to that since 1970 */
    void *context;
    /* Fills *monitored for a peer, or (NULL) for the Loc-RIB, whose name is that of the table. Called
     * from within rib_monitor_output(). */
    void (*describe)(void *context, const struct speaker_peer *peer,
                     struct rib_monitored *monitored);
};

struct rib_monitor;

/* speaker is borrowed, and outlives the monitor. NULL with errno. */
struct rib_monitor *rib_monitor_create(struct speaker *speaker,
                                       const struct rib_monitor_config *config);
void rib_monitor_destroy(struct rib_monitor *monitor); /* NULL is allowed */

/* Writes whole messages, at least one where anything is due. capacity is at least
 * RIB_MONITOR_MESSAGE_MAX. Looks at a bounded number of prefixes: it may write nothing although
 * rib_monitor_pending(). */
size_t rib_monitor_output(struct rib_monitor *monitor, uint8_t *bytes, size_t capacity,
                          uint64_t now_ms);
bool rib_monitor_pending(const struct rib_monitor *monitor);
/* A Statistics Report of each session is due, and one of the Loc-RIB where that is told. */
void rib_monitor_report(struct rib_monitor *monitor);
/* Memory was short: what the collector was told cannot be kept true any more. Destroy it. */
bool rib_monitor_failed(const struct rib_monitor *monitor);
/* Messages so far, and prefixes whose change has yet to be told. */
uint64_t rib_monitor_messages(const struct rib_monitor *monitor);
size_t rib_monitor_waiting_count(const struct rib_monitor *monitor);

#endif

/*
 * What a modelled router announces beyond its own prefixes: the paths that a peer of a collector
 * had, from an MRT table, and how they changed, from MRT updates. Records come in, routes and timed
 * changes are kept; who reads the files is the caller.
 *
 *   records of one peer ──> routes[]   announced when the router starts
 *                       └─> changes[]  announced and withdrawn later, in their order
 *
 * The router announces these paths as a router does that has them from that peer: its own ASN in
 * front, itself as next hop.
 */
#ifndef ENGINE_SIM_FEED_H
#define ENGINE_SIM_FEED_H

#include "engine/bgp/mrt.h"
#include "engine/fabric/model.h"

struct sim_feed;

/* What is borrowed of config is its peer only. NULL with errno. */
struct sim_feed *sim_feed_create(const struct fabric_router_table *config);
void sim_feed_destroy(struct sim_feed *feed); /* NULL is allowed */

/* Takes a record of the table: peer index and RIB records; others are passed over. Returns 0, an
 * error of the decoders of mrt.h (the record is left out), or -ENOMEM. -EBADMSG too for a peer that
 * is not in the index. */
int sim_feed_take_table(struct sim_feed *feed, const struct mrt_record *record);
/* Takes a record of the updates: UPDATEs that the peer sent; others are passed over. */
int sim_feed_take_update(struct sim_feed *feed, const struct mrt_record *record);

size_t sim_feed_routes(const struct sim_feed *feed);
size_t sim_feed_changes(const struct sim_feed *feed);
/* Peers that the table has, as text for a message that says whom there is to choose; cut with …
 * where there are many. */
#define SIM_FEED_PEERS_TEXT 200
char *sim_feed_peers(const struct sim_feed *feed, char text[SIM_FEED_PEERS_TEXT]);

/* --- Played by the twin ----------------------------------------------------------------------- */

struct speaker;

/* Announces the routes, as the first n changes left them. */
int sim_feed_announce(const struct sim_feed *feed, struct speaker *speaker, size_t n);
/* Does change i. */
int sim_feed_change(const struct sim_feed *feed, struct speaker *speaker, size_t i);
/* When change i is due, in virtual milliseconds from the start. */
uint64_t sim_feed_due_ms(const struct sim_feed *feed, size_t i);

#endif

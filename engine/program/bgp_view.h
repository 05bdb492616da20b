/*
 * BGP as the fabric asks for it, answered by speakers: the adapter between struct fabric_bgp and
 * struct speaker. The twin and the live engine use the same one.
 *
 * A route server is one speaker, or two when its instances do not merge what they learn; then the
 * ECMP set at a prefix is the union of theirs.
 */
#ifndef ENGINE_PROGRAM_BGP_VIEW_H
#define ENGINE_PROGRAM_BGP_VIEW_H

#include "engine/fabric/effective.h"
#include "engine/program/standing.h"

struct program_bgp_view;

/* A view without speakers: no route server has a route. fabric is borrowed. NULL with errno. */
struct program_bgp_view *program_bgp_view_create(const struct fabric *fabric);
/* The speakers stay their owner's. NULL is allowed. */
void program_bgp_view_destroy(struct program_bgp_view *view);

/* speaker is (an instance of) this route server; it is borrowed. -ENOSPC: it has two already. */
int program_bgp_view_add(struct program_bgp_view *view, uint32_t route_server,
                         struct speaker *speaker);

/* NICs follow what stands there of that speaker (in the order in which they were added), and not its choice of the
 * moment. It stays its owner's. */
void program_bgp_view_follow(struct program_bgp_view *view, uint32_t route_server, unsigned index,
                             const struct program_standing *standing);

/* While an instance is away, the other one's choice counts for its NICs too. */
void program_bgp_view_set_away(struct program_bgp_view *view, uint32_t route_server,
                               unsigned instance, bool away);
bool program_bgp_view_is_away(const struct program_bgp_view *view, uint32_t route_server,
                              unsigned instance);

/* Valid as long as the view. */
const struct fabric_bgp *program_bgp_view(const struct program_bgp_view *view);

#endif

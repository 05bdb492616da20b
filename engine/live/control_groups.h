/*
 * What a running engine tells over its control socket of next-hop groups, ports and counters, and
 * taking a member out of a group by hand. Each takes a request (control_request.h) and returns the
 * document, or NULL with *error: what is wrong, in words; without memory NULL and no words.
 */
#ifndef ENGINE_LIVE_CONTROL_GROUPS_H
#define ENGINE_LIVE_CONTROL_GROUPS_H

#include "engine/live/context.h"

/* Of a NIC's id in the data plane: also "internet" and "other hosts"; null: there is none. */
json_t *live_nic_name(const struct live *live, uint32_t id);
/* Of dp_next_hop_address(); null: there is no such next hop. */
json_t *live_next_hop_json(const struct live *live, uint32_t next_hop);
/* "bgp", "static", "vnet", … NULL: there is no such group. */
const char *live_group_kind(const struct live *live, uint32_t id);
/* A row of "groups"; NULL: there is no such group. */
json_t *live_group_row(const struct live *live, uint32_t id);
json_t *live_show_groups(struct live *live, const json_t *request, const char **error);
json_t *live_show_ports(struct live *live, const json_t *request, const char **error);
json_t *live_show_counters(struct live *live, const json_t *request, const char **error);
/* Why does a flow go where it goes? The packet path's own decision, and all it depends on. */
json_t *live_show_flow(struct live *live, const json_t *request, const char **error);
json_t *live_set_member(struct live *live, const json_t *request, const char **error);

#endif

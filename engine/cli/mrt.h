/* The parts of fingerpost mrt, each one file; mrt.c finds them by name. */
#ifndef ENGINE_CLI_MRT_H
#define ENGINE_CLI_MRT_H

#include <jansson.h>

#include "engine/cli/command.h"
#include "engine/cli/mrt_file.h"

extern const struct cli_command cli_mrt_show, cli_mrt_dump;

/* --- Rows of show (mrt_rows.c) ---------------------------------------------------------------- */

/* "network", "nextHop", "asPath", ... of an entry of a table. */
json_t *mrt_route_row(const struct mrt_peer_index *index, const struct mrt_rib *rib,
                      const struct mrt_rib_entry *entry, const struct bgp_attributes *attributes);
/* "time", "peer", "type", "announced", "withdrawn", ... of a message or change of state; reader and
 * table: scratch. */
json_t *mrt_message_row(const struct mrt_record *record, const struct mrt_message *message,
                        struct bgp_update_reader *reader, struct bgp_attribute_table *table);
json_t *mrt_index_row(const struct mrt_peer_index *index);
/* One row as one line for people. */
void mrt_print_route(const json_t *row);
void mrt_print_message(const json_t *row);

#endif

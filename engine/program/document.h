/*
 * Documents that the twin's commands and a running engine give alike.
 */
#ifndef ENGINE_PROGRAM_DOCUMENT_H
#define ENGINE_PROGRAM_DOCUMENT_H

#include <jansson.h>

#include "engine/fabric/effective.h"

/* {"source", "state", "addressPrefix": [], "nextHopType", "nextHopIpAddress": [], "nextHopWeight": [] where
 * there are any}. NULL: no memory, as below. */
json_t *program_row_json(const struct fabric_row *row);
/* {"nic", "value": [rows]} */
json_t *program_rows_json(const char *nic, const struct fabric_row *rows, size_t n);
/* "Active" or "Invalid". */
const char *program_row_state(const struct fabric_row *row);

#endif

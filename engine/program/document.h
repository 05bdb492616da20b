/*
 * Documents that the twin's commands and a running engine give alike.
 */
#ifndef ENGINE_PROGRAM_DOCUMENT_H
#define ENGINE_PROGRAM_DOCUMENT_H

#include <jansson.h>

#include "engine/fabric/effective.h"
#include "engine/rib/speaker.h"

/* {"source", "state", "addressPrefix": [], "nextHopType", "nextHopIpAddress": [], "nextHopWeight": [] where
 * there are any}. NULL: no memory, as below. */
json_t *program_row_json(const struct fabric_row *row);
/* {"nic", "value": [rows]} */
json_t *program_rows_json(const char *nic, const struct fabric_row *rows, size_t n);
/* "Active" or "Invalid". */
const char *program_row_state(const struct fabric_row *row);

struct program_question {
    bool advertised; /* what is sent to the peer, rather than what it announces */
    bool all;        /* what is filtered on the way, too */
};
/* Adds a row for each route of a session: "network", "nextHop", "asPath", "origin", "weight", "verdict", ... */
void program_session_rows(const struct program_question *question, const struct speaker *speaker,
                          const struct speaker_peer *peer, json_t *rows);
/* Those at one prefix; what is withheld is not among them. */
void program_session_rows_at(const struct program_question *question, const struct speaker *speaker,
                             const struct speaker_peer *peer, const struct lpm_prefix *prefix,
                             json_t *rows);

#endif

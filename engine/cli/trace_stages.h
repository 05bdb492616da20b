/*
 * A packet that fingerpost trace-packet got, as lines for people: what it is and became, then its stages, each one step
 * further in than the one before.
 */
#ifndef ENGINE_CLI_TRACE_STAGES_H
#define ENGINE_CLI_TRACE_STAGES_H

#include <jansson.h>

/* To standard output. row: as engine/live/trace_row.h makes it. */
void trace_print(const json_t *row);

#endif

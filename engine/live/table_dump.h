/*
 * The running engine's BGP tables as MRT files, every engine.mrt.interval_s: the tables of all route
 * servers and gateways one after the other, each with its own index of peers. Written in small pieces between two
 * turns of the loop, under another name that becomes the right one when the file is whole.
 */
#ifndef ENGINE_LIVE_TABLE_DUMP_H
#define ENGINE_LIVE_TABLE_DUMP_H

#include "engine/live/context.h"

/* Starts the timers; nothing where the file has no engine.mrt. After the controller is there. Returns
 * 0 or -errno. */
int live_table_dump_open(struct live *live);
/* Gives up a dump under way and closes the timers; before the loop ends. */
void live_table_dump_close(struct live *live);
/* After the loop has ended. */
void live_table_dump_free(struct live *live);

#endif

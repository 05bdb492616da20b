/*
 * The control socket of a running engine (engine.control_socket): a UNIX socket of mode 0600 that takes
 * one JSON object a line and answers each with one. What can be asked: control_request.h.
 *
 *   client ──line──> live_control_perform() ──line──> client
 *
 * A client's next line is not looked at before its answer has been taken, and a client that takes none is
 * dropped. A long answer is made a piece a turn, as the client takes it (stream.h). So each client costs one
 * line and one piece, and the engine's work goes on meanwhile.
 */
#ifndef ENGINE_LIVE_CONTROL_H
#define ENGINE_LIVE_CONTROL_H

#include "engine/live/context.h"

/* Listens; nothing where the file has no engine.control_socket. A socket that an engine left behind is
 * replaced; one that is in use, or any other file, is an error. 0 or -errno with error. */
int live_control_open(struct live *live, char *error, size_t size);
/* Removes the socket and drops every client; before the loop ends. */
void live_control_close(struct live *live);
/* After the loop has ended. */
void live_control_free(struct live *live);

#endif

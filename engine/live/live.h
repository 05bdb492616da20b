/*
 * The live engine: route servers on kernel TCP, the data plane on its ports, on one control thread.
 *
 *   kernel TCP ──> connection ──> speaker ─┐                             signals: TERM, INT: stop
 *   (libuv loop)   <── bytes pulled ───────┴─> controller ──> FIBs, groups        USR1: status
 *                                                                                 HUP: keys, policies
 *                                                              ║ RCU
 *                                              dp_engine: workers on the ports of the fabric file
 *
 * The calling thread becomes the control thread: it owns all engine state and is the one RCU
 * writer. Interfaces and addresses of the machine are the user's: the engine binds to them and says
 * what to add when they are missing, but configures none.
 */
#ifndef ENGINE_LIVE_LIVE_H
#define ENGINE_LIVE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/fabric/outline.h"

struct live_options {
    uint16_t bgp_port; /* listened on and connected to; 0: 179 */
    bool restarted;    /* this process follows one that died (RFC 4724 section 4.1) */
    bool json;         /* one JSON document on standard output at the end, and nothing else there */
    const char *shutdown_message; /* told to peers at the stop (RFC 9003); NULL: nothing */
    bool verbose;                 /* EAL's and the drivers' own lines go to standard error too */
    /* The fabric file: read again for SIGHUP, or what was applied last in its place. */
    const char *path;
    /* What stands in it; borrowed. NULL: nothing can be applied. */
    const struct fabric_outline *outline;
    /* Reads a fabric file, as fabric_load_outlined(); for SIGHUP and to apply it. Called from a thread of its
     * own, too. NULL: neither can be done. */
    struct fabric *(*read)(const char *path, struct fabric_outline **outline,
                           struct fabric_problems *problems);
};

/* Runs until SIGINT or SIGTERM: peers get Cease / Administrative Shutdown, ports are closed, a
 * summary is printed. A second signal ends the process at once. While running, SIGUSR1 prints the
 * same summary to standard error, SIGUSR2 its JSON document as one line, and SIGHUP reads the key
 * files of peers and the policies of the fabric file again. Returns the exit code: 0 after a clean stop, 2 when the engine could not
 * start (one line on standard error says what and what would be right; nothing is left open).
 * fabric is borrowed. Changes the process's handling of these signals and of SIGPIPE. */
int live_run(const struct fabric *fabric, const struct live_options *options);

#endif

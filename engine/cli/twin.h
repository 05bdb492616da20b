/*
 * A fabric file brought to life on the virtual clock, for the commands that ask it something.
 * Starts no EAL and opens no port or socket.
 */
#ifndef ENGINE_CLI_TWIN_H
#define ENGINE_CLI_TWIN_H

#include "dataplane/dataplane.h"
#include "engine/cli/command.h"
#include "engine/program/events.h"
#include "engine/sim/sim.h"

struct twin {
    struct fabric *fabric;
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct sim *sim;
};

/* Virtual time within which a healthy fabric converges: above the longest default hold time, so
 * that what is silently dead has been found out too. */
#define TWIN_SETTLE_MS 600000u

/* Loads, builds and settles. Returns 0; or the exit code, with everything said on standard error
 * and nothing left open. */
int twin_open(const struct cli_command *command, const char *path, struct twin *twin);
/* The same for a fabric that is loaded already; it becomes the twin's. */
int twin_raise(const struct cli_command *command, struct fabric *fabric, struct twin *twin);
/* The same, with an event log from the start (controller_watch()). */
int twin_watch(const struct cli_command *command, struct fabric *fabric, event_listener *listener,
               void *context, struct twin *twin);
/* The same, with room for what the fabric becomes while it runs (sim_apply()): for any of these, of which
 * some may be NULL. */
int twin_watch_growing(const struct cli_command *command, struct fabric *fabric,
                       struct fabric *const *stages, size_t stage_count, event_listener *listener,
                       void *context, struct twin *twin);
void twin_close(struct twin *twin);

/* Lets it converge again after a change. Says which sessions did not come up; false for an error,
 * said too. */
bool twin_settle(const struct cli_command *command, struct twin *twin);

/* The NIC of that name, or FABRIC_NONE with an error that lists what there is. */
uint32_t twin_find_nic(const struct cli_command *command, const struct fabric *fabric,
                       const char *name);

#endif

/*
 * What kinds of devices differ in, so that one entry of the fabric file is enough for each: options
 * that the user left out, and what a driver does not do or tell. Internal to the ports.
 */
#ifndef DATAPLANE_PORT_KIND_H
#define DATAPLANE_PORT_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/dataplane.h"

struct dp_port_kind {
    const char *driver; /* as a device's name begins */
    /* Sees no checksums that its sender left to hardware: see struct dp_port. */
    bool partial_checksums;
    /* Knows no MTU above 1500: buffers are sized by options, and the kernel's interface, if there is
     * one, has an MTU of its own. */
    bool kernel_mtu;
    /* Option that names the kernel's interface; NULL: there is none. */
    const char *interface_option;
    bool shares_memory; /* its buffers are another program's to read: see struct dp_eal_request */
    /* Adds what is missing to "key=value,..."; NULL: nothing ever is. */
    void (*complete)(const struct dp_port_config *config, unsigned queues, char *options,
                     size_t room);
};

/* Never NULL: a device of no known kind, a PCI one among them, is like any. */
const struct dp_port_kind *dp_port_kind(const char *device);

/* The options to plug it with: the user's, and behind them what is missing. queues: wanted. */
void dp_port_options(const struct dp_port_config *config, unsigned queues, char *options,
                     size_t room);

/* The value of key in "key=value,key=value"; false when it is not there. */
bool dp_port_option(const char *options, const char *key, char *value, size_t room);

/* The kernel's interface whose link is the port's; "" where there is none. */
void dp_port_interface(const struct dp_port_config *config, char interface[16]);
/* Is it there, up, and has its carrier? */
bool dp_interface_runs(const char interface[16]);

/* The driver's own descriptor of the tap interface with this name, which is in this network namespace;
 * 0: it cannot be found. It stays the driver's. */
int dp_tap_find(const char *name);
/* Is the interface behind it still there, in whatever namespace it is by now? */
bool dp_tap_lives(int descriptor);

/* The kernel's interface must carry what the port is to: fills error and returns -EINVAL when its
 * MTU is smaller. 0 also where there is no such interface. */
int dp_port_check_mtu(const struct dp_port_config *config, char error[DP_ERROR_TEXT]);

#endif
